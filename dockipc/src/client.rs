//! Calling a daemon.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Ran, Result};
use crate::listener;
use crate::reply::{FromReply, Reply};
use crate::wire::answer::{self, NotResp, Scan, Scanner};
use crate::wire::encode;

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
    idle: Arc<Mutex<Vec<Connection>>>,
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

/// So many connections are kept when nobody uses them.
const MOST_IDLE: usize = 16;

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
        Self { target, limits, idle: Arc::default() }
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
        Call { client: self, words: Vec::new(), count: 0 }.arg(name)
    }

    /// Sends one line and returns the whole answer, as [`send`].
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn send(&self, line: &str) -> Result<Vec<u8>> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        self.command("dockipc").arg("line").arg(line).call()
    }

    fn call(&self, command: &[u8]) -> Result<Reply> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect()?,
            };
            match connection.call(command, &self.limits) {
                Ok(reply) => {
                    if connection.is_clean() {
                        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                        if idle.len() < MOST_IDLE {
                            idle.push(connection);
                        }
                    }
                    return Ok(reply);
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

/// A call being put together: [`Client::command`].
#[must_use = "a call is made with `.call()`"]
#[derive(Clone, Debug)]
pub struct Call<'c> {
    client: &'c Client,
    words: Vec<u8>,
    count: usize,
}

impl Call<'_> {
    /// Adds a word. Any byte may be in it. A `None` adds nothing.
    pub fn arg(mut self, value: impl ToArg) -> Self {
        if let Some(word) = value.to_arg() {
            encode::bulk(&word, &mut self.words);
            self.count += 1;
        }
        self
    }

    /// Adds a word for each value.
    pub fn args<T: ToArg>(self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, Call::arg)
    }

    /// Makes the call and reads the answer as a value. [`Reply`] takes any answer.
    ///
    /// # Errors
    /// [`Error::Refused`] is the daemon's "no"; for the others see [`enum@Error`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        let mut command = Vec::with_capacity(self.words.len() + 16);
        encode::length(b'*', self.count, &mut command);
        command.extend_from_slice(&self.words);
        self.client.call(&command)?.parse()
    }
}

/// What can be a word of a call.
pub trait ToArg {
    /// The word; none for a value that is not there.
    fn to_arg(&self) -> Option<Cow<'_, [u8]>>;
}

impl<T: ToArg + ?Sized> ToArg for &T {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_arg()
    }
}

impl<T: ToArg> ToArg for Option<T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        self.as_ref().and_then(T::to_arg)
    }
}

impl ToArg for Duration {
    /// In nanoseconds, which loses nothing.
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(format!("{}ns", self.as_nanos()).into_bytes()))
    }
}

macro_rules! to_arg {
    (bytes: $($bytes:ty: $how:ident)*; shown: $($shown:ty)*) => {
        $(impl ToArg for $bytes {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(self.$how().as_ref()))
            }
        })*
        $(impl ToArg for $shown {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Owned(self.to_string().into_bytes()))
            }
        })*
    };
}

to_arg! {
    bytes: str: as_bytes String: as_bytes [u8]: as_ref Vec<u8>: as_slice;
    shown: u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char
        std::net::IpAddr std::net::SocketAddr
}

impl ToArg for Path {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self.as_os_str().as_bytes()))
    }
}

impl ToArg for PathBuf {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        self.as_path().to_arg().map(|word| Cow::Owned(word.into_owned()))
    }
}

impl<const N: usize> ToArg for [u8; N] {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self))
    }
}

/// One connection to the daemon, and what was read from it.
struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    fill: usize,
    /// The timeouts that the socket has.
    timeouts: [Option<Duration>; 2],
    /// Whether the handshake has been sent.
    greeted: bool,
}

/// Asks for RESP3, whose answers keep their types.
const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// The size of a fresh buffer; a larger one is not kept.
const BUFFER: usize = 8 * 1024;

impl Connection {
    fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), fill: 0, timeouts: [None; 2], greeted: false }
    }

    /// Whether nothing was read that belongs to no call.
    fn is_clean(&self) -> bool {
        self.fill == 0
    }

    fn call(&mut self, command: &[u8], limits: &Limits) -> Result<Reply> {
        self.set_timeouts(limits).map_err(|e| Error::io("setting a timeout", e))?;
        let written = if self.greeted {
            self.stream.write_all(command)
        } else {
            self.stream.write_all(&[HELLO, command].concat())
        };
        if let Err(e) = written {
            // It may have said why before it closed: too many connections, for example.
            if !self.greeted
                && let Ok(refusal @ Reply::Error(_)) = self.read(limits)
            {
                return Ok(refusal);
            }
            return Err(match e.kind() {
                ErrorKind::WouldBlock => Error::TimedOut {
                    doing: "sending the command",
                    after: limits.write.unwrap_or_default(),
                    ran: Ran::No,
                },
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                    Error::CutOff { received: 0, ran: Ran::No }
                }
                _ => Error::io("sending the command", e),
            });
        }
        if !self.greeted {
            // A server without RESP3 says so, and answers the command all the same.
            let greeting = self.read(limits)?;
            self.greeted = true;
            if let Reply::Error(failure) = &greeting
                && failure.code() == crate::error::code::BUSY
            {
                return Ok(greeting);
            }
        }
        self.read(limits)
    }

    fn set_timeouts(&mut self, limits: &Limits) -> io::Result<()> {
        let [read, write] = self.timeouts;
        if read != limits.read {
            self.stream.set_read_timeout(limits.read)?;
        }
        if write != limits.write || !self.greeted {
            self.stream.set_write_timeout(limits.write)?;
        }
        self.timeouts = [limits.read, limits.write];
        Ok(())
    }

    /// Reads one whole answer; what is pushed beside it is passed over.
    fn read(&mut self, limits: &Limits) -> Result<Reply> {
        let not_resp = |NotResp(why)| Error::Protocol(why);
        let mut scanner = Scanner::new();
        loop {
            let need = match scanner.scan(&self.input[..self.fill]).map_err(not_resp)? {
                Scan::Whole { len, push } => {
                    let reply = answer::read(&self.input[..len]);
                    self.input.copy_within(len..self.fill, 0);
                    self.fill -= len;
                    if self.fill == 0 && self.input.len() > BUFFER {
                        self.input = Vec::new();
                    }
                    if push {
                        scanner = Scanner::new();
                        continue;
                    }
                    return reply.map_err(not_resp);
                }
                Scan::More { need } => need,
            };
            if need > limits.answer {
                return Err(Error::AnswerTooBig { limit: limits.answer });
            }
            self.fill(need, limits)?;
        }
    }

    /// Reads more, having room for `need` bytes at least.
    fn fill(&mut self, need: usize, limits: &Limits) -> Result<()> {
        if need > self.input.len() || self.fill == self.input.len() {
            // Doubled at most, so that a length alone does not take memory.
            let double = (self.input.len() * 2).max(BUFFER);
            self.input.resize(need.clamp(BUFFER, double), 0);
        }
        loop {
            return match self.stream.read(&mut self.input[self.fill..]) {
                Ok(0) => Err(Error::CutOff { received: self.fill, ran: Ran::Maybe }),
                Ok(n) => {
                    self.fill += n;
                    Ok(())
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => Err(Error::TimedOut {
                    doing: "waiting for the answer",
                    after: limits.read.unwrap_or_default(),
                    ran: Ran::Maybe,
                }),
                // unix(7): the peer closed with our bytes unread, so the command was not run.
                Err(e) if e.kind() == ErrorKind::ConnectionReset && self.fill == 0 => {
                    Err(Error::CutOff { received: 0, ran: Ran::No })
                }
                Err(e) if e.kind() == ErrorKind::ConnectionReset => {
                    Err(Error::CutOff { received: self.fill, ran: Ran::Maybe })
                }
                Err(e) => Err(Error::io("reading the answer", e)),
            };
        }
    }
}
