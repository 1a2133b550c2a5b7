//! [`Outcome`], the result of dispatching a command, and [`Pending`], one that is answered later.

use std::sync::Arc;

use crate::commands::Command;
use crate::error::Stopped;
use crate::later::{Items, Later};
use crate::reply::Reply;
use crate::run::Cancel;
use crate::running::Registered;

/// The result of dispatching a command.
pub(crate) enum Outcome {
    Reply(Reply),
    /// It has begun, and its answer comes later.
    Later(Box<Pending>),
    /// These frames are sent in place of an answer.
    Told(Vec<u8>),
    /// It is answered, and the client may still send its body.
    Unread(Reply),
    /// It can't run now.
    NotNow,
}

/// `None` is a command that can't run now.
impl From<Option<Reply>> for Outcome {
    fn from(reply: Option<Reply>) -> Self {
        reply.map_or(Self::NotNow, Self::Reply)
    }
}

/// A command that has begun and is answered later.
pub(crate) struct Pending {
    pub(crate) later: Later,
    /// The items in front of the answer.
    pub(crate) items: Option<Arc<dyn Items>>,
    pub(crate) run: Cancel,
    /// None of a handler.
    pub(super) command: Option<&'static Command>,
    /// The answer is that of line mode, as one RESP value.
    pub(super) as_line: bool,
    /// The client has its answer.
    pub(super) is_answered: bool,
    /// Its place in the table of running commands, unless that outlives the connection.
    pub(super) _registered: Option<Registered>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        // First, since it tells the author's code that nobody waits for the answer.
        if !self.is_answered && self.run.0.once.is_none() {
            self.run.0.signal.fire(Stopped::Cancelled);
        }
        self.later.close();
        if let Some(items) = &self.items {
            items.close(Stopped::Cancelled);
        }
    }
}
