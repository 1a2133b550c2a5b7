//! The parameters [`Body`] and [`AsyncBody`], and how a command with one runs.

use std::any::TypeId;
use std::sync::Arc;

use super::apart::{Apart, Call};
use super::from_request::Kind;
use super::{Args, FromRequest, Needs, OwnedArgs};
use crate::answer::{Answered, Coming};
use crate::arg::Arity;
#[cfg(feature = "tokio")]
use crate::body::AsyncBody;
use crate::body::{Body, Broken, Intake, Origin, pipe};
use crate::error::Failure;
use crate::later::{Later, WhenStopped};
use crate::reply::Reply;
use crate::run::{Cancel, Run};
use crate::workers::Workers;

/// The code of the commands with a body. It is named by their parameter alone, so that a program without one does not
/// contain it.
#[derive(Debug)]
pub(crate) struct BodyCode {
    pub(crate) begin: fn(&mut Run, Origin<'_>, Option<u64>, bool),
    pub(crate) run: RunJob,
}

type RunJob = fn(
    &'static str,
    Call,
    OwnedArgs,
    &Cancel,
    fn(&str) -> Reply,
    &Arc<dyn Workers>,
) -> Option<Answered>;

static CODE: BodyCode = BodyCode { begin, run };

/// Makes the way of the body of a command that is about to run, as a job or as a future. `max` is the most bytes.
fn begin(run: &mut Run, origin: Origin<'_>, max: Option<u64>, is_job: bool) {
    let body = pipe(origin, max);
    run.body = Some(Arc::clone(&body));
    run.signal.on_fire(Box::new(move |why| body.fail(Broken::Stopped(why))));
    if is_job {
        run.answers_later = true;
        run.local = Some((TypeId::of::<Body>(), Later::new(WhenStopped::NotRun)));
    }
}

/// Runs a command as a job: its function waits for the client to send.
fn run(
    name: &'static str,
    call: Call,
    args: OwnedArgs,
    run: &Cancel,
    panicked: fn(&str) -> Reply,
    workers: &Arc<dyn Workers>,
) -> Option<Answered> {
    let (_, later) = run.0.local.as_ref()?;
    let command = Apart::new(name, call, args, run, later, panicked);
    workers.run(
        "",
        Box::new(move || {
            if command.begin() {
                command.call(None);
            }
        }),
    );
    Some(Answered::Later(Coming(later.clone())))
}

impl Kind {
    /// The properties of a body.
    const fn body(needs: Needs) -> Self {
        Self { ty: "bytes", arity: Arity::One, needs, body: Some(&CODE), ..Self::INJECTED }
    }
}

impl<'r> FromRequest<'r> for Body {
    const KIND: Kind = Kind::body(Needs::Body);

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        // There is none while the words are only checked.
        Ok(intake(args).map_or_else(|| Self::new(&b""[..]), Self::of))
    }
}

#[cfg(feature = "tokio")]
impl<'r> FromRequest<'r> for AsyncBody {
    const KIND: Kind = Kind::body(Needs::AsyncBody);

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(intake(args).map_or_else(|| Self::new(&b""[..]), Self::of))
    }
}

fn intake(args: &Args<'_>) -> Option<Arc<dyn Intake>> {
    let Cancel(run) = args.request.run()?;
    run.body.clone()
}
