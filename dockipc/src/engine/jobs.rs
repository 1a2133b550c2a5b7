//! Jobs: code of the author's that belongs to a command whose connection does not wait for the thread, such as
//! that which makes the items of a stream. They take a thread as a slow command does.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::core::Core;
use super::hub::Hub;
use super::hub_guard::HubGuard;
use crate::caught::caught;
use crate::error::Unfinished;
use crate::workers::{Job, Workers};

/// The jobs of a server. Part of the hub.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) queue: VecDeque<(Job, Owned)>,
    running: Vec<(Owned, Instant)>,
}

/// Whose job it is.
#[derive(Clone, Copy)]
pub(super) struct Owned {
    /// The token of the connection whose command it belongs to, if the connection pays for it.
    connection: Option<u64>,
    /// The user whom it is charged to from now on: nobody waits for its command any more.
    uid: Option<u32>,
    /// The name of its command, or an empty text.
    name: &'static str,
}

impl Jobs {
    /// Returns the number of jobs that run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Returns the commands whose jobs run.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        let named = self.running.iter().filter(|(owned, _)| !owned.name.is_empty());
        named.map(|(owned, since)| Unfinished::new(owned.name.to_owned(), since.elapsed()))
    }

    /// Lets a job of this connection have the charge of its command, if there is one that has none.
    pub(super) fn take_charge(&mut self, connection: u64, uid: u32) -> bool {
        let queued = self.queue.iter_mut().map(|(_, owned)| owned);
        let is_its =
            |owned: &&mut Owned| owned.connection == Some(connection) && owned.uid.is_none();
        let running = self.running.iter_mut().map(|(owned, _)| owned);
        let job = running.chain(queued).find(is_its);
        job.map(|owned| owned.uid = Some(uid)).is_some()
    }

    /// A job of this connection has ended. Returns the user whose charge ends with it: the last of several has it.
    fn end(&mut self, connection: Option<u64>) -> Option<u32> {
        let its = |(owned, _): &(Owned, Instant)| owned.connection == connection;
        let without = self.running.iter().position(|job| its(job) && job.0.uid.is_none());
        let index = without.or_else(|| self.running.iter().position(its))?;
        self.running.swap_remove(index).0.uid
    }
}

/// The engine's threads, for the code that has jobs, and the connection that pays for them.
struct EngineWorkers(Weak<Core>, Option<u64>);

impl Workers for EngineWorkers {
    fn run(&self, name: &'static str, job: Job) {
        // Otherwise the job is dropped, without a lock.
        if let Some(core) = self.0.upgrade()
            && !core.is_forked()
        {
            let mut hub = core.lock();
            if !hub.has_ended {
                let owned = Owned { connection: self.1, uid: None, name };
                hub.jobs.queue.push_back((job, owned));
                core.recruit(&mut hub);
            }
        }
    }
}

impl Core {
    /// Returns the engine's threads, for jobs of a connection or of nobody.
    pub(super) fn workers(self: &Arc<Self>, connection: Option<u64>) -> Arc<dyn Workers> {
        Arc::new(EngineWorkers(Arc::downgrade(self), connection))
    }

    /// The next job that waits for a thread. Without a watcher one thread is kept for that role.
    pub(super) fn next_job(&self, hub: &mut Hub) -> Option<(Job, Owned)> {
        if self.may_serve(hub) { hub.jobs.queue.pop_front() } else { None }
    }

    pub(super) fn run_job(self: &Arc<Self>, hub: &mut HubGuard<'_>, (job, owned): (Job, Owned)) {
        hub.jobs.running.push((owned, Instant::now()));
        hub.unlocked(|| {
            caught(job);
            self.end_forked_child();
        });
        if let Some(uid) = hub.jobs.end(owned.connection) {
            hub.users.end(uid, &self.service.config.per_user);
        }
        if hub.shutdown.is_some() {
            // The end may have waited for it.
            self.wake_leader(hub);
        }
    }
}
