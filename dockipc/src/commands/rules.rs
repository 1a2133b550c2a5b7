//! The rules that the server was given, applied to its commands.

use std::path::Path;

use super::{Command, Entry, Table, Target};
use crate::access::{self, Pattern, Policy, Token};
use crate::error::Error;

/// Who may run what, as the builder was told.
#[derive(Default)]
pub(crate) struct Rules {
    /// Names and a rule for them; the last one counts.
    pub(crate) given: Vec<(Pattern, String)>,
    /// A command without a rule is denied to everyone.
    pub(crate) default_deny: bool,
    /// The names that each further socket offers, in the order of the sockets; None is all.
    pub(crate) offers: Vec<Option<Vec<Pattern>>>,
}

/// A rule whose names were looked up.
struct ResolvedRule<'r> {
    pattern: &'r Pattern,
    /// The rule and its pattern, for an error.
    shown: String,
    policy: Policy,
    is_used: bool,
}

impl Rules {
    /// The policy of a command without a rule.
    pub(crate) fn default_policy(&self) -> Policy {
        if self.default_deny { Policy::Closed } else { Policy::Open }
    }

    fn resolve(&self) -> Result<Vec<ResolvedRule<'_>>, Error> {
        let resolve = |(pattern, text): &'_ (Pattern, String)| {
            let shown = format!("{text:?} for {pattern}");
            let terms = access::parse(text).map_err(|(at, reason)| Error::BadRule {
                rule: shown.clone(),
                reason: format!("{reason}, at character {}", at + 1),
            })?;
            let policy = Policy::new(&terms, &shown)?;
            Ok((shown, policy))
        };
        let mut given = Vec::new();
        for rule in &self.given {
            let (shown, policy) = resolve(rule)?;
            given.push(ResolvedRule { pattern: &rule.0, shown, policy, is_used: false });
        }
        Ok(given)
    }
}

impl Table {
    /// Gives every entry, and the fallback, its policy.
    pub(super) fn apply(&mut self, rules: &Rules) -> Result<(), Error> {
        let mut given = rules.resolve()?;
        for entry in &mut self.entries {
            entry.policy = match &entry.target {
                Target::Command(Command { allow: Some(terms), .. }) => {
                    Policy::new(terms, &format!("of `{}` ({})", entry.name, entry.target.place()))?
                }
                Target::BuiltIn(_) => Policy::Open,
                _ => rules.default_policy(),
            };
            // A command of the protocol has no such name: without it nobody could be told no.
            let names = entry.ruled_names();
            for rule in &mut given {
                if names.iter().any(|name| rule.pattern.matches(name)) {
                    rule.is_used = true;
                    entry.policy = rule.policy.clone();
                }
            }
        }
        if let Some(rule) = given.iter_mut().rfind(|rule| rule.pattern.is_all()) {
            rule.is_used = true;
            self.fallback.policy = rule.policy.clone();
        }
        match given.into_iter().find(|rule| !rule.is_used) {
            None => Ok(()),
            Some(rule) => {
                let reason = "no command has such a name".into();
                Err(Error::BadRule { rule: rule.shown, reason })
            }
        }
    }

    /// Whether anything is not for everyone who can connect.
    pub(crate) fn has_rules(&self) -> bool {
        let mut policies = self.policies();
        policies.any(|(_, policy)| !matches!(policy, Policy::Open))
    }

    /// Reads the token, which must be given if a rule wants it, and only then.
    pub(crate) fn token(&self, file: Option<&Path>) -> Result<Option<Token>, Error> {
        match (self.policies().find(|(_, policy)| policy.wants_token()), file) {
            (None, None) => Ok(None),
            (Some(_), Some(path)) => Token::read(path).map(Some),
            (Some((name, policy)), None) => Err(Error::BadRule {
                rule: format!("\"{policy}\" for {name}"),
                reason: "there is no token: give the server one with .token_file(…)".into(),
            }),
            (None, Some(path)) => Err(Error::BadTokenFile {
                path: path.to_owned(),
                reason: "no command has a rule with `token`".into(),
            }),
        }
    }

    /// All policies, each with the name that it is for.
    fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let entries = self.entries.iter().map(|Entry { name, policy, .. }| (&**name, policy));
        entries.chain([("*", &self.fallback.policy)])
    }
}
