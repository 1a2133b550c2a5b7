//! Whether a command may run on this thread now.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::core::Core;
use super::long_run::LongRun;
use super::output::send;
use super::readiness::Readiness;
use super::ready::WAKE;
use super::sign_of_life::{next_sign, send_sign};
use super::stay::TOO_LONG;
use super::watcher::TICK;
use super::worker::Worker;
use crate::commands::{Cost, QUICK_COMPUTING, Runnable, Speed, Table};
use crate::dispatch::{Begin, Executor, SignTimes};
use crate::error::{Failure, Stopped, code};
use crate::later::Bells;
use crate::request::Request;
use crate::run::{Cancel, Run};
use crate::running::Registered;
use crate::session::Signs;
use crate::sys::ThreadUsage;
use crate::wire::Protocol;
use crate::workers::Workers;

/// Lets the commands of one turn begin, and notes when they end.
pub(super) struct TurnExecutor<'a> {
    core: &'a Arc<Core>,
    me: &'a Arc<Worker>,
    socket: &'a OwnedFd,
    /// The command whose time is measured.
    timed: Option<Timed>,
    /// The least cost at which a command's time is measured.
    timed_from: Cost,
    /// The cost of the last command.
    cost: Cost,
    /// The highest cost of one that was timed.
    longest: Cost,
    /// Those that are timed are measured by CPU time if they wait for nothing.
    reads_cpu_time: bool,
    /// The answer to the next slow command, which is not run.
    denied: Option<Failure>,
    /// When the client was last told that its command waits for a thread, or that its transaction runs.
    last_sign: Option<Instant>,
    /// The place of a command without an identity in the table of running ones.
    listed: Option<Registered>,
    /// The connection's place in the epoll set, and whether it has it.
    token: u64,
    is_registered: &'a mut bool,
    /// The client has ended its side, or has left.
    is_half_closed: bool,
    is_gone: bool,
}

/// The parts of a connection that its executor uses.
pub(super) struct Parts<'a> {
    pub(super) socket: &'a OwnedFd,
    pub(super) token: u64,
    pub(super) is_registered: &'a mut bool,
    pub(super) is_half_closed: bool,
    pub(super) is_gone: bool,
    pub(super) denied: Option<Failure>,
    pub(super) cost: Cost,
    pub(super) reads_cpu_time: bool,
}

/// A command whose time is measured.
struct Timed {
    what: Runnable,
    since: Instant,
    /// For a slow one, and in a stay for one that may be long.
    usage: Option<ThreadUsage>,
}

impl<'a> TurnExecutor<'a> {
    /// `last_sign` is when the client was last told that its command waits for a thread.
    pub(super) fn new(
        core: &'a Arc<Core>,
        me: &'a Arc<Worker>,
        conn: Parts<'a>,
        last_sign: Option<Instant>,
    ) -> Self {
        let Parts {
            socket,
            token,
            is_registered,
            is_half_closed,
            is_gone,
            denied,
            cost,
            reads_cpu_time,
        } = conn;
        let timed_from = match (core.max_leaders, me.is_measured()) {
            // Work is not shared.
            (1, _) => Cost::NEVER,
            (_, true) => Cost::default(),
            (_, false) => WAKE,
        };
        Self {
            core,
            me,
            socket,
            timed: None,
            timed_from,
            cost,
            longest: Cost::default(),
            reads_cpu_time,
            denied,
            last_sign,
            listed: None,
            token,
            is_registered,
            is_half_closed,
            is_gone,
        }
    }

    /// Returns the cost of the last command.
    pub(super) fn cost(&self) -> Cost {
        if self.cost == Cost::UNKNOWN { Cost::default() } else { self.cost }
    }

    /// Returns the highest cost of a command that was timed.
    pub(super) fn longest(&self) -> Cost {
        self.longest
    }

    /// A command, or a transaction, is answered. Ends its charge for slow ones before the answer is sent: a
    /// client that has it may run the next one at once.
    pub(super) fn end_command(&mut self) {
        self.last_sign = None;
        let limits = &self.core.service.config.per_user;
        if limits.running.is_some() && !self.me.leads() {
            self.core.lock().end_run(self.me.slot(), limits);
        }
    }

    /// Tells the client of a transaction now and then that it runs. Each of its commands may be too quick
    /// for a sign of life of its own.
    pub(super) fn sign_of_life(&mut self, signs: Signs, times: &mut SignTimes) {
        let now = Instant::now();
        if next_sign(signs, times.last_sign).is_some_and(|at| at <= now) {
            times.last_sign = now;
            let mut outbox = self.me.outbox();
            if !outbox.answered {
                send_sign(signs, "running", times.since, self.socket, &mut outbox.bytes);
            }
        }
        self.last_sign = Some(times.last_sign);
    }

    /// Like [`begin`](Executor::begin), which is quick for most commands.
    #[inline(never)]
    fn begin_any(
        &mut self,
        what: Runnable,
        speed: &Speed,
        protocol: Protocol,
        request: Option<&Request<'_>>,
    ) -> Begin {
        if self.core.is_over() {
            return Begin::Never(Failure::not_run());
        }
        let leads = self.me.leads();
        let is_slow = speed.is_slow();
        if is_slow && leads {
            return self.denied.take().map_or(Begin::Later, Begin::Never);
        }
        self.me.begin(what, protocol, request.map_or(0, Request::id));
        if !leads || request.is_some_and(|request| request.run().is_some()) {
            if let Err(failure) = self.begin_noted(what, speed, request) {
                self.me.end();
                return Begin::Never(failure);
            }
            if !leads {
                return Begin::Now;
            }
        }
        self.cost = speed.cost();
        if self.cost >= self.timed_from {
            self.timed_from = WAKE;
            // The watcher looks at a thread that stays too seldom to see which command is slow.
            let reads_cpu_time = self.reads_cpu_time || self.me.stays() && self.cost > TOO_LONG;
            let usage = if reads_cpu_time { self.me.thread.usage() } else { None };
            self.timed = Some(Timed { what, since: Instant::now(), usage });
        }
        Begin::Now
    }

    /// Notes the end of a command that is listed or timed.
    #[cold]
    #[inline(never)]
    fn end_noted(&mut self) {
        self.listed = None;
        if let Some(timed) = self.timed.take() {
            self.cost = timed.end(self.me, &self.core.service.table);
            self.longest = self.longest.max(self.cost);
        }
    }

    /// Notes a command that runs on a thread which is not watched, or that has an identity. An error if its
    /// user has too many slow ones.
    #[cold]
    #[inline(never)]
    fn begin_noted(
        &mut self,
        what: Runnable,
        speed: &Speed,
        request: Option<&Request<'_>>,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        let given = request.and_then(Request::run);
        if let Some(Cancel(run)) = given {
            self.begin_to_listen(run)?;
        }
        let is_watched = self.me.leads();
        let is_slow = !is_watched && speed.is_slow();
        if is_slow && self.last_sign.is_none() {
            // Earlier answers of the pipeline do not wait for it.
            send(self.socket, &mut self.me.outbox().bytes);
        }
        let last_sign = self.last_sign.take().unwrap_or(since);
        let mut run = LongRun::new(self.me, self.me.step(), since, last_sign);
        match (given, request) {
            (Some(given), _) => run.listen_by(given),
            (None, Some(request)) => {
                let listed =
                    Run::new(request.id(), request.name(), request.connection(), request.peer());
                self.listed = Some(self.core.service.running.add(&Cancel(Arc::new(listed))));
            }
            (None, None) => {}
        }
        let index = self.me.slot();
        // A thread that is watched is looked at anyway.
        let look = if is_watched { run.own_look() } else { Some(self.core.first_look(&run)) };
        let limits = &self.core.service.config.per_user;
        let mut hub = self.core.lock();
        if is_slow || given.is_some_and(|Cancel(run)| run.answers_later) {
            // Charged already if it was handed over by the leader, and not if this thread has just
            // lost the lead.
            hub.begin_run(index, limits)?;
        } else if !is_watched {
            hub.charge_run(index, limits);
        }
        let (is_first, earlier) = hub.note_run(index, run, look);
        if is_first {
            self.core.wake_leader(&hub);
        }
        // An event that came before the command was noted has fired no signal.
        let unseen = hub.unseen(index);
        // If this thread stays: a charge ends with the turn.
        self.me.set_news(true);
        drop(hub);
        drop(earlier);
        if let Some(Cancel(run)) = given {
            self.is_half_closed |= unseen.has(Readiness::HALF_CLOSED);
            self.is_gone |= unseen.has(Readiness::GONE);
            self.check_caller(run)?;
        }
        if is_slow {
            self.timed = Some(Timed { what, since, usage: self.me.thread.usage() });
        }
        Ok(())
    }

    /// Prepares a command that can be asked to stop. An error if that was done before it began.
    fn begin_to_listen(&mut self, run: &Run) -> Result<(), Failure> {
        // The end of the connection is seen while the command runs.
        if !*self.is_registered {
            *self.is_registered = self.core.register_socket(self.token, self.socket);
        }
        self.check_caller(run)
    }

    /// An error if the caller no longer waits for the answer.
    fn check_caller(&self, run: &Run) -> Result<(), Failure> {
        if self.is_gone || run.ends_with_input && self.is_half_closed {
            run.signal.fire(Stopped::Cancelled);
            let why = "the command was cancelled before it began; it was not run";
            return Err(Failure::new(code::CANCELLED, why));
        }
        Ok(())
    }
}

impl Executor for TurnExecutor<'_> {
    fn begin(
        &mut self,
        what: Runnable,
        speed: &Speed,
        protocol: Protocol,
        request: Option<&Request<'_>>,
    ) -> Begin {
        let cost = speed.cost();
        if let (Runnable::Command(_), Some(request)) = (what, request)
            && request.run().is_none()
            && !self.core.is_over()
            && self.me.leads()
            && !speed.is_slow()
            && cost < self.timed_from
        {
            self.me.begin(what, protocol, request.id());
            self.cost = cost;
            return Begin::Now;
        }
        self.begin_any(what, speed, protocol, request)
    }

    fn workers(&self) -> Arc<dyn Workers> {
        self.core.workers(Some(self.token))
    }

    fn end(&mut self) {
        self.core.end_forked_child();
        self.me.end();
        if self.listed.is_some() || self.timed.is_some() {
            self.end_noted();
        }
    }

    fn bell(&self) -> Option<(Weak<dyn Bells>, u64)> {
        let listening = self.core.listening()?;
        Some(((listening.bells)(self.core), self.token))
    }

    fn report(&mut self, run: &Run) {
        let mut outbox = self.me.outbox();
        if !outbox.answered
            && let Some(report) = run.report.get()
        {
            report.write_new(&mut outbox.bytes);
        }
    }

    fn stopped(&self) -> Option<Stopped> {
        // In a child the hooks are not called either.
        self.core.end_forked_child();
        let is_over = self.core.is_over();
        let why = if is_over { Stopped::ShuttingDown } else { Stopped::TimedOut };
        self.me.outbox().answered.then_some(why)
    }
}

impl Timed {
    /// Records the time; returns what the next run is expected to cost a leader.
    fn end(self, me: &Worker, table: &Table) -> Cost {
        let time = self.since.elapsed();
        let computed = self.usage.and_then(ThreadUsage::computed);
        let speed = table.speed(self.what);
        let is_slow = computed.is_none_or(|cpu| cpu > QUICK_COMPUTING);
        if self.usage.is_some() && is_slow && time >= 2 * TICK && !speed.is_slow() {
            // A leader would have been stuck at two of the watcher's looks.
            speed.stalled();
        }
        if let Some(cpu) = me.take_suspect()
            && me.thread.cpu().saturating_sub(cpu) > QUICK_COMPUTING
        {
            speed.stalled();
        }
        speed.ran_for(time, computed)
    }
}
