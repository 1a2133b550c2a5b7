//! Handling of SIGTERM and SIGINT.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::RecvFlags;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, low_level};

use crate::error::{Error, Result};
use crate::sys::{self, Unblocked};

/// The actions of the process's signal handlers. signal-hook keeps a handler for as long as the process
/// lives, so the servers of a process, one after another or at the same time, share one default action.
struct Handlers {
    /// Signals with a [`sys::default_action`], which comes before the others. It is never unregistered:
    /// without any action, signal-hook ignores the signal.
    signals: Vec<i32>,
    /// Actions that tell the running servers of this process.
    actions: Vec<SigId>,
    process: u32,
}

static HANDLERS: Mutex<Handlers> =
    Mutex::new(Handlers { signals: Vec::new(), actions: Vec::new(), process: 0 });

/// Locks the handlers of this process. The actions that a forked child has from its parent would tell the
/// parent's servers.
fn handlers() -> MutexGuard<'static, Handlers> {
    let mut handlers = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if handlers.process != process {
        handlers.process = process;
        for action in handlers.actions.drain(..) {
            low_level::unregister(action);
        }
    }
    handlers
}

/// The actions of one server, removed when this is dropped.
pub(crate) struct Signals {
    actions: Vec<SigId>,
    /// The signals are received even if the parent process blocked them.
    unblocked: Option<Unblocked>,
}

impl Signals {
    /// Handles the signals in this thread, and returns a socket that receives one byte for each. To be
    /// called before other threads start, which inherit its mask.
    pub(crate) fn take() -> Result<(Self, UnixStream)> {
        Self::try_take().map_err(|e| Error::io("handling SIGTERM and SIGINT", e))
    }

    fn try_take() -> io::Result<(Self, UnixStream)> {
        let (socket, sender) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        // After an error it is dropped after the guard, and locks as well.
        let mut signals = Self { actions: Vec::new(), unblocked: None };
        let mut handlers = handlers();
        sys::set_default_action(false);
        for signal in [SIGTERM, SIGINT] {
            // POSIX: a shell without job control starts `daemon &` with SIGINT ignored, so that
            // Ctrl-C ends only the script. No shell does that to SIGTERM.
            if signal == SIGINT && sys::is_ignored(SIGINT) {
                continue;
            }
            if !handlers.signals.contains(&signal) {
                sys::default_action(signal)?;
                handlers.signals.push(signal);
            }
            let sender = sender.try_clone()?;
            let action = low_level::pipe::register(signal, sender)?;
            signals.actions.push(action);
            handlers.actions.push(action);
        }
        drop(handlers);
        // After the handlers are set: a signal may be pending.
        signals.unblocked = Some(Unblocked::new(&[SIGTERM, SIGINT])?);
        Ok((signals, socket))
    }

    /// Gives this thread its mask back, so that this can be dropped on another one. The threads of the server,
    /// which have started meanwhile, receive the signals.
    #[cfg(feature = "tokio")]
    pub(crate) fn for_all_threads(mut self) -> Self {
        self.unblocked = None;
        self
    }
}

/// Returns whether a signal has arrived at the socket of [`Signals::take`]. It stays there.
pub(crate) fn has_arrived(arrivals: Option<&UnixStream>) -> bool {
    arrivals.is_some_and(|arrivals| {
        rustix::net::recv(arrivals, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT)
            .is_ok_and(|(length, _)| length > 0)
    })
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut handlers = handlers();
        for action in self.actions.drain(..) {
            low_level::unregister(action);
            handlers.actions.retain(|other| *other != action);
        }
        if handlers.actions.is_empty() {
            sys::set_default_action(true);
        }
    }
}
