//! Reading commands, and draining.

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::connection::Conn;
use super::phase::Phase;
use crate::buffer::wipe;
use crate::param::Scratch;

/// The size of a thread's input buffer, and so about how much of one connection is served in a turn.
const BUFFER: usize = 16 * 1024;

/// The most events that are taken at a time.
const EVENTS: usize = 256;

/// Memory that a thread keeps between turns.
pub(super) struct Memory {
    pub(super) scratch: Scratch,
    /// Commands answered in this turn.
    pub(super) answered: u64,
    pub(super) input: Box<[u8]>,
    /// How many bytes of `input` were written to in this turn. Counted with the feature `zeroize`.
    filled: usize,
    pub(super) events: Vec<epoll::Event>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            scratch: Scratch::default(),
            answered: 0,
            input: vec![0; BUFFER].into(),
            filled: 0,
            events: Vec::with_capacity(EVENTS),
        }
    }

    /// Notes that the first bytes of `input` were written to.
    fn fill(&mut self, bytes: usize) {
        if cfg!(feature = "zeroize") {
            self.filled = self.filled.max(bytes);
        }
    }

    /// Returns memory of an unusually long command after a turn. With the feature `zeroize`, overwrites
    /// what clients sent.
    pub(super) fn end_turn(&mut self) {
        if cfg!(feature = "zeroize") {
            wipe(&mut self.input[..std::mem::take(&mut self.filled)]);
            self.scratch.wipe();
        }
        self.scratch.shrink();
    }
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Nothing now.
    Nothing,
    /// More of a long command, appended to the connection's own input.
    Appended,
    /// This many bytes are in the thread's buffer: what the connection had, and what is new.
    InBuffer(usize),
    /// The end of the client's side.
    End,
}

/// Reads once. A short beginning of a command is moved to the thread's buffer, in front of the new
/// bytes, so that a connection between commands holds no memory.
///
/// Invariant: the bytes of a command are taken out of the socket before it runs. If the daemon dies with
/// unread bytes, the client gets ECONNRESET (unix(7)), and our client then runs the command again.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
pub(super) fn read(memory: &mut Memory, conn: &mut Conn) -> Result<Read, Errno> {
    while conn.is_readable {
        let had = conn.input.len();
        if had > BUFFER / 2 {
            return append(conn);
        }
        if had > 0 {
            memory.input[..had].copy_from_slice(&conn.input);
            memory.fill(had);
        }
        let buffer = &mut memory.input[had..];
        let room = buffer.len();
        match rustix::net::recv(&conn.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((_, n)) => {
                note_read(conn, n, room);
                if n == 0 {
                    return Ok(Read::End);
                }
                memory.fill(had + n);
                if had > 0 {
                    conn.input.clear();
                }
                return Ok(Read::InBuffer(had + n));
            }
            Err(errno) => note_failure(conn, errno)?,
        }
    }
    Ok(Read::Nothing)
}

/// Waits for bytes of a connection without input, and appends them to it. False if none came within the socket's
/// timeout.
pub(super) fn wait(memory: &mut Memory, conn: &mut Conn) -> bool {
    let buffer = &mut memory.input;
    match rustix::net::recv(&conn.socket, &mut buffer[..], RecvFlags::empty()) {
        Ok((_, n @ 1..)) => {
            conn.input.extend_from_slice(&buffer[..n]);
            conn.needs_input = false;
            memory.fill(n);
            note_read(conn, n, BUFFER);
            true
        }
        Err(Errno::AGAIN) => false,
        // The end, an error, or a signal: the turn reads again.
        _ => {
            conn.is_readable = true;
            true
        }
    }
}

/// Like [`read`], for the rest of a long command.
#[cold]
#[inline(never)]
fn append(conn: &mut Conn) -> Result<Read, Errno> {
    while conn.is_readable {
        let had = conn.input.len();
        conn.input.reserve(had);
        let room = conn.input.capacity() - had;
        let spare = rustix::buffer::spare_capacity(conn.input.as_vec());
        match rustix::net::recv(&conn.socket, spare, RecvFlags::DONTWAIT) {
            Ok((_, n)) => {
                note_read(conn, n, room);
                return Ok(if n == 0 { Read::End } else { Read::Appended });
            }
            Err(errno) => note_failure(conn, errno)?,
        }
    }
    Ok(Read::Nothing)
}

/// Notes that `n` bytes were read, where there was room for `room`.
#[inline]
fn note_read(conn: &mut Conn, n: usize, room: usize) {
    conn.phase.read(n);
    // epoll(7): a short read has emptied a stream. Not so if the end is behind it, which
    // the kernel may have told together with the bytes.
    conn.is_readable = n == room || conn.is_half_closed;
}

/// Returns the error if the read is not to be repeated when there is something to read.
#[cold]
fn note_failure(conn: &mut Conn, errno: Errno) -> Result<(), Errno> {
    match errno {
        Errno::INTR => Ok(()),
        Errno::AGAIN => {
            conn.is_readable = false;
            Ok(())
        }
        errno => Err(errno),
    }
}

/// Shows the first bytes of the unread input, at most `most`, and leaves them unread. None if there is no input
/// now; no bytes at its end.
pub(super) fn peek<'m>(
    memory: &'m mut Memory,
    conn: &mut Conn,
    most: usize,
) -> Result<Option<&'m [u8]>, Errno> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    loop {
        match rustix::net::recv(&conn.socket, &mut memory.input[..most], flags) {
            Ok((_, n)) => {
                memory.fill(n);
                return Ok(Some(&memory.input[..n]));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                conn.is_readable = false;
                return Ok(None);
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// Reads and drops what the client still sends after its last answer.
pub(super) fn drain(memory: &mut Memory, conn: &mut Conn) {
    conn.input.clear();
    while let Phase::Draining { .. } = conn.phase {
        match read(memory, conn) {
            Ok(Read::InBuffer(n)) => conn.phase.drained(n),
            Ok(Read::End) => conn.phase.drained(0),
            Ok(Read::Nothing) => return,
            // The connection's own input is empty: nothing is appended to it.
            Ok(Read::Appended) | Err(_) => conn.phase.close(),
        }
    }
}
