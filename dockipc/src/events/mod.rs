//! Events, which a program publishes and clients subscribe to.
//!
//! ```standalone_crate
//! use dockipc::{Events, Server, command};
//! use std::io::{BufRead, BufReader, Write};
//!
//! /// Note that a job is done.
//! #[command]
//! fn done(events: Events, job: u64) {
//!     events.publish("jobs.done", job);
//! }
//!
//! let daemon = Server::new().spawn_in_process()?;
//! let mut watching = daemon.connect()?;
//! watching.write_all(b"subscribe jobs.done\n").expect("a line");
//! # while daemon.client().send("pubsub numsub jobs.done")? != b"jobs.done\n1\n" {}
//! daemon.client().command("done").arg(7).call::<()>()?;
//! let mut event = String::new();
//! BufReader::new(watching).read_line(&mut event).expect("an event");
//! assert_eq!(event, "jobs.done\t7\n");
//! # Ok::<(), dockipc::Error>(())
//! ```
//!
//! Redis clients subscribe with `SUBSCRIBE` and `PSUBSCRIBE`, in RESP2 and RESP3, and get the text of a value, as
//! line mode writes it. A line `subscribe jobs.done` or `psubscribe 'jobs.*'` stays open and gets one line for each
//! event: the channel, a tab, and the value as one row.
//!
//! # Declared channels
//!
//! An enum can declare channels, [`#[derive(Events)]`](derive@crate::Events): clients then learn their names and the
//! types of their values, and a misspelled name does not compile.
//!
//! ```standalone_crate
//! use dockipc::{Events, Server};
//!
//! /// The events of the jobs.
//! #[derive(dockipc::Events)]
//! enum JobEvent {
//!     /// A job is done: its number.
//!     #[event("jobs.done", allow = "owner", when_full = "end")]
//!     Done(u64),
//!     /// No job is left.
//!     #[event("jobs.idle")]
//!     Idle,
//! }
//!
//! let events = Events::new();
//! let daemon = Server::new().events(events.clone()).spawn_in_process()?;
//! events.emit(JobEvent::Done(7));
//! events.emit(JobEvent::Idle);
//! # drop(daemon);
//! # Ok::<(), dockipc::Error>(())
//! ```
//!
//! # Slow subscribers
//!
//! A publisher never waits. The events of each connection wait in a queue of their own
//! ([`Server::max_queued_events`](crate::Server::max_queued_events)), and a client that does not read delays
//! nobody. When its queue is full, the channel's [`WhenFull`] decides.
//!
//! # Access
//!
//! [`Server::allow_channel`](crate::Server::allow_channel) says who may hear which channels. A
//! pattern gets those of its channels that the client may hear.
//!
//! # States
//!
//! [`Events::replicate`] makes a channel whose subscribers mirror a state, [`Events::watch`] one of the last value.

mod answer;
mod call;
mod event;
mod glob;
mod queue;
mod registry;
mod replica;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::event::Event;
use self::registry::{Registry, Wake};
use self::replica::Source;
use crate::access::Pattern;
use crate::reply::{IntoReply, Reply};
use crate::session::Session;
use crate::state::States;
use crate::warning::warn;

pub(crate) use self::answer::{Answer, Asked, Host};
pub(crate) use self::call::Called;
pub use self::replica::{Replicated, Watch};
pub use crate::replica::Replica;

/// The event channels of a server, to publish to.
///
/// A command takes it as a parameter. The program makes one for [`Server::events`](crate::Server::events), or gets
/// the server's from [`Handle::events`](crate::Handle::events). It is cheap to clone. A server has events if any of
/// these is in the program.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Invariant: no code of the author's runs with it locked, and no engine's lock is taken.
    registry: Mutex<Registry>,
    /// The connections that have subscribed to anything.
    subscribers: AtomicUsize,
    /// The program was warned of a name that no client can subscribe to.
    has_warned: AtomicBool,
}

/// The policy for a client whose queue of events is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest events are dropped, and the client is told how many. A Redis client is told so if it has
    /// subscribed to a pattern.
    #[default]
    Drop,
    /// The subscription ends with an error of the code
    /// [`LAGGED`](crate::error::code::LAGGED). The connection goes on.
    End,
}

/// An event that its type's declaration gives a channel: implemented by [`#[derive(Events)]`](derive@crate::Events).
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no event channels",
    label = "no declared event",
    note = "put `#[derive(dockipc::Events)]` on the enum, or use `publish` with a channel's name"
)]
pub trait EventChannel {
    /// Returns the channel's name and the value.
    fn into_event(self) -> (&'static str, Reply);
}

/// The event channels of a server, as dispatch sees them. Only programs with events contain the code behind it.
pub(crate) trait Channels: Send + Sync {
    /// Answers `SUBSCRIBE` or one of its kin.
    fn answer(&self, asked: &Asked<'_>, session: &mut Session, host: &mut dyn Host) -> Answer;

    fn events(&self) -> &Events;
}

impl Channels for Events {
    fn answer(&self, asked: &Asked<'_>, session: &mut Session, host: &mut dyn Host) -> Answer {
        answer::answer(&self.0, asked, session, host)
    }

    fn events(&self) -> &Events {
        self
    }
}

impl Events {
    /// Makes channels without a subscriber.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Sets what happens when a client is too slow for these channels. In `channels`, `*` matches any characters
    /// and `?` matches one; the last call that matches a channel counts.
    ///
    /// ```
    /// use dockipc::Events;
    /// use dockipc::events::WhenFull;
    ///
    /// let events = Events::new().when_full("audit.*", WhenFull::End);
    /// # drop(events);
    /// ```
    #[must_use]
    pub fn when_full(self, channels: impl Into<String>, policy: WhenFull) -> Self {
        self.0.lock().set_policy(Pattern::new(channels), policy);
        self
    }

    /// Sends a value to all clients that have subscribed to the channel, and returns their number. It never waits
    /// for a client.
    ///
    /// Within a command, the event is sent before the command's answer on the same connection.
    ///
    /// A channel's name is like that of a command: a-z, 0-9 and, after the first character, `.`, `_`, `:` and `-`,
    /// at most 255 bytes. No client can subscribe to another name: then the result is 0, and the first time a
    /// warning is written to standard error.
    pub fn publish(&self, channel: impl AsRef<str>, value: impl IntoReply) -> usize {
        self.0.publish(channel.as_ref(), value.into_reply())
    }

    /// Sends a declared event to all clients that have subscribed to its channel: [`publish`](Self::publish) with the
    /// name and the value of an enum that derives [`Events`](derive@crate::Events).
    pub fn emit(&self, event: impl EventChannel) -> usize {
        let (channel, value) = event.into_event();
        self.0.publish(channel, value)
    }

    /// Ends the subscriptions of clients that are too slow for a channel, unless the program sets a policy.
    pub(crate) fn end_when_full(&self, channel: &str) {
        self.0.lock().set_default_policy(Pattern::new(channel), WhenFull::End);
    }

    /// Returns the events of a server, which has some from now on. `listening` is the engine's code for
    /// subscribers.
    pub(crate) fn of<'s>(
        states: &'s States,
        listening: &'static (dyn Any + Send + Sync),
    ) -> &'s Self {
        if states.channels.get().is_none() {
            Self::new().give_to(states, listening);
        }
        let channels =
            states.channels.get().and_then(|any| any.downcast_ref::<Arc<dyn Channels>>());
        match channels {
            Some(channels) => channels.events(),
            None => unreachable!("nothing else is put there"),
        }
    }

    /// Gives a server its events, unless it has some.
    pub(crate) fn give_to(self, states: &States, listening: &'static (dyn Any + Send + Sync)) {
        let _ = states.listening.set(listening);
        states.channels.get_or_init(|| self.boxed());
    }

    fn boxed(self) -> Box<dyn Any + Send + Sync> {
        let channels: Arc<dyn Channels> = Arc::new(self);
        Box::new(channels)
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, channel: &str, value: Reply) -> usize {
        if !self.has_name(channel) || self.subscribers.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        let event = Arc::new(Event::new(channel, value));
        let mut wake = Wake::default();
        let count = self.lock().publish(&event, &mut wake);
        wake.ring();
        count
    }

    fn set_source(&self, channel: &str, source: Arc<dyn Source>) {
        if self.has_name(channel) {
            self.lock().set_source(channel, source);
        }
    }

    /// Returns whether clients can subscribe to a channel of this name.
    fn has_name(&self, channel: &str) -> bool {
        let is_name = is_channel(channel.as_bytes());
        if !is_name && !self.has_warned.swap(true, Ordering::Relaxed) {
            warn(format_args!("{channel:?} is not the name of an event channel: {NAMES}"));
        }
        is_name
    }
}

/// The names of channels, for messages.
const NAMES: &str = "use a-z, 0-9 and, after the first character, . _ : -, at most 255 bytes";

/// The most bytes of the name of a channel, and of a pattern.
const LONGEST_NAME: usize = 255;

/// Returns whether an event can be published under a name.
fn is_channel(name: &[u8]) -> bool {
    let fits = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    name.len() <= LONGEST_NAME
        && name.first().is_some_and(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
        && name.iter().all(fits)
}
