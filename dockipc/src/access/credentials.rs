//! The facts about a caller that decisions use.

use crate::peer::Peer;

/// The credentials of a caller that runs a command.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) peer: &'a Peer,
    /// Whether the caller has sent the token on this connection.
    pub(crate) has_token: bool,
    /// The socket through which the caller connected.
    pub(crate) socket: SocketId,
}

/// The number of a socket of a server: 0 is the first path, and those of
/// [`Server::also_at`](crate::Server::also_at) follow in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketId(usize);

impl SocketId {
    /// The first path. Connections without a path have it too.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn new(index: usize) -> Self {
        Self(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}
