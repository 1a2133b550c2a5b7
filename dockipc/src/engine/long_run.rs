//! Commands that last: their clients are told that they run, or that they have run for too long.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::core::Core;
use super::hub_guard::HubGuard;
use super::output::{Sent, send};
use super::report::{next_report, send_report};
use super::sign_of_life::{next_sign, send_sign};
use super::worker::{StepId, Worker};
use crate::commands::Runnable;
use crate::dispatch::Service;
use crate::error::{Failure, Stopped, code};
use crate::run::{Cancel, Run};
use crate::running::Registered;
use crate::text::time::units;
use crate::wire::{Protocol, encode};

/// A command that is known to last, and the thread that runs it.
#[derive(Clone)]
pub(super) struct LongRun {
    /// The command's identity, if it can be asked to stop.
    pub(super) listener: Option<Cancel>,
    /// The place of another command in the table of running ones.
    listed: Option<Arc<Registered>>,
    worker: Arc<Worker>,
    /// The thread's step while it runs this command.
    step: StepId,
    since: Instant,
    /// When the client gets its next sign of life. None if it gets none.
    next_sign: Option<Instant>,
    /// When its progress is looked at next, if its client asked for that.
    next_report: Option<Instant>,
}

/// When a command is looked at first, to charge it to its user.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// When to look again at a thread that was writing.
const SOON: Duration = Duration::from_millis(10);

impl LongRun {
    /// `last_sign` is when the client was last told that the command waits, or when the command began.
    pub(super) fn new(
        worker: &Arc<Worker>,
        step: StepId,
        since: Instant,
        last_sign: Instant,
    ) -> Self {
        let next_sign = next_sign(worker.signs(), last_sign);
        let worker = Arc::clone(worker);
        Self { listener: None, listed: None, worker, step, since, next_sign, next_report: None }
    }

    /// Notes the identity of the command.
    pub(super) fn listen_by(&mut self, run: &Cancel) {
        self.next_report = next_report(&run.0, self.since);
        self.listener = Some(run.clone());
    }

    /// Adds a command that was given no identity at its beginning to the table of running commands.
    pub(super) fn list(&mut self, service: &Service, run: Run) {
        self.listed = Some(Arc::new(service.running.add_if_new(&Cancel(Arc::new(run)))));
    }

    /// Asks the command to stop, if it can be asked.
    pub(super) fn stop(&self, why: Stopped) {
        if let Some(Cancel(run)) = &self.listener {
            run.signal.fire(why);
        }
    }

    /// Takes over what only the thread that began the command knows, if `earlier` is of the same command.
    pub(super) fn inherit(&mut self, earlier: &mut Self) {
        if self.is_same(earlier) {
            self.since = earlier.since;
            self.listener = self.listener.take().or(earlier.listener.take());
            self.listed = self.listed.take().or(earlier.listed.take());
            self.next_report = self.next_report.or(earlier.next_report);
        }
    }

    pub(super) fn ran_for(&self) -> Duration {
        self.since.elapsed()
    }

    /// Returns the code that the thread runs at the moment.
    pub(super) fn what(&self) -> Option<Runnable> {
        self.worker.running()
    }

    /// Whether it is no command, but a connection that the author's code has taken.
    pub(super) fn is_taken(&self) -> bool {
        self.what() == Some(Runnable::Taken)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.worker, &other.worker) && self.step == other.step
    }

    /// When the caller waits no longer, unless the command was asked to stop.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let Cancel(run) = self.listener.as_ref()?;
        run.deadline.filter(|_| run.signal.get().is_none())
    }

    /// When to look at it first for the sake of its caller.
    pub(super) fn own_look(&self) -> Option<Instant> {
        self.deadline().into_iter().chain(self.next_report).min()
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
        if self.is_taken() {
            let _ = rustix::net::shutdown(socket, Shutdown::Both);
            return true;
        }
        let protocol = self.worker.protocol();
        encode::failure(failure, protocol, outbox.bytes.tail());
        outbox.answered = true;
        let sent = send(socket, &mut outbox.bytes);
        if protocol == Protocol::Line && sent == Sent::All {
            let _ = rustix::net::shutdown(socket, Shutdown::Write);
        }
        true
    }

    /// Sends a sign of life if it is due.
    fn send_sign(&mut self, socket: &OwnedFd, now: Instant) {
        if self.next_sign.is_none_or(|at| at > now) {
            return;
        }
        let signs = self.worker.signs();
        self.next_sign = next_sign(signs, now);
        if let Some(mut outbox) = self.worker.outbox_during(self.step)
            && !outbox.answered
        {
            send_sign(signs, "running", self.since, socket, &mut outbox.bytes);
        }
    }

    /// Sends the command's progress if that is due.
    fn send_report(&mut self, socket: &OwnedFd, now: Instant) {
        let Some(Cancel(run)) = &self.listener else { return };
        if self.next_report.is_none_or(|at| at > now) {
            return;
        }
        self.next_report = next_report(run, now);
        if let Some(mut outbox) = self.worker.outbox_during(self.step)
            && !outbox.answered
        {
            send_report(run, socket, &mut outbox.bytes);
        }
    }
}

impl Core {
    /// When a command that has just begun is to be looked at first.
    pub(super) fn first_look(&self, run: &LongRun) -> Instant {
        let limit = self.service.config.times.run.unwrap_or(FIRST_LOOK);
        let look = run.since + limit.min(FIRST_LOOK);
        run.own_look().into_iter().chain(run.next_sign).fold(look, Instant::min)
    }

    /// Looks at the running commands whose timers have passed.
    #[cold]
    pub(super) fn attend(&self, hub: &mut HubGuard<'_>) {
        while let Some(index) = hub.overdue.pop() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (socket, mut run) = (Arc::clone(socket), run.clone());
            let next_look = hub.unlocked(|| self.look_at_run(&socket, &mut run));
            if hub.run(index).is_some_and(|(_, now)| now.is_same(&run)) {
                if run.still_runs() {
                    hub.charge_run(index, &self.service.config.per_user);
                }
                let (_, earlier) = hub.note_run(index, run, next_look);
                hub.unlocked(|| drop(earlier));
            }
        }
    }

    /// Tells the client of a running command what it has to know; returns when to look again.
    fn look_at_run(&self, socket: &OwnedFd, run: &mut LongRun) -> Option<Instant> {
        if !run.still_runs() || run.is_taken() {
            return None;
        }
        let now = Instant::now();
        let end = self.service.config.times.run.map(|limit| (run.since + limit, limit));
        if let Some((at, limit)) = end
            && at <= now
        {
            let why = format!("no answer after {}; the command still runs", units(limit));
            let answered = run.answer(socket, &Failure::new(code::TIMEOUT, why));
            if answered {
                run.stop(Stopped::TimedOut);
            }
            return (!answered && run.still_runs()).then_some(now + SOON);
        }
        if run.deadline().is_some_and(|at| at <= now) {
            run.stop(Stopped::TimedOut);
        }
        run.send_report(socket, now);
        run.send_sign(socket, now);
        let end = end.map(|(at, _)| at);
        end.into_iter().chain(run.own_look()).chain(run.next_sign).min()
    }

    /// Asks the commands to stop whose clients have left, or have ended their side to say so.
    #[cold]
    pub(super) fn cancel_left(hub: &mut HubGuard<'_>) {
        while let Some(index) = hub.left.pop() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (socket, run) = (Arc::clone(socket), run.clone());
            hub.unlocked(|| {
                run.stop(Stopped::Cancelled);
                let Some(Cancel(listener)) = &run.listener else { return };
                if listener.ends_with_input && !listener.is_heard() {
                    let why = "the caller has cancelled the command, which still runs";
                    run.answer(&socket, &Failure::new(code::CANCELLED, why));
                }
            });
        }
    }
}
