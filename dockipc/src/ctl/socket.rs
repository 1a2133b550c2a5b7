//! Which daemon.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::args;
use super::complaint::Complaint;

/// Where a daemon's socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    /// Here: a path, or `@name` for an abstract one.
    Local(PathBuf),
    /// On another machine: what stood after `ssh://`.
    Ssh(String),
}

impl Socket {
    /// What was written: a path, `@abstract`, a bare name, or `ssh://…`.
    pub(super) fn read(text: &OsStr) -> Result<Self, Complaint> {
        let bytes = text.as_bytes();
        if let Some(rest) = bytes.strip_prefix(b"ssh://") {
            let rest = std::str::from_utf8(rest);
            return rest
                .map(|rest| Self::Ssh(rest.to_owned()))
                .map_err(|_| Complaint::usage("an ssh:// address is UTF-8"));
        }
        if bytes.is_empty() {
            return Err(Complaint::usage("the socket's name is empty"));
        }
        if is_socket(text) {
            return Ok(Self::Local(text.into()));
        }
        find(text).map(Self::Local)
    }
}

/// Where bare names are looked up.
pub(super) fn directories() -> Vec<PathBuf> {
    let own = env::var_os("XDG_RUNTIME_DIR").filter(|own| !own.is_empty()).map(PathBuf::from);
    own.into_iter().chain([PathBuf::from("/run")]).collect()
}

/// A bare name: `NAME` or `NAME.sock`, also in a directory `NAME`.
pub(super) fn find(name: &OsStr) -> Result<PathBuf, Complaint> {
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
    let looked: Vec<_> = directories().iter().map(|place| place.display().to_string()).collect();
    let name = Path::new(name).display();
    let text = format!(
        "no socket {name} or {name}.sock in {}; a path has a / in it: ./{name}",
        looked.join(" or ")
    );
    Err(Complaint::no_daemon(text))
}

/// Takes the socket from where it is given, and leaves the other words. One that is set beforehand
/// ([`VARIABLE`]) gives way to a first word that can only be a socket. True if it is that one.
pub(super) fn take(
    option: Option<OsString>,
    words: &mut Vec<OsString>,
) -> Result<(OsString, bool), Complaint> {
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
        _ => Err(Complaint::usage(format!(
            "which daemon? give the path of its socket, or set {VARIABLE}"
        ))),
    }
}

/// Whether a word can only be a socket: no command has such a name.
pub(super) fn is_socket(word: &OsStr) -> bool {
    word.as_bytes().contains(&b'/') || word.as_bytes().first() == Some(&b'@')
}

/// Whether a word is meant as an option. A socket can be called so too, but is given as a path then.
fn is_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_bytes().starts_with(b"-") && !is_socket(word)
}

/// The environment variable for the socket.
pub(super) const VARIABLE: &str = "DOCKIPC_SOCKET";
