//! One connection to the daemon.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::Limits;
use crate::error::{Error, Ran, Result, code};
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
    /// Whether the handshake has been sent.
    greeted: bool,
}

/// Asks for RESP3, whose answers keep their types.
const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// The size of a fresh buffer; a larger one is not kept.
const BUFFER: usize = 8 * 1024;

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), start: 0, fill: 0, read_timeout: None, greeted: false }
    }

    /// Whether nothing was read that belongs to no call.
    pub(super) fn is_clean(&self) -> bool {
        self.fill == 0
    }

    /// Sends commands and reads their answers.
    pub(super) fn exchange(
        &mut self,
        commands: &[u8],
        count: usize,
        limits: &Limits,
        each: &mut impl FnMut(Reply),
    ) -> Result<()> {
        if self.read_timeout != limits.read {
            let set = self.stream.set_read_timeout(limits.read);
            set.map_err(|e| Error::io("setting a timeout", e))?;
            self.read_timeout = limits.read;
        }
        if self.greeted {
            self.send(commands, count, limits)?;
        } else if let Err(error) = self.send(&[HELLO, commands].concat(), count, limits) {
            // It may have said why before it closed: too many connections, for example.
            if let Error::CutOff { .. } = error
                && let Ok(Reply::Error(refusal)) = self.read(limits)
            {
                return Err(Error::Refused(refusal));
            }
            return Err(error);
        }
        if !self.greeted {
            // A server without RESP3 says so, and answers the commands all the same.
            let room = Limits { answer: limits.answer.max(BUFFER), ..*limits };
            if let Reply::Error(failure) = self.read(&room)?
                && failure.code() == code::BUSY
            {
                return Err(Error::Refused(failure));
            }
            self.greeted = true;
        }
        for _ in 0..count {
            match self.read(limits) {
                Ok(reply) => each(reply),
                // Of several commands some may have been read.
                Err(Error::CutOff { received, .. }) if count > 1 => {
                    return Err(Error::CutOff { received, ran: Ran::Maybe });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends everything. Meanwhile answers are taken in, or a daemon that waits for its answers to
    /// be read and a client that waits to be read would wait for each other.
    fn send(&mut self, bytes: &[u8], count: usize, limits: &Limits) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            // What was not sent whole was not run. Of several commands the first may be.
            let ran = if sent == 0 || count == 1 { Ran::No } else { Ran::Maybe };
            // Without MSG_NOSIGNAL a closed connection could end the program, send(2).
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::send(&self.stream, &bytes[sent..], flags) {
                Ok(n) => sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_to_send(count, ran, limits)?,
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    return Err(Error::CutOff { received: 0, ran });
                }
                Err(errno) => return Err(Error::io("sending the command", errno)),
            }
        }
        Ok(())
    }

    fn wait_to_send(&mut self, count: usize, ran: Ran, limits: &Limits) -> Result<()> {
        let here = self.fill - self.start;
        let readable = here < limits.answer.saturating_mul(count);
        let interest = if readable { PollFlags::IN | PollFlags::OUT } else { PollFlags::OUT };
        let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), interest)];
        let timeout = limits.write.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Err(Error::TimedOut {
                doing: "sending the command",
                after: limits.write.unwrap_or_default(),
                ran,
            }),
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => self.fill(here + 1, limits),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::io("waiting to send the command", errno)),
        }
    }

    /// Reads one whole answer; what is pushed beside it is passed over.
    fn read(&mut self, limits: &Limits) -> Result<Reply> {
        let not_resp = |NotResp(why)| Error::Protocol(why);
        let mut scanner = Scanner::new();
        loop {
            let need = match scanner.scan(&self.input[self.start..self.fill]).map_err(not_resp)? {
                Scan::Whole { len, .. } if len > limits.answer => {
                    return Err(Error::AnswerTooBig { limit: limits.answer });
                }
                Scan::Whole { len, push } => {
                    let reply = answer::read(&self.input[self.start..self.start + len]);
                    self.start += len;
                    if self.start == self.fill {
                        (self.start, self.fill) = (0, 0);
                        if self.input.len() > BUFFER {
                            self.input = Vec::new();
                        }
                    }
                    if push {
                        scanner = Scanner::new();
                        continue;
                    }
                    return reply.map_err(not_resp);
                }
                Scan::More { need } => need,
            };
            if need > limits.answer {
                return Err(Error::AnswerTooBig { limit: limits.answer });
            }
            self.fill(need, limits)?;
        }
    }

    /// Reads more, having room for `need` unused bytes at least.
    fn fill(&mut self, need: usize, limits: &Limits) -> Result<()> {
        if self.start + need > self.input.len() {
            self.input.copy_within(self.start..self.fill, 0);
            self.fill -= std::mem::take(&mut self.start);
        }
        if need > self.input.len() {
            // Only doubled, so that a length alone does not take memory.
            self.input.resize((self.input.len() * 2).max(BUFFER), 0);
        }
        loop {
            return match self.stream.read(&mut self.input[self.fill..]) {
                Ok(0) => Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe }),
                Ok(n) => {
                    self.fill += n;
                    Ok(())
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => Err(Error::TimedOut {
                    doing: "waiting for the answer",
                    after: limits.read.unwrap_or_default(),
                    ran: Ran::Maybe,
                }),
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
