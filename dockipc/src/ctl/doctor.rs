//! `doctor`: finds out why a daemon does not answer.
//!
//! It reads the files beside the socket and connects once, as any client does. It changes no file, and
//! never opens the lock file: who holds it is read from `/proc/locks`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anstyle::AnsiColor;
use nix::unistd::{Gid, Group};
use serde_json::{Map, Value, json};

use super::args::Common;
use super::daemon::{self, Listener, OWN_MAX_ANSWER, OWN_TIMEOUT, Target};
use super::error::{self, CliError};
use super::exit::Exit;
use super::output::{Layout, escaped, field, json_line, json_text, path_to_json};
use super::socket::{self, Socket};
use super::ssh::Tunnel;
use super::written;
use crate::client::{self, Client, Deadline};
use crate::error::Result;
use crate::reply::Reply;
use crate::sys;

/// The checks, in the order of the output. One that was not reached is `unknown`.
const CHECKS: [&str; 9] =
    ["path", "type", "owner", "mode", "lock", "connect", "listener", "answer", "version"];

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Unusual, but no reason for a call to fail.
    Warning,
    /// A call fails for this reason.
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The results of the checks.
struct Report {
    socket: OsString,
    checks: BTreeMap<&'static str, (State, String)>,
    /// The exit code of a call.
    exit: Exit,
}

/// Checks the socket, and prints a line for each check, or JSON. The exit code is that of a call.
pub(super) fn doctor(
    target: &Target,
    common: &Common,
    json: Option<Layout>,
) -> std::result::Result<Exit, CliError> {
    let (owners, end) = (common.owners()?, common.timeout.unwrap_or(OWN_TIMEOUT));
    let end = Deadline::after(end);
    let (text, socket) = match target {
        Target::Own(own) => {
            (own.path.clone().into_os_string(), Ok(Socket::Local(own.path.clone())))
        }
        Target::Any => {
            let (text, _) = socket::take(common.socket.clone(), &mut Vec::new())?;
            let socket = Socket::read(&text);
            (text, socket)
        }
    };
    let mut report = Report { socket: text, checks: BTreeMap::new(), exit: Exit::Answered };
    match socket {
        Ok(Socket::Local(path)) => {
            if report.check_files(&path) {
                report.check_daemon(&daemon::client(&path, &owners).until(end));
            }
        }
        Ok(Socket::Ssh(_)) if !owners.is_empty() => return Err(daemon::owner_is_far()),
        Ok(Socket::Ssh(address)) => match Tunnel::open(&address, common.timeout.and(end), None) {
            Ok(tunnel) => {
                let client = Client::new(tunnel.path()).only_dockipc(true);
                // Without --timeout, the time in which ssh connects is not counted.
                let end = common.timeout.map_or_else(|| Deadline::after(OWN_TIMEOUT), |_| end);
                report.check_daemon(&client.until(end));
                // The listener is ssh, and not the daemon.
                report.checks.remove("listener");
                report.set("connect", State::Ok, "through ssh");
            }
            Err(error) => report.fail("connect", error.text(), error.exit),
        },
        // A bare name was not found.
        Err(error) if error.exit == Exit::NoDaemon => {
            report.fail("path", error.text(), Exit::NoDaemon);
        }
        Err(error) => return Err(error),
    }
    let mut out = anstream::stdout().lock();
    let text = match (json, io::stdout().is_terminal()) {
        (Some(Layout::Indented), _) => json_text(&report.to_json()) + "\n",
        (Some(Layout::Line), _) => json_line(&report.to_json()) + "\n",
        (None, true) => report.columns(),
        (None, false) => report.rows(),
    };
    written(out.write_all(text.as_bytes())).map(|_| report.exit)
}

impl Report {
    fn set(&mut self, check: &'static str, state: State, text: impl Into<String>) {
        self.checks.insert(check, (state, text.into()));
    }

    fn fail(&mut self, check: &'static str, text: impl Into<String>, exit: Exit) {
        self.set(check, State::Error, text);
        self.exit = exit;
    }

    /// Checks the files. Returns whether a socket is there.
    fn check_files(&mut self, path: &Path) -> bool {
        if path.as_os_str().as_encoded_bytes().starts_with(b"@") {
            self.set("path", State::Ok, "an abstract socket, which has no file");
            return true;
        }
        let shown = path.display();
        let found = fs::symlink_metadata(path);
        let data = match found.and_then(|own| Ok((fs::metadata(path)?, own.is_symlink()))) {
            Ok((data, false)) => {
                self.set("path", State::Ok, format!("{shown} exists"));
                data
            }
            Ok((data, true)) => {
                let to = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                let text = format!("{shown} is a symbolic link to {}", to.display());
                self.set("path", State::Ok, text);
                data
            }
            Err(error) => {
                let (text, exit) = why_absent(path, &error);
                self.fail("path", text, exit);
                return false;
            }
        };
        let (owner, mode) = (daemon::user(data.uid()), format!("{:04o}", data.mode() & 0o7777));
        let group = Group::from_gid(Gid::from_raw(data.gid())).ok().flatten();
        let group = group.map_or_else(|| data.gid().to_string(), |group| group.name);
        self.set("owner", State::Ok, format!("{owner}, group {group}"));
        self.set("mode", State::Ok, mode);
        if !data.file_type().is_socket() {
            let kind = if data.is_dir() { "a directory" } else { "not a socket" };
            self.fail("type", kind, Exit::NoDaemon);
            return false;
        }
        self.set("type", State::Ok, "socket");
        self.check_lock(path);
        true
    }

    fn check_lock(&mut self, path: &Path) {
        let path = client::lock(path);
        let shown = path.display();
        let (state, text) = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                (State::Warning, format!("{shown} does not exist: a dockipc daemon creates it"))
            }
            Err(error) => (State::Warning, format!("{shown}: {error}")),
            Ok(data) if !data.is_file() => (State::Warning, format!("{shown} is not a file")),
            Ok(data) => match (holder(&data), fs::metadata("/proc/locks")) {
                (Some(pid), _) => (State::Ok, format!("{shown} is held by process {pid}")),
                (None, Ok(_)) => (State::Warning, format!("{shown} is held by no visible process")),
                (None, Err(error)) => (State::Warning, format!("/proc/locks: {error}")),
            },
        };
        self.set("lock", state, text);
    }

    /// Connects, and asks the daemon for its version.
    fn check_daemon(&mut self, client: &Client) {
        let listener = Arc::new(OnceLock::new());
        let seen = Arc::clone(&listener);
        let client = client.clone().max_idle(0).max_answer(OWN_MAX_ANSWER);
        let client = client.on_connect(move |stream| drop(seen.set(Listener::of(stream))));
        let start = Instant::now();
        let hello: Result<BTreeMap<String, Reply>> = client.command("hello").call();
        let took = start.elapsed();
        if let Some(listener) = listener.get() {
            self.set("connect", State::Ok, format!("{} may connect", me()));
            if let Some(listener) = listener {
                self.set("listener", State::Ok, listener.to_string());
            }
        }
        match hello {
            Ok(mut hello) => {
                let mut text = |key: &str| {
                    let value = hello.remove(key).and_then(|value| value.parse::<String>().ok());
                    value.unwrap_or_else(|| "?".into())
                };
                let version = format!("dockipc {}, RESP{}", text("version"), text("proto"));
                self.set("answer", State::Ok, format!("after {took:.1?}"));
                self.set("version", State::Ok, version);
            }
            Err(error) => {
                let exit = Exit::from(&error);
                let check = if listener.get().is_some() { "answer" } else { "connect" };
                self.fail(check, error::text(&error), exit);
            }
        }
    }

    /// Returns the lines: the check, its state and its text.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        CHECKS.into_iter().map(|check| match self.checks.get(check) {
            Some((state, text)) => (check, state.name(), &**text),
            None => (check, "unknown", ""),
        })
    }

    fn rows(&self) -> String {
        let rows = self
            .lines()
            .map(|(check, state, text)| format!("{check}\t{state}\t{}\n", field(text.as_bytes())));
        rows.collect()
    }

    fn columns(&self) -> String {
        let lines = self.lines().map(|(check, state, text)| {
            let color = match state {
                "ok" => AnsiColor::Green.on_default(),
                "warning" => AnsiColor::Yellow.on_default(),
                "error" => AnsiColor::Red.on_default().bold(),
                _ => AnsiColor::BrightBlack.on_default(),
            };
            let state = format!("{color}{state:<7}{color:#}");
            format!("{check:<8}  {state}  {}", escaped(text)).trim_end().to_owned() + "\n"
        });
        lines.collect()
    }

    fn to_json(&self) -> Value {
        let checks = self.lines().map(|(check, state, text)| {
            (check.to_owned(), json!({ "state": state, "text": text }))
        });
        let checks: Map<_, _> = checks.collect();
        json!({
            "socket": path_to_json(&self.socket),
            "healthy": self.exit == Exit::Answered,
            "checks": checks,
        })
    }
}

fn me() -> String {
    daemon::user(sys::effective_user())
}

/// Explains why nothing is found at a path, with the first directory or link that is the reason.
fn why_absent(path: &Path, error: &io::Error) -> (String, Exit) {
    let shown = path.display();
    let mut ancestors: Vec<_> = path.ancestors().skip(1).collect();
    ancestors.retain(|directory| !directory.as_os_str().is_empty());
    ancestors.reverse();
    let is_link = fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
    match error.kind() {
        ErrorKind::PermissionDenied => {
            // The files in a directory without search permission can't be inspected.
            let is_closed = |directory: &&Path| {
                let inner = fs::symlink_metadata(directory.join("."));
                inner.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
            };
            let text = match ancestors.into_iter().find(is_closed) {
                Some(directory) => {
                    let owner = fs::symlink_metadata(directory).map_or_else(
                        |_| String::new(),
                        |data| {
                            let (user, mode) = (daemon::user(data.uid()), data.mode() & 0o7777);
                            format!(" (owner {user}, mode {mode:04o})")
                        },
                    );
                    let directory = directory.display();
                    format!("{shown}: {} may not search the directory {directory}{owner}", me())
                }
                None => format!("{shown}: permission denied"),
            };
            (text, Exit::NoPermission)
        }
        ErrorKind::NotFound if is_link => {
            let to = fs::read_link(path).unwrap_or_default();
            let text =
                format!("{shown} is a symbolic link to {}, which is not there", to.display());
            (text, Exit::NoDaemon)
        }
        ErrorKind::NotFound => {
            let absent = ancestors.into_iter().find(|directory| !directory.exists());
            let text = match absent {
                Some(directory) => {
                    format!("{shown}: the directory {} does not exist", directory.display())
                }
                None => format!("{shown} does not exist: is the daemon running?"),
            };
            (text, Exit::NoDaemon)
        }
        _ => (format!("{shown}: {error}"), Exit::NoDaemon),
    }
}

/// Returns the process that holds the lock on this file, as far as `/proc/locks` shows it.
fn holder(lock: &Metadata) -> Option<u32> {
    let device = lock.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = format!("{major:02x}:{minor:02x}:{}", lock.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // proc_locks(5): `1: FLOCK ADVISORY WRITE 7 00:1a:42 0 EOF`.
        let mut fields = line.split_whitespace().skip(1);
        let is_flock = fields.next() == Some("FLOCK");
        let pid = fields.nth(2)?.parse().ok()?;
        (is_flock && fields.next() == Some(&*file)).then_some(pid)
    })
}
