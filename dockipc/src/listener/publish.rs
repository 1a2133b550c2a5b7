//! Listening at a path for the daemon's lifetime.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::address::Address;
use super::lock::Lock;
use super::socket_path::{Identity, SocketPath};
use super::watch::{self, Watches};
use super::{activation, in_use, process_of, socket};
use crate::error::Error;
use crate::sys;
use crate::warning::warn;

/// Limits how long a start waits for a lock whose holder does not listen: the holder may be
/// starting or stopping.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the path must be lost before that is worth a warning: its directory may be replaced in
/// several steps.
const SHORT_LOSS: Duration = Duration::from_secs(1);

/// A listening socket's claim on its path, released when this is dropped.
pub(crate) struct Published {
    /// The process that claimed the path. A forked child has a copy of this value, and not the path.
    process: u32,
    mode: u32,
    shared: bool,
    /// Inotify instance, readable after a change at the path.
    inotify: Option<OwnedFd>,
    /// `None` after the release, and for abstract and passed sockets.
    owned: Mutex<Option<OwnedPath>>,
    /// Whether the last check found the path in place and its watches complete. `Relaxed`: the leader
    /// reads and writes it.
    is_watched: AtomicBool,
}

/// A path that this process created the socket at.
struct OwnedPath {
    socket_path: SocketPath,
    lock: Lock,
    /// Identity of the socket's file.
    identity: Identity,
    watches: Watches,
    loss: Loss,
}

/// Whether the path is lost and can't be recovered.
#[derive(Clone, Copy)]
enum Loss {
    None,
    Since(Instant),
    /// The administrator was warned.
    Told,
}

/// Mode of a socket file: the author's, or the default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketMode {
    pub(crate) given: Option<u32>,
    pub(crate) default: u32,
}

/// Listens at a path, or adopts the passed socket with this address. A new socket has its final
/// mode before clients can connect, and never a wider one.
pub(crate) fn publish(path: &Path, mode: SocketMode) -> Result<(UnixListener, Published), Error> {
    let address = Address::of(path)?;
    let process = std::process::id();
    let given = mode.given;
    let mode = given.unwrap_or(mode.default);
    let unowned = |listener: UnixListener, shared: bool| {
        let (owned, is_watched) = (Mutex::new(None), AtomicBool::new(true));
        (listener, Published { process, mode, shared, inotify: None, owned, is_watched })
    };
    if let Some(listener) = activation::adopt(&address) {
        activation::check_mode(&listener, path, given)?;
        sys::refuse_descriptors(listener.as_fd());
        return Ok(unowned(listener, true));
    }
    if let Address::Abstract(name) = address {
        return Ok(unowned(listen_abstract(path, name)?, false));
    }
    let socket_path = SocketPath::new(path)?;
    // Before the lock file is created: a refused start must leave nothing behind.
    socket_path.probe().map_err(activation::explain)?;
    let lock = wait_for_lock(&socket_path)?;
    let (listener, identity) = bind_and_listen(&socket_path, mode)?;
    if let Some(other) = socket_path.other() {
        warn(format_args!(
            "{other} and can therefore replace the socket {}; use a directory that only the daemon's user can write to, such as /run/NAME",
            path.display()
        ));
    }
    let inotify = watch::open();
    let mut owned =
        OwnedPath { socket_path, lock, identity, watches: Watches::default(), loss: Loss::None };
    owned.renew_watches(inotify.as_ref());
    let (owned, is_watched) = (Mutex::new(Some(owned)), AtomicBool::new(false));
    Ok((listener, Published { process, mode, shared: false, inotify, owned, is_watched }))
}

impl Published {
    /// Returns a descriptor that is readable when [`check`](Self::check) should be called. Some
    /// changes are not reported: call `check` from time to time as well.
    pub(crate) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Returns whether changes at the path are reported, except for mounts over a directory of it.
    /// Always true for an abstract or a passed socket, which is not checked.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Checks the path, and returns a new listener if the socket was missing. The old listener may
    /// still have connections in its queue.
    ///
    /// Another file at the path is left alone. In this case, and after an error, the next call
    /// tries again.
    pub(crate) fn check(&self) -> Option<UnixListener> {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inotify) = &self.inotify {
            watch::drain(inotify);
        }
        let ours = owned.as_mut()?;
        // After a recovery, the next check tells whether the path changed before it was watched.
        let is_in_place = ours.is_in_place();
        self.is_watched.store(is_in_place && ours.watches.are_complete, Ordering::Relaxed);
        if is_in_place {
            ours.loss = Loss::None;
            return None;
        }
        match ours.recover(self.mode) {
            Ok(listener) => {
                ours.loss = Loss::None;
                ours.renew_watches(self.inotify.as_ref());
                listener
            }
            Err(error) => {
                let warning = ours.loss_warning(&error);
                drop(owned);
                // Without the lock: standard error may block.
                if let Some(warning) = warning {
                    warn(format_args!("{warning}"));
                }
                None
            }
        }
    }

    /// Returns whether this process was forked from the one that claimed the path.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Returns whether the socket was passed to this process, so that others may hold it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Removes the socket if it is still this daemon's, and releases the lock. Later calls do
    /// nothing, nor does one in a forked child.
    ///
    /// Invariant: the listener is still open, which keeps the inode number from being reused;
    /// broken by a caller that closes it first.
    pub(crate) fn release(&self) {
        if self.is_forked() {
            return;
        }
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(OwnedPath { socket_path, lock, identity, .. }) = owned {
            let removed = socket_path.unlink(&socket_path.name, identity);
            drop(lock);
            if let Err(errno) = removed {
                warn(format_args!(
                    "cannot remove the socket {} as uid {}: {errno}; the daemon's user needs write permission for the directory",
                    socket_path.path.display(),
                    sys::effective_user()
                ));
            }
        }
    }
}

impl OwnedPath {
    /// Renews the inotify watches. A directory that another user can write to is only polled: that
    /// user could cause any number of events.
    fn renew_watches(&mut self, inotify: Option<&OwnedFd>) {
        if let Some(inotify) = inotify {
            self.watches.clear(inotify);
            if self.socket_path.other().is_none() {
                self.watches.set(inotify, &self.socket_path);
            }
        }
    }

    /// Returns whether the path leads to this daemon's socket and lock, from the root that the process
    /// had at its start: a socket that is in place there is not given up after chroot(2).
    fn is_in_place(&self) -> bool {
        self.socket_path.identity_at_path(&self.socket_path.name) == Some(self.identity)
            && self.socket_path.identity_at_path(&self.socket_path.lock_name())
                == Some(self.lock.identity())
    }

    /// Returns a warning, once, that the path can't be recovered, as after the daemon has given up the
    /// privileges that it was started with.
    fn loss_warning(&mut self, error: &Error) -> Option<String> {
        match self.loss {
            Loss::None => self.loss = Loss::Since(Instant::now()),
            Loss::Since(since) if since.elapsed() >= SHORT_LOSS => {
                self.loss = Loss::Told;
                return Some(format!(
                    "the socket {} is lost; uid {} cannot recreate it, but keeps trying: {error}",
                    self.socket_path.path.display(),
                    sys::effective_user()
                ));
            }
            Loss::Since(_) | Loss::Told => {}
        }
        None
    }

    /// Recreates what is missing at the path, unless another daemon has taken it. Returns the
    /// listener if the socket is new.
    fn recover(&mut self, mode: u32) -> Result<Option<UnixListener>, Error> {
        // The directory may have been replaced.
        let socket_path = self.socket_path.reopened()?;
        let mut lock = None;
        if !self.lock.is_at(&socket_path) {
            lock = Lock::take(&socket_path)?;
            if lock.is_none() {
                return Err(socket_path.already_running());
            }
        }
        let mut new = None;
        if !socket_path.has_identity(&socket_path.name, self.identity) {
            let (listener, identity) = bind_and_listen(&socket_path, mode)?;
            // A directory that was moved away still has the old socket.
            let _ = self.socket_path.unlink(&self.socket_path.name, self.identity);
            self.identity = identity;
            new = Some(listener);
        }
        self.socket_path = socket_path;
        if let Some(lock) = lock {
            self.lock = lock;
        }
        Ok(new)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.release();
    }
}

/// Takes the lock, waiting for another daemon that is starting or stopping.
fn wait_for_lock(socket_path: &SocketPath) -> Result<Lock, Error> {
    let end = Instant::now() + LOCK_TIMEOUT;
    loop {
        if let Some(lock) = Lock::take(socket_path)? {
            return Ok(lock);
        }
        // A live listener is an error that names its process.
        socket_path.probe()?;
        if Instant::now() >= end {
            return Err(Lock::held_error(socket_path));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Creates a listening socket at the path. The caller must hold the lock.
fn bind_and_listen(socket_path: &SocketPath, mode: u32) -> Result<(UnixListener, Identity), Error> {
    let stale = socket_path.probe()?;
    socket_path.remove_leftover()?;
    if let Some(stale) = stale {
        socket_path.remove_stale(stale)?;
    }
    let socket = socket(SocketFlags::empty())?;
    sys::refuse_descriptors(socket.as_fd());
    let failed =
        |what: &str, errno| Error::io(format_args!("{what} {}", socket_path.path.display()), errno);
    // Linux creates the file with the socket's mode minus the umask, so it is never wider than the
    // final mode. Nobody can connect before listen(2).
    let mode = Mode::from_raw_mode(mode & 0o7777);
    rustix::fs::fchmod(&socket, mode).map_err(|errno| failed("preparing", errno))?;
    let name = socket_path.bound_name();
    match socket_path.address(&name).and_then(|address| rustix::net::bind(&socket, &address)) {
        Ok(()) => {}
        Err(Errno::ADDRINUSE) => {
            // Prefer the specific error for the file that is there.
            socket_path.probe()?;
            return Err(socket_path.already_running());
        }
        Err(Errno::ACCESS) => return Err(socket_path.not_writable()),
        Err(errno) => return Err(failed("creating a socket for", errno)),
    }
    let publish = || {
        let identity = socket_path.set_mode(&name, mode)?;
        // The kernel caps this at net.core.somaxconn.
        rustix::net::listen(&socket, i32::MAX).map_err(|errno| failed("listening at", errno))?;
        if name != socket_path.name {
            socket_path.rename_into_place(&name)?;
        }
        Ok(identity)
    };
    match publish() {
        Ok(identity) => Ok((UnixListener::from(socket), identity)),
        Err(error) => {
            // `remove_closed` removes only a stale socket.
            drop(socket);
            socket_path.remove_closed(&name);
            Err(error)
        }
    }
}

fn listen_abstract(path: &Path, name: &[u8]) -> Result<UnixListener, Error> {
    let failed = |errno| Error::io(format_args!("listening at {}", path.display()), errno);
    let address = SocketAddrUnix::new_abstract_name(name).map_err(failed)?;
    let socket = socket(SocketFlags::empty())?;
    sys::refuse_descriptors(socket.as_fd());
    let end = Instant::now() + LOCK_TIMEOUT;
    loop {
        match rustix::net::bind(&socket, &address) {
            Ok(()) => break,
            // The name stays in use while a child that was forked and has not yet called exec(3)
            // holds the descriptor.
            Err(Errno::ADDRINUSE) => {
                check_unused(path, &address)?;
                if Instant::now() >= end {
                    return Err(Error::AlreadyRunning { path: path.to_owned(), pid: None });
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
    rustix::net::listen(&socket, i32::MAX).map_err(failed)?;
    Ok(UnixListener::from(socket))
}

/// Returns an error if a process listens at the address.
fn check_unused(path: &Path, address: &SocketAddrUnix) -> Result<(), Error> {
    let socket = socket(SocketFlags::NONBLOCK)?;
    let pid = match rustix::net::connect(&socket, address) {
        Ok(()) => process_of(&socket),
        Err(Errno::CONNREFUSED) => return Ok(()),
        Err(_) => None,
    };
    Err(in_use(path, pid, || None))
}
