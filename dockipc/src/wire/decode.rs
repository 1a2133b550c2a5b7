//! Finds commands in the bytes of one connection, however they are split.
//!
//! The first byte chooses the mode: `*` is RESP, anything else a line. Redis also accepts lines from a client
//! that speaks RESP. Of these, only two kinds are RESP here: `HELLO …`, with which fred begins, and lines of
//! nothing but blanks. The latter are skipped without an answer, as are the empty commands `*0` and `*-1`:
//! `redis-cli --pipe` sends `\r\n` in front of its last command.

use super::{Frames, Part, Span};
use crate::config::Limits;
use crate::error::{Failure, code};

/// The most bytes that a word may declare, unless the limit of a command is higher. A longer command than
/// the limit is skipped up to this size. Redis has the same limit for a word.
const LONGEST_WORD: u64 = 512 << 20;

/// The most words that a RESP command may declare. Redis has the same limit.
const MOST_WORDS: u64 = 1 << 20;

/// The most bytes of a header (`*…\r\n` or `$…\r\n`) after its first byte.
const LONGEST_HEADER: usize = 32;

/// The result of decoding the available bytes.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// The beginning of a command. The caller discards the first `discard` bytes.
    More { discard: usize },
    /// No command and no answer. The caller discards the first `len` bytes and shows the others, if any.
    Skip { len: usize },
    /// A whole command, the first `len` bytes.
    Command { len: usize, frame: Frame },
    /// The first `len` bytes are refused with this failure. If it is the `last`, the connection ends.
    Refuse { len: usize, failure: Failure, last: bool },
}

/// The form of a whole command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A line, or `HELLO` in RESP. Its first `len` bytes are its text, without the line end. It is UTF-8.
    Line { len: usize },
    /// A RESP command, whose words are in the list passed to [`Decoder::next`].
    Resp,
}

/// The decoder of one connection's input.
#[derive(Debug)]
pub(crate) struct Decoder {
    limits: Limits,
    state: Expecting,
}

/// The part of the input that comes next.
#[derive(Clone, Copy, Debug)]
enum Expecting {
    /// The first byte, which chooses the mode.
    Start,
    /// The `\n` of a line, or of a `HELLO` in RESP. The first `seen` bytes have none.
    Line { seen: usize, resp: bool },
    /// The first byte of a RESP command.
    Head,
    /// `left` words of a RESP command. The next begins at `at`.
    Words { left: u64, at: usize },
    /// `body` bytes of a word and then `left` words of a RESP command over the limit, all skipped.
    Skip { left: u64, body: u64 },
    /// The rest of a body that nobody reads, which is skipped.
    Body(Frames),
    /// Nothing: after invalid input, or after the one line.
    End { resp: bool },
}

impl Decoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Expecting::Start }
    }

    /// Returns whether the client speaks RESP. Known from the first byte on.
    pub(crate) fn is_resp(&self) -> bool {
        match self.state {
            Expecting::Head
            | Expecting::Words { .. }
            | Expecting::Skip { .. }
            | Expecting::Body(_) => true,
            Expecting::Start => false,
            // Invalid input is answered in the client's mode.
            Expecting::Line { resp, .. } | Expecting::End { resp } => resp,
        }
    }

    /// Decodes the first command of `input`, which holds all bytes that are not consumed.
    ///
    /// Clears `words` and fills it with the words of a whole RESP command.
    pub(crate) fn next(&mut self, input: &[u8], words: &mut Vec<Span>) -> Decoded {
        words.clear();
        if let Expecting::Start = self.state {
            self.state = match (input, is_hello(input)) {
                ([b'*', ..], _) => Expecting::Head,
                ([] | [b'\r'], _) | (_, None) => return Decoded::More { discard: 0 },
                ([b'\r', b'\n', ..], _) => return Decoded::Skip { len: 2 },
                ([b'{', ..], _) => {
                    return self.refuse(
                        input.len(),
                        "a first byte { is reserved for a later protocol; send a line or RESP",
                    );
                }
                (_, Some(resp)) => Expecting::Line { seen: 0, resp },
            };
        }
        match self.state {
            Expecting::Line { seen, resp } => self.line(input, seen, resp),
            Expecting::Skip { left, body } => self.skip(input, 0, left, body),
            Expecting::Body(frames) => self.skip_frames(input, frames),
            Expecting::End { .. } => Decoded::More { discard: input.len() },
            Expecting::Start | Expecting::Head | Expecting::Words { .. } => self.resp(input, words),
        }
    }

    /// Returns the length of the first command if it is a whole one in RESP with short headers, as nearly every one
    /// is, and fills `words` with its words. Otherwise [`next`](Self::next) decodes it.
    #[inline]
    pub(crate) fn whole(&self, input: &[u8], words: &mut Vec<Span>) -> Option<usize> {
        let Expecting::Head = self.state else { return None };
        whole(input, words).filter(|len| *len <= self.limits.command)
    }

    /// Makes the next call return the last command again, which did not run.
    pub(crate) fn unread(&mut self) {
        self.state = if self.is_resp() { Expecting::Head } else { Expecting::Start };
    }

    /// Skips the rest of a body before the next command.
    #[cold]
    pub(crate) fn skip_body(&mut self, frames: Frames) {
        self.state = Expecting::Body(frames);
    }

    #[cold]
    #[inline(never)]
    fn skip_frames(&mut self, input: &[u8], mut frames: Frames) -> Decoded {
        let mut at = 0;
        loop {
            match frames.next(&input[at..]) {
                Part::Bytes { end, .. } => at += end,
                Part::Nothing => {
                    self.state = Expecting::Body(frames);
                    return Decoded::More { discard: input.len() };
                }
                Part::End { len } => {
                    self.state = Expecting::Head;
                    return Decoded::Skip { len: at + len };
                }
                Part::Wrong => return self.refuse(input.len(), NOT_BODY),
            }
        }
    }

    /// Returns whether a command has begun and is not whole, if `input` is the rest of the input.
    pub(crate) fn is_inside(&self, input: &[u8]) -> bool {
        match self.state {
            Expecting::Start | Expecting::Line { .. } | Expecting::Head => !input.is_empty(),
            Expecting::Words { .. } | Expecting::Skip { .. } => true,
            // Its command has its answer.
            Expecting::Body(_) | Expecting::End { .. } => false,
        }
    }

    /// Returns the failure if the input ends and leaves these bytes.
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

    #[cold]
    fn refuse_word(&mut self, input: &[u8], length: u64) -> Decoded {
        let most = LONGEST_WORD.max(self.limits.command as u64);
        let why = format!("a word has at most {most} bytes, got {length}");
        self.refuse(input.len(), why)
    }

    /// Finds the end of a line. A `resp` line is answered in RESP, and other commands may follow.
    fn line(&mut self, input: &[u8], seen: usize, resp: bool) -> Decoded {
        let limit = self.limits.line;
        let window = &input[..input.len().min(limit)];
        let Some(end) = window[seen..].iter().position(|&b| b == b'\n').map(|at| seen + at) else {
            self.state = Expecting::Line { seen: window.len(), resp };
            if input.len() < limit {
                return Decoded::More { discard: 0 };
            }
            self.state = Expecting::End { resp };
            let why = format!("the line is longer than {limit} bytes");
            let failure = Failure::new(code::TOOBIG, why);
            return Decoded::Refuse { len: input.len(), failure, last: true };
        };
        self.state = if resp { Expecting::Head } else { Expecting::End { resp } };
        let text = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        match check_text(text) {
            Ok(()) => Decoded::Command { len: end + 1, frame: Frame::Line { len: text.len() } },
            Err(failure) => Decoded::Refuse { len: end + 1, failure, last: !resp },
        }
    }

    fn resp(&mut self, input: &[u8], words: &mut Vec<Span>) -> Decoded {
        if let Some(len) = self.whole(input, words) {
            return Decoded::Command { len, frame: Frame::Resp };
        }
        words.clear();
        self.resp_in_parts(input, words)
    }

    /// Finds the words of a command that is perhaps not whole, or over the limit, or wrong.
    #[inline(never)]
    fn resp_in_parts(&mut self, input: &[u8], words: &mut Vec<Span>) -> Decoded {
        // A half-read command keeps its bytes and no list of words: when it is whole, its words are
        // found again.
        let resumed = matches!(self.state, Expecting::Words { .. });
        let (mut left, mut at) = match self.state {
            Expecting::Words { left, at } => (left, at),
            _ => match self.count(input) {
                Ok(head) => head,
                Err(decoded) => return decoded,
            },
        };
        // The shortest word on the wire is `$0\r\n\r\n`. Checked before each word, so that the result
        // does not depend on how the input is split.
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
            if value > LONGEST_WORD && value > self.limits.command as u64 {
                return self.refuse_word(input, value);
            }
            let start = at + head;
            let Ok(size) = usize::try_from(value) else {
                return self.refuse_word(input, value);
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

    /// Reads the header of a command. Returns the number of words and the length of the header.
    fn count(&mut self, input: &[u8]) -> Result<(u64, usize), Decoded> {
        match header(input, b'*') {
            Header::More => Err(Decoded::More { discard: 0 }),
            Header::Wrong => Err(self.no_count(input)),
            Header::Number { value: 0, len } => Err(Decoded::Skip { len }),
            Header::Number { value, len } if value <= MOST_WORDS => Ok((value, len)),
            Header::Number { value, .. } => {
                let why = format!("a command has at most {MOST_WORDS} words, got {value}");
                Err(self.refuse(input.len(), why))
            }
        }
    }

    /// Decodes bytes between two commands that are not the header of a command.
    #[cold]
    fn no_count(&mut self, input: &[u8]) -> Decoded {
        let blanks = input.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        if blanks > 0 {
            return Decoded::Skip { len: blanks };
        }
        if let Some(count) = input.strip_prefix(b"*") {
            match header(count, b'-') {
                Header::More => return Decoded::More { discard: 0 },
                Header::Number { value: 1.., len } => return Decoded::Skip { len: len + 1 },
                _ => {}
            }
        }
        match is_hello(input) {
            Some(true) => self.line(input, 0, true),
            Some(false) => {
                let why = format!("expected * and the number of words, got {}", shown(input));
                self.refuse(input.len(), why)
            }
            None => Decoded::More { discard: 0 },
        }
    }

    /// Skips a command over the limit by its declared lengths.
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
                Header::Number { value, .. }
                    if value > LONGEST_WORD && value > self.limits.command as u64 =>
                {
                    return self.refuse_word(input, value);
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

/// Finds the words of a whole command with short headers. Returns its length, or `None` for any other input.
#[inline(never)]
fn whole(input: &[u8], words: &mut Vec<Span>) -> Option<usize> {
    words.clear();
    let (count, header) = short_header(input, b'*')?;
    if count == 0 {
        return None;
    }
    let mut at = header;
    for _ in 0..count {
        let (size, header) = short_header(input.get(at..)?, b'$')?;
        let (start, end) = (at + header, at + header + size);
        if input.get(end..)?.first_chunk() != Some(b"\r\n") {
            return None;
        }
        words.push(Span::input(start, end));
        at = end + 2;
    }
    Some(at)
}

/// Reads `<kind><digit>\r\n` or `<kind><digit><digit>\r\n`, as nearly every header is. Returns the number, and
/// the length of the header.
#[inline]
fn short_header(rest: &[u8], kind: u8) -> Option<(usize, usize)> {
    // Four bytes are compared at a time.
    let four = u32::from_le_bytes(*rest.first_chunk()?);
    let digit = |at: usize| (four >> (8 * at) & 0xff).wrapping_sub(b'0'.into()) as usize;
    let is = |[a, b, c, d]: [u8; 4]| u32::from_le_bytes([a, b, c, d]);
    let (one, two) = (digit(1), digit(2));
    if four & is([0xff, 0, 0xff, 0xff]) == is([kind, 0, b'\r', b'\n']) {
        return (one < 10).then_some((one, 4));
    }
    let is_short = four & is([0xff, 0, 0, 0xff]) == is([kind, 0, 0, b'\r'])
        && rest.get(4) == Some(&b'\n')
        && one < 10
        && two < 10;
    is_short.then_some((one * 10 + two, 5))
}

/// Returns whether the first word of a line is HELLO, or `None` if that needs more bytes.
fn is_hello(line: &[u8]) -> Option<bool> {
    let word = b"hello";
    let size = line.len().min(word.len());
    if !line[..size].eq_ignore_ascii_case(&word[..size]) {
        return Some(false);
    }
    line.get(word.len()).map(|end| matches!(end, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Checks that a line is UTF-8.
pub(crate) fn check_text(line: &[u8]) -> Result<(), Failure> {
    let Err(error) = std::str::from_utf8(line) else { return Ok(()) };
    let at = error.valid_up_to();
    let byte = line.get(at).copied().unwrap_or_default();
    let why = format!("the line is not UTF-8 at byte {at} (0x{byte:02x})");
    Err(Failure::new(code::UTF8, why))
}

/// The failure of input in the middle of a body.
pub(crate) const NOT_BODY: &str = "expected DOCKIPC DATA or DOCKIPC END: a body had begun";

const UNENDED: &str = "expected CR LF after a word of the declared length";

#[cold]
fn wrong_word(input: &[u8]) -> String {
    format!("expected $ and the length of a word, got {}", shown(input))
}

/// Quotes the beginning of some bytes for a message.
fn shown(input: &[u8]) -> String {
    let line = input.split(|&b| b == b'\n').next().unwrap_or_default();
    let short = &line[..line.len().min(LONGEST_HEADER)];
    format!("\"{}\"", short.trim_ascii_end().escape_ascii())
}

enum Header {
    /// The header is not whole.
    More,
    /// The bytes are not a header.
    Wrong,
    /// An unsigned number. `len` is the length of the header.
    Number { value: u64, len: usize },
}

/// Reads `<kind><digits>\r\n`.
fn header(input: &[u8], kind: u8) -> Header {
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
