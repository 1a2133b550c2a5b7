//! The lock beside a path: who holds it is the one daemon there.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::place::{Identity, Place, identity};
use crate::error::Error;

/// The lock of a place, `NAME.lock`. It goes when it is given up or when the process ends; the file
/// stays, since another starter may have it open already, and two files would be two locks.
pub(super) struct Lock {
    file: OwnedFd,
    identity: Identity,
    /// Whether the file has our number and nothing that is somebody else's.
    signed: bool,
}

/// The longest number, and its line end.
const SIGNATURE: usize = 16;

impl Lock {
    /// Takes the lock, flock(2), unless somebody has it.
    pub(super) fn take(place: &Place) -> Result<Option<Self>, Error> {
        let name = place.lock_name();
        let failed = |errno| {
            Error::io(format_args!("opening the lock file of {}", place.path.display()), errno)
        };
        loop {
            let file = match open(place, &name) {
                Ok(Some(file)) => file,
                Ok(None) => return Err(place.in_the_way(&name, "it has the name of the lock file")),
                Err(Errno::ACCESS | Errno::PERM) => {
                    return Err(place.in_the_way(&name, "this user cannot open it, the lock file"));
                }
                Err(errno) => return Err(failed(errno)),
            };
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => continue,
                // A file system without locks. The steps of a start alone let one win in almost
                // every case.
                Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let stat = rustix::fs::fstat(&file).map_err(failed)?;
            let is_ours = is_ours(&stat);
            let mut lock = Self { file, identity: identity(&stat), signed: false };
            // Somebody may have removed the file meanwhile: the lock of one that has no name is none.
            if lock.is_at(place) {
                if is_ours {
                    lock.sign();
                }
                return Ok(Some(lock));
            }
        }
    }

    /// Whether this is the lock of the place, and not of a file that was removed from there.
    pub(super) fn is_at(&self, place: &Place) -> bool {
        place.has(&place.lock_name(), self.identity)
    }

    /// The error of a start while another process holds the lock and nobody answers at the path.
    pub(super) fn held(place: &Place) -> Error {
        let name = place.lock_name();
        match place.stat(&name) {
            Ok(stat) if !is_ours(&stat) => {
                place.in_the_way(&name, "another process holds this lock file")
            }
            _ => Error::AlreadyRunning { path: place.path.clone(), pid: Self::holder(place) },
        }
    }

    /// Who has the lock, as they have noted.
    pub(super) fn holder(place: &Place) -> Option<u32> {
        let file = open_old(place, &place.lock_name()).ok()?;
        text(&file)?.trim().parse().ok().filter(|pid| *pid != 0)
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Notes our number for those who come later. What else is in the file stays: it may be
    /// somebody's who happens to use the name.
    fn sign(&mut self) {
        let is_ours = |text: &String| text.chars().all(|c| c.is_ascii_digit() || c == '\n');
        self.signed = text(&self.file).as_ref().is_some_and(is_ours);
        if self.signed && rustix::fs::ftruncate(&self.file, 0).is_ok() {
            let pid = format!("{}\n", std::process::id());
            let _ = rustix::io::pwrite(&self.file, pid.as_bytes(), 0);
        }
    }
}

impl Drop for Lock {
    /// Lets the next one have the lock, also if a forked child still has the descriptor.
    fn drop(&mut self) {
        if self.signed {
            let _ = rustix::fs::ftruncate(&self.file, 0);
        }
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Whether this is a regular file of this user, with one name. Nothing is written to another one: its owner
/// may have given it this name only so that the daemon writes to it.
fn is_ours(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == crate::sys::effective_user()
        && stat.st_nlink <= 1
}

/// What a signed lock file has in it. None of another file.
fn text(file: &OwnedFd) -> Option<String> {
    let mut bytes = [0; SIGNATURE + 1];
    let n = rustix::io::pread(file, &mut bytes, 0).ok()?;
    if n > SIGNATURE {
        return None;
    }
    String::from_utf8(bytes[..n].to_vec()).ok()
}

/// Opens the lock file, which is made if it is missing. None if something else has the name.
fn open(place: &Place, name: &OsString) -> Result<Option<OwnedFd>, Errno> {
    loop {
        match place.stat(name) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                return Ok(None);
            }
            // Not with O_CREAT: in a directory like /tmp the system refuses that for the file of
            // another user, fs.protected_regular of proc_sys_fs(5).
            Ok(_) => match open_old(place, name) {
                Err(Errno::NOENT | Errno::LOOP) => {}
                opened => return opened.map(Some),
            },
            Err(Errno::NOENT) => {
                let mode = Mode::RUSR | Mode::WUSR;
                let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
                match place.open_file(name, flags, mode) {
                    Err(Errno::EXIST) => {}
                    opened => {
                        let file = opened?;
                        // The umask may have taken the owner's rights away.
                        rustix::fs::fchmod(&file, mode)?;
                        return Ok(Some(file));
                    }
                }
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// Nothing that was put there is waited for.
const FLAGS: OFlags = OFlags::RDWR.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn open_old(place: &Place, name: &OsString) -> Result<OwnedFd, Errno> {
    place.open_file(name, FLAGS, Mode::empty())
}
