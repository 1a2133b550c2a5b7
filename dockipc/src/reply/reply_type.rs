//! [`ReplyType`], the description of an answer's type.

/// The type of an answer, as `DOCKIPC DESCRIBE` and `dockipc schema` describe it.
///
/// A type that implements [`IntoReply`](super::IntoReply) has it as
/// [`REPLY_TYPE`](super::IntoReply::REPLY_TYPE), mostly made of those of other types:
///
/// ```
/// use dockipc::{IntoReply, Reply, ReplyType};
///
/// struct Celsius(f64);
///
/// impl IntoReply for Celsius {
///     const REPLY_TYPE: &'static ReplyType = f64::REPLY_TYPE;
///
///     fn into_reply(self) -> Reply {
///         self.0.into_reply()
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ReplyType {
    /// An answer whose type is unknown, or that can have several types. A description also shows it for what is
    /// deeper than 16 levels, and for what follows 1,000 types.
    Unknown,
    /// No value, as of `()`.
    Nothing,
    /// A truth value.
    Bool,
    /// An integer.
    Int {
        /// The smallest value, as a decimal.
        min: &'static str,
        /// The largest value, as a decimal.
        max: &'static str,
    },
    /// A floating-point number.
    Float,
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Bytes,
    /// A value in a form that has a name: of [`Text`](Self::Text) `character`, `duration`, `time` or
    /// `address`, of [`Bytes`](Self::Bytes) `path`, or a name of your own.
    // A variant that is named like a type of std makes the compiler show that type's full path in messages.
    Form(&'static Self, &'static str),
    /// A value that may be missing.
    Optional(&'static Self),
    /// Any number of items.
    List(&'static Self),
    /// Any number of items, each of which comes when it is made.
    Stream(&'static Self),
    /// Any number of items in no order.
    Set(&'static Self),
    /// A map, with the types of its keys and its values.
    Map(&'static Self, &'static Self),
    /// A list of fixed length, as of a tuple.
    Row(&'static [&'static Self]),
    /// A map of fields, as of a struct.
    Struct {
        /// The name, behind the path of its module.
        name: &'static str,
        /// Returns the fields. A function, since a struct can contain itself, as in a tree.
        fields: fn() -> &'static [(&'static str, &'static Self)],
    },
    /// A struct of which a list is a table in line mode.
    Table(&'static Self),
    /// A struct, an enum or a union, with texts about some of its fields or variants: the name of each and its text,
    /// which a description shows as one line. `#[derive(Reply)]` takes them from doc comments.
    Documented(&'static Self, &'static [(&'static str, &'static str)]),
    /// One of several words, as of an enum.
    Enum {
        /// The name, behind the path of its module.
        name: &'static str,
        /// The words.
        words: &'static [&'static str],
    },
    /// JSON text.
    Json {
        /// Returns the JSON Schema of the value, if it is known.
        schema: Option<fn() -> String>,
    },
    /// One of several variants, of which some have a value: a variant without one is a word, and any other a
    /// map of one entry, from the word to the value.
    Union {
        /// The name, behind the path of its module.
        name: &'static str,
        /// Returns the words and the types of their values; [`Nothing`](Self::Nothing) for a word alone.
        variants: fn() -> &'static [(&'static str, &'static Self)],
    },
    /// An enum or a union that may have other words and variants in another version, for which its readers are
    /// prepared.
    Open(&'static Self),
}
