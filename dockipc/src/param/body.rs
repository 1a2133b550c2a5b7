//! The parameters [`Body`] and [`AsyncBody`], and how a command with one runs.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;

use super::apart::{Apart, Call};
use super::from_request::Kind;
use super::{Args, FromRequest, Needs, OwnedArgs};
use crate::answer::{Answered, Coming};
use crate::arg::{Arity, usage};
#[cfg(feature = "tokio")]
use crate::body::AsyncBody;
use crate::body::{Body, Bounds, Broken, Content, Form, Intake, Origin, pipe};
use crate::error::Failure;
use crate::later::{Later, WhenStopped};
use crate::reply::{Reply, ReplyType};
use crate::run::{Cancel, Run};
use crate::workers::Workers;

/// The code of the commands with a body. It is named by their parameter alone, so that a program without one does not
/// contain it.
#[derive(Debug)]
pub(crate) struct BodyCode {
    pub(crate) begin: fn(&mut Run, Origin<'_>, Bounds, bool),
    pub(crate) run: RunJob,
    /// The type of the items; none for bytes.
    pub(crate) items: Option<&'static ReplyType>,
}

type RunJob = fn(
    &'static str,
    Call,
    OwnedArgs,
    &Cancel,
    fn(&str) -> Reply,
    &Arc<dyn Workers>,
) -> Option<Answered>;

/// The code for bodies of a type.
struct CodeOf<T: ?Sized>(PhantomData<T>);

impl<T: Content + ?Sized> CodeOf<T> {
    const CODE: &'static BodyCode = &BodyCode { begin, run, items: T::ITEMS };
}

/// Makes the way of the body of a command that is about to run, as a job or as a future.
fn begin(run: &mut Run, origin: Origin<'_>, bounds: Bounds, is_job: bool) {
    let body = pipe(origin, bounds);
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
    const fn body(needs: Needs, code: &'static BodyCode) -> Self {
        let ty = if code.items.is_some() { "items" } else { "bytes" };
        Self { ty, arity: Arity::One, needs, body: Some(code), ..Self::INJECTED }
    }
}

impl<'r, T: Content + ?Sized> FromRequest<'r> for Body<T> {
    const KIND: Kind = Kind::body(Needs::Body, CodeOf::<T>::CODE);

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(intake::<T>(args)?.map_or_else(Self::empty, Self::of))
    }
}

#[cfg(feature = "tokio")]
impl<'r, T: Content + ?Sized> FromRequest<'r> for AsyncBody<T> {
    const KIND: Kind = Kind::body(Needs::AsyncBody, CodeOf::<T>::CODE);

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(intake::<T>(args)?.map_or_else(Self::empty, Self::of))
    }
}

/// Returns the body that comes. There is none while the words are only checked.
fn intake<T: Content + ?Sized>(args: &Args<'_>) -> Result<Option<Arc<dyn Intake>>, Failure> {
    let Some(Cancel(run)) = args.request.run() else { return Ok(None) };
    let Some(body) = &run.body else { return Ok(None) };
    if T::ITEMS.is_none() && body.form() == Form::Values {
        return Err(usage("the body is bytes, and not items: send it as bytes"));
    }
    Ok(Some(Arc::clone(body)))
}
