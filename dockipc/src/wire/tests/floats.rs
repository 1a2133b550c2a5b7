//! The text of a floating-point number is that of std.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the numbers are random"
)]

use crate::fuzzing::dice::Dice;
use crate::wire::float::power_of_ten;
use crate::wire::float_text;

fn by_std(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "nan".into()
    } else if size == 0.0 || size.is_infinite() || (1e-5..1e17).contains(&size) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

#[track_caller]
fn same(value: f64) {
    for value in [value, -value] {
        assert_eq!(float_text(value), by_std(value), "bits {:#x}", value.to_bits());
    }
}

/// A number and its neighbors, as far as they are positive.
#[track_caller]
fn same_around(value: f64) {
    for bits in value.to_bits().saturating_sub(2)..=value.to_bits() + 2 {
        same(f64::from_bits(bits));
    }
}

#[test]
fn special_numbers_have_std_text() {
    for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, f64::EPSILON] {
        same(value);
    }
}

#[test]
fn powers_of_two_have_std_text() {
    for exponent in 0..=2046_u64 {
        same_around(f64::from_bits(exponent << 52));
        same_around(f64::from_bits(exponent << 52 | 1 << 51));
    }
}

#[test]
fn powers_of_ten_have_std_text() {
    for exponent in -324..=308 {
        for factor in ["1", "5", "9", "9.5", "25", "1.234567"] {
            let value: f64 = format!("{factor}e{exponent}").parse().unwrap();
            if value.is_finite() {
                same_around(value);
            }
        }
    }
}

#[test]
fn random_numbers_have_std_text() {
    let mut dice = Dice(1);
    for _ in 0..20_000 {
        let bits = dice.next();
        same(f64::from_bits(bits));
        // Subnormal.
        same(f64::from_bits(bits >> (12 + dice.next() % 52)));
        let whole = bits >> (dice.next() % 64);
        same(whole as f64);
        // Halves and other fractions of few bits.
        same(whole as f64 + 0.5);
        same(whole as f64 / (1_u64 << (dice.next() % 20)) as f64);
        // Few digits.
        same((bits % 1_000_000) as f64 / 10_f64.powi((dice.next() % 12) as i32));
        same(f64::from(f32::from_bits(bits as u32)));
    }
}

/// A large number, the lowest digits first.
struct Large(Vec<u32>);

impl Large {
    fn new(number: u128) -> Self {
        Self((0..4).map(|i| (number >> (32 * i)) as u32).collect())
    }

    fn times_ten(mut self, times: i32) -> Self {
        for _ in 0..times {
            let mut carry = 0;
            for digit in &mut self.0 {
                let product = u64::from(*digit) * 10 + carry;
                (*digit, carry) = (product as u32, product >> 32);
            }
            self.0.push(carry as u32);
        }
        self
    }

    /// Returns the bits, the highest first.
    fn bits(&self) -> Vec<bool> {
        let bits =
            self.0.iter().rev().flat_map(|digit| (0..32).rev().map(move |i| digit >> i & 1 == 1));
        bits.skip_while(|bit| !bit).collect()
    }
}

#[test]
fn powers_of_ten_are_exact_numbers_rounded_up() {
    for power in 0..=324 {
        let exact = Large::new(1).times_ten(power).bits();
        let first =
            (0..128).fold(0, |number, i| number << 1 | u128::from(exact.get(i) == Some(&true)));
        let rest = exact.iter().skip(128).any(|bit| *bit);
        assert_eq!(power_of_ten(power), first + u128::from(rest), "10^{power}");
    }
    for power in 1..=292 {
        // The least number whose product with 10^power reaches a power of two.
        let found = power_of_ten(-power);
        let [product, less] =
            [found, found - 1].map(|n| Large::new(n).times_ten(power).bits().len());
        assert!(found >> 127 == 1 && less < product, "10^-{power}");
    }
}
