//! Answers `SUBSCRIBE` and its kin through the server's event channels, if it has any.

use std::sync::{Arc, Weak};

use super::run::{Executor, Recorded, Runner};
use super::{Outcome, Service, Told};
use crate::commands::{PubSub, Runnable};
use crate::error::{Failure, code};
use crate::events::{Answer, Asked, Channels, Host};
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
        let is_line = unbound.is_line();
        let (_, words, whole) = unbound.all();
        let channels = whole.and_then(|()| {
            let channels = self.states.channels.get();
            let channels = channels.and_then(|any| any.downcast_ref::<Arc<dyn Channels>>());
            channels.ok_or_else(|| {
                let name = word.name();
                // The beginning is that of Redis, which clients look for.
                let why = format_args!("unknown command '{name}': this daemon has no events");
                Failure::new(code::ERR, why)
            })
        });
        let channels = match channels {
            Ok(channels) => channels,
            Err(failure) => return Outcome::Reply(Reply::Error(failure)),
        };
        let (table, audit) = (&self.table, self.audit.as_ref());
        let limits = self.config.events;
        let asked = Asked { word, words, is_line, table, audit, limits };
        let mut host = Hosted { service: self, protocol: session.protocol, executor };
        match channels.answer(&asked, session, &mut host) {
            Answer::Reply(reply) => Outcome::Reply(reply),
            Answer::Told(frames) => {
                Outcome::Told(Box::new(Told { frames, reply: None, is_last: false }))
            }
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
