//! Where a connection is in its life.
//!
//! ```text
//!            stop                              every transition is a method of Phase
//!   Open ───────────▶ Stopping
//!    │                   │
//!    │  finish: the last answer is in the outbox
//!    └────────┬──────────┘
//!             ▼     flushed                    drained
//!         Flushing ─────────▶ Draining ──────────────────▶ Closed
//!             │ flushed, and the client has ended its side    ▲
//!             └───────────────────────────────────────────────┤
//!   any ── close: the socket is broken, or nothing is owed ───┘
//! ```
//!
//! A connection that is turned away has the same life. Its first command is answered with the refusal,
//! which is its last answer.
//!
//! With `Server::hand_over` a connection begins before that ([`taken`](super::taken)):
//!
//! ```text
//!            take             the function has returned, or can't run
//!   Offered ──────▶ Taken ──────────────────────────────────────────▶ Flushing or closed
//!      │ leave
//!      └──────▶ Open
//! ```

/// Where a connection is in its life. See the picture in the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Commands are read and answered.
    Open,
    /// The server stops: commands in the `left` bytes that had arrived by then are answered, later ones
    /// are refused.
    Stopping { left: u64 },
    /// The author's code is asked whether it takes the connection. The first `shown` bytes, which are still
    /// unread, did not decide it.
    Offered { shown: usize },
    /// The author's code has the connection, or waits for a thread to take it.
    Taken,
    /// The last answer is on its way. Then input is drained, unless the client has ended its side.
    Flushing { input_ended: bool },
    /// The last answer is sent, and the socket is shut down for writing. Up to `left` bytes more are
    /// read and dropped: closing with unread input would give the client its answer and then ECONNRESET.
    Draining { left: usize },
    /// Nothing more is read or sent.
    Closed,
}

/// The most bytes that are drained.
const DRAIN_BYTES: usize = 1 << 20;

impl Phase {
    /// Whether commands are still read.
    pub(super) fn reads_commands(self) -> bool {
        matches!(self, Self::Open | Self::Stopping { .. })
    }

    /// The author's code does not take the connection.
    pub(super) fn leave(&mut self) {
        if let Self::Offered { .. } = self {
            *self = Self::Open;
        }
    }

    /// The server stops, and `arrived` bytes are unread.
    pub(super) fn stop(&mut self, arrived: impl FnOnce() -> u64) {
        if let Self::Open = self {
            *self = Self::Stopping { left: arrived() };
        }
    }

    /// Bytes were read.
    pub(super) fn read(&mut self, bytes: usize) {
        if let Self::Stopping { left } = self {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    /// Whether all that had arrived when the server was told to stop is read.
    pub(super) fn has_read_what_had_arrived(self) -> bool {
        matches!(self, Self::Stopping { left: 0 })
    }

    /// The last answer is in the outbox.
    pub(super) fn finish(&mut self, input_ended: bool) {
        if self.reads_commands() || matches!(self, Self::Offered { .. } | Self::Taken) {
            *self = Self::Flushing { input_ended };
        }
    }

    /// The last answer is sent. True if input is to be drained now.
    pub(super) fn flushed(&mut self) -> bool {
        match *self {
            Self::Flushing { input_ended: false } => {
                *self = Self::Draining { left: DRAIN_BYTES };
                true
            }
            Self::Flushing { input_ended: true } => {
                *self = Self::Closed;
                false
            }
            _ => false,
        }
    }

    /// Bytes were read and dropped.
    pub(super) fn drained(&mut self, bytes: usize) {
        if let Self::Draining { left } = *self {
            *self = match left.checked_sub(bytes) {
                Some(left) if bytes > 0 && left > 0 => Self::Draining { left },
                _ => Self::Closed,
            };
        }
    }

    pub(super) fn close(&mut self) {
        *self = Self::Closed;
    }
}

#[cfg(test)]
mod tests {
    use super::{DRAIN_BYTES, Phase};

    #[test]
    fn last_answer_is_followed_by_draining_and_the_end() {
        let mut phase = Phase::Open;
        phase.finish(false);
        assert_eq!(phase, Phase::Flushing { input_ended: false });
        // A second last answer changes nothing.
        phase.finish(true);
        assert!(phase.flushed());
        phase.drained(1000);
        assert_eq!(phase, Phase::Draining { left: DRAIN_BYTES - 1000 });
        phase.drained(DRAIN_BYTES - 1000);
        assert_eq!(phase, Phase::Closed);
    }

    #[test]
    fn client_that_ended_its_side_is_not_drained() {
        let mut phase = Phase::Open;
        phase.finish(true);
        assert!(!phase.flushed());
        assert_eq!(phase, Phase::Closed);
    }

    #[test]
    fn end_of_input_ends_draining() {
        let mut phase = Phase::Draining { left: 10 };
        phase.drained(0);
        assert_eq!(phase, Phase::Closed);
    }

    #[test]
    fn only_an_offered_connection_is_left() {
        let mut phase = Phase::Offered { shown: 3 };
        // A stop does not decide for the author's code.
        phase.stop(|| unreachable!("nothing is counted"));
        assert!(!phase.reads_commands());
        phase.leave();
        assert_eq!(phase, Phase::Open);
        let mut phase = Phase::Taken;
        phase.leave();
        assert_eq!(phase, Phase::Taken);
        phase.finish(false);
        assert_eq!(phase, Phase::Flushing { input_ended: false });
    }

    #[test]
    fn stop_takes_what_had_arrived_and_no_more() {
        let mut phase = Phase::Open;
        phase.stop(|| 10);
        // To stop twice is the same as once.
        phase.stop(|| 99);
        phase.read(4);
        assert!(phase.reads_commands() && !phase.has_read_what_had_arrived());
        phase.read(7);
        assert!(phase.has_read_what_had_arrived());
    }

    #[test]
    fn stop_leaves_a_last_answer_alone() {
        for before in [Phase::Flushing { input_ended: false }, Phase::Draining { left: 1 }] {
            let mut phase = before;
            phase.stop(|| unreachable!("nothing is counted"));
            assert_eq!(phase, before);
        }
    }
}
