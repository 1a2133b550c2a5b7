//! A pseudorandom generator, and a runner for many generated inputs.

/// A splitmix64 generator.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or_default()
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(crate) fn list<T>(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
pub(crate) use tests::many;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, UNIX_EPOCH};

    use super::Dice;

    impl Dice {
        /// Returns any byte, often one with a meaning in the protocol.
        pub(crate) fn byte(&mut self) -> u8 {
            const MEANT: &[u8] = b"\r\n\r\n$*-+:0123456789{>%~#_,(=!'\"\\ \t\0\xff\xc3";
            if self.below(2) == 0 { self.one(MEANT) } else { (self.next() >> 56) as u8 }
        }

        pub(crate) fn noise(&mut self, most: usize) -> Vec<u8> {
            self.list(most, Self::byte)
        }

        /// Inserts, removes, changes, repeats or cuts off bytes at random.
        pub(crate) fn changed(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len() + 1);
                let byte = self.byte();
                match self.below(6) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, byte),
                    2 => bytes.extend_from_within(at..),
                    3 if at < bytes.len() => drop(bytes.remove(at)),
                    _ if at < bytes.len() => bytes[at] = byte,
                    _ => {}
                }
            }
            bytes
        }
    }

    /// The longest time for a thousand inputs before the test counts it as a hang.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Calls `one` with `inputs` seeds, or with a million if `DOCKIPC_LONG` is set. `DOCKIPC_SEED` sets the
    /// first seed, to repeat a failure. Returns the first seed and the sum of the results.
    pub(crate) fn many<C: Default + Send + 'static>(
        inputs: u64,
        one: fn(u64) -> C,
        plus: fn(C, C) -> C,
    ) -> (u64, C) {
        let is_long = std::env::var_os("DOCKIPC_LONG").is_some();
        let inputs = if is_long { 1_000_000 } else { inputs };
        let seed = match std::env::var("DOCKIPC_SEED") {
            Ok(seed) => seed.parse().expect("DOCKIPC_SEED is a number"),
            Err(_) => UNIX_EPOCH.elapsed().map_or(0, |now: Duration| now.as_secs() << 24),
        };
        let next = Arc::new(AtomicU64::new(0));
        let (done, finished) = channel();
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            let (next, done) = (next.clone(), done.clone());
            thread::spawn(move || {
                loop {
                    let first = next.fetch_add(1000, Relaxed);
                    if first >= inputs {
                        break;
                    }
                    let numbers = first..inputs.min(first + 1000);
                    let count = numbers.end - numbers.start;
                    let counts = numbers.map(|i| {
                        let seed = seed.wrapping_add(i);
                        let _report = ReportSeed(seed);
                        one(seed)
                    });
                    let counts = counts.fold(C::default(), plus);
                    done.send((count, counts)).expect("somebody who waits for it");
                }
            });
        }
        drop(done);
        let (mut sum, mut all) = (0, C::default());
        while sum < inputs {
            // A thread that panics sends no result for its thousand inputs.
            let counted = finished.recv_timeout(PATIENCE);
            let (count, counts) =
                counted.expect("no hang and no panic; what failed is printed above");
            sum += count;
            all = plus(all, counts);
        }
        (seed, all)
    }

    /// Prints on panic how to repeat the failing input: it is the first with this seed.
    struct ReportSeed(u64);

    impl Drop for ReportSeed {
        fn drop(&mut self) {
            if thread::panicking() {
                eprintln!("repeat it with DOCKIPC_SEED={}", self.0);
            }
        }
    }
}
