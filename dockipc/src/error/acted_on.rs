//! The error texts on which Redis clients act by themselves. The encoder of replies gives them a prefix,
//! unless the protocol prescribes the code.

/// The beginnings of error texts after which Redis clients do more than report the error: they repeat
/// the command, connect again, follow an address, or parse the text and fail.
///
/// Sources: redis-py 4 to 8 (`EXCEPTION_CLASSES`: `LOADING`, `NOAUTH`, `WRONGPASS` and three texts after
/// `ERR` are a lost connection), go-redis 9 (`shouldRetry`), redis-client for Ruby, redis-rs 1, rueidis
/// (prefixes without a blank), lettuce, jedis, ioredis and node-redis (`MOVED`, `ASK`, `READONLY`, …).
const ACTED_ON: &[&str] = &[
    "ASK",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MOVED",
    "NOAUTH",
    "NOREPLICAS",
    "NOSCRIPT",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "WRONGPASS",
    "ERR AUTH <password> called",
    "ERR Client sent AUTH",
    "ERR invalid password",
    "ERR max number of clients",
    "ERR problem with LDAP",
];

/// Returns whether Redis clients act on an error text that begins with this code, by themselves.
pub(crate) const fn is_acted_on(text: &[u8]) -> bool {
    let mut i = 0;
    while i < ACTED_ON.len() {
        if let Some((start, _)) = text.split_at_checked(ACTED_ON[i].len())
            && is_equal(start, ACTED_ON[i].as_bytes())
        {
            return true;
        }
        i += 1;
    }
    false
}

const fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < b.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
