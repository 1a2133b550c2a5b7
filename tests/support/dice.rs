//! Numbers that look random.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// splitmix64.
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Others each time. Prints the seed.
    pub fn thrown() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        let seed = u64::from(now.subsec_nanos());
        println!("seed {seed}");
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("a small number")
    }

    /// A time below another, in microseconds.
    pub fn moment(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.roll() % u64::try_from(most.as_micros()).expect("a short time"))
    }
}
