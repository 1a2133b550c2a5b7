//! The figures of docs/RELIABILITY.md, and the long forms of tests that measure them.

/// Returns whether the long forms of tests are enabled, with `DOCKIPC_LONG`.
pub fn is_long() -> bool {
    std::env::var_os("DOCKIPC_LONG").is_some()
}

/// Returns `short` or, with `DOCKIPC_LONG`, `long`.
pub fn long<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Prints a figure, which `--nocapture` shows.
pub fn figure(what: &str, numbers: impl std::fmt::Display) {
    println!("figure: {what} | {numbers}");
}
