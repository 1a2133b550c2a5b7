//! SIGTERM and SIGINT.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use crate::error::{Error, Result};

/// Handlers for the signals that end a program; taken back when this is dropped.
pub(crate) struct Signals {
    handlers: Vec<SigId>,
    is_default: Arc<AtomicBool>,
}

/// Where signals arrive.
pub(crate) struct Arrivals {
    /// A byte comes here for each.
    pub(crate) socket: UnixStream,
    /// From now on a signal does what it does to a program without a handler.
    pub(crate) is_default: Arc<AtomicBool>,
}

impl Signals {
    pub(crate) fn take() -> Result<(Self, Arrivals)> {
        let failed = |e: io::Error| Error::io("handling SIGTERM and SIGINT", e);
        let (socket, teller) = UnixStream::pair().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let mut signals = Self { handlers: Vec::new(), is_default: Arc::default() };
        for signal in [SIGTERM, SIGINT] {
            // Stays: without any handler left, signal-hook ignores the signal.
            flag::register_conditional_default(signal, Arc::clone(&signals.is_default))
                .map_err(failed)?;
            let teller = teller.try_clone().map_err(failed)?;
            signals.handlers.push(low_level::pipe::register(signal, teller).map_err(failed)?);
        }
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
    }
}
