//! Sockets that systemd has opened, `sd_listen_fds(3)`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};

use super::address::Address;
use super::place::identity;
use crate::directory::stat_at;
use crate::error::Error;
use crate::sys;

/// The first of the descriptors that are passed.
const FIRST: i32 = 3;

/// More are not looked at, whatever the variable says.
const MOST: i32 = 4096;

/// The socket at this address, if this process was started with it. It belongs to who opened it:
/// nothing is done to its path.
pub(super) fn adopt(address: &Address<'_>) -> Option<UnixListener> {
    let count = passed(&variable("LISTEN_PID")?, &variable("LISTEN_FDS")?, std::process::id())?;
    // All are looked at: those that are not for us are not for our children either.
    let mut found = None;
    for number in FIRST..FIRST + count {
        let Some(socket) = sys::inherited(number) else { continue };
        let socket = UnixListener::from(socket);
        if found.is_none() && is_at(&socket, address) {
            found = Some(socket);
        }
    }
    found
}

/// Refuses a socket to which more users can connect than the author gave a mode for. To connect takes
/// the right to write, unix(7).
pub(super) fn check_mode(
    socket: &UnixListener,
    path: &Path,
    given: Option<u32>,
) -> Result<(), Error> {
    let name = socket.local_addr().ok();
    // An abstract socket has no mode, and a name that is gone lets nobody in.
    let file = name.as_ref().and_then(|name| name.as_pathname());
    let stat = file.and_then(|file| stat_at(CWD, file.as_os_str(), AtFlags::empty()).ok());
    match (stat, given) {
        (Some(stat), Some(given)) if stat.st_mode & !given & 0o222 != 0 => {
            let (path, passed) = (path.to_owned(), stat.st_mode & 0o7777);
            Err(Error::PassedMode { path, passed, given })
        }
        _ => Ok(()),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many descriptors are passed to this process.
fn passed(pid: &str, count: &str, me: u32) -> Option<i32> {
    if pid.parse() != Ok(me) || count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // A number that is too large for the type is too large for the limit.
    Some(count.parse().map_or(MOST, |count: i32| count.min(MOST)))
}

/// Whether it is a listening stream socket with this address.
fn is_at(socket: &UnixListener, address: &Address<'_>) -> bool {
    let listens = socket_acceptconn(socket).unwrap_or(false)
        && socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
    let Some(name) = socket.local_addr().ok().filter(|_| listens) else { return false };
    match *address {
        Address::Abstract(wanted) => name.as_abstract_name() == Some(wanted),
        Address::File(path) => {
            name.as_pathname().is_some_and(|theirs| theirs.is_absolute() && is_same(theirs, path))
        }
    }
}

/// Whether two paths are the same, or lead to the same socket.
fn is_same(a: &Path, b: &Path) -> bool {
    let stat = |path: &Path| stat_at(CWD, path.as_os_str(), AtFlags::empty());
    let same_words = std::path::absolute(b).is_ok_and(|b| a == b);
    same_words || matches!((stat(a), stat(b)), (Ok(a), Ok(b)) if identity(&a) == identity(&b))
}

#[cfg(test)]
mod tests {
    use super::{MOST, passed};

    #[test]
    fn only_what_is_said_plainly_and_to_this_process_counts() {
        for (pid, count, expected) in [
            ("7", "1", Some(1)),
            ("7", "0", Some(0)),
            ("7", "3", Some(3)),
            ("8", "1", None),
            ("", "1", None),
            ("7", "", None),
            ("7", "-1", None),
            ("7", "+1", None),
            ("7", "1 ", None),
            ("7", "many", None),
            ("seven", "1", None),
            ("99999999999999999999", "1", None),
            ("7", "2147483647", Some(MOST)),
            ("7", "99999999999999999999999", Some(MOST)),
        ] {
            assert_eq!(passed(pid, count, 7), expected, "LISTEN_PID={pid} LISTEN_FDS={count}");
        }
    }
}
