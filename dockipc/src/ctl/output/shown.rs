//! Text of an answer on a terminal, and the difference between text and binary data.
//!
//! Invariant: no sequence of an answer acts on the terminal, except SGR (ECMA-48), which sets colors
//! and is reset after the answer.

use std::io;

use super::{escape_char, is_unsafe, split_text};

/// Makes an answer fit for a terminal, however it is split: escapes unsafe characters as messages
/// do, and passes on colors.
pub(super) struct Shown {
    /// Bytes of a character or a sequence that is not whole yet.
    cut: Vec<u8>,
    /// Whether colors are passed on; otherwise they are removed.
    has_colors: bool,
    /// Whether the colors have to be reset.
    is_colored: bool,
}

const BINARY: &str =
    "the answer is binary and would garble the terminal: use -o FILE, --raw or a pipe";

fn binary() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, BINARY)
}

/// Returns whether an error is that of a binary answer on a terminal.
pub(in crate::ctl) fn is_binary(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// The longest SGR sequence that is recognized, in bytes.
const MAX_SEQUENCE: usize = 64;

const RESET: &str = "\x1b[0m";

impl Shown {
    pub(super) fn new(has_colors: bool) -> Self {
        Self { cut: Vec::new(), has_colors, is_colored: false }
    }

    /// Returns the next part of the answer as it is shown. Fails if it is binary.
    pub(super) fn part(&mut self, bytes: &[u8]) -> io::Result<String> {
        self.cut.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.cut);
        let mut shown = String::with_capacity(bytes.len());
        let (text, rest) = text_of(&bytes).ok_or_else(binary)?;
        let left = self.show(text, false, &mut shown);
        self.cut = [left.as_bytes(), rest].concat();
        Ok(shown)
    }

    /// Returns the end of the answer, and resets its colors.
    pub(super) fn end(&mut self) -> io::Result<String> {
        let (mut shown, bytes) = (String::new(), std::mem::take(&mut self.cut));
        // An answer that ends within a character is binary.
        let text = std::str::from_utf8(&bytes).map_err(|_| binary())?;
        self.show(text, true, &mut shown);
        if std::mem::take(&mut self.is_colored) {
            shown.push_str(RESET);
        }
        Ok(shown)
    }

    /// Appends the text. Returns its end if more of it decides how that is shown.
    fn show<'t>(&mut self, text: &'t str, is_end: bool, shown: &mut String) -> &'t str {
        let mut rest = text;
        loop {
            let Some(at) = rest.find(|char| is_unsafe(char) && !matches!(char, '\n' | '\t')) else {
                shown.push_str(rest);
                return "";
            };
            shown.push_str(&rest[..at]);
            rest = &rest[at..];
            let is_cut = |rest: &str| !is_end && rest.len() < MAX_SEQUENCE;
            match sgr(rest) {
                Some(0) if is_cut(rest) => return rest,
                Some(length @ 1..) => {
                    let (sequence, after) = rest.split_at(length);
                    if self.has_colors {
                        shown.push_str(sequence);
                        self.is_colored = !matches!(sequence, RESET | "\x1b[m");
                    }
                    rest = after;
                    continue;
                }
                _ => {}
            }
            if rest == "\r" && !is_end {
                return rest;
            }
            if let Some(after) = rest.strip_prefix("\r\n") {
                shown.push_str("\r\n");
                rest = after;
                continue;
            }
            let mut chars = rest.chars();
            if let Some(char) = chars.next() {
                escape_char(char, shown);
            }
            rest = chars.as_str();
        }
    }
}

/// Returns the length of an SGR sequence at the start of a text; 0 if the text ends within it, and
/// `None` if there is another.
fn sgr(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\x1b')?;
    let Some(rest) = rest.strip_prefix('[') else { return rest.is_empty().then_some(0) };
    let is_parameter = |char: char| char.is_ascii_digit() || matches!(char, ';' | ':');
    match rest.find(|char| !is_parameter(char)) {
        None => Some(0),
        Some(at) if at + 3 < MAX_SEQUENCE && rest[at..].starts_with('m') => Some(2 + at + 1),
        Some(_) => None,
    }
}

/// Splits off a character at the end that is not whole. Returns `None` for binary data: bytes that
/// are not UTF-8, and NUL.
fn text_of(bytes: &[u8]) -> Option<(&str, &[u8])> {
    split_text(bytes).filter(|_| !bytes.contains(&b'\0'))
}

/// Tells text from binary data, however it is split.
#[derive(Default)]
pub(super) struct TextCheck {
    cut: Vec<u8>,
    is_binary: bool,
}

impl TextCheck {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.is_binary {
            return;
        }
        let joined;
        let bytes = if self.cut.is_empty() {
            bytes
        } else {
            joined = [&self.cut, bytes].concat();
            &joined
        };
        match text_of(bytes) {
            Some((_, rest)) => self.cut = rest.to_vec(),
            None => self.is_binary = true,
        }
    }

    pub(super) fn is_text(&self) -> bool {
        !self.is_binary && self.cut.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, TextCheck};

    /// Returns the text as shown, which must not depend on how it is split.
    #[track_caller]
    fn shown(text: &[u8], has_colors: bool) -> Option<String> {
        let split = |size| {
            let (mut shown, mut all) = (Shown::new(has_colors), String::new());
            for part in text.chunks(size) {
                all += &shown.part(part).ok()?;
            }
            all += &shown.end().ok()?;
            Some(all)
        };
        let whole = split(usize::MAX);
        for size in 1..5 {
            assert_eq!(split(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn text_on_a_terminal_has_only_colors() {
        for (text, expected) in [
            ("", ""),
            ("plain\ttext\r\nä🦀\\n", "plain\ttext\r\nä🦀\\n"),
            ("\x1b[1;38:5:9mred\x1b[0m", "\x1b[1;38:5:9mred\x1b[0m"),
            ("\x1b[31mred", "\x1b[31mred\x1b[0m"),
            (
                "\x1b[2J\x1b]0;owned\x07\x1bc\u{9b}2J",
                "\\x1b[2J\\x1b]0;owned\\x07\\x1bc\\xc2\\x9b2J",
            ),
            ("\x1b[>4;1m\x1b[?1m", "\\x1b[>4;1m\\x1b[?1m"),
            ("10%\r20%\r", "10%\\r20%\\r"),
            ("a\u{202e}b\x1b[3", "a\\xe2\\x80\\xaeb\\x1b[3"),
            ("\x1b\x1b[1mx\x1b", "\\x1b\x1b[1mx\\x1b\x1b[0m"),
        ] {
            assert_eq!(shown(text.as_bytes(), true).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(shown(b"\x1b[31mred\x1b[0m", false).as_deref(), Some("red"));
        let long = format!("\x1b[{}m", "1;".repeat(100));
        assert_eq!(shown(long.as_bytes(), true), Some(long.replace('\x1b', "\\x1b")));
    }

    #[test]
    fn binary_is_told_from_text() {
        let crab = "🦀".as_bytes();
        for binary in [&b"a\0"[..], b"\xff", b"\xc3x", &crab[..3]] {
            assert_eq!(shown(binary, true), None, "{binary:?}");
        }
        for bytes in [&b""[..], b"a\x1b", crab, b"a\0", b"\xff", b"\xc3x", &crab[..3]] {
            let mut check = TextCheck::default();
            bytes.chunks(1).for_each(|byte| check.add(byte));
            assert_eq!(check.is_text(), shown(bytes, true).is_some(), "{bytes:?}");
        }
    }
}
