//! [`Later`], an answer that comes later, for whoever gives it and for the connection that waits; and the traits by
//! which a connection is told of it, and of the items of a stream in front of it.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caught::caught;
use crate::error::{Failure, Stopped};
use crate::reply::Reply;
use crate::wire::Outgoing;
use crate::workers::{Spawner, Workers};

/// Wakes the connection that waits for an answer, or for an item of a stream. The engine implements it.
pub(crate) trait Bell: Send + Sync {
    fn ring(&self);
}

/// Wakes connections that have something to send. The engine implements it.
pub(crate) trait Bells: Send + Sync {
    /// Wakes the connections with these tokens, which the engine has given out.
    fn ring_all(&self, connections: &[u64]);

    /// Returns the server, whose type this room does not know.
    fn service(&self) -> Arc<dyn Any + Send + Sync>;

    fn workers(self: Arc<Self>) -> Arc<dyn Workers>;

    /// Charges a running command to its user until the result is dropped. An error if the user has too many.
    fn charge(self: Arc<Self>, uid: u32) -> Result<Option<Box<dyn Any + Send + Sync>>, Failure>;
}

/// The result of a command that is answered later.
pub(crate) enum Given {
    Reply(Reply),
    Stream(Box<dyn Streaming>),
}

/// A stream that has not begun.
///
/// A trait, so that a program without streams does not contain their code.
pub(crate) trait Streaming: Send {
    /// Begins to make the items. Returns where they come, and the answer that ends them.
    fn start(self: Box<Self>, start: Start<'_>) -> (Arc<dyn Items>, Later);
}

/// The parts of a server that a stream needs to begin.
pub(crate) struct Start<'s> {
    /// The command's name.
    pub(crate) name: &'static str,
    pub(crate) form: ItemForm,
    pub(crate) messages: Option<Arc<[u8]>>,
    /// The format of an item, if it is not that of the protocol.
    pub(crate) format: Option<fn(Reply) -> Reply>,
    /// The most bytes that are [collected](ItemForm::Collected).
    pub(crate) max_collected: usize,
    /// Returns the answer of code that has panicked.
    pub(crate) panicked: fn(&str) -> Reply,
    /// Returns why the command is to stop, if it is.
    pub(crate) stopped: Arc<dyn Fn() -> Option<Stopped> + Send + Sync>,
    pub(crate) workers: &'s Arc<dyn Workers>,
    pub(crate) spawner: Option<&'s dyn Spawner>,
}

/// The form in which a client gets the items of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemForm {
    /// The bytes of line mode: a row for each item, or the items themselves if they are bytes.
    Line,
    /// A push frame for each item, with the bytes of line mode.
    Rows,
    /// A push frame for each item, with its value.
    Values,
    /// One list, as the answer.
    Collected,
    /// Messages, whose beginning is [`Start::messages`], with the item as text.
    Messages,
}

/// The items of a stream that has begun, as the connection sees them.
pub(crate) trait Items: Send + Sync {
    /// Moves the encoded items that are there to `out`. If there are none, `bell` is rung when one comes.
    fn take(self: Arc<Self>, bell: &Arc<dyn Bell>, out: &mut Outgoing);

    /// Returns whether the code that makes the items has had a thread, or needs none.
    fn has_begun(&self) -> bool;

    /// Nobody takes further items, for this reason. To close twice is the same as once.
    fn close(&self, why: Stopped);

    /// Returns whether the items are bytes, which line mode writes as they are.
    fn are_bytes(&self) -> bool;

    /// Returns the number of items so far.
    fn count(&self) -> u64;
}

/// An answer that comes later, for whoever gives it and whoever waits for it.
#[derive(Clone)]
pub(crate) struct Later(Arc<Mutex<State>>);

type OnCancel = Box<dyn FnOnce(Stopped) + Send>;

struct State {
    stage: Stage,
    on_cancel: Option<OnCancel>,
    when_stopped: WhenStopped,
}

/// The effect of a request to stop on the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenStopped {
    /// The reason, at once.
    Ends,
    /// That of the command's code, which goes on.
    RunsOn,
    /// That the command was not run: it waits for its thread.
    NotRun,
}

enum Stage {
    /// No answer yet; the bell to ring when it comes.
    Open(Option<Arc<dyn Bell>>),
    Answered(Given),
    /// The answer is this one.
    Passed(Later),
    /// The answer was taken, or nobody waits for it.
    Closed,
}

impl Later {
    pub(crate) fn new(when_stopped: WhenStopped) -> Self {
        let stage = Stage::Open(None);
        Self(Arc::new(Mutex::new(State { stage, on_cancel: None, when_stopped })))
    }

    /// Gives the answer. Returns whether it is the first and somebody waits for it.
    pub(crate) fn complete(&self, reply: Reply) -> bool {
        self.complete_with(|| reply)
    }

    pub(crate) fn complete_with(&self, reply: impl FnOnce() -> Reply) -> bool {
        self.give(|| Given::Reply(reply()))
    }

    /// Gives a stream as the answer.
    pub(crate) fn stream(&self, stream: Box<dyn Streaming>) {
        self.give(|| Given::Stream(stream));
    }

    fn give(&self, given: impl FnOnce() -> Given) -> bool {
        let (is_first, on_cancel) = Self::answer(self.lock(), given);
        caught(|| drop(on_cancel));
        is_first
    }

    /// Gives the answer. Returns whether it is the first, and the function that was kept for a request to stop.
    fn answer(
        mut state: MutexGuard<'_, State>,
        given: impl FnOnce() -> Given,
    ) -> (bool, Option<OnCancel>) {
        let Stage::Open(bell) = &mut state.stage else { return (false, None) };
        let bell = bell.take();
        state.stage = Stage::Answered(given());
        let on_cancel = state.on_cancel.take();
        drop(state);
        // The bell is rung without the lock, and the author's function is called or dropped so.
        if let Some(bell) = bell {
            bell.ring();
        }
        (true, on_cancel)
    }

    /// The command is asked to stop. Returns whether that is its answer.
    pub(crate) fn stop(&self, why: Stopped) -> bool {
        let mut state = self.lock();
        if let Stage::Passed(other) = &state.stage {
            let other = other.clone();
            drop(state);
            return other.stop(why);
        }
        let when_stopped = state.when_stopped;
        // Locked throughout: the command must not begin in between, and a function that is kept meanwhile would
        // not be called.
        let (is_answer, on_cancel) = if when_stopped == WhenStopped::RunsOn {
            let on_cancel = state.on_cancel.take();
            drop(state);
            (false, on_cancel)
        } else {
            Self::answer(state, || {
                Given::Reply(Reply::Error(match when_stopped {
                    WhenStopped::NotRun => why.not_run(),
                    _ => why.failure(),
                }))
            })
        };
        if let Some(function) = on_cancel {
            caught(|| function(why));
        }
        is_answer
    }

    /// From now on a request to stop changes nothing about the answer: the author's code runs. False if nobody
    /// waits for it.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.lock();
        state.when_stopped = WhenStopped::RunsOn;
        matches!(state.stage, Stage::Open(_))
    }

    /// Returns whether the command waits for its thread.
    pub(crate) fn is_queued(&self) -> bool {
        self.lock().when_stopped == WhenStopped::NotRun
    }

    /// Returns whether the author's code runs.
    pub(crate) fn runs(&self) -> bool {
        let state = self.lock();
        state.when_stopped == WhenStopped::RunsOn && matches!(state.stage, Stage::Open(_))
    }

    /// Takes another answer as this one. `why` is told to the other one if nobody waits for it.
    pub(crate) fn pass(&self, other: &Self, why: impl FnOnce() -> Stopped) {
        let mut state = self.lock();
        let Stage::Open(bell) = &mut state.stage else {
            drop(state);
            other.stop(why());
            other.close();
            return;
        };
        let bell = bell.take();
        state.stage = Stage::Passed(other.clone());
        drop(state);
        let Some(bell) = bell else { return };
        let mut other = other.lock();
        if let Stage::Open(none) = &mut other.stage {
            *none = Some(bell);
            return;
        }
        drop(other);
        bell.ring();
    }

    /// The thread of the command has gone. Returns whether that is its answer.
    pub(crate) fn abandon(&self) -> bool {
        let state = self.lock();
        match state.stage {
            Stage::Passed(_) => {
                drop(state);
                self.stop(Stopped::ShuttingDown)
            }
            _ if state.when_stopped == WhenStopped::NotRun => {
                Self::answer(state, || Given::Reply(Reply::Error(Failure::not_taken()))).0
            }
            _ => false,
        }
    }

    /// Takes the answer, if it is there. Otherwise `bell` is rung when it comes.
    pub(crate) fn poll(&self, bell: &Arc<dyn Bell>) -> Option<Given> {
        let mut state = self.lock();
        match std::mem::replace(&mut state.stage, Stage::Closed) {
            Stage::Answered(given) => Some(given),
            Stage::Open(_) => {
                state.stage = Stage::Open(Some(Arc::clone(bell)));
                None
            }
            Stage::Passed(other) => {
                state.stage = Stage::Passed(other.clone());
                drop(state);
                other.poll(bell)
            }
            Stage::Closed => None,
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let stage = std::mem::replace(&mut state.stage, Stage::Closed);
        let on_cancel = state.on_cancel.take();
        drop(state);
        if let Stage::Passed(other) = &stage {
            other.close();
        }
        // Both may be the author's.
        caught(|| drop((stage, on_cancel)));
    }

    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self.lock().stage, Stage::Open(_))
    }

    pub(crate) fn on_cancel(&self, function: OnCancel) {
        let mut state = self.lock();
        if let Stage::Open(_) = state.stage {
            let earlier = state.on_cancel.replace(function);
            drop(state);
            drop(earlier);
            return;
        }
        drop(state);
        caught(|| function(Stopped::Cancelled));
    }

    #[inline(never)]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
