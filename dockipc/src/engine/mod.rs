//! Sockets, threads and locks: threads follow commands, not connections.
//!
//! All sockets are in one epoll set, edge-triggered. A *leader* waits for events and serves the connections
//! that have them, one turn each; it runs their commands itself. As long as commands are quick, there is
//! one leader, and that is as cheap as a single-threaded loop.
//!
//! Three things see to it that a connection does not wait while a core is free:
//!
//! - *Sharing*: each connection that waits has a cost, the measured time of its last command
//!   (`commands::Cost`). When a leader begins with one and the others that wait would take longer than
//!   waking a thread takes, or when its own command takes that long and nobody looks for events, another
//!   leader is woken or recruited, up to the number of cores. Leaders take connections from one queue, the
//!   quick ones first, then new ones ([`ready`]); while long ones run on all cores, one leader more waits for quick ones.
//!   Leaders without work wait in the kernel, which wakes the one that began to wait last; the others give
//!   the role up after a second, or when work is quick again ([`leader`]).
//! - The *watcher*, a further thread, looks at the leaders every millisecond while there is work. If it
//!   finds one in the same command twice, it takes the lead from that thread, and the command is noted as
//!   slow (`commands::Speed`). If none is left, the watcher becomes the leader.
//! - A command that is noted as slow is not run by a leader: its connection is *handed over*, to a
//!   queue from which *workers* take it, as many threads as are needed. A command that turns out to be
//!   quick loses the note.
//!
//! A new thread *stays* with a connection whose client calls commands of 16 to 128 µs over and over, as long as few
//! commands are quick ([`stay`]). The watcher looks at it less often.
//!
//! ```text
//!              work is shared, or no leader        a connection was handed over
//!   leader ◀─────────────────────────── (no role) ─────────────────────────────▶ worker
//!     │ in one command for too long,        ▲   │ no watcher                       │ its turns are over
//!     │ or one leader too many              │   ▼                                  │
//!     └───────────────────────────▶ (no role)  watcher ── there is no leader ─▶ (no role)
//! ```
//!
//! A thread without a role parks for a moment ([`threads`]) and then ends. At rest there are two
//! threads.
//!
//! | file | what it has |
//! | --- | --- |
//! | [`core`] | what the threads share, as one value |
//! | [`hub`], [`hub_guard`] | the state under the lock, and what may be done under it |
//! | [`threads`], [`leader`], [`watcher`] | the roles |
//! | [`ready`] | the queue of the leaders |
//! | [`serve`], [`turn`], [`stay`] | one connection: taking it, its turns, staying with it, putting it back |
//! | [`connection`], [`phase`], [`deadline`] | a connection, its life as a state machine, what it waits for |
//! | [`awaited`], [`body`] | a command that is answered later, and the bytes that its client sends meanwhile |
//! | [`listening`] | a connection that is subscribed to events |
//! | [`input`], [`executor`], [`output`] | what a turn does: read, run, send |
//! | [`jobs`] | code of the author's that runs apart from a connection |
//! | [`worker`], [`long_run`], [`sign_of_life`], [`report`] | what threads see of each other; commands that last |
//! | [`endpoint`], [`accept`], [`reserve`], [`users`] | where connections come from, and how many |
//! | [`taken`] | connections of other protocols, which the author's code takes |
//! | [`shutdown`], [`leave`] | how a server stops; what happens to the commands of the thread that waits for it |

mod accept;
mod aside;
mod awaited;
mod body;
mod connection;
mod core;
mod deadline;
mod endpoint;
mod executor;
mod hub;
mod hub_guard;
mod input;
mod jobs;
mod leader;
mod leave;
mod listening;
mod long_run;
mod output;
mod phase;
mod readiness;
mod ready;
mod report;
mod reserve;
mod serve;
mod shutdown;
mod sign_of_life;
mod stay;
mod sync;
mod taken;
mod threads;
mod token;
mod turn;
mod users;
mod watcher;
mod worker;

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Weak};
#[cfg(feature = "tokio")]
use std::task::{Poll, Waker};
use std::time::Duration;

use self::accept::Arrival;
use self::core::Core;
use self::leave::Leaving;
use crate::access::SocketId;
use crate::dispatch::Service;
use crate::error::{Error, Result, Unfinished};
use crate::local::is_inside_job;
use crate::peer::Peer;
use crate::running::Connections;
use crate::state::States;
use crate::sys::NotForked;

pub(crate) use self::endpoint::Endpoint;
pub(crate) use self::listening::LISTENING;
pub(crate) use self::taken::Taker;

/// The threads of one server.
pub(crate) struct Engine {
    core: Arc<Core>,
}

impl Connections for Core {
    fn end(&self, id: u64, may_end: &dyn Fn(u32) -> bool) -> bool {
        let mut hub = self.lock();
        let Some(socket) = hub.kill(id, may_end) else { return false };
        self.wake_leader(&hub);
        drop(hub);
        // The kernel then tells that the connection has ended, also while a command runs.
        let _ = rustix::net::shutdown(&*socket, rustix::net::Shutdown::Both);
        true
    }
}

impl Engine {
    /// Starts the threads, which serve the sockets.
    pub(crate) fn start(
        service: Arc<Service>,
        endpoints: Vec<Endpoint>,
        signals: Option<UnixStream>,
        taker: Option<Taker>,
    ) -> Result<Self> {
        let core = Core::new(service, endpoints, signals, taker)
            .map_err(|errno| Error::io("starting the server", errno))?;
        let engine = Self { core: Arc::new(core) };
        let connections: Weak<dyn Connections> = Arc::downgrade(&(Arc::clone(&engine.core) as _));
        engine.core.service.running.serve(connections);
        for _ in 0..2 {
            let spawned = engine.core.spawn(&mut engine.core.lock(), false);
            if let Err(error) = spawned {
                engine.stop(Duration::ZERO);
                return Err(Error::io("starting a thread", error));
            }
        }
        Ok(engine)
    }

    /// Tells the service manager that the daemon is ready. Does nothing in a forked child.
    pub(crate) fn say_ready(&self) {
        if !self.core.is_forked() {
            self.core.say_ready();
        }
    }

    /// Serves a connection that was made elsewhere. False if the server has been told to stop, and in a
    /// forked child.
    pub(crate) fn adopt(&self, socket: UnixStream) -> bool {
        if self.core.is_forked() {
            return false;
        }
        let peer = Peer::of(&socket).ok();
        let socket = NotForked::new(socket.into());
        let arrival = Arrival { socket, peer, entrance: SocketId::FIRST };
        let mut hub = self.core.lock();
        if hub.shutdown.is_some() {
            return false;
        }
        let turned_away = hub.add(&self.core.service, arrival).err();
        self.core.look_at_crowd(&hub);
        self.core.wake_leader(&hub);
        drop(hub);
        if let Some(client) = turned_away {
            client.tell();
        }
        true
    }

    /// Returns the states that commands share.
    pub(crate) fn states(&self) -> &States {
        &self.core.service.states
    }

    /// Tells the server to stop; commands may run for the author's time.
    pub(crate) fn shutdown(&self) {
        self.stop(self.core.service.config.times.shutdown);
    }

    /// Tells the server to stop; commands may run `within` this time. Does nothing in a forked child: the
    /// path is its parent's.
    fn stop(&self, within: Duration) {
        if !self.core.is_forked() {
            self.core.stop(within);
        }
    }

    /// Waits for the threads. Returns the commands that were not waited for. Returns at once on one of
    /// the threads, which would wait for itself, and in a forked child, which has none of them.
    pub(crate) fn join(&self) -> Vec<Unfinished> {
        if threads::is_engine_thread() || self.core.is_forked() {
            return Vec::new();
        }
        let mut leaving = Leaving::new(&self.core.service);
        let mut hub = self.core.lock();
        loop {
            if let Some(unfinished) = hub.unfinished() {
                return unfinished;
            }
            if hub.shutdown.is_some()
                && let Some(wait) = leaving.next()
            {
                hub.wait_for(&self.core.ended, wait);
                hub.unlocked(|| self.core.leave_loops(&mut leaving));
            } else if !is_inside_job() {
                hub.wait(&self.core.ended);
            }
            if is_inside_job() {
                return Vec::new();
            }
        }
    }

    /// Returns what [`join`](Self::join) does, or wakes the task when it may.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_ended(&self, task: &Waker) -> Poll<Vec<Unfinished>> {
        if self.core.is_forked() {
            return Poll::Ready(Vec::new());
        }
        let mut hub = self.core.lock();
        if let Some(unfinished) = hub.unfinished() {
            return Poll::Ready(unfinished);
        }
        if !hub.waiting.iter().any(|other| other.will_wake(task)) {
            hub.waiting.push(task.clone());
        }
        Poll::Pending
    }
}
