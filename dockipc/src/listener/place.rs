//! A name in an open directory.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::connect::connect_to;
use super::lock::Lock;
use super::{LONGEST_ADDRESS, process_of, socket};
use crate::error::Error;

/// The longest file name of a socket: one of a file has 255 bytes, and a longer one is made of it.
const LONGEST_NAME: usize = 250;

/// Device and inode of a name. (`fstat` of a socket gives others.)
pub(super) type Identity = (u64, u64);

/// A name in an open directory: what is done to it is done in that directory, wherever it is moved.
pub(super) struct Place {
    /// As it was given, for messages.
    pub(super) path: PathBuf,
    /// The same from the root on, wherever the program changes its directory to.
    at: PathBuf,
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
        if name.len() > LONGEST_NAME {
            return Err(bad(
                "its file name has more than 250 bytes, and a longer one has to fit beside it",
            ));
        }
        let at = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (path, directory) = (path.to_owned(), open_directory(path, &at)?);
        Ok(Self { path, at, directory, name })
    }

    /// The same path, and the directory that is there now.
    pub(super) fn reopened(&self) -> Result<Self, Error> {
        let directory = open_directory(&self.path, &self.at)?;
        Ok(Self {
            path: self.path.clone(),
            at: self.at.clone(),
            directory,
            name: self.name.clone(),
        })
    }

    pub(super) fn lock_name(&self) -> OsString {
        let mut name = self.name.clone();
        name.push(".lock");
        name
    }

    /// The name that a socket has before it is moved in. Only who has the lock uses it, so that what
    /// is there was left by a start that was killed.
    pub(super) fn temporary_name(&self) -> OsString {
        let name = self.name.as_bytes();
        // An address has to have it whole.
        let short: Vec<u8> =
            if name.len() > 60 { format!("{:016x}", hash(name)).into() } else { name.to_owned() };
        let name = [b"." as &[u8], &short, b".new"].concat();
        OsString::from_vec(name)
    }

    /// The path of another name in the directory.
    pub(super) fn beside(&self, name: &OsStr) -> PathBuf {
        self.at.with_file_name(name)
    }

    /// What the path leads to by now, be it through another directory.
    pub(super) fn identity_at_path(&self, name: &OsStr) -> Option<Identity> {
        let stat = rustix::fs::statat(CWD, self.beside(name), AtFlags::SYMLINK_NOFOLLOW);
        stat.ok().map(|stat| identity(&stat))
    }

    /// What is at the path: nothing, or a stale socket. Anything else is an error.
    pub(super) fn probe(&self) -> Result<Option<Identity>, Error> {
        self.probe_name(&self.name, &self.path)
    }

    /// Removes what a start that was killed has left at the temporary name.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        let name = self.temporary_name();
        if let Some(stale) = self.probe_name(&name, &self.path.with_file_name(&name))? {
            self.unlink(&name, stale);
        }
        Ok(())
    }

    fn probe_name(&self, name: &OsStr, path: &Path) -> Result<Option<Identity>, Error> {
        let looking = |errno| Error::io(format!("looking at {}", path.display()), errno);
        let stat = match self.stat(name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(looking(errno)),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Socket {
            return Err(Error::NotASocket { path: path.to_owned(), what: describe(kind) });
        }
        let socket = socket(SocketFlags::NONBLOCK)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.directory, name, flags, Mode::empty());
        match connect_to(&socket, &self.beside(name), open) {
            Ok(()) => {
                let pid = process_of(&socket);
                Err(Error::AlreadyRunning { path: path.to_owned(), pid })
            }
            // Somebody listens and has a full queue.
            Err(Errno::AGAIN) => {
                Err(Error::AlreadyRunning { path: path.to_owned(), pid: Lock::holder(self) })
            }
            Err(Errno::CONNREFUSED) => Ok(Some(identity(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(looking(errno)),
        }
    }

    /// Moves the new socket to its name, replacing nothing but the stale socket that was seen.
    pub(super) fn move_in(&self, temporary: &OsStr, seen: Option<Identity>) -> Result<(), Error> {
        let (directory, name) = (&self.directory, &self.name);
        let rename =
            |flags| rustix::fs::renameat_with(directory, temporary, directory, name, flags);
        let moving = |errno| Error::io(format!("moving {} into place", self.path.display()), errno);
        let taken = || Error::AlreadyRunning { path: self.path.clone(), pid: None };
        let Some(seen) = seen else {
            let moved = match rename(RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS) => {
                    // A link replaces nothing either; the temporary name goes afterwards.
                    rustix::fs::linkat(directory, temporary, directory, name, AtFlags::empty())
                        .inspect(|()| {
                            let _ = self.unlink_any(temporary);
                        })
                }
                moved => moved,
            };
            return moved.map_err(|errno| match errno {
                Errno::EXIST => taken(),
                errno => moving(errno),
            });
        };
        match rename(RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                // A file system without it: looked at once more, then replaced.
                if !self.has(name, seen) {
                    return Err(taken());
                }
                return rename(RenameFlags::empty()).map_err(moving);
            }
            // Somebody has removed the stale one.
            Err(Errno::NOENT) => return self.move_in(temporary, None),
            exchanged => exchanged.map_err(moving)?,
        }
        if self.unlink(temporary, seen) {
            return Ok(());
        }
        // Another daemon came in between: it gets its place back.
        rename(RenameFlags::EXCHANGE).map_err(moving)?;
        Err(taken())
    }

    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Whether a name in the directory is this one's.
    pub(super) fn has(&self, name: &OsStr, identified: Identity) -> bool {
        self.stat(name).is_ok_and(|stat| identity(&stat) == identified)
    }

    /// Removes a name if it is still this socket's; whether it was.
    pub(super) fn unlink(&self, name: &OsStr, identified: Identity) -> bool {
        let is_it = self.has(name, identified);
        // What can't be removed is stale, and the next start replaces it.
        let _ = is_it && self.unlink_any(name).is_ok();
        is_it
    }

    fn unlink_any(&self, name: &OsStr) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())
    }

    /// The address of a name in the directory. A long one goes through the open directory.
    pub(super) fn address(&self, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
        let path = self.beside(name);
        if path.as_os_str().len() <= LONGEST_ADDRESS {
            return SocketAddrUnix::new(path);
        }
        let directory = self.directory.as_fd().as_raw_fd();
        SocketAddrUnix::new(Path::new(&format!("/proc/self/fd/{directory}")).join(name))
    }
}

/// FNV-1a: a name that a later version of the program must find again.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn open_directory(path: &Path, at: &Path) -> Result<OwnedFd, Error> {
    let bad = |reason: &str| Error::BadPath { path: path.to_owned(), reason: reason.to_owned() };
    let directory = match at.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => bad("its directory does not exist"),
        Errno::NOTDIR => bad("what should be its directory is none"),
        Errno::ACCESS => Error::Permission {
            path: path.to_owned(),
            owner: ": its directory can't be entered".into(),
        },
        other => Error::io(format!("opening the directory of {}", path.display()), other),
    })
}

#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between platforms")]
pub(super) fn identity(stat: &Stat) -> Identity {
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
