//! Connections of other protocols, which the author's code takes.
//!
//! With `Server::hand_over` each connection at the first path begins in [`Phase::Offered`]: its first bytes are
//! peeked, and the author's first function decides. A connection that it leaves goes on as all others do, since
//! no byte was read. One that it takes waits for a worker, like a slow command, and counts as one: in its user's
//! limit, in `max_threads`, and at a stop. There the author's second function gets a copy of the socket. The
//! hub keeps the socket itself, to shut it down at the deadline of a stop.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::epoll;
use rustix::net::Shutdown;

use super::connection::Conn;
use super::core::Core;
use super::deadline::{Deadline, Due};
use super::hub::Hub;
use super::input::{self, Memory};
use super::long_run::LongRun;
use super::phase::Phase;
use super::turn::Next;
use super::worker::Worker;
use crate::access::SocketId;
use crate::caught::caught;
use crate::commands::Runnable;
use crate::error::{Failure, code};
use crate::hand_over::HandOver;
use crate::peer::Peer;
use crate::session::Signs;
use crate::wire::Protocol;

/// The most bytes that are shown to the author's first function.
const MOST_SHOWN: usize = 4096;

/// The functions of `Server::hand_over`. As a trait object, so that other programs do not contain the code
/// of this file.
pub(crate) struct Taker(Box<dyn Take>);

pub(crate) type DecideFn = dyn Fn(&[u8]) -> HandOver + Send + Sync;
pub(crate) type TakeFn = dyn Fn(UnixStream, Peer) + Send + Sync;

impl Taker {
    pub(crate) fn new(decide: Box<DecideFn>, take: Box<TakeFn>) -> Self {
        Self(Box::new(Functions { decide, take }))
    }

    /// Goes on with a connection that is offered to the author's code or taken by it. None to look at the phase
    /// again.
    pub(super) fn advance(
        &self,
        core: &Arc<Core>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Option<Next> {
        self.0.advance(core, me, memory, conn)
    }

    /// The server stops: the author's code reads what has arrived, and then the end.
    pub(super) fn end_input(&self, hub: &Hub) {
        self.0.end_input(hub);
    }
}

/// [`Taker`]'s methods.
trait Take: Send + Sync {
    fn advance(
        &self,
        core: &Arc<Core>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Option<Next>;

    fn end_input(&self, hub: &Hub);
}

struct Functions {
    decide: Box<DecideFn>,
    take: Box<TakeFn>,
}

impl Take for Functions {
    fn advance(
        &self,
        core: &Arc<Core>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Option<Next> {
        let Phase::Offered { shown } = conn.phase else {
            return Some(self.take(core, me, memory, conn));
        };
        // A second path offers less than the first, and never this.
        if !conn.is_admitted || conn.conversation.socket() != SocketId::FIRST {
            conn.phase.leave();
            return None;
        }
        self.decide(core, me, memory, conn, shown)
    }

    fn end_input(&self, hub: &Hub) {
        for index in hub.all_served() {
            if let Some((socket, run)) = hub.run(index)
                && run.is_taken()
            {
                let _ = rustix::net::shutdown(socket, Shutdown::Read);
            }
        }
    }
}

impl Functions {
    /// Shows the first bytes to the author's code if there are more than before.
    fn decide(
        &self,
        core: &Arc<Core>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
        shown: usize,
    ) -> Option<Next> {
        if core.is_over() {
            return Some(Next::Close);
        }
        let (count, decision) = match input::peek(memory, conn, MOST_SHOWN) {
            Err(_) => return Some(Next::Close),
            Ok(Some([])) => (0, Some(HandOver::Leave)),
            Ok(Some(first)) if first.len() > shown => {
                let decision = caught(|| (self.decide)(first));
                core.end_forked_child();
                (first.len(), decision)
            }
            Ok(_) => (shown, Some(HandOver::More)),
        };
        match decision {
            Some(HandOver::Take) => {
                conn.phase = Phase::Taken;
                return Some(Next::HandOver);
            }
            // The end of the input decides for dockipc, as does the last byte that is shown.
            Some(HandOver::More) if count < MOST_SHOWN && !conn.is_half_closed => {
                conn.phase = Phase::Offered { shown: count };
                let due = if count == 0 { Due::NextCommand } else { Due::Decision };
                if conn.deadline.is_none_or(|deadline| deadline.due != due) {
                    conn.deadline = Deadline::new(due, &core.service.config.times);
                }
                return Some(Next::Wait);
            }
            Some(HandOver::Leave | HandOver::More) => {
                conn.phase.leave();
                conn.is_readable = true;
                return None;
            }
            None => {}
        }
        let why = "hand_over panicked; see the daemon's standard error for the message";
        Some(core.finish(me, memory, conn, &Failure::new(code::PANIC, why)))
    }

    /// Lets the author's code take the connection, on a thread that does not lead.
    fn take(
        &self,
        core: &Arc<Core>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Next {
        if core.is_over() {
            return core.finish(me, memory, conn, &Failure::not_run());
        }
        if let Some(failure) = conn.denied.take() {
            return core.finish(me, memory, conn, &failure);
        }
        if me.leads() {
            return Next::HandOver;
        }
        conn.end_wait();
        let Ok(stream) = rustix::io::fcntl_dupfd_cloexec(&conn.socket, 0) else {
            let why = "no descriptor is left for this connection; try again";
            return core.finish(me, memory, conn, &Failure::new(code::BUSY, why));
        };
        if std::mem::take(&mut conn.is_registered) {
            // Its bytes are none of the leaders' business.
            let _ = epoll::delete(&core.epoll, &conn.socket);
        }
        me.begin_step();
        me.set_signs(Signs::None);
        me.begin(Runnable::Taken, Protocol::Line, 0);
        let since = Instant::now();
        let mut hub = core.lock();
        let run = LongRun::new(me, me.step(), since, since);
        let (_, earlier) = hub.note_run(me.slot(), run, None);
        let server_stops = hub.shutdown.is_some();
        drop(hub);
        drop(earlier);
        if server_stops {
            let _ = rustix::net::shutdown(&conn.socket, Shutdown::Read);
        }
        let peer = conn.conversation.peer().clone();
        let _ = caught(|| (self.take)(stream.into(), peer));
        core.end_forked_child();
        me.end();
        Next::Close
    }
}
