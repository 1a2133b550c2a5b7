//! The ranges of numbers.

use crate::text::decimals::order;

/// Returns whether a range of integers has no value outside of another one.
pub(super) fn is_within((min, max): (&str, &str), (outer_min, outer_max): (&str, &str)) -> bool {
    order(min, outer_min).is_ge() && order(max, outer_max).is_le()
}
