//! The ranges of numbers.

use crate::text::decimals::order;

/// Returns whether a range has no value outside of another one.
pub(crate) fn is_within((min, max): (&str, &str), (outer_min, outer_max): (&str, &str)) -> bool {
    order(min, outer_min).is_ge() && order(max, outer_max).is_le()
}
