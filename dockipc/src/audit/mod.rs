//! Records of access decisions.
//!
//! [`Server::audit`](crate::Server::audit) takes a hook. The server calls it once for each call of a
//! command with a rule, of one that [`Server::default_deny`](crate::Server::default_deny) closes, and of one
//! that the caller's socket does not offer. It also calls it for each refused
//! [token](crate::Server::token_file).
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
//! # When the hook is called
//!
//! - For an allowed command: before any of its own code, parsing included, and before the other
//!   [hooks](crate::hooks). If the hook returns an error or
//!   panics, the command does not run, and the caller gets `-ERR the audit failed` with the kind of
//!   the error only.
//! - For an allowed command whose words do not fit: it does not run, and [`Record::request`] is `None`.
//! - For a `DOCKIPC CHECK`, which runs nothing: the record's command is `dockipc check NAME`, allowed or denied as the
//!   command itself would be, and [`Record::request`] is `None`.
//! - For a denied command: the answer is `-NOPERM` even if the hook fails.
//! - For a token that `AUTH` or `HELLO` refuses: the record is a denied `auth` without arguments, since even the
//!   user name may be a misplaced token; its words are [left out](Record::left_out). The
//!   [rule](Record::rule) is `wrong token`, or `too many wrong tokens: paused for 2s` for the first token of
//!   a pause. So one uid has about one record a second however often it guesses. The token is refused
//!   even if the hook fails. A right token has no record; the commands that need it have.
//!
//! A command without a decision has no record: one that is incomplete, unknown, or answered `-BUSY` or
//! `-SHUTDOWN`.
//!
//! The hook may block, as a command may, without delaying other clients; dockipc holds no lock meanwhile.
//! Several threads call it concurrently. The records of one connection come in the order of its commands.

mod case;
mod json_lines;
mod record;
mod shown;
#[cfg(feature = "tracing")]
mod trace;

pub(crate) use case::{Audit, Case};
pub use json_lines::JsonLines;
pub use record::{Argument, Decision, Record};
#[cfg(feature = "tracing")]
pub use trace::to_tracing;
