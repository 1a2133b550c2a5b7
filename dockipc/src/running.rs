//! [`Running`], the table of the commands that run and have an identity.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::error::Stopped;
use crate::run::{Cancel, Run};

/// The commands that run and have an identity: those that were given one at their beginning, and those that
/// are known to last.
#[derive(Default)]
pub(crate) struct Running {
    /// Invariant: no code of the author's runs while this is locked.
    runs: Mutex<BTreeMap<u64, Arc<Run>>>,
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
    id: Option<u64>,
}

impl Running {
    pub(crate) fn serve(&self, connections: Weak<dyn Connections>) {
        // The engine starts once.
        let _ = self.connections.set(connections);
    }

    /// Adds a command, unless it is there: the watcher lists that of a thread that is stuck, and can't see
    /// whether it has an identity.
    pub(crate) fn add(self: &Arc<Self>, Cancel(run): &Cancel) -> Registered {
        let mut runs = self.lock();
        let is_new = !runs.contains_key(&run.id);
        if is_new {
            runs.insert(run.id, Arc::clone(run));
        }
        Registered { table: Arc::clone(self), id: is_new.then_some(run.id) }
    }

    /// Asks the earlier calls of a command to stop that the same process has made, since this one begins.
    #[cold]
    pub(crate) fn begin_newest(&self, run: &Arc<Run>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |other: &Arc<Run>| other.name == run.name && other.peer.is_same_process(&run.peer);
        let alive = newest.iter().filter_map(Weak::upgrade);
        let (earlier, others): (Vec<_>, Vec<_>) = alive.partition(is_same);
        *newest = others.iter().chain([run]).map(Arc::downgrade).collect();
        drop(newest);
        // A command that has ended may have kept its identity.
        for run in earlier.iter().filter(|run| self.get(run.id).is_some()) {
            run.signal.fire(Stopped::Cancelled);
        }
    }

    /// Returns the command with this id.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Run>> {
        self.lock().get(&id).cloned()
    }

    /// Returns the commands, in the order of their beginning.
    pub(crate) fn all(&self) -> Vec<Arc<Run>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_unstable_by_key(|run| (run.since, run.id));
        all
    }

    /// Ends a connection whose user `may_end` accepts. Returns whether there was one.
    pub(crate) fn end_connection(&self, id: u64, may_end: &dyn Fn(u32) -> bool) -> bool {
        let connections = self.connections.get().and_then(Weak::upgrade);
        connections.is_some_and(|connections| connections.end(id, may_end))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let run = self.table.lock().remove(&id);
        // It may be the last reference, whose listeners are the author's.
        drop(run);
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
        drop(table.add(&run()));
        assert!(table.get(1).is_some_and(|run| Arc::ptr_eq(&run, &own.0)));
        drop(place);
        assert!(table.get(1).is_none());
    }
}
