//! Learns from run times how long commands take, and which of them are slow.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The run times of a command, as far as they decide where it runs.
///
/// All fields are hints: after a stale read, a command runs once on the wrong kind of thread. So every
/// access is `Relaxed`, and no other data is published through them. They are written only when a run
/// contradicts them: a write takes the cache line away from the cores that read it for each command.
pub(crate) struct Speed {
    slow: AtomicBool,
    /// The [`Cost`] of a run.
    cost: AtomicU32,
    /// Consecutive runs that contradict the two above; in the bits from [`LONGER`] on those that were longer.
    contrary: AtomicU32,
}

/// How long a run takes, as a power of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost(u32);

impl Cost {
    /// About how long it takes to wake another thread, and so the least cost that is worth it.
    pub(crate) const WAKE: Self = Self::of(Duration::from_micros(16));

    /// That of a connection whose first command has not run yet. Only of connections.
    pub(crate) const NEW: Self = Self(u32::MAX - 2);

    /// Nothing is known. More than any other cost.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX - 1);

    /// More than that.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    /// The costs of runs of this time and up to twice of it.
    pub(crate) const fn of(time: Duration) -> Self {
        let log = (time.as_micros() | 1).ilog2();
        // Half an hour and more are the same.
        Self(if log < 31 { log } else { 31 })
    }

    /// The least time of such a run in microseconds. Zero for less than two, and if nothing is known.
    pub(crate) fn micros(self) -> u32 {
        if (1..=31).contains(&self.0) { 1 << self.0 } else { 0 }
    }
}

/// The longest run that makes a slow command count as quick again, if the run waits for something.
/// Handing a command to another thread costs about as much.
const QUICK: Duration = Duration::from_micros(200);

/// The same for a run that only computes: a core is busy with it, whichever thread it is. On a busy machine such a run
/// stalls a leader for longer, which does not make it slow.
pub(crate) const QUICK_COMPUTING: Duration = Duration::from_micros(500);

/// The most time of code that is known to be quick.
const KNOWN_QUICK: Duration = Duration::from_micros(64);

/// The number of consecutive quick runs after which a slow command counts as quick.
const QUICK_AGAIN: u32 = 64;

/// The most that a slow command costs a leader, which hands it over.
const HAND_OVER: Cost = Cost::of(Duration::from_micros(64));

/// The numbers of consecutive runs of a higher and of a lower cost after which it is the command's. A
/// run may seem long because its thread had no CPU.
const HIGHER: u32 = 2;
const LOWER: u32 = 8;

/// The bit of `contrary` with which the number of longer runs begins.
const LONGER: u32 = 16;

impl Default for Speed {
    fn default() -> Self {
        Self {
            slow: AtomicBool::new(false),
            cost: AtomicU32::new(Cost::UNKNOWN.0),
            contrary: AtomicU32::new(0),
        }
    }
}

impl Speed {
    pub(crate) fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Returns whether the code was measured and ended within 64 µs.
    pub(crate) fn is_known_quick(&self) -> bool {
        let cost = self.cost();
        !self.is_slow() && cost != Cost::UNKNOWN && cost < Cost::of(KNOWN_QUICK)
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost(self.cost.load(Ordering::Relaxed))
    }

    /// Marks the command as slow after it stalled a leader.
    pub(crate) fn stalled(&self) {
        self.contrary.store(0, Ordering::Relaxed);
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Records a run; returns what the next one is expected to cost a leader. `computed` is its CPU time if it waited
    /// for nothing.
    pub(crate) fn ran_for(&self, time: Duration, computed: Option<Duration>) -> Cost {
        let was_quick = self.cost() < Cost::WAKE;
        self.record(time, computed);
        if self.is_slow() {
            // The connections that wait behind it wait for no more than its hand-over.
            return Cost::of(time).min(HAND_OVER);
        }
        // One long run of a quick command is taken for an accident: its thread had no CPU. It must not bring
        // another leader.
        if was_quick { self.cost() } else { Cost::of(computed.unwrap_or(time)) }
    }

    fn record(&self, time: Duration, computed: Option<Duration>) {
        let time = computed.unwrap_or(time);
        let now = Cost::of(time);
        let (agrees, limit) = if self.is_slow() {
            (time > if computed.is_some() { QUICK_COMPUTING } else { QUICK }, QUICK_AGAIN)
        } else {
            let known = self.cost();
            // Nothing is less than the lowest cost: else the first run, which is the longest, would stay the measure.
            let is_least = now < known && now == Cost::default();
            let differs = is_least || now.0.abs_diff(known.0) > 1;
            let limit = match now.cmp(&known) {
                _ if known == Cost::UNKNOWN => 1,
                std::cmp::Ordering::Greater => HIGHER,
                _ => LOWER,
            };
            (!differs, limit)
        };
        if agrees {
            if self.contrary.load(Ordering::Relaxed) != 0 {
                self.contrary.store(0, Ordering::Relaxed);
            }
            return;
        }
        // Shorter runs don't make a longer one count for more than one.
        let shift = if !self.is_slow() && now > self.cost() { LONGER } else { 0 };
        let before = self.contrary.fetch_add(1 << shift, Ordering::Relaxed);
        if (before >> shift) % (1 << LONGER) + 1 >= limit {
            self.contrary.store(0, Ordering::Relaxed);
            self.cost.store(now.0, Ordering::Relaxed);
            self.slow.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    fn run(speed: &Speed, micros: u32, times: u32) -> u32 {
        for _ in 0..times {
            speed.ran_for(MICRO * micros, None);
        }
        speed.cost().micros()
    }

    #[test]
    fn cost_follows_the_runs() {
        let speed = Speed::default();
        assert_eq!(speed.cost(), Cost::UNKNOWN);
        assert_eq!(run(&speed, 100, 1), 64);
        // About the same.
        assert_eq!(run(&speed, 200, 100), 64);
        // One long run may be an accident.
        assert_eq!(run(&speed, 3_000, 1), 64);
        assert_eq!(run(&speed, 100, 1), 64);
        // So may one after shorter ones.
        assert_eq!(run(&speed, 0, LOWER - 1), 64);
        assert_eq!(run(&speed, 3_000, 1), 64);
        assert_eq!(run(&speed, 100, 1), 64);
        assert_eq!(run(&speed, 3_000, 2), 2048);
        assert_eq!(run(&speed, 0, LOWER - 1), 2048);
        assert_eq!(run(&speed, 0, 1), 0);
        assert_eq!(run(&speed, u32::MAX, 2), 1 << 31);
    }

    #[test]
    fn longer_first_run_of_a_quick_command_is_forgotten() {
        let speed = Speed::default();
        assert_eq!(run(&speed, 3, 1), 2);
        assert_eq!(run(&speed, 1, LOWER - 1), 2);
        assert_eq!(run(&speed, 1, 1), 0);
        assert_eq!(run(&speed, 3, 100), 0);
    }

    #[test]
    fn slow_command_costs_a_leader_its_hand_over() {
        let speed = Speed::default();
        assert_eq!(speed.ran_for(MICRO * 100, None), Cost::of(MICRO * 100));
        speed.stalled();
        assert_eq!(speed.ran_for(MICRO * 300_000, None), HAND_OVER);
        let quick = Speed::default();
        run(&quick, 0, 1);
        assert_eq!(quick.ran_for(MICRO * 3_000, None), Cost::default(), "an accident");
        assert_eq!(quick.ran_for(MICRO * 3_000, None), Cost::of(MICRO * 3_000));
        let unlike_itself = Speed::default();
        run(&unlike_itself, 0, 1);
        unlike_itself.stalled();
        assert_eq!(
            unlike_itself.ran_for(MICRO * 3_000, None),
            HAND_OVER,
            "known as quick, then slow"
        );
    }

    #[test]
    fn slow_command_counts_as_quick_again() {
        let speed = Speed::default();
        speed.stalled();
        run(&speed, 100, QUICK_AGAIN - 1);
        run(&speed, 300, 1);
        run(&speed, 100, QUICK_AGAIN - 1);
        assert!(speed.is_slow());
        run(&speed, 100, 1);
        assert!(!speed.is_slow());
        assert_eq!(speed.cost().micros(), 64);
        // A run of 300 µs that waits does not count, one that computes does.
        speed.stalled();
        run(&speed, 300, QUICK_AGAIN);
        assert!(speed.is_slow());
        for _ in 0..QUICK_AGAIN {
            speed.ran_for(MICRO * 5_000, Some(MICRO * 300));
        }
        assert!(!speed.is_slow());
    }
}
