//! The rules given to the server, applied to its commands.

use super::{ChannelAccess, ChannelRules, Command, Entry, Table, Target};
use crate::access::{Pattern, Policy};
use crate::error::Error;
use crate::rule;
use crate::token::{Token, TokenFile};

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
    /// The rules about event channels, if there are any.
    pub(crate) channels: Option<Box<dyn ChannelAccess>>,
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

    /// Returns the rules about event channels, to add to them.
    pub(crate) fn channels(&mut self) -> &mut ChannelRules {
        self.channels.get_or_insert_with(|| Box::<ChannelRules>::default()).edit()
    }

    fn resolve(&self) -> Result<Vec<ResolvedRule<'_>>, Error> {
        let mut given = Vec::new();
        for (pattern, text) in &self.given {
            let (shown, policy) = resolve(pattern, text)?;
            given.push(ResolvedRule { pattern, shown, policy, is_used: false });
        }
        Ok(given)
    }
}

/// Returns a rule with its pattern, for an error message, and its policy.
pub(super) fn resolve(pattern: &Pattern, text: &str) -> Result<(String, Policy), Error> {
    let shown = format!("{text:?} for {pattern}");
    let terms = rule::parse(text).map_err(|(at, reason)| {
        Error::bad_rule(&shown, &format!("{reason}, at character {}", at + 1))
    })?;
    let policy = Policy::new(&terms, &shown)?;
    Ok((shown, policy))
}

impl Table {
    /// Sets the policy of every entry and of the fallback.
    pub(super) fn apply(&mut self, rules: &Rules) -> Result<(), Error> {
        let mut given = rules.resolve.map_or(Ok(Vec::new()), |resolve| resolve(rules))?;
        self.channels = rules.channels.as_ref().map(|rules| rules.resolved()).transpose()?;
        for entry in &mut self.entries {
            entry.policy = match &entry.target {
                Target::Command(Command { allow: Some(allow), .. }) => {
                    allow.policy(&format!("of `{}` ({})", entry.name, entry.target.place()))?
                }
                Target::BuiltIn(_) | Target::PubSub(_) | Target::Group(_) => Policy::Open,
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
        self.find_policy(|policy| !matches!(policy, Policy::Open)).is_some()
    }

    /// Reads the token file. It is an error if a rule requires a token and there is no file, and if there
    /// is a file and no rule requires a token.
    pub(crate) fn token(&self, file: Option<&TokenFile>) -> Result<Option<Token>, Error> {
        match (self.find_policy(Policy::wants_token), file) {
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

    /// Returns the first policy for which a test is true, with the name of its command or its pattern.
    fn find_policy(&self, test: fn(&Policy) -> bool) -> Option<(&str, &Policy)> {
        let entries = self.entries.iter().map(|Entry { name, policy, .. }| (&**name, policy));
        let mut all = entries.chain([("*", &self.fallback.policy)]);
        all.find(|(_, policy)| test(policy)).or_else(|| self.channels.as_ref()?.find(test))
    }
}
