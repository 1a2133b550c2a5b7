//! [`Subscription`], the events of a daemon's channels.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::time::Duration;

use super::Client;
use super::canceller::{Attachment, Canceller};
use super::commands::{CommandBuilder, Commands, Retry, Wanted};
use super::connection::{Connection, Frame};
use super::limits::{CallLimits, ClientLimits, Deadline};
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::reply::{FromReply, Reply};

/// The events of some channels as they arrive; see [`Client::subscribe`].
///
/// It ends with the connection, which is an error and the last item, or without an error when it was
/// [cancelled](Self::canceller). It does not subscribe again: events would be lost without notice.
///
/// Where the daemon ends the subscription to a channel because this client was too slow, an item is an
/// [`Error::Refused`] with the code [`LAGGED`](crate::error::code::LAGGED), and the other channels go on.
#[must_use = "dropping the subscription ends it"]
pub struct Subscription {
    connection: Connection,
    limits: ClientLimits,
    state: Received,
    canceller: Canceller,
    _attached: Attachment,
}

/// The push frames of a subscription, as they were understood so far.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Frames that came in front of the last confirmation.
    early: VecDeque<Reply>,
    /// The number of subscriptions that have not ended.
    open: usize,
    /// The number of events that were dropped since the last one.
    dropped: u64,
}

/// One published event.
#[derive(Clone, Debug)]
pub struct Event {
    channel: String,
    pattern: Option<String>,
    value: Reply,
    dropped: u64,
}

impl Event {
    /// Returns the channel under which it was published.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Returns the pattern to which the client has subscribed, if it is not the channel's name.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// Converts the value. [`Reply`] accepts any value that is no error.
    ///
    /// # Errors
    /// The value is no `T`, or it is an `Err` of the daemon's; the next event follows as usual.
    pub fn get<T: FromReply>(&self) -> Result<T> {
        self.value.clone().parse()
    }

    /// Returns the value as it arrived, also if it is an error.
    #[cfg(feature = "cli")]
    pub(crate) fn value(&self) -> &Reply {
        &self.value
    }

    /// Returns how many events were dropped in front of this one because the client was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The names of a subscription.
pub(super) struct Names {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
}

impl Names {
    /// Encodes the commands that subscribe, once to each name: that is what the daemon ends.
    pub(super) fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let kinds = [("subscribe", false), ("psubscribe", true)];
        let mut commands =
            kinds.map(|(name, is_pattern)| (CommandBuilder::new(name), is_pattern, 0));
        let mut seen = HashSet::new();
        for name in names {
            let name = name.as_ref();
            if !seen.insert(name.to_owned()) {
                continue;
            }
            let has_wildcard = name.contains(['*', '?', '[', '\\']);
            for (words, is_pattern, count) in &mut commands {
                if *is_pattern == has_wildcard {
                    words.add(name);
                    *count += 1;
                }
            }
        }
        let (mut bytes, mut all) = (Vec::new(), 0);
        for (words, _, count) in &mut commands {
            if *count > 0 {
                bytes.extend_from_slice(words.command().bytes);
                all += *count;
            }
        }
        Self { bytes, count: all }
    }

    /// Returns them for a connection. They count as several commands, which have no deadline of their own.
    pub(super) fn commands(&self) -> Commands<'_> {
        Commands {
            bytes: &self.bytes,
            count: 2,
            first: self.bytes.len(),
            reusable: false,
            streamed: false,
            // To subscribe twice is no harm.
            retry: Retry::Always,
            canceller: None,
            once: None,
            wanted: Wanted::default(),
            has_environment: false,
        }
    }
}

impl Received {
    /// Returns whether the daemon has confirmed this number of subscriptions.
    pub(super) fn is_confirmed(&self, count: usize) -> bool {
        self.open == count
    }

    /// Takes a frame that came before that.
    pub(super) fn confirm(&mut self, frame: Reply) {
        match &frame {
            Reply::List(words) if is_confirmation(words) => self.open += 1,
            _ => self.early.push_back(frame),
        }
    }

    /// Returns the event or the error that a frame has.
    pub(super) fn take(&mut self, frame: Reply) -> Option<Result<Event>> {
        let Reply::List(words) = frame else { return None };
        let mut words = words.into_iter();
        let kind = words.next().map(text)?;
        let (pattern, channel) = match &*kind {
            "message" => (None, words.next().map(text)?),
            "pmessage" => (words.next().map(text), words.next().map(text)?),
            "dockipc" => {
                let what = words.next().map(text)?;
                return match (&*what, words.next()?) {
                    ("dropped", Reply::Int(count)) => {
                        let count = u64::try_from(count).unwrap_or_default();
                        self.dropped = self.dropped.saturating_add(count);
                        None
                    }
                    ("ended", Reply::List(words)) => match words.into_iter().nth(1)? {
                        Reply::Error(failure) => {
                            self.open = self.open.saturating_sub(1);
                            Some(Err(Error::Refused(failure)))
                        }
                        _ => None,
                    },
                    _ => None,
                };
            }
            _ => return None,
        };
        let value = words.next()?;
        let dropped = std::mem::take(&mut self.dropped);
        Some(Ok(Event { channel, pattern, value, dropped }))
    }

    /// Returns the next event or error among the frames that came first.
    pub(super) fn next_early(&mut self) -> Option<Result<Event>> {
        while let Some(frame) = self.early.pop_front() {
            if let Some(event) = self.take(frame) {
                return Some(event);
            }
        }
        None
    }

    pub(super) fn has_ended(&self) -> bool {
        self.open == 0
    }

    /// Ends it. Returns the error that tells so, unless the caller has cancelled the subscription.
    pub(super) fn end(&mut self, error: Error, is_cancelled: bool) -> Option<Error> {
        self.open = 0;
        match error {
            _ if is_cancelled => None,
            Error::CutOff { .. } => {
                let why = io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed");
                Some(Error::io("waiting for events", why))
            }
            error => Some(error),
        }
    }
}

fn is_confirmation(words: &[Reply]) -> bool {
    let kinds = [Reply::bytes("subscribe"), Reply::bytes("psubscribe")];
    matches!(words, [kind, _, Reply::Int(_)] if kinds.contains(kind))
}

fn text(reply: Reply) -> String {
    match reply {
        Reply::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

impl Client {
    /// Subscribes to channels of the daemon ([`Events`](struct@crate::Events)), over a connection of its own. A
    /// name with one of `*?[\` is a pattern, as Redis has them. Returns when the daemon has confirmed all of them.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// for event in client.subscribe(["jobs.*"])? {
    ///     let event = event?;
    ///     println!("{} {}", event.channel(), event.get::<u64>()?);
    /// }
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// [`timeout`](Self::timeout) and [`read_timeout`](Self::read_timeout) limit the time until then, and not the
    /// waits for events. After an error one subscribes again, and reads what may have changed meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] if one of the names is refused: then none of them is subscribed to. For the others see
    /// [`enum@crate::Error`].
    pub fn subscribe<N: AsRef<str>>(
        &self,
        channels: impl IntoIterator<Item = N>,
    ) -> Result<Subscription> {
        let names = Names::new(channels);
        let commands = names.commands();
        let canceller = Canceller::default();
        let call = CallLimits::new(&self.limits, self.limits.total);
        let run = |connection: &mut Connection| {
            let _ = connection.open(&commands, &call)?;
            let mut state = Received::default();
            while !state.is_confirmed(names.count) {
                state.confirm(connection.read_push(&call)?);
            }
            Ok((state, connection.attach(&canceller)?))
        };
        let ((state, attached), connection) = self.attempt(&commands, &call, run)?;
        let limits = ClientLimits { read: None, ..self.limits };
        Ok(Subscription { connection, limits, state, canceller, _attached: attached })
    }

    /// Subscribes to a channel with a state, and keeps a copy of the state ([`Events::replicate`]). `state` is
    /// what the changes are applied to, such as an empty one.
    ///
    /// [`Events::replicate`]: crate::Events::replicate
    ///
    /// ```no_run
    /// # use dockipc::events::Replica;
    /// # #[derive(Clone, Default)]
    /// # struct Jobs(Vec<String>);
    /// # impl Replica for Jobs {
    /// #     type Event = Vec<String>;
    /// #     fn apply(&mut self, jobs: &Vec<String>) { self.0 = jobs.clone(); }
    /// #     fn replicate(&self) -> Vec<Vec<String>> { vec![self.0.clone()] }
    /// # }
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let mut jobs = client.mirror("jobs", Jobs::default())?;
    /// while let Some(change) = jobs.next() {
    ///     println!("{:?}, now {} jobs", change?, jobs.get().0.len());
    /// }
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`subscribe`](Self::subscribe).
    pub fn mirror<R>(&self, channel: &str, state: R) -> Result<Mirror<R>>
    where
        R: Replica<Event: FromReply>,
    {
        Ok(Mirror { subscription: self.subscribe([channel])?, state })
    }
}

impl Subscription {
    /// Returns a value that ends the subscription from another thread. The iterator then ends without an error.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Returns the next event, or `None` if there is none within this time, or after the end.
    ///
    /// # Errors
    /// Those of the iterator.
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Event>> {
        match self.receive(Deadline::after(limit)) {
            Some(Err(Error::TimedOut { .. })) | None => Ok(None),
            Some(event) => event.map(Some),
        }
    }

    /// Returns the next event, or a timeout at the deadline, after which more may follow.
    fn receive(&mut self, end: Option<Deadline>) -> Option<Result<Event>> {
        let call = CallLimits::new(&self.limits, None);
        let call = CallLimits { end: Deadline::earlier(end, call.end), ..call };
        loop {
            if let Some(event) = self.state.next_early() {
                return Some(event);
            }
            if self.state.has_ended() {
                return None;
            }
            let frame = self.connection.set_read_timeout(&call);
            match frame.and_then(|()| self.connection.read_push(&call)) {
                Ok(frame) => {
                    if let Some(event) = self.state.take(frame) {
                        return Some(event);
                    }
                }
                Err(error @ Error::TimedOut { .. }) if end.is_some() => return Some(Err(error)),
                Err(error) => return self.state.end(error, self.canceller.is_cancelled()).map(Err),
            }
        }
    }
}

impl Iterator for Subscription {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        self.receive(None)
    }
}

impl std::iter::FusedIterator for Subscription {}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("open", &self.state.open).finish_non_exhaustive()
    }
}

impl Connection {
    /// Reads the next push frame of a subscription. A server without RESP3 sends lists.
    ///
    /// # Errors
    /// An error answer is one as well.
    pub(super) fn read_push(&mut self, call: &CallLimits<'_>) -> Result<Reply> {
        loop {
            match self.read_any(call)? {
                Frame::Push(frame) | Frame::Answer(frame @ Reply::List(_)) => return Ok(frame),
                Frame::Answer(answer) => {
                    if let Reply::Error(failure) = self.explain_denial(answer) {
                        return Err(Error::Refused(failure));
                    }
                }
            }
        }
    }
}

/// A copy of a daemon's state, which follows its changes; see [`Client::mirror`].
///
/// As an iterator it returns each change after it has applied it: first those that make the state as it was at the
/// beginning, and then each change of it. A change that can't be read is an error, and the copy is then not exact.
#[derive(Debug)]
#[must_use = "dropping the mirror ends it"]
pub struct Mirror<R> {
    subscription: Subscription,
    state: R,
}

impl<R> Mirror<R> {
    /// Returns the state after the last change.
    pub fn get(&self) -> &R {
        &self.state
    }

    /// Returns a value that ends the mirror from another thread; see [`Subscription::canceller`].
    pub fn canceller(&self) -> Canceller {
        self.subscription.canceller()
    }
}

impl<R: Replica<Event: FromReply>> Iterator for Mirror<R> {
    type Item = Result<R::Event>;

    fn next(&mut self) -> Option<Result<R::Event>> {
        let event = self.subscription.next()?;
        Some(event.and_then(|event| {
            let change = event.value.parse()?;
            self.state.apply(&change);
            Ok(change)
        }))
    }
}
