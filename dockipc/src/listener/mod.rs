//! The socket's path, which one daemon serves at a time.
//!
//! [`publish`] creates the socket without displacing a live one, [`Published`] recreates it when it
//! is removed, and removes it at the end if it still belongs to this daemon.
//!
//! The directory is opened once ([`crate::directory`]); files are named relative to its descriptor.
//! Invariant: no call follows a link that another user can create, and none changes a file whose
//! identity was not checked; broken by a call that takes the path itself.

mod activation;
mod address;
mod connect;
mod lock;
mod notify;
mod publish;
mod socket_path;
mod watch;

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::Error;
use crate::sys;

pub(crate) use self::activation::check as check_passed;
pub(crate) use self::connect::connect;
pub(crate) use self::notify::notify;
pub(crate) use self::publish::{Published, SocketMode, publish};

/// The longest address of a Unix socket, unix(7): `sun_path` less its NUL.
const LONGEST_ADDRESS: usize = 107;

fn socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    let flags = flags | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| Error::io("opening a socket", errno))
}

/// Returns the peer's process ID, if it is visible in this PID namespace.
fn process_of(socket: impl AsFd) -> Option<u32> {
    let [pid, ..] = sys::peer_credentials(socket.as_fd()).ok()?;
    (pid != 0).then_some(pid)
}
