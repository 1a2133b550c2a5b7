//! [`Extra`], the keys of `#[arg(…)]` that few parameters have, and the code for them.

use std::fmt::{self, Write as _};

use super::bind::{BindShort, bind_short};
use super::{Args, DefaultValue, Param};
use crate::arg::{Arity, BadValue, usage};
use crate::caught::caught;
use crate::error::Failure;
use crate::reply::{IntoReply, Reply};
use crate::text::decimals;
use crate::wire::words::Splitter;

/// The keys of `#[arg(…)]` that few parameters have.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// The short name of an option as a usage line has it, `-n|`; empty if there is none.
    pub short: &'static str,
    /// The smallest number.
    pub min: Option<&'static str>,
    /// The largest number.
    pub max: Option<&'static str>,
    /// The number that a float must be less than, in place of `max`.
    pub below: Option<&'static str>,
    /// The fewest and the most bytes of a word.
    pub len: (usize, usize),
    /// The fewest and the most words of a list.
    pub count: (usize, usize),
    /// A pattern, and whether it matches a text.
    pub pattern: Option<(&'static str, Matches)>,
    /// Whether a path must be absolute.
    pub absolute: bool,
    /// The value that our own clients fill in: `cwd` or `env`.
    pub caller: Option<&'static str>,
    pub code: &'static ExtraCode,
}

type Matches = fn(&str) -> bool;

/// The code for [`Extra`]. It is named by generated code alone, so that a program without such a parameter does not
/// contain it.
#[derive(Debug)]
pub struct ExtraCode {
    /// Returns the fields of a description.
    pub(crate) describe: fn(&Param, &Extra) -> Vec<(&'static str, Reply)>,
    /// Returns the accepted values, to stand behind the type.
    pub(crate) values: fn(&Param, &Extra) -> String,
    /// Returns why the default of a parameter is invalid.
    pub(crate) bad_default: fn(&Param, &Extra) -> Option<String>,
    pub(super) bind_short: BindShort,
}

static CODE: ExtraCode = ExtraCode { describe, values, bad_default, bind_short };

const ANY: (usize, usize) = (0, usize::MAX);

impl Extra {
    pub const NONE: Self = Self {
        short: "",
        min: None,
        max: None,
        below: None,
        len: ANY,
        count: ANY,
        pattern: None,
        absolute: false,
        caller: None,
        code: &CODE,
    };

    /// Returns why a word is invalid, or `None` for a word that its type refuses.
    fn refuses(&self, param: &Param, word: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(word).ok();
        if self.has_range() && !text.is_none_or(|word| self.has_number(param, word)) {
            return Some(format!("expected {}", self.range(param)));
        }
        if !(self.len.0..=self.len.1).contains(&word.len()) {
            return Some(format!("expected {}", Count(self.len, "byte")));
        }
        if self.absolute && word.first() != Some(&b'/') {
            let why = "expected an absolute path, which begins with /; dockipc's program and clients make a path absolute";
            return Some(why.to_owned());
        }
        match self.pattern {
            Some((pattern, matches)) if !text.is_some_and(matches) => {
                Some(format!("expected a text that matches {pattern}"))
            }
            _ => None,
        }
    }

    const fn has_range(&self) -> bool {
        self.min.is_some() || self.max.is_some() || self.below.is_some()
    }

    /// The number that a float must be less than.
    fn below(&self, param: &Param) -> Option<&'static str> {
        self.below.filter(|_| param.range.is_none())
    }

    /// Returns whether a number is in the range. A word that is no number is left to its type.
    fn has_number(&self, param: &Param, word: &str) -> bool {
        if param.range.is_some() {
            let decimal = decimals::normal(word);
            return decimal.is_none_or(|word| {
                self.min.is_none_or(|min| decimals::order(&word, min).is_ge())
                    && self.max.is_none_or(|max| decimals::order(&word, max).is_le())
            });
        }
        let float = |text: &str| text.parse::<f64>().ok();
        // No range has NaN.
        float(word).is_none_or(|word| {
            self.min.and_then(float).is_none_or(|min| word >= min)
                && match self.below(param).and_then(float) {
                    Some(below) => word < below,
                    None => self.max.and_then(float).is_none_or(|max| word <= max),
                }
        })
    }

    /// Returns the range as words.
    fn range(&self, param: &Param) -> String {
        match (self.min, self.below(param), self.max) {
            (None, Some(below), _) => format!("less than {below}"),
            (Some(min), Some(below), _) => format!("at least {min} and less than {below}"),
            (Some(min), None, Some(max)) => format!("{min} to {max}"),
            (Some(min), None, None) => format!("at least {min}"),
            (None, None, max) => format!("at most {}", max.unwrap_or_default()),
        }
    }

    fn check_count(&self, param: &Param, count: usize) -> Result<(), Failure> {
        if count == 0 && (param.default.is_some() || param.arity != Arity::Many) {
            return Ok(());
        }
        let what = match count {
            0 if self.count.0 > 0 => return Err(param.is_missing()),
            _ if count < self.count.0 => "few",
            _ if count > self.count.1 => "many",
            _ => return Ok(()),
        };
        let (name, expected) = (param.given_name(), Count(self.count, "value"));
        Err(usage(format_args!("too {what} values for {name}: {count}: expected {expected}")))
    }
}

impl Args<'_> {
    /// Checks the words of a parameter with an [`Extra`]. The default is checked when the server starts.
    pub fn check(&self, index: usize) -> Result<(), Failure> {
        let param = &self.params[index];
        let Some(extra) = param.extra else { return Ok(()) };
        extra.check_count(param, self.words_of(index).count())?;
        for word in self.words_of(index) {
            if let Some(why) = extra.refuses(param, word) {
                let name = param.given_name();
                return Err(if param.secret {
                    usage(format_args!("bad value for {name}: {why}"))
                } else {
                    BadValue::new(why).failure(&name, word, "")
                });
            }
        }
        Ok(())
    }
}

fn describe(param: &Param, extra: &Extra) -> Vec<(&'static str, Reply)> {
    let mut fields = Vec::new();
    let mut put = |name, value| fields.push((name, value));
    // The range of an integer is described as that of its type.
    if param.range.is_none() {
        let below = extra.below(param);
        let max = extra.max.filter(|_| below.is_none());
        for (name, limit) in [("min", extra.min), ("max", max), ("below", below)] {
            if let Some(limit) = limit {
                put(name, limit.into_reply());
            }
        }
    }
    for (name, limit, none) in [
        ("min_len", extra.len.0, 0),
        ("max_len", extra.len.1, usize::MAX),
        ("min_count", extra.count.0, 0),
        ("max_count", extra.count.1, usize::MAX),
    ] {
        if limit != none {
            put(name, limit.into_reply());
        }
    }
    if let Some((pattern, _)) = extra.pattern {
        put("pattern", pattern.into_reply());
    }
    if !extra.short.is_empty() {
        put("short", extra.short.trim_end_matches('|').into_reply());
    }
    if extra.absolute {
        put("absolute", Reply::Int(1));
    }
    if let Some(caller) = extra.caller {
        put("caller", caller.into_reply());
    }
    fields
}

fn values(param: &Param, extra: &Extra) -> String {
    let mut parts = Vec::new();
    if extra.has_range() {
        parts.push(extra.range(param));
    }
    if extra.len != ANY {
        parts.push(format!("{}", Count(extra.len, "byte")));
    }
    if let Some((pattern, _)) = extra.pattern {
        parts.push(format!("matching {pattern}"));
    }
    if extra.absolute {
        parts.push("absolute".to_owned());
    }
    match extra.caller {
        Some("cwd") => parts.push("by dockipc's clients the caller's directory".to_owned()),
        Some(_) => parts.push("by dockipc's clients the caller's environment".to_owned()),
        None => {}
    }
    if extra.count != ANY {
        parts.push(format!("{}", Count(extra.count, "value")));
    } else if param.arity == Arity::Many {
        parts.push("any number".to_owned());
    }
    let mut text = String::new();
    for part in parts {
        // Writing to a String does not fail.
        let _ = write!(text, ", {part}");
    }
    text
}

/// Checks the default of a parameter: a word, or the value of the author's expression as words.
fn bad_default(param: &Param, extra: &Extra) -> Option<String> {
    let shown = match param.default? {
        DefaultValue::Word(word) => Some(word.to_owned()),
        DefaultValue::Value(value) => caught(value)?.ok()?,
    }?;
    if param.arity != Arity::Many {
        return extra.refuses(param, shown.as_bytes());
    }
    // The words of a list are quoted.
    let (mut splitter, mut text) = (Splitter::new(shown.as_bytes()), Vec::new());
    let mut count = 0;
    while let Ok(Some(span)) = splitter.next(&mut text) {
        count += 1;
        if let Some(why) = extra.refuses(param, span.of(shown.as_bytes(), &text)) {
            return Some(why);
        }
    }
    extra.check_count(param, count).err().map(|failure| failure.message().to_owned())
}

/// Displays the fewest and the most of something: `1 to 3 bytes`.
struct Count((usize, usize), &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((min, max), unit) = *self;
        let last = match (min, max) {
            (min, usize::MAX) => {
                write!(f, "at least {min}")?;
                min
            }
            (0, max) => {
                write!(f, "at most {max}")?;
                max
            }
            (min, max) if min == max => {
                write!(f, "{min}")?;
                max
            }
            (min, max) => {
                write!(f, "{min} to {max}")?;
                max
            }
        };
        write!(f, " {unit}{}", if last == 1 { "" } else { "s" })
    }
}

impl Param {
    /// Adds the keys that few parameters have.
    #[must_use]
    pub const fn with(self, extra: &'static Extra) -> Self {
        let range = match self.range {
            Some((min, max)) => Some((or(extra.min, min), or(extra.max, max))),
            None => None,
        };
        Self { range, extra: Some(extra), ..self }
    }
}

/// A pattern, which is compiled when it is first used.
#[doc(hidden)]
#[cfg(feature = "pattern")]
#[derive(Debug)]
pub struct Pattern {
    pattern: &'static str,
    regex: std::sync::OnceLock<Option<regex_lite::Regex>>,
}

#[cfg(feature = "pattern")]
impl Pattern {
    pub const fn new(pattern: &'static str) -> Self {
        Self { pattern, regex: std::sync::OnceLock::new() }
    }

    /// Returns whether the pattern matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let whole = || regex_lite::Regex::new(&format!(r"\A(?:{})\z", self.pattern)).ok();
        // The macro has checked that the pattern compiles.
        self.regex.get_or_init(whole).as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Rejects keys that do not fit the type, at compile time.
#[track_caller]
pub(super) const fn check_extra(param: &Param, extra: &Extra) {
    let is_integer = same(param.ty, "integer");
    let is_number = is_integer || same(param.ty, "number");
    let is_path = same(param.ty, "path");
    assert!(
        !extra.has_range() || is_number && !param.is_map,
        "`range` is for integers and floats: check values of other types in the `from_word` of a type of your own",
    );
    assert!(
        !is_integer
            || !is_fraction(extra.min) && !is_fraction(extra.max) && !is_fraction(extra.below),
        "the limits of an integer are integers: write for example `range = 0..=100`",
    );
    let is_text = !is_number && param.choices.is_empty() && !param.is_map;
    assert!(
        extra.len.0 == 0 && extra.len.1 == usize::MAX || is_text,
        "`min_len` and `max_len` are for text, bytes and paths: for a number write `range = …`",
    );
    assert!(
        extra.pattern.is_none() || is_text,
        "`pattern` is for text: for a number write `range = …`",
    );
    if let Some(caller) = extra.caller {
        assert!(
            !same(caller, "cwd") || is_path && matches!(param.arity, Arity::One | Arity::Optional),
            "the caller's directory is a path: make the type `PathBuf`, or `Option<PathBuf>`, which is `None` for other clients",
        );
        assert!(
            same(caller, "cwd") || param.is_map,
            "the caller's environment is a map: make the type `HashMap<OsString, OsString>`, which is empty for other clients",
        );
    }
    assert!(
        !extra.absolute || is_path && !param.is_map,
        "`absolute` is for a path: make the type `PathBuf` or `&Path`",
    );
    assert!(
        extra.count.0 == 0 && extra.count.1 == usize::MAX || matches!(param.arity, Arity::Many),
        "`min` and `max` count the words of a `Vec`: for the value of a number write `range = …`, for the length of a text `min_len` and `max_len`",
    );
}

const fn or(limit: Option<&'static str>, of_type: &'static str) -> &'static str {
    match limit {
        Some(limit) => limit,
        None => of_type,
    }
}

const fn is_fraction(limit: Option<&str>) -> bool {
    let Some(limit) = limit else { return false };
    let mut rest = limit.as_bytes();
    while let [first, others @ ..] = rest {
        if !first.is_ascii_digit() && *first != b'-' {
            return true;
        }
        rest = others;
    }
    false
}

const fn same(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while let ([a, rest @ ..], [b, others @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (rest, others);
    }
    one.is_empty() && other.is_empty()
}
