//! Output of answers: to standard output or a file, escaped, or as JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::error::CliError;
use crate::reply::Reply;

/// The destination of an answer.
pub(super) struct Output {
    to: Destination,
    /// The last byte that was written, to end the line if it is open.
    last: Option<u8>,
    /// Whether the file still has its old contents, which it keeps if there is no answer.
    has_old: bool,
}

enum Destination {
    Terminal(StdoutLock<'static>),
    Pipe(StdoutLock<'static>),
    File(File),
}

const BINARY: &str = "the answer is binary and would garble the terminal: use -o FILE or a pipe";

impl Output {
    /// Opens the file, or standard output.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, CliError> {
        let to = match file {
            Some(file) => Destination::File(
                File::options().write(true).create(true).truncate(false).open(file).map_err(
                    |error| CliError::io(&format!("opening {}", file.display()), &error),
                )?,
            ),
            None if io::stdout().is_terminal() => Destination::Terminal(io::stdout().lock()),
            None => Destination::Pipe(io::stdout().lock()),
        };
        Ok(Self { to, last: None, has_old: file.is_some() })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.to, Destination::Terminal(_))
    }

    /// Ends an answer. On a terminal, or if the answer is one of many, ends its line.
    pub(super) fn end(&mut self, is_one_of_many: bool) -> io::Result<()> {
        self.clear()?;
        let is_open = self.last.take().is_some_and(|last| last != b'\n');
        if is_open && (is_one_of_many || self.is_terminal()) {
            self.inner().write_all(b"\n")?;
        }
        self.inner().flush()
    }

    /// Truncates a regular file, once.
    fn clear(&mut self) -> io::Result<()> {
        if let Destination::File(file) = &self.to
            && std::mem::take(&mut self.has_old)
            && file.metadata()?.is_file()
        {
            file.set_len(0)?;
        }
        Ok(())
    }

    fn inner(&mut self) -> &mut dyn Write {
        match &mut self.to {
            Destination::Terminal(out) | Destination::Pipe(out) => out,
            Destination::File(file) => file,
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

/// Returns the width of the terminal in columns.
pub(super) fn width() -> usize {
    comfy_table::Table::new().width().map_or(80, usize::from).max(20)
}

/// Returns whether bytes have control characters or are not UTF-8. The bytes may begin and end
/// within a character.
fn is_binary(bytes: &[u8]) -> bool {
    let control = |b: &u8| (*b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0x7f;
    let start = bytes.iter().take(3).take_while(|b| **b & 0b1100_0000 == 0b1000_0000).count();
    let is_text = match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => !text.chars().any(|char| matches!(char, '\u{80}'..='\u{9f}')),
        Err(error) => error.error_len().is_none(),
    };
    bytes.iter().any(control) || !is_text
}

/// Escapes a text from outside, such as a file's name or a daemon's message, for use within a line:
/// unsafe characters ([`is_unsafe`]) become `\n`, `\t` or `\x1b`, as in COPY of `PostgreSQL`.
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
                    let _ = write!(escaped, "\\x{byte:02x}");
                }
            }
            char => escaped.push(char),
        }
    }
    escaped.into()
}

/// Escapes a text for a column of a row, from which programs can restore it: also escapes
/// backslashes and bytes that are not UTF-8 (`\xff`).
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

/// Returns whether a character ends a line or a column or changes how text beside it is shown:
/// control characters, line separators, and characters that change the direction of text.
pub(super) fn is_unsafe(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns indented JSON in which unsafe characters are escaped. (`serde_json` escapes neither DEL
/// nor those outside of ASCII.)
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

/// Returns whether the reader has closed the pipe, as in `dockipc … | head`.
pub(super) fn is_closed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// Converts an answer to JSON.
///
/// Bytes that are not UTF-8 become `{"base64": "…"}`, and a failure within an answer becomes
/// `{"error": "CODE message"}`. A map with keys that are not text becomes a list of pairs. Numbers
/// that JSON does not have, such as NaN or integers of more than 64 bits, become text.
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
    fn binary_is_told_from_text() {
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
    fn escaped_text_has_no_control_characters() {
        assert_eq!(escaped("aä🦀\\n"), "aä🦀\\n");
        assert_eq!(escaped("a\tä\n🦀"), "a\\tä\\n🦀");
        assert_eq!(escaped("\x1b[2J\r\0\u{9b}2J"), "\\x1b[2J\\r\\x00\\xc2\\x9b2J");
        assert_eq!(escaped("a\u{202e}b"), "a\\xe2\\x80\\xaeb");
        assert_eq!(field(b"a\\n\nb\xff"), "a\\\\n\\nb\\xff");
        let json = json_text(&serde_json::json!({ "a": "\x1b\x7f\u{9b}\u{202e}" }));
        assert_eq!(json, "{\n  \"a\": \"\\u001b\\u007f\\u009b\\u202e\"\n}");
    }

    #[test]
    fn answer_converts_to_json() {
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
