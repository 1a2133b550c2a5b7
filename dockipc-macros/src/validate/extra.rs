//! The checks of the keys that few parameters have: `range`, `min`, `max`, `min_len`, `max_len`, `pattern`, `short`,
//! `absolute` and `caller`.

use std::cmp::Ordering;
use std::fmt::Display;

use proc_macro2::Span;
use syn::{Expr, ExprRange, LitChar, LitInt, LitStr, RangeLimits, Type};

use super::default::expected;
use super::once;
use super::param::literal;
use crate::attr::ArgKey;
use crate::errors::Errors;
use crate::model::{DefaultValue, Extra};
use crate::tokens::{bare_expr, first_span, inside};

/// The keys, as far as they are there.
#[derive(Default)]
pub(super) struct ExtraKeys {
    range: Option<(Span, Expr)>,
    min: Option<(Span, LitInt)>,
    max: Option<(Span, LitInt)>,
    min_len: Option<(Span, LitInt)>,
    max_len: Option<(Span, LitInt)>,
    pattern: Option<(Span, LitStr)>,
    pub(super) short: Option<(Span, Option<LitChar>)>,
    absolute: Option<(Span, ())>,
    pub(super) caller: Option<(Span, LitStr)>,
}

impl ExtraKeys {
    /// Stores a key; returns any other one.
    pub(super) fn take(&mut self, span: Span, key: ArgKey, errors: &mut Errors) -> Option<ArgKey> {
        match key {
            ArgKey::Range(range) => once(&mut self.range, span, range, "range", errors),
            ArgKey::Min(min) => once(&mut self.min, span, min, "min", errors),
            ArgKey::Max(max) => once(&mut self.max, span, max, "max", errors),
            ArgKey::MinLen(min) => once(&mut self.min_len, span, min, "min_len", errors),
            ArgKey::MaxLen(max) => once(&mut self.max_len, span, max, "max_len", errors),
            ArgKey::Pattern(pattern) => once(&mut self.pattern, span, pattern, "pattern", errors),
            ArgKey::Short(short) => once(&mut self.short, span, short, "short", errors),
            ArgKey::Absolute => once(&mut self.absolute, span, (), "absolute", errors),
            ArgKey::Caller(caller) => once(&mut self.caller, span, caller, "caller", errors),
            other => return Some(other),
        }
        None
    }

    /// Returns the keys that a parameter without a value cannot have.
    pub(super) fn of_value(&self) -> impl Iterator<Item = (Span, &'static str)> {
        let (range, pattern) = (&self.range, &self.pattern);
        let numbers = [
            (&self.min, "min"),
            (&self.max, "max"),
            (&self.min_len, "min_len"),
            (&self.max_len, "max_len"),
        ];
        let numbers = numbers.into_iter().filter_map(|(key, name)| Some((key.as_ref()?.0, name)));
        let range = range.iter().map(|(span, _)| (*span, "range"));
        let absolute = self.absolute.iter().map(|(span, ())| (*span, "absolute"));
        let caller = self.caller.iter().map(|(span, _)| (*span, "caller"));
        let range = range.chain(absolute).chain(caller);
        range.chain(pattern.iter().map(|(span, _)| (*span, "pattern"))).chain(numbers)
    }

    /// Returns a key that only an option has.
    pub(super) fn option_key(&self) -> Option<(Span, &'static str)> {
        let short = self.short.as_ref().map(|(span, _)| (*span, "short"));
        short.or(self.caller.as_ref().map(|(span, _)| (*span, "caller")))
    }

    /// Checks the keys and a default that is a literal.
    pub(super) fn check(
        self,
        ty: &Type,
        default: Option<&DefaultValue>,
        errors: &mut Errors,
    ) -> Extra {
        let range = self.range.and_then(|(_, expr)| range(&expr, ty, errors)).unwrap_or_default();
        let len = limits(("min_len", self.min_len), ("max_len", self.max_len), errors);
        let count = limits(("min", self.min), ("max", self.max), errors);
        let pattern = self.pattern.and_then(|(span, pattern)| checked(&pattern, span, errors));
        let caller = self.caller.map(|(_, caller)| {
            let (value, span) = (caller.value(), caller.span());
            if value != "cwd" && value != "env" {
                let message =
                    "`caller` is the caller's directory, \"cwd\", or environment, \"env\"";
                errors.add(span, message);
            }
            value
        });
        let absolute = self.absolute.is_some() || caller.as_deref() == Some("cwd");
        if let Some(DefaultValue::Word(word, span)) = default {
            let mut invalid = |expected: &dyn Display| {
                errors.add(*span, format!("invalid default {word:?}: expected {expected}"));
            };
            if let Some(number) = Number::of(word)
                && !range.has(&number)
            {
                invalid(&range.shown());
            }
            match len {
                (Some(min), _) if word.len() < min => invalid(&format!("at least {min} bytes")),
                (_, Some(max)) if word.len() > max => invalid(&format!("at most {max} bytes")),
                _ => {}
            }
            if absolute && !word.starts_with('/') {
                invalid(&"an absolute path");
            }
            if let Some(pattern) = pattern.as_ref().filter(|pattern| !matches(pattern, word)) {
                invalid(&format!("a text that matches {pattern}"));
            }
        }
        let text = |number: Option<Number>| number.map(|number| number.text);
        Extra {
            short: None,
            min: text(range.min),
            max: text(range.max),
            below: text(range.below),
            len,
            count,
            pattern,
            absolute,
            caller,
        }
    }
}

/// The limits of a number. `below` is a limit that the number is less than; for an integer, `max` is the same limit.
#[derive(Default)]
struct Range {
    min: Option<Number>,
    max: Option<Number>,
    below: Option<Number>,
}

impl Range {
    fn has(&self, number: &Number) -> bool {
        self.min.as_ref().is_none_or(|min| number.order(min).is_ge())
            && match (&self.below, &self.max) {
                (Some(below), _) => number.order(below).is_lt(),
                (None, max) => max.as_ref().is_none_or(|max| number.order(max).is_le()),
            }
    }

    fn shown(&self) -> String {
        let text = |number: &Option<Number>| number.as_ref().map(|number| number.text.clone());
        match (text(&self.min), text(&self.max), text(&self.below)) {
            (Some(min), Some(max), _) => format!("{min} to {max}"),
            (Some(min), None, Some(below)) => format!("at least {min} and less than {below}"),
            (Some(min), None, None) => format!("at least {min}"),
            (None, None, Some(below)) => format!("less than {below}"),
            (None, max, _) => format!("at most {}", max.unwrap_or_default()),
        }
    }
}

/// A number that is written in the source.
struct Number {
    text: String,
    /// The sign and the digits of an integer.
    integer: Option<(bool, u128)>,
    float: f64,
}

impl Number {
    fn of(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let integer = digits.parse().ok().map(|digits| (is_negative && digits > 0, digits));
        let float = text.parse().ok()?;
        let text = integer.map_or_else(|| text.to_owned(), Self::shown);
        Some(Self { text, integer, float })
    }

    fn shown((is_negative, digits): (bool, u128)) -> String {
        format!("{}{digits}", if is_negative { "-" } else { "" })
    }

    /// Returns the integer before this one; `None` for a float.
    fn before(&self) -> Option<Self> {
        let (is_negative, digits) = match self.integer? {
            (true, digits) => (true, digits.checked_add(1)?),
            (false, 0) => (true, 1),
            (false, digits) => (false, digits - 1),
        };
        Self::of(&Self::shown((is_negative, digits)))
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self.integer, other.integer) {
            (Some((true, digits)), Some((true, others))) => others.cmp(&digits),
            (Some((false, digits)), Some((false, others))) => digits.cmp(&others),
            (Some((is_negative, _)), Some((is_other_negative, _))) => {
                is_other_negative.cmp(&is_negative)
            }
            _ => self.float.total_cmp(&other.float),
        }
    }
}

fn range(expr: &Expr, ty: &Type, errors: &mut Errors) -> Option<Range> {
    let example = "write for example `range = 0..=100`";
    let Expr::Range(ExprRange { start, limits, end, .. }) = bare_expr(expr) else {
        errors.add(first_span(expr), format!("`range` needs a range of numbers: {example}"));
        return None;
    };
    if start.is_none() && end.is_none() {
        errors.add(first_span(expr), format!("`..` has every number: {example}"));
        return None;
    }
    let ty = ["Option", "Vec", "Secret"].iter().find_map(|outer| inside(outer, ty)).unwrap_or(ty);
    let mut limit = |expr: &Expr, is_excluded: bool| {
        let span = first_span(expr);
        let number =
            literal(expr).and_then(|(word, is_number)| Number::of(&word).filter(|_| is_number));
        let Some(number) = number else {
            errors.add(span, format!("a limit of `range` is a number: {example}"));
            return None;
        };
        let last = if is_excluded { number.before() } else { None };
        let last = last.as_ref().unwrap_or(&number);
        if let Some(expected) = expected(ty, &last.text) {
            errors.add(span, format!("invalid limit {}: {expected}", last.text));
        }
        Some(number)
    };
    let is_excluded = matches!(limits, RangeLimits::HalfOpen(_));
    let min = start.as_ref().map(|start| limit(start, false));
    let end = end.as_ref().map(|end| limit(end, is_excluded));
    let (min, end) = (
        min.map_or(Some(None), |min| min.map(Some))?,
        end.map_or(Some(None), |end| end.map(Some))?,
    );
    let range = match end {
        Some(end) if is_excluded => Range { min, max: end.before(), below: Some(end) },
        max => Range { min, max, below: None },
    };
    if let Some(min) = range.min.as_ref().filter(|min| !range.has(min)) {
        let message = format!("no number is in this range: its end is less than {}", min.text);
        errors.add(first_span(expr), message);
    }
    Some(range)
}

/// Returns the smallest and the largest number of something.
fn limits(
    (min_key, min): (&str, Option<(Span, LitInt)>),
    (max_key, max): (&str, Option<(Span, LitInt)>),
    errors: &mut Errors,
) -> (Option<usize>, Option<usize>) {
    let mut number =
        |limit: &Option<(Span, LitInt)>| errors.take(limit.as_ref()?.1.base10_parse::<usize>());
    let (least, most) = (number(&min), number(&max));
    if let (Some(least), Some(most), Some((span, _))) = (least, most, max)
        && least > most
    {
        errors.add(span, format!("`{max_key}` is less than `{min_key}`: exchange the two"));
    }
    (least, most)
}

/// Returns a pattern that compiles.
#[cfg(feature = "pattern")]
fn checked(pattern: &LitStr, _: Span, errors: &mut Errors) -> Option<String> {
    let text = pattern.value();
    let compiled = regex_lite::Regex::new(&text).and_then(|_| whole(&text));
    match compiled {
        Ok(_) => Some(text),
        Err(error) => {
            errors.add(pattern.span(), format!("invalid pattern {text:?}: {error}"));
            None
        }
    }
}

#[cfg(not(feature = "pattern"))]
fn checked(_: &LitStr, span: Span, errors: &mut Errors) -> Option<String> {
    let message = "`pattern` requires the feature `pattern` of dockipc: write `features = [\"pattern\"]` in Cargo.toml";
    errors.add(span, message);
    None
}

/// Compiles a pattern that matches a whole text.
#[cfg(feature = "pattern")]
fn whole(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::Regex::new(&format!(r"\A(?:{pattern})\z"))
}

#[cfg(feature = "pattern")]
fn matches(pattern: &str, word: &str) -> bool {
    whole(pattern).is_ok_and(|regex| regex.is_match(word))
}

#[cfg(not(feature = "pattern"))]
fn matches(_: &str, _: &str) -> bool {
    true
}
