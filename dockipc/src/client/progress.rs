//! [`Progress`], what a command tells of how far it is.

use super::limits::CallLimits;
use crate::reply::Reply;

/// Receives the progress of a call.
pub(super) type OnProgress = dyn Fn(&Progress) + Send + Sync;

/// How far a command is; see [`Call::on_progress`](super::Call::on_progress).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The part that is done, in a unit of the command's choice.
    pub done: u64,
    /// The whole, if the command knows it.
    pub total: Option<u64>,
    /// The current step of the command, in words.
    pub text: Option<String>,
}

impl Progress {
    /// Reads the value of the push frame.
    fn of(value: &Reply) -> Option<Self> {
        let Reply::List(values) = value else { return None };
        let [Reply::Int(done), total, text] = &values[..] else { return None };
        let number = |reply: &Reply| match reply {
            Reply::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        };
        let text = match text {
            Reply::Bytes(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        Some(Self { done: u64::try_from(*done).ok()?, total: number(total), text })
    }
}

/// Passes on the progress in a push frame, if it has any and the caller wants it.
pub(super) fn report(push: &Reply, call: &CallLimits<'_>) {
    if let (Some(on_progress), Reply::List(words)) = (call.on_progress, push)
        && let [name, what, value] = &words[..]
        && *name == Reply::bytes("dockipc")
        && *what == Reply::bytes("progress")
        && let Some(progress) = Progress::of(value)
    {
        on_progress(&progress);
    }
}
