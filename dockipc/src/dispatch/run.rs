//! Runs the author's code.

use std::sync::{Arc, Weak};

use crate::answer::Answered;
use crate::arg::Truncated;
use crate::audit::Case;
use crate::caught::caught;
use crate::commands::{Runnable, Speed, Table};
use crate::error::{Failure, Stopped, code};
use crate::hooks::{Begun, Call, Hooks};
use crate::later::Bells;
use crate::reply::Reply;
use crate::request::Request;
use crate::run::{Cancel, Run};
use crate::wire::Protocol;
use crate::workers::Workers;

/// Decides when the author's code may run. The engine implements it.
pub(crate) trait Executor {
    /// Called before the author's code runs. [`end`](Self::end) follows [`Begin::Now`]. `request` is the
    /// command, unless the code is the audit hook.
    fn begin(
        &mut self,
        what: Runnable,
        speed: &Speed,
        protocol: Protocol,
        request: Option<&Request<'_>>,
    ) -> Begin;

    /// Returns the threads for code that does not run in the connection's turn.
    fn workers(&self) -> Arc<dyn Workers>;

    /// Called after the author's code has run.
    fn end(&mut self);

    /// Returns what wakes the connection when it has something to send, and the connection's token. `None` if
    /// nothing can.
    fn bell(&self) -> Option<(Weak<dyn Bells>, u64)> {
        None
    }
    /// Called before the answer to a command whose progress its caller asked for.
    fn report(&mut self, _run: &Run) {}

    /// Called before the hooks that follow the command. Returns why the client has got a failure in place of its
    /// answer, if it has.
    fn stopped(&self) -> Option<Stopped> {
        None
    }
}

/// Whether the author's code may begin.
pub(crate) enum Begin {
    Now,
    /// Not now: the caller shows the same bytes again.
    Later,
    /// Never: the failure is the answer.
    Never(Failure),
}

/// Whether the audit has recorded a decision.
pub(super) enum Recorded {
    Done,
    Failed(Failure),
    /// Not now: the caller shows the same bytes again.
    Later,
}

impl Recorded {
    /// Returns the answer to a command that does not run, if it can be given now. A failure of the audit
    /// replaces it.
    pub(super) fn then(self, answer: Reply) -> Option<Reply> {
        match self {
            Self::Done => Some(answer),
            Self::Failed(failure) => Some(Reply::Error(failure)),
            Self::Later => None,
        }
    }
}

/// One run of the author's code.
pub(super) struct Runner<'a> {
    pub(super) executor: &'a mut dyn Executor,
    pub(super) what: Runnable,
    pub(super) speed: &'a Speed,
    pub(super) protocol: Protocol,
    /// The decision that the audit records.
    pub(super) case: Option<&'a Case<'a>>,
    /// The hooks that see the command.
    pub(super) hooks: Option<&'a dyn Hooks>,
}

/// The result of the author's code, as the hooks see it.
pub(super) trait Ran: From<Reply> {
    fn failure(&self) -> Option<&Failure>;

    /// Returns whether the answer comes later.
    fn is_later(&self) -> bool {
        false
    }
}

impl Ran for Reply {
    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Error(failure) => Some(failure),
            _ => None,
        }
    }
}

impl Ran for Result<Answered, Failure> {
    fn failure(&self) -> Option<&Failure> {
        match self {
            Ok(Answered::Now(reply)) => reply.failure(),
            Ok(Answered::Later(_) | Answered::Stream(_)) => None,
            Err(failure) => Some(failure),
        }
    }

    fn is_later(&self) -> bool {
        matches!(self, Ok(Answered::Later(_) | Answered::Stream(_)))
    }
}

/// Records a command in the audit.
pub(super) type Record<'r> = dyn FnMut(&Case<'_>) -> Result<(), Failure> + 'r;

impl Runner<'_> {
    /// Like [`guarded`](Self::guarded), which is copied to each place that calls it.
    #[inline(never)]
    pub(super) fn guarded_dyn(
        &mut self,
        name: &str,
        request: Option<&Request<'_>>,
        record: &mut Record<'_>,
        run: &mut dyn FnMut() -> Reply,
    ) -> Option<Reply> {
        match self.guarded(name, request, record, run) {
            Ok(reply) => Some(reply),
            Err(instead) => instead,
        }
    }

    /// Like [`guarded`](Self::guarded), for code that may be answered later.
    #[cold]
    #[inline(never)]
    pub(super) fn guarded_long(
        &mut self,
        name: &str,
        request: &Request<'_>,
        record: &mut Record<'_>,
        run: &mut dyn FnMut() -> Result<Answered, Failure>,
    ) -> Result<Result<Answered, Failure>, Option<Reply>> {
        self.guarded(name, Some(request), record, run)
    }

    /// Calls the author's code, with its hooks around it. A panic becomes an answer. The error is the answer of
    /// code that does not run, or `None` if it can't run now.
    #[inline]
    pub(super) fn guarded<T: Ran>(
        &mut self,
        name: &str,
        request: Option<&Request<'_>>,
        record: &mut Record<'_>,
        run: impl FnOnce() -> T,
    ) -> Result<T, Option<Reply>> {
        match self.executor.begin(self.what, self.speed, self.protocol, request) {
            Begin::Now => {}
            Begin::Later => return Err(None),
            Begin::Never(failure) => return Err(Some(Reply::Error(failure))),
        }
        let begun = match request {
            Some(request) if self.case.is_some() || self.hooks.is_some() => {
                self.begin_noted(request, record)
            }
            _ => Ok(None),
        };
        let result = match begun {
            Ok(begun) => {
                let result = caught(run).unwrap_or_else(|| panicked(name).into());
                if let Some(begun) = begun.filter(|_| !result.is_later()) {
                    self.end_noted(&begun, request, result.failure());
                }
                result
            }
            Err(failure) => Reply::Error(failure).into(),
        };
        self.executor.end();
        Ok(result)
    }

    /// Calls the author's hooks for a command that is about to run. The error is its answer if it is refused.
    #[cold]
    #[inline(never)]
    fn begin_noted<'r>(
        &'r self,
        request: &'r Request<'_>,
        record: &mut Record<'_>,
    ) -> Result<Option<Begun<'r>>, Failure> {
        let begun = self.hooks.map(|hooks| Begun::new(hooks, Call::of(request)));
        let refused = self.case.and_then(|case| record(case).err());
        let refused = match &begun {
            Some(begun) => begun.refusal(refused),
            None => refused,
        };
        refused.map_or(Ok(begun), Err)
    }

    /// Calls the hooks for a command that has ended.
    #[cold]
    #[inline(never)]
    fn end_noted(
        &self,
        begun: &Begun<'_>,
        request: Option<&Request<'_>>,
        failure: Option<&Failure>,
    ) {
        let asked = request.and_then(Request::run).and_then(|Cancel(run)| run.signal.get());
        begun.end(failure, self.executor.stopped().or(asked));
    }

    /// Returns a runner of other code of the author's than the command, which nothing records.
    pub(super) fn instead<'t>(&'t mut self, what: Runnable, table: &'t Table) -> Runner<'t> {
        let speed = table.speed(what);
        Runner { what, speed, ..self.unnoted() }
    }

    /// Returns the runner without the audit and the hooks.
    pub(super) fn unnoted(&mut self) -> Runner<'_> {
        let Self { what, speed, protocol, .. } = *self;
        Runner { executor: &mut *self.executor, what, speed, protocol, case: None, hooks: None }
    }

    /// Records a decision about a command that does not run. The audit hook is the author's code and may
    /// block.
    #[cold]
    pub(super) fn recorded(
        &mut self,
        table: &Table,
        record: impl FnOnce() -> Result<(), Failure>,
    ) -> Recorded {
        let mut record = Some(record);
        self.record(table, &mut || record.take().map_or(Ok(()), |record| record()))
    }

    #[inline(never)]
    pub(super) fn record(
        &mut self,
        table: &Table,
        record: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Recorded {
        let mut run = || record().map_or_else(Reply::Error, |()| Reply::Ok);
        match self.instead(Runnable::Hook, table).guarded_dyn(
            "the audit",
            None,
            &mut |_| Ok(()),
            &mut run,
        ) {
            Some(Reply::Error(failure)) => Recorded::Failed(failure),
            Some(_) => Recorded::Done,
            None => Recorded::Later,
        }
    }
}

#[cold]
#[inline(never)]
pub(super) fn panicked(name: &str) -> Reply {
    let name = Truncated(name.as_bytes());
    let why = format_args!("{name} panicked; see the daemon's standard error for the message");
    Reply::Error(Failure::new(code::PANIC, why))
}
