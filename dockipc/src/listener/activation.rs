//! Socket activation by systemd, `sd_listen_fds(3)`.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};

use super::address::Address;
use super::socket_path::identity;
use crate::directory::stat_at;
use crate::error::Error;
use crate::sys;
use crate::text::number;

/// The first passed descriptor, `SD_LISTEN_FDS_START`.
const FIRST: i32 = 3;

/// Maximum number of descriptors examined, whatever `LISTEN_FDS` says.
const MAX_PASSED: i32 = 4096;

/// Returns the passed socket with this address, if there is one. Its path belongs to the service
/// manager and is not changed.
pub(super) fn adopt(address: &Address<'_>) -> Option<UnixListener> {
    let count = passed(&variable("LISTEN_PID")?, &variable("LISTEN_FDS")?, std::process::id())?;
    // `sys::inherited` sets close-on-exec, so call it for all: none may leak into child processes.
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

/// Returns an error if the socket's mode lets more users connect than `given` allows. Connecting
/// requires write permission, unix(7).
pub(super) fn check_mode(
    socket: &UnixListener,
    path: &Path,
    given: Option<u32>,
) -> Result<(), Error> {
    let name = socket.local_addr().ok();
    // An abstract socket has no mode, and a removed path can't be connected to.
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

/// Returns the number of descriptors passed to this process.
fn passed(pid: &str, count: &str, me: u32) -> Option<i32> {
    if number(pid) != Some(me) || count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The only possible parse error is overflow.
    let count = number(count).and_then(|count| i32::try_from(count).ok());
    Some(count.map_or(MAX_PASSED, |count| count.min(MAX_PASSED)))
}

/// Returns whether this is a listening stream socket with this address.
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

/// Returns whether two paths are equal, or lead to the same socket.
fn is_same(a: &Path, b: &Path) -> bool {
    let stat = |path: &Path| stat_at(CWD, path.as_os_str(), AtFlags::empty());
    let equal = std::path::absolute(b).is_ok_and(|b| a == b);
    equal || matches!((stat(a), stat(b)), (Ok(a), Ok(b)) if identity(&a) == identity(&b))
}

#[cfg(test)]
mod tests {
    use super::{MAX_PASSED, passed};

    #[test]
    fn only_valid_variables_for_this_process_count() {
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
            ("7", "2147483647", Some(MAX_PASSED)),
            ("7", "99999999999999999999999", Some(MAX_PASSED)),
        ] {
            assert_eq!(passed(pid, count, 7), expected, "LISTEN_PID={pid} LISTEN_FDS={count}");
        }
    }
}
