//! [`Canceller`], which cancels a call from another thread.

use std::fmt;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Failure, Ran, Result, code};

/// Cancels a call; see [`Call::canceller`](super::Call::canceller). Clones cancel the same call.
#[derive(Clone, Default)]
pub struct Canceller(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_cancelled: bool,
    /// The connections on which the call runs; clones of a call may run at the same time.
    connections: Vec<Attached>,
}

/// A copy of a connection's descriptor.
struct Attached {
    /// The connection's own descriptor.
    key: i32,
    stream: UnixStream,
    /// How the connection is ended: for writing only once the daemon takes that for a cancellation.
    how: Shutdown,
}

impl Canceller {
    /// Cancels the call: it returns as soon as the daemon has answered that, with an
    /// [`Error::Refused`] of the code [`CANCELLED`](code::CANCELLED).
    ///
    /// A call that has not begun does not run. A call that has ended stays as it is.
    pub fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        for Attached { stream, how, .. } in &state.connections {
            // One that the daemon has closed needs no end.
            let _ = stream.shutdown(*how);
        }
    }

    /// Returns whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    /// A call uses this connection until the result is dropped. An error if it was cancelled before.
    pub(super) fn attach(&self, stream: &UnixStream) -> Result<Attachment<'_>> {
        let (key, copy) = (stream.as_raw_fd(), stream.try_clone());
        let copy = copy.map_err(|error| Error::io("preparing to cancel the call", error))?;
        let attachment = Attachment { canceller: self, key };
        let mut state = self.state();
        if state.is_cancelled {
            return Err(cancelled(Ran::No));
        }
        state.connections.push(Attached { key, stream: copy, how: Shutdown::Both });
        Ok(attachment)
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
pub(super) struct Attachment<'c> {
    canceller: &'c Canceller,
    key: i32,
}

impl Attachment<'_> {
    /// From now on the call is cancelled by the end of what the client sends. An error if it was cancelled
    /// before.
    pub(super) fn half_closes(&self) -> Result<()> {
        let mut state = self.canceller.state();
        if state.is_cancelled {
            return Err(cancelled(Ran::No));
        }
        let own = state.connections.iter_mut().find(|one| one.key == self.key);
        own.into_iter().for_each(|own| own.how = Shutdown::Write);
        Ok(())
    }
}

impl Drop for Attachment<'_> {
    fn drop(&mut self) {
        let mut state = self.canceller.state();
        let copies: Vec<_> = state.connections.extract_if(.., |one| one.key == self.key).collect();
        drop(state);
        drop(copies);
    }
}
