//! Finds commands in the bytes of one connection, however they are cut.

use super::Span;
use crate::config::Limits;
use crate::error::{Failure, code};

/// The longest word a RESP command over the limit may declare and still be skipped; Redis has the
/// same for a word it takes.
const LONGEST_WORD: u64 = 512 << 20;

/// The most words that a RESP command may declare; Redis has the same.
const MOST_WORDS: u64 = 1 << 20;

/// The longest `*…\r\n` or `$…\r\n`.
const LONGEST_HEADER: usize = 32;

/// What the bytes at hand are.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// The beginning of a command. The first `discard` bytes are of no further use.
    More { discard: usize },
    /// A whole command, the first `len` bytes.
    Command { len: usize, frame: Frame },
    /// The first `len` bytes are to be answered with this. After `last` the connection ends.
    Refuse { len: usize, failure: Failure, last: bool },
}

/// The form of a whole command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A line: the span of its text, without its end. It is UTF-8.
    Line(Span),
    /// The words of a RESP command, which are in the list given to [`Decoder::next`].
    Resp,
}

/// The state of one connection's input.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: Limits,
    state: Expecting,
}

#[derive(Clone, Copy, Debug)]
enum Expecting {
    /// Nothing has come yet: the first byte will tell the mode.
    Start,
    /// A line; the first `seen` bytes have no `\n`.
    Line { seen: usize },
    /// RESP, in front of a command.
    Head,
    /// Inside a RESP command: `left` words are to come, the next begins at `at`.
    Words { left: u64, at: usize },
    /// Inside a RESP command over the limit: `body` bytes of a word, then `left` words.
    Skip { left: u64, body: u64 },
    /// The bytes made no sense, or the one line has been read.
    End { resp: bool },
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Expecting::Start }
    }

    /// Whether the client speaks RESP; known from the first byte on.
    pub(crate) fn is_resp(&self) -> bool {
        match self.state {
            Expecting::Head | Expecting::Words { .. } | Expecting::Skip { .. } => true,
            Expecting::Start | Expecting::Line { .. } => false,
            // What made no sense is answered in the client's own mode.
            Expecting::End { resp } => resp,
        }
    }

    /// Looks at the bytes that are not consumed yet, from the first of them on.
    ///
    /// `words` is cleared and holds the words of a RESP command when one is whole.
    pub(crate) fn next(&mut self, input: &[u8], words: &mut Vec<Span>) -> Decoded {
        words.clear();
        if let Expecting::Start = self.state {
            self.state = match input.first() {
                None => return Decoded::More { discard: 0 },
                Some(b'*') => Expecting::Head,
                Some(b'{') => {
                    return self.refuse(
                        input.len(),
                        "a command that begins with { is reserved for a later protocol: send a line, or RESP",
                    );
                }
                Some(_) => Expecting::Line { seen: 0 },
            };
        }
        match self.state {
            Expecting::Line { seen } => self.line(input, seen),
            Expecting::Skip { left, body } => self.skip(input, 0, left, body),
            Expecting::End { .. } => Decoded::More { discard: input.len() },
            Expecting::Start | Expecting::Head | Expecting::Words { .. } => self.resp(input, words),
        }
    }

    /// The command that was found is not run now: the next call finds it again.
    pub(crate) fn unread(&mut self, frame: Frame) {
        self.state = match frame {
            Frame::Line(_) => Expecting::Line { seen: 0 },
            Frame::Resp => Expecting::Head,
        };
    }

    /// Whether a part of a command is there: these bytes are what is left of the input.
    pub(crate) fn is_inside(&self, input: &[u8]) -> bool {
        match self.state {
            Expecting::Start | Expecting::Line { .. } | Expecting::Head => !input.is_empty(),
            Expecting::Words { .. } | Expecting::Skip { .. } => true,
            Expecting::End { .. } => false,
        }
    }

    /// What to say when the input ends and these bytes are left.
    pub(crate) fn end(&self, input: &[u8]) -> Option<Failure> {
        let what = if self.is_resp() { "the command was whole" } else { "a newline" };
        self.is_inside(input).then(|| {
            Failure::new(
                code::INCOMPLETE,
                format_args!("the input ended before {what}; nothing was run"),
            )
        })
    }

    #[cold]
    #[inline(never)]
    fn refuse(&mut self, len: usize, why: impl std::fmt::Display) -> Decoded {
        self.state = Expecting::End { resp: self.is_resp() };
        Decoded::Refuse { len, failure: Failure::new(code::PROTO, why), last: true }
    }

    fn line(&mut self, input: &[u8], seen: usize) -> Decoded {
        let limit = self.limits.line;
        let window = &input[..input.len().min(limit)];
        let Some(end) = window[seen..].iter().position(|&b| b == b'\n').map(|at| seen + at) else {
            self.state = Expecting::Line { seen: window.len() };
            if input.len() < limit {
                return Decoded::More { discard: 0 };
            }
            self.state = Expecting::End { resp: false };
            let why = format!("the line is longer than {limit} bytes");
            let failure = Failure::new(code::TOOBIG, why);
            return Decoded::Refuse { len: input.len(), failure, last: true };
        };
        self.state = Expecting::End { resp: false };
        let text = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        match check_text(text) {
            Ok(()) => {
                Decoded::Command { len: end + 1, frame: Frame::Line(Span::input(0, text.len())) }
            }
            Err(failure) => Decoded::Refuse { len: end + 1, failure, last: true },
        }
    }

    fn resp(&mut self, input: &[u8], words: &mut Vec<Span>) -> Decoded {
        // Words found in an earlier, shorter input are found again when the command is whole: a
        // half-read command then costs its bytes and no list.
        let resumed = matches!(self.state, Expecting::Words { .. });
        let (mut left, mut at) = match self.state {
            Expecting::Words { left, at } => (left, at),
            _ => match header(input, b'*') {
                Header::More => return Decoded::More { discard: 0 },
                Header::Wrong => {
                    let why = "expected * and the number of words";
                    return self.refuse(input.len(), format!("{why}, got {}", shown(input)));
                }
                Header::Number { value: 0, len } => {
                    self.state = Expecting::Head;
                    let failure = Failure::new(code::PROTO, "a command of no words");
                    return Decoded::Refuse { len, failure, last: false };
                }
                Header::Number { value, len } if value <= MOST_WORDS => (value, len),
                Header::Number { value, .. } => {
                    return self.refuse(
                        input.len(),
                        format!("{value} words are more than a command can have ({MOST_WORDS})"),
                    );
                }
            },
        };
        // The shortest word on the wire is `$0\r\n\r\n`. Looked at in front of each word, so that it
        // does not depend on how the input is cut.
        let limit = self.limits.command as u64;
        let is_over = |at: usize, left: u64| at as u64 + left.saturating_mul(6) > limit;
        let mut over = is_over(at, left);
        while left > 0 && !over {
            let rest = &input[at..];
            let (value, head) = match header(rest, b'$') {
                Header::More => break,
                Header::Wrong => return self.refuse(input.len(), wrong_word(rest)),
                Header::Number { value, len } => (value, len),
            };
            if value > LONGEST_WORD {
                return self.refuse(input.len(), too_long(value));
            }
            let start = at + head;
            let Ok(size) = usize::try_from(value) else {
                return self.refuse(input.len(), too_long(value));
            };
            let end = start + size;
            if is_over(end + 2, left - 1) {
                over = true;
                break;
            }
            match input.get(end..end + 2) {
                None => break,
                Some(b"\r\n") => {}
                Some(_) => return self.refuse(input.len(), UNENDED),
            }
            if !resumed {
                words.push(Span::input(start, end));
            }
            at = end + 2;
            left -= 1;
        }
        if over {
            words.clear();
            return self.skip(input, at, left, 0);
        }
        if left > 0 {
            words.clear();
            self.state = Expecting::Words { left, at };
            return Decoded::More { discard: 0 };
        }
        self.state = Expecting::Head;
        if resumed {
            return self.resp(input, words);
        }
        Decoded::Command { len: at, frame: Frame::Resp }
    }

    /// Passes over a command that is over the limit, by its declared lengths.
    fn skip(&mut self, input: &[u8], mut at: usize, mut left: u64, mut body: u64) -> Decoded {
        loop {
            let here = body.min((input.len() - at) as u64);
            body -= here;
            at += usize::try_from(here).unwrap_or(usize::MAX);
            if body > 0 {
                break;
            }
            if left == 0 {
                self.state = Expecting::Head;
                let limit = self.limits.command;
                let why = format!("the command is longer than {limit} bytes; it was not run");
                let failure = Failure::new(code::TOOBIG, why);
                return Decoded::Refuse { len: at, failure, last: false };
            }
            match header(&input[at..], b'$') {
                Header::More => break,
                Header::Wrong => return self.refuse(input.len(), wrong_word(&input[at..])),
                Header::Number { value, .. } if value > LONGEST_WORD => {
                    return self.refuse(input.len(), too_long(value));
                }
                Header::Number { value, len } => {
                    at += len;
                    body = value + 2;
                    left -= 1;
                }
            }
        }
        self.state = Expecting::Skip { left, body };
        Decoded::More { discard: at }
    }
}

/// A line is UTF-8, however it came.
pub(crate) fn check_text(line: &[u8]) -> Result<(), Failure> {
    let Err(error) = std::str::from_utf8(line) else { return Ok(()) };
    let at = error.valid_up_to();
    let byte = line.get(at).copied().unwrap_or_default();
    let why = format!("the line is not UTF-8 at byte {at} (0x{byte:02x})");
    Err(Failure::new(code::UTF8, why))
}

const UNENDED: &str = "a word is not followed by CR LF where its length says";

#[cold]
fn wrong_word(input: &[u8]) -> String {
    format!("expected $ and the length of a word, got {}", shown(input))
}

#[cold]
fn too_long(length: u64) -> String {
    format!("a word of {length} bytes is longer than any command ({LONGEST_WORD})")
}

/// The beginning of some bytes, for a message.
fn shown(input: &[u8]) -> String {
    let line = input.split(|&b| b == b'\n').next().unwrap_or_default();
    let short = &line[..line.len().min(LONGEST_HEADER)];
    format!("\"{}\"", short.trim_ascii_end().escape_ascii())
}

enum Header {
    /// Not whole yet.
    More,
    /// Something else.
    Wrong,
    /// A number without a sign; `len` counts all of the header.
    Number { value: u64, len: usize },
}

/// Reads `<kind><digits>\r\n`.
fn header(input: &[u8], kind: u8) -> Header {
    let number = |value: u8, len| Header::Number { value: u64::from(value), len };
    // Nearly every header has one digit or two.
    match *input {
        [k, a @ b'0'..=b'9', b'\r', b'\n', ..] if k == kind => return number(a - b'0', 4),
        [k, a @ b'0'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] if k == kind => {
            return number((a - b'0') * 10 + (b - b'0'), 5);
        }
        _ => {}
    }
    let Some((&first, rest)) = input.split_first() else { return Header::More };
    if first != kind {
        return Header::Wrong;
    }
    let mut value: u64 = 0;
    for (i, &b) in rest.iter().take(LONGEST_HEADER).enumerate() {
        match b {
            b'0'..=b'9' => {
                value = value.saturating_mul(10).saturating_add(u64::from(b - b'0'));
            }
            b'\r' if i > 0 => {
                return match rest.get(i + 1) {
                    None => Header::More,
                    Some(b'\n') => Header::Number { value, len: i + 3 },
                    Some(_) => Header::Wrong,
                };
            }
            _ => return Header::Wrong,
        }
    }
    if rest.len() < LONGEST_HEADER { Header::More } else { Header::Wrong }
}
