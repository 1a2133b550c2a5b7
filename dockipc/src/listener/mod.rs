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
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, test_kill_process};

use crate::error::Error;
use crate::proc::small_text;
use crate::sys;

pub(crate) use self::activation::check as check_passed;
pub(crate) use self::connect::connect;
#[cfg(feature = "tokio")]
pub(crate) use self::connect::try_connect;
pub(crate) use self::notify::notify;
pub(crate) use self::publish::{Published, SocketMode, publish};

/// The longest address of a Unix socket, unix(7): `sun_path` less its NUL.
const LONGEST_ADDRESS: usize = 107;

fn socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    let flags = flags | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| Error::io("opening a socket", errno))
}

/// Returns the error for a path at which a process listens. `holder` returns the process that holds
/// its lock.
fn in_use(path: &Path, listener: Option<u32>, holder: impl FnOnce() -> Option<u32>) -> Error {
    let path = path.to_owned();
    match listener.filter(|pid| has_ended(*pid)) {
        Some(ended) => Error::StillHeld { path, pid: holder(), ended },
        None => Error::AlreadyRunning { path, pid: listener },
    }
}

/// Returns whether a process has ended, even if its parent has not waited for it yet.
fn has_ended(pid: u32) -> bool {
    if let Ok(stat) = small_text(&format!("/proc/{pid}/stat")) {
        // proc_pid_stat(5): the name is in parentheses and may contain any character.
        return stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_ascii_start().starts_with(['Z', 'X']));
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Returns the peer's process ID, if it is visible in this PID namespace.
fn process_of(socket: impl AsFd) -> Option<u32> {
    let [pid, ..] = sys::peer_credentials(socket.as_fd()).ok()?;
    (pid != 0).then_some(pid)
}
