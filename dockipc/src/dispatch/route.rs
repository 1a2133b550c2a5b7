//! Routes the first word of a command, authorizes the caller, and calls the code that answers.

use std::time::Instant;

use super::run::{Executor, Recorded, Runner};
use super::{Outcome, Service};
use crate::access::Policy;
use crate::builtin::{self, Completion, Prefix};
use crate::commands::{BuiltIn, Entry, Mounted, Runnable, Target};
use crate::error::{Failure, code};
use crate::param::{Scratch, Unbound};
use crate::reply::Reply;
use crate::request::{Words, next_id};
use crate::session::{Opening, Session};
use crate::text::is;
use crate::wire::{Frame, Protocol};

impl Service {
    /// Answers one whole command. A panic of the author's code becomes an answer.
    ///
    /// After `MULTI`, it only checks whether the command may be queued.
    ///
    /// Invariant: each step of a plain command is in [`call_plain`](Self::call_plain) too.
    pub(crate) fn dispatch(
        &self,
        session: &mut Session,
        input: &[u8],
        frame: Frame,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Outcome {
        #[cfg(feature = "json")]
        if let Frame::Line { len } = frame
            && let Some(start) = builtin::json_on_line(&input[..len])
        {
            let frame = Frame::Line { len: len - start };
            return self.json(session, &input[start..], frame, scratch, executor);
        }
        let is_prefixed = builtin::is_prefixed(input, frame, &scratch.incoming);
        let mut ends_options = None;
        if is_prefixed {
            match builtin::prefix(input, &mut scratch.incoming) {
                Prefix::None => {}
                // Without last words, each `--` behind the first one is a value.
                Prefix::Args => ends_options = Some(usize::MAX),
                Prefix::Last(count) => ends_options = Some(count),
                Prefix::Line(_) if session.is_in_transaction() => {}
                Prefix::Line(line) => return self.line(session, line, scratch, executor),
                #[cfg(feature = "json")]
                Prefix::Json => return self.json(session, input, frame, scratch, executor),
                Prefix::With(opening) => {
                    return self.open(session, input, frame, opening, scratch, executor);
                }
            }
        }
        let mut unbound = Unbound::new(input, frame, scratch);
        unbound.ends_options = ends_options;
        match unbound.read_name() {
            Ok(()) => self.route(session, &mut unbound, executor),
            Err(failure) => Outcome::Reply(Reply::Error(failure)),
        }
    }

    /// Answers a command of our own client that has an [`Opening`] in front.
    #[cold]
    fn open(
        &self,
        session: &mut Session,
        input: &[u8],
        frame: Frame,
        opening: Result<Opening, (Failure, bool)>,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Outcome {
        // A command that waits for a thread is shown again: its time runs from when it was shown first.
        if session.opening.is_none() {
            let opening = opening.and_then(|opening| match self.refuses_token(session, &opening) {
                Some(failure) => Err((failure, opening.body)),
                None => Ok(opening),
            });
            match opening {
                Ok(opening) => session.opening = Some(opening),
                // The body is skipped.
                Err((failure, true)) => return Outcome::Unread(Reply::Error(failure)),
                Err((failure, false)) => return Outcome::Reply(Reply::Error(failure)),
            }
        }
        let deadline = session.opening.as_ref().and_then(|opening| opening.deadline);
        let outcome = if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let why = "the caller's deadline had passed before the command began; it was not run";
            Outcome::Reply(Reply::Error(Failure::new(code::TIMEOUT, why)))
        } else {
            self.dispatch(session, input, frame, scratch, executor)
        };
        let has_body = match &outcome {
            Outcome::NotNow => return outcome,
            Outcome::Later(pending) => pending.run.0.body.is_some(),
            Outcome::Reply(_) | Outcome::Unread(_) | Outcome::Told(_) => false,
        };
        let expects_body = session.opening.take().is_some_and(|opening| opening.body);
        match outcome {
            Outcome::Reply(reply) if expects_body && !has_body => Outcome::Unread(reply),
            outcome => outcome,
        }
    }

    /// Answers a command with JSON text.
    #[cfg(feature = "json")]
    #[cold]
    fn json(
        &self,
        session: &mut Session,
        input: &[u8],
        frame: Frame,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Outcome {
        // Each one would take a part of the thread's stack.
        if std::mem::replace(&mut session.is_json_call, true) {
            let why = Failure::new(code::USAGE, "dockipc json can't be nested");
            return Outcome::Reply(Reply::Error(why));
        }
        let mut outcome = self.dispatch(session, input, frame, scratch, executor);
        match &mut outcome {
            Outcome::Reply(reply) | Outcome::Unread(reply) => {
                *reply = session.formatted(std::mem::replace(reply, Reply::Ok));
            }
            Outcome::Later(pending) => pending.format = session.format(),
            Outcome::Told(_) | Outcome::NotNow => {}
        }
        session.is_json_call = false;
        outcome
    }

    /// Answers a line that was sent as one RESP word, with the bytes of line mode.
    fn line(
        &self,
        session: &mut Session,
        line: &[u8],
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Outcome {
        let line = match builtin::check_line(line, self.config.limits.line) {
            Ok(text) => text,
            Err(failure) => return Outcome::Reply(Reply::Error(failure)),
        };
        let frame = Frame::Line { len: line.len() };
        match self.dispatch(session, line, frame, scratch, executor) {
            Outcome::Reply(reply) => Outcome::Reply(as_line(reply)),
            Outcome::Later(mut pending) => {
                pending.as_line = true;
                Outcome::Later(pending)
            }
            // Not reached: a line in RESP does not subscribe.
            told @ Outcome::Told(_) => told,
            Outcome::Unread(reply) => Outcome::Unread(as_line(reply)),
            Outcome::NotNow => Outcome::NotNow,
        }
    }

    /// Returns the failure for an unknown name.
    #[cold]
    pub(super) fn unknown(&self, session: &Session, unbound: &mut Unbound<'_>) -> Failure {
        let name = unbound.name().unwrap_or_default().to_vec();
        self.table.unknown(&session.credentials(), &name, unbound.first_word())
    }

    #[inline]
    fn route(
        &self,
        session: &mut Session,
        unbound: &mut Unbound<'_>,
        executor: &mut dyn Executor,
    ) -> Outcome {
        loop {
            let Some(name) = unbound.name() else { return Outcome::Reply(empty_line()) };
            let fallback = self.table.fallback();
            let (what, entry, policy, speed) = match self.table.find(name) {
                Some((id, entry)) => {
                    (Runnable::Command(id), Some(entry), &entry.policy, &entry.speed)
                }
                None => (Runnable::Fallback, None, &fallback.policy, &fallback.speed),
            };
            let is_offered = self.table.is_offered(session.socket, what);
            let is_open = matches!(policy, Policy::Open);
            let is_allowed = is_offered && (is_open || policy.allows(&session.credentials()));
            let case = match &self.audit {
                Some(audit) if !is_offered || !is_open => {
                    let declared = entry.map(Entry::declared_name);
                    let caller = (&session.peer, session.id);
                    Some(audit.case(caller, is_allowed, is_offered.then_some(policy), declared))
                }
                _ => None,
            };
            let case = case.as_ref();
            let hooks = self.hooks.as_deref();
            let mut runner =
                Runner { executor, what, speed, protocol: session.protocol, case, hooks };
            if !is_allowed {
                let policy = is_offered.then_some(policy);
                return self.deny(session, entry, policy, unbound, &mut runner).into();
            }
            let Some(Entry { target, shape, name, .. }) = entry else {
                return match &fallback.handler {
                    Some(handler) => self.handle(&**handler, session, unbound, &mut runner),
                    None => Outcome::Reply(Reply::Error(self.unknown(session, unbound))),
                };
            };
            return match target {
                Target::Command(command) => {
                    self.call(command, shape, session, unbound, &mut runner)
                }
                Target::Mounted(Mounted { handler, .. }) => {
                    self.handle(&**handler, session, unbound, &mut runner)
                }
                Target::Group(code) => match self.enter_group(name, code, session, unbound) {
                    Some(reply) => Outcome::Reply(reply),
                    // The name has two words now, and is that of a command.
                    None => continue,
                },
                &Target::PubSub(word) => self.pubsub(word, session, unbound, executor),
                &Target::BuiltIn(builtin) if session.is_in_transaction() => {
                    let (_, words, _) = unbound.all();
                    Outcome::Reply(self.check_builtin(builtin, session, words))
                }
                &Target::BuiltIn(builtin) => {
                    match self.begin_builtin(builtin, session, unbound, &mut runner) {
                        Ok(words) => self.answer(builtin, session, words, executor).into(),
                        Err(reply) => reply.into(),
                    }
                }
            };
        }
    }

    /// Records a built-in command. Returns its words, or its answer if it has one without being run.
    #[inline(never)]
    fn begin_builtin<'u>(
        &self,
        builtin: BuiltIn,
        session: &Session,
        unbound: &'u mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Result<Words<'u>, Option<Reply>> {
        let is_line = unbound.is_line();
        let (_, words, whole) = if builtin == BuiltIn::Dockipc {
            if is(unbound.first_word(), "check") {
                return Err(self.dry_run(session, unbound, runner.executor));
            }
            unbound.all_from_start()
        } else {
            unbound.all()
        };
        if is_line && let Some(failure) = meaningless(builtin, session) {
            return Err(Some(Reply::Error(failure)));
        }
        if let Some(case) = runner.case {
            let request = whole.is_ok().then(next_id);
            match runner.recorded(&self.table, || case.unbound(b"", request, words)) {
                Recorded::Done => {}
                Recorded::Failed(failure) => return Err(Some(Reply::Error(failure))),
                Recorded::Later => return Err(None),
            }
        }
        if let Err(failure) = whole {
            return Err(Some(Reply::Error(failure)));
        }
        match Completion::of(builtin, words) {
            Some(completion) => Err(self.complete(session, &completion, runner)),
            None => Ok(words),
        }
    }
}

/// Returns the failure for a protocol command that would change only the connection, which the line ends. One
/// that a RESP client sends as a line changes the client's connection.
fn meaningless(builtin: BuiltIn, session: &Session) -> Option<Failure> {
    match builtin {
        BuiltIn::Multi => {
            let why = "a line can't begin a transaction (one command per connection); use RESP";
            Some(Failure::new(code::USAGE, why))
        }
        BuiltIn::Quit | BuiltIn::Reset | BuiltIn::Select | BuiltIn::Unwatch
            if session.protocol == Protocol::Line =>
        {
            let name = builtin.name();
            Some(Failure::new(
                code::UNKNOWN,
                format_args!(
                    "no command \"{name}\": the protocol reserves the name, which has no meaning on a line; send help for a list"
                ),
            ))
        }
        _ => None,
    }
}

/// Returns the bytes of line mode; an error stays one.
pub(super) fn as_line(reply: Reply) -> Reply {
    match reply {
        error @ Reply::Error(_) => error,
        answer => Reply::Bytes(answer.into_line()),
    }
}

#[cold]
fn empty_line() -> Reply {
    Reply::Error(Failure::new(code::USAGE, "empty line; send help for a list"))
}
