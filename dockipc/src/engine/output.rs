//! Sending answers.

use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::connection::Conn;
use super::core::Core;
use super::worker::Worker;

/// The most bytes of a buffer of answers that a thread keeps.
const KEEP: usize = 256 * 1024;

/// Whether the other end can still be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The bytes that the socket took are gone from the buffer.
    Ok,
    /// The connection is broken.
    Broken,
}

/// The result of sending the answers of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// None is left.
    All,
    /// Some wait in the connection until the client reads.
    Pending,
    /// The connection is broken, and the answers are dropped.
    Broken,
}

/// Sends what the socket takes, without blocking.
pub(super) fn send(socket: &OwnedFd, bytes: &mut Vec<u8>) -> Sent {
    send_part(socket, bytes, bytes.len())
}

/// Like [`send`], for the first `end` bytes.
pub(super) fn send_part(socket: &OwnedFd, bytes: &mut Vec<u8>, end: usize) -> Sent {
    let mut start = 0;
    let mut sent = Sent::Ok;
    while start < end {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(socket, &bytes[start..end], flags) {
            Ok(n) => start += n,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => {
                sent = Sent::Broken;
                break;
            }
        }
    }
    if start == bytes.len() {
        bytes.clear();
    } else {
        bytes.drain(..start);
    }
    sent
}

impl Core {
    /// Sends the answers of this turn.
    pub(super) fn flush(&self, me: &Worker, conn: &mut Conn) -> Flushed {
        self.discharge_used(conn);
        let bytes = &mut me.outbox().bytes;
        if send(&conn.socket, bytes) == Sent::Broken {
            *bytes = Vec::new();
            return Flushed::Broken;
        }
        if bytes.is_empty() {
            if bytes.capacity() > KEEP {
                *bytes = Vec::new();
            }
            return Flushed::All;
        }
        conn.output = std::mem::take(bytes);
        self.update_interest(conn);
        Flushed::Pending
    }

    /// Sends the answers of an earlier turn.
    #[cold]
    pub(super) fn flush_pending(&self, conn: &mut Conn) -> Flushed {
        if send(&conn.socket, &mut conn.output) == Sent::Broken {
            conn.output = Vec::new();
            return Flushed::Broken;
        }
        if conn.has_pending_output() {
            return Flushed::Pending;
        }
        conn.output = Vec::new();
        conn.deadline = None;
        self.update_interest(conn);
        Flushed::All
    }

    /// Input that was used no longer counts as its user's. Before the answer is sent: a client that has
    /// it may send as much again at once.
    fn discharge_used(&self, conn: &mut Conn) {
        let now = conn.held();
        if now < conn.charged {
            let before = std::mem::replace(&mut conn.charged, now);
            let limits = &self.service.config.per_user;
            self.lock().users.charge_bytes(conn.uid(), before, now, limits);
        }
    }

    /// Adds a socket to the epoll set. False if the system has no memory for it, `epoll_ctl(2)`.
    pub(super) fn register(&self, conn: &mut Conn) -> bool {
        let token = EventData::new_u64(conn.token);
        conn.is_registered |= epoll::add(&self.epoll, &conn.socket, token, interest(conn)).is_ok();
        conn.is_registered
    }

    /// Tells the kernel whether the connection waits to write.
    fn update_interest(&self, conn: &Conn) {
        if conn.is_registered {
            let token = EventData::new_u64(conn.token);
            // The socket is in the set, and the kernel needs no memory for a change.
            let _ = epoll::modify(&self.epoll, &conn.socket, token, interest(conn));
        }
    }
}

/// The events that a connection waits for. To wait always to be writable would mean an event for each
/// answer that the client reads.
fn interest(conn: &Conn) -> EventFlags {
    let always = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if conn.has_pending_output() { always | EventFlags::OUT } else { always }
}
