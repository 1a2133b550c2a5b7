//! [`Running`], the table of the commands that run and have an identity.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::error::Stopped;
use crate::run::{Cancel, Run};

/// The commands that run and have an identity: those that were given one at their beginning, and those that
/// are known to last.
#[derive(Default)]
pub(crate) struct Running {
    /// In no order: each command knows its place.
    ///
    /// Invariant: no code of the author's runs while this is locked.
    runs: Mutex<Vec<Arc<Run>>>,
    /// The calls of commands whose newest call cancels the earlier ones.
    ///
    /// Invariant: as for `runs`. They are never locked together.
    newest: Mutex<Vec<Weak<Run>>>,
    connections: OnceLock<Weak<dyn Connections>>,
}

/// Ends connections. The engine implements it.
pub(crate) trait Connections: Send + Sync {
    /// Ends a connection whose user `may_end` accepts. Returns whether there was one.
    fn end(&self, id: u64, may_end: &dyn Fn(u32) -> bool) -> bool;
}

/// The place of a command in the table, which it loses when this is dropped.
pub(crate) struct Registered {
    table: Arc<Running>,
    /// None if the command had a place before.
    run: Option<Arc<Run>>,
}

impl Running {
    pub(crate) fn serve(&self, connections: Weak<dyn Connections>) {
        // The engine starts once.
        let _ = self.connections.set(connections);
    }

    /// Adds a command that is not in the table.
    pub(crate) fn add(self: &Arc<Self>, Cancel(run): &Cancel) -> Registered {
        insert(&mut self.lock(), run);
        Registered { table: Arc::clone(self), run: Some(Arc::clone(run)) }
    }

    /// Adds a command, unless it is there: the watcher lists that of a thread that is stuck, and can't see
    /// whether it has an identity.
    #[cold]
    pub(crate) fn add_if_new(self: &Arc<Self>, Cancel(run): &Cancel) -> Registered {
        let mut runs = self.lock();
        let is_new = runs.iter().all(|other| other.id != run.id);
        if is_new {
            insert(&mut runs, run);
        }
        Registered { table: Arc::clone(self), run: is_new.then(|| Arc::clone(run)) }
    }

    /// Asks the earlier calls of a command to stop that the same process has made, since this one begins.
    #[cold]
    pub(crate) fn begin_newest(&self, run: &Arc<Run>) {
        let is_same =
            |other: &Arc<Run>| other.name == run.name && other.peer.is_same_process(&run.peer);
        // They are dropped without the lock.
        let mut alive = Vec::new();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|other| {
            let Some(other) = other.upgrade() else { return false };
            let is_other = !is_same(&other);
            alive.push(other);
            is_other
        });
        newest.push(Arc::downgrade(run));
        drop(newest);
        for other in alive.iter().filter(|other| is_same(other)) {
            // A command that has ended may have kept its identity.
            let runs = self.lock().get(other.place()).is_some_and(|run| Arc::ptr_eq(run, other));
            if runs {
                other.signal.fire(Stopped::Cancelled);
            }
        }
    }

    /// Returns the command with this id.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Run>> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }

    /// Returns the commands, in the order of their beginning.
    pub(crate) fn all(&self) -> Vec<Arc<Run>> {
        let all = self.lock().clone();
        // The heap of the timers has its code already; a sort would add its own.
        let mut order: BinaryHeap<_> =
            all.iter().enumerate().map(|(at, run)| Reverse((run.since, at, 0_u32))).collect();
        let mut sorted = Vec::new();
        while let Some(Reverse((_, at, _))) = order.pop() {
            sorted.push(Arc::clone(&all[at]));
        }
        sorted
    }

    /// Ends a connection whose user `may_end` accepts. Returns whether there was one.
    pub(crate) fn end_connection(&self, id: u64, may_end: &dyn Fn(u32) -> bool) -> bool {
        let connections = self.connections.get().and_then(Weak::upgrade);
        connections.is_some_and(|connections| connections.end(id, may_end))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert(runs: &mut Vec<Arc<Run>>, run: &Arc<Run>) {
    run.set_place(runs.len());
    runs.push(Arc::clone(run));
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        let mut runs = self.table.lock();
        let place = run.place();
        let entry = runs.swap_remove(place);
        if let Some(moved) = runs.get(place) {
            moved.set_place(place);
        }
        drop(runs);
        // They may be the last references, whose listeners are the author's.
        drop((entry, run));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    #[test]
    fn command_that_is_listed_twice_keeps_its_place() {
        let table = Arc::<Running>::default();
        let run = || Cancel(Arc::new(Run::new(1, "wait", 1, &Peer::unknown())));
        let own = run();
        let place = table.add(&own);
        drop(table.add_if_new(&run()));
        assert!(table.get(1).is_some_and(|run| Arc::ptr_eq(&run, &own.0)));
        drop(place);
        assert!(table.get(1).is_none());
    }
    #[test]
    fn command_that_ends_leaves_the_others_in_their_places() {
        let table = Arc::<Running>::default();
        let run = |id| Cancel(Arc::new(Run::new(id, "wait", 1, &Peer::unknown())));
        let ids = || table.all().iter().map(|run| run.id).collect::<Vec<_>>();
        let [first, second, third] = [3, 1, 2].map(|id| table.add(&run(id)));
        assert_eq!(ids(), [3, 1, 2]);
        drop(first);
        assert_eq!(ids(), [1, 2]);
        drop(third);
        assert_eq!(ids(), [1]);
        drop(second);
        assert_eq!(ids(), [0; 0]);
    }
}
