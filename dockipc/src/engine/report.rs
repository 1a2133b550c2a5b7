//! Push frames that tell a client how far its command is, if it asked for them.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::output::{Sent, send};
use crate::run::Run;
use crate::wire::Outgoing;

/// The interval of the frames.
const INTERVAL: Duration = Duration::from_millis(100);

/// Returns when to look at a command's progress after the last look, or `None` for never.
pub(super) fn next_report(run: &Run, last: Instant) -> Option<Instant> {
    run.asks_progress.then(|| last + INTERVAL)
}

/// Sends a command's progress if it is new, unless the client has not read the bytes that were sent before. `unsent`
/// has the bytes that the client gets first.
#[cold]
pub(super) fn send_report(run: &Run, socket: &OwnedFd, unsent: &mut Outgoing) {
    if let Some(report) = run.report.get()
        && send(socket, unsent) == Sent::All
    {
        report.write_new(unsent);
        send(socket, unsent);
    }
}
