//! Where an answer goes.

use std::borrow::Cow;
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

/// A text without what would do something to a terminal: whose daemon it is that says it is not known.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let is_control = |char: char| char.is_control() && !matches!(char, '\t' | '\n');
    if text.contains(is_control) {
        text.replace(is_control, "\u{fffd}").into()
    } else {
        text.into()
    }
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
        Reply::Null => Value::Null,
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
    use super::{harmless, is_binary, to_json};
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
        assert_eq!(harmless("a\tä\n🦀"), "a\tä\n🦀");
        assert_eq!(harmless("\x1b[2J\r\0\u{9b}2J"), "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}2J");
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
