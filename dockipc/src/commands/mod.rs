//! Which commands a server has, what their names mean, and who may see them.
//!
//! [`Table`] is made once, when the server starts, from what `#[command]` registered, what was
//! mounted by hand, and the built-in commands. After that it is only read, but for the [`Speed`] of
//! each entry, which the engine keeps up to date. Nothing in here runs a command.

mod builtin;
mod command;
mod name;
mod rules;
mod speed;
mod table;
mod unknown;

pub(crate) use builtin::BuiltIn;
pub use command::Command;
pub(crate) use rules::Rules;
pub(crate) use speed::Speed;
pub(crate) use table::{Entry, Mounted, Runnable, Table, Target};
