//! [`Body`] and [`AsyncBody`], the bytes that a client sends after a command, and [`Intake`], through which they come.
//!
//! A body is never held in memory as a whole: the engine fills a [`Pipe`] of a few buffers while there is room, and
//! the command's function reads it.

mod items;
mod pipe;
mod row;

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::iter::FusedIterator;
use std::marker::PhantomData;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};

#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, ReadBuf};

use crate::buffer::Buffer;
use crate::error::{Failure, Stopped};
use crate::later::Bell;
use crate::reply::{FromReply, IntoReply, ItemReader, Reply, ReplyType};
use crate::wire::Frames;

pub(crate) use self::items::Form;
use self::items::{Found, Items};
pub(crate) use self::pipe::pipe;

/// The bytes that a client sends after a command: a file, an archive; or, as a `Body<T>`, any number of items. Injected
/// as a parameter, by value.
///
/// ```standalone_crate
/// use dockipc::{Body, command};
/// use std::io::{self, BufRead};
///
/// /// Count the lines that are not empty.
/// #[command]
/// fn count_lines(text: Body) -> io::Result<usize> {
///     let mut count = 0;
///     for line in text.lines() {
///         count += usize::from(!line?.is_empty());
///     }
///     Ok(count)
/// }
///
/// // As a function it takes any reader.
/// assert_eq!(count_lines(Body::new(&b"a\n\nb\n"[..]))?, 2);
/// # Ok::<(), io::Error>(())
/// ```
///
/// The function reads while the client sends, and as fast as it likes: about 512 KiB wait for it, and the client waits
/// for the rest. It may answer without having read to the end.
///
/// # How a client sends a body
///
/// - `dockipc call SOCKET count-lines - < FILE`, and our client with `body(reader)`.
/// - In line mode, all that follows the line, up to the end of the client's side:
///   `{ echo count-lines; cat FILE; } | nc -N -U SOCKET`.
/// - A Redis client sends it as the last word of the command, up to [`max_command`](crate::Server::max_command):
///   `redis-cli -x -s SOCKET count-lines < FILE`.
///
/// # Items
///
/// A `Body<T>` is an iterator of items, each of which is read when it has come whole. `T` is any type that our client
/// can convert an answer to ([`FromReply`]); your own has `#[derive(dockipc::Reply)]`.
///
/// ```standalone_crate
/// use dockipc::{Body, Failure, Reply, command};
///
/// #[derive(Reply)]
/// struct Note {
///     id: u64,
///     text: String,
/// }
///
/// /// Add notes, and answer with their number.
/// #[command]
/// fn import(notes: Body<Note>) -> Result<usize, Failure> {
///     let mut all = Vec::new();
///     for note in notes {
///         all.push(note?);
///     }
///     Ok(all.len())
/// }
///
/// let daemon = dockipc::Server::new().spawn_in_process()?;
/// let notes = [(1, "buy milk"), (2, "call Ada")];
/// let notes = notes.map(|(id, text)| Note { id, text: text.into() });
/// let count: usize = daemon.client().command("import").items(notes).call()?;
/// assert_eq!(count, 2);
///
/// // As a function it takes any items, or any reader of lines.
/// assert_eq!(import(Body::rows(&b"id\ttext\n1\tbuy milk\n"[..])).ok(), Some(1));
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// Our client sends items with [`items(iterator)`](crate::client::Call::items), as the values that they are. In all other
/// ways of sending a body, each line is an item, written as a [`Stream`](crate::Stream) of such items is in line mode, so
/// that `dockipc call A list | dockipc call B import -` works: columns with a tab between, and tabs, newlines, carriage
/// returns and backslashes within text as `\t`, `\n`, `\r` and `\\`. A `Json` is its text. In front of the
/// value of a struct's field is the field's name, unless the struct is a [`table`](derive@crate::Reply) or the first line has
/// the names of all fields: then a row has only the values. A missing value is an empty column, and so an empty text in an
/// `Option` is read as `None`, and a list of one empty text, if no column is in front of it, as an empty list; a list or a
/// map must be the last column. A stream of `Vec<u8>` is its bytes and has no lines: read it with a `Body`. Every line ends
/// with a newline, so that an item that was cut off is known; only the last word of a Redis client's command may lack the
/// last one.
///
/// An item that can't be read is an error with the code `USAGE`, the item's number and the reason, such as
/// `bad item 3: expected u64, got "x"`. The next item can be read all the same. An item is at most as long as a
/// command ([`max_command`](crate::Server::max_command)), and a longer one is `TOOBIG`. After this error, and after those
/// below, there is no further item. An item that was cut off is `INCOMPLETE`.
///
/// # Errors
///
/// The end of the body is told from a body that was cut off: then [`read`](Read::read) fails. It fails
///
/// - if the client leaves in the middle, or the command has answered before the end:
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof);
/// - if the command is asked to stop, with its [`Stopped`];
/// - if the body is longer than [`Server::max_body`](crate::Server::max_body), and if nothing comes within
///   [`Server::arrival_timeout`](crate::Server::arrival_timeout). Then the answer is `-TOOBIG` or `-TIMEOUT`, whatever the
///   function returns.
///
/// A command has one body at most, behind its other parameters, and no [`Local`](crate::Local); an `async fn` takes an `AsyncBody` (feature `tokio`).
/// `MULTI` does not queue such a command.
pub struct Body<T: ?Sized = [u8]> {
    reader: Box<dyn BufRead + Send>,
    /// None of bytes.
    items: Option<Box<Items>>,
    of: PhantomData<fn() -> Box<T>>,
}

/// The content of a body: items, or bytes as `[u8]`.
pub trait Content {
    /// The type of the items.
    const ITEMS: Option<&'static ReplyType>;
}

impl<T: FromReply> Content for T {
    const ITEMS: Option<&'static ReplyType> = Some(T::EXPECTED);
}

impl Content for [u8] {
    const ITEMS: Option<&'static ReplyType> = None;
}

impl Body {
    /// Makes a body of any reader, for a test that calls the command's function.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self::made(Box::new(BufReader::new(reader)), None)
    }
}

impl<T: FromReply> Body<T> {
    /// Makes a body of items, for a test that calls the command's function.
    pub fn iter<I>(items: I) -> Self
    where
        T: IntoReply,
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        let reader = BufReader::new(ItemReader::new(items.into_iter()));
        Self::made(Box::new(reader), Some((Form::Values, usize::MAX)))
    }

    /// Makes a body of lines from any reader, for a test that calls the command's function.
    pub fn rows(reader: impl Read + Send + 'static) -> Self {
        Self::made(Box::new(BufReader::new(reader)), Some((Form::Lines, usize::MAX)))
    }
}

impl<T: Content + ?Sized> Body<T> {
    fn made(reader: Box<dyn BufRead + Send>, items: Option<(Form, usize)>) -> Self {
        Self { reader, items: made::<T>(items), of: PhantomData }
    }

    pub(crate) fn empty() -> Self {
        Self::made(Box::new(io::empty()), Some((Form::Lines, 0)))
    }

    pub(crate) fn of(intake: Arc<dyn Intake>) -> Self {
        let items = (intake.form(), intake.max_item());
        Self::made(intake.reader(), Some(items))
    }
}

fn made<T: Content + ?Sized>(items: Option<(Form, usize)>) -> Option<Box<Items>> {
    let ((form, max), ty) = items.zip(T::ITEMS)?;
    Some(Box::new(Items::new(form, max, ty)))
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Lends the bytes from the memory in which they came.
impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
    }
}

/// The items. `?` on one makes its error the answer of a command that returns a [`Failure`].
impl<T: FromReply> Iterator for Body<T> {
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let items = self.items.as_mut()?;
        let item = next(&mut *self.reader, items)?;
        Some(item.and_then(|item| items.convert(item)))
    }
}

impl<T: FromReply> FusedIterator for Body<T> {}

/// Reads the next item.
fn next(reader: &mut dyn BufRead, items: &mut Items) -> Option<Result<Reply, Failure>> {
    while !items.is_over() {
        let (used, found) = match reader.fill_buf() {
            Ok([]) => return items.end(),
            Ok(bytes) => items.next(bytes),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Some(Err(items.broken(error))),
        };
        reader.consume(used);
        if let Found::Item(item) = found {
            return Some(item);
        }
    }
    None
}

impl<T: ?Sized> fmt::Debug for Body<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Like [`Body`], for an `async fn`.
///
/// ```standalone_crate
/// use dockipc::{AsyncBody, command};
/// use std::io;
/// use tokio::io::AsyncReadExt;
///
/// /// Count the bytes.
/// #[command]
/// async fn count_bytes(mut body: AsyncBody) -> io::Result<usize> {
///     let (mut buffer, mut count) = (vec![0; 64 * 1024], 0);
///     loop {
///         match body.read(&mut buffer).await? {
///             0 => return Ok(count),
///             n => count += n,
///         }
///     }
/// }
/// ```
///
/// The [items](Body#items) of an `AsyncBody<T>` are those that [`next`](Self::next) returns.
#[cfg(feature = "tokio")]
pub struct AsyncBody<T: ?Sized = [u8]> {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    /// None of bytes.
    items: Option<Box<Items>>,
    /// Bytes of items that were read.
    read: Buffer,
    of: PhantomData<fn() -> Box<T>>,
}

#[cfg(feature = "tokio")]
impl AsyncBody {
    /// Makes a body of any reader, for a test that calls the command's function.
    pub fn new(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::made(Box::pin(reader), None)
    }
}

#[cfg(feature = "tokio")]
impl<T: FromReply> AsyncBody<T> {
    /// Makes a body of lines from any reader, for a test that calls the command's function.
    pub fn rows(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::made(Box::pin(reader), Some((Form::Lines, usize::MAX)))
    }

    /// Waits for the next item. None at the end. An item is never lost if the future is dropped.
    ///
    /// # Errors
    /// Those of the items of a [`Body`].
    pub async fn next(&mut self) -> Option<Result<T, Failure>> {
        let item = std::future::poll_fn(|context| self.poll_item(context)).await?;
        let items = self.items.as_ref()?;
        Some(item.and_then(|item| items.convert(item)))
    }
}

#[cfg(feature = "tokio")]
impl<T: Content + ?Sized> AsyncBody<T> {
    fn made(reader: Pin<Box<dyn AsyncRead + Send>>, items: Option<(Form, usize)>) -> Self {
        Self { reader, items: made::<T>(items), read: Buffer::default(), of: PhantomData }
    }

    pub(crate) fn empty() -> Self {
        Self::made(Box::pin(&b""[..]), Some((Form::Lines, 0)))
    }

    pub(crate) fn of(intake: Arc<dyn Intake>) -> Self {
        let items = (intake.form(), intake.max_item());
        Self::made(intake.async_reader(), Some(items))
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Reply, Failure>>> {
        /// The most bytes that are read at a time.
        const READ: usize = 16 * 1024;

        let Some(items) = self.items.as_mut() else { return Poll::Ready(None) };
        while !items.is_over() {
            if !self.read.is_empty() {
                let (used, found) = items.next(&self.read);
                self.read.consume(used);
                if let Found::Item(item) = found {
                    return Poll::Ready(Some(item));
                }
                continue;
            }
            let mut bytes = [0; READ];
            let mut buffer = ReadBuf::new(&mut bytes);
            match self.reader.as_mut().poll_read(context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(items.broken(error)))),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    return Poll::Ready(items.end());
                }
                Poll::Ready(Ok(())) => self.read.extend_from_slice(buffer.filled()),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(feature = "tokio")]
impl AsyncRead for AsyncBody {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reader.as_mut().poll_read(context, buffer)
    }
}

#[cfg(feature = "tokio")]
impl<T: ?Sized> fmt::Debug for AsyncBody<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncBody").finish_non_exhaustive()
    }
}

/// Where the bytes of a body are.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// In commands of our client that follow, as bytes or as items that are values.
    Frames { are_values: bool },
    /// All that follows.
    Rest,
    /// The last word of the command.
    Word(&'a [u8]),
}

/// The sizes of a body.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// The most bytes.
    pub(crate) body: Option<u64>,
    /// The most bytes of an item.
    pub(crate) item: usize,
}

/// A body that comes, as the connection sees it.
///
/// A trait, so that a program without bodies does not contain its code.
pub(crate) trait Intake: Send + Sync {
    /// Returns the reader for the command's function.
    fn reader(self: Arc<Self>) -> Box<dyn BufRead + Send>;

    #[cfg(feature = "tokio")]
    fn async_reader(self: Arc<Self>) -> Pin<Box<dyn AsyncRead + Send>>;

    /// Takes bytes while there is room for them: first those that were `read` with the command, then those of the
    /// source. If there is no room, `bell` is rung when there is.
    fn take(&self, read: &mut Buffer, source: &mut dyn Source, bell: &Arc<dyn Bell>) -> Taken;

    /// Returns whether bytes can be taken: the body has not ended, and there is room.
    fn wants_more(&self) -> bool;

    /// The body has no further bytes, although it is not whole. It does nothing if the body has ended.
    fn fail(&self, why: Broken);

    /// Returns the failure of a body that is the answer, if the function has seen it.
    fn failure(&self) -> Option<Failure>;

    /// Returns the decoder for the rest of a body that has not ended, which the client may still send.
    fn rest(&self) -> Option<Frames>;

    /// Returns the number of bytes in memory.
    fn held(&self) -> usize;

    /// Returns how the items are written.
    fn form(&self) -> Form;

    /// Returns the most bytes of an item.
    fn max_item(&self) -> usize;
}

/// The bytes that a client sends. The engine implements it.
pub(crate) trait Source {
    /// Appends bytes that are there to the buffer, which has room.
    fn receive(&mut self, buffer: &mut Buffer) -> Received;
}

/// The result of receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes,
    /// There is nothing at the moment.
    Nothing,
    /// The client has ended its side.
    End,
    /// The client has left.
    Cut,
}

/// The result of taking bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There was nothing to take.
    Nothing,
    /// Some bytes, and all that are there for now.
    Some,
    /// Others are to be served before more is taken.
    Part,
    /// There is no room.
    Full,
    /// The input is no part of a body.
    Wrong,
}

/// Why a body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client has left.
    Cut,
    /// The command was asked to stop.
    Stopped(Stopped),
    /// The command has answered, and whoever has kept the body gets no more of it.
    Answered,
    /// Nothing came for too long.
    Late,
    /// The body is longer than this limit.
    TooBig(u64),
}
