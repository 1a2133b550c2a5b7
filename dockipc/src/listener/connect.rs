//! Connecting to a path.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{SocketAddrUnix, SocketFlags};

use super::address::Address;
use super::socket_path::describe;
use super::{LONGEST_ADDRESS, socket};
use crate::directory::{open_at, stat_at};
use crate::error::{Error, Ran};

/// Connects a blocking socket. The timeout also covers the wait for room in a full queue.
pub(crate) fn connect(path: &Path, timeout: Option<Duration>) -> Result<OwnedFd, Error> {
    let address = address(path)?;
    let socket = socket(SocketFlags::empty())?;
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        // Zero would mean no limit.
        let left = end
            .map(|end| end.saturating_duration_since(Instant::now()).max(Duration::from_micros(1)));
        set_socket_timeout(&socket, Timeout::Send, left)
            .map_err(|errno| Error::io(format_args!("connecting to {}", path.display()), errno))?;
        match connect_once(&socket, &address) {
            Ok(()) => return Ok(socket),
            // A signal arrived while the queue was full.
            Err(Errno::INTR) => {}
            Err(errno) => return Err(connect_error(path, &address, errno, timeout)),
        }
    }
}

/// Connects a blocking socket, without waiting. Returns `None` if the daemon's queue is full.
#[cfg(feature = "tokio")]
pub(crate) fn try_connect(path: &Path) -> Result<Option<OwnedFd>, Error> {
    let address = address(path)?;
    let socket = socket(SocketFlags::NONBLOCK)?;
    let connected = connect_once(&socket, &address);
    match connected.and_then(|()| rustix::io::ioctl_fionbio(&socket, false)) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(errno) => Err(connect_error(path, &address, errno, None)),
    }
}

fn address(path: &Path) -> Result<Address<'_>, Error> {
    if path.as_os_str().is_empty() {
        // The kernel takes an empty path for an unnamed socket.
        return Err(Error::bad_path(path, "it is empty"));
    }
    Address::of(path)
}

fn connect_once(socket: &OwnedFd, address: &Address<'_>) -> Result<(), Errno> {
    match address {
        Address::Abstract(name) => SocketAddrUnix::new_abstract_name(name)
            .and_then(|address| rustix::net::connect(socket, &address)),
        Address::File(path) => connect_to(socket, path),
    }
}

/// Connects to a path of any length. A path that does not fit in an address is opened and connected
/// to through its descriptor.
fn connect_to(socket: &OwnedFd, path: &Path) -> Result<(), Errno> {
    if path.as_os_str().len() <= LONGEST_ADDRESS {
        return rustix::net::connect(socket, &SocketAddrUnix::new(path)?);
    }
    let file = open_at(CWD, path.as_os_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    rustix::net::connect(socket, &proc_address(&file)?)
}

/// Returns the address of an open socket file.
pub(super) fn proc_address(file: &OwnedFd) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Returns the error that explains why connecting failed.
fn connect_error(
    path: &Path,
    address: &Address<'_>,
    errno: Errno,
    timeout: Option<Duration>,
) -> Error {
    let stat = match address {
        Address::File(path) => stat_at(CWD, path.as_os_str(), AtFlags::empty()),
        Address::Abstract(_) => Err(Errno::NOENT),
    };
    let kind = stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
    let path = path.to_owned();
    match (errno, kind) {
        (Errno::NOENT, _) => Error::NoSocket { path },
        (Errno::CONNREFUSED, _) if matches!(address, Address::Abstract(_)) => {
            Error::NoSocket { path }
        }
        (Errno::AGAIN, _) => Error::TimedOut {
            doing: "connecting (the daemon's queue is full)",
            after: timeout.unwrap_or_default(),
            ran: Ran::No,
        },
        (Errno::CONNREFUSED | Errno::NOTDIR, Ok(kind)) if kind != FileType::Socket => {
            Error::NotASocket { path, what: describe(kind) }
        }
        (Errno::CONNREFUSED, _) => Error::Stale { path },
        (Errno::PROTOTYPE, _) => Error::NotDockipc {
            path,
            why: "is a datagram or seqpacket socket, not a stream socket".into(),
        },
        (Errno::ACCESS | Errno::PERM, _) => {
            let owner = stat.map(|stat| {
                format!(" (owner uid {}, mode {:04o})", stat.st_uid, stat.st_mode & 0o7777)
            });
            Error::Permission { path, owner: owner.unwrap_or_default() }
        }
        (errno, _) => Error::io(format_args!("connecting to {}", path.display()), errno),
    }
}
