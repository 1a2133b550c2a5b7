//! What a thread runs at the moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::commands::Runnable;

/// What a thread runs, for other threads to see.
pub(super) struct Running(AtomicUsize);

/// No [`Runnable`] has this number.
const IDLE: usize = usize::MAX - 2;

impl Running {
    pub(super) fn idle() -> Self {
        Self(AtomicUsize::new(IDLE))
    }

    /// `Release`: a thread that sees `what` also sees the thread's beat and protocol, which were
    /// stored before.
    pub(super) fn begin(&self, what: Runnable) {
        self.0.store(what.to_bits(), Ordering::Release);
    }

    /// `Relaxed`: a thread that misses the end takes the command for running for a moment longer, and
    /// looks again with the outbox's lock before it acts.
    pub(super) fn end(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// `Acquire`: pairs with [`begin`](Self::begin).
    pub(super) fn get(&self) -> Option<Runnable> {
        match self.0.load(Ordering::Acquire) {
            IDLE => None,
            bits => Some(Runnable::from_bits(bits)),
        }
    }
}
