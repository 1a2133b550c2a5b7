//! Turns a client's bytes into answers, without a socket or a thread.
//!
//! A [`Conversation`] finds the commands in the bytes of one connection. [`Service::dispatch`] takes
//! each command through the same steps in every mode: route the first word, authorize the caller, record
//! the decision, bind the words to parameters, run the author's code, answer. The author's code runs only
//! when the [`Executor`], which the engine implements, lets it begin.
//!
//! After `MULTI`, dispatch takes a command through these steps up to its words, and queues it.

mod body;
mod builtin;
mod call;
mod called;
mod conversation;
mod deny;
mod dry_run;
mod group;
mod live;
mod local;
mod once;
mod outcome;
mod plain;
mod pubsub;
mod route;
mod run;
mod transaction;

use std::sync::{Arc, Mutex};

use crate::access::Guesses;
use crate::audit::Audit;
use crate::builtin::{CheckToken, Context};
use crate::commands::Table;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Failure, code};
use crate::hooks::Hooks;
use crate::local::Loops;
use crate::once::Remember;
use crate::running::Running;
use crate::state::States;
use crate::token::Token;
use crate::workers::Spawner;

pub(crate) use called::CALLS;
pub(crate) use conversation::{Conversation, Step};
pub(crate) use local::{LOCAL, LocalCode};
pub(crate) use outcome::{Outcome, Pending};
pub(crate) use run::{Begin, Executor};
pub(crate) use transaction::SignTimes;

/// The data that a server's connections share. Only the [`Counters`], the [`Guesses`] and the speed
/// records in the [`Table`] change while the server runs.
pub(crate) struct Service {
    pub(crate) table: Table,
    pub(crate) states: Arc<States>,
    /// The author's loops, to which commands with a `Local` are handed.
    pub(crate) loops: Loops,
    pub(crate) local: Option<LocalCode>,
    /// The commands that run and have an identity.
    pub(crate) running: Arc<Running>,
    pub(crate) token: Option<(Token, CheckToken)>,
    /// Invariant: locked for one lookup, never while the author's code runs.
    pub(crate) guesses: Mutex<Guesses>,
    pub(crate) audit: Option<Audit>,
    pub(crate) hooks: Option<Box<dyn Hooks>>,
    /// Drives the futures of async commands. Without one a future is driven by the command's thread.
    pub(crate) spawner: Option<Box<dyn Spawner>>,
    /// Remembers the answers to calls with a token, if the server does.
    pub(crate) once: Option<Arc<dyn Remember>>,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
}

impl Service {
    /// Counts a new connection. Returns its id, and a failure if the limit on connections is exceeded.
    pub(crate) fn admit(&self, uid: u32) -> (u64, Result<(), Failure>) {
        let config = &self.config;
        let is_operator = config.per_user.is_operator(uid);
        let kept = if is_operator { 0 } else { config.reserved_connections };
        let most = config.max_connections - kept;
        match self.counters.connected(most) {
            (id, true) => (id, Ok(())),
            (id, false) => (id, Err(too_many(most, kept))),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            table: &self.table,
            token: self.token.as_ref(),
            guesses: &self.guesses,
            config: &self.config,
            counters: &self.counters,
            running: &self.running,
            store: self.once.as_ref().map(|once| once.id()),
        }
    }
}

#[cold]
fn too_many(most: usize, kept: usize) -> Failure {
    let more = match kept {
        0 => String::new(),
        _ => format!(" ({kept} more are reserved for root and the daemon's user)"),
    };
    Failure::new(code::BUSY, format_args!("too many connections: {most} at most{more}; try again"))
}
