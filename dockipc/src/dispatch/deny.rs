//! The answer to a caller that may not run a command.

use super::Service;
use super::run::Runner;
use crate::access::Policy;
use crate::arg::Quoted;
use crate::commands::Target;
use crate::error::{Failure, code};
use crate::param::Unbound;
use crate::reply::Reply;
use crate::session::Session;
use crate::wire::Protocol;

impl Service {
    /// Answers a command that the caller may not run, and records it.
    #[cold]
    pub(super) fn deny(
        &self,
        session: &Session,
        target: Option<&Target>,
        policy: Option<&Policy>,
        unbound: Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Option<Reply> {
        let name = unbound.name().unwrap_or_default();
        // Without a fallback nothing answers such a name.
        if target.is_none() && self.table.fallback().handler.is_none() {
            return Some(Reply::Error(self.table.unknown(&session.credentials(), name)));
        }
        let denied = denied(session, name, policy);
        let Some(case) = runner.case else { return Some(Reply::Error(denied)) };
        let recorded = runner.recorded(&self.table, || {
            // The command is denied even if the record fails.
            let _ = if let Some(Target::Command(command)) = target {
                case.denied(command.params, unbound)
            } else {
                let (name, words, _) = unbound.all();
                case.unbound(name, None, words)
            };
            Ok(())
        })?;
        Some(Reply::Error(recorded.map_or_else(|failure| failure, |()| denied)))
    }
}

/// Why a caller may not run something: the policy, or that it is not offered here.
#[cold]
fn denied(session: &Session, name: &[u8], policy: Option<&Policy>) -> Failure {
    let (uid, name) = (session.peer.uid(), Quoted(name));
    let Some(policy) = policy else {
        let why = format_args!("{name} is not offered at this socket; you are uid {uid}");
        return Failure::new(code::NOPERM, why);
    };
    let hint = match session.protocol {
        _ if session.has_token || !policy.wants_token() => "",
        Protocol::Line => "; a token can't be given over a line, but by a Redis client",
        Protocol::Resp2 | Protocol::Resp3 => "; the token is given with AUTH",
    };
    let why = format_args!("{name} is for {policy}; you are uid {uid}{hint}");
    Failure::new(code::NOPERM, why)
}
