//! The figures of docs/RELIABILITY.md, and how long a test goes on for them.

/// Whether the long forms are asked for, with `DOCKIPC_LONG`.
pub fn is_long() -> bool {
    std::env::var_os("DOCKIPC_LONG").is_some()
}

/// The short form's number or, with `DOCKIPC_LONG`, the long form's.
pub fn long<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Prints a figure; seen with `--nocapture`.
pub fn figure(what: &str, numbers: impl std::fmt::Display) {
    println!("figure: {what} | {numbers}");
}
