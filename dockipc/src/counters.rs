//! Counters of a server since its start, and the memory of the process, for `INFO`.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// The counters of one server. They are only displayed and publish no other memory, so every access
/// is `Relaxed`.
pub(crate) struct Counters {
    started: Instant,
    connections: AtomicUsize,
    accepted: AtomicU64,
    commands: [Commands; 16],
}

/// The commands that some of the threads have answered, alone in its cache line, or in the two that some
/// processors fetch together.
#[derive(Default)]
#[repr(align(128))]
struct Commands(AtomicU64);

/// The counters at one moment.
pub(crate) struct Counts {
    /// Seconds since the server started.
    pub(crate) uptime: u64,
    /// Connections being served.
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
            commands: Default::default(),
        }
    }

    /// Counts a new connection. Returns its ID, and whether it is below the limit of `max`
    /// connections and so to be served.
    pub(crate) fn connected(&self, max: usize) -> (u64, bool) {
        let id = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let is_served = self.connections.fetch_add(1, Ordering::Relaxed) < max;
        if !is_served {
            self.disconnected();
        }
        (id, is_served)
    }

    /// Counts the end of a served connection.
    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts answered commands. Each thread has a number, so that threads on different cores seldom write
    /// to the same cache line.
    pub(crate) fn answered(&self, thread: usize, commands: u64) {
        self.commands[thread % self.commands.len()].0.fetch_add(commands, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            uptime: self.started.elapsed().as_secs(),
            connections: self.connections.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            commands: self.commands.iter().map(|count| count.0.load(Ordering::Relaxed)).sum(),
        }
    }
}

/// Returns the bytes of the process that are in memory, proc(5); 0 if they are unknown.
pub(crate) fn resident_memory() -> u64 {
    // The file has less than 2 KiB, and one read takes it whole.
    let mut status = [0; 4096];
    let _ = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status));
    let line = status.split(|&b| b == b'\n').find(|line| line.starts_with(b"VmRSS:"));
    let digits = line.unwrap_or_default().iter().filter(|b| b.is_ascii_digit());
    digits.fold(0, |kib, digit| kib * 10 + u64::from(digit - b'0')) * 1024
}
