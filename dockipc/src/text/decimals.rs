//! The order of integers of any length, as decimals.

use std::cmp::Ordering;

/// Compares two decimals, which have no leading zeros.
pub(crate) fn order(a: &str, b: &str) -> Ordering {
    let magnitudes = |a: &str, b: &str| (a.len(), a).cmp(&(b.len(), b));
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => magnitudes(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => magnitudes(a, b),
    }
}

/// Returns an integer without a plus sign and leading zeros, or `None` if the text is none.
pub(crate) fn normal(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => [sign, digits].concat(),
    })
}

#[cfg(test)]
mod tests {
    use super::{normal, order};

    #[test]
    fn decimals_are_compared_as_numbers() {
        let numbers = ["-340282366920938463463374607431768211455", "-10", "-9", "0", "9", "10"];
        for (i, a) in numbers.iter().enumerate() {
            for (j, b) in numbers.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn normal_integer_has_no_zeros_in_front() {
        for (text, expected) in [
            ("0", Some("0")),
            ("-000", Some("0")),
            ("+007", Some("7")),
            ("-0100", Some("-100")),
            ("", None),
            ("-", None),
            ("1.5", None),
            ("seven", None),
        ] {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
    }
}
