//! States that clients mirror: [`Replicated`] and [`Watch`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Events, Inner};
use crate::replica::Replica;
use crate::reply::{IntoReply, Reply};

/// The state of a channel, which dockipc owns: see [`Events::replicate`]. Clones are of the same state.
pub struct Replicated<T>(Arc<Shared<T>>);

struct Shared<T> {
    /// Invariant: of the author's code, only [`Replica`], `Clone` of the state and `IntoReply` of its event run
    /// with this locked.
    state: Mutex<Arc<T>>,
    /// The events own this.
    events: Weak<Inner>,
    channel: Box<str>,
}

/// The state of a channel, as its subscriptions see it.
pub(super) trait Source: Send + Sync {
    /// Calls a function with the state as events. It is not changed meanwhile.
    fn with_state(&self, then: &mut dyn FnMut(Vec<Reply>));
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Arc<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Replica + Send + Sync> Source for Shared<T> {
    fn with_state(&self, then: &mut dyn FnMut(Vec<Reply>)) {
        let state = self.lock();
        then(state.replicate().into_iter().map(IntoReply::into_reply).collect());
    }
}

impl Events {
    /// Makes a channel whose subscribers mirror a state: each gets the state as events first, and then each
    /// change, without a gap and none twice. A subscriber that is too slow gets the state again.
    ///
    /// Commands take the result as `State<Replicated<T>>` to read and to change the state.
    ///
    /// ```
    /// use dockipc::events::Replica;
    /// use dockipc::{Events, Server};
    ///
    /// #[derive(Clone, Default)]
    /// struct Jobs(Vec<String>);
    ///
    /// impl Replica for Jobs {
    ///     type Event = Vec<String>;
    ///
    ///     fn apply(&mut self, jobs: &Vec<String>) {
    ///         self.0 = jobs.clone();
    ///     }
    ///
    ///     fn replicate(&self) -> Vec<Vec<String>> {
    ///         vec![self.0.clone()]
    ///     }
    /// }
    ///
    /// let events = Events::new();
    /// let jobs = events.replicate("jobs", Jobs::default());
    /// let server = Server::new().events(events).state(jobs.clone());
    /// jobs.publish(vec!["backup".into()]);
    /// assert_eq!(jobs.get().0, ["backup"]);
    /// # drop(server);
    /// ```
    pub fn replicate<T>(&self, channel: &str, state: T) -> Replicated<T>
    where
        T: Replica + Send + Sync + 'static,
    {
        let state = Mutex::new(Arc::new(state));
        let events = Arc::downgrade(&self.0);
        let shared = Arc::new(Shared { state, events, channel: channel.into() });
        self.0.set_source(channel, Arc::clone(&shared) as Arc<dyn Source>);
        Replicated(shared)
    }

    /// Makes a channel whose subscribers get the last value first, and then each new one.
    ///
    /// ```
    /// use dockipc::Events;
    ///
    /// let volume = Events::new().watch("volume", 7_u8);
    /// volume.set(8);
    /// assert_eq!(volume.get(), 8);
    /// ```
    pub fn watch<T>(&self, channel: &str, value: T) -> Watch<T>
    where
        T: IntoReply + Clone + Send + Sync + 'static,
    {
        Watch(self.replicate(channel, Last(value)))
    }
}

impl<T: Replica> Replicated<T> {
    /// Changes the state, and sends the change to the channel's subscribers. Returns their number.
    pub fn publish(&self, event: T::Event) -> usize {
        let mut state = self.0.lock();
        Arc::make_mut(&mut state).apply(&event);
        let events = self.0.events.upgrade();
        events.map_or(0, |events| events.publish(&self.0.channel, event.into_reply()))
    }
}

impl<T> Replicated<T> {
    /// Returns the state as it is now. A change while it is held makes a copy.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.lock())
    }
}

impl<T> Clone for Replicated<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Replicated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicated").field("channel", &self.0.channel).finish_non_exhaustive()
    }
}

/// The last value of a channel: see [`Events::watch`]. Clones are of the same value.
pub struct Watch<T>(Replicated<Last<T>>);

#[derive(Clone)]
struct Last<T>(T);

impl<T: IntoReply + Clone> Replica for Last<T> {
    type Event = T;

    fn apply(&mut self, value: &T) {
        self.0 = value.clone();
    }

    fn replicate(&self) -> Vec<T> {
        vec![self.0.clone()]
    }
}

impl<T: IntoReply + Clone> Watch<T> {
    /// Sets the value, and sends it to the channel's subscribers. Returns their number.
    pub fn set(&self, value: T) -> usize {
        self.0.publish(value)
    }

    /// Returns the value.
    pub fn get(&self) -> T {
        self.0.get().0.clone()
    }
}

impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.0.channel).finish()
    }
}
