//! Error messages.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use anstyle::Style;

use super::exit::Exit;
use super::output::escaped;
use super::socket::VARIABLE;
use super::word::{Word, redact};
use crate::error::Error;

mod pointer;

/// An error message and the exit code that belongs to it.
///
/// Invariant: the texts have no character that acts on a terminal, and no line of them is longer
/// than [`MAX_LINE`]; [`bounded`] ensures both.
#[derive(Debug)]
pub(super) struct CliError {
    text: String,
    /// Further lines, each with its line end, such as those that point at a word.
    below: String,
    pub(super) exit: Exit,
}

impl CliError {
    pub(super) fn new(text: impl AsRef<str>, exit: Exit) -> Self {
        Self { text: bounded(text.as_ref()), below: String::new(), exit }
    }

    pub(super) fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds lines below the message.
    pub(super) fn with_lines<'l>(mut self, lines: impl IntoIterator<Item = &'l str>) -> Self {
        for line in lines {
            let _ = writeln!(self.below, "{}", bounded(line));
        }
        self
    }

    /// Adds lines that point at one of the words, if there is one.
    pub(super) fn pointing_at(self, words: &[impl AsRef<str>], index: Option<usize>) -> Self {
        match index {
            Some(index) => {
                let lines = pointer::caret(words, index);
                self.with_lines(lines.iter().map(|line| &**line))
            }
            None => self,
        }
    }

    pub(super) fn usage(text: impl AsRef<str>) -> Self {
        Self::new(text, Exit::Usage)
    }

    pub(super) fn no_daemon(text: impl AsRef<str>) -> Self {
        Self::new(text, Exit::NoDaemon)
    }

    /// Returns the error of a failed operation on this machine.
    pub(super) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"), Exit::Refused)
    }

    /// Returns the error for a file or standard input that can't be read.
    pub(super) fn unread(what: impl Display, why: &impl Display) -> Self {
        Self::usage(format!("cannot read {what}: {why}"))
    }

    /// Returns the error for a call that the user interrupted: what the daemon says about that or, if it has
    /// answered the command already, that the answer was left out.
    pub(super) fn interrupted(answered: Result<(), Error>) -> Self {
        let error = match answered {
            Err(error @ Error::Refused(_)) => Self::about(&[], error),
            _ => Self::usage("canceled; the command may have run, or may still be running"),
        };
        error.with_exit(Exit::Interrupted)
    }

    /// Returns the error of a call. Its message points at the word that it is about, and does not
    /// show words that were read.
    pub(super) fn about(words: &[Word], error: Error) -> Self {
        let Error::Refused(failure) = &error else {
            // Of the other messages, only this one shows what the daemon sent.
            return Self::from(match error {
                Error::Protocol(why) => Error::Protocol(redact(&why, words).into_owned()),
                error => error,
            });
        };
        let (message, below) = pointer::point(words, failure);
        let text = in_terms_of_program(&format!("{} {message}", failure.code()));
        Self::new(text, failure.into()).with_lines(below.iter().map(|line| &**line))
    }

    /// Adds a line which says that the socket comes from the environment.
    pub(super) fn with_preset_socket(mut self) -> Self {
        let hint = "to use another, give a path with a / in it, or -s SOCK";
        let _ = writeln!(self.below, "the socket comes from ${VARIABLE}; {hint}");
        self
    }

    /// Puts the number of a line of a file in front of the message.
    pub(super) fn at_line(mut self, number: usize) -> Self {
        self.text = format!("line {number}: {}", self.text);
        self
    }

    /// Prints the message to standard error, with the program's name in front.
    pub(super) fn print(&self, program: &str) {
        let bold = Style::new().bold();
        self.write(format_args!("{bold}{program}:{bold:#} "));
    }

    /// Prints the message without the program's name, as within a shell.
    pub(super) fn print_bare(&self) {
        self.write(format_args!(""));
    }

    fn write(&self, prefix: std::fmt::Arguments<'_>) {
        if is_quiet() {
            return;
        }
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut out = anstream::stderr().lock();
        // A failure to write to standard error can't be reported.
        let _ = writeln!(out, "{prefix}{red}{}{red:#}", self.text);
        let _ = write!(out, "{}", self.below);
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let exit = Exit::from(&error);
        let advice = match &error {
            Error::Permission { .. } => "; ask the daemon's owner for access, or use sudo",
            Error::NotDockipc { .. } => "; `doctor` shows what is there",
            _ => "",
        };
        Self::new(format!("{}{advice}", text(&error)), exit)
    }
}

/// Returns the text of an error, without advice for this program.
pub(super) fn text(error: &Error) -> String {
    in_terms_of_program(&error.to_string())
}

/// Replaces advice in an error: the daemon's is for Redis clients, the library's for Rust programs.
pub(super) fn in_terms_of_program(text: &str) -> String {
    let listed = text.split_once("; send help").and_then(|(before, rest)| {
        let (group, after) = rest.split_once(" for a list")?;
        Some(format!("{before}; `help{group}` lists the commands{after}"))
    });
    let text = listed.as_deref().unwrap_or(text);
    text.replace("send the token with AUTH", "give the token with --token-file")
        .replace("; send `dockipc running` for a list", "; `ps` lists the running commands")
        .replace("Client::require_owner", "--require-owner")
        .replace("; the limit is Client::max_answer", "")
}

/// How much the program says on standard error beside its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// `--quiet`: nothing.
    Quiet = 0,
    #[default]
    Errors = 1,
    /// `--verbose`: errors and notes.
    Notes = 2,
}

/// Invariant: set once, before the first message.
static VERBOSITY: AtomicU8 = AtomicU8::new(Verbosity::Errors as u8);

impl Verbosity {
    pub(super) fn set(self) {
        VERBOSITY.store(self as u8, Relaxed);
    }
}

pub(super) fn is_quiet() -> bool {
    VERBOSITY.load(Relaxed) == Verbosity::Quiet as u8
}

/// Prints a note to standard error, if `--verbose` is given.
pub(super) fn note(text: impl Display) {
    if VERBOSITY.load(Relaxed) == Verbosity::Notes as u8 {
        let _ = writeln!(anstream::stderr(), "* {}", bounded(&text.to_string()));
    }
}

/// Prints a line to standard error that is not an error.
pub(super) fn remark(text: impl Display) {
    if !is_quiet() {
        let _ = writeln!(anstream::stderr(), "{}", bounded(&text.to_string()));
    }
}

/// The longest line of a message, in bytes.
const MAX_LINE: usize = 16 * 1024;

/// The longest run of characters without a blank, in bytes. A path has at most 4096.
const MAX_RUN: usize = 4096;

fn bounded(text: &str) -> String {
    let mut line = String::new();
    for run in start(text, MAX_LINE).split_inclusive(' ') {
        if run.len() <= MAX_RUN {
            line.push_str(run);
        } else {
            line.push_str(start(run, MAX_RUN / 32));
            line.push_str(if run.ends_with(' ') { "… " } else { "…" });
        }
    }
    if text.len() > MAX_LINE && !line.ends_with('…') {
        line.push('…');
    }
    escaped(&line).into_owned()
}

/// Returns the first bytes of a text.
fn start(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
