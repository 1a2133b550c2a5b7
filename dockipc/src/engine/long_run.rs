//! Commands that last: their clients are told that they run, or that they have run for too long.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::core::Core;
use super::hub_guard::HubGuard;
use super::output::send;
use super::worker::{StepId, Worker};
use crate::commands::Runnable;
use crate::error::{Failure, code};
use crate::wire::{Protocol, encode};

/// A command that is known to last, and the thread that runs it.
#[derive(Clone)]
pub(super) struct LongRun {
    worker: Arc<Worker>,
    /// The thread's step while it runs this command.
    step: StepId,
    since: Instant,
}

/// How often a client that speaks RESP3 is told that its command runs. redis-py 8 takes 5 s of silence
/// for a dead connection and sends the command again, ten times.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// When to look again at a thread that was writing.
const SOON: Duration = Duration::from_millis(10);

impl LongRun {
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

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.worker, &other.worker) && self.step == other.step
    }

    /// Whether the thread still runs this command.
    fn still_runs(&self) -> bool {
        self.worker.runs_in(self.step)
    }

    /// Answers in place of the command, whose own answer is dropped. False if the command has ended or
    /// the thread is writing. To answer twice is the same as once.
    pub(super) fn answer(&self, socket: &OwnedFd, failure: &Failure) -> bool {
        let Some(mut outbox) = self.worker.outbox_during(self.step) else { return false };
        if outbox.answered {
            return true;
        }
        let protocol = self.worker.protocol();
        encode::failure(failure, protocol, &mut outbox.bytes);
        outbox.answered = true;
        send(socket, &mut outbox.bytes);
        if protocol == Protocol::Line && outbox.bytes.is_empty() {
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
        }
        true
    }

    /// Sends a push frame, unless the client has not read what was sent before.
    fn send_sign_of_life(&self, socket: &OwnedFd) {
        if let Some(mut outbox) = self.worker.outbox_during(self.step)
            && !outbox.answered
            && self.worker.protocol() == Protocol::Resp3
            && outbox.bytes.is_empty()
        {
            encode::sign_of_life("running", self.since.elapsed(), &mut outbox.bytes);
            send(socket, &mut outbox.bytes);
        }
    }
}

impl Core {
    /// When a command that begins now is to be looked at first.
    pub(super) fn first_look(&self, since: Instant) -> Instant {
        let limit = self.service.config.times.run.unwrap_or(SIGN_OF_LIFE);
        since + limit.min(SIGN_OF_LIFE)
    }

    /// Looks at the running commands whose timers have passed.
    #[cold]
    pub(super) fn attend(&self, hub: &mut HubGuard<'_>) {
        while let Some(index) = hub.overdue.pop() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (socket, run) = (Arc::clone(socket), run.clone());
            let next_look = hub.unlocked(|| self.look_at_run(&socket, &run));
            if hub.run(index).is_some_and(|(_, now)| now.is_same(&run)) {
                hub.set_timer(index, next_look);
                if run.still_runs() {
                    hub.charge_run(index, &self.service.config.per_user);
                }
            }
        }
    }

    /// Tells the client of a running command what it has to know; returns when to look again.
    fn look_at_run(&self, socket: &OwnedFd, run: &LongRun) -> Option<Instant> {
        if !run.still_runs() {
            return None;
        }
        let now = Instant::now();
        let end = self.service.config.times.run.map(|limit| (run.since + limit, limit));
        if let Some((at, limit)) = end
            && at <= now
        {
            let why = format!("no answer after {limit:?}; the command still runs");
            let answered = run.answer(socket, &Failure::new(code::TIMEOUT, why));
            return (!answered && run.still_runs()).then_some(now + SOON);
        }
        run.send_sign_of_life(socket);
        let next = now + SIGN_OF_LIFE;
        Some(end.map_or(next, |(at, _)| at.min(next)))
    }
}
