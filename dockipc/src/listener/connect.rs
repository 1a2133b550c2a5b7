//! Connecting to a path.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::place::describe;
use super::{LONGEST_ADDRESS, socket};
use crate::error::Error;

/// Connects to a path of any length. What is at a long one is opened, and reached through the
/// descriptor: its name alone may be longer than an address.
pub(super) fn connect_to(
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
