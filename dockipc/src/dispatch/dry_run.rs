//! `DOCKIPC CHECK`: a command takes every step up to its run, and the answer says what would run.

use super::run::{Executor, Runner};
use super::{Outcome, Service};
use crate::access::Policy;
use crate::arg::{Quoted, Truncated, usage};
use crate::audit::Case;
use crate::commands::{Command, Runnable, Target};
use crate::param::{Args, Bound, Purpose, Shape, Unbound, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Request;
use crate::secret::HIDDEN;
use crate::session::Session;
use crate::text::append;
use crate::wire::words::quote;

impl Service {
    /// Checks the command behind `DOCKIPC CHECK`. The author's function and hooks do not run; the audit records the
    /// decision with the name `dockipc check …`, without a request.
    #[cold]
    #[inline(never)]
    pub(super) fn dry_run(
        &self,
        session: &Session,
        unbound: &mut Unbound<'_>,
        executor: &mut dyn Executor,
    ) -> Option<Reply> {
        let found = unbound.skip_to(2).and_then(|()| self.find_command(session, unbound));
        let found = match found {
            Ok(found) => found,
            Err(failure) => return Some(Reply::Error(failure)),
        };
        let Some(name) = unbound.name() else {
            let why = "usage: dockipc check <command> [<word>…]";
            return Some(Reply::Error(usage(why)));
        };
        let fallback = self.table.fallback();
        let (what, entry, policy, speed) = match found {
            Some((id, entry)) => (Runnable::Command(id), Some(entry), &entry.policy, &entry.speed),
            None => (Runnable::Fallback, None, &fallback.policy, &fallback.speed),
        };
        let is_offered = self.table.is_offered(session.socket, what);
        let is_open = matches!(policy, Policy::Open);
        let is_allowed = is_offered && (is_open || policy.allows(&session.credentials()));
        let policy = is_offered.then_some(policy);
        // A record can be printed as it is.
        let name = match entry {
            Some(entry) => format!("dockipc check {}", entry.declared_name()),
            None => format!("dockipc check {}", Truncated(name)),
        };
        let audit = self.audit.as_ref().filter(|_| !is_offered || !is_open);
        let case = audit
            .map(|audit| audit.case((&session.peer, session.id), is_allowed, policy, Some(&name)));
        let (case, protocol) = (case.as_ref(), session.protocol);
        let mut runner = Runner { executor, what, speed, protocol, case, hooks: None };
        if !is_allowed || (entry.is_none() && fallback.handler.is_none()) {
            return self.deny(session, entry, policy, unbound, &mut runner);
        }
        match entry.map(|entry| (&entry.target, &entry.shape)) {
            Some((Target::Command(command), shape)) => {
                match self.check_command(command, shape, session, unbound, &mut runner) {
                    Outcome::Reply(reply) => Some(reply),
                    _ => None,
                }
            }
            Some((Target::Mounted(_), _)) | None => {
                let (name, words, whole) = unbound.all();
                let answer = match whole {
                    Ok(()) => {
                        let mut text = format!("{} would run", String::from_utf8_lossy(name));
                        words.iter().for_each(|word| add(&mut text, "", word));
                        text.into_reply()
                    }
                    Err(failure) => Reply::Error(failure),
                };
                let record = |case: &Case<'_>| case.unbound(name, None, words);
                self.not_run(session, "", &mut runner, answer, record)
            }
            Some(_) => {
                let name = Quoted(unbound.name().unwrap_or_default());
                let why =
                    format_args!("{name} is built in; check is for the daemon's own commands");
                Some(Reply::Error(usage(why)))
            }
        }
    }

    fn check_command(
        &self,
        command: &'static Command,
        shape: &Shape,
        session: &Session,
        unbound: &mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Outcome {
        // The body is not sent.
        let shape = &shape.without_body(command.params);
        if let Err(failure) = unbound.bind_each(command.params, shape) {
            return self.unbindable(command, shape, session, unbound, failure, runner);
        }
        let bound = unbound.found();
        let caller = self.caller(session);
        let request = Request::new(command.name, bound.words, caller, shape.has_secret);
        let (options, params, purpose) = (bound.options, command.params, Purpose::Check);
        let args = Args { request: &request, options, params, purpose };
        self.check_words(command, args, runner, Some(would_run)).into()
    }
}

/// Says what would run, with the words by their parameters.
fn would_run(command: &Command, bound: &Bound<'_>) -> Reply {
    let mut text = format!("{} would run", command.name);
    for (param, word) in bound.named(command.params) {
        let word = match param.way {
            _ if param.secret => HIDDEN.as_bytes(),
            Way::Flag(_) => b"true",
            _ => word,
        };
        add(&mut text, param.name, word);
    }
    text.into_reply()
}

fn add(text: &mut String, name: &str, word: &[u8]) {
    let colon = if text.ends_with("would run") { ":" } else { "" };
    let equals = if name.is_empty() { "" } else { "=" };
    let word = String::from_utf8_lossy(word);
    append(text, format_args!("{colon} {name}{equals}{}", quote(&word)));
}
