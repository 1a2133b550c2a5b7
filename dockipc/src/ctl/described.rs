//! The descriptions of the commands that several lines call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::remark;
use super::interface::{Description, Interface};
use crate::client::Client;

/// Descriptions, each of which the daemon was asked for once.
pub(super) struct Descriptions {
    client: Client,
    known: Interface,
    /// The names that were asked for.
    asked: BTreeSet<String>,
    warned: BTreeSet<String>,
}

impl Descriptions {
    pub(super) fn new(client: Client) -> Self {
        let known = Interface::from_iter([]);
        Self { client, known, asked: BTreeSet::new(), warned: BTreeSet::new() }
    }

    /// Returns the command that the first words name, and the number of these words. An error gives none:
    /// the call has the error. Warns the first time that a command is deprecated.
    pub(super) fn find(
        &mut self,
        words: &[String],
        program: &str,
    ) -> Option<(Cow<'_, Description>, usize)> {
        let name = words.get(..2).unwrap_or(words).join(" ");
        if self.known.resolve(words).is_none() && self.asked.insert(name) {
            let command = Interface::command(&self.client, words).ok().flatten();
            self.known.commands.extend(command.map(|(of, _)| (of.name.clone(), of)));
        }
        let found = self.known.resolve(words)?;
        if self.warned.insert(found.0.name.clone()) {
            warn(&found.0, program);
        }
        Some(found)
    }
}

/// Warns of a deprecated command. `program` is put in front, if it is not empty.
pub(super) fn warn(command: &Description, program: &str) {
    if let Some(advice) = &command.deprecated {
        let colon = if program.is_empty() { "" } else { ": " };
        remark(format_args!("{program}{colon}warning: {:?} is deprecated: {advice}", command.name));
    }
}
