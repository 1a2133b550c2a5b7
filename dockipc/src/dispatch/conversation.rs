//! [`Conversation`], one connection without its socket.

use super::{Executor, Service};
use crate::access::SocketId;
use crate::error::Failure;
use crate::param::Scratch;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::session::{Session, Signs};
use crate::wire::{Decoded, Decoder, Protocol};

/// The protocol side of one connection.
pub(crate) struct Conversation {
    decoder: Decoder,
    session: Session,
    /// The answer to the next command of a client that is turned away.
    refused: Option<Failure>,
}

/// The result of showing a conversation its input.
pub(crate) enum Step {
    /// The conversation consumed this number of bytes and needs more.
    NeedsInput(usize),
    /// The conversation consumed `used` bytes and answers them. Another command may follow in the other
    /// bytes, unless this answer is the `last` of the connection.
    Answer { used: usize, reply: Reply, last: bool },
    /// The command can't run now. The caller shows the same bytes again later.
    Later,
}

impl Conversation {
    pub(crate) fn new(
        service: &Service,
        id: u64,
        peer: Peer,
        socket: SocketId,
        refused: Option<Failure>,
    ) -> Self {
        let session = Session::new(id, peer, socket);
        Self { decoder: Decoder::new(service.config.limits), session, refused }
    }

    /// Turns the client away: its next command gets this failure, and then the connection ends.
    pub(crate) fn refuse(&mut self, failure: Failure) {
        self.refused.get_or_insert(failure);
    }

    /// Returns the failure for a client that is turned away.
    pub(crate) fn refusal(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    /// Returns whether a command has begun and is not whole.
    pub(crate) fn is_inside(&self, input: &[u8]) -> bool {
        self.decoder.is_inside(input)
    }

    pub(crate) fn uid(&self) -> u32 {
        self.session.peer.uid()
    }

    /// Returns the protocol of the next answer.
    pub(crate) fn protocol(&self) -> Protocol {
        self.session.protocol
    }

    /// Returns the signs of life that the client gets while its next command waits or runs.
    pub(crate) fn signs(&self) -> Signs {
        self.session.signs()
    }

    /// Runs the first command in `input` if it is whole.
    pub(crate) fn step(
        &mut self,
        service: &Service,
        input: &[u8],
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Step {
        let mut skipped = 0;
        let (input, decoded) = loop {
            let input = &input[skipped..];
            match self.decoder.next(input, &mut scratch.incoming) {
                Decoded::Skip { len } => skipped += len,
                decoded => break (input, decoded),
            }
        };
        let session = &mut self.session;
        if session.protocol == Protocol::Line && self.decoder.is_resp() {
            session.protocol = Protocol::Resp2;
        }
        match decoded {
            Decoded::More { discard: n } | Decoded::Skip { len: n } => {
                Step::NeedsInput(skipped + n)
            }
            Decoded::Refuse { len, failure, last } => {
                Step::Answer { used: skipped + len, reply: Reply::Error(failure), last }
            }
            Decoded::Command { len, frame } => {
                if let Some(failure) = &self.refused {
                    let reply = Reply::Error(failure.clone());
                    return Step::Answer { used: skipped + len, reply, last: true };
                }
                let reply = service.dispatch(session, &input[..len], frame, scratch, executor);
                let Some(reply) = reply else {
                    self.decoder.unread();
                    return Step::Later;
                };
                let last = session.is_last || session.protocol == Protocol::Line;
                Step::Answer { used: skipped + len, reply, last }
            }
        }
    }

    /// Returns the answer if the client has ended its side and left these bytes.
    pub(crate) fn end_of_input(&self, input: &[u8]) -> Option<Reply> {
        self.decoder.end(input).map(Reply::Error)
    }
}
