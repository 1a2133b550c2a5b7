//! The commands of a server: names, targets, rules and visibility.
//!
//! [`Table`] is built when the server starts, from the commands that `#[command]` registered, the
//! handlers that were mounted, and the built-in commands. After that it is only read, except for the
//! [`Speed`] of each entry, which the engine updates. Nothing in here runs a command.

mod builtin;
mod channels;
mod command;
mod expand;
mod group;
mod name;
mod rules;
mod speed;
mod table;
mod unknown;
mod words;

pub(crate) use builtin::{BuiltIn, PubSub};
pub use channels::{Channel, Channels};
pub(crate) use channels::{ChannelAccess, ChannelRules};
pub use command::{Code, Command, CommandParts, Running};
pub(crate) use command::{details, summary};
pub use expand::expand;
use group::GROUPS;
pub use group::{GroupCode, groups};
pub(crate) use rules::Rules;
pub(crate) use speed::{Cost, QUICK_COMPUTING, Speed};
pub(crate) use table::{Entry, EntryId, Mounted, Runnable, Table, Target};
pub(crate) use words::from_words;
