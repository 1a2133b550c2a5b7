//! Text that is put together from parts, and the text of times and of integers' ranges.

pub(crate) mod decimals;
mod integer;
mod range;
pub(crate) mod time;

use std::fmt::{self, Write};

pub(crate) use integer::Integer;
pub(crate) use range::is_within;

/// Appends a formatted part.
// Not inlined: each place with a `write!` of its own brings a copy of how a String is written to.
#[inline(never)]
pub(crate) fn append(text: &mut String, part: fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(part);
}

/// Formats a text. The crate's `format!` calls this, since that of std copies a part of itself to each
/// place.
#[inline(never)]
pub(crate) fn formatted(parts: fmt::Arguments<'_>) -> String {
    fmt::format(parts)
}

/// Parses a decimal number. Not inlined: std's parser is, at each call.
#[inline(never)]
pub(crate) fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Returns whether a word is this name, ignoring ASCII case. Not inlined: std's comparison is, at each call.
#[inline(never)]
pub(crate) fn is(word: Option<&[u8]>, name: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Returns whether a word is one of these names. Not inlined, since the loop would be unrolled.
#[inline(never)]
pub(crate) fn is_one_of(word: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| is(Some(word), name))
}

/// Joins texts, and trims what is joined.
#[inline(never)]
pub(crate) fn joined(texts: &mut dyn Iterator<Item = &str>, between: &str) -> String {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push_str(between);
        }
        joined.push_str(text);
    }
    joined.trim_ascii().to_owned()
}
