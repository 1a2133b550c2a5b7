//! Where the daemon's socket is.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::args;
use super::error::CliError;
use super::exit::Exit;
use crate::client;

/// Where a daemon's socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    /// On this machine: a path, or `@name` for an abstract socket.
    Local(PathBuf),
    /// On another machine: the text after `ssh://`.
    Ssh(String),
}

impl Socket {
    /// Reads a path, `unix:/…`, `@abstract`, a bare name, or `ssh://…`.
    pub(super) fn read(text: &OsStr) -> Result<Self, CliError> {
        let bytes = text.as_bytes();
        if let Some(rest) = bytes.strip_prefix(b"ssh://") {
            let rest = std::str::from_utf8(rest);
            return rest
                .map(|rest| Self::Ssh(rest.to_owned()))
                .map_err(|_| CliError::usage("invalid ssh:// address: must be UTF-8"));
        }
        if bytes.is_empty() {
            return Err(CliError::usage("the socket name is empty"));
        }
        if bytes.starts_with(b"unix:") {
            let bad = || {
                let text = text.display();
                CliError::usage(format!(
                    "invalid address \"{text}\": write unix:/PATH or unix:///PATH"
                ))
            };
            return unix_path(text).map(|path| Self::Local(path.into())).ok_or_else(bad);
        }
        if is_socket(text) {
            return Ok(Self::Local(text.into()));
        }
        find(text).map(Self::Local)
    }
}

/// Returns the path of `unix:/PATH` and `unix:///PATH`, or the name of `unix:@NAME`; `None` for other
/// texts.
pub(super) fn unix_path(text: &OsStr) -> Option<&OsStr> {
    let rest = text.as_bytes().strip_prefix(b"unix:")?;
    // The authority, which would be a machine, is empty.
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    matches!(rest.first(), Some(b'/' | b'@')).then(|| OsStr::from_bytes(rest))
}

/// Returns the directories that are searched for bare names.
pub(super) fn directories() -> Vec<PathBuf> {
    let own = env::var_os("XDG_RUNTIME_DIR").filter(|own| !own.is_empty()).map(PathBuf::from);
    own.into_iter().chain([PathBuf::from("/run")]).collect()
}

/// Returns whether a socket has a lock file, as every dockipc daemon's socket has.
pub(super) fn has_lock(path: &Path) -> bool {
    client::lock(path).is_file()
}

/// Finds a bare name: `NAME` or `NAME.sock`, or `NAME.sock` in a directory `NAME`.
pub(super) fn find(name: &OsStr) -> Result<PathBuf, CliError> {
    let mut with_end = name.to_owned();
    with_end.push(".sock");
    let places = directories().into_iter().flat_map(|directory| {
        let inner = directory.join(name);
        [directory.join(name), directory.join(&with_end), inner.join(&with_end)]
    });
    let mut places: Vec<PathBuf> = places.collect();
    let is_there = |place: &PathBuf| place.exists() && !place.is_dir();
    if let Some(place) = places.iter().position(is_there) {
        return Ok(places.swap_remove(place));
    }
    let is_closed = |place: &&PathBuf| {
        place.try_exists().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    if let Some(directory) = places.iter().find(is_closed).and_then(|place| place.parent()) {
        let text = format!(
            "permission denied: {} can't be searched for {}; ask its owner for access, or use sudo",
            directory.display(),
            Path::new(name).display()
        );
        return Err(CliError::new(text, Exit::NoPermission));
    }
    let searched: Vec<_> = directories().iter().map(|dir| dir.display().to_string()).collect();
    let name = Path::new(name).display();
    let text = format!(
        "no socket {name} or {name}.sock in {}; for a path, write ./{name}",
        searched.join(" or ")
    );
    Err(CliError::no_daemon(text))
}

/// Takes the socket from `option`, from the environment ([`VARIABLE`]) or from the first of the
/// words. A first word that can only be a socket has precedence over the environment. Also returns
/// whether the socket is the environment's.
pub(super) fn take(
    option: Option<OsString>,
    words: &mut Vec<OsString>,
) -> Result<(OsString, bool), CliError> {
    if let Some(socket) = option {
        return Ok((socket, false));
    }
    let preset = env::var_os(VARIABLE).filter(|socket| !socket.is_empty());
    match preset {
        Some(preset) if !words.first().is_some_and(|word| is_socket(word)) => Ok((preset, true)),
        _ if words.first().is_some_and(|word| is_option(word)) => {
            Err(args::unknown_option(&words[0]))
        }
        _ if !words.is_empty() => Ok((words.remove(0), false)),
        _ => Err(CliError::usage(format!(
            "no socket given: name the daemon's socket or set {VARIABLE}"
        ))),
    }
}

/// Returns whether a word can only be a socket: no command has such a name.
pub(super) fn is_socket(word: &OsStr) -> bool {
    let word = word.as_bytes();
    word.contains(&b'/') || word.starts_with(b"@") || word.starts_with(b"unix:@")
}

/// Returns whether a word is meant as an option. A socket of such a name is given as a path.
fn is_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_bytes().starts_with(b"-") && !is_socket(word)
}

/// The environment variable with the socket.
pub(super) const VARIABLE: &str = "DOCKIPC_SOCKET";
