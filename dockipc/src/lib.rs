//! A control socket for a daemon.
//!
//! Annotate functions with [`#[command]`](command), call [`run`], and the daemon has a Unix socket:
//! a line through `nc` gets a raw answer, any Redis client works unchanged, and [`Client`] makes typed
//! calls.
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
//!   words ([`Arg`]) or injected ([`State`], [`Peer`], [`&Request`](Request)). Its result becomes the
//!   answer ([`IntoReply`]); an `Err` becomes a [`struct@Failure`] on the wire.
//! - **Serve.** [`run`], or [`Server`] for states, limits and the socket's mode. Closures and your own types
//!   can handle commands as well ([`Handler`]).
//! - **Wait.** A command may block, which delays no other client. One that waits for long can be asked to stop
//!   ([`Cancel`], [`Deadline`]), can answer later from any thread ([`Deferred`]), or is an `async fn`, which with
//!   the feature `tokio` runs on tokio: `Server::new().serve(path).await`.
//! - **Publish.** [`struct@Events`] sends values to the clients that have subscribed to a channel, and mirrors states in
//!   them: see [`events`].
//! - **Stream.** A command answers with a [`Stream`] of items that leave as they are made, reads a [`Body`] that
//!   arrives while it runs, tells its [`Progress`], and publishes [`Events`](struct@Events) to which clients subscribe.
//! - **Call.** [`send`] for one line, [`Client`] for typed calls. [`FromReply`] converts answers. An
//!   [`enum@Error`] says why there is none.
//! - **Test.** [`Server::spawn_in_process`] serves without a path. A command stays a plain function
//!   that tests can call.
//!
//! # The wire
//!
//! The first byte that a client sends selects the mode of its connection.
//!
//! | first byte | mode |
//! | --- | --- |
//! | `*` | RESP2, or RESP3 after `HELLO 3`: many commands per connection, pipelined, any byte in a word |
//! | `{` | reserved; refused |
//! | any other | a line: one command, its raw answer, end of connection |
//!
//! Before that, a program with clients of another protocol can take their connections:
//! [`Server::hand_over`].
//!
//! There are two exceptions, for Redis clients: a first line `HELLO …` begins RESP too, and `\r\n` in front of
//! the first command is skipped. In RESP, blanks, line ends and empty commands (`*0`, `*-1`) between commands are
//! skipped without an answer.
//!
//! A line is `NAME [ARGUMENT…]\n` in UTF-8, split as a POSIX shell does (`'…'`, `"…"`, `\`) without
//! any expansion. Names ignore ASCII case. [`enum@Reply`] shows the form of each value.
//!
//! # Answers as JSON
//!
//! With the feature `json`, a client can ask for the answer to any command as JSON text, so that a script needs no
//! RESP types: `dockipc json NAME [ARGUMENT…]`, also on a line, for one answer, and over RESP `DOCKIPC FORMAT json` for
//! every further answer of the connection, up to `DOCKIPC FORMAT resp` or `RESET`. Errors stay errors. A stream is a
//! text for each item: on a line, a line. The greeting of `HELLO` and the messages of subscriptions keep their form.
//!
//! A map whose keys are text is an object, and any other map a list of pairs. Bytes that are not UTF-8 become
//! `{"base64": "…"}`, integers beyond 64 bits and numbers such as NaN become text, and an error within an answer
//! becomes `{"error": "CODE message"}`. `Json<T>` is a parameter or an answer that is JSON text already;
//! `DescribedJson<T>` (feature `json-schema`) has its JSON Schema in the description, and `MsgPack<T>` (feature
//! `msgpack`) is `MessagePack`.
//!
//! # Transactions
//!
//! In RESP, `MULTI` begins a transaction. Each command that follows is checked, and queued (`+QUEUED`) or
//! refused: its name, its access rule and its words. `EXEC` runs the queue in order and answers with a list
//! of the answers, in which a failed command has its error. If a command was refused, `EXEC` runs none and
//! answers `-EXECABORT`. `DISCARD` drops the queue.
//!
//! Commands of other clients may run between those of a transaction. There are no keys, so `WATCH` is an
//! error. `AUTH` and `HELLO` are refused within a transaction; `RESET` and `QUIT` drop it.
//!
//! # Errors on the wire
//!
//! A failure is one line, `-CODE message`. [`error::code`] lists the codes of dockipc;
//! authors can use others.
//!
//! # Commands in other crates
//!
//! The linker registers commands and drops a crate that nothing refers to. If a crate
//! only has commands, name it once in the program: `use plugin as _;`.
//!
//! Edition 2024 builds one program of all doctests of a crate, so each would have the commands of
//! the others. Mark a doctest that declares commands with `` ```standalone_crate ``.
//!
//! # Access control
//!
//! By default any local user can connect; commands run with the daemon's privileges.
//! [`Server::mode`] narrows this.
//!
//! Every caller may run a command without a rule. `#[command(allow = "group:adm | owner")]`
//! and [`Server::allow`] give rules; [`Server::default_deny`] closes commands without one. The
//! kernel identifies the caller ([`Peer`]). [`Server::also_at`] offers a subset at a second path, and
//! [`Server::token_file`] tells clients of one uid apart. [`Server::audit`] records every decision.
//!
//! # Clients without a server
//!
//! The server is the feature `server`, which is on by default. Without it this crate has [`Client`], the conversions
//! ([`Arg`], [`IntoReply`], [`FromReply`]) with their derives, and the errors: enough for a program that only calls a daemon, and for
//! the crate with the types that a daemon and its clients share.
//!
//! ```toml
//! dockipc = { version = "0.1", default-features = false }
//! ```
//!
//! # Platform
//!
//! dockipc supports Linux.

// docs.rs then shows which feature an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    not(feature = "server"),
    allow(
        dead_code,
        unused_imports,
        reason = "the lower layers have items that only the server uses"
    )
)]

// Lets the crate's own doctests and tests use its macros, which name `::dockipc`.
extern crate self as dockipc;

/// Takes the code of an async client, which needs a feature.
#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __async_client {
    ($($code:tt)*) => { $($code)* };
}

/// Takes the code of an async client, which needs a feature.
#[cfg(not(feature = "tokio"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __async_client {
    ($($code:tt)*) => {
        compile_error!(
            "a client with `async fn` needs the feature `tokio` of dockipc: write `dockipc = { …, features = [\"tokio\"] }`, or `fn`"
        );
    };
}

/// `std::format!` without its inlined part.
macro_rules! format {
    ($($parts:tt)*) => {
        $crate::text::formatted(format_args!($($parts)*))
    };
}

#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod answer;
mod arg;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
mod body;
mod buffer;
#[cfg(feature = "server")]
mod builtin;
mod caught;
pub mod client;
#[cfg(feature = "server")]
mod commands;
mod config;
#[cfg(feature = "server")]
mod counters;
#[cfg(feature = "cli")]
pub mod ctl;
#[cfg(feature = "server")]
mod deferred;
mod directory;
#[cfg(feature = "server")]
mod dispatch;
#[cfg(feature = "server")]
mod engine;
pub mod error;
#[cfg(feature = "server")]
pub mod events;
/// The part of events that clients share with the server.
#[cfg(not(feature = "server"))]
pub mod events {
    pub use crate::replica::Replica;
}
#[cfg(all(any(test, fuzzing), feature = "server"))]
#[doc(hidden)]
pub mod fuzzing;
/// The tests of the other modules make up inputs.
#[cfg(all(test, not(feature = "server")))]
mod fuzzing {
    pub(crate) mod dice;
}
#[cfg(feature = "server")]
mod hand_over;
#[cfg(feature = "server")]
mod handler;
#[cfg(feature = "server")]
pub mod hooks;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "server")]
mod later;
mod listener;
#[cfg(feature = "server")]
mod local;
#[cfg(feature = "msgpack")]
mod msgpack;
mod nearest;
#[cfg(feature = "server")]
mod once;
#[cfg(feature = "server")]
mod param;
#[cfg(feature = "server")]
mod peer;
#[doc(hidden)]
pub mod private;
mod proc;
mod replica;
mod reply;
#[cfg(feature = "server")]
mod request;
mod rule;
#[cfg(feature = "server")]
mod run;
#[cfg(feature = "server")]
mod running;
pub mod secret;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod session;
#[cfg(feature = "server")]
mod signals;
#[cfg(feature = "server")]
mod state;
#[cfg(feature = "server")]
pub mod stream;
mod sys;
mod text;
mod token;
mod warning;
mod wire;
#[cfg(feature = "server")]
mod workers;

pub use crate::arg::{Arg, BadValue};
#[cfg(feature = "tokio")]
pub use crate::client::AsyncClient;
pub use crate::client::{Client, Commands, send};
pub use crate::error::{Error, Failure, Result, Stopped};
#[cfg(feature = "json-schema")]
pub use crate::json::DescribedJson;
#[cfg(feature = "json")]
pub use crate::json::Json;
#[cfg(feature = "msgpack")]
pub use crate::msgpack::MsgPack;
pub use crate::reply::{FromReply, IntoReply, Reply, ReplyType};
pub use crate::secret::Secret;
pub use crate::wire::Protocol;
pub use dockipc_macros::{Arg, Args, Commands, Failure, Reply, client};

#[cfg(feature = "server")]
pub use crate::{
    access::Access,
    body::Body,
    deferred::{Answerer, Deferred},
    events::Events,
    hand_over::HandOver,
    handler::Handler,
    local::{Job, Local},
    peer::Peer,
    request::Request,
    run::{Cancel, Deadline, Once, Progress, Stop},
    server::{Bound, Control, Handle, Server},
    state::State,
    stream::Stream,
};
#[cfg(all(feature = "server", feature = "tokio"))]
pub use crate::{body::AsyncBody, server::Serve};
#[cfg(feature = "server")]
pub use dockipc_macros::{Events, command};

/// Not part of this build: commands need the feature `server`.
#[cfg(not(feature = "server"))]
pub use dockipc_macros::command_without_server as command;

/// Serves every `#[command]` of the program at a path until SIGTERM or SIGINT.
///
/// The same as `Server::new().run(path)`; see [`Server`] for states, limits and the socket's mode.
///
/// # Errors
/// See [`Server::run`].
#[cfg(feature = "server")]
pub fn run(path: impl AsRef<std::path::Path>) -> Result<()> {
    Server::new().run(path)
}

/// The README's snippets, so that they are tested.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The snippets of the page on access control.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../docs/ACCESS.md")]
struct AccessGuide;

/// The snippets of the page on clients.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../docs/CLIENTS.md")]
struct ClientsGuide;

/// The snippets about the program.
#[cfg(all(doctest, feature = "cli", feature = "server"))]
#[doc = include_str!("../docs/CLI.md")]
struct CliGuide;
