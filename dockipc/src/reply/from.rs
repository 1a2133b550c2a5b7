//! The types that [`FromReply`] is implemented for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::hash::{BuildHasher, Hash};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{FromReply, IntoReply, Reply, ReplyType};
use crate::error::Error;
use crate::text::time;
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

pub(super) fn mismatch<T>(wanted: &'static str, got: &Reply) -> Result<T, Error> {
    Err(Error::Mismatch { wanted, got: got.describe() })
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        Ok(reply)
    }
}

/// Accepts every answer that is not an error.
impl FromReply for () {
    const EXPECTED: &'static ReplyType = &ReplyType::Nothing;

    fn from_reply(_: Reply) -> Result<Self, Error> {
        Ok(())
    }
}

impl<T: FromReply> FromReply for Option<T> {
    const EXPECTED: &'static ReplyType = &ReplyType::Optional(T::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        match reply {
            Reply::Null | Reply::Nulls(_) => Ok(None),
            other => T::from_reply(other).map(Some),
        }
    }
}

impl FromReply for bool {
    const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

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
            const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                integer(&reply).map_or_else(|| mismatch(stringify!($int), &reply), Ok)
            }
        }
    )*};
}

integers! { u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

macro_rules! nonzero {
    ($($int:ident)*) => {$(
        impl FromReply for std::num::$int {
            const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                let value = integer(&reply).and_then(Self::new);
                value.map_or_else(|| mismatch(stringify!($int), &reply), Ok)
            }
        }
    )*};
}

nonzero! {
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
}

impl FromReply for u8 {
    const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;
    const LIST_EXPECTED: &'static ReplyType = &ReplyType::Bytes;

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
    const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

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
    const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

    #[expect(clippy::cast_possible_truncation, reason = "the caller asked for f32")]
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        f64::from_reply(reply).map(|value| value as f32)
    }
}

impl FromReply for String {
    const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let bytes = match reply {
            Reply::Bool(value) => return Ok(value.to_string()),
            other => Vec::<u8>::from_reply(other)?,
        };
        Self::from_utf8(bytes).or_else(|e| mismatch("UTF-8 text", &Reply::Bytes(e.into_bytes())))
    }
}

macro_rules! parsed {
    ($($ty:ty: $wanted:literal, $parse:expr;)*) => {$(
        impl FromReply for $ty {
            const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                let text = String::from_reply(reply)?;
                let parse: fn(&str) -> Option<$ty> = $parse;
                parse(&text).map_or_else(|| mismatch($wanted, &Reply::Bytes(text.into())), Ok)
            }
        }
    )*};
}

parsed! {
    char: "a character", |text| text.parse().ok();
    Duration: "a duration", time::duration;
    SystemTime: "a time", time::parse;
    std::net::IpAddr: "an address", |text| text.parse().ok();
    std::net::Ipv4Addr: "an IPv4 address", |text| text.parse().ok();
    std::net::Ipv6Addr: "an IPv6 address", |text| text.parse().ok();
    std::net::SocketAddr: "an address and a port", |text| text.parse().ok();
    std::net::SocketAddrV4: "an IPv4 address and a port", |text| text.parse().ok();
    std::net::SocketAddrV6: "an IPv6 address and a port", |text| text.parse().ok();
}

macro_rules! converted {
    ($($ty:ty: $from:ty, $convert:expr;)*) => {$(
        impl FromReply for $ty {
            const EXPECTED: &'static ReplyType = <Self as IntoReply>::REPLY_TYPE;

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                <$from>::from_reply(reply).map($convert)
            }
        }
    )*};
}

converted! {
    OsString: Vec<u8>, Self::from_vec;
    PathBuf: OsString, Self::from;
    Box<str>: String, Self::from;
    Rc<str>: String, Self::from;
    Arc<str>: String, Self::from;
    Rc<[u8]>: Vec<u8>, Self::from;
    Arc<[u8]>: Vec<u8>, Self::from;
    Cow<'_, str>: String, Self::Owned;
    Cow<'_, [u8]>: Vec<u8>, Self::Owned;
    Cow<'_, Path>: PathBuf, Self::Owned;
}

macro_rules! pointers {
    ($($pointer:ident)*) => {$(
        impl<T: FromReply> FromReply for $pointer<T> {
            const EXPECTED: &'static ReplyType = T::EXPECTED;

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                T::from_reply(reply).map(Self::new)
            }
        }
    )*};
}

pointers! { Box Rc Arc }

impl<T: FromReply> FromReply for Vec<T> {
    const EXPECTED: &'static ReplyType = T::LIST_EXPECTED;

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        T::list_from_reply(reply)
    }
}

impl<T: FromReply> FromReply for Box<[T]> {
    const EXPECTED: &'static ReplyType = T::LIST_EXPECTED;

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        T::list_from_reply(reply).map(Self::from)
    }
}

impl<T: FromReply> FromReply for VecDeque<T> {
    const EXPECTED: &'static ReplyType = &ReplyType::List(T::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        items(reply)
    }
}

impl<T: FromReply, const N: usize> FromReply for [T; N] {
    const EXPECTED: &'static ReplyType = T::LIST_EXPECTED;

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let items = T::list_from_reply(reply)?;
        items.try_into().map_err(|items: Vec<T>| Error::Mismatch {
            wanted: "as long as the array",
            got: format!("{} items long", items.len()),
        })
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    const EXPECTED: &'static ReplyType = &ReplyType::Set(T::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        items(reply)
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    const EXPECTED: &'static ReplyType = &ReplyType::Set(T::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        items(reply)
    }
}

pub(super) fn pairs<K: FromReply, V: FromReply>(reply: Reply) -> Result<Vec<(K, V)>, Error> {
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
    const EXPECTED: &'static ReplyType = &ReplyType::Map(K::EXPECTED, V::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply).map(Self::from_iter)
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    const EXPECTED: &'static ReplyType = &ReplyType::Map(K::EXPECTED, V::EXPECTED);

    fn from_reply(reply: Reply) -> Result<Self, Error> {
        pairs(reply).map(Self::from_iter)
    }
}

macro_rules! tuples {
    ($($n:literal: $($t:ident)*;)*) => {$(
        impl<$($t: FromReply),*> FromReply for ($($t,)*) {
            const EXPECTED: &'static ReplyType = &ReplyType::Row(&[$($t::EXPECTED),*]);

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
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}
