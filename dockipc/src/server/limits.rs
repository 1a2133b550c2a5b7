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
    /// answered `-BUSY`. The last few are for root and the daemon's user alone: see
    /// [`reserved_connections`](Self::reserved_connections).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = connections;
        self
    }

    /// Limits how many connections of one user are served at a time, so that no user takes them all.
    /// One more is answered `-BUSY`. A number given here holds for every user; `None` is no limit.
    ///
    /// Default: half of the descriptors that the process can still open when the server starts
    /// (`RLIMIT_NOFILE` less those that are open and eight of its own), or half of
    /// [`max_connections`](Self::max_connections) if that is fewer. Of the usual 1024 descriptors that
    /// is about 500. Root and the daemon's user, which is the effective one at start, have no limit by
    /// default. So there is none where all clients have one uid, as in many containers: set a number.
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

    /// Keeps this many connections for root and the daemon's user, so that an operator gets in when
    /// others have taken everything. Default 8, and at most a quarter of what there is (see
    /// [`max_connections_per_user`](Self::max_connections_per_user)), but one of two or three. 0 keeps
    /// none.
    ///
    /// The server holds as many descriptors open, and gives one up when no other is left. Any other
    /// user's connection is then answered `-BUSY` and closed at once. With 0 it waits for a descriptor:
    /// see [`busy_timeout`](Self::busy_timeout). In a server with
    /// [`max_connections`](Self::max_connections), the last ones of these are kept.
    pub fn reserved_connections(mut self, connections: usize) -> Self {
        self.config.reserved_connections = connections;
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
    /// descriptor when the process has no more, not even
    /// [reserved ones](Self::reserved_connections). Default 10 s. Then it is told `-BUSY`, and was not
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

    /// The longest pause after many wrong tokens of one user: see [`token_file`](Self::token_file).
    /// Default 2 s. `None` is no pause: then nothing bounds how many guesses are looked at and recorded.
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
        let come = |uid| service.admit(uid).1.map_err(|failure| failure.message().to_owned());
        for _ in 0..12 {
            assert_eq!(come(STRANGER), Ok(()));
        }
        let more = "(4 more are reserved for root and the daemon's user); try again";
        assert_eq!(come(STRANGER), Err(format!("too many connections: 12 at most {more}")));
        for uid in [0, owner, 0, owner] {
            assert_eq!(come(uid), Ok(()));
        }
        let full = "too many connections: 16 at most; try again";
        assert_eq!(come(0), Err(full.to_owned()));
        service.counters.disconnected();
        assert!(come(STRANGER).is_err());
        assert_eq!(come(owner), Ok(()));
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
