//! Decodes bytes into commands and encodes replies into bytes. Knows no socket and no command.
//!
//! [`Decoder`] finds the commands in a client's bytes; [`words`] splits a line; [`encode`] writes a
//! reply in the connection's [`Protocol`]; [`answer`] is the client's side, which reads a reply back.

pub(crate) mod answer;
mod body;
mod decode;
pub(crate) mod encode;
mod escape;
mod float;
#[cfg(any(feature = "cli", feature = "json"))]
pub(crate) mod json;
mod outgoing;
mod reply;
pub(crate) mod rows;
pub(crate) mod words;

pub(crate) use body::{Frames, Part};
pub(crate) use decode::{Decoded, Decoder, Frame, NOT_BODY, check_text};
pub(crate) use escape::{escape_into, unescape};
pub(crate) use float::float_text;
pub(crate) use outgoing::Outgoing;
pub use reply::Reply;
pub(crate) use reply::{Formed, Header, copied};

#[cfg(any(test, fuzzing))]
pub(crate) mod check;
#[cfg(any(test, fuzzing))]
mod model;
#[cfg(test)]
mod tests;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Line mode: one line, its raw answer, end of the connection.
    Line,
    /// Version 2 of RESP, which every Redis client speaks.
    Resp2,
    /// Version 3 of RESP, selected with `HELLO 3`.
    Resp3,
}

/// A range of the input, or of the text beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) base: Base,
}

/// The buffer that a [`Span`] points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// The bytes that the client sent.
    Input,
    /// The text of unquoted and joined words.
    Text,
}

impl Span {
    pub(crate) fn input(start: usize, end: usize) -> Self {
        Self { start, end, base: Base::Input }
    }

    /// Returns the bytes of the span. The caller passes the two buffers that it was made for.
    pub(crate) fn of<'r>(self, input: &'r [u8], text: &'r [u8]) -> &'r [u8] {
        let buffer = match self.base {
            Base::Input => input,
            Base::Text => text,
        };
        &buffer[self.start..self.end]
    }
}
