//! The items of a body that a method sends, beside those that the daemon's command reads.
//!
//! The comparison is as lenient as the conversions of [`FromReply`](crate::FromReply), with which the daemon reads them.

use super::answer::{shown, shown_theirs};
use super::fit::Described;
use crate::reply::ReplyType;
use crate::text::is_within;

/// Adds each difference between a type that is sent and the one that the daemon describes. `what` names the value.
pub(super) fn item(ours: &ReplyType, theirs: &Described, what: &str, found: &mut Vec<String>) {
    let (mut ours, mut form) = (ours, None);
    loop {
        ours = match ours {
            ReplyType::Open(of) | ReplyType::Table(of) | ReplyType::Documented(of, _) => of,
            ReplyType::Form(of, name) => {
                form = Some(*name);
                of
            }
            _ => break,
        }
    }
    let their_type = theirs.text("type").unwrap_or_default();
    let of = |key| theirs.map(key).unwrap_or_default();
    match (ours, &*their_type) {
        // What the one or the other does not know may be anything.
        (ReplyType::Unknown | ReplyType::Json { .. }, _)
        | (_, "" | "unknown" | "nothing" | "json")
        | (ReplyType::Bool, "bool")
        | (ReplyType::Float | ReplyType::Int { .. }, "float") => {}
        (
            ReplyType::Text
            | ReplyType::Bytes
            | ReplyType::Int { .. }
            | ReplyType::Float
            | ReplyType::Enum { .. },
            "bytes",
        )
        | (
            ReplyType::Text
            | ReplyType::Int { .. }
            | ReplyType::Float
            | ReplyType::Bool
            | ReplyType::Enum { .. },
            "text",
        ) if theirs.text("form").is_none_or(|theirs| Some(&*theirs) == form) => {}
        (ReplyType::Optional(ours), "optional") => item(ours, &of("of"), what, found),
        (_, "optional") => item(ours, &of("of"), what, found),
        (ReplyType::Optional(ours), _) => {
            found.push(format!("{what} can be missing in the trait; the daemon needs it"));
            item(ours, theirs, what, found);
        }
        (ReplyType::List(ours) | ReplyType::Set(ours), "list" | "set") => {
            item(ours, &of("of"), &format!("an item of {what}"), found);
        }
        (ReplyType::Int { min, max }, "int") => {
            if let (Some(from), Some(to)) = (theirs.text("min"), theirs.text("max"))
                && !is_within((min, max), (&from, &to))
            {
                found.push(format!(
                    "{what} is {min} to {max} in the trait, and {from} to {to} in the daemon"
                ));
            }
        }
        (ReplyType::Map(key, ours), "map") => {
            item(key, &of("key"), &format!("a key of {what}"), found);
            item(ours, &of("of"), &format!("a value of {what}"), found);
        }
        (ReplyType::Struct { fields, .. }, "map") => {
            for (name, ours) in fields() {
                item(ours, &of("of"), &format!("`{name}` of {what}"), found);
            }
        }
        (ReplyType::Row(columns), "row") => {
            let theirs = theirs.list("columns");
            if columns.len() != theirs.len() && !theirs.is_empty() {
                let (ours, theirs) = (columns.len(), theirs.len());
                found.push(format!(
                    "{what} has {ours} columns in the trait, and {theirs} in the daemon"
                ));
                return;
            }
            for (i, (ours, theirs)) in columns.iter().zip(&theirs).enumerate() {
                item(ours, theirs, &format!("column {} of {what}", i + 1), found);
            }
        }
        // A struct within itself was compared there, and has no fields here.
        (ReplyType::Struct { fields, .. }, "struct") => {
            self::fields(fields(), &theirs.list("fields"), what, found);
        }
        (ReplyType::Enum { words, .. }, "enum" | "union") => {
            let words = words.iter().map(|word| (*word, &ReplyType::Nothing));
            variants(words, theirs, what, found);
        }
        (ReplyType::Union { variants: ours, .. }, "enum" | "union") => {
            variants(ours().iter().copied(), theirs, what, found);
        }
        _ => {
            let ours = form.map_or_else(|| shown(ours), str::to_owned);
            let theirs = shown_theirs(theirs, their_type);
            found.push(format!(
                "{what} is of the type {ours} in the trait, and {theirs} in the daemon"
            ));
        }
    }
}

/// Compares the fields that the daemon reads. It ignores others.
fn fields(ours: &[(&str, &ReplyType)], theirs: &[Described], what: &str, found: &mut Vec<String>) {
    for field in theirs {
        let name = field.text("name").unwrap_or_default();
        let of = field.map("of").unwrap_or_default();
        match ours.iter().find(|(ours, _)| *ours == name) {
            Some((_, ours)) => item(ours, &of, &format!("`{name}` of {what}"), found),
            None if of.has("type", "optional") || !of.knows("type") => {}
            None => {
                found.push(format!("the daemon needs `{name}` of {what}, which the trait lacks"));
            }
        }
    }
}

/// Compares the variants that are sent with those that the daemon knows.
fn variants<'v>(
    ours: impl Iterator<Item = (&'v str, &'v ReplyType)>,
    theirs: &Described,
    what: &str,
    found: &mut Vec<String>,
) {
    // One within itself was compared there, and has none here.
    if theirs.is("other") || !(theirs.knows("words") || theirs.knows("variants")) {
        return;
    }
    let (words, variants) = (theirs.texts("words"), theirs.list("variants"));
    for (name, ours) in ours {
        let variant = variants.iter().find(|variant| variant.has("name", name));
        if variant.is_none() && !words.iter().any(|word| word == name) {
            found.push(format!("the daemon does not accept {name} for {what}"));
            continue;
        }
        match (ours, variant.and_then(|variant| variant.map("of"))) {
            // The daemon ignores a value that it does not know.
            (_, None) => {}
            (ReplyType::Nothing, Some(of)) if of.has("type", "optional") => {}
            (ReplyType::Nothing, Some(_)) => {
                found.push(format!(
                    "{name} of {what} has no value in the trait, and one in the daemon"
                ));
            }
            (ours, Some(of)) => item(ours, &of, &format!("{name} of {what}"), found),
        }
    }
}
