//! Wrong tokens, counted by user, and the pauses that follow them.

use std::time::{Duration, Instant};

/// What each user has guessed lately.
///
/// Memory is bounded: users are forgotten, and at most [`USERS`] are known at a time.
pub(crate) struct Guesses {
    /// `None`: no pauses.
    longest_pause: Option<Duration>,
    /// In the order of their uids.
    users: Vec<User>,
    /// When users were last forgotten to make room.
    swept: Option<Instant>,
    /// When a wrong token of a user for whom there was no room was last recorded.
    recorded: Option<Instant>,
}

struct User {
    uid: u32,
    wrong: u32,
    /// The end of the pause, or when the last wrong token came.
    until: Instant,
    /// A token has been refused in this pause.
    is_told: bool,
}

/// What became of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Right,
    Wrong {
        /// Whether it is to be recorded.
        is_recorded: bool,
    },
    /// It was not looked at, since its user has to wait.
    Paused {
        left: Duration,
        /// Whether it is the first one of this pause, which is recorded.
        is_first: bool,
    },
}

/// So many wrong tokens have no pause: programs that were given an old one should not shut out others
/// of their user.
const FREE: u32 = 10;

/// The pause after one more. It doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(125);

/// After so long without a wrong token a user is forgotten.
const MEMORY: Duration = Duration::from_secs(60);

/// How many users are known at a time. Someone with so many (subuid(5)) could shut out others, if those
/// for whom there is no room had to wait: they need not, but of their wrong tokens one a second is
/// recorded.
const USERS: usize = 4096;

const A_SECOND: Duration = Duration::from_secs(1);

impl Guesses {
    pub(crate) fn new(longest_pause: Option<Duration>) -> Self {
        Self { longest_pause, users: Vec::new(), swept: None, recorded: None }
    }

    /// Notes that a user has given a token at this time. Whether it is right is of no account in a
    /// pause.
    pub(crate) fn attempt(&mut self, uid: u32, is_right: bool, now: Instant) -> Attempt {
        let Some(longest_pause) = self.longest_pause else {
            return if is_right { Attempt::Right } else { Attempt::Wrong { is_recorded: true } };
        };
        if let Ok(index) = self.find(uid) {
            let user = &mut self.users[index];
            if now < user.until {
                let is_first = !std::mem::replace(&mut user.is_told, true);
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
            let is_recorded = is_past(self.recorded, now);
            if is_recorded {
                self.recorded = Some(now);
            }
            return Attempt::Wrong { is_recorded };
        }
        let index = self.find(uid).unwrap_or_else(|index| {
            self.users.insert(index, User { uid, wrong: 0, until: now, is_told: false });
            index
        });
        let user = &mut self.users[index];
        user.wrong = user.wrong.saturating_add(1);
        let doublings = user.wrong.checked_sub(FREE + 1);
        let pause = doublings.map(|n| FIRST_PAUSE.saturating_mul(1 << n.min(31)));
        user.until = now + pause.unwrap_or_default().min(longest_pause);
        user.is_told = false;
        Attempt::Wrong { is_recorded: true }
    }

    /// Where a user is, or would be.
    fn find(&self, uid: u32) -> Result<usize, usize> {
        self.users.binary_search_by_key(&uid, |user| user.uid)
    }

    /// Whether another user can be known.
    fn has_room(&mut self, now: Instant) -> bool {
        // To look at all of them for each guess would cost more than the guess.
        if self.users.len() >= USERS && is_past(self.swept, now) {
            self.swept = Some(now);
            self.users.retain(|user| !user.is_forgotten(now));
        }
        self.users.len() < USERS
    }
}

impl User {
    fn is_forgotten(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.until) >= MEMORY
    }
}

/// Whether that was a second ago, or never.
fn is_past(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= A_SECOND)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{A_SECOND, Attempt, FREE, Guesses, MEMORY, USERS};

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
        for _ in 0..=FREE {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        for pause in [125, 250, 500, 1000, 2000, 2000, 2000] {
            assert_eq!(guesses.attempt(1, false, now), paused(pause, true));
            // Also the right one, or a guess would be told by it.
            assert_eq!(guesses.attempt(1, true, now), paused(pause, false));
            // Another user need not wait.
            assert_eq!(guesses.attempt(2, true, now), Attempt::Right);
            now += Duration::from_millis(pause);
            assert_eq!(guesses.attempt(1, true, now), Attempt::Right);
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        now += LONGEST + MEMORY;
        for _ in 0..=FREE {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        assert_eq!(guesses.attempt(1, false, now), paused(125, true));
    }

    #[test]
    fn guesses_over_time_are_few() {
        let (mut guesses, start) = guesses();
        let (mut looked_at, mut recorded) = (0, 0);
        // Ten thousand a second for an hour, or what stands for them.
        for step in 0..360_000 {
            match guesses.attempt(1, false, start + Duration::from_millis(10 * step)) {
                Attempt::Wrong { is_recorded } => {
                    looked_at += 1;
                    recorded += u32::from(is_recorded);
                }
                Attempt::Paused { is_first, .. } => recorded += u32::from(is_first),
                Attempt::Right => unreachable!(),
            }
        }
        assert!((1_800..1_830).contains(&looked_at), "{looked_at}");
        assert!(recorded <= 2 * looked_at, "{recorded}");
    }

    #[test]
    fn memory_for_users_is_bounded() {
        let (mut guesses, mut now) = guesses();
        let most = u32::try_from(USERS).unwrap();
        for uid in 0..most {
            assert_eq!(guesses.attempt(uid, false, now), WRONG);
        }
        // Those for whom there is no room are not shut out, and their records are few.
        let mut recorded = 0;
        for uid in most..3 * most {
            assert_eq!(guesses.attempt(uid, true, now), Attempt::Right);
            let attempt = guesses.attempt(uid, false, now);
            recorded += usize::from(attempt == WRONG);
        }
        assert_eq!((recorded, guesses.users.len()), (1, USERS));
        now += A_SECOND;
        assert_eq!(guesses.attempt(most, false, now), WRONG);
        now += MEMORY;
        assert_eq!(guesses.attempt(most, false, now), WRONG);
        assert_eq!(guesses.users.len(), 1);
    }

    #[test]
    fn without_a_pause_every_token_is_looked_at() {
        let (mut guesses, now) = (Guesses::new(None), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(guesses.attempt(1, false, now), WRONG);
        }
        assert_eq!(guesses.attempt(1, true, now), Attempt::Right);
    }
}
