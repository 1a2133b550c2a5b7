//! A control socket for a daemon.
//!
//! Annotate functions with [`#[command]`](command), call [`run`], and the daemon has a Unix socket:
//! a line through `nc` gets raw bytes back, any Redis client works as it is, and [`Client`] calls
//! with types.
//!
//! ```no_run,standalone_crate
//! use dockipc::{State, command};
//! use std::{fs, io, sync::atomic::{AtomicU64, Ordering::Relaxed}};
//!
//! /// Add `n` to the counter and answer with the new total.
//! #[command("add")]
//! fn add(total: State<AtomicU64>, n: u64) -> u64 {
//!     total.fetch_add(n, Relaxed) + n
//! }
//!
//! /// Answer with the log so far.
//! #[command("log")]
//! fn log() -> io::Result<Vec<u8>> {
//!     fs::read("/var/log/hitd.log")
//! }
//!
//! fn main() -> dockipc::Result<()> {
//!     dockipc::Server::new().state(AtomicU64::new(0)).run("/run/hitd.sock")
//! }
//! ```
//!
//! # A tour
//!
//! - **Declare.** [`#[command]`](command) registers a function. Its parameters are parsed from
//!   words ([`Arg`]) or injected ([`State`], [`Peer`], [`&Request`](Request)). Its result is an
//!   answer ([`IntoReply`]); an `Err` is a [`Failure`] on the wire.
//! - **Serve.** [`run`], or [`Server`] for states, limits and the socket's mode. Closures and types
//!   of yours can answer as well ([`Handler`]).
//! - **Call.** [`send`] for one line, [`Client`] for typed calls. Answers are read with
//!   [`FromReply`]. Why there is no answer is an [`enum@Error`].
//! - **Test.** [`Server::spawn_in_process`] serves without a path. A command's function stays a
//!   function: it can be called as it is.
//!
//! # The wire
//!
//! The first byte that a client sends chooses how its connection speaks.
//!
//! | first byte | mode |
//! | --- | --- |
//! | `*` | RESP2, or RESP3 after `HELLO 3`: many commands a connection, pipelined, any byte in a word |
//! | `{` | reserved; refused |
//! | anything else | a line: one command, its raw answer, end of connection |
//!
//! A line is `NAME [ARGUMENT…]\n` in UTF-8, split as a POSIX shell does (`'…'`, `"…"`, `\`) without
//! any expansion. Names match without regard to ASCII case. [`Reply`] has the table of how values
//! are written.
//!
//! # Errors on the wire
//!
//! A failure is one line, `-CODE message`. [`error::code`] lists the codes that dockipc itself
//! uses; an author can use others.
//!
//! # Commands in other crates
//!
//! Registration is done by the linker, and it leaves out a crate that nobody refers to. If a crate
//! only has commands, name it once in the program: `use plugin as _;`.
//!
//! Edition 2024 makes one program of all doctests of a crate, so each would have the commands of
//! the others. Write `` ```standalone_crate `` at a doctest that declares commands.
//!
//! # Who may do what
//!
//! By default every user of the machine may connect, and what a command does is done as the
//! daemon's user. [`Server::mode`] narrows it.
//!
//! Whoever can connect may run a command without a rule. `#[command(allow = "group:adm | owner")]`
//! and [`Server::allow`] give one; [`Server::default_deny`] closes the commands that have none. The
//! kernel says who called ([`Peer`]). [`Server::also_at`] offers less at a second path, and
//! [`Server::token_file`] tells apart who has one uid. [`Server::audit`] records what was decided.
//!
//! # Platform
//!
//! Linux is what is supported and tested.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// A path from the crate's name, so that the crate's own examples and tests can use its macros.
extern crate self as dockipc;

mod access;
mod arg;
pub mod audit;
mod buffer;
mod builtin;
pub mod client;
mod commands;
mod config;
mod counters;
#[cfg(feature = "cli")]
pub mod ctl;
mod directory;
mod dispatch;
mod engine;
pub mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod listener;
mod nearest;
mod param;
mod peer;
#[doc(hidden)]
pub mod private;
mod reply;
mod request;
pub mod secret;
mod server;
mod session;
mod signals;
mod state;
mod sys;
mod text;
mod warning;
mod wire;

pub use crate::access::Access;
pub use crate::arg::{Arg, BadValue};
pub use crate::client::{Client, send};
pub use crate::error::{Error, Failure, Result};
pub use crate::handler::Handler;
pub use crate::peer::Peer;
pub use crate::reply::{FromReply, IntoReply, Reply};
pub use crate::request::Request;
pub use crate::secret::Secret;
pub use crate::server::{Handle, Server};
pub use crate::state::State;
pub use crate::wire::Protocol;
pub use dockipc_macros::{Arg, command};

/// Serves every `#[command]` of the program at a path until the process ends.
///
/// The same as `Server::new().run(path)`; see [`Server`] for states, limits and the socket's mode.
///
/// # Errors
/// See [`Server::spawn`].
pub fn run(path: impl AsRef<std::path::Path>) -> Result<()> {
    Server::new().run(path)
}

/// The README's snippets, so that they are tested.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The snippets about who may do what.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ACCESS.md")]
struct AccessGuide;

/// The snippets about the program.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../../docs/CLI.md")]
struct CliGuide;
