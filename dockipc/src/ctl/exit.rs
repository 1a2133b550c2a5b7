//! Exit codes.

use std::process::ExitCode;

use crate::error::{Error, Failure, code};

/// An exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// The daemon answered.
    Answered = 0,
    /// The daemon refused, or the answer could not be written.
    Refused = 1,
    /// The program or the daemon's command was used wrongly.
    Usage = 2,
    /// There is no daemon.
    NoDaemon = 3,
    /// The user may not connect or not run the command, or the daemon's owner is not the required
    /// one.
    NoPermission = 4,
    /// A time limit passed.
    TimedOut = 5,
    /// The answer ended early.
    CutOff = 6,
    /// Another program than a dockipc daemon listens at the socket.
    NotDockipc = 7,
    /// The user interrupted. The program ends by the signal, which a shell shows as this code.
    Interrupted = 130,
}

/// The table at the end of the help.
pub(super) const TABLE: &str = "\
Exit codes:
  0  answered
  1  the daemon refused, or the answer could not be written
  2  usage error, also of the daemon's command, or an unreadable file
  3  no daemon
  4  permission denied, or not the required owner
  5  timed out
  6  the answer was cut off
  7  not a dockipc daemon
  130  interrupted by Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused(failure) => failure.into(),
            Error::NoSocket { .. } | Error::NotASocket { .. } | Error::Stale { .. } => {
                Self::NoDaemon
            }
            Error::Permission { .. } | Error::WrongOwner { .. } => Self::NoPermission,
            Error::TimedOut { .. } => Self::TimedOut,
            Error::CutOff { .. } => Self::CutOff,
            Error::NotDockipc { .. } => Self::NotDockipc,
            Error::BadPath { .. } | Error::BadTokenFile { .. } => Self::Usage,
            _ => Self::Refused,
        }
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure.code() {
            code::USAGE | code::UNKNOWN | code::UTF8 => Self::Usage,
            code::NOPERM | code::WRONGPASS => Self::NoPermission,
            code::TIMEOUT => Self::TimedOut,
            _ => Self::Refused,
        }
    }
}
