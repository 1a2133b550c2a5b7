//! The rules for command names.

use crate::text::is_one_of;

/// The most bytes of a name.
pub(super) const LONGEST_NAME: usize = 64;

/// The names reserved for the protocol. The macro crate has the same list, and a test compares them.
pub(crate) const RESERVED: &[&str] = &[
    "acl",
    "auth",
    "client",
    "command",
    "config",
    "dockipc",
    "hello",
    "latency",
    "monitor",
    "psubscribe",
    "psync",
    "publish",
    "pubsub",
    "punsubscribe",
    "quit",
    "reset",
    "select",
    "slowlog",
    "spublish",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "unsubscribe",
];

/// Checks a name given at run time, of one word or two. The macro checks the names of `#[command]`.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    let is_word = |word: &str| {
        word.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && word.bytes().all(fits)
    };
    let (first, second) = name.split_once(' ').map_or((name, None), |(a, b)| (a, Some(b)));
    if !is_word(first) || !second.is_none_or(is_word) {
        Err("use one word or two of a-z, 0-9 and, after the first character, . _ : -")
    } else if name.len() > LONGEST_NAME {
        Err("use at most 64 bytes")
    } else if is_one_of(first.as_bytes(), RESERVED) {
        Err("the name is reserved for the protocol")
    } else {
        Ok(())
    }
}

pub(super) const fn first_word(name: &str) -> &str {
    let mut end = 0;
    while end < name.len() && name.as_bytes()[end] != b' ' {
        end += 1;
    }
    name.split_at(end).0
}
