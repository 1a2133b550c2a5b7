//! [`Workers`], [`Spawner`] and [`block_on`]: where code of the author's runs that belongs to a command and not to the
//! turn of a connection. The engine implements the first, a runtime the second.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Code of the author's that runs once.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads of the engine.
pub(crate) trait Workers: Send + Sync {
    /// Runs a job on a thread of its own, when there is one. Drops it if the server has ended.
    ///
    /// If it still runs then, the command with this name was left unfinished. The name is empty for a job that does
    /// not tell that.
    fn run(&self, name: &'static str, job: Job);
}

/// A runtime that drives futures.
pub(crate) trait Spawner: Send + Sync {
    /// Calls a function on this thread, in the context of the runtime. Does nothing if the runtime has shut
    /// down.
    fn within(&self, run: &mut dyn FnMut());

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>);
}

/// Drives a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark {
        thread: Thread,
        /// Apart from the thread's token, which the future may use up: a channel waits with it too.
        is_woken: AtomicBool,
    }

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.is_woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    let unpark = Arc::new(Unpark { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !unpark.is_woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
