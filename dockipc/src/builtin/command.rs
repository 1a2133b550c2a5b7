//! `COMMAND` and its subcommands, from which redis-cli makes its hints and its help.

use super::{Context, help, is, usage};
use crate::arg::Arity;
use crate::commands::{Entry, Target};
use crate::param::{Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;

pub(super) fn command(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let all = || table.visible(&caller).into_iter();
    let named = || table.named(&caller, words.iter().skip(1));
    match words.get(0) {
        None => Reply::List(all().map(row).collect()),
        what if is(what, "count") => all().count().into_reply(),
        what if is(what, "list") => {
            Reply::List(all().map(|entry| (&*entry.name).into_reply()).collect())
        }
        what if is(what, "info") && words.get(1).is_some() => {
            Reply::List(named().map(|entry| entry.map_or(Reply::Null, row)).collect())
        }
        what if is(what, "info") => Reply::List(all().map(row).collect()),
        what if is(what, "docs") && words.get(1).is_some() => {
            let known = named().flatten();
            Reply::map(known.map(|entry| (entry.name.clone(), docs(&entry.target))))
        }
        what if is(what, "docs") => {
            Reply::map(all().map(|entry| (entry.name.clone(), docs(&entry.target))))
        }
        _ => usage("usage: command [count | list | info [<name>…] | docs [<name>…]]"),
    }
}

/// Returns the flags of a command in `COMMAND` and `COMMAND DOCS`.
fn flags(target: &Target) -> Option<Reply> {
    target.is_idempotent().then(|| Reply::List(vec![Reply::Status("idempotent".into())]))
}

/// Returns one row of `COMMAND`: name, arity, flags, and no keys.
fn row(entry: &Entry) -> Reply {
    let target = &entry.target;
    let arity = match target {
        Target::Command(command) => {
            let options = command.given().any(|p| matches!(p.way, Way::Long(_) | Way::Flag(_)));
            let count = command.given().count();
            let least = command.given().filter(|p| !p.is_optional()).count();
            let exact = least == count && !options && command.given().all(|p| p.way != Way::Rest);
            let words = i64::try_from(least + 1).unwrap_or(i64::MAX);
            if exact { words } else { -words }
        }
        Target::BuiltIn(_) | Target::Mounted(_) => -1,
    };
    let none = || Reply::List(Vec::new());
    Reply::List(vec![
        (&*entry.name).into_reply(),
        Reply::Int(arity),
        flags(target).unwrap_or_else(none),
        Reply::Int(0),
        Reply::Int(0),
        Reply::Int(0),
        none(),
        none(),
        none(),
        none(),
    ])
}

/// Returns one value of `COMMAND DOCS`.
fn docs(target: &Target) -> Reply {
    let (summary, arguments) = match target {
        Target::Command(command) => (command.summary(), command.given().map(argument).collect()),
        Target::BuiltIn(builtin) => {
            let described =
                |(name, optional)| described(name, "string", None, optional, false, Vec::new());
            let words = help::words(*builtin).map(described);
            (builtin.summary().unwrap_or_default().to_owned(), words.collect())
        }
        Target::Mounted(_) => (String::new(), Vec::new()),
    };
    let flags = flags(target).map(|flags| ("doc_flags", flags));
    let pairs = [
        ("summary", summary.into_reply()),
        ("since", env!("CARGO_PKG_VERSION").into_reply()),
        ("group", "daemon".into_reply()),
        ("arguments", Reply::List(arguments)),
    ];
    Reply::map(pairs.into_iter().chain(flags))
}

fn argument(param: &Param) -> Reply {
    let (kind, token) = match param.way {
        Way::Flag(long) => ("pure-token", Some(format!("--{long}"))),
        Way::Long(long) => (kind(param), Some(format!("--{long}"))),
        Way::Injected | Way::Positional | Way::Rest => (kind(param), None),
    };
    let choices = if kind == "oneof" { param.choices } else { &[] };
    let choices = choices
        .iter()
        .map(|word| described(word, "pure-token", Some(word), false, false, Vec::new()))
        .collect();
    let many = param.arity == Arity::Many || param.way == Way::Rest;
    described(param.name, kind, token.as_deref(), param.is_optional(), many, choices)
}

fn kind(param: &Param) -> &'static str {
    match param.ty {
        _ if !param.choices.is_empty() => "oneof",
        "integer" => "integer",
        "number" => "double",
        _ => "string",
    }
}

fn described(
    name: &str,
    kind: &str,
    token: Option<&str>,
    optional: bool,
    many: bool,
    choices: Vec<Reply>,
) -> Reply {
    let mut pairs = vec![("name", name.into_reply()), ("type", kind.into_reply())];
    if kind != "oneof" {
        pairs.push(("display_text", name.into_reply()));
    }
    if let Some(token) = token {
        pairs.push(("token", token.into_reply()));
    }
    let flags = [("optional", optional), ("multiple", many)];
    let flags = flags.into_iter().filter(|(_, on)| *on);
    let flags: Vec<_> = flags.map(|(flag, _)| Reply::Status(flag.into())).collect();
    if !flags.is_empty() {
        pairs.push(("flags", Reply::List(flags)));
    }
    if !choices.is_empty() {
        pairs.push(("arguments", Reply::List(choices)));
    }
    Reply::map(pairs)
}
