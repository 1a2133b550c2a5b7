//! Reading answers: the input buffer, and the frames in it.

use std::io::{ErrorKind, Read};

use super::{BUFFER_SIZE, Connection};
use crate::client::limits::CallLimits;
use crate::error::{Error, Ran, Result};
use crate::reply::Reply;
use crate::wire::answer::{self, NotResp, Scan, Scanner};

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
        let limit = call.limits.answer;
        let not_resp = |NotResp(why)| Error::Protocol(why);
        let mut scanner = Scanner::new();
        loop {
            let need = match scanner.scan(&self.input[self.start..self.fill]).map_err(not_resp)? {
                Scan::Whole { len, .. } if len > limit => {
                    return Err(Error::AnswerTooBig { limit });
                }
                Scan::Whole { len, push } => {
                    let reply = answer::read(&self.input[self.start..self.start + len]);
                    self.consume(len);
                    return if push { Ok(None) } else { reply.map(Some).map_err(not_resp) };
                }
                Scan::More { need } => need,
            };
            if need > limit {
                return Err(Error::AnswerTooBig { limit });
            }
            self.fill(need, call)?;
        }
    }

    /// Marks input bytes as consumed.
    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start == self.fill {
            (self.start, self.fill) = (0, 0);
            if self.input.len() > BUFFER_SIZE {
                self.input = Vec::new();
            }
        }
    }

    /// Reads more bytes, into a buffer with room for at least `need` unconsumed ones.
    pub(super) fn fill(&mut self, need: usize, call: &CallLimits<'_>) -> Result<()> {
        if self.start + need > self.input.len() {
            self.input.copy_within(self.start..self.fill, 0);
            self.fill -= std::mem::take(&mut self.start);
        }
        if need > self.input.len() {
            // Only double it: a claimed length alone must not allocate memory.
            self.input.resize((self.input.len() * 2).max(BUFFER_SIZE), 0);
        }
        if call.has_deadline() {
            self.wait_to_read(call)?;
        }
        loop {
            return match self.stream.read(&mut self.input[self.fill..]) {
                Ok(0) => Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe }),
                Ok(n) => {
                    self.fill += n;
                    Ok(())
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {
                    // The socket's own timeout would restart with each signal.
                    self.wait_to_read(call)?;
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    Err(self.read_timed_out(call.limits.read.unwrap_or_default()))
                }
                // unix(7): the peer closed without reading all bytes, so the command was not run.
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
