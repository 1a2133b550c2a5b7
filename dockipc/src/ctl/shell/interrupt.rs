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

/// From now on SIGINT ends what is waited for, and not the program.
#[derive(Clone)]
pub(super) struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The connection that was opened last: the one in use, since there is one call at a time.
    connection: Option<UnixStream>,
    connections: u64,
    is_running: bool,
    is_stopped: bool,
}

impl Interrupt {
    pub(super) fn take() -> io::Result<Self> {
        let interrupt = Self { state: Arc::default() };
        let (mut arrivals, teller) = UnixStream::pair()?;
        pipe::register(SIGINT, teller)?;
        let told = interrupt.clone();
        thread::Builder::new().name("dockipc-ctrl-c".into()).spawn(move || {
            while arrivals.read(&mut [0; 16]).is_ok_and(|count| count > 0) {
                told.stop();
            }
        })?;
        Ok(interrupt)
    }

    /// Runs what sets a handler of its own. rustyline does, and hears of the signal only while a line
    /// is edited, where Ctrl-C is none.
    pub(super) fn keep<T>(run: impl FnOnce() -> T) -> io::Result<T> {
        keeping_signal(SIGINT, run)
    }

    /// A client whose connections are closed when a call is stopped.
    pub(super) fn watch(&self, client: Client) -> Client {
        let interrupt = self.clone();
        client.on_connect(move |connection| {
            let mut state = interrupt.state();
            state.connections += 1;
            if state.is_stopped {
                // A call that is made again.
                let _ = connection.shutdown(Shutdown::Both);
            }
            state.connection = connection.try_clone().ok();
        })
    }

    /// Makes calls. Also says whether they were stopped.
    pub(super) fn during<T, E>(
        &self,
        calls: impl FnOnce() -> Result<T, E>,
    ) -> (Result<T, E>, bool) {
        let set = |is_running| {
            let mut state = self.state();
            state.is_running = is_running;
            std::mem::take(&mut state.is_stopped)
        };
        set(true);
        let result = calls();
        let was_stopped = set(false);
        if result.is_err() {
            // The client has given it up, and what is here would keep it open.
            self.state().connection = None;
        }
        // The answer may have been whole already.
        let was_stopped = was_stopped && result.is_err();
        (result, was_stopped)
    }

    /// How many connections there were so far.
    pub(super) fn connections(&self) -> u64 {
        self.state().connections
    }

    fn stop(&self) {
        let mut state = self.state();
        if state.is_running {
            state.is_stopped = true;
            if let Some(connection) = &state.connection {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Output that ends when the call is stopped: some of the answer may have come already.
pub(super) struct Stoppable<'o, W> {
    out: &'o mut W,
    interrupt: &'o Interrupt,
}

impl<'o, W: Write> Stoppable<'o, W> {
    pub(super) fn new(out: &'o mut W, interrupt: &'o Interrupt) -> Self {
        Self { out, interrupt }
    }
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.state().is_stopped {
            return Err(io::Error::other("stopped"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
