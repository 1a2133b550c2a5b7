//! An answer, whoever it is for.

use std::borrow::Cow;
use std::cell::Cell;

use super::{Protocol, encode};
use crate::error::Failure;

/// An answer: what a handler returns and what a client receives.
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
/// On a line, what is nested inside an item is one row: its parts with a tab between them. So a
/// list of tuples is a table that `cut` and `awk` read.
///
/// Text alone is written as it is. Inside a list, a set or a map its tab, newline, carriage return and
/// backslash are written as `\t`, `\n`, `\r` and `\\`, so that no text can make another column or row.
/// To read a column back, replace these four from left to right, as `printf %b` does in a shell. A
/// `None` has as many columns as a `Some`; a list or a map inside a row has as many as it has items, so
/// put it last.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// Done, and there is nothing to say.
    Ok,
    /// A short word about what happened, such as `PONG`.
    Status(Cow<'static, str>),
    /// There is no value.
    Null,
    /// There is no value, where a value takes this number of columns:
    /// [`IntoReply::COLUMNS`](crate::IntoReply::COLUMNS).
    #[doc(hidden)]
    Nulls(usize),
    /// Yes or no.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer beyond 64 bits, in decimal.
    Big(String),
    /// A floating-point number.
    Float(f64),
    /// Text or any other bytes.
    Bytes(Vec<u8>),
    /// Several values in order.
    List(Vec<Reply>),
    /// Several values without an order.
    Set(Vec<Reply>),
    /// Keys and values.
    Map(Vec<(Reply, Reply)>),
    /// The command failed.
    Error(Failure),
}

impl Reply {
    /// Text or any other bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// A map with text as keys, in the order given.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Reply)>) -> Self {
        Self::Map(pairs.into_iter().map(|(k, v)| (Self::bytes(k.into()), v)).collect())
    }

    /// The bytes that line mode answers with: what `nc` would print.
    ///
    /// ```
    /// use dockipc::{IntoReply, Reply};
    ///
    /// let rows = vec![(1, "buy milk"), (2, "call Ada")];
    /// assert_eq!(rows.into_reply().into_line(), b"1\tbuy milk\n2\tcall Ada\n");
    /// ```
    pub fn into_line(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::reply(self, Protocol::Line, &mut bytes);
        bytes
    }

    /// What a person is told that came instead of what was wanted.
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
        }
    }
}

thread_local! {
    /// The buffer of the last small answer of this thread, so that an answer from borrowed bytes
    /// need not allocate.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Above this many bytes a buffer is not kept.
const SPARE_LIMIT: usize = 64 * 1024;

/// Gives the buffer of an answer that has been written back for the next one.
pub(super) fn recycle(mut buffer: Vec<u8>) {
    if (1..=SPARE_LIMIT).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.set(buffer);
    }
}

/// Borrowed bytes as an answer.
pub(crate) fn copied(bytes: &[u8]) -> Reply {
    let mut buffer = SPARE.take();
    buffer.extend_from_slice(bytes);
    Reply::Bytes(buffer)
}

/// The shortest decimal that reads back as the same number; an exponent where digits would be many.
pub(crate) fn float_text(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "nan".into()
    } else if size != 0.0 && size.is_finite() && !(1e-5..1e17).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}
