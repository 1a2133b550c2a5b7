//! What went wrong, for people.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use anstyle::Style;

use super::exit::Exit;
use super::output::harmless;
use super::socket::VARIABLE;
use crate::arg::Shown;
use crate::client::quote;
use crate::error::{Error, Failure, code};

/// Why there is no answer, and how the program ends.
#[derive(Debug)]
pub(super) struct Complaint {
    text: String,
    /// More lines, which point at the place.
    below: String,
    pub(super) exit: Exit,
}

impl Complaint {
    pub(super) fn new(text: impl Into<String>, exit: Exit) -> Self {
        Self { text: text.into(), below: String::new(), exit }
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(text, Exit::Usage)
    }

    pub(super) fn no_daemon(text: impl Into<String>) -> Self {
        Self::new(text, Exit::NoDaemon)
    }

    /// Something of this machine failed.
    pub(super) fn io(doing: &str, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"), Exit::Refused)
    }

    /// Something that was to be read was not.
    pub(super) fn unread(what: impl Display, why: &impl Display) -> Self {
        Self::usage(format!("reading {what}: {why}"))
    }

    /// The user has enough of it.
    pub(super) fn stopped(text: impl Into<String>) -> Self {
        Self::new(text, Exit::CutOff)
    }

    /// What became of a command, with the place in it.
    pub(super) fn about(words: &[Vec<u8>], error: Error) -> Self {
        match &error {
            Error::Refused(failure) => {
                let exit = failure.into();
                let (message, below) = point(words, failure);
                // What a Redis client does is not what is typed here.
                let message = message.replace("given with AUTH", "given with --token-file");
                let message = message.replace("; send help for a list", "; `help` lists them");
                let text = format!("{} {message}", failure.code());
                let [text, below] = [text, below].map(|text| harmless(&text).into_owned());
                Self { text, below, exit }
            }
            _ => error.into(),
        }
    }

    /// The same, with what the user may not have thought of.
    pub(super) fn preset(mut self) -> Self {
        let _ =
            writeln!(self.below, "the socket is ${VARIABLE}'s; another one has a / or follows -s");
        self
    }

    /// The same, said of a line of a file.
    pub(super) fn at_line(mut self, number: usize) -> Self {
        self.text = format!("line {number}: {}", self.text);
        self
    }

    /// Writes it to standard error.
    pub(super) fn tell(&self, program: &str) {
        let bold = Style::new().bold();
        self.write(format_args!("{bold}{program}:{bold:#} "));
    }

    /// The same where it is plain who says it.
    pub(super) fn tell_alone(&self) {
        self.write(format_args!(""));
    }

    fn write(&self, who: std::fmt::Arguments<'_>) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut out = anstream::stderr().lock();
        // Nobody is left to be told if this fails.
        let _ = writeln!(out, "{who}{red}{}{red:#}", self.text);
        let _ = write!(out, "{}", self.below);
    }
}

impl From<Error> for Complaint {
    fn from(error: Error) -> Self {
        let exit = Exit::from(&error);
        let advice = match &error {
            Error::Permission { .. } => {
                "; ask the daemon's owner for its mode or your group, or use sudo"
            }
            _ => "",
        };
        Self::new(harmless(&format!("{error}{advice}")), exit)
    }
}

/// The message without the usage, and lines that show the place.
fn point(words: &[Vec<u8>], failure: &Failure) -> (String, String) {
    let whole = failure.message();
    let (message, usage) = match whole.split_once("; usage: ") {
        Some((message, usage)) => (message, Some(usage)),
        None => (whole, None),
    };
    let mut below = String::new();
    if let Some((line, start, width)) = place(words, failure, message) {
        let _ = writeln!(below, "  {line}\n  {}{}", " ".repeat(start), "^".repeat(width));
    }
    if let Some(usage) = usage {
        let _ = writeln!(below, "usage: {usage}");
        let missing =
            message.strip_suffix(" is missing").map(|name| match name.strip_prefix("--") {
                Some(_) => name.to_owned(),
                None => format!("<{name}"),
            });
        if let Some(at) = missing.as_deref().and_then(|name| usage.find(name)) {
            let end = usage[at..].find([' ']).map_or(usage.len(), |length| at + length);
            let (before, width) = (usage[..at].chars().count(), usage[at..end].chars().count());
            let blanks = " ".repeat("usage: ".len() + before);
            let _ = writeln!(below, "{blanks}{}", "^".repeat(width));
        }
    }
    (message.to_owned(), below)
}

/// The command as it would be typed, and which of its characters are meant.
fn place(words: &[Vec<u8>], failure: &Failure, message: &str) -> Option<(String, usize, usize)> {
    let index = match failure.code() {
        code::UNKNOWN => 0,
        code::USAGE => 1 + words.get(1..)?.iter().position(|word| is_meant(word, message))?,
        _ => return None,
    };
    let typed = words.iter().map(|word| quote(&String::from_utf8_lossy(word)).into_owned());
    let typed: Vec<String> = typed.collect();
    // Of a line with an open quote there are no words.
    let width = typed.get(index)?.chars().count();
    let before = typed[..index].iter().map(|word| word.chars().count() + 1).sum();
    Some((typed.join(" "), before, width))
}

/// Whether a message is about a word: it quotes it, or the option's value in it, or names the option.
fn is_meant(word: &[u8], message: &str) -> bool {
    let value = word.iter().position(|&b| b == b'=').map(|at| &word[at + 1..]);
    let quoted = |word: &[u8]| message.contains(&Shown(word).to_string());
    let option = message
        .strip_prefix("unknown option ")
        .or_else(|| message.strip_suffix(" takes no value"))
        .or_else(|| message.strip_suffix(" needs a value"));
    let is_option = |option: &str| {
        let rest = word.strip_prefix(option.as_bytes());
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
    };
    quoted(word)
        || value.is_some_and(|value| word.starts_with(b"--") && quoted(value))
        || option.is_some_and(is_option)
}

#[cfg(test)]
mod tests {
    use super::point;
    use crate::error::{Failure, code};

    fn pointed(words: &[&str], code: &'static str, message: &str) -> String {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let (message, below) = point(&words, &Failure::new(code, message));
        format!("{message}\n{below}")
    }

    #[test]
    fn the_offending_word_is_pointed_at() {
        let usage = "usage: add <n> [--by <by>]";
        let cases: [(&[&str], &str, &str); 6] = [
            (
                &["add", "two words"],
                "bad value for n: \"two words\": expected an integer",
                "  add 'two words'\n      ^^^^^^^^^^^\n",
            ),
            (
                &["add", "1", "--by=x"],
                "bad value for --by: \"x\": no",
                "  add 1 --by=x\n        ^^^^^^\n",
            ),
            (&["add", "1", "--bye"], "unknown option --bye", "  add 1 --bye\n        ^^^^^\n"),
            (
                &["add", "1", "--by-2", "--by=3"],
                "--by takes no value",
                "  add 1 --by-2 --by=3\n               ^^^^^^\n",
            ),
            (&["add", "1", "--by"], "--by needs a value", "  add 1 --by\n        ^^^^\n"),
            (&["add", "1", "2"], "unexpected word \"2\"", "  add 1 2\n        ^\n"),
        ];
        for (words, message, below) in cases {
            let told = pointed(words, code::USAGE, &format!("{message}; {usage}"));
            assert_eq!(told, format!("{message}\n{below}{usage}\n"));
        }
    }

    #[test]
    fn what_is_missing_is_pointed_at_in_the_usage() {
        let told = pointed(&["add"], code::USAGE, "n is missing; usage: add <n> [--by <by>]");
        assert_eq!(told, "n is missing\nusage: add <n> [--by <by>]\n           ^^^\n");
        let told = pointed(&["add", "1"], code::USAGE, "--by is missing; usage: add --by <by>");
        assert_eq!(told, "--by is missing\nusage: add --by <by>\n           ^^^^\n");
    }

    #[test]
    fn an_unknown_name_is_pointed_at() {
        let told = pointed(&["ad", "1"], code::UNKNOWN, "no command \"ad\"; did you mean add?");
        assert_eq!(told, "no command \"ad\"; did you mean add?\n  ad 1\n  ^^\n");
    }
}
