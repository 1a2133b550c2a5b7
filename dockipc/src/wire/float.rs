//! The shortest text of a floating-point number, the same as std's. Formatting with std would link 27 KB
//! of its code and tables into every daemon.

#![expect(clippy::cast_possible_truncation, reason = "products are cut into words of 64 bits")]

/// Formats the shortest decimal that parses to the same number, with an exponent for very large and small
/// numbers.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (number, power) = match value.abs() {
        f64::INFINITY => return format!("{sign}inf"),
        0.0 => (0, 0),
        size => shortest(size),
    };
    let digits = number.to_string();
    let (digits, point) = (digits.trim_end_matches('0'), digits.len().cast_signed() + power);
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

/// Returns the shortest decimal that parses to a positive number, as an integer and a power of ten. Of several
/// decimals, it is the nearest.
///
/// This is Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles".
fn shortest(size: f64) -> (u64, isize) {
    const FIRST_BIT: u64 = 1 << 52;
    let (fraction, exponent) = (size.to_bits() % FIRST_BIT, (size.to_bits() / FIRST_BIT) as i32);
    let (mantissa, power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction + FIRST_BIT, exponent - 1075),
    };
    // Decimals within half a unit of the mantissa parse to this number. Below a power of two, where the
    // next number is nearer, within a quarter.
    let is_nearer = fraction == 0 && exponent > 1;
    let below = if is_nearer { 1 } else { 2 };
    // The power of ten of the unit in the last place: the quotients are log10(2) and log10(4/3).
    let unit = (power * 1_262_611 - if is_nearer { 524_031 } else { 0 }) >> 22;
    // With log2(10), so that the numbers below have few bits in front of the point.
    let shift = power + ((-unit * 1_741_647) >> 19) + 1;
    let scale = power_of_ten(-unit);
    let [low, exact, high] = [4 * mantissa - below, 4 * mantissa, 4 * mantissa + 2]
        .map(|quarters| scaled(scale, quarters << shift));
    // The bounds themselves parse to an even mantissa.
    let odd = mantissa % 2;
    let is_within = |number: u64| low + odd <= 4 * number && 4 * number <= high - odd;
    let number = exact / 4;
    let tens = number / 10;
    let (down, up) = (is_within(10 * tens), is_within(10 * tens + 10));
    if tens > 0 && down != up {
        return (tens + u64::from(up), unit as isize + 1);
    }
    let (down, up) = (is_within(number), is_within(number + 1));
    // In the middle between both, std chooses the upper one.
    let is_up = if down == up { exact >= 4 * number + 2 } else { up };
    (number + u64::from(is_up), unit as isize)
}

/// Returns a product without its lowest 128 bits; the last bit tells whether they had any.
fn scaled(scale: u128, number: u64) -> u64 {
    let (high, low) = ((scale >> 64) as u64, scale as u64);
    let low = (u128::from(low) * u128::from(number)) >> 64;
    let product = u128::from(high) * u128::from(number) + low;
    (product >> 64) as u64 | u64::from(product as u64 > 1)
}

/// Returns the first 128 bits of a power of ten from -292 to 324, rounded up. `tests/floats.rs` compares
/// each with the exact power.
pub(super) fn power_of_ten(power: i32) -> u128 {
    /// The first 192 bits of 10^-304, the lowest first.
    const SMALLEST: [u64; 3] =
        [0x855a_bfaa_06f9_495a, 0x9ff0_c08b_7f1d_0b14, 0x8c71_dcd9_ba0b_4925];

    let (mut limbs, mut left) =
        if power < 0 { (SMALLEST, power + 304) } else { ([0, 0, 1 << 63], power) };
    while left > 0 {
        let step = left.min(19);
        let factor = u128::from(10_u64.pow(step.unsigned_abs()));
        let mut carry = 0;
        for limb in &mut limbs {
            let product = u128::from(*limb) * factor + carry;
            (*limb, carry) = (product as u64, product >> 64);
        }
        let [a, b, c] = limbs;
        let d = carry as u64;
        // Not zero, since the factor is at least ten.
        let zeros = d.leading_zeros();
        let join = |high: u64, low: u64| {
            ((u128::from(high) << 64 | u128::from(low)) << zeros >> 64) as u64
        };
        limbs = [join(b, a), join(c, b), join(d, c)];
        left -= step;
    }
    let [a, b, c] = limbs;
    (u128::from(c) << 64 | u128::from(b)) + u128::from(a != 0)
}
