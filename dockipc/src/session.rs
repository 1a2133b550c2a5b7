//! What one connection has said and proven.
//!
//! A [`Session`] is made when a client connects. The handshake's built-in commands change it;
//! dispatch and the answers' encoding read it.

use std::borrow::Cow;
use std::time::Instant;

use crate::access::{Credentials, SocketId};
use crate::peer::Peer;
use crate::reply::Reply;
use crate::wire::Protocol;

/// What is known of a connection besides its bytes.
pub(crate) struct Session {
    /// The connection's number, unique in the process.
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    /// The socket through which the client connected.
    pub(crate) socket: SocketId,
    /// The client has given the token.
    pub(crate) has_token: bool,
    /// Wrong tokens so far.
    pub(crate) wrong_tokens: u8,
    /// Why the token of the command at hand was refused, until the audit has recorded it.
    pub(crate) refused_token: Option<Cow<'static, str>>,
    /// The answer to that command while the audit waits for a thread: the command is shown again,
    /// and its token must not count twice.
    pub(crate) held_answer: Option<Reply>,
    /// When the client connected, for the time limit of the token.
    pub(crate) connected: Instant,
    pub(crate) protocol: Protocol,
    /// The name given with `CLIENT SETNAME`.
    pub(crate) name: Vec<u8>,
    /// The connection ends after the answer at hand.
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
            is_last: false,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials { peer: &self.peer, has_token: self.has_token, socket: self.socket }
    }
}
