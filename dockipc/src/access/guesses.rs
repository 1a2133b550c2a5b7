//! Counts the wrong tokens of each user, and imposes pauses after too many.

use std::time::{Duration, Instant};

/// The wrong tokens of each user.
///
/// Memory is bounded: users are forgotten after [`FORGET_AFTER`], and at most [`MAX_USERS`] are remembered.
pub(crate) struct Guesses {
    /// The longest pause; `None` disables pauses.
    longest_pause: Option<Duration>,
    /// In the order of their uids.
    users: Vec<User>,
    /// The time of the last sweep for users to forget.
    swept: Option<Instant>,
    /// The time of the last record for a user that could not be remembered.
    recorded: Option<Instant>,
}

struct User {
    uid: u32,
    /// Wrong tokens since the user was last forgotten.
    wrong: u32,
    /// The end of the pause, or the time of the last wrong token.
    until: Instant,
    /// Whether this pause already has a record.
    is_recorded: bool,
}

/// The outcome of one attempt to authenticate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Right,
    Wrong {
        /// Whether the audit records this attempt.
        is_recorded: bool,
    },
    /// The token was not compared: the user is in a pause.
    Paused {
        left: Duration,
        /// Whether this is the first attempt of the pause, which the audit records.
        is_first: bool,
    },
}

/// The number of wrong tokens without a pause, so that a few programs with an old token do not lock out
/// others of the same user.
const FREE_ATTEMPTS: u32 = 10;

/// The first pause. Each further wrong token doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(125);

/// The time after the last wrong token until a user is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// The number of users that are remembered. Users beyond it have no pauses, since the owner of a range of
/// uids (subuid(5)) could otherwise lock them out; one of their wrong tokens a second is recorded.
const MAX_USERS: usize = 4096;

/// The shortest time between two sweeps, and between two records of users that are not remembered.
const INTERVAL: Duration = Duration::from_secs(1);

impl Guesses {
    pub(crate) fn new(longest_pause: Option<Duration>) -> Self {
        Self { longest_pause, users: Vec::new(), swept: None, recorded: None }
    }

    /// Counts an attempt of a user at this time. During a pause `is_right` is ignored.
    pub(crate) fn attempt(&mut self, uid: u32, is_right: bool, now: Instant) -> Attempt {
        let Some(longest_pause) = self.longest_pause else {
            return if is_right { Attempt::Right } else { Attempt::Wrong { is_recorded: true } };
        };
        if let Ok(index) = self.find(uid) {
            let user = &mut self.users[index];
            if now < user.until {
                let is_first = !std::mem::replace(&mut user.is_recorded, true);
                return Attempt::Paused { left: user.until - now, is_first };
            }
            if user.is_forgotten(now) {
                self.users.remove(index);
            }
        }
        if is_right {
            return Attempt::Right;
        }
        if self.find(uid).is_err() && !self.has_room(now) {
            let is_recorded = interval_has_passed(self.recorded, now);
            if is_recorded {
                self.recorded = Some(now);
            }
            return Attempt::Wrong { is_recorded };
        }
        let index = self.find(uid).unwrap_or_else(|index| {
            self.users.insert(index, User { uid, wrong: 0, until: now, is_recorded: false });
            index
        });
        let user = &mut self.users[index];
        user.wrong = user.wrong.saturating_add(1);
        let doublings = user.wrong.checked_sub(FREE_ATTEMPTS + 1);
        let pause = doublings.map(|n| FIRST_PAUSE.saturating_mul(1 << n.min(31)));
        user.until = now + pause.unwrap_or_default().min(longest_pause);
        user.is_recorded = false;
        Attempt::Wrong { is_recorded: true }
    }

    /// Where a user is, or would be.
    fn find(&self, uid: u32) -> Result<usize, usize> {
        self.users.binary_search_by_key(&uid, |user| user.uid)
    }

    /// Returns whether another user can be remembered.
    fn has_room(&mut self, now: Instant) -> bool {
        // A sweep for each guess would cost more than the guess.
        if self.users.len() >= MAX_USERS && interval_has_passed(self.swept, now) {
            self.swept = Some(now);
            self.users.retain(|user| !user.is_forgotten(now));
        }
        self.users.len() < MAX_USERS
    }
}

impl User {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.until) >= FORGET_AFTER
    }
}

/// Returns whether the last event is at least [`INTERVAL`] ago, or never was.
fn interval_has_passed(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Attempt, FORGET_AFTER, FREE_ATTEMPTS, Guesses, INTERVAL, MAX_USERS};

    const LONGEST: Duration = Duration::from_secs(2);
    const WRONG: Attempt = Attempt::Wrong { is_recorded: true };

    fn guesses() -> (Guesses, Instant) {
        (Guesses::new(Some(LONGEST)), Instant::now())
    }

    fn paused(milliseconds: u64, is_first: bool) -> Attempt {
        Attempt::Paused { left: Duration::from_millis(milliseconds), is_first }
    }

    #[test]
    fn pauses_grow_and_have_a_limit() {
        let (mut guesses, mut now) = guesses();
        for _ in 0..=FREE_ATTEMPTS {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        for pause in [125, 250, 500, 1000, 2000, 2000, 2000] {
            assert_eq!(guesses.attempt(1, false, now), paused(pause, true));
            // The right token is refused too, or the answer would reveal it.
            assert_eq!(guesses.attempt(1, true, now), paused(pause, false));
            // Other users have no pause.
            assert_eq!(guesses.attempt(2, true, now), Attempt::Right);
            now += Duration::from_millis(pause);
            assert_eq!(guesses.attempt(1, true, now), Attempt::Right);
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        now += LONGEST + FORGET_AFTER;
        for _ in 0..=FREE_ATTEMPTS {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        assert_eq!(guesses.attempt(1, false, now), paused(125, true));
    }

    #[test]
    fn guesses_over_time_are_few() {
        let (mut guesses, start) = guesses();
        let (mut compared, mut recorded) = (0, 0);
        // A hundred attempts a second for an hour; more would only add paused ones.
        for step in 0..360_000 {
            match guesses.attempt(1, false, start + Duration::from_millis(10 * step)) {
                Attempt::Wrong { is_recorded } => {
                    compared += 1;
                    recorded += u32::from(is_recorded);
                }
                Attempt::Paused { is_first, .. } => recorded += u32::from(is_first),
                Attempt::Right => unreachable!(),
            }
        }
        assert!((1_800..1_830).contains(&compared), "{compared}");
        assert!(recorded <= 2 * compared, "{recorded}");
    }

    #[test]
    fn memory_for_users_is_bounded() {
        let (mut guesses, mut now) = guesses();
        let most = u32::try_from(MAX_USERS).unwrap();
        for uid in 0..most {
            assert_eq!(guesses.attempt(uid, false, now), WRONG);
        }
        // Further users are not locked out, and their records are few.
        let mut recorded = 0;
        for uid in most..3 * most {
            assert_eq!(guesses.attempt(uid, true, now), Attempt::Right);
            let attempt = guesses.attempt(uid, false, now);
            recorded += usize::from(attempt == WRONG);
        }
        assert_eq!((recorded, guesses.users.len()), (1, MAX_USERS));
        now += INTERVAL;
        assert_eq!(guesses.attempt(most, false, now), WRONG);
        now += FORGET_AFTER;
        assert_eq!(guesses.attempt(most, false, now), WRONG);
        assert_eq!(guesses.users.len(), 1);
    }

    #[test]
    fn every_token_is_compared_without_pauses() {
        let (mut guesses, now) = (Guesses::new(None), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        assert_eq!(guesses.attempt(1, true, now), Attempt::Right);
    }
}
