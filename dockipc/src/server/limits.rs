//! The builder methods for limits and times.

use std::time::Duration;

use super::Server;

/// Limits and times.
impl Server {
    /// Limits the length of a line in bytes, `\n` included. Default: 4096. A longer line gets `-TOOBIG`.
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.config.limits.line = bytes.max(2);
        self
    }

    /// Limits the size of a whole RESP command in bytes. Default: 1 MiB. A longer one is skipped and gets
    /// `-TOOBIG`; the connection stays open.
    ///
    /// The commands of a transaction together have the same limit; there are at most 10,000 of them. Once the
    /// answers take more than 16 MiB, each further command gets `-TOOBIG` and does not run.
    pub fn max_command(mut self, bytes: usize) -> Self {
        self.config.limits.command = bytes.max(64);
        self
    }

    /// Limits the size in bytes of a [`Stream`](crate::Stream) that a client takes as one answer, as a Redis client
    /// does. Default: 1 MiB; 10,000 items at most. A longer one is ended and gets `-TOOBIG`.
    pub fn max_collected(mut self, bytes: usize) -> Self {
        self.config.max_collected = bytes;
        self
    }

    /// Limits the size in bytes of a [`Body`](crate::Body). By default it has no limit. Reading beyond it fails, and the
    /// answer is `-TOOBIG`. A Redis client sends a body as a word, which [`max_command`](Self::max_command) limits.
    pub fn max_body(mut self, bytes: u64) -> Self {
        self.config.max_body = Some(bytes);
        self
    }

    /// Limits how many connections are served at a time. Default: the system's limit. Further ones get
    /// `-BUSY`. The last few are reserved for root and the daemon's user: see
    /// [`reserved_connections`](Self::reserved_connections).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// Limits how many connections of one user are served at a time, so that no user takes them all.
    /// Further ones get `-BUSY`. A number applies to every user, root included; `None` removes the limit.
    ///
    /// Default: half of the descriptors that the process can still open when the server starts
    /// (`RLIMIT_NOFILE` less the open ones and eight of its own; about 500 of the usual 1024), or half of
    /// [`max_connections`](Self::max_connections) if that is less. By default, root and the daemon's user
    /// (the effective one at start) have no limit. So set a number where all clients have the daemon's
    /// uid, as in many containers.
    ///
    /// ```
    /// # use dockipc::Server;
    /// let few = Server::new().max_connections_per_user(64);
    /// let unlimited = Server::new().max_connections_per_user(None);
    /// ```
    pub fn max_connections_per_user(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.config.per_user.connections = connections.into();
        self.config.per_user.spares_operators = false;
        self
    }

    /// Reserves connections for root and the daemon's user, so that an operator can connect when
    /// others have taken everything. Default: 8, at most a quarter of the available ones (see
    /// [`max_connections_per_user`](Self::max_connections_per_user)), but one of two or three. 0 reserves
    /// none.
    ///
    /// The server holds this number of descriptors open and releases one when no other is free. Then any
    /// other user's connection gets `-BUSY` and is closed at once. With 0 it waits for a descriptor:
    /// see [`busy_timeout`](Self::busy_timeout). With [`max_connections`](Self::max_connections), the
    /// last of these are reserved.
    pub fn reserved_connections(mut self, connections: usize) -> Self {
        self.config.reserved_connections = connections;
        self
    }

    /// Limits how many slow commands of one user run or wait for a thread at a time. Default: no limit.
    /// Further ones get `-BUSY`. A command counts as slow once a run has taken long; that run counts too and
    /// may exceed the limit by one.
    pub fn max_running_per_user(mut self, commands: usize) -> Self {
        self.config.per_user.running = Some(commands);
        self
    }

    /// Limits the bytes that wait in the connections of one user: incomplete commands, queued commands of
    /// transactions, and unread answers. They may take twice as much memory. Default: no limit. A connection
    /// that exceeds the limit gets `-BUSY` and is closed; in the middle of an answer it is cut off.
    pub fn max_bytes_per_user(mut self, bytes: usize) -> Self {
        self.config.per_user.bytes = Some(bytes);
        self
    }

    /// Limits the number of the server's threads. Commands that block take one each; beyond the limit
    /// they wait ([`busy_timeout`](Self::busy_timeout)). The minimum is 3: the leader, the watcher, and one
    /// worker. A command that blocks for the first time may take one more. Default: an eighth of
    /// `vm.max_map_count` (8191 of 65530), since a process with too many threads is aborted.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.config.max_threads = Some(threads.max(3));
        self
    }

    /// Limits how many CPU cores quick commands use at a time; 1 runs them one after another, on one thread.
    /// Commands that block or compute for a millisecond and longer are not counted: each has a thread of its
    /// own ([`max_threads`](Self::max_threads)). Default: the cores that the process may use,
    /// as `sched_getaffinity(2)` returns them. With the default, up to 64 clients that call commands of 16 to
    /// 128 µs over and over have a thread each, and the kernel shares the cores among these threads. A CPU quota
    /// of a cgroup does not count: behind one, as in many containers, give [`available_parallelism`](std::thread::available_parallelism).
    pub fn max_cores(mut self, cores: usize) -> Self {
        self.config.max_cores = Some(cores.max(1));
        self
    }

    /// Limits how many channels and patterns a connection can subscribe to. Default: 1024. A `SUBSCRIBE` over
    /// the limit gets `-TOOBIG`.
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Self {
        self.config.events.subscriptions = subscriptions;
        self
    }

    /// Limits how many events wait for a client that reads too slowly, and how many bytes they have. Default:
    /// 16,384 events and 4 MiB for each connection; subscribers of one channel share the memory of its events.
    /// [`WhenFull`](crate::events::WhenFull) says what happens at the limit.
    pub fn max_queued_events(mut self, events: usize, bytes: usize) -> Self {
        self.config.events.queued = events.max(1);
        self.config.events.queued_bytes = bytes;
        self
    }

    /// Limits the time for a command to arrive, from its first byte to its last. Default: 30 s; `None`
    /// removes the limit. A later command gets `-TIMEOUT`, nothing runs, and the connection closes.
    pub fn arrival_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.arrival = limit.into();
        self
    }

    /// Limits how long a connection may be idle. Default: no limit. Then the server closes it. A client
    /// that has sent nothing, and so may be in line mode, gets `-TIMEOUT` first. It does not apply to a client that
    /// is subscribed to [events](crate::events).
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.idle = limit.into();
        self
    }

    /// Limits the time for a client to read its answers, from when it stopped reading until it has read
    /// all. Default: 60 s; `None` removes the limit. Then the connection is cut off. It does not apply to
    /// [events](crate::events), which are dropped instead.
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.write = limit.into();
        self
    }

    /// Limits how long a client waits for a running command. Default: no limit. Then the client gets
    /// `-TIMEOUT`. The command cannot be interrupted: it continues, and its result is dropped. The
    /// connection's next command waits for its end.
    ///
    /// In a transaction the limit holds for each command: if one exceeds it, `EXEC` is answered, and the
    /// transaction continues.
    pub fn run_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.run = limit.into();
        self
    }

    /// Limits how long a command waits for a free thread, and a new connection for a free descriptor
    /// if [none is reserved](Self::reserved_connections). Default: 10 s. Then the client gets `-BUSY`, and
    /// nothing was run. The same holds for the code that makes the items of a [`Stream`](crate::Stream).
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.config.times.busy = limit;
        self
    }

    /// Limits how long running commands may continue at shutdown. Default: 5 s. See
    /// [`Handle::shutdown`](crate::Handle::shutdown).
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.config.times.shutdown = limit;
        self
    }

    /// Limits how long after connecting a client may send the token. Default: 10 s; `None` removes the
    /// limit. A later token gets `-TIMEOUT`; the client has to reconnect.
    pub fn auth_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.config.times.auth = limit.into();
        self
    }

    /// Sets the longest pause after many wrong tokens of one user: see [`token_file`](Self::token_file).
    /// Default: 2 s. `None` disables pauses: then nothing bounds how many guesses are compared and recorded.
    pub fn auth_pause(mut self, longest: impl Into<Option<Duration>>) -> Self {
        self.config.times.auth_pause = longest.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::Server;

    const STRANGER: u32 = 12_345;

    #[test]
    fn last_connections_are_reserved_for_operators() {
        let server = Server::new().max_connections(16).max_connections_per_user(None);
        let service = server.service().unwrap();
        let owner = crate::sys::effective_user();
        let connect = |uid| service.admit(uid).1.map_err(|failure| failure.message().to_owned());
        for _ in 0..12 {
            assert_eq!(connect(STRANGER), Ok(()));
        }
        let more = "(4 more are reserved for root and the daemon's user); try again";
        assert_eq!(connect(STRANGER), Err(format!("too many connections: 12 at most {more}")));
        for uid in [0, owner, 0, owner] {
            assert_eq!(connect(uid), Ok(()));
        }
        let full = "too many connections: 16 at most; try again";
        assert_eq!(connect(0), Err(full.to_owned()));
        service.counters.disconnected();
        assert!(connect(STRANGER).is_err());
        assert_eq!(connect(owner), Ok(()));
    }

    #[test]
    fn one_of_few_connections_is_reserved() {
        for (most, others) in [(1, 1), (2, 1), (3, 2), (4, 3), (7, 6)] {
            let server = Server::new().max_connections(most).max_connections_per_user(None);
            let service = server.service().unwrap();
            let served = (0..most).filter(|_| service.admit(STRANGER).1.is_ok());
            assert_eq!(served.count(), others, "of {most}");
            assert_eq!(service.admit(0).1.is_ok(), most > 1, "of {most}");
        }
    }

    #[test]
    fn default_limit_of_a_user_is_half() {
        let limits = |server: Server| {
            let per_user = server.service().unwrap().config.per_user;
            [STRANGER, 0, crate::sys::effective_user()].map(|uid| per_user.connections_of(uid))
        };
        for (most, half) in [(16, 8), (3, 1), (1, 1), (0, 1)] {
            assert_eq!(limits(Server::new().max_connections(most)), [Some(half), None, None]);
        }
        let default = limits(Server::new());
        assert!(default[0].is_some_and(|half| half > 1) && default[1..] == [None, None]);
        assert_eq!(limits(Server::new().max_connections_per_user(3)), [Some(3); 3]);
        assert_eq!(limits(Server::new().max_connections_per_user(None)), [None; 3]);
    }
}
