//! The state of one connection: protocol, name and authentication.
//!
//! A [`Session`] is created when a client connects. Built-in commands change it; dispatch reads it.

use std::borrow::Cow;
use std::time::Instant;

use crate::access::{Credentials, SocketId};
use crate::buffer::Buffer;
use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::reply::Reply;
use crate::wire::Protocol;

/// The state of one connection besides its input.
pub(crate) struct Session {
    /// The connection's id, unique in the process.
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    /// The socket through which the client connected.
    pub(crate) socket: SocketId,
    /// The client has sent the right token.
    pub(crate) has_token: bool,
    /// The number of wrong tokens so far.
    pub(crate) wrong_tokens: u8,
    /// The reason why the current command's token was refused, until the audit has recorded it.
    pub(crate) refused_token: Option<Cow<'static, str>>,
    /// The answer to that command while the audit waits for a thread. The command is then shown again,
    /// and its token must not count twice.
    pub(crate) held_answer: Option<Reply>,
    /// The time when the client connected, for the token's time limit.
    pub(crate) connected: Instant,
    pub(crate) protocol: Protocol,
    /// The name set with `CLIENT SETNAME`.
    pub(crate) name: Vec<u8>,
    /// The connection ends after the current answer.
    pub(crate) is_last: bool,
    /// The commands since `MULTI`; `None` outside of a transaction.
    pub(crate) transaction: Option<Box<Queue>>,
}

/// The commands that a client has queued since `MULTI`.
#[derive(Default)]
pub(crate) struct Queue {
    /// The commands as received, one after another.
    bytes: Buffer,
    count: usize,
    /// A command was refused, so that `EXEC` runs none.
    is_refused: bool,
}

/// The most commands of a transaction.
const MOST_QUEUED: usize = 10_000;

impl Queue {
    /// Appends a command. `limit` is the most bytes of all commands together.
    pub(crate) fn push(&mut self, command: &[u8], limit: usize) -> Result<(), Failure> {
        if self.is_refused {
            return Ok(());
        }
        if self.count == MOST_QUEUED {
            let why = format_args!("a transaction has at most {MOST_QUEUED} commands");
            return Err(Failure::new(code::TOOBIG, why));
        }
        if command.len() > limit - self.bytes.len() {
            let why = format_args!("the commands of the transaction are longer than {limit} bytes");
            return Err(Failure::new(code::TOOBIG, why));
        }
        self.bytes.extend_from_slice(command);
        self.count += 1;
        Ok(())
    }

    /// Drops the commands, since one was refused.
    pub(crate) fn refuse(&mut self) {
        *self = Self { is_refused: true, ..Self::default() };
    }

    /// Returns the commands, or `None` if one was refused.
    pub(crate) fn into_commands(self) -> Option<Buffer> {
        (!self.is_refused).then_some(self.bytes)
    }

    /// Returns the number of bytes that it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Session {
    pub(crate) fn new(id: u64, peer: Peer, socket: SocketId) -> Self {
        Self {
            id,
            peer,
            socket,
            has_token: false,
            wrong_tokens: 0,
            refused_token: None,
            held_answer: None,
            connected: Instant::now(),
            protocol: Protocol::Line,
            name: Vec::new(),
            is_last: false,
            transaction: None,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials { peer: &self.peer, has_token: self.has_token, socket: self.socket }
    }
}
