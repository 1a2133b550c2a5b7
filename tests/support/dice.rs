//! Pseudorandom numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A `SplitMix64` generator.
pub struct Dice(u64);

impl Dice {
    /// Creates a generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Creates a generator with a seed from the clock, and prints the seed.
    pub fn thrown() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        let seed = u64::from(now.subsec_nanos());
        println!("seed {seed}");
        Self(seed)
    }

    /// Returns the next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("a small number")
    }

    /// Returns a duration below `most`, in whole microseconds.
    pub fn moment(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.roll() % u64::try_from(most.as_micros()).expect("a short time"))
    }
}
