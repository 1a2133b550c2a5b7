//! What a server has counted since it started, for `INFO`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Counters of one server. They are read for display only, so that every access is `Relaxed`: no
/// other memory is published through them.
pub(crate) struct Counters {
    started: Instant,
    connections: AtomicUsize,
    accepted: AtomicU64,
    commands: AtomicU64,
}

/// The counters at one moment.
pub(crate) struct Counts {
    /// Seconds since the server started.
    pub(crate) uptime: u64,
    /// Connections that are served now.
    pub(crate) connections: usize,
    /// Connections so far, refused ones included.
    pub(crate) accepted: u64,
    /// Commands answered so far.
    pub(crate) commands: u64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            connections: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        }
    }

    /// Counts a connection, which is served unless there are `max` already. Returns its number and
    /// whether it is served.
    pub(crate) fn connected(&self, max: usize) -> (u64, bool) {
        let id = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let is_served = self.connections.fetch_add(1, Ordering::Relaxed) < max;
        if !is_served {
            self.disconnected();
        }
        (id, is_served)
    }

    /// Counts the end of a connection that was served.
    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts commands that were answered.
    ///
    /// Invariant: called with the engine's lock held, so that a load and a store, which are cheaper
    /// than an atomic addition, lose nothing.
    pub(crate) fn answered(&self, commands: u64) {
        self.commands.store(self.commands.load(Ordering::Relaxed) + commands, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            uptime: self.started.elapsed().as_secs(),
            connections: self.connections.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
        }
    }
}
