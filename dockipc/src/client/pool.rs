//! The pool of idle connections.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::connection::Connection;
use super::limits::ClientLimits;
use super::newest::Newest;
use crate::sys;

/// A stack of idle connections. The most recently used one is taken first, so surplus connections
/// stay at the bottom and expire.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<IdleConnection>>,
    has_connected: AtomicBool,
    pub(super) newest: Newest,
}

struct IdleConnection {
    connection: Connection,
    since: Duration,
    /// The number of forks. A forked child does not use the connections of its parent: each would read
    /// the other's answers.
    forks: u32,
}

/// A connection that was idle for at least this long is checked before use, since the daemon may
/// have closed it. One that is reused sooner saves the system call.
const MIN_IDLE_TO_CHECK: Duration = Duration::from_millis(10);

impl Pool {
    /// Notes that there was a connection to the daemon.
    pub(super) fn connected(&self) {
        self.has_connected.store(true, Relaxed);
    }

    pub(super) fn has_connected(&self) -> bool {
        self.has_connected.load(Relaxed)
    }

    /// Takes the most recently used connection that is still open. Closes those that have expired.
    pub(super) fn take(&self, limits: &ClientLimits) -> Option<Connection> {
        loop {
            let now = now();
            let age = |kept: &IdleConnection| now.saturating_sub(kept.since);
            let is_old = |kept: &IdleConnection| limits.idle.is_some_and(|limit| age(kept) > limit);
            let mut idle = self.idle();
            // The connections are sorted by age.
            let old: Vec<IdleConnection> = if idle.first().is_some_and(is_old) {
                let count = idle.partition_point(is_old);
                idle.drain(..count).collect()
            } else {
                Vec::new()
            };
            let kept = idle.pop();
            drop(idle);
            drop(old);
            let kept = kept?;
            if kept.forks != sys::forks() {
                continue;
            }
            if age(&kept) < MIN_IDLE_TO_CHECK || kept.connection.is_quiet() {
                return Some(kept.connection);
            }
        }
    }

    /// Adds a connection, unless the pool is full.
    pub(super) fn keep(&self, connection: Connection, limits: &ClientLimits) {
        sys::watch_forks();
        let (since, forks) = (now(), sys::forks());
        let mut idle = self.idle();
        if idle.len() < limits.max_idle {
            idle.push(IdleConnection { connection, since, forks });
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a clock that is as coarse as the system's tick, but costs only a few nanoseconds: each
/// call reads it twice.
fn now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::MonotonicCoarse;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}
