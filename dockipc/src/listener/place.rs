//! A name in an open directory.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::connect::through;
use super::lock::Lock;
use super::{LONGEST_ADDRESS, process_of, socket};
use crate::directory::{Directory, Failed, Other, open_at, stat_at};
use crate::error::Error;
use crate::sys;

/// The longest file name of a socket: one of a file has 255 bytes, and a longer one is made of it.
const LONGEST_NAME: usize = 250;

/// The longest file name that has room in an address behind an open directory.
const LONGEST_BESIDE: usize = LONGEST_ADDRESS - "/proc/self/fd/2147483647/".len();

const CANNOT_BE_REMOVED: &str = "this user cannot remove it";
const CANNOT_CONNECT: &str = "this user cannot connect to it";

/// Device and inode of a name. (`fstat` of a socket gives others.)
pub(super) type Identity = (u64, u64);

/// A name in an open directory: what is done to it is done in that directory, wherever it is moved.
pub(super) struct Place {
    /// As it was given, for messages.
    pub(super) path: PathBuf,
    /// The same from the root on, wherever the program changes its directory to.
    at: PathBuf,
    directory: Directory,
    pub(super) name: OsString,
}

impl Place {
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        let bad = |reason| Error::bad_path(path, reason);
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

    /// The name that a stale socket gets before it is removed. Only the holder of the lock uses it:
    /// a stale socket there was left by a start that was killed.
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
        let stat = stat_at(CWD, self.beside(name).as_os_str(), AtFlags::SYMLINK_NOFOLLOW);
        stat.ok().map(|stat| identity(&stat))
    }

    /// Another user who can put something else at the path.
    pub(super) fn other(&self) -> Option<&Other> {
        self.directory.other()
    }

    /// What is at the path: nothing, or a stale socket. Anything else is an error.
    pub(super) fn probe(&self) -> Result<Option<Identity>, Error> {
        match self.look_at(&self.name)? {
            Found::Nothing => Ok(None),
            Found::Stale(identity) => Ok(Some(identity)),
            Found::Live(pid) => Err(Error::AlreadyRunning { path: self.path.clone(), pid }),
            Found::Other(what) => Err(Error::NotASocket { path: self.path.clone(), what }),
            Found::Denied => Err(self.in_the_way(&self.name, CANNOT_CONNECT)),
        }
    }

    /// Removes what a start that was killed has left at the temporary name.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        let name = self.temporary_name();
        let why = match self.look_at(&name)? {
            Found::Nothing => return Ok(()),
            Found::Stale(stale) => match self.unlink(&name, stale) {
                Ok(_) => return Ok(()),
                Err(_) => CANNOT_BE_REMOVED,
            },
            Found::Live(_) => "a process listens there",
            Found::Denied => CANNOT_CONNECT,
            Found::Other(_) => "it has the name that a stale socket gets before it is removed",
        };
        Err(self.in_the_way(&name, why))
    }

    /// Removes a socket that was bound to a name and is closed by now.
    pub(super) fn take_back(&self, name: &OsStr) {
        if let Ok(Found::Stale(stale)) = self.look_at(name) {
            let _ = self.unlink(name, stale);
        }
    }

    /// Looks at a name in the directory. It is opened once, so that type, identity and listener are
    /// those of one file, whatever is put at the name meanwhile.
    fn look_at(&self, name: &OsStr) -> Result<Found, Error> {
        let looking = |errno| {
            Error::io(
                format_args!("looking at {}", self.path.with_file_name(name).display()),
                errno,
            )
        };
        let file = match self.open(name) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(looking(errno)),
        };
        let stat = rustix::fs::fstat(&file).map_err(looking)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Socket {
            return Ok(Found::Other(describe(kind)));
        }
        let socket = socket(SocketFlags::NONBLOCK)?;
        let connected = match connect_to_open(&socket, &file) {
            // There is no /proc. The path may lead to another listener by now, which then sees a
            // connection that ends.
            Err(Errno::NOENT) => SocketAddrUnix::new(self.beside(name))
                .and_then(|address| rustix::net::connect(&socket, &address)),
            connected => connected,
        };
        match connected {
            Ok(()) => Ok(Found::Live(process_of(&socket))),
            // A listener whose queue is full.
            Err(Errno::AGAIN) => Ok(Found::Live(Lock::holder(self))),
            Err(Errno::CONNREFUSED) => Ok(Found::Stale(identity(&stat))),
            Err(Errno::NOENT) => Ok(Found::Nothing),
            Err(Errno::ACCESS | Errno::PERM) => Ok(Found::Denied),
            Err(errno) => Err(looking(errno)),
        }
    }

    /// Removes the stale socket that was seen at the path, and nothing else: it gets the temporary
    /// name first, where it is compared.
    pub(super) fn remove_stale(&self, seen: Identity) -> Result<(), Error> {
        let temporary = self.temporary_name();
        let removing = |errno| Error::io(format_args!("removing {}", self.path.display()), errno);
        match self.rename(&self.name, &temporary) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::EXIST) => {
                return Err(self.in_the_way(&temporary, "it was put there just now"));
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                return Err(self.in_the_way(&self.name, CANNOT_BE_REMOVED));
            }
            // A file system without RENAME_NOREPLACE: compared, then removed.
            Err(Errno::INVAL | Errno::NOSYS) => {
                return match self.unlink(&self.name, seen) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(self.taken()),
                    Err(errno) => Err(removing(errno)),
                };
            }
            Err(errno) => return Err(removing(errno)),
        }
        if self.unlink(&temporary, seen).map_err(removing)? {
            return Ok(());
        }
        // Another daemon's socket came in between: it gets its name back.
        self.rename(&temporary, &self.name).map_err(removing)?;
        Err(self.taken())
    }

    /// Gives the socket that was just bound to a name its mode, and returns its identity.
    ///
    /// Invariant: the mode is set on the file that was looked at, through its descriptor. A call by
    /// path would follow a link that another user has put there.
    pub(super) fn set_mode(&self, name: &OsStr, mode: Mode) -> Result<Identity, Error> {
        let failed =
            |what: &str, errno| Error::io(format_args!("{what} {}", self.path.display()), errno);
        let file = self.open(name).map_err(|errno| failed("looking at", errno))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| failed("looking at", errno))?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if !is_socket || (self.other().is_some() && !is_unheard(&file, &stat)?) {
            return Err(self.in_the_way(name, "it has taken the place of the new socket"));
        }
        if stat.st_mode & 0o7777 != mode.bits() {
            sys::set_mode(&file, mode).map_err(|errno| match errno {
                Errno::NOSYS => failed(
                    "setting the mode (which takes /proc, Linux 6.6, or the umask 0) of",
                    errno,
                ),
                errno => failed("setting the mode of", errno),
            })?;
        }
        Ok(identity(&stat))
    }

    /// Renames a file in the directory; what is at the new name stays.
    fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let directory = &self.directory.descriptor;
        rustix::fs::renameat_with(directory, from, directory, to, RenameFlags::NOREPLACE)
    }

    fn open(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        open_at(self.directory.descriptor.as_fd(), name, flags, Mode::empty())
    }

    /// Opens a file in the directory; a symbolic link is not followed.
    pub(super) fn open_file(
        &self,
        name: &OsStr,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        open_at(self.directory.descriptor.as_fd(), name, flags, mode)
    }

    /// The error of a start that a file beside the path, or at it, hinders.
    pub(super) fn in_the_way(&self, name: &OsStr, why: &str) -> Error {
        let file = self.path.with_file_name(name);
        let what = self.stat(name).map_or("a file".into(), |stat| {
            let kind = describe(FileType::from_raw_mode(stat.st_mode));
            format!("{kind} of uid {} (mode {:04o})", stat.st_uid, stat.st_mode & 0o7777)
        });
        Error::InTheWay { path: self.path.clone(), file, what: format!("{what}, and {why}") }
    }

    pub(super) fn taken(&self) -> Error {
        Error::AlreadyRunning { path: self.path.clone(), pid: None }
    }

    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        stat_at(self.directory.descriptor.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Whether a name in the directory is this one's.
    pub(super) fn has(&self, name: &OsStr, identified: Identity) -> bool {
        self.stat(name).is_ok_and(|stat| identity(&stat) == identified)
    }

    /// Removes a name if it is still this socket's; whether it was.
    ///
    /// What is put there between the look and the removal goes instead. Only a user who can remove it
    /// from this directory anyway can put it there.
    pub(super) fn unlink(&self, name: &OsStr, identified: Identity) -> Result<bool, Errno> {
        if !self.has(name, identified) {
            return Ok(false);
        }
        match rustix::fs::unlinkat(&self.directory.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// The name to bind: the socket's own, unless an address has no room for it. Then it is the
    /// temporary one, and [`move_in`](Self::move_in) follows.
    pub(super) fn bound_name(&self) -> OsString {
        let fits = self.fits() || self.name.len() <= LONGEST_BESIDE;
        if fits { self.name.clone() } else { self.temporary_name() }
    }

    /// The address of the name to bind: the path, which is then also what lsof(8), fuser(1) and
    /// systemd-tmpfiles(8) know the socket by.
    ///
    /// Where another user can change where the path leads, and where it is too long, the name goes
    /// through the open directory: nothing is made outside of it. The system then shows the socket
    /// as `/proc/self/fd/N/NAME`.
    pub(super) fn address(&self, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
        if self.fits() {
            return SocketAddrUnix::new(&self.at);
        }
        let directory = self.directory.descriptor.as_raw_fd();
        SocketAddrUnix::new(Path::new(&format!("/proc/self/fd/{directory}")).join(name))
    }

    /// Whether the path is an address, and leads to the directory whatever others do.
    fn fits(&self) -> bool {
        self.directory.way.is_none() && self.at.as_os_str().len() <= LONGEST_ADDRESS
    }

    /// Moves a socket that was bound to the temporary name to its own, where nothing is.
    pub(super) fn move_in(&self, temporary: &OsStr) -> Result<(), Error> {
        let (directory, name) = (&self.directory.descriptor, &self.name);
        let moved = match self.rename(temporary, name) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                // A link replaces nothing either; the temporary name goes afterwards.
                rustix::fs::linkat(directory, temporary, directory, name, AtFlags::empty()).inspect(
                    |()| {
                        let _ = rustix::fs::unlinkat(directory, temporary, AtFlags::empty());
                    },
                )
            }
            moved => moved,
        };
        moved.map_err(|errno| match errno {
            Errno::EXIST => self.taken(),
            errno => Error::io(format_args!("moving into place {}", self.path.display()), errno),
        })
    }
}

/// What is at a name.
enum Found {
    Nothing,
    /// A socket at which nobody listens.
    Stale(Identity),
    /// A socket at which this process listens, where that can be seen.
    Live(Option<u32>),
    /// A socket that this user may not connect to.
    Denied,
    Other(&'static str),
}

fn connect_to_open(socket: &OwnedFd, file: &OwnedFd) -> Result<(), Errno> {
    rustix::net::connect(socket, &through(file)?)
}

/// Whether a socket is of this user and nobody listens at it, as at one that was just bound. One
/// that another user has moved there from elsewhere keeps its mode.
fn is_unheard(file: &OwnedFd, stat: &Stat) -> Result<bool, Error> {
    let connected = connect_to_open(&socket(SocketFlags::NONBLOCK)?, file);
    // The mode may keep its own user out.
    let is_unheard = matches!(connected, Err(Errno::CONNREFUSED | Errno::ACCESS));
    Ok(is_unheard && stat.st_uid == sys::effective_user())
}

/// FNV-1a: a name that a later version of the program must find again.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn open_directory(path: &Path, at: &Path) -> Result<Directory, Error> {
    let bad = |reason: &str| Error::bad_path(path, reason);
    Directory::of(at).map_err(|failed| match failed {
        Failed::System(Errno::NOENT) => bad("its directory does not exist"),
        Failed::System(Errno::NOTDIR) => bad("what should be its directory is none"),
        Failed::System(Errno::ACCESS) => Error::Permission {
            path: path.to_owned(),
            owner: ": its directory can't be entered".into(),
        },
        Failed::System(other) => {
            Error::io(format_args!("opening the directory of {}", path.display()), other)
        }
        link @ Failed::Link { .. } => bad(&format!("{link}")),
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
