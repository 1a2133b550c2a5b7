//! [`Param`], the declaration of one parameter.

use std::fmt;

use super::extra::check_extra;
use super::{BodyCode, Extra, FromRequest, Group, Kind, Needs, Wanted, base, leading};
use crate::arg::{Arity, BadValue, BadWord, Placed, check_order, check_rest, usage};
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
    /// Returns the JSON Schema of a value, if the type has one.
    pub schema: Option<fn() -> String>,
    pub arity: Arity,
    pub way: Way,
    /// The index of its word among the positional ones if it takes one, else [`NO_WORD`]. It is known when the
    /// parameters are [numbered](number).
    pub(super) word: u32,
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
    /// How it belongs to others.
    pub group: Group,
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
    /// The bytes behind the command, or its last word in RESP.
    Body,
}

impl Way {
    pub(super) const fn option(self) -> Option<&'static str> {
        match self {
            Self::Long(name) | Self::Flag(name) => Some(name),
            _ => None,
        }
    }

    pub(super) const fn is_positional(self) -> bool {
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

    const fn is_injected(&self) -> bool {
        matches!(self.arity, Arity::Injected) || self.body.is_some()
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
        !self.is_required() || self.alternative().is_some()
    }

    const fn placed(&self) -> Placed {
        let takes_all = matches!(self.arity, Arity::Many) || matches!(self.way, Way::Rest);
        Placed { takes_all, is_required: self.is_required() }
    }

    /// Returns whether a function can have the parameter in front of an enum of commands.
    const fn can_lead(&self) -> bool {
        let is_absolute = matches!(self.extra, Some(extra) if extra.absolute);
        let is_word = matches!((self.way, self.arity), (Way::Positional, Arity::One));
        is_word && !is_absolute && self.default.is_none() && !self.secret
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
        // The brackets are around all alternatives.
        let is_optional = self.is_optional() && self.alternative().is_none();
        match self.way {
            Way::Flag(long) if self.alternative().is_some() => write!(f, "--{long}"),
            Way::Injected => Ok(()),
            Way::Flag(long) => write!(f, "[{short}--{long}]"),
            Way::Long(long) if is_optional => write!(f, "[{short}--{long} <{name}>]{many}"),
            Way::Long(long) => write!(f, "{short}--{long} <{name}>{many}"),
            Way::Rest if is_optional => write!(f, "[<{name}…>]"),
            Way::Rest => write!(f, "<{name}…>"),
            Way::Last if is_optional => write!(f, "[-- <{name}>…]"),
            Way::Last => write!(f, "-- <{name}>…"),
            Way::Positional if is_optional => write!(f, "[<{name}>{many}]"),
            Way::Positional | Way::Body => write!(f, "<{name}>{many}"),
        }
    }
}

/// Displays a usage line: `add <n> [--loud]`.
pub(crate) struct Usage<'u> {
    pub(crate) name: &'u str,
    pub(crate) params: &'u [Param],
}

impl fmt::Display for Usage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut given = self.params.iter().filter(|param| param.way != Way::Injected).peekable();
        match self.name.split_once(' ') {
            // In the middle of the name, as a person gives them.
            Some((group, word)) if leading(self.params) > 0 => {
                f.write_str(group)?;
                for param in given.by_ref().take(leading(self.params)) {
                    write!(f, " {param}")?;
                }
                write!(f, " {word}")?;
            }
            _ => f.write_str(self.name)?,
        }
        while let Some(param) = given.next() {
            let Some((of, is_optional)) = param.alternative() else {
                write!(f, " {param}")?;
                continue;
            };
            let (open, close) = if is_optional { (" [", "]") } else { (" (", ")") };
            write!(f, "{open}{param}")?;
            while let Some(other) = given.next_if(|p| p.alternative().is_some_and(|p| p.0 == of)) {
                write!(f, " | {other}")?;
            }
            f.write_str(close)?;
        }
        Ok(())
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
    let Kind { ty, choices, aliases, is_map, range, schema, arity, secret, .. } = kind;
    let Kind { needs, wanted, check, at_start, body, group, .. } = kind;
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
        schema,
        arity,
        way,
        word: NO_WORD,
        default,
        needs,
        wanted,
        check,
        secret,
        at_start,
        body,
        propose: None,
        group,
        extra: None,
    }
}

/// The index of the word of a parameter that takes none, or many. No command has so many words.
const NO_WORD: u32 = u32::MAX;

/// Gives the parameters of a command the indices of their words.
pub(crate) const fn number(params: &mut [Param]) {
    let (mut i, mut words) = (0, 0);
    while i < params.len() {
        let param = &mut params[i];
        if param.way.is_positional() {
            if !matches!(param.arity, Arity::Many) {
                param.word = words;
            }
            words += 1;
        }
        i += 1;
    }
}

/// Creates a flag.
#[doc(hidden)]
pub const fn flag(name: &'static str, help: &'static str, way: Option<Way>) -> Param {
    param(name, help, way, None, <bool as FromRequest<'_>>::KIND)
}

/// Rejects ambiguous declarations at compile time. `flat` are the declared parameters, with those of groups in their
/// places.
// `track_caller` makes the error point at the author's parameter.
#[doc(hidden)]
#[track_caller]
pub const fn check(declared: &[Param], flat: &[Param], index: usize) {
    #[cfg(feature = "tokio")]
    assert!(
        !matches!(declared[index].needs, Needs::AsyncBody),
        "an `AsyncBody` is for an `async fn`: take a `Body`",
    );
    check_each(declared, flat, index);
}

#[track_caller]
const fn check_each(declared: &[Param], flat: &[Param], index: usize) {
    check_group(declared, index);
    let (mut i, end) = (base(declared, index), base(declared, index + 1));
    while i < end {
        check_all(flat, i);
        i += 1;
    }
}

/// Checks a parameter that stands for others, or for a command.
#[track_caller]
const fn check_group(declared: &[Param], index: usize) {
    let this = &declared[index];
    let is_alone = matches!(this.group, Group::Alone);
    assert!(
        is_alone || !matches!(this.arity, Arity::Nested),
        "a group of parameters can't be in an `Option`, unless it is an enum that derives `Args`: make its fields optional",
    );
    assert!(
        is_alone
            || matches!(this.way, Way::Injected)
                && this.default.is_none()
                && !this.secret
                && this.propose.is_none(),
        "the parameters of a group have their own #[arg(…)]: remove this one",
    );
    let mut i = 0;
    while i < declared.len() {
        if let Group::Commands(_) = declared[i].group {
            assert!(
                i >= index && !is_alone
                    || is_alone && this.is_injected()
                    || i > index && this.can_lead(),
                "the commands of an enum have the parameters of its variants: make this one a field of a variant, or a required word in front of the enum",
            );
            assert!(
                i < index || this.body.is_none(),
                "a body follows the words of the command: move it behind the other parameters",
            );
        }
        i += 1;
    }
}

#[track_caller]
const fn check_all(params: &[Param], index: usize) {
    let this = &params[index];
    assert!(
        !matches!(this.arity, Arity::Nested) || !this.ty.is_empty() && this.body.is_none(),
        "an injected value is always there: remove `Option`",
    );
    assert!(
        !matches!(this.arity, Arity::Nested),
        "Option, Vec and maps can't be nested in a parameter: use one of them",
    );
    let injected = this.is_injected();
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
    check_rest(matches!((this.way, this.arity), (Way::Rest, Arity::Many)));
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
        assert!(
            injected || params[i].is_injected() || !is_same(this.name, params[i].name),
            "an earlier parameter has the name of this one, or of one in its group: rename one of the two",
        );
        if let (Some(option), Some(earlier)) = (this.way.option(), params[i].way.option()) {
            assert!(
                !is_same(option, earlier),
                "an earlier option has the name of this one, or of one in its group: rename one of the two",
            );
        }
        i += 1;
    }
    if !matches!(this.way, Way::Positional | Way::Rest) {
        return;
    }
    let mut i = 0;
    while i < index {
        let earlier = &params[i];
        if matches!(earlier.way, Way::Positional | Way::Rest) {
            check_order(earlier.placed(), this.placed());
        }
        i += 1;
    }
}

/// Rejects a name for an injected parameter.
#[doc(hidden)]
#[track_caller]
pub const fn check_name(declared: &[Param], index: usize) {
    let this = &declared[index];
    assert!(
        matches!(this.group, Group::Alone),
        "the parameters of a group have names of their own: remove `name`",
    );
    assert!(
        !this.is_injected(),
        "an injected parameter is not parsed from words: remove its #[arg(…)]",
    );
}

/// Like [`check`], for a parameter of an async command.
#[doc(hidden)]
#[track_caller]
pub const fn check_async(declared: &[Param], flat: &[Param], index: usize) {
    assert!(
        !matches!(declared[index].needs, Needs::Local),
        "an async command can't have a `Local`, which stays on one thread: write a plain `fn`, which can return a `Deferred`",
    );
    assert!(
        !matches!(declared[index].needs, Needs::Body),
        "a `Body` blocks its thread: an `async fn` takes an `AsyncBody`, with the feature `tokio`",
    );
    check_each(declared, flat, index);
}

/// Like [`check`], for a field of a type that derives `Args`, or of a variant that is a command.
#[doc(hidden)]
#[track_caller]
pub const fn check_field(declared: &[Param], flat: &[Param], index: usize) {
    let this = &declared[index];
    assert!(
        !matches!(this.group, Group::Commands(_)),
        "an enum that derives `Commands` is a parameter of a function: remove this field",
    );
    assert!(
        !matches!(this.group, Group::Alone) || !this.is_injected(),
        "a group has only parameters that are parsed from words: make this one a parameter of the command",
    );
    check(declared, flat, index);
}

/// Checks the field without a name of a variant that is a command.
#[doc(hidden)]
#[track_caller]
pub const fn check_unnamed(declared: &[Param]) {
    assert!(
        !matches!(declared[1].group, Group::Alone),
        "a field without a name is a type that derives `Args`: give the field a name",
    );
}

/// Checks an alternative of an enum that derives `Args`.
#[doc(hidden)]
#[track_caller]
pub const fn check_alternative(params: &[Param], index: usize) {
    let this = &params[index];
    assert!(
        matches!(this.group, Group::Alone),
        "a variant is given by one parameter: write a type that is parsed from words",
    );
    assert!(
        !matches!(this.arity, Arity::Optional),
        "a variant is given if its value is: remove `Option`",
    );
    check_field(params, params, index);
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut i = 0;
    while i < one.len() && i < other.len() && one[i] == other[i] {
        i += 1;
    }
    i == one.len() && i == other.len()
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
