//! Commands in their encoded form.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::canceller::Canceller;
use super::once::Token;
use super::word::ToArg;
use crate::buffer::{Buffer, wipe};
use crate::wire::words::Splitter;
use crate::wire::{Base, encode};

/// One or more encoded commands, and how to handle their answers.
#[derive(Clone, Copy)]
pub(super) struct Commands<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) count: usize,
    /// Length of the first command in bytes: if fewer were sent, no command ran.
    pub(super) first: usize,
    /// Whether the connection can be reused after these commands.
    pub(super) reusable: bool,
    /// Whether answers are passed on in pieces, as they arrive.
    pub(super) streamed: bool,
    pub(super) retry: Retry<'b>,
    pub(super) canceller: Option<&'b Canceller>,
    pub(super) wanted: Wanted,
    /// The call runs once.
    pub(super) once: Option<&'b Token>,
    /// This process's environment is in the words.
    pub(super) has_environment: bool,
}

/// The options in front of a command. Only those that the daemon lists in its greeting are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// The items of a stream when they are made: `items` or `rows`.
    pub(super) stream: Option<&'static str>,
    pub(super) progress: bool,
    /// A body follows: `items`, or `1` for bytes.
    pub(super) body: Option<&'static str>,
}

impl Wanted {
    /// Returns whether there are any.
    pub(super) fn is_any(self) -> bool {
        self.stream.is_some() || self.progress || self.body.is_some()
    }
}

impl<'b> Commands<'b> {
    /// Returns whether the caller has cancelled them.
    pub(super) fn is_cancelled(&self) -> bool {
        self.canceller.is_some_and(Canceller::is_cancelled)
    }

    /// Returns a handshake that is sent alone.
    pub(super) fn alone(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            count: 1,
            first: bytes.len(),
            reusable: true,
            streamed: false,
            retry: Retry::Never,
            canceller: None,
            wanted: Wanted::default(),
            once: None,
            has_environment: false,
        }
    }
}

/// Whether to retry a call that may have run.
#[derive(Clone, Copy)]
pub(super) enum Retry<'b> {
    Never,
    /// The caller declared the call idempotent.
    Always,
    /// If the daemon reports that the command with one of these names is idempotent.
    AskDaemon([Option<&'b [u8]>; 2]),
}

/// Encodes one command, with room in front for its header.
#[derive(Clone)]
pub(super) struct CommandBuilder {
    bytes: Buffer,
    count: usize,
    /// Position of the name in `bytes`.
    name: Range<usize>,
    /// Position of the first argument, after the name and the options.
    arguments: usize,
    /// Whether a `--` between the options and the arguments must tell them apart.
    needs_end: bool,
    /// Position of that `--`, which [`word`](Self::word) or [`command`](Self::command) added.
    end: Option<usize>,
    /// Position of the `--` in front of the [`last`](Self::last) words.
    last: Option<usize>,
    /// The number of these words.
    last_words: usize,
    /// Whether the next [`word`](Self::word) may be the value of an option.
    awaits_value: bool,
    /// Whether this process's environment is in the words.
    pub(super) has_environment: bool,
}

/// Returns whether a connection can be reused after a command: not if the command closes it, changes
/// its protocol or permissions, or begins a transaction.
fn is_reusable_after(name: &[u8]) -> bool {
    ![&b"quit"[..], b"reset", b"hello", b"auth", b"multi"]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}

/// The word that follows the name in `DOCKIPC FORMAT`, which changes the answers of its connection.
const FORMAT: &[u8; 14] = b"\r\n$6\r\nformat\r\n";

/// Room for `*`, a count and CRLF, and for [`LAST`] with a count, which is longer than [`ARGS`].
const HEAD: usize = 23 + LAST.len() + 27;

/// The words in front of a command whose options end at a `--`, whether or not it declares options.
const ARGS: &[u8] = b"$7\r\ndockipc\r\n$4\r\nargs\r\n";

/// The same for a command with words behind a second `--`. Their number follows, so that a value can be `--`.
const LAST: &[u8] = b"$7\r\ndockipc\r\n$4\r\nlast\r\n";

impl CommandBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self::within(Buffer::default(), name)
    }

    /// Uses the memory of an earlier command.
    pub(super) fn within(mut bytes: Buffer, name: &str) -> Self {
        bytes.clear();
        bytes.reserve(HEAD + name.len() + 64);
        bytes.extend_from_slice(&[0; HEAD]);
        let mut words = Self {
            bytes,
            count: 0,
            name: 0..0,
            arguments: 0,
            needs_end: false,
            end: None,
            last: None,
            last_words: 0,
            awaits_value: false,
            has_environment: false,
        };
        words.add(name);
        let end = words.bytes.len() - b"\r\n".len();
        words.name = end - name.len()..end;
        words.arguments = words.bytes.len();
        words
    }

    /// Returns the memory, for another command.
    pub(super) fn into_memory(self) -> Buffer {
        self.bytes
    }

    /// Adds an argument. The daemon does not take it for an option, whatever its text.
    pub(super) fn argument<T: ToArg>(&mut self, value: T) {
        if let Some(last) = self.last {
            let added = self.insert(last, |words| words.needs_end |= words.add(value));
            self.last = Some(last + added);
        } else {
            self.needs_end |= self.add(value);
        }
    }

    /// Adds a word behind the arguments and a `--`, for the parameter with `#[arg(last)]`.
    pub(super) fn last<T: ToArg>(&mut self, value: T) {
        if self.last.is_none() {
            self.last = Some(self.bytes.len());
            // Behind the `--` that ends the options.
            self.needs_end = true;
            self.add("--");
        }
        let before = self.count;
        self.add(value);
        self.last_words += self.count - before;
    }

    /// Adds an option with a value in front of the arguments, or nothing for a missing value.
    pub(super) fn option<T: ToArg>(&mut self, name: &str, value: T) {
        self.insert_option(|words| {
            let start = words.bytes.len();
            words.add(value);
            if words.bytes.len() > start {
                words.insert(start, |words| words.add_flag(name));
            }
        });
    }

    /// Adds a flag in front of the arguments.
    pub(super) fn flag(&mut self, name: &str) {
        self.insert_option(|words| words.add_flag(name));
    }

    /// Adds a word in front of the arguments, as it is: the daemon may take it for an option, or for the
    /// end of the options.
    pub(super) fn word<T: ToArg>(&mut self, value: T) {
        let start = self.arguments;
        let length = self.insert(start, |words| _ = words.add(value));
        self.arguments += length;
        self.last = self.last.map(|last| last + length);
        let added = &self.bytes[start..self.arguments];
        let word = added.splitn(2, |&b| b == b'\n').nth(1).unwrap_or_default();
        if word == b"--\r\n" && !self.awaits_value {
            self.end.get_or_insert(start);
        }
        self.awaits_value = word.starts_with(b"--") && word.len() > 4 && !word.contains(&b'=');
    }

    /// Adds the second word of the name, in front of all others.
    pub(super) fn second(&mut self, word: &str) {
        let added = self.insert(self.name.end + b"\r\n".len(), |words| _ = words.add(word));
        self.arguments += added;
        self.end = self.end.map(|end| end + added);
        self.last = self.last.map(|last| last + added);
    }

    /// Puts words in front of the command that make it only be checked.
    pub(super) fn check(&mut self) {
        let added = self.insert(HEAD, |words| {
            words.add("dockipc");
            words.add("check");
        });
        self.arguments += added;
        self.end = self.end.map(|end| end + added);
        self.name = self.name.start + added..self.name.end + added;
    }

    /// Inserts an option behind those that are there.
    fn insert_option(&mut self, add: impl FnOnce(&mut Self)) {
        let added = self.insert(self.end.unwrap_or(self.arguments), add);
        self.arguments += added;
        self.end = self.end.map(|end| end + added);
        self.last = self.last.map(|last| last + added);
        self.needs_end |= added > 0;
    }

    fn add_flag(&mut self, name: &str) {
        self.add(format!("--{}", name.trim_start_matches("--")));
    }

    /// Moves what `add` appends to this position. Returns its length.
    fn insert(&mut self, at: usize, add: impl FnOnce(&mut Self)) -> usize {
        let end = self.bytes.len();
        add(self);
        let added = self.bytes.len() - end;
        self.bytes.as_vec()[at..].rotate_right(added);
        added
    }

    /// Adds a word as it is. Returns whether a command may take it for an option: it begins with `--`, or with `-` and
    /// a letter.
    pub(super) fn add<T: ToArg>(&mut self, value: T) -> bool {
        let mut is_dashed = false;
        if let Some(word) = value.to_arg() {
            is_dashed =
                matches!(&*word, [b'-', next, ..] if *next == b'-' || next.is_ascii_alphabetic());
            if cfg!(feature = "zeroize") {
                // The header, the word and CRLF. Growing the vector would leave a copy behind.
                self.bytes.reserve(HEAD + word.len() + b"\r\n".len());
            }
            encode::bulk(&word, self.bytes.as_vec());
            self.count += 1;
            if let (true, Cow::Owned(mut word)) = (T::SECRET, word) {
                wipe(&mut word);
            }
        }
        is_dashed
    }

    /// Returns the words of the command, as a person types them.
    pub(super) fn words(&self) -> Vec<Vec<u8>> {
        let (mut words, mut at) = (Vec::new(), HEAD);
        let (mut arguments, mut is_dashed) = (0, false);
        while let Some(end) = self.bytes[at..].iter().position(|&b| b == b'\n') {
            let digits = self.bytes[at..at + end].iter().filter(|b| b.is_ascii_digit());
            let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
            let start = at + end + 1;
            let word = &self.bytes[start..start + length];
            if at < self.arguments {
                arguments += 1;
            } else {
                is_dashed |= word.starts_with(b"--");
            }
            words.push(word.to_vec());
            at = start + length + b"\r\n".len();
        }
        if is_dashed && self.end.is_none() {
            words.insert(arguments, b"--".to_vec());
        }
        words
    }

    /// Writes the header and returns the command.
    pub(super) fn command(&mut self) -> Commands<'_> {
        if self.needs_end && self.end.is_none() {
            self.end = Some(self.arguments);
            let added = self.insert(self.arguments, |words| _ = words.add("--"));
            self.last = self.last.map(|last| last + added);
        }
        // From its end to its start, in its place: a vector would be one more allocation for each command.
        let head = &mut self.bytes.as_vec()[..HEAD];
        let (mut start, mut count) = (HEAD, self.count);
        if self.last.is_some() {
            let mut number = Vec::new();
            encode::bulk(self.last_words.to_string().as_bytes(), &mut number);
            start -= number.len();
            head[start..].copy_from_slice(&number);
            start -= LAST.len();
            head[start..start + LAST.len()].copy_from_slice(LAST);
            count += 3;
        } else if self.needs_end {
            start -= ARGS.len();
            head[start..].copy_from_slice(ARGS);
            count += 2;
        }
        start -= b"\r\n".len();
        head[start..start + 2].copy_from_slice(b"\r\n");
        start = encode::digits(i64::try_from(count).unwrap_or(i64::MAX), &mut head[..start]) - 1;
        head[start] = b'*';
        let (bytes, name) = (&self.bytes[start..], &self.bytes[self.name.clone()]);
        let behind = &self.bytes[self.name.end..];
        let is_format = behind.get(..14).is_some_and(|word| word.eq_ignore_ascii_case(FORMAT));
        let reusable =
            is_reusable_after(name) && !(is_format && name.eq_ignore_ascii_case(b"dockipc"));
        Commands {
            bytes,
            count: 1,
            first: bytes.len(),
            reusable,
            streamed: false,
            retry: Retry::AskDaemon([Some(name), None]),
            canceller: None,
            wanted: Wanted::default(),
            once: None,
            has_environment: self.has_environment,
        }
    }
}

/// Returns the words to put in front of a command that is cancelled when the client ends its side of the
/// connection, with the header for all of them, and the command without its own header. The time that is
/// left is rounded up: the daemon must not give up before the client does.
pub(super) fn with_opening<'c>(
    command: &'c [u8],
    left: Option<Duration>,
    wanted: Wanted,
    once: Option<&Token>,
) -> (Vec<u8>, &'c [u8]) {
    let end = command.iter().take_while(|&&b| b != b'\n').count() + 1;
    let (header, words) = command.split_at(end.min(command.len()));
    let digits = header.iter().filter(|b| b.is_ascii_digit());
    let count = digits.fold(0, |count, digit| count * 10 + usize::from(digit - b'0'));
    let mut opening = Vec::with_capacity(128);
    let Wanted { stream, progress, body } = wanted;
    let keys = [left.is_some(), once.is_some(), stream.is_some(), progress, body.is_some()];
    let keys = keys.into_iter().filter(|&is_given| is_given).count();
    encode::length(b'*', count + 3 + 2 * keys, &mut opening);
    let mut add = |word: &[u8]| encode::bulk(word, &mut opening);
    add(b"dockipc");
    add(b"with");
    if let Some(left) = left {
        add(b"deadline");
        let milliseconds = left.as_nanos().div_ceil(1_000_000).min(u64::MAX.into());
        add(milliseconds.to_string().as_bytes());
    }
    if let Some(token) = once {
        add(b"once");
        add(token.text.as_bytes());
    }
    if let Some(form) = stream {
        add(b"stream");
        add(form.as_bytes());
    }
    for (key, value) in [("progress", progress.then_some("1")), ("body", body)] {
        if let Some(value) = value {
            add(key.as_bytes());
            add(value.as_bytes());
        }
    }
    add(b"--");
    (opening, words)
}

/// Shows only the name: arguments may be secrets.
impl fmt::Debug for CommandBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.bytes[self.name.clone()]);
        write!(f, "{name:?} and {} more", self.count.saturating_sub(1))
    }
}

/// A line for the command `DOCKIPC LINE`, which answers as in line mode.
pub(super) struct Line<'l> {
    words: CommandBuilder,
    /// The first word, and the first two with a blank between: a command's name has one word or two.
    names: [Option<Cow<'l, [u8]>>; 2],
}

impl<'l> Line<'l> {
    pub(super) fn new(line: &'l str) -> Self {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let mut words = CommandBuilder::new("dockipc");
        words.add("line");
        words.add(line);
        Self { words, names: names_on(line) }
    }

    pub(super) fn command(&mut self) -> Commands<'_> {
        let names = self.names.each_ref().map(Option::as_deref);
        let mut command = self.words.command();
        command.reusable = names[0].is_none_or(is_reusable_after);
        command.retry = names[0].map_or(Retry::Never, |_| Retry::AskDaemon(names));
        command
    }
}

/// Returns the first word on a line, and the first two, parsed as the daemon does. `None` if they are missing or
/// have an unclosed quote.
fn names_on(line: &str) -> [Option<Cow<'_, [u8]>>; 2] {
    let line = line.strip_suffix('\r').unwrap_or(line).as_bytes();
    let mut splitter = Splitter::new(line);
    let mut next = || {
        let mut text = Vec::new();
        let span = splitter.next(&mut text).ok()??;
        Some(match span.base {
            Base::Input => Cow::Borrowed(&line[span.start..span.end]),
            Base::Text => Cow::Owned(text),
        })
    };
    let (first, second) = (next(), next());
    let both = first.as_deref().zip(second.as_deref());
    let both = both.map(|(first, second)| Cow::Owned([first, second].join(&b' ')));
    [first, both]
}

#[cfg(test)]
mod tests {
    use super::{CommandBuilder, Duration, Wanted, with_opening};

    #[test]
    fn time_left_is_rounded_up() {
        let nanos = Duration::from_nanos;
        for (left, milliseconds) in [
            (nanos(0), "0"),
            (nanos(1), "1"),
            (nanos(1_000_000), "1"),
            (nanos(1_000_001), "2"),
            (Duration::MAX, "18446744073709551615"),
        ] {
            let mut builder = CommandBuilder::new("get");
            let command = builder.command();
            let (opening, words) = with_opening(command.bytes, Some(left), Wanted::default(), None);
            let all = String::from_utf8([&opening, words].concat()).unwrap();
            assert!(all.starts_with("*6\r\n$7\r\ndockipc\r\n$4\r\nwith\r\n$8\r\ndeadline\r\n"));
            let length = milliseconds.len();
            let value = format!("\r\n${length}\r\n{milliseconds}\r\n$2\r\n--\r\n$3\r\nget\r\n");
            assert!(all.ends_with(&value), "{all}");
        }
    }
}
