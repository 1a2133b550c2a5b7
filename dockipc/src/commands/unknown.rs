//! The answer to an unknown name, with a suggestion.

use super::Table;
use crate::access::Credentials;
use crate::arg::Quoted;
use crate::error::{Failure, code};
use crate::nearest::nearest;

impl Table {
    /// Returns the failure for an unknown name. It suggests only commands that the caller can see.
    #[cold]
    pub(crate) fn unknown(&self, caller: &Credentials<'_>, name: &[u8]) -> Failure {
        let (word, most) = (name.to_ascii_lowercase(), (name.len() / 3).max(1));
        let names = self.visible(caller).map(|entry| &*entry.name);
        let hint = match nearest(&word, names, most) {
            Some(other) => format!("did you mean {other}?"),
            None => "send help for a list".into(),
        };
        Failure::new(code::UNKNOWN, format_args!("no command {}; {hint}", Quoted(name)))
    }
}
