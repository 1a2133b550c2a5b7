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
    let (expected, form) = match expected {
        ReplyType::Form(of, form) => (*of, Some(*form)),
        _ => (expected, None),
    };
    let of = || theirs.map("of").unwrap_or_default();
    match (expected, &*their_type) {
        // What the one or the other does not know may be anything.
        (ReplyType::Unknown | ReplyType::Nothing, _) => {}
        (_, "unknown" | "union" | "json") => {}
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
        (ReplyType::Bool, "bool")
        | (ReplyType::Float, "float" | "int")
        | (ReplyType::Bytes, "bytes" | "text" | "enum" | "int" | "float") => {}
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
            let unknown = theirs.texts("words");
            let unknown: Vec<_> =
                unknown.iter().filter(|word| !words.contains(&&***word)).collect();
            for word in unknown {
                found.push(format!(
                    "{what} can be {word} in the daemon, which the trait does not know"
                ));
            }
        }
        _ => {
            let ours = form.map_or_else(|| shown(expected), str::to_owned);
            let theirs = theirs.text("form").or(theirs.text("name")).unwrap_or(their_type);
            found.push(format!(
                "{what} is of the type {ours} in the trait, and {theirs} in the daemon"
            ));
        }
    }
}

fn row(columns: &[&ReplyType], theirs: &[Described], what: &str, found: &mut Vec<String>) {
    if columns.len() != theirs.len() {
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

/// Returns the name of a type, as a daemon describes it.
fn shown(ty: &ReplyType) -> String {
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
        ReplyType::Struct { name, .. } | ReplyType::Enum { name, .. } => {
            name.rsplit(':').next().unwrap_or_default().into()
        }
        _ => "unknown".into(),
    }
}
