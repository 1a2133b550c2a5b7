//! The types that [`FromReply`] is implemented for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::path::PathBuf;

use super::{FromReply, Reply};
use crate::error::Error;
use crate::wire::float_text;

/// Converts each value of a list or a set.
pub(super) fn items<T: FromReply, L: FromIterator<T>>(reply: Reply) -> Result<L, Error> {
    match reply {
        Reply::List(items) | Reply::Set(items) => {
            items.into_iter().map(Reply::parse::<T>).collect()
        }
        other => mismatch("a list", &other),
    }
}

fn mismatch<T>(wanted: &'static str, got: &Reply) -> Result<T, Error> {
    Err(Error::Mismatch { wanted, got: got.describe() })
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        Ok(reply)
    }
}

/// Accepts every answer that is not an error.
impl FromReply for () {
    fn from_reply(_: Reply) -> Result<Self, Error> {
        Ok(())
    }
}

impl<T: FromReply> FromReply for Option<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Reply::Null | Reply::Nulls(_) => Ok(None),
            other => T::from_reply(other).map(Some),
        }
    }
}

impl FromReply for bool {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match &reply {
            Reply::Bool(value) => Ok(*value),
            Reply::Int(0) => Ok(false),
            Reply::Int(1) => Ok(true),
            Reply::Bytes(bytes) if bytes == b"true" => Ok(true),
            Reply::Bytes(bytes) if bytes == b"false" => Ok(false),
            other => mismatch("a boolean", other),
        }
    }
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl FromReply for $int {
            fn from_reply(reply: Reply) -> Result<Self, Error> {
                integer(&reply).map_or_else(|| mismatch(stringify!($int), &reply), Ok)
            }
        }
    )*};
}

integers! { u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl FromReply for u8 {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        integer(&reply).map_or_else(|| mismatch("u8", &reply), Ok)
    }

    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, Error> {
        match reply {
            Reply::Bytes(bytes) => Ok(bytes),
            Reply::Status(word) => Ok(word.into_owned().into_bytes()),
            Reply::Big(digits) => Ok(digits.into_bytes()),
            Reply::Int(value) => Ok(value.to_string().into_bytes()),
            Reply::Float(value) => Ok(float_text(value).into_bytes()),
            other => mismatch("bytes", &other),
        }
    }
}

fn integer<T: TryFrom<i64> + std::str::FromStr>(reply: &Reply) -> Option<T> {
    match reply {
        Reply::Int(value) => T::try_from(*value).ok(),
        Reply::Big(digits) => digits.parse().ok(),
        Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

impl FromReply for f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number is asked for as a float")]
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let parsed = match &reply {
            Reply::Float(value) => Some(*value),
            Reply::Int(value) => Some(*value as f64),
            Reply::Big(digits) => digits.parse().ok(),
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok().and_then(|s| s.parse().ok()),
            _ => None,
        };
        parsed.map_or_else(|| mismatch("a number", &reply), Ok)
    }
}

impl FromReply for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the caller asked for f32")]
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        f64::from_reply(reply).map(|value| value as f32)
    }
}

impl FromReply for String {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let bytes = match reply {
            Reply::Bool(value) => return Ok(value.to_string()),
            other => Vec::<u8>::from_reply(other)?,
        };
        Self::from_utf8(bytes).or_else(|e| mismatch("UTF-8 text", &Reply::Bytes(e.into_bytes())))
    }
}

impl FromReply for PathBuf {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        use std::os::unix::ffi::OsStringExt;
        Vec::from_reply(reply).map(|bytes| std::ffi::OsString::from_vec(bytes).into())
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        T::list_from_reply(reply)
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        items(reply)
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        items(reply)
    }
}

fn pairs<K: FromReply, V: FromReply>(reply: Reply) -> Result<Vec<(K, V)>, Error> {
    match reply {
        // A map whose keys are lists. A flat list of pairs, as in RESP2, looks the same.
        Reply::List(items) if items.iter().all(is_pair) && !items.is_empty() => {
            let listed: Result<_, _> = items.iter().cloned().map(Reply::parse).collect();
            listed.or_else(|_| flat(items))
        }
        Reply::Map(pairs) => pairs.into_iter().map(|(k, v)| Ok((k.parse()?, v.parse()?))).collect(),
        Reply::List(items) => flat(items),
        other => mismatch("a map", &other),
    }
}

fn is_pair(item: &Reply) -> bool {
    matches!(item, Reply::List(pair) if pair.len() == 2)
}

/// Converts a list of keys and values in turn.
fn flat<K: FromReply, V: FromReply>(items: Vec<Reply>) -> Result<Vec<(K, V)>, Error> {
    if !items.len().is_multiple_of(2) {
        return mismatch("a map", &Reply::List(items));
    }
    let mut items = items.into_iter();
    let mut out = Vec::with_capacity(items.len() / 2);
    while let (Some(k), Some(v)) = (items.next(), items.next()) {
        out.push((k.parse()?, v.parse()?));
    }
    Ok(out)
}

impl<K, V, S> FromReply for HashMap<K, V, S>
where
    K: FromReply + Eq + Hash,
    V: FromReply,
    S: BuildHasher + Default,
{
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply).map(Self::from_iter)
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply).map(Self::from_iter)
    }
}

macro_rules! tuples {
    ($($n:literal: $($t:ident)*;)*) => {$(
        impl<$($t: FromReply),*> FromReply for ($($t,)*) {
            fn from_reply(reply: Reply) -> Result<Self, Error> {
                match reply {
                    Reply::List(items) if items.len() == $n => {
                        let mut items = items.into_iter();
                        Ok(($({
                            let item: Reply = items.next().unwrap_or(Reply::Null);
                            item.parse::<$t>()?
                        },)*))
                    }
                    other => mismatch(concat!("a list of ", $n), &other),
                }
            }
        }
    )*};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
}
