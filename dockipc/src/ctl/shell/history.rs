//! The lines of earlier shells, in a file.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::super::complaint::Complaint;

/// So many lines are known.
pub(super) const MOST: usize = 1000;

/// The file. rustyline's own would have all lines in it that can be brought back: here they are
/// fewer.
pub(super) struct History {
    /// None where there is none, or it can't be used.
    path: Option<PathBuf>,
    lines: Vec<String>,
}

impl History {
    /// Reads what there is. That there is no file is no failure.
    pub(super) fn open() -> Self {
        let Some(path) = path() else { return Self { path: None, lines: Vec::new() } };
        match read(&path) {
            Ok(lines) => Self { path: Some(path), lines },
            Err(error) => {
                tell(&path, &error);
                Self { path: None, lines: Vec::new() }
            }
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Writes a line down at once, so that other shells and the next one know it.
    pub(super) fn keep(&mut self, line: &str) {
        if line.starts_with(' ') || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        let Some(path) = &self.path else { return };
        match append(path, line) {
            Ok(()) => self.lines.push(line.to_owned()),
            Err(error) => {
                tell(path, &error);
                self.path = None;
            }
        }
    }
}

/// Once: after that nothing is tried.
fn tell(path: &Path, error: &io::Error) {
    Complaint::io(&format!("no history is kept in {}", path.display()), error).tell_alone();
}

/// `$XDG_STATE_HOME/dockipc/history`: the XDG base directory specification, which has paths that
/// are not absolute ignored.
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
    if lines.len() > 2 * MOST {
        lines.drain(..lines.len() - MOST);
        // In the place of the old one when it is whole. What another shell writes just now is lost.
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
    // In one piece, so that those of several shells don't mix.
    open(path, OpenOptions::new().append(true).create(true))?
        .write_all(format!("{line}\n").as_bytes())
}

/// For its owner alone, also if it was there before. The directory may be somebody else's, as after
/// `sudo -E`: what is no file, or a link to one of another place, is left alone.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
