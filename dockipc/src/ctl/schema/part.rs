//! [`print`], which prints a type for one of the generated clients: as a type, as the function that reads an answer, or
//! as the one that writes an item of a body.

use super::super::interface::{Answer, Field, Type};
use super::types::{Named, Types};

/// A type, with the types in it printed.
pub(super) enum Part<'t> {
    Nothing,
    Bool,
    Int {
        /// Whether a number of JavaScript has each of the integers.
        is_safe: bool,
    },
    Float,
    Text,
    Duration,
    Time,
    Bytes,
    Path,
    Optional {
        of: String,
        /// The number of columns of a value in a row.
        width: usize,
    },
    /// A list, a set or a stream.
    List(String),
    Map {
        key: String,
        of: String,
        /// Whether a key is a text, a number, or a row of those.
        is_plain: bool,
    },
    Row(Vec<String>),
    /// The fields of a variant.
    Fields(Vec<(&'t Field, String)>),
    /// A struct, an enum or a union with a name.
    Named(&'t Named),
    Json(Option<&'t str>),
    Unknown,
}

/// Prints a type from within.
pub(super) fn print(answer: &Answer, types: &Types, part: &dyn Fn(Part<'_>) -> String) -> String {
    let inner = |of: &Answer| print(of, types, part);
    part(match &answer.ty {
        Type::Nothing => Part::Nothing,
        Type::Bool => Part::Bool,
        Type::Int { min, max } => Part::Int { is_safe: is_safe(min, max) },
        Type::Float => Part::Float,
        Type::Text => match answer.form.as_deref() {
            Some("duration") => Part::Duration,
            Some("time") => Part::Time,
            _ => Part::Text,
        },
        Type::Bytes if answer.form.as_deref() == Some("path") => Part::Path,
        Type::Bytes => Part::Bytes,
        Type::Optional { of } => Part::Optional { of: inner(of), width: width(of) },
        Type::List { of } | Type::Set { of } | Type::Stream { of } => Part::List(inner(of)),
        Type::Map { key, of } => {
            Part::Map { key: inner(key), of: inner(of), is_plain: is_plain(key) }
        }
        Type::Row { columns } => Part::Row(columns.iter().map(inner).collect()),
        Type::Struct { name, fields: Some(fields) } if name.is_empty() => {
            Part::Fields(fields.iter().map(|field| (field, inner(&field.of))).collect())
        }
        Type::Struct { .. } | Type::Enum { .. } | Type::Union { .. } => {
            types.named(answer).map_or(Part::Unknown, Part::Named)
        }
        Type::Json { schema } => Part::Json(schema.as_deref()),
        Type::Unknown => Part::Unknown,
    })
}

fn is_safe(min: &str, max: &str) -> bool {
    crate::text::is_within((min, max), ("-9007199254740991", "9007199254740991"))
}

fn is_plain(key: &Answer) -> bool {
    match &key.ty {
        Type::Row { columns } => columns.iter().all(is_plain),
        _ => is_scalar(key),
    }
}

/// Returns whether the row of a value is the text of the value alone, which is never missing.
pub(super) fn is_scalar(of: &Answer) -> bool {
    matches!(
        of.ty,
        Type::Bool | Type::Int { .. } | Type::Float | Type::Text | Type::Bytes | Type::Enum { .. }
    )
}

/// Returns whether the daemon reads each value of a type back from a row: a list takes all columns that are left, so that
/// nothing can follow it. `is_last` says whether nothing does.
pub(super) fn is_row(of: &Answer, is_last: bool) -> bool {
    let all = |mut parts: Vec<&Answer>| {
        let last = parts.pop();
        last.is_some_and(|last| is_row(last, is_last)) && parts.iter().all(|of| is_row(of, false))
    };
    match &of.ty {
        Type::Nothing | Type::Stream { .. } => false,
        Type::Optional { of } if is_list(of) => is_row(of, is_last),
        Type::Optional { of } => is_row(of, false),
        Type::List { of } | Type::Set { of } => is_last && is_row(of, false),
        Type::Map { key, of } => is_last && is_row(key, false) && is_row(of, false),
        Type::Row { columns } => all(columns.iter().collect()),
        Type::Struct { fields, .. } => {
            all(fields.iter().flatten().map(|field| &field.of).collect())
        }
        Type::Union { variants, .. } => variants.as_ref().is_some_and(|variants| {
            variants.iter().flat_map(|variant| &variant.of).all(|of| is_row(of, is_last))
        }),
        Type::Unknown | Type::Json { .. } => true,
        _ => is_scalar(of),
    }
}

fn is_list(of: &Answer) -> bool {
    matches!(of.ty, Type::List { .. } | Type::Set { .. } | Type::Map { .. })
}

/// Returns the number of columns of a value, as the daemon counts them for one that is missing.
pub(super) fn width(of: &Answer) -> usize {
    match &of.ty {
        Type::Optional { of } => width(of),
        Type::Row { columns } => columns.iter().map(width).sum::<usize>().max(1),
        Type::Struct { fields, .. } => {
            let fields = fields.iter().flatten();
            fields.map(|field| 1 + width(&field.of)).sum::<usize>().max(1)
        }
        Type::Union { variants, .. } => {
            let values = variants.iter().flatten().flat_map(|variant| &variant.of);
            1 + values.map(width).max().unwrap_or(0)
        }
        _ => 1,
    }
}

/// Returns the first line of a table of structs: the name of each field, above the first of its columns.
pub(super) fn header(of: &Answer) -> Option<String> {
    let Type::Struct { fields: Some(fields), .. } = &of.ty else { return None };
    let name = |field: &Field| format!("{}{}", field.name, "\t".repeat(width(&field.of) - 1));
    of.is_table.then(|| fields.iter().map(name).collect::<Vec<_>>().join("\t"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_row, width};

    #[test]
    fn nothing_follows_a_list_in_a_row() {
        let (text, list) =
            (json!({ "type": "text" }), json!({ "type": "list", "of": { "type": "text" } }));
        let row = |columns: &[&Value]| json!({ "type": "row", "columns": columns });
        let optional = |of: &Value| json!({ "type": "optional", "of": of });
        let field = |of: &Value| json!({ "name": "f", "of": of });
        let fields = |of: &[&Value]| json!({ "type": "struct", "fields": of.iter().map(|of| field(of)).collect::<Vec<_>>() });
        for (ty, is, columns) in [
            (row(&[&text, &list]), true, 2),
            (row(&[&list, &text]), false, 2),
            (row(&[&text, &optional(&list)]), true, 2),
            (optional(&row(&[&text, &list])), false, 2),
            (json!({ "type": "list", "of": list }), false, 1),
            (fields(&[&text, &optional(&row(&[&text, &text]))]), true, 5),
            (fields(&[&list, &text]), false, 4),
            (json!({ "type": "struct", "name": "Folder" }), false, 1),
            (json!({ "type": "nothing" }), false, 1),
        ] {
            let of = serde_json::from_value(ty.clone()).unwrap();
            assert_eq!((is_row(&of, true), width(&of)), (is, columns), "{ty}");
        }
    }
}
