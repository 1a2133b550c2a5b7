//! The limits and times of a server, which every room may read.
//!
//! The [`Server`](crate::Server) fills a [`Config`] in; nothing changes it once the server runs.

use std::time::Duration;

use crate::sys;

/// What a server was told about limits and times.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) times: Times,
    /// Connections that are served at a time.
    pub(crate) max_connections: usize,
    /// Connections, and descriptors, that are kept for root and the daemon's user.
    pub(crate) reserved_connections: usize,
    /// Connections that are turned away and may stay until they have shown which protocol they
    /// speak. Others are told at once, so that they use up no descriptors.
    pub(crate) max_refused: usize,
    pub(crate) per_user: PerUser,
    /// Threads of the engine. See [`Config::threads`] for the default.
    pub(crate) max_threads: Option<usize>,
}

/// The longest input that is taken for one command, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A line, with its `\n`.
    pub(crate) line: usize,
    /// A RESP command, all of it.
    pub(crate) command: usize,
}

/// Time limits. None is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// From a command's first byte to its last.
    pub(crate) arrival: Option<Duration>,
    /// From an answer to the next command.
    pub(crate) idle: Option<Duration>,
    /// From when a client stopped reading until it has taken all answers.
    pub(crate) write: Option<Duration>,
    /// From connecting to giving the token.
    pub(crate) auth: Option<Duration>,
    /// The longest pause after wrong tokens. None is no pause.
    pub(crate) auth_pause: Option<Duration>,
    /// From a command's start to its end.
    pub(crate) run: Option<Duration>,
    /// Waiting for a thread or a descriptor.
    pub(crate) busy: Duration,
    /// From the request to stop until running commands are given up.
    pub(crate) shutdown: Duration,
}

/// Limits for each user. None is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerUser {
    pub(crate) connections: Option<usize>,
    /// No limit of connections was set: it is half of what there is, and root and the daemon's user
    /// have none.
    pub(crate) spares_operators: bool,
    /// The daemon's user, which is the effective one at start.
    pub(crate) owner: u32,
    /// Slow commands that run or wait for a thread.
    pub(crate) running: Option<usize>,
    /// Bytes of commands and answers that wait in connections.
    pub(crate) bytes: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits { line: 4096, command: 1 << 20 },
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
            per_user: PerUser { spares_operators: true, ..PerUser::default() },
            max_threads: None,
        }
    }
}

impl PerUser {
    /// Whether this is root or the daemon's user.
    pub(crate) fn is_operator(&self, uid: u32) -> bool {
        uid == 0 || uid == self.owner
    }

    /// How many connections this user may have.
    pub(crate) fn connections_of(&self, uid: u32) -> Option<usize> {
        self.connections.filter(|_| !self.spares_operators || !self.is_operator(uid))
    }
}

impl Config {
    /// The same, with the limits that depend on what the process has when the server starts.
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

    /// The limit of the engine's threads.
    ///
    /// The default is an eighth of `vm.max_map_count`. A thread takes up to four mappings (its stack
    /// and guard page, its heap), and a process that wants more mappings than the limit is aborted:
    /// half of them are left to the author.
    pub(crate) fn threads(&self) -> usize {
        self.max_threads.unwrap_or_else(|| {
            let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
            let limit = limit.ok().and_then(|text| text.trim().parse::<usize>().ok());
            (limit.unwrap_or(65_530) / 8).max(16)
        })
    }
}

/// The descriptors that a server takes for itself: the directory, the lock, the listener and the inotify
/// of a path, and its epoll, bell, clock and spare.
const OWN_DESCRIPTORS: usize = 8;

/// How many descriptors this process can still open for connections.
fn free_descriptors() -> usize {
    let limit = sys::descriptor_limit().unwrap_or(usize::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    limit.saturating_sub(open + OWN_DESCRIPTORS)
}
