//! [`Items`], which finds the items of a [`Body`](super::Body) in its bytes and reads them.

use std::io::{self, ErrorKind};

use super::row::Rows;
use crate::error::{Error, Failure, code};
use crate::reply::{FromReply, Reply, ReplyType};
use crate::wire::answer::{self, NotResp, Scan, Scanner};

/// How the items of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line each.
    Lines,
    /// The same, but the last line may be without its end: that of the bytes is known.
    Word,
    /// RESP3 values, as our client sends them.
    Values,
}

/// Finds the items in bytes, however these are split, without reading them from anywhere.
pub(super) struct Items {
    form: Form,
    /// The most bytes of an item.
    max: usize,
    rows: Rows,
    /// The beginning of an item whose end has not come.
    held: Vec<u8>,
    scanner: Scanner,
    /// The number of items so far.
    count: u64,
    /// No item follows.
    is_over: bool,
}

/// The result of looking for an item.
pub(super) enum Found {
    Item(Result<Reply, Failure>),
    /// The bytes have no end of an item.
    Nothing,
}

/// The fewest bytes that are added to an item which needs more.
const STEP: usize = 4 * 1024;

impl Items {
    pub(super) fn new(form: Form, max: usize, ty: &'static ReplyType) -> Self {
        let (rows, scanner) = (Rows::new(ty), Scanner::new());
        Self { form, max, rows, held: Vec::new(), scanner, count: 0, is_over: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Looks for the next item in the bytes that follow, of which there are some. Returns how many of them it has taken.
    pub(super) fn next(&mut self, bytes: &[u8]) -> (usize, Found) {
        let (used, found) = match self.form {
            Form::Lines | Form::Word => self.line(bytes),
            Form::Values => self.value(bytes),
        };
        let found = found.unwrap_or_else(|failure| {
            self.is_over = true;
            Found::Item(Err(failure))
        });
        (used, found)
    }

    fn line(&mut self, bytes: &[u8]) -> (usize, Result<Found, Failure>) {
        let end = bytes.iter().position(|&b| b == b'\n');
        let here = end.unwrap_or(bytes.len());
        if self.held.len() + here > self.max {
            return (0, Err(self.too_long()));
        }
        let Some(end) = end else {
            self.held.extend_from_slice(bytes);
            return (here, Ok(Found::Nothing));
        };
        let found = if self.held.is_empty() {
            self.row(&bytes[..end])
        } else {
            self.held.extend_from_slice(&bytes[..end]);
            let line = std::mem::take(&mut self.held);
            self.row(&line)
        };
        (end + 1, Ok(found))
    }

    fn row(&mut self, line: &[u8]) -> Found {
        match self.rows.read(line) {
            Ok(None) => Found::Nothing,
            Ok(Some(item)) => {
                self.count += 1;
                Found::Item(Ok(item))
            }
            Err(why) => {
                self.count += 1;
                Found::Item(Err(self.bad(&why)))
            }
        }
    }

    fn value(&mut self, bytes: &[u8]) -> (usize, Result<Found, Failure>) {
        let before = self.held.len();
        if before == 0 {
            let scanned = self.scanner.scan(bytes);
            return match scanned {
                Ok(Scan::Whole { len, .. }) => (len, self.whole(&bytes[..len])),
                Ok(Scan::More { need }) if need <= self.max => {
                    self.held.extend_from_slice(bytes);
                    (bytes.len(), Ok(Found::Nothing))
                }
                Ok(Scan::More { .. }) => (0, Err(self.too_long())),
                Err(not_resp) => (0, Err(self.not_resp(&not_resp))),
            };
        }
        let need = match self.scanner.scan(&self.held) {
            Ok(Scan::More { need }) => need,
            // Not reached: it was looked at.
            _ => before + 1,
        };
        if need > self.max {
            return (0, Err(self.too_long()));
        }
        // Twice as many, since the scanner looks at a line from its beginning. Those behind the item are not taken.
        let here = (need - before).max(before).max(STEP).min(bytes.len());
        self.held.extend_from_slice(&bytes[..here]);
        match self.scanner.scan(&self.held) {
            Ok(Scan::Whole { len, .. }) => {
                let held = std::mem::take(&mut self.held);
                (len - before, self.whole(&held[..len]))
            }
            Ok(Scan::More { .. }) => (here, Ok(Found::Nothing)),
            Err(not_resp) => (0, Err(self.not_resp(&not_resp))),
        }
    }

    fn whole(&mut self, value: &[u8]) -> Result<Found, Failure> {
        self.scanner = Scanner::new();
        if value.len() > self.max {
            return Err(self.too_long());
        }
        let reply = answer::read(value).map_err(|not_resp| self.not_resp(&not_resp))?;
        self.count += 1;
        Ok(Found::Item(Ok(reply)))
    }

    /// Returns the item in front of the end of the bytes, or why there is none.
    pub(super) fn end(&mut self) -> Option<Result<Reply, Failure>> {
        self.is_over = true;
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return None;
        }
        if self.form == Form::Word {
            return match self.row(&held) {
                Found::Item(item) => Some(item),
                Found::Nothing => None,
            };
        }
        let end = if self.form == Form::Lines { ": its line has no newline" } else { "" };
        let message = format_args!("item {} is cut off{end}", self.count + 1);
        Some(Err(Failure::new(code::INCOMPLETE, message)))
    }

    /// Returns why there is no further item after an error of the reader.
    pub(super) fn broken(&mut self, error: io::Error) -> Failure {
        self.is_over = true;
        let behind = format_args!("{error}, behind item {}", self.count).to_string();
        match error.kind() {
            ErrorKind::UnexpectedEof => Failure::new(code::INCOMPLETE, behind),
            _ => Failure::from(error),
        }
    }

    /// Converts an item.
    pub(super) fn convert<T: FromReply>(&self, item: Reply) -> Result<T, Failure> {
        item.parse().map_err(|error| match error {
            Error::Mismatch { wanted, got } => self.bad(&format!("expected {wanted}, got {got}")),
            error => self.bad(&error.to_string()),
        })
    }

    fn bad(&self, why: &str) -> Failure {
        Failure::new(code::USAGE, format_args!("bad item {}: {why}", self.count))
    }

    #[cold]
    fn too_long(&self) -> Failure {
        let (number, max) = (self.count + 1, self.max);
        Failure::new(code::TOOBIG, format_args!("item {number} is longer than {max} bytes"))
    }

    #[cold]
    fn not_resp(&self, NotResp(why): &NotResp) -> Failure {
        Failure::new(code::PROTO, format_args!("item {} is not RESP: {why}", self.count + 1))
    }
}
