//! [`JsonLines`], a file of records.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::record::Record;
use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::text::time::rfc3339;

/// A file with a line of JSON for each [`Record`].
///
/// ```text
/// {"time":"2026-01-31T23:59:59.000001Z","uid":1000,"gid":1000,"groups":[4,1000],"pid":7123,"connection":5,"request":9,"command":"switch","arguments":[{"name":"on","value":"true"}],"left_out":0,"decision":"allowed","rule":"uid:root | group:adm"}
/// ```
///
/// Every line has these fields in this order; `pid` and `request` may be `null`. The numbers of requests
/// and connections restart with the process. A name can occur several times in `arguments`.
/// `command` and `value` are escaped as in [`Argument::value`](super::Argument::value), and then as JSON.
///
/// Each record is appended in one write, so that several processes can share one file. It is not synced:
/// it survives a crash of the process but not of the machine. If a write is partial, the command
/// does not run, and the next record begins a new line.
///
/// If the file was moved or removed, as `logrotate` does, the next record creates a new file; no
/// signal is needed. If that fails, the command does not run.
///
/// Clones write to the same file.
#[derive(Clone, Debug)]
pub struct JsonLines(Arc<Log>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// The file's device and inode number.
    identity: (u64, u64),
    /// Whether the last line has no newline.
    is_torn: bool,
}

impl JsonLines {
    /// Opens a file for appending, or creates it with mode 0600.
    ///
    /// The file must be a regular file without other hard links, owned by the daemon's user or root and
    /// writable by its owner only. Symbolic links of other users are not followed. The directory must
    /// exist, and only the daemon's user should have write permission: others could remove the file.
    ///
    /// # Errors
    /// The file does not meet these conditions, or cannot be opened.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let opening = |e| Error::io(format_args!("opening the audit file {}", path.display()), e);
        // A daemon may change its working directory later.
        let path = std::path::absolute(path).map_err(opening)?;
        let open = Mutex::new(Open::new(&path).map_err(opening)?);
        Ok(Self(Arc::new(Log { path, open })))
    }

    /// Appends a record; to be called by the hook of [`Server::audit`](crate::Server::audit).
    ///
    /// # Errors
    /// The whole line could not be written.
    pub fn write(&self, record: &Record<'_>) -> io::Result<()> {
        let line = line(record);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.is_at(&self.0.path)? {
            *open = Open::new(&self.0.path)?;
        }
        open.append(&line)
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        // NONBLOCK: opening a pipe without a reader does not wait. RDWR: to read the last byte.
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let Some(name) = path.file_name() else {
            return Err(bad("it is not a regular file"));
        };
        let directory = Directory::of(path)?.descriptor;
        let file = match rustix::fs::openat(&directory, name, flags, mode) {
            Err(Errno::LOOP) => return Err(bad("it is a symbolic link, or behind too many")),
            opened => File::from(opened?),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(bad("it is not a regular file"));
        }
        if stat.st_nlink > 1 {
            return Err(bad("it has another hard link; use a file with one name"));
        }
        let user = crate::sys::effective_user();
        if stat.st_uid != user && stat.st_uid != 0 {
            return Err(bad(&format!(
                "it is owned by uid {}; it must be owned by uid {user}",
                stat.st_uid
            )));
        }
        if stat.st_mode & 0o022 != 0 {
            let mode = stat.st_mode & 0o7777;
            return Err(bad(&format!("it has mode {mode:04o}; only its owner may write to it")));
        }
        let mut last = [b'\n'];
        if let Some(at) = u64::try_from(stat.st_size).ok().and_then(|size| size.checked_sub(1)) {
            file.read_at(&mut last, at)?;
        }
        Ok(Self { file, identity: identity(&stat), is_torn: last != [b'\n'] })
    }

    /// Returns whether the path still leads to this file.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        match rustix::fs::statat(CWD, path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(identity(&stat) == self.identity),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let line = if self.is_torn { &format!("\n{line}") } else { line };
        let mut file = &self.file;
        let written = loop {
            match file.write(line.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.is_torn = written < line.len();
        if self.is_torn { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn bad(why: &str) -> io::Error {
    io::Error::other(why)
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn line(record: &Record<'_>) -> String {
    let (peer, mut json) = (record.peer(), String::from("{\"time\":"));
    string(&mut json, &rfc3339(record.time()));
    let _ = write!(json, ",\"uid\":{},\"gid\":{},\"groups\":", peer.uid(), peer.gid());
    list(&mut json, peer.groups(), |json, group| {
        let _ = write!(json, "{group}");
    });
    number(&mut json, ",\"pid\":", peer.pid().map(u64::from));
    number(&mut json, ",\"connection\":", Some(record.connection()));
    number(&mut json, ",\"request\":", record.request());
    json.push_str(",\"command\":");
    string(&mut json, record.command());
    json.push_str(",\"arguments\":");
    list(&mut json, record.arguments(), |json, argument| {
        json.push_str("{\"name\":");
        string(json, argument.name());
        json.push_str(",\"value\":");
        string(json, argument.value());
        json.push('}');
    });
    let _ = write!(json, ",\"left_out\":{},\"decision\":", record.left_out());
    string(&mut json, record.decision().as_str());
    json.push_str(",\"rule\":");
    string(&mut json, record.rule());
    json.push_str("}\n");
    json
}

fn list<T>(json: &mut String, items: &[T], each: impl Fn(&mut String, &T)) {
    json.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            json.push(',');
        }
        each(json, item);
    }
    json.push(']');
}

fn number(json: &mut String, key: &str, number: Option<u64>) {
    let _ = match number {
        Some(number) => write!(json, "{key}{number}"),
        None => write!(json, "{key}null"),
    };
}

/// Appends a JSON string, RFC 8259, section 7. It also escapes the characters that some programs take for a
/// line end.
fn string(json: &mut String, text: &str) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            _ if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') => {
                let _ = write!(json, "\\u{:04x}", u32::from(char));
            }
            _ => json.push(char),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn json_string_is_escaped() {
        let mut json = String::new();
        string(&mut json, "a\"b\\c\nd\0e\u{7f}\u{85}\u{2028}ä🦀");
        assert_eq!(json, r#""a\"b\\c\u000ad\u0000e\u007f\u0085\u2028ä🦀""#);
    }
}
