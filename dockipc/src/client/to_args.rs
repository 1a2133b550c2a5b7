//! Conversion of a typed parameter to the words of a call.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::commands::CommandBuilder;
use super::request::Commands;
use super::typed::{Gives, Paths, Variables, caller};
use super::word::ToArg;
use crate::secret::Secret;
use crate::text::Integer;

/// A value that a typed call can send for one parameter, as one word, as several, or as options.
///
/// Implemented for what a parameter of a command can be, and by `#[derive(Arg)]`, `#[derive(Args)]` and
/// `#[derive(Commands)]`. A type of another crate is sent by its `Display`: wrap it, or send `.to_string()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent for a parameter of a command",
    note = "add `#[derive(dockipc::Arg)]` or `#[derive(dockipc::Args)]` to your own type",
    note = "a parameter can be text, bytes, numbers, bool, char, Duration, SystemTime, paths, addresses, `Option`, `Vec` and maps of those"
)]
pub trait ToArgs {
    /// The words that the type sends.
    #[doc(hidden)]
    const GIVES: Gives = Gives::UNKNOWN;

    /// The words that a list of this type sends.
    #[doc(hidden)]
    const LIST_GIVES: Gives = Self::GIVES.list();

    /// Adds the words of the value to a call.
    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>);

    /// Adds the words of a list of this type; a list of `u8` is the bytes of one word.
    #[doc(hidden)]
    fn list_to_args(list: &[Self], way: Way, arguments: &mut Arguments<'_>)
    where
        Self: Sized,
    {
        for item in list {
            item.to_args(way, arguments);
        }
    }
}

/// How a value is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// As a word in its place.
    Position,
    /// As `--name VALUE`.
    Long(&'static str),
    /// As `--name`, if it is true.
    Flag(&'static str),
    /// Behind `--`, as a word of another command line.
    Last,
}

/// The words of a call to which values are added.
pub struct Arguments<'c> {
    words: &'c mut CommandBuilder,
    /// Whether the words are sent, and not those of a text: then paths become absolute, and the caller's directory and
    /// environment are filled in.
    is_call: bool,
}

impl<'c> Arguments<'c> {
    pub(super) fn of_call(words: &'c mut CommandBuilder) -> Self {
        Self { words, is_call: true }
    }

    pub(super) fn of_text(words: &'c mut CommandBuilder) -> Self {
        Self { words, is_call: false }
    }

    /// Adds a path that is made absolute; a missing one is the caller's directory if `of_caller` is set. Without a
    /// directory, the daemon has the error.
    #[doc(hidden)]
    pub fn path<T: ToArgs + Paths>(&mut self, value: &T, way: Way, of_caller: bool) {
        if !self.is_call {
            value.to_args(way, self);
        } else if of_caller && !value.is_given() {
            caller::directory().ok().to_args(way, self);
        } else {
            match value.absolute() {
                Ok(path) => path.to_args(way, self),
                Err(_) => value.to_args(way, self),
            }
        }
    }

    /// Adds variables; without any, those of the caller.
    #[doc(hidden)]
    pub fn environment<T: ToArgs + Variables + ?Sized>(&mut self, value: &T, way: Way) {
        if self.is_call && !value.is_given() {
            self.words.has_environment = true;
            caller::environment().to_args(way, self);
        } else {
            value.to_args(way, self);
        }
    }

    /// Adds a command of an enum: its name follows the call's, which is that of the function, and its values follow
    /// those that are there.
    #[doc(hidden)]
    pub fn command<C: Commands>(&mut self, command: &C) {
        self.words.second(command.name());
        command.send(self);
    }

    /// Adds one word.
    pub fn add<T: ToArg>(&mut self, value: T, way: Way) {
        match way {
            Way::Position => self.words.argument(value),
            Way::Last => self.words.last(value),
            Way::Long(name) => self.words.option(name, value),
            Way::Flag(name) => {
                if value.to_arg().as_deref() == Some(b"true") {
                    self.words.flag(name);
                }
            }
        }
    }
}

macro_rules! to_args {
    ($($name:literal: $($ty:ty)*;)*) => {$($(
        impl ToArgs for $ty {
            const GIVES: Gives = Gives::of($name);

            fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
                arguments.add(self, way);
            }
        }
    )*)*};
}

to_args! {
    "text": str String OsStr OsString;
    "number": f32 f64;
    "boolean": bool;
    "character": char;
    "duration": Duration;
    "time": SystemTime;
    "path": Path PathBuf;
    "address": std::net::IpAddr std::net::Ipv4Addr std::net::Ipv6Addr std::net::SocketAddr
        std::net::SocketAddrV4 std::net::SocketAddrV6;
}

macro_rules! integers_to_args {
    ($($ty:ty)*) => {$(
        impl ToArgs for $ty {
            const GIVES: Gives = Gives::integer(<Self as Integer>::RANGE);

            fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
                arguments.add(self, way);
            }
        }
    )*};
}

integers_to_args! {
    u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
    std::num::NonZeroU8 std::num::NonZeroU16 std::num::NonZeroU32 std::num::NonZeroU64
    std::num::NonZeroU128 std::num::NonZeroUsize std::num::NonZeroI8 std::num::NonZeroI16
    std::num::NonZeroI32 std::num::NonZeroI64 std::num::NonZeroI128 std::num::NonZeroIsize
}

impl ToArgs for u8 {
    const GIVES: Gives = Gives::integer(<Self as Integer>::RANGE);
    const LIST_GIVES: Gives = Gives::of("bytes");

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        arguments.add(self, way);
    }

    fn list_to_args(list: &[Self], way: Way, arguments: &mut Arguments<'_>) {
        arguments.add(list, way);
    }
}

impl<T: ToArgs> ToArgs for [T] {
    const GIVES: Gives = T::LIST_GIVES;

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        T::list_to_args(self, way, arguments);
    }
}

impl<T: ToArgs> ToArgs for Vec<T> {
    const GIVES: Gives = T::LIST_GIVES;

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        T::list_to_args(self, way, arguments);
    }
}

impl<T: ToArgs, const N: usize> ToArgs for [T; N] {
    const GIVES: Gives = T::LIST_GIVES;

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        T::list_to_args(self, way, arguments);
    }
}

impl<T: ToArgs> ToArgs for Option<T> {
    const GIVES: Gives = T::GIVES.optional();

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        if let Some(value) = self {
            value.to_args(way, arguments);
        }
    }
}

macro_rules! pointer_to_args {
    ($($pointer:ty)*) => {$(
        impl<T: ToArgs + ?Sized> ToArgs for $pointer {
            const GIVES: Gives = T::GIVES;

            fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
                (**self).to_args(way, arguments);
            }
        }
    )*};
}

pointer_to_args! { &T Box<T> Rc<T> Arc<T> }

impl<T: ToOwned + ToArgs + ?Sized> ToArgs for Cow<'_, T> {
    const GIVES: Gives = T::GIVES;

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        (**self).to_args(way, arguments);
    }
}

macro_rules! serde_to_args {
    ($($feature:literal $ty:path;)*) => {$(
        #[cfg(feature = $feature)]
        impl<T: serde::Serialize> ToArgs for $ty {
            fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
                arguments.add(self, way);
            }
        }
    )*};
}

serde_to_args! {
    "json" crate::json::Json<T>;
    "json-schema" crate::json::DescribedJson<T>;
    "msgpack" crate::msgpack::MsgPack<T>;
}

impl<T: ToArg + ToArgs> ToArgs for Secret<T> {
    const GIVES: Gives = T::GIVES;

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        arguments.add(self, way);
    }
}

/// Returns an entry of a map as `KEY=VALUE`.
fn entry(key: &impl ToArg, value: &impl ToArg) -> Vec<u8> {
    let (key, value) = (key.to_arg().unwrap_or_default(), value.to_arg().unwrap_or_default());
    [&key[..], b"=", &value[..]].concat()
}

impl<K: ToArg, V: ToArg> ToArgs for BTreeMap<K, V> {
    const GIVES: Gives = Gives::UNKNOWN.list();

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        for (key, value) in self {
            arguments.add(entry(key, value), way);
        }
    }
}

impl<K: ToArg, V: ToArg, S> ToArgs for HashMap<K, V, S> {
    const GIVES: Gives = Gives::UNKNOWN.list();

    fn to_args(&self, way: Way, arguments: &mut Arguments<'_>) {
        for (key, value) in self {
            arguments.add(entry(key, value), way);
        }
    }
}
