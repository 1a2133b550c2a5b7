//! [`Stopped`], why a command was asked to stop.

use std::fmt;

use super::{Coded, Failure, code};

/// Why a command was asked to stop ([`Cancel`](crate::Cancel)), as an error: `cancel.check()?` ends the command
/// with it.
///
/// Its code on the wire is `CANCELLED`, `TIMEOUT` or `SHUTDOWN`. It converts to a
/// [`Failure`](struct@crate::Failure) and to a [`std::io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// The client has left or has cancelled the call, or an operator has.
    Cancelled,
    /// The caller's deadline or the daemon's [`run_timeout`](crate::Server::run_timeout) has passed.
    TimedOut,
    /// The server stops, and its [`shutdown_timeout`](crate::Server::shutdown_timeout) has passed; a
    /// [`Stream`](crate::Stream) does not wait for that.
    ShuttingDown,
}

impl Stopped {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Cancelled, Self::TimedOut, Self::ShuttingDown]
            .into_iter()
            .find(|stopped| stopped.number() == number)
    }

    pub(crate) fn number(self) -> u8 {
        self as u8 + 1
    }

    pub(crate) fn failure(self) -> Failure {
        Failure::new(self.code(), self)
    }

    /// Returns the failure of a command that had not begun.
    pub(crate) fn not_run(self) -> Failure {
        let why = match self {
            Self::Cancelled => "the command was cancelled before it began; it was not run",
            Self::TimedOut => "the time for the command had passed before it began; it was not run",
            Self::ShuttingDown => return Failure::not_run(),
        };
        Failure::new(self.code(), why)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the command was cancelled",
            Self::TimedOut => "the time for the command has passed",
            Self::ShuttingDown => "the daemon stops; the command was ended",
        })
    }
}

impl std::error::Error for Stopped {}

impl Coded for Stopped {
    fn code(&self) -> &'static str {
        match self {
            Self::Cancelled => code::CANCELLED,
            Self::TimedOut => code::TIMEOUT,
            Self::ShuttingDown => code::SHUTDOWN,
        }
    }
}

impl From<Stopped> for std::io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::other(stopped)
    }
}
