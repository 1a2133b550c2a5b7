//! The rules of names.

/// The longest name.
const LONGEST_NAME: usize = 64;

/// The words that the protocol itself needs, so that no command can be named so. The macro crate has
/// the same list, and a test compares them.
pub(crate) const RESERVED: &[&str] = &[
    "auth",
    "client",
    "command",
    "config",
    "dockipc",
    "hello",
    "monitor",
    "psubscribe",
    "psync",
    "publish",
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

/// Checks a name that was given at run time; the macro checks the others.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    let first = name.as_bytes().first();
    if !first.is_some_and(u8::is_ascii_alphanumeric) || !name.bytes().all(fits) {
        Err("a name has a-z, 0-9, and then also . _ : -")
    } else if name.len() > LONGEST_NAME {
        Err("a name has at most 64 bytes")
    } else if RESERVED.contains(&name) {
        Err("the protocol needs this word")
    } else {
        Ok(())
    }
}
