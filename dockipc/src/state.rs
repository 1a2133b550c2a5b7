//! What a daemon's commands share.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A value that the server was given with [`Server::state`](crate::Server::state), as a parameter.
///
/// It dereferences to the value and is cheap to clone, so that a thread may keep it; `&State<T>` is
/// injected as well. Commands run at the same time: what changes needs an atomic or a lock.
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
/// A command whose state the server doesn't have is an error at start, not at its first call.
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Wraps a value, for calling a command's function in a test.
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

/// The states of a server, by their types. There are few: a list is searched faster than a map.
#[derive(Default)]
pub(crate) struct States(Vec<(TypeId, &'static str, Box<dyn Any + Send + Sync>)>);

impl States {
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, state: State<T>) {
        self.0.push((TypeId::of::<T>(), type_name::<T>(), Box::new(state)));
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&State<T>> {
        let id = TypeId::of::<T>();
        let (_, _, state) = self.0.iter().find(|(other, ..)| *other == id)?;
        state.downcast_ref()
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.0.iter().any(|(other, ..)| *other == id)
    }

    /// The name of a type that was given twice.
    pub(crate) fn duplicate(&self) -> Option<&'static str> {
        let twice = |i: usize| self.0[..i].iter().any(|(id, ..)| *id == self.0[i].0);
        (0..self.0.len()).find(|&i| twice(i)).map(|i| self.0[i].1)
    }
}
