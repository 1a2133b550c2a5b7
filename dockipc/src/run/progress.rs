//! [`Progress`], the parameter by which a command tells how far it is.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Run;
use crate::peer::Peer;
use crate::reply::{IntoReply, Reply};
use crate::wire::{Outgoing, Protocol, encode};

/// Tells the caller how far the command is; injected as a parameter.
///
/// Our client passes it to the function of `on_progress`, and `dockipc call` draws a bar on a terminal. The caller
/// gets the latest progress, at most 10 times a second, and the last one before the answer. If it did not ask, as no
/// other client can, the methods do nothing.
///
/// ```standalone_crate
/// use dockipc::{Cancel, Progress, Stopped, command};
///
/// /// Index the documents.
/// #[command]
/// fn index(documents: Vec<String>, progress: Progress, cancel: Cancel) -> Result<usize, Stopped> {
///     for (done, document) in documents.iter().enumerate() {
///         cancel.check()?;
///         progress.set(done as u64, documents.len() as u64);
///         progress.say(document);
///         // …
///     }
///     Ok(documents.len())
/// }
///
/// // As a function it takes one that goes nowhere.
/// assert_eq!(index(vec!["a".into()], Progress::new(), Cancel::new()), Ok(1));
/// ```
///
/// Clones report the same command's progress. After the command's answer nothing is reported.
#[derive(Clone)]
pub struct Progress(pub(crate) Arc<Run>);

impl Progress {
    /// Makes one that goes nowhere, for a test that calls the command's function.
    pub fn new() -> Self {
        Self(Arc::new(Run::new(0, "", 0, &Peer::unknown())))
    }

    /// Reports how much is done, and how much there is in all, if that is known: a number or `None`. The unit is the
    /// command's own.
    pub fn set(&self, done: u64, total: impl Into<Option<u64>>) {
        if let Some(report) = self.0.report.get() {
            report.set(done, total.into());
        }
    }

    /// Reports what the command is doing, such as the name of a file. It is formatted only if the caller asked.
    pub fn say(&self, text: impl fmt::Display) {
        if let Some(report) = self.0.report.get() {
            report.say(&text);
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

/// The progress of one command whose caller asked for it. A program without a [`Progress`] parameter does not have
/// this code.
pub(crate) trait Report: Send + Sync {
    fn set(&self, done: u64, total: Option<u64>);

    fn say(&self, text: &dyn fmt::Display);

    /// Appends the push frame that tells the progress, unless that was done before.
    fn write_new(&self, out: &mut Outgoing);
}

/// The latest progress.
#[derive(Default)]
pub(crate) struct Latest(
    /// Invariant: no code of the author's runs while this is locked.
    Mutex<State>,
);

#[derive(Default)]
struct State {
    done: u64,
    total: Option<u64>,
    text: Option<String>,
    is_new: bool,
}

impl Latest {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report for Latest {
    fn set(&self, done: u64, total: Option<u64>) {
        let mut state = self.lock();
        (state.done, state.total, state.is_new) = (done, total, true);
    }

    fn say(&self, text: &dyn fmt::Display) {
        let text = Some(text.to_string());
        let mut state = self.lock();
        (state.text, state.is_new) = (text, true);
    }

    fn write_new(&self, out: &mut Outgoing) {
        let mut state = self.lock();
        if !std::mem::take(&mut state.is_new) {
            return;
        }
        let values =
            [state.done.into_reply(), state.total.into_reply(), state.text.clone().into_reply()];
        drop(state);
        encode::length(b'>', 3, out.tail());
        encode::bulk(b"dockipc", out.tail());
        encode::bulk(b"progress", out.tail());
        encode::reply(Reply::List(values.into()), Protocol::Resp3, out);
    }
}
