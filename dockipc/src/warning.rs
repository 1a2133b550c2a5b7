//! Warnings to the administrator.

use std::fmt;
use std::io::Write;

/// Writes a warning to standard error, as one line.
#[inline(never)]
pub(crate) fn warn(message: fmt::Arguments<'_>) {
    // A failure could not be reported anywhere else.
    let _ = writeln!(std::io::stderr(), "dockipc: {message}");
}
