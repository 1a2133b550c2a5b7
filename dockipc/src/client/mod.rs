//! Calling a daemon.

mod call;
mod commands;
mod connection;
mod greeting;
mod limits;
mod pool;
mod word;

use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::commands::{Again, Commands, Words, keeps_connection, name_on};
use self::connection::{Connection, Part};
use self::greeting::{Credential, Greeting, Recipients, Source};
use self::limits::{Limits, Terms, some_time};
use self::pool::Pool;
use crate::access::Token;
use crate::error::{Error, Ran, Result};
use crate::listener;
use crate::reply::{FromReply, Reply};
use crate::sys;

pub use self::call::{Call, Pipeline};
pub use self::word::ToArg;
pub use crate::wire::words::quote;

/// Sends one line to the daemon at `path` and returns the whole answer, as `nc` would print it.
///
/// A failure of the command is [`Error::Refused`], and an answer that is cut off is an error as
/// well: unlike with `nc`, what is returned is whole. Words are split as on any line; see
/// [`quote`].
///
/// ```no_run
/// let total = dockipc::send("/run/hitd.sock", "add 2")?;
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// # Errors
/// See [`enum@Error`].
pub fn send(path: impl AsRef<Path>, line: &str) -> Result<Vec<u8>> {
    Client::new(path).send(line)
}

/// A client of one daemon.
///
/// It connects when it is first used, keeps connections for the next calls, and is cheap to clone.
/// Clones share their connections; any number of threads may call at the same time, each over a
/// connection of its own.
///
/// ```no_run
/// let client = dockipc::Client::new("/run/hitd.sock");
/// let total: u64 = client.command("add").arg(2).call()?;
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// # Calls that are made again
/// A call is made again by itself, over a new connection, in two cases:
///
/// - **The daemon did not run it**: the connection ended before the command was sent whole, or the
///   daemon ended it without having read all of it, or says that it stops and did not run the
///   command. This is what becomes of kept connections when a daemon is restarted.
/// - **It may run twice**, and its answer was cut off. Its author says so with
///   [`#[command(idempotent)]`](crate::command), for which the daemon is asked when it happens; or
///   the caller does, with [`Call::idempotent`]. This is tried once. If it fails as well, the error
///   is the first one.
///
/// Any other call whose answer is cut off is an [`Error::CutOff`], which says whether the command may
/// have run: the caller decides. What a time limit ended is not made again, nor what the daemon
/// answered, be it with any other "no". So a command that is not idempotent runs at most once for each
/// call.
///
/// # Time
/// By default the daemon may not be silent for longer than 30 seconds, while what it does may take
/// as long as it likes as long as it says so: under RESP3, which this client speaks, a dockipc
/// daemon sends a sign of life each second while a command runs. [`timeout`](Self::timeout) is a
/// limit for the call as a whole.
///
/// # Processes
/// A program that is started does not inherit the connections. A child that is forked and goes on
/// without starting a program shares them with its parent, and each would read the other's
/// answers: it needs a client of its own.
#[derive(Clone)]
pub struct Client {
    target: Target,
    limits: Limits,
    pool: Arc<Pool>,
    token: Option<Credential>,
    /// The users of whom one must listen; empty if it may be anyone.
    owners: Arc<[u32]>,
    /// Is told of each new connection.
    #[cfg(feature = "cli")]
    told: Option<Arc<Told>>,
}

#[cfg(feature = "cli")]
type Told = dyn Fn(&UnixStream) + Send + Sync;
type Connect = dyn Fn() -> Result<UnixStream> + Send + Sync;

#[derive(Clone)]
enum Target {
    Path(Arc<Path>),
    InProcess(Arc<Connect>),
}

impl Client {
    /// A client of the daemon at this path. Nothing is connected yet. A path that begins with `@` is
    /// the abstract name that follows, unix(7).
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::to(Target::Path(path.as_ref().into()))
    }

    pub(crate) fn in_process(
        connect: impl Fn() -> Result<UnixStream> + Send + Sync + 'static,
    ) -> Self {
        Self::to(Target::InProcess(Arc::new(connect)))
    }

    fn to(target: Target) -> Self {
        Self {
            target,
            limits: Limits::default(),
            pool: Arc::default(),
            token: None,
            owners: Arc::default(),
            #[cfg(feature = "cli")]
            told: None,
        }
    }

    /// How long a call may take in all: connecting, sending, waiting, reading, and making it again.
    /// Default: no limit.
    ///
    /// A daemon that answers a byte at a time can't stretch it. [`Call::timeout`] sets it for one
    /// call.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let client = dockipc::Client::new("/run/hitd.sock").timeout(Duration::from_secs(1));
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.total = some_time(limit.into());
        self
    }

    /// How long connecting may take. Default 5 s; `None` is no limit.
    #[must_use]
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.connect = some_time(limit.into());
        self
    }

    /// How long the daemon may be silent while its answer is awaited. Default 30 s; `None` is no
    /// limit. What it sends beside the answer while a command runs counts as a sign of life.
    #[must_use]
    pub fn read_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.read = some_time(limit.into());
        self
    }

    /// How long the daemon may take nothing of what is sent. Default 30 s; `None` is no limit.
    #[must_use]
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.write = some_time(limit.into());
        self
    }

    /// The longest answer in bytes. Default 64 MiB.
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.limits.answer = bytes;
        self
    }

    /// How many connections are kept when nobody uses them. Default 16; 0 keeps none.
    #[must_use]
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.limits.most_idle = connections;
        self
    }

    /// How long a connection is kept that nobody uses. Default 60 s; `None` is no limit.
    ///
    /// There is no thread that watches them: those that are too old are closed when the client is
    /// next used.
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.idle = limit.into();
        self
    }

    /// Requires that this user listens at the path. It is checked on each new connection before
    /// anything is sent, and another user's is an [`Error::WrongOwner`]: whoever may write to the
    /// socket's directory could have put a socket of their own there. libpq calls this
    /// `requirepeer`.
    ///
    /// Called again, it allows one more user.
    ///
    /// The user is that of the process which called listen(2), when it did (`SO_PEERCRED`, unix(7)):
    /// root for a daemon that gave up its rights later, and for a socket that systemd made for a
    /// system's service (the user for `systemd --user`). A forwarded socket, such as `ssh -L` makes,
    /// belongs to the user of the forwarding program, whoever listens at its other end. In a user
    /// namespace, all users without a number there look the same (65534).
    ///
    /// ```no_run
    /// // The daemon runs as root, whoever calls it.
    /// let client = dockipc::Client::new("/run/hitd.sock").require_owner(0);
    /// let total: u64 = client.command("total").call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    #[must_use]
    pub fn require_owner(mut self, uid: u32) -> Self {
        // Not the connections that were not checked.
        self.pool = Arc::default();
        self.owners = self.owners.iter().copied().chain([uid]).collect();
        self
    }

    /// Gives the daemon this token on each connection: see
    /// [`Server::token_file`](crate::Server::token_file). It is sent to whoever serves at the path:
    /// where others than the daemon can have put a socket there,
    /// [`require_owner`](Self::require_owner) keeps it from them.
    ///
    /// A daemon that does not take it is an [`Error::Refused`] with the code
    /// [`WRONGPASS`](crate::error::code::WRONGPASS), and no command is sent; so is, with other codes,
    /// one that wants none. Connections are not shared with the client from which this was made.
    ///
    /// A program should not take it from its command line, which all users of the machine can read:
    /// see [`token_file`](Self::token_file) and [`token_from_env`](Self::token_from_env).
    #[must_use]
    pub fn token(self, token: impl AsRef<[u8]>) -> Self {
        self.with_token(Some(Source::Given(Token::new(token.as_ref()))), Recipients::All)
    }

    /// Like [`token`](Self::token), with the first line of this file, which is read for each
    /// connection. It must be as the server's is: a regular file of this user (or root) that nobody
    /// else may use. Otherwise a call is an [`Error::BadTokenFile`].
    #[must_use]
    pub fn token_file(self, path: impl AsRef<Path>) -> Self {
        self.with_token(Some(Source::File(path.as_ref().into())), Recipients::All)
    }

    /// Like [`token_file`](Self::token_file) with the file that the environment variable
    /// `DOCKIPC_TOKEN_FILE` names; or else like [`token`](Self::token) with the value of
    /// `DOCKIPC_TOKEN`. Without both, or if they are empty, no token is given.
    ///
    /// The environment is looked at only here: a client that was not told so sends no daemon what it
    /// finds there.
    ///
    /// One environment serves many paths, so this token is sent only where root or this process's
    /// own user listens, or who [`require_owner`](Self::require_owner) says. Calls to others go
    /// without it, and the message of a `NOPERM` says so.
    #[must_use]
    pub fn token_from_env(self) -> Self {
        self.with_token(Source::from_environment(), Recipients::Trusted)
    }

    /// Sends no daemon the token of the environment, and says so in the message of a `NOPERM`.
    #[cfg(feature = "cli")]
    pub(crate) fn without_token_from_env(self) -> Self {
        self.with_token(Source::from_environment(), Recipients::None)
    }

    fn with_token(mut self, source: Option<Source>, recipients: Recipients) -> Self {
        // Not the connections of those who gave another one, or none.
        self.pool = Arc::default();
        self.token = source.map(|source| Credential { source, recipients });
        self
    }

    /// Tells this of each new connection, before anything is sent.
    #[cfg(feature = "cli")]
    pub(crate) fn on_connect(mut self, told: impl Fn(&UnixStream) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// A call of the command with this name.
    pub fn command(&self, name: &str) -> Call<'_> {
        Call::new(self, name)
    }

    /// Many calls over one connection, sent together: see [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }

    /// Sends one line and returns the whole answer, as [`send`].
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn send(&self, line: &str) -> Result<Vec<u8>> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let name = name_on(line);
        let mut words = Words::new("dockipc");
        words.add("line");
        words.add(line);
        let mut command = words.command();
        command.keeps = name.as_deref().is_none_or(keeps_connection);
        command.again = name.as_deref().map_or(Again::No, Again::Ask);
        self.ask(&command, self.limits.total)
    }

    /// Makes one call.
    fn ask<T: FromReply>(&self, command: &Commands<'_>, timeout: Option<Duration>) -> Result<T> {
        let mut answer = Reply::Null;
        self.exchange(command, timeout, |_, part| {
            if let Part::Whole(reply) = part {
                answer = reply;
            }
            Ok(())
        })?;
        answer.parse()
    }

    /// Sends commands and gives each answer, with its number, to `each`. The numbers begin anew when
    /// the commands are sent again.
    fn exchange(
        &self,
        commands: &Commands<'_>,
        timeout: Option<Duration>,
        mut each: impl FnMut(usize, Part<'_>) -> Result<()>,
    ) -> Result<()> {
        let terms = Terms::new(&self.limits, timeout);
        let (mut fresh, mut refusal) = (0, None);
        loop {
            let kept = self.pool.take(&self.limits);
            fresh += usize::from(kept.is_none());
            let mut connection = match kept {
                Some(connection) => connection,
                // A daemon that stops without a successor has said so.
                None => self.connect(&terms).map_err(|error| refusal.take().unwrap_or(error))?,
            };
            match connection.exchange(commands, &terms, &mut each) {
                Ok(()) => {
                    self.keep(connection, commands);
                    return Ok(());
                }
                // Nothing ran. Each kept connection may have been closed meanwhile, and a new one
                // may have waited in the queue of a daemon that ended.
                Err(Error::CutOff { ran: Ran::No, .. }) if fresh < TRIES => {}
                Err(Error::Refused(failure)) if failure.is_not_run() && fresh < TRIES => {
                    refusal = Some(Error::Refused(failure));
                }
                Err(error @ Error::CutOff { ran: Ran::Maybe, .. }) => {
                    drop(connection);
                    return self.again(commands, &terms, &mut each).ok_or(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a call again that may have run, if that is safe. None if it isn't, or if it failed.
    #[cold]
    fn again(
        &self,
        commands: &Commands<'_>,
        terms: &Terms<'_>,
        each: &mut impl FnMut(usize, Part<'_>) -> Result<()>,
    ) -> Option<()> {
        if let Again::No = commands.again {
            return None;
        }
        let mut connection = self.connect(terms).ok()?;
        if let Again::Ask(name) = commands.again {
            // The call has failed, and only if it was idempotent is it worth to wait: for no longer
            // than for a connection.
            let read = [self.limits.read, self.limits.connect].into_iter().flatten().min();
            let limits = Limits { read, ..self.limits };
            if !connection.is_idempotent(name, &terms.with(&limits)).ok()? {
                return None;
            }
        }
        connection.exchange(commands, terms, each).ok()?;
        self.keep(connection, commands);
        Some(())
    }

    /// Keeps a connection that answered, for the next call.
    fn keep(&self, connection: Connection, commands: &Commands<'_>) {
        if commands.keeps && connection.is_clean() {
            self.pool.keep(connection, &self.limits);
        }
    }

    fn connect(&self, terms: &Terms<'_>) -> Result<Connection> {
        let stream = match &self.target {
            Target::Path(path) => {
                let wait = terms.wait(self.limits.connect);
                let timed_out =
                    |doing| Error::TimedOut { doing, after: wait.limit(), ran: Ran::No };
                let left = wait.left();
                if left.is_some_and(|left| left.is_zero()) {
                    return Err(timed_out("connecting"));
                }
                let connected = listener::connect(path, left).map_err(|error| match error {
                    Error::TimedOut { doing, .. } => timed_out(doing),
                    error => error,
                });
                connected?.into()
            }
            Target::InProcess(connect) => connect()?,
        };
        let withheld = self.check(&stream)?;
        let token = self.token.as_ref().filter(|_| withheld.is_none());
        let greeting = Greeting::new(token.map(|token| &token.source))?;
        #[cfg(feature = "cli")]
        if let Some(told) = &self.told {
            told(&stream);
        }
        Ok(Connection::new(stream, greeting, withheld))
    }

    /// Checks who listens, before anything is sent. Some if the token must not be sent: why not.
    fn check(&self, stream: &UnixStream) -> Result<Option<String>> {
        const WITHHELD: &str = "the token of the environment was not sent";
        let recipients = self.token.as_ref().map_or(Recipients::All, |token| token.recipients);
        if self.owners.is_empty() && recipients == Recipients::All {
            return Ok(None);
        }
        let [_, owner, _] = sys::peer_credentials(stream.as_fd())
            .map_err(|error| Error::io("finding out who listens", error))?;
        if !self.owners.is_empty() && !self.owners.contains(&owner) {
            let path = match &self.target {
                Target::Path(path) => path.to_path_buf(),
                Target::InProcess(_) => "this process".into(),
            };
            return Err(Error::WrongOwner { path, owner, required: self.owners.to_vec() });
        }
        let is_own = || owner == 0 || owner == sys::effective_user();
        Ok(match recipients {
            Recipients::Trusted if self.owners.is_empty() && !is_own() => Some(format!(
                "{WITHHELD}: uid {owner} listens there, which is neither root nor you; \
                 Client::require_owner allows it"
            )),
            #[cfg(feature = "cli")]
            Recipients::None => Some(format!(
                "{WITHHELD}: whose daemon it is can't be seen from here; --token-file sends it"
            )),
            _ => None,
        })
    }
}

/// So many new connections are tried for one call. A daemon that ends one before it reads anything
/// is being restarted, or will do the same to the next.
const TRIES: usize = 3;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Client");
        match &self.target {
            Target::Path(path) => debug.field("path", path),
            Target::InProcess(_) => debug.field("path", &"in process"),
        };
        debug.finish_non_exhaustive()
    }
}
