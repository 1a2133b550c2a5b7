//! Limits of a client, and the deadlines of its calls.

use std::time::{Duration, Instant};

use super::progress::OnProgress;
use super::upload::SendBody;

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
    /// The deadline of all calls together.
    pub(super) until: Option<Deadline>,
}

/// The default limit of the time for connecting.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: Some(CONNECT_TIMEOUT),
            read: Some(Duration::from_secs(30)),
            write: Some(Duration::from_secs(30)),
            total: None,
            answer: 64 << 20,
            max_idle: 16,
            idle: Some(Duration::from_secs(60)),
            until: None,
        }
    }
}

/// Replaces a timeout of zero, which would mean no limit to the system, with a microsecond.
pub(super) fn nonzero_timeout(limit: Option<Duration>) -> Option<Duration> {
    limit.map(|limit| limit.max(Duration::from_micros(1)))
}

/// The limits of one call: those of the client, and the deadline of the call.
#[derive(Clone, Copy)]
pub(crate) struct CallLimits<'l> {
    pub(super) limits: &'l ClientLimits,
    /// The call's deadline. Without one, no clock is read.
    pub(super) end: Option<Deadline>,
    /// Called with the progress of the command.
    pub(super) on_progress: Option<&'l OnProgress>,
    /// The body, which is sent during the waits for the answer.
    pub(super) body: Option<&'l (dyn SendBody + 'l)>,
}

/// The end of a time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    /// The timeout that expires then, for messages.
    pub(crate) limit: Duration,
}

impl Deadline {
    /// Returns the deadline of a timeout that begins now; `None` if the clock can't represent it.
    pub(crate) fn after(limit: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }

    /// Returns the remaining time: zero after the deadline.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Returns the earlier of two deadlines; the first if both are at the same time.
    pub(crate) fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) if other.at < one.at => Some(other),
            (one, other) => one.or(other),
        }
    }
}

impl<'l> CallLimits<'l> {
    /// Returns the limits of a call that begins now.
    pub(super) fn new(limits: &'l ClientLimits, total: Option<Duration>) -> Self {
        let end = Deadline::earlier(total.and_then(Deadline::after), limits.until);
        Self { limits, end, on_progress: None, body: None }
    }

    /// Returns the same limits with a deadline for a part of the call.
    #[cfg(feature = "cli")]
    pub(super) fn within(&self, part: Duration) -> Self {
        Self { end: Deadline::earlier(self.end, Deadline::after(part)), ..*self }
    }

    /// Returns the same deadline with other limits for the steps of the call.
    pub(super) fn with<'o>(&self, limits: &'o ClientLimits) -> CallLimits<'o> {
        CallLimits { limits, end: self.end, on_progress: None, body: None }
    }

    /// Returns whether the call as a whole has a deadline.
    pub(super) fn has_deadline(&self) -> bool {
        self.end.is_some()
    }

    /// Returns whether a part of the body may be sent, so that the call can't be repeated.
    pub(super) fn has_begun_body(&self) -> bool {
        self.body.is_some_and(SendBody::is_begun)
    }

    /// Returns whether nothing of the body is left to send.
    pub(super) fn has_sent_body(&self) -> bool {
        self.body.is_none_or(SendBody::is_whole)
    }

    /// Returns the time that is left until the deadline.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.left())
    }

    /// Starts a step with its own timeout. The earlier of its deadline and the call's applies.
    pub(super) fn wait(&self, own: Option<Duration>) -> Wait {
        Wait { end: Deadline::earlier(self.end, own.and_then(Deadline::after)) }
    }
}

/// The deadline of one step.
pub(super) struct Wait {
    end: Option<Deadline>,
}

impl Wait {
    /// Returns the remaining time: zero after the deadline, `None` without one.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.left())
    }

    /// Returns the timeout that the deadline comes from, for messages.
    pub(super) fn limit(&self) -> Duration {
        self.end.map_or(Duration::ZERO, |end| end.limit)
    }
}
