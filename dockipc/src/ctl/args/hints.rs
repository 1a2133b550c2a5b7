//! Errors for unknown subcommands and options, with the nearest name.

use std::ffi::OsStr;

use super::super::error::CliError;
use super::super::socket::{self, Socket};
use super::command;
use crate::nearest;

/// Returns the error for an unknown subcommand.
pub(in crate::ctl) fn unknown(word: &OsStr) -> CliError {
    let name = word.to_string_lossy();
    if name.starts_with("unix:")
        && let Err(error) = Socket::read(word)
    {
        return error;
    }
    let command = command(None);
    let names = command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned());
    let hint = if socket::find(word).is_ok() {
        format!("to call the daemon there, write `call {name} NAME`")
    } else {
        nearest(&name, names)
    };
    CliError::usage(format!(
        "unknown subcommand \"{name}\" (a socket's path has a / in it); {hint}"
    ))
}

/// Returns the error for an unknown option.
pub(in crate::ctl) fn unknown_option(word: &OsStr) -> CliError {
    let name = word.to_string_lossy();
    let command = command(None);
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let names = all.flat_map(|command| command.get_arguments().filter_map(clap::Arg::get_long));
    let hint = nearest(&name, names.map(|name| format!("--{name}")));
    CliError::usage(format!("unknown option {name}; {hint}"))
}

fn nearest(word: &str, names: impl Iterator<Item = String>) -> String {
    match nearest::nearest(word.as_bytes(), names, 2) {
        Some(name) => format!("did you mean {name}?"),
        None => "see --help".into(),
    }
}
