//! A record of every decision about who may run what.
//!
//! [`Server::audit`](crate::Server::audit) takes a hook. It is called once for each command that has
//! a rule (or has none where [`Server::default_deny`](crate::Server::default_deny) closes it), and
//! when a command is not offered at the path where the caller came in. It is also called when a
//! [token](crate::Server::token_file) is refused.
//!
//! ```no_run
//! use dockipc::{Server, audit::JsonLines};
//!
//! fn main() -> dockipc::Result<()> {
//!     let log = JsonLines::create("/var/log/hitd.jsonl")?;
//!     Server::new().audit(move |record| log.write(record)).run("/run/hitd.sock")
//! }
//! ```
//!
//! A hook of your own gets a [`Record`]:
//!
//! ```
//! use dockipc::{Server, audit::Decision};
//!
//! let server = Server::new().allow("info", "uid:4294967294").audit(|record| {
//!     if record.decision() == Decision::Denied {
//!         eprintln!("uid {} tried {}", record.peer().uid(), record.command());
//!     }
//!     Ok(())
//! });
//! # let client = server.spawn_in_process()?.client();
//! # Ok::<(), dockipc::Error>(())
//! ```
//!
//! # When it is called
//!
//! - An allowed command: before any of its own code, parsing included. If the hook returns an error or
//!   panics, the command is not run, and the caller is told `-ERR the audit failed`, with the kind of
//!   the error and no more.
//! - An allowed command whose words don't fit it: it is not run, and [`Record::request`] is none.
//! - A denied command: it is answered `-NOPERM` whether or not the hook could record it.
//!
//! What gets no decision has no record: a command that did not arrive whole, is unknown, or is answered
//! `-BUSY` or `-SHUTDOWN`.
//!
//! - A refused token, whether it came with `AUTH` or with `HELLO`: it is a denied `auth` without
//!   arguments, since even the user's name may be a token at the wrong place; its words are
//!   [left out](Record::left_out). The [rule](Record::rule) is `wrong token`, or `too many wrong tokens:
//!   paused for 2s` for the first token that was not looked at in a pause. So one uid has about one
//!   record a second however often it guesses. It is refused whether or not the hook could record it.
//!   The right token has no record: the commands for which it was given have.
//!
//! The hook may block, as a command may, and nobody else waits for it; no lock of dockipc's is held. It
//! is called by several threads at a time. The records of one connection come in the order of its
//! commands.

mod case;
mod json_lines;
mod record;
mod shown;
mod time;
#[cfg(feature = "tracing")]
mod trace;

pub(crate) use case::{Audit, Case};
pub use json_lines::JsonLines;
pub use record::{Argument, Decision, Record};
#[cfg(feature = "tracing")]
pub use trace::to_tracing;
