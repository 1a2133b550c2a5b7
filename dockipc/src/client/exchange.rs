//! How a client makes its calls: a pooled or new connection, the checks of the listener, and
//! retries.

use std::os::unix::net::UnixStream;

#[cfg(feature = "cli")]
use super::Servers;
use super::commands::{Commands, Retry};
use super::connection::{AnswerPart, Connection};
#[cfg(feature = "cli")]
use super::connection::{GREETING, Unidentified};
use super::handshake::{Handshake, Recipients};
use super::limits::{CallLimits, ClientLimits};
use super::once::{Repeats, Token};
use super::{Client, Endpoint, trust};
use crate::error::{Error, Ran, Result};
use crate::listener;
use crate::reply::{FromReply, Reply};

/// Maximum number of new connections for one call. A daemon that closes one without reading is
/// either restarting, or will close the next as well.
pub(super) const MAX_CONNECTIONS: usize = 3;

/// The step that the error of a call names if its time is over before it connects.
pub(super) const CONNECTING: &str = "connecting";

impl Client {
    /// Makes one call.
    pub(super) fn ask<T: FromReply>(
        &self,
        command: &Commands<'_>,
        call: &CallLimits<'_>,
    ) -> Result<T> {
        let mut answer = Reply::Null;
        self.exchange(command, call, |_, part| {
            if let AnswerPart::Whole(reply) = part {
                answer = reply;
            }
            Ok(())
        })?;
        answer.parse()
    }

    /// Sends commands, with retries, and calls `each` with the index and parts of each answer. The
    /// index restarts at 0 with each retry.
    pub(super) fn exchange(
        &self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        mut each: impl FnMut(usize, AnswerPart<'_>) -> Result<()>,
    ) -> Result<()> {
        let exchange = |connection: &mut Connection| connection.exchange(commands, call, &mut each);
        let ((), connection) = self.attempt(commands, call, exchange)?;
        if call.has_sent_body() {
            self.keep(connection, commands);
        }
        Ok(())
    }

    /// Runs a call over a connection, with retries. Returns the connection as well.
    pub(super) fn attempt<T>(
        &self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        run: impl FnMut(&mut Connection) -> Result<T>,
    ) -> Result<(T, Connection)> {
        let result = self.attempt_uncancelled(commands, call, run);
        match commands.canceller {
            Some(canceller) => result.map_err(|error| canceller.explain(error)),
            None => result,
        }
    }

    fn attempt_uncancelled<T>(
        &self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        mut run: impl FnMut(&mut Connection) -> Result<T>,
    ) -> Result<(T, Connection)> {
        if let Some(token) = commands.once {
            return self.attempt_once(token, commands, call, run);
        }
        let (mut fresh, mut refusal) = (0, None);
        loop {
            let pooled = self.pool.take(&self.limits);
            fresh += usize::from(pooled.is_none());
            let mut connection = match pooled {
                Some(connection) => connection,
                // If the daemon has no successor, its refusal explains more than this error.
                None => self.connect(call).map_err(|error| refusal.take().unwrap_or(error))?,
            };
            #[cfg(feature = "cli")]
            let identified = self.identify(&mut connection, call, fresh == MAX_CONNECTIONS);
            #[cfg(not(feature = "cli"))]
            let identified = Ok(());
            match identified.and_then(|()| run(&mut connection)) {
                Ok(value) => return Ok((value, connection)),
                Err(error) if commands.is_cancelled() || call.has_begun_body() => {
                    return Err(error);
                }
                // Nothing ran. Idle connections may have been closed by the daemon, and a new one
                // may have been in the queue of a daemon that ended.
                Err(Error::CutOff { ran: Ran::No, .. }) if fresh < MAX_CONNECTIONS => {}
                Err(Error::Refused(failure)) if failure.is_not_run() && fresh < MAX_CONNECTIONS => {
                    refusal = Some(Error::Refused(failure));
                }
                Err(error @ Error::CutOff { ran: Ran::Maybe, .. }) => {
                    drop(connection);
                    return self.retry(commands, call, run).ok_or(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a call with a token over a connection, with repeats.
    #[cold]
    fn attempt_once<T>(
        &self,
        token: &Token,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        mut run: impl FnMut(&mut Connection) -> Result<T>,
    ) -> Result<(T, Connection)> {
        let mut repeats = Repeats::new(self.pool.has_connected());
        loop {
            let pooled = self.pool.take(&self.limits);
            let is_new = pooled.is_none();
            let attempt = pooled.map_or_else(|| self.connect(call), Ok).and_then(|connection| {
                let mut connection = connection;
                #[cfg(feature = "cli")]
                self.identify(&mut connection, call, false)?;
                let result = run(&mut connection);
                if let Err(Error::CutOff { ran: Ran::Maybe, .. }) = result {
                    token.may_have_run(connection.offers_once());
                }
                Ok((result?, connection))
            });
            match attempt {
                Err(error) if !commands.is_cancelled() && !call.has_begun_body() => {
                    std::thread::sleep(repeats.after(error, is_new, call)?);
                }
                attempt => return attempt,
            }
        }
    }

    /// Retries a call that may have run, if it is idempotent. `None` if it isn't, or if the retry
    /// fails.
    #[cold]
    fn retry<T>(
        &self,
        commands: &Commands<'_>,
        call: &CallLimits<'_>,
        mut run: impl FnMut(&mut Connection) -> Result<T>,
    ) -> Option<(T, Connection)> {
        if let Retry::Never = commands.retry {
            return None;
        }
        let mut connection = self.connect(call).ok()?;
        #[cfg(feature = "cli")]
        self.identify(&mut connection, call, true).ok()?;
        if let Retry::AskDaemon(names) = commands.retry {
            // The call has failed already, so wait no longer than for a connection.
            let read = [self.limits.read, self.limits.connect].into_iter().flatten().min();
            let limits = ClientLimits { read, ..self.limits };
            let (call, mut is_idempotent) = (&call.with(&limits), false);
            for name in names.into_iter().flatten() {
                is_idempotent = is_idempotent || connection.is_idempotent(name, call).ok()?;
            }
            if !is_idempotent {
                return None;
            }
        }
        let value = run(&mut connection).ok()?;
        Some((value, connection))
    }

    /// Checks that a dockipc daemon answers, if the client is for them only. `is_last`: no other
    /// connection follows if this one was closed.
    #[cfg(feature = "cli")]
    fn identify(
        &self,
        connection: &mut Connection,
        call: &CallLimits<'_>,
        is_last: bool,
    ) -> Result<()> {
        let (Servers::Dockipc { has_lock }, Endpoint::Path(path)) = (self.servers, &self.endpoint)
        else {
            return Ok(());
        };
        connection.identify(call).map_err(|error| {
            let why = match error {
                Unidentified::Stranger(why) => why,
                Unidentified::Silent(limit) if !has_lock => {
                    format!("does not answer the greeting within {limit:?}")
                }
                Unidentified::Silent(after) => {
                    return Error::TimedOut { doing: GREETING, after, ran: Ran::No };
                }
                Unidentified::Failed(Error::CutOff { received: 0, .. }) if is_last && !has_lock => {
                    "closes the connection without an answer to the greeting".into()
                }
                Unidentified::Failed(error) => return error,
            };
            Error::NotDockipc { path: path.to_path_buf(), why }
        })
    }

    /// Returns a connection to the pool, if it can be reused.
    pub(super) fn keep(&self, connection: Connection, commands: &Commands<'_>) {
        // One of a cancelled call may be half-closed.
        if commands.reusable && connection.is_clean() && !commands.is_cancelled() {
            self.pool.keep(connection, &self.limits);
        }
    }

    fn connect(&self, call: &CallLimits<'_>) -> Result<Connection> {
        let stream = match &self.endpoint {
            Endpoint::Path(path) => {
                let wait = call.wait(self.limits.connect);
                let timed_out =
                    |doing| Error::TimedOut { doing, after: wait.limit(), ran: Ran::No };
                let left = wait.left();
                if left.is_some_and(|left| left.is_zero()) {
                    return Err(timed_out(CONNECTING));
                }
                let connected = listener::connect(path, left).map_err(|error| match error {
                    Error::TimedOut { doing, .. } => timed_out(doing),
                    error => error,
                });
                connected?.into()
            }
            Endpoint::InProcess(connect) => connect()?,
        };
        self.prepare(stream)
    }

    /// Checks the listener of a new connection, and prepares the handshake.
    pub(super) fn prepare(&self, stream: UnixStream) -> Result<Connection> {
        let withheld = self.check(&stream)?;
        let token = self.token.as_ref().filter(|_| withheld.is_none());
        let handshake = Handshake::new(token.map(|token| &token.source))?;
        #[cfg(feature = "cli")]
        if let Some(on_connect) = &self.on_connect {
            on_connect(&stream);
        }
        self.pool.connected();
        Ok(Connection::new(stream, handshake, withheld, !self.owners.is_empty()))
    }

    /// Checks the listener's user, before anything is sent. Returns the reason if the token must be
    /// withheld.
    fn check(&self, stream: &UnixStream) -> Result<Option<String>> {
        const WITHHELD: &str = "the token from the environment was not sent";
        let recipients = self.token.as_ref().map_or(Recipients::All, |token| token.recipients);
        if self.owners.is_empty() && recipients == Recipients::All {
            return Ok(None);
        }
        let owner = trust::listener(stream)?;
        if !self.owners.is_empty() && !self.owners.contains(&owner) {
            let path = match &self.endpoint {
                Endpoint::Path(path) => path.to_path_buf(),
                Endpoint::InProcess(_) => "this process".into(),
            };
            return Err(Error::WrongOwner { path, owner, required: self.owners.to_vec() });
        }
        Ok(match recipients {
            Recipients::Trusted if self.owners.is_empty() => trust::withheld(WITHHELD, owner),
            #[cfg(feature = "cli")]
            Recipients::None => Some(format!(
                "{WITHHELD}: the daemon's user is unknown; use --token-file to send a token"
            )),
            _ => None,
        })
    }
}
