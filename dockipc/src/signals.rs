//! Handling of SIGTERM and SIGINT.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use crate::error::{Error, Result};
use crate::sys::{self, Unblocked};

/// The installed signal handlers, removed when this is dropped.
pub(crate) struct Signals {
    handlers: Vec<SigId>,
    is_default: Arc<AtomicBool>,
    /// The signals are received even if the parent process blocked them.
    unblocked: Option<Unblocked>,
}

/// The receiving end of the signals.
pub(crate) struct Arrivals {
    /// Receives one byte for each signal.
    pub(crate) socket: UnixStream,
    /// When set, signals have their default action again.
    pub(crate) is_default: Arc<AtomicBool>,
}

impl Signals {
    /// Handles the signals in this thread. To be called before others start, which inherit its mask.
    pub(crate) fn take() -> Result<(Self, Arrivals)> {
        let failed = |e: io::Error| Error::io("handling SIGTERM and SIGINT", e);
        let (socket, sender) = UnixStream::pair().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let mut signals =
            Self { handlers: Vec::new(), is_default: Arc::default(), unblocked: None };
        for signal in [SIGTERM, SIGINT] {
            // POSIX: a shell without job control starts `daemon &` with SIGINT ignored, so that
            // Ctrl-C ends only the script. No shell does that to SIGTERM.
            if signal == SIGINT && sys::is_ignored(SIGINT) {
                continue;
            }
            // Never unregistered: without any handler, signal-hook ignores the signal.
            flag::register_conditional_default(signal, Arc::clone(&signals.is_default))
                .map_err(failed)?;
            let sender = sender.try_clone().map_err(failed)?;
            signals.handlers.push(low_level::pipe::register(signal, sender).map_err(failed)?);
            sys::set_default_in_child(signal, true);
        }
        // After the handlers are set: a signal may be pending.
        signals.unblocked = Some(Unblocked::new(&[SIGTERM, SIGINT]).map_err(failed)?);
        let is_default = Arc::clone(&signals.is_default);
        Ok((signals, Arrivals { socket, is_default }))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
        self.is_default.store(true, Ordering::Relaxed);
        for signal in [SIGTERM, SIGINT] {
            sys::set_default_in_child(signal, false);
        }
    }
}
