//! [`Items`], the items of a stream.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::vec;

use super::Client;
use super::canceller::{Attachment, Canceller};
use super::connection::{Connection, Event};
use super::limits::{CallLimits, Deadline};
use super::newest::Place;
use super::progress::OnProgress;
use super::upload::SendBody;
use crate::error::{Error, Result};
use crate::reply::{FromReply, Reply};

/// The items of a stream as they arrive; see [`Call::stream`](super::Call::stream).
///
/// The last item is an error if the stream is not whole: [`Error::Refused`] if the command has ended it, another one if
/// the connection did. An item that is no `T` is an error as well, and the next one follows.
///
/// Dropping it cancels the command.
#[must_use = "dropping the items cancels the command"]
pub struct Items<T> {
    state: State,
    item: PhantomData<fn() -> T>,
}

enum State {
    Open(Box<Open>),
    /// The answer was one list.
    List(vec::IntoIter<Reply>),
    Ended,
}

/// A stream that has not ended. When it is dropped the connection is closed, which cancels the command.
pub(super) struct Open {
    pub(super) client: Client,
    pub(super) connection: Connection,
    /// The first item or the answer, which was read to know whether the call must be repeated.
    pub(super) first: Option<Event>,
    pub(super) end: Option<Deadline>,
    pub(super) on_progress: Option<Arc<OnProgress>>,
    pub(super) body: Option<Arc<dyn SendBody>>,
    pub(super) canceller: Option<Canceller>,
    pub(super) attached: Option<Attachment>,
    pub(super) _place: Option<Place>,
    /// Whether the connection can be used again.
    pub(super) is_reusable: bool,
}

impl Open {
    fn next(&mut self) -> Result<Event> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let (limits, end) = (&self.client.limits, self.end);
        let (on_progress, body) = (self.on_progress.as_deref(), self.body.as_deref());
        let call = CallLimits { limits, end, on_progress, body };
        self.connection.read_event(&call).map_err(|error| self.explain(error))
    }

    fn explain(&self, error: Error) -> Error {
        match &self.canceller {
            Some(canceller) => canceller.explain(error),
            None => error,
        }
    }

    /// Returns the connection to the pool.
    fn keep(mut self) {
        // The next call on the connection is not cancelled with this one.
        drop(self.attached.take());
        // That of a cancelled call may be half-closed.
        let is_cancelled = self.canceller.as_ref().is_some_and(Canceller::is_cancelled);
        let has_sent_body = self.body.is_none_or(|body| body.is_whole());
        if self.is_reusable && has_sent_body && self.connection.is_clean() && !is_cancelled {
            self.client.pool.keep(self.connection, &self.client.limits);
        }
    }
}

impl<T> Items<T> {
    pub(super) fn new(open: Open) -> Self {
        Self { state: State::Open(Box::new(open)), item: PhantomData }
    }

    /// Returns the items, unless the first of them is an error answer.
    pub(super) fn begun(mut self) -> Result<Self> {
        if let State::Open(open) = &self.state
            && let Some(Event::Answer(Reply::Error(_))) = open.first
            && let Some(Err(error)) = self.next_reply()
        {
            return Err(error);
        }
        Ok(self)
    }

    /// Returns the next item as it arrived.
    fn next_reply(&mut self) -> Option<Result<Reply>> {
        let open = match &mut self.state {
            State::Open(open) => open,
            State::List(items) => return items.next().map(Ok),
            State::Ended => return None,
        };
        let event = open.next();
        if let Ok(Event::Item(item)) = event {
            return Some(Ok(item));
        }
        let State::Open(open) = std::mem::replace(&mut self.state, State::Ended) else {
            return None;
        };
        let Event::Answer(answer) = (match event {
            Ok(event) => event,
            Err(error) => return Some(Err(error)),
        }) else {
            return None;
        };
        match answer {
            Reply::Error(failure) => {
                let error = open.explain(Error::Refused(failure));
                open.keep();
                Some(Err(error))
            }
            Reply::Ok => {
                open.keep();
                None
            }
            Reply::List(items) | Reply::Set(items) => {
                open.keep();
                self.state = State::List(items.into_iter());
                self.next_reply()
            }
            value => {
                open.keep();
                Some(Ok(value))
            }
        }
    }
}

impl<T: FromReply> Iterator for Items<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.next_reply().map(|reply| reply.and_then(Reply::parse))
    }
}

impl<T: FromReply> std::iter::FusedIterator for Items<T> {}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = matches!(self.state, State::Ended);
        f.debug_struct("Items").field("has_ended", &has_ended).finish_non_exhaustive()
    }
}
