//! One connection without its socket: bytes in, answers out.

use std::borrow::Cow;
use std::time::Instant;

use crate::arg::Scratch;
use crate::engine::Paces;
use crate::error::Failure;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::server::Shared;
use crate::wire::{self, Decoder, Protocol};

/// What is known of a connection besides its bytes.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    /// By which of the server's paths the client came, in their order.
    pub(crate) door: usize,
    /// The client has given the token.
    pub(crate) has_token: bool,
    /// So many wrong ones before.
    pub(crate) wrong_tokens: u8,
    /// Why the token of the command at hand was refused, until the audit has heard of it.
    pub(crate) refused_token: Option<Cow<'static, str>>,
    /// The answer to that command, while the audit waits for a thread: the command is shown again, and
    /// its token must not count twice.
    pub(crate) held_answer: Option<Reply>,
    /// When the client connected, if there is a token to give.
    pub(crate) since: Option<Instant>,
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
pub(crate) enum Step {
    /// So many bytes were used up, and more are needed.
    Wants(usize),
    /// So many bytes were used up, and this is to be answered. Show the others again, there may be
    /// another command, unless the connection ends with this answer.
    Answer { used: usize, reply: Reply, ends: bool },
    /// The command can't run now; show the same bytes again later.
    Later,
}

impl Connection {
    pub(crate) fn new(
        shared: &Shared,
        id: u64,
        peer: Peer,
        door: usize,
        refused: Option<Failure>,
    ) -> Self {
        let session = Session {
            id,
            peer,
            door,
            has_token: false,
            wrong_tokens: 0,
            refused_token: None,
            held_answer: None,
            since: shared.token.as_ref().map(|_| Instant::now()),
            protocol: Protocol::Line,
            name: Vec::new(),
            ending: false,
        };
        Self { decoder: Decoder::new(shared.limits), session, refused }
    }

    /// Turns the client away: its next command gets this answer, and then the connection ends.
    pub(crate) fn refuse(&mut self, failure: Failure) {
        self.refused.get_or_insert(failure);
    }

    /// What a client that is turned away is told.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.refused.clone()
    }

    /// Whether a part of a command is there, the rest of which has to come.
    pub(crate) fn is_inside(&self, input: &[u8]) -> bool {
        self.decoder.is_inside(input)
    }

    pub(crate) fn uid(&self) -> u32 {
        self.session.peer.uid()
    }

    /// How answers are to be written at this moment.
    pub(crate) fn protocol(&self) -> Protocol {
        self.session.protocol
    }

    /// Takes one step: runs the first command of `input` if it is whole.
    pub(crate) fn step(
        &mut self,
        shared: &Shared,
        input: &[u8],
        scratch: &mut Scratch,
        paces: &mut dyn Paces,
    ) -> Step {
        let step = self.decoder.next(input, &mut scratch.incoming);
        let session = &mut self.session;
        if session.protocol == Protocol::Line && self.decoder.is_resp() {
            session.protocol = Protocol::Resp2;
        }
        match step {
            wire::Step::More { discard } => Step::Wants(discard),
            wire::Step::Refuse { len, failure, last } => {
                Step::Answer { used: len, reply: Reply::Error(failure), ends: last }
            }
            wire::Step::Command { len, frame } => {
                if let Some(failure) = &self.refused {
                    let reply = Reply::Error(failure.clone());
                    return Step::Answer { used: len, reply, ends: true };
                }
                let command = &input[..len];
                let reply = shared.router.dispatch(shared, session, command, frame, scratch, paces);
                let Some(reply) = reply else {
                    self.decoder.again(frame);
                    return Step::Later;
                };
                let ends = session.ending || session.protocol == Protocol::Line;
                Step::Answer { used: len, reply, ends }
            }
        }
    }

    /// What to say when the client ended its side and these bytes are left.
    pub(crate) fn end_of_input(&self, input: &[u8]) -> Option<Reply> {
        self.decoder.end(input).map(Reply::Error)
    }
}
