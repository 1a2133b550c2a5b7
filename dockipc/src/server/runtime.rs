//! The tokio runtime that drives the futures of async commands.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::{self, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::caught::caught;
use crate::commands::{Code, Command};
use crate::dispatch::Service;
use crate::error::{Error, Result};
use crate::warning::warn;
use crate::workers::Spawner;

/// The most workers of a runtime of the server's own.
const WORKERS: usize = 4;

/// Gives a server the runtime around, or one of its own if there is none and a command is async.
pub(super) fn give(mut service: Arc<Service>) -> Arc<Service> {
    let is_async = |command: &Command| matches!(command.code, Code::Async(_));
    // It is not shared before the start.
    if inventory::iter::<Command>().any(is_async)
        && let Some(service) = Arc::get_mut(&mut service)
    {
        let cores = service.config.leaders();
        service.spawner = Some(match Handle::try_current() {
            Ok(handle) => Box::new(Around::new(None, handle)),
            Err(_) => Box::new(Own { cores, runtime: OnceLock::new() }),
        });
    }
    service
}

/// A runtime of the server's own. It starts with the first async command, so that a server without one that
/// is called has no more threads than others.
struct Own {
    cores: usize,
    runtime: OnceLock<Around>,
}

impl Own {
    fn get(&self) -> Option<&Around> {
        self.runtime.get().or_else(|| {
            let mut runtime = runtime::Builder::new_multi_thread();
            runtime.worker_threads(self.cores.min(WORKERS)).thread_name("dockipc-async");
            // tokio panics if the system starts no thread.
            let built = caught(|| runtime.enable_all().build());
            let built = built.unwrap_or_else(|| Err(io::Error::other("no thread can be started")));
            let runtime = built.map_err(|error| {
                warn(format_args!(
                    "an async command is dropped, since there is no runtime: {error}"
                ));
            });
            let runtime = runtime.ok()?;
            let handle = runtime.handle().clone();
            // Of two that are made at the same time, one is dropped.
            Some(self.runtime.get_or_init(|| Around::new(Some(runtime), handle)))
        })
    }
}

impl Spawner for Own {
    fn within(&self, run: &mut dyn FnMut()) {
        if let Some(runtime) = self.get() {
            runtime.within(run);
        }
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        if let Some(runtime) = self.get() {
            runtime.spawn(future);
        }
    }
}

/// Returns whether the caller is on a thread of a runtime.
pub(super) fn is_around() -> bool {
    Handle::try_current().is_ok()
}

/// Refuses to block a thread of a runtime for as long as the server runs.
pub(super) fn refuse() -> Result<()> {
    if !is_around() {
        return Ok(());
    }
    let why =
        "Server::run would block a thread of the tokio runtime; use Server::serve(path).await";
    Err(Error::io("starting the server", io::Error::other(why)))
}

/// A runtime that drives the futures of one server.
struct Around {
    handle: Handle,
    /// The runtime, if it is the server's own.
    own: Option<Runtime>,
    /// Set when the runtime shuts down. `Relaxed`: a command that begins at the same moment may run or not.
    has_ended: Arc<AtomicBool>,
    /// The task that is dropped then.
    witness: AbortHandle,
}

impl Around {
    fn new(own: Option<Runtime>, handle: Handle) -> Self {
        struct Witness(Arc<AtomicBool>);

        impl Drop for Witness {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        let has_ended = Arc::new(AtomicBool::new(false));
        let witness = Witness(Arc::clone(&has_ended));
        let witness = handle.spawn(async move {
            let _witness = witness;
            std::future::pending::<()>().await;
        });
        Self { handle, own, has_ended, witness: witness.abort_handle() }
    }
}

impl Spawner for Around {
    fn within(&self, run: &mut dyn FnMut()) {
        if !self.has_ended.load(Ordering::Relaxed) {
            let _context = self.handle.enter();
            run();
        }
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(self.handle.spawn(future));
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        self.witness.abort();
        if let Some(own) = self.own.take() {
            // This may be one of its threads, and a future may block.
            own.shutdown_background();
        }
    }
}
