//! Whether a command may run on this thread now.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::core::Core;
use super::long_run::LongRun;
use super::output::send;
use super::ready::WAKE;
use super::sign_of_life::{next_sign, send_sign};
use super::worker::Worker;
use crate::commands::{Cost, Runnable, Speed, Table};
use crate::dispatch::{Begin, Executor, SignTimes};
use crate::error::Failure;
use crate::session::Signs;
use crate::sys::ThreadUsage;
use crate::wire::Protocol;

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
    /// The answer to the next slow command, which is not run.
    denied: Option<Failure>,
    /// When the client was last told that its command waits for a thread, or that its transaction runs.
    last_sign: Option<Instant>,
}

/// A command whose time is measured.
struct Timed {
    what: Runnable,
    since: Instant,
    /// For a slow one.
    usage: Option<ThreadUsage>,
}

impl<'a> TurnExecutor<'a> {
    pub(super) fn new(
        core: &'a Arc<Core>,
        me: &'a Arc<Worker>,
        socket: &'a OwnedFd,
        denied: Option<Failure>,
        last_sign: Option<Instant>,
        cost: Cost,
    ) -> Self {
        let timed_from = match (core.max_leaders, me.is_measured()) {
            // Work is not shared.
            (1, _) => Cost::NEVER,
            (_, true) => Cost::default(),
            (_, false) => WAKE,
        };
        Self { core, me, socket, timed: None, timed_from, cost, denied, last_sign }
    }

    /// Returns the cost of the last command.
    pub(super) fn cost(&self) -> Cost {
        if self.cost == Cost::UNKNOWN { Cost::default() } else { self.cost }
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

    /// Notes a command that runs on a thread which is not watched. An error if its user has too many
    /// slow ones.
    fn begin_unwatched(&mut self, what: Runnable, is_slow: bool) -> Result<(), Failure> {
        let since = Instant::now();
        if is_slow && self.last_sign.is_none() {
            // Earlier answers of the pipeline do not wait for it.
            send(self.socket, &mut self.me.outbox().bytes);
        }
        let last_sign = self.last_sign.take().unwrap_or(since);
        let run = LongRun::new(self.me, self.me.step(), since, last_sign);
        let index = self.me.slot();
        let look = self.core.first_look(&run);
        let limits = &self.core.service.config.per_user;
        let mut hub = self.core.lock();
        if is_slow {
            // Charged already if it was handed over by the leader, and not if this thread has just
            // lost the lead.
            hub.begin_run(index, limits)?;
            let usage = Some(ThreadUsage::now());
            self.timed = Some(Timed { what, since, usage });
        } else {
            hub.charge_run(index, limits);
        }
        if hub.note_run(index, run, Some(look)) {
            self.core.wake_leader(&hub);
        }
        Ok(())
    }
}

impl Executor for TurnExecutor<'_> {
    fn begin(&mut self, what: Runnable, speed: &Speed, protocol: Protocol) -> Begin {
        if self.core.is_over() {
            return Begin::Never(Failure::not_run());
        }
        let leads = self.me.leads();
        let is_slow = speed.is_slow();
        if is_slow && leads {
            return self.denied.take().map_or(Begin::Later, Begin::Never);
        }
        self.me.begin(what, protocol);
        if !leads {
            if let Err(failure) = self.begin_unwatched(what, is_slow) {
                self.me.end();
                return Begin::Never(failure);
            }
            return Begin::Now;
        }
        self.cost = speed.cost();
        if self.cost >= self.timed_from {
            self.timed_from = WAKE;
            self.timed = Some(Timed { what, since: Instant::now(), usage: None });
        }
        Begin::Now
    }

    fn end(&mut self) {
        self.core.end_forked_child();
        self.me.end();
        if let Some(timed) = self.timed.take() {
            self.cost = timed.end(&self.core.service.table);
        }
    }
}

impl Timed {
    /// Records the time; returns the cost.
    #[cold]
    #[inline(never)]
    fn end(self, table: &Table) -> Cost {
        let time = self.since.elapsed();
        let computed = self.usage.and_then(ThreadUsage::computed);
        table.speed(self.what).ran_for(time, computed);
        Cost::of(time)
    }
}
