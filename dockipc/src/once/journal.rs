//! [`Journal`], the file in which the answers to calls with a token survive a restart.
//!
//! Records are appended, each whole, and the file is written anew when it has grown. It is not synced: it survives
//! the end of the process, also a kill, and not that of the machine.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::form::Record;
use super::new_id;
use crate::directory::{Directory, c_name, open_at, stat_at};
use crate::error::{Error, Result};
use crate::signals;
use crate::sys::{self, NotForked};
use crate::warning::warn;

/// The open and locked file.
pub(super) struct Journal {
    directory: OwnedFd,
    name: OsString,
    file: NotForked<OwnedFd>,
    head: Vec<u8>,
    /// The bytes of whole records, and of the head.
    length: u64,
    /// The length at which the file is written anew.
    due: u64,
    /// The end of the file is not whole, and could not be cut off.
    is_broken: bool,
    /// Reused for each record.
    buffer: Vec<u8>,
}

/// The text in front of the identity, with a version.
const MAGIC: &[u8] = b"dockipc once 1 ";

/// The bytes in front of the records: [`MAGIC`], the identity and a newline.
const HEAD: usize = MAGIC.len() + 17;

/// How long a start waits for the lock: an earlier daemon may still finish its commands.
const WAIT: Duration = Duration::from_secs(15);

/// The pause between attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// The file is not written anew below this length.
const SMALL: u64 = 1 << 20;

/// The most bytes that are looked at and hashed in search of a record behind a damaged one: an answer has a caller's
/// bytes, which may look like the lengths of many records.
const MOST_SEARCHED: usize = 16 << 20;

/// The bytes that are read at once. A signal is noticed after each.
const CHUNK: usize = 64 * 1024;

/// `NONBLOCK`, so that opening a pipe does not wait.
const FLAGS: OFlags = OFlags::RDWR
    .union(OFlags::APPEND)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl Journal {
    /// Opens the file, or creates it, waits for its lock, and passes on its records. Returns the store's identity as
    /// well, which the file has.
    pub(super) fn open(
        path: PathBuf,
        signals: Option<&UnixStream>,
        each: &mut dyn FnMut(&Record<'_>),
    ) -> Result<(Self, String)> {
        Self::opened(&path, signals, each).map_err(|error| {
            Error::io(
                format_args!("opening the file of the calls that run once, {}", path.display()),
                error,
            )
        })
    }

    fn opened(
        path: &Path,
        signals: Option<&UnixStream>,
        each: &mut dyn FnMut(&Record<'_>),
    ) -> io::Result<(Self, String)> {
        // A daemon may change its working directory later.
        let path = std::path::absolute(path)?;
        let name = path.file_name().ok_or_else(|| bad("it is not a regular file"))?;
        let directory = Directory::of(&path)?;
        // They could replace the file, and give other answers.
        if let Some(other) = directory.other() {
            return Err(bad(&std::format!(
                "{other}, and so can replace it; move it to another directory"
            )));
        }
        let directory = directory.descriptor;
        let file = NotForked::new(locked(&directory, name, signals)?);
        let bytes = read(&file, signals)?;
        let (id, length) = match bytes.get(..HEAD) {
            Some(head) => (id_of(head)?, parsed(&bytes, signals, each)?),
            // The daemon ended before it had written the head.
            None if MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) => (new_id(), 0),
            None => return Err(other_content(&bytes)),
        };
        let head = [MAGIC, id.as_bytes(), b"\n"].concat();
        let mut journal = Self {
            directory,
            name: name.to_owned(),
            file,
            head,
            length: 0,
            due: SMALL,
            is_broken: false,
            buffer: Vec::new(),
        };
        if length < bytes.len() {
            // The last record of a daemon that was killed.
            rustix::fs::ftruncate(&*journal.file, length as u64)?;
        }
        if length == 0 {
            write(journal.file.as_fd(), &journal.head)?;
        }
        journal.remove_leftover();
        journal.length = length.max(HEAD) as u64;
        journal.due = SMALL.max(journal.length.saturating_mul(2));
        Ok((journal, id))
    }

    /// Appends a record.
    pub(super) fn append(&mut self, record: &Record<'_>) -> io::Result<()> {
        if self.is_broken {
            return Err(bad("an earlier write has failed; restart the daemon"));
        }
        self.buffer.clear();
        record.write(&mut self.buffer);
        let written = write(self.file.as_fd(), &self.buffer);
        match written {
            Ok(()) => self.length += self.buffer.len() as u64,
            Err(_) => self.is_broken = rustix::fs::ftruncate(&*self.file, self.length).is_err(),
        }
        if self.buffer.capacity() > 64 * 1024 {
            self.buffer = Vec::new();
        }
        written
    }

    /// Returns whether the file has grown so that it is to be written anew.
    pub(super) fn is_due(&self) -> bool {
        self.length > self.due
    }

    /// Writes the file anew with these records.
    pub(super) fn rewrite(&mut self, records: &[u8]) -> io::Result<()> {
        // Also if it fails: each answer would try it again.
        self.due = self.length.saturating_mul(2);
        let new = self.new_name();
        // It was left by a daemon that was killed: the lock says that no other one writes it.
        match self.unlink(&new) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let file = self.written(&new, records).inspect_err(|_| {
            // A part of it would take the room of the next records.
            let _ = self.unlink(&new);
        })?;
        self.length = (self.head.len() + records.len()) as u64;
        self.due = SMALL.max(self.length.saturating_mul(2));
        // The lock of the earlier file ends: others see that it has lost its name.
        self.file = file;
        Ok(())
    }

    /// Writes the file anew under another name, and gives it its own.
    fn written(&self, new: &OsStr, records: &[u8]) -> io::Result<NotForked<OwnedFd>> {
        let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = NotForked::new(open_at(self.directory.as_fd(), new, flags, mode)?);
        rustix::fs::flock(&*file, FlockOperation::NonBlockingLockExclusive)?;
        write(file.as_fd(), &self.head)?;
        write(file.as_fd(), records)?;
        let (from, to) = (c_name(new)?, c_name(&self.name)?);
        rustix::fs::renameat(&self.directory, &*from, &self.directory, &*to)?;
        Ok(file)
    }

    /// Returns the name of the file while it is written anew.
    fn new_name(&self) -> OsString {
        let mut new = self.name.clone();
        new.push(".new");
        new
    }

    /// Removes what a daemon that was killed has left of the file that it wrote anew. The lock says that no other one
    /// writes it. A file that is no such one stays.
    fn remove_leftover(&self) {
        let new = self.new_name();
        let is_ours = |file: &OwnedFd| {
            let mut start = [0; MAGIC.len()];
            let stat = rustix::fs::fstat(file)?;
            let length = rustix::io::pread(file, &mut start[..], 0)?;
            Ok(check(&stat).is_ok() && MAGIC.starts_with(&start[..length]))
        };
        let opened = open_at(self.directory.as_fd(), &new, FLAGS, Mode::empty());
        if opened.and_then(|file| is_ours(&file)) == Ok(true) {
            let _ = self.unlink(&new);
        }
    }

    fn unlink(&self, name: &OsStr) -> std::result::Result<(), Errno> {
        rustix::fs::unlinkat(&self.directory, &*c_name(name)?, AtFlags::empty())
    }
}

impl Drop for Journal {
    /// Releases the lock explicitly, since a forked child may still have the descriptor.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&*self.file, FlockOperation::Unlock);
    }
}

/// Opens or creates the file and takes its lock, flock(2).
fn locked(directory: &OwnedFd, name: &OsStr, signals: Option<&UnixStream>) -> io::Result<OwnedFd> {
    let end = Instant::now() + WAIT;
    let mode = Mode::RUSR | Mode::WUSR;
    loop {
        go_on(signals)?;
        let file = match open_at(directory.as_fd(), name, FLAGS | OFlags::CREATE, mode) {
            Err(Errno::LOOP) => return Err(bad("it is a symbolic link")),
            opened => opened?,
        };
        let stat = rustix::fs::fstat(&file)?;
        check(&stat)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) if Instant::now() < end => thread::sleep(PAUSE),
            Err(Errno::AGAIN) => return Err(bad("another process has locked it")),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(()) => match stat_at(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(now) if (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino) => {
                    return Ok(file);
                }
                // It was written anew in the meantime.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            },
        }
    }
}

/// Returns an error if the daemon is told to stop while it starts.
fn go_on(signals: Option<&UnixStream>) -> io::Result<()> {
    if signals::has_arrived(signals) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
}

/// Checks that nobody else can write to the file or read it: it has the answers.
fn check(stat: &Stat) -> io::Result<()> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(bad("it is not a regular file"));
    }
    if stat.st_nlink > 1 {
        return Err(bad("it has another hard link; use a file with one name"));
    }
    let user = sys::effective_user();
    if stat.st_uid != user {
        let owner = stat.st_uid;
        return Err(bad(&std::format!(
            "it is owned by uid {owner}; it must be owned by uid {user}"
        )));
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(bad(&std::format!(
            "it has mode {mode:04o}; only its owner may use it: chmod 600"
        )));
    }
    Ok(())
}

/// Returns the identity in the head.
fn id_of(head: &[u8]) -> io::Result<String> {
    let id = head.strip_prefix(MAGIC).and_then(|id| id.strip_suffix(b"\n"));
    let id = id.filter(|id| id.iter().all(u8::is_ascii_hexdigit));
    let id = id.and_then(|id| std::str::from_utf8(id).ok());
    id.map(str::to_owned).ok_or_else(|| other_content(head))
}

fn other_content(bytes: &[u8]) -> io::Error {
    // `MAGIC` without its version.
    if bytes.starts_with(b"dockipc once ") && !bytes.starts_with(MAGIC) {
        return bad("another version of dockipc has written it; use that version, or another file");
    }
    bad("it has other content")
}

/// Passes on the records behind the head. Returns the length of those that are whole, with the head.
fn parsed(
    bytes: &[u8],
    signals: Option<&UnixStream>,
    each: &mut dyn FnMut(&Record<'_>),
) -> io::Result<usize> {
    let (mut rest, mut looked) = (&bytes[HEAD..], bytes.len());
    while let Some(record) = Record::read(&mut rest) {
        each(&record);
        if looked - rest.len() > CHUNK {
            looked = rest.len();
            go_on(signals)?;
        }
    }
    let mut left = MOST_SEARCHED;
    let mut is_record = |mut at: &[u8]| {
        left = left.saturating_sub(1 + Record::length(at));
        left > 0 && Record::read(&mut at).is_some()
    };
    // A write that was cut off leaves a part of one record; a whole one behind it is no such end.
    if (1..rest.len()).any(|at| is_record(&rest[at..])) {
        warn(format_args!(
            "the file of the calls that run once is damaged: its last {} bytes are dropped, and their calls may run again",
            rest.len()
        ));
    }
    Ok(bytes.len() - rest.len())
}

fn read(file: &NotForked<OwnedFd>, signals: Option<&UnixStream>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        go_on(signals)?;
        match rustix::io::pread(file, &mut chunk[..], bytes.len() as u64) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn write(file: std::os::fd::BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn bad(why: &str) -> io::Error {
    io::Error::other(why)
}
