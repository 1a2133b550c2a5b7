//! [`Stop`], the parameter by which a command stops the server.

use std::fmt;
use std::sync::Arc;

use super::Run;
use crate::peer::Peer;

/// Stops the server from a command; injected as a parameter.
///
/// ```standalone_crate
/// use dockipc::{Stop, command};
///
/// /// Stop the daemon.
/// #[command(allow = "owner | uid:root")]
/// fn shutdown(stop: Stop) {
///     stop.after_answer();
/// }
/// ```
pub struct Stop(pub(crate) Arc<Run>);

impl Stop {
    /// Makes one that stops no server, for a test that calls the command's function.
    pub fn new() -> Self {
        Self(Arc::new(Run::new(0, "", 0, &Peer::unknown())))
    }

    /// Stops the server when the command's answer is sent, as SIGTERM does: see
    /// [`Handle::shutdown`](crate::Handle::shutdown). Further calls have no effect.
    pub fn after_answer(&self) {
        self.0.stop_server();
    }

    /// Returns whether [`after_answer`](Self::after_answer) was called, for a test.
    pub fn is_requested(&self) -> bool {
        self.0.stops_server()
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_requested()).finish()
    }
}
