//! Conversions to and from [`Reply`].

mod derived;
mod from;
mod into;
mod item_reader;
mod reply_type;
#[cfg(test)]
mod tests;

use crate::error::Error;

pub use crate::wire::Reply;
pub use derived::{Columns, Derived, Fields, Parts, no_variant, variant, widest};
pub(crate) use into::{IntoFailure, list};
pub use item_reader::ItemReader;
#[cfg(feature = "tokio")]
pub(crate) use item_reader::encode_item;
pub use reply_type::ReplyType;

impl Reply {
    /// Converts the reply to a value, as [`Call::call`](crate::client::Call::call) does.
    pub fn parse<T: FromReply>(self) -> Result<T, Error> {
        match self {
            Self::Error(failure) => Err(Error::Refused(failure)),
            Self::Formed(formed) => formed.value.parse(),
            reply => T::from_reply(reply),
        }
    }
}

/// A type that a command can return.
///
/// Implemented for `()`, bytes, text, `char`, paths, integers, floats, `bool`,
/// [`Duration`](std::time::Duration) (`1.5s`), [`SystemTime`](std::time::SystemTime) (RFC 3339 in UTC,
/// `2026-01-31T23:59:59Z`), IP and socket addresses, `Option`, lists, arrays, sets, maps, tuples of up to
/// twelve, `Box`, `Rc` and `Arc` of those, [`Reply`], and `Result<T, E>` of those with any `E: Display`. For
/// your own type, write `#[derive(Reply)]`: a struct becomes a map of its fields, and a variant of an enum a word, with
/// its value if it has one. A type of another crate needs a type of your own around it. By hand:
///
/// ```
/// use dockipc::{IntoReply, Reply, ReplyType};
///
/// struct Point { x: i64, y: i64 }
///
/// impl IntoReply for Point {
///     const REPLY_TYPE: &'static ReplyType = &ReplyType::Map(<&str>::REPLY_TYPE, i64::REPLY_TYPE);
///
///     fn into_reply(self) -> Reply {
///         Reply::map([("x", self.x.into_reply()), ("y", self.y.into_reply())])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the answer of a command",
    label = "not an answer type",
    note = "a command answers with (), bytes, text, numbers, bool, Option, lists, sets, maps, tuples, `dockipc::Reply`, or a Result of those whose error is Display",
    note = "for your own type, write `#[derive(dockipc::Reply)]` or `impl dockipc::IntoReply`; wrap a type of another crate in your own, or answer with its text"
)]
pub trait IntoReply: Sized {
    /// The number of columns that the answer takes inside a row of line mode, 1 by default. A `None`
    /// takes the same number.
    ///
    /// Set it for your own type if its answer is a list of fixed length, such as 2 for a pair.
    const COLUMNS: usize = 1;

    /// The type of the answer in the description of a command, [`ReplyType::Unknown`] by default.
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Unknown;

    /// Whether a list of this type is bytes.
    #[doc(hidden)]
    const IS_BYTE: bool = false;

    /// The columns of the table that a list of this type is in line mode. None if it is none.
    #[doc(hidden)]
    const HEADER: &'static [(&'static str, usize)] = &[];

    /// Converts the value to an answer.
    fn into_reply(self) -> Reply;

    /// Converts a `Vec` of this type to an answer; a `Vec<u8>` is bytes.
    #[doc(hidden)]
    fn list_into_reply(items: Vec<Self>) -> Reply {
        list::<Self>(items.into_iter().map(Self::into_reply).collect())
    }
}

/// A type that an answer can be converted to.
///
/// The conversion is lenient where RESP2 has fewer types: decimal text converts to an integer, `0` and `1`
/// to a `bool`, a flat list or a list of pairs to a map.
#[diagnostic::on_unimplemented(
    message = "an answer can't be converted to `{Self}`",
    note = "use (), bytes, text, a number, bool, Option, Vec, a set, a map, a tuple, or `dockipc::Reply`, which accepts every answer"
)]
pub trait FromReply: Sized {
    /// The type of answers that the conversion accepts, [`ReplyType::Unknown`] by default: any. A typed client
    /// ([`#[client]`](macro@crate::client)) compares it with the daemon's description.
    const EXPECTED: &'static ReplyType = &ReplyType::Unknown;

    /// The type of answers that a `Vec` of this type accepts; a `Vec<u8>` is bytes.
    #[doc(hidden)]
    const LIST_EXPECTED: &'static ReplyType = &ReplyType::List(Self::EXPECTED);

    /// Converts an answer. An answer of another type is an [`Error::Mismatch`].
    fn from_reply(reply: Reply) -> Result<Self, Error>;

    /// Converts an answer to a `Vec` of this type; a `Vec<u8>` is bytes.
    #[doc(hidden)]
    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, Error> {
        from::items(reply)
    }
}
