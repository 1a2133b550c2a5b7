//! [`Param`], the declaration of one parameter.

use std::fmt;

use super::extra::check_extra;
use super::{BodyCode, Extra, FromRequest, Kind, Needs, Wanted};
use crate::arg::{Arity, BadValue, BadWord, usage};
use crate::error::Failure;
use crate::request::Request;
use crate::secret::HIDDEN;
use crate::state::States;

/// One declared parameter of a registered command.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub help: &'static str,
    pub ty: &'static str,
    pub choices: &'static [&'static str],
    /// Other words for the choices, each with its choice.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Each word is `KEY=VALUE`.
    pub is_map: bool,
    /// The smallest and the largest value of an integer.
    pub range: Option<(&'static str, &'static str)>,
    pub arity: Arity,
    pub way: Way,
    pub default: Option<DefaultValue>,
    pub(crate) needs: Needs,
    /// Returns the state that the parameter requires, if any.
    pub wanted: fn() -> Option<Wanted>,
    /// Checks that a default word parses.
    pub check: fn(&'static str) -> Result<(), BadValue>,
    /// Messages must not show the value.
    pub secret: bool,
    /// Prepares the server when it starts.
    pub(crate) at_start: Option<fn(&States)>,
    pub(crate) body: Option<&'static BodyCode>,
    /// Returns completions for a prefix.
    pub propose: Option<fn(&Request<'_>, &str) -> Vec<String>>,
    pub(crate) extra: Option<&'static Extra>,
}

/// The value of an omitted parameter.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum DefaultValue {
    /// A word that is parsed as if it had been sent.
    Word(&'static str),
    /// A function of the author's expression, which returns its value as a word, if it can be shown so.
    Value(fn() -> Result<Option<String>, Failure>),
}

/// Shows a value through its `Display`. A value without one is shown by [`NotDisplay`], since an
/// inherent method comes before a trait's.
#[doc(hidden)]
#[derive(Debug)]
pub struct Display<'v, T>(pub &'v T);

impl<T: fmt::Display> Display<'_, T> {
    pub fn shown(&self) -> Option<String> {
        Some(format!("{}", self.0))
    }
}

#[doc(hidden)]
pub trait NotDisplay {
    fn shown(&self) -> Option<String> {
        None
    }
}

impl<T> NotDisplay for Display<'_, T> {}

/// How a parameter is passed.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Injected,
    Positional,
    /// `--name VALUE` or `--name=VALUE`.
    Long(&'static str),
    /// `--name`.
    Flag(&'static str),
    /// The rest of the line, unchanged.
    Rest,
    /// All words behind `--`.
    Last,
    /// What follows the command, or its last word in RESP.
    Body,
}

impl Way {
    pub(super) fn option(self) -> Option<&'static str> {
        match self {
            Self::Long(name) | Self::Flag(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_positional(self) -> bool {
        matches!(self, Self::Positional | Self::Rest)
    }
}

impl Param {
    /// Marks the parameter as a secret, whose value messages must not show.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Sets the function that returns completions.
    #[must_use]
    pub const fn proposed_by(self, propose: fn(&Request<'_>, &str) -> Vec<String>) -> Self {
        Self { propose: Some(propose), ..self }
    }

    /// Returns the short name of an option in front of the long one, `-n|`, or an empty text.
    pub(crate) fn short(&self) -> &'static str {
        self.extra.map_or("", |extra| extra.short)
    }

    /// Returns the name as a caller writes it: `--name` for an option.
    pub(super) fn given_name(&self) -> String {
        self.way.option().map_or_else(|| self.name.to_owned(), |option| format!("--{option}"))
    }

    /// Returns the failure of a call that leaves it out.
    #[cold]
    pub(crate) fn is_missing(&self) -> Failure {
        usage(format_args!("{} is missing", self.given_name()))
    }

    /// Returns the failure of a call with an invalid word.
    #[cold]
    pub(super) fn refused(&self, all: &[Self], BadWord { word, bad }: &BadWord<'_>) -> Failure {
        if self.secret {
            bad.hidden(&self.given_name(), self.ty)
        } else {
            bad.failure(&self.given_name(), word, &short_option(all, word))
        }
    }

    /// Returns the default as a word, if it can be shown so; a secret's is hidden. Runs the expression of
    /// the author.
    pub(crate) fn shown_default(&self) -> Option<String> {
        match self.default? {
            _ if self.secret => Some(HIDDEN.into()),
            DefaultValue::Word(word) => Some(word.into()),
            DefaultValue::Value(value) => value().ok().flatten(),
        }
    }

    /// Returns whether the parameter may be omitted.
    pub(crate) fn is_optional(&self) -> bool {
        !self.is_required()
    }

    pub(super) const fn is_required(&self) -> bool {
        let needs_word = match (self.arity, self.extra) {
            (Arity::One, _) => true,
            (Arity::Many, Some(extra)) => extra.count.0 > 0,
            _ => false,
        };
        needs_word && self.default.is_none() && !matches!(self.way, Way::Flag(_))
    }
}

/// The parameter's part of a usage line.
impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, short) = (self.name, self.short());
        let many = if self.arity == Arity::Many { "…" } else { "" };
        match self.way {
            Way::Injected => Ok(()),
            Way::Flag(long) => write!(f, "[{short}--{long}]"),
            Way::Long(long) if self.is_optional() => write!(f, "[{short}--{long} <{name}>]{many}"),
            Way::Long(long) => write!(f, "{short}--{long} <{name}>{many}"),
            Way::Rest if self.is_optional() => write!(f, "[<{name}…>]"),
            Way::Rest => write!(f, "<{name}…>"),
            Way::Last if self.is_optional() => write!(f, "[-- <{name}>…]"),
            Way::Last => write!(f, "-- <{name}>…"),
            Way::Positional if self.is_optional() => write!(f, "[<{name}>{many}]"),
            Way::Positional | Way::Body => write!(f, "<{name}>{many}"),
        }
    }
}

/// Creates a parameter. If `way` is `None`, `kind` decides between injected and positional.
#[doc(hidden)]
pub const fn param(
    name: &'static str,
    help: &'static str,
    way: Option<Way>,
    default: Option<DefaultValue>,
    kind: Kind,
) -> Param {
    let Kind { ty, choices, aliases, is_map, range, arity, secret, .. } = kind;
    let Kind { needs, wanted, check, at_start, body, .. } = kind;
    let way = match (way, arity) {
        (Some(way), _) => way,
        (None, _) if body.is_some() => Way::Body,
        (None, Arity::Injected) => Way::Injected,
        (None, _) => Way::Positional,
    };
    Param {
        name,
        help,
        ty,
        choices,
        aliases,
        is_map,
        range,
        arity,
        way,
        default,
        needs,
        wanted,
        check,
        secret,
        at_start,
        body,
        propose: None,
        extra: None,
    }
}

/// Creates a flag.
#[doc(hidden)]
pub const fn flag(name: &'static str, help: &'static str, way: Option<Way>) -> Param {
    param(name, help, way, None, <bool as FromRequest<'_>>::KIND)
}

/// Rejects ambiguous declarations at compile time.
// `track_caller` makes the error point at the author's parameter.
#[doc(hidden)]
#[track_caller]
pub const fn check(params: &[Param], index: usize) {
    #[cfg(feature = "tokio")]
    assert!(
        !matches!(params[index].needs, Needs::AsyncBody),
        "an `AsyncBody` is for an `async fn`: take a `Body`",
    );
    check_all(params, index);
}

#[track_caller]
const fn check_all(params: &[Param], index: usize) {
    let this = &params[index];
    assert!(
        !matches!(this.arity, Arity::Nested),
        "Option, Vec and maps can't be nested in a parameter: use one of them",
    );
    let injected = matches!(this.arity, Arity::Injected) || this.body.is_some();
    assert!(
        !injected
            || (matches!(this.way, Way::Injected | Way::Body)
                && this.default.is_none()
                && !this.secret
                && this.propose.is_none()
                && this.extra.is_none()),
        "an injected parameter is not parsed from words: remove its #[arg(…)]",
    );
    assert!(
        !matches!(this.arity, Arity::Optional) || this.default.is_none(),
        "a parameter with a default always has a value: remove Option or the default",
    );
    assert!(
        !matches!((this.way, this.arity), (Way::Rest, Arity::Many)),
        "the rest of the line is one value: use &str, String, &[u8] or Vec<u8>",
    );
    assert!(
        !this.secret || this.propose.is_none(),
        "a secret parameter can't have completions: remove `complete`",
    );
    if let Some(extra) = this.extra {
        check_extra(this, extra);
    }
    assert!(
        !matches!(this.way, Way::Last) || matches!(this.arity, Arity::Many),
        "`last` takes all words behind `--`: make the type `Vec<String>`, or `Vec<Vec<u8>>` for any bytes",
    );
    let mut i = 0;
    while i < index {
        assert!(
            this.body.is_none() || params[i].body.is_none(),
            "a command has one body: what the client sends after it",
        );
        assert!(
            injected && this.body.is_none() || params[i].body.is_none(),
            "a body follows the words of the command: move it behind the other parameters",
        );
        assert!(
            this.body.is_some() == params[i].body.is_some()
                || !matches!(this.needs, Needs::Local) && !matches!(params[i].needs, Needs::Local),
            "a command with a `Local` can't have a body: its loop would wait for the client",
        );
        assert!(
            injected || !matches!(params[i].way, Way::Last),
            "the words behind `--` are the last of a line: move the parameter with `last` behind the others",
        );
        assert!(
            !matches!(this.needs, Needs::Local) || !matches!(params[i].needs, Needs::Local),
            "a command runs on one thread, so it has one `Local`: put both values into one type",
        );
        i += 1;
    }
    if !matches!(this.way, Way::Positional | Way::Rest) {
        return;
    }
    let mut i = 0;
    while i < index {
        let earlier = &params[i];
        if matches!(earlier.way, Way::Positional | Way::Rest) {
            assert!(
                !matches!(earlier.arity, Arity::Many) && !matches!(earlier.way, Way::Rest),
                "the previous parameter takes all remaining words: move it to the end",
            );
            assert!(
                !this.is_required() || earlier.is_required(),
                "a required parameter follows an optional one: move it before that one, make it an Option, or give it a default",
            );
        }
        i += 1;
    }
}

/// Rejects a name for an injected parameter.
#[doc(hidden)]
#[track_caller]
pub const fn check_name(params: &[Param], index: usize) {
    assert!(
        !matches!(params[index].arity, Arity::Injected) && params[index].body.is_none(),
        "an injected parameter is not parsed from words: remove its #[arg(…)]",
    );
}

/// Like [`check`], for a parameter of an async command.
#[doc(hidden)]
#[track_caller]
pub const fn check_async(params: &[Param], index: usize) {
    assert!(
        !matches!(params[index].needs, Needs::Local),
        "an async command can't have a `Local`, which stays on one thread: write a plain `fn`, which can return a `Deferred`",
    );
    assert!(
        !matches!(params[index].needs, Needs::Body),
        "a `Body` blocks its thread: an `async fn` takes an `AsyncBody`, with the feature `tokio`",
    );
    check_all(params, index);
}

/// Returns a hint at the end of a message about a word such as `-s`, if no option has a short name.
#[cold]
#[inline(never)]
pub(super) fn short_option(params: &[Param], word: &[u8]) -> String {
    let [b'-', name @ ..] = word else { return String::new() };
    let has_short = params.iter().any(|param| !param.short().is_empty());
    if has_short || !name.first().is_some_and(u8::is_ascii_alphabetic) {
        return String::new();
    }
    let mut options = params.iter().filter_map(|param| param.way.option());
    let hint = "; there are no short options";
    match options.find(|option| option.as_bytes().starts_with(name)) {
        Some(option) => format!("{hint}, did you mean --{option}?"),
        None => hint.to_owned(),
    }
}
