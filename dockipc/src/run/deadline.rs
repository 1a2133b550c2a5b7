//! [`Deadline`], the parameter that tells how long the caller waits.

use std::time::{Duration, Instant};

/// The time until which the caller waits for the answer; injected as a parameter.
///
/// Our client sends what is left of its timeout with the call, as a duration; the daemon measures it from
/// when the command arrived. There is none if the client has no timeout, or is another client.
///
/// A command that still waits for a thread then is not run (`-TIMEOUT`); one that runs is asked to stop, see
/// [`Cancel`](crate::Cancel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Makes a deadline, for a test that calls the command's function.
    pub fn at(at: impl Into<Option<Instant>>) -> Self {
        Self(at.into())
    }

    /// Returns the time, if there is one.
    pub fn instant(&self) -> Option<Instant> {
        self.0
    }

    /// Returns the time that is left: zero if the deadline has passed, `None` if there is none.
    pub fn left(&self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Returns whether the deadline has passed.
    pub fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}
