//! One connection to the daemon.

#[cfg(feature = "tokio")]
mod asynchronous;
mod event;
#[cfg(feature = "cli")]
mod identify;
mod input;
mod stream;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::canceller::{Attachment, Canceller};
use super::commands::{CommandBuilder, Commands, Wanted, with_opening};
use super::handshake::Handshake;
use super::limits::{CallLimits, ClientLimits, Wait};
use super::once::Offer;
use super::trust;
use crate::buffer::Buffer;
use crate::error::{Error, Failure, Ran, Result, code};
use crate::reply::Reply;
use crate::wire::answer::Piece;

#[cfg(feature = "tokio")]
pub(super) use self::asynchronous::{AsyncConnection, within};
pub(super) use self::event::Event;
#[cfg(feature = "cli")]
pub(super) use self::identify::{GREETING, Unidentified};
pub(super) use self::input::Frame;

/// One connection to the daemon, with its input buffer.
pub(super) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    /// Start of the unconsumed bytes in `input`.
    start: usize,
    /// The socket's current read timeout, which saves setting the same one again.
    read_timeout: Option<Duration>,
    /// The handshake, until it is sent.
    handshake: Option<Handshake>,
    /// Whether the daemon has answered the handshake.
    handshaken: bool,
    /// The keys that the daemon understands in what [`with_opening`] puts in front of a command.
    keys: Keys,
    /// Why the client's token was withheld, if it was.
    withheld: Option<String>,
    /// Whether the listener is one of the users that the client requires.
    is_required: bool,
}

/// An answer, or a part of one.
pub(super) enum AnswerPart<'i> {
    Whole(Reply),
    /// The first item of a stream follows in pieces.
    Items,
    /// A piece, or `None` before a wait and at the end, if the commands are
    /// [`streamed`](Commands::streamed).
    Piece(Option<Piece<'i>>),
}

/// The keys that a daemon understands in front of a command.
#[derive(Clone, Copy, Default)]
struct Keys {
    deadline: bool,
    stream: bool,
    progress: bool,
    body: bool,
    once: Offer,
}

/// Maximum number of bytes that one read of a streamed answer waits for. Longer bulk strings are read into
/// memory of their own. Commands longer than this are not copied to be sent with the handshake.
const STREAM_THRESHOLD: usize = 64 * 1024;

/// Memory for the first bytes of a long answer.
const FIRST_ROOM: usize = 1 << 20;

/// Initial size of the input buffer. A larger one is freed after use.
const BUFFER_SIZE: usize = 8 * 1024;

impl Connection {
    pub(super) fn new(
        stream: UnixStream,
        handshake: Handshake,
        withheld: Option<String>,
        is_required: bool,
    ) -> Self {
        Self {
            stream,
            input: Vec::new(),
            start: 0,
            read_timeout: None,
            handshake: Some(handshake),
            handshaken: false,
            keys: Keys::default(),
            withheld,
            is_required,
        }
    }

    /// Returns the daemon's offer to run calls once.
    pub(super) fn offers_once(&self) -> Offer {
        self.keys.once
    }

    /// Returns whether no unexpected bytes were read.
    pub(super) fn is_clean(&self) -> bool {
        self.input.is_empty()
    }

    /// Returns whether the connection is open and nothing has arrived.
    pub(super) fn is_quiet(&self) -> bool {
        is_quiet(&self.stream)
    }

    /// Asks the daemon whether a command is idempotent. Another server's error answer means no.
    pub(super) fn is_idempotent(&mut self, name: &[u8], call: &CallLimits<'_>) -> Result<bool> {
        let mut words = CommandBuilder::new("dockipc");
        words.add("idempotent");
        words.add(name);
        let mut answer = Reply::Null;
        self.exchange(&words.command(), call, &mut |_, part| {
            if let AnswerPart::Whole(reply) = part {
                answer = reply;
            }
            Ok(())
        })?;
        Ok(answer == Reply::Int(1))
    }

    /// Sends commands and reads their answers. A single command that has a deadline, or can be cancelled, is
    /// sent with an [opening](with_opening) to a daemon that understands it. So on a new connection it waits
    /// for the answer to the handshake.
    pub(super) fn exchange(
        &mut self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        each: &mut impl FnMut(usize, AnswerPart<'_>) -> Result<()>,
    ) -> Result<()> {
        let (refusal, _attached) = self.open(commands, call)?;
        for i in 0..commands.count {
            let has_pieces = if commands.streamed {
                self.read_rows(call, &mut |part| each(i, part))
            } else {
                Ok(false)
            };
            let answer = match has_pieces {
                Ok(true) => {
                    self.read_pieces(call, |piece| each(i, AnswerPart::Piece(piece)))?;
                    continue;
                }
                Ok(false) => self.read(call),
                Err(error) => Err(error),
            };
            match answer {
                // If the first command was not run, the later ones will not be either.
                Ok(Reply::Error(failure)) if i == 0 && failure.is_not_run() => {
                    return Err(Error::Refused(failure));
                }
                Ok(reply) => each(i, AnswerPart::Whole(self.explained(reply, call)))?,
                Err(error) => return Err(explain_end(error, commands, refusal)),
            }
        }
        Ok(())
    }

    /// Sends a command whose answer may be a stream. Returns what comes first, and what cancels the command.
    pub(super) fn begin(
        &mut self,
        command: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<(Event, Option<Attachment>)> {
        let (refusal, attached) = self.open(command, call)?;
        match self.read_event(call) {
            Ok(Event::Answer(Reply::Error(failure))) if failure.is_not_run() => {
                Err(Error::Refused(failure))
            }
            Ok(event) => Ok((event, attached)),
            Err(error) => Err(explain_end(error, command, refusal)),
        }
    }

    /// Sends commands. Returns an error answer to the handshake after which they may still be answered, and
    /// what cancels them.
    pub(super) fn open(
        &mut self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<(Option<Failure>, Option<Attachment>)> {
        if let Some(body) = call.body {
            body.follow(false);
        }
        self.check_listener(commands)?;
        self.set_read_timeout(call)?;
        let attached = commands.canceller.map(|canceller| canceller.attach(&self.stream));
        let attached = attached.transpose()?;
        let opens = attached.is_some()
            || call.has_deadline() && commands.count == 1
            || commands.wanted.is_any()
            || commands.once.is_some();
        let refusal = match self.handshake.take() {
            Some(handshake) if !handshake.has_token && !opens => {
                self.greet(&handshake, commands, call)?
            }
            handshake => {
                let handshake = handshake.map(|handshake| self.introduce(&handshake, call));
                let refusal = handshake.transpose()?.flatten();
                if commands.wanted.body.is_some() && !self.keys.body {
                    return Err(bodiless());
                }
                if let Some(token) = commands.once {
                    token.check(self.keys.once)?;
                }
                if opens && self.keys.deadline {
                    if let Some(attached) = &attached {
                        attached.half_closes()?;
                    }
                    self.send_with_opening(commands, call)?;
                } else {
                    self.send(commands.bytes, commands, call)?;
                }
                refusal
            }
        };
        if let Some(body) = call.body {
            body.follow(true);
        }
        Ok((refusal, attached))
    }

    /// Checks that the listener may get the commands: the environment is only for root, for this process's user, and
    /// for those that the client requires.
    fn check_listener(&self, commands: &Commands<'_>) -> Result<()> {
        if !commands.has_environment || self.is_required {
            return Ok(());
        }
        let listener = trust::listener(&self.stream)?;
        let why = trust::withheld("the environment was not sent", listener);
        why.map_or(Ok(()), |why| Err(Error::Refused(Failure::new(code::NOPERM, why))))
    }

    /// Ends with this canceller, until the result is dropped.
    pub(super) fn attach(&self, canceller: &Canceller) -> Result<Attachment> {
        canceller.attach(&self.stream)
    }

    pub(super) fn set_read_timeout(&mut self, call: &CallLimits<'_>) -> Result<()> {
        if self.read_timeout != call.limits.read {
            let set = self.stream.set_read_timeout(call.limits.read);
            set.map_err(|e| Error::io("setting a timeout", e))?;
            self.read_timeout = call.limits.read;
        }
        Ok(())
    }

    /// Returns the answer to a command. After an error the connection of a call with a body is not used again: a
    /// daemon that has not read the command, which is too long, answers the parts of the body as well.
    pub(super) fn explained(&self, reply: Reply, call: &CallLimits<'_>) -> Reply {
        if let (Reply::Error(_), Some(body)) = (&reply, call.body) {
            body.follow(false);
        }
        self.explain_denial(reply)
    }

    /// Adds the reason why the token was withheld to a NOPERM answer.
    pub(super) fn explain_denial(&self, reply: Reply) -> Reply {
        match (&self.withheld, reply) {
            (Some(why), Reply::Error(failure)) if failure.code() == code::NOPERM => {
                let message = format!("{}; {why}", failure.message());
                Reply::Error(Failure::new(code::NOPERM, message))
            }
            (_, reply) => reply,
        }
    }

    /// Sends the handshake with the commands, and reads the handshake's answer. Returns an error
    /// answer after which the commands may still be answered, as by a server without RESP3.
    fn greet(
        &mut self,
        handshake: &Handshake,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<Option<Failure>> {
        let first = handshake.bytes.len() + commands.first;
        let not_run = Commands { first, ..*commands };
        if commands.bytes.len() > STREAM_THRESHOLD {
            self.send(&handshake.bytes, &not_run, call)?;
            self.send(commands.bytes, commands, call)?;
        } else {
            let mut bytes = Buffer::with_capacity(handshake.bytes.len() + commands.bytes.len());
            bytes.extend_from_slice(&handshake.bytes);
            bytes.extend_from_slice(commands.bytes);
            self.send(&bytes, &not_run, call)?;
        }
        match self.read_handshake(call)? {
            Some(failure) if is_last(&failure) => Err(Error::Refused(failure)),
            refusal => {
                self.handshaken = true;
                match self.read_setinfo(call) {
                    Ok(None) => Ok(refusal),
                    Ok(Some(failure)) => Err(Error::Refused(failure)),
                    Err(error) => Err(explain_end(error, commands, refusal)),
                }
            }
        }
    }

    /// Sends only the handshake, and waits for its answer. Returns an error answer after which commands may
    /// still be answered.
    ///
    /// A daemon that rejects the token would still run a command that needs none, and the caller would
    /// believe that it did not run.
    #[cold]
    fn introduce(
        &mut self,
        handshake: &Handshake,
        call: &CallLimits<'_>,
    ) -> Result<Option<Failure>> {
        let alone = Commands::alone(&handshake.bytes);
        let answer = self.send(alone.bytes, &alone, call).and_then(|()| {
            let refusal = match self.read_handshake(call)? {
                Some(failure) if handshake.has_token || is_last(&failure) => {
                    return Err(Error::Refused(failure));
                }
                refusal => refusal,
            };
            match (self.read_setinfo(call), refusal) {
                (Ok(None), refusal) => Ok(refusal),
                (Ok(Some(failure)), _) | (Err(Error::CutOff { .. }), Some(failure)) => {
                    Err(Error::Refused(failure))
                }
                (Err(error), _) => Err(error),
            }
        });
        // In any case, the command was not sent.
        let refusal = answer.map_err(not_sent)?;
        self.handshaken = true;
        Ok(refusal)
    }

    /// Reads the answer to the handshake, and returns it if it is an error.
    fn read_handshake(&mut self, call: &CallLimits<'_>) -> Result<Option<Failure>> {
        let room = ClientLimits { answer: call.limits.answer.max(BUFFER_SIZE), ..*call.limits };
        Ok(match self.read(&call.with(&room))? {
            Reply::Error(failure) => Some(failure),
            answer => {
                self.keys.read(&answer);
                None
            }
        })
    }

    /// Reads the answer to `CLIENT SETINFO`, and returns it if no later command will run. A server that does
    /// not know SETINFO refuses it and goes on.
    fn read_setinfo(&mut self, call: &CallLimits<'_>) -> Result<Option<Failure>> {
        Ok(self.read_handshake(call)?.filter(is_last))
    }

    /// Sends a command with what goes in front of it.
    fn send_with_opening(&mut self, commands: &Commands<'_>, call: &CallLimits<'_>) -> Result<()> {
        let (opening, words) = with_opening(
            commands.bytes,
            call.left(),
            self.keys.known(commands.wanted),
            commands.once,
        );
        if words.len() > STREAM_THRESHOLD {
            // Nothing runs before all words are there.
            self.send(&opening, &Commands { first: usize::MAX, ..*commands }, call)?;
            return self.send(words, &Commands { first: words.len(), ..*commands }, call);
        }
        let mut bytes = Buffer::with_capacity(opening.len() + words.len());
        bytes.extend_from_slice(&opening);
        bytes.extend_from_slice(words);
        self.send(&bytes, &Commands { first: bytes.len(), ..*commands }, call)
    }

    /// Sends all bytes. Reads answers meanwhile: otherwise a client and a daemon that both wait for
    /// the other to read would deadlock.
    fn send(&mut self, bytes: &[u8], commands: &Commands<'_>, call: &CallLimits<'_>) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            // A command that was not sent whole does not run.
            let ran = if sent < commands.first { Ran::No } else { Ran::Maybe };
            // Without MSG_NOSIGNAL, sending to a closed connection raises SIGPIPE, send(2).
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let cut = match rustix::net::send(&self.stream, &bytes[sent..], flags) {
                Ok(n) => {
                    sent += n;
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => match self.wait_to_send(commands.count, ran, call) {
                    Ok(()) => continue,
                    Err(Error::CutOff { received, .. }) => Error::CutOff { received, ran },
                    Err(error) => return Err(error),
                },
                Err(Errno::PIPE | Errno::CONNRESET) => Error::CutOff { received: 0, ran },
                Err(errno) => return Err(Error::io("sending the command", errno)),
            };
            // An error that arrived before this call began is not about this call.
            let is_ours = sent > 0 || !self.handshaken;
            let reason = (is_ours && commands.count == 1).then(|| self.pending_error(call));
            return Err(reason.flatten().unwrap_or(cut));
        }
        Ok(())
    }

    /// Returns the error answer that the daemon sent before it closed the connection, if any.
    #[cold]
    fn pending_error(&mut self, call: &CallLimits<'_>) -> Option<Error> {
        let answers = if self.handshaken { 1 } else { 3 };
        for i in 0..answers {
            match self.read(call) {
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

    fn wait_to_send(&mut self, count: usize, ran: Ran, call: &CallLimits<'_>) -> Result<()> {
        let here = self.unread().len();
        let readable = here < call.limits.answer.saturating_mul(count);
        let interest = if readable { PollFlags::IN | PollFlags::OUT } else { PollFlags::OUT };
        let wait = call.wait(call.limits.write);
        match self.ready(interest, &wait)? {
            None => {
                let after = wait.limit();
                Err(Error::TimedOut { doing: "sending the command", after, ran })
            }
            Some(ready) if ready.contains(PollFlags::IN) => self.fill(here + 1, call),
            Some(_) => Ok(()),
        }
    }

    /// Waits until the socket is readable.
    fn wait_to_read(&self, call: &CallLimits<'_>) -> Result<()> {
        let wait = call.wait(call.limits.read);
        match self.ready(PollFlags::IN, &wait)? {
            None => Err(self.read_timed_out(wait.limit())),
            Some(_) => Ok(()),
        }
    }

    fn read_timed_out(&self, limit: Duration) -> Error {
        let begun = !self.unread().is_empty();
        let doing = if begun { "reading the answer" } else { "waiting for the answer" };
        Error::TimedOut { doing, after: limit, ran: Ran::Maybe }
    }

    /// Waits until the socket is ready. Returns `None` after the deadline, which is checked first,
    /// since a daemon that sends byte by byte makes the socket always ready.
    fn ready(&self, interest: PollFlags, wait: &Wait) -> Result<Option<PollFlags>> {
        let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), interest)];
        Ok(is_ready(&mut fds, wait)?.then(|| fds[0].revents()))
    }
}

/// Waits until one of the descriptors is ready. Returns false after the deadline, which is checked first.
pub(super) fn is_ready(fds: &mut [PollFd<'_>], wait: &Wait) -> Result<bool> {
    loop {
        let left = wait.left();
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(Error::io("waiting for the daemon", errno)),
        }
    }
}

/// Returns whether the connection is open and nothing has arrived.
pub(super) fn is_quiet(stream: &UnixStream) -> bool {
    let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(stream, &mut [0; 1], look), Err(Errno::AGAIN))
}

impl Keys {
    /// Adds the keys in the field `with` of an answer to `HELLO`.
    fn read(&mut self, hello: &Reply) {
        let Reply::Map(fields) = hello else { return };
        let keys = fields.iter().find(|(name, _)| *name == Reply::bytes("with"));
        let Some((_, Reply::Bytes(keys))) = keys else { return };
        let store = fields.iter().find(|(name, _)| *name == Reply::bytes("once"));
        if let Some((_, Reply::Bytes(store))) = store {
            let store = std::str::from_utf8(store).ok();
            self.once.store = store.and_then(|text| u64::from_str_radix(text, 16).ok());
        }
        for key in keys.split(|&b| b == b' ') {
            match key {
                b"deadline" => self.deadline = true,
                b"stream" => self.stream = true,
                b"progress" => self.progress = true,
                b"body" => self.body = true,
                b"once" => self.once.is_there = true,
                _ => {}
            }
        }
    }

    /// Returns what the daemon knows of it.
    fn known(self, wanted: Wanted) -> Wanted {
        let stream = wanted.stream.filter(|_| self.stream);
        Wanted { stream, progress: wanted.progress && self.progress, body: wanted.body }
    }
}

/// Returns whether a daemon that answers the handshake so runs no later command.
fn is_last(failure: &Failure) -> bool {
    [code::BUSY, code::SHUTDOWN, code::TIMEOUT].contains(&failure.code())
}

/// The error of a call with a body to a daemon that knows none.
#[cold]
fn bodiless() -> Error {
    Error::Refused(Failure::new(
        code::USAGE,
        "the daemon does not support bodies, it is older than this client; the command was not run",
    ))
}

/// Returns the error of a call whose command was not sent.
#[cold]
fn not_sent(error: Error) -> Error {
    match error {
        Error::CutOff { received, .. } => Error::CutOff { received, ran: Ran::No },
        Error::TimedOut { doing, after, .. } => Error::TimedOut { doing, after, ran: Ran::No },
        error => error,
    }
}

/// Explains the end of a connection by the daemon's refusal of the handshake, if it had one.
#[cold]
fn explain_end(error: Error, commands: &Commands<'_>, refusal: Option<Failure>) -> Error {
    let Error::CutOff { received, ran } = error else { return error };
    // With several commands, some may have been read.
    let ran = if commands.count > 1 { Ran::Maybe } else { ran };
    match refusal {
        // NOPERM: the daemon refuses peers without credentials.
        Some(refusal) if ran == Ran::No || refusal.code() == code::NOPERM => {
            Error::Refused(refusal)
        }
        _ => Error::CutOff { received, ran },
    }
}
