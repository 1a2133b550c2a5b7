//! The builder's limits and times.

use std::time::Duration;

use super::Server;

/// Limits and times.
impl Server {
    /// The longest line in bytes, with its `\n`. Default 4096. A longer one is answered `-TOOBIG`.
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.config.limits.line = bytes.max(2);
        self
    }

    /// The longest RESP command in bytes, all of it. Default 1 MiB. A longer one is passed over and
    /// answered `-TOOBIG`; the connection goes on.
    pub fn max_command(mut self, bytes: usize) -> Self {
        self.config.limits.command = bytes.max(64);
        self
    }

    /// How many connections are served at a time. Default: no limit but the system's. One more is
    /// answered `-BUSY`.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// How many connections of one user are served at a time, so that nobody takes them all.
    /// Default: no limit. One more is answered `-BUSY`.
    pub fn max_connections_per_user(mut self, connections: usize) -> Self {
        self.config.per_user.connections = Some(connections);
        self
    }

    /// How many slow commands of one user may run or wait for a thread at a time. Default: no limit.
    /// One more is answered `-BUSY`. A command is slow once it was seen to last; the run in which that is
    /// seen counts, and may be one too many.
    pub fn max_running_per_user(mut self, commands: usize) -> Self {
        self.config.per_user.running = Some(commands);
        self
    }

    /// How many bytes may wait in the connections of one user: commands that are not whole yet, and
    /// answers that are not taken. They may take twice as much memory. Default: no limit. A connection
    /// that goes over it is answered `-BUSY` and ended; one in the middle of an answer is cut off.
    pub fn max_bytes_per_user(mut self, bytes: usize) -> Self {
        self.config.per_user.bytes = Some(bytes);
        self
    }

    /// How many threads the server may have. Commands that block take one each; beyond the limit
    /// they wait ([`busy_timeout`](Self::busy_timeout)). At least 3: one waits for clients, one
    /// watches it, one runs what blocks. A command that blocks for the first time may take one more.
    /// Default: an eighth of `vm.max_map_count` (8191 where that is 65530), since a process with too
    /// many threads is aborted.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.config.max_threads = Some(threads.max(3));
        self
    }

    /// How long a command may take to arrive, from its first byte to its last. Default 30 s; `None`
    /// is no limit. Then it is answered `-TIMEOUT`, nothing is run, and the connection ends.
    pub fn arrival_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.arrival = limit.into();
        self
    }

    /// How long a connection may have no command. Default: no limit. Then it is closed; a client
    /// that has sent nothing at all, and so may wait for a line, is told `-TIMEOUT`.
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.idle = limit.into();
        self
    }

    /// How long a client may take for its answers, from when it stopped reading until all are
    /// taken. Default 60 s; `None` is no limit. Then it is cut off.
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.write = limit.into();
        self
    }

    /// How long a client waits for a command that runs. Default: no limit. Then it is told
    /// `-TIMEOUT`. The command can't be interrupted: it runs on, and what it returns is dropped. The
    /// connection's next command waits for its end.
    pub fn run_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.run = limit.into();
        self
    }

    /// How long a command waits for a thread when all are taken, and a new connection for a
    /// descriptor when the process has no more. Default 10 s. Then it is told `-BUSY`, and was not
    /// run.
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.config.times.busy = limit;
        self
    }

    /// How long commands may go on when the server stops. Default 5 s. See [`Handle::shutdown`].
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.config.times.shutdown = limit;
        self
    }

    /// How long after it connected a client may give the token. Default 10 s; `None` is no limit.
    /// Later it is answered `-TIMEOUT`, and has to connect anew.
    pub fn auth_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.auth = limit.into();
        self
    }
}
