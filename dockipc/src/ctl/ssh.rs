//! A socket on another machine: a forwarding of the system's OpenSSH client.

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
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tempfile::TempDir;

use super::complaint::Complaint;
use super::exit::Exit;
use crate::client::Client;
use crate::error::Error;
use crate::reply::Reply;
use crate::sys;

/// A way to a socket on another machine. It is closed, and its directory removed, when this is
/// dropped or a signal ends the program.
pub(super) struct Tunnel {
    path: PathBuf,
    open: Arc<Mutex<Option<Open>>>,
    /// SIGINT is somebody else's.
    leaves_interrupts: Arc<AtomicBool>,
}

struct Open {
    ssh: Child,
    /// Nobody else may enter it.
    directory: TempDir,
}

/// The longest answer to a ping, in bytes.
const LONGEST: usize = 64 * 1024;

/// How often it is looked whether ssh is ready: it says so to nobody.
const LOOK: Duration = Duration::from_millis(10);

impl Tunnel {
    /// Has ssh log in and listen here, for as long as that takes: somebody may have to type.
    pub(super) fn open(address: &str, timeout: Option<Duration>) -> Result<Self, Complaint> {
        let remote = Remote::read(address)?;
        let failed = |error: io::Error| Complaint::io("making a directory for ssh", &error);
        let place =
            std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = tempfile::Builder::new().prefix("dockipc-").tempdir_in(place);
        let directory = directory.map_err(failed)?;
        let path = directory.path().join("s");
        let mut command = remote.command(&path);
        sys::end_with_this_thread(&mut command);
        let mut ssh = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Complaint::usage("ssh:// needs the program ssh (OpenSSH)"),
            _ => Complaint::io("starting ssh", &error),
        })?;
        let said = ssh.stderr.take().map(|stderr| thread::spawn(|| words(stderr)));
        let open = Arc::new(Mutex::new(Some(Open { ssh, directory })));
        let tunnel = Self { path, open, leaves_interrupts: Arc::default() };
        tunnel.end_with_signals().map_err(failed)?;
        tunnel.wait(&remote, timeout, said)?;
        tunnel.try_it(&remote, timeout)?;
        Ok(tunnel)
    }

    /// The socket here.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// SIGINT does not end the program any more.
    pub(super) fn leave_interrupts(&self) {
        self.leaves_interrupts.store(true, Relaxed);
    }

    /// A signal that ends the program would leave the directory.
    fn end_with_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let (open, leaves) = (Arc::clone(&self.open), Arc::clone(&self.leaves_interrupts));
        thread::spawn(move || {
            let ends = |signal: &i32| *signal != SIGINT || !leaves.load(Relaxed);
            if let Some(signal) = signals.forever().find(ends) {
                let open = open.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(open.map(|open| open.directory));
                // ssh ends with this program. Earlier, the call would be told that it was cut off.
                let _ = emulate_default_handler(signal);
            }
        });
        Ok(())
    }

    /// Waits until ssh listens.
    fn wait(
        &self,
        remote: &Remote,
        timeout: Option<Duration>,
        said: Option<JoinHandle<String>>,
    ) -> Result<(), Complaint> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while UnixStream::connect(&self.path).is_err() {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = open.as_mut() else { break };
            if !matches!(open.ssh.try_wait(), Ok(None)) {
                let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
                let exit =
                    if said.contains("Permission denied") || said.contains("verification failed") {
                        Exit::NoPermission
                    } else {
                        Exit::NoDaemon
                    };
                let mut lines = said.trim_end().lines();
                let why = lines.next().unwrap_or("it said nothing");
                let complaint = Complaint::new(format!("ssh to {}: {why}", remote.host), exit);
                return Err(complaint.with_lines(lines));
            }
            if end.is_some_and(|end| Instant::now() > end) {
                let text = format!(
                    "timed out after {:?} connecting to {} by ssh",
                    timeout.unwrap_or_default(),
                    remote.host
                );
                return Err(Complaint::new(text, Exit::TimedOut));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Whether somebody is at the other end. ssh takes connections in any case, and ends those that
    /// lead nowhere.
    fn try_it(&self, remote: &Remote, timeout: Option<Duration>) -> Result<(), Complaint> {
        let client = Client::new(&self.path).timeout(timeout).max_idle(0).max_answer(LONGEST);
        match client.command("ping").call::<Reply>() {
            Err(Error::CutOff { received: 0, .. }) => Err(Complaint::no_daemon(format!(
                "no daemon at {} on {}, or you may not use its socket there",
                remote.path.display(),
                remote.host
            ))),
            // What else is wrong the call itself will say.
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

/// What ssh says, whole: it is shown if ssh fails.
fn words(stderr: ChildStderr) -> String {
    let lines = BufReader::new(stderr).split(b'\n').map_while(Result::ok);
    let lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands after `ssh://`: `[USER@]HOST[:PORT]/PATH`.
#[derive(Debug, PartialEq, Eq)]
struct Remote {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    path: PathBuf,
}

impl Remote {
    fn read(address: &str) -> Result<Self, Complaint> {
        let form = "write ssh://[USER@]HOST[:PORT]/PATH";
        let bad = |why: &str| Complaint::usage(format!("ssh://{address}: {why}; {form}"));
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
        let port = port.map(str::parse).transpose().map_err(|_| bad("that is no port"))?;
        // ssh would take it for an option.
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('-');
        if !is_name(host)
            || user.as_deref().is_some_and(|user| !is_name(user) || user.contains(':'))
        {
            return Err(bad("that is no host, or no user"));
        }
        let path = decoded(path).ok_or_else(|| bad("% stands before two hexadecimal digits"))?;
        if path.is_empty() || path.contains(&b':') || path.contains(&0) {
            return Err(bad("the path is missing, or has a colon, which ssh takes for its own"));
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
            // There is nobody to ask.
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

/// `%2F` and the like, as RFC 3986 has them.
fn decoded(text: &str) -> Option<Vec<u8>> {
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
    fn an_address_is_read() {
        let read = |address| Remote::read(address).unwrap();
        let Remote { user, host, port, path } = read("me@host.example:2222/run/hitd.sock");
        assert_eq!((user.as_deref(), &*host, port), (Some("me"), "host.example", Some(2222)));
        assert_eq!(path.to_str(), Some("/run/hitd.sock"));
        let Remote { user, host, port, path } = read("[::1]/a%20b%2fc");
        assert_eq!((user, &*host, port, path.to_str()), (None, "::1", None, Some("/a b/c")));
        assert_eq!(read("[::1]:22/x").port, Some(22));
    }

    #[test]
    fn what_is_no_address_is_refused() {
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
    fn nothing_in_an_address_is_an_option_of_ssh() {
        let remote = Remote::read("me@host/x").unwrap();
        let command = remote.command("/here".as_ref());
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words[words.len() - 6..], ["-l", "me", "-L", "/here:/x", "--", "host"]);
    }
}
