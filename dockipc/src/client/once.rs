//! Calls that run exactly once: their tokens, and when they are repeated.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use super::limits::{CallLimits, Deadline};
use super::restart::{Pauses, Restart};
use crate::error::{Error, Failure, Ran, Result, code};

/// Whether a call has a token.
#[derive(Clone, Debug, Default)]
pub(super) enum Once {
    #[default]
    No,
    /// All calls of the client have one that can.
    OfClient,
    /// A new one for each call.
    New,
    Given(String),
}

/// The token of a call that is made.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    /// The daemon's store in which the command may have run.
    store: OnceLock<Option<u64>>,
}

impl Once {
    /// Returns the token. `is_plain`: the call has no body and its answer is not taken as a stream.
    pub(super) fn token(self, is_plain: bool) -> Option<Token> {
        let text = match self {
            Self::No => return None,
            Self::OfClient if !is_plain => return None,
            Self::OfClient | Self::New => new_token(),
            Self::Given(text) => text,
        };
        Some(Token { text, store: OnceLock::new() })
    }
}

/// Returns 128 random bits as text. No other user can guess them.
fn new_token() -> String {
    // Each has a random key of its own.
    let [one, other] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    format!("{one:016x}{other:016x}")
}

/// The part of a daemon's greeting about calls that run once.
#[derive(Clone, Copy, Default)]
pub(super) struct Offer {
    pub(super) is_there: bool,
    /// The store's identity.
    pub(super) store: Option<u64>,
}

impl Token {
    /// Checks, before anything is sent, that the daemon remembers calls, and that it can know an earlier attempt.
    pub(super) fn check(&self, offer: Offer) -> Result<()> {
        if !offer.is_there {
            let why = "the daemon does not remember calls, so that none runs once (Server::once); the command was not run";
            return Err(Error::Refused(Failure::new(code::USAGE, why)));
        }
        match self.store.get() {
            Some(first) if *first != offer.store => {
                Err(Error::Protocol("the daemon was restarted and does not know the call".into()))
            }
            _ => Ok(()),
        }
    }

    /// The command may have run at the daemon of this greeting.
    pub(super) fn may_have_run(&self, offer: Offer) {
        self.store.get_or_init(|| offer.store);
    }
}

/// The most new connections of a call that has not run yet.
const CONNECTIONS: usize = 16;

/// How long a call without a timeout is repeated.
const TIME: Duration = Duration::from_secs(60);

/// The attempts of one call with a token.
#[derive(Default)]
pub(super) struct Repeats {
    /// Whether the client had a connection to the daemon before the call.
    has_connected: bool,
    /// The wait for a daemon that restarts, before the command may have run.
    restart: Restart,
    /// The first error after which the command may have run.
    first: Option<Error>,
    end: Option<Deadline>,
    /// The new connections that have failed.
    failed: usize,
    pauses: Pauses,
}

impl Repeats {
    pub(super) fn new(has_connected: bool) -> Self {
        Self { has_connected, ..Self::default() }
    }

    /// An attempt has failed, over a new connection or a pooled one. Returns the pause before the next one, or the
    /// error of the call.
    pub(super) fn after(
        &mut self,
        error: Error,
        is_new: bool,
        call: &CallLimits<'_>,
    ) -> Result<Duration> {
        let error = if self.first.is_none() {
            let limit = call.limits.connect.unwrap_or(TIME);
            match self.restart.pause(error, self.has_connected, call.end, limit) {
                Ok(pause) => return Ok(pause),
                Err(error) => error,
            }
        } else {
            error
        };
        // One whose command was sent was usable.
        let (goes_on, was_usable) = match &error {
            Error::CutOff { ran: Ran::Maybe, .. } => (true, true),
            Error::CutOff { ran: Ran::No, .. } => (true, false),
            Error::Refused(failure) if failure.is_not_run() => (true, false),
            // It has no room for another connection, and says nothing about the earlier run.
            Error::Refused(failure) => {
                (self.first.is_some() && failure.code() == code::BUSY, false)
            }
            Error::NoSocket { .. } | Error::Stale { .. } => (self.first.is_some(), false),
            _ => (false, false),
        };
        self.failed += usize::from(is_new);
        if was_usable {
            self.end = self.end.or(call.end).or_else(|| Deadline::after(TIME));
        }
        let is_answer = matches!(&error, Error::Refused(_)) && !goes_on;
        let is_late = self.end.is_some_and(|end| end.left().is_zero());
        let is_first = self.first.is_none();
        if is_first && was_usable {
            self.first = Some(error);
        } else if is_answer && !is_late {
            return Err(error);
        } else if !goes_on || is_late || is_first && self.failed >= CONNECTIONS {
            return Err(self.first.take().unwrap_or(error));
        }
        // At once after the first connection that was lost. A server that closes each one is not called without a pause.
        if !is_new || is_first && was_usable {
            return Ok(Duration::ZERO);
        }
        Ok(self.pauses.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limits::ClientLimits;

    #[test]
    fn calls_to_a_server_that_closes_each_connection_are_apart() {
        let limits = ClientLimits::default();
        let call = CallLimits::new(&limits, None);
        let mut repeats = Repeats::new(true);
        let mut pause = || {
            let lost = Error::CutOff { received: 0, ran: Ran::Maybe };
            repeats.after(lost, true, &call).unwrap()
        };
        assert_eq!(pause(), Duration::ZERO);
        let pauses: Vec<_> = (0..16).map(|_| pause()).collect();
        assert!(pauses.iter().all(|pause| !pause.is_zero()) && pauses.is_sorted());
    }
}
