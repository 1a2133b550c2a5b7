//! Adds to the words of a command what its description asks the caller's program for: paths become
//! absolute, and the working directory and the environment are given as arguments.
//!
//! Nothing is added for a daemon on another machine: a path of this machine has another meaning there.
//!
//! Invariant: the environment is sent only to daemons of root, of this process's user, or of a user that
//! `--require-owner` names. Any process could describe a command that asks for it.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path;

use super::candidates::Progress;
use super::daemon::Daemon;
use super::interface::{Argument, Description, Kind, OfCaller};
use crate::wire::words::Splitter;

/// The changes to the words behind a command's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The index of a word, and the word in its place.
    pub(super) replaced: Vec<(usize, Vec<u8>)>,
    /// Options in front of the words.
    pub(super) before: Vec<Vec<u8>>,
    pub(super) after: Vec<Vec<u8>>,
    /// Whether the environment is among them.
    pub(super) has_environment: bool,
    /// Why the environment is not, although the command asks for it: then the command is not sent.
    pub(super) withheld: Option<String>,
}

/// Returns whether the description of a command asks for anything.
pub(super) fn is_wanted(command: &Description) -> bool {
    command.arguments.iter().any(|argument| argument.is_absolute || argument.caller.is_some())
}

impl Changes {
    /// Returns the changes to `words`, those behind the command's name.
    pub(super) fn of(command: &Description, words: &[impl AsRef<[u8]>], daemon: &Daemon) -> Self {
        let mut changes = Self::default();
        if !is_wanted(command) || daemon.is_far() {
            return changes;
        }
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let texts: Vec<_> = words.iter().map(|word| text(word.as_ref())).collect();
        let progress = Progress::of(command, &texts);
        for value in progress.values.iter().filter(|value| value.argument.is_absolute) {
            let (option, path) = words[value.word].as_ref().split_at(value.start);
            // Without a working directory, or for an empty path, the daemon has the error.
            if let Ok(whole) = path::absolute(OsStr::from_bytes(path))
                && whole.as_os_str().as_bytes() != path
            {
                let word = [option, whole.as_os_str().as_bytes()].concat();
                changes.replaced.push((value.word, word));
            }
        }
        for argument in &command.arguments {
            let Some(of_caller) = argument.caller.filter(|_| !progress.has(argument)) else {
                continue;
            };
            let is_next = || progress.next() == Some(argument) && progress.awaits.is_none();
            if argument.kind == Kind::Option {
                let values = changes.values(of_caller, daemon, argument);
                let option = argument.flag.as_deref().unwrap_or_default();
                let option = |value| [option.as_bytes(), b"=", value].concat();
                changes.before.extend(values.iter().map(|value| option(value)));
            } else if changes.after.is_empty() && is_next() {
                changes.after = changes.values(of_caller, daemon, argument);
            }
        }
        changes
    }

    /// Returns the values of an argument that come from the caller.
    fn values(
        &mut self,
        of_caller: OfCaller,
        daemon: &Daemon,
        argument: &Argument,
    ) -> Vec<Vec<u8>> {
        match of_caller {
            OfCaller::Cwd => {
                let directory = env::current_dir().ok();
                directory.map(|path| path.into_os_string().into_vec()).into_iter().collect()
            }
            OfCaller::Env => {
                let name = argument.flag.as_deref().unwrap_or(&argument.name);
                let what = format!("the environment was not sent as {name}");
                self.withheld = daemon.withheld(&what).map(|why| format!("{why}, or give {name}"));
                if self.withheld.is_some() {
                    return Vec::new();
                }
                self.has_environment = true;
                // The token is for the handshake.
                let variables = env::vars_os().filter(|(name, _)| name != "DOCKIPC_TOKEN");
                variables
                    .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
                    .collect()
            }
            OfCaller::Unknown => Vec::new(),
        }
    }

    /// Applies the changes to a line, whose command's name has `name` words. Returns `None` if the line
    /// would not be UTF-8, which a line has to be.
    pub(super) fn to_line(&self, line: &[u8], name: usize) -> Option<Vec<u8>> {
        let (mut splitter, mut text) = (Splitter::new(line), Vec::new());
        let (mut changed, mut index) = (Vec::new(), 0);
        loop {
            if index == name {
                self.before.iter().try_for_each(|word| push(&mut changed, word))?;
            }
            let start = line.len() - splitter.peek().len();
            if splitter.next(&mut text).ok()?.is_none() {
                break;
            }
            let end = line.len() - splitter.peek().len();
            let replaced = self.replaced.iter().find(|(at, _)| at + name == index);
            if let Some((_, word)) = replaced {
                push(&mut changed, word)?;
            } else {
                changed.extend_from_slice(&line[start..end]);
                changed.extend((end == line.len()).then_some(b' '));
            }
            index += 1;
        }
        self.after.iter().try_for_each(|word| push(&mut changed, word))?;
        changed.pop();
        Some(changed)
    }
}

/// Appends a word to a line, and a blank.
fn push(line: &mut Vec<u8>, word: &[u8]) -> Option<()> {
    let word = std::str::from_utf8(word).ok()?;
    line.extend_from_slice(crate::client::quote(word).as_bytes());
    line.push(b' ');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::Changes;

    #[test]
    fn changes_keep_the_rest_of_a_line() {
        let changes = Changes {
            replaced: vec![(1, b"/a b/x".to_vec())],
            before: vec![b"--cwd=/a b".to_vec()],
            after: Vec::new(),
            has_environment: false,
            withheld: None,
        };
        let line =
            |line: &str| String::from_utf8(changes.to_line(line.as_bytes(), 1).unwrap()).unwrap();
        assert_eq!(
            line("add 'a'  x  echo  \"b c\""),
            "add '--cwd=/a b' 'a'  '/a b/x' echo  \"b c\""
        );
        assert_eq!(line("add 1 x"), "add '--cwd=/a b' 1 '/a b/x'");
        assert_eq!(line("add"), "add '--cwd=/a b'");
        let after = Changes { after: vec![b"/x".to_vec()], ..Changes::default() };
        assert_eq!(after.to_line(b"group add a\\ ", 2).unwrap(), b"group add a\\  /x");
        assert_eq!(after.to_line(b"add 'a", 1), None);
    }
}
