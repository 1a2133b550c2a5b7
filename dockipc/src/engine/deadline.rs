//! The condition that a connection waits for, and its time limit.

use std::time::{Duration, Instant};

use crate::config::Times;

/// When a connection has waited for too long, and for what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) due: Due,
}

/// The condition that a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The first byte of a client that is turned away, which shows its protocol.
    Protocol,
    /// Bytes that decide whether the author's code takes the connection.
    Decision,
    /// The rest of a command.
    Command,
    /// The next command.
    NextCommand,
    /// A thread for a slow command.
    Thread,
    /// An answer that comes later: the next look at it.
    Answer,
    /// That the client reads its answers.
    Reading,
    /// That the client ends its side.
    End,
}

/// The time limit for a client that is turned away to show its protocol.
const REFUSED: Duration = Duration::from_secs(2);

/// The time limit of draining.
const DRAIN: Duration = Duration::from_secs(2);

impl Deadline {
    /// A deadline from now on. None where `due` has no limit.
    pub(super) fn new(due: Due, times: &Times) -> Option<Self> {
        let limit = match due {
            Due::Protocol => Some(REFUSED),
            Due::Decision | Due::Command => times.arrival,
            Due::NextCommand => times.idle,
            Due::Thread => Some(times.busy),
            Due::Reading => times.write,
            Due::End => Some(DRAIN),
            // Set by the connection.
            Due::Answer => None,
        };
        // The clock is read only where there is a limit: this runs once a turn.
        limit.map(|limit| Self { at: Instant::now() + limit, due })
    }
}
