//! The commands that every server has: what the Redis clients need for their handshake, and help.

use crate::connection::Session;
use crate::error::{Failure, code};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::server::Shared;

mod command;
mod describe;
mod handshake;
mod help;
mod own;

use command::command;
use handshake::{auth, client, config, hello, info, quit, reset, select};
use help::help;
use own::dockipc;
pub(crate) use own::{Completion, check_line, wrapped_line};

/// One built-in command.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// How it is used, after its name.
    usage: &'static str,
    /// Help has it only with a summary; the handshake's commands are for programs.
    pub(crate) summary: Option<&'static str>,
    pub(crate) run: fn(&Shared, &mut Session, Words<'_>) -> Reply,
}

pub(crate) const ALL: &[Builtin] = &[
    shown("echo", "<message>", "Answer with the message.", echo),
    shown("help", "[<command>]", "List the commands, or explain one.", help),
    shown("info", "[<section>]", "Answer with the server's version and counters.", info),
    shown("ping", "[<message>]", "Answer with PONG, or with the message.", ping),
    silent("auth", auth),
    silent("client", client),
    silent("command", command),
    silent("config", config),
    silent("dockipc", dockipc),
    silent("hello", hello),
    silent("quit", quit),
    silent("reset", reset),
    silent("select", select),
];

type Run = fn(&Shared, &mut Session, Words<'_>) -> Reply;

const fn shown(
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    run: Run,
) -> Builtin {
    Builtin { name, usage, summary: Some(summary), run }
}

const fn silent(name: &'static str, run: Run) -> Builtin {
    Builtin { name, usage: "", summary: None, run }
}

fn ping(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1)) {
        (None, _) => Reply::Status("PONG".into()),
        (Some(message), None) => message.into_reply(),
        _ => usage("usage: ping [<message>]"),
    }
}

fn echo(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1)) {
        (Some(message), None) => message.into_reply(),
        _ => usage("usage: echo <message>"),
    }
}

#[cold]
fn usage(why: &str) -> Reply {
    Reply::Error(Failure::new(code::USAGE, why))
}

fn is(word: Option<&[u8]>, expected: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(expected.as_bytes()))
}
