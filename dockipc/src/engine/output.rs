//! Sending answers.

use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::connection::Conn;
use super::core::Core;
use super::worker::{Outbox, Worker};
use crate::wire::Outgoing;

/// The most bytes of a buffer of answers that a thread keeps.
const KEEP: usize = 256 * 1024;

/// The most bytes that are sent in one turn of a connection. A client that reads as fast as they are sent
/// must not keep the thread from the others.
const TURN: usize = 128 * 1024;

/// The result of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    /// The socket takes no more at the moment.
    Full,
    /// Others are to be served before more is sent.
    Part,
    /// The connection is broken.
    Broken,
}

/// Sends what the socket takes, without blocking.
pub(super) fn send(socket: &OwnedFd, queue: &mut Outgoing) -> Sent {
    send_part(socket, queue, TURN)
}

/// Sends answers in one short piece, if the socket takes it whole: most are such. Otherwise [`send`] tells why
/// not.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
fn send_at_once(socket: &OwnedFd, queue: &mut Outgoing) -> Option<Sent> {
    let bytes = queue.single().filter(|bytes| !bytes.is_empty() && bytes.len() <= TURN)?;
    let sent = rustix::net::send(socket, bytes, FLAGS).ok()?;
    queue.advance(sent).then_some(Sent::All)
}

/// Like [`send`], for the first `most` bytes.
pub(super) fn send_part(socket: &OwnedFd, queue: &mut Outgoing, mut most: usize) -> Sent {
    if queue.is_empty() {
        return Sent::All;
    }
    while most > 0 {
        let sent = match queue.single() {
            Some(bytes) => rustix::net::send(socket, &bytes[..bytes.len().min(most)], FLAGS),
            None => queue.with_first(most, |pieces| {
                rustix::net::sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), FLAGS)
            }),
        };
        match sent {
            Ok(n) => {
                if queue.advance(n) {
                    return Sent::All;
                }
                // After a short write, the next one tells whether the socket is full or the client has left.
                // Bytes for a client that has left must not count for its user any longer.
                most -= n;
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Sent::Full,
            Err(_) => return Sent::Broken,
        }
    }
    Sent::Part
}

const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

impl Core {
    /// Sends the answers of this turn.
    pub(super) fn flush(&self, me: &Worker, conn: &mut Conn) -> Sent {
        if conn.charged > 0 {
            self.discharge_used(conn);
        }
        self.flush_outbox(&mut me.outbox(), conn)
    }

    /// Like [`flush`](Self::flush), for a connection of which nothing is charged to its user.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
    pub(super) fn flush_outbox(&self, outbox: &mut Outbox, conn: &mut Conn) -> Sent {
        let queue = &mut outbox.bytes;
        let sent = send_at_once(&conn.socket, queue).unwrap_or_else(|| send(&conn.socket, queue));
        match sent {
            Sent::All => queue.keep(KEEP),
            _ => self.keep_unsent(queue, conn, sent),
        }
        sent
    }

    /// Keeps the answers that the socket did not take.
    #[cold]
    #[inline(never)]
    fn keep_unsent(&self, queue: &mut Outgoing, conn: &mut Conn, sent: Sent) {
        if sent == Sent::Broken {
            *queue = Outgoing::default();
            return;
        }
        queue.seal();
        conn.output = Some(Box::new(std::mem::take(queue)));
        self.update_interest(conn);
    }

    /// Sends the answers of an earlier turn.
    #[cold]
    pub(super) fn flush_pending(&self, conn: &mut Conn) -> Sent {
        let Some(queue) = &mut conn.output else { return Sent::All };
        let sent = send(&conn.socket, queue);
        if matches!(sent, Sent::All | Sent::Broken) {
            conn.output = None;
        }
        if sent == Sent::All {
            (conn.deadline, conn.sends_events) = (None, false);
            self.update_interest(conn);
        }
        sent
    }

    /// Input that was used no longer counts as its user's. Before the answer is sent: a client that has
    /// it may send as much again at once.
    #[cold]
    #[inline(never)]
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

    /// Adds a socket to the epoll set during a turn, so that the end of its connection is seen while a command
    /// runs. False if the system has no memory for it.
    pub(super) fn register_socket(&self, token: u64, socket: &OwnedFd) -> bool {
        epoll::add(&self.epoll, socket, EventData::new_u64(token), ALWAYS).is_ok()
    }

    /// Tells the kernel which events the connection waits for.
    pub(super) fn update_interest(&self, conn: &Conn) {
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
    let input = if conn.stay.is_apart { ALWAYS.difference(EventFlags::IN) } else { ALWAYS };
    if conn.has_pending_output() { input | EventFlags::OUT } else { input }
}

/// The events that each connection waits for. The kernel adds that the client has left, `epoll_ctl(2)`.
const ALWAYS: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);
