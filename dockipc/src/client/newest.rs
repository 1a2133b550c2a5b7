//! [`Newest`], the calls that a newer one with the same key cancels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::canceller::Canceller;

/// The calls with a key that run. There are few: the newest of each key, and those that it has cancelled are not
/// in here.
#[derive(Clone, Default)]
pub(super) struct Newest(Arc<Mutex<Vec<(String, Canceller)>>>);

impl Newest {
    /// Adds a call until the result is dropped. Cancels the earlier one with this key.
    pub(super) fn add(&self, key: String, canceller: &Canceller) -> Place {
        let mut calls = self.calls();
        let earlier = calls.iter().position(|(other, _)| *other == key);
        let earlier = earlier.map(|at| calls.swap_remove(at));
        calls.push((key, canceller.clone()));
        drop(calls);
        if let Some((_, earlier)) = earlier {
            earlier.cancel();
        }
        Place { newest: self.clone(), canceller: canceller.clone() }
    }

    fn calls(&self) -> MutexGuard<'_, Vec<(String, Canceller)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a call, which it loses when this is dropped.
pub(super) struct Place {
    newest: Newest,
    canceller: Canceller,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.newest.calls().retain(|(_, other)| !other.is_same(&self.canceller));
    }
}
