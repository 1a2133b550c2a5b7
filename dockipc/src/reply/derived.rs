//! The parts of a type that derives `Reply`, and the reading of its fields.

use std::vec::IntoIter;

use super::from::{mismatch, pairs};
use super::{FromReply, Reply, ReplyType};
use crate::error::Error;

/// A type that derives `Reply`.
pub trait Derived: Sized {
    /// See [`Parts`].
    const PARTS: Parts<Self>;
}

/// The conversion of a type to an answer, and the answer's type.
pub struct Parts<T> {
    /// The columns of all fields and their names.
    pub columns: usize,
    /// The conversion.
    pub into: fn(T) -> Reply,
    /// The type.
    pub ty: ReplyType,
}

/// Returns the columns of the variant with most of them.
pub const fn widest(variants: &[usize]) -> usize {
    let (mut most, mut at) = (0, 0);
    while at < variants.len() {
        if variants[at] > most {
            most = variants[at];
        }
        at += 1;
    }
    most
}

/// The fields of a struct or a variant with named fields.
pub struct Fields(Vec<(String, Reply)>);

impl Fields {
    /// Takes the pairs of an answer.
    pub fn of(reply: Reply) -> Result<Self, Error> {
        pairs(reply).map(Self)
    }

    /// Takes the value of a field out. A missing one is a missing value.
    pub fn take<T: FromReply>(&mut self, name: &'static str) -> Result<T, Error> {
        let Some(at) = self.0.iter().position(|(key, _)| key == name) else {
            let (wanted, got) = ("a map with all fields", format!("a map without `{name}`"));
            return T::from_reply(Reply::Null).map_err(|_| Error::Mismatch { wanted, got });
        };
        self.0.swap_remove(at).1.parse().map_err(|error| match error {
            Error::Mismatch { wanted, got } => {
                Error::Mismatch { wanted, got: format!("{got} in `{name}`") }
            }
            other => other,
        })
    }
}

/// The fields of a struct or a variant without names.
pub struct Columns(IntoIter<Reply>);

impl Columns {
    /// Takes the items of an answer, which has this number of them.
    pub fn of(reply: Reply, count: usize) -> Result<Self, Error> {
        match reply {
            Reply::List(items) if items.len() == count => Ok(Self(items.into_iter())),
            other => mismatch("a list of as many items as fields", &other),
        }
    }

    /// Takes the value of the next field.
    pub fn take<T: FromReply>(&mut self) -> Result<T, Error> {
        self.0.next().unwrap_or(Reply::Null).parse()
    }
}

/// Returns the word of a variant, and its value if it has one.
pub fn variant(reply: Reply, wanted: &'static str) -> Result<(String, Reply), Error> {
    let (word, value) = match reply {
        Reply::Map(mut pairs) if pairs.len() == 1 => pairs.remove(0),
        // As RESP2 has it.
        Reply::List(mut items) if items.len() == 2 => (items.remove(0), items.remove(0)),
        other => (other, Reply::Null),
    };
    match word {
        Reply::List(_) | Reply::Set(_) | Reply::Map(_) => mismatch(wanted, &word),
        word => Ok((String::from_reply(word)?, value)),
    }
}

/// Returns the error for a word that names no variant of a derived enum.
pub fn no_variant<T>(word: String, wanted: &'static str) -> Result<T, Error> {
    mismatch(wanted, &Reply::Bytes(word.into()))
}
