//! A call, and many calls together.

use super::Client;
use super::word::{ToArg, Words};
use crate::error::Result;
use crate::reply::{FromReply, Reply};

/// A call being put together: [`Client::command`].
#[must_use = "a call is made with `.call()`"]
#[derive(Clone, Debug)]
pub struct Call<'c> {
    client: &'c Client,
    pub(super) words: Words,
}

impl<'c> Call<'c> {
    pub(super) fn new(client: &'c Client, name: &str) -> Self {
        Self { client, words: Words::new(name) }
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

impl<'c> Pipeline<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, commands: Vec::new(), count: 0, keeps: true }
    }

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
