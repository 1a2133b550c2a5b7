//! Socket activation by systemd, `sd_listen_fds(3)`.
//!
//! [`check`] refuses a start that cannot use what was passed, before anything connects to a path: with
//! `Accept=yes`, each connection would start another daemon. [`adopt`] takes the socket of one path.

use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD};
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{SocketType, getsockname};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::address::Address;
use super::socket_path::identity;
use crate::directory::{file_system, stat_at};
use crate::error::Error;
use crate::sys;
use crate::text::{append, number};
use crate::warning::warn;

/// The first passed descriptor, `SD_LISTEN_FDS_START`.
const FIRST: i32 = 3;

/// Maximum number of descriptors examined, whatever `LISTEN_FDS` says.
const MAX_PASSED: i32 = 4096;

/// Returns an error if a server at these paths cannot use the passed sockets, and warns of those that it
/// does not use. Changes nothing, and connects to nothing.
pub(crate) fn check<'p>(paths: impl Iterator<Item = &'p Path>) -> Result<(), Error> {
    let mut addresses = Vec::new();
    for path in paths {
        addresses.push((path, Address::of(path)?));
    }
    let (passed, names) = (passed_here(), variable("LISTEN_FDNAMES").unwrap_or_default());
    let (mut is_found, mut others) = (false, String::new());
    // Variables of another process may still describe descriptors that this one has inherited.
    let count =
        if variable("LISTEN_FDS").is_some() { passed.as_ref().unwrap_or(&MAX_PASSED) } else { &0 };
    // Standard input, for `StandardInput=socket`.
    for number in (FIRST..FIRST + count).chain([0]) {
        let Some((socket, kind)) = inherited_socket(number) else { continue };
        let at = addresses.iter().find(|(_, address)| is_at(&socket, address));
        let listens = kind == SocketType::STREAM && socket_acceptconn(&socket).unwrap_or(false);
        let description = describe(number, &socket, kind, listens);
        match at {
            Some(_) if number == 0 && is_found => {}
            Some((path, _)) if !listens => {
                let what = if kind == SocketType::STREAM { "Accept=no" } else { "ListenStream=" };
                return Err(failed(path, format!("{description}; use {what} in the socket unit")));
            }
            Some((path, _)) if number == 0 => {
                let hint = "remove StandardInput=socket from the service";
                return Err(failed(path, format!("{description}; {hint}")));
            }
            Some((path, _)) => match &passed {
                Ok(_) => is_found = true,
                Err(why) => return Err(failed(path, why.clone())),
            },
            // Sockets with a name that the unit's author has chosen are for the program.
            None if number == 0 || !has_default_name(&names, number) => {}
            None => {
                let between = if others.is_empty() { "" } else { ", " };
                append(&mut others, format_args!("{between}{description}"));
            }
        }
    }
    let hint = "FileDescriptorName= for a socket that the program itself uses";
    match addresses.first() {
        _ if others.is_empty() || passed.is_err() => Ok(()),
        Some((path, _)) if !is_found => {
            let wanted = path.display();
            Err(failed(path, format!("{others}; set ListenStream={wanted}, or {hint}")))
        }
        _ => {
            warn(format_args!("passed sockets are not used: {others}; set {hint}"));
            Ok(())
        }
    }
}

/// Returns the passed socket with this address, if there is one. Its path belongs to the service
/// manager and is not changed.
pub(super) fn adopt(address: &Address<'_>) -> Option<UnixListener> {
    let count = passed_here().ok()?;
    // `sys::inherited` sets close-on-exec, so call it for all: none may leak into child processes.
    let mut found = None;
    for number in FIRST..FIRST + count {
        let Some(socket) = sys::inherited(number, true) else { continue };
        let socket = UnixListener::from(socket);
        if found.is_none() && is_at(&socket, address) {
            found = Some(socket);
        }
    }
    found
}

/// Adds to [`Error::AlreadyRunning`] that sockets were passed to another process: the service manager
/// may be the one that listens, and the descriptors closed.
pub(super) fn explain(error: Error) -> Error {
    match (error, passed_here()) {
        (Error::AlreadyRunning { path, pid }, Err(why)) if variable("LISTEN_FDS").is_some() => {
            let process = pid.map_or("another process".into(), |pid| format!("process {pid}"));
            failed(&path, format!("{process} listens there, and {why}"))
        }
        (error, _) => error,
    }
}

fn failed(path: &Path, reason: String) -> Error {
    Error::Activation { path: path.to_owned(), reason }
}

/// Returns a copy of an inherited descriptor, if it is a socket.
fn inherited_socket(number: i32) -> Option<(UnixListener, SocketType)> {
    let socket = sys::inherited(number, false)?;
    let kind = socket_type(&socket).ok()?;
    Some((UnixListener::from(socket), kind))
}

/// Returns whether a name in `LISTEN_FDNAMES` is one that systemd gives to a socket by default.
fn has_default_name(names: &str, number: i32) -> bool {
    let name = usize::try_from(number - FIRST).ok().and_then(|index| names.split(':').nth(index));
    name.is_none_or(|name| {
        ["", "unknown", "connection"].contains(&name) || name.ends_with(".socket")
    })
}

/// Describes a passed socket: its descriptor, type and address.
fn describe(number: i32, socket: &UnixListener, kind: SocketType, listens: bool) -> String {
    let mut text = match number {
        0 => "standard input is ".to_owned(),
        _ => format!("descriptor {number} is "),
    };
    let kind = match kind {
        SocketType::STREAM if listens => "a listening socket",
        SocketType::STREAM => "a connection, not a listening socket,",
        SocketType::DGRAM => "a datagram socket",
        SocketType::SEQPACKET => "a sequential-packet socket",
        _ => "a socket",
    };
    text.push_str(kind);
    let port = |socket| SocketAddr::try_from(getsockname(socket).ok()?).ok().map(|at| at.port());
    match socket.local_addr() {
        Ok(name) => match (name.as_pathname(), name.as_abstract_name()) {
            (Some(path), _) => append(&mut text, format_args!(" at {}", path.display())),
            (_, Some(name)) => append(&mut text, format_args!(" at @{}", name.escape_ascii())),
            _ => {}
        },
        Err(_) => match port(socket) {
            Some(port) => append(&mut text, format_args!(" at port {port}")),
            None => text.push_str(" that is not a Unix socket"),
        },
    }
    text
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
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns the number of descriptors passed to this process, or why the variables do not count.
fn passed_here() -> Result<i32, String> {
    let [pid, count, id] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_PIDFDID"].map(variable);
    passed([pid, count, id].each_ref().map(Option::as_deref), std::process::id(), own_pidfd_id)
}

/// Like [`passed_here`], for these values of `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_PIDFDID`.
fn passed(
    [pid, count, id]: [Option<&str>; 3],
    me: u32,
    my_id: impl Fn() -> Option<u64>,
) -> Result<i32, String> {
    let not_mine = |name, mine: u64, value: Option<&str>| {
        let value = value.map_or("not set".into(), |value| format!("{value:?}"));
        Err(format!(
            "{name} must be {mine} for this process, but is {value}; start the daemon directly, or with exec in a script"
        ))
    };
    if pid.is_none_or(|pid| number(pid) != Some(me)) {
        return not_mine("LISTEN_PID", me.into(), pid);
    }
    // A later process may have the same process ID.
    if id.is_some()
        && let Some(mine) = my_id()
        && id.is_some_and(|id| id.parse() != Ok(mine))
    {
        return not_mine("LISTEN_PIDFDID", mine, id);
    }
    match count {
        None => Ok(0),
        Some(count) if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) => {
            Err(format!("LISTEN_FDS is {count:?}, which is not a number"))
        }
        // The only possible parse error is overflow.
        Some(count) => {
            let count = number(count).and_then(|count| i32::try_from(count).ok());
            Ok(count.map_or(MAX_PASSED, |count| count.min(MAX_PASSED)))
        }
    }
}

/// Returns the inode number of this process's pidfd, which is unique until the next boot: Linux 6.9,
/// on 64-bit systems.
fn own_pidfd_id() -> Option<u64> {
    const PID_FS_MAGIC: u32 = 0x5049_4446;

    let own = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let is_unique = cfg!(target_pointer_width = "64") && file_system(&own) == Some(PID_FS_MAGIC);
    is_unique.then(|| rustix::fs::fstat(&own)).and_then(Result::ok).map(|stat| identity(&stat).1)
}

/// Returns whether this is a socket with this address.
fn is_at(socket: &UnixListener, address: &Address<'_>) -> bool {
    let Ok(name) = socket.local_addr() else { return false };
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
            let found = passed([Some(pid), Some(count), None], 7, || None);
            assert_eq!(found.ok(), expected, "LISTEN_PID={pid} LISTEN_FDS={count}");
        }
        assert!(passed([None, Some("1"), None], 7, || None).is_err());
        assert_eq!(passed([Some("7"), None, None], 7, || None), Ok(0));
    }

    #[test]
    fn pidfd_id_must_match_where_it_is_known() {
        for (id, mine, counts) in [
            (None, Some(9), true),
            (Some("9"), Some(9), true),
            (Some("9"), None, true),
            (Some("10"), Some(9), false),
            (Some(""), Some(9), false),
            (Some("nine"), Some(9), false),
        ] {
            let found = passed([Some("7"), Some("1"), id], 7, || mine);
            assert_eq!(found.is_ok(), counts, "{id:?} {mine:?}");
        }
    }
}
