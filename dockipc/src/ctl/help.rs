//! `help NAME`: one command.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::interface::{Argument, Description, Kind};

const HEAD: Style = Style::new().bold();

/// Writes all that the daemon says of a command.
pub(super) fn write(command: &Description) -> io::Result<()> {
    anstream::stdout().lock().write_all(text(command).as_bytes())
}

fn text(command: &Description) -> String {
    let name = AnsiColor::Green.on_default().bold();
    let rest = command.usage.strip_prefix(&command.name).unwrap_or_default();
    let mut text = format!("{HEAD}Usage:{HEAD:#} {name}{}{name:#}{rest}\n", command.name);
    for part in [&command.summary, &command.details] {
        if !part.is_empty() {
            // Writing to a String does not fail.
            let _ = write!(text, "\n{part}\n");
        }
    }
    if !command.arguments.is_empty() {
        let _ = write!(text, "\n{HEAD}Arguments:{HEAD:#}\n");
    }
    let width = command.arguments.iter().map(|argument| left(argument).chars().count()).max();
    let width = width.unwrap_or(0);
    let cyan = AnsiColor::Cyan.on_default();
    for argument in &command.arguments {
        let left = left(argument);
        let blanks = " ".repeat(width - left.chars().count());
        let line = format!("  {cyan}{left}{cyan:#}{blanks}  {}", right(argument));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let mut more = Vec::new();
    if !command.aliases.is_empty() {
        more.push(format!("{HEAD}Also:{HEAD:#} {}", command.aliases.join(", ")));
    }
    if let Some(rule) = &command.rule {
        more.push(format!("{HEAD}For:{HEAD:#} {rule}"));
    }
    if command.is_idempotent && !command.is_builtin {
        more.push("To run it twice is the same as once.".into());
    }
    if !more.is_empty() {
        let _ = write!(text, "\n{}\n", more.join("\n"));
    }
    text
}

/// How an argument is written.
fn left(argument: &Argument) -> String {
    let many = if argument.is_multiple || argument.kind == Kind::Rest { "…" } else { "" };
    match &argument.kind {
        Kind::Flag(flag) => flag.clone(),
        Kind::Option(flag) => format!("{flag} <{}>{many}", argument.name),
        Kind::Positional | Kind::Rest => format!("<{}{many}>", argument.name),
    }
}

/// What it is: its help, its type or choices, and whether it may be left out.
fn right(argument: &Argument) -> String {
    let mut notes = Vec::new();
    match &argument.kind {
        Kind::Flag(_) => {}
        _ if argument.choices.is_empty() => notes.push(argument.ty.clone()),
        _ => notes.push(argument.choices.join("|")),
    }
    if argument.is_secret {
        notes.push("secret".into());
    }
    match (&argument.default, &argument.kind) {
        (Some(default), _) => notes.push(format!("default {default}")),
        (None, Kind::Flag(_)) => {}
        (None, _) if argument.is_optional => notes.push("optional".into()),
        (None, _) => {}
    }
    let notes = if notes.is_empty() { String::new() } else { format!("[{}]", notes.join(", ")) };
    [&*argument.help, &*notes].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}
