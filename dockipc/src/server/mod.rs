//! Building a server.

mod handle;
mod limits;

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::access::{Access, Guesses, Pattern};
use crate::audit::{Audit, Record};
use crate::commands::{Command, Mounted, Rules, Table};
use crate::config::Config;
use crate::counters::Counters;
use crate::dispatch::Service;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::handler::Handler;
use crate::listener::{self, SocketMode};
use crate::reply::IntoReply;
use crate::request::Request;
use crate::signals::{Arrivals, Signals};
use crate::state::{State, States};

pub use self::handle::Handle;

/// What a daemon's socket offers, before it runs.
///
/// Every `#[command]` in the program is part of it by itself.
///
/// ```no_run
/// # struct Notes; impl Notes { fn open() -> Self { Notes } }
/// fn main() -> dockipc::Result<()> {
///     dockipc::Server::new().state(Notes::open()).mode(0o660).run("/run/notesd.sock")
/// }
/// ```
#[must_use = "a server does nothing until it is run"]
pub struct Server {
    states: States,
    mounted: Vec<(String, Mounted)>,
    fallback: Option<Arc<dyn Handler>>,
    /// The mode of the first path, if it was set.
    mode: Option<u32>,
    rules: Rules,
    token_file: Option<PathBuf>,
    audit: Option<Audit>,
    config: Config,
    signals: bool,
    /// The paths but the first.
    others: Vec<(PathBuf, SocketMode)>,
    open_to_all: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server with every `#[command]` of the program.
    pub fn new() -> Self {
        Self {
            states: States::default(),
            mounted: Vec::new(),
            fallback: None,
            mode: None,
            rules: Rules::default(),
            token_file: None,
            audit: None,
            config: Config::default(),
            signals: true,
            others: Vec::new(),
            open_to_all: false,
        }
    }

    /// A server in which this closure answers: `Server::new().fallback(handler)`.
    ///
    /// It gets every word but those that the protocol needs (`hello`, `quit`, …), the built-in
    /// `ping`, `echo`, `info` and `help`, and the names of commands.
    ///
    /// ```
    /// use dockipc::Server;
    ///
    /// let daemon = Server::with_handler(|request| request.name().to_uppercase())
    ///     .spawn_in_process()?;
    /// assert_eq!(daemon.client().send("hurra")?, b"HURRA");
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn with_handler<F, R>(handler: F) -> Self
    where
        F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        Self::new().fallback(handler)
    }

    /// Gives the commands a value; they take it as [`State<T>`](crate::State). One for each type.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.add(State::new(value));
        self
    }

    /// Like [`state`](Self::state), for a value that the program itself uses as well.
    ///
    /// ```
    /// use dockipc::{Server, State};
    /// use std::sync::atomic::AtomicU64;
    ///
    /// let hits = State::new(AtomicU64::new(0));
    /// let server = Server::new().share(hits.clone());
    /// ```
    pub fn share<T: Send + Sync + 'static>(mut self, value: State<T>) -> Self {
        self.states.add(value);
        self
    }

    /// Adds a command by hand: a closure. It gets its words as they are and has no help.
    ///
    /// The name follows the same rules as in `#[command("name")]`, checked when the server starts.
    #[track_caller]
    pub fn handle<F, R>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        self.mount(name, handler)
    }

    /// Like [`handle`](Self::handle), for a type that implements [`Handler`].
    #[track_caller]
    pub fn mount(mut self, name: impl Into<String>, handler: impl Handler) -> Self {
        let place = Location::caller();
        let place = format!("{}:{}", place.file(), place.line());
        self.mounted.push((name.into(), Mounted { handler: Arc::new(handler), place }));
        self
    }

    /// Answers what no command has the name of. Without one that is `-UNKNOWN`.
    ///
    /// [`Request::name`] is then the first word as it was sent, which may be in capitals.
    pub fn fallback<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        self.fallback = Some(Arc::new(handler));
        self
    }

    /// Sets the mode of the socket: who can connect. Default 0666, which is every user of the machine.
    ///
    /// 0660 narrows it to the daemon's user and group, 0600 to its user.
    ///
    /// A socket that systemd passes keeps the mode that it has (`SocketMode=` in the unit, 0666 by
    /// default). Where this was called, a start with one to which more users can connect is refused:
    /// [`Error::PassedMode`].
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Says who may run the commands with these names: `Server::new().allow("stop-*", "group:adm")`.
    ///
    /// In `names`, `*` stands for any characters and `?` for one; `*` alone is also for what the
    /// fallback answers. The rule is written as in `#[command("stop", allow = "uid:root | owner")]`
    /// (see [`#[command]`](crate::command)), and takes the place of one given there; of several
    /// that fit a name, the last one counts. The built-in `ping`, `echo`, `info` and `help` can be
    /// ruled, what the protocol needs (`hello`, `auth`, …) can't.
    ///
    /// Checked when the server starts: a rule that can't be read, that names a user or group who
    /// does not exist, or that is for no command at all is an [`Error::BadRule`]. So is a rule with
    /// the overflow id (65534, often `nobody` and `nogroup`) in a user namespace, where every user
    /// without a number has it.
    pub fn allow(mut self, names: impl Into<String>, rule: impl Into<String>) -> Self {
        self.rules.given.push((Pattern::new(names), rule.into()));
        self
    }

    /// What has no rule is for nobody. Without this it is for whoever can connect.
    ///
    /// The built-in commands stay open unless they are given a rule.
    pub fn default_deny(mut self) -> Self {
        self.rules.default_deny = true;
        self
    }

    /// Calls this for every decision about a command with a rule, before the command runs; it is not
    /// run if this returns an error or panics. See [`audit`](crate::audit). One for a server: the last
    /// one counts.
    pub fn audit<F>(mut self, hook: F) -> Self
    where
        F: Fn(&Record<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        self.audit = Some(Audit::new(hook));
        self
    }

    /// Serves at another path as well, where less is offered: an operator's socket and a read-only
    /// one, for example.
    ///
    /// ```no_run
    /// use dockipc::{Access, Server};
    ///
    /// let status = Access::only(["status", "list-*"]).mode(0o666);
    /// Server::new().mode(0o600).also_at("/run/hitd/status.sock", status).run("/run/hitd/hitd.sock")?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn also_at(mut self, path: impl Into<PathBuf>, access: Access) -> Self {
        let mode = SocketMode { given: access.mode, default: 0o600 };
        self.others.push((path.into(), mode));
        self.rules.offers.push(access.names);
        self
    }

    /// An abstract socket has no mode: every process in its network namespace can connect, whatever
    /// its user. Serving one without any rule about who may run what is refused, unless this says
    /// that it is meant.
    pub fn open_to_all(mut self) -> Self {
        self.open_to_all = true;
        self
    }

    /// The file whose first line is the token. Who gives it may run what has a rule with `token`:
    /// for clients that their uid does not tell apart.
    ///
    /// The file is read once, when the server starts. It must be a regular file (no symbolic link)
    /// that is owned by the daemon's user, or root, and that nobody else may use: mode 0600 or 0400.
    /// No other user may be able to replace it: the directories on its way belong to the daemon's
    /// user or root, and only their owners can write to them (or they are sticky, as `/tmp`).
    /// The token has 16 to 1024 bytes, any but a line end; make it of random ones:
    ///
    /// ```sh
    /// (umask 077; head -c 32 /dev/urandom | base64 > /etc/hitd.token)
    /// ```
    ///
    /// A client gives it with `AUTH token`, `AUTH user token` or `HELLO 3 AUTH user token`, as it
    /// would give Redis a password; the user's name is of no account. `RESET` takes it back. Ours
    /// does so with [`Client::token_file`](crate::Client::token_file). Over a line it can't be
    /// given, since a line is the only one of its connection.
    ///
    /// A wrong one is answered `-WRONGPASS`, in a time that does not tell how wrong it was; the third
    /// wrong one ends the connection. Each is recorded as a denied `auth`, without what was sent: see
    /// [`audit`](crate::audit).
    ///
    /// After ten wrong ones of a uid, over any number of connections, each further one is followed by a
    /// pause: 125 ms, then twice as long each time, up to [`auth_pause`](Self::auth_pause). In the pause
    /// that uid's tokens are answered `-BUSY` at once and not compared, and the first of them is
    /// recorded. Other uids do not wait, and root and the daemon's user are treated like all. A uid is
    /// forgotten after a minute without a wrong token.
    ///
    /// The reasons for this form: a pause that only wrong tokens had would not slow down guessing over
    /// many connections, since the right one would be the one that is answered at once. An answer that
    /// is delayed holds a connection. To lock the uid out, as `pam_faillock(8)` does, would let one of
    /// its programs shut out the others for long; so the pauses are short, like those of
    /// `pam_faildelay(8)`, and a refusal tells when to try again, like the penalties of `sshd(8)`. They
    /// bound the guesses and the size of the audit; that the token can't be guessed is due to its length.
    ///
    /// # Errors
    /// When the server starts: [`Error::BadTokenFile`] if the file can't be used or no rule has
    /// `token`; [`Error::BadRule`] if one has, and there is no file.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }

    /// Whether [`run`](Self::run) stops the server at SIGTERM and SIGINT. Default: yes. If not,
    /// signals are the author's: a process that a signal ends leaves its socket there, and the next
    /// start replaces it.
    pub fn signals(mut self, on: bool) -> Self {
        self.signals = on;
        self
    }

    /// Serves at a path until SIGTERM or SIGINT comes, and then stops as with
    /// [`Handle::shutdown`]. A second signal stops without waiting for commands; a third one ends the
    /// process as if nobody handled it. See [`signals`](Self::signals).
    ///
    /// The service manager is told when clients can connect and when the server stops,
    /// `sd_notify(3)`.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn). [`Error::Unfinished`] if commands were running that were not
    /// waited for.
    pub fn run(self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let signals = if self.signals { Some(Signals::take()) } else { None };
        let (signals, arrivals) = signals.transpose().map_err(|e| e.at(path))?.unzip();
        let handle = self.start(path, arrivals)?;
        handle.say_ready();
        let unfinished = handle.join();
        drop(signals);
        if unfinished.is_empty() { Ok(()) } else { Err(Error::Unfinished(unfinished)) }
    }

    /// Serves at a path, in threads of its own, until the handle is dropped or told to stop.
    ///
    /// When this returns, clients can connect.
    ///
    /// There is a lock beside the socket, `PATH.lock`: who has it is the one daemon at the path. The
    /// file stays there. A socket that somebody removes or moves away comes back, also with its
    /// directory; what somebody else has put there is left alone.
    ///
    /// Use a directory that only the daemon's user can write to, such as `/run/NAME`. Another user who
    /// can change the names in the directory, or in one above it, can put a socket of their own at the
    /// path; they can change nothing else. The start says so in one line on standard error, and the
    /// path is then looked at every two seconds only, so that removing the socket over and over costs
    /// the daemon little. A symbolic link of another user on the way to the directory is not followed:
    /// the start is refused. So it is if another user's file has the name of the lock or of the socket
    /// ([`Error::InTheWay`]).
    ///
    /// A path that begins with `@` is the abstract name that follows, unix(7). Such a socket is no
    /// file and has no mode: see [`open_to_all`](Self::open_to_all). (`./@x` is a file.)
    ///
    /// If systemd has passed a socket with this path to the process, `sd_listen_fds(3)`, that one is
    /// served, and nothing is done to the path.
    ///
    /// # Errors
    /// A daemon already answers at the path, something else than a socket is there, or the path
    /// can't be used; two commands have one name; a command wants a state that was not given.
    pub fn spawn(self, path: impl AsRef<Path>) -> Result<Handle> {
        self.start(path.as_ref(), None)
    }

    fn start(self, path: &Path, signals: Option<Arrivals>) -> Result<Handle> {
        let mode = SocketMode { given: self.mode, default: 0o666 };
        let mut paths = vec![(path.to_owned(), mode)];
        paths.extend_from_slice(&self.others);
        let open_to_all = self.open_to_all;
        let service = self.service()?;
        if !open_to_all && !service.table.has_rules() {
            let is_abstract =
                |(path, _): &&(PathBuf, _)| path.as_os_str().as_bytes().starts_with(b"@");
            if let Some((path, _)) = paths.iter().find(is_abstract) {
                return Err(Error::OpenToAll { path: path.clone() });
            }
        }
        let mut published = Vec::new();
        for (path, mode) in paths {
            published.push(listener::publish(&path, mode).map_err(|e| e.at(&path))?);
        }
        let engine = Engine::start(service, published, signals).map_err(|e| e.at(path))?;
        Ok(Handle::new(engine))
    }

    /// Serves without a path, for tests: [`Handle::client`] and [`Handle::connect`] reach it
    /// through socket pairs.
    ///
    /// ```standalone_crate
    /// use dockipc::{Server, command};
    ///
    /// #[command("double")]
    /// fn double(n: u64) -> u64 {
    ///     n * 2
    /// }
    ///
    /// let daemon = Server::new().spawn_in_process()?;
    /// assert_eq!(daemon.client().command("double").arg(21).call::<u64>()?, 42);
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn), less what is about the path.
    pub fn spawn_in_process(self) -> Result<Handle> {
        let engine = Engine::start(self.service()?, Vec::new(), None)?;
        Ok(Handle::new(engine))
    }

    /// Checks everything that was given, and makes what the connections share.
    pub(crate) fn service(self) -> Result<Arc<Service>> {
        let commands = inventory::iter::<Command>;
        let table = Table::new(commands, self.mounted, self.fallback, &self.states, &self.rules)?;
        let token = table.token(self.token_file.as_deref())?;
        Ok(Arc::new(Service {
            table,
            states: self.states,
            token,
            guesses: Mutex::new(Guesses::new(self.config.times.auth_pause)),
            audit: self.audit,
            config: self.config.at_start(),
            counters: Counters::new(),
        }))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("mode", &self.mode).finish_non_exhaustive()
    }
}
