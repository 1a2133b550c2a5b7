//! [`Bound`], a server whose socket exists and that has no thread yet.

use std::fmt;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::{Handle, Server, once};
#[cfg(feature = "tokio")]
use super::{Serve, runtime};
use crate::dispatch::Service;
use crate::engine::{Endpoint, Engine, Taker};
use crate::error::{Error, Result, Unfinished};
use crate::listener::{self, SocketMode};
use crate::signals::Signals;
use crate::state::State;
use crate::sys;
use crate::warning::warn;

/// A server whose socket exists and that does not serve yet: see [`Server::bind`].
///
/// Clients can connect, and wait. Dropping it releases the path as a stopped server does, and closes
/// the connections of clients that wait.
///
/// Rules, the token file and the limits are those that [`Server::bind`] has read, also if the program has
/// given up privileges since. In a forked child it does nothing: a program that forks into the background does
/// so before [`Server::bind`]. The socket is watched, and recreated if it is removed, from
/// [`run`](Self::run), `serve` or [`spawn`](Self::spawn) on.
#[must_use = "a server does nothing until it is run"]
pub struct Bound {
    /// Invariant: not shared before the start, so that states can be added; broken by a clone.
    service: Arc<Service>,
    path: PathBuf,
    /// Whether `run` handles SIGTERM and SIGINT.
    signals: bool,
    taker: Option<Taker>,
    endpoints: Vec<Endpoint>,
}

impl Bound {
    /// Checks the settings, and then creates the sockets.
    /// An error of the kind `Interrupted` if a signal comes meanwhile at the socket `signals`.
    pub(super) fn new(
        server: &mut Server,
        path: &Path,
        states: Given,
        signals: Option<&UnixStream>,
    ) -> Result<Self> {
        let mode = SocketMode { given: server.mode, default: 0o666 };
        let mut paths = vec![(path.to_owned(), mode)];
        paths.append(&mut server.others);
        let mut service = server.prepare()?;
        if states == Given::Completely {
            service.table.check_states(&service.states, &service.loops)?;
        }
        if !server.open_to_all && !service.table.has_rules() {
            let is_abstract =
                |(path, _): &&(PathBuf, _)| path.as_os_str().as_bytes().starts_with(b"@");
            if let Some((path, _)) = paths.iter().find(is_abstract) {
                return Err(Error::OpenToAll { path: path.clone() });
            }
        }
        listener::check_passed(paths.iter().map(|(path, _)| &**path))?;
        let mut endpoints = Vec::new();
        for (path, mode) in &paths {
            let published = listener::publish(path, *mode).map_err(|e| e.at(path))?;
            endpoints.push(Endpoint::new(published));
        }
        // Behind the path: an earlier daemon that ends has released that, and still writes to its file.
        once::give(server.once.take(), &mut service, signals)?;
        if let Some(listener) = endpoints.first().and_then(Endpoint::listener)
            && let Err(error) = sys::peer_groups(listener.as_fd())
        {
            warn(format_args!(
                "the supplementary groups of clients are unavailable (SO_PEERGROUPS: {error}); a rule by group admits only clients whose effective group it is"
            ));
        }
        let (signals, taker) = (server.signals, server.taker.take());
        Ok(Self { service, path: path.to_owned(), signals, taker, endpoints })
    }

    /// Returns the path, as it was given to [`Server::bind`]. An abstract name begins with `@`.
    ///
    /// ```no_run
    /// let bound = dockipc::Server::new().bind("/run/hitd/hitd.sock")?;
    /// println!("listening at {}", bound.path().display());
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a value as [`Server::state`] does: one that needs the path, or that could not be made before the
    /// path was claimed.
    ///
    /// ```no_run
    /// # struct Hits; impl Hits { fn load() -> Self { Hits } }
    /// let bound = dockipc::Server::new().bind("/run/hitd/hitd.sock")?;
    /// // Only the daemon that owns the path reads the file.
    /// bound.state(Hits::load()).run()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.share(State::new(value))
    }

    /// Adds a value as [`Server::share`] does.
    ///
    /// ```no_run
    /// use dockipc::{Server, State};
    /// use std::sync::atomic::AtomicU64;
    ///
    /// let bound = Server::new().bind("/run/hitd/hitd.sock")?;
    /// let hits = State::new(AtomicU64::new(0));
    /// let daemon = bound.share(hits.clone()).spawn()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn share<T: Send + Sync + 'static>(mut self, value: impl Into<State<T>>) -> Self {
        let service = Arc::get_mut(&mut self.service);
        if let Some(states) = service.and_then(|service| Arc::get_mut(&mut service.states)) {
            states.add(value.into());
        }
        self
    }

    /// Serves until SIGTERM or SIGINT arrives, as [`Server::run`] does. A signal that arrives before this call
    /// has its default action.
    ///
    /// ```no_run
    /// let bound = dockipc::Server::new().bind("/run/hitd/hitd.sock")?;
    /// println!("{}", bound.path().display());
    /// bound.run()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn), and [`Error::Unfinished`] if commands were still running at the
    /// deadline.
    pub fn run(self) -> Result<()> {
        #[cfg(feature = "tokio")]
        runtime::refuse()?;
        let signals = take_signals(self.signals, &self.path)?;
        self.run_with(signals)
    }

    pub(super) fn run_with(self, signals: Option<(Signals, UnixStream)>) -> Result<()> {
        let (handle, signals) = self.start_with(signals)?;
        let unfinished = handle.join();
        drop(signals);
        finished(unfinished)
    }

    /// Starts, and tells the service manager.
    pub(super) fn start_with(
        self,
        signals: Option<(Signals, UnixStream)>,
    ) -> Result<(Handle, Option<Signals>)> {
        let (signals, arrivals) = signals.unzip();
        let handle = self.start(arrivals)?;
        handle.ready();
        Ok((handle, signals))
    }

    /// Serves on the tokio runtime around, as [`Server::serve`] does.
    ///
    /// ```no_run
    /// # async fn example() -> dockipc::Result<()> {
    /// let bound = dockipc::Server::new().bind("/run/hitd/hitd.sock")?;
    /// println!("{}", bound.path().display());
    /// bound.serve().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and no runtime is around.
    #[cfg(feature = "tokio")]
    pub fn serve(self) -> Serve {
        Serve::new(move || {
            let signals = take_signals(self.signals, &self.path)?;
            self.start_with(signals)
        })
    }

    /// Serves on its own threads, as [`Server::spawn`] does.
    ///
    /// ```no_run
    /// let bound = dockipc::Server::new().bind("/run/hitd/hitd.sock")?;
    /// let daemon = bound.spawn()?;
    /// daemon.ready();
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// A command needs a missing state, or two states have one type; no thread can be started; the server was
    /// bound in a parent process. After an error the path is released.
    pub fn spawn(self) -> Result<Handle> {
        self.start(None)
    }

    /// Starts the threads.
    fn start(self, signals: Option<UnixStream>) -> Result<Handle> {
        let Self { service, path, taker, endpoints, .. } = self;
        service.table.check_states(&service.states, &service.loops)?;
        if endpoints.iter().any(|endpoint| endpoint.published.is_forked()) {
            let what =
                "starting a server that the parent process has bound (fork before Server::bind)";
            return Err(Error::io(what, Errno::PERM).at(&path));
        }
        #[cfg(feature = "tokio")]
        let service = runtime::give(service);
        let engine = Engine::start(service, endpoints, signals, taker);
        engine.map(Handle::new).map_err(|e| e.at(&path))
    }
}

/// The result of a server that has stopped.
pub(super) fn finished(unfinished: Vec<Unfinished>) -> Result<()> {
    if unfinished.is_empty() { Ok(()) } else { Err(Error::Unfinished(unfinished)) }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether states can still be added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Completely,
    InPart,
}

/// Returns whether a server did not start since it was told to stop meanwhile.
pub(super) fn is_stopped(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::Interrupted && source.raw_os_error().is_none())
}

/// Handles SIGTERM and SIGINT, if `on`.
pub(super) fn take_signals(on: bool, path: &Path) -> Result<Option<(Signals, UnixStream)>> {
    if on { Signals::take().map(Some).map_err(|e| e.at(path)) } else { Ok(None) }
}
