//! [`caught`], which keeps a panic of the author's code from the engine.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls the author's code. Returns `None` if it panics.
#[inline]
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    // Unwind safe: the code gets shared references, so a panic leaves none of our values half changed.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic. This may panic, and so may dropping the payload of that panic.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
