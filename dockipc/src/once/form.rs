//! The form in which answers are remembered, in memory and in the file, and that of the file's records.
//!
//! An answer is a byte for its kind, and then its value: numbers in eight bytes, texts and lists with their length in
//! front. A record is its length, a hash of its bytes, and these; so one that was not written whole is noticed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::memory::Key;
use crate::error::Failure;
use crate::reply::Reply;
use crate::run::hash;
use crate::wire::Formed;

/// The event of a call's life that a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The command is about to run.
    Began = 1,
    /// It has answered.
    Ended = 2,
    /// It has not run after all.
    NotRun = 3,
    /// A token's answer was dropped. `words` is a hash of the token.
    Forgotten = 4,
}

/// One record of the file.
#[derive(Debug)]
pub(super) struct Record<'r> {
    pub(super) kind: Kind,
    pub(super) time: SystemTime,
    pub(super) uid: u32,
    has_rights: bool,
    pub(super) words: u64,
    token: &'r str,
    pub(super) answer: &'r [u8],
}

/// The length and the hash in front of a record.
const HEAD: usize = 12;

impl<'r> Record<'r> {
    pub(super) fn new(kind: Kind, key: &'r Key, words: u64, answer: &'r [u8]) -> Self {
        let Key { uid, has_rights, token } = key;
        let (uid, has_rights, time) = (*uid, *has_rights, SystemTime::now());
        Self { kind, time, uid, has_rights, words, token, answer }
    }

    pub(super) fn forgotten(uid: u32, hash: u64) -> Self {
        let (kind, time) = (Kind::Forgotten, SystemTime::UNIX_EPOCH);
        Self { kind, time, uid, has_rights: false, words: hash, token: "", answer: &[] }
    }

    pub(super) fn key(&self) -> Key {
        Key { uid: self.uid, has_rights: self.has_rights, token: self.token.into() }
    }

    /// Appends the record.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD]);
        out.extend_from_slice(&[self.kind as u8, self.has_rights.into()]);
        out.extend_from_slice(&self.uid.to_le_bytes());
        out.extend_from_slice(&self.words.to_le_bytes());
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        out.extend_from_slice(&milliseconds.to_le_bytes());
        text(self.token.as_bytes(), out);
        out.extend_from_slice(self.answer);
        let body = &out[start + HEAD..];
        // An answer is not longer than memory, and one of 4 GiB is not kept.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
        let check = hash(std::iter::once(body)).to_le_bytes();
        out[start..][..4].copy_from_slice(&length);
        out[start + 4..][..8].copy_from_slice(&check);
    }

    /// Returns how many bytes [`read`](Self::read) hashes.
    pub(super) fn length(mut input: &[u8]) -> usize {
        let length =
            array(&mut input).and_then(|length| usize::try_from(u32::from_le_bytes(length)).ok());
        length.filter(|&length| length <= input.len()).unwrap_or(0)
    }

    /// Reads the first record. `None` if it is not whole.
    pub(super) fn read(input: &mut &'r [u8]) -> Option<Self> {
        let mut rest = *input;
        let length = u32::from_le_bytes(array(&mut rest)?);
        let check = u64::from_le_bytes(array(&mut rest)?);
        let mut body = take(usize::try_from(length).ok()?, &mut rest)?;
        if hash(std::iter::once(body)) != check {
            return None;
        }
        let [kind, has_rights] = array(&mut body)?;
        let kind = match kind {
            1 => Kind::Began,
            2 => Kind::Ended,
            3 => Kind::NotRun,
            4 => Kind::Forgotten,
            _ => return None,
        };
        let uid = u32::from_le_bytes(array(&mut body)?);
        let words = u64::from_le_bytes(array(&mut body)?);
        let since = Duration::from_millis(u64::from_le_bytes(array(&mut body)?));
        let time = SystemTime::UNIX_EPOCH.checked_add(since)?;
        let token = std::str::from_utf8(sized(&mut body)?).ok()?;
        *input = rest;
        Some(Self { kind, time, uid, has_rights: has_rights != 0, words, token, answer: body })
    }
}

/// An answer that is remembered.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) bytes: Arc<[u8]>,
}

impl Answer {
    pub(super) fn of(reply: &Reply) -> Self {
        Self { bytes: write(reply).into() }
    }

    pub(super) fn of_record(record: &Record<'_>) -> Self {
        Self { bytes: record.answer.into() }
    }

    pub(super) fn reply(&self) -> Reply {
        read(&self.bytes)
    }
}

/// Returns the form of an answer.
fn write(reply: &Reply) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    // A table has a header in line mode, which only its type knows.
    if let Reply::Formed(formed) = reply
        && !formed.is_json
    {
        out.push(14);
        text(&reply.clone().into_line(), &mut out);
    }
    put(reply, &mut out);
    out
}

/// Returns the answer of this form.
fn read(mut form: &[u8]) -> Reply {
    // Not reached: the hash of the file's record was right, or the form was never in a file.
    get(&mut form)
        .unwrap_or_else(|| Reply::Error(Failure::from("the remembered answer is damaged")))
}

fn put(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Ok => out.push(0),
        Reply::Status(word) => {
            out.push(1);
            text(word.as_bytes(), out);
        }
        Reply::Null => out.push(2),
        Reply::Nulls(columns) => {
            out.push(3);
            number(*columns, out);
        }
        Reply::Bool(value) => out.extend_from_slice(&[4, (*value).into()]),
        Reply::Int(value) => {
            out.push(5);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Reply::Big(digits) => {
            out.push(6);
            text(digits.as_bytes(), out);
        }
        Reply::Float(value) => {
            out.push(7);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Reply::Bytes(bytes) => {
            out.push(8);
            text(bytes, out);
        }
        Reply::List(items) | Reply::Set(items) => {
            out.push(if matches!(reply, Reply::List(_)) { 9 } else { 10 });
            number(items.len(), out);
            for item in items {
                put(item, out);
            }
        }
        Reply::Map(pairs) => {
            out.push(11);
            number(pairs.len(), out);
            for (key, value) in pairs {
                put(key, out);
                put(value, out);
            }
        }
        Reply::Error(failure) => {
            out.push(12);
            text(failure.code().as_bytes(), out);
            text(failure.message().as_bytes(), out);
        }
        Reply::Formed(formed) => match &formed.value {
            // As JSON it is not encoded again, also after a restart.
            Reply::Bytes(bytes) if formed.is_json => {
                out.push(13);
                text(bytes, out);
            }
            value => put(value, out),
        },
    }
}

fn get(input: &mut &[u8]) -> Option<Reply> {
    let [kind] = array(input)?;
    Some(match kind {
        0 => Reply::Ok,
        1 => Reply::Status(string(input)?.into()),
        2 => Reply::Null,
        3 => Reply::Nulls(length(input)?),
        4 => Reply::Bool(array(input)? != [0]),
        5 => Reply::Int(i64::from_le_bytes(array(input)?)),
        6 => Reply::Big(string(input)?),
        7 => Reply::Float(f64::from_bits(u64::from_le_bytes(array(input)?))),
        8 => Reply::Bytes(sized(input)?.to_vec()),
        9 => Reply::List(several(input, get)?),
        10 => Reply::Set(several(input, get)?),
        11 => Reply::Map(several(input, |input| Some((get(input)?, get(input)?)))?),
        12 => Reply::Error(Failure::from_parts(Cow::Owned(string(input)?), string(input)?)),
        #[cfg(feature = "json")]
        13 => crate::wire::json::of_text(sized(input)?.to_vec()),
        #[cfg(not(feature = "json"))]
        13 => Reply::Bytes(sized(input)?.to_vec()),
        14 => {
            let (kept, value) = (sized(input)?.to_vec(), get(input)?);
            let line = |mut formed: Formed, out: &mut Vec<u8>| out.append(&mut formed.kept);
            Reply::Formed(Box::new(Formed { value, line, kept, is_json: false }))
        }
        _ => return None,
    })
}

fn number(value: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u64::try_from(value).unwrap_or(u64::MAX).to_le_bytes());
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    number(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn take<'i>(length: usize, input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

fn array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    take(N, input)?.try_into().ok()
}

fn length(input: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(array(input)?)).ok()
}

fn sized<'i>(input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let length = length(input)?;
    take(length, input)
}

fn string(input: &mut &[u8]) -> Option<String> {
    String::from_utf8(sized(input)?.to_vec()).ok()
}

fn several<T>(input: &mut &[u8], one: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = length(input)?;
    // Each takes a byte at least.
    let mut items = Vec::with_capacity(count.min(input.len()));
    for _ in 0..count {
        items.push(one(input)?);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { uid: 7, has_rights: true, token: "a-token".into() }
    }

    #[test]
    fn answers_keep_their_type() {
        let all = vec![
            Reply::Ok,
            Reply::Status("PONG".into()),
            Reply::Null,
            Reply::Nulls(3),
            Reply::Bool(true),
            Reply::Bool(false),
            Reply::Int(i64::MIN),
            Reply::Big("18446744073709551615".into()),
            Reply::Float(-0.5),
            Reply::bytes(*b"\0\r\n\xff"),
            Reply::Set(vec![Reply::Int(1)]),
            Reply::map([("k", Reply::List(Vec::new()))]),
            Reply::Error(Failure::new("LOADING", "not\nyet")),
            Reply::Error(Failure::from("plain")),
        ];
        let all = Reply::List(all);
        assert_eq!(read(&write(&all)), all);
    }

    #[test]
    fn record_that_is_not_whole_is_noticed() {
        let (key, mut out) = (key(), Vec::new());
        let answer = write(&Reply::bytes(*b"answer"));
        Record::new(Kind::Ended, &key, 42, &answer).write(&mut out);
        let whole = out.len();
        Record::forgotten(7, 1).write(&mut out);
        let mut input = &out[..];
        let record = Record::read(&mut input).unwrap();
        assert!(record.key() == key && record.kind == Kind::Ended && record.words == 42);
        assert_eq!((record.answer, input.len()), (&answer[..], out.len() - whole));
        assert_eq!(Record::read(&mut input).map(|record| record.kind), Some(Kind::Forgotten));
        for end in 0..whole {
            assert!(Record::read(&mut &out[..end]).is_none(), "{end}");
        }
        for at in 0..whole {
            out[at] ^= 1;
            let is_same = Record::read(&mut &out[..]).is_some_and(|r| r.answer == answer);
            assert!(!is_same, "{at}");
            out[at] ^= 1;
        }
    }
}
