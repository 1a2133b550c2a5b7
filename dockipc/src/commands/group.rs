//! Groups: the first words of names of two words.

use std::borrow::Cow;

use super::name::first_word;
use super::{BuiltIn, Entry, Table, Target};
use crate::access::Credentials;
use crate::buffer::Buffer;
use crate::error::{Error, Failure};
use crate::param::Unbound;

/// The code for names of two words. Only the registration of a command with such a name refers to it, so that other
/// programs do not contain it.
#[doc(hidden)]
pub struct GroupCode {
    add: fn(&mut Table) -> Result<(), Error>,
    /// Joins the second word of a name to the group. Returns whether there is one.
    pub(crate) join_name: fn(&Table, &mut Unbound<'_>) -> Result<bool, Failure>,
    /// Returns the listed commands of a group that the caller may run, sorted by name.
    pub(crate) members: for<'t> fn(&'t Table, &Credentials<'_>, &str) -> Vec<&'t Entry>,
    /// Puts a group in place of its commands.
    pub(crate) fold: for<'t> fn(&'t Table, &mut Vec<&'t Entry>),
}

/// The only one.
pub(super) static GROUPS: GroupCode = GroupCode { add, join_name, members, fold };

/// Returns the code for groups if one of the names of a command has two words.
#[doc(hidden)]
pub const fn groups(name: &str, aliases: &[&str]) -> Option<&'static GroupCode> {
    let mut has_two = first_word(name).len() < name.len();
    let mut i = 0;
    while i < aliases.len() {
        has_two |= first_word(aliases[i]).len() < aliases[i].len();
        i += 1;
    }
    if has_two { Some(&GROUPS) } else { None }
}

impl GroupCode {
    /// Adds the first words of the names of two words.
    pub(super) fn add_to(&self, table: &mut Table) -> Result<(), Error> {
        (self.add)(table)
    }
}

/// The second word of a name is behind the group, or behind the words that a command has in front of it: `output eDP-1
/// off` is `output off eDP-1`, unless `output` has a command `eDP-1`.
fn join_name(table: &Table, unbound: &mut Unbound<'_>) -> Result<bool, Failure> {
    let group = unbound.name().unwrap_or_default().to_vec();
    let is_member =
        |entry: &&Entry| entry.group().is_some_and(|of| of.as_bytes().eq_ignore_ascii_case(&group));
    let members = || table.entries.iter().filter(is_member);
    let most = members().map(Entry::leading).max().unwrap_or(0);
    let find = |word: &Buffer| {
        let mut name = Buffer::with_capacity(group.len() + 1 + word.len());
        for part in [&group[..], b" ", word] {
            name.extend_from_slice(part);
        }
        table.find(&name).map(|(_, entry)| entry)
    };
    if most == 0 || unbound.peek(1).first().is_none_or(|word| find(word).is_some()) {
        return unbound.join_name(0, false);
    }
    let words = unbound.peek(most + 1);
    // One that begins with `-` may be an option.
    let plain = words.iter().take_while(|word| !word.starts_with(b"-")).count();
    let place = |at: usize| {
        let entry = words.get(at).and_then(find)?;
        (at <= plain && entry.leading() == at).then_some((at, entry))
    };
    if let Some((at, entry)) = (1..=most).find_map(place) {
        return unbound.join_name(at, entry.has_last());
    }
    // The error names the word that should be the second one, unless that may be a secret.
    let is_misspelt = words.get(most).is_some_and(|word| find(word).is_none());
    let has_secret = members().any(|entry| entry.shape.has_secret);
    unbound.join_name(if is_misspelt && !has_secret { most } else { 0 }, false)
}

/// Adds the first words of the names of two words.
fn add(table: &mut Table) -> Result<(), Error> {
    let mut groups: Vec<String> = Vec::new();
    for entry in &table.entries {
        let Some(group) = entry.group() else { continue };
        let other = match table.find(group.as_bytes()) {
            Some((_, other)) => Some(other.target.place()),
            None if BuiltIn::ALL.iter().any(|builtin| builtin.name() == group) => {
                Some(Target::Group(&GROUPS).place())
            }
            None => None,
        };
        if let Some(command) = other {
            let (name, member) = (group.to_owned(), entry.name.clone().into_owned());
            let place = entry.target.place();
            return Err(Error::GroupIsCommand { name, command, member, place });
        }
        if !groups.iter().any(|other| other == group) {
            groups.push(group.to_owned());
        }
    }
    groups.into_iter().try_for_each(|group| table.add(Cow::Owned(group), Target::Group(&GROUPS)))
}

fn members<'t>(table: &'t Table, caller: &Credentials<'_>, group: &str) -> Vec<&'t Entry> {
    let mut entries = Vec::new();
    for entry in table.visible(caller) {
        if entry.group() == Some(group) {
            entries.push(entry);
        }
    }
    entries
}

fn fold<'t>(table: &'t Table, entries: &mut Vec<&'t Entry>) {
    for entry in entries.iter_mut() {
        if let Some((_, group)) = entry.group().and_then(|group| table.find(group.as_bytes())) {
            *entry = group;
        }
    }
    // The commands of a group follow each other.
    entries.dedup_by(|one, other| one.name == other.name);
}
