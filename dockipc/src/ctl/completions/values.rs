//! Candidates that need no daemon: subcommands, options, sockets and files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use clap::{Arg, Command, ValueHint};

use super::super::candidates::Candidate;
use super::super::socket;

pub(super) fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

pub(super) fn subcommands(root: &Command, prefix: &str) -> Vec<Candidate> {
    let shown = root.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let fit = shown.filter(|subcommand| subcommand.get_name().starts_with(prefix));
    fit.filter_map(|subcommand| {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        Candidate::new(subcommand.get_name(), &about)
    })
    .collect()
}

/// Returns a command's options or, for a prefix with a `=`, the values of one.
pub(super) fn options(command: &Command, prefix: &str) -> Vec<Candidate> {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    if let Some((flag, value)) = prefix.split_once('=') {
        let named = |arg: &&Arg| arg.get_long().is_some_and(|long| flag == format!("--{long}"));
        let found = shown().find(named).filter(|arg| takes_value(arg));
        let values = found.map_or_else(Vec::new, |option| values(option, value)).into_iter();
        return values
            .map(|one| Candidate { value: format!("{flag}={}", one.value), ..one })
            .collect();
    }
    let flags = shown().filter_map(|arg| {
        let flag = format!("--{}", arg.get_long()?);
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        flag.starts_with(prefix).then(|| Candidate::new(flag, &help))?
    });
    flags.collect()
}

/// Returns the values of one of the program's own arguments.
pub(super) fn values(arg: &Arg, prefix: &str) -> Vec<Candidate> {
    if arg.get_id() == "socket" {
        return sockets(prefix);
    }
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let fit = possible.iter().filter(|value| value.get_name().starts_with(prefix));
        return fit.filter_map(|value| Candidate::new(value.get_name(), "")).collect();
    }
    match arg.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath => files(prefix, |_| true),
        ValueHint::DirPath => files(prefix, fs::FileType::is_dir),
        _ => Vec::new(),
    }
}

/// Returns sockets: names in the directories that are searched for bare names, and paths.
pub(super) fn sockets(prefix: &str) -> Vec<Candidate> {
    if let Some(name) = prefix.strip_prefix('@') {
        return abstract_sockets(name);
    }
    if let Some(path) = socket::unix_path(prefix.as_ref()).and_then(OsStr::to_str) {
        let scheme = &prefix[..prefix.len() - path.len()];
        let found = sockets(path).into_iter();
        return found
            .map(|one| Candidate { value: format!("{scheme}{}", one.value), ..one })
            .collect();
    }
    if prefix.contains('/') {
        return files(prefix, |kind| kind.is_dir() || kind.is_socket());
    }
    let mut found = Vec::new();
    for directory in socket::directories() {
        for entry in entries(&directory) {
            let (path, Some(name)) = (entry.path(), entry.file_name().to_str().map(String::from))
            else {
                continue;
            };
            let inner = path.join(format!("{name}.sock"));
            if let Some(path) = [&path, &inner].into_iter().find(|path| is_daemons(path)) {
                let name = name.strip_suffix(".sock").unwrap_or(&name);
                found.extend(Candidate::new(name, &path.display().to_string()));
            }
        }
    }
    let here = files("./", fs::FileType::is_socket);
    found.extend(here.into_iter().filter(|_| prefix.is_empty() || prefix == "."));
    found.retain(|candidate| candidate.value.starts_with(prefix));
    found.dedup_by(|a, b| a.value == b.value);
    found
}

/// Returns whether a path looks like the socket of a dockipc daemon: it has a lock file.
fn is_daemons(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path);
    metadata.is_ok_and(|data| data.file_type().is_socket()) && socket::has_lock(path)
}

/// Returns the abstract sockets that are listening, from `/proc/net/unix`.
fn abstract_sockets(prefix: &str) -> Vec<Candidate> {
    const LISTENING: u32 = 0x10000; // __SO_ACCEPTCON
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut found: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
            let name = fields.nth(3)?.strip_prefix('@').filter(|name| name.starts_with(prefix))?;
            (flags & LISTENING != 0).then(|| Candidate::new(format!("@{name}"), ""))?
        })
        .collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}

/// Returns the wanted files and the directories whose paths begin with `prefix`. A directory's
/// value ends with a `/`.
pub(super) fn files(prefix: &str, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<Candidate> {
    let (directory, name) = prefix.split_at(prefix.rfind('/').map_or(0, |at| at + 1));
    let place = if directory.is_empty() { "." } else { directory };
    let mut found: Vec<_> = entries(Path::new(place))
        .into_iter()
        .filter_map(|entry| {
            let file = entry.file_name().to_str().filter(|file| file.starts_with(name))?.to_owned();
            let is_shown = !file.starts_with('.') || name.starts_with('.');
            // Follows links.
            let kind = fs::metadata(entry.path()).ok()?.file_type();
            let end = if kind.is_dir() { "/" } else { "" };
            let is_wanted = is_shown && (wanted(&kind) || kind.is_dir());
            is_wanted.then(|| Candidate::new(format!("{directory}{file}{end}"), ""))?
        })
        .collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}

fn entries(directory: &Path) -> Vec<fs::DirEntry> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
}
