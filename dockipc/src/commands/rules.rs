//! The rules given to the server, applied to its commands.

use super::{Command, Entry, Table, Target};
use crate::access::{self, Pattern, Policy, Token, TokenFile};
use crate::error::Error;

/// The access rules given to the builder.
#[derive(Default)]
pub(crate) struct Rules {
    /// Name patterns and their rules. If several patterns match a command, the last one counts.
    given: Vec<(Pattern, String)>,
    /// Parses the given rules. A daemon that gives none does not contain the code.
    resolve: Option<Resolve>,
    /// A command without a rule is denied to everyone.
    pub(crate) default_deny: bool,
    /// The names that each additional socket offers, in the order of the sockets. `None` is all.
    pub(crate) offers: Vec<Option<Vec<Pattern>>>,
}

type Resolve = fn(&Rules) -> Result<Vec<ResolvedRule<'_>>, Error>;

/// A parsed rule whose user and group names are resolved.
struct ResolvedRule<'r> {
    pattern: &'r Pattern,
    /// The rule and its pattern, for an error message.
    shown: String,
    policy: Policy,
    is_used: bool,
}

impl Rules {
    pub(crate) fn give(&mut self, names: Pattern, rule: String) {
        self.given.push((names, rule));
        self.resolve = Some(Self::resolve);
    }

    /// Returns the policy of a command without a rule.
    pub(crate) fn default_policy(&self) -> Policy {
        if self.default_deny { Policy::Closed } else { Policy::Open }
    }

    fn resolve(&self) -> Result<Vec<ResolvedRule<'_>>, Error> {
        let resolve = |(pattern, text): &'_ (Pattern, String)| {
            let shown = format!("{text:?} for {pattern}");
            let terms = access::parse(text).map_err(|(at, reason)| {
                Error::bad_rule(&shown, &format!("{reason}, at character {}", at + 1))
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
    /// Sets the policy of every entry and of the fallback.
    pub(super) fn apply(&mut self, rules: &Rules) -> Result<(), Error> {
        let mut given = rules.resolve.map_or(Ok(Vec::new()), |resolve| resolve(rules))?;
        for entry in &mut self.entries {
            entry.policy = match &entry.target {
                Target::Command(Command { allow: Some(allow), .. }) => {
                    allow.policy(&format!("of `{}` ({})", entry.name, entry.target.place()))?
                }
                Target::BuiltIn(_) => Policy::Open,
                _ => rules.default_policy(),
            };
            // A protocol command has no names here: clients need it even to be denied.
            for rule in &mut given {
                if entry.is_ruled_by(rule.pattern) {
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
            Some(rule) => Err(Error::bad_rule(&rule.shown, "no command has such a name")),
        }
    }

    /// Returns whether any command is denied to some callers.
    pub(crate) fn has_rules(&self) -> bool {
        let mut policies = self.policies();
        policies.any(|(_, policy)| !matches!(policy, Policy::Open))
    }

    /// Reads the token file. It is an error if a rule requires a token and there is no file, and if there
    /// is a file and no rule requires a token.
    pub(crate) fn token(&self, file: Option<&TokenFile>) -> Result<Option<Token>, Error> {
        match (self.policies().find(|(_, policy)| policy.wants_token()), file) {
            (None, None) => Ok(None),
            (Some(_), Some(file)) => file.read().map(Some),
            (Some((name, policy)), None) => Err(Error::bad_rule(
                &format!("\"{policy}\" for {name}"),
                "the server has no token: set one with .token_file(…)",
            )),
            (None, Some(file)) => {
                Err(Error::bad_token_file(file.path(), "no command has a rule with `token`"))
            }
        }
    }

    /// Returns all policies with the names of their commands.
    fn policies(&self) -> impl Iterator<Item = (&str, &Policy)> {
        let entries = self.entries.iter().map(|Entry { name, policy, .. }| (&**name, policy));
        entries.chain([("*", &self.fallback.policy)])
    }
}
