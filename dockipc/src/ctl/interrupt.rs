//! Ctrl-C while a command runs.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::{emulate_default_handler, pipe};

use super::error::remark;
use crate::client::{Canceller, Client};
use crate::sys::{is_ignored, keeping_signal};

/// How long the daemon may take to cancel a command before a message says that it is waited for.
const DELAY: Duration = Duration::from_millis(500);

/// A handler of SIGINT. The first signal cancels the running command on the daemon, which answers that; the next
/// one leaves.
#[derive(Clone)]
pub(super) struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Cancels the call, until its answer begins to arrive.
    canceller: Option<Canceller>,
    /// Whether a signal that cancels no call ends the program.
    ends_program: bool,
    /// The connection that was opened last, which the call uses: there is one call at a time.
    connection: Option<UnixStream>,
    /// The number of connections that were opened.
    connections: u64,
    is_running: bool,
    /// Whether the running call was canceled.
    is_canceled: bool,
}

impl Interrupt {
    /// Installs the handler of a prompt, where a signal that cancels no command closes the connection.
    pub(super) fn install() -> io::Result<Self> {
        let interrupt = Self { state: Arc::default() };
        interrupt.listen()?;
        Ok(interrupt)
    }

    /// Installs the handler of a program that a signal ends, unless it cancels a command.
    pub(super) fn ending_program() -> io::Result<Self> {
        let state = State { ends_program: true, ..State::default() };
        let interrupt = Self { state: Arc::new(Mutex::new(state)) };
        // A shell without job control starts a program in the background so.
        if !is_ignored(SIGINT) {
            interrupt.listen()?;
        }
        Ok(interrupt)
    }

    /// Returns one that handles no signals.
    pub(super) fn none() -> Self {
        Self { state: Arc::default() }
    }

    fn listen(&self) -> io::Result<()> {
        let (signals, sender) = UnixStream::pair()?;
        pipe::register(SIGINT, sender)?;
        let interrupt = self.clone();
        let handle = move || interrupt.handle(&signals);
        thread::Builder::new().name("dockipc-ctrl-c".into()).spawn(handle)?;
        Ok(())
    }

    /// Handles the signals, of which each is a byte.
    fn handle(&self, mut signals: &UnixStream) {
        loop {
            let limit = match signals.read(&mut [0; 1]) {
                Ok(0) => return,
                Ok(_) => self.cancel().then_some(DELAY),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.state().is_canceled {
                        remark(
                            "waiting for the daemon to cancel the command; Ctrl-C again leaves at once",
                        );
                    }
                    None
                }
                Err(_) => continue,
            };
            let _ = signals.set_read_timeout(limit);
        }
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
        self.during_call(None, calls)
    }

    /// Makes a call with this canceller. Also returns whether it was canceled.
    pub(super) fn during_call<T, E>(
        &self,
        canceller: Option<Canceller>,
        calls: impl FnOnce() -> Result<T, E>,
    ) -> (Result<T, E>, bool) {
        let set = |canceller, is_running| {
            let mut state = self.state();
            (state.canceller, state.is_running) = (canceller, is_running);
            std::mem::take(&mut state.is_canceled)
        };
        set(canceller, true);
        let result = calls();
        let was_canceled = set(None, false);
        if result.is_err() {
            // The client has dropped the connection, and the copy here would keep it open.
            self.state().connection = None;
        }
        (result, was_canceled)
    }

    /// Returns the number of connections that were opened.
    pub(super) fn connections(&self) -> u64 {
        self.state().connections
    }

    /// Acts on a signal. Returns whether an answer of the daemon is to follow.
    fn cancel(&self) -> bool {
        let mut state = self.state();
        if let Some(canceller) = state.canceller.take() {
            state.is_canceled = true;
            canceller.cancel();
            return true;
        }
        if state.ends_program {
            let _ = emulate_default_handler(SIGINT);
        } else if state.is_running {
            state.is_canceled = true;
            if let Some(connection) = &state.connection {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        false
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
        let mut state = self.interrupt.state();
        if state.is_canceled {
            return Err(io::Error::other("canceled"));
        }
        // The command has ended.
        state.canceller = None;
        drop(state);
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
