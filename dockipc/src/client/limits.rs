//! How long a call may take, and how much a client keeps.

use std::time::{Duration, Instant};

/// What a client was told.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Option<Duration>,
    pub(super) read: Option<Duration>,
    pub(super) write: Option<Duration>,
    /// For a whole call, whatever it does.
    pub(super) total: Option<Duration>,
    /// The longest answer, in bytes.
    pub(super) answer: usize,
    /// So many connections are kept when nobody uses them.
    pub(super) most_idle: usize,
    /// For so long.
    pub(super) idle: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(5)),
            read: Some(Duration::from_secs(30)),
            write: Some(Duration::from_secs(30)),
            total: None,
            answer: 64 << 20,
            most_idle: 16,
            idle: Some(Duration::from_secs(60)),
        }
    }
}

/// A timeout of zero would mean none to the system.
pub(super) fn some_time(limit: Option<Duration>) -> Option<Duration> {
    limit.map(|limit| limit.max(Duration::from_micros(1)))
}

/// What one call keeps to.
#[derive(Clone, Copy)]
pub(super) struct Terms<'l> {
    pub(super) limits: &'l Limits,
    /// When the call must be over. Without a limit in all no clock is read.
    end: Option<End>,
}

#[derive(Clone, Copy)]
struct End {
    at: Instant,
    /// The limit that passes then.
    limit: Duration,
}

impl End {
    /// None for a limit beyond what a clock can show.
    fn after(limit: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(limit)?, limit })
    }
}

impl<'l> Terms<'l> {
    /// The terms of a call that begins now.
    pub(super) fn new(limits: &'l Limits, total: Option<Duration>) -> Self {
        Self { limits, end: total.and_then(End::after) }
    }

    /// The same call, with other limits for its steps.
    pub(super) fn with<'o>(&self, limits: &'o Limits) -> Terms<'o> {
        Terms { limits, end: self.end }
    }

    /// Whether the call as a whole has a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.end.is_some()
    }

    /// A step that begins now and has a limit of its own.
    pub(super) fn wait(&self, own: Option<Duration>) -> Wait {
        let own = own.and_then(End::after);
        let nearer = |end: &End| own.is_none_or(|own| end.at <= own.at);
        Wait { end: self.end.filter(nearer).or(own) }
    }
}

/// A step that must be over at some time.
pub(super) struct Wait {
    end: Option<End>,
}

impl Wait {
    /// The time that is left; zero if it has passed, `None` if there is no end.
    pub(super) fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.at.saturating_duration_since(Instant::now()))
    }

    /// The limit that passes at the end.
    pub(super) fn limit(&self) -> Duration {
        self.end.map_or(Duration::ZERO, |end| end.limit)
    }
}
