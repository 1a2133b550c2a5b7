//! Ctrl-C while a command runs.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::pipe;

use crate::client::Client;
use crate::sys::keeping_signal;

/// A handler of SIGINT that cancels the running call and not the program.
#[derive(Clone)]
pub(super) struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The connection that was opened last, which the call uses: there is one call at a time.
    connection: Option<UnixStream>,
    /// The number of connections that were opened.
    connections: u64,
    is_running: bool,
    /// Whether the running call was canceled.
    is_canceled: bool,
}

impl Interrupt {
    /// Installs the handler.
    pub(super) fn install() -> io::Result<Self> {
        let interrupt = Self { state: Arc::default() };
        let (mut signals, sender) = UnixStream::pair()?;
        pipe::register(SIGINT, sender)?;
        let canceled = interrupt.clone();
        thread::Builder::new().name("dockipc-ctrl-c".into()).spawn(move || {
            while signals.read(&mut [0; 16]).is_ok_and(|count| count > 0) {
                canceled.cancel();
            }
        })?;
        Ok(interrupt)
    }

    /// Runs code that installs another handler, and restores this one. rustyline installs one,
    /// which is of no use while a command runs.
    pub(super) fn keep<T>(run: impl FnOnce() -> T) -> io::Result<T> {
        keeping_signal(SIGINT, run)
    }

    /// Returns a client whose calls can be canceled: its connections are closed.
    pub(super) fn watch(&self, client: Client) -> Client {
        let interrupt = self.clone();
        client.on_connect(move |connection| {
            let mut state = interrupt.state();
            state.connections += 1;
            if state.is_canceled {
                // A canceled call is not repeated.
                let _ = connection.shutdown(Shutdown::Both);
            }
            state.connection = connection.try_clone().ok();
        })
    }

    /// Makes calls. Also returns whether they were canceled.
    pub(super) fn during<T, E>(
        &self,
        calls: impl FnOnce() -> Result<T, E>,
    ) -> (Result<T, E>, bool) {
        let set = |is_running| {
            let mut state = self.state();
            state.is_running = is_running;
            std::mem::take(&mut state.is_canceled)
        };
        set(true);
        let result = calls();
        let was_canceled = set(false);
        if result.is_err() {
            // The client has dropped the connection, and the copy here would keep it open.
            self.state().connection = None;
        }
        // The answer may have arrived completely before.
        let was_canceled = was_canceled && result.is_err();
        (result, was_canceled)
    }

    /// Returns the number of connections that were opened.
    pub(super) fn connections(&self) -> u64 {
        self.state().connections
    }

    fn cancel(&self) {
        let mut state = self.state();
        if state.is_running {
            state.is_canceled = true;
            if let Some(connection) = &state.connection {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Output that fails when the call is canceled, so that no more of the answer is written.
pub(super) struct Cancelable<'o, W> {
    out: &'o mut W,
    interrupt: &'o Interrupt,
}

impl<'o, W: Write> Cancelable<'o, W> {
    pub(super) fn new(out: &'o mut W, interrupt: &'o Interrupt) -> Self {
        Self { out, interrupt }
    }
}

impl<W: Write> Write for Cancelable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.state().is_canceled {
            return Err(io::Error::other("canceled"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
