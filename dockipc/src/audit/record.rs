//! What a hook is told.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::peer::Peer;

/// One decision about a command.
///
/// It can be printed as it is: no line ends or other control characters are in it, and no values of
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
    /// It may.
    Allowed,
    /// It was answered `-NOPERM`. For a token: it was refused.
    Denied,
}

/// One word that came with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'r> {
    pub(super) name: Cow<'r, str>,
    pub(super) value: String,
}

impl Record<'_> {
    /// When it was decided.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// Who sent the command.
    pub fn peer(&self) -> &Peer {
        self.peer
    }

    /// The number of the connection, as in [`Request::connection`](crate::Request::connection).
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// If the command is about to run: its number, as in [`Request::id`](crate::Request::id).
    pub fn request(&self) -> Option<u64> {
        self.request
    }

    /// The command's name as it was declared, also if an alias was sent; `auth` for a refused token. For what a fallback answers,
    /// the first word as it was sent, shown as [`Argument::value`] is.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The words after the name: those that stand by their place, then options and flags. At most 64;
    /// [`left_out`](Self::left_out) says how many more there were.
    ///
    /// What was not sent is not there, so there are no defaults.
    pub fn arguments(&self) -> &[Argument<'_>] {
        &self.arguments
    }

    /// How many words are not in [`arguments`](Self::arguments).
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// What was decided.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// The rule that decided: `uid:root | group:adm`; `nobody` for a command without one where
    /// [`Server::default_deny`](crate::Server::default_deny) closes it; `not offered at this socket`
    /// where [`Server::also_at`](crate::Server::also_at) says so. For a refused token, why it was.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl Argument<'_> {
    /// The parameter's name. A command without declared parameters, such as a closure, has numbers:
    /// `1`, `2`, …; so has one that was sent words that don't fit its parameters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The word as text, its first 256 bytes. `…` at the end says that there was more.
    ///
    /// Control characters, `\`, `…` and what is not UTF-8 are escaped as in Rust: `\n`, `\\`,
    /// `\u{2026}`, `\xff`. A flag that was given is `true`.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl Decision {
    /// `allowed` or `denied`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}
