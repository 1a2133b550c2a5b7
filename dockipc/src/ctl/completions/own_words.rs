//! The program's own options and words on an unfinished command line.
//!
//! Not parsed with clap's `ignore_errors`, which drops invalid options: without an invalid
//! `--require-owner`, any daemon would be asked.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::super::args;
use super::values::takes_value;

/// The words after the program's name, up to the cursor.
pub(in crate::ctl) struct OwnWords<'c> {
    /// The subcommand, or the program.
    pub(super) command: &'c Command,
    /// Whether there is no subcommand yet.
    pub(super) is_root: bool,
    /// The option whose value comes next.
    pub(in crate::ctl) awaits: Option<&'c Arg>,
    /// Whether there is an option that the command does not have.
    pub(in crate::ctl) is_wrong: bool,
    /// The options that were given, with their values.
    given: Vec<(&'c Arg, String)>,
    /// The words that are not options, nor the subcommand.
    pub(in crate::ctl) words: Vec<String>,
    /// Whether what follows belongs to the daemon's command, also if it begins with a dash.
    pub(super) is_daemons: bool,
}

impl<'c> OwnWords<'c> {
    /// Returns the line of a command without words.
    pub(in crate::ctl) fn of(command: &'c Command) -> Self {
        Self {
            command,
            is_root: true,
            awaits: None,
            is_wrong: false,
            given: Vec::new(),
            words: Vec::new(),
            is_daemons: false,
        }
    }

    pub(super) fn read(root: &'c Command, words: &[String]) -> Self {
        let mut line = Self::of(root);
        for word in words {
            line.take(word);
        }
        line
    }

    pub(in crate::ctl) fn take(&mut self, word: &str) {
        if let Some(option) = self.awaits.take() {
            self.given.push((option, word.to_owned()));
        } else if self.is_daemons {
            self.words.push(word.to_owned());
        } else if word == "--" {
            self.is_daemons = true;
        } else if let Some(option) = word.strip_prefix("--") {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            let named = |arg: &&Arg| arg.get_long() == Some(name);
            self.option(self.command.get_arguments().find(named), value);
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            for (at, letter) in letters.char_indices() {
                let named = |arg: &&Arg| arg.get_short() == Some(letter);
                let option = self.command.get_arguments().find(named);
                let value = &letters[at + letter.len_utf8()..];
                let takes = option.is_some_and(takes_value);
                self.option(option, Some(value).filter(|value| takes && !value.is_empty()));
                if takes {
                    break;
                }
            }
        } else if let Some(subcommand) = self.command.find_subcommand(word).filter(|_| self.is_root)
        {
            (self.command, self.is_root) = (subcommand, false);
        } else {
            self.words.push(word.to_owned());
            let is_last = |arg: &Arg| arg.is_trailing_var_arg_set();
            self.is_daemons = self.is_root || self.command.get_positionals().any(is_last);
        }
    }

    fn option(&mut self, option: Option<&'c Arg>, value: Option<&str>) {
        self.is_wrong |= option.is_none();
        match (option.filter(|option| takes_value(option)), value) {
            (Some(option), Some(value)) => self.given.push((option, value.to_owned())),
            // A value that is optional follows only after a `=`.
            (option, _) => self.awaits = option.filter(|option| !option.is_require_equals_set()),
        }
    }

    /// Returns the users of `--require-owner`.
    pub(super) fn owners(&self) -> Result<Vec<u32>, String> {
        let given = self.given.iter().filter(|(option, _)| option.get_id() == "require_owner");
        given.flat_map(|(_, users)| users.split(',')).map(args::user).collect()
    }

    pub(in crate::ctl) fn value(&self, id: &str) -> Option<OsString> {
        let given = self.given.iter().rev().find(|(option, _)| option.get_id() == id);
        given.map(|(_, value)| value.into())
    }

    /// Returns the program's own argument that the next word is for.
    pub(super) fn next(&self) -> Option<&'c Arg> {
        let args = self.command.get_positionals().filter(|arg| !arg.is_hide_set());
        let args: Vec<_> = args.collect();
        let takes_many =
            |arg: &&&Arg| arg.get_num_args().is_some_and(|count| count.max_values() > 1);
        args.get(self.words.len()).or(args.last().filter(takes_many)).copied()
    }
}
