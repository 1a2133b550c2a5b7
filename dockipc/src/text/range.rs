//! The ranges of integers, which are decimals of any length.

use std::cmp::Ordering;

/// Returns whether a range has no value outside of another one.
pub(crate) fn is_within((min, max): (&str, &str), (outer_min, outer_max): (&str, &str)) -> bool {
    order(min, outer_min).is_ge() && order(max, outer_max).is_le()
}

/// Compares two decimals, which have no leading zeros.
fn order(a: &str, b: &str) -> Ordering {
    let magnitudes = |a: &str, b: &str| (a.len(), a).cmp(&(b.len(), b));
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => magnitudes(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => magnitudes(a, b),
    }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn decimals_are_compared_as_numbers() {
        let numbers = ["-340282366920938463463374607431768211455", "-10", "-9", "0", "9", "10"];
        for (i, a) in numbers.iter().enumerate() {
            for (j, b) in numbers.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
