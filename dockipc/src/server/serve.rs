//! [`Serve`], a server that runs on the tokio runtime around.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::bound::{Bound, Given, finished, is_stopped, take_signals};
use super::{Handle, Server, runtime};
use crate::error::{Error, Result};
use crate::signals::Signals;

impl Server {
    /// Serves at a path on the tokio runtime around, until SIGTERM or SIGINT arrives, as [`run`](Self::run) does,
    /// or until the future of [`Serve::until`] is ready.
    ///
    /// The server has its own threads, which read, answer and run blocking commands. The futures of async
    /// commands run on the runtime: they are polled once on a thread of the server, in the runtime's context, and
    /// if they are not ready they become tasks. A command that waits holds no thread.
    ///
    /// ```no_run,standalone_crate
    /// use dockipc::{Server, command};
    /// use std::time::Duration;
    ///
    /// /// Answer after a while.
    /// #[command]
    /// async fn nap(time: Duration) {
    ///     tokio::time::sleep(time).await;
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> dockipc::Result<()> {
    ///     Server::new().serve("/run/napd.sock").await
    /// }
    /// ```
    ///
    /// If the future is dropped, the server stops as [`Handle::shutdown`] does, and nothing waits for that. If the
    /// runtime shuts down, its commands answer `-ERR the command was dropped`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and no runtime is around.
    pub fn serve(mut self, path: impl AsRef<Path>) -> Serve {
        let path = path.as_ref().to_owned();
        Serve::new(move || {
            let signals = take_signals(self.signals, &path)?;
            let arrivals = signals.as_ref().map(|(_, arrivals)| arrivals);
            Bound::new(&mut self, &path, Given::Completely, arrivals)?.start_with(signals)
        })
    }
}

/// A server that runs on the tokio runtime around: see [`Server::serve`].
///
/// The socket is there when this has been polled once.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve(Stage);

type Start = Box<dyn FnOnce() -> Result<(Handle, Option<Signals>)> + Send>;

enum Stage {
    New(Start),
    Serving {
        handle: Handle,
        _signals: Option<Signals>,
    },
    /// It has ended, or could not start.
    Ended,
}

impl Serve {
    pub(super) fn new(
        start: impl FnOnce() -> Result<(Handle, Option<Signals>)> + Send + 'static,
    ) -> Self {
        Self(Stage::New(Box::new(start)))
    }

    /// Stops the server when a future is ready, as [`Handle::shutdown`] does.
    ///
    /// ```no_run
    /// # async fn example() -> dockipc::Result<()> {
    /// use dockipc::Server;
    ///
    /// let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    /// // Something else in the program sends, or drops the sender.
    /// let sent = async { drop(receiver.await) };
    /// Server::new().serve("/run/hitd/hitd.sock").until(sent).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Server::serve`].
    pub async fn until(mut self, future: impl Future<Output = ()>) -> Result<()> {
        let mut future = pin!(future);
        let mut is_told = false;
        poll_fn(move |context| {
            let served = Pin::new(&mut self).poll(context);
            if let Stage::Serving { handle, .. } = &self.0
                && !is_told
                && future.as_mut().poll(context).is_ready()
            {
                is_told = true;
                handle.shutdown();
            }
            served
        })
        .await
    }
}

impl Future for Serve {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let stage = &mut self.0;
        if let Stage::New(_) = stage
            && let Stage::New(start) = std::mem::replace(stage, Stage::Ended)
        {
            if !runtime::is_around() {
                let why = "Server::serve requires a tokio runtime; without one use Server::run";
                let error = Error::io("starting the server", io::Error::other(why));
                return Poll::Ready(Err(error));
            }
            let (handle, signals) = match start() {
                Err(error) if is_stopped(&error) => return Poll::Ready(Ok(())),
                started => started?,
            };
            *stage = Stage::Serving { handle, _signals: signals.map(Signals::for_all_threads) };
        }
        let Stage::Serving { handle, .. } = stage else { return Poll::Pending };
        let Poll::Ready(unfinished) = handle.poll_stopped(context.waker()) else {
            return Poll::Pending;
        };
        *stage = Stage::Ended;
        Poll::Ready(finished(unfinished))
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").finish_non_exhaustive()
    }
}
