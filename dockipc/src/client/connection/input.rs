//! Reading answers: the input buffer, and the frames in it.

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::{BUFFER_SIZE, Connection, FIRST_ROOM, STREAM_THRESHOLD};
use crate::client::limits::CallLimits;
use crate::client::progress::report;
use crate::error::{Error, Ran, Result};
use crate::reply::Reply;
use crate::wire::answer::{self, NotResp, Scan, Scanner};

/// A whole frame.
pub(in crate::client) enum Frame {
    Answer(Reply),
    /// A push frame, which is not the answer.
    Push(Reply),
}

/// The input, as far as the next frame.
pub(super) enum Next {
    Whole(Frame),
    /// The frame has at least this length, and is not there.
    More(usize),
}

impl Connection {
    /// Reads one whole answer, skipping push frames.
    pub(super) fn read(&mut self, call: &CallLimits<'_>) -> Result<Reply> {
        loop {
            if let Some(reply) = self.read_frame(call)? {
                return Ok(reply);
            }
        }
    }

    /// Reads one whole frame; `None` if it is a push frame.
    pub(super) fn read_frame(&mut self, call: &CallLimits<'_>) -> Result<Option<Reply>> {
        match self.read_any(call)? {
            Frame::Answer(reply) => Ok(Some(reply)),
            Frame::Push(push) => {
                report(&push, call);
                Ok(None)
            }
        }
    }

    /// Reads one whole frame.
    pub(in crate::client) fn read_any(&mut self, call: &CallLimits<'_>) -> Result<Frame> {
        let mut scanner = Scanner::new();
        loop {
            let need = match self.next_frame(&mut scanner, call)? {
                Next::Whole(frame) => return Ok(frame),
                Next::More(need) => need,
            };
            if need > STREAM_THRESHOLD && self.unread().starts_with(b"$") {
                return self.read_long(need, call).map(|bytes| Frame::Answer(Reply::Bytes(bytes)));
            }
            self.fill(need, call)?;
        }
    }

    /// Takes a whole frame from the input, if there is one.
    pub(super) fn next_frame(
        &mut self,
        scanner: &mut Scanner,
        call: &CallLimits<'_>,
    ) -> Result<Next> {
        let limit = call.limits.answer;
        if let Some((bytes, len)) = answer::whole_bulk(self.unread())
            && len <= limit
        {
            let reply = Reply::bytes(bytes);
            self.consume(len);
            return Ok(Next::Whole(Frame::Answer(reply)));
        }
        let not_resp = |NotResp(why)| Error::Protocol(why);
        match scanner.scan(self.unread()).map_err(not_resp)? {
            Scan::Whole { len: need, .. } | Scan::More { need } if need > limit => {
                Err(Error::AnswerTooBig { limit })
            }
            Scan::Whole { len, push } => {
                let reply = answer::read(&self.unread()[..len]);
                self.consume(len);
                let reply = reply.map_err(not_resp)?;
                Ok(Next::Whole(if push { Frame::Push(reply) } else { Frame::Answer(reply) }))
            }
            Scan::More { need } => Ok(Next::More(need)),
        }
    }

    /// Reads a long bulk string, whose header is in the input. The input buffer becomes the answer, so
    /// that only the kernel copies its bytes. `len` is the length of the frame.
    fn read_long(&mut self, len: usize, call: &CallLimits<'_>) -> Result<Vec<u8>> {
        let head = self.unread().iter().take_while(|&&b| b != b'\n').count() + 1;
        let size = len - head - b"\r\n".len();
        let begun = |error, before| match error {
            Error::CutOff { received, .. } => {
                Error::CutOff { received: before + received, ran: Ran::Maybe }
            }
            Error::TimedOut { after, ran, .. } => {
                Error::TimedOut { doing: "reading the answer", after, ran }
            }
            error => error,
        };
        self.input.drain(..std::mem::take(&mut self.start) + head);
        while self.input.len() < size {
            if self.input.len() == self.input.capacity() {
                // Only double it: a claimed length alone must not allocate memory.
                let room = (size - self.input.len()).min(self.input.len().max(FIRST_ROOM));
                self.input.reserve_exact(room);
            }
            self.receive(call).map_err(|error| begun(error, head))?;
        }
        let after = self.input.split_off(size);
        let bytes = std::mem::replace(&mut self.input, after);
        self.end_bulk(call).map_err(|error| begun(error, head + size))?;
        Ok(bytes)
    }

    /// Consumes the end of a bulk string.
    fn end_bulk(&mut self, call: &CallLimits<'_>) -> Result<()> {
        while self.unread().len() < b"\r\n".len() {
            self.fill(b"\r\n".len(), call)?;
        }
        if !self.unread().starts_with(b"\r\n") {
            return Err(Error::Protocol("bulk string not terminated by CRLF".into()));
        }
        self.consume(b"\r\n".len());
        Ok(())
    }

    /// Returns the input that is not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// Marks input bytes as consumed.
    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start == self.input.len() {
            self.start = 0;
            self.input.clear();
            if self.input.capacity() > BUFFER_SIZE {
                self.input = Vec::new();
            }
        }
    }

    /// Reads more bytes, into a buffer with room for at least `need` unconsumed ones.
    pub(super) fn fill(&mut self, need: usize, call: &CallLimits<'_>) -> Result<()> {
        self.reserve(need);
        self.receive(call)
    }

    /// Makes room for at least `need` unconsumed bytes.
    pub(super) fn reserve(&mut self, need: usize) {
        if self.start + need > self.input.capacity() {
            self.input.drain(..std::mem::take(&mut self.start));
        }
        if need > self.input.capacity() {
            // Only double it: a claimed length alone must not allocate memory.
            let capacity = (self.input.capacity() * 2).max(BUFFER_SIZE);
            self.input.reserve_exact(capacity - self.input.len());
        }
    }

    /// Reads into the spare capacity of the input buffer.
    fn receive(&mut self, call: &CallLimits<'_>) -> Result<()> {
        if let Some(body) = call.body {
            body.pump(&self.stream, call)?;
        }
        if call.has_deadline() {
            self.wait_to_read(call)?;
        }
        loop {
            let received = self.unread().len();
            let spare = rustix::buffer::spare_capacity(&mut self.input);
            return match rustix::net::recv(&self.stream, spare, RecvFlags::empty()) {
                Ok((_, 0)) => Err(Error::CutOff { received, ran: Ran::Maybe }),
                Ok(_) => Ok(()),
                Err(Errno::INTR) => {
                    // The socket's own timeout would restart with each signal.
                    self.wait_to_read(call)?;
                    continue;
                }
                Err(Errno::AGAIN) => Err(self.read_timed_out(call.limits.read.unwrap_or_default())),
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
}
