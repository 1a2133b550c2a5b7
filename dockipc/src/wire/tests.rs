//! Tests of the wire without sockets: no bytes make it panic, loop or lose its position, and the results do
//! not depend on how the bytes are split.

use proptest::collection::vec;
use proptest::prelude::*;

use super::check::{Event, LIMITS};
use super::{Reply, encode, float_text};
use crate::error::{Failure, code, is_acted_on};

mod decode;
mod floats;
mod generated;
mod outgoing;
mod replies;
mod split;

fn refused(code: &str, last: bool, resp: bool) -> Event {
    Event::Refused(code.into(), last, resp)
}

fn resp(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::length(b'*', words.len(), &mut out);
    for word in words {
        encode::bulk(word.as_ref(), &mut out);
    }
    out
}

/// The command that its sender expects the decoder to find.
fn expected(words: &[Vec<u8>]) -> Event {
    if resp(words).len() > LIMITS.command {
        refused(code::TOOBIG, false, true)
    } else {
        Event::Resp(words.to_vec())
    }
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), vec(1..40_usize, 1..20), vec(1..600_usize, 1..5)]
}

/// Bytes put in, taken out and changed here and there.
fn mutated(bytes: Vec<u8>, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes;
    for &(at, what, byte) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        match what % 4 {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n$*-0123456789{".to_vec())];
    vec((any::<usize>(), any::<u8>(), byte), 1..6)
}

/// The reply as a client reads it: RESP3 keeps every type, RESP2 has fewer.
fn as_read(reply: &Reply, v3: bool) -> Reply {
    let all = |items: &[Reply]| items.iter().map(|item| as_read(item, v3)).collect();
    match reply {
        Reply::Ok => Reply::Ok,
        Reply::Null | Reply::Nulls(_) => Reply::Null,
        Reply::Status(word) => Reply::Status(word.clone()),
        Reply::Bool(value) if v3 => Reply::Bool(*value),
        Reply::Bool(value) => Reply::Int((*value).into()),
        Reply::Int(value) => Reply::Int(*value),
        Reply::Big(digits) => Reply::bytes(digits.as_str()),
        Reply::Float(value) if v3 => Reply::Float(*value),
        Reply::Float(value) => Reply::bytes(float_text(*value)),
        Reply::Bytes(bytes) => Reply::Bytes(bytes.clone()),
        Reply::Formed(formed) => as_read(&formed.value, v3),
        Reply::Set(items) if v3 && !items.iter().any(is_nested) => Reply::Set(all(items)),
        Reply::List(items) | Reply::Set(items) => Reply::List(all(items)),
        Reply::Map(pairs) if v3 && pairs.iter().any(|(key, _)| is_nested(key)) => Reply::List(
            pairs.iter().map(|(k, v)| Reply::List(all(&[k.clone(), v.clone()]))).collect(),
        ),
        Reply::Map(pairs) if v3 => {
            Reply::Map(pairs.iter().map(|(k, v)| (as_read(k, v3), as_read(v, v3))).collect())
        }
        Reply::Map(pairs) => {
            Reply::List(pairs.iter().flat_map(|(k, v)| [as_read(k, v3), as_read(v, v3)]).collect())
        }
        Reply::Error(failure) => {
            let (code, message) = (failure.code(), failure.message());
            let prefix =
                if is_acted_on(format!("{code} {message}").as_bytes()) { "APP_" } else { "" };
            Reply::Error(Failure::from_parts(format!("{prefix}{code}").into(), message.into()))
        }
    }
}

/// Returns whether a value can't be a key of a map or an item of a set.
fn is_nested(reply: &Reply) -> bool {
    matches!(reply, Reply::List(_) | Reply::Set(_) | Reply::Map(_) | Reply::Error(_))
}
