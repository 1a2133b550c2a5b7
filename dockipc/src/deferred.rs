//! [`Deferred`], an answer that comes later, and [`Answerer`], which gives it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caught::caught;
use crate::error::{Failure, Stopped};
use crate::reply::{IntoReply, Reply};

/// An answer that comes later; the result of a command.
///
/// The command returns at once and its thread is free. Its client waits until the [`Answerer`] is used, which
/// any thread may do at any time. The next command of the same connection begins after that.
///
/// ```standalone_crate
/// use dockipc::{Answerer, Deferred, State, command};
/// use std::sync::Mutex;
///
/// /// Answer with the next window that the user clicks on.
/// #[command]
/// fn pick_window(waiting: State<Mutex<Vec<Answerer<u64>>>>) -> Deferred<u64> {
///     let (later, answer) = Deferred::new();
///     waiting.lock().unwrap().push(answer);
///     later
/// }
///
/// /// Called by the window system.
/// fn clicked(waiting: &Mutex<Vec<Answerer<u64>>>, window: u64) {
///     for answer in waiting.lock().unwrap().drain(..) {
///         answer.send(window);
///     }
/// }
///
/// let waiting = State::new(Mutex::new(Vec::new()));
/// let daemon = dockipc::Server::new().share(waiting.clone()).spawn_in_process()?;
/// let client = daemon.client();
/// let picked = std::thread::spawn(move || client.command("pick-window").call::<u64>());
/// while waiting.lock().unwrap().is_empty() {
///     std::thread::yield_now();
/// }
/// clicked(&waiting, 7);
/// assert_eq!(picked.join().unwrap()?, 7);
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// If the command is asked to stop first (see [`Cancel`](crate::Cancel)), its client is told so at once, and the
/// answer that comes later is dropped. `T` is any type that a command can return, such as `Result<u64, Failure>`.
/// `MULTI` does not queue such a command.
#[must_use = "the answer is given to the client when the command returns this"]
pub struct Deferred<T> {
    later: Later,
    answer: PhantomData<fn() -> T>,
}

/// Gives the answer of a [`Deferred`]. It can be kept, and sent to another thread.
///
/// If it is dropped, the client gets `-ERR the command was dropped`.
pub struct Answerer<T> {
    later: Later,
    answer: PhantomData<fn(T)>,
}

impl<T: IntoReply> Deferred<T> {
    /// Makes an answer that comes later, and the value that gives it.
    pub fn new() -> (Self, Answerer<T>) {
        let later = Later::new(WhenStopped::Ends);
        let answer = Answerer { later: later.clone(), answer: PhantomData };
        (Self { later, answer: PhantomData }, answer)
    }

    pub(crate) fn into_later(self) -> Later {
        self.later
    }
}

impl<T> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}

impl<T: IntoReply> Answerer<T> {
    /// Gives the answer. Returns whether the client still waits for it.
    pub fn send(self, value: T) -> bool {
        self.later.complete(value.into_reply())
    }
}

impl<T> Answerer<T> {
    /// Returns whether nobody waits for the answer any more.
    pub fn is_cancelled(&self) -> bool {
        self.later.is_closed()
    }

    /// Calls a function when nobody waits for the answer any more: at once if that is so already, and never if
    /// the answer is given first. One function is kept, the last.
    ///
    /// It runs on a thread of the server and should be quick, such as sending a message to a loop.
    pub fn on_cancel(&self, function: impl FnOnce(Stopped) + Send + 'static) {
        self.later.on_cancel(Box::new(function));
    }
}

impl<T> Drop for Answerer<T> {
    fn drop(&mut self) {
        self.later.complete_with(|| Reply::Error(Failure::from("the command was dropped")));
    }
}

impl<T> fmt::Debug for Answerer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answerer").finish_non_exhaustive()
    }
}

/// Wakes the connection that waits for an answer. The engine implements it.
pub(crate) trait Bell: Send + Sync {
    fn ring(&self);
}

/// Wakes connections that have something to send. The engine implements it.
pub(crate) trait Bells: Send + Sync {
    /// Wakes the connections with these tokens, which the engine has given out.
    fn ring_all(&self, connections: &[u64]);
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
    Answered(Reply),
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
        let (is_first, on_cancel) = Self::answer(self.lock(), reply);
        caught(|| drop(on_cancel));
        is_first
    }

    /// Gives the answer. Returns whether it is the first, and the function that was kept for a request to stop.
    fn answer(
        mut state: MutexGuard<'_, State>,
        reply: impl FnOnce() -> Reply,
    ) -> (bool, Option<OnCancel>) {
        let Stage::Open(bell) = &mut state.stage else { return (false, None) };
        let bell = bell.take();
        state.stage = Stage::Answered(reply());
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
                Reply::Error(match when_stopped {
                    WhenStopped::NotRun => why.not_run(),
                    _ => why.failure(),
                })
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
                Self::answer(state, || Reply::Error(Failure::not_taken())).0
            }
            _ => false,
        }
    }

    /// Takes the answer, if it is there. Otherwise `bell` is rung when it comes.
    pub(crate) fn poll(&self, bell: &Arc<dyn Bell>) -> Option<Reply> {
        let mut state = self.lock();
        match std::mem::replace(&mut state.stage, Stage::Closed) {
            Stage::Answered(reply) => Some(reply),
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

    fn is_closed(&self) -> bool {
        !matches!(self.lock().stage, Stage::Open(_))
    }

    fn on_cancel(&self, function: OnCancel) {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn function_kept_during_a_stop_is_called() {
        const ROUNDS: usize = 20_000;
        let called = Arc::new(AtomicUsize::new(0));
        let (sender, stopping) = std::sync::mpsc::sync_channel::<Later>(0);
        let stopper = thread::spawn(move || {
            for later in &stopping {
                later.stop(Stopped::Cancelled);
            }
        });
        for _ in 0..ROUNDS {
            let (deferred, answer) = Deferred::<u64>::new();
            sender.send(deferred.into_later()).unwrap();
            let called = Arc::clone(&called);
            answer.on_cancel(move |_| {
                called.fetch_add(1, Ordering::Relaxed);
            });
            while !answer.is_cancelled() {}
        }
        drop(sender);
        stopper.join().unwrap();
        assert_eq!(called.load(Ordering::Relaxed), ROUNDS);
    }
}
