//! A call, and many calls together.

use std::fmt;
use std::io;
use std::time::Duration;

use super::Client;
use super::commands::{Again, Commands, Words, keeps_connection};
use super::connection::Part;
use super::limits::some_time;
use super::word::ToArg;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::reply::{FromReply, Reply};

/// A call being put together: [`Client::command`].
#[must_use = "a call is made with `.call()`"]
#[derive(Clone, Debug)]
pub struct Call<'c> {
    client: &'c Client,
    words: Words,
    timeout: Option<Duration>,
    idempotent: bool,
}

impl<'c> Call<'c> {
    pub(super) fn new(client: &'c Client, name: &str) -> Self {
        let timeout = client.limits.total;
        Self { client, words: Words::new(name), timeout, idempotent: false }
    }

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

    /// How long this call may take in all, instead of [`Client::timeout`].
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let total: u64 = client.command("total").timeout(Duration::from_millis(200)).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = some_time(limit.into());
        self
    }

    /// Says that to run this twice is the same as once, so that the call is made again if its
    /// answer is cut off: see [`Client`]. For commands that a daemon's author did not mark, and for
    /// servers that are not dockipc's.
    ///
    /// ```no_run
    /// let redis = dockipc::Client::new("/run/redis.sock");
    /// let name: String = redis.command("GET").arg("name").idempotent().call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Makes the call and reads the answer as a value. [`Reply`] takes any answer.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) is the daemon's "no"; for the others see
    /// [`enum@crate::Error`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        let Self { client, mut words, timeout, idempotent } = self;
        let mut command = words.command();
        if idempotent {
            command.again = Again::Yes;
        }
        client.ask(&command, timeout)
    }

    /// Makes the call and writes the answer's bytes, as a line would be answered: what
    /// [`Client::send`] returns. Long text or bytes are written as they come, whatever
    /// [`Client::max_answer`] is. Returns how many bytes were written.
    ///
    /// If the answer is cut off, its beginning has been written; the call is not made again then.
    ///
    /// ```
    /// # let daemon = dockipc::Server::new().spawn_in_process()?;
    /// # let client = daemon.client();
    /// let mut out = Vec::new();
    /// assert_eq!(client.command("ping").copy_to(&mut out)?, 4);
    /// assert_eq!(out, b"PONG");
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`call`](Self::call), and [`Error::Io`] if writing failed.
    pub fn copy_to(self, out: &mut impl io::Write) -> Result<u64> {
        let Self { client, mut words, timeout, .. } = self;
        let command = Commands { in_parts: true, again: Again::No, ..words.command() };
        let (mut written, mut refused) = (0, None);
        let writing = |error| Error::io("writing the answer", error);
        client.exchange(&command, timeout, |_, part| {
            let line;
            let bytes = match part {
                Part::Bytes(bytes) => bytes,
                Part::Whole(Reply::Error(failure)) => {
                    refused = Some(failure);
                    return Ok(());
                }
                Part::Whole(reply) => {
                    line = reply.into_line();
                    &line
                }
            };
            written += bytes.len() as u64;
            out.write_all(bytes).map_err(writing)
        })?;
        out.flush().map_err(writing)?;
        refused.map_or(Ok(written), |failure| Err(Error::Refused(failure)))
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
#[derive(Clone)]
pub struct Pipeline<'c> {
    client: &'c Client,
    commands: Buffer,
    count: usize,
    /// The length of the first command.
    first: usize,
    keeps: bool,
    timeout: Option<Duration>,
    idempotent: bool,
}

impl<'c> Pipeline<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self {
            client,
            commands: Buffer::default(),
            count: 0,
            first: 0,
            keeps: true,
            timeout: client.limits.total,
            idempotent: false,
        }
    }

    /// Adds a call of the command with this name and these words.
    pub fn command<T: ToArg>(
        &mut self,
        name: &str,
        words: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let mut command = Words::new(name);
        words.into_iter().for_each(|word| command.add(word));
        self.commands.extend_from_slice(command.command().bytes);
        if self.count == 0 {
            self.first = self.commands.len();
        }
        self.count += 1;
        self.keeps &= keeps_connection(name.as_bytes());
        self
    }

    /// How long all of it may take, instead of [`Client::timeout`].
    pub fn timeout(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.timeout = some_time(limit.into());
        self
    }

    /// Says that to run each of these twice is the same as once, so that all are sent again if an
    /// answer is cut off. Otherwise that is done only if none can have run: what the daemon's
    /// author marked is not asked for.
    pub fn idempotent(&mut self) -> &mut Self {
        self.idempotent = true;
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
            let commands = Commands {
                bytes: &self.commands,
                count: self.count,
                first: self.first,
                keeps: self.keeps,
                in_parts: false,
                again: if self.idempotent { Again::Yes } else { Again::No },
            };
            self.client.exchange(&commands, self.timeout, |i, part| {
                if let Part::Whole(reply) = part {
                    // Of an attempt that failed some may be there.
                    answers.truncate(i);
                    answers.push(reply);
                }
                Ok(())
            })?;
        }
        Ok(answers)
    }
}

/// Not the words, which may be secrets.
impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("client", self.client)
            .field("count", &self.count)
            .field("timeout", &self.timeout)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}
