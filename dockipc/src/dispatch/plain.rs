//! The short way of a plain command through dispatch.
//!
//! A pipeline consists of little else than plain commands: in RESP, of a known name, without options and without an
//! identity, from a client that may run them. [`Conversation::step`](super::Conversation::step) takes them this way, in
//! half of the instructions of [`Service::dispatch`].
//!
//! Invariant: each step of [`Service::dispatch`] and of [`Service::call`] is done here too, or a check here rules it
//! out. A command that fails a check has not begun, and is dispatched.

use super::call::answer;
use super::run::panicked;
use super::{Begin, Executor, Service};
use crate::access::{Policy, SocketId};
use crate::caught::caught;
use crate::commands::{Code, Runnable};
use crate::param::{Args, Purpose, Scratch};
use crate::reply::Reply;
use crate::request::{Request, Words};
use crate::session::Session;

/// The command is not a plain one.
pub(super) struct NotPlain;

impl Service {
    /// Answers a RESP command if it is a plain one. The answer is `None` if it can't run now.
    #[inline(never)]
    pub(super) fn call_plain(
        &self,
        session: &Session,
        input: &[u8],
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Result<Option<Reply>, NotPlain> {
        // Words of an earlier command, which may be secrets.
        scratch.wipe();
        let [name, spans @ ..] = &*scratch.incoming else { return Err(NotPlain) };
        let (id, entry) = self.table.find(&input[name.start..name.end]).ok_or(NotPlain)?;
        // So the name is no prefix and not that of a built-in command.
        let command = entry.plain.ok_or(NotPlain)?;
        let Code::Blocking(call) = command.code else { return Err(NotPlain) };
        // The first socket offers everything, and the audit does not record a command without a rule there.
        let is_open = matches!(entry.policy, Policy::Open) && session.socket == SocketId::FIRST;
        let may_run = || self.table.may_run(&session.credentials(), id, entry);
        if !is_open && (self.audit.is_some() || !may_run()) {
            return Err(NotPlain);
        }
        // `aside` may have a transaction.
        let is_alone = session.aside.is_none() && session.opening.is_none() && self.hooks.is_none();
        if !is_alone || spans.len() > entry.shape.most() {
            return Err(NotPlain);
        }
        if let [first, ..] = spans
            && first.end - first.start == 2
            && input[first.start..first.end] == *b"--"
        {
            return Err(NotPlain);
        }
        let words = Words { input, text: &[], spans };
        let caller = self.caller(session);
        let request = Request::new(command.name, words, caller, entry.shape.has_secret);
        let (params, purpose) = (command.params, Purpose::Run);
        let args = Args { request: &request, options: &[], params, purpose };
        match executor.begin(Runnable::Command(id), &entry.speed, session.protocol, Some(&request))
        {
            Begin::Now => {}
            Begin::Later => return Ok(None),
            Begin::Never(failure) => return Ok(Some(Reply::Error(failure))),
        }
        let result = caught(|| call(&args));
        executor.end();
        Ok(Some(match result {
            Some(result) => answer(command, result),
            None => panicked(command.name),
        }))
    }
}
