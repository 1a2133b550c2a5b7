//! Answers `SUBSCRIBE` and its kin through the server's event channels, if it has any.

use std::sync::{Arc, Weak};

use super::run::{Executor, Recorded, Runner};
use super::{Outcome, Service};
use crate::commands::{PubSub, Runnable};
use crate::deferred::Bells;
use crate::error::Failure;
use crate::events::{Answer, Asked, Channels, Host};
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
