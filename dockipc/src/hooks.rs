//! Hooks around every command: rate limits, metrics, logs.
//!
//! [`Server::before`](crate::Server::before) takes a hook that may refuse a command,
//! [`Server::after`](crate::Server::after) one that sees how each has ended.
//!
//! ```
//! use dockipc::{Failure, Server};
//! use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
//!
//! let left = AtomicU32::new(2);
//! let daemon = Server::new()
//!     .handle("work", |_| "done")
//!     .before(move |_call| {
//!         let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
//!         taken.map(drop).map_err(|_| Failure::new("RATELIMIT", "two calls are enough"))
//!     })
//!     .after(|call, outcome, took| {
//!         let code = outcome.code().unwrap_or("OK");
//!         println!("{} by uid {}: {code} after {took:?}", call.name(), call.peer().uid());
//!     })
//!     .spawn_in_process()?;
//! let answers = ["work", "work", "work"].map(|line| daemon.client().send(line));
//! assert!(answers[1].is_ok());
//! assert_eq!(answers[2].as_ref().unwrap_err().failure().unwrap().code(), "RATELIMIT");
//! # Ok::<(), dockipc::Error>(())
//! ```
//!
//! # When a hook is called
//!
//! The hooks see the author's commands: those of `#[command]`, mounted handlers and the fallback. They do not see
//! built-in commands, names that no command has, or input that is no command.
//!
//! A command takes these steps: its name is found, its rule is evaluated, it waits for a thread if it is slow, the
//! [audit](crate::audit) records it, the `before` hooks are called, its words are parsed, its function runs, and
//! the `after` hooks are called. Then the answer is sent.
//!
//! - `before` is called once for each command that its rule allows, also if its words do not fit. A command that
//!   the audit refuses does not come to it.
//! - `after` is called exactly once for each command that came to `before`, and for each that a rule or the
//!   audit has refused. For a command that is [answered later](crate::Deferred), and for an async one, it is called
//!   when the answer is there, or when nobody waits for it any more.
//! - Neither is called for a command that never begins since it is `-BUSY`, since the server stops, or since its
//!   caller has left or waits no longer.
//! - After `MULTI`, a command is seen when it runs, and not when it is queued. One that a rule refuses to queue
//!   comes to `after`.
//! - Neither is called for a [check](crate::client::Call::check), which runs nothing.
//! - A command that the server does not wait for when it stops ([`Error::Unfinished`](crate::Error::Unfinished))
//!   comes to `after` when its function returns, if the process still exists by then.
//!
//! The hooks are called in the order in which they were added. They may block, as a command may, without delaying
//! other clients; dockipc holds no lock meanwhile. Several threads call them concurrently. The answer waits for
//! them, and their time counts for [`run_timeout`](crate::Server::run_timeout). The time that `after` gets runs from
//! when the command began, the hooks in front of it included, and not the time that it waited for a thread.
//!
//! If a `before` hook panics, the command does not run and its answer is `-PANIC`. If an `after` hook panics, the
//! panic is caught, and the other hooks are called.

use std::time::{Duration, Instant};

use crate::caught::caught;
use crate::error::{Coded, Failure, Stopped, code};
use crate::peer::Peer;
use crate::request::Request;
use crate::run::Run;
use crate::wire::Protocol;

/// One call of a command, for a hook. It has no words, since these may be secret.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: u64,
    pub(crate) connection: u64,
    pub(crate) peer: &'a Peer,
    pub(crate) protocol: Protocol,
}

impl<'a> Call<'a> {
    pub(crate) fn of(request: &Request<'a>) -> Self {
        Self {
            name: request.name(),
            id: request.id(),
            connection: request.connection(),
            peer: request.peer(),
            protocol: request.protocol(),
        }
    }

    pub(crate) fn of_run(run: &'a Run, protocol: Protocol) -> Self {
        let Run { name, id, connection, peer, .. } = run;
        Self { name, id: *id, connection: *connection, peer, protocol }
    }

    /// Returns the command's name as declared; of the fallback, the first word as sent.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the call's id, which is that of its [`Request`]: unique in this process, and not in the order of
    /// time.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the connection's id, unique in this process.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Returns the credentials of the client.
    pub fn peer(&self) -> &'a Peer {
        self.peer
    }

    /// Returns the protocol of the connection.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

/// How a command has ended, for [`Server::after`](crate::Server::after).
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    end: End,
    failure: Option<&'a Failure>,
    items: u64,
}

/// The kinds of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The command has answered with a value.
    Answered,
    /// The command has answered with a failure, or its words did not fit its parameters.
    Failed,
    /// The command has panicked.
    Panicked,
    /// A rule, the audit or a `before` hook has refused the command.
    Refused,
    /// The command was asked to stop, or its client got `-TIMEOUT` or `-SHUTDOWN` in place of its answer. If the
    /// client has left, it is [`Stopped::Cancelled`].
    ///
    /// Only commands that take a [`Cancel`](crate::Cancel) or are answered later are asked. Another one ends as its
    /// function does, although its client may have left.
    Stopped(Stopped),
}

impl<'a> Outcome<'a> {
    /// Returns the kind of the end.
    pub fn end(&self) -> End {
        self.end
    }

    /// Returns the error code, or `None` if the command has answered with a value. Of a command that was asked to
    /// stop it is that of its [`Stopped`], also if its function has returned something else by then.
    pub fn code(&self) -> Option<&'a str> {
        match self.end {
            End::Stopped(why) => Some(why.code()),
            _ => self.failure.map(Failure::code),
        }
    }

    /// Returns the number of items that a [`Stream`](crate::Stream) has made; zero for other answers.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Returns the failure with which the command has answered or was refused. Its message may quote words that
    /// are not declared secret.
    pub fn failure(&self) -> Option<&'a Failure> {
        self.failure
    }
}

/// The hooks of a server.
pub(crate) trait Hooks: Send + Sync {
    fn before(&self, call: &Call<'_>) -> Result<(), Failure>;

    fn after(&self, call: &Call<'_>, outcome: &Outcome<'_>, took: Duration);
}

type Before = dyn Fn(&Call<'_>) -> Result<(), Failure> + Send + Sync;
type After = dyn Fn(&Call<'_>, &Outcome<'_>, Duration) + Send + Sync;

/// A hook and those that were added before it. A server without hooks does not have this code.
pub(crate) struct Chain {
    earlier: Option<Box<dyn Hooks>>,
    hook: Hook,
}

pub(crate) enum Hook {
    Before(Box<Before>),
    After(Box<After>),
}

impl Chain {
    pub(crate) fn boxed(earlier: Option<Box<dyn Hooks>>, hook: Hook) -> Box<dyn Hooks> {
        Box::new(Self { earlier, hook })
    }
}

impl Hooks for Chain {
    fn before(&self, call: &Call<'_>) -> Result<(), Failure> {
        if let Some(earlier) = &self.earlier {
            earlier.before(call)?;
        }
        let Hook::Before(hook) = &self.hook else { return Ok(()) };
        caught(|| hook(call)).unwrap_or_else(|| {
            let why = "a hook panicked; see the daemon's standard error for the message; the command was not run";
            Err(Failure::new(code::PANIC, why))
        })
    }

    fn after(&self, call: &Call<'_>, outcome: &Outcome<'_>, took: Duration) {
        if let Some(earlier) = &self.earlier {
            earlier.after(call, outcome, took);
        }
        if let Hook::After(hook) = &self.hook {
            caught(|| hook(call, outcome, took));
        }
    }
}

/// The hooks of one command that has begun.
#[derive(Clone, Copy)]
pub(crate) struct Begun<'a> {
    pub(crate) hooks: &'a dyn Hooks,
    pub(crate) call: Call<'a>,
    pub(crate) since: Instant,
    /// The items of its answer.
    pub(crate) items: u64,
}

impl<'a> Begun<'a> {
    pub(crate) fn new(hooks: &'a dyn Hooks, call: Call<'a>) -> Self {
        Self { hooks, call, since: Instant::now(), items: 0 }
    }

    /// Tells the `after` hooks how the command has ended.
    #[cold]
    pub(crate) fn end(&self, failure: Option<&Failure>, stopped: Option<Stopped>) {
        let end = match (stopped, failure) {
            (Some(why), _) => End::Stopped(why),
            (None, None) => End::Answered,
            (None, Some(failure)) if failure.code() == code::PANIC => End::Panicked,
            (None, Some(_)) => End::Failed,
        };
        self.tell(Outcome { end, failure, items: self.items });
    }

    /// Tells the `after` hooks that the command was refused.
    #[cold]
    pub(crate) fn refuse(&self, failure: &Failure) {
        self.tell(Outcome { end: End::Refused, failure: Some(failure), items: 0 });
    }

    fn tell(&self, outcome: Outcome<'_>) {
        self.hooks.after(&self.call, &outcome, self.since.elapsed());
    }

    /// Calls the `before` hooks unless the command is refused already; the `after` hooks, if it is refused.
    pub(crate) fn refusal(&self, earlier: Option<Failure>) -> Option<Failure> {
        let refused = earlier.or_else(|| self.hooks.before(&self.call).err());
        if let Some(failure) = &refused {
            self.refuse(failure);
        }
        refused
    }
}
