//! How an async client makes its calls. The pool, the checks of the listener and the rules for retries are
//! those of the blocking client.

use std::time::Duration;

use crate::client::commands::{Commands, Retry};
use crate::client::connection::{AsyncConnection, Event, within};
use crate::client::exchange::{CONNECTING, MAX_CONNECTIONS};
use crate::client::limits::{CallLimits, ClientLimits};
use crate::client::once::{Repeats, Token};
use crate::client::{Client, Endpoint};
use crate::error::{Error, Ran, Result};
use crate::listener;
use crate::reply::Reply;

/// The pauses between attempts to connect to a daemon whose queue is full. The kernel does not report when
/// there is room in it.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Sends commands, with retries, and returns their answers; see `Client::exchange`.
pub(super) async fn exchange(
    client: &Client,
    commands: &Commands<'_>,
    call: &CallLimits<'_>,
) -> Result<Vec<Reply>> {
    let (events, connection) = attempt(client, commands, call).await?;
    if call.has_sent_body() {
        client.keep(connection.into_inner(), commands);
    }
    let replies = events.into_iter().map(|event| match event {
        Event::Answer(reply) | Event::Item(reply) => reply,
    });
    Ok(replies.collect())
}

/// Sends commands, with retries. Returns what was read first for each of them, and the connection.
///
/// A call whose future is dropped closes its connection: it goes back into the pool only after the last
/// answer.
pub(super) async fn attempt(
    client: &Client,
    commands: &Commands<'_>,
    call: &CallLimits<'_>,
) -> Result<(Vec<Event>, AsyncConnection)> {
    if let Some(token) = commands.once {
        return attempt_once(client, token, commands, call).await;
    }
    let mut answers = Vec::with_capacity(commands.count);
    let (mut fresh, mut refusal) = (0, None);
    loop {
        let pooled = client.pool.take(&client.limits);
        fresh += usize::from(pooled.is_none());
        let mut connection = match pooled {
            Some(connection) => AsyncConnection::new(connection)?,
            // If the daemon has no successor, its refusal explains more than this error.
            None => connect(client, call).await.map_err(|error| refusal.take().unwrap_or(error))?,
        };
        match connection.exchange(commands, call, &mut answers).await {
            Ok(()) => return Ok((answers, connection)),
            Err(error) if call.has_begun_body() => return Err(error),
            // Nothing ran. Idle connections may have been closed by the daemon, and a new one may have
            // been in the queue of a daemon that ended.
            Err(Error::CutOff { ran: Ran::No, .. }) if fresh < MAX_CONNECTIONS => {}
            Err(Error::Refused(failure)) if failure.is_not_run() && fresh < MAX_CONNECTIONS => {
                refusal = Some(Error::Refused(failure));
            }
            Err(error @ Error::CutOff { ran: Ran::Maybe, .. }) => {
                drop(connection);
                let retried = retry(client, commands, call, &mut answers).await;
                return retried.map(|connection| (answers, connection)).ok_or(error);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Runs a call with a token over a connection, with repeats; see `Client::attempt_once`.
#[cold]
async fn attempt_once(
    client: &Client,
    token: &Token,
    commands: &Commands<'_>,
    call: &CallLimits<'_>,
) -> Result<(Vec<Event>, AsyncConnection)> {
    let (mut repeats, mut answers) =
        (Repeats::new(client.pool.has_connected()), Vec::with_capacity(1));
    loop {
        let pooled = client.pool.take(&client.limits);
        let is_new = pooled.is_none();
        let connection = match pooled {
            Some(connection) => AsyncConnection::new(connection),
            None => connect(client, call).await,
        };
        let error = match connection {
            Err(error) => error,
            Ok(mut connection) => match connection.exchange(commands, call, &mut answers).await {
                Ok(()) => return Ok((answers, connection)),
                Err(error) => {
                    if let Error::CutOff { ran: Ran::Maybe, .. } = error {
                        token.may_have_run(connection.offers_once());
                    }
                    error
                }
            },
        };
        if call.has_begun_body() {
            return Err(error);
        }
        tokio::time::sleep(repeats.after(error, is_new, call)?).await;
    }
}

/// Retries a call that may have run, if it is idempotent. `None` if it isn't, or if the retry fails.
#[cold]
async fn retry(
    client: &Client,
    commands: &Commands<'_>,
    call: &CallLimits<'_>,
    answers: &mut Vec<Event>,
) -> Option<AsyncConnection> {
    if let Retry::Never = commands.retry {
        return None;
    }
    let mut connection = connect(client, call).await.ok()?;
    if let Retry::AskDaemon(names) = commands.retry {
        // The call has failed already, so wait no longer than for a connection.
        let read = [client.limits.read, client.limits.connect].into_iter().flatten().min();
        let limits = ClientLimits { read, ..client.limits };
        let (call, mut is_idempotent) = (&call.with(&limits), false);
        for name in names.into_iter().flatten() {
            is_idempotent = is_idempotent || connection.is_idempotent(name, call).await.ok()?;
        }
        if !is_idempotent {
            return None;
        }
    }
    connection.exchange(commands, call, answers).await.ok()?;
    Some(connection)
}

/// Connects without blocking the thread, also while the daemon's queue is full.
pub(super) async fn connect(client: &Client, call: &CallLimits<'_>) -> Result<AsyncConnection> {
    let stream = match &client.endpoint {
        Endpoint::Path(path) => {
            let wait = call.wait(client.limits.connect);
            let timed_out = |doing| Error::TimedOut { doing, after: wait.limit(), ran: Ran::No };
            if wait.left().is_some_and(|left| left.is_zero()) {
                return Err(timed_out(CONNECTING));
            }
            let [mut pause, longest] = PAUSES;
            loop {
                if let Some(socket) = listener::try_connect(path)? {
                    break socket.into();
                }
                let paused = within(&wait, tokio::time::sleep(pause)).await;
                paused.ok_or_else(|| timed_out("connecting (the daemon's queue is full)"))?;
                pause = (pause * 2).min(longest);
            }
        }
        Endpoint::InProcess(connect) => connect()?,
    };
    AsyncConnection::new(client.prepare(stream)?)
}
