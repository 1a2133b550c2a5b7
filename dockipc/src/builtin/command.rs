//! `COMMAND` and its subcommands, from which redis-cli makes its hints and its help. A name of two words is a
//! subcommand there, as in Redis: `group|add`.

use super::describe::known;
use super::{Context, Fields, at, is, unknown_subcommand};
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
    let all = || visible.top();
    // Redis writes `config|get`.
    let mut names = Vec::new();
    for name in words.skip(1).iter() {
        let mut name = name.to_vec();
        // A name has two words at most.
        if let Some(at) = name.iter().position(|b| *b == b'|') {
            name[at] = b' ';
        }
        names.push(name);
    }
    let named = || {
        let mut all: Vec<&[u8]> = Vec::new();
        for name in &names {
            all.push(name);
        }
        table.named(&caller, &all)
    };
    match at(words, 0) {
        None => visible.rows(&all()),
        what if is(what, "count") => all().len().into_reply(),
        what if is(what, "list") => visible.names(),
        what if is(what, "info") && at(words, 1).is_some() => {
            let mut rows = Vec::new();
            for entry in named() {
                rows.push(entry.map_or(Reply::Null, |entry| visible.row(entry)));
            }
            Reply::List(rows)
        }
        what if is(what, "info") => visible.rows(&all()),
        what if is(what, "docs") && at(words, 1).is_some() => visible.docs(&known(named())),
        what if is(what, "docs") => {
            let mut all = all();
            for builtin in BuiltIn::TRANSACTION {
                let entry = table.find_visible(&caller, builtin.name().as_bytes());
                all.extend(entry.filter(|entry| matches!(entry.target, Target::BuiltIn(_))));
            }
            visible.docs(&all)
        }
        what => unknown_subcommand(what),
    }
}

/// Returns the flags of a command in `COMMAND`.
fn flags(target: &Target) -> Vec<Reply> {
    let is_author_s = matches!(target, Target::Command(_) | Target::Mounted(_));
    let Marks { readonly, destructive, .. } = target.marks();
    those_set(&[
        ("write", is_author_s && !readonly),
        ("readonly", readonly),
        ("destructive", destructive),
        ("idempotent", target.is_idempotent()),
    ])
}

/// Returns the flags that are set.
#[inline(never)]
fn those_set(flags: &[(&'static str, bool)]) -> Vec<Reply> {
    let mut set = Vec::new();
    for (flag, is_on) in flags {
        if *is_on {
            set.push(Reply::Status((*flag).into()));
        }
    }
    set
}

/// The commands that a caller can see.
struct Visible<'v> {
    table: &'v Table,
    caller: &'v Credentials<'v>,
}

impl<'v> Visible<'v> {
    /// Returns the commands, with a group in place of its commands.
    fn top(&self) -> Vec<&'v Entry> {
        let mut top = self.table.visible(self.caller);
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
            for member in self.members(entry) {
                names.push(shown_name(member).into_reply());
            }
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
            self.rows(&self.members(entry)),
        ])
    }

    #[inline(never)]
    fn rows(&self, entries: &[&Entry]) -> Reply {
        let mut rows = Vec::new();
        for entry in entries {
            rows.push(self.row(entry));
        }
        Reply::List(rows)
    }

    /// Returns the answer to `COMMAND DOCS`, from which redis-cli makes its hints and its help.
    fn docs(&self, entries: &[&Entry]) -> Reply {
        let mut docs = Fields::default();
        for entry in entries {
            let mut fields = documented(&entry.target);
            let members = self.members(entry);
            if !members.is_empty() {
                fields.put("subcommands", self.docs(&members));
            }
            docs.put(&shown_name(entry), fields.into_reply());
        }
        docs.into_reply()
    }
}

/// Returns a name as Redis writes it: `group|add`.
#[inline(never)]
fn shown_name(entry: &Entry) -> String {
    entry.name.replace(' ', "|")
}

/// Returns the number of words, with the name. If there may be more, it is negative.
fn arity(entry: &Entry) -> i64 {
    let words_of_name: i64 = if entry.group().is_some() { 2 } else { 1 };
    match &entry.target {
        Target::Command(command) => {
            let (mut words, mut exact) = (words_of_name, true);
            for param in command.given() {
                let is_optional = param.is_optional();
                words += i64::from(!is_optional);
                exact &= !is_optional
                    && param.arity != Arity::Many
                    && !matches!(param.way, Way::Long(_) | Way::Flag(_) | Way::Rest);
            }
            if exact { words } else { -words }
        }
        Target::Group(_) => -2,
        Target::BuiltIn(_) | Target::Mounted(_) | Target::PubSub(_) => -words_of_name,
    }
}

/// Returns one value of `COMMAND DOCS`.
fn documented(target: &Target) -> Fields {
    let (mut summary, mut arguments) = (String::new(), Vec::new());
    match target {
        Target::Command(command) => {
            summary = command.summary();
            for param in command.given() {
                arguments.push(argument(param));
            }
        }
        Target::BuiltIn(builtin) => {
            summary.push_str(builtin.summary().unwrap_or_default());
            for &(name, is_optional) in builtin.words() {
                let word = described(name, "string", None, is_optional, false, Vec::new());
                arguments.push(word.into_reply());
            }
        }
        Target::Mounted(_) | Target::PubSub(_) | Target::Group(_) => {}
    }
    let mut fields = Fields::default();
    fields.text("summary", &summary);
    let Marks { since, deprecated, .. } = target.marks();
    fields.text("since", since.unwrap_or(env!("CARGO_PKG_VERSION")));
    fields.text("group", "daemon");
    fields.list("arguments", arguments);
    let doc_flags =
        those_set(&[("deprecated", deprecated.is_some()), ("idempotent", target.is_idempotent())]);
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
    let mut choices = Vec::new();
    if kind == "oneof" {
        for word in param.choices {
            let word = described(word, "pure-token", Some(word), false, false, Vec::new());
            choices.push(word.into_reply());
        }
    }
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

#[inline(never)]
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
    let flags = those_set(&[("optional", optional), ("multiple", many)]);
    if !flags.is_empty() {
        fields.list("flags", flags);
    }
    if !choices.is_empty() {
        fields.list("arguments", choices);
    }
    fields
}
