//! The shortest text of a floating-point number, the same as std's. Formatting with std would link 27 KB
//! of its code and tables into every daemon.

/// Formats the shortest decimal that parses to the same number, with an exponent for very large and small
/// numbers.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, point) = match value.abs() {
        f64::INFINITY => return format!("{sign}inf"),
        0.0 => ("0".into(), 1),
        size => few_digits(size).unwrap_or_else(|| shortest(size)),
    };
    let places = point.unsigned_abs();
    match point {
        -4..=0 => format!("{sign}0.{digits:0>width$}", width = digits.len() + places),
        1..=17 if digits.len() <= places => format!("{sign}{digits:0<places$}"),
        1..=17 => format!("{sign}{}.{}", &digits[..places], &digits[places..]),
        _ => {
            let (first, more) = digits.split_at(1);
            let dot = if more.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{more}e{}", point - 1)
        }
    }
}

/// Returns the digits of a number that has at most 15 of them and up to 15 decimal places, and the place of
/// the point among them. Most numbers do, and this is faster than [`shortest`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the number is positive, exact and below 10^15"
)]
fn few_digits(size: f64) -> Option<(String, isize)> {
    let mut scale = 1.0;
    for places in 0..=15 {
        let number = (size * scale + 0.5) as u64;
        // Both are exact, so their quotient is the number that the decimal parses to.
        if number >= 10_u64.pow(15) {
            return None;
        }
        if number as f64 / scale == size {
            let digits = number.to_string();
            let point = digits.len().cast_signed() - places;
            return Some((digits.trim_end_matches('0').into(), point));
        }
        scale *= 10.0;
    }
    None
}

/// Returns the digits of a positive number, and the place of the point relative to the first of them.
#[expect(clippy::cast_possible_truncation, reason = "the exponent has eleven bits")]
fn shortest(size: f64) -> (String, isize) {
    const FIRST_BIT: u64 = 1 << 52;
    let (fraction, exponent) = (size.to_bits() % FIRST_BIT, size.to_bits() / FIRST_BIT);
    let (mantissa, power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction + FIRST_BIT, exponent.cast_signed() as isize - 1075),
    };
    // The decimals between low and high parse to this number. Its neighbors are one unit of the mantissa
    // away; the lower neighbor of a power of two only half a unit.
    let below = if fraction == 0 && exponent > 1 { 1 } else { 2 };
    let numbers = [4 * mantissa - below, 4 * mantissa, 4 * mantissa + 2];
    let [low, exact, high] = numbers.map(|quarters| decimal(quarters, power - 2));
    let is_within = |decimal: &Vec<u8>| match mantissa % 2 {
        0 => low <= *decimal && *decimal <= high,
        _ => low < *decimal && *decimal < high,
    };
    let first = high.iter().take_while(|digit| **digit == b'0').count();
    let mut down = vec![b'0'; exact.len()];
    let mut last = first;
    let found = loop {
        down[last] = exact[last];
        let is_down_within = is_within(&down);
        // Otherwise the decimal above exceeds `high`.
        if exact[..=last] < high[..=last] {
            let up = incremented(&down, last);
            let is_nearer = exact.get(last + 1).is_some_and(|digit| *digit >= b'5');
            if is_within(&up) && (is_nearer || !is_down_within) {
                break up;
            }
        }
        if is_down_within {
            break down;
        }
        last += 1;
    };
    let digits = String::from_utf8_lossy(&found[first..=last]);
    let digits = digits.trim_start_matches('0');
    let behind = exact.len() - last - 1 + digits.len();
    (digits.into(), behind.cast_signed() + (power - 2).min(0))
}

/// Adds one to the digit at this place.
fn incremented(digits: &[u8], place: usize) -> Vec<u8> {
    let mut digits = digits.to_vec();
    let mut place = place;
    while digits[place] == b'9' {
        digits[place] = b'0';
        place -= 1;
    }
    digits[place] += 1;
    digits
}

/// Returns the digits of `number * 2^power`, as an integer: times ten for each negative power. As many
/// digits for every number, with at least one zero in front.
#[inline(never)]
#[expect(clippy::cast_possible_truncation, reason = "a step is at most 29")]
fn decimal(number: u64, power: isize) -> Vec<u8> {
    const BASE: u64 = 1_000_000_000;
    // The highest powers below BASE.
    let (factor, most) = if power < 0 { (5_u64, 12) } else { (2, 29) };
    // From the lowest to the highest.
    let mut limbs = vec![number % BASE, number / BASE];
    let mut left = power.unsigned_abs();
    while left > 0 {
        let step = left.min(most);
        let factor = factor.pow(step as u32);
        let mut carry = 0;
        for limb in &mut limbs {
            let product = *limb * factor + carry;
            (*limb, carry) = (product % BASE, product / BASE);
        }
        limbs.push(carry);
        left -= step;
    }
    let mut digits = vec![b'0'; 9 * limbs.len()];
    for (digits, mut limb) in digits.rchunks_mut(9).zip(limbs) {
        for digit in digits.iter_mut().rev() {
            *digit += (limb % 10) as u8;
            limb /= 10;
        }
    }
    digits
}
