//! The file of `--output`.
//!
//! A single answer replaces a regular file when it is whole: it is written to an unnamed file
//! beside it, open(2) `O_TMPFILE`, of which nothing is left if the program is killed. Other files
//! are written in place: pipes and devices, a file that has another name or owner, which replacing
//! it would change, and files of several answers, which are read while they grow.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};

use crate::sys;

/// A file that is written to.
pub(super) struct Target {
    file: File,
    how: How,
}

enum How {
    /// The file is unnamed, and replaces the one at this path.
    Replacing(PathBuf),
    /// The file still has its old contents, which it keeps if there is no answer.
    HasOld,
    /// The file was made, and is removed if there is no answer.
    IsNew(PathBuf),
    InPlace,
}

impl Target {
    /// Opens a file, with its contents. `is_single` tells whether one answer is the whole file.
    pub(super) fn open(path: &Path, is_single: bool) -> io::Result<Self> {
        if let Some(file) = own_descriptor(path) {
            return Ok(Self { file, how: How::InPlace });
        }
        let mut options = File::options();
        let old = match options.write(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let metadata = old.as_ref().map(File::metadata).transpose()?;
        if is_single && let Some((file, path)) = beside(path, metadata.as_ref()) {
            return Ok(Self { file, how: How::Replacing(path) });
        }
        Ok(match (old, metadata) {
            (Some(file), Some(metadata)) if metadata.is_file() => Self { file, how: How::HasOld },
            (Some(file), _) => Self { file, how: How::InPlace },
            _ => {
                let file = options.create(true).truncate(false).open(path)?;
                Self { file, how: How::IsNew(path.canonicalize()?) }
            }
        })
    }

    pub(super) fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.file)
    }

    /// Returns the file, from which old contents are removed.
    pub(super) fn file(&mut self) -> io::Result<&mut dyn Write> {
        match self.how {
            How::HasOld => self.file.set_len(0)?,
            How::Replacing(_) => return Ok(&mut self.file),
            How::IsNew(_) | How::InPlace => {}
        }
        self.how = How::InPlace;
        Ok(&mut self.file)
    }

    /// Ends an answer.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let How::Replacing(path) = &self.how else { return self.file().map(|_| ()) };
        let unnamed = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let directory = path.parent().unwrap_or(path);
        let named = tempfile::Builder::new().prefix(".dockipc-").make_in(directory, |name| {
            Ok(linkat(CWD, &unnamed, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
        })?;
        named.persist(path)?;
        self.how = How::InPlace;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let How::IsNew(path) = &self.how {
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes an unnamed file in the directory of the file that it is to replace. Returns `None` if the
/// file can't be replaced.
fn beside(path: &Path, old: Option<&Metadata>) -> Option<(File, PathBuf)> {
    let path = match old {
        Some(old) => {
            // The system has followed links, by its own rules, when it opened the file.
            let path = path.canonicalize().ok()?;
            let is_same = fs::symlink_metadata(&path)
                .is_ok_and(|it| (it.dev(), it.ino()) == (old.dev(), old.ino()));
            let is_plain = old.is_file() && old.nlink() == 1 && old.uid() == sys::effective_user();
            (is_same && is_plain).then_some(path)?
        }
        // The link leads to no file, which is made through it.
        None if path.is_symlink() => return None,
        None => directory(path).canonicalize().ok()?.join(path.file_name()?),
    };
    if !Path::new("/proc/self/fd").exists() {
        return None;
    }
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(CWD, directory(&path), flags, Mode::from_raw_mode(0o666)).ok()?;
    let file = File::from(file);
    if let Some(old) = old {
        let new = file.metadata().ok()?;
        (new.gid() == old.gid()).then_some(())?;
        file.set_permissions(old.permissions()).ok()?;
    }
    Some((file, path))
}

/// Returns a copy of the program's own descriptor that a path such as `/dev/stdout` or `/dev/fd/3`
/// leads to. Opening that path would write over what others have written to the file.
fn own_descriptor(path: &Path) -> Option<File> {
    let descriptors = fs::canonicalize("/proc/self/fd").ok()?;
    let mut path = path.to_owned();
    // Few links lead there: /dev/stdout → /proc/self/fd/1.
    for _ in 0..4 {
        let directory = directory(&path).canonicalize().ok()?;
        if directory == descriptors {
            let number = path.file_name()?.to_str()?.parse().ok()?;
            return sys::inherited(number, false).map(File::from);
        }
        path = directory.join(fs::read_link(&path).ok()?);
    }
    None
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        Some(_) => Path::new("."),
        None => path,
    }
}
