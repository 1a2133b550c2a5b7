//! What the threads of a server share: the connections, who is ready, and who has which role.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;

use super::accept::{self, Arrival};
use super::run::Run;
use super::stop::Stop;
use super::turn::Conn;
use super::user::Users;
use super::{Core, Worker};
use crate::config::PerUser;
use crate::dispatch::{Conversation, Service};
use crate::error::{Failure, code};
use crate::peer::Peer;

pub(super) struct Hub {
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Connections that are to be served, in order.
    ready: VecDeque<usize>,
    /// How many of them are served before the leader looks for events again.
    before_poll: usize,
    /// Connections whose command waits for a thread.
    pub(super) deferred: VecDeque<usize>,
    timers: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// Connections in which a command runs whose timer has passed.
    pub(super) overdue: Vec<usize>,
    pub(super) users: Users,
    /// Connections that are turned away and have yet to hear of it.
    refused: usize,

    /// Accepting waits until something is closed, or for its timer.
    pub(super) accept_paused: bool,
    pub(super) accept_at: Option<Instant>,
    /// Since when nobody could be accepted.
    pub(super) accept_failing: Option<Instant>,
    /// Given up to tell somebody that there are no descriptors.
    pub(super) spare: Option<OwnedFd>,

    pub(super) leader: Option<Arc<Worker>>,
    /// The leader waits for events.
    pub(super) polling: bool,
    /// There is a watcher.
    pub(super) watched: bool,
    pub(super) watcher_sleeps: bool,
    /// Threads that wait for a role and have not been called.
    pub(super) parked: usize,
    /// Parked threads that have been called and have not noticed yet.
    pub(super) called: usize,
    /// All threads; and those of them that have not begun.
    pub(super) threads: usize,
    pub(super) starting: usize,
    /// The watcher is to take a slow command, since nobody else is left.
    pub(super) drafted: bool,
    /// The server has been told to stop.
    pub(super) stop: Option<Stop>,
    pub(super) ended: bool,
}

struct Slot {
    /// Tells events of an earlier connection in this slot from those of this one.
    generation: u32,
    /// What happened that the connection has not seen yet.
    seen: Seen,
    queued: bool,
    /// The timer that is set for it.
    timer: Option<Instant>,
    /// The command that runs, if it is known to last.
    run: Option<Box<Run>>,
    /// Who is connected.
    uid: u32,
    counted: Counted,
    state: State,
}

enum State {
    Free,
    /// Nobody serves it.
    Parked(Box<Conn>),
    /// A thread has it; the socket stays here for the watcher.
    Running(Arc<OwnedFd>),
}

/// Whether a slow command counts as one of its user's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Counted {
    #[default]
    No,
    /// From before it began.
    Begun,
    /// Since it was seen to last. The connection's next one has to be asked for.
    Found,
}

/// What happened at a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The client has ended its side.
    pub(super) ended: bool,
    /// A deadline has passed, or the server stops.
    pub(super) late: bool,
}

impl Seen {
    fn anything(self) -> bool {
        self != Self::default()
    }
}

/// What a connection wants after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// To wait for its socket.
    Park,
    /// Another turn, after the others had theirs.
    Again,
    /// A thread that does not lead, since its command is slow.
    Later,
    Close,
}

impl Hub {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            before_poll: 0,
            deferred: VecDeque::new(),
            timers: BinaryHeap::new(),
            overdue: Vec::new(),
            users: Users::default(),
            refused: 0,
            accept_paused: false,
            accept_at: None,
            accept_failing: None,
            spare: None,
            leader: None,
            polling: false,
            watched: false,
            watcher_sleeps: false,
            parked: 0,
            called: 0,
            threads: 0,
            starting: 0,
            drafted: false,
            stop: None,
            ended: false,
        }
    }

    pub(super) fn is_led_by(&self, worker: &Arc<Worker>) -> bool {
        self.leader.as_ref().is_some_and(|leader| Arc::ptr_eq(leader, worker))
    }

    /// Takes in a new connection. Its first turn tries to read at once.
    pub(super) fn add(&mut self, service: &Service, arrival: Arrival) {
        let Arrival { socket, peer, entrance } = arrival;
        let is_known = peer.is_some();
        let peer = peer.unwrap_or_else(Peer::unknown);
        let (id, counted) = service.admit(peer.uid());
        let is_counted = counted.is_ok();
        let served = match counted {
            _ if !is_known => {
                Err(Failure::new(code::NOPERM, "the system does not say who you are"))
            }
            Ok(()) => self.users.connect(peer.uid(), &service.config.per_user),
            Err(failure) => Err(failure),
        };
        let refused = served.err();
        if refused.is_some() && is_counted {
            service.counters.disconnected();
        }
        if let Some(failure) = &refused {
            if self.refused >= service.config.max_refused {
                return accept::tell(&socket, failure);
            }
            self.refused += 1;
        }
        let index = self.free.pop().unwrap_or(self.slots.len());
        if index == self.slots.len() {
            self.slots.push(Slot {
                generation: 0,
                seen: Seen::default(),
                queued: false,
                timer: None,
                run: None,
                uid: u32::MAX,
                counted: Counted::No,
                state: State::Free,
            });
        }
        let slot = &mut self.slots[index];
        let data = u64::from(slot.generation) << 32 | index as u64;
        let connection = Conversation::new(service, id, peer, entrance, refused);
        slot.uid = connection.uid();
        slot.state = State::Parked(Box::new(Conn::new(socket, connection, data)));
        slot.seen = Seen { readable: true, ..Seen::default() };
        slot.queued = true;
        self.ready.push_back(index);
    }

    pub(super) fn take_in(&mut self, service: &Service, arrivals: Vec<Arrival>) {
        if !arrivals.is_empty() {
            self.accept_failing = None;
        }
        for arrival in arrivals {
            self.add(service, arrival);
        }
    }

    /// Counts the end of a connection.
    pub(super) fn count_end(&mut self, service: &Service, uid: u32, was_served: bool) {
        if was_served {
            service.counters.disconnected();
            self.users.leave(uid, &service.config.per_user);
        } else {
            self.refused -= 1;
        }
    }

    fn slot(&mut self, data: u64) -> Option<(usize, &mut Slot)> {
        let index = usize::try_from(data & 0xffff_ffff).ok()?;
        let slot = self.slots.get_mut(index)?;
        (u64::from(slot.generation) == data >> 32).then_some((index, slot))
    }

    /// Notes an event.
    pub(super) fn note(&mut self, data: u64, flags: EventFlags) {
        let ended = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        self.mark(data, |seen| {
            seen.readable |= flags.intersects(EventFlags::IN | ended);
            seen.writable |= flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP);
            seen.ended |= flags.intersects(ended);
        });
    }

    fn mark(&mut self, data: u64, mark: impl FnOnce(&mut Seen)) {
        let Some((index, slot)) = self.slot(data) else { return };
        mark(&mut slot.seen);
        if matches!(slot.state, State::Parked(_)) && !std::mem::replace(&mut slot.queued, true) {
            self.ready.push_back(index);
        }
    }

    /// The next connection to be served; none when it is time to look for events.
    pub(super) fn next(&mut self) -> Option<usize> {
        self.before_poll = self.before_poll.checked_sub(1)?;
        self.ready.pop_front()
    }

    /// Events have been looked for.
    pub(super) fn polled(&mut self) {
        self.before_poll = self.ready.len();
    }

    /// Takes a connection out to serve it.
    pub(super) fn take(&mut self, index: usize) -> Option<(Box<Conn>, Seen)> {
        let slot = self.slots.get_mut(index)?;
        slot.queued = false;
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Parked(conn) => {
                slot.state = State::Running(conn.socket());
                Some((conn, std::mem::take(&mut slot.seen)))
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    pub(super) fn put(&mut self, index: usize, conn: Box<Conn>) {
        let slot = &mut self.slots[index];
        slot.run = None;
        slot.state = State::Parked(conn);
    }

    /// What happened while the connection was served, if it is to be served further.
    pub(super) fn resume(&mut self, index: usize, more: bool) -> Option<Seen> {
        let seen = std::mem::take(&mut self.slots[index].seen);
        (more || seen.anything()).then_some(seen)
    }

    pub(super) fn requeue(&mut self, index: usize, seen: Seen) {
        let slot = &mut self.slots[index];
        slot.seen = seen;
        slot.queued = true;
        self.ready.push_back(index);
    }

    /// Puts a connection where the next thread that comes back finds it.
    pub(super) fn defer(&mut self, index: usize, conn: Box<Conn>) {
        self.put(index, conn);
        self.slots[index].queued = true;
        self.deferred.push_back(index);
    }

    /// Who waits for a thread need not wait longer: the leader has something to tell.
    fn recall(&mut self, index: usize) {
        if let Some(place) = self.deferred.iter().position(|&other| other == index) {
            self.deferred.remove(place);
            self.ready.push_back(index);
        }
    }

    pub(super) fn free(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        // The largest is not a connection's: see the doors.
        slot.generation = (slot.generation + 1) % u32::MAX;
        slot.seen = Seen::default();
        slot.queued = false;
        slot.timer = None;
        slot.run = None;
        slot.state = State::Free;
        self.free.push(index);
    }

    /// A slow command is one of its user's from now on, until the turn in which it runs has ended. An
    /// error if that user has too many.
    pub(super) fn begin_run(&mut self, index: usize, limits: &PerUser) -> Result<(), Failure> {
        if self.slots[index].counted == Counted::Begun {
            return Ok(());
        }
        self.end_run(index, limits);
        let slot = &mut self.slots[index];
        self.users.begin(slot.uid, limits)?;
        slot.counted = Counted::Begun;
        Ok(())
    }

    /// The same for one that runs already, of which it was not known that it is slow.
    #[cold]
    pub(super) fn count_run(&mut self, index: usize, limits: &PerUser) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_new = matches!(slot.state, State::Running(_)) && slot.counted == Counted::No;
        if is_new && limits.running.is_some() {
            self.users.begin_anyhow(slot.uid, limits);
            slot.counted = Counted::Found;
        }
    }

    /// After a turn.
    pub(super) fn end_run(&mut self, index: usize, limits: &PerUser) {
        let slot = &mut self.slots[index];
        if std::mem::take(&mut slot.counted) != Counted::No {
            self.users.end(slot.uid, limits);
        }
    }

    /// Notes that a thread is in a command that lasts; true if the leader must be told of the timer.
    pub(super) fn note_run(&mut self, index: usize, run: Run, timer: Option<Instant>) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return false };
        if !matches!(slot.state, State::Running(_)) {
            return false;
        }
        slot.run = Some(Box::new(run));
        self.set_timer(index, timer)
    }

    /// The command that lasts in a connection, and its socket.
    pub(super) fn run(&mut self, index: usize) -> Option<(&Arc<OwnedFd>, &mut Run)> {
        let slot = self.slots.get_mut(index)?;
        match &slot.state {
            State::Running(socket) => Some((socket, slot.run.as_deref_mut()?)),
            State::Free | State::Parked(_) => None,
        }
    }

    /// The socket that a thread serves.
    pub(super) fn served(&self, index: usize) -> Option<&Arc<OwnedFd>> {
        match &self.slots.get(index)?.state {
            State::Running(socket) => Some(socket),
            State::Free | State::Parked(_) => None,
        }
    }

    /// Sets a connection's timer, unless it has an earlier one. True if it is the first of all, so
    /// that the leader must know.
    pub(super) fn set_timer(&mut self, index: usize, deadline: Option<Instant>) -> bool {
        let slot = &mut self.slots[index];
        let Some(at) = deadline.filter(|at| slot.timer.is_none_or(|timer| *at < timer)) else {
            return false;
        };
        slot.timer = Some(at);
        let first = self.timers.peek().is_none_or(|Reverse((other, ..))| at < *other);
        self.timers.push(Reverse((at, index, slot.generation)));
        self.drop_timers();
        first
    }

    /// Drops the timers that mean nothing any longer, when they are the most: a client that connects over
    /// and over would leave one for each connection until its time.
    fn drop_timers(&mut self) {
        let slots = &self.slots;
        if self.timers.len() > 2 * slots.len() + 64 {
            self.timers.retain(|Reverse((at, index, generation))| {
                slots[*index].generation == *generation && slots[*index].timer == Some(*at)
            });
        }
    }

    /// How long the leader may wait for events: not at all if somebody is ready.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let stop = self.stop.as_ref().map(Stop::next);
        let others = [self.accept_at, stop];
        let at = timer.into_iter().chain(others.into_iter().flatten()).min()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    pub(super) fn fire_timers(&mut self, core: &Core) {
        if self.timers.is_empty() && self.accept_at.is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(&Reverse((at, index, generation))) = self.timers.peek() {
            if at > now {
                break;
            }
            self.timers.pop();
            let data = u64::from(generation) << 32 | index as u64;
            let Some((_, slot)) = self.slot(data) else { continue };
            slot.timer = None;
            if slot.run.is_some() {
                self.overdue.push(index);
                continue;
            }
            if self.deferred.contains(&index)
                && let State::Parked(conn) = &mut self.slots[index].state
                && let Some(again) = conn.wait_for_thread(now)
            {
                self.set_timer(index, Some(again));
                continue;
            }
            self.mark(data, |seen| seen.late = true);
            self.recall(index);
        }
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept_at = None;
            self.accept_paused = false;
            core.listen(true);
        }
    }

    /// Every connection gets another turn, to read what has arrived.
    pub(super) fn wake_all(&mut self) {
        for index in 0..self.slots.len() {
            if !matches!(self.slots[index].state, State::Free) {
                let data = u64::from(self.slots[index].generation) << 32 | index as u64;
                self.mark(data, |seen| seen.readable = true);
            }
        }
    }

    /// Nobody waits for a thread any longer.
    pub(super) fn recall_all(&mut self) {
        self.ready.extend(self.deferred.drain(..));
    }

    /// Ends the connections that nobody serves.
    pub(super) fn close_parked(&mut self, service: &Service) {
        for index in 0..self.slots.len() {
            if let State::Parked(conn) = &self.slots[index].state {
                let (uid, was_served) = (conn.uid(), conn.counts());
                self.count_end(service, uid, was_served);
                self.free(index);
            }
        }
    }

    /// The connections that a thread serves.
    pub(super) fn all_served(&self) -> Vec<usize> {
        let served = |index: &usize| matches!(self.slots[*index].state, State::Running(_));
        (0..self.slots.len()).filter(served).collect()
    }

    pub(super) fn connections(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests;
