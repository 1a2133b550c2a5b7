//! What went wrong, for people.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use anstyle::Style;

use super::exit::Exit;
use super::output::escaped;
use super::socket::VARIABLE;
use super::word::{Word, redact};
use crate::arg::Quoted;
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
    /// Names and what a daemon says are escaped here, whatever the text is about.
    pub(super) fn new(text: impl AsRef<str>, exit: Exit) -> Self {
        Self { text: bounded(text.as_ref()), below: String::new(), exit }
    }

    /// The same, with more lines below.
    pub(super) fn with_lines<'l>(mut self, lines: impl IntoIterator<Item = &'l str>) -> Self {
        for line in lines {
            let _ = writeln!(self.below, "{}", bounded(line));
        }
        self
    }

    pub(super) fn usage(text: impl AsRef<str>) -> Self {
        Self::new(text, Exit::Usage)
    }

    pub(super) fn no_daemon(text: impl AsRef<str>) -> Self {
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
    pub(super) fn stopped(text: impl AsRef<str>) -> Self {
        Self::new(text, Exit::CutOff)
    }

    /// What became of a command, with the place in it. Words that were read are not shown.
    pub(super) fn about(words: &[Word], error: Error) -> Self {
        let Error::Refused(failure) = &error else {
            let complaint = Self::from(error);
            return Self { text: redact(&complaint.text, words).into_owned(), ..complaint };
        };
        let (message, below) = point(words, failure);
        // What a Redis client or another program does is not what is typed here.
        let message =
            message.replace("send the token with AUTH", "give the token with --token-file");
        let message = message.replace("; send help for a list", "; `help` lists them");
        let message = message.replace("Client::require_owner", "--require-owner");
        let text = format!("{} {message}", failure.code());
        Self::new(text, failure.into()).with_lines(below.iter().map(|line| &**line))
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
        Self::new(format!("{error}{advice}"), exit)
    }
}

/// The longest text of a line, in bytes. A daemon may say more.
const LONGEST: usize = 16 * 1024;

fn bounded(text: &str) -> String {
    let start = start(text);
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", escaped(start))
}

fn start(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The message without the usage, and lines that show the place.
fn point(words: &[Word], failure: &Failure) -> (String, Vec<String>) {
    let whole = start(failure.message());
    let (message, usage) = match whole.split_once("; usage: ") {
        Some((message, usage)) if failure.code() == code::USAGE => (message, Some(usage)),
        _ => (whole, None),
    };
    let mut below = Vec::new();
    if let Some((line, start, width)) = place(words, failure, message) {
        below
            .extend([format!("  {line}"), format!("  {}{}", " ".repeat(start), "^".repeat(width))]);
    }
    if let Some(usage) = usage {
        below.push(format!("usage: {usage}"));
        let missing =
            message.strip_suffix(" is missing").map(|name| match name.strip_prefix("--") {
                Some(_) => name.to_owned(),
                None => format!("<{name}"),
            });
        if let Some(at) = missing.as_deref().and_then(|name| usage.find(name)) {
            let end = usage[at..].find([' ']).map_or(usage.len(), |length| at + length);
            let (before, width) = (usage[..at].chars().count(), usage[at..end].chars().count());
            let blanks = " ".repeat("usage: ".len() + before);
            below.push(format!("{blanks}{}", "^".repeat(width)));
        }
    }
    // What the daemon names itself repeats nothing: its usage, and the name that is nearest.
    let hint = message.find("; did you mean ").filter(|_| failure.code() == code::UNKNOWN);
    let (said, hint) = message.split_at(hint.unwrap_or(message.len()));
    (format!("{}{hint}", redact(said, words)), below)
}

/// The command as it would be typed, and which of its characters are meant. None of a line of a file.
fn place(words: &[Word], failure: &Failure, message: &str) -> Option<(String, usize, usize)> {
    let index = match failure.code() {
        code::UNKNOWN => 0,
        code::USAGE => {
            1 + words.get(1..)?.iter().position(|word| is_meant(word.bytes(), message))?
        }
        _ => return None,
    };
    let typed = words.iter().map(|word| Some(escaped(&quote(&word.shown()?)).into_owned()));
    let typed: Vec<String> = typed.collect::<Option<_>>()?;
    let width = typed.get(index)?.chars().count();
    let before = typed[..index].iter().map(|word| word.chars().count() + 1).sum();
    Some((typed.join(" "), before, width))
}

/// Whether a message is about a word: it quotes it, or the option's value in it, or names the option.
fn is_meant(word: &[u8], message: &str) -> bool {
    let value = word.iter().position(|&b| b == b'=').map(|at| &word[at + 1..]);
    let quoted = |word: &[u8]| message.contains(&Quoted(word).to_string());
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
    use super::super::word::Word;
    use super::point;
    use crate::error::{Failure, code};

    fn pointed(words: &[&str], code: &'static str, message: &str) -> String {
        let words: Vec<_> =
            words.iter().map(|word| Word::typed(word.as_bytes().to_vec())).collect();
        told(&words, code, message)
    }

    fn told(words: &[Word], code: &'static str, message: &str) -> String {
        let (message, below) = point(words, &Failure::new(code, message));
        below.iter().fold(format!("{message}\n"), |text, line| text + line + "\n")
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

    #[test]
    fn word_that_was_read_is_pointed_at_by_its_source() {
        let add = || Word::typed(b"add".to_vec());
        let read = || Word::read(b"secret".to_vec(), "-".into(), "standard input".into());
        let message = "bad value for n: \"secret\": no; usage: add <n>";
        assert_eq!(
            told(&[add(), read()], code::USAGE, message),
            "bad value for n: (the word from standard input): no\n  add -\n      ^\nusage: add <n>\n"
        );
        let unknown = [Word::typed(b"ad".to_vec()), read()];
        let message = "no command \"ad\"; did you mean add?";
        assert_eq!(told(&unknown, code::UNKNOWN, message), format!("{message}\n  ad -\n  ^^\n"));
        let line = Word::of_line([b"ad".to_vec(), b"secret".to_vec()]);
        let shown = "no command (word 1); did you mean add?\n";
        assert_eq!(told(&line, code::UNKNOWN, message), shown);
    }
}
