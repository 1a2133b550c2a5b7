//! How the program ends.

use std::process::ExitCode;

use crate::error::{Error, Failure, code};

/// The program's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// The daemon answered.
    Answered = 0,
    /// The daemon said no.
    Refused = 1,
    /// The program, or the command, was not called as it should be.
    Usage = 2,
    /// There is no daemon.
    NoDaemon = 3,
    /// This user may not connect, or not run the command; or a user listens who must not.
    NoPermission = 4,
    /// It took too long.
    TimedOut = 5,
    /// The answer was cut off.
    CutOff = 6,
}

/// For the help's end.
pub(super) const TABLE: &str = "\
Exit codes:
  0  answered
  1  the daemon said no, or the answer could not be written
  2  wrong usage, also of the daemon's command, or a file that can't be read
  3  no daemon
  4  no permission, or not the owner that is required
  5  timed out
  6  the answer was cut off";

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
            Error::BadPath { .. } | Error::BadTokenFile { .. } => Self::Usage,
            _ => Self::Refused,
        }
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        match failure.code() {
            code::USAGE | code::UNKNOWN => Self::Usage,
            code::NOPERM | code::WRONGPASS => Self::NoPermission,
            code::TIMEOUT => Self::TimedOut,
            _ => Self::Refused,
        }
    }
}
