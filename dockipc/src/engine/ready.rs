//! The connections that wait for a leader, and whether that is worth waking another one.
//!
//! Each has a cost: how long its last command took. Quick ones come first, and the leaders look for events
//! before they begin a long one, so that a quick command waits for no more than the long ones that run. Those that
//! have run no command yet come between: clients that are known to be quick do not wait for a crowd of new ones.

use std::collections::VecDeque;
use std::time::Duration;

use crate::commands::Cost;

/// See [`Cost::WAKE`].
pub(super) const WAKE: Cost = Cost::WAKE;

/// The least cost of commands beside which one leader more looks for quick ones. It is woken for each event
/// while the others are away.
pub(super) const SPARE: Cost = Cost::of(Duration::from_micros(64));

/// The cost of a turn that goes on sending an answer. It counts as long, so that a quick command does not
/// wait for all clients that read long answers.
pub(super) const SENDING: Cost = Cost::of(Duration::from_micros(32));

/// The microseconds of long commands that are begun before the leaders look for events again.
const LONG: u32 = 64;

/// The same for each quick connection that is served first. Quick clients don't starve the others.
const LONG_FOR_QUICK: u32 = 4;

/// The new connections that are served before the leaders look for events again, if they turn out to be quick.
const NEW: usize = 32;

/// The connections that wait for a leader.
#[derive(Default)]
pub(super) struct Ready {
    quick: VecDeque<(usize, Cost)>,
    /// Those whose cost is [`Cost::NEW`].
    new: VecDeque<usize>,
    /// Those whose cost is [`WAKE`] or more.
    long: VecDeque<(usize, Cost)>,
    /// The sum of the costs in microseconds.
    micros: u64,
    /// How many quick ones are served before the leaders look for events again.
    before_poll: usize,
    /// The same for new ones.
    new_before_poll: usize,
    /// The microseconds of long ones that are begun before that.
    long_before_poll: u32,
}

impl Ready {
    pub(super) fn push(&mut self, index: usize, cost: Cost) {
        if cost == Cost::NEW {
            return self.new.push_back(index);
        }
        if cost != Cost::default() {
            self.micros += u64::from(cost.micros());
        }
        let queue = if cost < WAKE { &mut self.quick } else { &mut self.long };
        queue.push_back((index, cost));
    }

    /// Takes the next one; a long one only if the caller may begin it. None when it is time to look for
    /// events.
    pub(super) fn pop(&mut self, may_be_long: bool) -> Option<(usize, Cost)> {
        if self.before_poll > 0 {
            self.before_poll -= 1;
            if let Some((index, cost)) = self.quick.pop_front() {
                self.micros -= u64::from(cost.micros());
                return Some((index, cost));
            }
        }
        self.pop_new().or_else(|| if may_be_long { self.pop_long() } else { None })
    }

    /// Takes a new one. It counts as quick, since nothing is known of it.
    fn pop_new(&mut self) -> Option<(usize, Cost)> {
        self.new_before_poll = self.new_before_poll.checked_sub(1)?;
        Some((self.new.pop_front()?, Cost::default()))
    }

    fn pop_long(&mut self) -> Option<(usize, Cost)> {
        if self.long_before_poll == 0 {
            return None;
        }
        let (_, cost) = *self.long.front()?;
        self.long_before_poll = self.long_before_poll.saturating_sub(cost.micros());
        self.micros -= u64::from(cost.micros());
        self.long.pop_front()
    }

    /// A turn ended with a command of this cost. It counts for as many new ones as there are [`WAKE`]s in it.
    #[inline]
    pub(super) fn spent(&mut self, cost: Cost) {
        let new = (cost.micros() / WAKE.micros()) as usize;
        self.new_before_poll = self.new_before_poll.saturating_sub(new);
    }

    /// Events have been looked for.
    pub(super) fn polled(&mut self) {
        self.before_poll = self.quick.len();
        self.new_before_poll = self.new.len().min(NEW);
        let quick = self.before_poll + self.new_before_poll;
        let quick = u32::try_from(quick).unwrap_or(u32::MAX);
        self.long_before_poll = LONG_FOR_QUICK.saturating_mul(quick).saturating_add(LONG);
    }

    /// Returns whether there is one, long ones included if the caller may begin them.
    pub(super) fn has_any(&self, may_be_long: bool) -> bool {
        !self.quick.is_empty() || !self.new.is_empty() || may_be_long && !self.long.is_empty()
    }

    /// Returns all: the quick ones, the new ones, then the long ones.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        let [quick, long] =
            [&self.quick, &self.long].map(|queue| queue.iter().map(|(index, _)| *index));
        quick.chain(self.new.iter().copied()).chain(long)
    }

    /// Returns whether those that wait take longer than it takes to wake another thread.
    pub(super) fn is_worth_sharing(&self) -> bool {
        self.micros >= u64::from(WAKE.micros())
    }
}

#[cfg(test)]
mod tests;
