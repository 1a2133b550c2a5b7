//! What a decision goes by.

use crate::peer::Peer;

/// What is known of a caller when it is decided whether it may run a command.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) peer: &'a Peer,
    /// The caller has given the token.
    pub(crate) has_token: bool,
    /// The socket through which the caller connected.
    pub(crate) socket: SocketId,
}

/// One of a server's sockets: the first, or one of those added with
/// [`Server::also_at`](crate::Server::also_at), in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(usize);

impl SocketId {
    /// The first path, and connections without a path.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn new(index: usize) -> Self {
        Self(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}
