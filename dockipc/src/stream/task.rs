//! A stream that a runtime drives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::Begin;
use super::feed::Feed;
use crate::caught::caught;
use crate::error::{Failure, Stopped};
use crate::reply::IntoReply;
use crate::workers::Spawner;

/// The items of an async stream.
pub(super) struct AsyncItems<T>(pub(super) Pin<Box<dyn futures_core::Stream<Item = T> + Send>>);

impl<T: IntoReply + 'static> Begin for AsyncItems<T> {
    fn begin(self: Box<Self>, feed: &Arc<Feed>, spawner: Option<&dyn Spawner>) {
        feed.set_begun();
        // When it is dropped the stream has an end: also if there is no runtime.
        let task = Task { items: Some(self.0), feed: Arc::clone(feed) };
        if let Some(spawner) = spawner {
            spawner.spawn(Box::pin(task));
        }
    }
}

/// Makes the items.
struct Task<T> {
    /// None when it has ended.
    items: Option<Pin<Box<dyn futures_core::Stream<Item = T> + Send>>>,
    feed: Arc<Feed>,
}

impl<T: IntoReply> Task<T> {
    /// Makes items until there is no room, or no item at the moment. Returns the end; `None` if the stream has
    /// panicked.
    fn make(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), Failure>>> {
        let Some(items) = &mut self.items else { return Poll::Ready(Some(Ok(()))) };
        loop {
            let room: Result<(), Stopped> = ready!(self.feed.poll_room(context));
            if room.is_err() {
                return Poll::Ready(Some(Ok(())));
            }
            let Some(polled) =
                caught(|| items.as_mut().poll_next(context).map(|item| item.map(T::into_reply)))
            else {
                return Poll::Ready(None);
            };
            match ready!(polled) {
                Some(item) => drop(self.feed.push(item)),
                None => return Poll::Ready(Some(Ok(()))),
            }
        }
    }
}

impl<T: IntoReply> Future for Task<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let end = ready!(self.make(context));
        // The author's values are dropped before the end is told.
        caught(|| self.items = None);
        match end {
            Some(end) => self.feed.end(end),
            None => self.feed.end_panicked(),
        }
        Poll::Ready(())
    }
}

/// The runtime has dropped the stream.
impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(items) = self.items.take() {
            caught(|| drop(items));
            self.feed.end(Err(Failure::from("the command was dropped")));
        }
    }
}
