//! [`Conversation`], one connection without its socket.

use std::sync::Arc;

use super::plain::NotPlain;
use super::transaction::{self, Execution, SignTimes};
use super::{Executor, Outcome, Pending, Service};
use crate::access::SocketId;
use crate::error::Failure;
use crate::later::Streaming;
use crate::param::Scratch;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::session::{Session, Signs, Taken};
use crate::wire::{Decoded, Decoder, Frame, Frames, Protocol};
use crate::workers::Workers;

/// The protocol side of one connection.
pub(crate) struct Conversation {
    decoder: Decoder,
    session: Session,
    /// The answer to the next command of a client that is turned away.
    refused: Option<Failure>,
    /// The transaction that runs.
    execution: Option<Box<Execution>>,
}

/// The result of showing a conversation its input.
// Without a tag of its own, the kind would have to be found from the reply's.
#[repr(u64)]
pub(crate) enum Step {
    /// The conversation consumed this number of bytes and needs more.
    NeedsInput(usize),
    /// The conversation consumed `used` bytes and answers them. Another command may follow in the other
    /// bytes, unless this answer is the `last` of the connection.
    Answer { used: usize, reply: Reply, last: bool },
    /// The conversation consumed `used` bytes and has frames for the client, in front of whatever comes next. If
    /// it consumed none, the caller shows the same bytes again.
    Told { used: usize, frames: Vec<u8> },
    /// A transaction has begun, or one of its commands has run. The caller shows the same bytes again.
    Continue,
    /// The conversation consumed `used` bytes. Their command is answered later, and none of the other bytes
    /// is looked at before [`Conversation::finish`].
    Pending { used: usize, pending: Box<Pending> },
    /// The conversation consumed `used` bytes. The command after them can't run now. The caller shows it again later.
    NotNow { used: usize },
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
        Self { decoder: Decoder::new(service.config.limits), session, refused, execution: None }
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

    /// Returns the number of bytes of queued commands, and of the answers of a transaction that runs.
    pub(crate) fn queued(&self) -> usize {
        self.session.queued() + self.execution.as_ref().map_or(0, |execution| execution.len())
    }

    /// Returns the times of the transaction that runs.
    pub(crate) fn execution(&mut self) -> Option<&mut SignTimes> {
        self.execution.as_mut().map(|execution| execution.times())
    }

    /// Refuses the commands of the transaction that have not run yet.
    #[cold]
    pub(crate) fn end_execution(&mut self, failure: Failure) {
        if let Some(execution) = &mut self.execution {
            execution.refuse(failure);
        }
    }

    /// Notes that the client got a failure in place of the last answer. A command that was to be queued
    /// is refused.
    #[cold]
    pub(crate) fn answered_with_failure(&mut self) {
        if let Some(queue) = self.session.transaction() {
            queue.refuse();
        }
    }

    /// Drops the queued commands.
    pub(crate) fn discard(&mut self) {
        self.session.end_transaction();
        self.execution = None;
    }

    pub(crate) fn uid(&self) -> u32 {
        self.session.peer.uid()
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.session.peer
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.session.socket
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
        if self.execution.is_some() {
            return self.step_execution(service, scratch, executor);
        }
        let (skipped, used, frame) = match self.decoder.whole(input, &mut scratch.incoming) {
            Some(len) => (0, len, Frame::Resp),
            None => match self.decode(input, scratch) {
                Ok(found) => found,
                Err(step) => return step,
            },
        };
        if let Some(failure) = &self.refused {
            let reply = Reply::Error(failure.clone());
            return Step::Answer { used, reply, last: true };
        }
        let input = &input[skipped..used];
        if self.session.aside.is_some() {
            return self.step_aside(service, input, used, frame, scratch, executor);
        }
        let plain = match frame {
            Frame::Resp => service.call_plain(&self.session, input, scratch, executor),
            Frame::Line { .. } => Err(NotPlain),
        };
        if let Ok(Some(reply)) = plain {
            return Step::Answer { used, reply, last: is_last_answer(&self.session) };
        }
        let outcome = match plain {
            Err(NotPlain) => service.dispatch(&mut self.session, input, frame, scratch, executor),
            Ok(answer) => answer.into(),
        };
        self.dispatched(skipped, used, outcome)
    }

    /// Runs the next command of a transaction.
    #[cold]
    #[inline(never)]
    fn step_execution(
        &mut self,
        service: &Service,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Step {
        let Some(execution) = &mut self.execution else { return Step::Continue };
        let session = &mut self.session;
        match execution.step(service, &mut self.decoder, session, scratch, executor) {
            Step::Answer { used, reply, .. } => self.end_of_execution(used, reply),
            step => step,
        }
    }

    /// Finds the first command. Returns the places of its beginning and its end, or the step if it is not run.
    #[inline(never)]
    fn decode(
        &mut self,
        input: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(usize, usize, Frame), Step> {
        let session = &mut self.session;
        let mut skipped = 0;
        let decoded = loop {
            match self.decoder.next(&input[skipped..], &mut scratch.incoming) {
                Decoded::Skip { len } => skipped += len,
                decoded => break decoded,
            }
        };
        if session.protocol == Protocol::Line && self.decoder.is_resp() {
            session.protocol = Protocol::Resp2;
        }
        Err(match decoded {
            Decoded::Command { len, frame } => return Ok((skipped, skipped + len, frame)),
            Decoded::More { discard: n } | Decoded::Skip { len: n } => {
                Step::NeedsInput(skipped + n)
            }
            Decoded::Refuse { len, failure, last } => {
                if let Some(queue) = session.transaction() {
                    queue.refuse();
                }
                // A client that is turned away learns that, whatever it sends.
                let refusal = self.refused.clone().map(|refusal| (refusal, true));
                let (failure, last) = refusal.unwrap_or((failure, last));
                Step::Answer { used: skipped + len, reply: Reply::Error(failure), last }
            }
        })
    }

    /// Runs a command in a transaction, or one of a client that has subscribed.
    #[cold]
    #[inline(never)]
    fn step_aside(
        &mut self,
        service: &Service,
        input: &[u8],
        used: usize,
        frame: Frame,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Step {
        let session = &mut self.session;
        let first = scratch.incoming.first().map(|span| span.of(input, &[]));
        // Its answer is read before anything else is known of the server.
        let mut is_formatted = !first.is_some_and(|name| name.eq_ignore_ascii_case(b"hello"));
        let outcome = if session.is_in_transaction() {
            match transaction::execute(session, input, used, scratch) {
                None => service.queue(session, input, frame, scratch, executor).into(),
                Some(Err(failure)) => Outcome::Reply(Reply::Error(failure)),
                Some(Ok(execution)) => {
                    self.execution = Some(execution);
                    return Step::Continue;
                }
            }
        } else {
            let word = |index: usize| scratch.incoming.get(index).map(|span| span.of(input, &[]));
            let limited = match (session.protocol, word(0), word(1)) {
                (Protocol::Resp2, Some(name), next) => {
                    session.subscriber().and_then(|subscriber| subscriber.limit(name, next))
                }
                _ => None,
            };
            match limited {
                Some(reply) => {
                    is_formatted = false;
                    Outcome::Reply(reply)
                }
                None => service.dispatch(session, input, frame, scratch, executor),
            }
        };
        match self.dispatched(used - input.len(), used, outcome) {
            Step::Answer { used, reply, .. } => {
                let reply = if is_formatted { self.session.formatted(reply) } else { reply };
                self.end_of_execution(used, reply)
            }
            step => step,
        }
    }

    /// Returns the step that follows from a command. `skipped` bytes are in front of it.
    #[inline(never)]
    fn dispatched(&mut self, skipped: usize, used: usize, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Reply(reply) => {
                Step::Answer { used, reply, last: is_last_answer(&self.session) }
            }
            Outcome::Unread(reply) => {
                self.decoder.skip_body(Frames::default());
                Step::Answer { used, reply, last: is_last_answer(&self.session) }
            }
            Outcome::Later(pending) => Step::Pending { used, pending },
            Outcome::Told(frames) => Step::Told { used, frames },
            Outcome::NotNow => {
                self.decoder.unread();
                Step::NotNow { used: skipped }
            }
        }
    }

    /// Answers a command, or a transaction. The events that are queued by now come first: it may have published
    /// some. Then the answer is held as an execution that is at its end.
    #[cold]
    fn end_of_execution(&mut self, used: usize, reply: Reply) -> Step {
        let ended = self.execution.take();
        if !self.session.is_subscribed() || ended.is_some_and(|ended| ended.is_behind_events()) {
            return Step::Answer { used, reply, last: is_last_answer(&self.session) };
        }
        self.execution = Some(Execution::held(used, reply));
        let mut frames = Vec::new();
        self.take_events(usize::MAX, &mut frames);
        Step::Told { used: 0, frames }
    }

    /// Returns whether the client has subscribed to events.
    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.session.is_subscribed()
    }

    /// Appends the events that are queued for the client, at most about `most` bytes. It may run code of the
    /// author's.
    #[cold]
    pub(crate) fn take_events(&mut self, most: usize, out: &mut Vec<u8>) -> Taken {
        let form = self.session.form();
        self.session.subscriber().map_or_else(Taken::default, |all| all.take(form, most, out))
    }

    /// The server stops: the streams to which the client has subscribed end.
    #[cold]
    pub(crate) fn stop_subscriptions(&mut self) {
        if let Some(subscriber) = self.session.subscriber() {
            subscriber.stop();
        }
    }

    /// Answers a command that was [pending](Step::Pending).
    #[cold]
    pub(crate) fn finish(&mut self, pending: Pending, reply: Reply) -> Step {
        if let Some(frames) = pending.run.0.body.as_ref().and_then(|body| body.rest()) {
            self.decoder.skip_body(frames);
        }
        let reply = pending.finish(&self.session, reply);
        if let Some(execution) = &mut self.execution {
            execution.answer(reply);
            return Step::Continue;
        }
        let reply = self.session.formatted(reply);
        if self.session.is_subscribed() {
            self.execution = Some(Execution::ended(reply));
            return Step::Continue;
        }
        Step::Answer { used: 0, reply, last: is_last_answer(&self.session) }
    }

    /// Begins to make the items of a stream, which a [pending](Step::Pending) command has answered.
    #[cold]
    pub(crate) fn stream(
        &self,
        service: &Service,
        workers: &Arc<dyn Workers>,
        pending: &mut Pending,
        stream: Box<dyn Streaming>,
    ) {
        pending.stream(service, &self.session, workers, stream);
    }

    /// Makes the answer to the current command the last of the connection.
    #[cold]
    pub(crate) fn end_after_answer(&mut self) {
        self.session.is_last = true;
    }

    /// Returns whether a command has asked to stop the server, once.
    pub(crate) fn takes_stop(&mut self) -> bool {
        self.session.stops_server.take()
    }

    /// Returns the answer if the client has ended its side and left these bytes.
    pub(crate) fn end_of_input(&self, input: &[u8]) -> Option<Reply> {
        self.decoder.end(input).map(Reply::Error)
    }
}

/// Returns whether the answer to the current command is the last of the connection.
fn is_last_answer(session: &Session) -> bool {
    session.is_last || session.protocol == Protocol::Line
}
