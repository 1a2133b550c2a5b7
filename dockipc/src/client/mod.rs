//! The client of a daemon: pooled connections, typed calls, pipelines, safe retries.

#[cfg(feature = "tokio")]
mod asynchronous;
mod call;
mod canceller;
mod commands;
mod connection;
mod daemon;
mod exchange;
mod handshake;
mod items;
mod limits;
mod newest;
mod once;
mod pool;
mod progress;
mod request;
mod restart;
mod subscription;
mod to_args;
mod trust;
#[doc(hidden)]
pub mod typed;
mod upload;
mod word;

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::commands::Line;
use self::handshake::{Credential, Recipients, TokenSource};
use self::limits::{CallLimits, ClientLimits, nonzero_timeout};
use self::once::Once;
use self::pool::Pool;
use crate::error::Result;
use crate::token::Token;

#[cfg(feature = "tokio")]
pub use self::asynchronous::{
    AsyncCall, AsyncClient, AsyncItemReader, AsyncItems, AsyncPipeline, AsyncStreamReader,
    AsyncSubscription, AsyncUpload,
};
pub use self::call::{Call, Pipeline};
pub use self::canceller::Canceller;
pub use self::daemon::Daemon;
pub use self::items::Items;
#[cfg(feature = "cli")]
pub(crate) use self::limits::{CONNECT_TIMEOUT, Deadline};
pub use self::progress::Progress;
pub use self::request::Commands;
#[cfg(feature = "cli")]
pub(crate) use self::restart::{Restart, lock};
pub use self::subscription::{Event, Mirror, Subscription};
pub use self::to_args::{Arguments, ToArgs, Way};
#[cfg(feature = "cli")]
pub(crate) use self::trust::withheld;
pub use self::typed::Difference;
pub use self::upload::Upload;
#[cfg(feature = "cli")]
pub(crate) use self::upload::{Body, SendBody};
pub use self::word::ToArg;
pub use crate::reply::ItemReader;
pub use crate::wire::words::quote;

/// Sends one line to the daemon at `path` and returns the whole answer, as `nc` would print it.
///
/// An error answer is [`Error::Refused`](crate::Error::Refused); a truncated answer is also an
/// error. The line is split into words as in line mode; see [`quote`].
///
/// ```no_run
/// let total = dockipc::send("/run/hitd.sock", "add 2")?;
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// # Errors
/// See [`enum@crate::Error`].
pub fn send(path: impl AsRef<Path>, line: &str) -> Result<Vec<u8>> {
    Client::new(path).send(line)
}

/// A client of one daemon.
///
/// It connects on first use, reuses its connections, and is cheap to clone. Clones share a pool of
/// connections. Any number of threads may call at the same time, each over its own connection.
///
/// ```no_run
/// let client = dockipc::Client::new("/run/hitd.sock");
/// let total: u64 = client.command("add").arg(2).call()?;
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// # Retries
/// The client retries a call over a new connection in two cases:
///
/// - **The command did not run**: the connection closed before the whole command was sent or read,
///   or the daemon answered that it is stopping and did not run the command. This is what happens to
///   idle connections when a daemon restarts.
/// - **The command is idempotent** and its answer was cut off. Either the daemon's author marked it
///   with [`#[command(idempotent)]`](crate::command), which the client asks the daemon about, or the
///   caller used [`Call::idempotent`]. There is one such retry; if it fails too, the call returns the
///   first error.
///
/// A call [with a token](Call::once) is retried for as long as its timeout allows, whatever its command, also while the
/// daemon restarts: the daemon runs it once.
///
/// Any other truncated answer is an [`Error::CutOff`](crate::Error::CutOff), which says whether the
/// command may have run. A call is not retried after a timeout or after any other error answer. So
/// a command that is not idempotent runs at most once per call.
///
/// # Timeouts
/// By default a call fails when the daemon sends nothing for 30 seconds. A command may still run
/// longer: over RESP3, which this client uses, a dockipc daemon sends a keepalive every second
/// while a command runs. [`timeout`](Self::timeout) limits the duration of the whole call.
///
/// A dockipc daemon is told how much of that time is left when a single command is sent (see
/// [`Deadline`](crate::Deadline)): it does not begin a command whose time has passed, and asks one that runs
/// to stop. For this, the first such call on a new connection waits for the daemon's greeting before it sends
/// the command. The commands of a [`Pipeline`] have no such deadline: when its time has passed, the client
/// closes the connection, which asks the command that runs to stop.
///
/// [`Call::canceller`] cancels a call before its time has passed.
///
/// # Processes
/// Connections are not inherited across exec(3). A forked child that keeps using the client shares
/// its connections with the parent, and each would read the other's answers: create a new client in
/// the child.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    limits: ClientLimits,
    /// Whether calls have a token.
    once: Once,
    pool: Arc<Pool>,
    token: Option<Credential>,
    /// Users that the listener may belong to; empty if any user may listen.
    owners: Arc<[u32]>,
    #[cfg(feature = "cli")]
    servers: Servers,
    /// Called with each new connection.
    #[cfg(feature = "cli")]
    on_connect: Option<Arc<OnConnect>>,
}

/// The servers that a client talks to.
#[cfg(feature = "cli")]
#[derive(Clone, Copy)]
enum Servers {
    /// Any server that speaks RESP.
    Any,
    /// Only dockipc daemons. `has_lock`: the socket has a lock file, so that a silent server is a
    /// daemon that hangs and not another program.
    Dockipc { has_lock: bool },
}

#[cfg(feature = "cli")]
type OnConnect = dyn Fn(&UnixStream) + Send + Sync;
type Connect = dyn Fn() -> Result<UnixStream> + Send + Sync;

#[derive(Clone)]
enum Endpoint {
    Path(Arc<Path>),
    InProcess(Arc<Connect>),
}

impl Client {
    /// Creates a client of the daemon at this path, without connecting yet. `@name` is an abstract
    /// name, unix(7).
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::to(Endpoint::Path(path.as_ref().into()))
    }

    pub(crate) fn in_process(
        connect: impl Fn() -> Result<UnixStream> + Send + Sync + 'static,
    ) -> Self {
        Self::to(Endpoint::InProcess(Arc::new(connect)))
    }

    fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            limits: ClientLimits::default(),
            once: Once::No,
            pool: Arc::default(),
            token: None,
            owners: Arc::default(),
            #[cfg(feature = "cli")]
            servers: Servers::Any,
            #[cfg(feature = "cli")]
            on_connect: None,
        }
    }

    /// Limits the duration of a whole call: connecting, sending, waiting, reading, and retries.
    /// Default: no limit.
    ///
    /// A daemon that answers a byte at a time does not extend it. [`Call::timeout`] sets it for one
    /// call.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let client = dockipc::Client::new("/run/hitd.sock").timeout(Duration::from_secs(1));
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.total = nonzero_timeout(limit.into());
        self
    }

    /// Limits how long connecting may take. Default: 5 seconds; `None` means no limit.
    #[must_use]
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.connect = nonzero_timeout(limit.into());
        self
    }

    /// Limits how long the daemon may send nothing while the client waits for an answer. Default:
    /// 30 seconds; `None` means no limit. The keepalives of a running command restart it.
    #[must_use]
    pub fn read_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.read = nonzero_timeout(limit.into());
        self
    }

    /// Limits how long the daemon may read nothing while the client sends. Default: 30 seconds;
    /// `None` means no limit.
    #[must_use]
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.write = nonzero_timeout(limit.into());
        self
    }

    /// Limits the size of an answer in bytes. Default: 64 MiB.
    #[must_use]
    pub fn max_answer(mut self, bytes: usize) -> Self {
        self.limits.answer = bytes;
        self
    }

    /// Limits the number of idle connections in the pool. Default: 16; 0 disables reuse.
    #[must_use]
    pub fn max_idle(mut self, connections: usize) -> Self {
        self.limits.max_idle = connections;
        self
    }

    /// Limits how long an idle connection is kept. Default: 60 seconds; `None` means no limit.
    ///
    /// Expired connections are closed when the client is next used, not by a thread.
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.idle = limit.into();
        self
    }

    /// Gives each call a token, as [`Call::once`] does, so that the daemon runs it once, however often the client
    /// repeats it. Calls of streams, calls with a body and pipelines have none.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock").once();
    /// let total: u64 = client.command("add").arg(2).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = Once::OfClient;
        self
    }

    /// Requires that the listening process belongs to this user. Each new connection is checked
    /// before anything is sent; a mismatch is an [`Error::WrongOwner`](crate::Error::WrongOwner).
    /// This protects against a socket that another user with write access to the directory created
    /// at the path. libpq calls it `requirepeer`.
    ///
    /// Each further call allows one more user.
    ///
    /// The kernel records the user at the time of listen(2) (`SO_PEERCRED`, unix(7)): root for a
    /// daemon that drops privileges later, and for a socket that systemd opened (the user for
    /// `systemd --user`). A forwarded socket, as of `ssh -L`, belongs to the user of the forwarding
    /// program. In a user namespace, all unmapped users look the same (65534).
    ///
    /// ```no_run
    /// // The daemon must run as root.
    /// let client = dockipc::Client::new("/run/hitd.sock").require_owner(0);
    /// let total: u64 = client.command("total").call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    #[must_use]
    pub fn require_owner(mut self, uid: u32) -> Self {
        // The old pool has unchecked connections.
        self.pool = Arc::default();
        self.owners = self.owners.iter().copied().chain([uid]).collect();
        self
    }

    /// Sends this token to the daemon on each connection; see
    /// [`Server::token_file`](crate::Server::token_file). Any process that listens at the path
    /// receives it: use [`require_owner`](Self::require_owner) if other users can create a socket
    /// there.
    ///
    /// If the daemon rejects the token, the call is an [`Error::Refused`](crate::Error::Refused)
    /// with the code [`WRONGPASS`](crate::error::code::WRONGPASS), and no command is sent. A daemon
    /// without a token also refuses, with other codes. The new client does not share connections
    /// with the old one.
    ///
    /// Do not take the token from the command line, which any local user can read: use
    /// [`token_file`](Self::token_file) or [`token_from_env`](Self::token_from_env).
    #[must_use]
    pub fn token(self, token: impl AsRef<[u8]>) -> Self {
        self.with_token(Some(TokenSource::Given(Token::new(token.as_ref()))), Recipients::All)
    }

    /// Sends the token on the first line of this file, which is read for each connection. As on the
    /// server, it must be a regular file owned by this user or root that no other user can access;
    /// otherwise calls fail with [`Error::BadTokenFile`](crate::Error::BadTokenFile). See
    /// [`token`](Self::token).
    #[must_use]
    pub fn token_file(self, path: impl AsRef<Path>) -> Self {
        self.with_token(Some(TokenSource::File(path.as_ref().into())), Recipients::All)
    }

    /// Uses the token file named by the environment variable `DOCKIPC_TOKEN_FILE`, or else the
    /// token in `DOCKIPC_TOKEN`. If both are unset or empty, no token is sent.
    ///
    /// No other method reads these variables.
    ///
    /// The environment is not specific to a path, so this token is only sent to daemons of root, of
    /// this process's user, or of a user allowed with [`require_owner`](Self::require_owner). Other
    /// daemons are called without it, and the message of a `NOPERM` answer says so.
    #[must_use]
    pub fn token_from_env(self) -> Self {
        self.with_token(TokenSource::from_environment(), Recipients::Trusted)
    }

    /// Withholds the token of the environment from any daemon. The message of a `NOPERM` answer
    /// says so.
    #[cfg(feature = "cli")]
    pub(crate) fn without_token_from_env(self) -> Self {
        self.with_token(TokenSource::from_environment(), Recipients::None)
    }

    fn with_token(mut self, source: Option<TokenSource>, recipients: Recipients) -> Self {
        // The old pool has connections with another token, or none.
        self.pool = Arc::default();
        self.token = source.map(|source| Credential { source, recipients });
        self
    }

    /// Sends commands only to dockipc daemons: each new connection gets the handshake first, and
    /// calls fail with [`Error::NotDockipc`](crate::Error::NotDockipc) if another program answers.
    /// `has_lock`: the socket has a lock file, so that a silent server is a daemon that hangs.
    #[cfg(feature = "cli")]
    pub(crate) fn only_dockipc(mut self, has_lock: bool) -> Self {
        self.servers = Servers::Dockipc { has_lock };
        self
    }

    /// Limits all calls together, beside [`timeout`](Self::timeout).
    #[cfg(feature = "cli")]
    pub(crate) fn until(mut self, end: Option<Deadline>) -> Self {
        self.limits.until = end;
        self
    }

    /// Calls a function with each new connection, before anything is sent, beside those that were
    /// given before.
    #[cfg(feature = "cli")]
    pub(crate) fn on_connect(
        mut self,
        on_connect: impl Fn(&UnixStream) + Send + Sync + 'static,
    ) -> Self {
        let before = self.on_connect.take();
        self.on_connect = Some(Arc::new(move |stream| {
            if let Some(before) = &before {
                before(stream);
            }
            on_connect(stream);
        }));
        self
    }

    /// Prepares a call of the command with this name.
    pub fn command(&self, name: &str) -> Call<'_> {
        Call::new(self, name)
    }

    /// Prepares a number of calls to send together over one connection; see [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(self)
    }

    /// Sends one line and returns the whole answer; see [`send`].
    ///
    /// # Errors
    /// See [`enum@crate::Error`].
    pub fn send(&self, line: &str) -> Result<Vec<u8>> {
        let mut line = Line::new(line);
        self.ask(&line.command(), &CallLimits::new(&self.limits, self.limits.total))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Client");
        match &self.endpoint {
            Endpoint::Path(path) => debug.field("path", path),
            Endpoint::InProcess(_) => debug.field("path", &"in process"),
        };
        debug.finish_non_exhaustive()
    }
}
