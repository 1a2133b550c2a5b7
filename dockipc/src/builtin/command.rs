//! `COMMAND` and its subcommands, from which redis-cli makes its hints and its help.

use super::{Context, Fields, is, unknown_subcommand};
use crate::arg::Arity;
use crate::commands::{BuiltIn, Entry, Target};
use crate::param::{Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;

pub(super) fn command(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let all = || table.visible(&caller);
    let named = || table.named(&caller, words.iter().skip(1));
    match words.get(0) {
        None => list(&mut all(), row),
        what if is(what, "count") => all().count().into_reply(),
        what if is(what, "list") => list(&mut all(), |entry| (&*entry.name).into_reply()),
        what if is(what, "info") && words.get(1).is_some() => {
            Reply::List(named().map(|entry| entry.map_or(Reply::Null, row)).collect())
        }
        what if is(what, "info") => list(&mut all(), row),
        what if is(what, "docs") && words.get(1).is_some() => docs(&mut named().flatten()),
        what if is(what, "docs") => {
            let transaction = BuiltIn::TRANSACTION.iter().filter_map(|builtin| {
                let entry = table.find_visible(&caller, builtin.name().as_bytes())?;
                matches!(entry.target, Target::BuiltIn(_)).then_some(entry)
            });
            docs(&mut all().chain(transaction))
        }
        what => unknown_subcommand(what),
    }
}

fn list(entries: &mut dyn Iterator<Item = &Entry>, item: fn(&Entry) -> Reply) -> Reply {
    Reply::List(entries.map(item).collect())
}

/// Returns the flags of a command in `COMMAND` and `COMMAND DOCS`.
fn flags(target: &Target) -> Vec<Reply> {
    if target.is_idempotent() { vec![Reply::Status("idempotent".into())] } else { Vec::new() }
}

/// Returns one row of `COMMAND`: name, arity, flags, and no keys.
fn row(entry: &Entry) -> Reply {
    let target = &entry.target;
    let arity = match target {
        Target::Command(command) => {
            let options = command.given().any(|p| matches!(p.way, Way::Long(_) | Way::Flag(_)));
            let count = command.given().count();
            let least = command.given().filter(|p| !p.is_optional()).count();
            let is_one = |p: &Param| p.way != Way::Rest && p.arity != Arity::Many;
            let exact = least == count && !options && command.given().all(is_one);
            let words = i64::try_from(least + 1).unwrap_or(i64::MAX);
            if exact { words } else { -words }
        }
        Target::BuiltIn(_) | Target::Mounted(_) | Target::PubSub(_) => -1,
    };
    let none = || Reply::List(Vec::new());
    Reply::List(vec![
        (&*entry.name).into_reply(),
        Reply::Int(arity),
        Reply::List(flags(target)),
        Reply::Int(0),
        Reply::Int(0),
        Reply::Int(0),
        none(),
        none(),
        none(),
        none(),
    ])
}

/// Returns the answer to `COMMAND DOCS`, from which redis-cli makes its hints and its help.
fn docs(entries: &mut dyn Iterator<Item = &Entry>) -> Reply {
    let mut fields = Fields::default();
    entries.for_each(|entry| fields.put(&entry.name, documented(&entry.target)));
    fields.into_reply()
}

/// Returns one value of `COMMAND DOCS`.
fn documented(target: &Target) -> Reply {
    let (summary, arguments) = match target {
        Target::Command(command) => (command.summary(), command.given().map(argument).collect()),
        Target::BuiltIn(builtin) => {
            let words = builtin.words().iter().map(|&(name, is_optional)| {
                described(name, "string", None, is_optional, false, Vec::new()).into_reply()
            });
            (builtin.summary().unwrap_or_default().to_owned(), words.collect())
        }
        Target::Mounted(_) | Target::PubSub(_) => (String::new(), Vec::new()),
    };
    let mut fields = Fields::default();
    fields.text("summary", &summary);
    fields.text("since", env!("CARGO_PKG_VERSION"));
    fields.text("group", "daemon");
    fields.list("arguments", arguments);
    if target.is_idempotent() {
        fields.list("doc_flags", flags(target));
    }
    fields.into_reply()
}

fn argument(param: &Param) -> Reply {
    let (kind, token) = match param.way {
        Way::Flag(long) => ("pure-token", Some(format!("--{long}"))),
        Way::Long(long) => (kind(param), Some(format!("--{long}"))),
        Way::Last => (kind(param), Some("--".to_owned())),
        Way::Injected | Way::Positional | Way::Rest | Way::Body => (kind(param), None),
    };
    let choices = if kind == "oneof" { param.choices } else { &[] };
    let choices = choices
        .iter()
        .map(|word| {
            described(word, "pure-token", Some(word), false, false, Vec::new()).into_reply()
        })
        .collect();
    let many = param.arity == Arity::Many || param.way == Way::Rest;
    let optional = param.is_optional();
    let mut fields = described(param.name, kind, token.as_deref(), optional, many, choices);
    if param.extra.is_some() {
        fields.text("summary", &param.values());
    }
    fields.into_reply()
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
) -> Fields {
    let mut fields = Fields::default();
    fields.text("name", name);
    fields.text("type", kind);
    if kind != "oneof" {
        fields.text("display_text", name);
    }
    if let Some(token) = token {
        fields.text("token", token);
    }
    let mut flags = Vec::new();
    for (flag, is_on) in [("optional", optional), ("multiple", many)] {
        if is_on {
            flags.push(Reply::Status(flag.into()));
        }
    }
    if !flags.is_empty() {
        fields.list("flags", flags);
    }
    if !choices.is_empty() {
        fields.list("arguments", choices);
    }
    fields
}
