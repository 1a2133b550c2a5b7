//! Answers `SUBSCRIBE` and its kin through the server's event channels, if it has any.

use std::sync::{Arc, Weak};

use super::run::{Executor, Recorded, Runner};
use super::{Outcome, Service, Told};
use crate::commands::{PubSub, Runnable};
use crate::deferred::Bells;
use crate::error::{Failure, code};
use crate::events::{Answer, Asked, Channels, Decision, Host};
use crate::param::Unbound;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::request::Words;
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
        let refuse = |code, why: std::fmt::Arguments<'_>| {
            Outcome::Reply(Reply::Error(Failure::new(code, why)))
        };
        let name = word.name();
        if let Err(failure) = whole {
            return Outcome::Reply(Reply::Error(failure));
        }
        let Some(channels) = self.channels() else {
            // The beginning is that of Redis, which clients look for.
            return refuse(
                code::ERR,
                format_args!("unknown command '{name}': this daemon has no events"),
            );
        };
        if is_line && session.protocol != Protocol::Line {
            return refuse(code::USAGE, format_args!("{name} as a line needs line mode; use RESP"));
        }
        if session.is_in_transaction() {
            return match word {
                PubSub::Pubsub => Outcome::Reply(Reply::Ok),
                _ => refuse(code::ERR, format_args!("{name} is not allowed in a transaction")),
            };
        }
        let asked = Asked { word, words, table: &self.table, limits: self.config.events };
        let is_last = session.is_last;
        let (peer, id) = (session.peer.clone(), session.id);
        let mut host = Recorder {
            service: self,
            session: (&peer, id, session.protocol),
            words,
            name,
            executor,
        };
        match channels.answer(&asked, session, &mut host) {
            Answer::Reply(reply) => Outcome::Reply(reply),
            Answer::Told(frames) => Outcome::Told(Box::new(Told { frames, reply: None, is_last })),
            Answer::NotNow => Outcome::NotNow,
        }
    }

    /// Returns the event channels of the server, if anything of the program has asked for them.
    fn channels(&self) -> Option<&dyn Channels> {
        let channels = self.states.channels.get()?.downcast_ref::<Arc<dyn Channels>>()?;
        Some(&**channels)
    }
}

/// Records decisions about subscriptions.
struct Recorder<'r> {
    service: &'r Service,
    session: (&'r Peer, u64, Protocol),
    words: Words<'r>,
    name: &'r str,
    executor: &'r mut dyn Executor,
}

impl Host for Recorder<'_> {
    fn bell(&self) -> (Weak<dyn Bells>, u64) {
        self.executor.bell()
    }

    fn record(&mut self, decisions: &[Decision<'_>]) -> Option<Result<(), Failure>> {
        let Self { service, session: (peer, id, protocol), words, name, .. } = *self;
        let Some(audit) = &service.audit else { return Some(Ok(())) };
        let what = Runnable::Hook;
        let speed = service.table.speed(what);
        let executor = &mut *self.executor;
        let mut runner = Runner { executor, what, speed, protocol, case: None, hooks: None };
        let recorded = runner.recorded(&service.table, || {
            decisions.iter().try_for_each(|decision| {
                let Decision { index, is_allowed, policy } = *decision;
                let case = audit.case((peer, id), is_allowed, policy, Some(name));
                let spans = words.spans.get(index..=index).unwrap_or_default();
                case.unbound(b"", None, Words { spans, ..words })
            })
        });
        match recorded {
            Recorded::Done => Some(Ok(())),
            Recorded::Failed(failure) => Some(Err(failure)),
            Recorded::Later => None,
        }
    }
}
