//! The connections that are kept for the next calls.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::connection::Connection;
use super::limits::Limits;

/// The connections that nobody uses, the last one used on top: those that are not needed stay at
/// the bottom and grow old.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: Connection,
    since: Duration,
}

/// A connection that nobody used for longer is looked at first: the daemon may have ended it, and
/// said something before. One that is used again sooner is spared the system call.
const RESTED: Duration = Duration::from_millis(10);

impl Pool {
    /// The connection that was used last, if it is still as it was left. Those that are too old are
    /// closed.
    pub(super) fn take(&self, limits: &Limits) -> Option<Connection> {
        loop {
            let now = now();
            let age = |kept: &Kept| now.saturating_sub(kept.since);
            let is_old = |kept: &Kept| limits.idle.is_some_and(|limit| age(kept) > limit);
            let mut idle = self.idle();
            // They lie in the order of their age.
            let old: Vec<Kept> = if idle.first().is_some_and(is_old) {
                let count = idle.partition_point(is_old);
                idle.drain(..count).collect()
            } else {
                Vec::new()
            };
            let kept = idle.pop();
            drop(idle);
            drop(old);
            let kept = kept?;
            if age(&kept) < RESTED || kept.connection.is_quiet() {
                return Some(kept.connection);
            }
        }
    }

    /// Keeps a connection, unless there are enough.
    pub(super) fn keep(&self, connection: Connection, limits: &Limits) {
        let since = now();
        let mut idle = self.idle();
        if idle.len() < limits.most_idle {
            idle.push(Kept { connection, since });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that is as exact as the system's tick and costs a few nanoseconds, which each call pays
/// twice.
fn now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::MonotonicCoarse;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}
