//! Addresses: a file's path, or the name of an abstract socket.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::LONGEST_ADDRESS;
use crate::error::Error;

/// A path or an abstract name.
#[derive(Clone, Copy)]
pub(super) enum Address<'p> {
    File(&'p Path),
    /// The name of an abstract socket, unix(7). It has no file, mode or directory, and disappears
    /// with the last descriptor.
    Abstract(&'p [u8]),
}

impl<'p> Address<'p> {
    /// Parses a path; `@name` is an abstract name, as in `ss` and systemd.
    pub(super) fn of(path: &'p Path) -> Result<Self, Error> {
        let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"@") else {
            return Ok(Self::File(path));
        };
        let bad = |reason| Error::bad_path(path, reason);
        if name.is_empty() {
            return Err(bad("an abstract name must follow the @"));
        }
        if name.len() > LONGEST_ADDRESS {
            return Err(bad("an abstract name can have at most 107 bytes"));
        }
        if name.contains(&0) {
            return Err(bad("it contains a NUL byte"));
        }
        Ok(Self::Abstract(name))
    }
}
