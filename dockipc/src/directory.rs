//! Directories, opened component by component.
//!
//! A daemon may have more privileges than a user who owns a directory on its path, and a path that
//! is resolved again in each call can lead elsewhere each time. So the directory of a socket, lock,
//! token or audit file is opened once, here, and files are named relative to its descriptor. The
//! walk follows no symbolic link of another user, and records which other user could redirect the
//! path; callers decide what to do about that.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

/// Maximum number of symbolic links followed, as in `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// An open directory.
pub(crate) struct Directory {
    pub(crate) descriptor: OwnedFd,
    /// Another user who can replace a component of the path.
    pub(crate) path_writer: Option<OtherUser>,
    /// Another user who can rename and remove files in the directory, including the daemon's.
    pub(crate) file_writer: Option<OtherUser>,
    /// The directories and symbolic links that the path led through, with this one.
    pub(crate) way: Vec<PathBuf>,
}

/// A user, other than root and the daemon's, who can change the names in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherUser {
    directory: PathBuf,
    who: Who,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Owner(u32),
    Group(u32),
    Everyone,
}

/// Why a directory can't be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    System(Errno),
    /// A symbolic link that belongs to another user.
    Link {
        link: PathBuf,
        owner: u32,
    },
}

/// `PATH`, so that search permission on a directory is enough.
const FLAGS: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Returns a name as system calls take it.
// The system-call crate converts a name anew at each call of its functions: this is there once.
#[inline(never)]
pub(crate) fn c_name(name: &OsStr) -> Result<CString, Errno> {
    CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)
}

/// Opens a name in a directory.
#[inline(never)]
pub(crate) fn open_at(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, &*c_name(name)?, flags, mode)
}

/// Looks at a name in a directory.
#[inline(never)]
pub(crate) fn stat_at(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    flags: AtFlags,
) -> Result<Stat, Errno> {
    rustix::fs::statat(directory, &*c_name(name)?, flags)
}

/// Renames a name in a directory; what is at the new name stays.
#[inline(never)]
pub(crate) fn rename_at(directory: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    let (from, to) = (c_name(from)?, c_name(to)?);
    rustix::fs::renameat_with(directory, &*from, directory, &*to, RenameFlags::NOREPLACE)
}

/// Gives a file another name in its directory; what is at the new name stays.
pub(crate) fn link_at(directory: BorrowedFd<'_>, old: &OsStr, new: &OsStr) -> Result<(), Errno> {
    let (old, new) = (c_name(old)?, c_name(new)?);
    rustix::fs::linkat(directory, &*old, directory, &*new, AtFlags::empty())
}

/// Removes a name from a directory.
#[inline(never)]
pub(crate) fn unlink_at(directory: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    rustix::fs::unlinkat(directory, &*c_name(name)?, AtFlags::empty())
}

/// Returns the type of the file system of an open file, a constant of linux/magic.h. `None` if it is
/// unknown.
pub(crate) fn file_system(file: &OwnedFd) -> Option<u32> {
    u32::try_from(rustix::fs::fstatfs(file).ok()?.f_type).ok()
}

impl Directory {
    /// Opens the directory of a file.
    pub(crate) fn of(file: &Path) -> Result<Self, OpenError> {
        Self::below(root(file)?.as_fd(), file)
    }

    /// Opens the directory of a file, whose path begins at this [`root`].
    pub(crate) fn below(root: BorrowedFd<'_>, file: &Path) -> Result<Self, OpenError> {
        let path = file.parent().unwrap_or(Path::new(""));
        let start = |start: &Path| {
            let (here, at) = match (start.has_root(), path.has_root()) {
                // An absolute link in a relative path.
                (true, false) => (self::root(start)?, "/"),
                (has_root, _) => (fcntl_dupfd_cloexec(root, 0)?, if has_root { "/" } else { "" }),
            };
            let stat = rustix::fs::fstat(&here)?;
            Ok::<_, Errno>((here, stat, PathBuf::from(at)))
        };
        let mut steps = steps(path);
        let (mut here, mut stat, mut at) = start(path)?;
        let (mut path_writer, mut links, mut way) = (None, 0, Vec::new());
        while let Some(step) = steps.pop() {
            let name = at.join(&step);
            way.push(name.clone());
            path_writer = path_writer.or_else(|| other_user(&stat, &at));
            match open_at(here.as_fd(), &step, FLAGS | OFlags::DIRECTORY, Mode::empty()) {
                Ok(directory) => {
                    (stat, at) = (rustix::fs::fstat(&directory)?, name);
                    here = directory;
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let link = open_at(here.as_fd(), &step, FLAGS, Mode::empty())?;
                    let found = rustix::fs::fstat(&link)?;
                    if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
                        return Err(Errno::NOTDIR.into());
                    }
                    if !is_trusted(found.st_uid) {
                        return Err(OpenError::Link { link: name, owner: found.st_uid });
                    }
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = rustix::fs::readlinkat(&link, c"", Vec::new())?;
                    let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                    if target.has_root() {
                        (here, stat, at) = start(target)?;
                    }
                    steps.extend(self::steps(target));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        let file_writer = other_user(&stat, &at);
        Ok(Self { descriptor: here, path_writer, file_writer, way })
    }

    /// Returns another user who can replace a file in this directory.
    pub(crate) fn other(&self) -> Option<&OtherUser> {
        self.path_writer.as_ref().or(self.file_writer.as_ref())
    }
}

/// Opens the directory where a path begins: the root or, for a relative path, the current directory.
/// The descriptor stays the same directory after chroot(2) and in a new mount namespace.
pub(crate) fn root(path: &Path) -> Result<OwnedFd, Errno> {
    let root = if path.has_root() { "/" } else { "." };
    open_at(CWD, root.as_ref(), FLAGS | OFlags::DIRECTORY, Mode::empty())
}

/// Returns the components of a path, last first.
fn steps(path: &Path) -> Vec<OsString> {
    let mut steps = Vec::new();
    for part in path.components().rev() {
        if matches!(part, Component::Normal(_) | Component::ParentDir) {
            steps.push(part.as_os_str().to_owned());
        }
    }
    steps
}

/// Returns whether this is the daemon's user or root, who can do everything anyway.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == crate::sys::effective_user()
}

/// Returns another user who can change the names in a directory. In a sticky one, such as /tmp,
/// only the directory's owner can change the names of other users' files. (With an ACL, the group
/// bits are the maximum that the ACL grants.)
fn other_user(directory: &Stat, at: &Path) -> Option<OtherUser> {
    let is_sticky = directory.st_mode & 0o1000 != 0;
    let who = match directory.st_mode {
        _ if !is_trusted(directory.st_uid) => Who::Owner(directory.st_uid),
        _ if is_sticky => return None,
        mode if mode & 0o002 != 0 => Who::Everyone,
        mode if mode & 0o020 != 0 => Who::Group(directory.st_gid),
        _ => return None,
    };
    let directory = if at.as_os_str().is_empty() { Path::new(".") } else { at };
    Some(OtherUser { directory: directory.to_owned(), who })
}

impl fmt::Display for OtherUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Owner(uid) => write!(f, "uid {uid} owns ")?,
            Who::Group(gid) => write!(f, "group {gid} can write to ")?,
            Who::Everyone => write!(f, "any user can write to ")?,
        }
        write!(f, "{}", self.directory.display())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(errno) => errno.fmt(f),
            Self::Link { link, owner } => write!(
                f,
                "{} is a symbolic link owned by uid {owner}, which is not followed; use the path it points to",
                link.display()
            ),
        }
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::System(errno) => errno.into(),
            link @ OpenError::Link { .. } => Self::other(link.to_string()),
        }
    }
}
