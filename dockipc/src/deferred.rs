//! [`Deferred`], an answer that comes later, and [`Answerer`], which gives it.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Failure, Stopped};
use crate::later::{Later, WhenStopped};
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
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
