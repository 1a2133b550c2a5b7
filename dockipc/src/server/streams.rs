//! Prepares a server for commands that answer with a stream: clients can subscribe to them.
//!
//! Only here is the code for that named, so that a program without streams does not contain it.

use crate::answer::{Answer, Answered, Beginning, Prepare};
use crate::dispatch::CALLS;
use crate::engine::LISTENING;
use crate::events::Events;
use crate::reply::{IntoFailure, IntoReply, Reply, ReplyType};
use crate::state::States;
use crate::stream::Stream;

/// Prepares a server that has a command which answers with a stream.
fn prepare(states: &States) {
    Events::of(states, &LISTENING);
    // Each such command does it.
    let _ = states.calls.set(&CALLS);
}

impl<T: IntoReply + 'static> Answer for Stream<T> {
    const IS_LATER: bool = true;
    const AT_START: Option<Prepare> = Some(Prepare(prepare));
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Stream(T::REPLY_TYPE);

    fn answer(self) -> Answered {
        Answered::Stream(Beginning(self.into_streaming()))
    }
}

impl<T: IntoReply + 'static, E: IntoFailure> Answer for Result<Stream<T>, E> {
    const IS_LATER: bool = true;
    const AT_START: Option<Prepare> = Some(Prepare(prepare));
    const REPLY_TYPE: &'static ReplyType = <Stream<T>>::REPLY_TYPE;

    fn answer(self) -> Answered {
        match self {
            Ok(stream) => stream.answer(),
            Err(error) => Answered::Now(Reply::Error(error.into_failure())),
        }
    }
}
