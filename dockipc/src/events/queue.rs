//! [`Queue`], the events that wait to be sent to one connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::event::Event;
use super::registry::Full;
use crate::access::{Credentials, Policy, SocketId};
use crate::commands::ChannelAccess;
use crate::config::EventLimits;
use crate::error::{Failure, code};
use crate::later::Bells;
use crate::peer::Peer;
use crate::session::Form;
use crate::wire::{Protocol, encode};

/// A channel or a pattern to which one connection has subscribed.
pub(super) struct Subscription {
    pub(super) is_pattern: bool,
    pub(super) name: Box<[u8]>,
    /// The beginning of its messages behind their count of parts.
    head: Box<[u8]>,
    /// The events dropped since the client was last told. Written with the queue locked.
    dropped: AtomicU64,
    /// It was too slow for a channel whose subscriptions end then, and nothing more comes for it. Written with the
    /// queue locked.
    has_ended: AtomicBool,
}

impl Subscription {
    pub(super) fn new(is_pattern: bool, name: &[u8]) -> Self {
        let mut head = Vec::new();
        if is_pattern {
            encode::bulk(b"pmessage", &mut head);
            encode::bulk(name, &mut head);
        } else {
            encode::bulk(b"message", &mut head);
        }
        let (dropped, has_ended) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { is_pattern, name: name.into(), head: head.into(), dropped, has_ended }
    }

    /// Appends the beginning of a message.
    pub(super) fn write_head(&self, form: Form, out: &mut Vec<u8>) {
        let kind = if form == Form::Resp2 { b'*' } else { b'>' };
        encode::length(kind, if self.is_pattern { 4 } else { 3 }, out);
        out.extend_from_slice(&self.head);
    }

    /// Appends a message about the subscription itself, which is no event.
    fn write_notice(&self, tag: &str, text: &[u8], form: Form, out: &mut Vec<u8>) {
        self.write_head(form, out);
        encode::bulk(if self.is_pattern { tag.as_bytes() } else { &self.name }, out);
        encode::bulk(text, out);
    }

    /// Tells the client that events were dropped.
    fn write_dropped(&self, count: u64, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Line => encode::failure(&dropped(count), Protocol::Line, out),
            Form::Typed => {
                encode::length(b'>', 3, out);
                encode::bulk(b"dockipc", out);
                encode::bulk(b"dropped", out);
                encode::length(b':', usize::try_from(count).unwrap_or(usize::MAX), out);
            }
            Form::Resp2 | Form::Resp3 if self.is_pattern => {
                self.write_notice("dropped", count.to_string().as_bytes(), form, out);
            }
            // There is no message that an event could not be taken for.
            Form::Resp2 | Form::Resp3 => {}
        }
    }

    /// Tells the client that the subscription has ended.
    fn write_ended(&self, count: u64, form: Form, out: &mut Vec<u8>) {
        let failure = dropped(count);
        match form {
            Form::Line => encode::failure(&failure, Protocol::Line, out),
            Form::Typed => {
                encode::length(b'>', 3, out);
                encode::bulk(b"dockipc", out);
                encode::bulk(b"ended", out);
                encode::length(b'*', 2, out);
                encode::bulk(&self.name, out);
                encode::failure(&failure, Protocol::Resp3, out);
            }
            Form::Resp2 | Form::Resp3 => {
                let mut text = Vec::new();
                encode::failure(&failure, Protocol::Line, &mut text);
                self.write_notice("error", text.trim_ascii_end(), form, out);
            }
        }
    }
}

/// The rules about channels, if there are any.
pub(super) type Rules = Option<Arc<dyn ChannelAccess>>;

/// Returns the policy of a channel, or `None` if the socket does not offer the channel.
pub(super) fn policy<'r>(rules: &'r Rules, socket: SocketId, channel: &str) -> Option<&'r Policy> {
    match rules {
        Some(rules) => rules.policy(socket, channel),
        None => Some(&Policy::Open),
    }
}

fn dropped(count: u64) -> Failure {
    Failure::new(code::LAGGED, format_args!("{count} events were dropped"))
}

/// The events that wait to be sent to one connection, and who is behind it.
pub(super) struct Queue {
    queued: Mutex<Queued>,
    limits: EventLimits,
    /// Wakes the connection, which has this token.
    pub(super) bells: Weak<dyn Bells>,
    pub(super) token: u64,
    peer: Peer,
    has_token: bool,
    socket: SocketId,
    rules: Rules,
}

#[derive(Default)]
struct Queued {
    items: VecDeque<Item>,
    /// The events that count towards the limits, and their bytes.
    count: usize,
    bytes: usize,
    /// The connection was woken and has not taken all events since.
    is_rung: bool,
    /// Subscriptions whose client is to be told of dropped events.
    lagging: Vec<Arc<Subscription>>,
    /// Channels whose state the client gets again, since it was too slow for the changes.
    stale: Vec<Stale>,
}

pub(super) struct Item {
    subscription: Arc<Subscription>,
    what: What,
}

enum What {
    Event {
        event: Arc<Event>,
        /// It counts towards the limits.
        is_counted: bool,
        /// It may be dropped for a newer one.
        may_go: bool,
    },
    /// The subscription has ended; these events were dropped.
    Ended(u64),
}

/// Events that were taken out of a queue.
#[derive(Default)]
pub(super) struct Batch {
    lagging: Vec<(Arc<Subscription>, u64)>,
    items: Vec<Item>,
    pub(super) stale: Vec<Stale>,
    pub(super) has_more: bool,
}

/// The result of offering an event to a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pushed {
    pub(super) is_queued: bool,
    /// The connection must be woken.
    pub(super) must_ring: bool,
}

impl Queue {
    pub(super) fn new(
        (bells, token): (Weak<dyn Bells>, u64),
        caller: Credentials<'_>,
        rules: Rules,
        limits: EventLimits,
    ) -> Self {
        let Credentials { peer, has_token, socket } = caller;
        let (queued, peer) = (Mutex::default(), peer.clone());
        Self { queued, limits, bells, token, peer, has_token, socket, rules }
    }

    fn lock(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the client may hear a channel.
    pub(super) fn may_hear(&self, channel: &str) -> bool {
        let Self { peer, has_token, socket, rules, .. } = self;
        let caller = Credentials { peer, has_token: *has_token, socket: *socket };
        policy(rules, *socket, channel).is_some_and(|policy| policy.allows(&caller))
    }

    /// Queues an event. If the queue is full, the channel's policy decides.
    pub(super) fn push(
        &self,
        event: &Arc<Event>,
        subscription: &Arc<Subscription>,
        when_full: Full,
    ) -> Pushed {
        let mut queued = self.lock();
        if subscription.has_ended.load(Relaxed) || queued.is_stale(subscription, event.channel()) {
            return Pushed::default();
        }
        let size = event.size();
        while queued.is_full(size, &self.limits) {
            match when_full {
                Full::Drop => {
                    if !queued.drop_oldest() {
                        queued.note_dropped(subscription);
                        return Pushed::default();
                    }
                }
                Full::End => {
                    let count = queued.remove(subscription, None) + 1;
                    subscription.has_ended.store(true, Relaxed);
                    let subscription = Arc::clone(subscription);
                    queued.items.push_back(Item { subscription, what: What::Ended(count) });
                    return Pushed { is_queued: false, must_ring: queued.rings() };
                }
                Full::State => {
                    queued.remove(subscription, Some(event.channel()));
                    queued.stale.push((Arc::clone(subscription), event.channel().into()));
                    return Pushed { is_queued: false, must_ring: queued.rings() };
                }
            }
        }
        (queued.count, queued.bytes) = (queued.count + 1, queued.bytes + size);
        let what = What::Event {
            event: Arc::clone(event),
            is_counted: true,
            may_go: when_full == Full::Drop,
        };
        queued.items.push_back(Item { subscription: Arc::clone(subscription), what });
        Pushed { is_queued: true, must_ring: queued.rings() }
    }

    /// These channels are stale: their states come first.
    pub(super) fn expect_states<'c>(
        &self,
        subscription: &Arc<Subscription>,
        channels: impl DoubleEndedIterator<Item = &'c str>,
    ) {
        let stale = channels.rev().map(|channel| (Arc::clone(subscription), channel.into()));
        self.lock().stale.extend(stale);
    }

    /// Queues the events of the state of a stale channel, which do not count towards the limits. The channel's changes
    /// are queued from now on. Returns whether the connection must be woken.
    pub(super) fn push_state(
        &self,
        events: Vec<Event>,
        subscription: &Arc<Subscription>,
        channel: &str,
    ) -> bool {
        let mut queued = self.lock();
        // The last ones come first.
        if let Some(at) = queued.stale.iter().rposition(|stale| is_of(stale, subscription, channel))
        {
            queued.stale.remove(at);
        }
        for event in events {
            let what = What::Event { event: Arc::new(event), is_counted: false, may_go: false };
            queued.items.push_back(Item { subscription: Arc::clone(subscription), what });
        }
        !queued.items.is_empty() && queued.rings()
    }

    /// A subscription has ended: no state is queued for it any more.
    pub(super) fn forget(&self, subscription: &Arc<Subscription>) {
        self.lock().stale.retain(|(other, _)| !Arc::ptr_eq(other, subscription));
    }

    /// Makes a subscription that has ended live again.
    pub(super) fn restart(&self, subscription: &Subscription) {
        let _queued = self.lock();
        subscription.has_ended.store(false, Relaxed);
    }

    /// Takes the first events, at most about `most` bytes.
    pub(super) fn take(&self, most: usize) -> Batch {
        let mut queued = self.lock();
        let lagging = std::mem::take(&mut queued.lagging);
        let told = |subscription: Arc<Subscription>| {
            let count = subscription.dropped.swap(0, Relaxed);
            (subscription, count)
        };
        let lagging = lagging.into_iter().map(told).collect();
        let (mut items, mut size) = (Vec::new(), 0);
        while size < most
            && let Some(item) = queued.items.pop_front()
        {
            size += item.size();
            queued.uncount(&item);
            items.push(item);
        }
        if queued.items.is_empty() && queued.items.capacity() > KEEP {
            queued.items = VecDeque::new();
        }
        // They are stale until their state is queued: a change must not come before it.
        let stale = queued.stale.clone();
        let has_more = !queued.items.is_empty() || !stale.is_empty();
        queued.is_rung = has_more;
        Batch { lagging, items, stale, has_more }
    }
}

/// A channel of a subscription.
type Stale = (Arc<Subscription>, Box<str>);

fn is_of(stale: &Stale, subscription: &Arc<Subscription>, channel: &str) -> bool {
    Arc::ptr_eq(&stale.0, subscription) && *stale.1 == *channel
}

/// The most places for events that an empty queue keeps.
const KEEP: usize = 64;

impl Queued {
    fn is_full(&self, size: usize, limits: &EventLimits) -> bool {
        // A queue without events takes one of any size.
        self.count >= limits.queued || self.count > 0 && self.bytes + size > limits.queued_bytes
    }

    fn is_stale(&self, subscription: &Arc<Subscription>, channel: &str) -> bool {
        self.stale.iter().any(|stale| is_of(stale, subscription, channel))
    }

    fn rings(&mut self) -> bool {
        !std::mem::replace(&mut self.is_rung, true)
    }

    fn uncount(&mut self, item: &Item) {
        if let What::Event { event, is_counted: true, .. } = &item.what {
            self.count -= 1;
            self.bytes -= event.size();
        }
    }

    /// Drops the oldest event that may go. False if there is none.
    fn drop_oldest(&mut self) -> bool {
        let may_go = |item: &Item| matches!(item.what, What::Event { may_go: true, .. });
        let oldest = self.items.iter().position(may_go);
        let Some(item) = oldest.and_then(|at| self.items.remove(at)) else { return false };
        self.uncount(&item);
        self.note_dropped(&item.subscription);
        true
    }

    fn note_dropped(&mut self, subscription: &Arc<Subscription>) {
        if subscription.dropped.fetch_add(1, Relaxed) == 0 {
            self.lagging.push(Arc::clone(subscription));
        }
    }

    /// Removes the events of a subscription, or those of one channel among them. Returns their number.
    fn remove(&mut self, subscription: &Arc<Subscription>, channel: Option<&str>) -> u64 {
        let mut count = 0;
        for item in std::mem::take(&mut self.items) {
            let is_this = Arc::ptr_eq(&item.subscription, subscription)
                && matches!(&item.what, What::Event { event, .. }
                    if channel.is_none_or(|channel| channel == event.channel()));
            if is_this {
                self.uncount(&item);
                count += 1;
            } else {
                self.items.push_back(item);
            }
        }
        count
    }
}

impl Item {
    fn size(&self) -> usize {
        match &self.what {
            What::Event { event, .. } => event.size(),
            What::Ended(_) => 0,
        }
    }
}

impl Batch {
    /// Appends the events. Returns whether a subscription has ended.
    pub(super) fn write(self, form: Form, out: &mut Vec<u8>) -> bool {
        let mut has_ended = false;
        match form {
            // They are told of all subscriptions together.
            Form::Line | Form::Typed => {
                let count = self.lagging.iter().map(|(_, count)| count).sum();
                if let Some((subscription, _)) = self.lagging.first() {
                    subscription.write_dropped(count, form, out);
                }
            }
            Form::Resp2 | Form::Resp3 => {
                for (subscription, count) in &self.lagging {
                    subscription.write_dropped(*count, form, out);
                }
            }
        }
        for Item { subscription, what } in &self.items {
            match what {
                What::Event { event, .. } => event.write(subscription, form, out),
                What::Ended(count) => {
                    subscription.write_ended(*count, form, out);
                    has_ended = true;
                }
            }
        }
        has_ended
    }
}
