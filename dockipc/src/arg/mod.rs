//! From one word to one value: [`Arg`] and what it is implemented for.

use std::fmt;

use crate::error::{Failure, code};

mod values;

pub use values::no_choice;
pub(crate) use values::text;

/// What a word can be read as, so that it can be a parameter of a command.
///
/// Implemented for text (`&str`, `String`, `char`), bytes (`&[u8]`, `Vec<u8>`), integers, floats,
/// `bool`, [`Duration`](std::time::Duration), paths, `OsStr`, IP and socket addresses, `Option` of those (a parameter
/// that may be left out) and `Vec` of those (all the words that are left).
///
/// For a type of your own: `#[derive(Arg)]` on an enum of unit variants makes kebab-case words;
/// `#[derive(Arg)]` with `#[arg(from_str)]` uses a type's [`FromStr`](std::str::FromStr); a type of another crate is
/// read through its `FromStr` with `#[arg(from_str)]` at the parameter. By hand:
///
/// ```
/// use dockipc::{Arg, BadValue};
///
/// struct Percent(u8);
///
/// impl Arg<'_> for Percent {
///     const TYPE: &'static str = "percent";
///
///     fn from_word(word: &[u8]) -> Result<Self, BadValue> {
///         match u8::from_word(word.strip_suffix(b"%").unwrap_or(word))? {
///             value @ 0..=100 => Ok(Self(value)),
///             _ => Err(BadValue::new("expected 0 to 100")),
///         }
///     }
/// }
/// # assert_eq!(Percent::from_word(b"7%").unwrap().0, 7);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a word",
    note = "put `#[derive(dockipc::Arg)]` on a type of yours, or `#[arg(from_str)]` at a parameter whose type has `FromStr`"
)]
pub trait Arg<'r>: Sized {
    /// What help calls such a value: `integer`, `path`, …
    const TYPE: &'static str;

    /// The words that are taken, if they can be listed.
    const CHOICES: &'static [&'static str] = &[];

    /// Reads one word.
    fn from_word(word: &'r [u8]) -> Result<Self, BadValue>;

    #[doc(hidden)]
    const ARITY: Arity = Arity::One;

    /// The arity of a `Vec` of these.
    #[doc(hidden)]
    const LIST: Arity = Arity::Many;

    /// Whether no message may show a value.
    #[doc(hidden)]
    const SECRET: bool = false;

    /// The value of a parameter that was left out, if it may be.
    #[doc(hidden)]
    fn from_nothing() -> Option<Self> {
        None
    }

    /// Reads all words that are the parameter's.
    #[doc(hidden)]
    fn from_words(words: &mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<Self>, BadWord<'r>> {
        match words.next() {
            Some(word) => Self::from_word(word).map(Some).map_err(|bad| BadWord { word, bad }),
            None => Ok(Self::from_nothing()),
        }
    }

    /// Reads a `Vec` of these; of `u8` it is the bytes of one word.
    #[doc(hidden)]
    fn list_from_words(
        words: &mut dyn Iterator<Item = &'r [u8]>,
    ) -> Result<Option<Vec<Self>>, BadWord<'r>> {
        let read = |word| Self::from_word(word).map_err(|bad| BadWord { word, bad });
        words.map(read).collect::<Result<_, _>>().map(Some)
    }
}

/// How many words a parameter takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// None: it is injected.
    Injected,
    One,
    Optional,
    Many,
    /// An `Option` or a `Vec` of something that has no words of its own: refused by [`check`].
    Nested,
}

impl Arity {
    /// The arity of a container whose own is `outer` if one word is one value.
    const fn with(self, outer: Self) -> Self {
        if matches!(self, Self::One) { outer } else { Self::Nested }
    }
}

/// Why a word is no value of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    code: &'static str,
    reason: String,
}

impl BadValue {
    /// The reason, such as `expected 0 to 100`.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { code: code::USAGE, reason: reason.to_string() }
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// The failure when nothing of the value may be shown. The reason may quote it.
    pub(crate) fn hidden(&self, what: &str, ty: &str) -> Failure {
        Failure::new(self.code, format_args!("bad value for {what}: expected {ty}"))
    }

    pub(crate) fn failure(&self, what: &str, word: &[u8]) -> Failure {
        let Self { code, reason } = self;
        Failure::new(code, format_args!("bad value for {what}: {}: {reason}", Quoted(word)))
    }
}

/// A word that is no value, and why.
#[doc(hidden)]
#[derive(Debug)]
pub struct BadWord<'r> {
    pub(crate) word: &'r [u8],
    pub(crate) bad: BadValue,
}

/// A word in a message: quoted, escaped, and cut if it is long.
pub(crate) struct Quoted<'w>(pub(crate) &'w [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Truncated(self.0))
    }
}

/// A word in a message: escaped, and cut if it is long, so that the message stays short.
pub(crate) struct Truncated<'w>(pub(crate) &'w [u8]);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        let text = String::from_utf8_lossy(&self.0[..self.0.len().min(LONGEST)]);
        let cut = if self.0.len() > LONGEST { "…" } else { "" };
        write!(f, "{}{cut}", text.escape_debug())
    }
}

#[cold]
pub(crate) fn usage(why: impl fmt::Display) -> Failure {
    Failure::new(code::USAGE, why)
}
