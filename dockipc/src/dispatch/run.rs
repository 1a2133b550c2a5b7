//! Runs the author's code.

use crate::arg::Truncated;
use crate::audit::Case;
use crate::caught::caught;
use crate::commands::{Runnable, Speed, Table};
use crate::error::{Failure, code};
use crate::reply::Reply;
use crate::request::Request;
use crate::wire::Protocol;

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

    /// Called after the author's code has run.
    fn end(&mut self);
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
}

impl Runner<'_> {
    /// Like [`guarded`](Self::guarded), which is copied to each place that calls it.
    #[inline(never)]
    pub(super) fn guarded_dyn(
        &mut self,
        name: &str,
        request: Option<&Request<'_>>,
        run: &mut dyn FnMut() -> Reply,
    ) -> Option<Reply> {
        match self.guarded(name, request, run) {
            Ok(reply) => Some(reply),
            Err(instead) => instead,
        }
    }

    /// Calls the author's code. A panic becomes an answer. The error is the answer of code that does not run,
    /// or `None` if it can't run now.
    #[inline]
    pub(super) fn guarded<T: From<Reply>>(
        &mut self,
        name: &str,
        request: Option<&Request<'_>>,
        run: impl FnOnce() -> T,
    ) -> Result<T, Option<Reply>> {
        match self.executor.begin(self.what, self.speed, self.protocol, request) {
            Begin::Now => {}
            Begin::Later => return Err(None),
            Begin::Never(failure) => return Err(Some(Reply::Error(failure))),
        }
        let result = caught(run);
        self.executor.end();
        Ok(result.unwrap_or_else(|| panicked(name).into()))
    }

    /// Returns a runner of other code of the author's than the command.
    pub(super) fn instead<'t>(&'t mut self, what: Runnable, table: &'t Table) -> Runner<'t> {
        let Self { protocol, case, .. } = *self;
        Runner { executor: &mut *self.executor, what, speed: table.speed(what), protocol, case }
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
    fn record(
        &mut self,
        table: &Table,
        record: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Recorded {
        let mut run = || record().map_or_else(Reply::Error, |()| Reply::Ok);
        match self.instead(Runnable::Audit, table).guarded_dyn("the audit", None, &mut run) {
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
