//! Listening at a path, for as long as the daemon lives.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::address::Address;
use super::lock::Lock;
use super::place::{Identity, Place};
use super::watch::{self, Marks};
use super::{activation, process_of, socket};
use crate::error::Error;
use crate::sys;
use crate::warning::warn;

/// How long a start waits for a lock whose holder does not serve: it may be about to, or about to
/// end.
const TURN: Duration = Duration::from_secs(2);

/// What keeps a path with a listening socket.
pub(crate) struct Published {
    mode: u32,
    shared: bool,
    /// Readable when something happened at the path.
    inotify: Option<OwnedFd>,
    /// None once it was given back, and for a socket that no path is kept for: an abstract one, and
    /// one that was passed to this process.
    kept: Mutex<Option<Kept>>,
}

/// A path that is ours.
struct Kept {
    place: Place,
    lock: Lock,
    /// The socket's name.
    identity: Identity,
    marks: Marks,
}

/// Mode of a socket file as the author gave it, or the default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketMode {
    pub(crate) given: Option<u32>,
    pub(crate) default: u32,
}

/// Listens at a path, or takes the socket there that this process was started with. A socket has
/// its final mode before clients can connect, and never more than that.
pub(crate) fn publish(path: &Path, mode: SocketMode) -> Result<(UnixListener, Published), Error> {
    let address = Address::of(path)?;
    let given = mode.given;
    let mode = given.unwrap_or(mode.default);
    let unkept = |listener: UnixListener, shared: bool| {
        (listener, Published { mode, shared, inotify: None, kept: Mutex::new(None) })
    };
    if let Some(listener) = activation::adopt(&address) {
        activation::check_mode(&listener, path, given)?;
        sys::refuse_descriptors(listener.as_fd());
        return Ok(unkept(listener, true));
    }
    if let Address::Abstract(name) = address {
        return Ok(unkept(listen_abstract(path, name)?, false));
    }
    let place = Place::new(path)?;
    // Where something else is, nothing is made beside it.
    place.probe()?;
    let lock = wait_for_lock(&place)?;
    let (listener, identity) = put(&place, mode)?;
    if let Some(other) = place.other() {
        warn(format_args!(
            "{other}, and so can put another socket at {}; use a directory that only the daemon's user can write to, such as /run/NAME",
            path.display()
        ));
    }
    let inotify = watch::open();
    let mut kept = Kept { place, lock, identity, marks: Marks::default() };
    kept.mark(inotify.as_ref());
    Ok((listener, Published { mode, shared: false, inotify, kept: Mutex::new(Some(kept)) }))
}

impl Published {
    /// Becomes readable when [`check`](Self::check) should be called. It need not: the path is to
    /// be looked at every two seconds as well.
    pub(crate) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Looks at the path. If the socket is gone from there, gives another one that listens there;
    /// the old one may have connections in its queue.
    ///
    /// What somebody else has put there stays, and is looked at again the next time, as is what
    /// failed.
    pub(crate) fn check(&self) -> Option<UnixListener> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inotify) = &self.inotify {
            watch::drain(inotify);
        }
        let ours = kept.as_mut()?;
        if ours.is_in_place() {
            return None;
        }
        let listener = ours.recover(self.mode).ok()?;
        ours.mark(self.inotify.as_ref());
        listener
    }

    /// Whether the socket was passed to this process, and so is somebody else's as well.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Gives the path back, once: removes the socket if it is still ours, and lets another daemon
    /// have the lock.
    ///
    /// To be called while the listener is open, which keeps the inode's number from being reused.
    pub(crate) fn release(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            // The lock goes after it.
            let _ = kept.place.unlink(&kept.place.name, kept.identity);
        }
    }
}

impl Kept {
    /// Asks to be told what happens at the path; not where another user can make it happen without
    /// limit. There the path is looked at every two seconds only.
    fn mark(&mut self, inotify: Option<&OwnedFd>) {
        if let Some(inotify) = inotify {
            self.marks.clear(inotify);
            if self.place.other().is_none() {
                self.marks.set(inotify, &self.place);
            }
        }
    }

    /// Whether the path leads to our socket and our lock.
    fn is_in_place(&self) -> bool {
        self.place.identity_at_path(&self.place.name) == Some(self.identity)
            && self.place.identity_at_path(&self.place.lock_name()) == Some(self.lock.identity())
    }

    /// Takes what is missing at the path again, where nobody else has it. Gives the socket if it is
    /// a new one.
    fn recover(&mut self, mode: u32) -> Result<Option<UnixListener>, Error> {
        // Another directory may have come in the place of ours.
        let place = self.place.reopened()?;
        let mut lock = None;
        if !self.lock.is_at(&place) {
            lock = Lock::take(&place)?;
            if lock.is_none() {
                return Ok(None);
            }
        }
        let mut new = None;
        if !place.has(&place.name, self.identity) {
            let (listener, identity) = put(&place, mode)?;
            // In a directory that was moved away the old one is still there.
            let _ = self.place.unlink(&self.place.name, self.identity);
            self.identity = identity;
            new = Some(listener);
        }
        self.place = place;
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

/// Waits until nobody else is being started or is about to end here.
fn wait_for_lock(place: &Place) -> Result<Lock, Error> {
    let end = Instant::now() + TURN;
    loop {
        if let Some(lock) = Lock::take(place)? {
            return Ok(lock);
        }
        // Who serves can be asked who they are.
        place.probe()?;
        if Instant::now() >= end {
            return Err(Lock::held(place));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Puts a new listening socket in the place. Only with its lock.
fn put(place: &Place, mode: u32) -> Result<(UnixListener, Identity), Error> {
    let stale = place.probe()?;
    place.sweep()?;
    if let Some(stale) = stale {
        place.remove_stale(stale)?;
    }
    let socket = socket(SocketFlags::empty())?;
    sys::refuse_descriptors(socket.as_fd());
    let failed =
        |what: &str, errno| Error::io(format_args!("{what} {}", place.path.display()), errno);
    // Linux creates the name with the mode of the socket, less the umask: it never has more than
    // its final mode, and nobody can connect until it listens.
    let mode = Mode::from_raw_mode(mode & 0o7777);
    rustix::fs::fchmod(&socket, mode).map_err(|errno| failed("preparing", errno))?;
    let name = place.bound_name();
    match place.address(&name).and_then(|address| rustix::net::bind(&socket, &address)) {
        Ok(()) => {}
        Err(Errno::ADDRINUSE) => {
            // What is there says why it may not be replaced.
            place.probe()?;
            return Err(place.taken());
        }
        Err(errno) => return Err(failed("creating a socket for", errno)),
    }
    let publish = || {
        let identity = place.set_mode(&name, mode)?;
        // The system lowers this to its maximum, net.core.somaxconn.
        rustix::net::listen(&socket, i32::MAX).map_err(|errno| failed("listening at", errno))?;
        if name != place.name {
            place.move_in(&name)?;
        }
        Ok(identity)
    };
    match publish() {
        Ok(identity) => Ok((UnixListener::from(socket), identity)),
        Err(error) => {
            // Closed first, so that it is stale.
            drop(socket);
            place.take_back(&name);
            Err(error)
        }
    }
}

fn listen_abstract(path: &Path, name: &[u8]) -> Result<UnixListener, Error> {
    let failed = |errno| Error::io(format_args!("listening at {}", path.display()), errno);
    let address = SocketAddrUnix::new_abstract_name(name).map_err(failed)?;
    let socket = socket(SocketFlags::empty())?;
    sys::refuse_descriptors(socket.as_fd());
    let end = Instant::now() + TURN;
    loop {
        match rustix::net::bind(&socket, &address) {
            Ok(()) => break,
            // The name of one that has ended is taken for as long as a child which it forked, and
            // which has yet to become another program, has the descriptor.
            Err(Errno::ADDRINUSE) => {
                nobody_listens(path, &address)?;
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

/// An error if somebody listens at the address.
fn nobody_listens(path: &Path, address: &SocketAddrUnix) -> Result<(), Error> {
    let socket = socket(SocketFlags::NONBLOCK)?;
    let pid = match rustix::net::connect(&socket, address) {
        Ok(()) => process_of(&socket),
        Err(Errno::CONNREFUSED) => return Ok(()),
        Err(_) => None,
    };
    Err(Error::AlreadyRunning { path: path.to_owned(), pid })
}
