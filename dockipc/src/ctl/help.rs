//! `help NAME`: explains one command.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::interface::{Argument, Description, Kind};

const HEAD: Style = Style::new().bold();

/// Writes the daemon's description of a command.
pub(super) fn write(command: &Description) -> io::Result<()> {
    anstream::stdout().lock().write_all(text(command).as_bytes())
}

fn text(command: &Description) -> String {
    let name = AnsiColor::Green.on_default().bold();
    let rest = command.usage.strip_prefix(&command.name).unwrap_or_default();
    let mut text = format!("{HEAD}Usage:{HEAD:#} {name}{}{name:#}{rest}\n", command.name);
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
    if let Some(rule) = &command.rule {
        more.push(format!("{HEAD}Allowed for:{HEAD:#} {rule}"));
    }
    if command.is_idempotent && !command.is_builtin {
        more.push("Idempotent: running it twice has the same effect as once.".into());
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
        Some(flag) => format!("{short}{flag} <{name}>{many}"),
        None if argument.kind == Kind::Last => format!("-- <{name}{many}>"),
        None => format!("<{name}{many}>"),
    }
}

/// Returns an argument's help, type or choices, and default.
fn right(argument: &Argument) -> String {
    let mut notes = Vec::new();
    let is_flag = argument.kind == Kind::Flag;
    if !is_flag && argument.choices.is_empty() {
        let pair = if argument.is_map { "KEY=VALUE, " } else { "" };
        notes.push(format!("{pair}{}", argument.ty));
        notes.extend(argument.limits());
    } else if !is_flag {
        notes.push(argument.choices.join("|"));
        notes.extend(argument.aliases.iter().map(|(alias, word)| format!("{alias} for {word}")));
    }
    if argument.is_secret {
        notes.push("secret".into());
    }
    match argument.caller.as_deref() {
        Some("cwd") => notes.push("your directory unless given".into()),
        Some("env") => notes.push("your environment unless given".into()),
        _ => {}
    }
    match &argument.default {
        Some(default) => notes.push(format!("default {default}")),
        None if argument.is_optional && !is_flag => notes.push("optional".into()),
        None => {}
    }
    let notes = if notes.is_empty() { String::new() } else { format!("[{}]", notes.join(", ")) };
    [&*argument.help, &*notes].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}
