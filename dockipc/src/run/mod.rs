//! [`Run`], one command that runs: its identity, and whether it has been asked to stop.
//!
//! A quick command has no `Run`. One is made for a command that takes a [`Cancel`], a [`Deadline`], a [`Progress`]
//! or a [`Stop`], and for one that answers later.

mod cancel;
mod deadline;
mod once;
mod progress;
mod signal;
mod stop;

use std::any::TypeId;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::body::Intake;
use crate::error::Stopped;
use crate::later::{ItemForm, Later};
use crate::peer::Peer;

pub use self::cancel::Cancel;
pub use self::deadline::Deadline;
pub use self::once::Once;
pub(crate) use self::once::{OnceCall, Token, hash};
pub use self::progress::Progress;
pub(crate) use self::progress::{Latest, Report};
pub(crate) use self::signal::Signal;
pub use self::stop::Stop;

/// One command that runs.
pub(crate) struct Run {
    /// Unique in the process. Ids are not in the order of time.
    pub(crate) id: u64,
    pub(crate) name: Box<str>,
    pub(crate) connection: u64,
    pub(crate) peer: Peer,
    pub(crate) since: Instant,
    /// The time until which the caller waits for the answer.
    pub(crate) deadline: Option<Instant>,
    /// The caller cancels the command by ending its side of the connection. Otherwise this means only that
    /// no other command follows.
    pub(crate) ends_with_input: bool,
    /// The form in which the caller takes a stream; none if as one answer.
    pub(crate) stream: Option<ItemForm>,
    /// A parameter of the command listens to the signal, or the command is dropped by it.
    pub(crate) listens: bool,
    /// The command is asked to stop as soon as the server stops: it is a stream that listens.
    pub(crate) ends_at_stop: bool,
    /// The command's answer may come after its function has returned.
    pub(crate) answers_later: bool,
    /// The type of the author's value, and the answer, if the command runs on the author's thread. A command with a
    /// body, which runs as a job, has the type of that.
    pub(crate) local: Option<(TypeId, Later)>,
    pub(crate) signal: Signal,
    /// The call's token. The command then does not stop when its client leaves: a repeat of the call waits for it.
    pub(crate) once: Option<OnceCall>,
    /// The caller is told the command's progress, and a parameter of the command reports it.
    pub(crate) asks_progress: bool,
    /// That progress, once the parameter is made.
    pub(crate) report: OnceLock<Box<dyn Report>>,
    /// The bytes that the client sends after the command, if it takes them.
    pub(crate) body: Option<Arc<dyn Intake>>,
    /// The server stops when the command is answered.
    stops_server: AtomicBool,
    /// Where the command is in the table of running ones. Read and written with the table locked.
    place: AtomicUsize,
}

impl Run {
    pub(crate) fn new(id: u64, name: &str, connection: u64, peer: &Peer) -> Self {
        Self {
            id,
            name: name.into(),
            connection,
            peer: peer.clone(),
            since: Instant::now(),
            deadline: None,
            ends_with_input: false,
            stream: None,
            listens: false,
            ends_at_stop: false,
            answers_later: false,
            local: None,
            signal: Signal::default(),
            once: None,
            asks_progress: false,
            report: OnceLock::new(),
            body: None,
            stops_server: AtomicBool::new(false),
            place: AtomicUsize::new(0),
        }
    }

    /// Returns whether a request to stop ends the command. Otherwise it runs on, and its client is told so.
    pub(crate) fn is_heard(&self) -> bool {
        self.listens || self.local.as_ref().is_some_and(|(_, later)| later.is_queued())
    }

    /// Returns whether the command waits: for its thread, or for an answer that comes later.
    pub(crate) fn is_waiting(&self) -> bool {
        let runs = self.local.as_ref().is_some_and(|(_, later)| later.runs());
        self.answers_later && !runs
    }

    /// Returns why the command is to stop, if it is. Notices a deadline that has just passed.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        let is_late = || self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        if self.signal.get().is_none() && is_late() {
            self.signal.fire(Stopped::TimedOut);
        }
        self.signal.get()
    }

    /// Waits for the signal or the deadline. Returns the reason, or `None` if the time has passed.
    pub(crate) fn wait(&self, limit: Duration) -> Option<Stopped> {
        let until_deadline =
            self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = until_deadline.map_or(limit, |left| left.min(limit));
        self.signal.wait(limit).or_else(|| self.stopped())
    }

    /// `Relaxed`: read by the thread that has taken the command's answer, which happens after this.
    pub(crate) fn stop_server(&self) {
        self.stops_server.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stops_server(&self) -> bool {
        self.stops_server.load(Ordering::Relaxed)
    }

    /// `Relaxed`, as in [`set_place`](Self::set_place): the table's lock orders them.
    pub(crate) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    pub(crate) fn set_place(&self, place: usize) {
        self.place.store(place, Ordering::Relaxed);
    }
}
