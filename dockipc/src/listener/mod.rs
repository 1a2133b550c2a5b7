//! The path: a socket appears there whole, never displaces a live one, and goes when it is ours.

mod connect;
mod place;
mod publish;

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::Error;

pub(crate) use self::connect::connect;
pub(crate) use self::publish::{Published, publish};

/// The longest address of a Unix socket, unix(7): `sun_path` less its NUL.
const LONGEST_ADDRESS: usize = 107;

fn socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| Error::io("opening a socket", errno))
}
