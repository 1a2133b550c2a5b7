//! Assigns a command's words to its parameters, as the daemon does.

use super::super::interface::{Argument, Description, Kind};
use super::Candidate;

/// The parameters that a command's words have filled so far.
pub(in crate::ctl) struct Progress<'c> {
    command: &'c Description,
    /// The option whose value comes next.
    pub(in crate::ctl) awaits: Option<&'c Argument>,
    /// The options and flags that were given.
    given: Vec<&'c Argument>,
    /// The number of positional words.
    position: usize,
    /// Whether words that begin with `--` are positional, as after a `--`.
    no_options: bool,
    /// Whether a further `--` is a word, as after the first.
    has_end: bool,
    /// The argument of the words behind a `--`, if the command has one and the `--` was given.
    last: Option<&'c Argument>,
    /// The words of a [`Kind::Rest`] argument.
    pub(super) rest: &'c [String],
    /// The values so far, except flags and the rest.
    pub(in crate::ctl) values: Vec<Value<'c>>,
}

/// A word, or its end, that is a value of an argument.
pub(in crate::ctl) struct Value<'c> {
    pub(in crate::ctl) argument: &'c Argument,
    /// The index of the word.
    pub(in crate::ctl) word: usize,
    /// The offset of the value in it, in bytes.
    pub(in crate::ctl) start: usize,
}

impl<'c> Progress<'c> {
    pub(in crate::ctl) fn of(command: &'c Description, words: &'c [String]) -> Self {
        let no_options = command.arguments.iter().all(|argument| argument.flag.is_none());
        let has_last = command.arguments.iter().any(|argument| argument.kind == Kind::Last);
        let mut progress = Self {
            command,
            awaits: None,
            given: Vec::new(),
            position: 0,
            no_options,
            has_end: false,
            last: None,
            rest: &[],
            values: Vec::new(),
        };
        for (i, word) in words.iter().enumerate() {
            if let Some(argument) = progress.awaits.take() {
                progress.values.push(Value { argument, word: i, start: 0 });
                continue;
            }
            if !progress.has_end && word == "--" {
                (progress.no_options, progress.has_end) = (true, true);
                progress.last =
                    command.arguments.iter().find(|argument| argument.kind == Kind::Last);
            } else if !progress.no_options && progress.takes_short(i, word) {
            } else if progress.takes_options(word) {
                let Some((option, start)) = progress.given_as(word) else { continue };
                progress.given.push(option);
                match start {
                    _ if option.kind == Kind::Flag => {}
                    Some(start) => {
                        progress.values.push(Value { argument: option, word: i, start });
                    }
                    None => progress.awaits = Some(option),
                }
            } else if progress.next().is_some_and(|argument| argument.kind == Kind::Rest) {
                progress.rest = &words[i..];
                break;
            } else {
                if let Some(argument) = progress.next() {
                    progress.given.push(argument);
                    progress.values.push(Value { argument, word: i, start: 0 });
                }
                progress.position += usize::from(progress.last.is_none());
                progress.has_end |= no_options && !has_last;
            }
        }
        progress
    }

    /// Returns whether a word that begins with `prefix` is an option. A single dash may become one.
    pub(super) fn takes_options(&self, prefix: &str) -> bool {
        let is_short = |argument: &Argument| {
            argument.short.as_deref().is_some_and(|short| prefix.starts_with(short))
        };
        let is_option = || {
            prefix.starts_with("--") || prefix == "-" || self.command.arguments.iter().any(is_short)
        };
        !self.no_options && self.rest.is_empty() && is_option()
    }

    pub(super) fn option(&self, name: &str) -> Option<&'c Argument> {
        self.command.arguments.iter().find(|argument| argument.flag.as_deref() == Some(name))
    }

    /// Takes a word of short options, `-n3`, `-v` or `-vx`. Returns false for any other word.
    fn takes_short(&mut self, index: usize, word: &str) -> bool {
        let letters = match word.strip_prefix('-') {
            Some(letters) if letters.starts_with(|c: char| c.is_ascii_alphabetic()) => letters,
            _ => return false,
        };
        let has_short = |argument: &Argument| argument.short.is_some();
        if !self.command.arguments.iter().any(has_short) {
            return false;
        }
        for (at, letter) in letters.char_indices() {
            let is_this = |argument: &&Argument| argument.short == Some(format!("-{letter}"));
            let Some(option) = self.command.arguments.iter().find(is_this) else { break };
            self.given.push(option);
            if option.kind != Kind::Flag {
                let start = 1 + at + letter.len_utf8();
                if start == word.len() {
                    self.awaits = Some(option);
                } else {
                    self.values.push(Value { argument: option, word: index, start });
                }
                break;
            }
        }
        true
    }

    /// Returns the option or flag that a word gives, and the offset of its value, if the word has one.
    fn given_as(&self, word: &str) -> Option<(&'c Argument, Option<usize>)> {
        match word.split_once('=') {
            Some((name, _)) => Some((self.option(name)?, Some(name.len() + 1))),
            None => Some((self.option(word)?, None)),
        }
    }

    /// Returns whether a value was given for an argument.
    pub(in crate::ctl) fn has(&self, argument: &Argument) -> bool {
        self.given.contains(&argument)
    }

    /// Returns the argument that takes the next positional word.
    pub(in crate::ctl) fn next(&self) -> Option<&'c Argument> {
        if self.last.is_some() {
            return self.last;
        }
        let mut positional =
            self.command.arguments.iter().filter(|argument| is_positional(argument));
        let last = positional.clone().next_back().filter(|last| last.is_multiple);
        positional.nth(self.position).or(last).filter(|argument| !self.is_excluded(argument))
    }

    /// Returns the options and flags that can still be given and begin with `prefix`.
    pub(super) fn flags(&self, prefix: &str) -> Vec<Candidate> {
        let left = self.command.arguments.iter().filter(|argument| self.can_be_given(argument));
        let fit = left.filter_map(|argument| {
            let flag = argument.flag.as_ref().filter(|flag| flag.starts_with(prefix))?;
            Candidate::new(flag, &argument.help)
        });
        fit.collect()
    }

    /// Returns whether an option or a flag can still be given.
    fn can_be_given(&self, argument: &Argument) -> bool {
        (argument.is_multiple || !self.has(argument)) && !self.is_excluded(argument)
    }

    /// Returns whether another argument of the same choice was given.
    fn is_excluded(&self, argument: &Argument) -> bool {
        argument.one_of.is_some()
            && self.given.iter().any(|given| given.one_of == argument.one_of && *given != argument)
    }
}

/// Returns whether an argument is given by its place among the words.
fn is_positional(argument: &Argument) -> bool {
    argument.flag.is_none() && argument.kind != Kind::Last
}

/// The word that asks for the help of a command.
pub(in crate::ctl) const HELP: &str = "--help";

/// Returns whether a [`HELP`] after these words of a command asks for help: where the command takes
/// options and has none of this name, where it takes no more words, or if it is alone. Elsewhere it
/// is a word of the command.
pub(in crate::ctl) fn asks_for_help(
    command: &Description,
    before: &[String],
    is_alone: bool,
) -> bool {
    let progress = Progress::of(command, before);
    let is_value = progress.awaits.is_some() || !progress.rest.is_empty();
    if is_value || progress.option(HELP).is_some() || before.iter().any(|word| word == "--") {
        return false;
    }
    is_alone || progress.takes_options(HELP) || progress.next().is_none()
}

/// Returns the part of the usage line that the words have not used, to be shown after the cursor.
pub(in crate::ctl) fn remaining_usage(
    command: &Description,
    words: &[String],
    last: &str,
) -> Option<String> {
    let mut words = words.to_vec();
    let blank = if last.is_empty() { "" } else { " " };
    words.extend((!last.is_empty()).then(|| last.to_owned()));
    let progress = Progress::of(command, &words);
    let mut left: Vec<String> = Vec::new();
    left.extend(progress.awaits.map(|option| format!("<{}>", option.name)));
    let mut position = 0;
    for argument in &command.arguments {
        let is_left = if argument.flag.is_some() {
            progress.can_be_given(argument)
        } else if argument.kind == Kind::Last {
            progress.rest.is_empty()
        } else {
            position += 1;
            let is_begun = position <= progress.position;
            (!is_begun || argument.is_multiple)
                && progress.rest.is_empty()
                && !progress.is_excluded(argument)
        };
        if is_left {
            let is_begun = argument.kind == Kind::Last && progress.last.is_some();
            left.push(if is_begun { format!("[<{}>…]", argument.name) } else { usage(argument) });
        }
    }
    (!left.is_empty()).then(|| format!("{blank}{}", left.join(" ")))
}

/// Returns an argument as a usage line shows it.
fn usage(argument: &Argument) -> String {
    let Argument { name, flag, kind, is_optional, .. } = argument;
    let many = if argument.is_multiple { "…" } else { "" };
    match (flag, kind) {
        (Some(flag), Kind::Flag) => format!("[{flag}]"),
        (Some(flag), _) if *is_optional => format!("[{flag} <{name}>]{many}"),
        (Some(flag), _) => format!("{flag} <{name}>"),
        (None, Kind::Last) if *is_optional => format!("[-- <{name}>…]"),
        (None, Kind::Last) => format!("-- <{name}>…"),
        (None, Kind::Rest) if *is_optional => format!("[<{name}…>]"),
        (None, Kind::Rest) => format!("<{name}…>"),
        (None, _) if *is_optional => format!("[<{name}>{many}]"),
        (None, _) => format!("<{name}>"),
    }
}
