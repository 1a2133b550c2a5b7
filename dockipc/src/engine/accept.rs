//! Taking in connections.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags};

use super::hub::Hub;
use super::{Core, LISTENER};
use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::wire::{Protocol, encode};

/// So many connections are taken before those that are there are served.
const AT_ONCE: usize = 128;

/// How long accepting waits when descriptors or memory have run out and nothing is closed.
const BACK_OFF: Duration = Duration::from_millis(100);

pub(super) type Accepted = Vec<(OwnedFd, Option<Peer>)>;

impl Core {
    /// Takes what waits in the listener's queue.
    pub(super) fn accept(&self) -> Accepted {
        let listener = self.lock().listener.clone();
        listener.map(|listener| self.take_in(&listener)).unwrap_or_default()
    }

    fn take_in(&self, listener: &UnixListener) -> Accepted {
        let mut accepted = Vec::new();
        for _ in 0..AT_ONCE {
            match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    let peer = Peer::of(&socket).ok();
                    accepted.push((socket, peer));
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                // EINVAL: nobody can connect to it any longer, and the queue is empty.
                Err(Errno::AGAIN | Errno::INVAL) => break,
                // EMFILE, ENFILE, ENOMEM, …: who is here is served, and the queue waits. The
                // listener would be ready all the time, so it is taken out of the set.
                Err(_) => {
                    self.pause_accepting(listener);
                    break;
                }
            }
        }
        accepted
    }

    /// Takes in who has connected to a listener that is given up.
    pub(super) fn take_last(&self, listener: &UnixListener) -> Accepted {
        let mut all = Vec::new();
        // Who comes from now on is told at once that nobody listens, connect(2).
        let _ = rustix::net::shutdown(listener, Shutdown::Both);
        loop {
            let mut some = self.take_in(listener);
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }

    /// Gives the listener up.
    pub(super) fn accept_last<'h>(&'h self, mut hub: MutexGuard<'h, Hub>) -> MutexGuard<'h, Hub> {
        hub.accept_at = None;
        let Some(listener) = hub.listener.take() else { return hub };
        drop(hub);
        let accepted = self.take_last(&listener);
        drop(listener);
        hub = self.lock();
        hub.take_in(&self.shared, accepted);
        hub
    }

    #[cold]
    fn pause_accepting(&self, listener: &UnixListener) {
        let now = Instant::now();
        let mut hub = self.lock();
        if hub.listener.is_none() {
            return;
        }
        hub.accept_paused = true;
        hub.accept_at = Some(now + BACK_OFF);
        let since = *hub.accept_failing.get_or_insert(now);
        let spare = if now - since >= self.shared.times.busy { hub.spare.take() } else { None };
        drop(hub);
        self.listen(listener, false);
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

    pub(super) fn resume_accepting(&self) {
        if let Some(listener) = &self.lock().listener {
            self.listen(listener, true);
        }
    }

    pub(super) fn listen(&self, listener: &UnixListener, on: bool) {
        let flags = if on { EventFlags::IN } else { EventFlags::empty() };
        // It is in the set, and the kernel needs no memory for a change.
        let _ = epoll::modify(&self.epoll, listener, EventData::new_u64(LISTENER), flags);
    }
}

/// Tells those who have waited for long enough that they can't be served. One descriptor is free.
#[cold]
fn turn_away(listener: &UnixListener) {
    let why = "no descriptor is left for this connection; try again";
    let mut told = Vec::new();
    encode::failure(&Failure::new(code::BUSY, why), Protocol::Resp2, &mut told);
    for _ in 0..AT_ONCE {
        let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC) else { return };
        // Closing with unread input would take the answer away from some clients.
        let _ = rustix::net::recv(&socket, &mut [0_u8; 4096], RecvFlags::DONTWAIT);
        let _ = rustix::net::send(&socket, &told, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
