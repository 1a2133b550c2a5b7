//! A gate that blocks handlers until the test opens it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The gate. Clones share its state.
#[derive(Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    came: AtomicUsize,
}

impl Gate {
    /// Waits until the gate is open.
    pub fn pass(&self) {
        let Inner { opened, waiting, came, .. } = &*self.0;
        came.fetch_add(1, SeqCst);
        waiting.fetch_add(1, SeqCst);
        drop(opened.wait_while(self.lock(), |open| !*open));
        waiting.fetch_sub(1, SeqCst);
    }

    /// Opens the gate.
    pub fn open(&self) {
        *self.lock() = true;
        self.0.opened.notify_all();
    }

    /// Closes the gate for later callers of [`pass`](Self::pass).
    pub fn close(&self) {
        *self.lock() = false;
    }

    /// Returns the number of waiting handlers.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(SeqCst)
    }

    /// Returns how often [`pass`](Self::pass) has been called.
    pub fn came(&self) -> usize {
        self.0.came.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
