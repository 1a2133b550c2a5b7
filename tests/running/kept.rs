//! Values that commands keep and the tests in here use.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dockipc::{Answerer, Cancel, Failure, Peer, Progress, Server, Stopped};
use tests::gate::Gate;
use tests::process::until;

/// Values that commands have put aside.
pub(super) struct Kept<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Kept<T> {
    pub(super) fn keep(&self, value: T) {
        self.0.lock().unwrap().push(value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Waits for a value and takes the earliest.
    pub(super) fn take(&self) -> T {
        until("a value", || self.len() > 0);
        self.0.lock().unwrap().remove(0)
    }
}

/// The states of the commands of this program.
#[derive(Clone, Default)]
pub(super) struct States {
    pub(super) gate: Gate,
    pub(super) reasons: Kept<Stopped>,
    pub(super) cancels: Kept<Cancel>,
    pub(super) answers: Kept<Answerer<u64>>,
    pub(super) results: Kept<Answerer<Result<u64, Failure>>>,
    pub(super) dropped: Kept<u64>,
    pub(super) peers: Kept<Peer>,
    pub(super) progress: Kept<Progress>,
}

impl States {
    /// Adds them to a server.
    pub(super) fn of(self, server: Server) -> Server {
        let Self { gate, reasons, cancels, answers, results, dropped, peers, progress } = self;
        let server = server.state(dropped).state(peers).state(progress);
        server.state(gate).state(reasons).state(cancels).state(answers).state(results)
    }
}

/// Longer than any test waits.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Waits until a command is asked to stop, and keeps the reason.
pub(super) fn wait(cancel: &Cancel, reasons: &Kept<Stopped>) -> Result<(), Stopped> {
    assert!(cancel.wait(LONG));
    let result = cancel.check();
    reasons.keep(result.unwrap_err());
    result
}
