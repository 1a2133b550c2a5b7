//! [`Server`], the builder, [`Bound`], a server whose socket exists, and [`Handle`], the running server.
//!
//! The builder collects the author's settings. Binding it checks them and publishes the sockets. Then both
//! are handed to the engine, which serves until the [`Handle`] is dropped.

mod bound;
mod control;
mod events;
mod hand_over;
mod handle;
mod limits;
mod once;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(feature = "tokio")]
mod serve;
mod streams;

use std::fmt;
use std::io;
use std::mem;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::access::{Access, Guesses, Pattern};
use crate::audit::{Audit, Record};
use crate::builtin::{CheckToken, check_token};
use crate::commands::{Channels, Command, Mounted, Rules, Table, groups};
use crate::config::Config;
use crate::counters::Counters;
use crate::dispatch::{LOCAL, LocalCode, Service};
use crate::engine::{Engine, Taker};
use crate::error::{Failure, Result};
use crate::handler::Handler;
use crate::hooks::{Call, Chain, Hook, Hooks, Outcome};
use crate::listener::SocketMode;
use crate::local::{Job, Loops};
use crate::reply::IntoReply;
use crate::request::Request;
use crate::state::{State, States};
use crate::token::TokenFile;

pub use self::bound::Bound;
use self::bound::Given;
pub use self::control::Control;
pub(crate) use self::events::declare;
pub use self::handle::Handle;
use self::once::OnceStore;
#[cfg(feature = "tokio")]
pub use self::serve::Serve;

/// A server that does not run yet: its commands, states, limits and access rules.
///
/// It has every `#[command]` of the program.
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
    loops: Loops,
    local: Option<LocalCode>,
    mounted: Vec<(String, Mounted)>,
    fallback: Option<Arc<dyn Handler>>,
    /// The mode of the first path; `None` if the author did not set it.
    mode: Option<u32>,
    rules: Rules,
    /// The token's file, and the code that checks a token that was sent. A daemon without a token file does
    /// not contain it.
    token_file: Option<(TokenFile, CheckToken)>,
    audit: Option<Audit>,
    hooks: Option<Box<dyn Hooks>>,
    config: Config,
    /// Whether `run` handles SIGTERM and SIGINT.
    signals: bool,
    /// The paths of [`also_at`](Self::also_at), with their modes.
    others: Vec<(PathBuf, SocketMode)>,
    open_to_all: bool,
    taker: Option<Taker>,
    once: Option<OnceStore>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Makes a server with every `#[command]` of the program.
    pub fn new() -> Self {
        Self {
            states: States::default(),
            loops: Loops::default(),
            local: None,
            mounted: Vec::new(),
            fallback: None,
            mode: None,
            rules: Rules::default(),
            token_file: None,
            audit: None,
            hooks: None,
            config: Config::default(),
            signals: true,
            others: Vec::new(),
            open_to_all: false,
            taker: None,
            once: None,
        }
    }

    /// Makes a server whose fallback is this closure: `Server::new().fallback(handler)`.
    ///
    /// The closure handles every request except those for protocol commands (`hello`, `multi`, …), the
    /// built-in `ping`, `echo`, `info` and `help`, and the program's commands.
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

    /// Adds a value that commands take as [`State<T>`](crate::State), one for each type.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.add(State::new(value));
        self
    }

    /// Adds a value as [`state`](Self::state) does, if the program itself uses it as well: a
    /// [`State`](crate::State), or an `Arc`.
    ///
    /// ```
    /// use dockipc::{Server, State};
    /// use std::sync::atomic::AtomicU64;
    ///
    /// let hits = State::new(AtomicU64::new(0));
    /// let server = Server::new().share(hits.clone());
    /// ```
    pub fn share<T: Send + Sync + 'static>(mut self, value: impl Into<State<T>>) -> Self {
        self.states.add(value.into());
        self
    }

    /// Sets where the commands with a parameter [`Local<'_, C>`](crate::Local) run: the closure hands each to
    /// the program's own loop, which calls [`job.run(&mut value)`](Job::run). One for each type.
    ///
    /// ```no_run,standalone_crate
    /// use dockipc::{Job, Local, Server, command};
    /// use std::sync::mpsc::channel;
    /// use std::thread;
    ///
    /// struct Ui { brightness: u8 } // It need not be Send.
    ///
    /// /// Set the brightness and answer with the one before.
    /// #[command]
    /// fn dim(mut ui: Local<'_, Ui>, to: u8) -> u8 {
    ///     std::mem::replace(&mut ui.brightness, to)
    /// }
    ///
    /// fn main() -> dockipc::Result<()> {
    ///     let (sender, jobs) = channel();
    ///     let server = Server::new().local(move |job: Job<Ui>| drop(sender.send(job)));
    ///     let serving = thread::spawn(move || server.run("/run/dimd.sock"));
    ///     let mut ui = Ui { brightness: 100 };
    ///     // It ends when the server has stopped and dropped its sender.
    ///     for job in jobs {
    ///         job.run(&mut ui);
    ///     }
    ///     serving.join().expect("the server's thread")
    /// }
    /// ```
    ///
    /// The closure is called on the server's threads and should be quick, such as sending to a channel of
    /// calloop or glib. Other clients are served while a command waits for the loop. A command that is
    /// cancelled, or whose deadline passes, before the loop comes to it is not run.
    ///
    /// A stop waits for the jobs of a loop on another thread as it waits for other commands. It does not wait
    /// for those of a thread that itself waits in [`Handle::join`] or drops the [`Handle`]: commands that have not
    /// begun get `-SHUTDOWN`, and so do those whose [`Deferred`](crate::Deferred) answer is open. (A
    /// loop that has never run a job has half a second to begin with one.)
    ///
    /// # Errors
    /// When the server starts: [`MissingLocal`](crate::Error::MissingLocal) for a command whose type has no loop,
    /// [`DuplicateLocal`](crate::Error::DuplicateLocal) for a second one.
    pub fn local<C: 'static>(mut self, send: impl Fn(Job<C>) + Send + Sync + 'static) -> Self {
        self.loops.add(send);
        self.local = Some(LOCAL);
        self
    }

    /// Sets the version of your daemon, often `env!("CARGO_PKG_VERSION")`. `HELLO`, `INFO` and the daemon's description
    /// tell it to clients: [`Client::daemon`](crate::Client::daemon).
    ///
    /// ```
    /// # fn main() -> dockipc::Result<()> {
    /// let daemon = dockipc::Server::new().version("1.4").spawn_in_process()?;
    /// assert_eq!(daemon.client().daemon()?.version(), Some("1.4"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.config.version = Some(version.into().into());
        self
    }

    /// Adds a closure as a command. The closure gets the words unparsed; help has only its name.
    ///
    /// The name follows the rules of `#[command("name")]`, which are checked when the server starts; it may have two
    /// words.
    #[track_caller]
    pub fn handle<F, R>(self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        self.mount(name, handler)
    }

    /// Adds a [`Handler`] as a command, as [`handle`](Self::handle) does.
    #[track_caller]
    pub fn mount(mut self, name: impl Into<String>, handler: impl Handler) -> Self {
        let place = Location::caller();
        let place = format!("{}:{}", place.file(), place.line());
        let name = name.into();
        let groups = groups(&name, &[]);
        self.mounted.push((name, Mounted { handler: Arc::new(handler), place, groups }));
        self
    }

    /// Sets the closure that handles requests whose name matches no command. Without it they get
    /// `-UNKNOWN`. So does an unknown second word behind the name of a group.
    ///
    /// [`Request::name`] is the first word as it was sent, which may be in capitals.
    pub fn fallback<F, R>(mut self, handler: F) -> Self
    where
        F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
        R: IntoReply,
    {
        self.fallback = Some(Arc::new(handler));
        self
    }

    /// Sets the mode of the socket, which decides which users can connect. Default: 0666, any local user.
    ///
    /// 0660 narrows it to the daemon's user and group, 0600 to its user.
    ///
    /// A socket that systemd passes keeps its mode (`SocketMode=` in the unit, 0666 by
    /// default). If this method was called and more users can connect to the passed socket, the start
    /// is refused: [`Error::PassedMode`](crate::Error::PassedMode).
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Gives a rule to the commands with these names: `Server::new().allow("stop-*", "group:adm")`.
    ///
    /// In `names`, `*` matches any characters and `?` matches one; `*` alone also covers the
    /// fallback. The rule is written as in `#[command("stop", allow = "uid:root | owner")]`
    /// (see [`#[command]`](crate::command)) and replaces the one given there; the last rule that
    /// matches a name counts. The built-in `ping`, `echo`, `info` and `help` can be given a rule;
    /// protocol commands (`hello`, `auth`, …) cannot.
    ///
    /// When the server starts, a rule that is malformed, names an unknown user or group, or matches no
    /// command is an [`Error::BadRule`](crate::Error::BadRule). So is a rule with the overflow id (65534, often
    /// `nobody` and `nogroup`) in a user namespace, where every unmapped user has it.
    pub fn allow(mut self, names: impl Into<String>, rule: impl Into<String>) -> Self {
        self.rules.give(Pattern::new(names), rule.into());
        self
    }

    /// Says who may hear the events of these channels: `Server::new().allow_channel("jobs.*", "group:adm")`.
    ///
    /// Names and rule are written as in [`allow`](Self::allow); the last rule that matches a channel counts, and
    /// replaces the one of its [declaration](derive@crate::Events). A channel without a rule is open to every
    /// caller, or closed with [`default_deny`](Self::default_deny). A `SUBSCRIBE` to a channel that the caller may
    /// not hear gets `-NOPERM`; a `PSUBSCRIBE` gets the others.
    pub fn allow_channel(mut self, names: impl Into<String>, rule: impl Into<String>) -> Self {
        self.rules.channels().given.push((Pattern::new(names), rule.into()));
        self
    }

    /// Denies commands without a rule to everyone. By default they are open to every caller.
    ///
    /// Built-in commands without a rule stay open.
    pub fn default_deny(mut self) -> Self {
        self.rules.default_deny = true;
        self.rules.channels().default_deny = true;
        self
    }

    /// Sets the hook that records every decision about a command with a rule. The server calls it before
    /// the command runs; if it returns an error or panics, the command does not run. See
    /// [`audit`](crate::audit). A server has one hook: the last one counts.
    pub fn audit<F>(mut self, hook: F) -> Self
    where
        F: Fn(&Record<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        self.audit = Some(Audit::new(hook));
        self
    }

    /// Adds a hook that may refuse a command before it runs, with a failure of its own code: rate limits, quiet
    /// hours. See [`hooks`](crate::hooks).
    ///
    /// ```
    /// use dockipc::{Failure, Server};
    ///
    /// let server = Server::new().before(|call| {
    ///     let pid = call.peer().pid().ok_or_else(|| Failure::new("CONTAINER", "not from a container"))?;
    ///     println!("process {pid} calls {}", call.name());
    ///     Ok(())
    /// });
    /// # drop(server);
    /// ```
    pub fn before<F>(mut self, hook: F) -> Self
    where
        F: Fn(&Call<'_>) -> Result<(), Failure> + Send + Sync + 'static,
    {
        self.hooks = Some(Chain::boxed(self.hooks, Hook::Before(Box::new(hook))));
        self
    }

    /// Adds a hook that sees how each command has ended, and how long it took: metrics, logs. See
    /// [`hooks`](crate::hooks).
    ///
    /// ```
    /// use dockipc::Server;
    /// use std::time::Duration;
    ///
    /// let server = Server::new().after(|call, outcome, took| {
    ///     if took > Duration::from_millis(100) {
    ///         println!("{} took {took:?}: {:?}", call.name(), outcome.end());
    ///     }
    /// });
    /// # drop(server);
    /// ```
    pub fn after<F>(mut self, hook: F) -> Self
    where
        F: Fn(&Call<'_>, &Outcome<'_>, Duration) + Send + Sync + 'static,
    {
        self.hooks = Some(Chain::boxed(self.hooks, Hook::After(Box::new(hook))));
        self
    }

    /// Serves a subset of the commands at another path, for example a read-only socket beside an operator's
    /// one.
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
        self.rules.channels().offers.push(access.channels);
        self
    }

    /// Permits an abstract socket without any access rule. Without this method such a start is refused,
    /// since an abstract socket has no mode: every process in its network namespace can connect.
    pub fn open_to_all(mut self) -> Self {
        self.open_to_all = true;
        self
    }

    /// Reads the token from the first line of a file. A client that sends the token may run commands
    /// whose rule has `token`. Use it where uids do not tell clients apart.
    ///
    /// The file is read once, when the server starts. It must be a regular file (no symbolic link)
    /// that is owned by the daemon's user or root and has mode 0600 or 0400.
    /// No other user may be able to replace it: the directories on its way belong to the daemon's
    /// user or root, and only their owners can write to them (or they are sticky, as `/tmp`).
    /// The token has 16 to 1024 bytes without newlines; make it of random bytes:
    ///
    /// ```sh
    /// (umask 077; head -c 32 /dev/urandom | base64 > /etc/hitd.token)
    /// ```
    ///
    /// A client sends the token like a Redis password: `AUTH token`, `AUTH user token` or
    /// `HELLO 3 AUTH user token`; the user name is ignored. `RESET` revokes it for the connection. Our client
    /// sends it with [`Client::token_file`](crate::Client::token_file). Line mode has no token, since its
    /// connections carry one command.
    ///
    /// A wrong token gets `-WRONGPASS`, in a time that reveals nothing about the right one; the third
    /// wrong one closes the connection. Each is recorded as a denied `auth`, without the sent bytes: see
    /// [`audit`](crate::audit).
    ///
    /// After ten wrong tokens of a uid, over any number of connections, each further one starts a
    /// pause: 125 ms, doubled each time, up to [`auth_pause`](Self::auth_pause). During a pause
    /// that uid's tokens get `-BUSY` at once and are not compared, and the first of them is
    /// recorded. Other uids are not affected; root and the daemon's user are treated like all others. A uid
    /// is forgotten after a minute without a wrong token.
    ///
    /// Why pauses: delaying only wrong tokens would not slow down guesses over many connections, since the
    /// right one is answered at once, and a delayed answer holds a connection. Locking the uid out, as
    /// `pam_faillock(8)` does, would let one program lock out the others of its user. So the pauses are
    /// short, as in `pam_faildelay(8)`, and a refusal says when to try again. They bound the guesses and the
    /// size of the audit; the token's length makes it impossible to guess.
    ///
    /// # Errors
    /// When the server starts: [`Error::BadTokenFile`](crate::Error::BadTokenFile) if the file is unusable or
    /// no rule has `token`; [`Error::BadRule`](crate::Error::BadRule) if a rule has it and no file is set.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some((TokenFile::new(path.into()), check_token));
        self
    }

    /// Sets whether [`run`](Self::run) stops the server at SIGTERM and SIGINT. Default: true. With false the
    /// author handles signals: a process that a signal kills leaves a stale socket, which the next
    /// start replaces.
    pub fn signals(mut self, on: bool) -> Self {
        self.signals = on;
        self
    }

    /// Serves at a path until SIGTERM or SIGINT arrives, and then stops as
    /// [`Handle::shutdown`] does. A second signal stops without waiting for commands; a third one ends the
    /// process by the signal's default action. See [`signals`](Self::signals).
    ///
    /// Both signals are handled even if the parent process blocked them, and SIGTERM even if it was
    /// ignored. An ignored SIGINT stays ignored: a script that runs `daemon &` starts it so, and Ctrl-C then
    /// ends only the script.
    ///
    /// Other signals keep the action that the program or its parent set. Those with the default action:
    ///
    /// - SIGHUP (a terminal was closed), SIGQUIT, SIGUSR1 and SIGUSR2 end the process at once. Running
    ///   commands are cut off, and the next start replaces the stale socket. SIGHUP does not stop the server
    ///   in order, since daemons reload their configuration at it: a program that does so sets a handler, and
    ///   `nohup` or `setsid` protects one that does not.
    /// - SIGTSTP and SIGSTOP suspend the process. Clients wait, and a second daemon does not start: the path
    ///   is in use. SIGCONT continues it, and limits that have expired meanwhile count.
    /// - SIGPIPE is never raised by writes to sockets. SIGCHLD is left to the program: the server has no
    ///   child processes.
    ///
    /// It tells the service manager when clients can connect and when the server stops, `sd_notify(3)`.
    ///
    /// A program that forks into the background does so before this call: see [`spawn`](Self::spawn).
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn), and [`Error::Unfinished`](crate::Error::Unfinished) if commands were
    /// still running at the deadline. With the feature `tokio`, a call on a thread of a tokio runtime, which
    /// would block it: use `serve(path).await` there.
    pub fn run(mut self, path: impl AsRef<Path>) -> Result<()> {
        #[cfg(feature = "tokio")]
        runtime::refuse()?;
        let path = path.as_ref();
        // First: the server then stops in order at a signal that arrives while it starts.
        let signals = bound::take_signals(self.signals, path)?;
        let arrivals = signals.as_ref().map(|(_, arrivals)| arrivals);
        match Bound::new(&mut self, path, Given::Completely, arrivals) {
            Err(error) if bound::is_stopped(&error) => Ok(()),
            bound => bound?.run_with(signals),
        }
    }

    /// Serves at a path, on its own threads, until the handle is dropped or [stopped](Handle::shutdown).
    ///
    /// When this returns, clients can connect. It handles no signals, unlike [`run`](Self::run), and tells the
    /// service manager nothing until [`Handle::ready`]: the program may have more to start.
    ///
    /// A command, or another thread, can stop the server with a [`Control`].
    ///
    /// The daemon that holds the lock beside the socket, `PATH.lock`, owns the path. The
    /// lock file stays when the daemon ends. A socket that is removed or moved away comes back, also with its
    /// directory; a file that another process put there is not touched. The path is the one that the
    /// process had at its start: after chroot(2) the socket stays where it is.
    ///
    /// Use a directory that only the daemon's user can write to, such as `/run/NAME`. A user who
    /// can change the names in the directory, or in one above it, can put their own socket at the
    /// path, and change nothing else. The start then prints a warning to standard error, and the server
    /// checks the path every two seconds only, so that removing the socket over and over costs
    /// the daemon little. A symbolic link of another user on the way to the directory makes
    /// the start fail, as does another user's file with the name of the lock or the socket
    /// ([`Error::InTheWay`](crate::Error::InTheWay)).
    ///
    /// A path that begins with `@` is an abstract name, unix(7). Such a socket is not a
    /// file and has no mode: see [`open_to_all`](Self::open_to_all). (`./@x` is a file.)
    ///
    /// If systemd passed a socket with this path to the process, `sd_listen_fds(3)`, the server
    /// uses that socket and does not change the path. Passed sockets that it cannot use fail the start:
    /// [`Error::Activation`](crate::Error::Activation).
    ///
    /// # Async commands
    ///
    /// With the feature `tokio` their futures run on the tokio runtime around. Without one, the first of them
    /// starts a runtime of the server's own with one worker for each core it may use
    /// ([`max_cores`](Self::max_cores)), at most four. The same holds for [`run`](Self::run). A call of our blocking
    /// [`Client`](crate::Client) on the only thread of a current-thread runtime waits forever for such a command:
    /// use `spawn_blocking`.
    ///
    /// # Forks and privileges
    ///
    /// A program that forks into the background, `daemon(7)`, does so before this call, since threads are not
    /// copied.
    ///
    /// A child that is forked later, also by a command, has neither the socket nor its lock nor any connection,
    /// so that it keeps nothing alive when the daemon ends. In the child the [`Handle`] does nothing, and the
    /// signals that [`run`](Self::run) handles have their default action. This holds for `fork(3)`, not for a
    /// plain `clone(2)`: a child of that keeps all until it ends or calls `execve(2)`, and the next start
    /// names it ([`Error::StillHeld`](crate::Error::StillHeld)). A command that forks must end the child, or
    /// call `execve(2)` there: if the command returns in the child, the server ends the child.
    ///
    /// A program that gives up root's privileges after the start needs a directory that its new user can
    /// write to, or the server can neither recreate nor remove its socket. It then prints a warning
    /// to standard error once. The lock file always stays.
    ///
    /// # Errors
    /// A daemon already answers at the path, a file that is not a socket is there, or the path
    /// is unusable; two commands have one name; a command needs a missing state.
    pub fn spawn(mut self, path: impl AsRef<Path>) -> Result<Handle> {
        Bound::new(&mut self, path.as_ref(), Given::Completely, None)?.spawn()
    }

    /// Creates the socket and starts no thread yet, so that the program can do what needs the path, or a single
    /// thread, before it serves.
    ///
    /// When this returns, clients can connect; they wait in the socket's queue until
    /// [`Bound::run`] or [`Bound::spawn`].
    ///
    /// ```no_run
    /// use dockipc::Server;
    /// use std::sync::Mutex;
    ///
    /// let bound = Server::new().bind("/run/user/1000/hitd.sock")?;
    /// // The children of this process find the socket.
    /// // SAFETY: no other thread runs yet.
    /// unsafe { std::env::set_var("HITD_SOCKET", bound.path()) };
    /// let children = vec![std::process::Command::new("hit-panel").spawn().expect("hit-panel")];
    /// bound.state(Mutex::new(children)).run()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn), except for states: [`Bound::state`] can still add one, so that
    /// [`Bound::run`] and [`Bound::spawn`] check them.
    pub fn bind(mut self, path: impl AsRef<Path>) -> Result<Bound> {
        Bound::new(&mut self, path.as_ref(), Given::InPart, None)
    }

    /// Serves without a path, for tests. [`Handle::client`] and [`Handle::connect`] connect
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
    /// Those of [`spawn`](Self::spawn) that do not concern the path.
    pub fn spawn_in_process(mut self) -> Result<Handle> {
        let taker = self.taker.take();
        let once = self.once.take();
        let mut service = self.service()?;
        once::give(once, &mut service, None)?;
        #[cfg(feature = "tokio")]
        let service = runtime::give(service);
        let engine = Engine::start(service, Vec::new(), None, taker)?;
        Ok(Handle::new(engine))
    }

    /// Checks the settings and makes the [`Service`] that all connections share.
    pub(crate) fn service(mut self) -> Result<Arc<Service>> {
        let service = self.prepare()?;
        service.table.check_states(&service.states, &service.loops)?;
        Ok(service)
    }

    /// Takes the settings and checks them, except for the states.
    fn prepare(&mut self) -> Result<Arc<Service>> {
        let commands = Command::all();
        let mounted = mem::take(&mut self.mounted);
        if let Some(declared) = Channels::any() {
            (declared.prepare)(&self.states, &mut self.rules)?;
        }
        let table = Table::new(commands, mounted, self.fallback.take(), &self.rules)?;
        let (token_file, check_token) = self.token_file.take().unzip();
        let token = table.token(token_file.as_ref())?.zip(check_token);
        Ok(Arc::new(Service {
            table,
            states: Arc::new(mem::take(&mut self.states)),
            loops: mem::take(&mut self.loops),
            local: self.local,
            running: Arc::default(),
            token,
            guesses: Mutex::new(Guesses::new(self.config.times.auth_pause)),
            audit: self.audit.take(),
            hooks: self.hooks.take(),
            spawner: None,
            once: None,
            config: self.config.clone().at_start(),
            counters: Counters::new(),
        }))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("mode", &self.mode).finish_non_exhaustive()
    }
}
