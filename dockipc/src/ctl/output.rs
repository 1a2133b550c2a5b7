//! Output of answers: to standard output or a file, escaped, or as JSON.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::Value;

use super::error::CliError;
use crate::reply::Reply;
use crate::wire::json::AsJson;

mod columns;
mod json;
mod shown;
mod table;
mod target;

pub(super) use columns::MissingValues;
pub(super) use json::{JsonWriter, Layout};
pub(super) use shown::is_binary;
use shown::{Shown, TextCheck};
pub(super) use table::{TableWriter, shortened, space, table};
use target::Target;

/// The destination of answers.
pub(super) struct Output {
    to: Destination,
    /// The form of the answer on a terminal.
    shown: Option<Shown>,
    form: Form,
    /// The last byte that was written, to end the line if it is open.
    last: Option<u8>,
    /// Whether the answer is text.
    text: TextCheck,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    /// Whether the bytes are written as they are, also to a terminal.
    pub(super) is_raw: bool,
    /// Whether the last line may stay open.
    pub(super) is_open: bool,
    /// Whether there may be several answers.
    pub(super) has_many: bool,
}

enum Destination {
    Stdout(StdoutLock<'static>),
    File(Target),
}

impl Output {
    /// Opens the file, or standard output.
    pub(super) fn open(file: Option<&Path>, form: Form) -> Result<Self, CliError> {
        let to = match file {
            Some(file) => {
                let target = Target::open(file, !form.has_many);
                let opening = |error| CliError::io(&format!("opening {}", file.display()), &error);
                Destination::File(target.map_err(opening)?)
            }
            None => Destination::Stdout(io::stdout().lock()),
        };
        let is_terminal = match &to {
            Destination::Stdout(out) => out.is_terminal(),
            Destination::File(target) => target.is_terminal(),
        };
        let shown = (is_terminal && !form.is_raw).then(|| Shown::new(has_colors()));
        Ok(Self { to, shown, form, last: None, text: TextCheck::default() })
    }

    pub(super) fn is_raw(&self) -> bool {
        self.form.is_raw
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.shown.is_some()
    }

    /// Ends a whole answer, and its line. The only answer in a file stays as it is, and so does
    /// one that is binary.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let is_text = std::mem::take(&mut self.text).is_text();
        let is_file = matches!(self.to, Destination::File(_)) && !self.is_terminal();
        let is_line = self.form.has_many || (is_text && !is_file);
        self.end_line(is_line && !self.form.is_open && !self.form.is_raw)?;
        match &mut self.to {
            Destination::Stdout(out) => out.flush(),
            Destination::File(target) => target.end(),
        }
    }

    /// Leaves an answer that is not whole. On a terminal, the next line is that of the error.
    pub(super) fn leave(&mut self) {
        if self.is_terminal() {
            let _ = self.end_line(true);
        }
    }

    /// Ends the line of an answer that is JSON, which is text also in a file.
    pub(super) fn end_json(&mut self) -> io::Result<()> {
        self.end_line(!self.form.is_open)
    }

    /// Ends the colors of an answer on a terminal and, if that is wanted, a line that is open.
    fn end_line(&mut self, is_wanted: bool) -> io::Result<()> {
        let is_open = self.last.take().is_some_and(|last| last != b'\n');
        let rest = self.shown.as_mut().map_or(Ok(String::new()), Shown::end)?;
        let end = if is_open && is_wanted { "\n" } else { "" };
        if rest.is_empty() && end.is_empty() {
            return Ok(());
        }
        self.inner()?.write_all((rest + end).as_bytes())
    }

    fn inner(&mut self) -> io::Result<&mut dyn Write> {
        match &mut self.to {
            Destination::Stdout(out) => Ok(out),
            Destination::File(target) => target.file(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if let Some(shown) = &mut self.shown {
            let shown = shown.part(bytes)?;
            self.inner()?.write_all(shown.as_bytes())?;
            bytes.len()
        } else {
            self.inner()?.write(bytes)?
        };
        self.text.add(&bytes[..written]);
        self.last = bytes[..written].last().copied().or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Destination::Stdout(out) => out.flush(),
            Destination::File(_) => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Returns whether standard output has colors.
pub(super) fn has_colors() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Returns the width of the terminal in columns. Where nobody has set it, as in some containers, it is 0.
pub(super) fn width() -> usize {
    let width = comfy_table::Table::new().width().filter(|width| *width > 0);
    width.map_or(80, usize::from).max(20)
}

/// Escapes a text from outside, such as a file's name or a daemon's message, for use within a line:
/// unsafe characters ([`is_unsafe`]) become `\n`, `\t` or `\x1b`, as in COPY of `PostgreSQL`.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_unsafe(char) {
            escape_char(char, &mut escaped);
        } else {
            escaped.push(char);
        }
    }
    escaped.into()
}

fn escape_char(char: char, escaped: &mut String) {
    match char {
        '\t' => escaped.push_str("\\t"),
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        char => {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(escaped, "\\x{byte:02x}");
            }
        }
    }
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

/// Splits off a character at the end that is not whole. Returns `None` if the bytes are not UTF-8.
fn split_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => return Some((text, &[])),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return None,
    };
    let (text, rest) = bytes.split_at(whole);
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// Returns whether a character ends a line or a column or changes how text beside it is shown:
/// control characters, line separators, and characters that change the direction of text.
pub(super) fn is_unsafe(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns indented JSON in which unsafe characters are escaped. (`serde_json` escapes neither DEL
/// nor those outside of ASCII.)
pub(super) fn json_text(value: &Value) -> String {
    safe_json(&format!("{value:#}"))
}

/// Returns JSON in one line, with the same escapes.
pub(super) fn json_line(value: &Value) -> String {
    safe_json(&value.to_string())
}

fn safe_json(json: &str) -> String {
    let mut text = String::new();
    for char in json.chars() {
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

/// Converts a path to JSON, as the bytes of an answer.
pub(super) fn path_to_json(path: &OsStr) -> Value {
    to_json(Reply::bytes(path.as_bytes()))
}

/// Converts an answer to JSON, by the rules of [`wire::json`](crate::wire::json).
pub(super) fn to_json(reply: Reply) -> Value {
    // Not reached: all keys are text.
    serde_json::to_value(AsJson(&reply)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{escaped, field, json_text, to_json};
    use crate::reply::Reply;

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
