//! The state of one connection: protocol, name and authentication.
//!
//! A [`Session`] is created when a client connects. Built-in commands change it; dispatch reads it.

use std::borrow::Cow;
use std::time::Instant;

use crate::access::{Credentials, SocketId};
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
    /// The signs of life that the client's library can take.
    library_signs: Signs,
    /// The connection ends after the current answer.
    pub(crate) is_last: bool,
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
            library_signs: Signs::None,
            is_last: false,
        }
    }

    /// Notes the client's library, from `CLIENT SETINFO LIB-NAME`. Empty for an unknown one.
    pub(crate) fn set_library(&mut self, name: &[u8]) {
        self.library_signs = Signs::of_library(name);
    }

    /// Returns the signs of life that the client gets now.
    pub(crate) fn signs(&self) -> Signs {
        // RESP2 and lines have no push frames.
        if self.protocol == Protocol::Resp3 { self.library_signs } else { Signs::None }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials { peer: &self.peer, has_token: self.has_token, socket: self.socket }
    }
}

/// The signs of life of a client: push frames while its command waits for a thread or runs.
///
/// Many RESP3 clients take any push frame for the answer to their command, and each later answer for that of
/// the next command: redis-rb's redis-client, predis, fred, older versions of StackExchange.Redis. So only
/// libraries that are known to skip push frames get them. A client that names no library gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signs {
    None,
    /// For Redis clients: part of a push frame, at an interval just under the default timeout of redis-py.
    Slow,
    /// For our own client: a push frame every second, so that a short read timeout tells a busy daemon from
    /// a dead one.
    Steady,
}

/// The libraries that skip push frames, as they name themselves. `tests/wire/push.rs` has each of them.
const SKIP_PUSH_FRAMES: [&str; 5] = ["redis-py", "valkey-py", "node-redis", "ioredis", "redis-rs"];

impl Signs {
    fn of_library(name: &[u8]) -> Self {
        // Behind the library's name, in parentheses, is that of a wrapper or of the application:
        // `redis-py(django-redis_v5.4.0)`, `node-redis(billing)`.
        let end = name.iter().position(|&b| b == b'(').filter(|_| name.ends_with(b")"));
        let name = &name[..end.unwrap_or(name.len())];
        if name == b"dockipc" {
            Self::Steady
        } else if SKIP_PUSH_FRAMES.iter().any(|known| known.as_bytes() == name) {
            Self::Slow
        } else {
            Self::None
        }
    }
}
