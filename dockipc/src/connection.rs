//! One connection without its socket: bytes in, answers out.

use crate::arg::Scratch;
use crate::error::Failure;
use crate::peer::Peer;
use crate::server::Shared;
use crate::wire::{Decoder, Protocol, Step, encode};

/// What is known of a connection besides its bytes.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    pub(crate) protocol: Protocol,
    /// What the client calls itself with `CLIENT SETNAME`.
    pub(crate) name: Vec<u8>,
    /// After the answer at hand the connection ends.
    pub(crate) ending: bool,
}

/// The protocol side of one connection.
pub(crate) struct Connection {
    decoder: Decoder,
    session: Session,
    /// Why this connection is turned away, if it is: the first command gets this answer.
    refused: Option<Failure>,
}

/// What became of the bytes that a connection was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// This many bytes were used up; show the others again, there may be another command.
    Used(usize),
    /// This many bytes were used up, and more are needed.
    Wants(usize),
    /// The connection ends when its answers are written.
    Ends,
}

impl Connection {
    pub(crate) fn new(shared: &Shared, id: u64, peer: Peer, refused: Option<Failure>) -> Self {
        let session =
            Session { id, peer, protocol: Protocol::Line, name: Vec::new(), ending: false };
        Self { decoder: Decoder::new(shared.limits), session, refused }
    }

    /// Takes one step: runs the first command of `input` if it is whole, and appends its answer.
    pub(crate) fn step(
        &mut self,
        shared: &Shared,
        input: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Progress {
        let step = self.decoder.next(input, &mut scratch.incoming);
        if self.session.protocol == Protocol::Line && self.decoder.is_resp() {
            self.session.protocol = Protocol::Resp2;
        }
        let session = &mut self.session;
        match step {
            Step::More { discard } => Progress::Wants(discard),
            Step::Refuse { len, failure, last } => {
                encode::failure(&failure, session.protocol, out);
                if last { Progress::Ends } else { Progress::Used(len) }
            }
            Step::Command { .. } if self.refused.is_some() => {
                if let Some(failure) = &self.refused {
                    encode::failure(failure, session.protocol, out);
                }
                Progress::Ends
            }
            Step::Command { len, frame } => {
                shared.count_command();
                let reply = shared.router.dispatch(shared, session, &input[..len], frame, scratch);
                encode::reply(reply, session.protocol, out);
                let ends = session.ending || session.protocol == Protocol::Line;
                if ends { Progress::Ends } else { Progress::Used(len) }
            }
        }
    }

    /// What to say when the client ended its side and these bytes are left.
    pub(crate) fn end_of_input(&self, input: &[u8], out: &mut Vec<u8>) {
        if let Some(failure) = self.decoder.end(input) {
            encode::failure(&failure, self.session.protocol, out);
        }
    }
}
