//! Single calls and pipelines.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use super::canceller::{Canceller, OwnCanceller};
use super::commands::{CommandBuilder, Commands, Retry, Wanted};
use super::connection::{AnswerPart, Connection};
use super::items::{Items, Open};
use super::limits::{CallLimits, nonzero_timeout};
use super::once::Once;
#[cfg(feature = "tokio")]
use super::once::Token;
use super::progress::{OnProgress, Progress};
use super::to_args::{Arguments, ToArgs, Way};
use super::upload::{SendBody, Upload};
use super::word::ToArg;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::reply::{FromReply, IntoReply, ItemReader, Reply};
use crate::wire::answer::{Piece, Shape};
use crate::wire::rows::Rows;

/// A builder for one call; see [`Client::command`].
#[must_use = "a call is made with `.call()`"]
#[derive(Clone)]
pub struct Call<'c> {
    client: &'c Client,
    words: CommandBuilder,
    timeout: Option<Duration>,
    /// Whether the timeout is that of the client.
    has_default_timeout: bool,
    idempotent: bool,
    canceller: OwnCanceller,
    /// The newest call with this key cancels the earlier ones.
    key: Option<String>,
    on_progress: Option<Arc<OnProgress>>,
    once: Once,
}

#[cfg(feature = "tokio")]
type Parts<'c, 'b> = (&'c Client, Commands<'b>, Option<Duration>, Option<Arc<OnProgress>>);

impl<'c> Call<'c> {
    pub(super) fn new(client: &'c Client, name: &str) -> Self {
        Self {
            client,
            words: CommandBuilder::new(name),
            timeout: client.limits.total,
            has_default_timeout: true,
            idempotent: false,
            canceller: OwnCanceller::default(),
            key: None,
            on_progress: None,
            once: client.once.clone(),
        }
    }

    /// Adds an argument, which may contain any bytes. `None` adds nothing.
    ///
    /// An argument is never an option, also if its text begins with `--`: see [`option`](Self::option).
    /// Only dockipc understands how such a text is sent; for another server use [`words`](Self::words).
    pub fn arg(mut self, value: impl ToArg) -> Self {
        self.words.argument(value);
        self
    }

    /// Adds an argument for each value.
    pub fn args<T: ToArg>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().for_each(|value| self.words.argument(value));
        self
    }

    /// Adds the option `--name` with this value, before or after arguments. `None` adds nothing.
    ///
    /// ```no_run
    /// # let text = "--foreign text";
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let id: u64 = client.command("add").arg(text).option("priority", 3).flag("quiet").call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn option(mut self, name: &str, value: impl ToArg) -> Self {
        self.words.option(name, value);
        self
    }

    /// Adds the flag `--name`, before or after arguments.
    pub fn flag(mut self, name: &str) -> Self {
        self.words.flag(name);
        self
    }

    /// Adds words behind the arguments and a `--`: the words of another command line, for a parameter with
    /// `#[arg(last)]`. Their bytes and boundaries are kept, and no word is an option.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/jobd.sock");
    /// let id: u64 = client.command("add").flag("stashed").last(["ls", "-l", "--", "a b"]).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn last<T: ToArg>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        words.into_iter().for_each(|word| self.words.last(word));
        self
    }

    /// Adds the value of a typed parameter, given in this way: one word, several, or options.
    pub fn give<T: ToArgs + ?Sized>(mut self, value: &T, way: Way) -> Self {
        value.to_args(way, &mut Arguments::of_call(&mut self.words));
        self
    }

    /// Adds the values of several parameters.
    pub(super) fn fill(mut self, add: impl FnOnce(&mut Arguments<'_>)) -> Self {
        add(&mut Arguments::of_call(&mut self.words));
        self
    }

    /// Adds words in front of the arguments, as a person typed them: one that begins with `--` is an
    /// option, and `--` is the end of the options.
    pub fn words<T: ToArg>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        words.into_iter().for_each(|word| self.words.word(word));
        self
    }

    /// Limits the duration of this call, instead of [`Client::timeout`].
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let total: u64 = client.command("total").timeout(Duration::from_millis(200)).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = nonzero_timeout(limit.into());
        self.has_default_timeout = false;
        self
    }

    /// Declares that running the command twice has the same effect as once, so that the call is
    /// retried if its answer is cut off; see [`Client`]. Use it for commands that the daemon's
    /// author did not mark, and for servers other than dockipc.
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

    /// Gives the call a token, which the client makes: the daemon runs the command once, however often the client
    /// repeats the call after a lost connection. A repeat gets the first run's answer.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let total: u64 = client.command("add").arg(2).once().call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// The call is repeated until its timeout, or for a minute if it has none, also while the daemon restarts. If no
    /// daemon listens when the call is made, the call waits for it: until its timeout, or if it has none, for
    /// [`Client::connect_timeout`]. It does so where a daemon was there before: the client had a connection to it, or its
    /// socket or lock file is left. At another path it fails at once, as other calls do.
    ///
    /// The call fails with [`Error::CutOff`] if the daemon was restarted and has kept no answers
    /// ([`Server::once`](crate::Server::once) without a file), since the command may have run. The code `FORGOTTEN`
    /// says that the command has run, or may have, and its answer is not known.
    ///
    /// A daemon that does not remember calls ([`Server::once`](crate::Server::once)) is sent nothing: the call fails
    /// with the code `USAGE`. So does the daemon's answer for streams, bodies and subscriptions. The command runs on
    /// if the client leaves; [`canceller`](Self::canceller) and the timeout stop it. A clone of the call has a token
    /// of its own, and a [`Pipeline`] none.
    pub fn once(mut self) -> Self {
        self.once = Once::New;
        self
    }

    /// Gives the call this token, as [`once`](Self::once) does, so that the program can repeat it after its own
    /// restart: 1 to 64 letters, digits, `.`, `_`, `:` and `-`.
    ///
    /// The token is unique among the calls of the user, as 128 random bits are. The same token with another command or
    /// other words is refused.
    pub fn once_as(mut self, token: impl Into<String>) -> Self {
        self.once = Once::Given(token.into());
        self
    }

    /// Returns a value that cancels this call from another thread.
    ///
    /// ```
    /// use dockipc::Error;
    ///
    /// # let daemon = dockipc::Server::new().spawn_in_process()?;
    /// # let client = daemon.client();
    /// let call = client.command("ping");
    /// let canceller = call.canceller();
    /// std::thread::spawn(move || canceller.cancel()).join().unwrap();
    /// let error = call.call::<String>().unwrap_err();
    /// assert!(matches!(error, Error::Refused(failure) if failure.code() == "CANCELLED"));
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// A dockipc daemon then asks the command to stop, and answers at once for one that does not listen:
    /// the message says that it still runs. A command that is done before that is answered as usual. For
    /// another server, or an older daemon, the connection is closed, and the message says that the command
    /// may still run; it says so as well if the daemon does not answer within the timeouts.
    ///
    /// Cancelling twice, or after the end of the call, does nothing. A clone of this call is not cancelled: it
    /// has a canceller of its own.
    pub fn canceller(&self) -> Canceller {
        self.canceller.get_or_new().clone()
    }

    /// Cancels the call with the same key that this client, or a clone of it, has begun before and that still
    /// runs, as its [`canceller`](Self::canceller) does: the newest wins. So a search that runs as one types
    /// answers what was typed last, and the daemon does not finish the others.
    ///
    /// ```no_run
    /// # let typed = "some";
    /// let client = dockipc::Client::new("/run/notesd.sock");
    /// // In a thread for each key that is typed:
    /// let found = client.command("search").arg(typed).replace("search").call::<Vec<String>>();
    /// ```
    pub fn replace(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Calls a function with the progress that the command reports ([`Progress`](crate::Progress)), on the thread of
    /// the call while it waits for the answer. A daemon sends at most 10 reports a second, the last one before the
    /// answer; one without this feature sends none.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// client.command("index").on_progress(|p| println!("{} of {:?}", p.done, p.total)).call::<()>()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn on_progress(mut self, function: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(function));
        self
    }

    /// Adds the body of a command that takes one ([`Body`](crate::Body)): the bytes of this reader, up to its end. They
    /// are sent as they are read, and none is kept.
    ///
    /// ```no_run
    /// use std::fs::File;
    ///
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let file = File::open("big.tar").expect("a file");
    /// let count: u64 = client.command("import").body(file).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// The reader is read on the thread of the call, and only as fast as the daemon takes the bytes. If the command
    /// answers before the end, the rest is not read. An error of the reader cancels the command. After the first read
    /// the call is not retried, also if it is [`idempotent`](Self::idempotent). A [`canceller`](Self::canceller) has
    /// its effect when the reader returns.
    pub fn body<R: io::Read + Send>(self, reader: R) -> Upload<'c, R> {
        Upload::new(self, reader, "1")
    }

    /// Adds the items of a command that takes a [`Body<T>`](crate::Body#items): those of this iterator. Each is sent when
    /// it is made, and none is kept.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let notes = [(1, "buy milk"), (2, "call Ada")];
    /// let count: u64 = client.command("import").items(notes).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// An item is any type that a command can return, and the daemon reads it as its own type: a pair is a row of two
    /// columns. An item that is an `Err` cancels the command, and its text is the [`Error::Io`](crate::Error::Io) that the
    /// call returns. All else is as for a [`body`](Self::body).
    pub fn items<I>(self, items: I) -> Upload<'c, ItemReader<I::IntoIter>>
    where
        I: IntoIterator<Item: IntoReply, IntoIter: Send>,
    {
        Upload::new(self, ItemReader::new(items.into_iter()), "items")
    }

    /// Makes the call of a command that answers with a [`Stream`](crate::Stream), and returns its items as they are
    /// made. The items of any other answer that is a list are returned when it is whole, and another value as one item.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// for line in client.command("tail").arg("/var/log/hitd.log").stream::<String>()? {
    ///     println!("{}", line?);
    /// }
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// The first item, or the end, has arrived when this returns. Until then the call is retried as any other one is,
    /// and not afterwards. [`timeout`](Self::timeout) limits the whole stream, and [`Client::timeout`] does not apply:
    /// [`Client::read_timeout`] limits each wait, and [`Client::max_answer`] each item. Dropping the items cancels the command, and so does [`canceller`](Self::canceller).
    ///
    /// # Errors
    /// Those of [`call`](Self::call), if they come before the first item.
    pub fn stream<T: FromReply>(self) -> Result<Items<T>> {
        self.streamed(None)
    }

    pub(super) fn streamed<T: FromReply>(
        self,
        body: Option<Arc<dyn SendBody>>,
    ) -> Result<Items<T>> {
        let timeout = self.own_timeout();
        let Self { client, mut words, idempotent, canceller, key, on_progress, once, .. } = self;
        let token = once.token(false);
        let place = key.map(|key| client.pool.newest.add(key, canceller.get_or_new()));
        let mut command = words.command();
        command.canceller = canceller.get();
        command.once = token.as_ref();
        if idempotent {
            command.retry = Retry::Always;
        }
        let (stream, progress) = (Some("items"), on_progress.is_some());
        command.wanted = Wanted { stream, progress, body: body.as_deref().map(SendBody::kind) };
        let call = CallLimits::new(&client.limits, timeout);
        let (reports, source) = (on_progress.as_deref(), body.as_deref());
        let call = CallLimits { on_progress: reports, body: source, ..call };
        let begin = |connection: &mut Connection| connection.begin(&command, &call);
        let ((first, attached), connection) = client.attempt(&command, &call, begin)?;
        let (end, is_reusable) = (call.end, command.reusable);
        let open = Open {
            client: client.clone(),
            connection,
            first: Some(first),
            end,
            on_progress,
            body,
            canceller: canceller.get().cloned(),
            attached,
            _place: place,
            is_reusable,
        };
        Items::new(open).begun()
    }

    /// Asks the daemon what the call would do, without running anything: the daemon authorizes the caller and checks the
    /// words, as it does for the call. Returns the daemon's sentence, for example `group add would run: name=ops`. A
    /// body is not sent.
    ///
    /// # Errors
    /// The error that the call would get before its command runs.
    pub fn check(self) -> Result<String> {
        self.checked().call()
    }

    /// Returns the call that only checks this one.
    pub(super) fn checked(mut self) -> Self {
        self.words.check();
        self.idempotent()
    }

    /// Makes the call and converts the answer. [`Reply`] accepts any answer.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) is an error answer; for the others see
    /// [`enum@crate::Error`].
    pub fn call<T: FromReply>(self) -> Result<T> {
        self.ask(None)
    }

    pub(crate) fn ask<T: FromReply>(self, body: Option<&dyn SendBody>) -> Result<T> {
        let Self { client, mut words, timeout, idempotent, canceller, key, .. } = self;
        let (on_progress, token) = (self.on_progress, self.once.token(body.is_none()));
        let _place = key.map(|key| client.pool.newest.add(key, canceller.get_or_new()));
        let mut command = words.command();
        command.canceller = canceller.get();
        if idempotent {
            command.retry = Retry::Always;
        }
        command.once = token.as_ref();
        command.wanted.progress = on_progress.is_some();
        command.wanted.body = body.map(SendBody::kind);
        let call = CallLimits::new(&client.limits, timeout);
        client.ask(&command, &CallLimits { on_progress: on_progress.as_deref(), body, ..call })
    }

    /// Returns the timeout that is not the client's.
    pub(super) fn own_timeout(&self) -> Option<Duration> {
        self.timeout.filter(|_| !self.has_default_timeout)
    }

    /// Returns the token of the call, once.
    #[cfg(feature = "tokio")]
    pub(super) fn token(&mut self, is_plain: bool) -> Option<Token> {
        std::mem::take(&mut self.once).token(is_plain)
    }

    /// Returns the client, the command, the timeout of the call, and what receives its progress.
    #[cfg(feature = "tokio")]
    pub(super) fn parts(&mut self) -> Parts<'c, '_> {
        let mut command = self.words.command();
        if self.idempotent {
            command.retry = Retry::Always;
        }
        (self.client, command, self.timeout, self.on_progress.clone())
    }

    /// Makes the call, writes the answer as [`Client::send`] would return it, and returns the
    /// number of bytes written. The answer is written as it arrives: neither its length nor that of
    /// a text in it is limited by [`Client::max_answer`].
    ///
    /// If the answer is cut off, its beginning has been written, and the call is not retried. A call
    /// [with a token](Self::once) is: its answer is written when it is whole, and is limited as others are.
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
    /// Those of [`call`](Self::call), and [`Error::Io`] if writing fails.
    pub fn copy_to(self, out: &mut impl io::Write) -> Result<u64> {
        self.copy(out, None, &mut |_| ())
    }

    /// Like [`copy_to`](Self::copy_to); `change` gets each piece before it is written.
    pub(crate) fn copy(
        self,
        out: &mut impl io::Write,
        body: Option<&dyn SendBody>,
        change: &mut dyn FnMut(&mut Piece<'_>),
    ) -> Result<u64> {
        let (mut written, mut rows, mut ready) = (0, Rows::default(), Vec::new());
        let writing = |error| Error::io("writing the answer", error);
        self.pieces("rows", body, &mut |mut piece| {
            piece.as_mut().into_iter().for_each(&mut *change);
            match piece {
                // Not copied.
                Some(Piece::Part { bytes, .. }) if rows.is_single() => {
                    written += bytes.len() as u64;
                    out.write_all(bytes).map_err(writing)?;
                }
                Some(piece) => rows.add(piece, &mut ready),
                None => {
                    written += ready.len() as u64;
                    out.write_all(&ready).and_then(|()| out.flush()).map_err(writing)?;
                    ready.clear();
                }
            }
            Ok(())
        })?;
        Ok(written)
    }

    /// Makes the call, and passes on the pieces of the answer as they arrive, and `None` before
    /// each wait and at the end. A stream is a list if its items come as `items`, and as `rows` the items are
    /// pieces without one.
    pub(crate) fn pieces(
        self,
        items: &'static str,
        body: Option<&dyn SendBody>,
        each: &mut dyn FnMut(Option<Piece<'_>>) -> Result<()>,
    ) -> Result<()> {
        let Self { client, mut words, timeout, canceller, key, on_progress, once, .. } = self;
        let token = once.token(false);
        let _place = key.map(|key| client.pool.newest.add(key, canceller.get_or_new()));
        let command = Commands {
            // The beginning of an answer can't be passed on twice, as a repeat of the call would.
            streamed: token.is_none(),
            retry: Retry::Never,
            canceller: canceller.get(),
            once: token.as_ref(),
            wanted: Wanted {
                stream: token.is_none().then_some(items),
                progress: on_progress.is_some(),
                body: body.map(SendBody::kind),
            },
            ..words.command()
        };
        let call = CallLimits::new(&client.limits, timeout);
        let call = CallLimits { on_progress: on_progress.as_deref(), body, ..call };
        let (mut refused, mut is_list) = (None, false);
        client.exchange(&command, &call, |_, part| match part {
            AnswerPart::Piece(piece) => each(piece),
            AnswerPart::Items => {
                is_list = items == "items";
                if is_list { each(Some(Piece::Begin(Shape::List))) } else { Ok(()) }
            }
            AnswerPart::Whole(Reply::Ok) if is_list => {
                each(Some(Piece::End))?;
                each(None)
            }
            AnswerPart::Whole(Reply::Error(failure)) => {
                refused = Some(failure);
                Ok(())
            }
            AnswerPart::Whole(reply) => {
                in_pieces(reply, each)?;
                each(None)
            }
        })?;
        refused.map_or(Ok(()), |failure| Err(Error::Refused(failure)))
    }
}

/// Passes on the pieces of a whole answer.
fn in_pieces(reply: Reply, each: &mut dyn FnMut(Option<Piece<'_>>) -> Result<()>) -> Result<()> {
    let (shape, values) = match reply {
        Reply::List(items) | Reply::Set(items) => (Shape::List, items),
        Reply::Map(pairs) => (Shape::Map, pairs.into_iter().flat_map(<[Reply; 2]>::from).collect()),
        reply => return each(Some(Piece::Value(reply))),
    };
    each(Some(Piece::Begin(shape)))?;
    values.into_iter().try_for_each(|value| in_pieces(value, each))?;
    each(Some(Piece::End))
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("client", self.client)
            .field("words", &self.words)
            .field("timeout", &self.timeout)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}

/// The most memory that a pipeline keeps for its next command.
const SPARE: usize = 4096;

/// A number of calls over one connection; see [`Client::pipeline`].
///
/// They are sent together and answered in order, so a thousand take little longer than a few. Each
/// runs whether or not the one before it failed. Other clients' commands may run between them.
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
    /// The memory in which the next command is encoded.
    spare: Buffer,
    count: usize,
    /// Length of the first command in bytes.
    first: usize,
    reusable: bool,
    has_environment: bool,
    timeout: Option<Duration>,
    idempotent: bool,
}

impl<'c> Pipeline<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self {
            client,
            commands: Buffer::default(),
            spare: Buffer::default(),
            count: 0,
            first: 0,
            reusable: true,
            has_environment: false,
            timeout: client.limits.total,
            idempotent: false,
        }
    }

    /// Adds a call of the command with this name and these arguments; see [`add`](Self::add) for options.
    pub fn command<T: ToArg>(
        &mut self,
        name: &str,
        words: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let mut command = CommandBuilder::within(std::mem::take(&mut self.spare), name);
        words.into_iter().for_each(|word| command.argument(word));
        self.push(&command.command());
        let memory = command.into_memory();
        if memory.capacity() <= SPARE {
            self.spare = memory;
        }
        self
    }

    /// Adds a call that [`Client::command`] prepared, without its timeout, canceller and key.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// let mut pipeline = client.pipeline();
    /// pipeline.add(client.command("add").option("priority", 3).arg("--text"));
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn add(&mut self, mut call: Call<'_>) -> &mut Self {
        self.push(&call.words.command())
    }

    fn push(&mut self, command: &Commands<'_>) -> &mut Self {
        self.commands.extend_from_slice(command.bytes);
        if self.count == 0 {
            self.first = self.commands.len();
        }
        self.count += 1;
        self.reusable &= command.reusable;
        self.has_environment |= command.has_environment;
        self
    }

    /// Limits the duration of the whole pipeline, instead of [`Client::timeout`].
    pub fn timeout(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.timeout = nonzero_timeout(limit.into());
        self
    }

    /// Declares that each command is idempotent, so that all are sent again if an answer is cut
    /// off. Otherwise a pipeline is only retried if none of its commands can have run; the daemon
    /// is not asked which ones are idempotent.
    pub fn idempotent(&mut self) -> &mut Self {
        self.idempotent = true;
        self
    }

    /// Makes the calls and returns their answers in order. [`Reply::parse`] converts an answer to a
    /// value, and an error answer to an [`Error`].
    ///
    /// # Errors
    /// An answer did not arrive. Any of the commands may have run, unless the error says otherwise.
    pub fn call(&self) -> Result<Vec<Reply>> {
        let mut answers = Vec::with_capacity(self.count);
        if self.count > 0 {
            let commands = self.commands();
            let call = CallLimits::new(&self.client.limits, self.timeout);
            self.client.exchange(&commands, &call, |i, part| {
                if let AnswerPart::Whole(reply) = part {
                    // Discard the answers of an earlier attempt.
                    answers.truncate(i);
                    answers.push(reply);
                }
                Ok(())
            })?;
        }
        Ok(answers)
    }

    fn commands(&self) -> Commands<'_> {
        Commands {
            bytes: &self.commands,
            count: self.count,
            first: self.first,
            reusable: self.reusable,
            streamed: false,
            retry: if self.idempotent { Retry::Always } else { Retry::Never },
            canceller: None,
            wanted: Wanted::default(),
            once: None,
            has_environment: self.has_environment,
        }
    }

    /// Returns the client, the commands, and the timeout of the pipeline.
    #[cfg(feature = "tokio")]
    pub(super) fn parts(&self) -> (&'c Client, Commands<'_>, Option<Duration>) {
        (self.client, self.commands(), self.timeout)
    }
}

/// Omits the commands, which may contain secrets.
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
