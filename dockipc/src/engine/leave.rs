//! The commands of a thread that waits for the server's end: nobody runs them any more.

use std::time::{Duration, Instant};

use super::core::Core;
use crate::dispatch::Service;

/// Which loops the thread that waits has left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// None yet.
    Nothing,
    /// Those that are known to be on this thread. The others have until then to begin with a command.
    Own(Instant),
    /// Also those whose thread isn't known.
    Done,
}

/// How long a stop waits until a loop that has never run a command begins with one.
const UNKNOWN_LOOPS: Duration = Duration::from_millis(500);

impl Leaving {
    pub(super) fn new(service: &Service) -> Self {
        if service.loops.is_empty() { Self::Done } else { Self::Nothing }
    }

    /// Returns how long to wait for the server's end before [`Core::leave_loops`], if that is to be called.
    pub(super) fn next(self) -> Option<Duration> {
        match self {
            Self::Nothing => Some(Duration::ZERO),
            Self::Own(until) => Some(until.saturating_duration_since(Instant::now())),
            Self::Done => None,
        }
    }
}

impl Core {
    /// Answers the commands whose loop is on this thread and that have not begun, or wait for an answer that
    /// comes later.
    pub(super) fn leave_loops(&self, leaving: &mut Leaving) {
        let unknown = match *leaving {
            Leaving::Nothing => {
                *leaving = Leaving::Own(Instant::now() + UNKNOWN_LOOPS);
                false
            }
            Leaving::Own(until) if Instant::now() < until => return,
            Leaving::Own(_) | Leaving::Done => {
                *leaving = Leaving::Done;
                true
            }
        };
        if let Some((_, leave)) = self.service.local {
            leave(&self.service, unknown);
        }
    }
}
