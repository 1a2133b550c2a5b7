//! Service state notifications to systemd, `sd_notify(3)`.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::LONGEST_ADDRESS;
use super::address::Address;
use super::connect::proc_address;
use crate::directory::open_at;

/// Limits how long sending to the service manager may block.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a state such as `READY=1` to the service manager, if `NOTIFY_SOCKET` is set.
pub(crate) fn notify(state: &str) {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET") {
        // A failure must not keep the daemon from serving.
        let _ = send(&path, state);
    }
}

fn send(path: &OsStr, state: &str) -> Result<(), Errno> {
    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    set_socket_timeout(socket.as_fd(), Timeout::Send, Some(SEND_TIMEOUT))?;
    let file;
    let address = match Address::of(Path::new(path)).map_err(|_| Errno::INVAL)? {
        Address::Abstract(name) => SocketAddrUnix::new_abstract_name(name)?,
        Address::File(path) if !path.is_absolute() => return Err(Errno::INVAL),
        Address::File(path) if path.as_os_str().len() <= LONGEST_ADDRESS => {
            SocketAddrUnix::new(path)?
        }
        Address::File(path) => {
            file = open_at(CWD, path.as_os_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            proc_address(&file)?
        }
    };
    loop {
        match rustix::net::sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, &address) {
            Err(Errno::INTR) => {}
            sent => return sent.map(drop),
        }
    }
}
