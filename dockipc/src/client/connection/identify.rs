//! Identifying the server at the other end, before it gets a command.

use std::time::Duration;

use super::{Connection, Handshake, is_last};
use crate::client::commands::Commands;
use crate::client::limits::{CallLimits, ClientLimits};
use crate::error::{Error, Failure, Ran, Result};
use crate::reply::Reply;

/// How long a server may take to answer the handshake, which a daemon answers at once.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer to the handshake, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The step of a call in which a server is identified, for messages.
pub(in crate::client) const GREETING: &str =
    "waiting for the greeting (the daemon hangs, or is not a dockipc daemon)";

/// Why a server was not identified as a dockipc daemon.
pub(in crate::client) enum Unidentified {
    /// Another program answers. The text continues a sentence that begins with the path.
    Stranger(String),
    /// Nothing was answered for this time.
    Silent(Duration),
    /// The daemon refuses the connection, or it failed.
    Failed(Error),
}

impl Connection {
    /// Sends the handshake alone on a new connection, and checks that a dockipc daemon answers. A command
    /// may have a secret, or a meaning for another program. A token follows later, with the handshake
    /// that has it.
    pub(in crate::client) fn identify(
        &mut self,
        call: &CallLimits<'_>,
    ) -> Result<(), Unidentified> {
        if self.handshake.is_none() {
            return Ok(());
        }
        self.handshake.take_if(|handshake| !handshake.has_token);
        let handshake = Handshake::without_token();
        let limits = ClientLimits { answer: MAX_ANSWER, read: None, ..*call.limits };
        let call = call.with(&limits).within(TIMEOUT);
        let alone = Commands::alone(&handshake.bytes);
        self.set_read_timeout(&call).map_err(Unidentified::Failed)?;
        let hello = self.send(alone.bytes, &alone, &call).and_then(|()| self.read(&call));
        match hello {
            Ok(hello) => {
                self.keys.read(&hello);
                check(hello)?;
            }
            Err(Error::TimedOut { after, .. }) if after == TIMEOUT => {
                return Err(Unidentified::Silent(after));
            }
            // A map can be an excessive answer of a daemon.
            Err(Error::Protocol(_) | Error::AnswerTooBig { .. })
                if self.input.get(self.start) != Some(&b'%') =>
            {
                return Err(Unidentified::Stranger(self.describe_answer()));
            }
            Err(error) => return Err(Unidentified::Failed(not_run(error))),
        }
        self.handshaken = true;
        let setinfo = self.read(&call).map_err(|error| Unidentified::Failed(not_run(error)))?;
        match setinfo {
            Reply::Error(failure) if is_last(&failure) => {
                Err(Unidentified::Failed(Error::Refused(failure)))
            }
            _ => Ok(()),
        }
    }

    /// Describes the bytes that a server of another protocol sent.
    fn describe_answer(&self) -> String {
        let answer = self.unread();
        // Some servers answer such a request with the page alone.
        if answer.starts_with(b"HTTP/") || answer.starts_with(b"<") {
            return "is an HTTP server".into();
        }
        let start = &answer[..answer.len().min(32)];
        format!("answers the greeting with \"{}\"", start.escape_ascii())
    }
}

/// Checks the answer to `HELLO`.
fn check(hello: Reply) -> Result<(), Unidentified> {
    let server = match hello {
        Reply::Error(failure) if is_strangers(&failure) => {
            let why = format!(
                "is a server of Redis' protocol that answers \"{} {}\"",
                failure.code(),
                failure.message()
            );
            return Err(Unidentified::Stranger(why));
        }
        Reply::Error(failure) => return Err(Unidentified::Failed(Error::Refused(failure))),
        Reply::Map(pairs) => {
            let is_server = |key: &Reply| *key == Reply::bytes("server");
            pairs.into_iter().find_map(|(key, value)| is_server(&key).then_some(value))
        }
        _ => None,
    };
    let name = server.and_then(|name| name.parse::<String>().ok());
    match name.as_deref() {
        Some("dockipc") => Ok(()),
        Some("redis") => Err(Unidentified::Stranger("is a Redis server".into())),
        Some(name) => {
            let why = format!("is a server of Redis' protocol named {name:?}");
            Err(Unidentified::Stranger(why))
        }
        None => {
            let why = "is a server of Redis' protocol that does not name itself";
            Err(Unidentified::Stranger(why.into()))
        }
    }
}

/// Returns whether no dockipc daemon refuses `HELLO` so: a Redis server does that requires a password
/// or is older than version 6.
fn is_strangers(failure: &Failure) -> bool {
    failure.code() == "NOAUTH" || failure.message().starts_with("unknown command")
}

/// The command was not sent.
fn not_run(error: Error) -> Error {
    match error {
        Error::CutOff { received, .. } => Error::CutOff { received, ran: Ran::No },
        Error::TimedOut { after, .. } => Error::TimedOut { doing: GREETING, after, ran: Ran::No },
        error => error,
    }
}
