//! From words to typed parameters.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::request::{Request, Words};
use crate::state::State;
use crate::wire::words::Splitter;
use crate::wire::{Frame, Place, Span};

/// What a word can be read as, so that it can be a parameter of a command.
///
/// Implemented for text (`&str`, `String`, `char`), bytes (`&[u8]`, `Vec<u8>`), integers, floats,
/// `bool`, [`Duration`], paths, `OsStr`, IP and socket addresses, `Option` of those (a parameter
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

    pub(crate) fn failure(&self, what: &str, word: &[u8]) -> Failure {
        let Self { code, reason } = self;
        Failure::new(code, format_args!("bad value for {what}: {}: {reason}", Shown(word)))
    }
}

/// A word that is no value, and why.
#[doc(hidden)]
#[derive(Debug)]
pub struct BadWord<'r> {
    word: &'r [u8],
    bad: BadValue,
}

/// A word in a message: quoted, escaped, and cut if it is long.
pub(crate) struct Shown<'w>(pub(crate) &'w [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        let text = String::from_utf8_lossy(&self.0[..self.0.len().min(LONGEST)]);
        let cut = if self.0.len() > LONGEST { "…" } else { "" };
        write!(f, "\"{}{cut}\"", text.escape_debug())
    }
}

/// What a command function can have as a parameter: an [`Arg`], or something injected.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a parameter of a command",
    label = "no such parameter",
    note = "parsed from words: text, bytes, numbers, bool, char, Duration, paths, addresses, `Option` and `Vec` of those",
    note = "injected: `State<T>` of a `T` that is `Send + Sync`, `Peer`, `&Request`",
    note = "a type of yours: `#[derive(dockipc::Arg)]`; a type with `FromStr`: `#[arg(from_str)]` at the parameter"
)]
pub trait FromRequest<'r>: Sized {
    const KIND: Kind;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure>;
}

/// What a parameter's type says of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    ty: &'static str,
    choices: &'static [&'static str],
    arity: Arity,
    wanted: fn() -> Option<(TypeId, &'static str)>,
    check: fn(&'static str) -> Result<(), BadValue>,
}

impl Kind {
    /// What is injected.
    const INJECTED: Self =
        Self { ty: "", choices: &[], arity: Arity::Injected, wanted: || None, check: |_| Ok(()) };
}

impl<'r, T: Arg<'r>> FromRequest<'r> for T {
    const KIND: Kind = Kind {
        ty: T::TYPE,
        choices: T::CHOICES,
        arity: T::ARITY,
        wanted: || None,
        check: |default| {
            let words = &mut std::iter::once(default.as_bytes());
            T::from_words(words).map(drop).map_err(|bad| bad.bad)
        },
    };

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        args.parse(index, |words| T::from_words(words))
    }
}

impl<'r, T: Send + Sync + 'static> FromRequest<'r> for State<T> {
    const KIND: Kind = <&State<T>>::KIND;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&State<T>>::from_request(args, index).cloned()
    }
}

impl<'r, T: Send + Sync + 'static> FromRequest<'r> for &'r State<T> {
    const KIND: Kind =
        Kind { wanted: || Some((TypeId::of::<T>(), std::any::type_name::<T>())), ..Kind::INJECTED };

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        // The server does not start without it.
        args.request.state().ok_or_else(|| {
            Failure::from(format!("no State<{}> was given", std::any::type_name::<T>()))
        })
    }
}

impl<'r> FromRequest<'r> for Peer {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request.peer().clone())
    }
}

impl<'r> FromRequest<'r> for &'r Peer {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request.peer())
    }
}

impl<'r> FromRequest<'r> for &'r Request<'r> {
    const KIND: Kind = Kind::INJECTED;

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(args.request)
    }
}

/// What can be a `#[arg(flag)]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a flag is a `bool`, not `{Self}`",
    label = "should be `bool`",
    note = "for an option with a value write `#[arg(long)]`"
)]
pub trait Flag: Sized {
    fn from_flag(given: bool) -> Self;
}

impl Flag for bool {
    fn from_flag(given: bool) -> Self {
        given
    }
}

/// What can be an `#[arg(from_str)]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from text",
    label = "has no `FromStr` with an error that is `Display`",
    note = "`from_str` is for types with `std::str::FromStr`; for an enum of unit variants write `#[derive(dockipc::Arg)]` without it"
)]
pub trait Parse: Sized {
    const REQUIRED: Kind = Kind {
        ty: <&str>::TYPE,
        choices: &[],
        arity: Arity::One,
        wanted: || None,
        check: |default| Self::from_word(default.as_bytes()).map(drop),
    };
    const OPTIONAL: Kind = Kind { arity: Arity::Optional, ..Self::REQUIRED };

    fn from_word(word: &[u8]) -> Result<Self, BadValue>;

    fn required(args: &Args<'_>, index: usize) -> Result<Self, Failure> {
        args.parse(index, |words| {
            let Some(word) = words.next() else { return Ok(None) };
            Self::from_word(word).map(Some).map_err(|bad| BadWord { word, bad })
        })
    }

    fn optional(args: &Args<'_>, index: usize) -> Result<Option<Self>, Failure> {
        args.has(index).then(|| Self::required(args, index)).transpose()
    }
}

// So that an error names the parameter's type and our words, not the whole list of `FromStr`.
#[diagnostic::do_not_recommend]
impl<T: std::str::FromStr<Err: fmt::Display>> Parse for T {
    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        text(word)?.parse().map_err(BadValue::new)
    }
}

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
    pub default: Option<Fallback>,
    /// The state that it wants, if any.
    pub wanted: fn() -> Option<(TypeId, &'static str)>,
    /// Whether the word of a default is a value.
    pub check: fn(&'static str) -> Result<(), BadValue>,
}

/// What a parameter is when it is left out.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// This word, read as if it had been sent.
    Word(&'static str),
    /// A value, made by an expression that reads like this.
    Value(&'static str),
}

impl fmt::Display for Fallback {
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
    fn option(self) -> Option<&'static str> {
        match self {
            Self::Long(name) | Self::Flag(name) => Some(name),
            _ => None,
        }
    }

    fn is_positional(self) -> bool {
        matches!(self, Self::Positional | Self::Rest)
    }
}

impl Param {
    /// The name as a caller writes it.
    fn given_name(&self) -> String {
        self.way.option().map_or_else(|| self.name.to_owned(), |option| format!("--{option}"))
    }

    /// Whether the parameter may be left out.
    pub(crate) fn may_lack(&self) -> bool {
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
            Way::Long(long) if self.may_lack() => write!(f, "[--{long} <{name}>]{many}"),
            Way::Long(long) => write!(f, "--{long} <{name}>"),
            Way::Rest if self.may_lack() => write!(f, "[<{name}…>]"),
            Way::Rest => write!(f, "<{name}…>"),
            Way::Positional if self.may_lack() => write!(f, "[<{name}>{many}]"),
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
    default: Option<Fallback>,
    kind: Kind,
) -> Param {
    let Kind { ty, choices, arity, wanted, check } = kind;
    let way = match (way, arity) {
        (Some(way), _) => way,
        (None, Arity::Injected) => Way::Injected,
        (None, _) => Way::Positional,
    };
    Param { name, help, ty, choices, arity, way, default, wanted, check }
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
        !injected || (matches!(this.way, Way::Injected) && this.default.is_none()),
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

/// Buffers for one command at a time, kept for the next.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The words of a RESP command as they came.
    pub(crate) incoming: Vec<Span>,
    /// The words after the name that are no option.
    words: Vec<Span>,
    /// The options: which parameter, and its value.
    options: Vec<(usize, Span)>,
    /// Words that had to be written anew.
    text: Vec<u8>,
}

/// What a bound command is: borrowed from the input and from the scratch.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'r> {
    pub(crate) words: Words<'r>,
    options: &'r [(usize, Span)],
}

impl<'r> Bound<'r> {
    /// Each word with its parameter: first those that have a place, then options and flags.
    pub(crate) fn named<'p>(
        &self,
        params: &'p [Param],
    ) -> impl Iterator<Item = (&'p Param, &'r [u8])> + use<'p, 'r> {
        let Self { words, options } = *self;
        let mut placed = params.iter().filter(|param| param.way.is_positional()).peekable();
        // The last one may have many.
        let param = move || placed.next_if(|p| p.arity != Arity::Many).or(placed.peek().copied());
        let positional = std::iter::repeat_with(param).map_while(|param| param).zip(words.iter());
        let options = options.iter();
        let option = move |(index, span): &(usize, Span)| {
            (&params[*index], span.of(words.input, words.text))
        };
        positional.chain(options.map(option))
    }
}

/// The name of a command, and its words, not split yet where they are on a line.
pub(crate) struct Unbound<'r> {
    input: &'r [u8],
    source: Source<'r>,
    scratch: &'r mut Scratch,
    name: Option<Span>,
    /// The words are the parameters' in their order.
    as_it_came: bool,
}

enum Source<'r> {
    Line(Splitter<'r>),
    /// The index of the next incoming word.
    Resp(usize),
}

impl<'r> Unbound<'r> {
    /// Takes the first word.
    pub(crate) fn new(
        input: &'r [u8],
        frame: Frame,
        scratch: &'r mut Scratch,
    ) -> Result<Self, Failure> {
        scratch.words.clear();
        scratch.options.clear();
        scratch.text.clear();
        let source = match frame {
            Frame::Line(span) => Source::Line(Splitter::new(&input[span.start..span.end])),
            Frame::Resp => Source::Resp(0),
        };
        let mut unbound = Self { input, source, scratch, name: None, as_it_came: false };
        unbound.name = unbound.next()?;
        Ok(unbound)
    }

    /// The first word; none on an empty line.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.name.map(|span| span.of(self.input, &self.scratch.text))
    }

    fn next(&mut self) -> Result<Option<Span>, Failure> {
        match &mut self.source {
            Source::Line(splitter) => splitter.next(&mut self.scratch.text).map_err(usage),
            Source::Resp(at) => {
                *at += 1;
                Ok(self.scratch.incoming.get(*at - 1).copied())
            }
        }
    }

    /// Whether an option seems to come next.
    fn dashes_are_next(&self) -> bool {
        match &self.source {
            Source::Line(splitter) => splitter.peek().starts_with(b"--"),
            Source::Resp(at) => {
                let span = self.scratch.incoming.get(*at);
                span.is_some_and(|span| span.of(self.input, &[]).starts_with(b"--"))
            }
        }
    }

    /// The untouched rest of a line; the rest of RESP's words with a blank between them.
    fn rest(&mut self) -> Option<Span> {
        let Scratch { incoming, text, .. } = &mut *self.scratch;
        match &mut self.source {
            Source::Line(splitter) => splitter.rest(),
            Source::Resp(at) => {
                let rest = incoming.get(*at..).unwrap_or_default();
                *at = incoming.len();
                let [first, more @ ..] = rest else { return None };
                if more.is_empty() {
                    return Some(*first);
                }
                let start = text.len();
                for (i, span) in rest.iter().enumerate() {
                    if i > 0 {
                        text.push(b' ');
                    }
                    text.extend_from_slice(&self.input[span.start..span.end]);
                }
                Some(Span { start, end: text.len(), place: Place::Text })
            }
        }
    }

    /// Takes all words as they are, for a handler that has no declared parameters. With a failure, the
    /// words are those in front of it.
    pub(crate) fn all(mut self) -> (&'r [u8], Words<'r>, Result<(), Failure>) {
        let (name, mut result) = (self.name, Ok(()));
        let words = if let Source::Resp(_) = self.source {
            self.unchanged().words
        } else {
            loop {
                match self.next() {
                    Ok(Some(span)) => self.scratch.words.push(span),
                    Ok(None) => break,
                    Err(failure) => {
                        result = Err(failure);
                        break;
                    }
                }
            }
            self.bound().words
        };
        (name.map(|span| span.of(words.input, words.text)).unwrap_or_default(), words, result)
    }

    /// The same when some words have been taken already.
    #[cold]
    pub(crate) fn all_again(mut self) -> (&'r [u8], Words<'r>, Result<(), Failure>) {
        self.scratch.words.clear();
        match &mut self.source {
            Source::Resp(at) => *at = 1,
            Source::Line(splitter) => {
                splitter.begin_again();
                // The name, which could be read before.
                let _ = splitter.next(&mut self.scratch.text);
            }
        }
        self.all()
    }

    /// Finds each parameter's words. The message of a failure is not about a command yet.
    pub(crate) fn bind(&mut self, params: &[Param]) -> Result<(), Failure> {
        let has_options = params.iter().any(|param| param.way.option().is_some());
        let positional = params.iter().filter(|param| param.way.is_positional());
        let before_rest = params
            .iter()
            .filter(|param| param.way.is_positional())
            .position(|param| param.way == Way::Rest);
        let most = match positional.clone().next_back() {
            Some(last) if last.arity == Arity::Many && last.way == Way::Positional => usize::MAX,
            _ => positional.count(),
        };
        if let (Source::Resp(_), false, None) = (&self.source, has_options, before_rest) {
            let words = self.scratch.incoming.get(1..).unwrap_or_default();
            if let Some(word) = words.get(most) {
                let word = Shown(word.of(self.input, &[]));
                return Err(usage(format_args!("unexpected word {word}")));
            }
            self.as_it_came = true;
            return Ok(());
        }
        let mut options_end = !has_options;
        loop {
            let at_rest = before_rest == Some(self.scratch.words.len());
            if at_rest && (options_end || !self.dashes_are_next()) {
                let rest = self.rest();
                self.scratch.words.extend(rest);
                break;
            }
            let Some(span) = self.next()? else { break };
            let word = span.of(self.input, &self.scratch.text);
            if !options_end && word == b"--" {
                options_end = true;
            } else if let Some(option) = word.strip_prefix(b"--").filter(|_| !options_end) {
                let (index, value) = find_option(params, option)?;
                let value = match (params[index].way, value) {
                    (Way::Flag(_), None) => span,
                    (Way::Flag(name), Some(_)) => {
                        return Err(usage(format_args!("--{name} takes no value")));
                    }
                    (_, Some(length)) => Span { start: span.end - length, ..span },
                    (_, None) => self.next()?.ok_or_else(|| {
                        usage(format_args!("{} needs a value", params[index].given_name()))
                    })?,
                };
                self.scratch.options.push((index, value));
            } else if self.scratch.words.len() == most {
                return Err(usage(format_args!("unexpected word {}", Shown(word))));
            } else {
                self.scratch.words.push(span);
            }
        }
        Ok(())
    }

    /// What [`bind`](Self::bind) found.
    pub(crate) fn take(self) -> Bound<'r> {
        if self.as_it_came { self.unchanged() } else { self.bound() }
    }

    /// The words of a RESP command as they came.
    fn unchanged(self) -> Bound<'r> {
        let scratch: &'r Scratch = self.scratch;
        let spans = scratch.incoming.get(1..).unwrap_or_default();
        Bound { words: Words { input: self.input, text: &[], spans }, options: &[] }
    }

    fn bound(self) -> Bound<'r> {
        let scratch: &'r Scratch = self.scratch;
        let words = Words { input: self.input, text: &scratch.text, spans: &scratch.words };
        Bound { words, options: &scratch.options }
    }
}

#[cold]
fn usage(why: impl fmt::Display) -> Failure {
    Failure::new(code::USAGE, why)
}

/// The parameter that `--option` or `--option=value` means, and the length of the value.
fn find_option(params: &[Param], option: &[u8]) -> Result<(usize, Option<usize>), Failure> {
    let (name, value) = match option.iter().position(|&b| b == b'=') {
        Some(at) => (&option[..at], Some(option.len() - at - 1)),
        None => (option, None),
    };
    let found = params.iter().position(|p| p.way.option().is_some_and(|o| o.as_bytes() == name));
    found.map(|index| (index, value)).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        usage(format_args!("unknown option --{}", name.escape_debug()))
    })
}

/// The words of one request, by parameter; what generated code reads from.
#[doc(hidden)]
pub struct Args<'r> {
    pub(crate) request: &'r Request<'r>,
    pub(crate) bound: Bound<'r>,
    pub(crate) params: &'static [Param],
}

impl<'r> Args<'r> {
    /// Whether a flag was given.
    pub fn flag(&self, index: usize) -> bool {
        self.bound.options.iter().any(|(at, _)| *at == index)
    }

    /// Whether the parameter was given.
    pub fn has(&self, index: usize) -> bool {
        self.words_of(index).next().is_some()
    }

    fn parse<T>(
        &self,
        index: usize,
        read: impl Fn(&mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<T>, BadWord<'r>>,
    ) -> Result<T, Failure> {
        let param = &self.params[index];
        let given = match param.default {
            Some(Fallback::Word(word)) if !self.has(index) => {
                read(&mut std::iter::once(word.as_bytes()))
            }
            _ => read(&mut self.words_of(index)),
        };
        match given {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(usage(format_args!("{} is missing", param.given_name()))),
            Err(BadWord { word, bad }) => Err(bad.failure(&param.given_name(), word)),
        }
    }

    fn words_of(&self, index: usize) -> impl Iterator<Item = &'r [u8]> {
        let Bound { words, options } = self.bound;
        let way = self.params[index].way;
        let before = self.params[..index].iter().filter(|p| p.way.is_positional()).count();
        let take = match (way.is_positional(), self.params[index].arity) {
            (false, _) => 0,
            (true, Arity::Many) => usize::MAX,
            (true, _) => 1,
        };
        let positional = words.iter().skip(before).take(take);
        // A list takes every `--name value`, anything else the last.
        let is_list = self.params[index].arity == Arity::Many;
        let last = options.iter().rposition(|(at, _)| *at == index);
        let option = options
            .iter()
            .enumerate()
            .filter(move |(i, (at, _))| *at == index && (is_list || Some(*i) == last));
        positional.chain(option.map(move |(_, (_, span))| span.of(words.input, words.text)))
    }
}

fn text(word: &[u8]) -> Result<&str, BadValue> {
    std::str::from_utf8(word).map_err(|e| BadValue {
        code: code::UTF8,
        reason: format!("not UTF-8 at byte {}", e.valid_up_to()),
    })
}

/// What is said of a word that is no variant of a derived enum.
#[doc(hidden)]
pub fn no_choice(choices: &[&str]) -> BadValue {
    BadValue::new(format_args!("expected one of {}", choices.join(", ")))
}

impl<'r> Arg<'r> for &'r str {
    const TYPE: &'static str = "text";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        text(word)
    }
}

impl<'r> Arg<'r> for &'r [u8] {
    const TYPE: &'static str = "bytes";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        Ok(word)
    }
}

impl<'r> Arg<'r> for &'r OsStr {
    const TYPE: &'static str = "text";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        Ok(OsStr::from_bytes(word))
    }
}

impl Arg<'_> for OsString {
    const TYPE: &'static str = "text";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        Ok(Self::from_vec(word.to_vec()))
    }
}

impl<'r> Arg<'r> for &'r Path {
    const TYPE: &'static str = "path";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        if word.contains(&0) {
            return Err(BadValue::new("a path can't have a NUL byte"));
        }
        Ok(Path::new(OsStr::from_bytes(word)))
    }
}

impl Arg<'_> for PathBuf {
    const TYPE: &'static str = "path";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        <&Path>::from_word(word).map(Path::to_path_buf)
    }
}

impl Arg<'_> for bool {
    const TYPE: &'static str = "boolean";
    const CHOICES: &'static [&'static str] = &["true", "false"];

    /// Also `yes`, `on`, `1` and `no`, `off`, `0`.
    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        match word {
            b"true" | b"yes" | b"on" | b"1" => Ok(true),
            b"false" | b"no" | b"off" | b"0" => Ok(false),
            _ => Err(BadValue::new("expected true or false")),
        }
    }
}

impl Arg<'_> for char {
    const TYPE: &'static str = "character";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        let mut chars = text(word)?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(BadValue::new("expected one character")),
        }
    }
}

impl Arg<'_> for Duration {
    const TYPE: &'static str = "duration";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        text(word)?
            .parse::<Units>()
            .map(|units| units.0)
            .map_err(|()| BadValue::new("expected a duration such as 200ms, 1.5s, 3m or 1h30m"))
    }
}

/// Numbers with a unit, one after another.
struct Units(Duration);

impl std::str::FromStr for Units {
    type Err = ();

    fn from_str(mut rest: &str) -> Result<Self, ()> {
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(());
        }
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(())?;
            let (digits, more) = rest.split_at(number);
            let unit = more.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(more.len());
            let (unit, more) = more.split_at(unit);
            let nanos: u128 = match unit {
                "ns" => 1,
                "us" | "µs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" | "min" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                "d" => 86_400_000_000_000,
                _ => return Err(()),
            };
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let whole: u128 = whole.parse().map_err(drop)?;
            // Nine digits are a nanosecond of a second; more are too small to matter.
            let fraction = &fraction[..fraction.len().min(15)];
            let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(drop)?);
            let fraction: u128 = fraction.parse().map_err(drop)?;
            let part = whole.checked_mul(nanos).ok_or(())?;
            let part = part.checked_add(fraction * nanos / scale).ok_or(())?;
            let seconds = u64::try_from(part / 1_000_000_000).map_err(drop)?;
            let nanos = u32::try_from(part % 1_000_000_000).map_err(drop)?;
            total = total.checked_add(Duration::new(seconds, nanos)).ok_or(())?;
            rest = more;
        }
        Ok(Self(total))
    }
}

macro_rules! integers {
    ($($int:ty $({ $($more:tt)* })?)*) => {$(
        impl<'r> Arg<'r> for $int {
            const TYPE: &'static str = "integer";

            fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
                text(word)?.parse().map_err(|_| BadValue::new(format_args!(
                    "expected an integer from {} to {}", <$int>::MIN, <$int>::MAX
                )))
            }
            $($($more)*)?
        }
    )*};
}

integers! {
    u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
    u8 {
        const LIST: Arity = Arity::One;

        fn list_from_words(
            words: &mut dyn Iterator<Item = &'r [u8]>,
        ) -> Result<Option<Vec<u8>>, BadWord<'r>> {
            Ok(words.next().map(<[u8]>::to_vec))
        }
    }
}

macro_rules! nonzero {
    ($($int:ident)*) => {$(
        impl Arg<'_> for std::num::$int {
            const TYPE: &'static str = "integer";

            fn from_word(word: &[u8]) -> Result<Self, BadValue> {
                text(word)?.parse().map_err(|_| BadValue::new(format_args!(
                    "expected an integer from {} to {}, not 0", Self::MIN, Self::MAX
                )))
            }
        }
    )*};
}

nonzero! {
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
}

// The reasons are ours: those of std's errors differ between compilers, and give no example.
macro_rules! by_from_str {
    ($($ty:ty: $what:literal, $such_as:literal;)*) => {$(
        impl Arg<'_> for $ty {
            const TYPE: &'static str = $what;

            fn from_word(word: &[u8]) -> Result<Self, BadValue> {
                text(word)?.parse().map_err(|_| BadValue::new(concat!("expected ", $such_as)))
            }
        }
    )*};
}

by_from_str! {
    String: "text", "text";
    f32: "number", "a number such as 1.5";
    f64: "number", "a number such as 1.5";
    std::net::IpAddr: "address", "an address such as 127.0.0.1 or ::1";
    std::net::Ipv4Addr: "address", "an address such as 127.0.0.1";
    std::net::Ipv6Addr: "address", "an address such as ::1";
    std::net::SocketAddr: "address", "an address and a port such as 127.0.0.1:80 or [::1]:80";
    std::net::SocketAddrV4: "address", "an address and a port such as 127.0.0.1:80";
    std::net::SocketAddrV6: "address", "an address and a port such as [::1]:80";
}

impl<'r, T: Arg<'r>> Arg<'r> for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const ARITY: Arity = T::ARITY.with(Arity::Optional);

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        T::from_word(word).map(Some)
    }

    fn from_nothing() -> Option<Self> {
        Some(None)
    }
}

impl<'r, T: Arg<'r>> Arg<'r> for Vec<T> {
    const TYPE: &'static str = match T::LIST {
        Arity::One => "bytes",
        _ => T::TYPE,
    };
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const ARITY: Arity = T::ARITY.with(T::LIST);

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        match T::list_from_words(&mut std::iter::once(word)) {
            Ok(list) => Ok(list.unwrap_or_default()),
            Err(BadWord { bad, .. }) => Err(bad),
        }
    }

    fn from_words(words: &mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<Self>, BadWord<'r>> {
        T::list_from_words(words)
    }
}
