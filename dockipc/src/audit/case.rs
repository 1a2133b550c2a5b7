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

/// The author's hook, and the code that makes its records. A daemon without a hook does not contain it.
pub(crate) struct Audit {
    hook: Box<Hook>,
    bound: RecordBound,
    words: RecordWords,
    refused_token: RecordRefusedToken,
}

/// [`Case::record_bound`].
type RecordBound = fn(&Case<'_>, Option<u64>, &'static [Param], &Bound<'_>) -> Result<(), Failure>;

/// [`Case::record_words`].
type RecordWords = fn(&Case<'_>, &[u8], Option<u64>, Words<'_>, bool) -> Result<(), Failure>;

/// [`Audit::record_refused_token`].
type RecordRefusedToken = fn(&Audit, (&Peer, u64), &str, usize) -> Result<(), Failure>;

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
        Self {
            hook: Box::new(hook),
            bound: |case, request, params, bound| case.record_bound(request, params, bound),
            words: |case, name, request, words, are_shown| {
                case.record_words(name, request, words, are_shown)
            },
            refused_token: Self::record_refused_token,
        }
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
    pub(crate) fn refused_token(
        &self,
        caller: (&Peer, u64),
        why: &str,
        words: usize,
    ) -> Result<(), Failure> {
        (self.refused_token)(self, caller, why, words)
    }

    fn record_refused_token(
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
        match caught(|| (self.hook)(record)) {
            Some(Ok(())) => Ok(()),
            // The kind only: the error's text may contain a path.
            Some(Err(error)) => Err(failed(error.kind())),
            None => Err(failed("it panicked")),
        }
    }
}

impl Case<'_> {
    /// Records a command whose words are bound to its parameters.
    pub(crate) fn bound(
        &self,
        request: Option<u64>,
        params: &'static [Param],
        bound: &Bound<'_>,
    ) -> Result<(), Failure> {
        (self.audit.bound)(self, request, params, bound)
    }

    /// Records a command with its words numbered.
    pub(crate) fn unbound(
        &self,
        name: &[u8],
        request: Option<u64>,
        words: Words<'_>,
    ) -> Result<(), Failure> {
        (self.audit.words)(self, name, request, words, true)
    }

    fn record_bound(
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

    fn record_words(
        &self,
        name: &[u8],
        request: Option<u64>,
        words: Words<'_>,
        are_shown: bool,
    ) -> Result<(), Failure> {
        let mut arguments = Vec::new();
        for word in words.iter().take(if are_shown { MOST } else { 0 }) {
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
        (self.audit.words)(self, name, None, words, !shape.has_secret)
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
