//! Calls with a token, which run once: which are refused, and how a handler's is answered.

use super::Outcome;
use super::Service;
use super::outcome::Pending;
use crate::answer::{Answered, Coming};
use crate::arg::{Truncated, usage};
use crate::commands::Command;
use crate::error::Failure;
use crate::reply::Reply;
use crate::run::Cancel;
use crate::running::Registered;
use crate::session::{Opening, Session};

impl Service {
    /// Returns why a call with this opening can't run, if it has a token.
    #[cold]
    pub(super) fn refuses_token(&self, session: &Session, opening: &Opening) -> Option<Failure> {
        opening.once.as_ref()?;
        let why = if self.once.is_none() {
            "this daemon remembers no calls (Server::once); call without once"
        } else if opening.body {
            "a call with a body can't be made once; call without once"
        } else if opening.stream.is_some() {
            "a stream can't be called once; call without once"
        } else if session.is_in_transaction() {
            "a call with once can't be queued in a transaction"
        } else {
            return None;
        };
        Some(usage(format_args!("{why}")))
    }

    /// Returns the outcome of a handler's call with a token.
    #[cold]
    pub(super) fn outcome_once(
        answered: Result<Result<Answered, Failure>, Option<Reply>>,
        run: &Cancel,
        registered: Registered,
    ) -> Outcome {
        match answered {
            Ok(Ok(Answered::Now(reply))) => Outcome::Reply(reply),
            Ok(Err(failure)) => Outcome::Reply(Reply::Error(failure)),
            Ok(Ok(Answered::Later(Coming(later)))) => {
                Outcome::Later(Box::new(Pending::new(None, run, registered, later)))
            }
            // Not reached: a handler has no stream.
            Ok(Ok(Answered::Stream(_))) => Outcome::Reply(Reply::Null),
            Err(instead) => instead.into(),
        }
    }
}

/// Returns why a command can't be called with a token, if the call has one.
#[cold]
pub(super) fn refuses_once(command: &Command, opening: Option<&Opening>) -> Option<Failure> {
    opening?.once.as_ref()?;
    let why = if command.is_stream() {
        "its answer is a stream"
    } else if command.params.iter().any(|param| param.body.is_some()) {
        "it takes a body"
    } else {
        return None;
    };
    Some(not_once(command.name.as_bytes(), why))
}

/// Returns whether the current command has a token.
pub(super) fn has_token(session: &Session) -> bool {
    session.opening.as_ref().is_some_and(|opening| opening.once.is_some())
}

/// Returns the failure of a call with a token of a command that takes none.
#[cold]
pub(super) fn not_once(name: &[u8], why: &str) -> Failure {
    usage(format_args!("{} can't be called once: {why}", Truncated(name)))
}
