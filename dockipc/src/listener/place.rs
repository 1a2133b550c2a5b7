//! A name in an open directory.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::connect::connect_to;
use super::{LONGEST_ADDRESS, socket};
use crate::error::Error;

/// How long a start waits for other starts in the same directory.
const TURN: Duration = Duration::from_secs(2);

/// A name in an open directory: what is done to it is done in that directory, wherever it is moved.
pub(super) struct Place {
    path: PathBuf,
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
}

impl Place {
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
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
    pub(super) fn probe(&self) -> Result<Option<(u64, u64)>, Error> {
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
    pub(super) fn move_in(&self, temporary: &OsStr, seen: Option<(u64, u64)>) -> Result<(), Error> {
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

    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn unlink(&self, name: &OsStr) {
        // What can't be removed is stale, and the next start replaces it.
        let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
    }

    /// Gives the socket a temporary name. One that a process of the same number has left behind is
    /// passed over.
    pub(super) fn bind(&self, socket: &OwnedFd) -> Result<OsString, Errno> {
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
    pub(super) fn take_turn(&self) -> Option<OwnedFd> {
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
    pub(super) fn address(&self, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
        let path = self.path.with_file_name(name);
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return SocketAddrUnix::new(path);
        }
        let directory = self.directory.as_fd().as_raw_fd();
        SocketAddrUnix::new(Path::new(&format!("/proc/self/fd/{directory}")).join(name))
    }

    pub(super) fn try_clone(&self) -> Result<Self, Errno> {
        Ok(Self {
            path: self.path.clone(),
            directory: rustix::io::fcntl_dupfd_cloexec(&self.directory, 0)?,
            name: self.name.clone(),
        })
    }
}

#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between platforms")]
pub(super) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

pub(super) fn describe(kind: FileType) -> &'static str {
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
