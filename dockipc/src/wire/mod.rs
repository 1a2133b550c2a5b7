//! Bytes to requests and replies to bytes. No sockets in here.
//!
//! [`Decoder`] finds the commands in what a client sent; [`words`] splits a line; [`encode`] writes
//! a reply in the form of the connection's [`Protocol`]; [`answer`] is the client's side, which
//! reads a reply back.

pub(crate) mod answer;
mod decode;
pub(crate) mod encode;
mod escape;
mod reply;
pub(crate) mod words;

pub(crate) use decode::{Decoded, Decoder, Frame, check_text};
pub(crate) use escape::escape_into;
pub use reply::Reply;
pub(crate) use reply::{copied, float_text};

#[cfg(any(test, fuzzing))]
pub(crate) mod check;
#[cfg(any(test, fuzzing))]
mod model;
#[cfg(test)]
mod tests;

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One line, its raw answer, end of connection.
    Line,
    /// The second version of RESP, which every Redis client speaks.
    Resp2,
    /// The third version of RESP, asked for with `HELLO 3`.
    Resp3,
}

/// A piece of the input, or of the text beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) base: Base,
}

/// What a [`Span`] points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// The bytes as the client sent them.
    Input,
    /// What had to be written anew: a word with quotes taken off, words joined.
    Text,
}

impl Span {
    pub(crate) fn input(start: usize, end: usize) -> Self {
        Self { start, end, base: Base::Input }
    }

    /// The bytes that are meant. A span is only ever made for the two buffers it is used with.
    pub(crate) fn of<'r>(self, input: &'r [u8], text: &'r [u8]) -> &'r [u8] {
        let buffer = match self.base {
            Base::Input => input,
            Base::Text => text,
        };
        &buffer[self.start..self.end]
    }
}
