//! Which commands are slow, learned from how long they took.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Whether a command is known to be slow.
///
/// Both fields are hints: a stale value has a command run on the wrong kind of thread once, so every
/// access is `Relaxed`, and nothing else is published through them.
#[derive(Default)]
pub(crate) struct Speed {
    slow: AtomicBool,
    /// Quick runs in a row since the command was noted as slow.
    quick_runs: AtomicU32,
}

/// The longest run of a quick command: to hand a command to another thread costs about as much.
const QUICK: Duration = Duration::from_micros(200);

/// Quick runs in a row that make a slow command a quick one.
const QUICK_AGAIN: u32 = 64;

impl Speed {
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Notes that the command stalled the thread that waits for events.
    pub(crate) fn stalled(&self) {
        self.quick_runs.store(0, Ordering::Relaxed);
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Learns from a run of a command that was noted as slow.
    pub(crate) fn ran_for(&self, time: Duration) {
        if time > QUICK {
            self.quick_runs.store(0, Ordering::Relaxed);
        } else if self.quick_runs.fetch_add(1, Ordering::Relaxed) + 1 >= QUICK_AGAIN {
            self.slow.store(false, Ordering::Relaxed);
        }
    }
}
