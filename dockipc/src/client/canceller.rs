//! [`Canceller`], which cancels a call from another thread.

use std::fmt;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::{Error, Failure, Ran, Result, code};

/// Cancels a call; see [`Call::canceller`](super::Call::canceller). Clones cancel the same call.
#[derive(Clone, Default)]
pub struct Canceller(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_cancelled: bool,
    /// A copy of the descriptor of the connection on which the call runs, and how that is ended: for writing
    /// only, once the daemon takes that for a cancellation.
    connection: Option<(UnixStream, Shutdown)>,
}

/// The canceller of a call, if there is one. A clone of the call has none.
#[derive(Debug, Default)]
pub(super) struct OwnCanceller(OnceLock<Canceller>);

impl OwnCanceller {
    pub(super) fn get(&self) -> Option<&Canceller> {
        self.0.get()
    }

    pub(super) fn get_or_new(&self) -> &Canceller {
        self.0.get_or_init(Canceller::default)
    }
}

impl Clone for OwnCanceller {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Canceller {
    /// Cancels the call: it returns as soon as the daemon has answered that, with an
    /// [`Error::Refused`] of the code [`CANCELLED`](code::CANCELLED).
    ///
    /// A call that has not begun does not run. A call that has ended stays as it is.
    pub fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        if let Some((stream, how)) = &state.connection {
            // One that the daemon has closed needs no end.
            let _ = stream.shutdown(*how);
        }
    }

    /// Returns whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The call uses this connection until the result is dropped. An error if it was cancelled before.
    pub(super) fn attach(&self, stream: &UnixStream) -> Result<Attachment> {
        let copy = stream.try_clone();
        let copy = copy.map_err(|error| Error::io("preparing to cancel the call", error))?;
        let mut state = self.state();
        if state.is_cancelled {
            return Err(cancelled(Ran::No));
        }
        state.connection = Some((copy, Shutdown::Both));
        drop(state);
        Ok(Attachment(self.clone()))
    }

    /// Replaces the error of a call that was cancelled and got no answer.
    pub(super) fn explain(&self, error: Error) -> Error {
        match error {
            Error::CutOff { ran, .. } | Error::TimedOut { ran, .. } if self.is_cancelled() => {
                cancelled(ran)
            }
            Error::Refused(failure) if failure.is_not_run() && self.is_cancelled() => {
                cancelled(Ran::No)
            }
            error => error,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// The error of a cancelled call that has no answer.
#[cold]
fn cancelled(ran: Ran) -> Error {
    Error::Refused(Failure::new(
        code::CANCELLED,
        match ran {
            Ran::No => "the call was cancelled; the command was not run",
            Ran::Maybe => "the call was cancelled without an answer; the command may still run",
        },
    ))
}

/// A call on a connection.
pub(super) struct Attachment(Canceller);

impl Attachment {
    /// From now on the call is cancelled by the end of what the client sends. An error if it was cancelled
    /// before.
    pub(super) fn half_closes(&self) -> Result<()> {
        let mut state = self.0.state();
        let is_cancelled = state.is_cancelled;
        match &mut state.connection {
            Some((_, how)) if !is_cancelled => {
                *how = Shutdown::Write;
                Ok(())
            }
            _ => Err(cancelled(Ran::No)),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let copy = self.0.state().connection.take();
        drop(copy);
    }
}
