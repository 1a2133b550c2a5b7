//! Accepting connections.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::connection::Socket;
use super::core::Core;
use super::endpoint::Endpoint;
use crate::access::SocketId;
use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::sys::NotForked;
use crate::wire::{Protocol, encode};

/// The most connections that are accepted before the present ones are served.
const AT_ONCE: usize = 128;

/// How long accepting pauses when descriptors or memory have run out and nothing is closed.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A new connection.
pub(super) struct Arrival {
    pub(super) socket: Socket,
    /// None if the peer credentials are unavailable.
    pub(super) peer: Option<Peer>,
    /// The socket that accepted it.
    pub(super) entrance: SocketId,
}

/// A connection that is turned away at once. Its client is told after the hub is unlocked.
pub(super) struct TurnedAway {
    pub(super) socket: Socket,
    pub(super) failure: Failure,
}

/// Whether connections are accepted.
#[derive(Default)]
pub(super) struct Accepting {
    /// Accepting pauses until something is closed, or until `resume_at`.
    pub(super) is_paused: bool,
    pub(super) resume_at: Option<Instant>,
    /// Since when no connection could be accepted.
    pub(super) failing_since: Option<Instant>,
    /// A descriptor that is given up to tell a client that there are no others.
    pub(super) spare: Option<OwnedFd>,
}

impl Core {
    /// Accepts the connections that wait at an endpoint.
    pub(super) fn accept(&self, index: usize) -> Vec<Arrival> {
        let listener = self.endpoints.get(index).and_then(Endpoint::listener);
        listener.map(|listener| self.accept_from(index, &listener)).unwrap_or_default()
    }

    pub(super) fn accept_from(&self, index: usize, listener: &UnixListener) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for _ in 0..AT_ONCE {
            match accept(listener, index) {
                Ok(arrival) if self.reserve.is_short() => {
                    arrivals.extend(self.unless_reserved(arrival));
                }
                Ok(arrival) => arrivals.push(arrival),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // EINVAL: the listener is shut down, and its queue is empty.
                Err(Errno::AGAIN | Errno::INVAL) => break,
                // EMFILE, ENFILE, ENOMEM, …
                Err(_) => match self.accept_from_reserve(listener, index) {
                    Ok(arrival) => arrivals.extend(arrival),
                    Err(Errno::INTR | Errno::CONNABORTED) => {}
                    Err(Errno::AGAIN | Errno::INVAL) => break,
                    // Present connections are served, and the queue waits. The listener would be
                    // ready all the time, so it is taken out of the set.
                    Err(_) => {
                        self.pause_accepting(listener);
                        break;
                    }
                },
            }
        }
        arrivals
    }

    /// Accepts one connection with a descriptor of the reserve. Returned only if it is an operator's.
    #[cold]
    fn accept_from_reserve(
        &self,
        listener: &UnixListener,
        index: usize,
    ) -> Result<Option<Arrival>, Errno> {
        if !self.reserve.lend() {
            return Err(Errno::MFILE);
        }
        let accepted = accept(listener, index).map(|arrival| self.unless_reserved(arrival));
        // The descriptor may not have been used.
        self.reserve.fill(&self.wake);
        accepted
    }

    /// Returns a connection that came while the reserve is short only if it is an operator's, or if the
    /// reserve can be filled again. Otherwise the client is told, and the connection is closed.
    #[cold]
    fn unless_reserved(&self, arrival: Arrival) -> Option<Arrival> {
        let per_user = &self.service.config.per_user;
        if arrival.peer.as_ref().is_some_and(|peer| per_user.is_operator(peer.uid()))
            || self.reserve.fill(&self.wake)
        {
            return Some(arrival);
        }
        let why =
            "no descriptor is left but those reserved for root and the daemon's user; try again";
        TurnedAway { socket: arrival.socket, failure: Failure::new(code::BUSY, why) }.tell();
        None
    }

    #[cold]
    fn pause_accepting(&self, listener: &UnixListener) {
        let now = Instant::now();
        let busy = self.service.config.times.busy;
        let mut hub = self.lock();
        let accepting = &mut hub.accepting;
        accepting.is_paused = true;
        accepting.resume_at = Some(now + BACK_OFF);
        let since = *accepting.failing_since.get_or_insert(now);
        let spare = if now - since >= busy { accepting.spare.take() } else { None };
        drop(hub);
        self.listen(false);
        if let Some(spare) = spare {
            drop(spare);
            turn_queue_away(listener);
            self.lock().accepting.spare = self.spare_descriptor();
        }
    }

    /// A descriptor that is kept for when there are no others.
    pub(super) fn spare_descriptor(&self) -> Option<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(&self.wake, 0).ok()
    }
}

fn accept(listener: &UnixListener, index: usize) -> Result<Arrival, Errno> {
    let socket = NotForked::new(rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?);
    let peer = Peer::of(&socket).ok();
    Ok(Arrival { socket, peer, entrance: SocketId::new(index) })
}

/// Tells the clients that have waited for too long that they can't be served. One descriptor is free.
#[cold]
fn turn_queue_away(listener: &UnixListener) {
    let why = "no descriptor is left for this connection; try again";
    let failure = Failure::new(code::BUSY, why);
    for _ in 0..AT_ONCE {
        let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) else { return };
        TurnedAway { socket: NotForked::new(socket), failure: failure.clone() }.tell();
    }
}

impl TurnedAway {
    /// Tells the client, in a form that is the same in every protocol, and closes the connection.
    #[cold]
    pub(super) fn tell(self) {
        let Self { socket, failure } = self;
        let mut answer = Vec::new();
        encode::failure(&failure, Protocol::Resp2, &mut answer);
        // Closing with unread input would take the answer away from some clients.
        let _ = rustix::net::recv(&socket, &mut [0_u8; 4096], RecvFlags::DONTWAIT);
        let _ = rustix::net::send(&socket, &answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
