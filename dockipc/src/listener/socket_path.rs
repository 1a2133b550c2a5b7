//! A socket's path: its name in an open directory, and the operations on files there.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, StatxAttributes, StatxFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::connect::proc_address;
use super::lock::Lock;
use super::{LONGEST_ADDRESS, in_use, process_of, socket};
use crate::directory::{
    Directory, OpenError, OtherUser, file_system, link_at, open_at, rename_at, root, stat_at,
    unlink_at,
};
use crate::error::Error;
use crate::sys;

/// The longest file name of a socket: 255 bytes, less those of `.lock`.
const LONGEST_NAME: usize = 250;

/// The longest file name that fits in an address relative to a directory's descriptor.
const LONGEST_RELATIVE_NAME: usize = LONGEST_ADDRESS - "/proc/self/fd/2147483647/".len();

const CANNOT_BE_REMOVED: &str = "that this user cannot remove";
const IS_MOUNTED: &str = "that is a mount point (mount its directory instead)";
const CANNOT_CONNECT: &str = "that this user cannot connect to";

/// Device and inode of a file. (`fstat` of the socket itself returns others.)
pub(super) type Identity = (u64, u64);

/// A name in an open directory. Operations stay in that directory, even if it is moved.
pub(super) struct SocketPath {
    /// The path as given, for messages.
    pub(super) path: PathBuf,
    /// The absolute path, which stays valid when the program changes its current directory.
    absolute: PathBuf,
    /// Where the absolute path begins, for a process that changes its root later.
    root: OwnedFd,
    directory: Directory,
    pub(super) name: OsString,
}

impl SocketPath {
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        let bad = |reason| Error::bad_path(path, reason);
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(bad("it contains a NUL byte"));
        }
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(bad("it ends with a slash"));
        }
        let name = path.file_name().ok_or_else(|| bad("it has no file name"))?.to_owned();
        if name.len() > LONGEST_NAME {
            return Err(bad(
                "its file name has more than 250 bytes, which leaves no room for that of the lock file",
            ));
        }
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let root = root(&absolute).map_err(|errno| opening(path, errno.into()))?;
        Self::below(path.to_owned(), absolute, root, name)
    }

    /// Opens the directory that the path leads to now, from the root that the process had at its
    /// start.
    pub(super) fn reopened(&self) -> Result<Self, Error> {
        let root = fcntl_dupfd_cloexec(&self.root, 0).map_err(|e| opening(&self.path, e.into()))?;
        Self::below(self.path.clone(), self.absolute.clone(), root, self.name.clone())
    }

    fn below(
        path: PathBuf,
        absolute: PathBuf,
        root: OwnedFd,
        name: OsString,
    ) -> Result<Self, Error> {
        let directory = Directory::below(root.as_fd(), &absolute);
        let directory = directory.map_err(|error| opening(&path, error))?;
        Ok(Self { path, absolute, root, directory, name })
    }

    pub(super) fn lock_name(&self) -> OsString {
        let mut name = self.name.clone();
        name.push(".lock");
        name
    }

    /// Returns the name that a stale socket is renamed to before it is removed. Only the holder of
    /// the lock uses it, so a stale socket there was left by a start that was killed.
    pub(super) fn temporary_name(&self) -> OsString {
        let name = self.name.as_bytes();
        // It must fit in an address.
        let short: Vec<u8> =
            if name.len() > 60 { format!("{:016x}", hash(name)).into() } else { name.to_owned() };
        let name = [b"." as &[u8], &short, b".new"].concat();
        OsString::from_vec(name)
    }

    /// Returns the absolute path of another name in the directory.
    pub(super) fn sibling(&self, name: &OsStr) -> PathBuf {
        self.absolute.with_file_name(name)
    }

    /// Returns the identity of the file at the absolute path, even if the directory was replaced.
    pub(super) fn identity_at_path(&self, name: &OsStr) -> Option<Identity> {
        let path = self.sibling(name);
        let path = path.strip_prefix("/").unwrap_or(&path).as_os_str();
        let stat = stat_at(self.root.as_fd(), path, AtFlags::SYMLINK_NOFOLLOW);
        stat.ok().map(|stat| identity(&stat))
    }

    /// Returns whether the absolute path leads this process to the directory: not after chroot(2), for
    /// example.
    pub(super) fn leads_here(&self) -> bool {
        let here = rustix::fs::fstat(&self.directory.descriptor);
        let there = stat_at(CWD, self.sibling(".".as_ref()).as_os_str(), AtFlags::empty());
        matches!((here, there), (Ok(here), Ok(there)) if identity(&here) == identity(&there))
    }

    /// Returns the directories and symbolic links that the path leads through.
    pub(super) fn way(&self) -> &[PathBuf] {
        &self.directory.way
    }

    /// Returns whether inotify(7) reports all changes in the directory: only this kernel can make them.
    pub(super) fn is_local(&self) -> bool {
        // Constants of linux/magic.h: tmpfs, ramfs, ext4, XFS, Btrfs, overlayfs.
        const LOCAL: [u32; 6] =
            [0x0102_1994, 0x8584_58f6, 0xef53, 0x5846_5342, 0x9123_683e, 0x794c_7630];
        file_system(&self.directory.descriptor).is_some_and(|found| LOCAL.contains(&found))
    }

    /// Returns another user who can replace the socket.
    pub(super) fn other(&self) -> Option<&OtherUser> {
        self.directory.other()
    }

    /// Returns the stale socket at the path, or `None` if nothing exists there. Anything else is an
    /// error.
    pub(super) fn probe(&self) -> Result<Option<Identity>, Error> {
        match self.inspect(&self.name)? {
            Found::Nothing => Ok(None),
            Found::Stale(identity) => Ok(Some(identity)),
            Found::Live(pid) => Err(in_use(&self.path, pid, || Lock::holder(self))),
            Found::Other(what) => Err(Error::NotASocket { path: self.path.clone(), what }),
            Found::Denied => Err(self.in_the_way(&self.name, CANNOT_CONNECT)),
        }
    }

    /// Removes the socket at the temporary name that a killed start left behind.
    pub(super) fn remove_leftover(&self) -> Result<(), Error> {
        let name = self.temporary_name();
        let why = match self.inspect(&name)? {
            Found::Nothing => return Ok(()),
            Found::Stale(stale) => match self.unlink(&name, stale) {
                Ok(_) => return Ok(()),
                Err(_) => CANNOT_BE_REMOVED,
            },
            Found::Live(_) => "that a process listens on",
            Found::Denied => CANNOT_CONNECT,
            Found::Other(_) => "that has the temporary name for a stale socket",
        };
        Err(self.in_the_way(&name, why))
    }

    /// Removes a socket that was bound to a name and has been closed.
    pub(super) fn remove_closed(&self, name: &OsStr) {
        if let Ok(Found::Stale(stale)) = self.inspect(name) {
            let _ = self.unlink(name, stale);
        }
    }

    /// Determines what a name in the directory is. The file is opened once, so that type, identity
    /// and listener belong to the same file even if the name is reused meanwhile.
    fn inspect(&self, name: &OsStr) -> Result<Found, Error> {
        let failed = |errno| {
            Error::io(
                format_args!("inspecting {}", self.path.with_file_name(name).display()),
                errno,
            )
        };
        let file = match self.open(name) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(failed(errno)),
        };
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Socket {
            return Ok(Found::Other(match kind {
                FileType::RegularFile if is_mount_point(&file) => "a file and a mount point",
                FileType::Directory if is_mount_point(&file) => "a directory and a mount point",
                kind => describe(kind),
            }));
        }
        let socket = socket(SocketFlags::NONBLOCK)?;
        let connected = match connect_to_open(&socket, &file) {
            // Without /proc, connect by path. It may lead to another listener by now, which then
            // sees a connection that is closed.
            Err(Errno::NOENT) => SocketAddrUnix::new(self.sibling(name))
                .and_then(|address| rustix::net::connect(&socket, &address)),
            connected => connected,
        };
        match connected {
            Ok(()) => Ok(Found::Live(process_of(&socket))),
            // The listener's queue is full.
            Err(Errno::AGAIN) => Ok(Found::Live(Lock::holder(self))),
            Err(Errno::CONNREFUSED) => Ok(Found::Stale(identity(&stat))),
            Err(Errno::NOENT) => Ok(Found::Nothing),
            Err(Errno::ACCESS | Errno::PERM) => Ok(Found::Denied),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Removes the stale socket `seen` at the path, and nothing else: the file is renamed to the
    /// temporary name first, and its identity is checked there.
    pub(super) fn remove_stale(&self, seen: Identity) -> Result<(), Error> {
        let temporary = self.temporary_name();
        let removing = |errno| Error::io(format_args!("removing {}", self.path.display()), errno);
        match self.rename(&self.name, &temporary) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::EXIST) => {
                return Err(self.in_the_way(&temporary, "that has just been created"));
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                return Err(self.in_the_way(&self.name, CANNOT_BE_REMOVED));
            }
            Err(Errno::BUSY) => return Err(self.in_the_way(&self.name, IS_MOUNTED)),
            // The file system has no RENAME_NOREPLACE: check, then remove.
            Err(Errno::INVAL | Errno::NOSYS) => {
                return match self.unlink(&self.name, seen) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(self.already_running()),
                    Err(errno) => Err(removing(errno)),
                };
            }
            Err(errno) => return Err(removing(errno)),
        }
        if self.unlink(&temporary, seen).map_err(removing)? {
            return Ok(());
        }
        // It was another daemon's new socket: restore its name.
        self.rename(&temporary, &self.name).map_err(removing)?;
        Err(self.already_running())
    }

    /// Sets the mode of the socket that was just bound to a name, and returns its identity.
    ///
    /// Invariant: the mode is set through the descriptor of the checked file; broken by a call that
    /// takes a path, which would follow a link that another user created.
    pub(super) fn set_mode(&self, name: &OsStr, mode: Mode) -> Result<Identity, Error> {
        let failed =
            |what: &str, errno| Error::io(format_args!("{what} {}", self.path.display()), errno);
        let file = self.open(name).map_err(|errno| failed("inspecting", errno))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| failed("inspecting", errno))?;
        let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if !is_socket || (self.other().is_some() && !is_newly_bound(&file, &stat)?) {
            return Err(self.in_the_way(name, "that has replaced the new socket"));
        }
        if stat.st_mode & 0o7777 != mode.bits() {
            sys::set_mode(&file, mode).map_err(|errno| match errno {
                Errno::NOSYS => {
                    failed("setting the mode (requires /proc, Linux 6.6, or umask 0) of", errno)
                }
                errno => failed("setting the mode of", errno),
            })?;
        }
        Ok(identity(&stat))
    }

    /// Renames a file in the directory; what is at the new name stays.
    fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        rename_at(self.directory.descriptor.as_fd(), from, to)
    }

    fn open(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        open_at(self.directory.descriptor.as_fd(), name, flags, Mode::empty())
    }

    /// Opens a file in the directory, without following a symbolic link.
    pub(super) fn open_file(
        &self,
        name: &OsStr,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        open_at(self.directory.descriptor.as_fd(), name, flags, mode)
    }

    /// Returns the error for a file in the directory that prevents the start. `why` is a relative
    /// clause, such as "that this user cannot remove".
    pub(super) fn in_the_way(&self, name: &OsStr, why: &str) -> Error {
        let file = self.path.with_file_name(name);
        let what = self.stat(name).map_or("a file".into(), |stat| {
            let kind = describe(FileType::from_raw_mode(stat.st_mode));
            format!("{kind} of uid {} (mode {:04o})", stat.st_uid, stat.st_mode & 0o7777)
        });
        Error::InTheWay { path: self.path.clone(), file, what: format!("{what} {why}") }
    }

    /// Returns the error for a directory in which this user can't create a file.
    pub(super) fn not_writable(&self) -> Error {
        let directory = self.absolute.parent().unwrap_or(Path::new("/")).display();
        let user = sys::effective_user();
        Error::Permission {
            path: self.path.clone(),
            owner: format!(" ({directory} is not writable for uid {user})"),
        }
    }

    pub(super) fn already_running(&self) -> Error {
        Error::AlreadyRunning { path: self.path.clone(), pid: None }
    }

    pub(super) fn stat(&self, name: &OsStr) -> Result<Stat, Errno> {
        stat_at(self.directory.descriptor.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Returns whether a name in the directory has this identity.
    pub(super) fn has_identity(&self, name: &OsStr, expected: Identity) -> bool {
        self.stat(name).is_ok_and(|stat| identity(&stat) == expected)
    }

    /// Removes a name if it has this identity. Returns whether it had.
    ///
    /// A file that replaces it between the check and the removal is removed instead. Only a user
    /// who could remove it from this directory anyway can do that.
    pub(super) fn unlink(&self, name: &OsStr, expected: Identity) -> Result<bool, Errno> {
        if !self.has_identity(name, expected) {
            return Ok(false);
        }
        match unlink_at(self.directory.descriptor.as_fd(), name) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// Returns the name to bind: the socket's own if it fits in an address; otherwise the temporary
    /// one, and [`rename_into_place`](Self::rename_into_place) must follow.
    pub(super) fn bound_name(&self) -> OsString {
        let fits = self.fits_address() || self.name.len() <= LONGEST_RELATIVE_NAME;
        if fits { self.name.clone() } else { self.temporary_name() }
    }

    /// Returns the address to bind: the path, so that lsof(8), fuser(1) and systemd-tmpfiles(8)
    /// show it.
    ///
    /// If another user can redirect the path, if it is too long, or if the process has changed its
    /// root, the address names the open directory, so that nothing is created outside of it. Tools then show
    /// `/proc/self/fd/N/NAME`.
    pub(super) fn address(&self, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
        if self.fits_address() {
            return SocketAddrUnix::new(&self.absolute);
        }
        let directory = self.directory.descriptor.as_raw_fd();
        SocketAddrUnix::new(Path::new(&format!("/proc/self/fd/{directory}")).join(name))
    }

    /// Returns whether the path fits in an address, leads to the directory, and no other user can
    /// redirect it.
    fn fits_address(&self) -> bool {
        self.directory.path_writer.is_none()
            && self.absolute.as_os_str().len() <= LONGEST_ADDRESS
            && self.leads_here()
    }

    /// Renames a socket that was bound to the temporary name, without replacing another file.
    pub(super) fn rename_into_place(&self, temporary: &OsStr) -> Result<(), Error> {
        let (directory, name) = (self.directory.descriptor.as_fd(), &self.name);
        let moved = match self.rename(temporary, name) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                // link(2) replaces nothing either.
                link_at(directory, temporary, name).inspect(|()| {
                    let _ = unlink_at(directory, temporary);
                })
            }
            moved => moved,
        };
        moved.map_err(|errno| match errno {
            Errno::EXIST => self.already_running(),
            errno => Error::io(format_args!("moving into place {}", self.path.display()), errno),
        })
    }
}

/// The state of a name in the directory.
enum Found {
    Nothing,
    /// A socket without a listener.
    Stale(Identity),
    /// A socket with a listener, whose process ID is included if known.
    Live(Option<u32>),
    /// A socket that this user may not connect to.
    Denied,
    /// A file of another type.
    Other(&'static str),
}

/// Returns whether a file is a mount point; false before Linux 5.8.
fn is_mount_point(file: &OwnedFd) -> bool {
    let stat = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    stat.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn connect_to_open(socket: &OwnedFd, file: &OwnedFd) -> Result<(), Errno> {
    rustix::net::connect(socket, &proc_address(file)?)
}

/// Returns whether a socket belongs to this user and has no listener, like one that was just bound.
/// The mode of any other must not change: another user may have moved it here.
fn is_newly_bound(file: &OwnedFd, stat: &Stat) -> Result<bool, Error> {
    let connected = connect_to_open(&socket(SocketFlags::NONBLOCK)?, file);
    // The mode may exclude even the owner.
    let has_no_listener = matches!(connected, Err(Errno::CONNREFUSED | Errno::ACCESS));
    Ok(has_no_listener && stat.st_uid == sys::effective_user())
}

/// FNV-1a: stable, since a later version must find the same temporary name.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Returns the error for a directory that cannot be opened.
fn opening(path: &Path, error: OpenError) -> Error {
    let bad = |reason: &str| Error::bad_path(path, reason);
    match error {
        OpenError::System(Errno::NOENT) => bad("its directory does not exist"),
        OpenError::System(Errno::NOTDIR) => bad("its parent is not a directory"),
        OpenError::System(Errno::ACCESS) => Error::Permission {
            path: path.to_owned(),
            owner: format!(" (its directory is not accessible for uid {})", sys::effective_user()),
        },
        OpenError::System(other) => {
            Error::io(format_args!("opening the directory of {}", path.display()), other)
        }
        link @ OpenError::Link { .. } => bad(&format!("{link}")),
    }
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
