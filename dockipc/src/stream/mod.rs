//! [`Stream`], an answer of any number of items that leave as they are made.

mod feed;
#[cfg(feature = "tokio")]
mod task;

use std::fmt;
use std::marker::PhantomData;
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use self::feed::{Feed, ItemType, Produce, Ran, Room};
use crate::error::{Failure, Stopped};
use crate::later::{Items, Later, Start, Streaming};
use crate::reply::IntoReply;
use crate::workers::Spawner;
#[cfg(feature = "tokio")]
use crate::workers::block_on;

/// An answer of any number of items, each of which is sent when it is made; the result of a command.
///
/// ```standalone_crate
/// use dockipc::{Stream, command};
/// use std::fs::File;
/// use std::io::{self, BufRead, BufReader};
/// use std::path::PathBuf;
///
/// /// Answer with the lines of a file.
/// #[command]
/// fn lines(path: PathBuf) -> io::Result<Stream<io::Result<String>>> {
///     Ok(Stream::iter(BufReader::new(File::open(path)?).lines()))
/// }
///
/// /// Count down.
/// #[command]
/// fn countdown(from: u32) -> Stream<u32> {
///     Stream::new(move |sink| {
///         for n in (0..from).rev() {
///             sink.send(n)?;
///         }
///         Ok(())
///     })
/// }
///
/// let daemon = dockipc::Server::new().spawn_in_process()?;
/// assert_eq!(daemon.client().send("countdown 3")?, b"2\n1\n0\n");
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// `T` is any type that a command can return. An item that is an `Err` ends the stream with that error. Our client and
/// subscribers tell a whole stream from one that was cut off; a client in line mode cannot.
///
/// # How a client gets the items
///
/// - Our client, with [`Call::stream`](crate::client::Call::stream), and `dockipc call` get them as they are made.
/// - In line mode each item is a row, below the names of the columns if the item's type is a
///   [`table`](derive@crate::Reply), and `Vec<u8>` are written as they are. The end is the end of the connection; an
///   error is a last line `-CODE message`, which such a client can't tell from an item for sure.
/// - A Redis client gets a list, up to [`Server::max_collected`](crate::Server::max_collected) and 10,000 items. More
///   than that is `-TOOBIG`. If the command is [`idempotent`](crate::command), such a client can subscribe to the call
///   instead, `PSUBSCRIBE "countdown 3"`, and gets a message for each item and one for the end.
///
/// # Backpressure
///
/// A stream waits for its client and drops nothing: items are made until 384 KiB of them wait. While a stream of an
/// iterator waits, it holds no thread. If the client leaves, or the command is asked to stop
/// ([`Cancel`](crate::Cancel)), the iterator is dropped after its next item, and [`Sink::send`] fails.
/// [`Server::run_timeout`](crate::Server::run_timeout) limits the time between two items, but not for subscribers.
///
/// The items are made on threads of the server: without one within [`busy_timeout`](crate::Server::busy_timeout) the
/// answer is `-BUSY`. When the server stops, a command with a `Cancel` is asked to stop at once; other streams can go on
/// for [`shutdown_timeout`](crate::Server::shutdown_timeout).
///
/// A stream is a running command until its end. `MULTI` does not queue such a command.
#[must_use = "the items are sent when the command returns this"]
pub struct Stream<T>(Source<T>);

type Code<T> = Box<dyn FnOnce(Sink<T>) -> Result<(), Failure> + Send>;

enum Source<T> {
    Iter(Box<dyn Iterator<Item = T> + Send>),
    Code(Code<T>),
    #[cfg(feature = "tokio")]
    Async(Pin<Box<dyn futures_core::Stream<Item = T> + Send>>),
}

impl<T: IntoReply + 'static> Stream<T> {
    /// Makes a stream of the items of an iterator. Its `next` may block: a thread waits for it, which delays no other
    /// client.
    pub fn iter<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        Self(Source::Iter(Box::new(items.into_iter())))
    }

    /// Makes a stream of the items that a function sends. The function holds a thread until it returns. An error that
    /// it returns ends the stream with that error, so that `?` works on [`Sink::send`] and on the function's own
    /// errors.
    pub fn new(code: impl FnOnce(Sink<T>) -> Result<(), Failure> + Send + 'static) -> Self {
        Self(Source::Code(Box::new(code)))
    }

    /// Makes a stream of the items of an async stream, which runs on tokio and holds no thread.
    #[cfg(feature = "tokio")]
    pub fn from_stream(items: impl futures_core::Stream<Item = T> + Send + 'static) -> Self {
        Self(Source::Async(Box::pin(items)))
    }

    pub(crate) fn into_streaming(self) -> Box<dyn Streaming> {
        let source: Box<dyn Begin> = match self.0 {
            Source::Iter(items) => Box::new(IterItems(items)),
            Source::Code(code) => Box::new(CodeItems(Some(code))),
            #[cfg(feature = "tokio")]
            Source::Async(items) => Box::new(task::AsyncItems(items)),
        };
        Box::new(NotBegun { source, items: ItemType::of::<T>() })
    }
}

/// Calls the code that makes the items, for a test that calls the command's function.
///
/// An error that the function of [`Stream::new`] returns ends the items. An async stream is driven by the thread.
impl<T: IntoReply + Send + 'static> IntoIterator for Stream<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(match self.0 {
            Source::Iter(items) => items,
            Source::Code(code) => {
                let (sender, items) = sync_channel(0);
                thread::spawn(move || code(Sink(To::Channel(sender))));
                Box::new(items.into_iter())
            }
            #[cfg(feature = "tokio")]
            Source::Async(mut items) => Box::new(std::iter::from_fn(move || {
                block_on(Box::pin(std::future::poll_fn(|context| {
                    items.as_mut().poll_next(context)
                })))
            })),
        })
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// The items of a [`Stream`], for a test.
pub struct IntoIter<T>(Box<dyn Iterator<Item = T> + Send>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
}

impl<T> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").finish_non_exhaustive()
    }
}

/// Takes the items of a stream: see [`Stream::new`].
pub struct Sink<T>(To<T>);

enum To<T> {
    Client(Arc<Feed>, PhantomData<fn(T)>),
    Channel(SyncSender<T>),
}

impl<T: IntoReply> Sink<T> {
    /// Sends an item, and waits until there is room for the next one.
    ///
    /// # Errors
    /// Why no further item is sent: the client has left, or the command was asked to stop. Also after an item that is
    /// an `Err`, which ends the stream.
    pub fn send(&self, item: T) -> Result<(), Stopped> {
        match &self.0 {
            To::Client(feed, _) => match feed.push(item.into_reply())? {
                Room::Free => Ok(()),
                Room::Full => feed.wait_for_room(),
            },
            To::Channel(sender) => sender.send(item).map_err(|_| Stopped::Cancelled),
        }
    }
}

impl<T> Sink<T> {
    /// Returns whether no further item is sent.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            To::Client(feed, _) => feed.closed().is_some(),
            To::Channel(_) => false,
        }
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("is_closed", &self.is_closed()).finish()
    }
}

struct NotBegun {
    source: Box<dyn Begin>,
    items: ItemType,
}

impl Streaming for NotBegun {
    fn start(self: Box<Self>, start: Start<'_>) -> (Arc<dyn Items>, Later) {
        let feed = Feed::new(&start, self.items);
        let later = feed.later().clone();
        self.source.begin(&feed, start.spawner);
        (feed, later)
    }
}

/// Begins to make the items of a stream.
trait Begin: Send {
    fn begin(self: Box<Self>, feed: &Arc<Feed>, spawner: Option<&dyn Spawner>);
}

/// The items of an iterator.
struct IterItems<T>(Box<dyn Iterator<Item = T> + Send>);

impl<T: IntoReply + 'static> Begin for IterItems<T> {
    fn begin(self: Box<Self>, feed: &Arc<Feed>, _: Option<&dyn Spawner>) {
        feed.produce(self);
    }
}

impl<T: IntoReply> Produce for IterItems<T> {
    fn run(&mut self, feed: &Arc<Feed>) -> Ran {
        while feed.closed().is_none() {
            let Some(item) = self.0.next() else { break };
            if let Ok(Room::Full) = feed.push(item.into_reply()) {
                return Ran::Full;
            }
        }
        Ran::Ended(Ok(()))
    }
}

/// The items that a function sends.
struct CodeItems<T>(Option<Code<T>>);

impl<T: IntoReply + 'static> Begin for CodeItems<T> {
    fn begin(self: Box<Self>, feed: &Arc<Feed>, _: Option<&dyn Spawner>) {
        feed.produce(self);
    }
}

impl<T> Produce for CodeItems<T> {
    fn run(&mut self, feed: &Arc<Feed>) -> Ran {
        let sink = Sink(To::Client(Arc::clone(feed), PhantomData));
        Ran::Ended(self.0.take().map_or(Ok(()), |code| code(sink)))
    }
}
