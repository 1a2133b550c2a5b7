//! The types that [`IntoReply`] is implemented for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{IntoReply, Reply, ReplyType};
use crate::error::Failure;
use crate::text::{Integer, time};
use crate::wire::{Formed, Header, copied, encode};

impl IntoReply for Reply {
    fn into_reply(self) -> Reply {
        self
    }
}

impl IntoReply for () {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Nothing;

    fn into_reply(self) -> Reply {
        Reply::Ok
    }
}

/// An error that a command can answer with. It has a message of its own, which the bound `Into<Failure>`
/// could not have.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a command",
    label = "an error needs a text",
    note = "implement `std::fmt::Display` for it, or `From<{Self}> for dockipc::Failure` to choose the code as well"
)]
pub trait IntoFailure {
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Failure>> IntoFailure for E {
    fn into_failure(self) -> Failure {
        self.into()
    }
}

impl<T: IntoReply, E: IntoFailure> IntoReply for Result<T, E> {
    const COLUMNS: usize = T::COLUMNS;
    const HEADER: Header = T::HEADER;
    const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

    fn into_reply(self) -> Reply {
        match self {
            Ok(value) => value.into_reply(),
            Err(error) => Reply::Error(error.into_failure()),
        }
    }
}

impl<T: IntoReply> IntoReply for Option<T> {
    const COLUMNS: usize = T::COLUMNS;
    const HEADER: Header = T::HEADER;
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Optional(T::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        let none = if Self::COLUMNS == 1 { Reply::Null } else { Reply::Nulls(Self::COLUMNS) };
        self.map_or(none, T::into_reply)
    }
}

impl IntoReply for bool {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Bool;

    fn into_reply(self) -> Reply {
        Reply::Bool(self)
    }
}

const fn integer<T: Integer>() -> ReplyType {
    let (min, max) = T::RANGE;
    ReplyType::Int { min, max }
}

/// Makes the answer of an integer beyond 64 bits.
#[cold]
#[inline(never)]
fn big(value: &dyn std::fmt::Display) -> Reply {
    Reply::Big(format!("{value}"))
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl IntoReply for $int {
            const REPLY_TYPE: &'static ReplyType = &integer::<Self>();

            #[inline]
            fn into_reply(self) -> Reply {
                i64::try_from(self).map_or_else(|_| big(&self), Reply::Int)
            }
        }
    )*};
}

integers! { u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

macro_rules! nonzero {
    ($($int:ident)*) => {$(
        impl IntoReply for std::num::$int {
            const REPLY_TYPE: &'static ReplyType = &integer::<Self>();

            fn into_reply(self) -> Reply {
                self.get().into_reply()
            }
        }
    )*};
}

nonzero! {
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
}

impl IntoReply for u8 {
    const IS_BYTE: bool = true;
    const REPLY_TYPE: &'static ReplyType = &integer::<Self>();

    fn into_reply(self) -> Reply {
        Reply::Int(self.into())
    }

    fn list_into_reply(items: Vec<Self>) -> Reply {
        Reply::Bytes(items)
    }
}

impl IntoReply for f64 {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Float;

    fn into_reply(self) -> Reply {
        Reply::Float(self)
    }
}

impl IntoReply for f32 {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Float;

    /// Converts through the shortest decimal, so that `0.1f32` is answered as `0.1`.
    fn into_reply(self) -> Reply {
        Reply::Float(self.to_string().parse().unwrap_or_else(|_| self.into()))
    }
}

impl IntoReply for char {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Form(&ReplyType::Text, "character");

    fn into_reply(self) -> Reply {
        copied(self.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

impl IntoReply for &str {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Text;

    fn into_reply(self) -> Reply {
        copied(self.as_bytes())
    }
}

impl IntoReply for &[u8] {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Bytes;

    fn into_reply(self) -> Reply {
        copied(self)
    }
}

/// As a list of the items; a `[u8; N]` is bytes.
impl<T: IntoReply, const N: usize> IntoReply for [T; N] {
    const COLUMNS: usize = if T::IS_BYTE { 1 } else { N * T::COLUMNS };
    const REPLY_TYPE: &'static ReplyType = <Vec<T>>::REPLY_TYPE;

    fn into_reply(self) -> Reply {
        T::list_into_reply(self.into())
    }
}

impl<const N: usize> IntoReply for &[u8; N] {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Bytes;

    fn into_reply(self) -> Reply {
        copied(self)
    }
}

const TEXT: ReplyType = ReplyType::Text;
const BYTES: ReplyType = ReplyType::Bytes;
const PATH: ReplyType = ReplyType::Form(&BYTES, "path");
const DURATION: ReplyType = ReplyType::Form(&TEXT, "duration");
const TIME: ReplyType = ReplyType::Form(&TEXT, "time");
const ADDRESS: ReplyType = ReplyType::Form(&TEXT, "address");

macro_rules! owned_bytes {
    ($($from:ty: $ty:ident, $how:expr;)*) => {$(
        impl IntoReply for $from {
            const REPLY_TYPE: &'static ReplyType = &$ty;

            fn into_reply(self) -> Reply {
                let bytes: fn($from) -> Vec<u8> = $how;
                Reply::Bytes(bytes(self))
            }
        }
    )*};
}

owned_bytes! {
    String: TEXT, String::into_bytes;
    Box<str>: TEXT, |text| text.into_string().into_bytes();
    Rc<str>: TEXT, |text| text.as_bytes().to_vec();
    Arc<str>: TEXT, |text| text.as_bytes().to_vec();
    Rc<[u8]>: BYTES, |bytes| bytes.to_vec();
    Arc<[u8]>: BYTES, |bytes| bytes.to_vec();
    Cow<'_, str>: TEXT, |text| text.into_owned().into_bytes();
    Cow<'_, [u8]>: BYTES, |bytes| bytes.into_owned();
    Cow<'_, Path>: PATH, |path| path.into_owned().into_os_string().into_encoded_bytes();
    PathBuf: PATH, |path| path.into_os_string().into_encoded_bytes();
    &Path: PATH, |path| path.as_os_str().as_encoded_bytes().to_vec();
    OsString: BYTES, OsString::into_encoded_bytes;
    &OsStr: BYTES, |text| text.as_encoded_bytes().to_vec();
    Duration: DURATION, |duration| time::units(duration).into_bytes();
    SystemTime: TIME, |time| time::exact(time).into_bytes();
    std::net::IpAddr: ADDRESS, |address| address.to_string().into_bytes();
    std::net::Ipv4Addr: ADDRESS, |address| address.to_string().into_bytes();
    std::net::Ipv6Addr: ADDRESS, |address| address.to_string().into_bytes();
    std::net::SocketAddr: ADDRESS, |address| address.to_string().into_bytes();
    std::net::SocketAddrV4: ADDRESS, |address| address.to_string().into_bytes();
    std::net::SocketAddrV6: ADDRESS, |address| address.to_string().into_bytes();
}

impl<T: IntoReply> IntoReply for Box<T> {
    const COLUMNS: usize = T::COLUMNS;
    const HEADER: Header = T::HEADER;
    const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

    fn into_reply(self) -> Reply {
        (*self).into_reply()
    }
}

macro_rules! shared {
    ($($shared:ident)*) => {$(
        /// Clones the value, unless this is the only reference.
        impl<T: IntoReply + Clone> IntoReply for $shared<T> {
            const COLUMNS: usize = T::COLUMNS;
            const HEADER: Header = T::HEADER;
            const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

            fn into_reply(self) -> Reply {
                Self::unwrap_or_clone(self).into_reply()
            }
        }
    )*};
}

shared! { Rc Arc }

impl<T: IntoReply> IntoReply for Vec<T> {
    const REPLY_TYPE: &'static ReplyType =
        &if T::IS_BYTE { ReplyType::Bytes } else { ReplyType::List(T::REPLY_TYPE) };

    fn into_reply(self) -> Reply {
        T::list_into_reply(self)
    }
}

impl<T: IntoReply> IntoReply for Box<[T]> {
    const REPLY_TYPE: &'static ReplyType = <Vec<T>>::REPLY_TYPE;

    fn into_reply(self) -> Reply {
        T::list_into_reply(self.into_vec())
    }
}

impl<T: IntoReply> IntoReply for VecDeque<T> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::List(T::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        list::<T>(self.into_iter().map(T::into_reply).collect())
    }
}

/// Makes the answer of a list: a table, if lists of its type are tables.
pub(crate) fn list<T: IntoReply>(items: Vec<Reply>) -> Reply {
    let items = Reply::List(items);
    if T::HEADER.is_empty() {
        return items;
    }
    let line = |formed: Formed, out: &mut Vec<u8>| encode::table(T::HEADER, formed.value, out);
    Reply::Formed(Box::new(Formed { value: items, line, kept: Vec::new(), is_json: false }))
}

impl<T: IntoReply, S> IntoReply for HashSet<T, S> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Set(T::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        Reply::Set(self.into_iter().map(T::into_reply).collect())
    }
}

impl<T: IntoReply> IntoReply for BTreeSet<T> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Set(T::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        Reply::Set(self.into_iter().map(T::into_reply).collect())
    }
}

impl<K: IntoReply, V: IntoReply, S> IntoReply for HashMap<K, V, S> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Map(K::REPLY_TYPE, V::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        Reply::Map(self.into_iter().map(|(k, v)| (k.into_reply(), v.into_reply())).collect())
    }
}

impl<K: IntoReply, V: IntoReply> IntoReply for BTreeMap<K, V> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Map(K::REPLY_TYPE, V::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        Reply::Map(self.into_iter().map(|(k, v)| (k.into_reply(), v.into_reply())).collect())
    }
}

macro_rules! tuples {
    ($($($t:ident)*;)*) => {$(
        impl<$($t: IntoReply),*> IntoReply for ($($t,)*) {
            const COLUMNS: usize = 0 $(+ $t::COLUMNS)*;
            const REPLY_TYPE: &'static ReplyType = &ReplyType::Row(&[$($t::REPLY_TYPE),*]);

            #[allow(non_snake_case, reason = "the types' names serve as the values'")]
            fn into_reply(self) -> Reply {
                let ($($t,)*) = self;
                Reply::List(vec![$($t.into_reply()),*])
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
