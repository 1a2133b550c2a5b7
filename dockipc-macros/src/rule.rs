//! The rule in `allow = "…"`: who may run a command.

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::{Error, LitStr};

/// One of the alternatives of a rule.
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

/// Reads a rule. The runtime crate reads in the same way those that come at run time, and a test
/// compares them.
pub(crate) fn parse(literal: &LitStr) -> syn::Result<Vec<Term>> {
    let text = literal.value();
    let mut start = 0;
    let mut terms = Vec::new();
    for part in text.split('|') {
        let at = start + (part.len() - part.trim_start_matches(BLANK).len());
        let term = term(part.trim_matches(BLANK), at);
        terms.push(term.map_err(|(at, reason)| mistake(literal, &text, at, reason))?);
        start += part.len() + 1;
    }
    Ok(terms)
}

const BLANK: [char; 2] = [' ', '\t'];

fn term(word: &str, at: usize) -> Result<Term, (usize, &'static str)> {
    match word {
        "any" => return Ok(Term::Any),
        "owner" => return Ok(Term::Owner),
        "token" => return Ok(Term::Token),
        _ => {}
    }
    let Some((kind, name)) = word.split_once(':') else { return Err((at, TERMS)) };
    let make = match kind {
        "uid" => Term::User,
        "group" => Term::Group,
        _ => return Err((at, TERMS)),
    };
    let start = at + kind.len() + 1;
    if name.is_empty() {
        return Err((start, "expected the name or the number"));
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        // The largest number means nobody to the system, as in chown(2).
        return match name.parse() {
            Ok(number) if number != u32::MAX => Ok(make(Name::Number(number))),
            _ => Err((start, "the number is too large")),
        };
    }
    // What useradd(8) takes, and capitals.
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    match name.bytes().position(|b| !fits(b)) {
        Some(offset) => Err((start + offset, "a name has letters, digits, _ - and .")),
        None => Ok(make(Name::text(name))),
    }
}

/// The error at its own character where the compiler can show that, and else with a caret below it.
fn mistake(literal: &LitStr, text: &str, at: usize, reason: &str) -> Error {
    let column = text.get(..at).map_or(0, |before| before.chars().count());
    let caret = format!("{reason}\n  {text}\n  {:column$}^", "");
    Error::new(place(&literal.token(), at).unwrap_or_else(|| literal.span()), caret)
}

/// The place of one byte of a plain literal.
fn place(literal: &Literal, at: usize) -> Option<Span> {
    // Behind the quotation mark.
    literal.subspan(at + 1..=at + 1)
}

impl Term {
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            Self::Any => quote!(__dockipc::Term::Any),
            Self::Owner => quote!(__dockipc::Term::Owner),
            Self::Token => quote!(__dockipc::Term::Token),
            Self::User(name) => {
                let name = name.tokens();
                quote!(__dockipc::Term::User(#name))
            }
            Self::Group(name) => {
                let name = name.tokens();
                quote!(__dockipc::Term::Group(#name))
            }
        }
    }
}

impl Name {
    fn text(name: &str) -> Self {
        Self::Text(name.to_owned())
    }

    fn tokens(&self) -> TokenStream {
        match self {
            Self::Number(number) => quote!(__dockipc::Name::Number(#number)),
            Self::Text(text) => {
                quote!(__dockipc::Name::Text(#text))
            }
        }
    }
}
