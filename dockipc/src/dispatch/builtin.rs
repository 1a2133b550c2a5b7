//! Runs built-in commands, and records the tokens that they refuse.

use super::Service;
use super::run::{Executor, Recorded, Runner};
use crate::builtin;
use crate::commands::{BuiltIn, Runnable};
use crate::reply::Reply;
use crate::request::Words;
use crate::session::Session;

impl Service {
    /// Runs a built-in command. If it refuses a token, that is recorded before the answer.
    pub(super) fn answer(
        &self,
        builtin: BuiltIn,
        session: &mut Session,
        words: Words<'_>,
        executor: &mut dyn Executor,
    ) -> Option<Reply> {
        if session.refused_token.is_none() {
            let reply = builtin::run(builtin, self.context(), session, words);
            if session.refused_token.is_none() {
                return Some(reply);
            }
            session.held_answer = Some(reply);
        }
        self.refuse_token(session, words, executor)
    }

    #[cold]
    fn refuse_token(
        &self,
        session: &mut Session,
        words: Words<'_>,
        executor: &mut dyn Executor,
    ) -> Option<Reply> {
        let why = session.refused_token.take()?;
        let Some(audit) = &self.audit else { return session.held_answer.take() };
        let (what, protocol) = (Runnable::Hook, session.protocol);
        let speed = self.table.speed(what);
        let mut runner = Runner { executor, what, speed, protocol, case: None, hooks: None };
        let recorded = runner.recorded(&self.table, || {
            // The token is refused even if the record fails.
            let caller = (&session.peer, session.id);
            let _ = audit.refused_token(caller, &why, words.iter().len());
            Ok(())
        });
        match recorded {
            Recorded::Done => session.held_answer.take(),
            Recorded::Failed(failure) => {
                session.held_answer = None;
                Some(Reply::Error(failure))
            }
            Recorded::Later => {
                session.refused_token = Some(why);
                None
            }
        }
    }
}
