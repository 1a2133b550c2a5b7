//! [`Record`], the input of an audit hook.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::peer::Peer;

/// One decision about a command.
///
/// It can be printed as it is: it has no newlines or other control characters, and no values of
/// secret parameters.
#[derive(Debug)]
pub struct Record<'r> {
    pub(super) time: SystemTime,
    pub(super) peer: &'r Peer,
    pub(super) connection: u64,
    pub(super) request: Option<u64>,
    pub(super) command: Cow<'r, str>,
    pub(super) arguments: Vec<Argument<'r>>,
    pub(super) left_out: usize,
    pub(super) decision: Decision,
    pub(super) rule: Cow<'r, str>,
}

/// Whether a caller may run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The caller may run the command.
    Allowed,
    /// The answer is `-NOPERM`, or the token was refused.
    Denied,
}

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'r> {
    pub(super) name: Cow<'r, str>,
    pub(super) value: String,
}

impl Record<'_> {
    /// Returns the time of the decision.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// Returns the caller.
    pub fn peer(&self) -> &Peer {
        self.peer
    }

    /// Returns the number of the connection, as in [`Request::connection`](crate::Request::connection).
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Returns the number of the request, as in [`Request::id`](crate::Request::id), if the command is about to
    /// run.
    pub fn request(&self) -> Option<u64> {
        self.request
    }

    /// Returns the command's declared name, also for an alias, and `auth` for a refused token. For the
    /// fallback it is the first word as it was sent, escaped as in [`Argument::value`].
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns the words after the name, at most 64: positional ones, then options and flags.
    /// [`left_out`](Self::left_out) counts the others.
    ///
    /// Defaults are not included, since they were not sent.
    pub fn arguments(&self) -> &[Argument<'_>] {
        &self.arguments
    }

    /// Returns the number of words that are not in [`arguments`](Self::arguments).
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Returns the decision.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Returns the rule that decided: `uid:root | group:adm`; `nobody` for a command that
    /// [`Server::default_deny`](crate::Server::default_deny) closes; `not offered at this socket`
    /// for one outside of its [`Access`](crate::Access). For a refused token it is the reason.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl Argument<'_> {
    /// Returns the parameter's name. Where there is none, as for a closure or for words that do not fit the
    /// parameters, it is a number: `1`, `2`, ….
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the first 256 bytes of the word as text. A longer word ends with `…`.
    ///
    /// Control characters, `\`, `…` and bytes that are not UTF-8 are escaped as in Rust: `\n`, `\\`,
    /// `\u{2026}`, `\xff`. The value of a flag is `true`.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl Decision {
    /// Returns `allowed` or `denied`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}
