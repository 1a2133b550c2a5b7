//! A parameter that is parsed from words.

use std::any::TypeId;
use std::fmt;

use super::{FromRequest, Kind};
use crate::arg::{Arity, BadValue};
use crate::request::Request;
use crate::secret::HIDDEN;

/// One parameter of a registered command that is parsed from words.
#[doc(hidden)]
#[derive(Debug)]
pub struct Param {
    pub name: &'static str,
    pub help: &'static str,
    pub ty: &'static str,
    pub choices: &'static [&'static str],
    pub arity: Arity,
    pub way: Way,
    pub default: Option<DefaultValue>,
    /// The state that it wants, if any.
    pub wanted: fn() -> Option<(TypeId, &'static str)>,
    /// Whether the word of a default is a value.
    pub check: fn(&'static str) -> Result<(), BadValue>,
    /// No message may show its value.
    pub secret: bool,
    /// The values that begin with a text, as the daemon proposes them.
    pub propose: Option<fn(&Request<'_>, &str) -> Vec<String>>,
}

/// What a parameter is when it is left out.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum DefaultValue {
    /// This word, read as if it had been sent.
    Word(&'static str),
    /// A value, made by an expression that reads like this.
    Value(&'static str),
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Word(text) | Self::Value(text)) = self;
        f.write_str(text)
    }
}

/// How a parameter's words are found.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Injected,
    Positional,
    /// `--name VALUE` or `--name=VALUE`.
    Long(&'static str),
    /// `--name`.
    Flag(&'static str),
    /// The untouched rest of the line.
    Rest,
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
    /// The same, but no message may show its value.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same, with what proposes its values.
    #[must_use]
    pub const fn proposed_by(self, propose: fn(&Request<'_>, &str) -> Vec<String>) -> Self {
        Self { propose: Some(propose), ..self }
    }

    /// The name as a caller writes it.
    pub(super) fn given_name(&self) -> String {
        self.way.option().map_or_else(|| self.name.to_owned(), |option| format!("--{option}"))
    }

    /// Its default, as it may be shown.
    pub(crate) fn shown_default(&self) -> Option<String> {
        let shown = |default: DefaultValue| default.to_string();
        self.default.map(|default| if self.secret { HIDDEN.into() } else { shown(default) })
    }

    /// Whether the parameter may be left out.
    pub(crate) fn is_optional(&self) -> bool {
        self.arity != Arity::One || self.default.is_some() || matches!(self.way, Way::Flag(_))
    }
}

/// How the parameter is written in a usage line.
impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        let many = if self.arity == Arity::Many { "…" } else { "" };
        match self.way {
            Way::Injected => Ok(()),
            Way::Flag(long) => write!(f, "[--{long}]"),
            Way::Long(long) if self.is_optional() => write!(f, "[--{long} <{name}>]{many}"),
            Way::Long(long) => write!(f, "--{long} <{name}>"),
            Way::Rest if self.is_optional() => write!(f, "[<{name}…>]"),
            Way::Rest => write!(f, "<{name}…>"),
            Way::Positional if self.is_optional() => write!(f, "[<{name}>{many}]"),
            Way::Positional => write!(f, "<{name}>"),
        }
    }
}

/// A parameter of this kind. Without a way, the kind decides whether it is injected.
#[doc(hidden)]
pub const fn param(
    name: &'static str,
    help: &'static str,
    way: Option<Way>,
    default: Option<DefaultValue>,
    kind: Kind,
) -> Param {
    let Kind { ty, choices, arity, secret, wanted, check } = kind;
    let way = match (way, arity) {
        (Some(way), _) => way,
        (None, Arity::Injected) => Way::Injected,
        (None, _) => Way::Positional,
    };
    Param { name, help, ty, choices, arity, way, default, wanted, check, secret, propose: None }
}

/// A flag.
#[doc(hidden)]
pub const fn flag(name: &'static str, help: &'static str, way: Option<Way>) -> Param {
    param(name, help, way, None, <bool as FromRequest<'_>>::KIND)
}

/// Refuses at compile time what can't be told apart at run time.
// With the caller's place, the error is shown there and not here.
#[doc(hidden)]
#[track_caller]
pub const fn check(params: &[Param], index: usize) {
    let this = &params[index];
    assert!(
        !matches!(this.arity, Arity::Nested),
        "inside Option and Vec there is one value: not Option or Vec",
    );
    let injected = matches!(this.arity, Arity::Injected);
    assert!(
        !injected
            || (matches!(this.way, Way::Injected)
                && this.default.is_none()
                && !this.secret
                && this.propose.is_none()),
        "an injected parameter is not parsed from words: take its #[arg(…)] away",
    );
    assert!(
        !matches!(this.arity, Arity::Optional) || this.default.is_none(),
        "with a default it is always there: leave Option out",
    );
    assert!(
        !matches!((this.way, this.arity), (Way::Rest, Arity::Many)),
        "the rest of the line is one text: make it a &str, String, &[u8] or Vec<u8>",
    );
    assert!(
        !this.secret || this.propose.is_none(),
        "the values of a secret are proposed to nobody: take `complete` away",
    );
    if !matches!(this.way, Way::Positional | Way::Rest) {
        return;
    }
    let lacking = !matches!(this.arity, Arity::One) || this.default.is_some();
    let mut i = 0;
    while i < index {
        let earlier = &params[i];
        if matches!(earlier.way, Way::Positional | Way::Rest) {
            assert!(
                !matches!(earlier.arity, Arity::Many) && !matches!(earlier.way, Way::Rest),
                "the parameter before takes all words that are left: put it last",
            );
            assert!(
                lacking || (matches!(earlier.arity, Arity::One) && earlier.default.is_none()),
                "a required parameter stands after one that may be left out: move it before that one, make it an Option, or give it a default",
            );
        }
        i += 1;
    }
}

/// Whether a word may be one that no message may show.
pub(crate) fn any_secret(params: &[Param]) -> bool {
    params.iter().any(|param| param.secret)
}
