//! Turns a decision into a record and calls the author's hook.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::SystemTime;

use super::record::{Argument, Decision, Record};
use super::shown::shown;
use crate::access::Policy;
use crate::caught::caught;
use crate::error::Failure;
use crate::param::{Bound, Param, Shape, Unbound, Way};
use crate::peer::Peer;
use crate::request::Words;
use crate::secret::HIDDEN;

/// The author's hook.
pub(crate) struct Audit(Box<Hook>);

type Hook = dyn Fn(&Record<'_>) -> io::Result<()> + Send + Sync;

/// A decision, before its record is made.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    audit: &'a Audit,
    peer: &'a Peer,
    connection: u64,
    decision: Decision,
    /// The policy that decided; `None` if the caller's socket does not offer the command.
    policy: Option<&'a Policy>,
    /// The command's declared name; `None` if the record shows the name as it was sent.
    name: Option<&'a str>,
}

/// The most words of a command that a record shows.
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

    /// Records a refused token and the reason, without anything that the client sent.
    #[cold]
    pub(crate) fn refused_token(
        &self,
        (peer, connection): (&Peer, u64),
        why: &str,
        words: usize,
    ) -> Result<(), Failure> {
        self.call_hook(&Record {
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

    fn call_hook(&self, record: &Record<'_>) -> Result<(), Failure> {
        match caught(|| (self.0)(record)) {
            Some(Ok(())) => Ok(()),
            // The kind only: the error's text may contain a path.
            Some(Err(error)) => Err(failed(error.kind())),
            None => Err(failed("it panicked")),
        }
    }
}

impl Case<'_> {
    /// Records a command whose words are bound to its parameters.
    #[cold]
    pub(crate) fn bound(
        &self,
        request: Option<u64>,
        params: &'static [Param],
        bound: &Bound<'_>,
    ) -> Result<(), Failure> {
        let (mut arguments, mut left_out) = (Vec::new(), 0);
        for (param, word) in bound.named(params) {
            if arguments.len() == MOST {
                left_out += 1;
                continue;
            }
            let value = match param.way {
                _ if param.secret => HIDDEN.into(),
                Way::Flag(_) => "true".into(),
                _ => shown(word),
            };
            arguments.push(Argument { name: Cow::Borrowed(param.name), value });
        }
        self.record(b"", request, arguments, left_out)
    }

    /// Records a command with its words numbered.
    #[cold]
    pub(crate) fn unbound(
        &self,
        name: &[u8],
        request: Option<u64>,
        words: Words<'_>,
    ) -> Result<(), Failure> {
        let mut arguments = Vec::new();
        for word in words.iter().take(MOST) {
            let position = arguments.len() + 1;
            arguments.push(Argument { name: position.to_string().into(), value: shown(word) });
        }
        let left_out = words.iter().len() - arguments.len();
        self.record(name, request, arguments, left_out)
    }

    /// Records a denied command. Binding its words runs no code of the author's.
    #[cold]
    pub(crate) fn denied(
        &self,
        params: &'static [Param],
        shape: &Shape,
        unbound: &mut Unbound<'_>,
    ) -> Result<(), Failure> {
        match unbound.bind(params, shape) {
            Ok(()) => self.bound(None, params, &unbound.found()),
            Err(_) => self.unbindable(shape, unbound),
        }
    }

    /// Records a command whose words do not fit its parameters. If one of these is secret, no word is shown.
    #[cold]
    pub(crate) fn unbindable(
        &self,
        shape: &Shape,
        unbound: &mut Unbound<'_>,
    ) -> Result<(), Failure> {
        let (name, words, _) = unbound.all_from_start();
        if shape.has_secret {
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
        self.audit.call_hook(&Record {
            time: SystemTime::now(),
            peer: self.peer,
            connection: self.connection,
            request,
            command: self.name.map_or_else(|| Cow::Owned(shown(name)), Cow::Borrowed),
            arguments,
            left_out,
            decision: self.decision,
            rule: self.policy.map_or(Cow::Borrowed("not offered at this socket"), |policy| {
                Cow::Borrowed(policy.shown())
            }),
        })
    }
}

#[cold]
fn failed(reason: impl fmt::Display) -> Failure {
    Failure::from(format_args!("the audit failed: {reason}; the command was not run"))
}
