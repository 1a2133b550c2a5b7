//! Parses one word into one value: [`Arg`] and its implementations.

use std::fmt;

use crate::error::{Failure, code};
use crate::wire::words::quote;

mod maps;
mod order;
mod values;

pub(crate) use order::{Placed, check_order, check_rest};
pub use values::{is_one_of, no_choice};

/// A type that can be parsed from a word, so that it can be a parameter of a command.
///
/// Implemented for text (`&str`, `String`, `char`), bytes (`&[u8]`, `Vec<u8>`), integers, floats,
/// `bool`, [`Duration`](std::time::Duration) (`1h30m`), [`SystemTime`](std::time::SystemTime) (RFC 3339), paths, `OsStr`, IP and socket addresses, `Option` of those (an optional
/// parameter), `Vec` of those (all remaining words), and `HashMap` and `BTreeMap` of those (all remaining words, each
/// `KEY=VALUE`).
///
/// For a type of your own, `#[derive(Arg)]` on an enum of unit variants accepts their names in kebab-case, and
/// `#[derive(Arg)]` with `#[arg(from_str)]` uses the type's [`FromStr`](std::str::FromStr). For a type of another
/// crate, `#[arg(from_str)]` at the parameter uses its `FromStr`. By hand:
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
    message = "`{Self}` can't be parsed from a word",
    note = "add `#[derive(dockipc::Arg)]` to your own type, or `#[arg(from_str)]` to a parameter whose type implements `FromStr`"
)]
pub trait Arg<'r>: Sized {
    /// The name of the type in help, such as `integer` or `path`.
    const TYPE: &'static str;

    /// The accepted words, if they can be listed.
    const CHOICES: &'static [&'static str] = &[];

    /// Other words that are accepted, each with the one in [`CHOICES`](Self::CHOICES) that it stands for.
    const ALIASES: &'static [(&'static str, &'static str)] = &[];

    /// Parses one word.
    fn from_word(word: &'r [u8]) -> Result<Self, BadValue>;

    #[doc(hidden)]
    const ARITY: Arity = Arity::One;

    /// The arity of a `Vec` of this type.
    #[doc(hidden)]
    const LIST: Arity = Arity::Many;

    /// Whether messages must not show a value.
    #[doc(hidden)]
    const SECRET: bool = false;

    /// Whether each word is `KEY=VALUE`.
    #[doc(hidden)]
    const IS_MAP: bool = false;

    /// The smallest and the largest value of an integer, as decimals.
    #[doc(hidden)]
    const RANGE: Option<(&'static str, &'static str)> = None;

    /// Returns the JSON Schema of a value.
    #[doc(hidden)]
    const SCHEMA: Option<fn() -> String> = None;

    /// Returns the value of an omitted parameter, if the parameter is optional.
    #[doc(hidden)]
    fn from_nothing() -> Option<Self> {
        None
    }

    /// Returns the word that is parsed to this value, to show a default in help.
    #[doc(hidden)]
    fn shown(&self) -> Option<String> {
        None
    }

    /// Parses all words of the parameter.
    #[doc(hidden)]
    fn from_words(words: &mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<Self>, BadWord<'r>> {
        match words.next() {
            Some(word) => Self::from_word(word).map(Some).map_err(|bad| BadWord { word, bad }),
            None => Ok(Self::from_nothing()),
        }
    }

    /// Parses a `Vec` of this type; a `Vec<u8>` is the bytes of one word.
    #[doc(hidden)]
    fn list_from_words(
        words: &mut dyn Iterator<Item = &'r [u8]>,
    ) -> Result<Option<Vec<Self>>, BadWord<'r>> {
        let read = |word| Self::from_word(word).map_err(|bad| BadWord { word, bad });
        words.map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Returns the words of a `Vec` of this type, as one types them.
    #[doc(hidden)]
    fn list_shown(items: &[Self]) -> Option<String> {
        let words = items.iter().map(|item| Some(quote(&item.shown()?).into_owned()));
        Some(words.collect::<Option<Vec<_>>>()?.join(" "))
    }
}

/// A type that can be parsed through its `FromStr`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be parsed from text",
    label = "does not implement `FromStr` with an error that is `Display`",
    note = "`from_str` requires `std::str::FromStr`; for an enum of unit variants use `#[derive(dockipc::Arg)]` without it"
)]
pub trait FromText: Sized {
    fn from_text(word: &[u8]) -> Result<Self, BadValue>;
}

// Keeps the compiler from listing every type that implements `FromStr`.
#[diagnostic::do_not_recommend]
impl<T: std::str::FromStr<Err: fmt::Display>> FromText for T {
    fn from_text(word: &[u8]) -> Result<Self, BadValue> {
        values::text(word)?.parse().map_err(BadValue::new)
    }
}

/// The number of words that a parameter takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// No word: the value is injected.
    Injected,
    One,
    Optional,
    Many,
    /// An `Option` or `Vec` of a type that is not exactly one word: refused at compile
    /// time by `param::check`.
    Nested,
}

impl Arity {
    /// Returns the arity of a container of this: `outer` if one word is one value.
    const fn with(self, outer: Self) -> Self {
        if matches!(self, Self::One) { outer } else { Self::Nested }
    }
}

/// The reason why a word is not a value of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    code: &'static str,
    reason: String,
}

impl BadValue {
    /// Creates an error with a reason such as `expected 0 to 100`.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { code: code::USAGE, reason: format!("{reason}") }
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the failure for a secret value. It leaves out the reason, which may quote the value.
    pub(crate) fn hidden(&self, what: &str, ty: &str) -> Failure {
        Failure::new(self.code, format_args!("bad value for {what}: expected {ty}"))
    }

    /// Returns the failure for a value, with a hint at its end.
    pub(crate) fn failure(&self, what: &str, word: &[u8], hint: &str) -> Failure {
        let Self { code, reason } = self;
        Failure::new(code, format_args!("bad value for {what}: {}: {reason}{hint}", Quoted(word)))
    }
}

/// A word that could not be parsed, and the reason.
#[doc(hidden)]
#[derive(Debug)]
pub struct BadWord<'r> {
    pub(crate) word: &'r [u8],
    pub(crate) bad: BadValue,
}

/// Displays a word in quotes, escaped and truncated.
pub(crate) struct Quoted<'w>(pub(crate) &'w [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Truncated(self.0))
    }
}

/// Displays a word escaped, and truncated so that a message stays short.
pub(crate) struct Truncated<'w>(pub(crate) &'w [u8]);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        let text = String::from_utf8_lossy(&self.0[..self.0.len().min(LONGEST)]);
        for char in text.chars() {
            write!(f, "{}", char.escape_debug())?;
        }
        f.write_str(if self.0.len() > LONGEST { "…" } else { "" })
    }
}

#[cold]
pub(crate) fn usage(why: impl fmt::Display) -> Failure {
    Failure::new(code::USAGE, why)
}
