//! Answers `SUBSCRIBE` and its kin through the server's event channels, if it has any.

use std::sync::{Arc, Weak};

use super::called::not_a_stream;
use super::once::{has_token, not_once};
use super::run::{Executor, Recorded, Runner};
use super::{Outcome, Service};
use crate::commands::{PubSub, Runnable, Target};
use crate::error::Failure;
use crate::events::{Answer, Asked, Called, Channels, Host};
use crate::later::Bells;
use crate::param::Unbound;
use crate::reply::Reply;
use crate::session::Session;
use crate::wire::Protocol;

impl Service {
    #[cold]
    #[inline(never)]
    pub(super) fn pubsub(
        &self,
        word: PubSub,
        session: &mut Session,
        unbound: &mut Unbound<'_>,
        executor: &mut dyn Executor,
    ) -> Outcome {
        let channels = self.states.channels.get();
        let channels = channels.and_then(|any| any.downcast_ref::<Arc<dyn Channels>>());
        let Some(channels) = channels else {
            return Outcome::Reply(Reply::Error(self.unknown(session, unbound)));
        };
        if has_token(session) {
            let name = unbound.name().unwrap_or_default();
            return Outcome::Reply(Reply::Error(not_once(name, "it subscribes")));
        }
        let is_line = unbound.is_line();
        let (_, words, whole) = unbound.all();
        if let Err(failure) = whole {
            return Outcome::Reply(Reply::Error(failure));
        }
        let (table, audit) = (&self.table, self.audit.as_ref());
        let limits = self.config.events;
        let asked = Asked { word, words, is_line, table, audit, limits };
        let mut host = Hosted { service: self, protocol: session.protocol, executor };
        match channels.answer(&asked, session, &mut host) {
            Answer::Reply(reply) => Outcome::Reply(reply),
            Answer::Told(frames) => Outcome::Told(frames),
            Answer::NotNow => Outcome::NotNow,
        }
    }
}

struct Hosted<'r> {
    service: &'r Service,
    protocol: Protocol,
    executor: &'r mut dyn Executor,
}

impl Host for Hosted<'_> {
    fn bell(&self) -> Option<(Weak<dyn Bells>, u64)> {
        self.executor.bell()
    }

    fn is_call(&self, name: &[u8]) -> bool {
        let has_blank = name.iter().any(u8::is_ascii_whitespace);
        has_blank
            || self.service.table.find(name).is_some_and(|(_, entry)| match entry.target {
                Target::Command(command) => command.is_stream(),
                _ => false,
            })
    }

    fn check_call(&mut self, session: &Session, call: &[u8]) -> Result<(), Option<Reply>> {
        let Some(calls) = self.service.calls() else {
            let name = call.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let (table, caller) = (&self.service.table, session.credentials());
            let is_known = table.find_visible(&caller, name).is_some();
            let unknown = || table.unknown(&caller, name, None);
            let failure = if is_known { not_a_stream(name) } else { unknown() };
            return Err(Some(Reply::Error(failure)));
        };
        (calls.check)(self.service, session, call, self.executor)
    }

    fn begin_call(
        &mut self,
        session: &Session,
        call: &[u8],
        is_pattern: bool,
    ) -> Option<Box<dyn Called>> {
        let (bells, token) = self.executor.bell()?;
        (self.service.calls()?.begin)(session, call, is_pattern, (&bells, token))
    }

    fn record(
        &mut self,
        record: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Option<Result<(), Failure>> {
        let Self { service, protocol, .. } = *self;
        let (executor, what) = (&mut *self.executor, Runnable::Hook);
        let speed = service.table.speed(what);
        let mut runner = Runner { executor, what, speed, protocol, case: None, hooks: None };
        match runner.record(&service.table, record) {
            Recorded::Done => Some(Ok(())),
            Recorded::Failed(failure) => Some(Err(failure)),
            Recorded::Later => None,
        }
    }
}
