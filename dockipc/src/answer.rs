//! [`Answer`], the types that a command can return.

use crate::deferred::Deferred;
use crate::error::Failure;
use crate::later::{Later, Streaming};
use crate::reply::{IntoFailure, IntoReply, Reply, ReplyType};
use crate::state::States;

/// A type that a command can return: one that is an answer ([`IntoReply`]), an answer that comes later
/// ([`Deferred`]), or a [`Stream`](crate::Stream), also in a
/// `Result`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the answer of a command",
    label = "not an answer type",
    note = "a command answers with (), bytes, text, numbers, bool, Option, lists, sets, maps, tuples, `dockipc::Reply`, `Deferred` and `Stream` of those, or a Result of those whose error is Display",
    note = "for your own type, write `#[derive(dockipc::Reply)]` or `impl dockipc::IntoReply`; wrap a type of another crate in your own, or answer with its text"
)]
pub trait Answer: Sized {
    /// Whether the answer may come after the function has returned.
    const IS_LATER: bool = false;

    /// Called when a server with such a command starts.
    const AT_START: Option<Prepare> = None;

    const REPLY_TYPE: &'static ReplyType;

    fn answer(self) -> Answered;
}

/// Prepares a server that has a command with such an answer.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Prepare(pub(crate) fn(&States));

/// The result of a command's function.
#[doc(hidden)]
pub enum Answered {
    Now(Reply),
    Later(Coming),
    Stream(Beginning),
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self::Now(reply)
    }
}

/// The answer of a command that panics.
impl From<Reply> for Result<Answered, Failure> {
    fn from(reply: Reply) -> Self {
        Ok(Answered::Now(reply))
    }
}

/// An answer that comes later.
#[doc(hidden)]
pub struct Coming(pub(crate) Later);

/// A stream that has not begun.
#[doc(hidden)]
pub struct Beginning(pub(crate) Box<dyn Streaming>);

impl<T: IntoReply> Answer for T {
    const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

    fn answer(self) -> Answered {
        Answered::Now(self.into_reply())
    }
}

impl<T: IntoReply> Answer for Deferred<T> {
    const IS_LATER: bool = true;
    const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

    fn answer(self) -> Answered {
        Answered::Later(Coming(self.into_later()))
    }
}

impl<T: IntoReply, E: IntoFailure> Answer for Result<Deferred<T>, E> {
    const IS_LATER: bool = true;
    const REPLY_TYPE: &'static ReplyType = T::REPLY_TYPE;

    fn answer(self) -> Answered {
        match self {
            Ok(deferred) => deferred.answer(),
            Err(error) => Answered::Now(Reply::Error(error.into_failure())),
        }
    }
}

const _: () = assert!(size_of::<Result<Answered, Failure>>() == size_of::<Reply>());
