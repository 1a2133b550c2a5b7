//! [`Cancel`], the parameter by which a command learns that it is to stop.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Run;
use crate::error::Stopped;
use crate::peer::Peer;

/// Tells a command that it is to stop; injected as a parameter by value or by reference.
///
/// A command is asked to stop when
///
/// - its client leaves, also with unread answers, or cancels the call
///   (Ctrl-C in `dockipc call`);
/// - the caller's deadline passes, or [`run_timeout`](crate::Server::run_timeout);
/// - an operator cancels it (`DOCKIPC CANCEL`, `dockipc kill`) or ends its connection (`CLIENT KILL`);
/// - the server stops and [`shutdown_timeout`](crate::Server::shutdown_timeout) has passed; at once, if the command
///   answers with a [`Stream`](crate::Stream).
///
/// A command that does not look at its `Cancel` runs on to its end. After the command's answer nothing is asked
/// of a `Cancel` that was kept.
///
/// ```standalone_crate
/// use dockipc::{Cancel, Stopped, command};
///
/// /// Count the primes below `n`.
/// #[command]
/// fn primes(n: u64, cancel: Cancel) -> Result<usize, Stopped> {
///     let mut primes: Vec<u64> = Vec::new();
///     for i in 2..n {
///         cancel.check()?;
///         if primes.iter().take_while(|&p| p * p <= i).all(|p| i % p != 0) {
///             primes.push(i);
///         }
///     }
///     Ok(primes.len())
/// }
///
/// // As a function it takes one that is never asked to stop.
/// assert_eq!(primes(30, Cancel::new()), Ok(10));
/// ```
#[derive(Clone)]
pub struct Cancel(pub(crate) Arc<Run>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// Makes one that belongs to no command, for a test that calls the command's function.
    /// [`cancel`](Self::cancel) asks to stop.
    pub fn new() -> Self {
        Self(Arc::new(Run::new(0, "", 0, &Peer::unknown())))
    }

    /// Asks to stop with [`Stopped::Cancelled`]. Does nothing if it was asked before.
    pub fn cancel(&self) {
        self.0.signal.fire(Stopped::Cancelled);
    }

    /// Returns whether the command is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.stopped().is_some()
    }

    /// Waits at most this long. Returns whether the command is to stop, as soon as it is.
    ///
    /// A thread that would sleep waits here instead.
    pub fn wait(&self, limit: Duration) -> bool {
        self.0.wait(limit).is_some()
    }

    /// Returns an error if the command is to stop, for `cancel.check()?`.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self) -> Result<(), Stopped> {
        self.0.stopped().map_or(Ok(()), Err)
    }

    /// Completes when the command is to stop, with the reason. For async commands, with any runtime.
    ///
    /// A deadline is noticed when the server's timer for it fires.
    pub fn cancelled(&self) -> impl Future<Output = Stopped> + Send + use<> {
        Cancelled { run: Arc::clone(&self.0), key: None }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.0.signal.get()).finish()
    }
}

/// The future of [`Cancel::cancelled`].
struct Cancelled {
    run: Arc<Run>,
    /// Its place among those that wait.
    key: Option<u64>,
}

impl Future for Cancelled {
    type Output = Stopped;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Stopped> {
        let Self { run, key } = &mut *self;
        run.signal.poll(key, context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.run.signal.forget(key);
        }
    }
}
