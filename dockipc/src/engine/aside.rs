//! Code of the author's that belongs to a connection and to no command that runs: the hooks that see the end of a
//! command which was answered later, and the drop of the values that a connection holds.
//!
//! It is never refused. It runs on the thread that serves the connection, under the watcher's eyes, and on one
//! that does not lead if such code was slow before.

use std::time::Instant;

use rustix::net::Shutdown;

use super::connection::Conn;
use super::core::Core;
use super::deadline::{Deadline, Due};
use super::phase::Phase;
use super::turn::Next;
use super::worker::{Outbox, Worker};
use crate::caught::caught;
use crate::commands::Runnable;
use crate::session::Signs;
use crate::sys::ThreadUsage;

impl Core {
    /// Tells the hooks of the answer that a connection has waited for. False if another thread is to do it.
    #[cold]
    pub(super) fn tell_answer(&self, me: &Worker, conn: &mut Conn) -> bool {
        self.run_aside(me, conn, |conn| {
            let protocol = conn.conversation.protocol();
            if let Some(awaited) = &mut conn.awaited {
                // They are in front of what another thread may answer.
                awaited.take_items(me);
                me.outbox().bytes.append(&mut awaited.sign);
                awaited.tell_end(&self.service, protocol);
            }
        })
    }

    /// Ends what belongs to a connection that is about to be closed.
    pub(super) fn release(&self, me: &Worker, conn: &mut Conn) -> Next {
        let has_hooks = self.service.hooks.is_some() && conn.awaited.is_some();
        if !conn.conversation.peer().end() && !has_hooks {
            return Next::Close;
        }
        // The client does not wait for it. Code that has taken the connection may have kept the socket.
        if conn.phase != Phase::Taken {
            let _ = rustix::net::shutdown(&conn.socket, Shutdown::Both);
        }
        (conn.output, conn.deadline) = (None, None);
        conn.phase.close();
        if !self.run_aside(me, conn, |conn| self.end_connection(conn)) {
            return Next::HandOver;
        }
        *me.outbox() = Outbox::default();
        Next::Close
    }

    /// Asks the command to stop that is answered later, tells the hooks so, and drops the values that the
    /// connection holds.
    #[cold]
    pub(super) fn end_connection(&self, conn: &mut Conn) {
        if let Some(awaited) = conn.awaited.take() {
            awaited.tell_end(&self.service, conn.conversation.protocol());
        }
        let peer = conn.conversation.peer();
        if peer.end() {
            peer.drop_held();
        }
    }

    /// Runs the author's code. False if it is to be run by a thread that does not lead, to which the caller hands
    /// the connection over.
    #[cold]
    fn run_aside(&self, me: &Worker, conn: &mut Conn, code: impl FnOnce(&mut Conn)) -> bool {
        let what = Runnable::Hook;
        let speed = self.service.table.speed(what);
        if me.leads() && speed.is_slow() && !conn.waits_aside {
            conn.waits_aside = true;
            conn.deadline = Deadline::new(Due::Thread, &self.service.config.times);
            return false;
        }
        if std::mem::take(&mut conn.waits_aside) {
            // No thread was free in time.
            conn.denied = None;
        }
        me.begin_step();
        me.set_signs(Signs::None);
        let begun = (!me.leads()).then(|| (Instant::now(), me.thread.usage()));
        me.begin(what, conn.conversation.protocol(), 0);
        caught(|| code(conn));
        self.end_forked_child();
        me.end();
        if let Some((since, usage)) = begun {
            speed.ran_for(since.elapsed(), usage.and_then(ThreadUsage::computed));
        }
        true
    }
}
