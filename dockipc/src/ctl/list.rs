//! `list`: finds the daemons of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use comfy_table::{Table, presets};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};

use super::args::{Common, List};
use super::daemon::{Listener, OWN_MAX_ANSWER, OWN_TIMEOUT, client};
use super::error::{CliError, text};
use super::exit::Exit;
use super::output::{Layout, field, json_line, json_text, path_to_json};
use super::{socket, written};
use crate::client::Deadline;
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::sys;

/// How many levels of directories are searched, the given one included.
const DEPTH: usize = 3;

/// How long one daemon may take to answer.
const TIMEOUT: Duration = Duration::from_millis(500);

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
    /// Whether the command line names the socket itself.
    is_named: bool,
}

impl Found {
    /// Returns whether the socket is shown without `--all`: also a daemon that this user may not
    /// call exists.
    fn is_shown(&self) -> bool {
        self.is_named || matches!(self.daemon, Ok(_) | Err(Error::Permission { .. }))
    }
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
/// No token is sent, and nothing at all if an owner is required and another user listens.
pub(super) fn list(args: &List, common: &Common, program: &str) -> Result<Exit, CliError> {
    let (owners, time) = (common.owners()?, common.timeout.unwrap_or(OWN_TIMEOUT));
    let end = Deadline::after(time);
    let directories = match &args.paths[..] {
        [] => socket::directories(),
        given => {
            let path = |path: &PathBuf| socket::unix_path(path.as_os_str()).map(PathBuf::from);
            given.iter().map(|given| path(given).unwrap_or_else(|| given.clone())).collect()
        }
    };
    let mut exit = Exit::Answered;
    let mut search = Search { program, all: args.all, end, paths: Vec::new() };
    for path in &directories {
        let is_socket = fs::metadata(path).is_ok_and(|data| data.file_type().is_socket());
        if is_socket {
            search.paths.push((path.clone(), true));
            continue;
        }
        match search.directory(path, 1) {
            // A directory that is searched by default may be absent.
            Err(error) if !args.paths.is_empty() => {
                let bytes = path.as_os_str().as_bytes();
                let is_elsewhere = bytes.starts_with(b"@") || bytes.starts_with(b"ssh://");
                let error = if is_elsewhere {
                    CliError::usage(format!(
                        "list takes directories and paths of sockets; use `doctor {}`",
                        path.display()
                    ))
                } else {
                    unsearched(path, &error)
                };
                error.print(program);
                if exit == Exit::Answered {
                    exit = error.exit;
                }
            }
            _ => {}
        }
    }
    let mut paths = search.paths;
    paths.sort();
    paths.dedup_by(|one, other| one.0 == other.0);
    let (mut found, left) = ask(paths, &owners, end);
    if !args.all {
        found.retain(Found::is_shown);
    }
    if left > 0 {
        let text = format!("timed out after {time:?}: {left} sockets were not asked");
        let error = CliError::new(text, Exit::TimedOut);
        error.print(program);
        if exit == Exit::Answered {
            exit = error.exit;
        }
    }
    let mut out = io::stdout().lock();
    if let Some(layout) = args.json {
        let mut found = found.iter().map(to_json);
        let printed = match layout {
            Layout::Indented => writeln!(out, "{}", json_text(&found.collect())),
            Layout::Line => found.try_for_each(|found| writeln!(out, "{}", json_line(&found))),
        };
        return written(printed).map(|_| exit);
    }
    if found.is_empty() && exit != Exit::Answered {
        return Ok(exit);
    }
    if found.is_empty() {
        let searched: Vec<_> = directories.iter().map(|dir| dir.display().to_string()).collect();
        let what = if args.all { "socket" } else { "daemon" };
        let text = format!("no {what} in {}", searched.join(" or "));
        CliError::no_daemon(text).print(program);
        return Ok(Exit::Answered);
    }
    let text = if io::stdout().is_terminal() { table(&found) } else { lines(&found) };
    written(out.write_all(text.as_bytes())).map(|_| exit)
}

/// A search for sockets.
struct Search<'s> {
    /// The program's name, for messages.
    program: &'s str,
    all: bool,
    end: Option<Deadline>,
    /// The sockets, and whether the command line names them.
    paths: Vec<(PathBuf, bool)>,
}

impl Search<'_> {
    /// Adds the sockets in a directory and below. Does not follow links. Directories below that
    /// can't be read are skipped, with `all` after a message.
    fn directory(&mut self, directory: &Path, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(directory)?.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_socket() && (self.all || socket::has_lock(&path)) {
                self.paths.push((path, false));
            } else if kind.is_dir()
                && depth < DEPTH
                && !is_over(self.end)
                && let Err(error) = self.directory(&path, depth + 1)
                && self.all
            {
                unsearched(&path, &error).print(self.program);
            }
        }
        Ok(())
    }
}

/// Returns the error for a directory that can't be searched.
fn unsearched(path: &Path, error: &io::Error) -> CliError {
    let exit = match error.kind() {
        ErrorKind::PermissionDenied => Exit::NoPermission,
        ErrorKind::NotFound => Exit::NoDaemon,
        _ => Exit::Usage,
    };
    CliError::io(&format!("searching {}", path.display()), error).with_exit(exit)
}

fn is_over(end: Option<Deadline>) -> bool {
    end.is_some_and(|end| end.left().is_zero())
}

/// Asks the daemons at these paths until the deadline; also returns how many were not asked. Those of
/// root and of this user are asked first, since another user can create any number of sockets.
fn ask(paths: Vec<(PathBuf, bool)>, owners: &[u32], end: Option<Deadline>) -> (Vec<Found>, usize) {
    let me = sys::effective_user();
    let mut sockets: Vec<_> = paths
        .into_iter()
        .filter_map(|(path, is_named)| {
            // The file may have been removed or replaced since. A link is followed only if it was named.
            let metadata = if is_named { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            let metadata = metadata.ok().filter(|data| data.file_type().is_socket())?;
            Some((path, metadata, is_named))
        })
        .collect();
    sockets.sort_by_key(|(_, metadata, _)| ![0, me].contains(&metadata.uid()));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS.min(sockets.len()) {
            scope.spawn(|| {
                while !is_over(end)
                    && let Some((path, metadata, is_named)) =
                        sockets.get(next.fetch_add(1, Relaxed))
                {
                    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
                    let (path, is_named) = (path.clone(), *is_named);
                    let daemon = daemon(&path, owners, end);
                    let one = Found { path, owner, mode, daemon, is_named };
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

fn daemon(path: &Path, owners: &[u32], end: Option<Deadline>) -> Result<Daemon> {
    let listener = Arc::new(AtomicU32::new(u32::MAX));
    let seen = Arc::clone(&listener);
    let client = client(path, owners).timeout(TIMEOUT).until(end).max_answer(OWN_MAX_ANSWER);
    let client = client.on_connect(move |stream| {
        if let Some(listener) = Listener::of(stream) {
            seen.store(listener.uid, Relaxed);
        }
    });
    let mut hello: BTreeMap<String, Reply> = client.command("hello").call()?;
    let mut text = |key: &str| hello.remove(key).and_then(|value| value.parse::<String>().ok());
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
pub(super) fn user(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn fields(found: &Found) -> [String; 6] {
    let Found { path, owner, mode, daemon, .. } = found;
    let path = field(path.as_os_str().as_bytes());
    let (owner, mode) = (user(*owner), format!("{mode:04o}"));
    match daemon {
        Ok(daemon) => {
            let pid = daemon.pid.map_or_else(|| "?".into(), |pid| pid.to_string());
            [path, owner, mode, pid, daemon.commands.to_string(), field(daemon.version.as_bytes())]
        }
        Err(error) => {
            let why = field(text(error).as_bytes());
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
    let Found { path, owner, mode, daemon, .. } = found;
    let mut json = json!({
        "path": path_to_json(path.as_os_str()),
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
        Err(error) => json["error"] = text(error).into(),
    }
    json
}
