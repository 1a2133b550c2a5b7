//! Sockets on other machines, forwarded by the system's OpenSSH client.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::TempDir;

use super::daemon::OWN_MAX_ANSWER;
use super::error::{CliError, note};
use super::exit::Exit;
use super::wait::{Failed, Wait};
use crate::client::{Client, Deadline};
use crate::error::Error;
use crate::reply::Reply;
use crate::sys;

/// A forwarded socket. When this is dropped or a signal ends the program, ssh ends and the
/// directory of the local socket is removed.
pub(super) struct Tunnel {
    path: PathBuf,
    open: Arc<Mutex<Option<Open>>>,
    /// Whether SIGINT keeps the tunnel open, because the shell handles it.
    ignores_interrupts: Arc<AtomicBool>,
}

struct Open {
    ssh: Child,
    /// The directory of the local socket, which only this user may enter.
    directory: TempDir,
}

/// How often the local socket is tried: ssh does not report when it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

impl Tunnel {
    /// Starts ssh and checks that the daemon answers; with `--wait`, waits for that. Without a
    /// deadline, waits for ssh without limit, since the user may have to type a password.
    pub(super) fn open(
        address: &str,
        deadline: Option<Deadline>,
        wait: Option<Wait>,
    ) -> Result<Self, CliError> {
        let remote = Remote::read(address)?;
        let failed = |error: io::Error| CliError::io("making a directory for ssh", &error);
        let place =
            std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::Builder::new().prefix("dockipc-").tempdir_in(place);
        let directory = directory.map_err(failed)?;
        let path = directory.path().join("s");
        let mut command = remote.command(&path);
        note(format_args!("running {command:?}"));
        sys::end_with_this_thread(&mut command);
        let mut ssh = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                CliError::usage("cannot run ssh: install OpenSSH to use ssh:// addresses")
            }
            _ => CliError::io("starting ssh", &error),
        })?;
        let errors = ssh.stderr.take().map(|stderr| thread::spawn(|| read_errors(stderr)));
        let open = Arc::new(Mutex::new(Some(Open { ssh, directory })));
        let tunnel = Self { path, open, ignores_interrupts: Arc::default() };
        tunnel.close_on_signals().map_err(failed)?;
        tunnel.wait_for_ssh(&remote, deadline, errors)?;
        match wait {
            Some(wait) => wait.attempt(|| tunnel.check_daemon(&remote, wait.end))?,
            None => tunnel.check_daemon(&remote, deadline)?,
        }
        Ok(tunnel)
    }

    /// Returns the path of the local socket.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the tunnel open on SIGINT.
    pub(super) fn ignore_interrupts(&self) {
        self.ignores_interrupts.store(true, Relaxed);
    }

    /// Removes the directory before a signal ends the program.
    fn close_on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let (open, ignores) = (Arc::clone(&self.open), Arc::clone(&self.ignores_interrupts));
        thread::spawn(move || {
            let ends = |signal: &i32| *signal != SIGINT || !ignores.load(Relaxed);
            if let Some(signal) = signals.forever().find(ends) {
                let open = open.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(open.map(|open| open.directory));
                // ssh must not end first: the call would report that the answer was cut off.
                let _ = emulate_default_handler(signal);
            }
        });
        Ok(())
    }

    /// Waits until ssh listens.
    fn wait_for_ssh(
        &self,
        remote: &Remote,
        deadline: Option<Deadline>,
        errors: Option<JoinHandle<String>>,
    ) -> Result<(), CliError> {
        while UnixStream::connect(&self.path).is_err() {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = open.as_mut() else { break };
            if !matches!(open.ssh.try_wait(), Ok(None)) {
                let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
                let exit = if errors.contains("Permission denied")
                    || errors.contains("verification failed")
                {
                    Exit::NoPermission
                } else {
                    Exit::NoDaemon
                };
                let mut lines = errors.trim_end().lines();
                let why = lines.next().unwrap_or("no error message");
                let error = CliError::new(format!("ssh to {}: {why}", remote.host), exit);
                return Err(error.with_lines(lines));
            }
            if let Some(end) = deadline.filter(|end| end.left().is_zero()) {
                let text = format!(
                    "timed out after {:?} connecting to {} with ssh",
                    end.limit, remote.host
                );
                return Err(CliError::new(text, Exit::TimedOut));
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Checks that a daemon answers: ssh accepts connections in any case, and closes them if there
    /// is none.
    fn check_daemon(&self, remote: &Remote, deadline: Option<Deadline>) -> Result<(), Failed> {
        let client = Client::new(&self.path).until(deadline).max_idle(0).max_answer(OWN_MAX_ANSWER);
        let place = format!("{} on {}", remote.path.display(), remote.host);
        // HELLO, since a command of the author may have an effect.
        match client.only_dockipc(true).command("hello").call::<Reply>() {
            Err(Error::CutOff { received: 0, .. }) => {
                let text = format!("no daemon at {place}, or no permission to use its socket");
                Err(Failed::ForNow(CliError::no_daemon(text)))
            }
            Err(Error::NotDockipc { why, .. }) => {
                let text = format!("not a dockipc daemon: {place} {why}");
                Err(Failed::ForGood(CliError::new(text, Exit::NotDockipc)))
            }
            Err(error @ Error::TimedOut { .. }) => Err(Failed::ForNow(error.into())),
            // The call itself reports other errors.
            _ => Ok(()),
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        close(&self.open);
    }
}

fn close(open: &Mutex<Option<Open>>) {
    let open = open.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Open { mut ssh, directory }) = open {
        let _ = ssh.kill();
        let _ = ssh.wait();
        drop(directory);
    }
}

/// Reads the messages of ssh, which are shown if it fails.
fn read_errors(stderr: ChildStderr) -> String {
    let lines = BufReader::new(stderr).split(b'\n').map_while(Result::ok);
    let lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The part of an address after `ssh://`: `[USER@]HOST[:PORT]/PATH`.
#[derive(Debug, PartialEq, Eq)]
struct Remote {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: PathBuf,
}

impl Remote {
    fn read(address: &str) -> Result<Self, CliError> {
        let form = "write ssh://[USER@]HOST[:PORT]/PATH";
        let bad = |why: &str| {
            CliError::usage(format!("invalid address \"ssh://{address}\": {why}; {form}"))
        };
        let (machine, path) = address.split_once('/').ok_or_else(|| bad("the path is missing"))?;
        let (user, machine) = match machine.rsplit_once('@') {
            Some((user, machine)) => (Some(user.to_owned()), machine),
            None => (None, machine),
        };
        let (host, port) = match machine.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => {
                machine.split_once(':').map_or((machine, None), |(host, port)| (host, Some(port)))
            }
        };
        let port = port.map(str::parse).transpose().map_err(|_| bad("invalid port"))?;
        // ssh would take a name with a dash for an option.
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('-');
        if !is_name(host)
            || user.as_deref().is_some_and(|user| !is_name(user) || user.contains(':'))
        {
            return Err(bad("invalid host or user"));
        }
        let path = percent_decoded(path)
            .ok_or_else(|| bad("a % needs two hexadecimal digits after it"))?;
        if path.is_empty() || path.contains(&b':') || path.contains(&0) {
            return Err(bad("the path is empty, or has a colon, which ssh can't forward"));
        }
        let path = [b"/", &path[..]].concat();
        Ok(Self { user, host: host.to_owned(), port, path: OsString::from_vec(path).into() })
    }

    fn command(&self, here: &Path) -> Command {
        let mut forward = here.as_os_str().to_owned();
        forward.push(":");
        forward.push(&self.path);
        let mut command = Command::new("ssh");
        command.args(["-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no"]);
        command.args(["-o", "ControlPath=none", "-o", "StreamLocalBindMask=0177"]);
        if File::open("/dev/tty").is_err() {
            // Without a terminal, nobody can be asked for a password.
            command.args(["-o", "BatchMode=yes"]);
        }
        if let Some(port) = self.port {
            command.arg("-p").arg(port.to_string());
        }
        if let Some(user) = &self.user {
            command.arg("-l").arg(user);
        }
        command.arg("-L").arg(forward).arg("--").arg(OsStr::from_bytes(self.host.as_bytes()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// Decodes percent-encoding (RFC 3986). Returns `None` if it is invalid.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = std::str::from_utf8(more.get(..2)?).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &more[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::Remote;

    #[test]
    fn address_is_parsed() {
        let read = |address| Remote::read(address).unwrap();
        let Remote { user, host, port, path } = read("me@host.example:2222/run/hitd.sock");
        assert_eq!((user.as_deref(), &*host, port), (Some("me"), "host.example", Some(2222)));
        assert_eq!(path.to_str(), Some("/run/hitd.sock"));
        let Remote { user, host, port, path } = read("[::1]/a%20b%2fc");
        assert_eq!((user, &*host, port, path.to_str()), (None, "::1", None, Some("/a b/c")));
        assert_eq!(read("[::1]:22/x").port, Some(22));
    }

    #[test]
    fn invalid_address_is_refused() {
        for address in [
            "",
            "host",
            "host/",
            "/x",
            "host:x/y",
            "host:70000/y",
            "-oProxyCommand=x/y",
            "@host/x",
            "-l@host/x",
            "user:word@host/x",
            "host/a:b",
            "host/%",
            "host/%zz",
            "host/%00",
        ] {
            assert!(Remote::read(address).is_err(), "{address}");
        }
    }

    #[test]
    fn address_gives_ssh_no_options() {
        let remote = Remote::read("me@host/x").unwrap();
        let command = remote.command("/here".as_ref());
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words[words.len() - 6..], ["-l", "me", "-L", "/here:/x", "--", "host"]);
    }
}
