//! Denies a command.

use super::Service;
use super::call::unbound_call;
use super::run::Runner;
use crate::access::Policy;
use crate::arg::Quoted;
use crate::commands::{Entry, Target};
use crate::error::{Failure, code};
use crate::hooks::Begun;
use crate::param::Unbound;
use crate::reply::Reply;
use crate::session::Session;
use crate::wire::Protocol;

impl Service {
    /// Records and answers a command that the caller may not run.
    #[cold]
    pub(super) fn deny(
        &self,
        session: &Session,
        entry: Option<&Entry>,
        policy: Option<&Policy>,
        unbound: &mut Unbound<'_>,
        runner: &mut Runner<'_>,
    ) -> Option<Reply> {
        // Without a fallback, an unknown name is `-UNKNOWN` for every caller.
        if entry.is_none() && self.table.fallback().handler.is_none() {
            return Some(Reply::Error(self.unknown(session, unbound)));
        }
        let name = unbound.name().unwrap_or_default();
        let denied = denied(session, name, policy);
        // Built-in commands are not for the hooks.
        let is_author_s = entry.is_none_or(|entry| !matches!(entry.target, Target::BuiltIn(_)));
        let (case, hooks) = (runner.case, runner.hooks.filter(|_| is_author_s));
        if case.is_none() && hooks.is_none() {
            return Some(Reply::Error(denied));
        }
        let sent = String::from_utf8_lossy(name).into_owned();
        let call = unbound_call(session, entry.map_or(&sent, Entry::declared_name));
        let recorded = runner.recorded(&self.table, || {
            // The command is denied even if the record fails.
            if let Some(case) = case {
                let _ = if let Some(Entry { target: Target::Command(command), shape, .. }) = entry {
                    case.denied(command.params, shape, unbound)
                } else {
                    let (name, words, _) = unbound.all();
                    case.unbound(name, None, words)
                };
            }
            if let Some(hooks) = hooks {
                Begun::new(hooks, call).refuse(&denied);
            }
            Ok(())
        });
        recorded.then(Reply::Error(denied))
    }
}

/// Returns the failure that says why the caller may not run a command. `policy` is `None` if the socket
/// does not offer the command.
#[cold]
fn denied(session: &Session, name: &[u8], policy: Option<&Policy>) -> Failure {
    let reason = Policy::denial(policy);
    let hint = match (policy, session.protocol) {
        (Some(policy), _) if session.has_token || !policy.wants_token() => "",
        (None, _) => "",
        (_, Protocol::Line) => "; line mode has no token: use a Redis client",
        (_, Protocol::Resp2 | Protocol::Resp3) => "; send the token with AUTH",
    };
    let (uid, name) = (session.peer.uid(), Quoted(name));
    let why = format_args!("permission denied: {name} {reason} (you are uid {uid}){hint}");
    Failure::new(code::NOPERM, why)
}
