//! [`AsyncItems`], the items of a stream for programs on tokio.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use crate::client::Client;
use crate::client::connection::{AsyncConnection, Event};
use crate::client::limits::{CallLimits, Deadline};
use crate::client::progress::OnProgress;
use crate::client::upload::SendBody;
use crate::error::{Error, Result};
use crate::reply::{FromReply, Reply};

/// The items of a stream as they arrive; see [`AsyncCall::stream`](super::AsyncCall::stream) and
/// [`Items`](crate::client::Items). It is a `futures_core::Stream` too.
///
/// Dropping it cancels the command.
#[must_use = "dropping the items cancels the command"]
pub struct AsyncItems<T> {
    state: State,
    item: PhantomData<fn() -> T>,
}

type Waiting = dyn Future<Output = (Box<Open>, Result<Event>)> + Send;

enum State {
    Open(Box<Open>),
    Waiting(Pin<Box<Waiting>>),
    /// The answer was one list.
    List(vec::IntoIter<Reply>),
    Ended,
}

/// A stream that has not ended. When it is dropped the connection is closed, which cancels the command.
pub(super) struct Open {
    pub(super) client: Client,
    pub(super) connection: AsyncConnection,
    /// The event that came first: until then the call could be repeated.
    pub(super) first: Option<Event>,
    pub(super) end: Option<Deadline>,
    pub(super) on_progress: Option<Arc<OnProgress>>,
    /// The body, which is sent while items are waited for.
    pub(super) body: Option<Arc<dyn SendBody>>,
    pub(super) is_reusable: bool,
}

impl Open {
    async fn next(mut self: Box<Self>) -> (Box<Self>, Result<Event>) {
        let (client, on_progress) = (self.client.clone(), self.on_progress.clone());
        let (on_progress, body) = (on_progress.as_deref(), self.body.clone());
        let (limits, end, body) = (&client.limits, self.end, body.as_deref());
        let call = CallLimits { limits, end, on_progress, body };
        let event = self.connection.read_event(&call).await;
        (self, event)
    }

    /// Returns the connection to the pool.
    fn keep(self) {
        let connection = self.connection.into_inner();
        let has_sent_body = self.body.is_none_or(|body| body.is_whole());
        if self.is_reusable && has_sent_body && connection.is_clean() {
            self.client.pool.keep(connection, &self.client.limits);
        }
    }
}

impl<T> AsyncItems<T> {
    /// Makes the items, unless the first of them is an error answer.
    pub(super) fn begun(open: Open) -> Result<Self> {
        if let Some(Event::Answer(Reply::Error(failure))) = open.first {
            let error = Error::Refused(failure);
            Open { first: None, ..open }.keep();
            return Err(error);
        }
        Ok(Self { state: State::Open(Box::new(open)), item: PhantomData })
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Reply>>> {
        loop {
            let (open, event) = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::List(mut items) => {
                    let item = items.next();
                    self.state = State::List(items);
                    return Poll::Ready(item.map(Ok));
                }
                State::Open(mut open) => {
                    if let Some(first) = open.first.take() {
                        (open, Ok(first))
                    } else if let Some(item) = open.connection.ready_item(&open.client.limits) {
                        // Without a future for each item that is there.
                        (open, item.map(Event::Item))
                    } else {
                        self.state = State::Waiting(Box::pin(open.next()));
                        continue;
                    }
                }
                State::Waiting(mut waiting) => match waiting.as_mut().poll(context) {
                    Poll::Ready(done) => done,
                    Poll::Pending => {
                        self.state = State::Waiting(waiting);
                        return Poll::Pending;
                    }
                },
            };
            let answer = match event {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Event::Item(item)) => {
                    self.state = State::Open(open);
                    return Poll::Ready(Some(Ok(item)));
                }
                Ok(Event::Answer(answer)) => answer,
            };
            open.keep();
            match answer {
                Reply::Error(failure) => return Poll::Ready(Some(Err(Error::Refused(failure)))),
                Reply::Ok => return Poll::Ready(None),
                Reply::List(items) | Reply::Set(items) => {
                    self.state = State::List(items.into_iter());
                }
                value => return Poll::Ready(Some(Ok(value))),
            }
        }
    }
}

impl<T: FromReply> AsyncItems<T> {
    /// Returns the next item, or `None` at the end. A future that is dropped loses no item.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let reply = ready!(self.poll_reply(context));
        Poll::Ready(reply.map(|reply| reply.and_then(Reply::parse)))
    }
}

impl<T: FromReply> futures_core::Stream for AsyncItems<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

impl<T> fmt::Debug for AsyncItems<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = matches!(self.state, State::Ended);
        f.debug_struct("AsyncItems").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}
