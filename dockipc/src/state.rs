//! [`State`], the values that a daemon's commands share.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// A value given to [`Server::state`](crate::Server::state), injected as a parameter `State<T>` or
/// `&State<T>`.
///
/// It dereferences to the value, and is cheap to clone, so that a thread can keep it. Commands run
/// concurrently: mutable data needs an atomic or a lock.
///
/// ```standalone_crate
/// use dockipc::{State, command};
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// /// Add `n` to the counter and answer with the new total.
/// #[command("add")]
/// fn add(total: State<AtomicU64>, n: u64) -> u64 {
///     total.fetch_add(n, Relaxed) + n
/// }
/// ```
///
/// If the server lacks the state of a command, it fails at start, not at the first call.
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Wraps a value, for example to call a command's function in a test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> From<Arc<T>> for State<T> {
    fn from(value: Arc<T>) -> Self {
        Self(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&&*self.0).finish()
    }
}

/// The states of a server.
#[derive(Default)]
pub(crate) struct States {
    /// The values by type. A list, since searching the few entries is faster than in a map.
    values: Vec<(TypeId, &'static str, Box<dyn Any + Send + Sync>)>,
    /// The event channels of the server, an `Arc<dyn Channels>`, once anything of the program has asked for
    /// them. This room does not know their type.
    pub(crate) channels: OnceLock<Box<dyn Any + Send + Sync>>,
    /// The code for subscriptions to calls, if a command streams.
    pub(crate) calls: OnceLock<&'static (dyn Any + Send + Sync)>,
    /// The engine's code for subscribers, which comes with the channels.
    pub(crate) listening: OnceLock<&'static (dyn Any + Send + Sync)>,
}

impl States {
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, state: State<T>) {
        self.values.push((TypeId::of::<T>(), type_name::<T>(), Box::new(state)));
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&State<T>> {
        let id = TypeId::of::<T>();
        let (_, _, state) = self.values.iter().find(|(other, ..)| *other == id)?;
        state.downcast_ref()
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.values.iter().any(|(other, ..)| *other == id)
    }

    /// Returns the name of a type that was given twice.
    pub(crate) fn duplicate(&self) -> Option<&'static str> {
        let twice = |i: usize| self.values[..i].iter().any(|(id, ..)| *id == self.values[i].0);
        (0..self.values.len()).find(|&i| twice(i)).map(|i| self.values[i].1)
    }
}
