//! Decodes replies: the client's side of RESP2 and RESP3.

use std::borrow::Cow;

use super::Reply;
use crate::error::Failure;

/// The most levels of nesting in an answer, so that a hostile server can't overflow the stack.
pub(super) const DEEPEST: usize = 64;

/// The most bytes of a value without a declared length: an error, a simple string, a number.
const LONGEST_LINE: usize = 1 << 20;

/// The reason why bytes are not RESP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotResp(pub(crate) String);

/// The result of scanning the available bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The reply is not whole. It has at least `need` bytes.
    More { need: usize },
    /// A whole reply, the first `len` bytes. A `push` frame is not the answer.
    Whole { len: usize, push: bool },
}

/// Finds the end of a reply, however it is split. Looks at each byte once.
#[derive(Debug)]
pub(crate) struct Scanner {
    at: usize,
    /// The number of values that are not scanned yet.
    left: u64,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { at: 0, left: 1 }
    }

    /// Scans a reply. `input` begins with its first byte.
    pub(crate) fn scan(&mut self, input: &[u8]) -> Result<Scan, NotResp> {
        while self.left > 0 {
            let mut reader = Reader { input, at: self.at };
            let Some(&kind) = input.get(self.at) else {
                return Ok(Scan::More { need: self.at + 1 });
            };
            if !b"+-:$*_#,(=!~%>".contains(&kind) {
                return Err(reader.unknown());
            }
            let more = Ok(Scan::More { need: input.len() + 1 });
            match input[self.at..].iter().position(|&b| b == b'\n') {
                None if input.len() - self.at > LONGEST_LINE => {
                    return Err(endless());
                }
                None => return more,
                Some(_) => reader.at += 1,
            }
            let children = match kind {
                b'$' | b'=' | b'!' => {
                    if let Some(size) = reader.count("length")? {
                        let end = reader.at.saturating_add(size).saturating_add(2);
                        if end > input.len() {
                            return Ok(Scan::More { need: end });
                        }
                        reader.at = end;
                    }
                    0
                }
                b'*' | b'~' | b'>' => reader.count("count")?.unwrap_or(0) as u64,
                b'%' => (reader.count("count")?.unwrap_or(0) as u64).saturating_mul(2),
                _ => {
                    reader.line()?;
                    0
                }
            };
            self.left = (self.left - 1).saturating_add(children);
            self.at = reader.at;
        }
        Ok(Scan::Whole { len: self.at, push: input.first() == Some(&b'>') })
    }
}

/// A piece of an answer that is read as it arrives.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'i> {
    /// A list, a set or a map begins.
    Begin(Shape),
    /// The innermost list, set or map ends.
    End,
    /// A whole text or bytes.
    Text(&'i [u8]),
    /// A part of a long text. It is the last one if no bytes are `left`.
    Part { bytes: &'i [u8], left: usize },
    /// Another value.
    Value(Reply),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Values in order.
    List,
    /// Keys and values by turns.
    Map,
}

/// The result of looking for the next piece.
#[derive(Debug, PartialEq)]
pub(crate) enum Next<'i> {
    Piece(Piece<'i>),
    /// The piece needs at least this number of bytes.
    More(usize),
    /// The answer is whole.
    Whole,
}

/// A text of more bytes than this is divided into parts.
const LONG: usize = 64 * 1024;

/// Divides an answer into pieces as it arrives, and keeps none of them. Nothing but the pieces tells
/// where the answer ends.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    is_begun: bool,
    /// The number of values that each open list or map still has, the innermost last.
    open: Vec<u64>,
    /// The number of bytes that a long text still has; its line end follows.
    long: Option<usize>,
}

impl Pieces {
    /// Takes the next piece from the front of `input`.
    pub(crate) fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Next<'i>, NotResp> {
        match self.long {
            Some(0) => {
                let Some((end, rest)) = input.split_at_checked(2) else { return Ok(Next::More(2)) };
                if end != b"\r\n" {
                    return Err(too_long());
                }
                (self.long, *input) = (None, rest);
            }
            Some(_) if input.is_empty() => return Ok(Next::More(1)),
            Some(left) => {
                let (bytes, rest) = input.split_at(left.min(input.len()));
                let left = left - bytes.len();
                (self.long, *input) = (Some(left), rest);
                return Ok(Next::Piece(Piece::Part { bytes, left }));
            }
            None => {}
        }
        match self.open.last_mut() {
            Some(0) => {
                self.open.pop();
                return Ok(Next::Piece(Piece::End));
            }
            None if self.is_begun => return Ok(Next::Whole),
            _ => {}
        }
        if self.open.len() > DEEPEST {
            return Err(too_deep());
        }
        match input.contains(&b'\n') {
            false if input.len() > LONGEST_LINE => return Err(endless()),
            false => return Ok(Next::More(input.len() + 1)),
            true => {}
        }
        let mut reader = Reader { input, at: 1 };
        let (kind, mut piece, mut values) = (input[0], None, None);
        match kind {
            b'*' | b'~' | b'>' | b'%' => {
                if let Some(count) = reader.count("count")? {
                    let (shape, each) =
                        if kind == b'%' { (Shape::Map, 2) } else { (Shape::List, 1) };
                    values = Some((count as u64).saturating_mul(each));
                    piece = Some(Piece::Begin(shape));
                }
            }
            b'$' | b'=' | b'!' => {
                if let Some(size) = reader.count("length")? {
                    let end = reader.at.saturating_add(size).saturating_add(2);
                    if end > input.len() && kind == b'$' && size > LONG {
                        *input = &input[reader.at..];
                        self.long = Some(size);
                        self.begin(None);
                        return self.next(input);
                    }
                    if end > input.len() {
                        return Ok(Next::More(end));
                    }
                    if kind == b'$' {
                        reader.at = 1;
                        piece = reader.counted(None)?.map(Piece::Text);
                    }
                }
            }
            _ => {}
        }
        let piece = if let Some(piece) = piece {
            piece
        } else {
            reader.at = 0;
            Piece::Value(reader.value(0)?)
        };
        *input = &input[reader.at..];
        self.begin(values);
        Ok(Next::Piece(piece))
    }

    /// Counts a value that begins, with the number of its own values.
    fn begin(&mut self, values: Option<u64>) {
        self.is_begun = true;
        if let Some(left) = self.open.last_mut() {
            *left -= 1;
        }
        self.open.extend(values);
    }
}

/// Returns the bytes of a bulk string that is whole at the front of the input, and the length of the reply: the most
/// frequent one, without a look at any byte twice. `None` for every other reply, and for what is not RESP.
pub(crate) fn whole_bulk(input: &[u8]) -> Option<(&[u8], usize)> {
    // So few that the sums below don't overflow.
    const DIGITS: usize = 9;
    let head = input.strip_prefix(b"$")?;
    let digits = head.iter().take(DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    let size = head[..digits].iter().fold(0, |size, digit| size * 10 + usize::from(digit - b'0'));
    let rest = head[digits..].strip_prefix(b"\r\n").filter(|_| digits > 0)?;
    let is_ended = rest.get(size..size + 2)? == b"\r\n";
    is_ended.then(|| (&rest[..size], 1 + digits + 2 + size + 2))
}

/// Reads a whole reply.
pub(crate) fn read(input: &[u8]) -> Result<Reply, NotResp> {
    let mut reader = Reader { input, at: 0 };
    reader.value(0)
}

struct Reader<'i> {
    input: &'i [u8],
    at: usize,
}

impl<'i> Reader<'i> {
    fn value(&mut self, depth: usize) -> Result<Reply, NotResp> {
        if depth > DEEPEST {
            return Err(too_deep());
        }
        let kind = *self.input.get(self.at).ok_or_else(cut)?;
        self.at += 1;
        Ok(match kind {
            b'+' => match self.line()? {
                b"OK" => Reply::Ok,
                word => Reply::Status(Cow::Owned(lossy(word))),
            },
            b'-' => failure(self.line()?),
            b'!' => failure(self.counted(None)?.unwrap_or_default()),
            b':' => Reply::Int(self.number("integer")?),
            b'$' => self.counted(None)?.map_or(Reply::Null, Reply::bytes),
            // The first four bytes are the format of the text, such as `txt:`.
            b'=' => self.counted(Some(4))?.map_or(Reply::Null, Reply::bytes),
            b'_' => match self.line()? {
                b"" => Reply::Null,
                other => return Err(wrong("null", other)),
            },
            b'#' => match self.line()? {
                b"t" => Reply::Bool(true),
                b"f" => Reply::Bool(false),
                other => return Err(wrong("boolean", other)),
            },
            b',' => Reply::Float(self.number("double")?),
            b'(' => {
                let digits = self.line()?;
                if !is_integer(digits) {
                    return Err(wrong("big number", digits));
                }
                Reply::Big(lossy(digits))
            }
            b'*' | b'>' => self.items(depth)?.map_or(Reply::Null, Reply::List),
            b'~' => self.items(depth)?.map_or(Reply::Null, Reply::Set),
            b'%' => {
                let count = self.count("map")?.unwrap_or(0);
                let mut pairs = Vec::new();
                for _ in 0..count {
                    pairs.push((self.value(depth + 1)?, self.value(depth + 1)?));
                }
                Reply::Map(pairs)
            }
            _ => {
                self.at -= 1;
                return Err(self.unknown());
            }
        })
    }

    fn items(&mut self, depth: usize) -> Result<Option<Vec<Reply>>, NotResp> {
        let Some(count) = self.count("array")? else { return Ok(None) };
        // Not with_capacity(count): a hostile server could declare any count.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        Ok(Some(items))
    }

    /// Reads a count or length, `None` for -1.
    fn count(&mut self, what: &str) -> Result<Option<usize>, NotResp> {
        let at = self.at;
        match self.number::<i64>(what)? {
            -1 => Ok(None),
            value => usize::try_from(value)
                .map(Some)
                .map_err(|_| wrong(what, &self.input[at..self.at - 2])),
        }
    }

    /// Reads the bytes of a bulk string, without the first `skip`.
    fn counted(&mut self, skip: Option<usize>) -> Result<Option<&'i [u8]>, NotResp> {
        let Some(size) = self.count("length")? else { return Ok(None) };
        let (start, end) = (self.at, self.at.saturating_add(size));
        let stop = end.saturating_add(2);
        if self.input.get(end..stop).ok_or_else(cut)? != b"\r\n" {
            return Err(too_long());
        }
        self.at = stop;
        let bytes = &self.input[start..end];
        Ok(Some(skip.map_or(bytes, |skip| bytes.get(skip..).unwrap_or_default())))
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, NotResp> {
        let digits = self.line()?;
        let parsed = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        parsed.ok_or_else(|| wrong(what, digits))
    }

    fn line(&mut self) -> Result<&'i [u8], NotResp> {
        let rest = &self.input[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or_else(cut)?;
        self.at += end + 1;
        rest[..end].strip_suffix(b"\r").ok_or_else(|| NotResp("LF without CR".into()))
    }

    fn unknown(&self) -> NotResp {
        let near = &self.input[self.at..self.input.len().min(self.at + 32)];
        NotResp(format!("\"{}\"", near.escape_ascii()))
    }
}

fn cut() -> NotResp {
    NotResp("incomplete reply".into())
}

fn endless() -> NotResp {
    NotResp("line without an end".into())
}

fn too_deep() -> NotResp {
    NotResp(format!("nested deeper than {DEEPEST}"))
}

fn too_long() -> NotResp {
    NotResp("string longer than its length".into())
}

/// Returns whether the text is a decimal integer of any length.
fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn failure(line: &[u8]) -> Reply {
    let text = lossy(line);
    let (code, message) = text.split_once(' ').unwrap_or((&text, ""));
    Reply::Error(Failure::from_parts(Cow::Owned(code.to_owned()), message.to_owned()))
}

fn wrong(what: &str, got: &[u8]) -> NotResp {
    let short = &got[..got.len().min(40)];
    NotResp(format!("invalid {what} \"{}\"", short.escape_ascii()))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
