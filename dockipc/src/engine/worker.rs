//! One thread of the engine, as the other threads see it.
//!
//! A [`Worker`] is written by its own thread, without a lock, at every step of a turn. The watcher and
//! the leaders read it to tell whether the thread is stuck in a command, and to answer in its place.
//! Two rules make that safe; `tests` checks them with loom (`RUSTFLAGS="--cfg loom"`):
//!
//! - [`Worker::running`] is stored with `Release` after everything that describes the command, and
//!   loaded with `Acquire`: who sees a command sees its step and its protocol as well.
//! - Everything that is sent goes through the [`Outbox`], under its lock. The thread takes the lock
//!   to answer after it has ended the command; another thread takes it first and then looks whether
//!   the command still runs ([`Worker::outbox_during`]). So either the thread's answer is in the
//!   outbox, and the command is seen to have ended, or the other thread's answer comes first, and
//!   the thread drops its own. The last answer of a turn is sent before the lock is given back.

use std::sync::PoisonError;
use std::time::Duration;

use super::sync::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, MutexGuard,
    Ordering::{Acquire, Relaxed, Release},
    TryLockError,
};
use crate::commands::Runnable;
use crate::session::Signs;
use crate::sys::ThreadId;
use crate::wire::{Outgoing, Protocol};

/// One thread of the engine, as the other threads see it. In cache lines of its own, since it is written to
/// for each command.
#[repr(align(128))]
pub(super) struct Worker {
    /// Whether the thread leads: it is one of the hub's leaders, or stays with a connection. Written with the hub's
    /// lock held.
    leads: AtomicBool,
    /// Whether the thread waits for events, or is about to. Only with the hub's lock held.
    polls: AtomicBool,
    /// Whether its turn is expected to be a long one. Only with the hub's lock held.
    is_away: AtomicBool,
    /// Whether it has left the leaders to stay with one connection. Only with the hub's lock held.
    stays: AtomicBool,
    /// It stays with a connection, and is to look at the hub after the turn at hand.
    has_news: AtomicBool,
    /// Changes with every command and every turn.
    step: AtomicU64,
    /// Changes with every turn.
    turn: AtomicU64,
    running: AtomicUsize,
    /// The id of the running command's request; 0 if it has none.
    request: AtomicU64,
    /// The protocol in which the client of the running command is answered.
    protocol: AtomicU8,
    /// The signs of life that this client gets.
    signs: AtomicU8,
    /// Set by the watcher to end a turn that lasts.
    should_yield: AtomicBool,
    /// The connection of the turn at hand.
    slot: AtomicUsize,
    /// The CPU time of the thread, in microseconds, when it lost the lead in a command that may only wait for a CPU.
    suspect_since: AtomicU64,
    outbox: Mutex<Outbox>,
    pub(super) thread: ThreadId,
}

/// Answers of the turn at hand that are not sent yet.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) bytes: Outgoing,
    /// Another thread has answered in place of the running command, whose own answer is dropped.
    pub(super) answered: bool,
}

/// A step of a thread: one command, or the time before the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct StepId(u64);

/// A turn of a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TurnId(u64);

/// The value of `running` while no command runs. No [`Runnable`] has this number.
const IDLE: usize = usize::MAX - 3;

/// One turn of this many is measured.
const MEASURED: u64 = 32;

/// The value of `suspect_since` without a suspicion.
const NO_SUSPECT: u64 = u64::MAX;

/// The value of `slot` while no connection is served.
const NO_SLOT: usize = usize::MAX;

impl Worker {
    /// Called by the thread itself.
    pub(super) fn new() -> Self {
        Self {
            leads: AtomicBool::new(false),
            polls: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            stays: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            step: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            running: AtomicUsize::new(IDLE),
            request: AtomicU64::new(0),
            protocol: AtomicU8::new(Protocol::Line as u8),
            signs: AtomicU8::new(Signs::None as u8),
            should_yield: AtomicBool::new(false),
            slot: AtomicUsize::new(NO_SLOT),
            suspect_since: AtomicU64::new(NO_SUSPECT),
            outbox: Mutex::new(Outbox::default()),
            thread: ThreadId::current(),
        }
    }

    /// `Relaxed`: the thread reads it to choose between two ways that are both right. With a stale
    /// `true` it runs one more command as if it were watched; whether that was slow is then seen at
    /// the command's first look.
    pub(super) fn leads(&self) -> bool {
        self.leads.load(Relaxed)
    }

    /// With the hub's lock held.
    pub(super) fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Relaxed);
    }

    /// `Relaxed`: written and read with the hub's lock held.
    pub(super) fn set_polls(&self, polls: bool) {
        self.polls.store(polls, Relaxed);
    }

    pub(super) fn polls(&self) -> bool {
        self.polls.load(Relaxed)
    }

    /// `Relaxed`: written and read with the hub's lock held.
    pub(super) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Relaxed);
    }

    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Relaxed)
    }

    /// `Relaxed`: written and read with the hub's lock held.
    pub(super) fn set_stays(&self, stays: bool) {
        self.stays.store(stays, Relaxed);
    }

    pub(super) fn stays(&self) -> bool {
        self.stays.load(Relaxed)
    }

    /// `Relaxed`: written with the hub's lock held. The thread reads it without: a stale one delays what it does
    /// by a turn, or until its client is silent.
    pub(super) fn set_news(&self, has_news: bool) {
        self.has_news.store(has_news, Relaxed);
    }

    pub(super) fn has_news(&self) -> bool {
        self.has_news.load(Relaxed)
    }

    /// `Relaxed`: written and read with the hub's lock held, or read by the thread itself.
    pub(super) fn serve(&self, slot: Option<usize>) {
        self.slot.store(slot.unwrap_or(NO_SLOT), Relaxed);
    }

    pub(super) fn slot(&self) -> usize {
        self.slot.load(Relaxed)
    }

    /// Only by the thread itself, so that a load and a store lose no change. `Relaxed`: others only
    /// compare two values; a stale one delays what they would do by one look.
    pub(super) fn begin_turn(&self) {
        self.turn.store(self.turn.load(Relaxed) + 1, Relaxed);
        self.begin_step();
        self.should_yield.store(false, Relaxed);
    }

    /// As for [`begin_turn`](Self::begin_turn).
    pub(super) fn begin_step(&self) {
        self.step.store(self.step.load(Relaxed) + 1, Relaxed);
    }

    /// `Relaxed`: published by [`begin`](Self::begin), which follows in the same step.
    pub(super) fn set_signs(&self, signs: Signs) {
        self.signs.store(signs as u8, Relaxed);
    }

    pub(super) fn step(&self) -> StepId {
        StepId(self.step.load(Relaxed))
    }

    /// Whether the cost of this turn's first command is measured although it is known to be quick: a clock
    /// read for each such command would cost more than some of them.
    pub(super) fn is_measured(&self) -> bool {
        self.turn.load(Relaxed).is_multiple_of(MEASURED)
    }

    pub(super) fn turn(&self) -> TurnId {
        TurnId(self.turn.load(Relaxed))
    }

    /// `Relaxed`: a hint, which a turn that has just begun may take away again.
    pub(super) fn ask_to_yield(&self) {
        self.should_yield.store(true, Relaxed);
    }

    pub(super) fn should_yield(&self) -> bool {
        self.should_yield.load(Relaxed)
    }

    /// `cpu` is the thread's CPU time. `Relaxed`: a hint, which may come after the end of the command.
    pub(super) fn suspect(&self, cpu: Duration) {
        self.suspect_since.store(u64::try_from(cpu.as_micros()).unwrap_or(NO_SUSPECT), Relaxed);
    }

    /// Called by the thread itself at the end of a command.
    pub(super) fn take_suspect(&self) -> Option<Duration> {
        let since = self.suspect_since.load(Relaxed);
        if since == NO_SUSPECT {
            return None;
        }
        self.suspect_since.store(NO_SUSPECT, Relaxed);
        Some(Duration::from_micros(since))
    }

    /// `Release`: publishes the step, the signs, the protocol and the id, which are stored before.
    pub(super) fn begin(&self, what: Runnable, protocol: Protocol, request: u64) {
        self.protocol.store(protocol as u8, Relaxed);
        self.request.store(request, Relaxed);
        self.running.store(what.to_bits(), Release);
    }

    /// `Relaxed`: the thread takes the outbox's lock next, which publishes it to who matters.
    pub(super) fn end(&self) {
        self.running.store(IDLE, Relaxed);
    }

    /// Returns the code that the thread runs. `Acquire` pairs with [`begin`](Self::begin).
    pub(super) fn running(&self) -> Option<Runnable> {
        match self.running.load(Acquire) {
            IDLE => None,
            bits => Some(Runnable::from_bits(bits)),
        }
    }

    /// Whether the thread runs a command, and in this step.
    pub(super) fn runs_in(&self, step: StepId) -> bool {
        self.running().is_some() && self.step() == step
    }

    /// After [`running`](Self::running) has shown a command: the protocol of its client.
    pub(super) fn protocol(&self) -> Protocol {
        match self.protocol.load(Relaxed) {
            protocol if protocol == Protocol::Resp2 as u8 => Protocol::Resp2,
            protocol if protocol == Protocol::Resp3 as u8 => Protocol::Resp3,
            _ => Protocol::Line,
        }
    }

    /// After [`running`](Self::running) has shown a command: the id of its request.
    pub(super) fn request(&self) -> u64 {
        self.request.load(Relaxed)
    }

    /// After [`running`](Self::running) has shown a command: the signs of life of its client.
    pub(super) fn signs(&self) -> Signs {
        match self.signs.load(Relaxed) {
            signs if signs == Signs::Slow as u8 => Signs::Slow,
            signs if signs == Signs::Steady as u8 => Signs::Steady,
            _ => Signs::None,
        }
    }

    /// The outbox, for the thread itself.
    #[inline]
    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outbox for another thread, if nobody writes at this moment.
    #[inline(never)]
    pub(super) fn try_outbox(&self) -> Option<MutexGuard<'_, Outbox>> {
        match self.outbox.try_lock() {
            Ok(outbox) => Some(outbox),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The outbox for another thread while the command of this step runs: an answer that is put into
    /// it now comes before the command's own. None if the command has ended, or if the thread writes
    /// at this moment.
    pub(super) fn outbox_during(&self, step: StepId) -> Option<MutexGuard<'_, Outbox>> {
        let outbox = self.try_outbox()?;
        // Invariant: looked at with the lock held. Before it, the thread could end the command and
        // answer between the look and the lock, and the client would get two answers.
        self.runs_in(step).then_some(outbox)
    }
}

#[cfg(test)]
mod tests;
