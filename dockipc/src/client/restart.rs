//! The wait for a daemon that restarts, by the calls that may be repeated.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exchange::CONNECTING;
use super::limits::Deadline;
use crate::error::{Error, Result};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The pauses between attempts, which double up to the longest one.
#[derive(Default)]
pub(super) struct Pauses(u32);

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        self.0 += 1;
        Duration::from_millis(1 << self.0.min(7)).min(LONGEST_PAUSE)
    }
}

/// The wait of a call that has not run, while no daemon listens.
#[derive(Default)]
pub(crate) struct Restart {
    end: Option<Deadline>,
    pauses: Pauses,
    /// The error for which the call waits.
    absent: Option<Error>,
}

impl Restart {
    /// An attempt has failed. Returns the pause before the next one, or the error of the call: of another kind, or after
    /// the deadline, or because no daemon was there: its client `has_connected` before, or it has left its socket or lock
    /// file. Without a deadline, the wait ends after `limit`.
    pub(crate) fn pause(
        &mut self,
        error: Error,
        has_connected: bool,
        end: Option<Deadline>,
        limit: Duration,
    ) -> Result<Duration> {
        let absent = self.absent.take();
        let was_there = match &error {
            Error::Stale { .. } => true,
            Error::NoSocket { path } => has_connected || lock(path).is_file(),
            // The deadline passed in the pause.
            Error::TimedOut { doing: CONNECTING, .. } => return Err(absent.unwrap_or(error)),
            _ => false,
        };
        if !was_there {
            return Err(error);
        }
        if self.end.is_none() {
            self.end = end.or_else(|| Deadline::after(limit));
        }
        let left = self.end.map_or(Duration::ZERO, |end| end.left());
        if left.is_zero() {
            return Err(error);
        }
        self.absent = Some(error);
        Ok(self.pauses.next().min(left))
    }
}

/// Returns the path of a socket's lock file, which stays after the daemon's end. It is beside the socket itself, not
/// beside a link to it.
pub(crate) fn lock(path: &Path) -> PathBuf {
    let mut lock = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    lock.push(".lock");
    lock.into()
}
