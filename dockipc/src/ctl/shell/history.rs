//! The history file: the lines of earlier shells.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::super::error::CliError;

/// The number of lines that are kept.
pub(super) const MAX_LINES: usize = 1000;

/// The history file. rustyline's own would contain every line of its history, also those that may
/// have a secret.
pub(super) struct History {
    /// `None` if there is no home directory or the file can't be used.
    path: Option<PathBuf>,
    lines: Vec<String>,
}

impl History {
    /// Reads the file. If it does not exist, the history is empty.
    pub(super) fn open() -> Self {
        let Some(path) = path() else { return Self { path: None, lines: Vec::new() } };
        match read(&path) {
            Ok(lines) => Self { path: Some(path), lines },
            Err(error) => {
                report(&path, &error);
                Self { path: None, lines: Vec::new() }
            }
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Appends a line to the file at once, so that other shells can read it.
    pub(super) fn keep(&mut self, line: &str) {
        if line.starts_with(' ') || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        let Some(path) = &self.path else { return };
        match append(path, line) {
            Ok(()) => self.lines.push(line.to_owned()),
            Err(error) => {
                report(path, &error);
                self.path = None;
            }
        }
    }
}

/// Reports that no history is kept. The file is not used after that.
fn report(path: &Path, error: &io::Error) {
    CliError::io(&format!("cannot keep history in {}", path.display()), error).print_bare();
}

/// Returns `$XDG_STATE_HOME/dockipc/history`. Relative paths in the environment are ignored, as the
/// XDG base directory specification requires.
fn path() -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state = env::var_os("XDG_STATE_HOME").and_then(absolute);
    let state = state.or_else(|| Some(absolute(env::var_os("HOME")?)?.join(".local/state")))?;
    Some(state.join("dockipc").join("history"))
}

fn read(path: &Path) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    match open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?.read_to_end(&mut bytes)?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<String> =
        text.lines().filter(|line| !line.is_empty()).map(String::from).collect();
    if lines.len() > 2 * MAX_LINES {
        lines.drain(..lines.len() - MAX_LINES);
        // Replaces the file when the new one is complete. A line that another shell appends
        // meanwhile is lost.
        let new = path.with_extension("new");
        let mut file = open(&new, OpenOptions::new().write(true).create(true).truncate(true))?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        fs::rename(&new, path)?;
    }
    Ok(lines)
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    // One write, so that lines of several shells do not mix.
    open(path, OpenOptions::new().append(true).create(true))?
        .write_all(format!("{line}\n").as_bytes())
}

/// Opens a regular file and makes it accessible to its owner only. The directory may be another
/// user's, as after `sudo -E`, so that links are not followed.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
