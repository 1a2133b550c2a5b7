//! `DOCKIPC`, the requests of our own client and program.

use super::describe::describe;
use super::{Context, is, usage};
use crate::commands::BuiltIn;
use crate::error::{Failure, code};
use crate::reply::Reply;
use crate::request::Words;
use crate::session::Session;
use crate::wire::{Frame, Span, check_text};

/// Answers the `DOCKIPC` subcommands that run no code of the author's:
///
/// - `DOCKIPC DESCRIBE [name…]`: see [`describe`].
/// - `DOCKIPC IDEMPOTENT name`: 1 if a call that may have run can be repeated, else 0.
///
/// Dispatch answers the others: `DOCKIPC LINE text`, a line with a framed answer ([`wrapped_line`]),
/// `DOCKIPC ARGS command option… -- word…`, whose words are no options ([`ends_options`]), and
/// `DOCKIPC COMPLETE command parameter prefix [word…]` ([`Completion`]).
pub(super) fn dockipc(context: Context<'_>, session: &Session, words: Words<'_>) -> Reply {
    if is(words.get(0), "describe") {
        return describe(context, session, words.skip(1).iter());
    }
    match (words.get(0), words.get(1), words.get(2)) {
        (what, Some(name), None) if is(what, "idempotent") => {
            let entry = context.table.find_visible(&session.credentials(), name);
            Reply::Int(entry.is_some_and(|entry| entry.target.is_idempotent()).into())
        }
        _ => usage(
            "usage: dockipc complete <command> <parameter> <prefix> [<word>…] | describe [<command>…] | idempotent <command> | line <text> | args <command> [<option>…] -- [<word>…], the last two over RESP",
        ),
    }
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
        let (command, param, prefix) = (words.get(1)?, words.get(2)?, words.get(3)?);
        let is_this = builtin == BuiltIn::Dockipc && is(words.get(0), "complete");
        is_this.then(|| Self { command, param, prefix, words: words.skip(4) })
    }
}

/// Returns the line if the command is a `DOCKIPC LINE`.
pub(crate) fn wrapped_line<'i>(input: &'i [u8], frame: Frame, words: &[Span]) -> Option<&'i [u8]> {
    let (Frame::Resp, &[name, what, line]) = (frame, words) else { return None };
    let of = |span: Span| span.of(input, &[]);
    (is(Some(of(name)), "dockipc") && is(Some(of(what)), "line")).then(|| of(line))
}

/// Removes `DOCKIPC ARGS` in front of a command. Returns whether it was there: the options of such a command
/// end at its first `--`, also if it declares none.
pub(crate) fn ends_options(input: &[u8], frame: Frame, words: &mut Vec<Span>) -> bool {
    let (Frame::Resp, &[name, what, _, ..]) = (frame, &words[..]) else { return false };
    let of = |span: Span| span.of(input, &[]);
    let is_this = is(Some(of(name)), "dockipc") && is(Some(of(what)), "args");
    if is_this {
        words.remove(0);
        words.remove(0);
    }
    is_this
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
