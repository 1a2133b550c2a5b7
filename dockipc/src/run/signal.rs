//! [`Signal`], by which a command that runs is asked to stop.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::caught::caught;
use crate::error::Stopped;

/// Asks a command to stop, once. It wakes the threads and tasks that wait for that, and calls functions.
#[derive(Default)]
pub(crate) struct Signal {
    /// The number of the reason; 0 for none, or [`ENDED`]. It changes once.
    reason: AtomicU8,
    listeners: Mutex<Listeners>,
    fired: Condvar,
}

/// The number in place of a reason when the command has ended. No reason has it.
const ENDED: u8 = u8::MAX;

#[derive(Default)]
struct Listeners {
    next_key: u64,
    tasks: Vec<(u64, Waker)>,
    functions: Vec<Box<dyn FnOnce(Stopped) + Send>>,
}

impl Signal {
    /// `Acquire` pairs with [`fire`](Self::fire).
    pub(crate) fn get(&self) -> Option<Stopped> {
        Stopped::from_number(self.reason.load(Ordering::Acquire))
    }

    /// Asks the command to stop. False if it was asked before.
    ///
    /// It runs code of the author's: no lock may be held.
    pub(crate) fn fire(&self, why: Stopped) -> bool {
        let (none, number) = (0, why.number());
        let set = self.reason.compare_exchange(none, number, Ordering::AcqRel, Ordering::Acquire);
        if set.is_err() {
            return false;
        }
        // A listener looks at the reason with the lock held: it sees the reason, or is in the list.
        let Listeners { tasks, functions, .. } = std::mem::take(&mut *self.lock());
        self.fired.notify_all();
        for (_, task) in tasks {
            caught(|| task.wake());
        }
        for function in functions {
            caught(|| function(why));
        }
        true
    }

    /// The command has ended: it is not asked to stop any more, whoever keeps its `Cancel`.
    pub(crate) fn end(&self) {
        let _ = self.reason.compare_exchange(0, ENDED, Ordering::AcqRel, Ordering::Acquire);
        let listeners = std::mem::take(&mut *self.lock());
        caught(|| drop(listeners));
    }

    /// Waits for the signal. Returns the reason, or `None` if the time has passed.
    pub(crate) fn wait(&self, limit: Duration) -> Option<Stopped> {
        let end = Instant::now().checked_add(limit);
        let mut listeners = self.lock();
        loop {
            if let Some(stopped) = self.get() {
                return Some(stopped);
            }
            // Without an end the time is beyond that of the clock.
            let left =
                end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            listeners = match self.fired.wait_timeout(listeners, left) {
                Ok((listeners, _)) => listeners,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Calls a function when the command is asked to stop; at once if it was.
    pub(crate) fn on_fire(&self, function: Box<dyn FnOnce(Stopped) + Send>) {
        let mut listeners = self.lock();
        let Some(stopped) = self.get() else {
            listeners.functions.push(function);
            return;
        };
        drop(listeners);
        caught(|| function(stopped));
    }

    /// Returns the reason, or wakes the task when there is one. `key` is the task's place among the others.
    pub(crate) fn poll(&self, key: &mut Option<u64>, task: &Waker) -> Option<Stopped> {
        // A waker is the author's code, which is cloned and dropped without the lock.
        let mut task = task.clone();
        let mut listeners = self.lock();
        if let Some(stopped) = self.get() {
            drop(listeners);
            return Some(stopped);
        }
        let own = *key.get_or_insert_with(|| {
            listeners.next_key += 1;
            listeners.next_key
        });
        if let Some((_, waker)) = listeners.tasks.iter_mut().find(|(other, _)| *other == own) {
            std::mem::swap(waker, &mut task);
            // Before the waker that is dropped.
            drop(listeners);
        } else {
            listeners.tasks.push((own, task));
        }
        None
    }

    /// Forgets a task that waits no longer.
    pub(crate) fn forget(&self, key: u64) {
        let mut listeners = self.lock();
        let at = listeners.tasks.iter().position(|(other, _)| *other == key);
        let task = at.map(|at| listeners.tasks.swap_remove(at));
        drop(listeners);
        drop(task);
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    /// Asks to stop when it is dropped, as the last reference to a task that owns a guard would.
    struct Firing(Arc<Signal>);

    impl Wake for Firing {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Firing {
        fn drop(&mut self) {
            self.0.fire(Stopped::Cancelled);
        }
    }

    #[test]
    fn waker_is_dropped_without_the_lock() {
        let signal = Arc::new(Signal::default());
        let mut key = None;
        let waker = Waker::from(Arc::new(Firing(Arc::clone(&signal))));
        assert_eq!(signal.poll(&mut key, &waker), None);
        drop(waker);
        assert_eq!(signal.poll(&mut key, Waker::noop()), None);
        assert_eq!(signal.get(), Some(Stopped::Cancelled));
    }
}
