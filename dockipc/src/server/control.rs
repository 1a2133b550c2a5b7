//! [`Control`], which can stop a running server.

use std::fmt;
use std::sync::Weak;

use crate::engine::Engine;

/// Stops a server from another thread or from a command: see [`Handle::control`](crate::Handle::control).
///
/// It is cheap to clone and does not keep the server running. In a forked child it does nothing.
#[derive(Clone)]
pub struct Control {
    pub(super) engine: Weak<Engine>,
}

impl Control {
    pub(super) fn new(engine: Weak<Engine>) -> Self {
        Self { engine }
    }

    /// Starts a graceful shutdown and returns at once, as [`Handle::shutdown`](crate::Handle::shutdown) does. If
    /// the server has stopped, the call has no effect.
    ///
    /// A command that calls it is answered: running commands may end.
    ///
    /// ```
    /// use dockipc::Server;
    ///
    /// let daemon = Server::new().spawn_in_process()?;
    /// let control = daemon.control();
    /// let other = std::thread::spawn(move || control.shutdown());
    /// daemon.join(); // Returns, since the other thread stops the server.
    /// # other.join().expect("no panic");
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn shutdown(&self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.shutdown();
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
