//! The words of a call, and where they come from.
//!
//! A word that was read and not typed may be a secret. It is sent to the daemon and never shown:
//! [`Word::shown`] gives what was typed in its place, and [`redact`] removes what a daemon repeats
//! of it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::arg::Quoted;
use crate::client::ToArg;

/// A word of a call.
pub(super) struct Word {
    bytes: Vec<u8>,
    /// The length of an option in front of what was read: `--name=`.
    option: usize,
    origin: Origin,
}

enum Origin {
    Typed,
    /// The word was read from standard input or a file.
    Read {
        /// The text that was typed: `-`, `@FILE`, or an option with such a value.
        typed: String,
        source: String,
    },
    /// The word is in a line of a file, at this position from 1.
    Line(usize),
}

impl Word {
    pub(super) fn typed(bytes: Vec<u8>) -> Self {
        Self { bytes, option: 0, origin: Origin::Typed }
    }

    /// Returns a word that was read from `source` in place of `typed`.
    pub(super) fn read(bytes: Vec<u8>, typed: String, source: String) -> Self {
        Self { bytes, option: 0, origin: Origin::Read { typed, source } }
    }

    /// Puts the start of an option in front, `--name=`.
    pub(super) fn of_option(mut self, option: &[u8]) -> Self {
        self.bytes.splice(0..0, option.iter().copied());
        self.option = option.len();
        self
    }

    /// Returns the words of a line of a file.
    pub(super) fn of_line(words: impl IntoIterator<Item = Vec<u8>>) -> Vec<Self> {
        let numbered = words.into_iter().enumerate();
        let word = |(i, bytes)| Self { bytes, option: 0, origin: Origin::Line(i + 1) };
        numbered.map(word).collect()
    }

    /// Returns the bytes, which only the daemon may get.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the text that was typed; `None` for a line of a file.
    pub(super) fn shown(&self) -> Option<Cow<'_, str>> {
        match &self.origin {
            Origin::Typed => Some(String::from_utf8_lossy(&self.bytes)),
            Origin::Read { typed, .. } => Some(typed.into()),
            Origin::Line(_) => None,
        }
    }

    /// Returns the text that replaces the word in messages, if it was read.
    fn label(&self) -> Option<String> {
        match &self.origin {
            Origin::Typed => None,
            Origin::Read { source, .. } => Some(format!("(the word from {source})")),
            Origin::Line(place) => Some(format!("(word {place})")),
        }
    }
}

impl AsRef<[u8]> for Word {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl ToArg for Word {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(&self.bytes))
    }
}

/// The number of consecutive bytes of a word that are redacted wherever they occur.
const RUN: usize = 8;

/// A word of fewer bytes is redacted only where no letter or digit is beside it, so that `1` is not
/// found in `10`.
const SHORT: usize = 4;

/// Removes from a message what it repeats of words that were read: each word, each line of a word,
/// and each run of [`RUN`] bytes, without regard to ASCII case. Other forms of a word, such as
/// Base64, are not recognized.
pub(super) fn redact<'m>(message: &'m str, words: &[Word]) -> Cow<'m, str> {
    let labels: Vec<_> = words.iter().map(Word::label).collect();
    if message.is_empty() || labels.iter().all(Option::is_none) {
        return message.into();
    }
    let lower = message.to_ascii_lowercase().into_bytes();
    // The offsets of each piece of the message. The message is indexed and not the word, which may
    // be much longer.
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for length in 1..=RUN {
        for (at, piece) in lower.windows(length).enumerate() {
            places.entry(piece).or_default().push(at);
        }
    }
    let is_alone = |at: usize, length: usize| {
        let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        !is_part(at.checked_sub(1).and_then(|at| lower.get(at))) && !is_part(lower.get(at + length))
    };
    // The word that each byte repeats.
    let mut repeats: Vec<Option<usize>> = vec![None; lower.len()];
    for (i, word) in words.iter().enumerate().filter(|(i, _)| labels[*i].is_some()) {
        for form in forms(&word.bytes[word.option..]) {
            let form = form.to_ascii_lowercase();
            let lines = form.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
            let short = lines.filter(|line| line.len() < RUN);
            for piece in form.windows(RUN).chain(short) {
                // Removed, since a long word may have the same piece many times.
                for at in places.remove(piece).into_iter().flatten() {
                    if piece.len() >= SHORT || is_alone(at, piece.len()) {
                        repeats[at..at + piece.len()].fill(Some(i));
                    }
                }
            }
        }
    }
    let (mut redacted, mut last) = (String::new(), None);
    for (at, char) in message.char_indices() {
        let repeated = repeats[at..at + char.len_utf8()].iter().find_map(|word| *word);
        match repeated {
            Some(word) if last != repeated => {
                redacted.push_str(labels[word].as_deref().unwrap_or_default());
            }
            Some(_) => {}
            None => redacted.push(char),
        }
        last = repeated;
    }
    redacted.into()
}

/// Returns a word and the value of an option, both unquoted and as dockipc's messages quote them.
fn forms(word: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let at = word.iter().position(|&b| b == b'=').filter(|_| word.starts_with(b"--"));
    let value = at.map(|at| &word[at + 1..]);
    let forms = [Some(word), value].into_iter().flatten().flat_map(|form| {
        let quoted = Quoted(form).to_string().into_bytes();
        [Cow::Owned(quoted), Cow::Borrowed(form)]
    });
    forms.collect()
}

#[cfg(test)]
mod tests {
    use super::{Word, redact};

    #[track_caller]
    fn redacted(word: &str, message: &str, expected: &str) {
        let typed = Word::typed(b"typed".to_vec());
        let read = Word::read(word.into(), "-".into(), "standard input".into());
        let expected = expected.replace('#', "(the word from standard input)");
        assert_eq!(redact(message, &[typed, read]), expected, "{word:?} in {message:?}");
    }

    #[test]
    fn words_that_were_read_are_redacted() {
        let cases = [
            ("secret", "bad value for n: \"secret\": expected n", "bad value for n: #: expected n"),
            ("secret\n", "bad value for n: \"secret\\n\": no", "bad value for n: #: no"),
            ("s3cret\n", "no such user: S3CRET", "no such user: #"),
            ("1", "no job 1 of 10, typed", "no job # of 10, typed"),
            ("user: bob\nword: hunter2", "bad line word: hunter2!", "bad line #!"),
            ("bob\npin1\n", "PIN1x is wrong", "#x is wrong"),
            ("--key=abc", "bad value for --key: \"abc\"", "bad value for --key: #"),
            ("0123456789", "unknown: 012345678…", "unknown: #…"),
            ("größe", "no größe here", "no # here"),
            ("", "no \"\" here", "no # here"),
            ("other", "nothing is repeated", "nothing is repeated"),
        ];
        let option =
            Word::read(b"secret".to_vec(), "-".into(), "it".into()).of_option(b"--option=");
        let message = redact("bad value for --option: \"secret\"", &[option]);
        assert_eq!(message, "bad value for --option: (the word from it)");
        for (word, message, expected) in cases {
            redacted(word, message, expected);
        }
        let long = "x".repeat(100) + "y";
        redacted(&long, &format!("bad {:?}", format!("{}…", &long[..64])), "bad #");
    }

    #[test]
    fn words_of_a_line_are_shown_as_positions() {
        let words = Word::of_line([b"add".to_vec(), b"x".to_vec()]);
        let message = redact("bad value for n: \"x\": expected an integer", &words);
        assert_eq!(message, "bad value for n: (word 2): expected an integer");
        assert!(words.iter().all(|word| word.shown().is_none()));
    }

    #[test]
    fn typed_words_are_shown() {
        let words = [Word::typed(b"lst".to_vec())];
        assert_eq!(redact("no command \"lst\"", &words), "no command \"lst\"");
    }
}
