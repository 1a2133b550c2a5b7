//! Warnings to the administrator.

use std::fmt;
use std::io::Write;

/// Writes one line to standard error about something that does not keep the server from starting.
pub(crate) fn warn(message: fmt::Arguments<'_>) {
    // There is no other place to report a failure of this.
    let _ = writeln!(std::io::stderr(), "dockipc: {message}");
}
