//! [`Channels`], the registration that `#[derive(Events)]` generates, and [`ChannelRules`], who may hear which
//! event channels.

use std::sync::Arc;

use super::rules::resolve;
use super::{Rules, Table};
use crate::access::{Allow, Credentials, Pattern, Policy, SocketId};
use crate::error::Error;
use crate::reply::{Reply, ReplyType};
use crate::state::States;

/// The channels of an enum, as `#[derive(Events)]` registers them.
///
/// Only programs with such an enum contain the code that it points to.
#[doc(hidden)]
pub struct Channels {
    pub(crate) list: &'static [Channel],
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    /// Called when a server starts: gives it the rules and the policies of all declared channels.
    pub(crate) prepare: fn(&States, &mut Rules) -> Result<(), Error>,
    /// Describes the declared channels that a caller may hear.
    pub(crate) describe: fn(&Table, &Credentials<'_>) -> Reply,
}

/// One channel of an enum.
#[doc(hidden)]
pub struct Channel {
    pub name: &'static str,
    /// The doc comment, with the space after each `///`.
    pub doc: &'static str,
    /// The type of the value.
    pub value: &'static ReplyType,
    pub allow: Option<Allow>,
    /// Whether the subscription of a client that is too slow ends.
    pub ends: bool,
}

inventory::collect!(Channels);

impl Channels {
    /// Returns one of the program's enums, if there are any.
    pub(crate) fn any() -> Option<&'static Self> {
        inventory::iter::<Self>().next()
    }

    /// Returns the channels of all enums by name, those of one name by their places.
    pub(crate) fn all() -> Vec<(&'static Channel, &'static Self)> {
        let of = |channels: &'static Self| channels.list.iter().map(move |one| (one, channels));
        let mut all: Vec<_> = inventory::iter::<Self>().flat_map(of).collect();
        all.sort_by_key(|(channel, at)| (channel.name, at.file, at.line));
        all
    }

    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// The rules about event channels, as a server with and without them has them. Only programs that give such
/// rules contain the code behind it.
pub(crate) trait ChannelAccess: Send + Sync {
    /// Returns the policy of a channel, or `None` if the socket does not offer the channel.
    fn policy(&self, socket: SocketId, channel: &str) -> Option<&Policy>;

    /// Returns the rules that allow a caller to hear channels. `meets` tells whether the channels that a pattern
    /// matches are among those asked for.
    fn allowing<'a>(
        &'a self,
        caller: &Credentials<'_>,
        meets: &dyn Fn(&Pattern) -> bool,
    ) -> Vec<&'a Policy>;

    /// Returns the first policy for which a test is true, with its pattern.
    fn find(&self, test: fn(&Policy) -> bool) -> Option<(&str, &Policy)>;

    /// Returns the rules, to add to them.
    fn edit(&mut self) -> &mut ChannelRules;

    /// Parses the rules and resolves the names in them.
    fn resolved(&self) -> Result<Arc<dyn ChannelAccess>, Error>;
}

/// The rules about event channels.
#[derive(Default)]
pub(crate) struct ChannelRules {
    /// The patterns of channels and their rules. If several match a channel, the last one counts.
    pub(crate) given: Vec<(Pattern, String)>,
    /// The policies of declared channels, and behind them those of `given`, once they are resolved.
    pub(crate) policies: Vec<(Pattern, Policy)>,
    pub(crate) default_deny: bool,
    /// The channels that each additional socket offers. `None` is all.
    pub(crate) offers: Vec<Option<Vec<Pattern>>>,
}

impl ChannelRules {
    /// Returns the channels that a socket offers. `None` is all.
    fn offer(&self, socket: SocketId) -> Option<&[Pattern]> {
        self.offers.get(socket.index().checked_sub(1)?)?.as_deref()
    }
}

impl ChannelAccess for ChannelRules {
    fn policy(&self, socket: SocketId, channel: &str) -> Option<&Policy> {
        let offer = self.offer(socket);
        if offer.is_some_and(|names| !names.iter().any(|pattern| pattern.matches(channel))) {
            return None;
        }
        let given = self.policies.iter().rfind(|(pattern, _)| pattern.matches(channel));
        let default = if self.default_deny { &Policy::Closed } else { &Policy::Open };
        Some(given.map_or(default, |(_, policy)| policy))
    }

    fn allowing<'a>(
        &'a self,
        caller: &Credentials<'_>,
        meets: &dyn Fn(&Pattern) -> bool,
    ) -> Vec<&'a Policy> {
        if self.offer(caller.socket).is_some_and(|names| !names.iter().any(meets)) {
            return Vec::new();
        }
        let all = self.policies.iter().filter(|(pattern, _)| meets(pattern));
        all.map(|(_, policy)| policy).filter(|policy| policy.allows(caller)).collect()
    }

    fn find(&self, test: fn(&Policy) -> bool) -> Option<(&str, &Policy)> {
        let (pattern, policy) = self.policies.iter().find(|(_, policy)| test(policy))?;
        Some((pattern.text(), policy))
    }

    fn edit(&mut self) -> &mut ChannelRules {
        self
    }

    fn resolved(&self) -> Result<Arc<dyn ChannelAccess>, Error> {
        let mut policies = self.policies.clone();
        for (pattern, text) in &self.given {
            policies.push((pattern.clone(), resolve(pattern, text)?.1));
        }
        let (default_deny, offers) = (self.default_deny, self.offers.clone());
        Ok(Arc::new(Self { given: Vec::new(), policies, default_deny, offers }))
    }
}
