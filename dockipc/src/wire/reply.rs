//! [`Reply`], the answer to a command.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use super::encode;
use crate::error::Failure;

/// An answer, as a handler returns it and a client receives it.
///
/// | reply | line | RESP2 | RESP3 |
/// | --- | --- | --- | --- |
/// | `Ok` | nothing | `+OK` | `+OK` |
/// | `Status` | the word | simple string | simple string |
/// | `Null` | nothing | `$-1` | `_` |
/// | `Bool` | `true`, `false` | `:1`, `:0` | `#t`, `#f` |
/// | `Int` | decimal | `:` | `:` |
/// | `Big` | decimal | bulk | bulk |
/// | `Float` | shortest decimal | bulk | `,` |
/// | `Bytes` | the bytes, nothing added | bulk | bulk |
/// | `List`, `Set` | each item and a `\n` | array | array, `~` |
/// | `Map` | key, a tab, value, `\n` | flat array | `%` |
/// | `Error` | `-CODE message\n` | error | error |
///
/// In RESP3, a map with a list, a set or a map as a key is an array of pairs, and a set with such an item
/// is an array: many clients can't put those into a hash table.
///
/// In line mode, an item with nested values is one row with a tab between the values. So a list of
/// tuples is a table that `cut` and `awk` read.
///
/// Text alone is written unchanged. Inside a list, a set or a map, its tabs, newlines, carriage returns
/// and backslashes are written as `\t`, `\n`, `\r` and `\\`, so that text can't add a column or a row.
/// To read a column back, replace these four from left to right, as `printf %b` does in a shell. A
/// `None` has as many columns as a `Some`. A list or map inside a row has a column for each item, so
/// put it last.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
// A tag of one byte would have the other fifteen moved in pieces.
#[repr(u64)]
pub enum Reply {
    /// Success without a value.
    Ok,
    /// A status word, such as `PONG`.
    Status(Cow<'static, str>),
    /// No value.
    Null,
    /// No value where a value would have this number of columns
    /// ([`IntoReply::COLUMNS`](crate::IntoReply::COLUMNS)).
    #[doc(hidden)]
    Nulls(usize),
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// An integer beyond 64 bits, in decimal.
    Big(String),
    /// A floating-point number.
    Float(f64),
    /// Text or other bytes.
    Bytes(Vec<u8>),
    /// An ordered list of values.
    List(Vec<Reply>),
    /// A set of values.
    Set(Vec<Reply>),
    /// Pairs of keys and values.
    Map(Vec<(Reply, Reply)>),
    /// The failure of the command.
    Error(Failure),
    /// A value that line mode writes in a form of its own.
    #[doc(hidden)]
    Formed(Box<Formed>),
}

/// A value with a form of its own.
///
/// A program in which no answer has such a form does not contain the code that writes it.
#[doc(hidden)]
#[derive(Clone)]
pub struct Formed {
    pub(crate) value: Reply,
    /// Appends the bytes of line mode.
    pub(crate) line: fn(Formed, &mut Vec<u8>),
    /// The bytes of line mode, if the answer was kept and the type that it was made of is not known.
    pub(crate) kept: Vec<u8>,
    /// Whether the value is JSON text.
    pub(crate) is_json: bool,
}

/// Only the values decide: the rest follows from their types.
impl PartialEq for Formed {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Formed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// The names of a table's columns, and how many columns each name stands for.
pub(crate) type Header = &'static [(&'static str, usize)];

impl Reply {
    /// Makes a reply of text or other bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// Makes a map with text keys, in the given order.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Reply)>) -> Self {
        Self::Map(pairs.into_iter().map(|(k, v)| (Self::bytes(k.into()), v)).collect())
    }

    /// Returns the bytes of the answer in line mode, as `nc` prints them.
    ///
    /// ```
    /// use dockipc::{IntoReply, Reply};
    ///
    /// let rows = vec![(1, "buy milk"), (2, "call Ada")];
    /// assert_eq!(rows.into_reply().into_line(), b"1\tbuy milk\n2\tcall Ada\n");
    /// ```
    pub fn into_line(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            reply => {
                let mut bytes = Vec::new();
                encode::line(reply, &mut bytes);
                bytes
            }
        }
    }

    /// Returns about how many bytes it takes on the wire.
    pub(crate) fn size(&self) -> usize {
        const HEADER: usize = 8;
        HEADER
            + match self {
                Self::Bytes(bytes) => bytes.len(),
                Self::Big(text) => text.len(),
                Self::Status(text) => text.len(),
                Self::List(items) | Self::Set(items) => items.iter().map(Self::size).sum(),
                Self::Map(pairs) => {
                    pairs.iter().map(|(key, value)| key.size() + value.size()).sum()
                }
                Self::Error(failure) => failure.message().len(),
                Self::Formed(formed) => formed.value.size(),
                _ => 0,
            }
    }

    /// Describes the reply for the message of [`Error::Mismatch`](crate::Error::Mismatch).
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Ok => "OK".into(),
            Self::Status(word) => format!("the word {word}"),
            Self::Null | Self::Nulls(_) => "nothing".into(),
            Self::Bool(value) => format!("the boolean {value}"),
            Self::Int(value) => format!("the integer {value}"),
            Self::Big(value) => format!("the integer {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Bytes(bytes) if bytes.len() <= 40 => format!("\"{}\"", bytes.escape_ascii()),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Set(items) => format!("a set of {}", items.len()),
            Self::Map(pairs) => format!("a map of {}", pairs.len()),
            Self::Error(failure) => format!("the error {}", failure.code()),
            Self::Formed(formed) => formed.value.describe(),
        }
    }
}

thread_local! {
    /// The buffer of this thread's last small answer, reused so that an answer from borrowed bytes does
    /// not allocate.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The largest capacity of a spare buffer, in bytes.
const SPARE_LIMIT: usize = 64 * 1024;

/// Keeps the buffer of a written answer for the next one.
pub(super) fn recycle(mut buffer: Vec<u8>) {
    if (1..=SPARE_LIMIT).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.set(buffer);
    }
}

/// Returns an empty buffer.
pub(super) fn spare() -> Vec<u8> {
    SPARE.take()
}

/// Makes an answer of borrowed bytes.
pub(crate) fn copied(bytes: &[u8]) -> Reply {
    let mut buffer = spare();
    buffer.extend_from_slice(bytes);
    Reply::Bytes(buffer)
}
