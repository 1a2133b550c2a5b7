//! `COMMAND` and its subcommands, from which redis-cli makes its hints and its help. A name of two words is a
//! subcommand there, as in Redis: `group|add`.

use super::{Context, Fields, is, unknown_subcommand};
use crate::access::Credentials;
use crate::arg::Arity;
use crate::commands::{BuiltIn, Entry, Table, Target};
use crate::param::{Marks, Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;

pub(super) fn command(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let visible = Visible { table, caller: &caller };
    let all = || visible.top().into_iter();
    // Redis writes `config|get`.
    let names: Vec<Vec<u8>> = words
        .iter()
        .skip(1)
        .map(|name| name.iter().map(|b| if *b == b'|' { b' ' } else { *b }).collect())
        .collect();
    let named = || table.named(&caller, names.iter().map(Vec::as_slice));
    let row = |entry: &Entry| visible.row(entry);
    match words.get(0) {
        None => list(&mut all(), &row),
        what if is(what, "count") => all().count().into_reply(),
        what if is(what, "list") => visible.names(),
        what if is(what, "info") && words.get(1).is_some() => {
            Reply::List(named().map(|entry| entry.map_or(Reply::Null, row)).collect())
        }
        what if is(what, "info") => list(&mut all(), &row),
        what if is(what, "docs") && words.get(1).is_some() => visible.docs(&mut named().flatten()),
        what if is(what, "docs") => {
            let transaction = BuiltIn::TRANSACTION.iter().filter_map(|builtin| {
                let entry = table.find_visible(&caller, builtin.name().as_bytes())?;
                matches!(entry.target, Target::BuiltIn(_)).then_some(entry)
            });
            visible.docs(&mut all().chain(transaction))
        }
        what => unknown_subcommand(what),
    }
}

fn list(entries: &mut dyn Iterator<Item = &Entry>, item: &dyn Fn(&Entry) -> Reply) -> Reply {
    Reply::List(entries.map(item).collect())
}

/// Returns the flags of a command in `COMMAND`.
fn flags(target: &Target) -> Vec<Reply> {
    let is_author_s = matches!(target, Target::Command(_) | Target::Mounted(_));
    let Marks { readonly, destructive, .. } = target.marks();
    let mut flags = Vec::new();
    for (flag, is_on) in [
        ("write", is_author_s && !readonly),
        ("readonly", readonly),
        ("destructive", destructive),
        ("idempotent", target.is_idempotent()),
    ] {
        if is_on {
            flags.push(Reply::Status(flag.into()));
        }
    }
    flags
}

/// The commands that a caller can see.
struct Visible<'v> {
    table: &'v Table,
    caller: &'v Credentials<'v>,
}

impl<'v> Visible<'v> {
    /// Returns the commands, with a group in place of its commands.
    fn top(&self) -> Vec<&'v Entry> {
        let mut top: Vec<&Entry> = self.table.visible(self.caller).collect();
        if let Some(code) = self.table.groups {
            (code.fold)(self.table, &mut top);
        }
        top
    }

    /// Returns the commands of a group.
    fn members(&self, entry: &Entry) -> Vec<&'v Entry> {
        match entry.target {
            Target::Group(code) => (code.members)(self.table, self.caller, &entry.name),
            _ => Vec::new(),
        }
    }

    /// Answers `COMMAND LIST`, with the commands of a group behind it.
    fn names(&self) -> Reply {
        let mut names = Vec::new();
        for entry in self.top() {
            names.push(shown_name(entry).into_reply());
            names.extend(self.members(entry).iter().map(|entry| shown_name(entry).into_reply()));
        }
        Reply::List(names)
    }

    /// Returns one row of `COMMAND`: name, arity, flags, no keys, and the commands of a group.
    fn row(&self, entry: &Entry) -> Reply {
        let none = || Reply::List(Vec::new());
        Reply::List(vec![
            shown_name(entry).into_reply(),
            Reply::Int(arity(entry)),
            Reply::List(flags(&entry.target)),
            Reply::Int(0),
            Reply::Int(0),
            Reply::Int(0),
            none(),
            none(),
            none(),
            Reply::List(self.members(entry).iter().map(|entry| self.row(entry)).collect()),
        ])
    }

    /// Returns the answer to `COMMAND DOCS`, from which redis-cli makes its hints and its help.
    fn docs(&self, entries: &mut dyn Iterator<Item = &Entry>) -> Reply {
        let mut docs = Fields::default();
        for entry in entries {
            let mut fields = documented(&entry.target);
            let mut members = self.members(entry).into_iter();
            if members.len() > 0 {
                fields.put("subcommands", self.docs(&mut members));
            }
            docs.put(&shown_name(entry), fields.into_reply());
        }
        docs.into_reply()
    }
}

/// Returns a name as Redis writes it: `group|add`.
fn shown_name(entry: &Entry) -> String {
    entry.name.replace(' ', "|")
}

/// Returns the number of words, with the name. If there may be more, it is negative.
fn arity(entry: &Entry) -> i64 {
    let words_of_name: i64 = if entry.group().is_some() { 2 } else { 1 };
    match &entry.target {
        Target::Command(command) => {
            let options = command.given().any(|p| matches!(p.way, Way::Long(_) | Way::Flag(_)));
            let count = command.given().count();
            let least = command.given().filter(|p| !p.is_optional()).count();
            let is_one = |p: &Param| p.way != Way::Rest && p.arity != Arity::Many;
            let exact = least == count && !options && command.given().all(is_one);
            let words = i64::try_from(least).unwrap_or(i64::MAX - 2) + words_of_name;
            if exact { words } else { -words }
        }
        Target::Group(_) => -2,
        Target::BuiltIn(_) | Target::Mounted(_) | Target::PubSub(_) => -words_of_name,
    }
}

/// Returns one value of `COMMAND DOCS`.
fn documented(target: &Target) -> Fields {
    let (summary, arguments) = match target {
        Target::Command(command) => (command.summary(), command.given().map(argument).collect()),
        Target::BuiltIn(builtin) => {
            let words = builtin.words().iter().map(|&(name, is_optional)| {
                described(name, "string", None, is_optional, false, Vec::new()).into_reply()
            });
            (builtin.summary().unwrap_or_default().to_owned(), words.collect())
        }
        Target::Mounted(_) | Target::PubSub(_) | Target::Group(_) => (String::new(), Vec::new()),
    };
    let mut fields = Fields::default();
    fields.text("summary", &summary);
    let Marks { since, deprecated, .. } = target.marks();
    fields.text("since", since.unwrap_or(env!("CARGO_PKG_VERSION")));
    fields.text("group", "daemon");
    fields.list("arguments", arguments);
    let mut doc_flags = Vec::new();
    for (flag, is_on) in
        [("deprecated", deprecated.is_some()), ("idempotent", target.is_idempotent())]
    {
        if is_on {
            doc_flags.push(Reply::Status(flag.into()));
        }
    }
    if !doc_flags.is_empty() {
        fields.list("doc_flags", doc_flags);
    }
    if let Some(instead) = deprecated {
        fields.text("replaced_by", instead);
    }
    fields
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
