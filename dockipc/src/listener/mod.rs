//! The path: one daemon listens there at a time. Its socket never displaces a live one, comes back
//! when somebody removes it, and is removed at the end if it is still the daemon's.
//!
//! The directory is opened once ([`crate::directory`]), and every call names a file relative to its
//! descriptor. Invariant: no call by path follows a link that another user can put there, and none
//! changes a file that was not compared.

mod activation;
mod address;
mod connect;
mod lock;
mod notify;
mod place;
mod publish;
mod watch;

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::Error;
use crate::sys;

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

/// The process at the other end, where it can be seen from here.
fn process_of(socket: impl AsFd) -> Option<u32> {
    let [pid, ..] = sys::peer_credentials(socket.as_fd()).ok()?;
    (pid != 0).then_some(pid)
}
