//! The body of a command that is answered later: what its client sends meanwhile.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::awaited::Awaited;
use super::connection::Conn;
use super::phase::Phase;
use super::turn::Next;
use crate::body::{Broken, Received, Source, Taken};
use crate::buffer::Buffer;
use crate::config::Times;
use crate::error::{Failure, Stopped, code};
use crate::reply::Reply;
use crate::wire::NOT_BODY;

impl Awaited {
    /// When a body has not come in time.
    pub(super) fn body_until(&self, times: &Times) -> Option<Instant> {
        let body = self.pending.run.0.body.as_ref()?;
        let until = self.body_since.checked_add(times.arrival?)?;
        body.wants_more().then_some(until)
    }

    /// The client has left.
    pub(super) fn cut_body(&self) {
        if let Some(body) = &self.pending.run.0.body {
            body.fail(Broken::Cut);
        }
    }

    /// Returns the bytes of a body in memory.
    pub(super) fn held(&self) -> usize {
        self.pending.run.0.body.as_ref().map_or(0, |body| body.held())
    }
}

/// Takes what has come of a body. None if the command is to be looked at again.
#[inline]
pub(super) fn take_body(times: &Times, conn: &mut Conn) -> Option<Next> {
    match &conn.awaited {
        Some(awaited) if awaited.pending.run.0.body.is_some() => take(times, conn),
        _ => Some(Next::Wait),
    }
}

#[cold]
#[inline(never)]
fn take(times: &Times, conn: &mut Conn) -> Option<Next> {
    let Conn { awaited, input, socket, phase, is_readable, is_half_closed, is_gone, .. } = conn;
    let awaited = awaited.as_mut()?;
    let body = awaited.pending.run.0.body.clone()?;
    let ends = (*is_half_closed, *is_gone);
    let until = awaited.body_until(times);
    let mut source = Incoming { socket, phase, is_readable, is_half_closed, is_gone };
    let taken = body.take(input, &mut source, &awaited.bell);
    match taken {
        Taken::Nothing => {
            if until.is_some_and(|until| until <= Instant::now()) {
                body.fail(Broken::Late);
            }
        }
        // The time runs from when there is room.
        Taken::Some | Taken::Part | Taken::Full => awaited.body_since = Instant::now(),
        Taken::Wrong => {
            awaited.stop(Stopped::Cancelled);
            awaited.reply = Some(Reply::Error(Failure::new(code::PROTO, NOT_BODY)));
            conn.conversation.end_after_answer();
            return None;
        }
    }
    if ends != (conn.is_half_closed, conn.is_gone) {
        return None;
    }
    Some(if taken == Taken::Part { Next::Again } else { Next::Wait })
}

/// The client's side of a connection.
struct Incoming<'c> {
    socket: &'c OwnedFd,
    phase: &'c mut Phase,
    is_readable: &'c mut bool,
    is_half_closed: &'c mut bool,
    is_gone: &'c mut bool,
}

impl Source for Incoming<'_> {
    fn receive(&mut self, buffer: &mut Buffer) -> Received {
        let room = buffer.capacity() - buffer.len();
        while *self.is_readable {
            let spare = rustix::buffer::spare_capacity(buffer.as_vec());
            match rustix::net::recv(self.socket, spare, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => {
                    *self.is_half_closed = true;
                    *self.is_gone |= has_left(self.socket);
                    return if *self.is_gone { Received::Cut } else { Received::End };
                }
                Ok((_, n)) => {
                    self.phase.read(n);
                    // As for commands.
                    *self.is_readable = n == room || *self.is_half_closed;
                    return Received::Bytes;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => *self.is_readable = false,
                Err(_) => {
                    *self.is_gone = true;
                    return Received::Cut;
                }
            }
        }
        Received::Nothing
    }
}

/// Returns whether the client has closed its socket, and not only its side. A client that was killed has not said that
/// the body is whole.
fn has_left(socket: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::empty())];
    let _ = poll(&mut polled, Some(&Timespec::default()));
    polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}
