//! Commands as they are sent.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::word::ToArg;
use crate::buffer::{Buffer, wipe};
use crate::wire::words::Splitter;
use crate::wire::{Base, encode};

/// Commands as they are sent.
#[derive(Clone, Copy)]
pub(super) struct Commands<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) count: usize,
    /// The length of the first command: when less was sent, none was run.
    pub(super) first: usize,
    /// Whether the connection is as good for the next call as it was.
    pub(super) keeps: bool,
    /// Long bytes are given as they come.
    pub(super) in_parts: bool,
    pub(super) again: Again<'b>,
}

/// Whether to make a call again that may have run.
#[derive(Clone, Copy)]
pub(super) enum Again<'b> {
    No,
    /// The caller says that it may run twice.
    Yes,
    /// If the daemon says so of the command with this name.
    Ask(&'b [u8]),
}

/// One command being put together, with room for its count in front.
#[derive(Clone)]
pub(super) struct Words {
    bytes: Buffer,
    count: usize,
    /// Where the name is.
    name: Range<usize>,
}

/// Whether a connection is as good as before after a command: not if that ends the connection or
/// changes how it speaks or what it may.
pub(super) fn keeps_connection(name: &[u8]) -> bool {
    ![&b"quit"[..], b"reset", b"hello", b"auth"]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

/// Room for `*`, a count and CR LF.
const HEAD: usize = 23;

impl Words {
    pub(super) fn new(name: &str) -> Self {
        let mut bytes = Buffer::with_capacity(HEAD + name.len() + 64);
        bytes.extend_from_slice(&[0; HEAD]);
        let mut words = Self { bytes, count: 0, name: 0..0 };
        words.add(name);
        let end = words.bytes.len() - b"\r\n".len();
        words.name = end - name.len()..end;
        words
    }

    pub(super) fn add<T: ToArg>(&mut self, value: T) {
        if let Some(word) = value.to_arg() {
            if cfg!(feature = "zeroize") {
                // Its length before it, and a line end.
                self.bytes.reserve(HEAD + word.len() + b"\r\n".len());
            }
            encode::bulk(&word, self.bytes.as_vec());
            self.count += 1;
            if let (true, Cow::Owned(mut word)) = (T::SECRET, word) {
                wipe(&mut word);
            }
        }
    }

    /// The whole command.
    pub(super) fn command(&mut self) -> Commands<'_> {
        let mut head = Vec::with_capacity(HEAD);
        encode::length(b'*', self.count, &mut head);
        let start = HEAD - head.len();
        self.bytes.as_vec()[start..HEAD].copy_from_slice(&head);
        let (bytes, name) = (&self.bytes[start..], &self.bytes[self.name.clone()]);
        let keeps = keeps_connection(name);
        Commands {
            bytes,
            count: 1,
            first: bytes.len(),
            keeps,
            in_parts: false,
            again: Again::Ask(name),
        }
    }
}

/// The name alone: others may be secrets.
impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.bytes[self.name.clone()]);
        write!(f, "{name:?} and {} more", self.count.saturating_sub(1))
    }
}

/// The name on a line, as the daemon finds it. None if there is none, or a quote is not closed.
pub(super) fn name_on(line: &str) -> Option<Cow<'_, [u8]>> {
    let line = line.strip_suffix('\r').unwrap_or(line).as_bytes();
    let mut text = Vec::new();
    let span = Splitter::new(line).next(&mut text).ok()??;
    Some(match span.base {
        Base::Input => Cow::Borrowed(&line[span.start..span.end]),
        Base::Text => Cow::Owned(text),
    })
}
