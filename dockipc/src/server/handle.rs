//! [`Handle`], a running server.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::Control;
use crate::client::Client;
use crate::engine::Engine;
use crate::error::{Error, Result, Unfinished};
use crate::sys;

/// A running server. Dropping it stops the server. In a forked child it does nothing.
///
/// With the feature `tokio`, dropping it on a thread of a tokio runtime, also within `spawn_blocking`, only tells
/// the server to stop: the thread is not blocked until it has. `stopped().await` waits for that.
#[must_use = "the server stops when its handle is dropped"]
pub struct Handle {
    pub(super) engine: Arc<Engine>,
}

impl Handle {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine: Arc::new(engine) }
    }

    /// Tells the service manager that the daemon is ready (`READY=1`, `sd_notify(3)`). Further calls have no
    /// effect.
    ///
    /// [`run`](crate::Server::run) calls it by itself; after [`spawn`](crate::Server::spawn) the program decides
    /// when it is ready. Without a service manager, `NOTIFY_SOCKET` is not set, and nothing is sent.
    ///
    /// ```no_run
    /// # struct Disks; impl Disks { fn scan() -> Self { Disks } fn watch(self) {} }
    /// let daemon = dockipc::Server::new().spawn("/run/hitd/hitd.sock")?;
    /// let disks = Disks::scan();
    /// daemon.ready(); // Units that are ordered after this one start now.
    /// disks.watch();
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn ready(&self) {
        self.engine.say_ready();
    }

    /// Returns a value that can stop this server, for a command or another thread. The handle still owns the
    /// server, which stops when the handle is dropped.
    ///
    /// ```
    /// use dockipc::{Control, Server};
    /// use std::sync::OnceLock;
    ///
    /// static CONTROL: OnceLock<Control> = OnceLock::new();
    ///
    /// let daemon = Server::new()
    ///     .handle("halt", |_| {
    ///         CONTROL.get().map(Control::shutdown);
    ///         "bye"
    ///     })
    ///     .spawn_in_process()?;
    /// CONTROL.set(daemon.control()).expect("set once");
    /// assert_eq!(daemon.client().send("halt")?, b"bye");
    /// daemon.join();
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn control(&self) -> Control {
        Control::new(Arc::downgrade(&self.engine))
    }

    /// Starts a graceful shutdown and returns at once. Further calls have no effect.
    ///
    /// The server removes its socket, unless another process replaced it, so that another daemon can start
    /// at the path. It closes idle connections and answers commands that have arrived. Running commands
    /// may continue for [`shutdown_timeout`](crate::Server::shutdown_timeout). A client without an answer by
    /// then gets `-SHUTDOWN`, which says whether the command was run.
    pub fn shutdown(&self) {
        self.engine.shutdown();
    }

    /// Waits until the server has stopped, which happens after [`shutdown`](Self::shutdown). Returns the
    /// commands that were still running at the deadline; their threads end with them.
    ///
    /// Inside a command it returns at once. Commands that wait for this thread ([`Server::local`]) are not
    /// waited for.
    ///
    /// [`Server::local`]: crate::Server::local
    pub fn join(&self) -> Vec<Unfinished> {
        self.engine.join()
    }

    /// Waits until the server has stopped, as [`join`](Self::join) does, without blocking the thread.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
    /// let daemon = dockipc::Server::new().spawn_in_process()?;
    /// daemon.shutdown();
    /// assert!(daemon.stopped().await.is_empty());
    /// # Ok::<(), dockipc::Error>(())
    /// # }).expect("a server");
    /// ```
    #[cfg(feature = "tokio")]
    pub fn stopped(&self) -> impl Future<Output = Vec<Unfinished>> + Send {
        std::future::poll_fn(|context| self.poll_stopped(context.waker()))
    }

    #[cfg(feature = "tokio")]
    pub(super) fn poll_stopped(&self, task: &std::task::Waker) -> std::task::Poll<Vec<Unfinished>> {
        self.engine.poll_ended(task)
    }

    /// Returns a client of this server, which needs no path.
    pub fn client(&self) -> Client {
        let engine = Arc::downgrade(&self.engine);
        Client::in_process(move || match engine.upgrade() {
            Some(engine) => connect(&engine),
            None => Err(stopped()),
        })
    }

    /// Opens a connection to this server, for tests that send bytes.
    ///
    /// # Errors
    /// The process has no free descriptor, or the server has stopped.
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
    Error::io(
        "connecting",
        io::Error::other("the server has stopped, or belongs to the parent process"),
    )
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown();
        #[cfg(feature = "tokio")]
        if super::runtime::is_around() {
            return;
        }
        self.join();
    }
}
