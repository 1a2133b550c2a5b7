//! `help NAME`: explains one command, or lists those of a group.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::commands;
use super::interface::{Answer, Argument, Description, Field, Interface, Kind, OfCaller, Type};
use super::output::{Layout, json_line, json_text, width};
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
    /// Returns the topic of a command, also of one that was found by words in the middle of its name.
    pub(super) fn command(mut command: Description) -> Self {
        command.arguments.splice(..0, std::mem::take(&mut command.before));
        Self::Command(Box::new(command))
    }

    /// Finds the command or the group that the first words name. Also returns the number of these words.
    pub(super) fn among(interface: Interface, words: &[impl AsRef<str>]) -> Option<(Self, usize)> {
        let Some(first) = words.first() else { return Some((Self::Group(interface), 0)) };
        if let Some((command, used)) = interface.resolve(words) {
            return Some((Self::command(command.into_owned()), used));
        }
        let group = interface.group(first.as_ref());
        (!group.commands.is_empty()).then_some((Self::Group(group), 1))
    }

    /// Asks the daemon for the command or the group that the first words name. Also returns the number
    /// of these words.
    pub(super) fn of(client: &Client, words: &[impl AsRef<str>]) -> Result<(Self, usize)> {
        if let Some((command, used)) = Interface::command(client, words)? {
            return Ok((Self::command(command), used));
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
            Self::Command(command) => {
                if let Some(layout) = json {
                    return write_json(&**command, layout);
                }
                let width = io::stdout().is_terminal().then(width);
                anstream::stdout().lock().write_all(text(command, width).as_bytes())
            }
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

/// Returns the explanation, whose lines are broken at a width if there is one.
fn text(command: &Description, width: Option<usize>) -> String {
    let name = AnsiColor::Green.on_default().bold();
    let (shown, rest) = match command.usage.strip_prefix(&command.name) {
        Some(rest) => (&*command.name, rest),
        // With words in the middle of the name.
        None => (&*command.usage, ""),
    };
    let head = "Usage: ";
    let mut text = format!("{HEAD}Usage:{HEAD:#} {name}{shown}{name:#}");
    let used = head.len() + shown.width();
    text += &broken(rest, width, used, head.len() + 2);
    text.push('\n');
    for part in [&command.summary, &command.details] {
        if !part.is_empty() {
            let lines = part.lines().map(|line| broken(line, width, 0, indentation(line)));
            let _ = write!(text, "\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        }
    }
    if !command.arguments.is_empty() {
        let _ = write!(text, "\n{HEAD}Arguments:{HEAD:#}\n");
        let rows = command.arguments.iter().map(|argument| (left(argument), right(argument)));
        columns(&rows.collect::<Vec<_>>(), width, &mut text);
    }
    for argument in &command.arguments {
        if let Some(fields) = argument.of.as_ref().and_then(fields_of)
            && !fields.is_empty()
        {
            let name = left(argument);
            let _ = write!(text, "\n{HEAD}Columns of {name}:{HEAD:#}\n");
            columns(&rows_of(fields), width, &mut text);
        }
    }
    if let Some(answer) = &command.answer
        && let Some(fields) = fields_of(answer)
    {
        let answer = broken(&answer.to_string(), width, "Answer: ".len(), 4);
        let _ = write!(text, "\n{HEAD}Answer:{HEAD:#} {answer}\n");
        columns(&rows_of(fields), width, &mut text);
    }
    let mut more = Vec::new();
    let aliases = (!command.aliases.is_empty()).then(|| command.aliases.join(", "));
    for (head, value) in [
        ("Aliases:", aliases.as_ref()),
        ("Deprecated:", command.deprecated.as_ref()),
        ("Since:", command.since.as_ref()),
        ("Allowed for:", command.rule.as_ref()),
    ] {
        if let Some(value) = value {
            let value = broken(value, width, head.len() + 1, 4);
            more.push(format!("{HEAD}{head}{HEAD:#} {value}"));
        }
    }
    let is_own = !command.is_builtin;
    for (is_said, line) in [
        (
            command.is_idempotent && is_own,
            "Idempotent: running it twice has the same effect as once.",
        ),
        (command.is_readonly && is_own, "Read-only: the command changes nothing."),
        (command.is_destructive, "Destructive: what the command removes cannot be restored."),
    ] {
        if is_said {
            more.push(broken(line, width, 0, 4));
        }
    }
    if !more.is_empty() {
        let _ = write!(text, "\n{}\n", more.join("\n"));
    }
    text
}

/// Writes two columns. On a terminal the lines of the second are broken; it begins on a line of its own behind a wide
/// first one.
fn columns(rows: &[(String, String)], width: Option<usize>, text: &mut String) {
    let cyan = AnsiColor::Cyan.on_default();
    let widths = rows.iter().map(|(left, _)| left.width());
    let fitting = widths.filter(|left| width.is_none_or(|width| *left <= width.min(100) / 3));
    let column = fitting.max().unwrap_or(2);
    for (left, right) in rows {
        let _ = write!(text, "  {cyan}{left}{cyan:#}");
        if !right.is_empty() {
            let blanks = if left.width() > column {
                text.push('\n');
                column + 4
            } else {
                column - left.width() + 2
            };
            let right = broken(right, width, column + 4, column + 4);
            let _ = write!(text, "{:blanks$}{right}", "");
        }
        text.push('\n');
    }
}

/// Breaks a line between words where it would be wider than the terminal. `used` is what stands in front of it, and
/// `indent` in front of its further lines. Words in brackets, as `[--wait <time>]`, stay together.
pub(super) fn broken(line: &str, width: Option<usize>, used: usize, indent: usize) -> String {
    let Some(width) = width.filter(|width| used + line.width() > *width) else {
        return line.into();
    };
    // The line of a list or of code keeps its blanks.
    let (blanks, words) = line.split_at(line.len() - line.trim_start().len());
    let (mut text, mut at) = (blanks.to_owned(), used + blanks.width());
    for (i, part) in parts(words, width.saturating_sub(indent)).into_iter().enumerate() {
        if i > 0 && at + 1 + part.width() <= width {
            text.push(' ');
            at += 1;
        } else if i > 0 {
            let _ = write!(text, "\n{:indent$}", "");
            at = indent;
        }
        text.push_str(part);
        at += part.width();
    }
    text
}

/// Returns the columns of the blanks in front of a line, unless they are most of a narrow terminal.
fn indentation(line: &str) -> usize {
    let blanks = &line[..line.len() - line.trim_start().len()];
    blanks.width().min(8)
}

/// Splits a line at its blanks, other than those in brackets that fit into `room` columns.
fn parts(line: &str, room: usize) -> Vec<&str> {
    let room = room.min(LONGEST);
    let (mut parts, mut rest) = (Vec::new(), Some(line));
    while let Some(line) = rest {
        let end = end_of_brackets(line).filter(|end| line[..*end].width() <= room);
        let end = end.or_else(|| line.find(' ')).unwrap_or(line.len());
        parts.push(&line[..end]);
        rest = line.get(end + 1..);
    }
    parts
}

/// Returns where the first word ends, with all words of the brackets that it opens, if each is closed soon.
fn end_of_brackets(line: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, c) in line.char_indices().take(LONGEST + 1) {
        match c {
            '[' | '<' => depth += 1,
            ']' | '>' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    (depth == 0 && line.chars().nth(LONGEST).is_none()).then_some(line.len())
}

/// The widest text in brackets that stays on one line, in columns.
const LONGEST: usize = 36;

/// Returns the fields of the struct in a type: of the items of a list, or of the values of a map.
fn fields_of(answer: &Answer) -> Option<&[Field]> {
    match &answer.ty {
        Type::Struct { fields, .. } => fields.as_deref(),
        Type::Optional { of }
        | Type::List { of }
        | Type::Set { of }
        | Type::Stream { of }
        | Type::Map { of, .. } => fields_of(of),
        _ => None,
    }
}

fn rows_of(fields: &[Field]) -> Vec<(String, String)> {
    let right = |field: &Field| match &*field.help {
        "" => kind(&field.of),
        help => format!("{help} [{}]", kind(&field.of)),
    };
    fields.iter().map(|field| (field.name.clone(), right(field))).collect()
}

/// Returns the type of a field. The words of an enum, and the fields of a struct within a struct, are in it.
fn kind(of: &Answer) -> String {
    let joined = |names: Vec<&str>, separator: &str| names.join(separator);
    match &of.ty {
        Type::Optional { of } => format!("{}, optional", kind(of)),
        Type::List { of } => format!("list of {}", kind(of)),
        Type::Enum { words, .. } => joined(words.iter().map(|word| &**word).collect(), "|"),
        Type::Union { variants: Some(variants), .. } => {
            joined(variants.iter().map(|variant| &*variant.name).collect(), "|")
        }
        Type::Struct { name, fields: Some(fields) } => {
            let fields = joined(fields.iter().map(|field| &*field.name).collect(), ", ");
            format!("{name} ({fields})")
        }
        _ => of.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::interface::Description;
    use super::{broken, text};

    #[test]
    fn lines_are_broken_at_the_width_of_a_terminal() {
        let argument = |name: &str, help: &str| {
            let flag = format!("--{name}");
            json!({
                "name": name, "kind": "option", "flag": flag, "type": "text", "choices": [], "default": null,
                "optional": true, "multiple": false, "help": help, "secret": false, "completes": false,
            })
        };
        let long = "longer-than-a-third-of-it";
        let command = json!({
            "name": "add", "aliases": [], "summary": "Adds what is given to it.", "details": "", "idempotent": false,
            "usage": format!("add [--to <to>] [--{long} <{long}>]"), "for": null,
            "arguments": [argument("to", "The number that it is added to."), argument(long, "X.")],
        });
        let command: Description = serde_json::from_value(command).unwrap();
        assert_eq!(
            anstream::adapter::strip_str(&text(&command, Some(40))).to_string(),
            "Usage: add [--to <to>]\n         [--longer-than-a-third-of-it\n         <longer-than-a-third-of-it>]\n\n\
             Adds what is given to it.\n\nArguments:\n  --to <to>  The number that it is added\n             \
             to. [text, optional]\n  --longer-than-a-third-of-it <longer-than-a-third-of-it>\n             X. \
             [text, optional]\n"
        );
        assert!(text(&command, None).contains("added to. [text, optional]\n"));
    }

    #[test]
    fn broken_line_keeps_its_words_and_indentation() {
        assert_eq!(broken("  a bc  d", Some(6), 0, 1), "  a bc\n  d");
        assert_eq!(broken("abcdefgh", Some(4), 0, 2), "abcdefgh");
        assert_eq!(broken("ä ö", Some(3), 0, 0), "ä ö");
        assert_eq!(broken("\u{3000}漢 字 a", Some(6), 0, 0), "\u{3000}漢\n字 a");
    }

    #[test]
    fn only_short_brackets_stay_together() {
        assert_eq!(broken("a [b <c>] d", Some(9), 0, 1), "a [b <c>]\n d");
        assert_eq!(broken("a [b c", Some(4), 0, 0), "a [b\nc");
        assert_eq!(broken("a [bb cc] d", Some(6), 0, 0), "a [bb\ncc] d");
        let long = ["words"; 9].join(" ");
        let lines = broken(&format!("[{long}]"), Some(20), 0, 0);
        assert!(lines.lines().all(|line| line.len() <= 20), "{lines}");
    }

    #[test]
    fn text_of_a_field_is_shown_as_that_of_an_argument() {
        let ty = json!({ "type": "text" });
        let job = json!({ "type": "struct", "name": "Job", "fields": [
            { "name": "id", "of": { "type": "int", "min": "0", "max": "9" }, "help": "Its number." },
            // As an older daemon describes it.
            { "name": "name", "of": { "type": "optional", "of": ty } },
        ] });
        let command = json!({
            "name": "add", "aliases": [], "summary": "", "usage": "add", "details": "", "for": null, "idempotent": false,
            "arguments": [], "answer": { "type": "list", "of": job },
        });
        let command: Description = serde_json::from_value(command).unwrap();
        let text = anstream::adapter::strip_str(&text(&command, None)).to_string();
        let answer = "\nAnswer: list of Job\n  id    Its number. [int]\n  name  text, optional\n";
        assert!(text.ends_with(answer), "{text}");
    }

    #[test]
    fn each_line_of_help_fits_a_terminal() {
        let long = ["word"; 30].join(" ");
        let empty = json!({ "type": "struct", "name": "Empty", "fields": [] });
        let items = json!({
            "name": "items", "kind": "body", "flag": null, "type": "bytes", "choices": [], "default": null, "of": empty,
            "optional": false, "multiple": false, "help": long, "secret": false, "completes": false,
        });
        let command = json!({
            "name": "add", "aliases": long.split(' ').collect::<Vec<_>>(), "summary": long, "usage": "add",
            "details": format!("- {long}\n    {long}"), "for": long, "deprecated": long, "since": "1.2",
            "idempotent": true, "readonly": true, "destructive": true, "arguments": [items], "answer": empty,
        });
        let command: Description = serde_json::from_value(command).unwrap();
        let text = anstream::adapter::strip_str(&text(&command, Some(30))).to_string();
        assert!(text.lines().all(|line| line.len() <= 30), "{text}");
        assert!(!text.contains("Columns of"), "{text}");
        assert!(text.contains("\n    word word word word word\n    word word"), "{text}");
    }
}
