//! The limits and timeouts of a server.
//!
//! [`Server`](crate::Server) builds a [`Config`]; it does not change while the server runs.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity};

use crate::proc::{numbers_in, small_text};
use crate::sys;
use crate::text::number;

/// Limits and timeouts of a server.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The version of the author's daemon.
    pub(crate) version: Option<Box<str>>,
    pub(crate) limits: Limits,
    /// Maximum bytes of the items of a stream that are one answer.
    pub(crate) max_collected: usize,
    /// Maximum bytes of a body.
    pub(crate) max_body: Option<u64>,
    pub(crate) times: Times,
    /// Maximum number of connections served at a time.
    pub(crate) max_connections: usize,
    /// Connections, and descriptors, reserved for root and the daemon's user.
    pub(crate) reserved_connections: usize,
    /// Maximum number of refused connections that stay open until their first byte shows their
    /// protocol. Those beyond it are refused at once, so that they use up no descriptors.
    pub(crate) max_refused: usize,
    pub(crate) events: EventLimits,
    pub(crate) once: OnceLimits,
    pub(crate) per_user: PerUser,
    /// Maximum number of engine threads. See [`Config::threads`] for the default.
    pub(crate) max_threads: Option<usize>,
    /// Maximum number of threads that run quick commands. See [`Config::leaders`] for the default.
    pub(crate) max_cores: Option<usize>,
}

/// Limits of each connection that is subscribed to events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventLimits {
    pub(crate) subscriptions: usize,
    /// Events that wait for the client to read.
    pub(crate) queued: usize,
    /// The bytes of these.
    pub(crate) queued_bytes: usize,
}

/// Limits of the answers that are remembered for calls with a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnceLimits {
    pub(crate) answers: usize,
    /// The bytes of these.
    pub(crate) bytes: usize,
    /// How long each is remembered.
    pub(crate) time: Duration,
}

/// Maximum input sizes of one command, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A line, including its `\n`.
    pub(crate) line: usize,
    /// A whole RESP command.
    pub(crate) command: usize,
}

/// Timeouts. `None` means no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// From a command's first byte to its last.
    pub(crate) arrival: Option<Duration>,
    /// From an answer to the next command.
    pub(crate) idle: Option<Duration>,
    /// From when a client stops reading until it has taken all answers.
    pub(crate) write: Option<Duration>,
    /// From the connection to the token.
    pub(crate) auth: Option<Duration>,
    /// Maximum delay after wrong tokens. `None` means no delay.
    pub(crate) auth_pause: Option<Duration>,
    /// From a command's start to its end.
    pub(crate) run: Option<Duration>,
    /// Wait for a thread or a descriptor.
    pub(crate) busy: Duration,
    /// From the stop request until running commands are abandoned.
    pub(crate) shutdown: Duration,
}

/// Limits for each user. `None` means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerUser {
    pub(crate) connections: Option<usize>,
    /// Whether `connections` is the default: half of all connections, and no limit for root and the
    /// daemon's user.
    pub(crate) spares_operators: bool,
    /// The daemon's user: the effective user at the start.
    pub(crate) owner: u32,
    /// Slow commands that are running or waiting for a thread.
    pub(crate) running: Option<usize>,
    /// Buffered bytes of commands and answers.
    pub(crate) bytes: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: None,
            limits: Limits { line: 4096, command: 1 << 20 },
            max_collected: 1 << 20,
            max_body: None,
            times: Times {
                arrival: Some(Duration::from_secs(30)),
                idle: None,
                write: Some(Duration::from_secs(60)),
                auth: Some(Duration::from_secs(10)),
                auth_pause: Some(Duration::from_secs(2)),
                run: None,
                busy: Duration::from_secs(10),
                shutdown: Duration::from_secs(5),
            },
            max_connections: usize::MAX,
            reserved_connections: 8,
            max_refused: 64,
            events: EventLimits { subscriptions: 1024, queued: 16_384, queued_bytes: 4 << 20 },
            once: OnceLimits { answers: 10_000, bytes: 8 << 20, time: Duration::from_secs(600) },
            per_user: PerUser { spares_operators: true, ..PerUser::default() },
            max_threads: None,
            max_cores: None,
        }
    }
}

impl PerUser {
    /// Returns whether this is root or the daemon's user.
    pub(crate) fn is_operator(&self, uid: u32) -> bool {
        uid == 0 || uid == self.owner
    }

    /// Returns the maximum number of connections of this user.
    pub(crate) fn connections_of(&self, uid: u32) -> Option<usize> {
        self.connections.filter(|_| !self.spares_operators || !self.is_operator(uid))
    }
}

impl Config {
    /// Fills in the limits that depend on the process when the server starts.
    pub(crate) fn at_start(mut self) -> Self {
        let free = free_descriptors();
        let most = free.min(self.max_connections);
        // Of two or three, one.
        let most_reserved = (most / 4).max(usize::from(most > 1));
        self.reserved_connections = self.reserved_connections.min(most_reserved);
        self.max_refused = self.max_refused.min(free / 8);
        self.per_user.owner = sys::effective_user();
        if self.per_user.spares_operators {
            self.per_user.connections = Some((most / 2).max(1));
        }
        self
    }

    /// Returns the maximum number of engine threads.
    ///
    /// The default is an eighth of `vm.max_map_count`: a thread takes up to four mappings (stack,
    /// guard page, heap), and a process that exceeds the limit is aborted. Half of the mappings are
    /// left for the rest of the program.
    pub(crate) fn threads(&self) -> usize {
        self.max_threads.unwrap_or_else(|| {
            let limit = small_text("/proc/sys/vm/max_map_count");
            let limit = limit.ok().and_then(|text| number(text.trim_ascii()));
            (limit.unwrap_or(65_530) / 8).max(16) as usize
        })
    }

    /// Returns the maximum number of threads that run quick commands, by default the number of CPU cores
    /// that this process may use. The watcher and one worker are left.
    pub(crate) fn leaders(&self) -> usize {
        // `available_parallelism` would bring 15 KiB of code, which reads the quotas of cgroups.
        // `CpuSet::count` is nearly one of vector instructions.
        let count = |cpus: CpuSet| (0..CpuSet::MAX_CPU).filter(|&cpu| cpus.is_set(cpu)).count();
        let cores = || sched_getaffinity(None).map_or(1, count);
        let most = self.threads().saturating_sub(2);
        self.max_cores.unwrap_or_else(cores).min(most).max(1)
    }

    /// Returns the maximum number of threads that stay with one connection each. None if the author has limited
    /// the threads that run quick commands.
    pub(crate) fn staying(&self) -> usize {
        if self.max_cores.is_some() { 0 } else { (self.threads() / 2).min(64) }
    }
}

/// The descriptors that a server takes for itself: the directory, the lock, the listener and the inotify
/// of a path, and its epoll, eventfd, timer and spare.
const OWN_DESCRIPTORS: usize = 8;

/// Returns how many descriptors this process can still open for connections.
fn free_descriptors() -> usize {
    let limit = sys::descriptor_limit().unwrap_or(usize::MAX);
    let open = numbers_in("/proc/self/fd").map_or(0, |open| open.len());
    limit.saturating_sub(open + OWN_DESCRIPTORS)
}
