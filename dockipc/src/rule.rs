//! Parses access rules such as `uid:root | group:adm | owner`.

use std::fmt;

/// One alternative of a rule.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term<'r> {
    /// Every caller.
    Any,
    /// The daemon's effective user.
    Owner,
    /// Callers that have sent the token.
    Token,
    User(Name<'r>),
    Group(Name<'r>),
}

/// The user or group of a term, as it was written.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'r> {
    Number(u32),
    Text(&'r str),
}

/// A mistake in a rule: its byte offset, and the reason.
pub(crate) type Mistake = (usize, &'static str);

const TERMS: &str = "expected uid:NAME, group:NAME, owner, token or any";

/// Parses a rule that was given at run time. The macro crate parses the others in the same way; a test
/// compares the two.
pub(crate) fn parse(text: &str) -> Result<Vec<Term<'_>>, Mistake> {
    let (mut start, mut is_quoted) = (0, false);
    let mut terms = Vec::new();
    let is_separator = |c| {
        is_quoted ^= c == '"';
        c == '|' && !is_quoted
    };
    for part in text.split(is_separator) {
        let at = start + (part.len() - part.trim_start_matches(BLANK).len());
        terms.push(term(part.trim_matches(BLANK), at)?);
        start += part.len() + 1;
    }
    Ok(terms)
}

const BLANK: [char; 2] = [' ', '\t'];

fn term(word: &str, at: usize) -> Result<Term<'_>, Mistake> {
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

impl<'r> Name<'r> {
    fn text(name: &'r str) -> Self {
        Self::Text(name)
    }
}

impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Owner => f.write_str("owner"),
            Self::Token => f.write_str("token"),
            Self::User(name) => write!(f, "uid:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            // Digits alone would be a number.
            Self::Text(text)
                if !text.bytes().all(is_plain) || text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                write!(f, "\"{text}\"")
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}
