//! The answer to an unknown name, with a suggestion.

use super::Table;
use super::name::RESERVED;
use crate::access::Credentials;
use crate::arg::{Quoted, Truncated};
use crate::error::{Failure, code};
use crate::nearest::nearest;

impl Table {
    /// Returns the failure for an unknown name. It suggests only commands that the caller can see.
    #[cold]
    pub(crate) fn unknown(&self, caller: &Credentials<'_>, name: &[u8]) -> Failure {
        if is_protocol(name) {
            let name = Truncated(name);
            return Failure::new(code::ERR, format_args!("unknown command '{name}'"));
        }
        let (word, most) = (name.to_ascii_lowercase(), (name.len() / 3).max(1));
        let names = self.visible(caller).map(|entry| &*entry.name);
        let hint = match nearest(&word, names, most) {
            Some(other) => format!("did you mean {other}?"),
            None => "send help for a list".into(),
        };
        Failure::new(code::UNKNOWN, format_args!("no command {}; {hint}", Quoted(name)))
    }
}

/// Returns whether a client that believes to talk to Redis sends this name by itself. Clients recognize
/// the refusal by its beginning, `ERR unknown command`, and continue without the command.
fn is_protocol(name: &[u8]) -> bool {
    let is_name = |word: &&str| name.eq_ignore_ascii_case(word.as_bytes());
    let others = ["acl", "asking", "cluster", "module", "readonly", "role", "script", "sentinel"];
    RESERVED.iter().any(is_name) || others.iter().any(is_name)
}
