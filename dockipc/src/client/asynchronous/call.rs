//! Single calls and pipelines of an async client.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;

use super::exchange::{attempt, exchange};
use super::items::{AsyncItems, Open};
use super::upload::{AsyncItemReader, AsyncStreamReader, AsyncUpload};
use crate::client::limits::CallLimits;
use crate::client::upload::SendBody;
use crate::client::{Call, Pipeline, Progress, ToArg, ToArgs, Way};
use crate::error::Result;
use crate::reply::{FromReply, IntoReply, Reply};

/// A builder for one call; see [`AsyncClient::command`](super::AsyncClient::command).
#[must_use = "a call is made with `.call().await`"]
#[derive(Clone, Debug)]
pub struct AsyncCall<'c>(pub(in crate::client) Call<'c>);

impl<'c> AsyncCall<'c> {
    /// Adds an argument; see [`Call::arg`].
    pub fn arg(self, value: impl ToArg) -> Self {
        Self(self.0.arg(value))
    }

    /// Adds an argument for each value.
    pub fn args<T: ToArg>(self, values: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.args(values))
    }

    /// Adds the option `--name` with this value; see [`Call::option`].
    pub fn option(self, name: &str, value: impl ToArg) -> Self {
        Self(self.0.option(name, value))
    }

    /// Adds the flag `--name`, before or after arguments.
    pub fn flag(self, name: &str) -> Self {
        Self(self.0.flag(name))
    }

    /// Adds words behind the arguments and a `--`; see [`Call::last`].
    pub fn last<T: ToArg>(self, words: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.last(words))
    }

    /// Adds the value of a typed parameter; see [`Call::give`].
    pub fn give<T: ToArgs + ?Sized>(self, value: &T, way: Way) -> Self {
        Self(self.0.give(value, way))
    }

    /// Adds words in front of the arguments, as a person typed them; see [`Call::words`].
    pub fn words<T: ToArg>(self, words: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.words(words))
    }

    /// Limits the duration of this call, instead of [`AsyncClient::timeout`](super::AsyncClient::timeout).
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        Self(self.0.timeout(limit))
    }

    /// Declares that the call may be retried if its answer is cut off; see [`Call::idempotent`].
    pub fn idempotent(self) -> Self {
        Self(self.0.idempotent())
    }

    /// Gives the call a token, so that the daemon runs it once; see [`Call::once`]. Dropping the future does not
    /// cancel such a call.
    pub fn once(self) -> Self {
        Self(self.0.once())
    }

    /// Gives the call this token; see [`Call::once_as`].
    pub fn once_as(self, token: impl Into<String>) -> Self {
        Self(self.0.once_as(token))
    }

    /// Calls a function with the progress that the command reports; see [`Call::on_progress`].
    pub fn on_progress(self, function: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        Self(self.0.on_progress(function))
    }

    /// Adds the body of a command that takes one ([`Body`](crate::Body)): the bytes of this reader, up to its end; see
    /// [`Call::body`]. They are sent as they are read, and none is kept.
    ///
    /// ```no_run
    /// # async fn example(file: impl tokio::io::AsyncRead + Send) -> dockipc::Result<()> {
    /// let client = dockipc::AsyncClient::new("/run/hitd.sock");
    /// let count: u64 = client.command("import").body(file).call().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// If the command answers before the end, the rest is not read. An error of the reader cancels the command. After the
    /// first read the call is not retried, also if it is [`idempotent`](Self::idempotent).
    pub fn body<R: AsyncRead + Send>(self, reader: R) -> AsyncUpload<'c, R> {
        AsyncUpload::new(self, reader, "1")
    }

    /// Adds the items of a command that takes a [`Body<T>`](crate::Body#items): those of this iterator; see
    /// [`Call::items`]. An iterator that waits blocks its thread: make it an async
    /// [stream](Self::item_stream).
    pub fn items<I>(self, items: I) -> AsyncUpload<'c, AsyncItemReader<I::IntoIter>>
    where
        I: IntoIterator<Item: IntoReply, IntoIter: Send>,
    {
        AsyncUpload::new(self, AsyncItemReader::new(items.into_iter()), "items")
    }

    /// Adds the items of an async stream, such as the [`AsyncItems`] of another call, as [`items`](Self::items) adds
    /// those of an iterator.
    pub fn item_stream<S>(self, items: S) -> AsyncUpload<'c, AsyncStreamReader<S>>
    where
        S: futures_core::Stream<Item: IntoReply> + Send,
    {
        AsyncUpload::new(self, AsyncStreamReader::new(items), "items")
    }

    /// Makes the call of a command that answers with a [`Stream`](crate::Stream), and returns its items as they are
    /// made; see [`Call::stream`]. Dropping the items closes the connection, which cancels the command.
    ///
    /// ```no_run
    /// # async fn example() -> dockipc::Result<()> {
    /// let client = dockipc::AsyncClient::new("/run/hitd.sock");
    /// let mut lines = client.command("tail").arg("/var/log/hitd.log").stream::<String>().await?;
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`call`](Self::call), if they come before the first item.
    pub async fn stream<T: FromReply>(self) -> Result<AsyncItems<T>> {
        self.streamed(None).await
    }

    pub(super) async fn streamed<T: FromReply>(
        mut self,
        body: Option<Arc<dyn SendBody>>,
    ) -> Result<AsyncItems<T>> {
        let timeout = self.0.own_timeout();
        let token = self.0.token(false);
        let (client, mut command, _, on_progress) = self.0.parts();
        command.once = token.as_ref();
        command.wanted.stream = Some("items");
        command.wanted.progress = on_progress.is_some();
        command.wanted.body = body.as_deref().map(SendBody::kind);
        let call = CallLimits::new(&client.limits, timeout);
        let (reports, source) = (on_progress.as_deref(), body.as_deref());
        let call = CallLimits { on_progress: reports, body: source, ..call };
        let (mut events, connection) = attempt(client, &command, &call).await?;
        AsyncItems::begun(Open {
            client: client.clone(),
            connection,
            first: events.pop(),
            end: call.end,
            body: body.clone(),
            is_reusable: command.reusable,
            on_progress: on_progress.clone(),
        })
    }

    /// Asks the daemon what the call would do, without running anything; see [`Call::check`].
    ///
    /// # Errors
    /// The error that the call would get before its command runs.
    pub async fn check(self) -> Result<String> {
        Self(self.0.checked()).call().await
    }

    /// Makes the call and converts the answer. [`Reply`] accepts any answer. Dropping the future closes the
    /// connection; see [`AsyncClient`](super::AsyncClient).
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) is an error answer; for the others see
    /// [`enum@crate::Error`].
    pub async fn call<T: FromReply>(self) -> Result<T> {
        self.ask(None).await
    }

    pub(super) async fn ask<T: FromReply>(mut self, body: Option<&dyn SendBody>) -> Result<T> {
        let token = self.0.token(body.is_none());
        let (client, mut command, timeout, on_progress) = self.0.parts();
        command.once = token.as_ref();
        command.wanted.progress = on_progress.is_some();
        command.wanted.body = body.map(SendBody::kind);
        let call = CallLimits::new(&client.limits, timeout);
        let call = CallLimits { on_progress: on_progress.as_deref(), body, ..call };
        exchange(client, &command, &call).await?.pop().unwrap_or(Reply::Null).parse()
    }
}

/// A number of calls over one connection; see [`AsyncClient::pipeline`](super::AsyncClient::pipeline) and
/// [`Pipeline`].
///
/// ```
/// # let daemon = dockipc::Server::new().spawn_in_process()?;
/// # let client = dockipc::AsyncClient::from(daemon.client());
/// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
/// let mut pipeline = client.pipeline();
/// for i in 0..1000 {
///     pipeline.command("echo", [i.to_string()]);
/// }
/// let answers = pipeline.call().await?;
/// assert_eq!(answers.len(), 1000);
/// # Ok::<(), dockipc::Error>(())
/// # })?;
/// # Ok::<(), dockipc::Error>(())
/// ```
#[must_use = "the calls are made with `.call().await`"]
#[derive(Clone, Debug)]
pub struct AsyncPipeline<'c>(pub(super) Pipeline<'c>);

impl AsyncPipeline<'_> {
    /// Adds a call of the command with this name and these arguments; see [`add`](Self::add) for options.
    pub fn command<T: ToArg>(
        &mut self,
        name: &str,
        words: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.0.command(name, words);
        self
    }

    /// Adds a call that [`AsyncClient::command`](super::AsyncClient::command) prepared, without its timeout.
    pub fn add(&mut self, call: AsyncCall<'_>) -> &mut Self {
        self.0.add(call.0);
        self
    }

    /// Limits the duration of the whole pipeline, instead of
    /// [`AsyncClient::timeout`](super::AsyncClient::timeout).
    pub fn timeout(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.0.timeout(limit);
        self
    }

    /// Declares that each command is idempotent; see [`Pipeline::idempotent`].
    pub fn idempotent(&mut self) -> &mut Self {
        self.0.idempotent();
        self
    }

    /// Makes the calls and returns their answers in order; see [`Pipeline::call`].
    ///
    /// # Errors
    /// An answer did not arrive. Any of the commands may have run, unless the error says otherwise.
    pub async fn call(&self) -> Result<Vec<Reply>> {
        let (client, commands, timeout) = self.0.parts();
        if commands.count == 0 {
            return Ok(Vec::new());
        }
        exchange(client, &commands, &CallLimits::new(&client.limits, timeout)).await
    }
}
