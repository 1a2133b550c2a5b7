//! Calling a daemon.

mod call;
mod connection;
mod pool;
mod word;

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::connection::Connection;
use self::pool::Pool;
use self::word::keeps_connection;
use crate::error::{Error, Ran, Result};
use crate::listener;
use crate::reply::Reply;

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
/// A call is made again by itself, over a new connection, only where the daemon can't have run it:
/// when a kept connection turns out to be closed.
///
/// ```no_run
/// let client = dockipc::Client::new("/run/hitd.sock");
/// let total: u64 = client.command("add").arg(2).call()?;
/// # Ok::<(), dockipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    target: Target,
    limits: Limits,
    pool: Arc<Pool>,
}

type Connect = dyn Fn() -> Result<UnixStream> + Send + Sync;

#[derive(Clone)]
enum Target {
    Path(Arc<Path>),
    InProcess(Arc<Connect>),
}

#[derive(Clone, Copy)]
struct Limits {
    connect: Option<Duration>,
    read: Option<Duration>,
    write: Option<Duration>,
    answer: usize,
}

impl Client {
    /// A client of the daemon at this path. Nothing is connected yet.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::to(Target::Path(path.as_ref().into()))
    }

    pub(crate) fn in_process(
        connect: impl Fn() -> Result<UnixStream> + Send + Sync + 'static,
    ) -> Self {
        Self::to(Target::InProcess(Arc::new(connect)))
    }

    fn to(target: Target) -> Self {
        let limits = Limits {
            connect: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(30)),
            write: Some(Duration::from_secs(30)),
            answer: 64 << 20,
        };
        Self { target, limits, pool: Arc::default() }
    }

    /// How long connecting may take. Default 5 s; `None` is no limit.
    #[must_use]
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.limits.connect = some_time(limit.into());
        self
    }

    /// How long the daemon may be silent while its answer is awaited. Default 30 s; `None` is no
    /// limit.
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
        let mut call = self.command("dockipc").arg("line").arg(line);
        let name = line.split_whitespace().next().unwrap_or_default();
        call.words.keeps &= keeps_connection(name.trim_matches(['\'', '"']));
        call.call()
    }

    /// Sends commands and gives each answer, in order, to `each`.
    fn exchange(
        &self,
        commands: &[u8],
        count: usize,
        keep: bool,
        mut each: impl FnMut(Reply),
    ) -> Result<()> {
        loop {
            let kept = self.pool.take();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect()?,
            };
            match connection.exchange(commands, count, &self.limits, &mut each) {
                Ok(()) => {
                    if keep && connection.is_clean() {
                        self.pool.keep(connection);
                    }
                    return Ok(());
                }
                // The daemon has closed a connection that was kept: this says nothing of the call.
                Err(Error::CutOff { ran: Ran::No, .. }) if is_kept => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn connect(&self) -> Result<Connection> {
        let stream = match &self.target {
            Target::Path(path) => listener::connect(path, self.limits.connect)?.into(),
            Target::InProcess(connect) => connect()?,
        };
        Ok(Connection::new(stream))
    }
}

/// A timeout of zero would mean none to the system.
fn some_time(limit: Option<Duration>) -> Option<Duration> {
    limit.map(|limit| limit.max(Duration::from_micros(1)))
}

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
