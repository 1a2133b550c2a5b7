//! clap's errors in the form of the program's other messages.

use std::borrow::Cow;
use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::super::error::CliError;
use crate::arg::Quoted;

/// Returns the message for a command line that clap refuses: the reason, the words with a caret
/// under the one that it is about, and the usage where it helps.
pub(super) fn refused(
    error: &clap::Error,
    root: &Command,
    program: &str,
    words: &[OsString],
) -> CliError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        _ => None,
    };
    let given = text(ContextKind::InvalidArg).unwrap_or_default();
    let name = bare(&given);
    let is_option = name.starts_with('-');
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let quoted = || Quoted(value.as_bytes());
    let near = |kind| match text(kind) {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    };
    let (message, word, shows_usage) = match error.kind() {
        ErrorKind::UnknownArgument if is_option => {
            let near = near(ContextKind::SuggestedArg);
            let of = root.get_subcommands().find(|one| option(one, name).is_some());
            let near = match of {
                _ if !near.is_empty() => near,
                Some(of) => format!("; it is an option of {}", of.get_name()),
                None => "; see --help".into(),
            };
            (format!("unknown option {name}{near}"), (name, None), false)
        }
        ErrorKind::UnknownArgument => {
            let word = Quoted(given.as_bytes());
            (format!("unexpected word {word}"), (&*given, None), true)
        }
        ErrorKind::TooManyValues if is_option => {
            (format!("{name} takes no value"), (name, Some(&*value)), false)
        }
        ErrorKind::TooManyValues => {
            (format!("unexpected word {}", quoted()), (&*value, None), true)
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            (format!("{name} needs a value"), (name, None), false)
        }
        ErrorKind::InvalidValue => {
            let choices = text(ContextKind::ValidValue).unwrap_or_default();
            let near = near(ContextKind::SuggestedValue);
            let message = format!("invalid {name} {}: expected one of {choices}{near}", quoted());
            (message, (name, Some(&*value)), false)
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            (format!("invalid {name} {}: {why}", quoted()), (name, Some(&*value)), false)
        }
        ErrorKind::ArgumentConflict => {
            let prior = text(ContextKind::PriorArg).unwrap_or_default();
            let prior = prior.split(", ").map(bare).collect::<Vec<_>>().join(" or ");
            let message = match &*prior {
                prior if prior == name => format!("{name} is given twice"),
                prior => format!("{name} cannot be used with {prior}"),
            };
            (message, (name, None), false)
        }
        ErrorKind::MissingRequiredArgument => (format!("{name} is missing"), ("", None), true),
        ErrorKind::MissingSubcommand => ("no subcommand; see --help".into(), ("", None), false),
        _ => {
            let whole = error.to_string();
            let first = whole.lines().next().unwrap_or_default();
            (first.trim_start_matches("error: ").to_owned(), ("", None), false)
        }
    };
    let line = [program.into()].into_iter().chain(words.iter().map(|word| word.to_string_lossy()));
    let line: Vec<Cow<'_, str>> = line.collect();
    let commands = || root.get_subcommands().chain([root]);
    let short = commands().find_map(|one| option(one, word.0)?.get_short());
    let at = place(&line[1..], word, short).map(|at| at + 1);
    let refused = CliError::usage(message).pointing_at(&line, at);
    let usage = text(ContextKind::Usage).filter(|_| shows_usage).unwrap_or_default();
    refused.with_lines(usage.replacen("Usage:", "usage:", 1).lines())
}

/// Returns an argument's name without its value: `--timeout` for `--timeout <TIME>`, and `SHELL`
/// for `<SHELL>`.
fn bare(argument: &str) -> &str {
    let name = argument.trim_start_matches(['<', '[']);
    let end =
        if name.starts_with('-') { name.find([' ', '=', '[']) } else { name.find(['>', ']']) };
    &name[..end.unwrap_or(name.len())]
}

/// Returns a command's option of this name, with its dashes.
fn option<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    let is_named = |arg: &&Arg| match name.strip_prefix("--") {
        Some(name) => arg.get_long() == Some(name),
        None => arg.get_short().is_some_and(|short| name == format!("-{short}")),
    };
    command.get_arguments().find(is_named)
}

/// Returns whether a word is a short option, or several of which the first is that one.
fn is_among(word: &str, short: &str) -> bool {
    word.starts_with(short) && !word.starts_with("--")
}

/// Returns the index of the word that is, or ends with, an option's value or, without a value, the
/// word itself.
fn place(
    words: &[impl AsRef<str>],
    (name, value): (&str, Option<&str>),
    short: Option<char>,
) -> Option<usize> {
    let short = short.map(|short| format!("-{short}"));
    words.iter().position(|word| {
        let word = word.as_ref();
        match value {
            None if name.is_empty() => false,
            None => {
                word == name
                    || short.as_deref().is_some_and(|short| is_among(word, short))
                    || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
            }
            Some(value) => {
                word == value || (word.starts_with('-') && word.ends_with(value) && word != name)
            }
        }
    })
}
