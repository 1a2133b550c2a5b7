//! A running server.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::client::Client;
use crate::engine::Engine;
use crate::error::{Error, Result, Unfinished};
use crate::sys;

/// A running server. It stops when this is dropped.
#[must_use = "the server stops when its handle is dropped"]
pub struct Handle {
    engine: Arc<Engine>,
}

impl Handle {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine: Arc::new(engine) }
    }

    /// Tells the service manager that clients can connect.
    pub(super) fn say_ready(&self) {
        self.engine.say_ready();
    }

    /// Tells the server to stop, and returns at once. To call it twice is the same as once.
    ///
    /// Its socket is removed if that is still its own, so that another daemon can start at the path.
    /// Connections at rest are closed. Commands that have arrived are answered, and commands that run
    /// may go on for [`shutdown_timeout`](Server::shutdown_timeout). Whoever has no answer by then is
    /// told `-SHUTDOWN`, and whether the command was run.
    pub fn shutdown(&self) {
        self.engine.stop(self.engine.times().shutdown);
    }

    /// Waits until the server has stopped, which is after [`shutdown`](Self::shutdown). Returns the
    /// commands that were still running, and were not waited for; their threads end with them.
    ///
    /// Inside a command it returns at once.
    pub fn join(&self) -> Vec<Unfinished> {
        self.engine.join()
    }

    /// A client of this server that needs no path.
    pub fn client(&self) -> Client {
        let engine = Arc::downgrade(&self.engine);
        Client::in_process(move || match engine.upgrade() {
            Some(engine) => connect(&engine),
            None => Err(stopped()),
        })
    }

    /// A new connection to this server, for speaking bytes with it.
    ///
    /// # Errors
    /// No descriptor is left, or the server has stopped.
    pub fn connect(&self) -> Result<UnixStream> {
        connect(&self.engine)
    }
}

fn connect(engine: &Engine) -> Result<UnixStream> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|e| Error::io("opening a pair of sockets", e))?;
    sys::refuse_descriptors(ours.as_fd());
    sys::refuse_descriptors(theirs.as_fd());
    if engine.adopt(ours) { Ok(theirs) } else { Err(stopped()) }
}

fn stopped() -> Error {
    Error::io("connecting", io::Error::other("the server has stopped"))
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown();
        self.join();
    }
}
