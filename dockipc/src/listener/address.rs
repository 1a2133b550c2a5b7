//! What a path names: a file, or an abstract socket.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::LONGEST_ADDRESS;
use crate::error::Error;

/// What a path names.
#[derive(Clone, Copy)]
pub(super) enum Address<'p> {
    File(&'p Path),
    /// The name of an abstract socket, unix(7). It is no file: it has no mode and no directory, and
    /// goes with the last descriptor.
    Abstract(&'p [u8]),
}

impl<'p> Address<'p> {
    /// A path that begins with `@` is the abstract name that follows, as `ss` and systemd write it.
    pub(super) fn of(path: &'p Path) -> Result<Self, Error> {
        let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"@") else {
            return Ok(Self::File(path));
        };
        let bad = |reason| Error::bad_path(path, reason);
        if name.is_empty() {
            return Err(bad("an abstract name follows the @"));
        }
        if name.len() > LONGEST_ADDRESS {
            return Err(bad("an abstract name has at most 107 bytes"));
        }
        if name.contains(&0) {
            return Err(bad("it has a NUL byte"));
        }
        Ok(Self::Abstract(name))
    }
}
