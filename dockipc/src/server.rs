//! Building a server, and the handle of a running one.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::access::{Access, Guesses, Pattern, Token};
use crate::audit::{Audit, Record};
use crate::client::Client;
use crate::engine::Engine;
use crate::error::{Error, Failure, Result, Unfinished, code};
use crate::handler::Handler;
use crate::listener::{self, SocketMode};
use crate::registry::Command;
use crate::reply::IntoReply;
use crate::request::Request;
use crate::router::{Router, Rules, Target};
use crate::signals::{Arrivals, Signals};
use crate::state::{State, States};
use crate::sys;
use crate::wire::Limits;

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
    handlers: Vec<(String, Target)>,
    fallback: Option<Arc<dyn Handler>>,
    /// The mode of the first path, if it was set.
    mode: Option<u32>,
    rules: Rules,
    token_file: Option<PathBuf>,
    audit: Option<Audit>,
    limits: Limits,
    times: Times,
    max_connections: usize,
    reserved_connections: usize,
    per_user: PerUser,
    max_threads: Option<usize>,
    signals: bool,
    /// The paths but the first.
    others: Vec<(PathBuf, SocketMode)>,
    open_to_all: bool,
}

/// What one user may have. None is no limit.
#[derive(Clone, Copy, Default)]
pub(crate) struct PerUser {
    pub(crate) connections: Option<usize>,
    /// No limit of connections was set: it is half of what there is, and root and the daemon's user
    /// have none.
    pub(crate) spares_operators: bool,
    /// The daemon's user.
    pub(crate) owner: u32,
    /// Slow commands that run or wait for a thread.
    pub(crate) running: Option<usize>,
    /// Bytes of commands and answers that wait in connections.
    pub(crate) bytes: Option<usize>,
}

impl PerUser {
    /// Whether this is root or the daemon's user.
    pub(crate) fn is_operator(&self, uid: u32) -> bool {
        uid == 0 || uid == self.owner
    }

    /// How many connections this user may have.
    pub(crate) fn connections_of(&self, uid: u32) -> Option<usize> {
        self.connections.filter(|_| !self.spares_operators || !self.is_operator(uid))
    }
}

/// How long things may take. None is no limit.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// A command to arrive.
    pub(crate) arrival: Option<Duration>,
    /// Between an answer and the next command.
    pub(crate) idle: Option<Duration>,
    /// An answer to be taken.
    pub(crate) write: Option<Duration>,
    /// The token to be given.
    pub(crate) auth: Option<Duration>,
    /// The longest pause after wrong tokens.
    pub(crate) auth_pause: Option<Duration>,
    /// A command to run.
    pub(crate) run: Option<Duration>,
    /// Waiting for a thread or a descriptor.
    pub(crate) busy: Duration,
    /// Commands to end when the server stops.
    pub(crate) shutdown: Duration,
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
            handlers: Vec::new(),
            fallback: None,
            mode: None,
            rules: Rules::default(),
            token_file: None,
            audit: None,
            limits: Limits { line: 4096, command: 1 << 20 },
            times: Times {
                arrival: Some(Duration::from_secs(30)),
                idle: None,
                write: Some(Duration::from_secs(60)),
                auth: Some(Duration::from_secs(10)),
                auth_pause: Some(Duration::from_secs(2)),
                run: None,
                busy: Duration::from_secs(10),
                shutdown: Duration::from_secs(5),
            },
            max_connections: usize::MAX,
            reserved_connections: 8,
            per_user: PerUser { spares_operators: true, ..PerUser::default() },
            max_threads: None,
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
        let target = Target::Handler { handler: Arc::new(handler), place };
        self.handlers.push((name.into(), target));
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
        self.rules.doors.push(access.names);
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

    /// How long after it connected a client may give the token. Default 10 s; `None` is no limit.
    /// Later it is answered `-TIMEOUT`, and has to connect anew.
    pub fn auth_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.times.auth = limit.into();
        self
    }

    /// The longest pause after many wrong tokens of one user: see [`token_file`](Self::token_file).
    /// Default 2 s. `None` is no pause: then nothing bounds how many guesses are looked at and recorded.
    pub fn auth_pause(mut self, longest: impl Into<Option<Duration>>) -> Self {
        self.times.auth_pause = longest.into();
        self
    }

    /// The longest line in bytes, with its `\n`. Default 4096. A longer one is answered `-TOOBIG`.
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.limits.line = bytes.max(2);
        self
    }

    /// The longest RESP command in bytes, all of it. Default 1 MiB. A longer one is passed over and
    /// answered `-TOOBIG`; the connection goes on.
    pub fn max_command(mut self, bytes: usize) -> Self {
        self.limits.command = bytes.max(64);
        self
    }

    /// How many connections are served at a time. Default: no limit but the system's. One more is
    /// answered `-BUSY`. The last few are for root and the daemon's user alone: see
    /// [`reserved_connections`](Self::reserved_connections).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Limits how many connections of one user are served at a time, so that no user takes them all.
    /// One more is answered `-BUSY`. A number given here holds for every user; `None` is no limit.
    ///
    /// Default: half of the descriptors that the process can still open when the server starts
    /// (`RLIMIT_NOFILE` less those that are open), or half of
    /// [`max_connections`](Self::max_connections) if that is fewer. Of the usual 1024 descriptors that
    /// is about 500. Root and the daemon's user, which is the effective one at start, have no limit by
    /// default. So there is none where all clients have one uid, as in many containers: set a number.
    ///
    /// ```
    /// # use dockipc::Server;
    /// let few = Server::new().max_connections_per_user(64);
    /// let unlimited = Server::new().max_connections_per_user(None);
    /// ```
    pub fn max_connections_per_user(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.per_user.connections = connections.into();
        self.per_user.spares_operators = false;
        self
    }

    /// Keeps this many connections for root and the daemon's user, so that an operator gets in when
    /// others have taken everything. Default 8, and at most a quarter of what there is (see
    /// [`max_connections_per_user`](Self::max_connections_per_user)). 0 keeps none.
    ///
    /// The server holds as many descriptors open, and gives one up when no other is left. Any other
    /// user's connection is then answered `-BUSY` and closed at once. With 0 it waits for a descriptor:
    /// see [`busy_timeout`](Self::busy_timeout). In a server with
    /// [`max_connections`](Self::max_connections), the last ones of these are kept.
    pub fn reserved_connections(mut self, connections: usize) -> Self {
        self.reserved_connections = connections;
        self
    }

    /// How many slow commands of one user may run or wait for a thread at a time. Default: no limit.
    /// One more is answered `-BUSY`. A command is slow once it was seen to last; the run in which that is
    /// seen counts, and may be one too many.
    pub fn max_running_per_user(mut self, commands: usize) -> Self {
        self.per_user.running = Some(commands);
        self
    }

    /// How many bytes may wait in the connections of one user: commands that are not whole yet, and
    /// answers that are not taken. They may take twice as much memory. Default: no limit. A connection
    /// that goes over it is answered `-BUSY` and ended; one in the middle of an answer is cut off.
    pub fn max_bytes_per_user(mut self, bytes: usize) -> Self {
        self.per_user.bytes = Some(bytes);
        self
    }

    /// How many threads the server may have. Commands that block take one each; beyond the limit
    /// they wait ([`busy_timeout`](Self::busy_timeout)). At least 3: one waits for clients, one
    /// watches it, one runs what blocks. A command that blocks for the first time may take one more.
    /// Default: an eighth of `vm.max_map_count` (8191 where that is 65530), since a process with too
    /// many threads is aborted.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = Some(threads.max(3));
        self
    }

    /// How long a command may take to arrive, from its first byte to its last. Default 30 s; `None`
    /// is no limit. Then it is answered `-TIMEOUT`, nothing is run, and the connection ends.
    pub fn arrival_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.times.arrival = limit.into();
        self
    }

    /// How long a connection may have no command. Default: no limit. Then it is closed; a client
    /// that has sent nothing at all, and so may wait for a line, is told `-TIMEOUT`.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.times.idle = limit.into();
        self
    }

    /// How long a client may take for its answers, from when it stopped reading until all are
    /// taken. Default 60 s; `None` is no limit. Then it is cut off.
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.times.write = limit.into();
        self
    }

    /// How long a client waits for a command that runs. Default: no limit. Then it is told
    /// `-TIMEOUT`. The command can't be interrupted: it runs on, and what it returns is dropped. The
    /// connection's next command waits for its end.
    pub fn run_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.times.run = limit.into();
        self
    }

    /// How long a command waits for a thread when all are taken, and a new connection for a
    /// descriptor when the process has no more, not even
    /// [reserved ones](Self::reserved_connections). Default 10 s. Then it is told `-BUSY`, and was not
    /// run.
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.times.busy = limit;
        self
    }

    /// How long commands may go on when the server stops. Default 5 s. See [`Handle::shutdown`].
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.times.shutdown = limit;
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
        handle.engine.say_ready();
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
        let paths = [(path.to_owned(), mode)].into_iter().chain(self.others.clone());
        let paths: Vec<_> = paths.collect();
        let open_to_all = self.open_to_all;
        let shared = self.shared()?;
        if !open_to_all && !shared.router.has_rules() {
            let is_abstract =
                |(path, _): &&(PathBuf, _)| path.as_os_str().as_bytes().starts_with(b"@");
            if let Some((path, _)) = paths.iter().find(is_abstract) {
                return Err(Error::OpenToAll { path: path.clone() });
            }
        }
        let publish = |(path, mode): &(PathBuf, SocketMode)| {
            listener::publish(path, *mode).map_err(|e| e.at(path))
        };
        let published = paths.iter().map(publish).collect::<Result<_>>()?;
        let engine = Engine::start(shared, published, signals).map_err(|e| e.at(path))?;
        Ok(Handle { engine: Arc::new(engine) })
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
        let engine = Engine::start(self.shared()?, Vec::new(), None)?;
        Ok(Handle { engine: Arc::new(engine) })
    }

    pub(crate) fn shared(self) -> Result<Arc<Shared>> {
        let commands = inventory::iter::<Command>;
        let router = Router::new(commands, self.handlers, self.fallback, self.states, &self.rules)?;
        let token = router.token(self.token_file.as_deref())?;
        let free = free_descriptors();
        let most = free.min(self.max_connections);
        let mut per_user = PerUser { owner: sys::effective_user(), ..self.per_user };
        if per_user.spares_operators {
            per_user.connections = Some((most / 2).max(1));
        }
        Ok(Arc::new(Shared {
            router,
            token,
            guesses: Mutex::new(Guesses::new(self.times.auth_pause)),
            audit: self.audit,
            limits: self.limits,
            times: self.times,
            max_connections: self.max_connections,
            reserved_connections: self.reserved_connections.min(most / 4),
            max_refused: (free / 8).min(64),
            per_user,
            max_threads: self.max_threads.unwrap_or_else(most_threads),
            started: Instant::now(),
            connections: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        }))
    }
}

/// How many descriptors this process can still open.
fn free_descriptors() -> usize {
    let limit = sys::descriptor_limit().unwrap_or(usize::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    limit.saturating_sub(open)
}

/// A thread takes up to four mappings (its stack and guard page, its heap), and a process that
/// wants more mappings than `vm.max_map_count` is aborted: half of them are left to the author.
fn most_threads() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit = limit.ok().and_then(|text| text.trim().parse::<usize>().ok());
    (limit.unwrap_or(65_530) / 8).max(16)
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) router: Router,
    pub(crate) token: Option<Token>,
    /// Invariant: locked for the time of a lookup, never over the author's code.
    pub(crate) guesses: Mutex<Guesses>,
    pub(crate) audit: Option<Audit>,
    pub(crate) limits: Limits,
    pub(crate) times: Times,
    max_connections: usize,
    /// For root and the daemon's user alone.
    pub(crate) reserved_connections: usize,
    /// So many connections that are turned away may stay for a moment to show how they speak. Others
    /// are told at once, so that they use up no descriptors.
    pub(crate) max_refused: usize,
    pub(crate) per_user: PerUser,
    pub(crate) max_threads: usize,
    pub(crate) started: Instant,
    connections: AtomicUsize,
    accepted: AtomicU64,
    commands: AtomicU64,
}

impl Shared {
    /// Counts a connection of a user that came; gives its number, and why it is one too many if it
    /// is. Such a one does not count as open.
    pub(crate) fn count_connection(&self, uid: u32) -> (u64, Result<(), Failure>) {
        let id = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let kept = if self.per_user.is_operator(uid) { 0 } else { self.reserved_connections };
        let most = self.max_connections - kept;
        if self.connections.fetch_add(1, Ordering::Relaxed) < most {
            return (id, Ok(()));
        }
        self.count_end();
        (id, Err(too_many(most, kept)))
    }

    pub(crate) fn count_end(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts commands that were answered. Only with the engine's lock held: a plain sum is
    /// cheaper than an atomic one.
    pub(crate) fn count_commands(&self, more: u64) {
        self.commands.store(self.commands.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// Open connections, connections so far, commands so far.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        (
            self.connections.load(Ordering::Relaxed),
            self.accepted.load(Ordering::Relaxed),
            self.commands.load(Ordering::Relaxed),
        )
    }
}

#[cold]
fn too_many(most: usize, kept: usize) -> Failure {
    let more = match kept {
        0 => String::new(),
        _ => format!(" ({kept} more are reserved for root and the daemon's user)"),
    };
    Failure::new(code::BUSY, format_args!("too many connections: {most} at most{more}; try again"))
}

/// A running server. It stops when this is dropped.
#[must_use = "the server stops when its handle is dropped"]
pub struct Handle {
    engine: Arc<Engine>,
}

impl Handle {
    /// Tells the server to stop, and returns at once. To call it twice is the same as once.
    ///
    /// Its socket is removed if that is still its own, so that another daemon can start at the path.
    /// Connections at rest are closed. Commands that have arrived are answered, and commands that run
    /// may go on for [`shutdown_timeout`](Server::shutdown_timeout). Whoever has no answer by then is
    /// told `-SHUTDOWN`, and whether the command was run.
    pub fn shutdown(&self) {
        self.engine.stop(self.engine.times().shutdown);
    }

    /// Waits until the server has stopped, which is after [`shutdown`](Self::shutdown). Returns the
    /// commands that were still running, and were not waited for; their threads end with them.
    ///
    /// Inside a command it returns at once.
    pub fn join(&self) -> Vec<Unfinished> {
        self.engine.join()
    }

    /// A client of this server that needs no path.
    pub fn client(&self) -> Client {
        let engine = Arc::downgrade(&self.engine);
        Client::in_process(move || match engine.upgrade() {
            Some(engine) => connect(&engine),
            None => Err(stopped()),
        })
    }

    /// A new connection to this server, for speaking bytes with it.
    ///
    /// # Errors
    /// No descriptor is left, or the server has stopped.
    pub fn connect(&self) -> Result<UnixStream> {
        connect(&self.engine)
    }
}

fn connect(engine: &Engine) -> Result<UnixStream> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|e| Error::io("opening a pair of sockets", e))?;
    sys::refuse_descriptors(ours.as_fd());
    sys::refuse_descriptors(theirs.as_fd());
    if engine.adopt(ours) { Ok(theirs) } else { Err(stopped()) }
}

fn stopped() -> Error {
    Error::io("connecting", io::Error::other("the server has stopped"))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shutdown();
        self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    const STRANGER: u32 = 12_345;

    #[test]
    fn last_connections_are_reserved_for_operators() {
        let server = Server::new().max_connections(16).max_connections_per_user(None);
        let shared = server.shared().unwrap();
        let owner = rustix::process::geteuid().as_raw();
        let come =
            |uid| shared.count_connection(uid).1.map_err(|failure| failure.message().to_owned());
        for _ in 0..12 {
            assert_eq!(come(STRANGER), Ok(()));
        }
        let more = "(4 more are reserved for root and the daemon's user); try again";
        assert_eq!(come(STRANGER), Err(format!("too many connections: 12 at most {more}")));
        for uid in [0, owner, 0, owner] {
            assert_eq!(come(uid), Ok(()));
        }
        let full = "too many connections: 16 at most; try again";
        assert_eq!(come(0), Err(full.to_owned()));
        shared.count_end();
        assert!(come(STRANGER).is_err());
        assert_eq!(come(owner), Ok(()));
    }

    #[test]
    fn default_limit_of_a_user_is_half() {
        let limits = |server: Server| {
            let per_user = server.shared().unwrap().per_user;
            [STRANGER, 0, rustix::process::geteuid().as_raw()]
                .map(|uid| per_user.connections_of(uid))
        };
        for (most, half) in [(16, 8), (3, 1), (1, 1), (0, 1)] {
            assert_eq!(limits(Server::new().max_connections(most)), [Some(half), None, None]);
        }
        let default = limits(Server::new());
        assert!(default[0].is_some_and(|half| half > 1) && default[1..] == [None, None]);
        assert_eq!(limits(Server::new().max_connections_per_user(3)), [Some(3); 3]);
        assert_eq!(limits(Server::new().max_connections_per_user(None)), [None; 3]);
    }
}
