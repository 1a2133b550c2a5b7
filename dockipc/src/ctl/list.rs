//! `list`: the daemons of this machine.

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
use serde_json::{Value, json};

use super::args::List;
use super::complaint::Complaint;
use super::daemon::client;
use super::exit::Exit;
use super::output::{escaped, field, json_text};
use super::{socket, written};
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::sys;

/// How deep it is looked, the directory itself being 1.
const DEEPEST: usize = 3;

/// How long a daemon may take to answer. Whoever listens may be a stranger.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long all of them may take, those of root and of this user being asked first: others may have
/// made as many as they like.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(5);

/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// The longest version that is shown, in characters.
const LONGEST_VERSION: usize = 64;

/// So many are asked at a time.
const THREADS: usize = 16;

/// A socket, and who answers there.
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

/// Looks for sockets and asks them.
///
/// Only those with a lock file beside them are asked, as a dockipc daemon leaves one: what an unknown
/// program does with words that it does not expect is not known. With `--all`, every one is.
///
/// Nothing secret is sent, and nothing at all where another user listens than those of `owners`.
pub(super) fn list(args: &List, owners: &[u32]) -> Result<Exit, Complaint> {
    let directories = match &args.directories[..] {
        [] => socket::directories(),
        given => given.to_vec(),
    };
    let mut paths = Vec::new();
    for directory in &directories {
        look(directory, 1, args.all, &mut paths);
    }
    paths.sort();
    paths.dedup();
    let (mut found, left) = ask(paths, owners);
    if !args.all {
        found.retain(|found| found.daemon.is_ok());
    }
    if left > 0 {
        let time = PATIENCE_IN_ALL;
        let text = format!("{left} sockets were not asked: the others took {time:?}");
        Complaint::usage(text).tell_alone();
    }
    let mut out = io::stdout().lock();
    if args.json {
        let found: Vec<_> = found.iter().map(to_json).collect();
        return written(writeln!(out, "{}", json_text(&Value::from(found))));
    }
    if found.is_empty() {
        let looked: Vec<_> = directories.iter().map(|place| place.display().to_string()).collect();
        let what = if args.all { "socket" } else { "daemon" };
        // Nobody is left to be told if this fails.
        let _ = writeln!(io::stderr(), "no {what} in {}", escaped(&looked.join(" or ")));
        return Ok(Exit::Answered);
    }
    let text = if io::stdout().is_terminal() { table(&found) } else { lines(&found) };
    written(out.write_all(text.as_bytes()))
}

/// The sockets in a directory. Links are not followed, and what may not be read is passed over.
fn look(directory: &Path, depth: usize, all: bool, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_socket() && (all || has_lock(&path)) {
            paths.push(path);
        } else if kind.is_dir() && depth < DEEPEST {
            look(&path, depth + 1, all, paths);
        }
    }
}

fn has_lock(path: &Path) -> bool {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    Path::new(&lock).is_file()
}

/// What answers at these paths, and how many were not asked in time.
fn ask(paths: Vec<PathBuf>, owners: &[u32]) -> (Vec<Found>, usize) {
    let me = sys::effective_user();
    let mut sockets: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            // It may have gone meanwhile, or become something else.
            let metadata = fs::symlink_metadata(&path).ok()?;
            metadata.file_type().is_socket().then_some((path, metadata))
        })
        .collect();
    sockets.sort_by_key(|(_, metadata)| ![0, me].contains(&metadata.uid()));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS.min(sockets.len()) {
            scope.spawn(|| {
                while begun.elapsed() < PATIENCE_IN_ALL
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
    let client = client(path, owners).timeout(PATIENCE).max_answer(LONGEST);
    let client = client.on_connect(move |stream| {
        if let Ok([_, uid, _]) = sys::peer_credentials(stream.as_fd()) {
            seen.store(uid, Relaxed);
        }
    });
    let mut hello: BTreeMap<String, Reply> = client.command("hello").call()?;
    let mut text = |key: &str| hello.remove(key).and_then(|value| value.parse::<String>().ok());
    if text("server").as_deref() != Some("dockipc") {
        return Err(Error::Protocol("another server".into()));
    }
    let info: String = client.command("info").call().unwrap_or_default();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
    let pid = pid.filter(|pid| is_process_of(*pid, listener.load(Relaxed)));
    let commands = client.command("command").arg("count").call()?;
    let version = text("version").unwrap_or_default().chars().take(LONGEST_VERSION).collect();
    Ok(Daemon { pid, commands, version })
}

/// Whether a process can be the one that listens: the number is what somebody says, and may be used
/// to end it.
fn is_process_of(pid: u32, listener: u32) -> bool {
    let owner = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    // Root may have listened for a daemon of any user.
    listener == 0 || owner.is_ok_and(|owner| owner == listener)
}

/// `root`, or the number of a user that is not in `/etc/passwd`.
fn user(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
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
