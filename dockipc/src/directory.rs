//! Directories, opened step by step.
//!
//! A daemon may have more privileges than a user who owns a directory on the way of a path. A path
//! that the system resolves anew in each call can lead elsewhere each time; so the directory of a
//! socket, a lock, a token or an audit file is opened here, and its files are named relative to the
//! descriptor. The walk follows no symbolic link that another user made, and notes which other user
//! could change where the path leads. What a caller makes of that is its own matter.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// More symbolic links are a loop, `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// An open directory.
pub(crate) struct Directory {
    pub(crate) descriptor: OwnedFd,
    /// Another user who can put a different directory at the path.
    pub(crate) way: Option<Other>,
    /// Another user who can rename and remove what is in the directory, whoever owns that.
    pub(crate) inside: Option<Other>,
}

/// A user, besides root and the daemon's own, who can change the names in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
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
pub(crate) enum Failed {
    System(Errno),
    /// A symbolic link that belongs to another user.
    Link {
        link: PathBuf,
        owner: u32,
    },
}

/// Nothing is read through the descriptors, so that the right to search a directory is enough.
const FLAGS: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a name in a directory.
// The system-call crate compiles a call anew for each type of a name and each place: this and the
// next are there once.
#[inline(never)]
pub(crate) fn open_at(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, flags, mode)
}

/// Looks at a name in a directory.
#[inline(never)]
pub(crate) fn stat_at(
    directory: BorrowedFd<'_>,
    name: &OsStr,
    flags: AtFlags,
) -> Result<Stat, Errno> {
    rustix::fs::statat(directory, name, flags)
}

/// Reads the beginning of a file of `/proc`, which has a line or less that is of interest.
pub(crate) fn small_text(path: &str) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = open_at(CWD, path.as_ref(), flags, Mode::empty())?;
    let mut bytes = [0; 256];
    let length = rustix::io::read(&file, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

impl Directory {
    /// Opens the directory that a file is in.
    pub(crate) fn of(file: &Path) -> Result<Self, Failed> {
        Self::open(file.parent().unwrap_or(Path::new("")))
    }

    fn open(path: &Path) -> Result<Self, Failed> {
        let start = |path: &Path| {
            let (root, at) = if path.has_root() { ("/", "/") } else { (".", "") };
            let here = open_at(CWD, root.as_ref(), FLAGS | OFlags::DIRECTORY, Mode::empty())?;
            let stat = rustix::fs::fstat(&here)?;
            Ok::<_, Errno>((here, stat, PathBuf::from(at)))
        };
        let mut steps = steps(path);
        let (mut here, mut stat, mut at) = start(path)?;
        let (mut way, mut links) = (None, 0);
        while let Some(step) = steps.pop() {
            let name = at.join(&step);
            way = way.or_else(|| other(&stat, &at));
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
                        return Err(Failed::Link { link: name, owner: found.st_uid });
                    }
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = rustix::fs::readlinkat(&link, "", Vec::new())?;
                    let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                    if target.has_root() {
                        (here, stat, at) = start(target)?;
                    }
                    steps.extend(self::steps(target));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        let inside = other(&stat, &at);
        Ok(Self { descriptor: here, way, inside })
    }

    /// The other user who can put another file in the place of one in this directory.
    pub(crate) fn other(&self) -> Option<&Other> {
        self.way.as_ref().or(self.inside.as_ref())
    }
}

/// The components of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let named = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.rev().map(|part| part.as_os_str().to_owned()).collect()
}

/// Root can do everything anyway.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == crate::sys::effective_user()
}

/// The other user who can change the names in a directory. In a sticky one, such as /tmp, only the
/// owner of the directory can change the names of others. (With an ACL, the group's bits are what
/// the ACL grants at most.)
fn other(directory: &Stat, at: &Path) -> Option<Other> {
    let is_sticky = directory.st_mode & 0o1000 != 0;
    let who = match directory.st_mode {
        _ if !is_trusted(directory.st_uid) => Who::Owner(directory.st_uid),
        _ if is_sticky => return None,
        mode if mode & 0o002 != 0 => Who::Everyone,
        mode if mode & 0o020 != 0 => Who::Group(directory.st_gid),
        _ => return None,
    };
    let directory = if at.as_os_str().is_empty() { Path::new(".") } else { at };
    Some(Other { directory: directory.to_owned(), who })
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Owner(uid) => write!(f, "uid {uid} owns ")?,
            Who::Group(gid) => write!(f, "group {gid} can write to ")?,
            Who::Everyone => write!(f, "every user can write to ")?,
        }
        write!(f, "{}", self.directory.display())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(errno) => errno.fmt(f),
            Self::Link { link, owner } => write!(
                f,
                "{} is a symbolic link of uid {owner}, which is not followed; give the path that it leads to",
                link.display()
            ),
        }
    }
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::System(errno) => errno.into(),
            link @ Failed::Link { .. } => Self::other(link.to_string()),
        }
    }
}
