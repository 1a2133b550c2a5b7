//! The daemon that is called.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::unistd::{Uid, User};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::args::Common;
use super::error::{CliError, note};
use super::exit::Exit;
use super::interface::Interface;
use super::output::escaped;
use super::own::Program;
use super::socket::{self, Socket};
use super::ssh::Tunnel;
use super::wait::{Failed, Wait};
use crate::client::{self, Client, Deadline};
use crate::error::{Error, Result};
use crate::sys;

/// The longest answer that is held in memory, in bytes: one with several parts, or for JSON output.
const MAX_ANSWER: usize = 1 << 30;

/// Which daemons the program is for.
pub(super) enum Target {
    /// One daemon with a fixed path.
    Own(Rc<Program>),
    /// The daemon that the command line names.
    Any,
}

impl Target {
    /// Returns the daemon's own program.
    pub(super) fn own(&self) -> Option<&Rc<Program>> {
        match self {
            Self::Own(program) => Some(program),
            Self::Any => None,
        }
    }
}

/// A daemon, and the tunnel to it if it is on another machine.
pub(super) struct Daemon {
    pub(super) client: Client,
    /// The name for prompts and rows.
    pub(super) name: String,
    /// Whether the socket comes from the environment and not from the command line.
    pub(super) is_preset: bool,
    /// The program, if it is the daemon's own.
    pub(super) own: Option<Rc<Program>>,
    tunnel: Option<Tunnel>,
    /// The users of `--require-owner`.
    owners: Vec<u32>,
    /// The user who listens, by the last connection.
    listener: Arc<Mutex<Option<u32>>>,
    /// The end of `--timeout`.
    pub(super) deadline: Option<Deadline>,
}

/// How long a daemon may take to answer the program's own questions, without `--timeout`.
pub(super) const OWN_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer to such a question that is read, in bytes, unless it describes commands.
pub(super) const OWN_MAX_ANSWER: usize = 64 * 1024;

impl Daemon {
    /// Finds the daemon, and waits for it with `--wait`. If the first of the words is its socket,
    /// removes that word.
    pub(super) fn find(
        target: &Target,
        common: &Common,
        words: &mut Vec<OsString>,
    ) -> std::result::Result<Self, CliError> {
        let deadline = common.timeout.and_then(Deadline::after);
        let (text, is_preset) = match target {
            Target::Own(own) => (own.path.clone().into_os_string(), false),
            Target::Any => socket::take(common.socket.clone(), words)?,
        };
        let socket = || match target {
            Target::Own(own) => Ok(Socket::Local(own.path.clone())),
            Target::Any => Socket::read(&text),
        };
        let Some(time) = common.wait else {
            return Self::reach(target, socket()?, common, is_preset, deadline, None);
        };
        let wait = Wait::new(time, deadline);
        wait.attempt(|| {
            let socket = socket().map_err(|error| match error.exit {
                Exit::NoDaemon => Failed::ForNow(error),
                _ => Failed::ForGood(error),
            })?;
            let daemon = Self::reach(target, socket, common, is_preset, deadline, Some(wait));
            let daemon = daemon.map_err(Failed::ForGood)?;
            // A tunnel has waited already: a new one might ask for a password again.
            if daemon.tunnel.is_none() {
                wait.ask(&daemon.client)?;
            }
            Ok(daemon)
        })
    }

    fn reach(
        target: &Target,
        socket: Socket,
        common: &Common,
        is_preset: bool,
        deadline: Option<Deadline>,
        wait: Option<Wait>,
    ) -> std::result::Result<Self, CliError> {
        let owners = common.owners()?;
        let (path, name, tunnel) = match socket {
            Socket::Local(path) => {
                let name = path.file_stem().unwrap_or(path.as_os_str());
                let name = escaped(name.to_string_lossy().trim_start_matches('@')).into_owned();
                (path, name, None)
            }
            Socket::Ssh(address) => {
                if !owners.is_empty() {
                    return Err(owner_is_far());
                }
                let tunnel = Tunnel::open(&address, deadline, wait)?;
                (tunnel.path().to_owned(), escaped(&address).into_owned(), Some(tunnel))
            }
        };
        let client = client(&path, &owners).until(deadline).max_answer(MAX_ANSWER);
        // ssh has no lock file, and the tunnel has identified the daemon already.
        let client = if tunnel.is_some() { client.only_dockipc(true) } else { client };
        // Without --timeout, a command may take any time.
        let client = client.read_timeout(None);
        let client = match &common.token_file {
            _ if common.sends_no_token => client,
            Some(file) => client.token_file(file),
            // The peer of the tunnel is ssh, so that the daemon's owner can't be checked.
            None if tunnel.is_some() => client.without_token_from_env(),
            None => client.token_from_env(),
        };
        let client = if common.verbose { noting_connections(client, &path) } else { client };
        let listener = Arc::new(Mutex::new(None));
        let last = Arc::clone(&listener);
        let client = client.on_connect(move |stream| {
            let user = Listener::of(stream).map(|by| by.uid);
            *last.lock().unwrap_or_else(PoisonError::into_inner) = user;
        });
        let own = target.own().cloned();
        Ok(Self { client, name, is_preset, own, tunnel, owners, listener, deadline })
    }

    /// Returns a client for questions of the program itself, with a time limit also without
    /// `--timeout`.
    pub(super) fn questions(&self) -> Client {
        let end = self.deadline.or_else(|| Deadline::after(OWN_TIMEOUT));
        self.client.clone().until(end)
    }

    /// Asks the daemon for all commands. If the daemon does not run, returns those that are linked into its
    /// own program, if the program may show them.
    pub(super) fn interface(&self, client: &Client) -> Result<Interface> {
        Interface::of(client).or_else(|error| self.instead_of(error))
    }

    /// Returns the commands that are linked into the daemon's own program if the error says that the daemon
    /// does not run.
    pub(super) fn instead_of(&self, error: Error) -> Result<Interface> {
        let is_linked = self.own.as_ref().is_some_and(|own| own.is_linked);
        if is_linked && matches!(error, Error::NoSocket { .. } | Error::Stale { .. }) {
            return Interface::linked();
        }
        Err(error)
    }

    /// Returns a client for a prompt, where `--timeout` limits each command.
    pub(super) fn each_limited(&self) -> Client {
        self.client.clone().until(None).timeout(self.deadline.map(|end| end.limit))
    }

    /// Sleeps between two commands, at most until the deadline.
    pub(super) fn pause(&self, time: Duration) -> std::result::Result<(), CliError> {
        let Some(end) = self.deadline.filter(|end| end.left() < time) else {
            thread::sleep(time);
            return Ok(());
        };
        thread::sleep(end.left());
        Err(CliError::new(format!("timed out after {:?}", end.limit), Exit::TimedOut))
    }

    /// Returns standard input, which can be read until the deadline.
    pub(super) fn input(&self) -> Input<io::Stdin> {
        Input { file: io::stdin(), deadline: self.deadline }
    }

    /// Returns standard input without a buffer of its own.
    pub(super) fn unbuffered_input(&self) -> io::Result<Input<File>> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Input { file, deadline: self.deadline })
    }

    /// Opens a file, which can be read until the deadline, also if it is a pipe without a writer.
    pub(super) fn file(&self, path: &Path) -> io::Result<Input<File>> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        Ok(Input { file, deadline: self.deadline })
    }

    /// Returns the reason, which begins with `what`, if the daemon must not get the caller's environment.
    pub(super) fn withheld(&self, what: &str) -> Option<String> {
        if !self.owners.is_empty() {
            return None;
        }
        match self.listener_user() {
            Some(user) => client::withheld(what, user),
            None => Some(format!("{what}: the listener's user is unknown")),
        }
    }

    /// Returns a client for a call with the environment, which only daemons of root and of this process's user get,
    /// and those that the caller requires.
    pub(super) fn only_trusted(&self, client: &Client) -> Client {
        let client = client.clone();
        match sys::effective_user() {
            _ if !self.owners.is_empty() => client,
            0 => client.require_owner(0),
            user => client.require_owner(0).require_owner(user),
        }
    }

    fn listener_user(&self) -> Option<u32> {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the daemon is on another machine.
    pub(super) fn is_far(&self) -> bool {
        self.tunnel.is_some()
    }

    /// Keeps the tunnel open on SIGINT, which the caller handles from now on.
    pub(super) fn ignore_interrupts(&self) {
        if let Some(tunnel) = &self.tunnel {
            tunnel.ignore_interrupts();
        }
    }
}

/// Standard input or a file, unbuffered. Reading fails after the deadline.
pub(super) struct Input<F> {
    file: F,
    deadline: Option<Deadline>,
}

impl<F: AsFd> AsFd for Input<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<F: AsFd> Read for Input<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self).read(bytes)
    }
}

impl<F: AsFd> Read for &Input<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.deadline.and_then(|end| Timespec::try_from(end.left()).ok());
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut fds, left.as_ref())? == 0 {
                let limit = self.deadline.map(|end| end.limit).unwrap_or_default();
                let text = format!("timed out after {limit:?}");
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            match rustix::io::read(&self.file, &mut *bytes) {
                Err(Errno::AGAIN) => {}
                read => return Ok(read?),
            }
        }
    }
}

/// Returns a client that tells who listens at each new connection.
fn noting_connections(client: Client, path: &Path) -> Client {
    let path = path.to_owned();
    client.on_connect(move |stream| {
        let listener = Listener::of(stream).map_or_else(String::new, |by| format!(": {by}"));
        note(format_args!("connected to {}{listener}", path.display()));
    })
}

/// The process that listens, as the kernel recorded it at listen(2).
pub(super) struct Listener {
    /// 0 if it is not visible in this PID namespace.
    pub(super) pid: u32,
    pub(super) uid: u32,
}

impl Listener {
    pub(super) fn of(stream: &UnixStream) -> Option<Self> {
        let [pid, uid, _] = sys::peer_credentials(stream.as_fd()).ok()?;
        Some(Self { pid, uid })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, uid } = self;
        if *pid == 0 {
            f.write_str("a process that is not visible here")?;
        } else {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            let name = name.as_ref().map_or("which has ended", |name| name.trim_end());
            write!(f, "process {pid} ({name})")?;
        }
        write!(f, " of {}", user(*uid))
    }
}

/// Returns a user's name and number, or the number alone.
pub(super) fn user(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)).ok().flatten() {
        Some(user) => format!("{} (uid {uid})", user.name),
        None => format!("uid {uid}"),
    }
}

/// Returns the error for a required owner of a socket that is reached through ssh.
pub(super) fn owner_is_far() -> CliError {
    CliError::usage(
        "cannot check the owner of a socket on another machine: leave out --require-owner and unset \
         DOCKIPC_REQUIRE_OWNER",
    )
}

/// Returns a client of dockipc daemons that, if `owners` are given, sends nothing to daemons of other
/// users.
pub(super) fn client(path: &Path, owners: &[u32]) -> Client {
    let client = Client::new(path).only_dockipc(socket::has_lock(path));
    owners.iter().fold(client, |client, owner| client.require_owner(*owner))
}
