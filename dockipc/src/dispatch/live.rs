//! Runs a command that has an identity: one that can be asked to stop, or that is answered later.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Service;
use super::call::{recording, takes_none, with_usage};
use super::once::refuses_once;
use super::outcome::{Outcome, Pending};
use super::route::as_line;
use super::run::{Ran, Runner, panicked};
use crate::answer::{Answered, Beginning, Coming};
use crate::body::{Bounds, Broken, Origin};
use crate::caught::caught;
use crate::commands::{Code, Command, Running};
use crate::error::{Failure, Stopped};
use crate::hooks::{Begun, Call};
use crate::later::{ItemForm, Items, Later, Start, Streaming, WhenStopped};
use crate::param::{Args, Needs, OwnedArgs, Purpose, Shape};
use crate::reply::Reply;
use crate::request::Request;
use crate::run::{Cancel, OnceCall, Run};
use crate::running::Registered;
use crate::session::{Format, Session};
use crate::wire::Protocol;
use crate::workers::{Spawner, Workers, block_on};

impl Service {
    /// Runs a command that has an identity.
    #[cold]
    #[inline(never)]
    pub(super) fn call_with_run(
        &self,
        command: &'static Command,
        shape: &Shape,
        session: &Session,
        args: Args<'_>,
        runner: &mut Runner<'_>,
        origin: Option<Origin<'_>>,
    ) -> Outcome {
        let opening = session.opening.as_ref();
        if origin.is_none() && opening.is_some_and(|opening| opening.body) {
            return Outcome::Reply(with_usage(command, takes_none(command.name)));
        }
        if let Some(failure) = refuses_once(command, opening) {
            return Outcome::Reply(Reply::Error(failure));
        }
        let mut run = new_run(args.request, session);
        run.listens = shape.listens;
        run.ends_at_stop =
            command.is_stream() && command.params.iter().any(|param| param.needs == Needs::Signal);
        let asks = opening.is_some_and(|opening| opening.progress);
        run.asks_progress = asks && shape.reports && session.protocol == Protocol::Resp3;
        // Without the feature no server has one, and a daemon does not contain the code for it.
        let spawner = self
            .spawner
            .as_deref()
            .filter(|_| cfg!(feature = "tokio") && matches!(command.code, Code::Async(_)));
        run.answers_later = command.answers_later || spawner.is_some();
        let to = self.loop_of(command, &mut run);
        let body = shape.body.zip(origin).map(|(code, origin)| {
            let is_job = matches!(command.code, Code::Blocking(_));
            let bounds = Bounds { body: self.config.max_body, item: self.config.limits.command };
            (code.begin)(&mut run, origin, bounds, is_job);
            (code, runner.executor.workers())
        });
        let run = Cancel(Arc::new(run));
        let request = args.request.with_run(&run);
        let Args { options, params, .. } = args;
        let args = Args { request: &request, options, params, purpose: Purpose::Run };
        let registered = self.running.add(&run);
        let record = &mut recording(command, &args);
        let answered = runner.guarded_long(command.name, &request, record, &mut || {
            if command.newest {
                self.running.begin_newest(&run.0);
            }
            let mut function = || match (command.code, spawner) {
                (Code::Blocking(call), _) => match &body {
                    Some((code, workers)) => {
                        let args = self.owned(command, &args, &run);
                        (code.run)(command.name, call, args, &run, panicked, workers)
                    }
                    None => to.and_then(|(to, hand_over)| {
                        hand_over(self, to, command, call, &args, &run)
                    }),
                }
                .map_or_else(|| call(&args), Ok),
                // Without the feature a daemon does not contain the code for a runtime.
                (Code::Async(call), Some(spawner)) if cfg!(feature = "tokio") => {
                    spawn(spawner, command, call(self.owned(command, &args, &run)), &run)
                }
                (Code::Async(call), _) => block_on(call(self.owned(command, &args, &run))),
            };
            match (&self.once, &run.0.once) {
                (Some(store), Some(_)) => {
                    let resumes = command.params.iter().any(|param| param.needs == Needs::Token);
                    Arc::clone(store).run(&run, resumes, panicked, &mut function)
                }
                _ => function(),
            }
        });
        session.stops_server.set(session.stops_server.get() | run.0.stops_server());
        if !matches!(answered, Ok(Ok(Answered::Later(_) | Answered::Stream(_)))) {
            run.0.signal.end();
            end_body(&run.0);
            if run.0.asks_progress {
                runner.executor.report(&run.0);
            }
        }
        match answered {
            Err(None) => Outcome::NotNow,
            Err(Some(instead)) => Outcome::Reply(instead),
            Ok(Ok(Answered::Now(Reply::Error(failure))) | Err(failure)) => {
                Outcome::Reply(with_usage(command, failure))
            }
            Ok(Ok(Answered::Now(reply))) => Outcome::Reply(reply),
            Ok(Ok(Answered::Later(Coming(later)))) => {
                Outcome::Later(Box::new(Pending::new(Some(command), &run, registered, later)))
            }
            Ok(Ok(Answered::Stream(Beginning(stream)))) => {
                let workers = runner.executor.workers();
                let format = session.format();
                let (items, later) = self.start(command, session, &run, &workers, stream, format);
                let mut pending = Pending::new(Some(command), &run, registered, later);
                pending.items = Some(items);
                Outcome::Later(Box::new(pending))
            }
        }
    }

    /// Begins to make the items of a stream.
    #[cold]
    fn start(
        &self,
        command: &'static Command,
        session: &Session,
        run: &Cancel,
        workers: &Arc<dyn Workers>,
        stream: Box<dyn Streaming>,
        format: Option<Format>,
    ) -> (Arc<dyn Items>, Later) {
        // Not the run itself, which has the stream among its listeners.
        let asked = Arc::downgrade(&run.0);
        let (items, later) = stream.start(Start {
            name: command.name,
            form: match (&session.messages, session.protocol) {
                (Some(_), _) => ItemForm::Messages,
                (None, Protocol::Line) => ItemForm::Line,
                (None, Protocol::Resp2 | Protocol::Resp3) => {
                    run.0.stream.unwrap_or(ItemForm::Collected)
                }
            },
            messages: session.messages.clone(),
            format,
            max_collected: self.config.max_collected,
            panicked,
            stopped: Arc::new(move || asked.upgrade()?.stopped()),
            workers,
            spawner: self.spawner.as_deref(),
        });
        // The code that makes them may wait for room.
        let told = Arc::clone(&items);
        run.0.signal.on_fire(Box::new(move |why| told.close(why)));
        (items, later)
    }

    /// Parses the words of a command without running it.
    pub(super) fn parsed(
        &self,
        command: &Command,
        args: &Args<'_>,
        run: &Cancel,
    ) -> Result<(), Failure> {
        match command.code {
            Code::Blocking(call) => call(args).map(drop),
            // It ends before the author's function is called.
            Code::Async(call) => block_on(call(self.owned(command, args, run))).map(drop),
        }
    }

    pub(super) fn owned(&self, command: &Command, args: &Args<'_>, run: &Cancel) -> OwnedArgs {
        OwnedArgs::new(command.name, args, &self.states, run)
    }

    /// Calls the hooks for a command that was answered later; without an answer, for one whose client has left.
    #[cold]
    pub(crate) fn tell_end(&self, pending: &Pending, protocol: Protocol, reply: Option<&Reply>) {
        let (Some(hooks), Cancel(run)) = (&self.hooks, &pending.run) else { return };
        if reply.is_none() && run.once.is_none() {
            run.signal.fire(Stopped::Cancelled);
        }
        let left = reply.is_none().then_some(Stopped::Cancelled);
        let call = Call::of_run(run, protocol);
        let failure = reply.and_then(Ran::failure);
        let items = pending.items.as_ref().map_or(0, |items| items.count());
        let begun = Begun { hooks: &**hooks, call, since: run.since, items };
        begun.end(failure, run.signal.get().or(left));
    }
}

/// Lets a runtime drive a future.
///
/// It is polled first on this thread: one that is ready at once, as most are that only look at the daemon's
/// state, costs no way to another thread and back.
fn spawn(
    spawner: &dyn Spawner,
    command: &'static Command,
    mut future: Running,
    run: &Cancel,
) -> Result<Answered, Failure> {
    let mut polled = None;
    spawner.within(&mut || {
        // The runtime polls it again and gives it a waker.
        polled = Some(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
    });
    match polled {
        Some(Poll::Ready(answered)) => return answered,
        Some(Poll::Pending) => {}
        None => return Err(dropped()),
    }
    let when_stopped = if command.abort { WhenStopped::Ends } else { WhenStopped::RunsOn };
    let later = Later::new(when_stopped);
    let stopped = command.abort.then(|| run.cancelled());
    let (later_too, run) = (later.clone(), run.clone());
    let task = Task { later: later_too, name: command.name, run, future: Some(future), stopped };
    spawner.spawn(Box::pin(task));
    Ok(Answered::Later(Coming(later)))
}

impl Pending {
    pub(super) fn new(
        command: Option<&'static Command>,
        run: &Cancel,
        registered: Registered,
        later: Later,
    ) -> Self {
        // The command of a call with a token may outlive the connection.
        let registered = match &run.0.once {
            Some(once) if once.is_first() => {
                once.keep(Box::new(registered));
                None
            }
            _ => Some(registered),
        };
        let pending = Self {
            later,
            items: None,
            run: run.clone(),
            command,
            as_line: false,
            format: None,
            is_answered: false,
            _registered: registered,
        };
        pending.listen();
        pending
    }

    /// The command may be asked to stop at any time; the answer is told so.
    fn listen(&self) {
        let told = self.later.clone();
        self.run.0.signal.on_fire(Box::new(move |why| {
            told.stop(why);
        }));
    }

    /// The answer is a stream.
    #[cold]
    pub(super) fn stream(
        &mut self,
        service: &Service,
        session: &Session,
        workers: &Arc<dyn Workers>,
        stream: Box<dyn Streaming>,
    ) {
        let Some(command) = self.command else { return };
        let format = self.format.or_else(|| session.format());
        let (items, later) = service.start(command, session, &self.run, workers, stream, format);
        (self.items, self.later) = (Some(items), later);
        self.listen();
    }

    /// Returns the answer that the client gets.
    pub(super) fn finish(mut self, session: &Session, reply: Reply) -> Reply {
        self.is_answered = true;
        self.run.0.signal.end();
        session.stops_server.set(session.stops_server.get() | self.run.0.stops_server());
        let are_bytes = || self.items.as_ref().is_some_and(|items| items.are_bytes());
        // The function has seen that the body is not whole.
        let broken = self.run.0.body.as_ref().and_then(|body| body.failure());
        end_body(&self.run.0);
        let reply = match broken.map_or(reply, Reply::Error) {
            Reply::Error(failure) => match self.command {
                Some(command) => with_usage(command, failure),
                None => Reply::Error(failure),
            },
            Reply::List(items) if self.as_line && are_bytes() => {
                let mut bytes = Vec::new();
                for item in items {
                    bytes.extend_from_slice(&item.into_line());
                }
                Reply::Bytes(bytes)
            }
            reply => reply,
        };
        let reply = match (self.format, reply) {
            (None, reply) => reply,
            // As in line mode, each item is a line.
            (Some(format), Reply::List(items)) if self.as_line && self.items.is_some() => {
                Reply::List(items.into_iter().map(format).collect())
            }
            // The items are converted already.
            (Some(_), Reply::Ok) if self.items.is_some() => Reply::Ok,
            (Some(format), reply) => format(reply),
        };
        if self.as_line { as_line(reply) } else { reply }
    }
}

/// The command has answered: code that has kept its body would wait for the rest for ever.
fn end_body(run: &Run) {
    if let Some(body) = &run.body {
        body.fail(Broken::Answered);
    }
}

/// Returns the identity of a command that is about to run.
pub(super) fn new_run(request: &Request<'_>, session: &Session) -> Run {
    let mut run = Run::new(request.id(), request.name(), session.id, &session.peer);
    if let Some(opening) = &session.opening {
        (run.deadline, run.stream) = (opening.deadline, opening.stream);
        run.ends_with_input = true;
        let token = opening.once.clone();
        run.once = token.map(|token| OnceCall::new(token, session.has_token));
    }
    run
}

/// A future that a runtime drives, and the answer that it gives.
struct Task<S> {
    later: Later,
    name: &'static str,
    run: Cancel,
    /// None when it has ended.
    future: Option<Running>,
    /// Completes when the command is to stop. Only for a command whose future is then dropped.
    stopped: Option<S>,
}

impl<S: Future + Unpin> Future for Task<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { later, name, future, run, stopped } = &mut *self;
        let Some(running) = future else { return Poll::Ready(()) };
        let polled = caught(|| running.as_mut().poll(context));
        let answered = match polled {
            None => Answered::Now(panicked(name)),
            Some(Poll::Ready(answered)) => {
                answered.unwrap_or_else(|failure| Answered::Now(Reply::Error(failure)))
            }
            Some(Poll::Pending) => {
                let is_stopped = stopped
                    .as_mut()
                    .is_some_and(|stopped| Pin::new(stopped).poll(context).is_ready());
                if !is_stopped {
                    return Poll::Pending;
                }
                // The answer says so already.
                caught(|| *future = None);
                return Poll::Ready(());
            }
        };
        // The author's values are dropped before the answer is given, as those of a function are.
        caught(|| *future = None);
        match answered {
            Answered::Now(reply) => drop(later.complete(reply)),
            Answered::Stream(Beginning(stream)) => later.stream(stream),
            Answered::Later(Coming(other)) => {
                let why = || run.0.stopped().unwrap_or(Stopped::Cancelled);
                later.pass(&other, why);
            }
        }
        Poll::Ready(())
    }
}

/// The runtime has dropped the future.
impl<S> Drop for Task<S> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            caught(|| drop(future));
            self.later.complete(Reply::Error(dropped()));
        }
    }
}

/// The answer of a future that a runtime has dropped.
fn dropped() -> Failure {
    Failure::from("the command was dropped")
}
