//! Learns from run times which commands are slow.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Whether a command is known to be slow.
///
/// Both fields are hints: after a stale read, a command runs once on the wrong kind of thread. So every
/// access is `Relaxed`, and no other data is published through them.
#[derive(Default)]
pub(crate) struct Speed {
    slow: AtomicBool,
    /// Consecutive quick runs since the command was marked as slow.
    quick_runs: AtomicU32,
}

/// The longest run that counts as quick. Handing a command to another thread costs about as much.
const QUICK: Duration = Duration::from_micros(200);

/// The number of consecutive quick runs after which a slow command counts as quick.
const QUICK_AGAIN: u32 = 64;

impl Speed {
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Marks the command as slow after it stalled the leader.
    pub(crate) fn stalled(&self) {
        self.quick_runs.store(0, Ordering::Relaxed);
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Records the duration of a run while the command is marked as slow.
    pub(crate) fn ran_for(&self, time: Duration) {
        if time > QUICK {
            self.quick_runs.store(0, Ordering::Relaxed);
        } else if self.quick_runs.fetch_add(1, Ordering::Relaxed) + 1 >= QUICK_AGAIN {
            self.slow.store(false, Ordering::Relaxed);
        }
    }
}
