//! From a decision to its record.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::SystemTime;

use super::record::{Argument, Decision, Record};
use super::shown::shown;
use crate::access::Policy;
use crate::error::Failure;
use crate::handler::caught;
use crate::param::{Bound, Param, Unbound, Way, any_secret};
use crate::peer::Peer;
use crate::request::Words;
use crate::secret::HIDDEN;

/// What is called for each decision.
pub(crate) struct Audit(Box<Hook>);

type Hook = dyn Fn(&Record<'_>) -> io::Result<()> + Send + Sync;

/// A decision that is to be recorded.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    audit: &'a Audit,
    peer: &'a Peer,
    connection: u64,
    decision: Decision,
    /// None: not offered where the caller came in.
    policy: Option<&'a Policy>,
    /// The command's name; none if it is as it was sent.
    name: Option<&'a str>,
}

/// So many words of a command are shown.
const MOST: usize = 64;

impl Audit {
    pub(crate) fn new<F>(hook: F) -> Self
    where
        F: Fn(&Record<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        Self(Box::new(hook))
    }

    pub(crate) fn case<'a>(
        &'a self,
        (peer, connection): (&'a Peer, u64),
        is_allowed: bool,
        policy: Option<&'a Policy>,
        name: Option<&'a str>,
    ) -> Case<'a> {
        let decision = if is_allowed { Decision::Allowed } else { Decision::Denied };
        Case { audit: self, peer, connection, decision, policy, name }
    }

    /// Records that a token was refused, and why; nothing of what was sent.
    #[cold]
    pub(crate) fn refused_token(
        &self,
        (peer, connection): (&Peer, u64),
        why: &str,
        words: usize,
    ) -> Result<(), Failure> {
        self.tell(&Record {
            time: SystemTime::now(),
            peer,
            connection,
            request: None,
            command: Cow::Borrowed("auth"),
            arguments: Vec::new(),
            left_out: words,
            decision: Decision::Denied,
            rule: Cow::Borrowed(why),
        })
    }

    fn tell(&self, record: &Record<'_>) -> Result<(), Failure> {
        match caught(|| (self.0)(record)) {
            Some(Ok(())) => Ok(()),
            // The error's own text may name a path.
            Some(Err(error)) => Err(failed(error.kind())),
            None => Err(failed("it panicked")),
        }
    }
}

impl Case<'_> {
    /// Records a command whose words are its parameters'.
    #[cold]
    pub(crate) fn bound(
        &self,
        request: Option<u64>,
        params: &'static [Param],
        bound: &Bound<'_>,
    ) -> Result<(), Failure> {
        let mut named = bound.named(params);
        let shown = named.by_ref().take(MOST).map(|(param, word)| Argument {
            name: Cow::Borrowed(param.name),
            value: match param.way {
                _ if param.secret => HIDDEN.into(),
                Way::Flag(_) => "true".into(),
                _ => shown(word),
            },
        });
        let shown = shown.collect();
        self.record(b"", request, shown, named.count())
    }

    /// Records a command whose words have no names.
    #[cold]
    pub(crate) fn unbound(
        &self,
        name: &[u8],
        request: Option<u64>,
        words: Words<'_>,
    ) -> Result<(), Failure> {
        let shown = words.iter().take(MOST).enumerate().map(|(i, word)| Argument {
            name: Cow::Owned((i + 1).to_string()),
            value: shown(word),
        });
        self.record(name, request, shown.collect(), words.iter().len().saturating_sub(MOST))
    }

    /// Records a command that is not run. To find each parameter's words runs no code of the author's.
    #[cold]
    pub(crate) fn denied(
        &self,
        params: &'static [Param],
        mut unbound: Unbound<'_>,
    ) -> Result<(), Failure> {
        match unbound.bind(params) {
            Ok(()) => self.bound(None, params, &unbound.take()),
            Err(_) => self.unbindable(params, unbound),
        }
    }

    /// Records a command whose words do not fit its parameters.
    #[cold]
    pub(crate) fn unbindable(
        &self,
        params: &'static [Param],
        unbound: Unbound<'_>,
    ) -> Result<(), Failure> {
        let (name, words, _) = unbound.all_from_start();
        if any_secret(params) {
            return self.record(name, None, Vec::new(), words.iter().len());
        }
        self.unbound(name, None, words)
    }

    fn record(
        &self,
        name: &[u8],
        request: Option<u64>,
        arguments: Vec<Argument<'_>>,
        left_out: usize,
    ) -> Result<(), Failure> {
        self.audit.tell(&Record {
            time: SystemTime::now(),
            peer: self.peer,
            connection: self.connection,
            request,
            command: self.name.map_or_else(|| Cow::Owned(shown(name)), Cow::Borrowed),
            arguments,
            left_out,
            decision: self.decision,
            rule: self.policy.map_or(Cow::Borrowed("not offered at this socket"), |policy| {
                Cow::Owned(policy.to_string())
            }),
        })
    }
}

#[cold]
fn failed(why: impl fmt::Display) -> Failure {
    Failure::from(format_args!("the audit failed: {why}; the command was not run"))
}
