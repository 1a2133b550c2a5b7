//! `--wait`: repeats an attempt to reach the daemon until it answers.

use std::thread;
use std::time::{Duration, Instant};

use super::error::{CliError, note};
use super::exit::Exit;
use crate::client::{Client, Deadline};
use crate::error::{Error, code};
use crate::reply::Reply;

/// The pause between two attempts, which doubles from the first value to the second: a start is
/// noticed soon, and a long wait uses no CPU.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(250)];

/// How long a permission error may be that of a daemon that starts: the mode is set after the socket
/// was created.
const PERMISSION_DELAY: Duration = Duration::from_secs(1);

/// The wait for a daemon.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub(super) end: Option<Deadline>,
}

/// Why an attempt failed.
pub(super) enum Failed {
    /// The daemon may be starting.
    ForNow(CliError),
    ForGood(CliError),
}

impl Wait {
    /// Begins to wait, for the time that `--wait` gives and at most until the deadline.
    pub(super) fn new(time: Option<Duration>, deadline: Option<Deadline>) -> Self {
        Self { end: Deadline::earlier(time.and_then(Deadline::after), deadline) }
    }

    /// Repeats the attempt while it fails for now.
    pub(super) fn attempt<T>(
        self,
        mut attempt: impl FnMut() -> Result<T, Failed>,
    ) -> Result<T, CliError> {
        let [mut pause, longest] = PAUSES;
        let (mut cause, mut denied_since) = (None, None);
        loop {
            let error = match attempt() {
                Ok(reached) => return Ok(reached),
                Err(Failed::ForGood(error)) => return Err(error),
                Err(Failed::ForNow(error)) => error,
            };
            if error.exit != Exit::NoPermission {
                denied_since = None;
            } else if denied_since.get_or_insert_with(Instant::now).elapsed() > PERMISSION_DELAY {
                return Err(error);
            }
            if cause.is_none() {
                note(format_args!("waiting: {}", error.text()));
            }
            // The last attempt may fail only because the time is over.
            let is_over = self.end.filter(|end| end.left() < pause);
            if is_over.is_none() || cause.is_none() || error.exit != Exit::TimedOut {
                cause = Some(error);
            }
            if let Some(end) = is_over {
                thread::sleep(end.left());
                let why = cause.as_ref().map_or("", CliError::text);
                let text = format!("timed out after {:?} waiting for the daemon: {why}", end.limit);
                return Err(CliError::new(text, Exit::TimedOut));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }

    /// Asks the daemon once whether it is there. A refusal is an answer too.
    pub(super) fn ask(self, client: &Client) -> Result<(), Failed> {
        // HELLO, since a command of the author may have an effect.
        // Silence is that of a daemon that starts.
        let client = client.clone().until(self.end).only_dockipc(true);
        match client.command("hello").call::<Reply>() {
            Err(Error::Refused(failure)) if failure.code() == code::SHUTDOWN => {
                Err(Failed::ForNow(Error::Refused(failure).into()))
            }
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(
                error @ (Error::NoSocket { .. }
                | Error::Stale { .. }
                | Error::Permission { .. }
                | Error::TimedOut { .. }
                | Error::CutOff { .. }),
            ) => Err(Failed::ForNow(error.into())),
            Err(error) => Err(Failed::ForGood(error.into())),
        }
    }
}

impl From<Failed> for CliError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::ForNow(error) | Failed::ForGood(error) => error,
        }
    }
}
