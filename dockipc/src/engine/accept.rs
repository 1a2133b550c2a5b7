//! Taking in connections.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::Core;
use super::door::Door;
use crate::access::SocketId;
use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::wire::{Protocol, encode};

/// So many connections are taken before those that are there are served.
const AT_ONCE: usize = 128;

/// How long accepting waits when descriptors or memory have run out and nothing is closed.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A new connection.
pub(super) struct Arrival {
    pub(super) socket: OwnedFd,
    /// Who connected, if the system says so.
    pub(super) peer: Option<Peer>,
    /// The socket that accepted it.
    pub(super) entrance: SocketId,
}

impl Core {
    /// Takes who waits at a door.
    pub(super) fn accept(&self, door: usize) -> Vec<Arrival> {
        let listener = self.doors.get(door).and_then(Door::open);
        listener.map(|listener| self.take_in(door, &listener)).unwrap_or_default()
    }

    pub(super) fn take_in(&self, door: usize, listener: &UnixListener) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for _ in 0..AT_ONCE {
            match accept(listener, door) {
                Ok(arrival) if self.reserve.is_short() => {
                    arrivals.extend(self.unless_reserved(arrival));
                }
                Ok(arrival) => arrivals.push(arrival),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // EINVAL: nobody can connect to it any longer, and the queue is empty.
                Err(Errno::AGAIN | Errno::INVAL) => break,
                // EMFILE, ENFILE, ENOMEM, …
                Err(_) => match self.accept_from_reserve(listener, door) {
                    Ok(arrival) => arrivals.extend(arrival),
                    Err(Errno::INTR | Errno::CONNABORTED) => {}
                    Err(Errno::AGAIN | Errno::INVAL) => break,
                    // Who is here is served, and the queue waits. The listener would be ready all
                    // the time, so it is taken out of the set.
                    Err(_) => {
                        self.pause_accepting(listener);
                        break;
                    }
                },
            }
        }
        arrivals
    }

    /// Accepts one connection with a descriptor that was kept for it. It is given only if it is an
    /// operator's.
    #[cold]
    fn accept_from_reserve(
        &self,
        listener: &UnixListener,
        door: usize,
    ) -> Result<Option<Arrival>, Errno> {
        if !self.reserve.lend() {
            return Err(Errno::MFILE);
        }
        let accepted = accept(listener, door).map(|arrival| self.unless_reserved(arrival));
        // What was not used.
        self.reserve.fill(&self.bell);
        accepted
    }

    /// A connection that has come while the reserve is short: only an operator may keep the
    /// descriptor, unless the reserve can be filled again.
    #[cold]
    fn unless_reserved(&self, arrival: Arrival) -> Option<Arrival> {
        let per_user = &self.service.config.per_user;
        if arrival.peer.as_ref().is_some_and(|peer| per_user.is_operator(peer.uid()))
            || self.reserve.fill(&self.bell)
        {
            return Some(arrival);
        }
        let why =
            "no descriptor is left but those reserved for root and the daemon's user; try again";
        tell(&arrival.socket, &Failure::new(code::BUSY, why));
        None
    }

    #[cold]
    fn pause_accepting(&self, listener: &UnixListener) {
        let now = Instant::now();
        let mut hub = self.lock();
        hub.accept_paused = true;
        hub.accept_at = Some(now + BACK_OFF);
        let since = *hub.accept_failing.get_or_insert(now);
        let spare =
            if now - since >= self.service.config.times.busy { hub.spare.take() } else { None };
        drop(hub);
        self.listen(false);
        if let Some(spare) = spare {
            drop(spare);
            turn_away(listener);
            self.lock().spare = self.spare();
        }
    }

    /// A descriptor that is kept for when there are no others.
    pub(super) fn spare(&self) -> Option<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(&self.bell, 0).ok()
    }
}

fn accept(listener: &UnixListener, door: usize) -> Result<Arrival, Errno> {
    let socket = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
    let peer = Peer::of(&socket).ok();
    Ok(Arrival { socket, peer, entrance: SocketId::new(door) })
}

/// Tells those who have waited for long enough that they can't be served. One descriptor is free.
#[cold]
fn turn_away(listener: &UnixListener) {
    let why = "no descriptor is left for this connection; try again";
    let failure = Failure::new(code::BUSY, why);
    for _ in 0..AT_ONCE {
        let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) else { return };
        tell(&socket, &failure);
    }
}

/// Tells a client that is not served, however it speaks.
#[cold]
pub(super) fn tell(socket: &OwnedFd, failure: &Failure) {
    let mut told = Vec::new();
    encode::failure(failure, Protocol::Resp2, &mut told);
    // Closing with unread input would take the answer away from some clients.
    let _ = rustix::net::recv(socket, &mut [0_u8; 4096], RecvFlags::DONTWAIT);
    let _ = rustix::net::send(socket, &told, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
}
