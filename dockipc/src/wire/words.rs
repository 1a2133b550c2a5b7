//! Splits a line into words as a POSIX shell does, without any expansion, and quotes them back.
//!
//! The rules are those of "2.2 Quoting" in the POSIX shell language: blanks (space and tab) separate
//! words; `'…'` keeps everything; `"…"` keeps everything except a `\` before `"`, `\`, `$` and `` ` ``;
//! a `\` outside quotes keeps the next character.

use std::borrow::Cow;

use super::{Base, Span};

/// A line being split.
#[derive(Clone)]
pub(crate) struct Splitter<'t> {
    line: &'t [u8],
    /// The position of the first word, or in front of it.
    start: usize,
    at: usize,
}

/// The reason why a line can't be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unbalanced {
    #[error("the quote {quote} at byte {at} is not closed")]
    Quote { quote: char, at: usize },
    #[error("the line ends in a backslash")]
    Backslash,
}

impl<'t> Splitter<'t> {
    pub(crate) fn new(line: &'t [u8]) -> Self {
        Self { line, start: 0, at: 0 }
    }

    /// Goes back to the first word.
    pub(crate) fn rewind(&mut self) {
        self.at = self.start;
    }

    /// Makes the next word the first one.
    pub(crate) fn start_here(&mut self) {
        self.start = self.at;
    }

    /// Takes the next word. Only a word with quotes or backslashes is written to `text`.
    pub(crate) fn next(&mut self, text: &mut Vec<u8>) -> Result<Option<Span>, Unbalanced> {
        self.skip_blanks();
        let start = self.at;
        let plain = |b: &u8| !matches!(b, b' ' | b'\t' | b'\'' | b'"' | b'\\');
        let run = self.line[start..].iter().take_while(|b| plain(b)).count();
        self.at += run;
        match self.line.get(self.at) {
            None | Some(b' ' | b'\t') => Ok((run > 0).then(|| Span::input(start, self.at))),
            Some(_) => {
                let text_start = text.len();
                text.extend_from_slice(&self.line[start..self.at]);
                self.quoted(text)?;
                Ok(Some(Span { start: text_start, end: text.len(), base: Base::Text }))
            }
        }
    }

    /// Returns the rest of the line without leading blanks, and does not take it.
    pub(crate) fn peek(&self) -> &'t [u8] {
        let rest = &self.line[self.at..];
        let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        &rest[blanks..]
    }

    /// Takes the rest of the line without leading blanks.
    pub(crate) fn rest(&mut self) -> Option<Span> {
        self.skip_blanks();
        let span = Span::input(self.at, self.line.len());
        self.at = self.line.len();
        (span.start < span.end).then_some(span)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.line[self.at..].iter().take_while(|b| matches!(b, b' ' | b'\t'));
        self.at += blanks.count();
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.line.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// Unquotes up to the end of the word.
    fn quoted(&mut self, text: &mut Vec<u8>) -> Result<(), Unbalanced> {
        loop {
            let open = self.at;
            match self.bump() {
                None => return Ok(()),
                Some(b' ' | b'\t') => {
                    self.at = open;
                    return Ok(());
                }
                Some(b'\\') => text.push(self.bump().ok_or(Unbalanced::Backslash)?),
                Some(b'\'') => loop {
                    match self.bump() {
                        None => return Err(Unbalanced::Quote { quote: '\'', at: open }),
                        Some(b'\'') => break,
                        Some(b) => text.push(b),
                    }
                },
                Some(b'"') => loop {
                    let unclosed = Unbalanced::Quote { quote: '"', at: open };
                    match self.bump().ok_or(unclosed)? {
                        b'"' => break,
                        b'\\' => match self.bump().ok_or(unclosed)? {
                            b @ (b'"' | b'\\' | b'$' | b'`') => text.push(b),
                            b => text.extend_from_slice(&[b'\\', b]),
                        },
                        b => text.push(b),
                    }
                },
                Some(b) => text.push(b),
            }
        }
    }
}

/// Quotes a word so that it is one word of a line for [`send`](crate::send), `nc` or a shell.
///
/// A line can't contain a word with a `\n`: use
/// [`Client::command`](crate::client::Client::command), whose words may contain any byte.
///
/// ```
/// assert_eq!(dockipc::client::quote("plain"), "plain");
/// assert_eq!(dockipc::client::quote("two words"), "'two words'");
/// assert_eq!(dockipc::client::quote("it's"), r"'it'\''s'");
/// assert_eq!(dockipc::client::quote(""), "''");
/// ```
pub fn quote(word: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b) || b >= 0x80;
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}
