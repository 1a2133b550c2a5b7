//! The body of an async call: read from the caller's reader, and sent while the client waits for the answer.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::call::AsyncCall;
use super::items::AsyncItems;
use crate::client::limits::CallLimits;
use crate::client::upload::{Part, Progress, Pumped, SendBody, Sent};
use crate::error::Result;
use crate::reply::{FromReply, IntoReply, ItemReader, encode_item};

/// A call with a body; see [`AsyncCall::body`] and [`AsyncCall::items`].
#[must_use = "a call is made with `.call().await`"]
pub struct AsyncUpload<'c, R> {
    call: AsyncCall<'c>,
    body: Body<R>,
}

impl<'c, R: AsyncRead + Send> AsyncUpload<'c, R> {
    pub(in crate::client) fn new(call: AsyncCall<'c>, reader: R, kind: &'static str) -> Self {
        let state = State { reader: Box::pin(reader), part: Part::new() };
        Self { call, body: Body { kind, state: Mutex::new(state) } }
    }

    /// Makes the call and converts the answer; see [`AsyncCall::call`]. Dropping the future closes the connection: the
    /// command gets an error in the place of the rest of the body.
    ///
    /// # Errors
    /// Those of [`AsyncCall::call`], and [`Error::Io`](crate::Error::Io) if the reader fails. The command is then
    /// cancelled.
    pub async fn call<T: FromReply>(self) -> Result<T> {
        self.call.ask(Some(&self.body)).await
    }

    /// Makes the call of a command that answers with a [`Stream`](crate::Stream); see [`AsyncCall::stream`]. The body is
    /// sent while the items are waited for.
    ///
    /// # Errors
    /// Those of [`call`](Self::call), if they come before the first item.
    pub async fn stream<T: FromReply>(self) -> Result<AsyncItems<T>>
    where
        R: 'static,
    {
        self.call.streamed(Some(Arc::new(self.body))).await
    }
}

impl<R> fmt::Debug for AsyncUpload<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncUpload").field("call", &self.call).finish_non_exhaustive()
    }
}

/// A body of which a part may be sent.
struct Body<R> {
    kind: &'static str,
    state: Mutex<State<R>>,
}

struct State<R> {
    reader: Pin<Box<R>>,
    part: Part,
}

impl<R> Body<R> {
    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: AsyncRead + Send> SendBody for Body<R> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    /// Not called by an async client.
    fn pump(&self, _: &UnixStream, _: &CallLimits<'_>) -> Result<()> {
        Ok(())
    }

    fn poll_pump(&self, stream: &UnixStream, context: &mut Context<'_>) -> Poll<Result<Pumped>> {
        let State { reader, part } = &mut *self.state();
        if part.is_unsent() {
            return Poll::Ready(part.send(stream).map(|sent| match sent {
                Sent::Some => Pumped::Some,
                Sent::NoRoom => Pumped::NoRoom,
            }));
        }
        match part.progress {
            Progress::Sending => {
                let mut read = ReadBuf::new(part.room());
                let result = ready!(reader.as_mut().poll_read(context, &mut read));
                let len = read.filled().len();
                Poll::Ready(match result {
                    Ok(()) => {
                        part.fill(len);
                        Ok(Pumped::Some)
                    }
                    Err(error) => Err(part.broken(stream, error)),
                })
            }
            Progress::Ending => {
                part.progress = Progress::Whole;
                Poll::Ready(Ok(Pumped::Ended))
            }
            _ => Poll::Ready(Ok(Pumped::Ended)),
        }
    }

    fn is_unsent(&self) -> bool {
        self.state().part.is_unsent()
    }

    fn follow(&self, is_next: bool) {
        self.state().part.follow(is_next);
    }

    fn is_begun(&self) -> bool {
        self.state().part.is_begun
    }

    fn is_whole(&self) -> bool {
        self.state().part.progress == Progress::Whole
    }
}

/// Reads the items of an iterator as the values that are sent.
#[derive(Debug)]
pub struct AsyncItemReader<I>(ItemReader<I>);

impl<I> AsyncItemReader<I> {
    pub(in crate::client) fn new(items: I) -> Self {
        Self(ItemReader::new(items))
    }
}

/// The iterator is not pinned.
impl<I> Unpin for AsyncItemReader<I> {}

impl<I: Iterator<Item: IntoReply>> AsyncRead for AsyncItemReader<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = io::Read::read(&mut self.get_mut().0, buffer.initialize_unfilled())?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

/// Reads the items of an async stream as the values that are sent.
pub struct AsyncStreamReader<S> {
    items: Pin<Box<S>>,
    /// The bytes of an item, of which those from `at` are not read.
    item: Vec<u8>,
    at: usize,
}

impl<S> AsyncStreamReader<S> {
    pub(super) fn new(items: S) -> Self {
        Self { items: Box::pin(items), item: Vec::new(), at: 0 }
    }
}

impl<S: futures_core::Stream<Item: IntoReply>> AsyncRead for AsyncStreamReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.item.len() {
            let Some(item) = ready!(this.items.as_mut().poll_next(context)) else {
                return Poll::Ready(Ok(()));
            };
            this.at = 0;
            encode_item(item.into_reply(), &mut this.item)?;
        }
        let left = &this.item[this.at..];
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        this.at += count;
        Poll::Ready(Ok(()))
    }
}

impl<S> fmt::Debug for AsyncStreamReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStreamReader").finish_non_exhaustive()
    }
}
