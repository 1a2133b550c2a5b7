//! Writes an answer as JSON, piece by piece, so that an answer of any size needs little memory.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{is_unsafe, split_text, to_json};
use crate::wire::answer::{Piece, Shape};

/// The layout of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::ctl) enum Layout {
    /// Indented, over several lines.
    Indented,
    /// One value per line: each item of a list or, of another answer, the whole.
    Line,
}

/// The bytes of a text that are kept until it is known whether it is UTF-8. Of a longer text, they
/// decide.
const MAX_KEPT: usize = 8 << 20;

/// The state between two pieces of an answer. The values are those of [`to_json`], but the first
/// key of a map decides whether it becomes an object or a list of pairs.
pub(in crate::ctl) struct JsonWriter {
    layout: Layout,
    /// The lists and maps that are open, the innermost last.
    open: Vec<Open>,
    /// The levels of indentation.
    indent: usize,
    /// A long text that is not whole.
    long: Option<Long>,
}

struct Open {
    kind: Kind,
    /// The number of its values that have begun; a key is a value.
    values: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The items are lines.
    Lines,
    List,
    /// A map whose first key decides its kind.
    Map,
    Object,
    Pairs,
}

enum Long {
    Kept(Vec<u8>),
    /// Written as text, but for the start of a character.
    Text(Vec<u8>),
    /// Written as Base64, but for bytes that are not three.
    Binary(Vec<u8>),
}

impl JsonWriter {
    pub(in crate::ctl) fn new(layout: Layout) -> Self {
        Self { layout, open: Vec::new(), indent: 0, long: None }
    }

    /// Appends the JSON of the next piece. Fails if the answer can't be JSON.
    pub(in crate::ctl) fn add(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        match piece {
            Piece::Begin(shape) => {
                let is_lines = self.layout == Layout::Line && self.open.is_empty();
                if self.begin(false, out) {
                    return Err(io::Error::other(LIST_KEY));
                }
                let kind = match shape {
                    Shape::Map => Kind::Map,
                    Shape::List if is_lines => Kind::Lines,
                    Shape::List => {
                        self.open_with(b'[', out);
                        Kind::List
                    }
                };
                self.open.push(Open { kind, values: 0 });
            }
            Piece::End => {
                let Some(Open { kind, values }) = self.open.pop() else { return Ok(()) };
                match kind {
                    Kind::Lines => {}
                    Kind::Map => out.extend_from_slice(b"{}"),
                    Kind::Object => self.close_with(b'}', true, out),
                    Kind::List | Kind::Pairs => self.close_with(b']', values > 0, out),
                }
                self.end(out);
            }
            Piece::Text(bytes) => self.text(bytes, out),
            Piece::Part { bytes, left } => self.part(bytes, left, out)?,
            Piece::Value(reply) => self.value(&to_json(reply), out),
        }
        Ok(())
    }

    /// Appends what is in front of a value. Returns whether the value is the key of an object and no
    /// text.
    fn begin(&mut self, is_text: bool, out: &mut Vec<u8>) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let before = open.values;
        open.values += 1;
        let is_key = before % 2 == 0;
        if open.kind == Kind::Map {
            open.kind = if is_text { Kind::Object } else { Kind::Pairs };
            self.open_with(if is_text { b'{' } else { b'[' }, out);
        }
        let kind = self.open.last().map(|open| open.kind);
        match kind {
            Some(Kind::Lines) if before > 0 => out.push(b'\n'),
            Some(Kind::Object) if !is_key && self.layout == Layout::Line => out.push(b':'),
            Some(Kind::Object) if !is_key => out.extend_from_slice(b": "),
            Some(Kind::List | Kind::Object | Kind::Pairs) => {
                if before > 0 {
                    out.push(b',');
                }
                self.new_line(out);
                if kind == Some(Kind::Pairs) && is_key {
                    self.open_with(b'[', out);
                    self.new_line(out);
                }
            }
            _ => {}
        }
        kind == Some(Kind::Object) && is_key && !is_text
    }

    /// Appends what is after a value.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.open.last().is_some_and(|open| open.kind == Kind::Pairs && open.values % 2 == 0) {
            self.close_with(b']', true, out);
        }
    }

    fn open_with(&mut self, bracket: u8, out: &mut Vec<u8>) {
        out.push(bracket);
        self.indent += 1;
    }

    fn close_with(&mut self, bracket: u8, has_values: bool, out: &mut Vec<u8>) {
        self.indent -= 1;
        if has_values {
            self.new_line(out);
        }
        out.push(bracket);
    }

    fn new_line(&self, out: &mut Vec<u8>) {
        if self.layout == Layout::Indented {
            out.push(b'\n');
            out.resize(out.len() + 2 * self.indent, b' ');
        }
    }

    /// Appends a value that is no list and no map.
    fn value(&mut self, value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::String(text) => {
                self.begin(true, out);
                quote(text, out);
            }
            value if self.begin(false, out) => quote(&value.to_string(), out),
            // A failure, or bytes in Base64.
            Value::Object(fields) => {
                for (name, text) in fields {
                    self.open_field(name, out);
                    escape(text.as_str().unwrap_or_default(), out);
                    self.close_field(out);
                }
            }
            value => {
                // Writing to memory does not fail.
                let _ = serde_json::to_writer(&mut *out, value);
            }
        }
        self.end(out);
    }

    /// Begins an object with one text.
    fn open_field(&mut self, name: &str, out: &mut Vec<u8>) {
        self.open_with(b'{', out);
        self.new_line(out);
        quote(name, out);
        out.extend_from_slice(if self.layout == Layout::Line { b":\"" } else { b": \"" });
    }

    fn close_field(&mut self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.close_with(b'}', true, out);
    }

    /// Appends a whole text.
    fn text(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.begin(true, out);
                quote(text, out);
                self.end(out);
            }
            Err(_) => self.value(&json!({ "base64": STANDARD.encode(bytes) }), out),
        }
    }

    /// Appends a part of a long text.
    fn part(&mut self, bytes: &[u8], left: usize, out: &mut Vec<u8>) -> io::Result<()> {
        let is_last = left == 0;
        let mut kept = match self.long.take() {
            Some(Long::Text(cut)) => return self.text_part(&[&cut, bytes].concat(), is_last, out),
            Some(Long::Binary(cut)) => {
                self.binary_part(&[&cut, bytes].concat(), is_last, out);
                return Ok(());
            }
            Some(Long::Kept(kept)) => kept,
            None => Vec::with_capacity(bytes.len().saturating_add(left).min(MAX_KEPT)),
        };
        kept.extend_from_slice(bytes);
        if is_last {
            self.text(&kept, out);
        } else if kept.len() < MAX_KEPT {
            self.long = Some(Long::Kept(kept));
        } else if split_text(&kept).is_some() {
            self.begin(true, out);
            out.push(b'"');
            return self.text_part(&kept, false, out);
        } else if self.begin(false, out) {
            return Err(io::Error::other(LONG_KEY));
        } else {
            self.open_field("base64", out);
            self.binary_part(&kept, false, out);
        }
        Ok(())
    }

    fn text_part(&mut self, bytes: &[u8], is_last: bool, out: &mut Vec<u8>) -> io::Result<()> {
        match split_text(bytes) {
            Some((text, cut)) if !is_last => {
                escape(text, out);
                self.long = Some(Long::Text(cut.to_vec()));
            }
            Some((text, [])) => {
                escape(text, out);
                out.push(b'"');
                self.end(out);
            }
            _ => return Err(io::Error::other(NOT_TEXT)),
        }
        Ok(())
    }

    fn binary_part(&mut self, bytes: &[u8], is_last: bool, out: &mut Vec<u8>) {
        let whole = if is_last { bytes.len() } else { bytes.len() / 3 * 3 };
        out.extend_from_slice(STANDARD.encode(&bytes[..whole]).as_bytes());
        if is_last {
            self.close_field(out);
            self.end(out);
        } else {
            self.long = Some(Long::Binary(bytes[whole..].to_vec()));
        }
    }
}

const LIST_KEY: &str = "JSON has no object with a list as a key";
const LONG_KEY: &str = "a key of a map is binary and longer than 8 MiB";
const NOT_TEXT: &str =
    "a text is UTF-8 in its first 8 MiB and not after them; leave out --json for its bytes";

fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends the text of a JSON string, in which unsafe characters are escaped.
fn escape(text: &str, out: &mut Vec<u8>) {
    let (bytes, mut start) = (text.as_bytes(), 0);
    for (at, &byte) in bytes.iter().enumerate() {
        // All other unsafe characters begin with one of the last two bytes.
        if !matches!(byte, ..b' ' | b'"' | b'\\' | 0x7f | 0xc2 | 0xe2) {
            continue;
        }
        let Some(char) = text[at..].chars().next() else { break };
        if byte >= 0x80 && !is_unsafe(char) {
            continue;
        }
        out.extend_from_slice(&bytes[start..at]);
        start = at + char.len_utf8();
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[start..]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{json_text, to_json};
    use super::{JsonWriter, Layout, MAX_KEPT};
    use crate::reply::Reply;
    use crate::wire::answer::{Next, Pieces};
    use crate::wire::{Protocol, check::encoded};

    /// Returns the JSON of an answer that arrives in pieces of this size.
    fn written(reply: &Reply, layout: Layout, size: usize) -> std::io::Result<String> {
        let bytes = encoded(reply, Protocol::Resp3);
        let (mut pieces, mut json, mut out) =
            (Pieces::default(), JsonWriter::new(layout), Vec::new());
        let (mut start, mut end) = (0, 0);
        loop {
            let mut rest = &bytes[start..end];
            match pieces.next(&mut rest).unwrap() {
                Next::Whole => return Ok(String::from_utf8(out).unwrap()),
                Next::More(_) => {
                    start = end - rest.len();
                    end = bytes.len().min(end + size);
                }
                Next::Piece(piece) => {
                    json.add(piece, &mut out)?;
                    start = end - rest.len();
                }
            }
        }
    }

    fn text(text: &str) -> Reply {
        Reply::bytes(text)
    }

    #[test]
    fn pieces_become_the_same_json() {
        let nested = Reply::List(vec![
            Reply::List(Vec::new()),
            Reply::Map(Vec::new()),
            Reply::Map(vec![
                (text("a"), Reply::Int(1)),
                (text("b"), Reply::List(vec![Reply::Null])),
            ]),
            Reply::Map(vec![
                (Reply::Int(1), Reply::Map(vec![(Reply::Bool(true), text("x"))])),
                (Reply::Bytes(b"\xff".to_vec()), Reply::Float(1.5)),
            ]),
            Reply::Error(crate::Failure::new("NO", "why \"x\"")),
            Reply::Bytes(b"\xff\0".to_vec()),
            text("\"\\\n\r\t\x08\x0c\x1b\x7f\u{9b}\u{202e}\u{e9}\u{2014}🦀"),
            Reply::Float(f64::INFINITY),
        ]);
        for reply in [nested, Reply::Ok, Reply::Null, text(""), Reply::Int(-1)] {
            let expected = json_text(&to_json(reply.clone()));
            for size in [1, 7, 1000] {
                assert_eq!(written(&reply, Layout::Indented, size).unwrap(), expected);
            }
        }
    }

    #[test]
    fn line_has_one_value() {
        let rows = Reply::List(vec![
            Reply::List(vec![Reply::Int(1), text("a\nb")]),
            Reply::Map(vec![(text("a"), Reply::List(vec![Reply::Int(1), Reply::Null]))]),
            Reply::Bytes(b"\xff".to_vec()),
        ]);
        let lines = "[1,\"a\\nb\"]\n{\"a\":[1,null]}\n{\"base64\":\"/w==\"}";
        assert_eq!(written(&rows, Layout::Line, 3).unwrap(), lines);
        let map = Reply::Map(vec![(Reply::Int(1), text("x")), (text("y"), Reply::Null)]);
        assert_eq!(written(&map, Layout::Line, 3).unwrap(), "[[1,\"x\"],[\"y\",null]]");
        assert_eq!(written(&Reply::List(Vec::new()), Layout::Line, 3).unwrap(), "");
    }

    #[test]
    fn first_key_decides_the_form_of_a_map() {
        let map = Reply::Map(vec![
            (text("a"), Reply::Int(1)),
            (Reply::Int(2), Reply::Int(2)),
            (Reply::Bytes(b"\xff".to_vec()), Reply::Int(3)),
        ]);
        let object = json!({ "a": 1, "2": 2, "{\"base64\":\"/w==\"}": 3 });
        assert_eq!(written(&map, Layout::Line, 9).unwrap(), object.to_string());
    }

    #[test]
    fn long_text_is_written_in_parts() {
        let size = 1_000_000;
        let long = "x\n🦀".repeat(MAX_KEPT / 6 + size);
        for reply in [text(&long), text(&long[..1_200_000])] {
            let expected = to_json(reply.clone()).to_string();
            assert!(written(&reply, Layout::Line, size + 1).unwrap() == expected);
        }
        let mut bytes = long.into_bytes();
        bytes[1] = b'\xff';
        let reply = Reply::Bytes(bytes.clone());
        let expected = to_json(reply.clone()).to_string();
        assert!(written(&reply, Layout::Line, size + 1).unwrap() == expected);
        // Nothing is lost silently.
        bytes[1] = b'y';
        *bytes.last_mut().unwrap() = b'\xff';
        assert!(written(&Reply::Bytes(bytes), Layout::Line, size + 1).is_err());
    }
}
