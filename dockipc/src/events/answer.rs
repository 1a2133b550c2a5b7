//! The answers to `SUBSCRIBE` and its kin, in the shapes of Redis.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::call::Called;
use super::event::Event;
use super::queue::{Queue, Subscription, policy};
use super::registry::Wake;
use super::replica::Source;
use super::{Inner, LONGEST_NAME, NAMES, glob, is_channel};
use crate::access::{Pattern, Policy};
use crate::arg::Quoted;
use crate::audit::Audit;
use crate::caught::caught;
use crate::commands::{PubSub, Table};
use crate::config::EventLimits;
use crate::error::{Failure, code};
use crate::later::Bells;
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::{Form, Session, Subscribed, Taken};
use crate::wire::{Protocol, encode};

/// A command about subscriptions.
pub(crate) struct Asked<'a> {
    pub(crate) word: PubSub,
    pub(crate) words: Words<'a>,
    /// It came as a line.
    pub(crate) is_line: bool,
    pub(crate) table: &'a Table,
    pub(crate) audit: Option<&'a Audit>,
    pub(crate) limits: EventLimits,
}

/// The answer to it.
pub(crate) enum Answer {
    Reply(Reply),
    /// These frames, and no other answer.
    Told(Vec<u8>),
    /// It is to be asked again.
    NotNow,
}

/// The part of the server that answers in place of the subscriptions.
pub(crate) trait Host {
    /// Returns what wakes the connection, and its token. `None` if nothing can.
    fn bell(&self) -> Option<(Weak<dyn Bells>, u64)>;

    /// Returns whether a name is that of a call, and not of a channel.
    fn is_call(&self, name: &[u8]) -> bool;

    /// Checks whether the client may subscribe to a call. The error is the answer; `None` if it is to be asked again.
    fn check_call(&mut self, session: &Session, call: &[u8]) -> Result<(), Option<Reply>>;

    /// Begins a call whose items are messages.
    fn begin_call(
        &mut self,
        session: &Session,
        call: &[u8],
        is_pattern: bool,
    ) -> Option<Box<dyn Called>>;

    /// Runs code that records decisions. Returns `None` if that can't be done now.
    fn record(
        &mut self,
        record: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Option<Result<(), Failure>>;
}

/// Whether a client may subscribe.
#[derive(Clone, Copy)]
struct Decision<'p> {
    /// The number of the channel or pattern among the words.
    index: usize,
    is_allowed: bool,
    /// The rule that decided; `None` if the client's socket does not offer the channel.
    policy: Option<&'p Policy>,
}

pub(super) fn answer(
    inner: &Arc<Inner>,
    asked: &Asked<'_>,
    session: &mut Session,
    host: &mut dyn Host,
) -> Answer {
    let refuse =
        |code, why: std::fmt::Arguments<'_>| Answer::Reply(Reply::Error(Failure::new(code, why)));
    let name = asked.word.name();
    let is_pubsub = asked.word == PubSub::Pubsub;
    if asked.is_line && !is_pubsub && session.protocol != Protocol::Line {
        return refuse(
            code::USAGE,
            format_args!("{name} is no line in RESP; send it as a command"),
        );
    }
    if asked.is_line && matches!(asked.word, PubSub::Unsubscribe | PubSub::Punsubscribe) {
        return refuse(code::USAGE, format_args!("{name} has no meaning on a line: close it"));
    }
    if session.is_in_transaction() {
        return if is_pubsub {
            Answer::Reply(Reply::Ok)
        } else {
            refuse(code::ERR, format_args!("{name} is not allowed in a transaction"))
        };
    }
    let result = match asked.word {
        PubSub::Subscribe => subscribe(inner, asked, session, host, false),
        PubSub::Psubscribe => subscribe(inner, asked, session, host, true),
        PubSub::Unsubscribe => Ok(unsubscribe(asked, session, false)),
        PubSub::Punsubscribe => Ok(unsubscribe(asked, session, true)),
        PubSub::Pubsub => pubsub(inner, asked, session),
        PubSub::Ssubscribe | PubSub::Sunsubscribe => {
            return refuse(code::ERR, format_args!("{name} is for clusters; use subscribe"));
        }
    };
    result.unwrap_or_else(|failure| Answer::Reply(Reply::Error(failure)))
}

/// Checks all names before the first confirmation: clients take an error among confirmations for the answer to
/// another command.
fn subscribe(
    inner: &Arc<Inner>,
    asked: &Asked<'_>,
    session: &mut Session,
    host: &mut dyn Host,
    is_pattern: bool,
) -> Result<Answer, Failure> {
    let words = asked.words;
    if words.get(0).is_none() {
        let what = if is_pattern { "pattern" } else { "channel" };
        let why = format_args!("usage: {} <{what}>…", asked.word.name());
        return Err(Failure::new(code::USAGE, why));
    }
    let rules = &asked.table.channels;
    let (mut decisions, mut are_calls) = (Vec::new(), Vec::new());
    for (index, name) in words.iter().enumerate() {
        let is_call = host.is_call(name);
        are_calls.push(is_call);
        if is_call {
            if asked.is_line {
                let shown = Quoted(name);
                let why = format_args!("{shown} is a call: send it as the line");
                return Err(Failure::new(code::USAGE, why));
            }
            match host.check_call(session, name) {
                Ok(()) => continue,
                Err(Some(reply)) => return Ok(Answer::Reply(reply)),
                Err(None) => return Ok(Answer::NotNow),
            }
        }
        if is_pattern && (name.is_empty() || name.len() > LONGEST_NAME) {
            let why = format_args!("bad pattern {}: 1 to {LONGEST_NAME} bytes", Quoted(name));
            return Err(Failure::new(code::USAGE, why));
        }
        if !is_pattern && !is_channel(name) {
            let why = format_args!("bad channel {}: {NAMES}", Quoted(name));
            return Err(Failure::new(code::USAGE, why));
        }
        // A pattern is allowed: it gets the channels that the client may hear. Each rule that lets it is recorded.
        let caller = session.credentials();
        if let (true, Some(rules)) = (is_pattern, rules) {
            let meets = |channels: &Pattern| glob::meets(name, channels.text().as_bytes());
            let allowing = rules.allowing(&caller, &meets);
            let allowed = |policy| Decision { index, is_allowed: true, policy: Some(policy) };
            decisions.extend(allowing.iter().copied().map(allowed));
            if !allowing.is_empty() {
                continue;
            }
        }
        let policy = policy(rules, session.socket, &String::from_utf8_lossy(name));
        let is_allowed = policy.is_some_and(|policy| policy.allows(&caller));
        if policy.is_none_or(|policy| !matches!(policy, Policy::Open)) {
            decisions.push(Decision { index, is_allowed, policy });
        }
    }
    check_count(asked, session, is_pattern)?;
    match record(asked, session, host, &decisions) {
        None => return Ok(Answer::NotNow),
        // A channel that is denied stays denied even if the record fails.
        Some(Err(failure))
            if is_pattern || decisions.iter().all(|decision| decision.is_allowed) =>
        {
            return Err(failure);
        }
        Some(_) => {}
    }
    let denied = decisions.iter().find(|decision| !decision.is_allowed && !is_pattern);
    if let Some(Decision { index, policy, .. }) = denied {
        return Err(denial(session, words.get(*index).unwrap_or_default(), *policy));
    }
    let form = session.form();
    if subscriber(session).is_none() {
        let Some(bell) = host.bell() else {
            return Err(Failure::from("this server can't send events"));
        };
        let (rules, caller) = (rules.clone(), session.credentials());
        let queue = Arc::new(Queue::new(bell, caller, rules, asked.limits));
        let subscriber = Subscriber::new(inner, queue);
        session.subscribe(Box::new(subscriber));
    }
    let begin = |(name, is_call): (&[u8], bool)| {
        if is_call { host.begin_call(session, name, is_pattern) } else { None }
    };
    let calls: Vec<_> = words.iter().zip(are_calls).map(begin).collect();
    let Some(subscriber) = subscriber(session) else { unreachable!("it was just made") };
    let mut frames = Vec::new();
    // A line ends with a subscription; it has no earlier events.
    subscriber.take(form, usize::MAX, &mut frames);
    for (name, call) in words.iter().zip(calls) {
        let subscription = match call {
            Some(call) => {
                // An earlier one with this name ends.
                let key = (is_pattern, name.into());
                subscriber.subscriptions.insert(key, Held::Call(call));
                None
            }
            None => subscriber.insert(is_pattern, name),
        };
        if form != Form::Line {
            confirm(asked.word, Some(name), subscriber.count(), form, &mut frames);
        }
        // The confirmation is in front of whatever is published from now on.
        if let Some(subscription) = subscription {
            subscriber.begin(&subscription);
        }
    }
    Ok(Answer::Told(frames))
}

/// Checks how many subscriptions the connection would have.
fn check_count(asked: &Asked<'_>, session: &mut Session, is_pattern: bool) -> Result<(), Failure> {
    let have = subscriber(session).map_or(0, |subscriber| subscriber.count());
    let new = asked.words.iter().filter(|name| {
        subscriber(session).is_none_or(|subscriber| subscriber.get(is_pattern, name).is_none())
    });
    let most = asked.limits.subscriptions;
    if have + new.count() > most {
        let why = format_args!("too many subscriptions of this connection: {most} at most");
        return Err(Failure::new(code::TOOBIG, why));
    }
    Ok(())
}

/// Records the decisions about channels. `None` if that is to be tried again.
fn record(
    asked: &Asked<'_>,
    session: &Session,
    host: &mut dyn Host,
    decisions: &[Decision<'_>],
) -> Option<Result<(), Failure>> {
    let Some(audit) = asked.audit.filter(|_| !decisions.is_empty()) else { return Some(Ok(())) };
    let words = asked.words;
    host.record(&mut || {
        decisions.iter().try_for_each(|&Decision { index, is_allowed, policy }| {
            let caller = (&session.peer, session.id);
            let case = audit.case(caller, is_allowed, policy, Some(asked.word.name()));
            let spans = words.spans.get(index..=index).unwrap_or_default();
            case.unbound(b"", None, Words { spans, ..words })
        })
    })
}

/// Returns the failure of a client that may not hear a channel.
fn denial(session: &Session, channel: &[u8], policy: Option<&Policy>) -> Failure {
    let reason = Policy::denial(policy);
    let (channel, uid) = (Quoted(channel), session.peer.uid());
    let why = format_args!("permission denied: channel {channel} {reason} (you are uid {uid})");
    Failure::new(code::NOPERM, why)
}

fn unsubscribe(asked: &Asked<'_>, session: &mut Session, is_pattern: bool) -> Answer {
    let form = session.form();
    let mut frames = Vec::new();
    let mut names: Vec<Box<[u8]>> = asked.words.iter().map(Into::into).collect();
    let Some(subscriber) = subscriber(session) else {
        let all = names.iter().map(|name| Some(&**name));
        let none = names.is_empty().then_some(None);
        all.chain(none).for_each(|name| confirm(asked.word, name, 0, form, &mut frames));
        return Answer::Told(frames);
    };
    if names.is_empty() {
        names = subscriber.names(is_pattern);
    }
    let before = subscriber.count();
    let ended: Vec<_> = names.iter().map(|name| subscriber.remove(is_pattern, name)).collect();
    // What was published until now, and nothing behind the confirmation.
    subscriber.take(form, usize::MAX, &mut frames);
    let mut count = before;
    for (name, has_ended) in names.iter().zip(ended) {
        count -= usize::from(has_ended);
        confirm(asked.word, Some(name), count, form, &mut frames);
    }
    if names.is_empty() {
        confirm(asked.word, None, count, form, &mut frames);
    }
    if count == 0 {
        session.end_subscriptions();
    }
    Answer::Told(frames)
}

/// Appends a confirmation, in RESP3 a push frame.
fn confirm(word: PubSub, name: Option<&[u8]>, count: usize, form: Form, out: &mut Vec<u8>) {
    let kind = if matches!(form, Form::Resp3 | Form::Typed) { b'>' } else { b'*' };
    encode::length(kind, 3, out);
    encode::bulk(word.name().as_bytes(), out);
    match name {
        Some(name) => encode::bulk(name, out),
        None if kind == b'>' => out.extend_from_slice(b"_\r\n"),
        None => out.extend_from_slice(b"$-1\r\n"),
    }
    encode::length(b':', count, out);
}

fn pubsub(inner: &Inner, asked: &Asked<'_>, session: &Session) -> Result<Answer, Failure> {
    let words = asked.words;
    let rules = &asked.table.channels;
    let may_hear = |channel: &str| {
        let policy = policy(rules, session.socket, channel);
        policy.is_some_and(|policy| policy.allows(&session.credentials()))
    };
    let is =
        |name: &str| words.get(0).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let registry = inner.lock();
    let reply = if is("channels") && words.get(2).is_none() {
        let pattern = words.get(1).unwrap_or(b"*");
        let mut channels = registry.channels().map(str::to_owned).collect::<Vec<_>>();
        drop(registry);
        channels.retain(|name| glob::matches(pattern, name.as_bytes()) && may_hear(name));
        channels.into_reply()
    } else if is("numsub") {
        let mut counts = Vec::new();
        for name in words.skip(1).iter() {
            let is_open = std::str::from_utf8(name).is_ok_and(may_hear);
            let count = if is_open { registry.count(name) } else { 0 };
            counts.extend([name.into_reply(), count.into_reply()]);
        }
        Reply::List(counts)
    } else if is("numpat") && words.get(1).is_none() {
        registry.patterns().into_reply()
    } else {
        let why = "usage: pubsub channels [<pattern>] | numsub [<channel>…] | numpat";
        return Err(Failure::new(code::USAGE, why));
    };
    Ok(Answer::Reply(reply))
}

fn subscriber(session: &mut Session) -> Option<&mut Subscriber> {
    session.subscriber()?.as_any().downcast_mut()
}

/// The subscriptions of one connection, and the queue of their events.
struct Subscriber {
    inner: Arc<Inner>,
    queue: Arc<Queue>,
    subscriptions: BTreeMap<(bool, Box<[u8]>), Held>,
}

/// A subscription.
enum Held {
    Channel(Arc<Subscription>),
    Call(Box<dyn Called>),
}

impl Subscriber {
    fn new(inner: &Arc<Inner>, queue: Arc<Queue>) -> Self {
        inner.subscribers.fetch_add(1, Ordering::SeqCst);
        Self { inner: Arc::clone(inner), queue, subscriptions: BTreeMap::new() }
    }

    fn count(&self) -> usize {
        self.subscriptions.len()
    }

    fn get(&self, is_pattern: bool, name: &[u8]) -> Option<&Held> {
        self.subscriptions.get(&(is_pattern, name.into()))
    }

    /// Returns whether a subscription has not ended.
    fn holds(&self, subscription: &Arc<Subscription>) -> bool {
        let held = self.get(subscription.is_pattern, &subscription.name);
        matches!(held, Some(Held::Channel(held)) if Arc::ptr_eq(held, subscription))
    }

    /// Returns the names of all channels, or of all patterns.
    fn names(&self, is_pattern: bool) -> Vec<Box<[u8]>> {
        let its = self.subscriptions.keys().filter(|(is, _)| *is == is_pattern);
        its.map(|(_, name)| name.clone()).collect()
    }

    /// Adds a subscription that has not begun. `None` if there is one.
    fn insert(&mut self, is_pattern: bool, name: &[u8]) -> Option<Arc<Subscription>> {
        if let Some(Held::Channel(subscription)) = self.get(is_pattern, name) {
            self.queue.restart(subscription);
            return None;
        }
        let subscription = Arc::new(Subscription::new(is_pattern, name));
        let held = Held::Channel(Arc::clone(&subscription));
        self.subscriptions.insert((is_pattern, name.into()), held);
        Some(subscription)
    }

    /// Begins a subscription. Its channels' states come first.
    fn begin(&self, subscription: &Arc<Subscription>) {
        let mut sources = self.inner.lock().sources(subscription);
        sources.retain(|(channel, _)| self.queue.may_hear(channel));
        // A change is queued from when the state is. One source after the other: there may be many.
        self.queue.expect_states(subscription, sources.iter().map(|(channel, _)| &**channel));
        self.inner.lock().add(&self.queue, subscription);
        for (channel, source) in &sources {
            self.push_state(subscription, channel, Some(source));
        }
    }

    /// Queues the state of a channel that is stale, or nothing if it has none.
    fn push_state(
        &self,
        subscription: &Arc<Subscription>,
        channel: &str,
        source: Option<&Arc<dyn Source>>,
    ) {
        let mut push = |replies: Vec<Reply>| {
            let events = replies.into_iter().map(|reply| Event::new(channel, reply)).collect();
            if self.queue.push_state(events, subscription, channel) {
                let mut wake = Wake::default();
                wake.add(&self.queue);
                wake.ring();
            }
        };
        // The author's code may panic.
        if source.is_none_or(|source| caught(|| source.with_state(&mut push)).is_none()) {
            push(Vec::new());
        }
    }

    /// Ends a subscription. Returns whether there was one.
    fn remove(&mut self, is_pattern: bool, name: &[u8]) -> bool {
        let subscription = self.subscriptions.remove(&(is_pattern, name.into()));
        if let Some(Held::Channel(subscription)) = &subscription {
            self.inner.lock().remove(subscription);
            self.queue.forget(subscription);
        }
        subscription.is_some()
    }
}

impl Subscribed for Subscriber {
    fn take(&mut self, form: Form, most: usize, out: &mut Vec<u8>) -> Taken {
        let mut is_over = false;
        let mut has_more = loop {
            let mut batch = self.queue.take(most);
            let (has_more, stale) = (batch.has_more, std::mem::take(&mut batch.stale));
            is_over |= batch.write(form, out) && form == Form::Line;
            let has_states = !stale.is_empty();
            for (subscription, channel) in stale.into_iter().rev() {
                // Nothing comes for a subscription that has ended meanwhile.
                let source = self.holds(&subscription).then(|| self.inner.lock().source(&channel));
                self.push_state(&subscription, &channel, source.flatten().as_ref());
            }
            // The states are queued by now.
            if !has_states || most < usize::MAX {
                break has_more;
            }
        };
        for held in self.subscriptions.values_mut() {
            if let Held::Call(call) = held {
                // Whole messages, however many: the item of a stream may be long.
                has_more |= out.len() >= most || call.take(out);
            }
        }
        Taken { has_more, is_over }
    }

    fn stop(&self) {
        for held in self.subscriptions.values() {
            if let Held::Call(call) = held {
                call.stop();
            }
        }
    }

    fn limit(&self, name: &[u8], next: Option<&[u8]>) -> Option<Reply> {
        let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
        if is(&"ping") {
            let pong = Reply::bytes("pong");
            return Some(Reply::List(vec![pong, Reply::bytes(next.unwrap_or_default())]));
        }
        let others = ["quit", "reset"];
        let its = PubSub::ALL.map(PubSub::name);
        if its.iter().filter(|name| **name != "pubsub").chain(&others).any(is) {
            return None;
        }
        let name = String::from_utf8_lossy(name).to_lowercase();
        // The words are those of Redis.
        let why = format_args!(
            "Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        );
        Some(Reply::Error(Failure::from(why)))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut registry = self.inner.lock();
        for subscription in self.subscriptions.values() {
            if let Held::Channel(subscription) = subscription {
                registry.remove(subscription);
            }
        }
        drop(registry);
        self.inner.subscribers.fetch_sub(1, Ordering::SeqCst);
    }
}
