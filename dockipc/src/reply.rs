//! Conversions to and from [`Reply`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::path::{Path, PathBuf};

use crate::error::{Error, Failure};
use crate::wire::{copied, float_text};

pub use crate::wire::Reply;

impl Reply {
    /// Converts the reply to a value, as [`Call::call`](crate::client::Call::call) does.
    pub fn parse<T: FromReply>(self) -> Result<T, Error> {
        match self {
            Self::Error(failure) => Err(Error::Refused(failure)),
            reply => T::from_reply(reply),
        }
    }
}

/// A type that a command can return.
///
/// Implemented for `()`, bytes, text, `char`, paths, integers, floats, `bool`, `Option`, lists,
/// sets, maps, tuples, [`Reply`], and `Result<T, E>` of those with any `E: Display`. For your own type:
///
/// ```
/// use dockipc::{IntoReply, Reply};
///
/// struct Point { x: i64, y: i64 }
///
/// impl IntoReply for Point {
///     fn into_reply(self) -> Reply {
///         Reply::map([("x", self.x.into_reply()), ("y", self.y.into_reply())])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the answer of a command",
    label = "not an answer type",
    note = "a command answers with (), bytes, text, numbers, bool, Option, lists, sets, maps, tuples, `dockipc::Reply`, or a Result of those whose error is Display",
    note = "for your own type, write `impl dockipc::IntoReply`"
)]
pub trait IntoReply: Sized {
    /// The number of columns that the answer takes inside a row of line mode, 1 by default. A `None`
    /// takes the same number.
    ///
    /// Set it for your own type if its answer is a list of fixed length, such as 2 for a pair.
    const COLUMNS: usize = 1;

    /// Converts the value to an answer.
    fn into_reply(self) -> Reply;

    /// Converts a `Vec` of this type to an answer; a `Vec<u8>` is bytes.
    #[doc(hidden)]
    fn list_into_reply(items: Vec<Self>) -> Reply {
        Reply::List(items.into_iter().map(Self::into_reply).collect())
    }
}

/// A type that an answer can be converted to.
///
/// The conversion is lenient where RESP2 has fewer types: decimal text converts to an integer, `0` and `1`
/// to a `bool`, a flat list to a map.
#[diagnostic::on_unimplemented(
    message = "an answer can't be converted to `{Self}`",
    note = "use (), bytes, text, a number, bool, Option, Vec, a set, a map, a tuple, or `dockipc::Reply`, which accepts every answer"
)]
pub trait FromReply: Sized {
    /// Converts an answer. An answer of another type is an [`Error::Mismatch`].
    fn from_reply(reply: Reply) -> Result<Self, Error>;

    /// Converts an answer to a `Vec` of this type; a `Vec<u8>` is bytes.
    #[doc(hidden)]
    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, Error> {
        items(reply)
    }
}

/// Converts each value of a list or a set.
fn items<T: FromReply, L: FromIterator<T>>(reply: Reply) -> Result<L, Error> {
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

impl IntoReply for Reply {
    fn into_reply(self) -> Reply {
        self
    }
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        Ok(reply)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Reply {
        Reply::Ok
    }
}

/// Accepts every answer that is not an error.
impl FromReply for () {
    fn from_reply(_: Reply) -> Result<Self, Error> {
        Ok(())
    }
}

impl<T: IntoReply, E: Into<Failure>> IntoReply for Result<T, E> {
    const COLUMNS: usize = T::COLUMNS;

    fn into_reply(self) -> Reply {
        match self {
            Ok(value) => value.into_reply(),
            Err(error) => Reply::Error(error.into()),
        }
    }
}

impl<T: IntoReply> IntoReply for Option<T> {
    const COLUMNS: usize = T::COLUMNS;

    fn into_reply(self) -> Reply {
        let none = if Self::COLUMNS == 1 { Reply::Null } else { Reply::Nulls(Self::COLUMNS) };
        self.map_or(none, T::into_reply)
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

impl IntoReply for bool {
    fn into_reply(self) -> Reply {
        Reply::Bool(self)
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
        impl IntoReply for $int {
            fn into_reply(self) -> Reply {
                i64::try_from(self).map_or_else(|_| Reply::Big(self.to_string()), Reply::Int)
            }
        }
        impl FromReply for $int {
            fn from_reply(reply: Reply) -> Result<Self, Error> {
                integer(&reply).map_or_else(|| mismatch(stringify!($int), &reply), Ok)
            }
        }
    )*};
}

integers! { u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl IntoReply for u8 {
    fn into_reply(self) -> Reply {
        Reply::Int(self.into())
    }

    fn list_into_reply(items: Vec<Self>) -> Reply {
        Reply::Bytes(items)
    }
}

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

impl IntoReply for f64 {
    fn into_reply(self) -> Reply {
        Reply::Float(self)
    }
}

impl IntoReply for f32 {
    /// Converts through the shortest decimal, so that `0.1f32` is answered as `0.1`.
    fn into_reply(self) -> Reply {
        Reply::Float(self.to_string().parse().unwrap_or_else(|_| self.into()))
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

impl IntoReply for char {
    fn into_reply(self) -> Reply {
        copied(self.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

impl IntoReply for &str {
    fn into_reply(self) -> Reply {
        copied(self.as_bytes())
    }
}

impl IntoReply for &[u8] {
    fn into_reply(self) -> Reply {
        copied(self)
    }
}

impl<const N: usize> IntoReply for [u8; N] {
    fn into_reply(self) -> Reply {
        copied(&self)
    }
}

impl<const N: usize> IntoReply for &[u8; N] {
    fn into_reply(self) -> Reply {
        copied(self)
    }
}

macro_rules! owned_bytes {
    ($($from:ty: $how:expr;)*) => {$(
        impl IntoReply for $from {
            fn into_reply(self) -> Reply {
                let bytes: fn($from) -> Vec<u8> = $how;
                Reply::Bytes(bytes(self))
            }
        }
    )*};
}

owned_bytes! {
    String: String::into_bytes;
    Box<str>: |text| text.into_string().into_bytes();
    Box<[u8]>: <[u8]>::into_vec;
    Cow<'_, str>: |text| text.into_owned().into_bytes();
    Cow<'_, [u8]>: |bytes| bytes.into_owned();
    PathBuf: |path| path.into_os_string().into_encoded_bytes();
    &Path: |path| path.as_os_str().as_encoded_bytes().to_vec();
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

impl<T: IntoReply> IntoReply for Vec<T> {
    fn into_reply(self) -> Reply {
        T::list_into_reply(self)
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        T::list_from_reply(reply)
    }
}

impl<T: IntoReply> IntoReply for VecDeque<T> {
    fn into_reply(self) -> Reply {
        Reply::List(self.into_iter().map(T::into_reply).collect())
    }
}

impl<T: IntoReply, S> IntoReply for HashSet<T, S> {
    fn into_reply(self) -> Reply {
        Reply::Set(self.into_iter().map(T::into_reply).collect())
    }
}

impl<T: IntoReply> IntoReply for BTreeSet<T> {
    fn into_reply(self) -> Reply {
        Reply::Set(self.into_iter().map(T::into_reply).collect())
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

impl<K: IntoReply, V: IntoReply, S> IntoReply for HashMap<K, V, S> {
    fn into_reply(self) -> Reply {
        Reply::Map(self.into_iter().map(|(k, v)| (k.into_reply(), v.into_reply())).collect())
    }
}

impl<K: IntoReply, V: IntoReply> IntoReply for BTreeMap<K, V> {
    fn into_reply(self) -> Reply {
        Reply::Map(self.into_iter().map(|(k, v)| (k.into_reply(), v.into_reply())).collect())
    }
}

fn pairs<K: FromReply, V: FromReply>(reply: Reply) -> Result<Vec<(K, V)>, Error> {
    match reply {
        Reply::Map(pairs) => pairs.into_iter().map(|(k, v)| Ok((k.parse()?, v.parse()?))).collect(),
        Reply::List(items) if items.len() % 2 == 0 => {
            let mut items = items.into_iter();
            let mut out = Vec::with_capacity(items.len() / 2);
            while let (Some(k), Some(v)) = (items.next(), items.next()) {
                out.push((k.parse()?, v.parse()?));
            }
            Ok(out)
        }
        other => mismatch("a map", &other),
    }
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
        impl<$($t: IntoReply),*> IntoReply for ($($t,)*) {
            const COLUMNS: usize = 0 $(+ $t::COLUMNS)*;

            #[allow(non_snake_case, reason = "the types' names serve as the values'")]
            fn into_reply(self) -> Reply {
                let ($($t,)*) = self;
                Reply::List(vec![$($t.into_reply()),*])
            }
        }
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
