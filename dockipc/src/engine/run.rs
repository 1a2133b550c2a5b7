//! Commands that last: their clients are told that they run, or that they run for too long.

use std::os::fd::OwnedFd;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::hub::Hub;
use super::worker::{StepId, Worker};
use super::{Core, turn};
use crate::commands::Runnable;
use crate::error::{Failure, code};
use crate::wire::{Protocol, encode};

/// A command that is known to last, and the thread that is in it.
#[derive(Clone)]
pub(super) struct Run {
    worker: Arc<Worker>,
    /// The thread's step while it is in this command.
    step: StepId,
    since: Instant,
}

/// How often a client that speaks RESP3 hears that its command runs. redis-py 8 takes 5 s of silence
/// for a dead connection and sends the command again, ten times.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How long to wait for a thread that is writing.
const SOON: Duration = Duration::from_millis(10);

impl Run {
    pub(super) fn new(worker: &Arc<Worker>, step: StepId, since: Instant) -> Self {
        Self { worker: Arc::clone(worker), step, since }
    }

    pub(super) fn ran_for(&self) -> Duration {
        self.since.elapsed()
    }

    /// What the thread runs at the moment.
    pub(super) fn what(&self) -> Option<Runnable> {
        self.worker.running()
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.worker, &other.worker) && self.step == other.step
    }

    /// Whether the thread is still in this command.
    pub(super) fn is_on(&self) -> bool {
        self.worker.runs_in(self.step)
    }

    /// Answers in place of the command, once: its own answer will be dropped. False if the command
    /// has ended, or the thread is writing.
    pub(super) fn tell(&self, socket: &OwnedFd, failure: &Failure) -> bool {
        let Some(mut out) = self.worker.outbox_during(self.step) else { return false };
        if out.answered {
            return true;
        }
        let protocol = self.worker.protocol();
        encode::failure(failure, protocol, &mut out.bytes);
        out.answered = true;
        turn::send(socket, &mut out.bytes);
        if protocol == Protocol::Line && out.bytes.is_empty() {
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
        }
        true
    }

    /// Sends a push frame. A client that has not read what was sent before needs none.
    fn give_sign_of_life(&self, socket: &OwnedFd) {
        if let Some(mut out) = self.worker.outbox_during(self.step)
            && !out.answered
            && self.worker.protocol() == Protocol::Resp3
            && out.bytes.is_empty()
        {
            encode::sign_of_life("running", self.since.elapsed(), &mut out.bytes);
            turn::send(socket, &mut out.bytes);
        }
    }
}

impl Core {
    /// When a command that began now is to be looked at first.
    pub(super) fn first_look(&self, since: Instant) -> Instant {
        let limit = self.service.config.times.run.unwrap_or(SIGN_OF_LIFE);
        since + limit.min(SIGN_OF_LIFE)
    }

    /// Sees to the commands whose timers have passed.
    #[cold]
    pub(super) fn attend<'h>(&'h self, mut hub: MutexGuard<'h, Hub>) -> MutexGuard<'h, Hub> {
        while let Some(index) = hub.overdue.pop() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (socket, run) = (Arc::clone(socket), run.clone());
            drop(hub);
            let again = self.look(&socket, &run);
            hub = self.lock();
            if hub.run(index).is_some_and(|(_, now)| now.is_same(&run)) {
                hub.set_timer(index, again);
                if run.is_on() {
                    hub.count_run(index, &self.service.config.per_user);
                }
            }
        }
        hub
    }

    /// When to look again.
    fn look(&self, socket: &OwnedFd, run: &Run) -> Option<Instant> {
        if !run.is_on() {
            return None;
        }
        let now = Instant::now();
        let end = self.service.config.times.run.map(|limit| (run.since + limit, limit));
        if let Some((at, limit)) = end
            && at <= now
        {
            let why = format!("no answer after {limit:?}; the command still runs");
            let told = run.tell(socket, &Failure::new(code::TIMEOUT, why));
            return (!told && run.is_on()).then_some(now + SOON);
        }
        run.give_sign_of_life(socket);
        let next = now + SIGN_OF_LIFE;
        Some(end.map_or(next, |(at, _)| at.min(next)))
    }
}
