//! What our own programs ask besides commands.

use super::command::is_idempotent;
use super::{is, usage};
use crate::connection::Session;
use crate::error::{Failure, code};
use crate::reply::Reply;
use crate::request::Words;
use crate::server::Shared;
use crate::wire::{Frame, Span, check_text};

/// What our own client asks besides commands. `DOCKIPC LINE text` is a line whose answer is framed:
/// see [`wrapped_line`]. `DOCKIPC IDEMPOTENT name` tells, by 1 or 0, whether a call that may have run
/// may run again.
pub(super) fn dockipc(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1), words.get(2)) {
        (what, Some(name), None) if is(what, "idempotent") => {
            Reply::Int(shared.router.find_for(session, name).is_some_and(is_idempotent).into())
        }
        _ => usage("usage: dockipc idempotent <command> | line <text>, the latter over RESP"),
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
