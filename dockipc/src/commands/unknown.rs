//! The answer to an unknown name, with a suggestion.

use super::name::{LONGEST_NAME, RESERVED};
use super::{Entry, Table, Target};
use crate::access::Credentials;
use crate::arg::{Quoted, Truncated};
use crate::error::{Failure, code};
use crate::nearest::nearest;
use crate::text::is_one_of;

impl Table {
    /// Returns the failure for an unknown name before this word. It suggests only commands that the caller
    /// can see.
    #[cold]
    pub(crate) fn unknown(
        &self,
        caller: &Credentials<'_>,
        name: &[u8],
        next: Option<&[u8]>,
    ) -> Failure {
        if is_protocol(name) {
            let name = Truncated(name);
            return Failure::new(code::ERR, format_args!("unknown command '{name}'"));
        }
        let (group, word) = self.in_group(name);
        let mut names = Vec::new();
        for entry in self.visible(caller) {
            match (group, entry.name.split_once(' ')) {
                (None, Some((first, _))) => names.extend([first, &*entry.name]),
                (None, None) => names.push(&*entry.name),
                (Some(group), Some((first, second))) if first == group => names.push(second),
                (Some(_), _) => {}
            }
        }
        let group = group.filter(|_| !names.is_empty());
        let (before, blank) = group.map_or(("", ""), |group| (group, " "));
        let (word, most) = (word.to_ascii_lowercase(), (word.len() / 3).max(1));
        let joined = next.and_then(|next| self.joined(caller, name, next));
        let hint = match joined.or_else(|| nearest(&word, names.into_iter(), most)) {
            Some(other) => format!("did you mean {before}{blank}{other}?"),
            None => format!("send help{blank}{before} for a list"),
        };
        Failure::new(code::UNKNOWN, format_args!("no command {}; {hint}", Quoted(name)))
    }

    /// Returns the group that a name begins with, and the rest of the name.
    fn in_group<'n>(&self, name: &'n [u8]) -> (Option<&str>, &'n [u8]) {
        let Some(at) = name.iter().position(|byte| *byte == b' ') else { return (None, name) };
        match self.find(&name[..at]) {
            Some((_, Entry { target: Target::Group(_), name: group, .. })) => {
                (Some(group), &name[at + 1..])
            }
            _ => (None, name),
        }
    }

    /// Returns the command that has two words as its name, with a `-` or the like between.
    #[cold]
    pub(crate) fn joined(
        &self,
        caller: &Credentials<'_>,
        name: &[u8],
        next: &[u8],
    ) -> Option<&str> {
        if next.is_empty() || name.len() + next.len() >= LONGEST_NAME {
            return None;
        }
        let mut joined = name.to_vec();
        joined.push(b'-');
        joined.extend_from_slice(next);
        b"-:._".iter().find_map(|between| {
            joined[name.len()] = *between;
            let entry = self.find_visible(caller, &joined)?;
            entry.is_listed().then_some(&*entry.name)
        })
    }
}

/// Returns whether a client that believes to talk to Redis sends this name by itself. Clients recognize
/// the refusal by its beginning, `ERR unknown command`, and continue without the command.
fn is_protocol(name: &[u8]) -> bool {
    let others = &["acl", "asking", "cluster", "module", "readonly", "role", "script", "sentinel"];
    is_one_of(name, RESERVED) || is_one_of(name, others)
}
