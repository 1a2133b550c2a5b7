//! What our own programs ask besides commands.

use super::describe::describe;
use super::{Context, is, usage};
use crate::commands::BuiltIn;
use crate::error::{Failure, code};
use crate::reply::Reply;
use crate::request::Words;
use crate::session::Session;
use crate::wire::{Frame, Span, check_text};

/// What our own client and program ask besides commands. `DOCKIPC LINE text` is a line whose answer is
/// framed: see [`wrapped_line`]. `DOCKIPC IDEMPOTENT name` tells, by 1 or 0, whether a call that may
/// have run may run again. `DOCKIPC DESCRIBE [name…]` is [`describe`]. `DOCKIPC COMPLETE command
/// parameter prefix [word…]` is answered by dispatch, since it runs code of the author's.
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
            "usage: dockipc complete <command> <parameter> <prefix> [<word>…] | describe [<command>…] | idempotent <command> | line <text>, the last over RESP",
        ),
    }
}

/// Values that are wanted for a parameter.
pub(crate) struct Completion<'r> {
    pub(crate) command: &'r [u8],
    pub(crate) param: &'r [u8],
    pub(crate) prefix: &'r [u8],
    /// The other words of the command so far.
    pub(crate) words: Words<'r>,
}

impl<'r> Completion<'r> {
    /// That of a `DOCKIPC COMPLETE`.
    pub(crate) fn of(builtin: BuiltIn, words: Words<'r>) -> Option<Self> {
        let (command, param, prefix) = (words.get(1)?, words.get(2)?, words.get(3)?);
        let is_this = builtin == BuiltIn::Dockipc && is(words.get(0), "complete");
        is_this.then(|| Self { command, param, prefix, words: words.skip(4) })
    }
}

/// The line of a `DOCKIPC LINE`.
pub(crate) fn wrapped_line<'i>(input: &'i [u8], frame: Frame, words: &[Span]) -> Option<&'i [u8]> {
    let (Frame::Resp, &[name, what, line]) = (frame, words) else { return None };
    let of = |span: Span| span.of(input, &[]);
    (is(Some(of(name)), "dockipc") && is(Some(of(what)), "line")).then(|| of(line))
}

/// The rules of line mode for a line that came in one piece. Returns its text, without a `\r` at
/// its end.
pub(crate) fn check_line(line: &[u8], limit: usize) -> Result<&[u8], Failure> {
    if line.len() >= limit {
        let why = format!("the line is longer than {limit} bytes");
        return Err(Failure::new(code::TOOBIG, why));
    }
    if line.contains(&b'\n') {
        return Err(Failure::new(code::USAGE, "a line can't hold a newline"));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check_text(line)?;
    Ok(line)
}
