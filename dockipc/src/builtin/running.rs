//! The commands that run: listing them, and asking one to stop.

use super::{Context, Fields};
use crate::arg::Quoted;
use crate::error::{Failure, Stopped, code};
use crate::reply::{IntoReply, Reply};
use crate::run::Run;
use crate::session::Session;

impl Context<'_> {
    /// Returns whether a caller may see and stop what this user runs: the same user, root, or the daemon's
    /// user.
    pub(super) fn may_stop(&self, session: &Session, uid: u32) -> bool {
        let caller = session.peer.uid();
        session.peer.is_known() && (caller == uid || self.config.per_user.is_operator(caller))
    }
}

/// Answers `DOCKIPC RUNNING` with the running commands that the caller may stop, in the order of their
/// beginning: those that are known to last, that take a `Cancel`, a `Deadline` or a `Stop`, or that are answered
/// later.
pub(super) fn running(context: Context<'_>, session: &Session) -> Reply {
    let mut visible = Vec::new();
    for run in context.running.all() {
        if context.may_stop(session, run.peer.uid()) {
            visible.push(describe(&run));
        }
    }
    Reply::List(visible)
}

fn describe(run: &Run) -> Reply {
    let mut fields = Fields::default();
    fields.put("id", run.id.into_reply());
    fields.text("command", &run.name);
    fields.put("connection", run.connection.into_reply());
    fields.number("uid", run.peer.uid().into());
    fields.put("pid", run.peer.pid().into_reply());
    let age = run.since.elapsed().as_millis();
    fields.number("ms", age.try_into().unwrap_or(i64::MAX));
    let state = match run.signal.get() {
        Some(_) => "stopping",
        None if run.is_waiting() => "waiting",
        None => "running",
    };
    fields.text("state", state);
    fields.into_reply()
}

/// Answers `DOCKIPC CANCEL id`: asks a command to stop.
pub(super) fn cancel(context: Context<'_>, session: &Session, word: &[u8]) -> Reply {
    let run = number(word).and_then(|id| context.running.get(id));
    // A command of another user looks like none.
    let Some(run) = run.filter(|run| context.may_stop(session, run.peer.uid())) else {
        let word = Quoted(word);
        let why = format_args!("no command {word} runs; send `dockipc running` for a list");
        return Reply::Error(Failure::new(code::ERR, why));
    };
    if !run.is_heard() {
        let why = format_args!("{} does not take a Cancel, so it runs to its end", run.name);
        return Reply::Error(Failure::new(code::ERR, why));
    }
    run.signal.fire(Stopped::Cancelled);
    Reply::Ok
}

/// Parses a number, such as the id of a command or a connection. Not inlined: std's parser is, at each call.
#[inline(never)]
pub(super) fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
