//! Binds the words of a command and runs its code.

use std::sync::Arc;

use super::live::new_run;
use super::run::{Ran, Runner, panicked};
use super::{Outcome, Service};
use crate::answer::Answered;
use crate::arg::{Truncated, usage};
use crate::audit::Case;
use crate::builtin::Completion;
use crate::caught::caught;
use crate::commands::{Code, Command, Runnable, Target};
use crate::error::{Failure, code};
use crate::handler::Handler;
use crate::hooks::{Begun, Call};
use crate::param::{Args, Bound, Purpose, Shape, Unbound};
use crate::reply::{IntoReply, Reply};
use crate::request::{Caller, Request, next_id};
use crate::run::Cancel;
use crate::session::{Opening, Session};

impl Service {
    /// Binds the words of a `#[command]` and runs it.
    pub(super) fn call(
        &self,
        command: &'static Command,
        shape: &Shape,
        session: &Session,
        unbound: &mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Outcome {
        if let Err(failure) = unbound.bind(command.params, shape) {
            return if shape.body.is_some() {
                self.call_with_body(command, shape, session, unbound, runner)
            } else {
                self.unbindable(command, shape, session, unbound, failure, runner)
            };
        }
        let bound = unbound.found();
        let (name, caller) = (command.name, self.caller(session));
        let request = Request::new(name, bound.words, caller, shape.has_secret);
        let options = bound.options;
        let (params, purpose) = (command.params, Purpose::Run);
        let args = Args { request: &request, options, params, purpose };
        if session.is_in_transaction() {
            return self.check(command, args, runner).into();
        }
        // A command that is over at once needs no identity for its caller's sake.
        let is_quick = |opening: &Opening| {
            !opening.body && opening.once.is_none() && runner.speed.is_known_quick()
        };
        if shape.has_run || session.opening.as_ref().is_some_and(|opening| !is_quick(opening)) {
            return self.call_with_run(command, shape, session, args, runner, None);
        }
        let Code::Blocking(call) = command.code else { unreachable!("a future has an identity") };
        let record = &mut recording(command, &args);
        let run = &mut || answer(command, call(&args));
        runner.guarded_dyn(command.name, Some(&request), record, run).into()
    }

    /// Returns the command that has the name and the first word as its name.
    #[cold]
    pub(super) fn joined(
        &self,
        session: &Session,
        has_secret: bool,
        unbound: &mut Unbound<'_>,
    ) -> Option<&str> {
        let name = unbound.name().filter(|_| !has_secret)?.to_vec();
        self.table.joined(&session.credentials(), &name, unbound.first_word()?)
    }

    /// Parses the words of a command that is queued. A parser is the author's code and may block.
    #[cold]
    pub(super) fn check(
        &self,
        command: &Command,
        args: Args<'_>,
        runner: &mut Runner<'_>,
    ) -> Option<Reply> {
        if command.answers_later {
            let why = format_args!("{} answers later and can't be queued", command.name);
            return Some(Reply::Error(Failure::from(why)));
        }
        if command.params.iter().any(|param| param.body.is_some()) {
            let why = format_args!("{} takes a body and can't be queued", command.name);
            return Some(Reply::Error(Failure::from(why)));
        }
        self.check_words(command, args, runner, None)
    }

    /// Parses the words of a command that does not run now. If they are good, `shown` makes the answer, and the audit
    /// records the command; without it, the command's run is recorded later.
    #[cold]
    pub(super) fn check_words(
        &self,
        command: &Command,
        args: Args<'_>,
        runner: &mut Runner<'_>,
        shown: Option<fn(&Command, &Bound<'_>) -> Reply>,
    ) -> Option<Reply> {
        // Parameters that need it are made as well.
        let run = Cancel::new();
        let request = args.request.with_run(&run);
        let args = &Args { request: &request, purpose: Purpose::Check, ..args };
        let case = runner.case;
        let request = Some(args.request);
        let mut runner = runner.instead(Runnable::Check, &self.table);
        runner.guarded_dyn(command.name, request, &mut |_| Ok(()), &mut || {
            let parse = || match self.parsed(command, args, &run) {
                Ok(()) => shown.map_or(Reply::Ok, |shown| shown(command, &args.bound())),
                Err(failure) => with_usage(command, failure),
            };
            let refused = shown.and(case).and_then(|case| unrecorded(case, command, args));
            if let Some(failure) = refused {
                return Reply::Error(failure);
            }
            let reply = caught(parse).unwrap_or_else(|| panicked(command.name));
            match (&reply, shown, case) {
                (Reply::Error(_), None, Some(case)) => {
                    unrecorded(case, command, args).map_or(reply, Reply::Error)
                }
                _ => reply,
            }
        })
    }

    /// Answers with a command's completions for a parameter, if the caller may run the command.
    #[cold]
    pub(super) fn complete(
        &self,
        session: &Session,
        completion: &Completion<'_>,
        runner: &mut Runner<'_>,
    ) -> Option<Reply> {
        let Completion { command, param, prefix, words } = *completion;
        let nothing = Some(Reply::List(Vec::new()));
        let caller = session.credentials();
        let Some(entry) = self.table.find_visible(&caller, command) else {
            return Some(Reply::Error(self.table.unknown(&caller, command, None)));
        };
        let Target::Command(command) = entry.target else { return nothing };
        let param = command.given().find(|given| given.name.as_bytes() == param);
        let (Some(propose), Ok(prefix)) =
            (param.and_then(|param| param.propose), std::str::from_utf8(prefix))
        else {
            return nothing;
        };
        let (name, caller) = (command.name, self.caller(session));
        let request = Request::new(name, words, caller, entry.shape.has_secret);
        runner.unnoted().guarded_dyn(command.name, Some(&request), &mut |_| Ok(()), &mut || {
            propose(&request, prefix).into_reply()
        })
    }

    /// Runs a mounted handler or the fallback.
    pub(super) fn handle(
        &self,
        handler: &dyn Handler,
        session: &Session,
        unbound: &mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Outcome {
        let (name, words, whole) = unbound.all();
        let text = whole.and_then(|()| {
            let why = "the command name is not UTF-8";
            std::str::from_utf8(name).map_err(|_| Failure::new(code::UTF8, why))
        });
        let text = match text {
            Ok(text) => text,
            Err(failure) => {
                let record = |case: &Case<'_>| case.unbound(name, None, words);
                let name = String::from_utf8_lossy(name);
                return self.not_run(session, &name, runner, Reply::Error(failure), record).into();
            }
        };
        if session.is_in_transaction() {
            return Outcome::Reply(Reply::Ok);
        }
        let mut request = Request::new(text, words, self.caller(session), false);
        let opening = session.opening.as_ref();
        if opening.is_some_and(|opening| opening.body) {
            return Outcome::Reply(Reply::Error(takes_none(text)));
        }
        let is_quick = runner.speed.is_known_quick();
        let opening = opening.filter(|opening| !is_quick || opening.once.is_some());
        let run = opening.map(|_| Cancel(Arc::new(new_run(&request, session))));
        let registered = run.as_ref().map(|run| {
            request = request.with_run(run);
            self.running.add(run)
        });
        let record = &mut |case: &Case<'_>| case.unbound(name, Some(request.id()), words);
        let mut handle = || handler.handle(&request);
        match (&self.once, &run, registered) {
            (Some(store), Some(run), Some(registered)) if run.0.once.is_some() => {
                let mut handle = || Ok(Answered::Now(handle()));
                let answered = runner.guarded_long(text, &request, record, &mut || {
                    Arc::clone(store).run(run, false, panicked, &mut handle)
                });
                Self::outcome_once(answered, run, registered)
            }
            _ => runner.guarded_dyn(text, Some(&request), record, &mut handle).into(),
        }
    }

    /// Records and answers an allowed command whose words can't be bound.
    #[cold]
    pub(super) fn not_run(
        &self,
        session: &Session,
        name: &str,
        runner: &mut Runner<'_>,
        answer: Reply,
        record: impl FnOnce(&Case<'_>) -> Result<(), Failure>,
    ) -> Option<Reply> {
        // A command that is queued has not begun.
        let hooks = runner.hooks.filter(|_| !session.is_in_transaction());
        let case = runner.case;
        if case.is_none() && hooks.is_none() {
            return Some(answer);
        }
        let call = unbound_call(session, name);
        let told = runner.recorded(&self.table, || {
            let refused = case.and_then(|case| record(case).err());
            let Some(hooks) = hooks else { return refused.map_or(Ok(()), Err) };
            let begun = Begun::new(hooks, call);
            if let Some(failure) = begun.refusal(refused) {
                return Err(failure);
            }
            begun.end(answer.failure(), None);
            Ok(())
        });
        told.then(answer)
    }

    pub(super) fn caller<'r>(&'r self, session: &'r Session) -> Caller<'r> {
        Caller {
            peer: &session.peer,
            connection: session.id,
            protocol: session.protocol,
            states: &self.states,
        }
    }
}

/// Records a command that does not run now. Returns why it can't be recorded.
#[cold]
#[inline(never)]
fn unrecorded(case: &Case<'_>, command: &Command, args: &Args<'_>) -> Option<Failure> {
    case.bound(None, command.params, &args.bound()).err()
}

/// Returns the failure of a call with a body of a command that takes none.
#[cold]
pub(super) fn takes_none(name: &str) -> Failure {
    usage(format_args!("{} takes no body", Truncated(name.as_bytes())))
}

/// Returns a call whose words are not bound, for the hooks.
pub(super) fn unbound_call<'c>(session: &'c Session, name: &'c str) -> Call<'c> {
    let (connection, peer, protocol) = (session.id, &session.peer, session.protocol);
    Call { name, id: next_id(), connection, peer, protocol }
}

/// Returns the function that records a command which is about to run.
pub(super) fn recording<'c>(
    command: &'c Command,
    args: &'c Args<'_>,
) -> impl FnMut(&Case<'_>) -> Result<(), Failure> + 'c {
    |case| case.bound(Some(args.request.id()), command.params, &args.bound())
}

/// Returns the answer of a command without an identity.
#[inline]
pub(super) fn answer(command: &Command, result: Result<Answered, Failure>) -> Reply {
    match result {
        Ok(Answered::Now(reply)) if reply.failure().is_none() => reply,
        result => failed(command, result),
    }
}

/// Returns the answer of a command that has failed.
#[cold]
#[inline(never)]
fn failed(command: &Command, result: Result<Answered, Failure>) -> Reply {
    match result {
        // The function's own failure is in `Ok`.
        Ok(Answered::Now(Reply::Error(failure))) | Err(failure) => with_usage(command, failure),
        Ok(Answered::Now(reply)) => reply,
        Ok(Answered::Later(_) | Answered::Stream(_)) => {
            unreachable!("such a command has an identity")
        }
    }
}

/// Appends the usage line to a `USAGE` failure, unless the author's message has one, and to that of a future that
/// has panicked the reason that it may have.
#[cold]
pub(super) fn with_usage(command: &Command, failure: Failure) -> Reply {
    const USAGE: &[u8] = b"usage: ";
    let message = failure.message();
    let has_usage = message.as_bytes().windows(USAGE.len()).any(|part| part == USAGE);
    Reply::Error(match failure.code() {
        code::USAGE if !has_usage => {
            Failure::new(code::USAGE, format_args!("{message}; usage: {command}"))
        }
        code::PANIC if !cfg!(feature = "tokio") && matches!(command.code, Code::Async(_)) => {
            let why = "a future of tokio requires the feature `tokio` of dockipc";
            Failure::new(code::PANIC, format_args!("{message}; {why}"))
        }
        _ => failure,
    })
}
