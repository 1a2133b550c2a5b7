//! The state that a server's threads share.
//!
//! # Locks
//!
//! The hub is under one lock, which is held for a few lines at a time. In what order locks are taken,
//! and what is done under them:
//!
//! 1. the hub;
//! 2. a worker's outbox. With the hub locked it is only tried, since the worker may be encoding a long
//!    answer; a thread that has its own outbox locked never locks the hub.
//! 3. a body's pipe, which no other lock is taken under.
//! 4. An endpoint's listener, a published path, the descriptors of the reserve and the token guesses are
//!    locked on their own: no other lock is taken while one of them is held.
//!
//! Never under the hub's lock: code of the author's, a system call that can block, closing a
//! connection's socket, encoding an answer. A send that does not block, of one small frame, is allowed
//! where it says why.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;

use super::accept::{Accepting, Arrival, TurnedAway};
use super::connection::{Conn, Socket};
use super::jobs::Jobs;
use super::long_run::LongRun;
use super::phase::Phase;
use super::readiness::Readiness;
use super::ready::{Ready, SENDING, WAKE};
use super::shutdown::Shutdown;
use super::threads::Roles;
use super::token::{Token, next_generation};
use super::users::Users;
use crate::commands::Cost;
use crate::config::PerUser;
use crate::dispatch::{Conversation, Service};
use crate::error::{Failure, Unfinished, code};
use crate::peer::Peer;
use crate::run::{Cancel, Run};

/// The connections of a server, which of them are ready, and which thread has which role.
pub(super) struct Hub {
    /// The phase of new connections.
    first_phase: Phase,
    slots: Vec<Slot>,
    /// The id of the connection in each slot. Apart from the slots, so that a search is quick.
    ids: Vec<u64>,
    /// Slots without a connection.
    free: Vec<usize>,
    /// Connections to be served by a leader.
    pub(super) ready: Ready,
    /// The cost that is assumed of a new connection's first command if the last [`ALIKE`] that ended had a long one:
    /// that of the last. Else new ones that are quick would wait behind each other as if they were long, since a
    /// few others are.
    first_cost: Cost,
    /// How many connections of a long command have ended since one that was quick.
    long_ends: usize,
    /// Connections whose command waits for a thread, in order.
    pub(super) handed_over: VecDeque<usize>,
    /// Connections that wait for a new thread that is to stay with them, in order.
    pub(super) apart: VecDeque<usize>,
    pub(super) jobs: Jobs,
    timers: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// Connections whose running command is to be looked at.
    pub(super) overdue: Vec<usize>,
    /// Connections whose client has left while a command runs that can be asked to stop.
    pub(super) left: Vec<usize>,
    pub(super) users: Users,
    /// Connections that are turned away and have not shown their protocol yet.
    turned_away: usize,
    pub(super) accepting: Accepting,
    pub(super) roles: Roles,
    /// Set when the server is told to stop.
    pub(super) shutdown: Option<Shutdown>,
    /// The server has stopped: every thread ends.
    pub(super) has_ended: bool,
    /// Tasks that wait for the end of the threads.
    #[cfg(feature = "tokio")]
    pub(super) waiting: Vec<std::task::Waker>,
}

/// See [`Hub::first_cost`].
const ALIKE: usize = 32;

struct Slot {
    /// Tells events of an earlier connection in this slot from those of this one.
    generation: u32,
    /// Events that the connection has not been told yet.
    unseen: Readiness,
    queue: Queue,
    /// That of its last command, or of sending its answer; [`Cost::NEW`] before the first command.
    cost: Cost,
    /// Its earliest timer.
    timer: Option<Instant>,
    /// The running command, if it is known to last.
    run: Option<Box<LongRun>>,
    /// The connected user.
    peer: Option<Peer>,
    charge: Charge,
    /// The connection's socket, so that others can answer while a thread serves it.
    socket: Option<Arc<Socket>>,
    occupant: Occupant,
}

enum Occupant {
    None,
    /// A connection that no thread serves.
    Idle(Box<Conn>),
    /// A thread serves the connection.
    Served,
}

/// The queue that a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    None,
    /// `Hub::ready`.
    Ready,
    /// `Hub::handed_over`.
    HandedOver,
    /// `Hub::apart`.
    Apart,
}

/// Whether a slow command is charged to its user.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Charge {
    #[default]
    None,
    /// Since before it began.
    Admitted,
    /// Since it was found to be slow while it ran. The connection's next one is asked for again.
    Found,
}

impl Slot {
    /// Returns the connected user.
    fn uid(&self) -> u32 {
        self.peer.as_ref().map_or(u32::MAX, Peer::uid)
    }
}

impl Hub {
    pub(super) fn new(first_phase: Phase) -> Self {
        Self {
            first_phase,
            slots: Vec::new(),
            ids: Vec::new(),
            free: Vec::new(),
            ready: Ready::default(),
            first_cost: Cost::default(),
            long_ends: 0,
            handed_over: VecDeque::new(),
            apart: VecDeque::new(),
            jobs: Jobs::default(),
            timers: BinaryHeap::new(),
            overdue: Vec::new(),
            left: Vec::new(),
            users: Users::default(),
            turned_away: 0,
            accepting: Accepting::default(),
            roles: Roles::default(),
            shutdown: None,
            has_ended: false,
            #[cfg(feature = "tokio")]
            waiting: Vec::new(),
        }
    }

    /// Takes in a new connection. Its first turn tries to read at once.
    pub(super) fn add(&mut self, service: &Service, arrival: Arrival) -> Result<(), TurnedAway> {
        let Arrival { socket, peer, entrance } = arrival;
        let config = &service.config;
        let is_known = peer.is_some();
        let peer = peer.unwrap_or_else(Peer::unknown);
        let (id, admitted) = service.admit(peer.uid());
        let is_counted = admitted.is_ok();
        let refusal = match admitted {
            _ if !is_known => {
                Some(Failure::new(code::NOPERM, "the system does not say who you are"))
            }
            Ok(()) => self.users.connect(peer.uid(), &config.per_user).err(),
            Err(failure) => Some(failure),
        };
        if refusal.is_some() && is_counted {
            service.counters.disconnected();
        }
        if let Some(failure) = &refusal {
            if self.turned_away >= config.max_refused {
                return Err(TurnedAway { socket, failure: failure.clone() });
            }
            self.turned_away += 1;
        }
        let index = self.free_slot();
        self.ids[index] = id;
        let slot = &mut self.slots[index];
        let token = Token::Connection { slot: index, generation: slot.generation }.to_data();
        slot.peer = Some(peer.clone());
        let conversation = Conversation::new(service, id, peer, entrance, refusal);
        let mut conn = Conn::new(socket, conversation, token, &config.times);
        conn.phase = self.first_phase;
        slot.socket = Some(Arc::clone(&conn.socket));
        slot.occupant = Occupant::Idle(Box::new(conn));
        slot.unseen = Readiness::READABLE;
        slot.cost = if self.long_ends < ALIKE { Cost::NEW } else { self.first_cost };
        self.enqueue(index);
        Ok(())
    }

    fn free_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.ids.push(0);
            self.slots.push(Slot {
                generation: 0,
                unseen: Readiness::NONE,
                queue: Queue::None,
                cost: Cost::default(),
                timer: None,
                run: None,
                peer: None,
                charge: Charge::None,
                socket: None,
                occupant: Occupant::None,
            });
            self.slots.len() - 1
        })
    }

    /// Takes in new connections; returns those that are turned away at once.
    pub(super) fn add_all(&mut self, service: &Service, arrivals: Vec<Arrival>) -> Vec<TurnedAway> {
        self.accepting.failing_since = None;
        // `collect` would move each one through the memory of the arrivals.
        let mut turned_away = Vec::new();
        for arrival in arrivals {
            turned_away.extend(self.add(service, arrival).err());
        }
        turned_away
    }

    /// Counts the end of a connection.
    pub(super) fn count_end(&mut self, service: &Service, uid: u32, was_admitted: bool) {
        if was_admitted {
            service.counters.disconnected();
            self.users.leave(uid, &service.config.per_user);
        } else {
            self.turned_away -= 1;
        }
    }

    /// The slot of a token, unless its connection has ended.
    fn slot(&mut self, token: Token) -> Option<(usize, &mut Slot)> {
        let Token::Connection { slot: index, generation } = token else { return None };
        let slot = self.slots.get_mut(index)?;
        (slot.generation == generation).then_some((index, slot))
    }

    fn token(&self, index: usize) -> Token {
        Token::Connection { slot: index, generation: self.slots[index].generation }
    }

    /// Notes an event.
    #[inline]
    pub(super) fn note(&mut self, token: Token, flags: EventFlags) {
        if flags == EventFlags::IN {
            return self.mark(token, Readiness::READABLE);
        }
        let readiness = Readiness::of(flags);
        self.mark(token, readiness);
        if readiness.has(Readiness::HALF_CLOSED) {
            self.note_end(token, readiness.has(Readiness::GONE));
        }
    }

    /// Notes that the client of a running command has ended its side, or has left.
    #[cold]
    fn note_end(&mut self, token: Token, is_gone: bool) {
        let Some((index, slot)) = self.slot(token) else { return };
        let run = slot.run.as_ref().and_then(|run| run.listener.as_ref());
        let ends = |run: &Run| if is_gone { run.once.is_none() } else { run.ends_with_input };
        if run.is_some_and(|Cancel(run)| ends(run)) {
            self.left.push(index);
        }
    }

    /// The answer is there that a connection waits for.
    pub(super) fn note_answer(&mut self, token: Token) {
        self.mark(token, Readiness::ANSWERED);
    }

    /// Ends a connection whose user `may_end` accepts. Returns its socket, to be shut down.
    pub(super) fn kill(&mut self, id: u64, may_end: &dyn Fn(u32) -> bool) -> Option<Arc<Socket>> {
        let index = self.ids.iter().position(|other| *other == id)?;
        if !may_end(self.slots[index].uid()) {
            return None;
        }
        let socket = self.slots[index].socket.clone()?;
        self.mark(self.token(index), Readiness::KILLED);
        Some(socket)
    }

    /// Returns the events that the connection has not seen yet.
    pub(super) fn unseen(&self, index: usize) -> Readiness {
        self.slots.get(index).map_or(Readiness::NONE, |slot| slot.unseen)
    }

    /// The id and the peer of a connection.
    pub(super) fn client(&self, index: usize) -> Option<(u64, &Peer)> {
        let slot = self.slots.get(index)?;
        Some((self.ids[index], slot.peer.as_ref()?))
    }

    #[inline]
    fn mark(&mut self, token: Token, readiness: Readiness) {
        let Some((index, slot)) = self.slot(token) else { return };
        slot.unseen |= readiness;
        if !matches!(slot.occupant, Occupant::Idle(_)) {
            self.roles.tell_staying_with(index);
        } else if slot.queue == Queue::None {
            self.enqueue(index);
        }
    }

    /// Lets a leader serve a connection.
    fn enqueue(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.queue = Queue::Ready;
        self.ready.push(index, slot.cost);
    }

    /// Takes a connection out, to serve it.
    pub(super) fn take(&mut self, index: usize) -> Option<(Box<Conn>, Readiness)> {
        let slot = self.slots.get_mut(index)?;
        slot.queue = Queue::None;
        match std::mem::replace(&mut slot.occupant, Occupant::Served) {
            Occupant::Idle(conn) => Some((conn, std::mem::take(&mut slot.unseen))),
            other => {
                slot.occupant = other;
                None
            }
        }
    }

    /// After a turn that ended with waiting: puts the connection back if that is all there is to do. Otherwise
    /// returns it.
    #[inline]
    pub(super) fn put_waiting(&mut self, index: usize, conn: Box<Conn>) -> Option<Box<Conn>> {
        let slot = &mut self.slots[index];
        let is_all = slot.unseen == Readiness::NONE
            && slot.charge == Charge::None
            && slot.run.is_none()
            && conn.output.is_none()
            && conn.deadline.is_none();
        if !is_all {
            return Some(conn);
        }
        slot.cost = conn.cost;
        // `Served`, which has nothing to drop.
        std::mem::forget(std::mem::replace(&mut slot.occupant, Occupant::Idle(conn)));
        None
    }

    /// Puts a connection back after a turn.
    pub(super) fn put(&mut self, index: usize, conn: Box<Conn>) {
        let slot = &mut self.slots[index];
        slot.run = None;
        slot.cost = if conn.has_pending_output() { SENDING } else { conn.cost };
        slot.occupant = Occupant::Idle(conn);
    }

    /// After a turn: what happened meanwhile, if the connection is to be served again.
    pub(super) fn resume(&mut self, index: usize, again: bool) -> Option<Readiness> {
        let unseen = std::mem::take(&mut self.slots[index].unseen);
        (again || unseen != Readiness::NONE).then_some(unseen)
    }

    /// Puts a connection back for another turn, which a leader gives it.
    pub(super) fn requeue(&mut self, index: usize, conn: Box<Conn>, unseen: Readiness) {
        self.put(index, conn);
        self.slots[index].unseen |= unseen;
        self.enqueue(index);
    }

    /// Puts a connection where the next free thread takes it from.
    pub(super) fn hand_over(&mut self, index: usize, conn: Box<Conn>) {
        self.put(index, conn);
        self.slots[index].queue = Queue::HandedOver;
        self.handed_over.push_back(index);
    }

    /// Puts a connection where the next new thread takes it from, to stay with it.
    pub(super) fn set_apart(&mut self, index: usize, mut conn: Box<Conn>) {
        conn.stay.call_thread();
        self.put(index, conn);
        self.slots[index].queue = Queue::Apart;
        // Bytes may have come since the last turn.
        self.slots[index].unseen |= Readiness::READABLE;
        self.apart.push_back(index);
    }

    /// Lets the leaders serve the connections that wait for a new thread, since none can be started.
    #[cold]
    pub(super) fn recall_apart(&mut self) {
        while let Some(index) = self.apart.pop_front() {
            if let Occupant::Idle(conn) = &mut self.slots[index].occupant {
                conn.stay.give_up();
            }
            self.enqueue(index);
        }
    }

    /// Lets a leader serve a connection that waits for a thread, since there is something to tell it.
    fn recall(&mut self, index: usize) {
        if self.slots[index].queue == Queue::HandedOver {
            self.handed_over.retain(|other| *other != index);
            self.enqueue(index);
        }
    }

    /// Frees the slot of a connection that has ended after a command of this cost. Returns the connection if no
    /// thread serves it.
    pub(super) fn free(&mut self, index: usize, cost: Cost) -> Option<Box<Conn>> {
        let was_long = cost >= WAKE && cost != Cost::NEW;
        self.long_ends = if was_long { self.long_ends.saturating_add(1) } else { 0 };
        self.first_cost = cost;
        let slot = &mut self.slots[index];
        slot.generation = next_generation(slot.generation);
        slot.unseen = Readiness::NONE;
        slot.queue = Queue::None;
        slot.timer = None;
        slot.run = None;
        slot.peer = None;
        // The connection has it as well: it is not closed here.
        slot.socket = None;
        self.ids[index] = 0;
        self.free.push(index);
        match std::mem::replace(&mut slot.occupant, Occupant::None) {
            Occupant::Idle(conn) => Some(conn),
            Occupant::None | Occupant::Served => None,
        }
    }

    /// Charges a slow command to its user, until the turn in which it runs has ended. An error if the
    /// user has too many.
    pub(super) fn begin_run(&mut self, index: usize, limits: &PerUser) -> Result<(), Failure> {
        if self.slots[index].charge == Charge::Admitted {
            return Ok(());
        }
        self.end_run(index, limits);
        let slot = &mut self.slots[index];
        self.users.begin(slot.uid(), limits)?;
        slot.charge = Charge::Admitted;
        Ok(())
    }

    /// Charges a command that runs already and was found to be slow.
    #[cold]
    pub(super) fn charge_run(&mut self, index: usize, limits: &PerUser) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_new = matches!(slot.occupant, Occupant::Served) && slot.charge == Charge::None;
        if is_new && limits.running.is_some() {
            self.users.charge_running(slot.uid(), limits);
            slot.charge = Charge::Found;
        }
    }

    /// Ends the charge of a slow command.
    pub(super) fn end_run(&mut self, index: usize, limits: &PerUser) {
        let slot = &mut self.slots[index];
        if std::mem::take(&mut slot.charge) != Charge::None {
            self.users.end(slot.uid(), limits);
        }
    }

    /// Ends the charge of a command for which nobody waits any more. A job of it that still runs has the charge from
    /// then on.
    #[cold]
    pub(super) fn leave_run(&mut self, index: usize, limits: &PerUser) {
        let connection = self.token(index).to_data();
        let slot = &mut self.slots[index];
        if slot.charge != Charge::None && self.jobs.take_charge(connection, slot.uid()) {
            slot.charge = Charge::None;
        }
        self.end_run(index, limits);
    }

    /// Notes that a thread is in a command that lasts. Returns whether a leader must be woken for the timer,
    /// and what was noted before, to be dropped when the hub is unlocked.
    #[must_use = "the earlier one is dropped when the hub is unlocked"]
    pub(super) fn note_run(
        &mut self,
        index: usize,
        mut run: LongRun,
        timer: Option<Instant>,
    ) -> (bool, Option<Box<LongRun>>) {
        let Some(slot) = self.slots.get_mut(index) else { return (false, None) };
        if !matches!(slot.occupant, Occupant::Served) {
            return (false, None);
        }
        if let Some(earlier) = &mut slot.run {
            run.inherit(earlier);
        }
        let earlier = slot.run.replace(Box::new(run));
        (self.set_timer(index, timer), earlier)
    }

    /// The command that lasts in a connection, and the connection's socket.
    pub(super) fn run(&self, index: usize) -> Option<(&Arc<Socket>, &LongRun)> {
        Some((self.served(index)?, self.slots[index].run.as_deref()?))
    }

    /// The socket of a connection that a thread serves.
    pub(super) fn served(&self, index: usize) -> Option<&Arc<Socket>> {
        let slot = self.slots.get(index)?;
        slot.socket.as_ref().filter(|_| matches!(slot.occupant, Occupant::Served))
    }

    /// Sets a connection's timer, unless it has an earlier one. True if it is the first of all timers,
    /// so that a leader must be woken.
    pub(super) fn set_timer(&mut self, index: usize, deadline: Option<Instant>) -> bool {
        let slot = &mut self.slots[index];
        let Some(at) = deadline.filter(|at| slot.timer.is_none_or(|timer| *at < timer)) else {
            return false;
        };
        slot.timer = Some(at);
        let is_first = self.timers.peek().is_none_or(|Reverse((other, ..))| at < *other);
        self.timers.push(Reverse((at, index, slot.generation)));
        self.drop_timers();
        is_first
    }

    /// Drops the timers that are out of date when they are most of all: a client that connects over and
    /// over would leave one for each connection until its time.
    fn drop_timers(&mut self) {
        let slots = &self.slots;
        if self.timers.len() > 2 * slots.len() + 64 {
            let mut timers = std::mem::take(&mut self.timers).into_vec();
            timers.retain(|Reverse((at, index, generation))| {
                slots[*index].generation == *generation && slots[*index].timer == Some(*at)
            });
            self.timers = timers.into();
        }
    }

    /// Returns whether anything is to be done at some time.
    pub(super) fn has_times(&self) -> bool {
        !self.timers.is_empty() || self.accepting.resume_at.is_some() || self.shutdown.is_some()
    }

    /// How long a leader may wait for events, if this time is left. No time at all if a connection is ready that
    /// it may serve.
    #[inline]
    pub(super) fn timeout(
        &self,
        may_be_long: bool,
        time_left: Option<Duration>,
    ) -> Option<Duration> {
        if self.ready.has_any(may_be_long) { Some(Duration::ZERO) } else { time_left }
    }

    /// The time until something is to be done, if there is anything.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        let mut next = self.timers.peek().map(|Reverse((at, ..))| *at);
        let shutdown = self.shutdown.as_ref().map(Shutdown::next_step);
        for other in [self.accepting.resume_at, shutdown].into_iter().flatten() {
            next = Some(next.map_or(other, |next| next.min(other)));
        }
        Some(next?.saturating_duration_since(now))
    }

    /// Handles the timers that have passed. True if accepting is to be resumed.
    pub(super) fn fire_timers(&mut self, now: Instant) -> bool {
        while let Some(&Reverse((at, index, generation))) = self.timers.peek() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.fire_timer(index, generation, now);
        }
        let resumes = self.accepting.resume_at.is_some_and(|at| at <= now);
        if resumes {
            self.accepting.resume_at = None;
            self.accepting.is_paused = false;
        }
        resumes
    }

    fn fire_timer(&mut self, index: usize, generation: u32, now: Instant) {
        let token = Token::Connection { slot: index, generation };
        let Some((_, slot)) = self.slot(token) else { return };
        slot.timer = None;
        if slot.run.is_some() {
            self.overdue.push(index);
            return;
        }
        if slot.queue == Queue::HandedOver
            && let Occupant::Idle(conn) = &mut slot.occupant
            && conn.keep_waiting(now)
        {
            let next = conn.next_look();
            self.set_timer(index, next);
            return;
        }
        self.mark(token, Readiness::EXPIRED);
        self.recall(index);
    }

    /// Gives every connection another turn, to read what has arrived.
    pub(super) fn wake_all(&mut self) {
        for index in 0..self.slots.len() {
            if !matches!(self.slots[index].occupant, Occupant::None) {
                self.mark(self.token(index), Readiness::READABLE);
            }
        }
    }

    /// Lets a leader serve all connections that wait for a thread.
    pub(super) fn recall_all(&mut self) {
        while let Some(index) = self.handed_over.pop_front() {
            self.enqueue(index);
        }
    }

    /// Ends the connections that no thread serves. They are returned, to be closed after the hub is
    /// unlocked.
    pub(super) fn end_idle(&mut self, service: &Service) -> Vec<Conn> {
        let is_idle = |index: &usize| matches!(self.slots[*index].occupant, Occupant::Idle(_));
        let idle: Vec<_> = (0..self.slots.len()).filter(is_idle).collect();
        let mut ended = Vec::new();
        for index in idle {
            if let Some(conn) = self.free(index, self.slots[index].cost) {
                self.count_end(service, conn.uid(), conn.is_admitted);
                ended.push(*conn);
            }
        }
        ended
    }

    /// Returns whether all connections only wait for events, and there is one.
    pub(super) fn only_listens(&self) -> bool {
        let mut has_any = false;
        let only_listen = self.slots.iter().all(|slot| match &slot.occupant {
            Occupant::None => true,
            Occupant::Served => false,
            Occupant::Idle(conn) => {
                has_any = true;
                let is_done = slot.queue == Queue::None && conn.awaited.is_none();
                is_done && conn.conversation.is_subscribed()
            }
        });
        has_any && only_listen
    }

    /// The connections that a thread serves.
    pub(super) fn all_served(&self) -> Vec<usize> {
        let is_served = |index: &usize| matches!(self.slots[*index].occupant, Occupant::Served);
        (0..self.slots.len()).filter(is_served).collect()
    }

    /// Returns whether a thread is needed for a connection or a job.
    pub(super) fn has_work_for_a_worker(&self) -> bool {
        !self.handed_over.is_empty() || !self.jobs.queue.is_empty()
    }

    /// Returns the commands that were not waited for, if no thread is left that is.
    pub(super) fn unfinished(&self) -> Option<Vec<Unfinished>> {
        let jobs = if self.has_ended { self.jobs.running() } else { 0 };
        let abandoned = self.shutdown.as_ref().map_or(0, Shutdown::abandoned) + jobs;
        let has_ended = self.roles.threads <= abandoned;
        let unfinished = self.shutdown.as_ref().map_or(&[][..], Shutdown::unfinished);
        has_ended.then(|| unfinished.to_vec())
    }

    pub(super) fn connections(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests;
