//! Limits of a client, and the deadlines of its calls.

use std::time::{Duration, Instant};

/// The limits of a client. `None` means no limit.
#[derive(Clone, Copy)]
pub(super) struct ClientLimits {
    pub(super) connect: Option<Duration>,
    /// Wait for any bytes from the daemon.
    pub(super) read: Option<Duration>,
    /// Wait for the daemon to accept any bytes.
    pub(super) write: Option<Duration>,
    /// Duration of a whole call, including retries.
    pub(super) total: Option<Duration>,
    /// Maximum size of an answer, in bytes.
    pub(super) answer: usize,
    /// Maximum number of idle connections.
    pub(super) max_idle: usize,
    /// How long an idle connection is kept.
    pub(super) idle: Option<Duration>,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(30)),
            write: Some(Duration::from_secs(30)),
            total: None,
            answer: 64 << 20,
            max_idle: 16,
            idle: Some(Duration::from_secs(60)),
        }
    }
}

/// Replaces a timeout of zero, which would mean no limit to the system, with a microsecond.
pub(super) fn nonzero_timeout(limit: Option<Duration>) -> Option<Duration> {
    limit.map(|limit| limit.max(Duration::from_micros(1)))
}

/// The limits of one call: those of the client, and the deadline of the call.
#[derive(Clone, Copy)]
pub(super) struct CallLimits<'l> {
    pub(super) limits: &'l ClientLimits,
    /// The call's deadline. Without one, no clock is read.
    end: Option<Deadline>,
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    /// The timeout that expires then, for messages.
    limit: Duration,
}

impl Deadline {
    /// Returns the deadline of a timeout that begins now; `None` if the clock can't represent it.
    fn after(limit: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }
}

impl<'l> CallLimits<'l> {
    /// Returns the limits of a call that begins now.
    pub(super) fn new(limits: &'l ClientLimits, total: Option<Duration>) -> Self {
        Self { limits, end: total.and_then(Deadline::after) }
    }

    /// Returns the same deadline with other limits for the steps of the call.
    pub(super) fn with<'o>(&self, limits: &'o ClientLimits) -> CallLimits<'o> {
        CallLimits { limits, end: self.end }
    }

    /// Returns whether the call as a whole has a deadline.
    pub(super) fn has_deadline(&self) -> bool {
        self.end.is_some()
    }

    /// Starts a step with its own timeout. The earlier of its deadline and the call's applies.
    pub(super) fn wait(&self, own: Option<Duration>) -> Wait {
        let own = own.and_then(Deadline::after);
        let nearer = |end: &Deadline| own.is_none_or(|own| end.at <= own.at);
        Wait { end: self.end.filter(nearer).or(own) }
    }
}

/// The deadline of one step.
pub(super) struct Wait {
    end: Option<Deadline>,
}

impl Wait {
    /// Returns the remaining time: zero after the deadline, `None` without one.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.at.saturating_duration_since(Instant::now()))
    }

    /// Returns the timeout that the deadline comes from, for messages.
    pub(super) fn limit(&self) -> Duration {
        self.end.map_or(Duration::ZERO, |end| end.limit)
    }
}
