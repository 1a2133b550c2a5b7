//! Taking in connections.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::{Core, LISTENER};
use crate::peer::Peer;

/// So many connections are taken before those that are there are served.
const AT_ONCE: usize = 128;

/// How long accepting waits when descriptors or memory have run out and nothing is closed.
const BACK_OFF: Duration = Duration::from_millis(100);

impl Core {
    /// Takes what waits in the listener's queue.
    pub(super) fn accept(&self) -> Vec<(OwnedFd, Option<Peer>)> {
        let mut accepted = Vec::new();
        let Some(listener) = self.lock().listener.clone() else { return accepted };
        while accepted.len() < AT_ONCE {
            match rustix::net::accept_with(&listener, SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    let peer = Peer::of(&socket).ok();
                    accepted.push((socket, peer));
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => break,
                // EMFILE, ENFILE, ENOMEM, …: who is here is served, and the queue waits. The
                // listener would be ready all the time, so it is taken out of the set.
                Err(_) => {
                    self.pause_accepting();
                    break;
                }
            }
        }
        accepted
    }

    fn pause_accepting(&self) {
        let mut hub = self.lock();
        hub.accept_paused = true;
        hub.accept_at = Some(Instant::now() + BACK_OFF);
        if let Some(listener) = &hub.listener {
            self.listen(listener, false);
        }
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
