//! `MULTI` and `WATCH`, and `EXEC` and `DISCARD` without `MULTI`. The messages are those of Redis.

use super::at;
use super::usage;
use crate::error::Failure;
use crate::reply::Reply;
use crate::request::Words;
use crate::session::Session;

/// Begins a transaction. Dispatch queues the commands that follow.
pub(super) fn multi(session: &mut Session, words: Words<'_>) -> Reply {
    if session.is_in_transaction() {
        return Reply::Error(Failure::from("MULTI calls can not be nested"));
    }
    if at(words, 0).is_some() {
        return usage("usage: multi");
    }
    session.begin_transaction();
    Reply::Ok
}

/// Answers `EXEC` or `DISCARD` without `MULTI`.
pub(super) fn outside(name: &str) -> Reply {
    Reply::Error(Failure::from(format_args!("{name} without MULTI")))
}

pub(super) fn watch(session: &Session) -> Reply {
    Reply::Error(Failure::from(if session.is_in_transaction() {
        "WATCH inside MULTI is not allowed"
    } else {
        "WATCH is not supported: there are no keys to watch; use MULTI and EXEC without it"
    }))
}
