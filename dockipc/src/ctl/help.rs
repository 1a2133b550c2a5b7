//! `help NAME`: explains one command, or lists those of a group.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::commands;
use super::interface::{Argument, Description, Interface, Kind, OfCaller};
use super::output::{Layout, json_line, json_text};
use crate::client::Client;
use crate::error::{Error, Result};

const HEAD: Style = Style::new().bold();

/// What is explained.
pub(super) enum Topic {
    Command(Box<Description>),
    /// The commands of a group.
    Group(Interface),
}

impl Topic {
    /// Finds the command or the group that the first words name. Also returns the number of these words.
    pub(super) fn among(interface: Interface, words: &[impl AsRef<str>]) -> Option<(Self, usize)> {
        let Some(first) = words.first() else { return Some((Self::Group(interface), 0)) };
        if let Some((command, used)) = interface.resolve(words) {
            return Some((Self::Command(Box::new(command.into_owned())), used));
        }
        let group = interface.group(first.as_ref());
        (!group.commands.is_empty()).then_some((Self::Group(group), 1))
    }

    /// Asks the daemon for the command or the group that the first words name. Also returns the number
    /// of these words.
    pub(super) fn of(client: &Client, words: &[impl AsRef<str>]) -> Result<(Self, usize)> {
        if let Some((command, used)) = Interface::command(client, words)? {
            return Ok((Self::Command(Box::new(command)), used));
        }
        let Some(first) = words.first().map(AsRef::as_ref) else {
            return Ok((Self::Group(Interface::of(client)?), 0));
        };
        let group = Interface::named(client, &[first])?.group(first);
        let name: Vec<_> = match words {
            [_, second, ..] if !group.commands.is_empty() => vec![first, second.as_ref()],
            _ if group.commands.is_empty() => vec![first],
            _ => return Ok((Self::Group(group), 1)),
        };
        // The daemon's error suggests the nearest name.
        client.command("help").args(&name).call::<()>()?;
        Err(Error::Protocol(format!("no description of {:?}", name.join(" "))))
    }

    /// Writes the explanation.
    pub(super) fn write(&self, json: Option<Layout>) -> io::Result<()> {
        match self {
            Self::Group(commands) => commands::write(commands, json),
            Self::Command(command) => match json {
                Some(layout) => write_json(&**command, layout),
                None => anstream::stdout().lock().write_all(text(command).as_bytes()),
            },
        }
    }
}

/// Writes a value as JSON.
pub(super) fn write_json(value: &impl Serialize, layout: Layout) -> io::Result<()> {
    let value = serde_json::to_value(value)?;
    let text = match layout {
        Layout::Indented => json_text(&value),
        Layout::Line => json_line(&value),
    };
    writeln!(io::stdout().lock(), "{text}")
}

fn text(command: &Description) -> String {
    let name = AnsiColor::Green.on_default().bold();
    let (shown, rest) = match command.usage.strip_prefix(&command.name) {
        Some(rest) => (&command.name, rest),
        // With words in the middle of the name.
        None => (&command.usage, ""),
    };
    let mut text = format!("{HEAD}Usage:{HEAD:#} {name}{shown}{name:#}{rest}\n");
    for part in [&command.summary, &command.details] {
        if !part.is_empty() {
            let _ = write!(text, "\n{part}\n");
        }
    }
    if !command.arguments.is_empty() {
        let _ = write!(text, "\n{HEAD}Arguments:{HEAD:#}\n");
    }
    let width = command.arguments.iter().map(|argument| left(argument).width()).max().unwrap_or(0);
    let cyan = AnsiColor::Cyan.on_default();
    for argument in &command.arguments {
        let left = left(argument);
        let blanks = " ".repeat(width - left.width());
        let line = format!("  {cyan}{left}{cyan:#}{blanks}  {}", right(argument));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let mut more = Vec::new();
    if !command.aliases.is_empty() {
        more.push(format!("{HEAD}Aliases:{HEAD:#} {}", command.aliases.join(", ")));
    }
    if let Some(advice) = &command.deprecated {
        more.push(format!("{HEAD}Deprecated:{HEAD:#} {advice}"));
    }
    if let Some(version) = &command.since {
        more.push(format!("{HEAD}Since:{HEAD:#} {version}"));
    }
    if let Some(rule) = &command.rule {
        more.push(format!("{HEAD}Allowed for:{HEAD:#} {rule}"));
    }
    if command.is_idempotent && !command.is_builtin {
        more.push("Idempotent: running it twice has the same effect as once.".into());
    }
    if command.is_readonly && !command.is_builtin {
        more.push("Read-only: the command changes nothing.".into());
    }
    if command.is_destructive {
        more.push("Destructive: what the command removes cannot be restored.".into());
    }
    if !more.is_empty() {
        let _ = write!(text, "\n{}\n", more.join("\n"));
    }
    text
}

/// Returns an argument as it is written on a command line.
fn left(argument: &Argument) -> String {
    let name = &argument.name;
    let many = if argument.is_multiple || argument.kind == Kind::Rest { "…" } else { "" };
    let short = argument.short.as_ref().map(|short| format!("{short}, ")).unwrap_or_default();
    match &argument.flag {
        Some(flag) if argument.kind == Kind::Flag => format!("{short}{flag}"),
        Some(flag) => format!("{short}{flag} <{}>{many}", value_name(argument)),
        None if argument.kind == Kind::Last => format!("-- <{name}{many}>"),
        None => format!("<{}{many}>", value_name(argument)),
    }
}

/// Returns the name of an argument's value.
fn value_name(argument: &Argument) -> &str {
    if argument.is_map { "KEY=VALUE" } else { &argument.name }
}

/// Returns an argument's help, type or choices, limits, and default.
fn right(argument: &Argument) -> String {
    let mut notes = Vec::new();
    let is_flag = argument.kind == Kind::Flag;
    if !is_flag && argument.choices.is_empty() {
        let pair = if argument.is_map { "KEY=VALUE, " } else { "" };
        let of = argument.of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
        notes.push(format!("{pair}{}{of}", argument.ty));
    } else if !is_flag {
        let with_aliases = argument.choices.iter().map(|choice| {
            let aliases = argument.aliases.iter().filter(|(_, word)| *word == choice);
            let aliases: Vec<_> = aliases.map(|(alias, _)| &**alias).collect();
            if aliases.is_empty() {
                choice.clone()
            } else {
                format!("{choice} ({})", aliases.join(", "))
            }
        });
        notes.push(with_aliases.collect::<Vec<_>>().join("|"));
    }
    if !is_flag {
        notes.extend(argument.limits());
    }
    if argument.is_secret {
        notes.push("secret".into());
    }
    if let Some(choice) = &argument.one_of {
        notes.push(format!("one of {choice}"));
    }
    match (&argument.default, argument.caller) {
        (_, Some(OfCaller::Cwd)) => notes.push("default: the working directory".into()),
        (_, Some(OfCaller::Env)) => notes.push("default: the environment".into()),
        (Some(default), _) => notes.push(format!("default {default}")),
        (None, _) if argument.is_optional && !is_flag && argument.one_of.is_none() => {
            notes.push("optional".into());
        }
        (None, _) => {}
    }
    let notes = if notes.is_empty() { String::new() } else { format!("[{}]", notes.join(", ")) };
    [&*argument.help, &*notes].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}
