//! Reads an item from a line: the row as which a stream of such items is written in line mode.

use crate::reply::{Reply, ReplyType};
use crate::wire::{escape_into, unescape};

/// The most levels of types in a row. A type can be within itself without taking a column.
const DEEPEST: u8 = 32;

/// Reads the lines of a body.
pub(super) struct Rows {
    ty: &'static ReplyType,
    /// Whether a row has the values of a struct without the names of its fields.
    is_table: bool,
    /// Whether no line was read.
    is_first: bool,
}

impl Rows {
    pub(super) fn new(ty: &'static ReplyType) -> Self {
        let mut rows = Self { ty, is_table: false, is_first: true };
        loop {
            rows.ty = match rows.ty {
                ReplyType::Table(of) => {
                    rows.is_table = true;
                    of
                }
                ReplyType::Form(of, _) | ReplyType::Documented(of, _) => of,
                _ => return rows,
            };
        }
    }

    /// Reads a line without its end. None for the first one if it has the names of the columns.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<Option<Reply>, String> {
        // Within a row, a carriage return is escaped.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_first = std::mem::take(&mut self.is_first);
        let fields = match *self.ty {
            // JSON text has no tab and no newline, and is written as it is.
            ReplyType::Json { .. } => return Ok(Some(Reply::bytes(line))),
            ReplyType::Struct { fields, .. } => Some(fields()),
            _ => None,
        };
        // The row of a struct whose only field is an empty list has its name alone.
        let may_have_header = is_first && (self.is_table || !fields.is_some_and(is_list_alone));
        if let Some(fields) = fields.filter(|_| may_have_header)
            && line == header(fields)
        {
            self.is_table = true;
            return Ok(None);
        }
        let fields_of_table = fields.filter(|_| self.is_table);
        let ty = if let Some(&[(_, of)]) = fields_of_table { of } else { self.ty };
        // An empty list has no column.
        let mut columns = Columns { rest: Some(line).filter(|_| !line.is_empty() || !is_list(ty)) };
        let item = match fields_of_table {
            Some(fields) => columns.fields(fields, false, 0)?,
            None if matches!(self.ty, ReplyType::Unknown) => columns.all()?,
            None => columns.value(self.ty, 0)?,
        };
        match columns.rest {
            None => Ok(Some(item)),
            Some(rest) => Err(format!("unexpected column \"{}\"", short(rest).escape_ascii())),
        }
    }
}

/// Returns the names of the columns, as a table begins with them.
fn header(fields: &[(&str, &ReplyType)]) -> Vec<u8> {
    let mut line = Vec::new();
    for (i, (name, ty)) in fields.iter().enumerate() {
        if i > 0 {
            line.push(b'\t');
        }
        escape_into(name.as_bytes(), &mut line);
        line.resize(line.len() + width(ty, 0) - 1, b'\t');
    }
    line
}

/// Returns whether a value has any number of columns.
fn is_list(ty: &ReplyType) -> bool {
    matches!(ty, ReplyType::List(_) | ReplyType::Set(_) | ReplyType::Stream(_) | ReplyType::Map(..))
}

/// Returns whether the only field can be a list.
fn is_list_alone(fields: &[(&str, &ReplyType)]) -> bool {
    let &[(_, mut ty)] = fields else { return false };
    while let ReplyType::Form(of, _) | ReplyType::Optional(of) = ty {
        ty = of;
    }
    is_list(ty)
}

/// Returns the number of columns of a value, at least 1.
fn width(ty: &ReplyType, depth: u8) -> usize {
    let inner = |ty: &ReplyType| width(ty, depth + 1);
    let of_fields = |fields: &[(&str, &ReplyType)]| {
        fields.iter().map(|(_, ty)| 1 + inner(ty)).sum::<usize>().max(1)
    };
    match *undocumented(ty) {
        _ if depth == DEEPEST => 1,
        ReplyType::Form(of, _)
        | ReplyType::Open(of)
        | ReplyType::Table(of)
        | ReplyType::Documented(of, _)
        | ReplyType::Optional(of) => inner(of),
        ReplyType::Row(columns) => columns.iter().map(|ty| inner(ty)).sum::<usize>().max(1),
        ReplyType::Struct { fields, .. } => of_fields(fields()),
        ReplyType::Union { variants, .. } => {
            let of = |ty: &ReplyType| if let ReplyType::Nothing = ty { 0 } else { inner(ty) };
            1 + variants().iter().map(|(_, ty)| of(ty)).max().unwrap_or(0)
        }
        _ => 1,
    }
}

/// Returns a type without its texts, which so are no level of it.
fn undocumented(ty: &ReplyType) -> &ReplyType {
    if let ReplyType::Documented(of, _) = ty { of } else { ty }
}

/// The columns of a row that are not read.
struct Columns<'l> {
    rest: Option<&'l [u8]>,
}

impl<'l> Columns<'l> {
    fn next(&mut self) -> Result<&'l [u8], String> {
        let rest = self.rest.ok_or("too few columns")?;
        let end = rest.iter().position(|&b| b == b'\t');
        self.rest = end.map(|end| &rest[end + 1..]);
        Ok(&rest[..end.unwrap_or(rest.len())])
    }

    fn text(&mut self) -> Result<Vec<u8>, String> {
        let column = self.next()?;
        unescape(column).ok_or_else(|| {
            format!(
                "\"{}\" has a backslash that escapes nothing: write it as \\\\",
                short(column).escape_ascii(),
            )
        })
    }

    /// Reads all columns of a type that is not known: one alone, or a list.
    fn all(&mut self) -> Result<Reply, String> {
        let first = Reply::Bytes(self.text()?);
        if self.rest.is_none() {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.rest.is_some() {
            items.push(Reply::Bytes(self.text()?));
        }
        Ok(Reply::List(items))
    }

    fn value(&mut self, ty: &ReplyType, depth: u8) -> Result<Reply, String> {
        if depth == DEEPEST {
            return Err("the type is nested too deeply for a line".into());
        }
        let depth = depth + 1;
        match *undocumented(ty) {
            ReplyType::Form(of, _)
            | ReplyType::Open(of)
            | ReplyType::Table(of)
            | ReplyType::Documented(of, _) => self.value(of, depth),
            ReplyType::Optional(of) => self.optional(of, depth),
            ReplyType::List(of) | ReplyType::Set(of) | ReplyType::Stream(of) => {
                let mut items = Vec::new();
                while self.rest.is_some() {
                    let before = self.rest.map(<[u8]>::len);
                    items.push(self.value(of, depth)?);
                    self.has_moved(before)?;
                }
                Ok(Reply::List(items))
            }
            ReplyType::Map(key, of) => {
                let mut pairs = Vec::new();
                while self.rest.is_some() {
                    let before = self.rest.map(<[u8]>::len);
                    pairs.push((self.value(key, depth)?, self.value(of, depth)?));
                    self.has_moved(before)?;
                }
                Ok(Reply::Map(pairs))
            }
            ReplyType::Row(columns) => {
                let mut items = Vec::new();
                for ty in columns {
                    items.push(self.value(ty, depth)?);
                }
                Ok(Reply::List(items))
            }
            ReplyType::Struct { fields, .. } => self.fields(fields(), true, depth),
            ReplyType::Union { variants, .. } => {
                let word = self.text()?;
                let of = variants().iter().find(|(name, _)| name.as_bytes() == word);
                Ok(match of {
                    Some((_, of)) if !matches!(of, ReplyType::Nothing) => {
                        Reply::Map(vec![(Reply::Bytes(word), self.value(of, depth)?)])
                    }
                    _ => Reply::Bytes(word),
                })
            }
            ReplyType::Unknown
            | ReplyType::Nothing
            | ReplyType::Bool
            | ReplyType::Int { .. }
            | ReplyType::Float
            | ReplyType::Text
            | ReplyType::Bytes
            | ReplyType::Enum { .. }
            | ReplyType::Json { .. } => self.text().map(Reply::Bytes),
        }
    }

    /// Reads the fields of a struct, with their names in front of them or not.
    fn fields(
        &mut self,
        fields: &[(&str, &ReplyType)],
        are_named: bool,
        depth: u8,
    ) -> Result<Reply, String> {
        let mut pairs = Vec::new();
        for (name, ty) in fields {
            if are_named {
                let column = self.text()?;
                if column != name.as_bytes() {
                    let column = short(&column).escape_ascii();
                    return Err(format!("expected the field `{name}`, got \"{column}\""));
                }
            }
            pairs.push((Reply::bytes(*name), self.value(ty, depth)?));
        }
        Ok(Reply::Map(pairs))
    }

    /// Reads a value that may be missing. Then all of its columns are empty.
    fn optional(&mut self, of: &ReplyType, depth: u8) -> Result<Reply, String> {
        if is_list(of) {
            // It takes all columns that are left.
            return match self.rest {
                Some(b"") => {
                    self.rest = None;
                    Ok(Reply::Null)
                }
                _ => self.value(of, depth),
            };
        }
        let mut ahead = Self { rest: self.rest };
        for _ in 0..width(of, depth) {
            if !ahead.next()?.is_empty() {
                return self.value(of, depth);
            }
        }
        self.rest = ahead.rest;
        Ok(Reply::Null)
    }

    /// Refuses items that take no column, of which there would be no end.
    fn has_moved(&self, before: Option<usize>) -> Result<(), String> {
        if self.rest.map(<[u8]>::len) == before {
            return Err("a list of this type has no form on a line".into());
        }
        Ok(())
    }
}

/// Returns the beginning of bytes that a message shows.
fn short(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(40)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use super::Rows;
    use crate::reply::{FromReply, IntoReply, Reply, ReplyType};
    use crate::wire::encode::row_line;

    fn read<T: FromReply>(line: &[u8]) -> Result<T, String> {
        let item = Rows::new(T::EXPECTED).read(line)?.ok_or("no item")?;
        item.parse().map_err(|error: crate::Error| error.to_string())
    }

    #[track_caller]
    fn same<T: IntoReply + FromReply + Clone + PartialEq + Debug>(value: T) {
        let Reply::Bytes(line) = row_line(value.clone().into_reply()) else { panic!("no bytes") };
        let line = line.strip_suffix(b"\n").unwrap();
        assert_eq!(read::<T>(line), Ok(value), "{}", line.escape_ascii());
    }

    #[test]
    fn row_of_a_value_is_read_as_the_value() {
        let text = String::from;
        same(-7_i64);
        same(u128::MAX);
        same(1.5_f64);
        same(true);
        same(text("a\tb\nc\rd\\te"));
        same(text(""));
        same(text("line end\r"));
        same(vec![0, 255_u8, b'\t']);
        same(None::<u8>);
        same(Some((None::<(u8, u8)>, text("x"), Some((1_u8, 2_u8)))));
        same((text(""), text("")));
        same((1_u8, Vec::<String>::new()));
        same((1_u8, vec![text(""), text("a"), text("")]));
        same(Vec::<u64>::new());
        same(vec![Some(1_u64), None]);
        same((1_u8, None::<Vec<u64>>));
        same((1_u8, Some(vec![7_u64, 8])));
        same(BTreeMap::from([(text("k\t"), (1_u8, None::<u8>)), (text("l"), (2, Some(3)))]));
        same(BTreeMap::<String, u8>::new());
        same([(1_u8, text("a")), (2, text("b"))]);
    }

    #[test]
    fn row_of_any_type_is_text_or_texts() {
        assert_eq!(read(b"a\\t"), Ok(Reply::bytes("a\t")));
        assert_eq!(read(b"a\t"), Ok(Reply::List(vec![Reply::bytes("a"), Reply::bytes("")])));
    }

    #[test]
    fn endless_types_are_refused() {
        static EMPTY: ReplyType = ReplyType::List(&ReplyType::Row(&[]));
        static WITHIN: ReplyType = ReplyType::Row(&[&WITHIN]);
        for ty in [&EMPTY, &WITHIN] {
            assert!(Rows::new(ty).read(b"x").is_err());
        }
    }
}
