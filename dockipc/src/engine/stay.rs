//! Staying: a thread of its own for a client that calls commands of 16 to 64 µs over and over.
//!
//! A client that waits for an answer is woken twice a call: when its bytes are taken out of the socket, and by the
//! answer. A leader is often on another CPU than the client, and waking across CPUs costs more than the rest of the
//! call. The kernel keeps a thread that only serves one client near that client. So a leader that has served some
//! such commands of a connection leaves the others, and waits for this connection's bytes itself. The watcher still
//! looks at it, though less often, and a command that is noted as slow is handed over. The thread leaves the connection
//! when the client is silent for a moment, or calls a quick command.
//!
//! Not for longer commands: they gain a few percent, and their longest times grow, since the kernel is less fair than
//! the queue of the leaders. And only while no client is quick, and the server has few connections: the kernel shares
//! the CPUs among the threads, and all connections that wait for a leader would together have the share of one thread.

use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::connection::Conn;
use super::core::Core;
use super::hub_guard::HubGuard;
use super::input::{self, Memory};
use super::phase::Phase;
use super::readiness::Readiness;
use super::ready::{SPARE, WAKE};
use super::turn::Next;
use super::worker::Worker;
use crate::commands::Cost;

/// The turns by which a thread begins to stay with a connection, and whether one does.
pub(super) struct Stay {
    /// Turns that ended with such a command, since one that ended with a quick one.
    turns: u32,
    /// How many of them are needed.
    needed: u32,
    /// A thread stays with it, and no event tells of its bytes.
    pub(super) is_apart: bool,
}

/// How many such turns are needed at first. After each stay that the client has ended by its silence, twice as
/// many as before, up to [`MOST`].
const FIRST: u32 = 16;
const MOST: u32 = 1 << 16;

/// How long a thread waits for the connection's next bytes.
const SILENCE: Duration = Duration::from_millis(10);

impl Default for Stay {
    fn default() -> Self {
        Self { turns: 0, needed: FIRST, is_apart: false }
    }
}

impl Stay {
    /// Notes the cost of a turn's last command. A longer one may be an accident: its thread had no CPU.
    #[inline]
    pub(super) fn note(&mut self, cost: Cost) {
        if cost < WAKE {
            self.turns = 0;
        } else if cost < SPARE {
            self.turns = self.turns.saturating_add(1);
        }
    }

    /// A command was slow: it is handed over, and so would each one like it be.
    pub(super) fn note_slow(&mut self) {
        self.turns = 0;
    }

    #[inline]
    pub(super) fn is_worth_it(&self) -> bool {
        self.is_apart || self.turns >= self.needed
    }

    /// The client was silent.
    fn note_silence(&mut self) {
        self.turns = 0;
        self.needed = (self.needed * 2).min(MOST);
    }
}

impl Core {
    /// After a turn of a connection for which that is worth it: stays with it until there is something to do for
    /// it. False if this thread is to leave it.
    #[cold]
    pub(super) fn stay(
        self: &Arc<Self>,
        hub: &mut HubGuard<'_>,
        index: usize,
        next: Next,
        (me, memory): (&Arc<Worker>, &mut Memory),
        conn: &mut Conn,
    ) -> bool {
        if !self.may_stay(hub, me, conn) || !me.stays() && next != Next::Wait {
            return false;
        }
        if !me.stays() {
            hub.roles.begin_stay(me);
            self.recruit(hub);
            conn.stay.is_apart = true;
            hub.unlocked(|| {
                self.update_interest(conn);
                // Only for this thread: all others receive without blocking.
                let _ = set_socket_timeout(&conn.socket, Timeout::Recv, Some(SILENCE));
            });
        }
        if next == Next::Wait && hub.unseen(index) == Readiness::NONE {
            let has_come = hub.unlocked(|| input::wait(memory, conn));
            if !has_come && hub.unseen(index) == Readiness::NONE {
                conn.stay.note_silence();
                return false;
            }
        }
        true
    }

    fn may_stay(&self, hub: &mut HubGuard<'_>, me: &Worker, conn: &Conn) -> bool {
        let is_without_quick = hub.roles.is_without_quick();
        let roles = &hub.roles;
        let has_room = me.stays() || roles.staying.len() < self.max_staying;
        let is_needed = roles.threads >= self.max_threads && hub.has_work_for_a_worker();
        me.leads()
            && has_room
            && is_without_quick
            && !is_needed
            && hub.connections() <= self.max_staying
            && hub.shutdown.is_none()
            // Its last command was not quick.
            && conn.stay.turns > 0
            && conn.phase == Phase::Open
            && conn.is_registered
            && !conn.is_half_closed
            && conn.awaited.is_none()
            && !conn.has_pending_output()
            // A part of a command has a deadline, which is looked at when the connection waits for a leader.
            && conn.input.is_empty()
            && !conn.conversation.is_subscribed()
    }

    /// If a thread stays with the connection: lets events tell of its bytes again, those that have come already
    /// included.
    #[cold]
    pub(super) fn end_stay(&self, hub: &mut HubGuard<'_>, conn: &mut Conn) {
        if std::mem::take(&mut conn.stay.is_apart) {
            hub.unlocked(|| self.update_interest(conn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turns_without_a_quick_one_bring_a_thread() {
        let mut stay = Stay::default();
        for _ in 1..FIRST {
            stay.note(WAKE);
        }
        assert!(!stay.is_worth_it());
        stay.note(Cost::default());
        for _ in 0..FIRST {
            assert!(!stay.is_worth_it());
            stay.note(WAKE);
        }
        assert!(stay.is_worth_it());
        stay.note_slow();
        assert!(!stay.is_worth_it());
        for _ in 0..2 * FIRST {
            stay.note(SPARE);
        }
        assert!(!stay.is_worth_it(), "only longer ones");
    }

    #[test]
    fn silence_makes_the_next_stay_rarer() {
        let mut stay = Stay::default();
        for _ in 0..40 {
            stay.note_silence();
        }
        assert_eq!(stay.needed, MOST);
    }
}
