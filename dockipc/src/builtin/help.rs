//! `HELP`, the commands described for people.

use super::{Context, at, too_many};
use crate::arg::Arity;
use crate::caught::caught;
use crate::commands::{BuiltIn, Command, Entry, GroupCode, Target};
use crate::param::{Marks, Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;
use crate::text::{append, joined};
use crate::wire::words::quote;

pub(super) fn help(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let Some(name) = at(words, 0) else {
        return listed(&table.visible(&caller)).into_reply();
    };
    if let Some(word) = at(words, 2) {
        return too_many(word, "usage: help [<command>]");
    }
    let mut name = name.to_vec();
    if let Some(second) = at(words, 1) {
        name.push(b' ');
        name.extend_from_slice(second);
    }
    let Some(entry) = table.find_visible(&caller, &name) else {
        return Reply::Error(table.unknown(&caller, &name, None));
    };
    let mut text = match entry.target {
        Target::Command(command) => explain(command),
        Target::BuiltIn(builtin) => format!("{}\n\n{}\n", usage_of(builtin), summary(builtin)),
        Target::Mounted(_) | Target::PubSub(_) => {
            format!("{}\n\nNo help available.\n", entry.name)
        }
        Target::Group(code) => return list_group(context, session, &entry.name, code),
    };
    if entry.policy.is_ruled() {
        append(&mut text, format_args!("\nallowed: {}\n", entry.policy));
    }
    text.into_reply()
}

/// Answers with the commands of a group.
#[cold]
pub(crate) fn list_group(
    context: Context<'_>,
    session: &Session,
    group: &str,
    code: &GroupCode,
) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let members = (code.members)(table, &caller, group);
    if members.is_empty() {
        return Reply::Error(table.unknown(&caller, group.as_bytes(), None));
    }
    listed(&members).into_reply()
}

#[inline(never)]
fn listed(entries: &[&Entry]) -> String {
    let mut rows = Vec::new();
    for entry in entries {
        rows.push(row(entry));
    }
    columns(&rows)
}

/// Returns one row of the list: the usage line and the summary.
fn row(entry: &Entry) -> (String, String) {
    match entry.target {
        Target::Command(command) => {
            let mut summary = command.summary();
            if let Some(instead) = command.marks.deprecated {
                append(&mut summary, format_args!(" (deprecated: {instead})"));
            }
            (command.usage(), summary)
        }
        Target::BuiltIn(builtin) => (usage_of(builtin), summary(builtin)),
        Target::Mounted(_) | Target::PubSub(_) | Target::Group(_) => {
            (entry.name.clone().into_owned(), String::new())
        }
    }
}

fn explain(command: &Command) -> String {
    let mut text = format!("{command}\n");
    paragraph(&mut text, &command.summary());
    paragraph(&mut text, &command.details());
    let rows: Vec<_> =
        command.given().map(|param| (format!("  {}", left(param)), right(param))).collect();
    if !rows.is_empty() {
        append(&mut text, format_args!("\n{}", columns(&rows)));
    }
    if !command.aliases.is_empty() {
        let aliases = joined(&mut command.aliases.iter().copied(), ", ");
        append(&mut text, format_args!("\naliases: {aliases}\n"));
    }
    let Marks { since, deprecated, readonly, destructive } = command.marks;
    let idempotent = command.idempotent && !readonly;
    for (name, is_on, what) in [
        ("since", since.is_some(), since.unwrap_or_default()),
        ("deprecated", deprecated.is_some(), deprecated.unwrap_or_default()),
        ("readonly", readonly, "it changes nothing"),
        ("destructive", destructive, "what it removes or overwrites is lost"),
        ("idempotent", idempotent, "running it twice has the same effect as once"),
    ] {
        if is_on {
            append(&mut text, format_args!("\n{name}: {what}\n"));
        }
    }
    text
}

#[inline(never)]
fn paragraph(text: &mut String, part: &str) {
    if !part.is_empty() {
        append(text, format_args!("\n{part}\n"));
    }
}

fn left(param: &Param) -> String {
    let long = match param.way {
        Way::Flag(long) => format!("--{long}"),
        Way::Long(long) => format!("--{long} <{}>", param.name),
        Way::Last => format!("-- <{}>", param.name),
        _ => format!("<{}>", param.name),
    };
    match param.short().strip_suffix('|') {
        Some(short) => format!("{short}, {long}"),
        None => long,
    }
}

/// Returns the default of a parameter as a word, if it has one and its value can be shown so.
pub(super) fn default(param: &Param) -> Option<String> {
    caught(|| param.shown_default()).flatten()
}

fn right(param: &Param) -> String {
    let default = default(param).map(|default| {
        // The words of a list are quoted already, and those of a rest are read as they are.
        let is_word = param.arity != Arity::Many
            && (param.way != Way::Rest || default.is_empty())
            && !param.secret;
        let default = if is_word { quote(&default) } else { default.into() };
        format!("default {default}")
    });
    let can_be_omitted =
        param.arity == Arity::Optional || (param.arity == Arity::One && param.default.is_some());
    let is_optional = default.is_none() && can_be_omitted;
    // A semicolon follows.
    let mut text = one_line(param.help).trim_end_matches('.').to_owned();
    for part in [
        &*param.values(),
        default.as_deref().unwrap_or_default(),
        if is_optional { "optional" } else { "" },
        if param.secret { "secret" } else { "" },
    ] {
        if !text.is_empty() && !part.is_empty() {
            text.push_str("; ");
        }
        text.push_str(part);
    }
    text
}

pub(super) fn summary(builtin: BuiltIn) -> String {
    builtin.summary().unwrap_or("Part of the Redis handshake.").to_owned()
}

pub(super) fn usage_of(builtin: BuiltIn) -> String {
    let mut usage = builtin.name().to_owned();
    for (word, is_optional) in builtin.words() {
        let (open, close) = if *is_optional { ("[", "]") } else { ("", "") };
        append(&mut usage, format_args!(" {open}<{word}>{close}"));
    }
    usage
}

/// Formats two columns. If the first is too wide, the second goes on the next line.
fn columns(rows: &[(String, String)]) -> String {
    const WIDEST: usize = 32;
    let fitting = rows.iter().map(|(left, _)| width(left)).filter(|w| *w <= WIDEST);
    let column = fitting.max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (left, right) in rows {
        text.push_str(left);
        if !right.is_empty() {
            let mut here = width(left);
            if here + 2 > column {
                text.push('\n');
                here = 0;
            }
            append(&mut text, format_args!("{:1$}{right}", "", column - here));
        }
        text.push('\n');
    }
    text
}

/// Returns the number of characters. Not inlined, with a short loop: std's counts long texts fast.
#[inline(never)]
fn width(text: &str) -> usize {
    text.char_indices().fold(0, |width, _| width + 1)
}

/// Returns the doc comment of a parameter or a field as one line.
pub(super) fn one_line(text: &str) -> String {
    joined(&mut text.lines().map(str::trim_ascii), " ")
}
