//! A connection whose waits are those of a tokio runtime. It has the protocol, the input and the errors of
//! the blocking one, and differs in how it waits.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::unix::{AsyncFd, AsyncFdReadyMutGuard};
use tokio::io::{Interest, Ready};

use super::event::{Event, Kind};
use super::input::{Frame, Next};
use super::{BUFFER_SIZE, Connection, STREAM_THRESHOLD, bodiless, explain_end, is_last, not_sent};
use crate::buffer::Buffer;
use crate::client::commands::{CommandBuilder, Commands, with_opening};
use crate::client::handshake::Handshake;
use crate::client::limits::{CallLimits, ClientLimits, Wait};
use crate::client::once::Offer;
use crate::client::progress::report;
use crate::client::upload::{Pumped, SendBody};
use crate::error::{Error, Failure, Ran, Result};
use crate::reply::Reply;
use crate::wire::answer::Scanner;

/// A connection that is registered with the runtime of the call. Dropping it closes the connection.
pub(in crate::client) struct AsyncConnection(AsyncFd<Connection>);

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// Waits for a future. Returns `None` after the deadline, which is checked first, since a daemon that sends
/// byte by byte makes the socket always ready.
pub(in crate::client) async fn within<T>(
    wait: &Wait,
    future: impl Future<Output = T>,
) -> Option<T> {
    match wait.left() {
        None => Some(future.await),
        Some(left) if left.is_zero() => None,
        Some(left) => tokio::time::timeout(left, future).await.ok(),
    }
}

impl AsyncConnection {
    pub(in crate::client) fn new(connection: Connection) -> Result<Self> {
        let both = Interest::READABLE | Interest::WRITABLE;
        #[allow(
            deprecated,
            reason = "the versions of tokio that we support have no other; ours owns its descriptor"
        )]
        let io = AsyncFd::with_interest(connection, both);
        io.map(Self).map_err(|error| Error::io("registering the connection with tokio", error))
    }

    /// See [`Connection::offers_once`].
    pub(in crate::client) fn offers_once(&self) -> Offer {
        self.0.get_ref().offers_once()
    }

    /// Returns the connection without its registration.
    pub(in crate::client) fn into_inner(self) -> Connection {
        self.0.into_inner()
    }

    /// Asks the daemon whether a command is idempotent; see [`Connection::is_idempotent`].
    pub(in crate::client) async fn is_idempotent(
        &mut self,
        name: &[u8],
        call: &CallLimits<'_>,
    ) -> Result<bool> {
        let mut words = CommandBuilder::new("dockipc");
        words.add("idempotent");
        words.add(name);
        let mut answers = Vec::new();
        self.exchange(&words.command(), call, &mut answers).await?;
        Ok(matches!(answers[..], [Event::Answer(Reply::Int(1))]))
    }

    /// Sends commands and reads their answers.
    pub(in crate::client) async fn exchange(
        &mut self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        answers: &mut Vec<Event>,
    ) -> Result<()> {
        let refusal = self.open(commands, call).await?;
        // Discard the answers of an earlier attempt.
        answers.clear();
        for i in 0..commands.count {
            match self.read_event(call).await {
                // If the first command was not run, the later ones will not be either.
                Ok(Event::Answer(Reply::Error(failure))) if i == 0 && failure.is_not_run() => {
                    return Err(Error::Refused(failure));
                }
                Ok(event) => answers.push(event),
                Err(error) => return Err(explain_end(error, commands, refusal)),
            }
        }
        Ok(())
    }

    /// Sends commands; see [`Connection::open`].
    pub(in crate::client) async fn open(
        &mut self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<Option<Failure>> {
        if let Some(body) = call.body {
            body.follow(false);
        }
        self.inner().check_listener(commands)?;
        let opens = call.has_deadline() && commands.count == 1
            || commands.wanted.is_any()
            || commands.once.is_some();
        let refusal = match self.inner().handshake.take() {
            Some(handshake) if !handshake.has_token && !opens => {
                self.greet(&handshake, commands, call).await?
            }
            handshake => {
                let refusal = match handshake {
                    Some(handshake) => self.introduce(&handshake, call).await.map_err(not_sent)?,
                    None => None,
                };
                if commands.wanted.body.is_some() && !self.inner().keys.body {
                    return Err(bodiless());
                }
                if let Some(token) = commands.once {
                    token.check(self.inner().keys.once)?;
                }
                if opens && self.inner().keys.deadline {
                    self.send_with_opening(commands, call).await?;
                } else {
                    self.send(commands.bytes, commands.first, commands.count, call).await?;
                }
                refusal
            }
        };
        if let Some(body) = call.body {
            body.follow(true);
        }
        Ok(refusal)
    }

    /// Reads the next item of a stream, or the answer; see [`Connection::read_event`].
    pub(in crate::client) async fn read_event(&mut self, call: &CallLimits<'_>) -> Result<Event> {
        loop {
            match self.inner().kind() {
                Ok(Kind::Item) => return self.read(call).await.map(Event::Item),
                Ok(Kind::Push) => {
                    if let Frame::Push(push) = self.read_any(call).await? {
                        report(&push, call);
                    }
                }
                Ok(Kind::Answer(_)) => {
                    let answer = self.read(call).await?;
                    return Ok(Event::Answer(self.inner().explained(answer, call)));
                }
                Err(need) => self.fill(need, call).await?,
            }
        }
    }

    /// Takes an item that has arrived whole.
    pub(in crate::client) fn ready_item(&mut self, limits: &ClientLimits) -> Option<Result<Reply>> {
        let connection = self.inner();
        let Ok(Kind::Item) = connection.kind() else { return None };
        match connection.next_frame(&mut Scanner::new(), &CallLimits::new(limits, None)) {
            Ok(Next::Whole(Frame::Answer(item) | Frame::Push(item))) => Some(Ok(item)),
            Ok(Next::More(_)) => {
                connection.unread_item();
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Reads the next push frame of a subscription; see [`Connection::read_push`].
    pub(in crate::client) async fn read_push(&mut self, call: &CallLimits<'_>) -> Result<Reply> {
        loop {
            match self.read_any(call).await? {
                Frame::Push(frame) | Frame::Answer(frame @ Reply::List(_)) => return Ok(frame),
                Frame::Answer(answer) => {
                    if let Reply::Error(failure) = self.inner().explain_denial(answer) {
                        return Err(Error::Refused(failure));
                    }
                }
            }
        }
    }

    /// Sends the handshake with the commands; see [`Connection::greet`].
    async fn greet(
        &mut self,
        handshake: &Handshake,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<Option<Failure>> {
        let first = handshake.bytes.len() + commands.first;
        if commands.bytes.len() > STREAM_THRESHOLD {
            self.send(&handshake.bytes, first, commands.count, call).await?;
            self.send(commands.bytes, commands.first, commands.count, call).await?;
        } else {
            let mut bytes = Buffer::with_capacity(handshake.bytes.len() + commands.bytes.len());
            bytes.extend_from_slice(&handshake.bytes);
            bytes.extend_from_slice(commands.bytes);
            self.send(&bytes, first, commands.count, call).await?;
        }
        match self.read_handshake(call).await? {
            Some(failure) if is_last(&failure) => Err(Error::Refused(failure)),
            refusal => {
                self.inner().handshaken = true;
                match self.read_setinfo(call).await {
                    Ok(None) => Ok(refusal),
                    Ok(Some(failure)) => Err(Error::Refused(failure)),
                    Err(error) => Err(explain_end(error, commands, refusal)),
                }
            }
        }
    }

    /// Sends the handshake alone; see [`Connection::introduce`].
    async fn introduce(
        &mut self,
        handshake: &Handshake,
        call: &CallLimits<'_>,
    ) -> Result<Option<Failure>> {
        let bytes = &handshake.bytes;
        self.send(bytes, bytes.len(), 1, call).await?;
        let refusal = match self.read_handshake(call).await? {
            Some(failure) if handshake.has_token || is_last(&failure) => {
                return Err(Error::Refused(failure));
            }
            refusal => refusal,
        };
        match (self.read_setinfo(call).await, refusal) {
            (Ok(None), refusal) => {
                self.inner().handshaken = true;
                Ok(refusal)
            }
            (Ok(Some(failure)), _) | (Err(Error::CutOff { .. }), Some(failure)) => {
                Err(Error::Refused(failure))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Sends a command with what goes in front of it; see [`Connection::send_with_opening`].
    async fn send_with_opening(
        &mut self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<()> {
        let wanted = self.inner().keys.known(commands.wanted);
        let (opening, words) = with_opening(commands.bytes, call.left(), wanted, commands.once);
        if words.len() > STREAM_THRESHOLD {
            // Nothing runs before all words are there.
            self.send(&opening, usize::MAX, commands.count, call).await?;
            return self.send(words, words.len(), commands.count, call).await;
        }
        let mut bytes = Buffer::with_capacity(opening.len() + words.len());
        bytes.extend_from_slice(&opening);
        bytes.extend_from_slice(words);
        self.send(&bytes, bytes.len(), commands.count, call).await
    }

    /// Reads the answer to the handshake, and returns it if it is an error.
    async fn read_handshake(&mut self, call: &CallLimits<'_>) -> Result<Option<Failure>> {
        let room = ClientLimits { answer: call.limits.answer.max(BUFFER_SIZE), ..*call.limits };
        Ok(match self.read(&call.with(&room)).await? {
            Reply::Error(failure) => Some(failure),
            answer => {
                self.inner().keys.read(&answer);
                None
            }
        })
    }

    /// Reads the answer to `CLIENT SETINFO`; see [`Connection::read_setinfo`].
    async fn read_setinfo(&mut self, call: &CallLimits<'_>) -> Result<Option<Failure>> {
        Ok(self.read_handshake(call).await?.filter(is_last))
    }

    /// Sends all bytes. Reads answers meanwhile, as [`Connection::send`] does. `first` is the length below
    /// which no command has run.
    async fn send(
        &mut self,
        bytes: &[u8],
        first: usize,
        count: usize,
        call: &CallLimits<'_>,
    ) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            // A command that was not sent whole does not run.
            let ran = if sent < first { Ran::No } else { Ran::Maybe };
            let n = match self.inner().try_send(&bytes[sent..]) {
                Err(Errno::AGAIN) => self.send_later(&bytes[sent..], ran, count, call).await,
                sent => sent.map_err(|errno| sending(errno, ran)),
            };
            match n {
                Ok(n) => sent += n,
                Err(cut @ Error::CutOff { .. }) => {
                    // An error that arrived before this call began is not about this call.
                    let is_ours = sent > 0 || !self.inner().handshaken;
                    if is_ours && count == 1 {
                        return Err(self.pending_error(call).await.unwrap_or(cut));
                    }
                    return Err(cut);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until some bytes are sent, and reads answers meanwhile.
    async fn send_later(
        &mut self,
        bytes: &[u8],
        ran: Ran,
        count: usize,
        call: &CallLimits<'_>,
    ) -> Result<usize> {
        loop {
            let here = self.inner().unread().len();
            let reads = here < call.limits.answer.saturating_mul(count);
            let interest =
                if reads { Interest::READABLE | Interest::WRITABLE } else { Interest::WRITABLE };
            let wait = call.wait(call.limits.write);
            let Some(ready) = within(&wait, self.0.ready_mut(interest)).await else {
                let after = wait.limit();
                return Err(Error::TimedOut { doing: "sending the command", after, ran });
            };
            let mut ready = ready.map_err(waiting)?;
            if reads && ready.ready().is_readable() {
                ready.get_inner_mut().reserve(here + 1);
                match receive(&mut ready, call) {
                    Err(Error::CutOff { received, .. }) => {
                        return Err(Error::CutOff { received, ran });
                    }
                    read => drop(read?),
                }
            }
            if ready.ready().is_writable() {
                match ready.get_inner_mut().try_send(bytes) {
                    Err(Errno::AGAIN) => ready.clear_ready_matching(Ready::WRITABLE),
                    sent => return sent.map_err(|errno| sending(errno, ran)),
                }
            }
        }
    }

    /// Returns the error answer that the daemon sent before it closed the connection; see
    /// [`Connection::pending_error`].
    #[cold]
    async fn pending_error(&mut self, call: &CallLimits<'_>) -> Option<Error> {
        let answers = if self.inner().handshaken { 1 } else { 3 };
        for i in 0..answers {
            match self.read(call).await {
                // The answer to `CLIENT SETINFO`.
                Ok(Reply::Error(failure)) if i + 2 == answers && !is_last(&failure) => {}
                Ok(Reply::Error(failure)) => return Some(Error::Refused(failure)),
                Err(error @ Error::Protocol(_)) => return Some(error),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Reads one whole answer, skipping push frames.
    async fn read(&mut self, call: &CallLimits<'_>) -> Result<Reply> {
        loop {
            match self.read_any(call).await? {
                Frame::Answer(reply) => return Ok(reply),
                Frame::Push(push) => report(&push, call),
            }
        }
    }

    /// Reads one whole frame. If the future is dropped, the next one reads it.
    async fn read_any(&mut self, call: &CallLimits<'_>) -> Result<Frame> {
        let mut scanner = Scanner::new();
        loop {
            match self.inner().next_frame(&mut scanner, call)? {
                Next::Whole(frame) => return Ok(frame),
                Next::More(need) => self.fill(need, call).await?,
            }
        }
    }

    /// Reads more bytes, into a buffer with room for at least `need` unconsumed ones.
    async fn fill(&mut self, need: usize, call: &CallLimits<'_>) -> Result<()> {
        self.inner().reserve(need);
        if let Some(body) = call.body {
            self.pump(body, call).await?;
        }
        loop {
            let wait = call.wait(call.limits.read);
            let Some(ready) = within(&wait, self.0.readable_mut()).await else {
                return Err(self.inner().read_timed_out(wait.limit()));
            };
            if receive(&mut ready.map_err(waiting)?, call)? {
                return Ok(());
            }
        }
    }

    /// Sends the body until something arrives, the body has ended or the daemon reads no more of it.
    async fn pump(&mut self, body: &dyn SendBody, call: &CallLimits<'_>) -> Result<()> {
        loop {
            // The caller's reader may take its time; the daemon may not.
            let (doing, limit) = if body.is_unsent() {
                ("sending the body", call.limits.write)
            } else {
                ("reading the body", None)
            };
            let wait = call.wait(limit);
            let step = poll_fn(|context| self.poll_pump(body, context));
            let Some(is_sending) = within(&wait, step).await else {
                return Err(Error::TimedOut { doing, after: wait.limit(), ran: Ran::Maybe });
            };
            if !is_sending? {
                return Ok(());
            }
            // A reader that never waits, and a daemon that is as fast, would keep the thread from other tasks.
            tokio::task::consume_budget().await;
        }
    }

    /// Does one step of [`pump`](Self::pump). Returns false if none follows.
    fn poll_pump(&mut self, body: &dyn SendBody, context: &mut Context<'_>) -> Poll<Result<bool>> {
        while let Poll::Ready(ready) = self.0.poll_read_ready_mut(context) {
            let mut ready = ready.map_err(waiting)?;
            if !ready.get_inner().is_quiet() {
                return Poll::Ready(Ok(false));
            }
            ready.clear_ready_matching(Ready::READABLE);
        }
        loop {
            match ready!(body.poll_pump(&self.0.get_ref().stream, context))? {
                Pumped::Some => return Poll::Ready(Ok(true)),
                Pumped::Ended => return Poll::Ready(Ok(false)),
                Pumped::NoRoom => {
                    let mut ready =
                        ready!(self.0.poll_write_ready_mut(context)).map_err(waiting)?;
                    ready.clear_ready_matching(Ready::WRITABLE);
                }
            }
        }
    }

    fn inner(&mut self) -> &mut Connection {
        self.0.get_mut()
    }
}

impl Connection {
    /// Sends some bytes without waiting.
    fn try_send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        // Without MSG_NOSIGNAL, sending to a closed connection raises SIGPIPE, send(2).
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::io::retry_on_intr(|| rustix::net::send(&self.stream, bytes, flags))
    }
}

/// Reads into the spare capacity of the input buffer, without waiting. Returns whether bytes were there.
fn receive(
    ready: &mut AsyncFdReadyMutGuard<'_, Connection>,
    call: &CallLimits<'_>,
) -> Result<bool> {
    let connection = ready.get_inner_mut();
    let received = connection.unread().len();
    loop {
        let spare = rustix::buffer::spare_capacity(&mut connection.input);
        return match rustix::net::recv(&connection.stream, spare, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(Error::CutOff { received, ran: Ran::Maybe }),
            Ok(_) => Ok(true),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => {
                ready.clear_ready_matching(Ready::READABLE);
                Ok(false)
            }
            // unix(7): the peer closed without reading all bytes, so the command was not run.
            Err(Errno::CONNRESET) => {
                let may_run = received > 0 || call.has_begun_body();
                let ran = if may_run { Ran::Maybe } else { Ran::No };
                Err(Error::CutOff { received, ran })
            }
            Err(errno) => Err(Error::io("reading the answer", errno)),
        };
    }
}

fn sending(errno: Errno, ran: Ran) -> Error {
    match errno {
        Errno::PIPE | Errno::CONNRESET => Error::CutOff { received: 0, ran },
        errno => Error::io("sending the command", errno),
    }
}

fn waiting(error: io::Error) -> Error {
    Error::io("waiting for the daemon", error)
}
