//! [`Apart`], a command whose function runs apart from its connection's turn: on a loop of the author's, or as a job.

use std::any::Any;
use std::cell::Cell;

use super::{Args, OwnedArgs, Purpose};
use crate::answer::{Answered, Beginning, Coming};
use crate::caught::caught;
use crate::error::{Failure, Stopped};
use crate::later::Later;
use crate::reply::Reply;
use crate::run::Cancel;

/// The code of a command that blocks.
pub(crate) type Call = fn(&Args<'_>) -> Result<Answered, Failure>;

/// A command whose function runs apart from its connection's turn. When it is dropped it has an answer.
pub(crate) struct Apart {
    name: &'static str,
    call: Call,
    args: OwnedArgs,
    run: Cancel,
    /// The answer. While the command has not begun it ends with the request to stop.
    later: Later,
    /// Returns the answer of code that has panicked.
    panicked: fn(&str) -> Reply,
}

impl Apart {
    pub(crate) fn new(
        name: &'static str,
        call: Call,
        args: OwnedArgs,
        run: &Cancel,
        later: &Later,
        panicked: fn(&str) -> Reply,
    ) -> Self {
        Self { name, call, args, run: run.clone(), later: later.clone(), panicked }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether the command may begin: it was not asked to stop.
    pub(crate) fn begin(&self) -> bool {
        // The first notices a deadline that has just passed.
        self.run.0.stopped().is_none() && self.later.begin()
    }

    /// Calls the function, with the value of the author's thread if it runs there, and gives its answer.
    pub(crate) fn call(&self, value: Option<&mut (dyn Any + 'static)>) {
        let (has_value, value) = (value.is_some(), Cell::new(value));
        let purpose = if has_value { Purpose::RunWith(&value) } else { Purpose::Run };
        let request = self.args.request();
        let args = Args { purpose, ..self.args.args(&request) };
        match caught(|| (self.call)(&args)).unwrap_or_else(|| (self.panicked)(self.name).into()) {
            Ok(Answered::Now(reply)) => drop(self.later.complete(reply)),
            Err(failure) => drop(self.later.complete(Reply::Error(failure))),
            Ok(Answered::Stream(Beginning(stream))) => self.later.stream(stream),
            Ok(Answered::Later(Coming(later))) => {
                let why = || self.run.0.stopped().unwrap_or(Stopped::Cancelled);
                self.later.pass(&later, why);
            }
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.later.complete_with(|| {
            let stopped = self.run.0.signal.get();
            Reply::Error(stopped.map_or_else(Failure::not_taken, Stopped::not_run))
        });
    }
}
