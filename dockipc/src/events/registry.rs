//! [`Registry`], which connections have subscribed to which channels.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::WhenFull;
use super::event::Event;
use super::glob;
use super::queue::{Queue, Subscription};
use super::replica::Source;
use crate::access::Pattern;
use crate::later::Bells;

/// The subscriptions of all connections. It is under one lock, so that all subscribers get the events of all
/// channels in one order.
#[derive(Default)]
pub(super) struct Registry {
    exact: BTreeMap<Box<str>, Vec<Hearer>>,
    patterns: BTreeMap<Box<[u8]>, Vec<Hearer>>,
    /// The hearers of channels to which something was published, until a subscription changes them.
    heard: BTreeMap<Box<str>, Heard>,
    /// The policies of channels. If several match, the last one counts.
    policies: Vec<(Pattern, WhenFull)>,
    /// The states of channels.
    sources: BTreeMap<Box<str>, Arc<dyn Source>>,
}

/// The connections that get the events of a channel.
struct Heard {
    hearers: Vec<Hearer>,
    when_full: Full,
}

#[derive(Clone)]
struct Hearer {
    queue: Arc<Queue>,
    subscription: Arc<Subscription>,
}

/// The policy for an event whose queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Drop,
    End,
    /// The client gets the state of the channel again.
    State,
}

/// The most channels whose hearers are kept.
const MOST_HEARD: usize = 1024;

/// The connections to be woken.
#[derive(Default)]
pub(super) struct Wake(Vec<(Weak<dyn Bells>, Vec<u64>)>);

impl Wake {
    pub(super) fn add(&mut self, queue: &Queue) {
        match self.0.last_mut() {
            Some((bells, tokens)) if bells.ptr_eq(&queue.bells) => tokens.push(queue.token),
            _ => self.0.push((queue.bells.clone(), vec![queue.token])),
        }
    }

    /// Wakes them. Not with the registry locked: each engine's lock is taken.
    pub(super) fn ring(self) {
        for (bells, tokens) in self.0 {
            if let Some(bells) = bells.upgrade() {
                bells.ring_all(&tokens);
            }
        }
    }
}

impl Registry {
    /// Queues an event for all that hear its channel. Returns their number.
    pub(super) fn publish(&mut self, event: &Arc<Event>, wake: &mut Wake) -> usize {
        let channel = event.channel();
        if !self.heard.contains_key(channel) {
            let heard = self.hear(channel);
            if self.heard.len() >= MOST_HEARD {
                self.heard.clear();
            }
            self.heard.insert(channel.into(), heard);
        }
        let Some(Heard { hearers, when_full }) = self.heard.get(channel) else { return 0 };
        let mut count = 0;
        for Hearer { queue, subscription } in hearers {
            let pushed = queue.push(event, subscription, *when_full);
            count += usize::from(pushed.is_queued);
            if pushed.must_ring {
                wake.add(queue);
            }
        }
        count
    }

    /// Finds the connections that get the events of a channel: the subscriptions to its name first.
    fn hear(&self, channel: &str) -> Heard {
        let mut hearers = self.exact.get(channel).cloned().unwrap_or_default();
        for (pattern, others) in &self.patterns {
            if glob::matches(pattern, channel.as_bytes()) {
                let may_hear = |hearer: &&Hearer| hearer.queue.may_hear(channel);
                hearers.extend(others.iter().filter(may_hear).cloned());
            }
        }
        let given = self.policies.iter().rfind(|(pattern, _)| pattern.matches(channel));
        let when_full = match given {
            _ if self.sources.contains_key(channel) => Full::State,
            Some((_, WhenFull::End)) => Full::End,
            _ => Full::Drop,
        };
        Heard { hearers, when_full }
    }

    pub(super) fn add(&mut self, queue: &Arc<Queue>, subscription: &Arc<Subscription>) {
        let hearer = Hearer { queue: Arc::clone(queue), subscription: Arc::clone(subscription) };
        if subscription.is_pattern {
            self.heard.clear();
            self.patterns.entry(subscription.name.clone()).or_default().push(hearer);
        } else if let Ok(name) = std::str::from_utf8(&subscription.name) {
            self.heard.remove(name);
            self.exact.entry(name.into()).or_default().push(hearer);
        }
    }

    pub(super) fn remove(&mut self, subscription: &Arc<Subscription>) {
        let is_other = |hearer: &Hearer| !Arc::ptr_eq(&hearer.subscription, subscription);
        if subscription.is_pattern {
            self.heard.clear();
            if let Some(hearers) = self.patterns.get_mut(&subscription.name) {
                hearers.retain(is_other);
                if hearers.is_empty() {
                    self.patterns.remove(&subscription.name);
                }
            }
        } else if let Ok(name) = std::str::from_utf8(&subscription.name) {
            self.heard.remove(name);
            if let Some(hearers) = self.exact.get_mut(name) {
                hearers.retain(is_other);
                if hearers.is_empty() {
                    self.exact.remove(name);
                }
            }
        }
    }

    pub(super) fn set_policy(&mut self, channels: Pattern, policy: WhenFull) {
        self.heard.clear();
        self.policies.push((channels, policy));
    }

    /// Sets a policy that any other replaces.
    pub(super) fn set_default_policy(&mut self, channels: Pattern, policy: WhenFull) {
        self.heard.clear();
        self.policies.insert(0, (channels, policy));
    }

    pub(super) fn set_source(&mut self, channel: &str, source: Arc<dyn Source>) {
        self.heard.remove(channel);
        self.sources.insert(channel.into(), source);
    }

    /// Returns the state of a channel.
    pub(super) fn source(&self, channel: &str) -> Option<Arc<dyn Source>> {
        self.sources.get(channel).cloned()
    }

    /// Returns the channels of a subscription that have a state, which a client gets first.
    pub(super) fn sources(&self, subscription: &Subscription) -> Vec<(Box<str>, Arc<dyn Source>)> {
        if self.sources.is_empty() {
            return Vec::new();
        }
        let Subscription { is_pattern, name, .. } = subscription;
        let is_its = |channel: &str| match is_pattern {
            true => glob::matches(name, channel.as_bytes()),
            false => **name == *channel.as_bytes(),
        };
        let all = self.sources.iter().filter(|(channel, _)| is_its(channel));
        all.map(|(channel, source)| (channel.clone(), Arc::clone(source))).collect()
    }

    /// Returns the channels with a subscription to their name.
    pub(super) fn channels(&self) -> impl Iterator<Item = &str> {
        self.exact.keys().map(|name| &**name)
    }

    /// Returns the number of subscriptions to a channel's name.
    pub(super) fn count(&self, channel: &[u8]) -> usize {
        let name = std::str::from_utf8(channel).ok();
        name.and_then(|name| self.exact.get(name)).map_or(0, Vec::len)
    }

    /// Returns the number of different patterns.
    pub(super) fn patterns(&self) -> usize {
        self.patterns.len()
    }
}
