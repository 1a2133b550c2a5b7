//! [`Policy`], a rule whose names are resolved to ids.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::credentials::Credentials;
use crate::error::Error;
use crate::proc::small_text;
use crate::rule::{Name, Term};
use crate::sys;
use crate::text::{append, number};

/// The callers that may run one command.
#[derive(Clone, Debug)]
pub(crate) enum Policy {
    /// Every caller: the command has no rule.
    Open,
    /// No caller: the command has no rule, and the server denies by default.
    Closed,
    Ruled(Arc<Ruled>),
}

/// The rule of a command's attribute: a caller that matches any of the terms may run the command.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Allow {
    terms: &'static [Term<'static>],
    /// [`Policy::new`]. A daemon whose commands have no rule does not contain the code.
    resolve: fn(&[Term<'_>], &str) -> Result<Policy, Error>,
}

#[derive(Debug)]
pub(crate) struct Ruled {
    /// The rule in a uniform format, for messages and records.
    shown: String,
    tests: Vec<Test>,
}

#[derive(Clone, Copy, Debug)]
enum Test {
    Any,
    Token,
    User(u32),
    Group(u32),
}

impl Policy {
    /// Returns why a policy denies something, as the end of a sentence about it. `None` is something that the
    /// client's socket does not offer.
    #[cold]
    pub(crate) fn denial(policy: Option<&Self>) -> String {
        match policy {
            None => "is not offered at this socket".into(),
            Some(Self::Closed) => "is denied to everyone".into(),
            Some(policy) => format!("requires {policy}"),
        }
    }

    /// Resolves the names of a rule to ids. `what` is the rule as the error shows it.
    pub(crate) fn new(terms: &[Term<'_>], what: &str) -> Result<Self, Error> {
        let (mut shown, mut tests) = (String::new(), Vec::new());
        for term in terms {
            let between = if tests.is_empty() { "" } else { " | " };
            append(&mut shown, format_args!("{between}{term}"));
            tests.push(Test::new(*term, what)?);
        }
        Ok(Self::Ruled(Arc::new(Ruled { shown, tests })))
    }

    /// Returns whether the command has a rule.
    pub(crate) fn is_ruled(&self) -> bool {
        matches!(self, Self::Ruled(_))
    }

    /// Returns whether the token can satisfy the rule.
    pub(crate) fn wants_token(&self) -> bool {
        matches!(self, Self::Ruled(ruled) if ruled.tests.iter().any(|t| matches!(t, Test::Token)))
    }

    /// The rule as messages show it.
    pub(crate) fn shown(&self) -> &str {
        match self {
            Self::Open => "any",
            Self::Closed => "nobody",
            Self::Ruled(ruled) => &ruled.shown,
        }
    }

    #[inline]
    pub(crate) fn allows(&self, caller: &Credentials<'_>) -> bool {
        match self {
            Self::Open => true,
            Self::Closed => false,
            Self::Ruled(ruled) => ruled.tests.iter().any(|test| test.passes(caller)),
        }
    }
}

impl Allow {
    pub(crate) fn policy(&self, what: &str) -> Result<Policy, Error> {
        (self.resolve)(self.terms, what)
    }
}

/// Makes the rule of a command's attribute.
#[doc(hidden)]
pub const fn allow(terms: &'static [Term<'static>]) -> Allow {
    Allow { terms, resolve: Policy::new }
}

impl Test {
    fn new(term: Term<'_>, what: &str) -> Result<Self, Error> {
        let unknown =
            |kind, name| Error::bad_rule(what, &format!("no {kind} is named {}", Name::Text(name)));
        let looking = |e| Error::io(format_args!("looking up the names in the rule {what}"), e);
        let test = match term {
            Term::Any => Self::Any,
            Term::Token => Self::Token,
            Term::Owner => Self::User(sys::effective_user()),
            Term::User(Name::Number(uid)) => Self::User(uid),
            Term::Group(Name::Number(gid)) => Self::Group(gid),
            Term::User(Name::Text(name)) => {
                let uid = sys::user(name).map_err(looking)?;
                Self::User(uid.ok_or_else(|| unknown("user", name))?)
            }
            Term::Group(Name::Text(name)) => {
                let gid = sys::group(name).map_err(looking)?;
                Self::Group(gid.ok_or_else(|| unknown("group", name))?)
            }
        };
        match test.overflow() {
            None => Ok(test),
            Some(id) => Err(Error::bad_rule(
                what,
                &format!(
                    "{term} is {id}, the id of every unmapped user in this user namespace; name another user or group"
                ),
            )),
        }
    }

    /// Returns the id of this test if it is the overflow id, which every unmapped user or group has in the
    /// daemon's user namespace, `user_namespaces(7)`.
    fn overflow(self) -> Option<u32> {
        let (id, kind) = match self {
            Self::User(id) => (id, "uid"),
            Self::Group(id) => (id, "gid"),
            Self::Any | Self::Token => return None,
        };
        let overflow = small_text(&format!("/proc/sys/kernel/overflow{kind}"));
        let overflow = overflow.ok().and_then(|text| number(text.trim_ascii()));
        (id == overflow.unwrap_or(65_534) && !maps_everyone(kind)).then_some(id)
    }

    fn passes(self, &Credentials { peer, has_token, .. }: &Credentials<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Token => has_token,
            Self::User(uid) => peer.is_known() && peer.uid() == uid,
            Self::Group(gid) => peer.is_known() && peer.in_group(gid),
        }
    }
}

/// Returns whether this user namespace maps every user or group, as the initial one does. Without /proc
/// the mapping is unknown, and the answer is no.
fn maps_everyone(kind: &str) -> bool {
    match small_text(&format!("/proc/self/{kind}_map")) {
        Ok(map) => map.split_ascii_whitespace().eq(["0", "0", "4294967295"]),
        // A kernel without user namespaces.
        Err(_) => Path::new("/proc/self").exists(),
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

/// A set of names: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the pattern as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Returns whether the pattern matches every name.
    pub(crate) fn is_all(&self) -> bool {
        self.0 == "*"
    }

    /// Returns whether a name matches, ignoring ASCII case.
    #[inline(never)]
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where matching resumes when the last `*` has to take one more character.
        let mut retry = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, n));
                }
                Some(b'?') => (p, n) = (p + 1, n + 1),
                Some(b) if b.eq_ignore_ascii_case(&name[n]) => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((after, taken)) = retry else { return false };
                    (p, n) = (after, taken + 1);
                    retry = Some((after, n));
                }
            }
        }
        pattern[p..].iter().all(|&b| b == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn pattern_matches_names() {
        let cases = [
            ("stop", "STOP", true),
            ("stop", "stop-all", false),
            ("*", "anything", true),
            ("*", "", true),
            ("stop-*", "stop-all", true),
            ("stop-*", "stop-", true),
            ("stop-*", "stop", false),
            ("*-all", "stop-all-all", true),
            ("*-all", "stop-all-but", false),
            ("s?op", "shop", true),
            ("s?op", "sop", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "x", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }
}
