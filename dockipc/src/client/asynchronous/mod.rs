//! The client for programs on tokio.

mod call;
mod exchange;
mod items;
mod subscription;
mod upload;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use self::exchange::exchange;
use super::commands::Line;
use super::limits::CallLimits;
use super::{Client, Commands, Daemon};
use crate::error::Result;
use crate::reply::Reply;

pub use self::call::{AsyncCall, AsyncPipeline};
pub use self::items::AsyncItems;
pub use self::subscription::AsyncSubscription;
pub use self::upload::{AsyncItemReader, AsyncStreamReader, AsyncUpload};

/// A client of one daemon, for programs on tokio: [`Client`] with calls that are awaited.
///
/// It has the same defaults, errors, [retries](Client#retries) and [timeouts](Client#timeouts) as [`Client`].
/// It connects on first use, reuses its connections, and is cheap to clone. Clones share a pool of
/// connections. Any number of tasks may call at the same time, each over its own connection, and no call
/// blocks the thread.
///
/// ```no_run
/// # async fn example() -> dockipc::Result<()> {
/// let client = dockipc::AsyncClient::new("/run/hitd.sock");
/// let total: u64 = client.command("add").arg(2).call().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Dropped calls
/// A call whose future is dropped, as by `tokio::select!`, closes its connection. The command may have run,
/// and a dockipc daemon asks one that still runs to stop ([`Cancel`](crate::Cancel)). No later call gets its
/// answer.
///
/// # Runtimes
/// Calls can be made on any tokio runtime with I/O and time enabled, of one thread or more; outside of one, a
/// call panics, as tokio's own sockets do. One client can be used on several runtimes, one after the other or
/// at the same time: an idle connection belongs to none of them.
///
/// [`AsyncClient::from`] converts a [`Client`], such as that of [`Handle::client`](crate::Handle::client),
/// and shares its pool.
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
#[derive(Clone)]
pub struct AsyncClient(Client);

impl AsyncClient {
    /// Creates a client of the daemon at this path; see [`Client::new`].
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(Client::new(path))
    }

    /// Limits the duration of a whole call; see [`Client::timeout`]. Default: no limit.
    #[must_use]
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.timeout(limit))
    }

    /// Gives each call a token; see [`Client::once`].
    #[must_use]
    pub fn once(self) -> Self {
        Self(self.0.once())
    }

    /// Limits how long connecting may take. Default: 5 seconds; `None` means no limit.
    #[must_use]
    pub fn connect_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.connect_timeout(limit))
    }

    /// Limits how long the daemon may send nothing while the client waits for an answer. Default:
    /// 30 seconds; `None` means no limit. The keepalives of a running command restart it.
    #[must_use]
    pub fn read_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.read_timeout(limit))
    }

    /// Limits how long the daemon may read nothing while the client sends. Default: 30 seconds;
    /// `None` means no limit.
    #[must_use]
    pub fn write_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.write_timeout(limit))
    }

    /// Limits the size of an answer in bytes. Default: 64 MiB.
    #[must_use]
    pub fn max_answer(self, bytes: usize) -> Self {
        Self(self.0.max_answer(bytes))
    }

    /// Limits the number of idle connections in the pool. Default: 16; 0 disables reuse.
    #[must_use]
    pub fn max_idle(self, connections: usize) -> Self {
        Self(self.0.max_idle(connections))
    }

    /// Limits how long an idle connection is kept; see [`Client::idle_timeout`]. Default: 60 seconds;
    /// `None` means no limit.
    #[must_use]
    pub fn idle_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.idle_timeout(limit))
    }

    /// Requires that the listening process belongs to this user; see [`Client::require_owner`].
    #[must_use]
    pub fn require_owner(self, uid: u32) -> Self {
        Self(self.0.require_owner(uid))
    }

    /// Sends this token to the daemon on each connection; see [`Client::token`].
    #[must_use]
    pub fn token(self, token: impl AsRef<[u8]>) -> Self {
        Self(self.0.token(token))
    }

    /// Sends the token on the first line of this file, which is read for each connection; see
    /// [`Client::token_file`].
    #[must_use]
    pub fn token_file(self, path: impl AsRef<Path>) -> Self {
        Self(self.0.token_file(path))
    }

    /// Uses the token file or the token that the environment names; see [`Client::token_from_env`].
    #[must_use]
    pub fn token_from_env(self) -> Self {
        Self(self.0.token_from_env())
    }

    /// Returns the client that has the connections and the limits.
    pub(in crate::client) fn blocking(&self) -> &Client {
        &self.0
    }

    /// Prepares a call of the command with this name.
    pub fn command(&self, name: &str) -> AsyncCall<'_> {
        AsyncCall(self.0.command(name))
    }

    /// Prepares a call of a command that is a variant of an enum of commands; see [`Client::request`].
    pub fn request<C: Commands>(&self, command: C) -> AsyncCall<'_> {
        AsyncCall(self.0.request(command))
    }

    /// Asks the daemon for its versions; see [`Client::daemon`].
    ///
    /// # Errors
    /// See [`enum@crate::Error`].
    pub async fn daemon(&self) -> Result<Daemon> {
        AsyncCall(Daemon::question(&self.0)).call().await.map(Daemon::new)
    }

    /// Prepares a number of calls to send together over one connection; see [`AsyncPipeline`].
    pub fn pipeline(&self) -> AsyncPipeline<'_> {
        AsyncPipeline(self.0.pipeline())
    }

    /// Sends one line and returns the whole answer; see [`send`](crate::send).
    ///
    /// # Errors
    /// See [`enum@crate::Error`].
    pub async fn send(&self, line: &str) -> Result<Vec<u8>> {
        let mut line = Line::new(line);
        let call = CallLimits::new(&self.0.limits, self.0.limits.total);
        let answers = exchange(&self.0, &line.command(), &call).await;
        answers?.pop().unwrap_or(Reply::Null).parse()
    }
}

impl From<Client> for AsyncClient {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl fmt::Debug for AsyncClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncClient").field(&self.0).finish()
    }
}
