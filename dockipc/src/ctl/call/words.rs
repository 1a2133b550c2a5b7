//! The words of the command line, and those that are read from standard input and files.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::super::daemon::Daemon;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::interface::Description;
use super::super::own::Outgoing;
use super::super::word::Word;
use super::unread;

/// Checks that the first word can be a command's name.
pub(super) fn check_name(words: &[OsString]) -> Result<(), CliError> {
    let Some(name) = words.first() else {
        return Err(CliError::usage("missing command name; `commands` lists the commands"));
    };
    if name.as_bytes().starts_with(b"-") {
        let name = name.to_string_lossy();
        return Err(CliError::usage(format!(
            "invalid command name {name:?}: put options before the socket"
        )));
    }
    Ok(())
}

/// Converts the words of the command line; reads those that stand for standard input or a file.
pub(super) fn words(
    words: Vec<OsString>,
    literal: bool,
    daemon: &Daemon,
) -> Result<Vec<Word>, CliError> {
    let mut words = words.into_iter();
    let name = words.next().into_iter().map(|name| Ok(Word::typed(name.into_vec())));
    let (mut has_input, mut may_be_option) = (true, true);
    let arguments = words.map(|word| {
        let bytes = word.as_bytes();
        may_be_option &= bytes != b"--";
        let equals = bytes.iter().position(|&b| b == b'=');
        let equals = equals.filter(|_| may_be_option && bytes.starts_with(b"--"));
        let (option, value) = bytes.split_at(equals.map_or(0, |at| at + 1));
        let typed = || word.to_string_lossy().into_owned();
        Ok(match value {
            _ if literal => Word::typed(word.into_vec()),
            b"-" if !std::mem::take(&mut has_input) => {
                let text = "standard input can be read only once: use one `-`";
                return Err(CliError::usage(text));
            }
            b"-" => {
                let mut bytes = Vec::new();
                let read = daemon.input().read_to_end(&mut bytes);
                read.map_err(|error| unread("standard input", &error))?;
                Word::read(bytes, typed(), "standard input".into()).of_option(option)
            }
            [b'@', text @ ..] if text.starts_with(b"@") => Word::typed([option, text].concat()),
            [b'@', file @ ..] if !file.is_empty() => {
                let file = Path::new(OsStr::from_bytes(file));
                let mut bytes = Vec::new();
                let read = daemon.file(file).and_then(|mut file| file.read_to_end(&mut bytes));
                let file = file.display();
                read.map_err(|error| {
                    let advice = "(for a text that begins with @, write @@)";
                    unread(format!("{file} {advice}"), &error)
                })?;
                Word::read(bytes, typed(), file.to_string()).of_option(option)
            }
            _ => Word::typed(word.into_vec()),
        })
    });
    name.chain(arguments).collect()
}

/// The body that a step before a command gives.
type OwnBody = Option<Box<dyn Read + Send>>;

/// Has a daemon's own program prepare the words of a command before they are sent; see
/// [`Program::before`](super::super::Program::before).
pub(in crate::ctl) fn prepared(
    daemon: &Daemon,
    mut words: Vec<Word>,
    command: Option<(&Description, usize)>,
) -> Result<(Vec<Word>, OwnBody), CliError> {
    let (Some(own), Some((command, used))) = (&daemon.own, command) else {
        return Ok((words, None));
    };
    if !own.has_step(&command.name) {
        return Ok((words, None));
    }
    let mut arguments = words.split_off(used);
    let before: Vec<_> =
        arguments.iter().map(|word| OsString::from_vec(word.bytes().to_vec())).collect();
    let mut outgoing = Outgoing::new(before);
    let prepared = own.prepare(&command.name, &mut outgoing);
    prepared.map_err(|error| CliError::new(error.to_string(), Exit::Refused))?;
    // A word that stays is shown in messages as before.
    for word in outgoing.words {
        let old = arguments.iter().position(|old| old.bytes() == word.as_bytes());
        words.push(match old {
            Some(at) => arguments.remove(at),
            None => Word::typed(word.into_vec()),
        });
    }
    Ok((words, outgoing.body))
}
