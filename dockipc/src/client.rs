//! Calling a daemon.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::error::{Error, Ran, Result, code};
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
        Call { client: self, words: Words::new(name) }
    }

    /// Many calls over one connection, sent together: see [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline { client: self, commands: Vec::new(), count: 0, keeps: true }
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
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect()?,
            };
            match connection.exchange(commands, count, &self.limits, &mut each) {
                Ok(()) => {
                    if keep && connection.is_clean() {
                        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                        if idle.len() < MOST_IDLE {
                            idle.push(connection);
                        }
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

/// A call being put together: [`Client::command`].
#[must_use = "a call is made with `.call()`"]
#[derive(Clone, Debug)]
pub struct Call<'c> {
    client: &'c Client,
    words: Words,
}

impl Call<'_> {
    /// Adds a word. Any byte may be in it. A `None` adds nothing.
    pub fn arg(mut self, value: impl ToArg) -> Self {
        self.words.add(value);
        self
    }

    /// Adds a word for each value.
    pub fn args<T: ToArg>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().for_each(|value| self.words.add(value));
        self
    }

    /// Makes the call and reads the answer as a value. [`Reply`] takes any answer.
    ///
    /// # Errors
    /// [`Error::Refused`] is the daemon's "no"; for the others see [`enum@Error`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        let Self { client, mut words } = self;
        let mut answer = Reply::Null;
        let keeps = words.keeps;
        client.exchange(words.command(), 1, keeps, |reply| answer = reply)?;
        answer.parse()
    }
}

/// Many calls over one connection: [`Client::pipeline`].
///
/// They are sent together and answered in order, so that a thousand cost about as much as a few.
/// Each runs whether or not the one before it failed. Other clients' commands may run between them.
///
/// ```
/// # let daemon = dockipc::Server::new().spawn_in_process()?;
/// # let client = daemon.client();
/// let mut pipeline = client.pipeline();
/// for i in 0..1000 {
///     pipeline.command("echo", [i.to_string()]);
/// }
/// pipeline.command("no-such-command", [""]);
/// let answers = pipeline.call()?;
/// assert_eq!(answers.len(), 1001);
/// let mut answers = answers.into_iter();
/// assert_eq!(answers.next().unwrap().parse::<u64>()?, 0);
/// assert!(answers.last().unwrap().parse::<()>().is_err());
/// # Ok::<(), dockipc::Error>(())
/// ```
#[must_use = "the calls are made with `.call()`"]
#[derive(Clone, Debug)]
pub struct Pipeline<'c> {
    client: &'c Client,
    commands: Vec<u8>,
    count: usize,
    keeps: bool,
}

impl Pipeline<'_> {
    /// Adds a call of the command with this name and these words.
    pub fn command<T: ToArg>(
        &mut self,
        name: &str,
        words: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let mut command = Words::new(name);
        words.into_iter().for_each(|word| command.add(word));
        self.commands.extend_from_slice(command.command());
        self.count += 1;
        self.keeps &= command.keeps;
        self
    }

    /// Makes the calls; one answer each, in their order. [`Reply::parse`] reads an answer as a
    /// value, and makes an error of a daemon's "no".
    ///
    /// # Errors
    /// Not every answer arrived. Any of the commands may have run, unless the error says otherwise.
    pub fn call(&self) -> Result<Vec<Reply>> {
        let mut answers = Vec::with_capacity(self.count);
        if self.count > 0 {
            let each = |reply| answers.push(reply);
            self.client.exchange(&self.commands, self.count, self.keeps, each)?;
        }
        Ok(answers)
    }
}

/// One command as it is sent, with room for its count in front.
#[derive(Clone, Debug)]
struct Words {
    bytes: Vec<u8>,
    count: usize,
    /// Whether the connection is as good for the next call as it was.
    keeps: bool,
}

/// Not after a command that ends the connection or changes how it speaks.
fn keeps_connection(name: &str) -> bool {
    !["quit", "reset", "hello"].iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Room for `*`, a count and CR LF.
const HEAD: usize = 23;

impl Words {
    fn new(name: &str) -> Self {
        let mut bytes = Vec::with_capacity(HEAD + name.len() + 64);
        bytes.resize(HEAD, 0);
        let mut words = Self { bytes, count: 0, keeps: keeps_connection(name) };
        words.add(name);
        words
    }

    fn add(&mut self, value: impl ToArg) {
        if let Some(word) = value.to_arg() {
            encode::bulk(&word, &mut self.bytes);
            self.count += 1;
        }
    }

    fn command(&mut self) -> &[u8] {
        let mut head = Vec::with_capacity(HEAD);
        encode::length(b'*', self.count, &mut head);
        let start = HEAD - head.len();
        self.bytes[start..HEAD].copy_from_slice(&head);
        &self.bytes[start..]
    }
}

/// What can be a word of a call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a word of a call",
    note = "words are text, bytes, numbers, bool, char, Duration, paths, addresses, and `Option` of those; for another type send `.to_string()`"
)]
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
        std::net::IpAddr std::net::Ipv4Addr std::net::Ipv6Addr std::net::SocketAddr
}

macro_rules! system_text {
    ($($ty:ty)*) => {$(
        impl ToArg for $ty {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(<Self as AsRef<OsStr>>::as_ref(self).as_bytes()))
            }
        }
    )*};
}

system_text! { OsStr OsString Path PathBuf }

impl<T: ToOwned<Owned: ToArg> + ToArg + ?Sized> ToArg for Cow<'_, T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_arg()
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
    /// What was read and not used up is between these.
    start: usize,
    fill: usize,
    /// The timeout that the socket has.
    read_timeout: Option<Duration>,
    /// Whether the handshake has been sent.
    greeted: bool,
}

/// Asks for RESP3, whose answers keep their types.
const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// The size of a fresh buffer; a larger one is not kept.
const BUFFER: usize = 8 * 1024;

impl Connection {
    fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), start: 0, fill: 0, read_timeout: None, greeted: false }
    }

    /// Whether nothing was read that belongs to no call.
    fn is_clean(&self) -> bool {
        self.fill == 0
    }

    /// Sends commands and reads their answers.
    fn exchange(
        &mut self,
        commands: &[u8],
        count: usize,
        limits: &Limits,
        each: &mut impl FnMut(Reply),
    ) -> Result<()> {
        if self.read_timeout != limits.read {
            let set = self.stream.set_read_timeout(limits.read);
            set.map_err(|e| Error::io("setting a timeout", e))?;
            self.read_timeout = limits.read;
        }
        if self.greeted {
            self.send(commands, count, limits)?;
        } else if let Err(error) = self.send(&[HELLO, commands].concat(), count, limits) {
            // It may have said why before it closed: too many connections, for example.
            if let Error::CutOff { .. } = error
                && let Ok(Reply::Error(refusal)) = self.read(limits)
            {
                return Err(Error::Refused(refusal));
            }
            return Err(error);
        }
        if !self.greeted {
            // A server without RESP3 says so, and answers the commands all the same.
            let room = Limits { answer: limits.answer.max(BUFFER), ..*limits };
            if let Reply::Error(failure) = self.read(&room)?
                && failure.code() == code::BUSY
            {
                return Err(Error::Refused(failure));
            }
            self.greeted = true;
        }
        for _ in 0..count {
            match self.read(limits) {
                Ok(reply) => each(reply),
                // Of several commands some may have been read.
                Err(Error::CutOff { received, .. }) if count > 1 => {
                    return Err(Error::CutOff { received, ran: Ran::Maybe });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends everything. Meanwhile answers are taken in, or a daemon that waits for its answers to
    /// be read and a client that waits to be read would wait for each other.
    fn send(&mut self, bytes: &[u8], count: usize, limits: &Limits) -> Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            // What was not sent whole was not run. Of several commands the first may be.
            let ran = if sent == 0 || count == 1 { Ran::No } else { Ran::Maybe };
            // Without MSG_NOSIGNAL a closed connection could end the program, send(2).
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::send(&self.stream, &bytes[sent..], flags) {
                Ok(n) => sent += n,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_to_send(count, ran, limits)?,
                Err(Errno::PIPE | Errno::CONNRESET) => {
                    return Err(Error::CutOff { received: 0, ran });
                }
                Err(errno) => return Err(Error::io("sending the command", errno)),
            }
        }
        Ok(())
    }

    fn wait_to_send(&mut self, count: usize, ran: Ran, limits: &Limits) -> Result<()> {
        let here = self.fill - self.start;
        let readable = here < limits.answer.saturating_mul(count);
        let interest = if readable { PollFlags::IN | PollFlags::OUT } else { PollFlags::OUT };
        let mut fds = [PollFd::from_borrowed_fd(self.stream.as_fd(), interest)];
        let timeout = limits.write.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => Err(Error::TimedOut {
                doing: "sending the command",
                after: limits.write.unwrap_or_default(),
                ran,
            }),
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => self.fill(here + 1, limits),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Error::io("waiting to send the command", errno)),
        }
    }

    /// Reads one whole answer; what is pushed beside it is passed over.
    fn read(&mut self, limits: &Limits) -> Result<Reply> {
        let not_resp = |NotResp(why)| Error::Protocol(why);
        let mut scanner = Scanner::new();
        loop {
            let need = match scanner.scan(&self.input[self.start..self.fill]).map_err(not_resp)? {
                Scan::Whole { len, .. } if len > limits.answer => {
                    return Err(Error::AnswerTooBig { limit: limits.answer });
                }
                Scan::Whole { len, push } => {
                    let reply = answer::read(&self.input[self.start..self.start + len]);
                    self.start += len;
                    if self.start == self.fill {
                        (self.start, self.fill) = (0, 0);
                        if self.input.len() > BUFFER {
                            self.input = Vec::new();
                        }
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

    /// Reads more, having room for `need` unused bytes at least.
    fn fill(&mut self, need: usize, limits: &Limits) -> Result<()> {
        if self.start + need > self.input.len() {
            self.input.copy_within(self.start..self.fill, 0);
            self.fill -= std::mem::take(&mut self.start);
        }
        if need > self.input.len() {
            // Only doubled, so that a length alone does not take memory.
            self.input.resize((self.input.len() * 2).max(BUFFER), 0);
        }
        loop {
            return match self.stream.read(&mut self.input[self.fill..]) {
                Ok(0) => Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe }),
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
                Err(e) if e.kind() == ErrorKind::ConnectionReset && self.fill == self.start => {
                    Err(Error::CutOff { received: 0, ran: Ran::No })
                }
                Err(e) if e.kind() == ErrorKind::ConnectionReset => {
                    Err(Error::CutOff { received: self.fill - self.start, ran: Ran::Maybe })
                }
                Err(e) => Err(Error::io("reading the answer", e)),
            };
        }
    }
}
