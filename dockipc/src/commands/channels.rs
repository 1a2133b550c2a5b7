//! [`ChannelRules`], who may hear which event channels.

use std::sync::Arc;

use super::rules::resolve;
use crate::access::{Pattern, Policy, SocketId};
use crate::error::Error;

/// The rules about event channels, as a server with and without them has them. Only programs that give such
/// rules contain the code behind it.
pub(crate) trait ChannelAccess: Send + Sync {
    /// Returns the policy of a channel, or `None` if the socket does not offer the channel.
    fn policy(&self, socket: SocketId, channel: &str) -> Option<&Policy>;

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
    /// The policies of `given`, once they are resolved.
    policies: Vec<Policy>,
    pub(crate) default_deny: bool,
    /// The channels that each additional socket offers. `None` is all.
    pub(crate) offers: Vec<Option<Vec<Pattern>>>,
}

impl ChannelAccess for ChannelRules {
    fn policy(&self, socket: SocketId, channel: &str) -> Option<&Policy> {
        let offer =
            socket.index().checked_sub(1).and_then(|index| self.offers.get(index)?.as_ref());
        if offer.is_some_and(|names| !names.iter().any(|pattern| pattern.matches(channel))) {
            return None;
        }
        let mut given = self.given.iter().zip(&self.policies).rev();
        let given = given.find(|((pattern, _), _)| pattern.matches(channel));
        let default = if self.default_deny { &Policy::Closed } else { &Policy::Open };
        Some(given.map_or(default, |(_, policy)| policy))
    }

    fn find(&self, test: fn(&Policy) -> bool) -> Option<(&str, &Policy)> {
        let (pattern, policy) =
            self.given.iter().zip(&self.policies).find(|(_, policy)| test(policy))?;
        Some((pattern.0.text(), policy))
    }

    fn edit(&mut self) -> &mut ChannelRules {
        self
    }

    fn resolved(&self) -> Result<Arc<dyn ChannelAccess>, Error> {
        let Self { given, default_deny, offers, .. } = self;
        let policy = |(pattern, text): &(Pattern, String)| Ok(resolve(pattern, text)?.1);
        let policies = given.iter().map(policy).collect::<Result<_, Error>>()?;
        let (given, default_deny, offers) = (given.clone(), *default_deny, offers.clone());
        Ok(Arc::new(Self { given, policies, default_deny, offers }))
    }
}
