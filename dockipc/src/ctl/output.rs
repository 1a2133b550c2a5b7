//! Where an answer goes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::complaint::Complaint;
use crate::reply::Reply;

/// Standard output, or a file.
pub(super) struct Output {
    to: To,
    /// The last byte that was written.
    last: Option<u8>,
    /// A file that has its old bytes. It keeps them if there is no answer.
    is_old: bool,
}

enum To {
    Terminal(StdoutLock<'static>),
    Pipe(StdoutLock<'static>),
    File(File),
}

/// What a terminal is not given.
const BINARY: &str = "the answer is binary, which a terminal can't show: use -o FILE, or a pipe";

impl Output {
    /// Standard output, or this file.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, Complaint> {
        let to = match file {
            Some(file) => To::File(
                File::options().write(true).create(true).truncate(false).open(file).map_err(
                    |error| Complaint::io(&format!("opening {}", file.display()), &error),
                )?,
            ),
            None if io::stdout().is_terminal() => To::Terminal(io::stdout().lock()),
            None => To::Pipe(io::stdout().lock()),
        };
        Ok(Self { to, last: None, is_old: file.is_some() })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.to, To::Terminal(_))
    }

    /// Ends an answer. Where answers stand below one another, each ends its line.
    pub(super) fn end(&mut self, is_one_of_many: bool) -> io::Result<()> {
        self.clear()?;
        let is_open = self.last.take().is_some_and(|last| last != b'\n');
        if is_open && (is_one_of_many || self.is_terminal()) {
            self.inner().write_all(b"\n")?;
        }
        self.inner().flush()
    }

    /// Takes the old bytes out of the file, once. A pipe or a device has none.
    fn clear(&mut self) -> io::Result<()> {
        if let To::File(file) = &self.to
            && std::mem::take(&mut self.is_old)
            && file.metadata()?.is_file()
        {
            file.set_len(0)?;
        }
        Ok(())
    }

    fn inner(&mut self) -> &mut dyn Write {
        match &mut self.to {
            To::Terminal(out) | To::Pipe(out) => out,
            To::File(file) => file,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_terminal() && is_binary(bytes) {
            return Err(io::Error::other(BINARY));
        }
        self.clear()?;
        let written = self.inner().write(bytes)?;
        self.last = bytes[..written].last().copied().or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// How wide the terminal is.
pub(super) fn width() -> usize {
    comfy_table::Table::new().width().map_or(80, usize::from).max(20)
}

/// Whether bytes would do something to a terminal, or are no text. Their ends may be within a
/// character.
fn is_binary(bytes: &[u8]) -> bool {
    let control = |b: &u8| (*b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0x7f;
    let start = bytes.iter().take(3).take_while(|b| **b & 0b1100_0000 == 0b1000_0000).count();
    let is_text = match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => !text.chars().any(|char| matches!(char, '\u{80}'..='\u{9f}')),
        Err(error) => error.error_len().is_none(),
    };
    bytes.iter().any(control) || !is_text
}

/// A text that is not this program's, such as a file's name or what a daemon says, as a part of one
/// line: what would begin another line or column, or do something to a terminal, is escaped as
/// COPY of `PostgreSQL` does (`\n`, `\t`, `\x1b`).
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            char if is_unsafe(char) => {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String does not fail.
                    let _ = write!(escaped, "\\x{byte:02x}");
                }
            }
            char => escaped.push(char),
        }
    }
    escaped.into()
}

/// The same for a column of a row that programs read: a backslash is two, and what is no text is
/// `\xff`, so that it can be read back.
pub(super) fn field(bytes: &[u8]) -> String {
    let mut field = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        field.push_str(&escaped(&chunk.valid().replace('\\', "\\\\")));
        for byte in chunk.invalid() {
            let _ = write!(field, "\\x{byte:02x}");
        }
    }
    field
}

/// Whether a character ends a line or a column, or does something to what is shown beside it: control
/// characters, line separators, and those that change the order of the text beside them.
pub(super) fn is_unsafe(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON in several lines, in which such characters are escaped as well: `serde_json` leaves those that
/// are not ASCII, and DEL.
pub(super) fn json_text(value: &Value) -> String {
    let mut text = String::new();
    for char in format!("{value:#}").chars() {
        if char != '\n' && is_unsafe(char) {
            let _ = write!(text, "\\u{:04x}", u32::from(char));
        } else {
            text.push(char);
        }
    }
    text
}

/// Whether writing failed since nobody reads any more: the end of `dockipc … | head`.
pub(super) fn is_nobody(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// An answer as JSON. Bytes that are no text are `{"base64": "…"}`, a failure inside of an answer is
/// `{"error": "CODE message"}`, a map with keys that are no text a list of pairs, and an integer of
/// more than 64 bits, or a number that JSON does not have, a text.
pub(super) fn to_json(reply: Reply) -> Value {
    match reply {
        Reply::Ok => json!("OK"),
        Reply::Status(word) => json!(word),
        Reply::Null | Reply::Nulls(_) => Value::Null,
        Reply::Bool(is) => json!(is),
        Reply::Int(int) => json!(int),
        Reply::Big(digits) => json!(digits),
        Reply::Float(float) if float.is_finite() => json!(float),
        Reply::Float(float) => json!(float.to_string()),
        Reply::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(bytes) => json!({ "base64": STANDARD.encode(bytes.as_bytes()) }),
        },
        Reply::List(items) | Reply::Set(items) => items.into_iter().map(to_json).collect(),
        Reply::Error(failure) => {
            json!({ "error": format!("{} {}", failure.code(), failure.message()) })
        }
        Reply::Map(pairs) => {
            let pairs: Vec<_> = pairs.into_iter().map(|(k, v)| (to_json(k), to_json(v))).collect();
            if pairs.iter().all(|(key, _)| key.is_string()) {
                let pairs = pairs.into_iter().filter_map(|(key, value)| match key {
                    Value::String(key) => Some((key, value)),
                    _ => None,
                });
                Value::Object(pairs.collect::<Map<_, _>>())
            } else {
                pairs.into_iter().map(|(key, value)| json!([key, value])).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, field, is_binary, json_text, to_json};
    use crate::reply::Reply;

    #[test]
    fn text_is_told_from_what_a_terminal_should_not_have() {
        for text in ["", "plain\ttext\r\n", "ä🦀"] {
            assert!(!is_binary(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"\0"[..], b"\x1b[2J", b"\xff", "\u{9b}2J".as_bytes(), b"a\x7f", b"\xc3x"] {
            assert!(is_binary(bytes), "{bytes:?}");
        }
        let crab = "🦀".as_bytes();
        for cut in 1..crab.len() {
            assert!(!is_binary(&crab[..cut]) && !is_binary(&crab[cut..]), "{cut}");
        }
    }

    #[test]
    fn what_a_daemon_says_does_nothing_to_a_terminal() {
        assert_eq!(escaped("aä🦀\\n"), "aä🦀\\n");
        assert_eq!(escaped("a\tä\n🦀"), "a\\tä\\n🦀");
        assert_eq!(escaped("\x1b[2J\r\0\u{9b}2J"), "\\x1b[2J\\r\\x00\\xc2\\x9b2J");
        assert_eq!(escaped("a\u{202e}b"), "a\\xe2\\x80\\xaeb");
        assert_eq!(field(b"a\\n\nb\xff"), "a\\\\n\\nb\\xff");
        let json = json_text(&serde_json::json!({ "a": "\x1b\x7f\u{9b}\u{202e}" }));
        assert_eq!(json, "{\n  \"a\": \"\\u001b\\u007f\\u009b\\u202e\"\n}");
    }

    #[test]
    fn an_answer_is_json() {
        let text = |text: &str| Reply::bytes(text);
        let reply = Reply::List(vec![
            Reply::Null,
            Reply::Int(-1),
            Reply::Float(1.5),
            Reply::Float(f64::NAN),
            Reply::Bytes(b"\xff\0".to_vec()),
            Reply::Map(vec![(text("b"), Reply::Bool(true)), (text("a"), Reply::Ok)]),
            Reply::Map(vec![(Reply::Int(1), text("one"))]),
        ]);
        let json = r#"[null,-1,1.5,"NaN",{"base64":"/wA="},{"b":true,"a":"OK"},[[1,"one"]]]"#;
        assert_eq!(to_json(reply).to_string(), json);
    }
}
