//! Jobs: code of the author's that belongs to a command whose connection does not wait for the thread, such as
//! that which makes the items of a stream. They take a thread as a slow command does.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::core::Core;
use super::hub::Hub;
use super::hub_guard::HubGuard;
use crate::caught::caught;
use crate::workers::{Job, Workers};

/// The jobs of a server. Part of the hub.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) queue: VecDeque<Job>,
    pub(super) running: usize,
}

/// The engine's threads, for the code that has jobs.
struct EngineWorkers(Weak<Core>);

impl Workers for EngineWorkers {
    fn run(&self, job: Job) {
        // Otherwise the job is dropped, without a lock.
        if let Some(core) = self.0.upgrade()
            && !core.is_forked()
        {
            let mut hub = core.lock();
            if !hub.has_ended {
                hub.jobs.queue.push_back(job);
                core.recruit(&mut hub);
            }
        }
    }
}

impl Core {
    pub(super) fn workers(self: &Arc<Self>) -> Arc<dyn Workers> {
        Arc::new(EngineWorkers(Arc::downgrade(self)))
    }

    /// The next job that waits for a thread. Without a watcher one thread is kept for that role.
    pub(super) fn next_job(&self, hub: &mut Hub) -> Option<Job> {
        if self.may_serve(hub) { hub.jobs.queue.pop_front() } else { None }
    }

    pub(super) fn run_job(self: &Arc<Self>, hub: &mut HubGuard<'_>, job: Job) {
        hub.jobs.running += 1;
        hub.unlocked(|| {
            caught(job);
            self.end_forked_child();
        });
        hub.jobs.running -= 1;
        if hub.shutdown.is_some() {
            // The end may have waited for it.
            self.wake_leader(hub);
        }
    }
}
