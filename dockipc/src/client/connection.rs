//! One connection to the daemon.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::commands::{Again, Commands, Words};
use super::greeting::Greeting;
use super::limits::{Limits, Terms, Wait};
use crate::buffer::Buffer;
use crate::error::{Error, Failure, Ran, Result, code};
use crate::reply::Reply;
use crate::wire::answer::{self, NotResp, Scan, Scanner};

/// One connection to the daemon, and what was read from it.
pub(super) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    /// What was read and not used up is between these.
    start: usize,
    fill: usize,
    /// The timeout that the socket has.
    read_timeout: Option<Duration>,
    /// The handshake, until it is sent.
    greeting: Option<Greeting>,
    /// Whether the daemon has answered it.
    greeted: bool,
    /// Why the client's token was not sent, if it has one and was not.
    withheld: Option<String>,
}

/// What is given of an answer.
pub(super) enum Part<'i> {
    Whole(Reply),
    /// Some of the bytes of one that is long, where the commands are
    /// [`in_parts`](Commands::in_parts).
    Bytes(&'i [u8]),
}

/// Bytes of more than this length are given in parts.
const LONG: usize = 64 * 1024;

/// The size of a fresh buffer; a larger one is not kept.
const BUFFER: usize = 8 * 1024;

impl Connection {
    pub(super) fn new(stream: UnixStream, greeting: Greeting, withheld: Option<String>) -> Self {
        Self {
            stream,
            input: Vec::new(),
            start: 0,
            fill: 0,
            read_timeout: None,
            greeting: Some(greeting),
            greeted: false,
            withheld,
        }
    }

    /// Whether nothing was read that belongs to no call.
    pub(super) fn is_clean(&self) -> bool {
        self.fill == 0
    }

    /// Whether it is as it was left: open, and nothing came meanwhile.
    pub(super) fn is_quiet(&self) -> bool {
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(rustix::net::recv(&self.stream, &mut [0; 1], look), Err(Errno::AGAIN))
    }

    /// Asks whether the author marked a command as idempotent. A stranger's server says no, since
    /// it does not know the question.
    pub(super) fn is_idempotent(&mut self, name: &[u8], terms: &Terms<'_>) -> Result<bool> {
        let mut words = Words::new("dockipc");
        words.add("idempotent");
        words.add(name);
        let mut answer = Reply::Null;
        self.exchange(&words.command(), terms, &mut |_, part| {
            if let Part::Whole(reply) = part {
                answer = reply;
            }
            Ok(())
        })?;
        Ok(answer == Reply::Int(1))
    }

    /// Sends commands and reads their answers.
    pub(super) fn exchange(
        &mut self,
        commands: &Commands<'_>,
        terms: &Terms<'_>,
        each: &mut impl FnMut(usize, Part<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.read_timeout != terms.limits.read {
            let set = self.stream.set_read_timeout(terms.limits.read);
            set.map_err(|e| Error::io("setting a timeout", e))?;
            self.read_timeout = terms.limits.read;
        }
        let refusal = match self.greeting.take() {
            Some(greeting) if !greeting.has_token => self.greet(&greeting, commands, terms)?,
            greeting => {
                if let Some(greeting) = greeting {
                    self.give_token(&greeting, terms)?;
                }
                self.send(commands.bytes, commands, terms)?;
                None
            }
        };
        for i in 0..commands.count {
            let long = if commands.in_parts { self.begin_long(terms) } else { Ok(None) };
            let answer = match long {
                Ok(Some(size)) => {
                    self.read_long(size, terms, |bytes| each(i, Part::Bytes(bytes)))?;
                    continue;
                }
                Ok(None) => self.read(terms),
                Err(error) => Err(error),
            };
            match answer {
                // Nor will those behind the first.
                Ok(Reply::Error(failure)) if i == 0 && failure.is_not_run() => {
                    return Err(Error::Refused(failure));
                }
                Ok(reply) => each(i, Part::Whole(self.explained(reply)))?,
                Err(Error::CutOff { received, ran }) => {
                    // Of several commands some may have been read.
                    let ran = if commands.count > 1 { Ran::Maybe } else { ran };
                    return Err(match refusal {
                        // NOPERM: the daemon serves nobody whom the system does not name.
                        Some(refusal) if ran == Ran::No || refusal.code() == code::NOPERM => {
                            Error::Refused(refusal)
                        }
                        _ => Error::CutOff { received, ran },
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The answer, with the reason why the token was not sent if it is that the caller may not.
    fn explained(&self, reply: Reply) -> Reply {
        match (&self.withheld, reply) {
            (Some(why), Reply::Error(failure)) if failure.code() == code::NOPERM => {
                let message = format!("{}; {why}", failure.message());
                Reply::Error(Failure::new(code::NOPERM, message))
            }
            (_, reply) => reply,
        }
    }

    /// Sends the handshake and the commands, and reads the handshake's answer. That can be a "no"
    /// which is given back: a server without RESP3 answers the commands all the same, one that has
    /// no room ends the connection.
    fn greet(
        &mut self,
        greeting: &Greeting,
        commands: &Commands<'_>,
        terms: &Terms<'_>,
    ) -> Result<Option<Failure>> {
        let first = greeting.bytes.len() + commands.first;
        let mut bytes = Buffer::with_capacity(greeting.bytes.len() + commands.bytes.len());
        bytes.extend_from_slice(&greeting.bytes);
        bytes.extend_from_slice(commands.bytes);
        self.send(&bytes, &Commands { first, ..*commands }, terms)?;
        match self.welcome(terms)? {
            Some(failure)
                if [code::BUSY, code::SHUTDOWN, code::TIMEOUT].contains(&failure.code()) =>
            {
                Err(Error::Refused(failure))
            }
            refusal => {
                self.greeted = true;
                Ok(refusal)
            }
        }
    }

    /// Sends the handshake with a token alone, and waits for its answer: a daemon that refuses the
    /// token would still run a command that needs none, and the caller would take it for refused.
    #[cold]
    fn give_token(&mut self, greeting: &Greeting, terms: &Terms<'_>) -> Result<()> {
        let (bytes, again) = (&greeting.bytes[..], Again::No);
        let first = bytes.len();
        let alone = Commands { bytes, count: 1, first, keeps: true, in_parts: false, again };
        let answer = self.send(bytes, &alone, terms).and_then(|()| self.welcome(terms));
        // Whatever happened to it, the command was not sent.
        match answer {
            Ok(None) => {
                self.greeted = true;
                Ok(())
            }
            Ok(Some(failure)) => Err(Error::Refused(failure)),
            Err(Error::CutOff { received, .. }) => Err(Error::CutOff { received, ran: Ran::No }),
            Err(Error::TimedOut { doing, after, .. }) => {
                Err(Error::TimedOut { doing, after, ran: Ran::No })
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the answer to the handshake; the "no" if it is one.
    fn welcome(&mut self, terms: &Terms<'_>) -> Result<Option<Failure>> {
        let room = Limits { answer: terms.limits.answer.max(BUFFER), ..*terms.limits };
        Ok(match self.read(&terms.with(&room))? {
            Reply::Error(failure) => Some(failure),
            _ => None,
        })
    }

    /// Sends everything. Meanwhile answers are taken in, or a daemon that waits for its answers to
    /// be read and a client that waits to be read would wait for each other.
    fn send(&mut self, bytes: &[u8], commands: &Commands<'_>, terms: &Terms<'_>) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            // A command that was not sent whole was not run.
            let ran = if sent < commands.first { Ran::No } else { Ran::Maybe };
            // Without MSG_NOSIGNAL a closed connection could end the program, send(2).
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let cut = match rustix::net::send(&self.stream, &bytes[sent..], flags) {
                Ok(n) => {
                    sent += n;
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => match self.wait_to_send(commands.count, ran, terms) {
                    Ok(()) => continue,
                    Err(Error::CutOff { received, .. }) => Error::CutOff { received, ran },
                    Err(error) => return Err(error),
                },
                Err(Errno::PIPE | Errno::CONNRESET) => Error::CutOff { received: 0, ran },
                Err(errno) => return Err(Error::io("sending the command", errno)),
            };
            // Not if it was ended before this call began: what it said was not about this call.
            let is_ours = sent > 0 || !self.greeted;
            let said = (is_ours && commands.count == 1).then(|| self.last_words(terms));
            return Err(said.flatten().unwrap_or(cut));
        }
        Ok(())
    }

    /// Why the daemon took no more, if it said so before it ended the connection.
    #[cold]
    fn last_words(&mut self, terms: &Terms<'_>) -> Option<Error> {
        let answers = if self.greeted { 1 } else { 2 };
        for _ in 0..answers {
            match self.read(terms) {
                Ok(Reply::Error(failure)) => return Some(Error::Refused(failure)),
                Err(error @ Error::Protocol(_)) => return Some(error),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn wait_to_send(&mut self, count: usize, ran: Ran, terms: &Terms<'_>) -> Result<()> {
        let here = self.fill - self.start;
        let readable = here < terms.limits.answer.saturating_mul(count);
        let interest = if readable { PollFlags::IN | PollFlags::OUT } else { PollFlags::OUT };
        let wait = terms.wait(terms.limits.write);
        match self.ready(interest, &wait)? {
            None => {
                let after = wait.limit();
                Err(Error::TimedOut { doing: "sending the command", after, ran })
            }
            Some(ready) if ready.contains(PollFlags::IN) => self.fill(here + 1, terms),
            Some(_) => Ok(()),
        }
    }

    /// Waits until there is something to read.
    fn wait_to_read(&self, terms: &Terms<'_>) -> Result<()> {
        let wait = terms.wait(terms.limits.read);
        match self.ready(PollFlags::IN, &wait)? {
            None => Err(self.silent(wait.limit())),
            Some(_) => Ok(()),
        }
    }

    fn silent(&self, limit: Duration) -> Error {
        let begun = self.fill > self.start;
        let doing = if begun { "reading the answer" } else { "waiting for the answer" };
        Error::TimedOut { doing, after: limit, ran: Ran::Maybe }
    }

    /// Waits until the socket is ready for one of these. None if the wait is over before: it is
    /// looked at first, since a daemon that sends byte by byte always has something ready.
    fn ready(&self, interest: PollFlags, wait: &Wait) -> Result<Option<PollFlags>> {
        loop {
            let left = wait.left();
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), interest)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(Some(fds[0].revents())),
                Err(errno) => return Err(Error::io("waiting for the daemon", errno)),
            }
        }
    }

    /// Reads one whole answer; what is pushed beside it is passed over.
    fn read(&mut self, terms: &Terms<'_>) -> Result<Reply> {
        loop {
            if let Some(reply) = self.item(terms)? {
                return Ok(reply);
            }
        }
    }

    /// Reads one whole answer; none if it was pushed.
    fn item(&mut self, terms: &Terms<'_>) -> Result<Option<Reply>> {
        let limit = terms.limits.answer;
        let not_resp = |NotResp(why)| Error::Protocol(why);
        let mut scanner = Scanner::new();
        loop {
            let need = match scanner.scan(&self.input[self.start..self.fill]).map_err(not_resp)? {
                Scan::Whole { len, .. } if len > limit => {
                    return Err(Error::AnswerTooBig { limit });
                }
                Scan::Whole { len, push } => {
                    let reply = answer::read(&self.input[self.start..self.start + len]);
                    self.use_up(len);
                    return if push { Ok(None) } else { reply.map(Some).map_err(not_resp) };
                }
                Scan::More { need } => need,
            };
            if need > limit {
                return Err(Error::AnswerTooBig { limit });
            }
            self.fill(need, terms)?;
        }
    }

    /// The length of the answer if that is long bytes. Their head is used up then.
    fn begin_long(&mut self, terms: &Terms<'_>) -> Result<Option<usize>> {
        loop {
            let here = &self.input[self.start..self.fill];
            let end = here.iter().position(|&b| b == b'\n');
            match (here.first(), end) {
                (Some(b'>'), _) => drop(self.item(terms)?),
                (Some(b'$'), Some(end)) => {
                    let digits = std::str::from_utf8(here[1..end].trim_ascii_end()).ok();
                    let size = digits.and_then(|digits| digits.parse().ok());
                    let size = size.filter(|size| *size > LONG);
                    self.start += if size.is_some() { end + 1 } else { 0 };
                    return Ok(size);
                }
                (None, _) | (Some(b'$'), None) if here.len() < LONG => {
                    self.fill(here.len() + 1, terms)?;
                }
                _ => return Ok(None),
            }
        }
    }

    /// Gives long bytes as they come.
    fn read_long(
        &mut self,
        size: usize,
        terms: &Terms<'_>,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut left = size;
        while left > 0 {
            if self.start == self.fill {
                (self.start, self.fill) = (0, 0);
                self.fill(LONG, terms).map_err(|error| match error {
                    Error::CutOff { ran, .. } => Error::CutOff { received: size - left, ran },
                    error => error,
                })?;
            }
            let end = self.fill.min(self.start.saturating_add(left));
            each(&self.input[self.start..end])?;
            left -= end - self.start;
            self.start = end;
        }
        while self.fill - self.start < b"\r\n".len() {
            self.fill(b"\r\n".len(), terms)?;
        }
        if !self.input[self.start..self.fill].starts_with(b"\r\n") {
            return Err(Error::Protocol("bytes that are longer than their length".into()));
        }
        self.use_up(b"\r\n".len());
        Ok(())
    }

    /// So many bytes of what was read are done with.
    fn use_up(&mut self, len: usize) {
        self.start += len;
        if self.start == self.fill {
            (self.start, self.fill) = (0, 0);
            if self.input.len() > BUFFER {
                self.input = Vec::new();
            }
        }
    }

    /// Reads more, having room for `need` unused bytes at least.
    fn fill(&mut self, need: usize, terms: &Terms<'_>) -> Result<()> {
        if self.start + need > self.input.len() {
            self.input.copy_within(self.start..self.fill, 0);
            self.fill -= std::mem::take(&mut self.start);
        }
        if need > self.input.len() {
            // Only doubled, so that a length alone does not take memory.
            self.input.resize((self.input.len() * 2).max(BUFFER), 0);
        }
        if terms.is_limited() {
            self.wait_to_read(terms)?;
        }
        loop {
            return match self.stream.read(&mut self.input[self.fill..]) {
                Ok(0) => Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe }),
                Ok(n) => {
                    self.fill += n;
                    Ok(())
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {
                    // The socket's own timeout would begin anew with each signal.
                    self.wait_to_read(terms)?;
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    Err(self.silent(terms.limits.read.unwrap_or_default()))
                }
                // unix(7): the peer closed with our bytes unread, so the command was not run.
                Err(e) if e.kind() == ErrorKind::ConnectionReset && self.fill == self.start => {
                    Err(Error::CutOff { received: 0, ran: Ran::No })
                }
                Err(e) if e.kind() == ErrorKind::ConnectionReset => {
                    Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe })
                }
                Err(e) => Err(Error::io("reading the answer", e)),
            };
        }
    }
}
