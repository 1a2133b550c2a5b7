//! Which commands are slow, learned from what they did.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::error::Failure;
use crate::wire::Protocol;

/// Whether a command is known to be slow.
#[derive(Default)]
pub(crate) struct Pace {
    slow: AtomicBool,
    /// How often in a row it has been quick since it was noted as slow.
    quick: AtomicU32,
}

/// A command that takes less is quick: to have it run by another thread costs about as much.
const QUICK: Duration = Duration::from_micros(200);

/// So many quick runs in a row make a slow command a quick one.
const ENOUGH: u32 = 64;

impl Pace {
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    pub(super) fn stalled(&self) {
        self.quick.store(0, Ordering::Relaxed);
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Learns from a run of a command that was noted as slow.
    pub(crate) fn learn(&self, took: Duration) {
        if took > QUICK {
            self.quick.store(0, Ordering::Relaxed);
        } else if self.quick.fetch_add(1, Ordering::Relaxed) + 1 >= ENOUGH {
            self.slow.store(false, Ordering::Relaxed);
        }
    }
}

/// Who runs commands, as the router sees it.
pub(crate) trait Paces {
    /// Called before the author's code runs.
    fn begin(&mut self, number: usize, pace: &Pace, protocol: Protocol) -> Begin;

    /// Called after it.
    fn end(&mut self);
}

/// Whether a command may begin.
pub(crate) enum Begin {
    Now,
    /// Not on this thread: the command is to be shown again.
    Later,
    /// Not at all.
    Never(Failure),
}
