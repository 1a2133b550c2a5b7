//! The hub, locked.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hub::Hub;

/// The hub, locked; a function that may have to unlock it in between takes this by `&mut`.
pub(super) struct HubGuard<'h> {
    mutex: &'h Mutex<Hub>,
    /// Invariant: None only inside of a method of this type.
    guard: Option<MutexGuard<'h, Hub>>,
}

impl<'h> HubGuard<'h> {
    pub(super) fn lock(mutex: &'h Mutex<Hub>) -> Self {
        let mut hub = Self { mutex, guard: None };
        hub.relock();
        hub
    }

    // Not inlined, like `unlock`: there are many places.
    #[inline(never)]
    fn relock(&mut self) {
        self.relock_inlined();
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
    fn relock_inlined(&mut self) {
        let guard = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        // There is none before: this thread would have waited for itself.
        std::mem::forget(self.guard.replace(guard));
    }

    #[inline(never)]
    fn unlock(&mut self) {
        self.guard = None;
    }

    /// Runs something without the lock: what blocks, takes long, or is the author's.
    pub(super) fn unlocked<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.unlock();
        // Locked again also if this panics.
        let relock = Relock(self);
        let result = run();
        drop(relock);
        result
    }

    /// Like [`unlocked`](Self::unlocked), compiled into the caller: for what each turn does.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
    pub(super) fn unlocked_in_turn<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.guard = None;
        // Only if this panics.
        let relock = Relock(self);
        let result = run();
        std::mem::forget(relock);
        self.relock_inlined();
        result
    }

    pub(super) fn wait(&mut self, condvar: &Condvar) {
        if let Some(guard) = self.guard.take() {
            self.guard = Some(condvar.wait(guard).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// False if the time has passed.
    pub(super) fn wait_for(&mut self, condvar: &Condvar, time: Duration) -> bool {
        let Some(guard) = self.guard.take() else { return false };
        let result = condvar.wait_timeout(guard, time);
        let (guard, result) = result.unwrap_or_else(PoisonError::into_inner);
        self.guard = Some(guard);
        !result.timed_out()
    }
}

struct Relock<'g, 'h>(&'g mut HubGuard<'h>);

impl Drop for Relock<'_, '_> {
    fn drop(&mut self) {
        self.0.relock();
    }
}

impl Deref for HubGuard<'_> {
    type Target = Hub;

    #[inline]
    fn deref(&self) -> &Hub {
        match &self.guard {
            Some(guard) => guard,
            None => unreachable!("the hub is locked outside of this type's methods"),
        }
    }
}

impl DerefMut for HubGuard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Hub {
        match &mut self.guard {
            Some(guard) => guard,
            None => unreachable!("the hub is locked outside of this type's methods"),
        }
    }
}
