//! The answer that a method's type accepts beside that of the daemon's command.
//!
//! The comparison is as lenient as the conversions of [`FromReply`](crate::FromReply).

use super::fit::Described;
use crate::reply::ReplyType;
use crate::text::is_within;

/// Adds each difference between the answers that a type accepts and those that the daemon describes. `what` names
/// the value.
pub(super) fn answer(
    expected: &ReplyType,
    theirs: &Described,
    what: &str,
    found: &mut Vec<String>,
) {
    let their_type = theirs.text("type").unwrap_or_default();
    let (mut expected, mut is_open, mut form) = (expected, false, None);
    loop {
        expected = match expected {
            ReplyType::Open(of) => {
                is_open = true;
                of
            }
            ReplyType::Table(of) | ReplyType::Documented(of, _) => of,
            ReplyType::Form(of, name) => {
                form = Some(*name);
                of
            }
            _ => break,
        }
    }
    let of = || theirs.map("of").unwrap_or_default();
    match (expected, &*their_type) {
        // What the one or the other does not know may be anything.
        (ReplyType::Unknown | ReplyType::Nothing | ReplyType::Json { .. }, _)
        | (_, "" | "unknown" | "json")
        | (ReplyType::Bool, "bool")
        | (ReplyType::Float, "float" | "int")
        | (ReplyType::Bytes, "bytes" | "text" | "enum" | "int" | "float") => {}
        (ReplyType::Stream(item), "stream")
        | (ReplyType::List(item) | ReplyType::Set(item), "list" | "set") => {
            answer(item, &of(), &format!("an item of {what}"), found);
        }
        (ReplyType::Stream(_), other) => {
            found.push(format!("{what} is a stream in the trait, and {other} in the daemon"));
        }
        (_, "stream") => {
            found.push(format!(
                "{what} is a stream in the daemon: return `dockipc::client::Items<…>`"
            ));
        }
        (ReplyType::Optional(expected), "optional") => answer(expected, &of(), what, found),
        (ReplyType::Optional(expected), _) => answer(expected, theirs, what, found),
        (_, "optional") => {
            found
                .push(format!("{what} can be missing in the daemon: make the type an `Option<…>`"));
            answer(expected, &of(), what, found);
        }
        (ReplyType::Int { min, max }, "int") => {
            let (from, to) = (theirs.text("min"), theirs.text("max"));
            if let (Some(from), Some(to)) = (from, to)
                && !is_within((&from, &to), (min, max))
            {
                found.push(format!(
                    "{what} is {min} to {max} in the trait, and {from} to {to} in the daemon"
                ));
            }
        }
        (ReplyType::Text, "text" | "enum" | "int" | "float" | "bool")
            if form.is_none() || theirs.text("form").as_deref() == form => {}
        (ReplyType::Map(key, of), "map") => {
            let theirs_key = theirs.map("key").unwrap_or_default();
            answer(key, &theirs_key, &format!("a key of {what}"), found);
            let theirs_of = theirs.map("of").unwrap_or_default();
            answer(of, &theirs_of, &format!("a value of {what}"), found);
        }
        (ReplyType::Map(_, of), "struct") => {
            for field in theirs.list("fields") {
                let name = field.text("name").unwrap_or_default();
                let value = field.map("of").unwrap_or_default();
                answer(of, &value, &format!("`{name}` of {what}"), found);
            }
        }
        (ReplyType::Row(columns), "row") => row(columns, &theirs.list("columns"), what, found),
        (ReplyType::Struct { fields, .. }, "struct") => {
            // A struct within itself was compared there, and has no fields here.
            let theirs = theirs.list("fields");
            if !theirs.is_empty() {
                self::fields(fields(), &theirs, what, found);
            }
        }
        (ReplyType::Enum { words, .. }, "enum") => {
            for word in theirs.texts("words") {
                if !is_open && !words.contains(&&*word) {
                    found.push(unknown_word(what, &word));
                }
            }
        }
        (ReplyType::Union { variants, .. }, "union") => {
            union(variants(), is_open, &theirs.list("variants"), what, found);
        }
        (ReplyType::Union { variants, .. }, "enum") => {
            for word in theirs.texts("words") {
                if !is_open && !variants().iter().any(|(ours, _)| *ours == word) {
                    found.push(unknown_word(what, &word));
                }
            }
        }
        _ => {
            let ours = form.map_or_else(|| shown(expected), str::to_owned);
            let theirs = shown_theirs(theirs, their_type);
            found.push(format!(
                "{what} is of the type {ours} in the trait, and {theirs} in the daemon"
            ));
        }
    }
}

fn row(columns: &[&ReplyType], theirs: &[Described], what: &str, found: &mut Vec<String>) {
    if columns.len() != theirs.len() && !theirs.is_empty() {
        let (ours, theirs) = (columns.len(), theirs.len());
        found.push(format!("{what} has {ours} columns in the trait, and {theirs} in the daemon"));
        return;
    }
    for (i, (column, theirs)) in columns.iter().zip(theirs).enumerate() {
        answer(column, theirs, &format!("column {} of {what}", i + 1), found);
    }
}

/// Compares the fields of the trait's struct. Others are ignored when it is read.
fn fields(
    fields: &[(&str, &ReplyType)],
    theirs: &[Described],
    what: &str,
    found: &mut Vec<String>,
) {
    for (name, expected) in fields {
        let field = theirs.iter().find(|field| field.has("name", name));
        match field.and_then(|field| field.map("of")) {
            Some(theirs) => answer(expected, &theirs, &format!("`{name}` of {what}"), found),
            None if matches!(expected, ReplyType::Optional(_)) => {}
            None => found.push(format!("{what} has no `{name}` in the daemon")),
        }
    }
}

/// Compares the variants of the daemon's union with those that the trait knows.
fn union(
    variants: &[(&str, &ReplyType)],
    is_open: bool,
    theirs: &[Described],
    what: &str,
    found: &mut Vec<String>,
) {
    for theirs in theirs {
        let name = theirs.text("name").unwrap_or_default();
        let (ours, of) = (variants.iter().find(|(ours, _)| *ours == name), theirs.map("of"));
        match (ours, of) {
            (Some((_, ours)), Some(of)) => answer(ours, &of, &format!("{name} of {what}"), found),
            (Some((_, ReplyType::Nothing)), None) => {}
            (Some(_), None) => {
                found.push(format!(
                    "{name} of {what} has a value in the trait, and none in the daemon"
                ));
            }
            (None, _) if is_open => {}
            (None, _) => found.push(unknown_word(what, &name)),
        }
    }
}

fn unknown_word(what: &str, word: &str) -> String {
    format!("{what} can be {word} in the daemon, which the trait does not know")
}

/// Returns the daemon's name of a type.
pub(super) fn shown_theirs(theirs: &Described, ty: String) -> String {
    theirs.text("form").or(theirs.text("name")).unwrap_or(ty)
}

/// Returns the name of a type, as a daemon describes it.
pub(super) fn shown(ty: &ReplyType) -> String {
    match ty {
        ReplyType::Bool => "bool".into(),
        ReplyType::Int { .. } => "int".into(),
        ReplyType::Float => "float".into(),
        ReplyType::Text => "text".into(),
        ReplyType::Bytes => "bytes".into(),
        ReplyType::List(of) => format!("list of {}", shown(of)),
        ReplyType::Set(of) => format!("set of {}", shown(of)),
        ReplyType::Optional(of) => format!("optional {}", shown(of)),
        ReplyType::Map(..) => "map".into(),
        ReplyType::Row(_) => "row".into(),
        ReplyType::Form(_, form) => (*form).into(),
        ReplyType::Struct { name, .. }
        | ReplyType::Enum { name, .. }
        | ReplyType::Union { name, .. } => name.rsplit(':').next().unwrap_or_default().into(),
        _ => "unknown".into(),
    }
}
