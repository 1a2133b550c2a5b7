//! What our own programs ask besides commands.

use super::command::is_idempotent;
use super::describe::describe;
use super::{Builtin, is, usage};
use crate::connection::Session;
use crate::error::{Failure, code};
use crate::reply::Reply;
use crate::request::Words;
use crate::server::Shared;
use crate::wire::{Frame, Span, check_text};

/// What our own client and program ask besides commands. `DOCKIPC LINE text` is a line whose answer is
/// framed: see [`wrapped_line`]. `DOCKIPC IDEMPOTENT name` tells, by 1 or 0, whether a call that may
/// have run may run again. `DOCKIPC DESCRIBE [name…]` is [`describe`]. `DOCKIPC COMPLETE command
/// parameter prefix [word…]` is answered by the router, since it runs code of the author's.
pub(super) fn dockipc(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    if is(words.get(0), "describe") {
        return describe(shared, session, words.skip(1).iter());
    }
    match (words.get(0), words.get(1), words.get(2)) {
        (what, Some(name), None) if is(what, "idempotent") => {
            Reply::Int(shared.router.find_for(session, name).is_some_and(is_idempotent).into())
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
    pub(crate) fn of(builtin: &Builtin, words: Words<'r>) -> Option<Self> {
        let (command, param, prefix) = (words.get(1)?, words.get(2)?, words.get(3)?);
        let is_this = builtin.name == "dockipc" && is(words.get(0), "complete");
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
