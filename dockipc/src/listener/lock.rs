//! The lock file beside a socket, held by the one daemon that serves the path.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::has_ended;
use super::socket_path::{Identity, SocketPath, identity};
use crate::directory::stat_at;
use crate::error::Error;
use crate::proc::{numbers_in, small_text};
use crate::sys::{self, NotForked};
use crate::text::number;

/// The lock `NAME.lock` of a socket path, released when this is dropped or when the process ends.
/// The file stays: another process may have opened it already, and two files would be two locks.
pub(super) struct Lock {
    file: NotForked<OwnedFd>,
    identity: Identity,
    /// Whether the file contains this process's ID and nothing else.
    has_pid: bool,
}

/// Maximum length of the file's text: a process ID and a newline.
const PID_LEN: usize = 16;

impl Lock {
    /// Takes the lock, flock(2); `None` if another process holds it.
    pub(super) fn take(socket_path: &SocketPath) -> Result<Option<Self>, Error> {
        let name = socket_path.lock_name();
        let failed = |errno| {
            Error::io(
                format_args!("opening the lock file of {}", socket_path.path.display()),
                errno,
            )
        };
        loop {
            let file = match open(socket_path, &name) {
                Ok(Some(file)) => file,
                Ok(None) => {
                    return Err(socket_path.in_the_way(&name, "that has the name of the lock file"));
                }
                // The file can't be created.
                Err(Errno::ACCESS | Errno::PERM) if socket_path.stat(&name).is_err() => {
                    return Err(socket_path.not_writable());
                }
                Err(Errno::ACCESS | Errno::PERM) => {
                    return Err(socket_path
                        .in_the_way(&name, "that this user cannot open as the lock file"));
                }
                Err(errno) => return Err(failed(errno)),
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                // On a file system without locks, the other steps of a start almost always let only
                // one daemon win.
                Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let stat = rustix::fs::fstat(&file).map_err(failed)?;
            let is_ours = is_ours(&stat);
            let file = NotForked::new(file);
            let mut lock = Self { file, identity: identity(&stat), has_pid: false };
            // A lock is void if the file was removed in the meantime: others lock a new file.
            if lock.is_at(socket_path) {
                if is_ours {
                    lock.write_pid();
                }
                return Ok(Some(lock));
            }
        }
    }

    /// Returns whether the locked file still has its name.
    pub(super) fn is_at(&self, socket_path: &SocketPath) -> bool {
        socket_path.has_identity(&socket_path.lock_name(), self.identity)
    }

    /// Returns the error for a start while another process holds the lock and the path has no
    /// listener.
    pub(super) fn held_error(socket_path: &SocketPath) -> Error {
        let name = socket_path.lock_name();
        match socket_path.stat(&name) {
            Ok(stat) if !is_ours(&stat) => {
                socket_path.in_the_way(&name, "that another process has locked")
            }
            _ => Error::AlreadyRunning {
                path: socket_path.path.clone(),
                pid: Self::holder(socket_path),
            },
        }
    }

    /// Returns the process that holds the lock. It may be another than the one that took it: a child
    /// inherits the lock, and can live longer.
    pub(super) fn holder(socket_path: &SocketPath) -> Option<u32> {
        let file = open_old(socket_path, &socket_path.lock_name()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let identity = identity(&stat);
        // Another user could write any number.
        let is_trusted = stat.st_uid == 0 || is_ours(&stat);
        let named = text(&file).filter(|_| is_trusted);
        let named = named.and_then(|text| number(text.trim_ascii())).filter(|pid| *pid != 0);
        let is_held = named.map(|pid| (pid, holds(pid, identity)));
        match is_held {
            Some((pid, Some(true))) => Some(pid),
            // The descriptors of another user's process are not visible.
            Some((pid, None)) if !has_ended(pid) => Some(pid),
            _ => numbers_in("/proc")
                .unwrap_or_default()
                .into_iter()
                .find(|pid| holds(*pid, identity) == Some(true)),
        }
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Writes the process ID into the file, unless it has other content: then it may be a user's
    /// file that happens to have this name.
    fn write_pid(&mut self) {
        let is_ours = |text: &String| text.chars().all(|c| c.is_ascii_digit() || c == '\n');
        self.has_pid = text(&self.file).as_ref().is_some_and(is_ours);
        if self.has_pid && rustix::fs::ftruncate(&self.file, 0).is_ok() {
            let pid = format!("{}\n", std::process::id());
            let _ = rustix::io::pwrite(&self.file, pid.as_bytes(), 0);
        }
    }
}

impl Drop for Lock {
    /// Releases the lock explicitly, since a forked child may still have the descriptor.
    fn drop(&mut self) {
        if self.has_pid {
            let _ = rustix::fs::ftruncate(&self.file, 0);
        }
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Returns whether this is a regular file of this user with a single name. No other file is written
/// to: a user may have linked it here to make the daemon overwrite it.
fn is_ours(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == sys::effective_user()
        && stat.st_nlink <= 1
}

/// Returns the file's text, if it is short enough for a process ID and valid UTF-8.
fn text(file: &OwnedFd) -> Option<String> {
    let mut bytes = [0; PID_LEN + 1];
    let n = rustix::io::pread(file, &mut bytes, 0).ok()?;
    if n > PID_LEN {
        return None;
    }
    String::from_utf8(bytes[..n].to_vec()).ok()
}

/// Returns whether a process holds the lock on this file. `None` if its descriptors are not visible.
fn holds(pid: u32, lock: Identity) -> Option<bool> {
    let descriptors = numbers_in(&format!("/proc/{pid}/fd")).ok()?;
    Some(descriptors.iter().any(|number| {
        let path = format!("/proc/{pid}/fd/{number}");
        let stat = stat_at(CWD, path.as_ref(), AtFlags::empty());
        stat.is_ok_and(|stat| identity(&stat) == lock)
            && small_text(&format!("/proc/{pid}/fdinfo/{number}"))
                // The file may also be open without a lock, as in a start that waits.
                .is_ok_and(|text| text.split_ascii_whitespace().any(|word| word == "FLOCK"))
    }))
}

/// Opens or creates the lock file. `None` if the name belongs to something other than a regular
/// file.
fn open(socket_path: &SocketPath, name: &OsString) -> Result<Option<OwnedFd>, Errno> {
    loop {
        match socket_path.stat(name) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                return Ok(None);
            }
            // Without O_CREAT, which a sticky directory such as /tmp forbids for another user's
            // file: fs.protected_regular, proc_sys_fs(5).
            Ok(_) => match open_old(socket_path, name) {
                Err(Errno::NOENT | Errno::LOOP) => {}
                opened => return opened.map(Some),
            },
            Err(Errno::NOENT) => {
                let mode = Mode::RUSR | Mode::WUSR;
                let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
                match socket_path.open_file(name, flags, mode) {
                    Err(Errno::EXIST) => {}
                    opened => {
                        let file = opened?;
                        // The umask may have removed the owner's permissions.
                        rustix::fs::fchmod(&file, mode)?;
                        return Ok(Some(file));
                    }
                }
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// `NONBLOCK`, so that opening a FIFO does not block.
const FLAGS: OFlags = OFlags::RDWR.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn open_old(socket_path: &SocketPath, name: &OsString) -> Result<OwnedFd, Errno> {
    socket_path.open_file(name, FLAGS, Mode::empty())
}
