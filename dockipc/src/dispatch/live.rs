//! Runs a command that has an identity: one that can be asked to stop, or that is answered later.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::call::{recording, with_usage};
use super::outcome::{Outcome, Pending};
use super::route::as_line;
use super::run::{Ran, Runner, panicked};
use super::{Service, Spawner};
use crate::answer::{Answered, Coming};
use crate::caught::caught;
use crate::commands::{Code, Command, Running};
use crate::deferred::{Later, WhenStopped};
use crate::error::{Failure, Stopped};
use crate::hooks::{Begun, Call};
use crate::param::{Args, OwnedArgs, Purpose, Shape};
use crate::reply::Reply;
use crate::request::Request;
use crate::run::{Cancel, Run};
use crate::session::Session;
use crate::wire::Protocol;

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
    ) -> Outcome {
        let mut run = new_run(args.request, session);
        run.listens = shape.listens;
        // Without the feature no server has one, and a daemon does not contain the code for it.
        let spawner = self
            .spawner
            .as_deref()
            .filter(|_| cfg!(feature = "tokio") && matches!(command.code, Code::Async(_)));
        run.answers_later = command.answers_later || spawner.is_some();
        let to = self.loop_of(command, &mut run);
        let run = Cancel(Arc::new(run));
        let request = args.request.with_run(&run);
        let Args { options, params, .. } = args;
        let args = Args { request: &request, options, params, purpose: Purpose::Run };
        let registered = self.running.add(&run);
        let record = &mut recording(command, &args);
        let answered = runner.guarded(command.name, Some(&request), record, || {
            if command.newest {
                self.running.begin_newest(&run.0);
            }
            match (command.code, spawner) {
                (Code::Blocking(call), _) => to
                    .and_then(|(to, hand_over)| hand_over(self, to, command, call, &args, &run))
                    .map_or_else(|| call(&args), Ok),
                (Code::Async(call), None) => {
                    block_on(call(self.owned(command, &args, &run))).map(Answered::Now)
                }
                (Code::Async(call), Some(spawner)) => {
                    spawn(spawner, command, call(self.owned(command, &args, &run)), &run)
                }
            }
        });
        session.stops_server.set(session.stops_server.get() | run.0.stops_server());
        if !matches!(answered, Ok(Ok(Answered::Later(_)))) {
            run.0.signal.end();
        }
        match answered {
            Err(None) => Outcome::NotNow,
            Err(Some(instead)) => Outcome::Reply(instead),
            Ok(Ok(Answered::Now(Reply::Error(failure))) | Err(failure)) => {
                Outcome::Reply(with_usage(command, failure))
            }
            Ok(Ok(Answered::Now(reply))) => Outcome::Reply(reply),
            Ok(Ok(Answered::Later(Coming(later)))) => {
                // The command may be asked to stop at any time; the answer is told so.
                let told = later.clone();
                run.0.signal.on_fire(Box::new(move |why| {
                    told.stop(why);
                }));
                let (as_line, is_answered) = (false, false);
                Outcome::Later(Box::new(Pending {
                    later,
                    run: run.clone(),
                    command,
                    as_line,
                    is_answered,
                    _registered: registered,
                }))
            }
        }
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
        if reply.is_none() {
            run.signal.fire(Stopped::Cancelled);
        }
        let call = Call::of_run(run, protocol);
        let failure = reply.and_then(Ran::failure);
        let begun = Begun { hooks: &**hooks, call, since: run.since };
        begun.end(failure, run.signal.get());
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
        Some(Poll::Ready(reply)) => return reply.map(Answered::Now),
        Some(Poll::Pending) => {}
        None => return Err(dropped()),
    }
    let when_stopped = if command.abort { WhenStopped::Ends } else { WhenStopped::RunsOn };
    let later = Later::new(when_stopped);
    let stopped = command.abort.then(|| run.cancelled());
    let task = Task { later: later.clone(), name: command.name, future: Some(future), stopped };
    spawner.spawn(Box::pin(task));
    Ok(Answered::Later(Coming(later)))
}

impl Pending {
    /// Returns the answer that the client gets.
    pub(super) fn finish(mut self, session: &Session, reply: Reply) -> Reply {
        self.is_answered = true;
        self.run.0.signal.end();
        session.stops_server.set(session.stops_server.get() | self.run.0.stops_server());
        let reply = match reply {
            Reply::Error(failure) => with_usage(self.command, failure),
            reply => reply,
        };
        if self.as_line { as_line(reply) } else { reply }
    }
}

/// Returns the identity of a command that is about to run.
pub(super) fn new_run(request: &Request<'_>, session: &Session) -> Run {
    let mut run = Run::new(request.id(), request.name(), session.id, &session.peer);
    run.deadline = session.opening.and_then(|opening| opening.deadline);
    run.ends_with_input = session.opening.is_some();
    run
}

/// A future that a runtime drives, and the answer that it gives.
struct Task<S> {
    later: Later,
    name: &'static str,
    /// None when it has ended.
    future: Option<Running>,
    /// Completes when the command is to stop. Only for a command whose future is then dropped.
    stopped: Option<S>,
}

impl<S: Future + Unpin> Future for Task<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { later, name, future, stopped } = &mut *self;
        let Some(running) = future else { return Poll::Ready(()) };
        let polled = caught(|| running.as_mut().poll(context));
        let reply = match polled {
            None => panicked(name),
            Some(Poll::Ready(reply)) => reply.unwrap_or_else(Reply::Error),
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
        later.complete(reply);
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

/// Drives a future on this thread.
fn block_on<T>(future: Pin<Box<dyn Future<Output = T> + Send>>) -> T {
    struct Unpark {
        thread: Thread,
        /// Apart from the thread's token, which the future may use up: a channel waits with it too.
        is_woken: AtomicBool,
    }

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.is_woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    let unpark = Arc::new(Unpark { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !unpark.is_woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
