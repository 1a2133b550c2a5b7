//! `HELP`, the commands described for people.

use std::fmt::Write;

use super::{Context, usage};
use crate::arg::Arity;
use crate::commands::{BuiltIn, Command, Entry, Target};
use crate::param::{Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;

pub(super) fn help(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let Some(name) = words.get(0) else {
        let rows: Vec<_> = table.visible(&caller).into_iter().map(row).collect();
        return columns(&rows).into_reply();
    };
    if words.get(1).is_some() {
        return usage("usage: help [<command>]");
    }
    let Some(entry) = table.find_visible(&caller, name) else {
        return Reply::Error(table.unknown(&caller, name));
    };
    let mut text = match entry.target {
        Target::Command(command) => explain(command),
        Target::BuiltIn(builtin) => format!("{}\n\n{}\n", usage_of(builtin), summary(builtin)),
        Target::Mounted(_) => format!("{}\n\nNo help available.\n", entry.name),
    };
    if entry.policy.is_ruled() {
        let _ = write!(text, "\nallowed: {}\n", entry.policy);
    }
    text.into_reply()
}

/// Returns one row of the list: the usage line and the summary.
fn row(entry: &Entry) -> (String, String) {
    match entry.target {
        Target::Command(command) => (command.to_string(), command.summary()),
        Target::BuiltIn(builtin) => (usage_of(builtin), summary(builtin)),
        Target::Mounted(_) => (entry.name.clone().into_owned(), String::new()),
    }
}

fn explain(command: &Command) -> String {
    let mut text = format!("{command}\n");
    for part in [command.summary(), command.details()] {
        if !part.is_empty() {
            // Writing to a String can't fail.
            let _ = write!(text, "\n{part}\n");
        }
    }
    let rows: Vec<_> =
        command.given().map(|param| (format!("  {}", left(param)), right(param))).collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n{}", columns(&rows));
    }
    if !command.aliases.is_empty() {
        let _ = write!(text, "\naliases: {}\n", command.aliases.join(", "));
    }
    if command.idempotent {
        text.push_str("\nidempotent: running it twice has the same effect as once\n");
    }
    text
}

fn left(param: &Param) -> String {
    match param.way {
        Way::Flag(long) => format!("--{long}"),
        Way::Long(long) => format!("--{long} <{}>", param.name),
        _ => format!("<{}>", param.name),
    }
}

fn right(param: &Param) -> String {
    let default = param.shown_default().map(|default| format!("default {default}"));
    let optional = (default.is_none() && param.arity == Arity::Optional).then(|| "optional".into());
    let secret = param.secret.then(|| "secret".into());
    // A semicolon follows.
    let help = of(param).trim_end_matches('.').to_owned();
    let parts = [Some(help), Some(param.values()), default, optional, secret];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

pub(super) fn summary(builtin: BuiltIn) -> String {
    builtin.summary().unwrap_or("Part of the Redis handshake.").to_owned()
}

pub(super) fn usage_of(builtin: BuiltIn) -> String {
    format!("{} {}", builtin.name(), builtin.arguments()).trim_end().to_owned()
}

/// Returns the arguments of a built-in command, and whether each is optional.
pub(super) fn words(builtin: BuiltIn) -> impl Iterator<Item = (&'static str, bool)> {
    let words = builtin.arguments().split_whitespace();
    words.map(|word| (word.trim_matches(['[', ']', '<', '>']), word.starts_with('[')))
}

/// Formats two columns. If the first is too wide, the second goes on the next line.
fn columns(rows: &[(String, String)]) -> String {
    const WIDEST: usize = 32;
    let width = |text: &str| text.chars().count();
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
            text.extend(std::iter::repeat_n(' ', column - here));
            text.push_str(right);
        }
        text.push('\n');
    }
    text
}

/// Returns the doc comment of a parameter as one line.
pub(super) fn of(param: &Param) -> String {
    param.help.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}
