//! The path: a socket appears there whole, never displaces a live one, and goes when it is ours.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::Error;

/// The longest address of a Unix socket, unix(7): `sun_path` less its NUL.
const LONGEST_ADDRESS: usize = 107;

/// How long a start waits for other starts in the same directory.
const TURN: Duration = Duration::from_secs(2);

/// A listening socket at a path, with what tells whether the path is still its own.
pub(crate) struct Published {
    place: Place,
    /// Device and inode of the socket's name. (`fstat` of the socket gives others.)
    identity: (u64, u64),
    /// Whether the name was given back. A file system may then use the inode's number again.
    released: AtomicBool,
}

/// Listens at a path. The socket has its final mode when it becomes visible.
pub(crate) fn publish(path: &Path, mode: u32) -> Result<(UnixListener, Published), Error> {
    let place = Place::new(path)?;
    let _turn = place.take_turn();
    let seen = place.probe()?;
    let socket = socket(SocketFlags::CLOEXEC)?;
    let failed = |what: &str| {
        let doing = format!("{what} {}", path.display());
        move |errno: Errno| Error::io(doing, errno)
    };
    // Linux creates the name with the mode that the socket has: nobody else can connect until the
    // mode is the final one.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600)).map_err(failed("preparing"))?;
    let temporary = place.bind(&socket).map_err(failed("creating a socket for"))?;
    let publish = || -> Result<Published, Error> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        rustix::fs::chmodat(&place.directory, &temporary, mode, AtFlags::empty())
            .map_err(failed("setting the mode of"))?;
        // The system lowers this to its maximum, net.core.somaxconn.
        rustix::net::listen(&socket, i32::MAX).map_err(failed("listening at"))?;
        let stat = place.stat(&temporary).map_err(failed("looking at"))?;
        let kept = place.try_clone().map_err(failed("keeping"))?;
        place.move_in(&temporary, seen)?;
        Ok(Published { place: kept, identity: identity(&stat), released: AtomicBool::new(false) })
    };
    let published = publish().inspect_err(|_| place.unlink(&temporary))?;
    Ok((UnixListener::from(socket), published))
}

impl Published {
    /// Removes the name if it is still ours, once: afterwards it can be another daemon's.
    ///
    /// To be called while the listener is open, which keeps the inode's number from being reused.
    pub(crate) fn release(&self) {
        if self.released.swap(true, Ordering::Relaxed) {
            return;
        }
        let ours = |stat: Stat| identity(&stat) == self.identity;
        if self.place.stat(&self.place.name).is_ok_and(ours) {
            self.place.unlink(&self.place.name);
        }
    }
}

fn socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| Error::io("opening a socket", errno))
}

#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between platforms")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// A name in an open directory: what is done to it is done in that directory, wherever it is moved.
pub(crate) struct Place {
    path: PathBuf,
    directory: OwnedFd,
    name: OsString,
}

impl Place {
    pub(crate) fn new(path: &Path) -> Result<Self, Error> {
        let bad =
            |reason: &str| Error::BadPath { path: path.to_owned(), reason: reason.to_owned() };
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(bad("it has a NUL byte"));
        }
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(bad("it ends in a slash"));
        }
        let name = path.file_name().ok_or_else(|| bad("it has no file name"))?.to_owned();
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::empty());
        let directory = opened.map_err(|errno| match errno {
            Errno::NOENT => bad("its directory does not exist"),
            Errno::NOTDIR => bad("what should be its directory is none"),
            Errno::ACCESS => Error::Permission {
                path: path.to_owned(),
                owner: ": its directory can't be entered".into(),
            },
            other => Error::io(format!("opening the directory of {}", path.display()), other),
        })?;
        Ok(Self { path: path.to_owned(), directory, name })
    }

    /// What is at the path: nothing, or a stale socket. Anything else is an error.
    fn probe(&self) -> Result<Option<(u64, u64)>, Error> {
        let looking = |errno| Error::io(format!("looking at {}", self.path.display()), errno);
        let stat = match self.stat(&self.name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(looking(errno)),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Socket {
            return Err(Error::NotASocket { path: self.path.clone(), what: describe(kind) });
        }
        let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.directory, &self.name, flags, Mode::empty());
        match connect_to(&socket, &self.path, open) {
            // EAGAIN: somebody listens and has a full queue.
            Ok(()) | Err(Errno::AGAIN) => Err(Error::AlreadyRunning { path: self.path.clone() }),
            Err(Errno::CONNREFUSED) => Ok(Some(identity(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(looking(errno)),
        }
    }

    /// Moves the new socket to its name, replacing nothing but the stale socket that was seen.
    fn move_in(&self, temporary: &OsStr, seen: Option<(u64, u64)>) -> Result<(), Error> {
        let (directory, name) = (&self.directory, &self.name);
        let rename =
            |flags| rustix::fs::renameat_with(directory, temporary, directory, name, flags);
        let moving = |errno| Error::io(format!("moving {} into place", self.path.display()), errno);
        let Some(seen) = seen else {
            let moved = match rename(RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS) => {
                    // A link replaces nothing either; the temporary name goes afterwards.
                    rustix::fs::linkat(directory, temporary, directory, name, AtFlags::empty())
                        .inspect(|()| self.unlink(temporary))
                }
                moved => moved,
            };
            return moved.map_err(|errno| match errno {
                Errno::EXIST => Error::AlreadyRunning { path: self.path.clone() },
                errno => moving(errno),
            });
        };
        match rename(RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                // A file system without it: looked at once more, then replaced.
                if !self.stat(name).is_ok_and(|stat| identity(&stat) == seen) {
                    return Err(Error::AlreadyRunning { path: self.path.clone() });
                }
                return rename(RenameFlags::empty()).map_err(moving);
            }
            exchanged => exchanged.map_err(moving)?,
        }
        let old = self.stat(temporary);
        if old.is_ok_and(|stat| identity(&stat) == seen) {
            self.unlink(temporary);
            return Ok(());
        }
        // Another daemon came in between: it gets its place back.
        rename(RenameFlags::EXCHANGE).map_err(moving)?;
        Err(Error::AlreadyRunning { path: self.path.clone() })
    }

    fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn unlink(&self, name: &OsStr) {
        // What can't be removed is stale, and the next start replaces it.
        let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
    }

    /// Gives the socket a temporary name. One that a process of the same number has left behind is
    /// passed over.
    fn bind(&self, socket: &OwnedFd) -> Result<OsString, Errno> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            // Short, since a file name has a limit of 255 bytes and this one replaces another.
            let name = OsString::from(format!(".dockipc-{}-{count}", std::process::id()));
            match rustix::net::bind(socket, &self.address(&name)?) {
                Ok(()) => return Ok(name),
                Err(Errno::ADDRINUSE) if count < 10_000 => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits until no other daemon is being started in this directory, by its lock, flock(2).
    ///
    /// Without it three starters that find the same stale socket could take each other's place. A
    /// stranger may hold the lock: then it is gone without after a while.
    fn take_turn(&self) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&self.directory, ".", flags, Mode::empty()).ok()?;
        let end = Instant::now() + TURN;
        loop {
            match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Some(directory),
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(_) => return None,
            }
        }
    }

    /// The address of a name in the directory. A long one goes through the open directory.
    fn address(&self, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
        let path = self.path.with_file_name(name);
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return SocketAddrUnix::new(path);
        }
        let directory = self.directory.as_fd().as_raw_fd();
        SocketAddrUnix::new(Path::new(&format!("/proc/self/fd/{directory}")).join(name))
    }

    fn try_clone(&self) -> Result<Self, Errno> {
        Ok(Self {
            path: self.path.clone(),
            directory: rustix::io::fcntl_dupfd_cloexec(&self.directory, 0)?,
            name: self.name.clone(),
        })
    }
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Socket => "a socket",
        FileType::Unknown => "something else",
    }
}

/// Connects to a path of any length. What is at a long one is opened, and reached through the
/// descriptor: its name alone may be longer than an address.
fn connect_to(
    socket: &OwnedFd,
    path: &Path,
    open: impl FnOnce() -> Result<OwnedFd, Errno>,
) -> Result<(), Errno> {
    if path.as_os_str().len() <= LONGEST_ADDRESS {
        return rustix::net::connect(socket, &SocketAddrUnix::new(path)?);
    }
    let there = open()?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", there.as_raw_fd()))?;
    rustix::net::connect(socket, &address)
}

/// Connects a blocking socket that gives up after its send timeout, also on a full queue.
pub(crate) fn connect(path: &Path, timeout: Option<Duration>) -> Result<OwnedFd, Error> {
    if path.as_os_str().is_empty() {
        // To the system this would be a socket without a name.
        return Err(Error::BadPath { path: path.to_owned(), reason: "it is empty".into() });
    }
    let socket = socket(SocketFlags::CLOEXEC)?;
    let doing = || format!("connecting to {}", path.display());
    rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Send, timeout)
        .map_err(|errno| Error::io(doing(), errno))?;
    let open = || rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    match connect_to(&socket, path, open) {
        Ok(()) => Ok(socket),
        Err(errno) => Err(why_not(path, errno, timeout)),
    }
}

/// Says in words what is wrong with a path that can't be connected to.
fn why_not(path: &Path, errno: Errno, timeout: Option<Duration>) -> Error {
    let stat = rustix::fs::statat(CWD, path, AtFlags::empty());
    let kind = stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
    let path = path.to_owned();
    match (errno, kind) {
        (Errno::NOENT, _) => Error::NoSocket { path },
        (Errno::AGAIN, _) => Error::TimedOut {
            doing: "connecting (the daemon's queue is full)",
            after: timeout.unwrap_or_default(),
            ran: crate::error::Ran::No,
        },
        (Errno::CONNREFUSED | Errno::NOTDIR, Ok(kind)) if kind != FileType::Socket => {
            Error::NotASocket { path, what: describe(kind) }
        }
        (Errno::CONNREFUSED, _) => Error::Stale { path },
        (Errno::ACCESS | Errno::PERM, _) => {
            let owner = stat.map(|stat| {
                format!(
                    ": it belongs to uid {} and has mode {:04o}",
                    stat.st_uid,
                    stat.st_mode & 0o7777
                )
            });
            Error::Permission { path, owner: owner.unwrap_or_default() }
        }
        (errno, _) => Error::io(format!("connecting to {}", path.display()), errno),
    }
}
