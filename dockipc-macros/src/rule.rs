//! The rule in `allow = "…"`: the callers who may run a command.

use proc_macro2::{Literal, Span};
use syn::{Error, LitStr};

use crate::errors::Errors;

/// One alternative of a rule.
pub(crate) enum Term {
    Any,
    Owner,
    Token,
    User(Name),
    Group(Name),
}

/// A user or a group.
pub(crate) enum Name {
    Number(u32),
    Text(String),
}

const TERMS: &str = "expected uid:NAME, group:NAME, owner, token or any";

/// Parses a rule, and reports every mistake in it.
///
/// The runtime crate parses the rules that are given at run time in the same way; a test compares
/// the two.
pub(crate) fn parse(literal: &LitStr) -> syn::Result<Vec<Term>> {
    let text = literal.value();
    let (mut start, mut is_quoted) = (0, false);
    let mut terms = Vec::new();
    let mut errors = Errors::default();
    let is_separator = |c| {
        is_quoted ^= c == '"';
        c == '|' && !is_quoted
    };
    for part in text.split(is_separator) {
        let at = start + (part.len() - part.trim_start_matches(BLANK).len());
        match term(part.trim_matches(BLANK), at) {
            Ok(term) => terms.push(term),
            Err((at, reason)) => errors.push(mistake(literal, &text, at, reason)),
        }
        start += part.len() + 1;
    }
    errors.finish(terms)
}

const BLANK: [char; 2] = [' ', '\t'];

fn term(word: &str, at: usize) -> Result<Term, (usize, &'static str)> {
    match word {
        "any" => return Ok(Term::Any),
        "owner" => return Ok(Term::Owner),
        "token" => return Ok(Term::Token),
        _ => {}
    }
    if let Some((first, more)) = word.split_once(BLANK)
        && matches!(first, "any" | "owner" | "token")
    {
        let more = word.len() - more.trim_start_matches(BLANK).len();
        return Err((at + more, "expected | between two parts"));
    }
    let Some((kind, name)) = word.split_once(':') else { return Err((at, TERMS)) };
    let make = match kind {
        "uid" => Term::User,
        "group" => Term::Group,
        _ => return Err((at, TERMS)),
    };
    let start = at + kind.len() + 1;
    if name.is_empty() {
        return Err((start, "expected a name or a number"));
    }
    if let Some(quoted) = name.strip_prefix('"') {
        return match quoted.split_once('"') {
            None => Err((start, "missing closing quote")),
            Some(("", _)) => Err((start, "expected a name or a number")),
            Some((name, "")) => match name.find(char::is_control) {
                Some(offset) => {
                    Err((start + 1 + offset, "a name cannot contain control characters"))
                }
                None => Ok(make(Name::text(name))),
            },
            Some((name, _)) => Err((start + name.len() + 2, "expected | after the closing quote")),
        };
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        // The largest id means "no user" to system calls such as chown(2).
        return match name.parse() {
            Ok(number) if number != u32::MAX => Ok(make(Name::Number(number))),
            _ => Err((start, "number too large")),
        };
    }
    if let Some((plain, more)) = name.split_once(BLANK)
        && plain.bytes().all(is_plain)
    {
        let more = name.len() - more.trim_start_matches(BLANK).len();
        return Err((
            start + more,
            "expected | between two parts; a name with spaces must be in quotes",
        ));
    }
    match name.bytes().position(|b| !is_plain(b)) {
        Some(offset) => Err((
            start + offset,
            "a name can only contain letters, digits, _ - and ., unless it is in quotes",
        )),
        None => Ok(make(Name::text(name))),
    }
}

/// Returns whether a name with this byte needs no quotes: in those that useradd(8) accepts, and in
/// capitals. Other name services have names such as `CORP\domain users`.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Returns the error at its own character where the compiler can show that, and otherwise at the
/// literal, with a caret below the character.
fn mistake(literal: &LitStr, text: &str, at: usize, reason: &str) -> Error {
    let column = text.get(..at).map_or(0, |before| before.chars().count());
    let message = format!("invalid rule: {reason}\n  {text}\n  {:column$}^", "");
    Error::new(byte_span(&literal.token(), text, at).unwrap_or_else(|| literal.span()), message)
}

/// Returns the span of one byte of a literal that is its text in quotation marks.
fn byte_span(literal: &Literal, text: &str, at: usize) -> Option<Span> {
    let is_text = literal.to_string().get(1..=text.len()) == Some(text);
    is_text.then(|| literal.subspan(at + 1..=at + 1))?
}

impl Name {
    fn text(name: &str) -> Self {
        Self::Text(name.to_owned())
    }
}
