//! From a client's bytes to an answer, without a socket or a thread.
//!
//! A [`Conversation`] finds the commands in the bytes of one connection. Each goes through
//! [`Service::dispatch`], the same steps in the same order in every mode: route the first word,
//! authorise the caller, record the decision, bind the words to parameters, run the author's code,
//! answer. The author's code runs only when the [`Executor`], which is the engine, lets it begin.

mod call;
mod conversation;
mod deny;
mod route;
mod run;

use crate::access::Token;
use crate::audit::Audit;
use crate::builtin::Context;
use crate::commands::Table;
use crate::config::Config;
use crate::counters::Counters;
use crate::state::States;

pub(crate) use conversation::{Conversation, Step};
pub(crate) use run::{Begin, Executor};

/// What a server's connections share. Only the [`Counters`] and the speed records in the [`Table`]
/// change while it runs.
pub(crate) struct Service {
    pub(crate) table: Table,
    pub(crate) states: States,
    pub(crate) token: Option<Token>,
    pub(crate) audit: Option<Audit>,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
}

impl Service {
    fn context(&self) -> Context<'_> {
        Context {
            table: &self.table,
            token: self.token.as_ref(),
            config: &self.config,
            counters: &self.counters,
        }
    }
}
