//! Reading an answer in pieces, as it arrives.

use super::event::Kind;
use super::{AnswerPart, Connection, STREAM_THRESHOLD};
use crate::client::limits::CallLimits;
use crate::error::{Error, Ran, Result};
use crate::wire::answer::{Next, NotResp, Piece, Pieces};

impl Connection {
    /// Passes on the rows in front of an answer, and `None` before each wait. Returns whether the answer is text,
    /// a list, a set or a map, which can be read in pieces.
    pub(super) fn read_rows(
        &mut self,
        call: &CallLimits<'_>,
        each: &mut impl FnMut(AnswerPart<'_>) -> Result<()>,
    ) -> Result<bool> {
        let mut has_items = false;
        loop {
            match self.next_kind(call)? {
                Kind::Item => {
                    if !std::mem::replace(&mut has_items, true) {
                        each(AnswerPart::Items)?;
                    }
                    self.read_pieces(call, |piece| each(AnswerPart::Piece(piece)))?;
                }
                Kind::Push => drop(self.read_frame(call)?),
                Kind::Answer(first) => return Ok(b"$*~%".contains(&first)),
            }
        }
    }

    /// Passes on the pieces of an answer, and `None` before each wait and at the end. The answer may
    /// have any size; the limit applies to each piece.
    pub(super) fn read_pieces(
        &mut self,
        call: &CallLimits<'_>,
        mut each: impl FnMut(Option<Piece<'_>>) -> Result<()>,
    ) -> Result<()> {
        let limit = call.limits.answer.max(STREAM_THRESHOLD);
        // The number of bytes of the answer so far, without the length in front of a long text.
        let (mut pieces, mut received) = (Pieces::default(), 0);
        loop {
            let input = self.unread();
            let mut rest = input;
            let next = pieces.next(&mut rest).map_err(|NotResp(why)| Error::Protocol(why))?;
            let taken = input.len() - rest.len();
            received += match &next {
                Next::Piece(Piece::Part { bytes, .. }) => bytes.len(),
                _ => taken,
            };
            let need = match next {
                Next::Piece(piece) => {
                    each(Some(piece))?;
                    self.start += taken;
                    continue;
                }
                Next::Whole => {
                    self.consume(taken);
                    return each(None);
                }
                Next::More(need) if need > limit => return Err(Error::AnswerTooBig { limit }),
                Next::More(need) => need,
            };
            self.start += taken;
            each(None)?;
            if self.unread().is_empty() {
                self.input.clear();
                self.start = 0;
            }
            self.fill(need.max(STREAM_THRESHOLD), call).map_err(|error| match error {
                Error::CutOff { received: rest, .. } => {
                    Error::CutOff { received: received + rest, ran: Ran::Maybe }
                }
                error => error,
            })?;
        }
    }
}
