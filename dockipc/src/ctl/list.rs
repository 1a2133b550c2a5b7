//! `list`: finds the daemons of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use comfy_table::{Table, presets};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};

use super::args::List;
use super::daemon::client;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Layout, escaped, field, json_line, json_text};
use super::{socket, written};
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::sys;

/// How many levels of directories are searched, the given one included.
const DEPTH: usize = 3;

/// How long one daemon may take to answer.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How long all daemons may take. Those of root and of this user are asked first, since another
/// user can create any number of sockets.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The longest version that is shown, in characters.
const MAX_VERSION: usize = 64;

/// How many daemons are asked at the same time.
const THREADS: usize = 16;

/// A socket, and the daemon that answers there.
struct Found {
    path: PathBuf,
    owner: u32,
    mode: u32,
    daemon: Result<Daemon>,
}

struct Daemon {
    pid: Option<u32>,
    commands: usize,
    version: String,
}

/// Searches directories for sockets and asks the daemons that listen there.
///
/// Without `--all`, only sockets with a lock file are asked, which every dockipc daemon has:
/// another program might misunderstand the question.
///
/// No token is sent, and nothing at all if `owners` are given and another user listens.
pub(super) fn list(args: &List, owners: &[u32]) -> Result<Exit, CliError> {
    let directories = match &args.directories[..] {
        [] => socket::directories(),
        given => given.to_vec(),
    };
    let mut paths = Vec::new();
    for directory in &directories {
        search(directory, 1, args.all, &mut paths);
    }
    paths.sort();
    paths.dedup();
    let (mut found, left) = ask(paths, owners);
    if !args.all {
        found.retain(|found| found.daemon.is_ok());
    }
    if left > 0 {
        let text = format!("timed out after {TOTAL_TIMEOUT:?}: {left} sockets were not asked");
        CliError::usage(text).print_bare();
    }
    let mut out = io::stdout().lock();
    if let Some(layout) = args.json {
        let mut found = found.iter().map(to_json);
        return written(match layout {
            Layout::Indented => writeln!(out, "{}", json_text(&found.collect())),
            Layout::Line => found.try_for_each(|found| writeln!(out, "{}", json_line(&found))),
        });
    }
    if found.is_empty() {
        let searched: Vec<_> = directories.iter().map(|dir| dir.display().to_string()).collect();
        let what = if args.all { "socket" } else { "daemon" };
        let _ = writeln!(io::stderr(), "no {what} in {}", escaped(&searched.join(" or ")));
        return Ok(Exit::Answered);
    }
    let text = if io::stdout().is_terminal() { table(&found) } else { lines(&found) };
    written(out.write_all(text.as_bytes()))
}

/// Adds the sockets in a directory and below. Does not follow links, and skips unreadable
/// directories.
fn search(directory: &Path, depth: usize, all: bool, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_socket() && (all || socket::has_lock(&path)) {
            paths.push(path);
        } else if kind.is_dir() && depth < DEPTH {
            search(&path, depth + 1, all, paths);
        }
    }
}

/// Asks the daemons at these paths. Also returns how many were not asked before the timeout.
fn ask(paths: Vec<PathBuf>, owners: &[u32]) -> (Vec<Found>, usize) {
    let me = sys::effective_user();
    let mut sockets: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            // The file may have been removed or replaced since.
            let metadata = fs::symlink_metadata(&path).ok()?;
            metadata.file_type().is_socket().then_some((path, metadata))
        })
        .collect();
    sockets.sort_by_key(|(_, metadata)| ![0, me].contains(&metadata.uid()));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS.min(sockets.len()) {
            scope.spawn(|| {
                while start.elapsed() < TOTAL_TIMEOUT
                    && let Some((path, metadata)) = sockets.get(next.fetch_add(1, Relaxed))
                {
                    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
                    let daemon = daemon(path, owners);
                    let one = Found { path: path.clone(), owner, mode, daemon };
                    if let Ok(mut found) = found.lock() {
                        found.push(one);
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let left = sockets.len() - found.len();
    (found, left)
}

fn daemon(path: &Path, owners: &[u32]) -> Result<Daemon> {
    let listener = Arc::new(AtomicU32::new(u32::MAX));
    let seen = Arc::clone(&listener);
    let client = client(path, owners).timeout(TIMEOUT).max_answer(MAX_ANSWER);
    let client = client.on_connect(move |stream| {
        if let Ok([_, uid, _]) = sys::peer_credentials(stream.as_fd()) {
            seen.store(uid, Relaxed);
        }
    });
    let mut hello: BTreeMap<String, Reply> = client.command("hello").call()?;
    let mut text = |key: &str| hello.remove(key).and_then(|value| value.parse::<String>().ok());
    if text("server").as_deref() != Some("dockipc") {
        return Err(Error::Protocol("not a dockipc daemon".into()));
    }
    let info: String = client.command("info").call().unwrap_or_default();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
    let pid = pid.filter(|pid| is_process_of(*pid, listener.load(Relaxed)));
    let commands = client.command("command").arg("count").call()?;
    let version = text("version").unwrap_or_default().chars().take(MAX_VERSION).collect();
    Ok(Daemon { pid, commands, version })
}

/// Returns whether a process can be the one that listens. The number comes from the daemon, and a
/// user may kill the process with it.
fn is_process_of(pid: u32, listener: u32) -> bool {
    let owner = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    // A socket that root made may be passed to a daemon of any user.
    listener == 0 || owner.is_ok_and(|owner| owner == listener)
}

/// Returns a user's name, or the number of a user without a name.
fn user(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn fields(found: &Found) -> [String; 6] {
    let Found { path, owner, mode, daemon } = found;
    let path = field(path.as_os_str().as_bytes());
    let (owner, mode) = (user(*owner), format!("{mode:04o}"));
    match daemon {
        Ok(daemon) => {
            let pid = daemon.pid.map_or_else(|| "?".into(), |pid| pid.to_string());
            [path, owner, mode, pid, daemon.commands.to_string(), field(daemon.version.as_bytes())]
        }
        Err(error) => {
            let why = field(error.to_string().as_bytes());
            [path, owner, mode, "-".into(), "-".into(), why]
        }
    }
}

fn lines(found: &[Found]) -> String {
    found.iter().map(|found| fields(found).join("\t") + "\n").collect()
}

fn table(found: &[Found]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["SOCKET", "OWNER", "MODE", "PID", "COMMANDS", "VERSION"]);
    for found in found {
        table.add_row(fields(found));
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn to_json(found: &Found) -> Value {
    let Found { path, owner, mode, daemon } = found;
    let mut json = json!({
        "path": path.to_string_lossy(),
        "uid": owner,
        "owner": user(*owner),
        "mode": format!("{mode:04o}"),
    });
    match daemon {
        Ok(daemon) => {
            json["pid"] = daemon.pid.into();
            json["commands"] = daemon.commands.into();
            json["version"] = daemon.version.clone().into();
        }
        Err(error) => json["error"] = error.to_string().into(),
    }
    json
}
