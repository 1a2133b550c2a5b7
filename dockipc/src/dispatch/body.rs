//! Commands with a body: where its bytes are.

use super::call::with_usage;
use super::run::Runner;
use super::{Outcome, Service};
use crate::arg::usage;
use crate::audit::Case;
use crate::body::Origin;
use crate::commands::Command;
use crate::error::Failure;
use crate::param::{Args, Purpose, Shape, Unbound};
use crate::request::Request;
use crate::session::Session;
use crate::wire::Protocol;

impl Service {
    /// Binds the words of a command with a body and runs it.
    #[cold]
    #[inline(never)]
    pub(super) fn call_with_body(
        &self,
        command: &'static Command,
        shape: &Shape,
        session: &Session,
        unbound: &mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Outcome {
        let origin = origin(session, unbound);
        let origin = match origin.ok_or_else(|| missing(command)) {
            Ok(origin) => origin,
            Err(failure) => {
                return self.unbindable(command, shape, session, unbound, failure, runner);
            }
        };
        if let Err(failure) = unbound.bind_each(command.params, &shape.without_body(command.params))
        {
            return self.unbindable(command, shape, session, unbound, failure, runner);
        }
        let bound = unbound.found();
        let caller = self.caller(session);
        let request = Request::new(command.name, bound.words, caller, shape.has_secret);
        let (options, params, purpose) = (bound.options, command.params, Purpose::Run);
        let args = Args { request: &request, options, params, purpose };
        if session.is_in_transaction() {
            return self.check(command, args, runner).into();
        }
        self.call_with_run(command, shape, session, args, runner, Some(origin))
    }

    /// Answers a call whose words can't be bound.
    #[cold]
    pub(super) fn unbindable(
        &self,
        command: &'static Command,
        shape: &Shape,
        session: &Session,
        unbound: &mut Unbound<'_>,
        failure: Failure,
        runner: &mut Runner<'_>,
    ) -> Outcome {
        let failure = match self.joined(session, shape.has_secret, unbound) {
            Some(name) => usage(format_args!("{}; did you mean {name}?", failure.message())),
            None => failure,
        };
        let answer = with_usage(command, failure);
        let record = |case: &Case<'_>| case.unbindable(shape, unbound);
        self.not_run(session, command.name, runner, answer, record).into()
    }
}

/// Returns where the body is.
fn origin<'r>(session: &Session, unbound: &mut Unbound<'r>) -> Option<Origin<'r>> {
    if let Some(opening) = session.opening.as_ref().filter(|opening| opening.body) {
        Some(Origin::Frames { are_values: opening.has_items })
    } else if !unbound.is_line() {
        unbound.take_last().map(Origin::Word)
    } else {
        // A line in RESP has nothing behind it.
        (session.protocol == Protocol::Line).then_some(Origin::Rest)
    }
}

fn missing(command: &Command) -> Failure {
    let name = command.given().last().map_or("", |param| param.name);
    usage(format_args!("{name} is missing"))
}
