//! `DOCKIPC`, the requests of our own client and program.

use std::time::{Duration, Instant};

use super::describe::describe;
use super::{Context, Fields, at, is, running, usage};
use crate::arg::Quoted;
use crate::commands::{BuiltIn, Channels};
use crate::error::{Failure, code};
use crate::later::ItemForm;
use crate::reply::Reply;
use crate::request::Words;
use crate::run::{self, Token};
use crate::session::{Opening, Session};
#[cfg(feature = "json")]
use crate::wire::Protocol;
use crate::wire::{Frame, Span, check_text};

/// Answers the `DOCKIPC` subcommands that run no code of the author's:
///
/// - `DOCKIPC DESCRIBE [name…]`: see [`describe`].
/// - `DOCKIPC DESCRIBE --channels`: the declared event channels. No command has this name, so that a daemon without
///   them, or an older one, answers with an empty map. They are not beside the commands: a command may be named
///   `channels`, and an older program reads all fields of the map as commands.
/// - `DOCKIPC DESCRIBE --daemon`: the versions of the author's daemon, if it has one, and of dockipc.
/// - `DOCKIPC RUNNING`: see [`running::running`]; `DOCKIPC CANCEL id`: see [`running::cancel`].
/// - `DOCKIPC FORMAT json` or `resp`: whether the connection gets each answer as JSON text from now on. It ends with
///   `RESET`.
/// - `DOCKIPC IDEMPOTENT name`: 1 if a call that may have run can be repeated, else 0.
///
/// Dispatch answers the others: `DOCKIPC LINE text`, a line with a framed answer,
/// `DOCKIPC CHECK command word…`, what the call would do, which runs nothing,
/// `DOCKIPC ARGS command option… -- word…`, whose words are no options,
/// `DOCKIPC LAST number command option… -- word… -- last…`, the same with this number of last words,
/// `DOCKIPC WITH key value … -- command word…` and `DOCKIPC JSON command word…` ([`Prefix`]), and
/// `DOCKIPC COMPLETE command parameter prefix [word…]` ([`Completion`]).
pub(super) fn dockipc(context: Context<'_>, session: &mut Session, words: Words<'_>) -> Reply {
    if is(at(words, 0), "describe") {
        if is(at(words, 1), "--channels")
            && let Some(declared) = Channels::any()
        {
            return (declared.describe)(context.table, &session.credentials());
        }
        if is(at(words, 1), "--daemon") {
            let mut fields = Fields::default();
            if let Some(version) = &context.config.version {
                fields.text("version", version);
            }
            fields.text("dockipc", env!("CARGO_PKG_VERSION"));
            return fields.into_reply();
        }
        return describe(context, session, words.skip(1));
    }
    match (at(words, 0), at(words, 1), at(words, 2)) {
        (what, Some(name), None) if is(what, "idempotent") => {
            let entry = context.table.find_visible(&session.credentials(), name);
            Reply::Int(entry.is_some_and(|entry| entry.target.is_idempotent()).into())
        }
        (what, None, None) if is(what, "running") => running::running(context, session),
        (what, ..) if is(what, "data") || is(what, "end") => usage(
            "data and end follow a call with a body; usage: dockipc with body 1 -- <command> [<word>…]",
        ),
        (what, format, None) if is(what, "format") => set_format(session, format),
        #[cfg(not(feature = "json"))]
        (what, ..) if is(what, "json") => set_format(session, None),
        (what, Some(id), None) if is(what, "cancel") => running::cancel(context, session, id),
        _ => usage(
            "usage: dockipc complete <command> <parameter> <prefix> [<word>…] | cancel <id> | check <command> [<word>…] | describe [<command>…] | format json|resp | idempotent <command> | json <command> [<word>…] | running | line <text> | args <command> [<option>…] -- [<word>…] | with <key> <value> … -- <command> [<word>…], the last three over RESP",
        ),
    }
}

#[cfg(feature = "json")]
fn set_format(session: &mut Session, format: Option<&[u8]>) -> Reply {
    if session.protocol == Protocol::Line {
        return usage("a line has one answer; write dockipc json <command> [<word>…]");
    }
    let as_json = is(format, "json");
    if !as_json && !is(format, "resp") {
        return usage("usage: dockipc format json|resp");
    }
    session.set_json(as_json);
    Reply::Ok
}

#[cfg(not(feature = "json"))]
fn set_format(_: &mut Session, _: Option<&[u8]>) -> Reply {
    usage("this daemon has no answers in JSON: it is built without the feature json of dockipc")
}

/// A request for completions of a parameter.
pub(crate) struct Completion<'r> {
    pub(crate) command: &'r [u8],
    pub(crate) param: &'r [u8],
    pub(crate) prefix: &'r [u8],
    /// The words of the command that are already typed.
    pub(crate) words: Words<'r>,
}

impl<'r> Completion<'r> {
    /// Returns the request if the command is a `DOCKIPC COMPLETE`.
    pub(crate) fn of(builtin: BuiltIn, words: Words<'r>) -> Option<Self> {
        let (command, param, prefix) = (at(words, 1)?, at(words, 2)?, at(words, 3)?);
        let is_this = builtin == BuiltIn::Dockipc && is(at(words, 0), "complete");
        is_this.then(|| Self { command, param, prefix, words: words.skip(4) })
    }
}

/// The words in front of a command that our own client sends.
pub(crate) enum Prefix<'i> {
    None,
    /// `DOCKIPC LINE text`: the line.
    Line(&'i [u8]),
    /// `DOCKIPC ARGS` in front of a command, whose options end at its first `--`, also if it declares none.
    Args,
    /// `DOCKIPC LAST number`, the same in front of a command with this number of words behind its last `--`. Any other
    /// `--` between the two is a value.
    Last(usize),
    /// `DOCKIPC JSON` in front of a command, whose answer is JSON text.
    #[cfg(feature = "json")]
    Json,
    /// `DOCKIPC WITH key value … --` in front of a command, or of one of the others. A failure comes with
    /// whether a body follows.
    With(Result<Opening, (Failure, bool)>),
}

/// Returns whether a command may have a [`Prefix`].
#[inline]
pub(crate) fn is_prefixed(input: &[u8], frame: Frame, words: &[Span]) -> bool {
    let (Frame::Resp, &[name, _, _, ..]) = (frame, words) else { return false };
    is(Some(name.of(input, &[])), "dockipc")
}

/// Returns the position behind `dockipc json`, if a line begins so and another word follows.
#[cfg(feature = "json")]
#[cold]
pub(crate) fn json_on_line(line: &[u8]) -> Option<usize> {
    let mut rest = line.trim_ascii_start();
    for word in ["dockipc", "json"] {
        let (first, behind) = rest.split_at(rest.iter().position(u8::is_ascii_whitespace)?);
        if !is(Some(first), word) {
            return None;
        }
        rest = behind.trim_ascii_start();
    }
    (!rest.is_empty()).then_some(line.len() - rest.len())
}

/// Removes the prefix of a command, if it has one.
#[cold]
pub(crate) fn prefix<'i>(input: &'i [u8], words: &mut Vec<Span>) -> Prefix<'i> {
    let of = |index| word(input, words, index);
    if is(of(1), "line") && words.len() == 3 {
        return of(2).map_or(Prefix::None, Prefix::Line);
    }
    if is(of(1), "args") {
        skip(words, 2);
        return Prefix::Args;
    }
    if is(of(1), "last")
        && words.len() > 3
        && let Some(count) = of(2).and_then(|text| running::number(text)?.try_into().ok())
    {
        words.drain(..3);
        return Prefix::Last(count);
    }
    #[cfg(feature = "json")]
    if is(of(1), "json") {
        skip(words, 2);
        return Prefix::Json;
    }
    if !is(of(1), "with") {
        return Prefix::None;
    }
    let end = (2..words.len()).find(|&at| of(at) == Some(b"--"));
    let Some(end) = end.filter(|end| end % 2 == 0 && end + 1 < words.len()) else {
        let why = "usage: dockipc with <key> <value> … -- <command> [<word>…]";
        return Prefix::With(Err((Failure::new(code::USAGE, why), false)));
    };
    let mut opening = Opening::default();
    let (mut at, mut read) = (2, Ok(()));
    while at < end {
        // Also behind a wrong key: whether there is a body decides what follows the answer.
        let set = opening.set(of(at).unwrap_or_default(), of(at + 1).unwrap_or_default());
        read = read.and(set);
        at += 2;
    }
    skip(words, end + 1);
    let of = |index| word(input, words, index);
    // Each one would take a part of the thread's stack.
    if is(of(0), "dockipc") && is(of(1), "with") {
        let why = Failure::new(code::USAGE, "dockipc with can't be nested");
        return Prefix::With(Err((why, opening.body)));
    }
    if let Some(token) = &mut opening.once {
        token.words = run::hash(words.iter().map(|span| span.of(input, &[])));
    }
    Prefix::With(read.map_err(|failure| (failure, opening.body)).map(|()| opening))
}

#[inline(never)]
fn word<'i>(input: &'i [u8], words: &[Span], index: usize) -> Option<&'i [u8]> {
    words.get(index).map(|span| span.of(input, &[]))
}

#[inline(never)]
fn skip(words: &mut Vec<Span>, count: usize) {
    words.drain(..count);
}

impl Opening {
    #[inline(never)]
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let refuse = |why: std::fmt::Arguments<'_>| Err(Failure::new(code::USAGE, why));
        for (name, is_on) in [("progress", &mut self.progress), ("body", &mut self.body)] {
            if is(Some(key), name) {
                self.has_items |= name == "body" && value == b"items";
                *is_on = value == b"1" || name == "body" && value == b"items";
                return if *is_on { Ok(()) } else { refuse(format_args!("{name} is 1")) };
            }
        }
        if is(Some(key), "stream") {
            self.stream = Some(match value {
                b"items" => ItemForm::Values,
                b"rows" => ItemForm::Rows,
                _ => return refuse(format_args!("stream is items or rows")),
            });
            return Ok(());
        }
        if is(Some(key), "once") {
            self.once = Some(Token::read(value)?);
            return Ok(());
        }
        if !is(Some(key), "deadline") {
            return refuse(format_args!("unknown key {} of dockipc with", Quoted(key)));
        }
        let Some(limit) = running::number(value) else {
            return refuse(format_args!("deadline is a number of milliseconds"));
        };
        // A time beyond that of the clock is none.
        self.deadline = Instant::now().checked_add(Duration::from_millis(limit));
        Ok(())
    }
}

/// Checks a whole line by the rules of line mode. Returns its text without a `\r` at the end.
pub(crate) fn check_line(line: &[u8], limit: usize) -> Result<&[u8], Failure> {
    if line.len() >= limit {
        let why = format!("the line is longer than {limit} bytes");
        return Err(Failure::new(code::TOOBIG, why));
    }
    if line.contains(&b'\n') {
        return Err(Failure::new(code::USAGE, "a line can't contain a newline"));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check_text(line)?;
    Ok(line)
}
