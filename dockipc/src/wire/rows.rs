//! Writes an answer as line mode does, piece by piece.

use super::answer::{Piece, Shape};
use super::encode::row;
use super::escape_into;

/// The state between two pieces of an answer. The bytes are those of
/// [`Reply::into_line`](super::Reply::into_line).
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The number of lists and maps that are open.
    depth: usize,
    /// Whether each row is the key and the value of a map.
    are_pairs: bool,
    /// Whether the row has a key, and the value follows.
    has_key: bool,
    /// Whether the row has a column.
    is_begun: bool,
    /// Whether a part of a long text was written, and more follow.
    is_in_text: bool,
}

impl Rows {
    /// Returns whether the answer is a single value.
    pub(crate) fn is_single(&self) -> bool {
        self.depth == 0
    }

    /// Appends the bytes of the next piece.
    pub(crate) fn add(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Begin(shape) => {
                if self.is_single() {
                    self.are_pairs = shape == Shape::Map;
                }
                self.depth += 1;
                return;
            }
            Piece::End => self.depth -= 1,
            Piece::Text(bytes) => self.text(bytes, out),
            Piece::Part { bytes, left } => {
                self.text(bytes, out);
                self.is_in_text = left > 0;
                if self.is_in_text {
                    return;
                }
            }
            Piece::Value(reply) if self.is_single() => out.extend_from_slice(&reply.into_line()),
            Piece::Value(reply) => {
                let mut is_first = !self.is_begun;
                row(reply, &mut is_first, out);
                self.is_begun = !is_first;
            }
        }
        if self.depth == 1 {
            self.has_key = self.are_pairs && !self.has_key;
            if !self.has_key {
                out.push(b'\n');
                self.is_begun = false;
            }
        }
    }

    fn text(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.is_single() {
            out.extend_from_slice(bytes);
            return;
        }
        if std::mem::replace(&mut self.is_begun, true) && !self.is_in_text {
            out.push(b'\t');
        }
        escape_into(bytes, out);
    }
}
