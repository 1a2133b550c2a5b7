//! The answers of the built-in commands: the handshake of Redis clients, help, and `DOCKIPC`.
//!
//! A built-in command reads a [`Context`] and may change the [`Session`] of its caller. It never sees
//! the engine, another connection, or the author's code.

mod command;
mod describe;
mod dockipc;
mod handshake;
mod help;
mod info;
mod running;
mod transaction;

use std::sync::Mutex;

use crate::access::Guesses;
use crate::arg::{Quoted, Truncated};
use crate::commands::{BuiltIn, Table};
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Failure, code};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::running::Running;
use crate::session::Session;
use crate::text::is;
use crate::token::Token;

pub(crate) use describe::channels as describe_channels;
#[cfg(feature = "cli")]
pub(crate) use describe::linked;
#[cfg(feature = "json")]
pub(crate) use dockipc::json_on_line;
pub(crate) use dockipc::{Completion, Prefix, check_line, is_prefixed, prefix};
pub(crate) use handshake::check_token;
pub(crate) use help::list_group;

/// A map that is built field by field.
///
/// A method that is called for each field takes less code than an array that each answer moves
/// through an iterator of its own.
#[derive(Default)]
struct Fields(Vec<(Reply, Reply)>);

impl Fields {
    #[inline(never)]
    fn put(&mut self, name: &str, value: Reply) {
        self.0.push((name.into_reply(), value));
    }

    #[inline(never)]
    fn text(&mut self, name: &str, text: &str) {
        self.put(name, text.into_reply());
    }

    /// Puts a text, or null.
    #[inline(never)]
    fn maybe(&mut self, name: &str, text: Option<&str>) {
        self.put(name, text.into_reply());
    }

    #[inline(never)]
    fn number(&mut self, name: &str, value: i64) {
        self.put(name, Reply::Int(value));
    }

    #[inline(never)]
    fn list(&mut self, name: &str, items: Vec<Reply>) {
        self.put(name, Reply::List(items));
    }

    fn into_reply(self) -> Reply {
        Reply::Map(self.0)
    }
}

/// The parts of a server that built-in commands read.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) table: &'a Table,
    pub(crate) token: Option<&'a (Token, CheckToken)>,
    pub(crate) guesses: &'a Mutex<Guesses>,
    pub(crate) config: &'a Config,
    pub(crate) counters: &'a Counters,
    pub(crate) running: &'a Running,
    /// The identity of the store that remembers the answers to calls with a token.
    pub(crate) store: Option<&'a str>,
}

/// Checks a token that a client has sent: see [`check_token`].
pub(crate) type CheckToken = fn(Context<'_>, &mut Session, &Token, &[u8]) -> Result<(), Failure>;

/// Runs a built-in command and returns its answer.
pub(crate) fn run(
    builtin: BuiltIn,
    context: Context<'_>,
    session: &mut Session,
    words: Words<'_>,
) -> Reply {
    match builtin {
        BuiltIn::Echo => echo(words),
        BuiltIn::Ping => ping(words),
        BuiltIn::Help => help::help(context, session, words),
        BuiltIn::Info => info::info(context, words),
        BuiltIn::Auth => handshake::auth(context, session, words),
        BuiltIn::Client => handshake::client(context, session, words),
        BuiltIn::Command => command::command(context, session, words),
        BuiltIn::Config => handshake::config(words),
        BuiltIn::Discard => transaction::outside("DISCARD"),
        BuiltIn::Dockipc => dockipc::dockipc(context, session, words),
        BuiltIn::Exec => transaction::outside("EXEC"),
        BuiltIn::Hello => handshake::hello(context, session, words),
        BuiltIn::Multi => transaction::multi(session, words),
        BuiltIn::Quit => handshake::quit(session),
        BuiltIn::Reset => handshake::reset(session),
        BuiltIn::Select => handshake::select(words),
        BuiltIn::Unwatch => Reply::Ok,
        BuiltIn::Watch => transaction::watch(session),
    }
}

fn ping(words: Words<'_>) -> Reply {
    match (at(words, 0), at(words, 1)) {
        (None, _) => Reply::Status("PONG".into()),
        (Some(message), None) => message.into_reply(),
        (_, Some(word)) => too_many(word, "usage: ping [<message>]"),
    }
}

fn echo(words: Words<'_>) -> Reply {
    match (at(words, 0), at(words, 1)) {
        (Some(message), None) => message.into_reply(),
        (None, _) => usage("usage: echo <message>"),
        (_, Some(word)) => too_many(word, "usage: echo <message>"),
    }
}

#[cold]
#[inline(never)]
fn usage(why: &str) -> Reply {
    Reply::Error(Failure::new(code::USAGE, why))
}

/// Refuses the second word of a command that takes one.
#[cold]
fn too_many(word: &[u8], usage: &str) -> Reply {
    let why = format_args!("unexpected word {}; {usage}", Quoted(word));
    Reply::Error(Failure::new(code::USAGE, why))
}

/// Refuses a subcommand of the protocol with the beginning that Redis uses: clients look for it.
#[cold]
fn unknown_subcommand(what: Option<&[u8]>) -> Reply {
    let what = Truncated(what.unwrap_or_default());
    Reply::Error(Failure::from(format_args!("unknown subcommand '{what}'")))
}

/// Takes the first word, with less code at each call.
#[inline(never)]
fn take<'r>(words: &mut Words<'r>) -> Option<&'r [u8]> {
    let first = words.get(0)?;
    *words = words.skip(1);
    Some(first)
}

/// Returns a word, with less code at each call.
#[inline(never)]
fn at(words: Words<'_>, index: usize) -> Option<&[u8]> {
    words.get(index)
}
