//! The tokio runtime that drives the futures of async commands.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{self, Handle, Runtime};
use tokio::task::AbortHandle;

use crate::caught::caught;
use crate::commands::{Code, Command};
use crate::dispatch::{Service, Spawner};
use crate::error::{Error, Result};

/// The most workers of a runtime of the server's own.
const WORKERS: usize = 4;

/// Gives a server the runtime around, or one of its own if there is none and a command is async.
pub(super) fn give(mut service: Arc<Service>) -> Result<Arc<Service>> {
    let is_async = |command: &Command| matches!(command.code, Code::Async(_));
    if !inventory::iter::<Command>().any(is_async) {
        return Ok(service);
    }
    let own = if is_around() { None } else { Some(own(service.config.leaders())?) };
    let handle = own.as_ref().map_or_else(Handle::current, |own| own.handle().clone());
    // It is not shared before the start.
    if let Some(service) = Arc::get_mut(&mut service) {
        service.spawner = Some(Box::new(Around::new(own, handle)));
    }
    Ok(service)
}

fn own(cores: usize) -> Result<Runtime> {
    let mut runtime = runtime::Builder::new_multi_thread();
    runtime.worker_threads(cores.min(WORKERS)).thread_name("dockipc-async").enable_all();
    // tokio panics if the system starts no thread.
    let built = caught(|| runtime.build());
    let built = built.unwrap_or_else(|| Err(io::Error::other("no thread can be started")));
    built.map_err(|error| Error::io("starting a tokio runtime", error))
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
