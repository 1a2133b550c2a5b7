//! The rules for command names.

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

/// Checks a name given at run time. The macro checks the names of `#[command]`.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    let first = name.as_bytes().first();
    if !first.is_some_and(u8::is_ascii_alphanumeric) || !name.bytes().all(fits) {
        Err("use a-z, 0-9 and, after the first character, . _ : -")
    } else if name.len() > LONGEST_NAME {
        Err("use at most 64 bytes")
    } else if RESERVED.contains(&name) {
        Err("the name is reserved for the protocol")
    } else {
        Ok(())
    }
}
