//! Hands a command to a loop of the author's, where it runs.

use std::any::Any;
use std::sync::Arc;

use super::Service;
use super::run::panicked;
use crate::answer::{Answered, Coming};
use crate::commands::Command;
use crate::error::Stopped;
use crate::later::{Later, WhenStopped};
use crate::local::{Loop, Place, Work};
use crate::param::{Apart, Args, Call, Needs};
use crate::run::{Cancel, Run};

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
    let args = service.owned(command, args, run);
    let command = Apart::new(command.name, call, args, run, later, panicked);
    to.send(Box::new(Queued { command, place: Arc::clone(to.place()) }));
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

/// A command that waits for its loop.
struct Queued {
    command: Apart,
    place: Arc<Place>,
}

impl Work for Queued {
    fn name(&self) -> &str {
        self.command.name()
    }

    fn run(self: Box<Self>, value: &mut (dyn Any + 'static)) {
        if self.command.begin() {
            self.place.note();
            self.command.call(Some(value));
        }
    }
}
