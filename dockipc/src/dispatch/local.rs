//! Hands a command to a loop of the author's, where it runs.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;

use super::Service;
use super::run::panicked;
use crate::answer::{Answered, Beginning, Coming};
use crate::caught::caught;
use crate::commands::Command;
use crate::error::{Failure, Stopped};
use crate::later::{Later, WhenStopped};
use crate::local::{Loop, Place, Work};
use crate::param::{Args, Needs, OwnedArgs, Purpose};
use crate::reply::Reply;
use crate::run::{Cancel, Run};

/// The code of a command that blocks.
type Call = fn(&Args<'_>) -> Result<Answered, Failure>;

/// The functions [`hand_over`] and [`leave`]. [`Service`] has them only if the server has a loop, so that other
/// programs do not contain their code.
pub(crate) type LocalCode = (HandOver, fn(&Service, bool));

type HandOver = fn(&Service, &Loop, &'static Command, Call, &Args<'_>, &Cancel) -> Option<Answered>;

pub(crate) const LOCAL: LocalCode = (hand_over, leave);

impl Service {
    /// Returns the loop that the command runs on, if it has one, and notes that in the command's identity.
    pub(super) fn loop_of(&self, command: &Command, run: &mut Run) -> Option<(&Loop, HandOver)> {
        let local = command.params.iter().find(|param| param.needs == Needs::Local)?;
        let (id, hand_over) = ((local.wanted)()?.id, self.local?.0);
        run.answers_later = true;
        run.local = Some((id, Later::new(WhenStopped::NotRun)));
        self.loops.get(id).map(|to| (to, hand_over))
    }
}

/// Hands a command to its loop.
fn hand_over(
    service: &Service,
    to: &Loop,
    command: &'static Command,
    call: Call,
    args: &Args<'_>,
    run: &Cancel,
) -> Option<Answered> {
    let (_, later) = run.0.local.as_ref()?;
    to.send(Box::new(Queued {
        name: command.name,
        call,
        args: service.owned(command, args, run),
        run: run.clone(),
        later: later.clone(),
        place: Arc::clone(to.place()),
    }));
    Some(Answered::Later(Coming(later.clone())))
}

/// Answers the commands whose loop is on this thread, which runs no more jobs: see [`Loops::leave`].
///
/// [`Loops::leave`]: crate::local::Loops::leave
fn leave(service: &Service, unknown: bool) {
    let left = service.loops.leave(unknown);
    if left.is_empty() {
        return;
    }
    for run in service.running.all() {
        if let Some((id, later)) = &run.local
            && left.contains(id)
            && later.abandon()
        {
            run.signal.fire(Stopped::ShuttingDown);
        }
    }
}

/// A command that waits for its loop. When it is dropped it has an answer.
struct Queued {
    name: &'static str,
    call: Call,
    args: OwnedArgs,
    run: Cancel,
    later: Later,
    place: Arc<Place>,
}

impl Queued {
    fn call(&self, value: &mut (dyn Any + 'static)) -> Result<Answered, Failure> {
        let value = Cell::new(Some(value));
        let request = self.args.request();
        let args = Args { purpose: Purpose::RunWith(&value), ..self.args.args(&request) };
        caught(|| (self.call)(&args)).unwrap_or_else(|| panicked(self.name).into())
    }
}

impl Work for Queued {
    fn name(&self) -> &str {
        self.name
    }

    fn run(self: Box<Self>, value: &mut (dyn Any + 'static)) {
        // The first notices a deadline that has just passed.
        if self.run.0.stopped().is_some() || !self.later.begin() {
            return;
        }
        self.place.note();
        let reply = match self.call(value) {
            Ok(Answered::Now(reply)) => reply,
            Err(failure) => Reply::Error(failure),
            Ok(Answered::Stream(Beginning(stream))) => return self.later.stream(stream),
            Ok(Answered::Later(Coming(later))) => {
                let why = || self.run.0.stopped().unwrap_or(Stopped::Cancelled);
                return self.later.pass(&later, why);
            }
        };
        self.later.complete(reply);
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.later.complete_with(|| {
            let stopped = self.run.0.signal.get();
            Reply::Error(stopped.map_or_else(Failure::not_taken, Stopped::not_run))
        });
    }
}
