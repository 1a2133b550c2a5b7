//! Stopping: what has arrived is answered, what runs may end, the rest is told.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::Core;
use super::hub::Hub;
use crate::error::{Failure, Unfinished, code};

/// A server that has been told to stop.
pub(super) struct Stop {
    /// Until when commands may run.
    deadline: Instant,
    phase: Phase,
    /// Connections, and so threads, in which a command runs that is not waited for.
    abandoned: Vec<usize>,
    unfinished: Vec<Unfinished>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The leader has not heard of it.
    Called,
    /// What has arrived is answered.
    Answering,
    /// The deadline has passed: what is left is told so.
    Telling,
}

/// How long clients have to take what they are told at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Stop {
    fn new(deadline: Instant) -> Self {
        Self { deadline, phase: Phase::Called, abandoned: Vec::new(), unfinished: Vec::new() }
    }

    /// When something is to be done next.
    pub(super) fn next(&self) -> Instant {
        match self.phase {
            Phase::Called | Phase::Answering => self.deadline,
            Phase::Telling => self.deadline + LAST_WORDS,
        }
    }

    /// Threads that are not waited for.
    pub(super) fn abandoned(&self) -> usize {
        self.abandoned.len()
    }

    pub(super) fn unfinished(&self) -> &[Unfinished] {
        &self.unfinished
    }

    /// A command that was not waited for has ended.
    pub(super) fn came_back(&mut self, index: usize) {
        self.abandoned.retain(|&other| other != index);
    }
}

/// What a command is told that comes too late.
#[cold]
pub(super) fn too_late() -> Failure {
    Failure::not_run()
}

impl Core {
    /// Tells the server to stop: commands may run for so long. To tell it twice is the same as once,
    /// but for an earlier end.
    pub(super) fn stop(&self, within: Duration) {
        // Before anything else, so that a new daemon can take the path.
        for door in &self.doors {
            door.published.release();
        }
        let deadline = Instant::now() + within;
        let mut hub = self.lock();
        let stop = hub.stop.get_or_insert_with(|| Stop::new(deadline));
        stop.deadline = stop.deadline.min(deadline);
        self.ring(&hub);
    }

    /// What the leader does for it between turns. The server has ended when nothing is left.
    #[cold]
    pub(super) fn wind_down<'h>(
        self: &'h Arc<Self>,
        mut hub: MutexGuard<'h, Hub>,
    ) -> MutexGuard<'h, Hub> {
        let Some(stop) = &mut hub.stop else { return hub };
        let is_due = stop.next() <= Instant::now();
        match stop.phase {
            Phase::Called => {
                stop.phase = Phase::Answering;
                hub.accept_at = None;
                drop(hub);
                let doors = self.doors.iter().enumerate();
                let last = doors.flat_map(|(index, door)| self.close_door(index, door)).collect();
                hub = self.lock();
                hub.take_in(&self.service, last);
                hub.wake_all();
            }
            Phase::Answering if is_due => {
                stop.phase = Phase::Telling;
                self.is_over.store(true, Ordering::Relaxed);
                hub.recall_all();
                self.leave(&mut hub);
            }
            Phase::Telling if is_due => {
                hub.close_parked(&self.service);
                self.leave(&mut hub);
                let served = hub.all_served();
                if let Some(stop) = &mut hub.stop {
                    stop.abandoned = served;
                }
            }
            Phase::Answering | Phase::Telling => {}
        }
        let abandoned = hub.stop.as_ref().map_or(0, Stop::abandoned);
        if hub.connections() == abandoned {
            hub.ended = true;
            self.parked.notify_all();
            self.watcher.notify_all();
            self.ended.notify_all();
        }
        hub
    }

    /// Waits no longer for the commands that run, and tells their clients.
    fn leave(&self, hub: &mut Hub) {
        let why = "the daemon stops without waiting for the command, which still runs";
        let failure = Failure::new(code::SHUTDOWN, why);
        for index in hub.all_served() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (what, ran_for) = (run.what(), run.ran_for());
            if !run.tell(socket, &failure) {
                continue;
            }
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
            let name = what.map_or("", |what| self.service.table.name(what)).to_owned();
            let Some(stop) = &mut hub.stop else { return };
            if !stop.abandoned.contains(&index) {
                stop.abandoned.push(index);
                stop.unfinished.push(Unfinished::new(name, ran_for));
            }
        }
    }
}
