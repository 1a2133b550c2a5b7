//! Files and directories of `/proc`, proc(5).

use rustix::fs::{CWD, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::directory::open_at;
use crate::text::number;

/// Reads the beginning of a file of `/proc`, which has a line or less that is of interest.
pub(crate) fn small_text(path: &str) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = open_at(CWD, path.as_ref(), flags, Mode::empty())?;
    let mut bytes = [0; 256];
    let length = rustix::io::read(&file, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// Returns the numbers that are names in a directory, as those of processes in `/proc`.
// std's `read_dir` brings 5 KiB of code.
pub(crate) fn numbers_in(path: &str) -> Result<Vec<u32>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open_at(CWD, path.as_ref(), flags, Mode::empty())?;
    let mut found = Vec::new();
    let mut buffer = Vec::with_capacity(4096);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        found.extend(entry?.file_name().to_str().ok().and_then(number));
    }
    Ok(found)
}
