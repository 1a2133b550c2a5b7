//! `list`: the daemons of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::args::List;
use super::complaint::Complaint;
use super::exit::Exit;
use super::output::harmless;
use super::{socket, written};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::reply::Reply;

/// How deep it is looked, the directory itself being 1.
const DEEPEST: usize = 3;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

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
pub(super) fn list(args: &List) -> Result<Exit, Complaint> {
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
    let mut found = ask(&paths);
    if !args.all {
        found.retain(|found| found.daemon.is_ok());
    }
    let mut out = io::stdout().lock();
    if args.json {
        let found: Vec<_> = found.iter().map(to_json).collect();
        return written(writeln!(out, "{:#}", Value::from(found)));
    }
    if found.is_empty() {
        let looked: Vec<_> = directories.iter().map(|place| place.display().to_string()).collect();
        let what = if args.all { "socket" } else { "daemon" };
        // Nobody is left to be told if this fails.
        let _ = writeln!(io::stderr(), "no {what} in {}", looked.join(" or "));
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

fn ask(paths: &[PathBuf]) -> Vec<Found> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS.min(paths.len()) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Relaxed)) {
                    // It may have gone meanwhile.
                    let Ok(metadata) = fs::symlink_metadata(path) else { continue };
                    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
                    let one = Found { path: path.clone(), owner, mode, daemon: daemon(path) };
                    if let Ok(mut found) = found.lock() {
                        found.push(one);
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn daemon(path: &Path) -> Result<Daemon> {
    let client = Client::new(path).timeout(PATIENCE).token_from_env();
    let mut hello: BTreeMap<String, Reply> = client.command("hello").call()?;
    let mut text = |key: &str| hello.remove(key).and_then(|value| value.parse::<String>().ok());
    if text("server").as_deref() != Some("dockipc") {
        return Err(Error::Protocol("another server".into()));
    }
    let info: String = client.command("info").call().unwrap_or_default();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
    let commands = client.command("command").arg("count").call()?;
    Ok(Daemon { pid, commands, version: text("version").unwrap_or_default() })
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
    let (path, owner, mode) = (path.display().to_string(), user(*owner), format!("{mode:04o}"));
    match daemon {
        Ok(daemon) => {
            let pid = daemon.pid.map_or_else(|| "?".into(), |pid| pid.to_string());
            [path, owner, mode, pid, daemon.commands.to_string(), daemon.version.clone()]
        }
        Err(error) => [path, owner, mode, "-".into(), "-".into(), error.to_string()],
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
        table.add_row(fields(found).map(|field| harmless(&field).into_owned()));
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
