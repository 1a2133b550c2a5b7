//! The columns of a value within a row of line mode, by the type that the daemon describes.
//!
//! In RESP a missing value is a null. In a row it takes as many columns as the value would, so that those behind it stay
//! in their places.

use super::super::interface::{Answer, Field, Type, Variant};
use crate::reply::Reply;
use crate::wire::answer::{Piece, Shape};

/// Returns the number of columns that a value takes, as [`IntoReply::COLUMNS`](crate::IntoReply::COLUMNS) does.
pub(super) fn columns(of: &Answer) -> usize {
    match &of.ty {
        Type::Optional { of } => columns(of),
        Type::Row { columns: of } => of.iter().map(columns).sum(),
        // With the fields' names.
        Type::Struct { fields: Some(fields), .. } => {
            fields.iter().map(|field| 1 + columns(&field.of)).sum()
        }
        Type::Union { variants: Some(variants), .. } => {
            let of = |variant: &Variant| variant.of.as_ref().map_or(1, columns);
            1 + variants.iter().map(of).max().unwrap_or(0)
        }
        _ => 1,
    }
}

/// Gives each missing value of an answer its columns.
pub(in crate::ctl) struct MissingValues<'a> {
    /// The type of the answer, if it is known.
    answer: Option<&'a Answer>,
    /// The lists and maps that are open, the innermost last.
    open: Vec<Level<'a>>,
}

/// A list or a map.
struct Level<'a> {
    holds: Holds<'a>,
    /// The number of keys and values that have begun.
    count: usize,
    /// The type of the value behind the last key.
    value: Option<&'a Answer>,
}

/// The types of what a list or a map holds.
#[derive(Clone, Copy)]
enum Holds<'a> {
    Items(&'a Answer),
    Columns(&'a [Answer]),
    Fields(&'a [Field]),
    Variant(&'a [Variant]),
    Pairs(&'a Answer, &'a Answer),
    Unknown,
}

impl<'a> MissingValues<'a> {
    pub(in crate::ctl) fn new(answer: Option<&'a Answer>) -> Self {
        Self { answer, open: Vec::new() }
    }

    /// Takes the next piece of the answer.
    pub(in crate::ctl) fn fill(&mut self, piece: &mut Piece<'_>) {
        match piece {
            Piece::Begin(shape) => {
                let holds = self.next(b"").map_or(Holds::Unknown, |ty| Holds::of(ty, *shape));
                self.open.push(Level { holds, count: 0, value: None });
            }
            Piece::End => drop(self.open.pop()),
            Piece::Part { left: 1.., .. } => {}
            Piece::Part { .. } => drop(self.next(b"")),
            Piece::Text(text) => drop(self.next(text)),
            Piece::Value(value) => {
                let ty = match value {
                    Reply::Bytes(text) => self.next(text),
                    Reply::Status(word) => self.next(word.as_bytes()),
                    _ => self.next(b""),
                };
                let is_in_row = !self.open.is_empty();
                if let (Reply::Null, Some(ty), true) = (&*value, ty, is_in_row) {
                    *value = Reply::Nulls(columns(ty));
                }
            }
        }
    }

    /// Returns the type of what begins here; `text` may be a key.
    fn next(&mut self, text: &[u8]) -> Option<&'a Answer> {
        let Some(level) = self.open.last_mut() else { return self.answer };
        let at = level.count;
        level.count += 1;
        let is_key = at.is_multiple_of(2);
        match level.holds {
            Holds::Items(of) => Some(of),
            Holds::Columns(of) => of.get(at),
            Holds::Pairs(key, of) => Some(if is_key { key } else { of }),
            Holds::Fields(_) | Holds::Variant(_) if !is_key => level.value.take(),
            Holds::Fields(fields) => {
                let field = fields.iter().find(|field| field.name.as_bytes() == text);
                level.value = field.map(|field| &field.of);
                None
            }
            Holds::Variant(variants) => {
                let variant = variants.iter().find(|variant| variant.name.as_bytes() == text);
                level.value = variant.and_then(|variant| variant.of.as_ref());
                None
            }
            Holds::Unknown => None,
        }
    }
}

impl<'a> Holds<'a> {
    fn of(ty: &'a Answer, shape: Shape) -> Self {
        match (&ty.ty, shape) {
            (Type::Optional { of }, _) => Self::of(of, shape),
            (Type::List { of } | Type::Set { of } | Type::Stream { of }, Shape::List) => {
                Self::Items(of)
            }
            (Type::Row { columns }, Shape::List) => Self::Columns(columns),
            (Type::Map { key, of }, Shape::Map) => Self::Pairs(key, of),
            (Type::Struct { fields: Some(fields), .. }, Shape::Map) => Self::Fields(fields),
            (Type::Union { variants: Some(variants), .. }, Shape::Map) => Self::Variant(variants),
            _ => Self::Unknown,
        }
    }
}
