//! [`Table`], the names of a server and their targets.

use std::borrow::Cow;
use std::sync::Arc;

use super::name::check_name;
use super::{BuiltIn, ChannelAccess, Command, GroupCode, PubSub, Rules, Speed};
use crate::access::{Credentials, Pattern, Policy, SocketId};
use crate::answer::Prepare;
use crate::error::Error;
use crate::handler::Handler;
use crate::local::Loops;
use crate::param::{DefaultValue, Marks, Needs, Shape, Wanted, Way, leading};
use crate::state::States;
use crate::text::number;

/// The names of a server and their targets. Built at start; afterwards only the [`Speed`]s change.
pub(crate) struct Table {
    /// The entries, sorted by the prefixes of their names, and by the names where these are the same.
    pub(super) entries: Vec<Entry>,
    /// The prefix of each entry's name, which a lookup compares first.
    prefixes: Vec<u64>,
    /// The index of the first entry with a prefix, at the place that [`Table::place`] returns or at the next
    /// free one. Its length is a power of two, and at least half of it is free.
    places: Vec<Place>,
    /// The entries in the order of their names.
    by_name: Vec<EntryId>,
    pub(super) fallback: Fallback,
    /// The speed of [`Runnable::Hook`].
    hook: Speed,
    /// The speed of the parsers of words when a command is queued.
    check: Speed,
    /// The offer of each additional socket. The first socket offers everything.
    offers: Vec<Offer>,
    /// The rules about event channels.
    pub(crate) channels: Option<Arc<dyn ChannelAccess>>,
    /// The code for groups, if a name has two words.
    pub(crate) groups: Option<&'static GroupCode>,
}

/// A name and its target.
pub(crate) struct Entry {
    pub(crate) name: Cow<'static, str>,
    pub(crate) target: Target,
    pub(crate) policy: Policy,
    pub(crate) speed: Speed,
    pub(crate) shape: Shape,
    /// The command, if its shape [is plain](Shape::is_plain).
    pub(crate) plain: Option<&'static Command>,
}

/// The handler for unknown names.
pub(crate) struct Fallback {
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) policy: Policy,
    pub(crate) speed: Speed,
}

/// The code that answers a name.
#[derive(Clone)]
pub(crate) enum Target {
    Command(&'static Command),
    Mounted(Mounted),
    BuiltIn(BuiltIn),
    PubSub(PubSub),
    /// The first word of names of two words, the group of these commands.
    Group(&'static GroupCode),
}

/// A handler that was mounted under a name.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) handler: Arc<dyn Handler>,
    /// The source location of the call that mounted it.
    pub(crate) place: String,
    /// The code for its group, if its name has two words.
    pub(crate) groups: Option<&'static GroupCode>,
}

/// A place of the hash table of prefixes.
#[derive(Clone, Copy)]
struct Place {
    prefix: u64,
    /// The bytes of the entry's name if these are eight at most, else 0.
    short: u64,
    /// The index of the first entry with the prefix, or [`FREE`].
    index: usize,
}

/// The index in a place that is free.
const FREE: usize = usize::MAX;

impl Place {
    const FREE: Self = Self { prefix: 0, short: 0, index: FREE };
}

/// The index of an entry, valid for the table that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(usize);

/// Code of the author's that the engine runs and measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runnable {
    Command(EntryId),
    Fallback,
    /// The audit and the other hooks when no command runs with them, and the drop of values that a connection
    /// holds.
    Hook,
    /// The parsers of a command's words when it is queued.
    Check,
    /// The code that has taken a connection.
    Taken,
}

/// The commands that callers of one socket can run.
enum Offer {
    Everything,
    Only {
        /// Whether each entry is offered.
        entries: Vec<bool>,
        fallback: bool,
    },
}

impl Runnable {
    /// Returns a number for an atomic cell. [`from_bits`](Self::from_bits) is the inverse.
    pub(crate) fn to_bits(self) -> usize {
        match self {
            Self::Command(EntryId(index)) => index,
            Self::Fallback => usize::MAX,
            Self::Hook => usize::MAX - 1,
            Self::Check => usize::MAX - 2,
            Self::Taken => usize::MAX - 4,
        }
    }

    pub(crate) fn from_bits(bits: usize) -> Self {
        match bits {
            usize::MAX => Self::Fallback,
            bits if bits == usize::MAX - 1 => Self::Hook,
            bits if bits == usize::MAX - 2 => Self::Check,
            bits if bits == usize::MAX - 4 => Self::Taken,
            index => Self::Command(EntryId(index)),
        }
    }
}

impl Target {
    /// Returns the source location of the declaration, for an error message.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Command(command) => command.place(),
            Self::Mounted(Mounted { place, .. }) => place.clone(),
            Self::BuiltIn(_) | Self::PubSub(_) | Self::Group(_) => "dockipc itself".into(),
        }
    }

    pub(crate) fn marks(&self) -> Marks {
        match self {
            Self::Command(command) => command.marks,
            _ => Marks::default(),
        }
    }

    /// Returns whether running it twice has the same effect as once.
    pub(crate) fn is_idempotent(&self) -> bool {
        match self {
            Self::Command(command) => command.idempotent,
            Self::BuiltIn(builtin) => !builtin.is_protocol(),
            Self::Mounted(_) | Self::PubSub(_) | Self::Group(_) => false,
        }
    }
}

impl Entry {
    /// Returns the entry of a command by its name.
    #[cfg(feature = "cli")]
    pub(crate) fn of(command: &'static Command) -> Self {
        Self::new(Cow::Borrowed(command.name), Target::Command(command))
    }

    fn new(name: Cow<'static, str>, target: Target) -> Self {
        let (shape, plain) = match target {
            Target::Command(command) => {
                let shape = command.shape();
                let plain = shape.is_plain().then_some(command);
                (shape, plain)
            }
            _ => (Shape::of(&[]), None),
        };
        Self { name, target, policy: Policy::Open, speed: Speed::default(), shape, plain }
    }

    /// Returns the command's declared name; for an alias, that of its command.
    pub(crate) fn declared_name(&self) -> &str {
        match self.target {
            Target::Command(command) => command.name,
            _ => &self.name,
        }
    }

    /// Returns the number of the command's words that can stand in the middle of its name.
    pub(super) fn leading(&self) -> usize {
        if let Target::Command(command) = self.target { leading(command.params) } else { 0 }
    }

    /// Returns whether the command takes words behind a `--`.
    pub(super) fn has_last(&self) -> bool {
        let Target::Command(command) = self.target else { return false };
        command.params.iter().any(|param| param.way == Way::Last)
    }

    /// Returns the group of a name of two words.
    #[inline(never)]
    pub(crate) fn group(&self) -> Option<&str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }

    /// Returns whether a rule for these names applies to this entry. A rule for one name of a command
    /// applies to all its names; a protocol command has none.
    #[inline(never)]
    pub(super) fn is_ruled_by(&self, pattern: &Pattern) -> bool {
        match &self.target {
            Target::Command(command) => {
                pattern.matches(command.name)
                    || command.aliases.iter().any(|name| pattern.matches(name))
            }
            Target::BuiltIn(builtin) if builtin.is_protocol() => false,
            Target::PubSub(_) | Target::Group(_) => false,
            Target::Mounted(_) | Target::BuiltIn(_) => pattern.matches(&self.name),
        }
    }

    /// Returns whether lists of commands include the entry. Hidden commands, aliases, protocol commands and
    /// groups are left out.
    pub(super) fn is_listed(&self) -> bool {
        match &self.target {
            Target::Command(command) => !command.hidden && command.name == self.name,
            Target::Mounted(_) => true,
            Target::BuiltIn(builtin) => !builtin.is_protocol(),
            Target::PubSub(_) | Target::Group(_) => false,
        }
    }
}

impl Table {
    /// Builds the table and checks everything that can be checked before the first call, except the
    /// [states](Self::check_states).
    pub(crate) fn new(
        commands: impl IntoIterator<Item = &'static Command>,
        mounted: Vec<(String, Mounted)>,
        fallback: Option<Arc<dyn Handler>>,
        rules: &Rules,
    ) -> Result<Self, Error> {
        let policy = rules.default_policy();
        let mut table = Self {
            entries: Vec::new(),
            prefixes: Vec::new(),
            places: vec![Place::FREE],
            by_name: Vec::new(),
            fallback: Fallback { handler: fallback, policy, speed: Speed::default() },
            hook: Speed::default(),
            check: Speed::default(),
            offers: Vec::new(),
            channels: None,
            groups: None,
        };
        for command in commands {
            check_defaults(command)?;
            table.groups = table.groups.or(command.groups);
            for &name in [&command.name].into_iter().chain(command.aliases) {
                table.add_declared(name, Target::Command(command))?;
            }
        }
        for (name, mounted) in mounted {
            check_name(&name).map_err(|reason| Error::BadName { name: name.clone(), reason })?;
            table.groups = table.groups.or(mounted.groups);
            table.add(Cow::Owned(name), Target::Mounted(mounted))?;
        }
        if let Some(groups) = table.groups {
            groups.add_to(&mut table)?;
        }
        for builtin in BuiltIn::ALL {
            // The author's own command replaces a built-in command. A fallback replaces those that answer
            // only an error without MULTI; after MULTI, dispatch knows EXEC and DISCARD by their names.
            let is_replaced = table.fallback.handler.is_some()
                && matches!(
                    builtin,
                    BuiltIn::Discard | BuiltIn::Exec | BuiltIn::Unwatch | BuiltIn::Watch
                );
            if !is_replaced && table.find(builtin.name().as_bytes()).is_none() {
                table.add_declared(builtin.name(), Target::BuiltIn(builtin))?;
            }
        }
        for word in PubSub::ALL {
            table.add_declared(word.name(), Target::PubSub(word))?;
        }
        table.apply(rules)?;
        for (index, entry) in table.entries.iter().enumerate() {
            let is_before = |other: &EntryId| table.entries[other.0].name < entry.name;
            table.by_name.insert(table.by_name.partition_point(is_before), EntryId(index));
        }
        for names in &rules.offers {
            let offer = names.as_deref().map(|names| table.offer(names)).transpose()?;
            table.offers.push(offer.unwrap_or(Offer::Everything));
        }
        Ok(table)
    }

    /// Checks that the server has the states and the loops of all commands.
    pub(crate) fn check_states(&self, states: &States, loops: &Loops) -> Result<(), Error> {
        if let Some(twice) = states.duplicate() {
            return Err(Error::DuplicateState(twice));
        }
        if let Some(twice) = loops.duplicate() {
            return Err(Error::DuplicateLocal(twice));
        }
        for entry in &self.entries {
            let Target::Command(command) = entry.target else { continue };
            let prepares = command.params.iter().filter_map(|param| param.at_start);
            prepares
                .chain(command.at_start.map(|Prepare(prepare)| prepare))
                .for_each(|prepare| prepare(states));
            for param in command.params {
                let Some(Wanted { id, arc, name: wanted }) = (param.wanted)() else { continue };
                let is_local = param.needs == Needs::Local;
                let has = if is_local { loops.get(id).is_some() } else { states.has(id) };
                if !has {
                    let (command, place) = (command.name, command.place());
                    return Err(if is_local {
                        Error::MissingLocal { command, place, wanted }
                    } else if states.has(arc) {
                        Error::StateInArc { command, place, wanted }
                    } else {
                        Error::MissingState { command, place, wanted }
                    });
                }
            }
        }
        Ok(())
    }

    /// Adds a name that the program contains, with less code at each call.
    #[inline(never)]
    fn add_declared(&mut self, name: &'static str, target: Target) -> Result<(), Error> {
        self.add(Cow::Borrowed(name), target)
    }

    #[inline(never)]
    pub(super) fn add(&mut self, name: Cow<'static, str>, target: Target) -> Result<(), Error> {
        if let Some((_, other)) = self.find(name.as_bytes()) {
            // inventory has no order. Sorting keeps the message the same at every start.
            let (mut first, mut second) = (other.target.place(), target.place());
            if file_and_line(&second) < file_and_line(&first) {
                std::mem::swap(&mut first, &mut second);
            }
            return Err(Error::DuplicateName { name: name.into_owned(), first, second });
        }
        let key = |name: &str| prefix(name.as_bytes()).0;
        let prefix = key(&name);
        let is_before = |other: &Entry| (key(&other.name), &other.name) < (prefix, &name);
        let index = self.entries.partition_point(is_before);
        self.prefixes.insert(index, prefix);
        self.entries.insert(index, Entry::new(name, target));
        self.place_all();
        Ok(())
    }

    fn place_all(&mut self) {
        let size = (2 * self.prefixes.len()).next_power_of_two();
        self.places = vec![Place::FREE; size];
        for (index, &key) in self.prefixes.iter().enumerate() {
            let at = self.place(key);
            let place = &mut self.places[at];
            if place.index == FREE {
                let (_, short) = prefix(self.entries[index].name.as_bytes());
                *place = Place { prefix: key, short, index };
            }
        }
    }

    /// Returns the place of a prefix, which is free if no entry has the prefix.
    fn place(&self, prefix: u64) -> usize {
        let last = self.places.len() - 1;
        // The upper half depends on all bits of the prefix. The factor is 2^64 by the golden ratio.
        let hash = prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mut at = hash as usize & last;
        while self.places[at].prefix != prefix && self.places[at].index != FREE {
            at = (at + 1) & last;
        }
        at
    }

    /// Returns the offer of a socket with these name patterns.
    fn offer(&self, patterns: &[Pattern]) -> Result<Offer, Error> {
        let is_used =
            |pattern: &&Pattern| self.entries.iter().any(|entry| entry.is_ruled_by(pattern));
        if let Some(pattern) = patterns.iter().find(|p| !p.is_all() && !is_used(p)) {
            let rule = format!("Access::only({pattern})");
            return Err(Error::bad_rule(&rule, "no command has such a name"));
        }
        let is_offered = |entry: &Entry| {
            matches!(entry.target, Target::BuiltIn(_) | Target::PubSub(_) | Target::Group(_))
                || patterns.iter().any(|pattern| entry.is_ruled_by(pattern))
        };
        let entries = self.entries.iter().map(is_offered).collect();
        Ok(Offer::Only { entries, fallback: patterns.iter().any(Pattern::is_all) })
    }

    /// Finds an entry by name, ignoring ASCII case as Redis does.
    pub(crate) fn find(&self, name: &[u8]) -> Option<(EntryId, &Entry)> {
        let (prefix, short) = prefix(name);
        let place = &self.places[self.place(prefix)];
        let index = place.index;
        // No entry has the index of a free place.
        let entry = self.entries.get(index)?;
        if short != 0 && short == place.short {
            return Some((EntryId(index), entry));
        }
        self.find_from(index, prefix, name)
    }

    /// Searches the entries that have the same prefix, of which this one is the first. There may be many,
    /// and one request can ask for many names.
    #[inline(never)]
    fn find_from(&self, index: usize, prefix: u64, name: &[u8]) -> Option<(EntryId, &Entry)> {
        let entry = &self.entries[index];
        if entry.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some((EntryId(index), entry));
        }
        let begin = index + 1;
        let count = self.prefixes[begin..].partition_point(|other| *other == prefix);
        // All names have small letters only.
        let name = name.iter().map(u8::to_ascii_lowercase);
        let order = |entry: &Entry| entry.name.bytes().cmp(name.clone());
        let found = self.entries[begin..begin + count].binary_search_by(order).ok()?;
        Some((EntryId(begin + found), &self.entries[begin + found]))
    }

    /// Finds an entry by name if the caller may run it.
    pub(crate) fn find_visible(&self, caller: &Credentials<'_>, name: &[u8]) -> Option<&Entry> {
        let (id, entry) = self.find(name)?;
        self.may_run(caller, id, entry).then_some(entry)
    }

    /// Returns the entries with these names, and `None` for each name of no entry that the caller may run.
    ///
    /// Invariant: each entry is returned at most once, however often its names occur, so that an answer is
    /// never longer than the description of all commands.
    #[inline(never)]
    pub(crate) fn named(&self, caller: &Credentials<'_>, names: &[&[u8]]) -> Vec<Option<&Entry>> {
        let mut is_new = vec![true; self.entries.len()];
        let mut named = Vec::new();
        for name in names {
            let found = self.find(name).filter(|(id, entry)| self.may_run(caller, *id, entry));
            match found {
                None => named.push(None),
                Some((EntryId(index), entry)) => {
                    if std::mem::replace(&mut is_new[index], false) {
                        named.push(Some(entry));
                    }
                }
            }
        }
        named
    }

    /// Returns the listed entries that the caller may run, sorted by name.
    #[inline(never)]
    pub(crate) fn visible(&self, caller: &Credentials<'_>) -> Vec<&Entry> {
        let mut visible = Vec::new();
        for &id in &self.by_name {
            let entry = &self.entries[id.0];
            if entry.is_listed() && self.may_run(caller, id, entry) {
                visible.push(entry);
            }
        }
        visible
    }

    /// Returns whether the caller may run a command.
    #[inline(never)]
    pub(crate) fn may_run(&self, caller: &Credentials<'_>, id: EntryId, entry: &Entry) -> bool {
        entry.policy.allows(caller) && self.is_offered(caller.socket, Runnable::Command(id))
    }

    /// Returns whether the socket offers a command.
    pub(crate) fn is_offered(&self, socket: SocketId, what: Runnable) -> bool {
        let Some(offer) = socket.index().checked_sub(1).map(|index| &self.offers[index]) else {
            return true;
        };
        match (offer, what) {
            (Offer::Everything, _) | (_, Runnable::Hook | Runnable::Check | Runnable::Taken) => {
                true
            }
            (Offer::Only { entries, .. }, Runnable::Command(EntryId(index))) => entries[index],
            (Offer::Only { fallback, .. }, Runnable::Fallback) => *fallback,
        }
    }

    pub(crate) fn fallback(&self) -> &Fallback {
        &self.fallback
    }

    pub(crate) fn speed(&self, what: Runnable) -> &Speed {
        match what {
            Runnable::Command(EntryId(index)) => &self.entries[index].speed,
            Runnable::Fallback => &self.fallback.speed,
            Runnable::Hook => &self.hook,
            // The latter is always slow, and not looked up.
            Runnable::Check | Runnable::Taken => &self.check,
        }
    }

    /// Returns the name of running code; empty for the fallback.
    #[cold]
    pub(crate) fn name(&self, what: Runnable) -> &str {
        match what {
            Runnable::Command(EntryId(index)) => &self.entries[index].name,
            Runnable::Fallback => "",
            Runnable::Hook => "(hook)",
            Runnable::Check => "(queueing)",
            Runnable::Taken => "(hand_over)",
        }
    }
}

/// Checks the defaults of a command's parameters.
fn check_defaults(command: &'static Command) -> Result<(), Error> {
    for param in command.params {
        let bad = match param.default {
            Some(DefaultValue::Word(word)) => (param.check)(word).err(),
            _ => None,
        };
        let reason = match bad {
            Some(_) if param.secret => Some(format!("expected {}", param.ty)),
            Some(bad) => Some(bad.reason().to_owned()),
            None => param.extra.and_then(|extra| (extra.code.bad_default)(param, extra)),
        };
        if let Some(reason) = reason {
            return Err(Error::BadDefault {
                command: command.name,
                place: command.place(),
                param: param.name,
                reason,
            });
        }
    }
    Ok(())
}

/// Returns a source place in a form that sorts by file and line.
fn file_and_line(place: &str) -> (&str, Option<u32>) {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    (file, number(line))
}

/// Returns the first eight bytes as a number, the same for both cases of a letter. Returns also the bytes
/// as they are, if these are eight at most, else 0.
///
/// Two names with the same prefix and the same bytes other than 0 are equal: the prefix of a shorter one has
/// a byte of 0 in front.
fn prefix(name: &[u8]) -> (u64, u64) {
    const CASE: u64 = 0x2020_2020_2020_2020;
    if let Some(first) = name.first_chunk() {
        let first = u64::from_be_bytes(*first);
        return (first | CASE, if name.len() == 8 { first } else { 0 });
    }
    let bytes = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        // The two overlap by the bytes that are missing from eight.
        let [first, last] = [first, last].map(|four| u64::from(u32::from_be_bytes(*four)));
        first << (8 * (name.len() - 4)) | last
    } else {
        name.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let case = if name.is_empty() { 0 } else { CASE >> (8 * (8 - name.len())) };
    (bytes | case, bytes)
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn short_name_is_equal_to_itself_only() {
        let names: [&[u8]; 12] = [
            b"",
            b"\0",
            b"a",
            b"A",
            b"\0a",
            b" a",
            b"add",
            b"\0add",
            b"add\0",
            b"eightlen",
            b"eightlens",
            b"eightleN",
        ];
        for (one, other) in names.iter().flat_map(|one| names.map(|other| (*one, other))) {
            let (first, second) = (prefix(one), prefix(other));
            if first == second && first.1 != 0 {
                assert_eq!(one, other);
            }
        }
        assert_eq!(prefix(b"add").0, prefix(b"ADD").0);
        assert_ne!(prefix(b"eightlen").1, 0);
    }
}
