//! Staying: a thread of its own for a client that calls commands of 16 to 128 µs over and over.
//!
//! A client that waits for an answer is woken twice a call: when its bytes are taken out of the socket, and by the
//! answer. A leader is often on another CPU than the client, and waking across CPUs costs more than the rest of the
//! call. The kernel keeps a thread that only serves one client on that client's CPU. So, after a few such commands of
//! a connection, the leaders leave it to a new thread, which waits for its bytes and locks the hub only if something
//! has changed there. The watcher still looks at it, though less often, and a command that is noted as slow is
//! handed over. The thread leaves the connection when the client is silent for a moment, calls a quick command, or calls
//! longer ones again and again.
//!
//! The kernel wakes two threads on one CPU only if at least one of them wakes nobody else: it counts, for each
//! thread, the changes of whom it wakes, and takes a second to halve the number (`wakee_flips` in Linux). A leader
//! has thousands, and a thread inherits those of the one that starts it. So the thread is new, the watcher
//! starts it, and what would make these threads wake each other is seldom: waiting for the hub's lock, and looks of
//! the watcher, whose timer counts for the thread that it interrupts.
//!
//! Not for longer commands: they gain a few percent, and their longest times grow, since the kernel is less fair than
//! the queue of the leaders. And only while few commands are quick, and the server has few connections: the kernel shares
//! the CPUs among the threads, and all connections that wait for a leader would together have the share of one thread.

use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::connection::Conn;
use super::core::Core;
use super::hub::Hub;
use super::hub_guard::HubGuard;
use super::input::{self, Memory};
use super::phase::Phase;
use super::ready::WAKE;
use super::worker::Worker;
use crate::commands::Cost;

/// The turns by which a thread begins to stay with a connection, and whether one does.
pub(super) struct Stay {
    /// Turns that ended with such a command, since one that ended with a quick one.
    turns: u32,
    /// How many of them are needed.
    needed: u32,
    /// Turns lately that were too long.
    long: u32,
    /// The shorter turns after which they are forgotten.
    suspected: u32,
    /// A thread stays with it, and no event tells of its bytes.
    pub(super) is_apart: bool,
    /// How many turns it has had from that thread.
    length: u32,
}

/// The least cost of commands for which no thread begins to stay.
pub(super) const TOO_LONG: Cost = Cost::of(Duration::from_micros(128));

/// The turns with a command of a higher cost that end a stay.
const MOST_LONG: u32 = 3;

/// The turns after one of them that are measured by CPU time, which takes system calls; after as many shorter ones it is
/// forgotten. A command may seem long because its thread had no CPU, and even its CPU time may be long once, if the
/// virtual machine had none.
const MEASURED: u32 = 8;

/// How many turns that are not too long a connection needs at first. For each thread that is called, twice as many as
/// before, up to [`MOST`], until a stay was long. Few, since the client's thread wakes changing leaders until then.
pub(super) const FIRST: u32 = 2;
const MOST: u32 = 1 << 16;

/// The most that each connection needs after short stays of others: clients that leave soon are not worth a thread.
pub(super) const MOST_AFTER_SHORT: u32 = 16;

/// The turns of a long stay: it has paid for its thread.
const LENGTH: u32 = 32;

/// How long a thread waits for the connection's next bytes. More than a client waits for a CPU.
const SILENCE: Duration = Duration::from_millis(50);

impl Default for Stay {
    fn default() -> Self {
        Self { turns: 0, needed: FIRST, long: 0, suspected: 0, is_apart: false, length: 0 }
    }
}

impl Stay {
    /// Returns whether the turn's commands are to be measured by CPU time if they wait for nothing.
    #[inline]
    pub(super) fn reads_cpu_time(&self) -> bool {
        self.is_apart && self.long > 0
    }

    /// Notes the cost of a turn's last command, and the highest one of those that were timed.
    #[inline]
    pub(super) fn note(&mut self, cost: Cost, longest: Cost) {
        let is_quick = cost < WAKE && longest <= TOO_LONG;
        if !is_quick || self.turns > 0 || self.long > 0 {
            self.note_any(cost, longest);
        }
    }

    #[inline(never)]
    fn note_any(&mut self, cost: Cost, longest: Cost) {
        self.length = self.length.saturating_add(1);
        if longest > TOO_LONG {
            self.long = self.long.saturating_add(1);
            self.suspected = MEASURED;
        } else if self.long > 0 {
            self.suspected -= 1;
            if self.suspected == 0 {
                self.long = 0;
            }
        }
        if cost < WAKE || self.is_apart && self.long >= MOST_LONG {
            self.turns = 0;
        } else if longest < TOO_LONG {
            self.turns = self.turns.saturating_add(1);
        }
    }

    #[inline]
    pub(super) fn is_worth_it(&self) -> bool {
        self.is_apart || self.turns >= self.needed
    }

    /// The connection begins to wait for a thread.
    pub(super) fn call_thread(&mut self) {
        self.needed = (self.needed * 2).min(MOST);
        self.length = 0;
    }

    /// A thread begins to stay, or does so already. True if it begins.
    pub(super) fn begin(&mut self) -> bool {
        let begins = !std::mem::replace(&mut self.is_apart, true);
        if begins {
            self.long = 0;
        }
        begins
    }

    /// If a thread has stayed until now, returns whether for long.
    pub(super) fn end(&mut self) -> Option<bool> {
        if !std::mem::take(&mut self.is_apart) {
            return None;
        }
        self.give_up();
        let was_long = self.length >= LENGTH;
        if was_long {
            self.needed = FIRST;
        }
        Some(was_long)
    }

    /// No thread stays now: the client was silent, a command was slow, or no thread can be started.
    pub(super) fn give_up(&mut self) {
        self.turns = 0;
    }
}

impl Conn {
    /// Returns whether there is nothing to do but to wait for a client that calls such commands.
    fn may_stay(&self) -> bool {
        // Its last command was not quick.
        self.stay.turns > 0
            && self.phase == Phase::Open
            && self.is_registered
            && !self.is_half_closed
            && self.awaited.is_none()
            && !self.has_pending_output()
            // A part of a command has a deadline, which is looked at when the connection waits for a leader.
            && self.input.is_empty()
            && !self.conversation.is_subscribed()
    }
}

impl Core {
    /// Starts a thread for each connection that waits for one to stay with it. Only the watcher does so.
    #[cold]
    pub(super) fn start_staying(self: &Arc<Self>, hub: &mut HubGuard<'_>) {
        // Those that were started at an earlier look may not run yet.
        while hub.roles.starting_to_stay < hub.apart.len() {
            if hub.roles.threads >= self.max_threads || self.spawn(hub, true).is_err() {
                hub.recall_apart();
                return self.wake_leader(hub);
            }
        }
    }

    /// The first role of a thread that was started for it.
    pub(super) fn begin_stay(
        self: &Arc<Self>,
        hub: &mut HubGuard<'_>,
        me: &Arc<Worker>,
        memory: &mut Memory,
    ) {
        // While this thread was starting, no other one was called.
        self.recruit(hub);
        hub.roles.starting_to_stay -= 1;
        let Some(index) = hub.apart.pop_front() else { return };
        hub.roles.add_staying(me);
        self.serve(hub, index, me, memory);
        self.end_lead(hub, me);
    }

    /// Between two turns of a thread that stays: waits for the connection's next bytes. False if the client is silent,
    /// or the thread is to look at the hub. Without the hub's lock: waiting for it, the threads would wake each other.
    pub(super) fn stays_on(&self, me: &Worker, memory: &mut Memory, conn: &mut Conn) -> bool {
        // Without a quota nothing is charged, whatever waits in the connection, as in a transaction.
        let is_charged =
            self.service.config.per_user.bytes.is_none() || conn.held() == conn.charged;
        let goes_on =
            me.leads() && !me.has_news() && conn.stay.is_apart && conn.may_stay() && is_charged;
        if !goes_on {
            return false;
        }
        let has_come = input::wait(memory, conn);
        if !has_come {
            conn.stay.give_up();
        }
        has_come
    }

    /// If this thread stays for the first time: events do not tell of the connection's bytes any longer.
    #[cold]
    pub(super) fn stay(&self, hub: &mut HubGuard<'_>, conn: &mut Conn) {
        if conn.stay.begin() {
            hub.unlocked(|| {
                self.update_interest(conn);
                // Only for this thread: all others receive without blocking.
                let _ = set_socket_timeout(&conn.socket, Timeout::Recv, Some(SILENCE));
            });
        }
    }

    /// Returns whether a thread may go on staying with a connection, or another one begin to.
    #[cold]
    pub(super) fn may_stay(&self, hub: &mut HubGuard<'_>, me: &Worker, conn: &Conn) -> bool {
        let has_few_quick = hub.roles.has_few_quick();
        let roles = &hub.roles;
        let has_room = me.stays()
            || roles.staying.len() + hub.apart.len() < self.max_staying
                && roles.threads + hub.apart.len() < self.max_threads;
        let is_due = me.stays() || conn.stay.turns >= roles.needed_turns;
        let is_needed = hub.has_work_for_a_worker() && roles.nobody_comes();
        me.leads()
            && has_room
            && is_due
            && roles.has_watcher
            && has_few_quick
            && !is_needed
            && hub.connections() <= self.max_staying
            && hub.shutdown.is_none()
            && conn.may_stay()
    }

    /// After new connections have come: no thread stays if there are many.
    pub(super) fn look_at_crowd(&self, hub: &Hub) {
        if hub.connections() > self.max_staying {
            hub.roles.tell_staying();
        }
    }

    /// If a thread stays with the connection: lets events tell of its bytes again, those that have come already
    /// included.
    #[cold]
    pub(super) fn end_stay(&self, hub: &mut HubGuard<'_>, conn: &mut Conn) {
        if hub.roles.end_stay(&mut conn.stay) {
            hub.unlocked(|| self.update_interest(conn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(stay: &mut Stay, cost: Cost, times: u32) {
        (0..times).for_each(|_| stay.note(cost, cost));
    }

    #[test]
    fn only_turns_without_a_quick_one_bring_a_thread() {
        let mut stay = Stay::default();
        note(&mut stay, WAKE, FIRST - 1);
        assert!(!stay.is_worth_it());
        note(&mut stay, Cost::default(), 1);
        note(&mut stay, WAKE, FIRST - 1);
        assert!(!stay.is_worth_it());
        note(&mut stay, WAKE, 1);
        assert!(stay.is_worth_it());
        stay.give_up();
        assert!(!stay.is_worth_it());
        note(&mut stay, TOO_LONG, 2 * FIRST);
        assert!(!stay.is_worth_it(), "only longer ones");
    }

    #[test]
    fn long_turns_end_a_stay() {
        let (mut stay, long) = (Stay::default(), Cost::of(Duration::from_millis(1)));
        note(&mut stay, WAKE, FIRST);
        stay.begin();
        assert!(!stay.reads_cpu_time());
        note(&mut stay, long, 1);
        assert!(stay.reads_cpu_time(), "its thread may have had no CPU");
        note(&mut stay, WAKE, MEASURED - 1);
        note(&mut stay, long, 1);
        note(&mut stay, WAKE, MEASURED);
        assert!(!stay.reads_cpu_time() && stay.turns > 0);
        note(&mut stay, long, MOST_LONG - 1);
        assert!(stay.turns > 0);
        stay.note(WAKE, long);
        assert_eq!(stay.turns, 0, "a long one, and another one after it");
    }

    #[test]
    fn each_thread_makes_the_next_one_rarer_until_a_long_stay() {
        let mut stay = Stay::default();
        for _ in 0..40 {
            stay.call_thread();
            assert!(stay.begin() && !stay.begin());
            assert_eq!((stay.end(), stay.end()), (Some(false), None));
        }
        assert_eq!(stay.needed, MOST);
        stay.call_thread();
        stay.begin();
        note(&mut stay, WAKE, LENGTH);
        assert_eq!(stay.end(), Some(true));
        assert_eq!(stay.needed, FIRST);
        stay.call_thread();
        assert!(
            stay.end().is_none() && stay.needed > FIRST,
            "a quick command came before the thread"
        );
    }
}
