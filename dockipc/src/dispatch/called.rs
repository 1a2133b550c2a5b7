//! A subscription to a call, `PSUBSCRIBE "tail /var/log/x"`: a Redis client gets the items of a command's stream as
//! messages.
//!
//! The command goes the way of each other one, [`Service::dispatch`], in a job: the connection serves its client
//! meanwhile, and takes the items when it can send them.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::outcome::{Outcome, Pending};
use super::run::{Begin, Executor, Runner};
use super::{Service, call::with_usage};
use crate::arg::Quoted;
use crate::builtin::check_line;
use crate::commands::{Entry, Runnable, Speed, Target};
use crate::error::{Failure, Stopped, code};
use crate::events::Called;
use crate::later::{Bell, Bells, Given};
use crate::param::{Args, Purpose, Scratch, Unbound, Way};
use crate::reply::Reply;
use crate::request::Request;
use crate::run::Cancel;
use crate::session::Session;
use crate::wire::{Frame, Outgoing, Protocol, encode};
use crate::workers::{Job, Workers};

/// The code for subscriptions to calls. It is reached through this value, so that programs without streams do not
/// contain it.
pub(crate) struct Calls {
    pub(super) check: Check,
    pub(super) begin: CallBegin,
}

/// Begins a call, whose connection has this bell and token.
type CallBegin = fn(&Session, &[u8], bool, (&Weak<dyn Bells>, u64)) -> Option<Box<dyn Called>>;

/// Checks whether a client may subscribe to a call. The error is the answer, if it can be given now.
type Check = fn(&Service, &Session, &[u8], &mut dyn Executor) -> Result<(), Option<Reply>>;

pub(crate) static CALLS: Calls = Calls { check, begin };

impl Service {
    pub(super) fn calls(&self) -> Option<&'static Calls> {
        self.states.calls.get()?.downcast_ref()
    }
}

fn check(
    service: &Service,
    session: &Session,
    call: &[u8],
    executor: &mut dyn Executor,
) -> Result<(), Option<Reply>> {
    let refuse = |failure| Err(Some(Reply::Error(failure)));
    let line = match check_line(call, service.config.limits.line) {
        Ok(line) => line,
        Err(failure) => return refuse(failure),
    };
    let mut scratch = Scratch::default();
    let frame = Frame::Line { len: line.len() };
    let mut unbound = Unbound::new(line, frame, &mut scratch);
    if let Err(failure) = unbound.read_name() {
        return refuse(failure);
    }
    let (id, entry) = match service.find_command(session, &mut unbound) {
        Ok(Some(found)) => found,
        Ok(None) => return refuse(service.unknown(session, &mut unbound)),
        Err(failure) => return refuse(failure),
    };
    let what = Runnable::Command(id);
    let is_offered = service.table.is_offered(session.socket, what);
    let policy = is_offered.then_some(&entry.policy);
    if !policy.is_some_and(|policy| policy.allows(&session.credentials())) {
        let case = service.audit.as_ref().map(|audit| {
            let caller = (&session.peer, session.id);
            audit.case(caller, false, policy, Some(entry.declared_name()))
        });
        let (speed, protocol) = (&entry.speed, session.protocol);
        let hooks = service.hooks.as_deref();
        let mut runner = Runner { executor, what, speed, protocol, case: case.as_ref(), hooks };
        return Err(service.deny(session, Some(entry), policy, &mut unbound, &mut runner));
    }
    let (command, shape) = match entry {
        Entry { target: Target::Command(command), shape, .. } if command.is_stream() => {
            (command, shape)
        }
        _ => return refuse(not_a_stream(unbound.name().unwrap_or_default())),
    };
    if !command.idempotent {
        let name = Quoted(unbound.name().unwrap_or_default());
        let why = format_args!(
            "{name} can't be subscribed to: it is not marked idempotent, and clients subscribe again by themselves after a lost connection"
        );
        return refuse(Failure::new(code::USAGE, why));
    }
    if command.params.iter().any(|param| param.body.is_some()) {
        let name = Quoted(unbound.name().unwrap_or_default());
        let why = format_args!("{name} can't be subscribed to: it takes a body; call it");
        return refuse(Failure::new(code::USAGE, why));
    }
    let usage = |failure| Some(with_usage(command, failure));
    unbound.bind(command.params, shape).map_err(usage)?;
    let bound = unbound.found();
    let request = Request::new(command.name, bound.words, service.caller(session), true);
    let (options, params) = (bound.options, command.params);
    let args = Args { request: &request, options, params, purpose: Purpose::Check };
    let mut params = params.iter().enumerate();
    let missing = params
        .find(|(i, param)| !param.is_optional() && param.way != Way::Injected && !args.has(*i));
    missing.map_or(Ok(()), |(_, param)| Err(usage(param.is_missing())))
}

/// Returns the failure of a subscription to a command that does not stream.
pub(super) fn not_a_stream(name: &[u8]) -> Failure {
    let name = Quoted(name);
    Failure::new(code::USAGE, format_args!("{name} is not a stream; call it"))
}

fn begin(
    session: &Session,
    call: &[u8],
    is_pattern: bool,
    (bells, token): (&Weak<dyn Bells>, u64),
) -> Option<Box<dyn Called>> {
    // Without an engine there is no connection.
    let engine = bells.upgrade()?;
    let service = engine.service().downcast::<Service>().ok()?;
    let charge = Arc::new(Mutex::new(None));
    let workers: Arc<dyn Workers> = Arc::new(Charging {
        workers: Arc::clone(&engine).workers(),
        charge: Arc::downgrade(&charge),
    });
    let names =
        Names { call: call.into(), is_pattern, is_push: session.protocol == Protocol::Resp3 };
    let bell: Arc<dyn Bell> = Arc::new(OneBell { bells: bells.clone(), token });
    let slot = Arc::new(Slot { state: Mutex::default(), bell: Arc::clone(&bell) });
    let mut called = Box::new(CalledCommand {
        names,
        service: Arc::clone(&service),
        workers: Arc::clone(&workers),
        bell,
        slot: Arc::clone(&slot),
        stage: Stage::Begins,
        charge,
        refused: None,
    });
    let charged = Arc::clone(&engine).charge(session.peer.uid());
    match charged {
        Ok(charge) => *called.charge() = charge,
        Err(failure) => {
            called.refused = Some(Reply::Error(failure));
            called.bell.ring();
            return Some(called);
        }
    }
    let session = session.of_call(called.names.head(b"item"));
    let line: Vec<u8> = check_line(call, usize::MAX).unwrap_or_default().into();
    let its = Arc::clone(&workers);
    let name = command_name(&service, &session, &line);
    its.run(
        name,
        Box::new(move || {
            let job = CallJob { service, slot, workers };
            job.run(session, &line);
        }),
    );
    Some(called)
}

/// Returns the declared name of the command on a line.
fn command_name(service: &Service, session: &Session, line: &[u8]) -> &'static str {
    let mut scratch = Scratch::default();
    let mut unbound = Unbound::new(line, Frame::Line { len: line.len() }, &mut scratch);
    let found = unbound.read_name().and_then(|()| service.find_command(session, &mut unbound));
    match found {
        Ok(Some((_, Entry { target: Target::Command(command), .. }))) => command.name,
        _ => "",
    }
}

/// Wakes one connection.
struct OneBell {
    bells: Weak<dyn Bells>,
    token: u64,
}

impl Bell for OneBell {
    fn ring(&self) {
        if let Some(bells) = self.bells.upgrade() {
            bells.ring_all(&[self.token]);
        }
    }
}

/// A charge for a running command.
type Charge = Mutex<Option<Box<dyn Any + Send + Sync>>>;

/// The engine's threads, for the jobs of one call. A job that still runs when nobody waits for it any more has the
/// call's charge.
struct Charging {
    workers: Arc<dyn Workers>,
    charge: Weak<Charge>,
}

impl Workers for Charging {
    fn run(&self, name: &'static str, job: Job) {
        let charge = self.charge.upgrade();
        self.workers.run(
            name,
            Box::new(move || {
                job();
                drop(charge);
            }),
        );
    }
}

/// The place where the job of a call leaves its outcome for the connection.
struct Slot {
    /// Invariant: no code of the author's runs while this is locked.
    state: Mutex<SlotState>,
    bell: Arc<dyn Bell>,
}

#[derive(Default)]
struct SlotState {
    /// The command, once it runs.
    run: Option<Cancel>,
    /// Why it is to stop.
    stopped: Option<Stopped>,
    /// Nobody takes the outcome.
    is_gone: bool,
    outcome: Option<(Outcome, Session)>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns why the stream ends without waiting for its code.
    fn stopped(&self) -> Option<Stopped> {
        self.lock().stopped
    }

    fn stop(&self, why: Stopped) {
        let mut state = self.lock();
        state.stopped.get_or_insert(why);
        let run = state.run.clone();
        drop(state);
        if let Some(Cancel(run)) = run {
            run.signal.fire(why);
        }
    }
}

/// Runs the command of a call.
struct CallJob {
    service: Arc<Service>,
    slot: Arc<Slot>,
    workers: Arc<dyn Workers>,
}

impl CallJob {
    fn run(mut self, mut session: Session, line: &[u8]) {
        let (service, slot) = (Arc::clone(&self.service), Arc::clone(&self.slot));
        let frame = Frame::Line { len: line.len() };
        let outcome =
            service.dispatch(&mut session, line, frame, &mut Scratch::default(), &mut self);
        let mut state = slot.lock();
        if !state.is_gone {
            state.outcome = Some((outcome, session));
            drop(state);
            return slot.bell.ring();
        }
        drop(state);
        if let Outcome::Later(pending) = outcome {
            service.tell_end(&pending, session.protocol, None);
        }
    }
}

impl Executor for CallJob {
    fn begin(
        &mut self,
        _: Runnable,
        _: &Speed,
        _: Protocol,
        request: Option<&Request<'_>>,
    ) -> Begin {
        let mut state = self.slot.lock();
        if let Some(why) = state.stopped {
            return Begin::Never(why.not_run());
        }
        if let Some(run) = request.and_then(Request::run) {
            state.run = Some(run.clone());
        }
        Begin::Now
    }

    fn workers(&self) -> Arc<dyn Workers> {
        Arc::clone(&self.workers)
    }

    fn end(&mut self) {}

    fn bell(&self) -> Option<(Weak<dyn Bells>, u64)> {
        None
    }
}

/// A call that a client has subscribed to, as its connection sees it.
struct CalledCommand {
    names: Names,
    service: Arc<Service>,
    workers: Arc<dyn Workers>,
    bell: Arc<dyn Bell>,
    slot: Arc<Slot>,
    stage: Stage,
    /// The charge for a running command.
    charge: Arc<Charge>,
    /// The answer of a call that could not begin.
    refused: Option<Reply>,
}

enum Stage {
    /// The job has not given an outcome.
    Begins,
    Runs(Box<Pending>, Box<Session>),
    Ended,
}

impl CalledCommand {
    fn charge(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send + Sync>>> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the messages that are there to `out`.
    fn gather(&mut self, out: &mut Outgoing) {
        if let Some(reply) = self.refused.take() {
            return self.end(reply, out);
        }
        loop {
            match &mut self.stage {
                Stage::Begins => {
                    let outcome = self.slot.lock().outcome.take();
                    match (outcome, self.slot.stopped()) {
                        (Some((Outcome::Later(pending), session)), _) => {
                            self.stage = Stage::Runs(pending, Box::new(session));
                        }
                        (Some((Outcome::Reply(reply), _)), _) => self.end(reply, out),
                        (None, Some(why)) => self.end(Reply::Error(why.failure()), out),
                        (None, None) => return,
                        // The executor delays nothing; the command is no SUBSCRIBE and has no body.
                        (Some(_), _) => self.end(Reply::Ok, out),
                    }
                }
                Stage::Runs(pending, session) => {
                    // The end comes behind the items.
                    let given = pending.later.poll(&self.bell);
                    if let Some(items) = &pending.items {
                        Arc::clone(items).take(&self.bell, out);
                    }
                    match (given, self.slot.stopped()) {
                        (None, None) => return,
                        (None, Some(why)) => self.end(Reply::Error(why.failure()), out),
                        (Some(Given::Stream(stream)), _) => {
                            pending.stream(&self.service, session, &self.workers, stream);
                        }
                        (Some(Given::Reply(reply)), _) => self.end(reply, out),
                    }
                }
                Stage::Ended => return,
            }
        }
    }

    /// The stream has ended with this answer.
    fn end(&mut self, reply: Reply, out: &mut Outgoing) {
        let is_stopped = {
            let mut state = self.slot.lock();
            state.is_gone = true;
            let run = state.run.as_ref();
            state.stopped.is_some() || run.is_some_and(|Cancel(run)| run.signal.get().is_some())
        };
        if !is_stopped {
            // Before the end is sent: the client may subscribe again at once.
            let charge = self.charge().take();
            drop(charge);
        }
        let mut reply = reply;
        if let Stage::Runs(pending, session) = std::mem::replace(&mut self.stage, Stage::Ended) {
            let answer = reply.clone();
            if let Reply::Error(failure) = reply {
                let command = pending.command;
                reply = command.map_or_else(
                    || Reply::Error(failure.clone()),
                    |command| with_usage(command, failure.clone()),
                );
            }
            self.finish(pending, session, Some(answer));
        }
        match reply {
            Reply::Error(failure) => {
                let mut text = Vec::new();
                encode::failure(&failure, Protocol::Resp2, &mut text);
                text.truncate(text.len() - b"\r\n".len());
                self.names.message(b"error", &text, out.tail());
            }
            _ => self.names.message(b"end", b"+END", out.tail()),
        }
    }

    /// Ends the command, with its answer, or without one if its client has left.
    fn finish(&self, pending: Box<Pending>, session: Box<Session>, reply: Option<Reply>) {
        let service = Arc::clone(&self.service);
        let finish = move || {
            service.tell_end(&pending, session.protocol, reply.as_ref());
            if let Some(reply) = reply {
                pending.finish(&session, reply);
            }
        };
        if self.service.hooks.is_none() {
            finish();
        } else {
            // They are the author's code and may block.
            self.workers.run("", Box::new(finish));
        }
    }
}

impl Called for CalledCommand {
    fn take(&mut self, out: &mut Vec<u8>) -> bool {
        let mut messages = Outgoing::default();
        self.gather(&mut messages);
        let has_any = !messages.is_empty();
        messages.move_to(out);
        // The connection is woken only if it was told that there are none.
        has_any
    }

    fn stop(&self) {
        self.slot.stop(Stopped::ShuttingDown);
    }
}

impl Drop for CalledCommand {
    fn drop(&mut self) {
        self.slot.stop(Stopped::Cancelled);
        let outcome = {
            let mut state = self.slot.lock();
            state.is_gone = true;
            state.outcome.take()
        };
        match (std::mem::replace(&mut self.stage, Stage::Ended), outcome) {
            (Stage::Runs(pending, session), _) => self.finish(pending, session, None),
            (_, Some((Outcome::Later(pending), session))) => {
                self.finish(pending, Box::new(session), None);
            }
            _ => {}
        }
    }
}

/// The names in the messages of a call.
struct Names {
    call: Box<[u8]>,
    /// It is the call's pattern, and the channel tells the kinds of messages apart.
    is_pattern: bool,
    /// The messages are push frames.
    is_push: bool,
}

impl Names {
    /// Returns the beginning of a message of this kind.
    fn head(&self, kind: &[u8]) -> Arc<[u8]> {
        let mut head = Vec::new();
        let frame = if self.is_push { b'>' } else { b'*' };
        if self.is_pattern {
            encode::length(frame, 4, &mut head);
            encode::bulk(b"pmessage", &mut head);
            encode::bulk(&self.call, &mut head);
            encode::bulk(kind, &mut head);
        } else {
            encode::length(frame, 3, &mut head);
            encode::bulk(b"message", &mut head);
            encode::bulk(&self.call, &mut head);
        }
        head.into()
    }

    fn message(&self, kind: &[u8], text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head(kind));
        encode::bulk(text, out);
    }
}
