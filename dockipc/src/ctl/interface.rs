//! The interface of a daemon: its commands, as `DOCKIPC DESCRIBE` answers them.
//!
//! Invariant: no text in an [`Interface`] that was read from a daemon has a character that acts on
//! a terminal; [`sanitize`] escapes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::output::{escaped, to_json};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::text::Integer;

mod answer;

pub(super) use answer::{Answer, Field, Type, Variant};

/// The commands that the caller may run, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) commands: BTreeMap<String, Description>,
}

/// A command. The order of the fields is their order in the output of `schema`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) summary: String,
    pub(super) details: String,
    pub(super) usage: String,
    #[serde(rename = "idempotent")]
    pub(super) is_idempotent: bool,
    /// The access rule, if the command has one.
    #[serde(rename = "for")]
    pub(super) rule: Option<String>,
    /// The daemon's version that brought the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<String>,
    /// The advice for callers of a command that will be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deprecated: Option<String>,
    /// Whether the command changes nothing.
    #[serde(rename = "readonly", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_readonly: bool,
    /// Whether the command destroys what can't be restored.
    #[serde(rename = "destructive", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_destructive: bool,
    #[serde(rename = "builtin", default, skip_serializing)]
    pub(super) is_builtin: bool,
    /// How many of the arguments can stand in the middle of the name: `output <name> off` is the command `output off`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) leading: usize,
    pub(super) arguments: Vec<Argument>,
    /// The arguments that stood in the middle of the name. They are no longer among the others.
    #[serde(skip)]
    pub(super) before: Vec<Argument>,
    /// The type of the answer, which older daemons do not describe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
}

/// An argument of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The name of an option or a flag, with its dashes. A positional argument has none.
    pub(super) flag: Option<String>,
    /// The short name of an option or a flag, with its dash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) short: Option<String>,
    #[serde(rename = "type")]
    pub(super) ty: String,
    /// The type of the items of a body, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<Answer>,
    pub(super) choices: Vec<String>,
    /// Other words for some of the choices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) aliases: BTreeMap<String, String>,
    /// The smallest value of a number. An integer has one always, also if its type is the only limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<String>,
    /// The largest value of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<String>,
    /// The number that a float is less than, in place of `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) below: Option<String>,
    /// The fewest and the most bytes of a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_len: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_len: Option<u64>,
    /// The fewest and the most words of an argument that can be repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_count: Option<u64>,
    /// The regular expression of the accepted words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<String>,
    /// The JSON Schema of a value, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<String>,
    pub(super) default: Option<String>,
    #[serde(rename = "optional")]
    pub(super) is_optional: bool,
    #[serde(rename = "multiple")]
    pub(super) is_multiple: bool,
    /// The name of a choice: exactly one of the arguments with this name is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) one_of: Option<String>,
    /// Whether a word is a key, a `=` and a value.
    #[serde(rename = "map", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_map: bool,
    /// Whether a path is absolute.
    #[serde(rename = "absolute", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_absolute: bool,
    /// The property of the caller that is sent unless a value is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<OfCaller>,
    pub(super) help: String,
    #[serde(rename = "secret")]
    pub(super) is_secret: bool,
    /// Whether the daemon can complete values.
    pub(super) completes: bool,
}

impl Argument {
    /// Returns the values that the author accepts, other than those of the type.
    pub(super) fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        let (min, max, below) = (&self.min, &self.max, &self.below);
        let range = match (min, max, below) {
            (Some(min), _, Some(below)) => Some(format!("at least {min} and less than {below}")),
            (None, _, Some(below)) => Some(format!("less than {below}")),
            (Some(min), Some(max), None) => limited(min, max),
            (Some(min), None, None) => Some(format!("at least {min}")),
            (None, Some(max), None) => Some(format!("at most {max}")),
            _ => None,
        };
        limits.extend(range);
        let count = |min: Option<u64>, max: Option<u64>, unit: &str| {
            let (last, text) = match (min, max) {
                (None, None) => return None,
                (Some(min), None) => (min, format!("at least {min}")),
                (None, Some(max)) => (max, format!("at most {max}")),
                (Some(min), Some(max)) if min == max => (max, max.to_string()),
                (Some(min), Some(max)) => (max, format!("{min} to {max}")),
            };
            Some(format!("{text} {unit}{}", if last == 1 { "" } else { "s" }))
        };
        limits.extend(count(self.min_len, self.max_len, "byte"));
        limits.extend(self.pattern.as_ref().map(|pattern| format!("matching {pattern}")));
        if self.is_absolute {
            limits.push("absolute".into());
        }
        limits.extend(count(self.min_count, self.max_count, "value"));
        limits
    }
}

/// Returns a range without the limits of an integer type of 32 bits and more, which every such integer has.
fn limited(min: &str, max: &str) -> Option<String> {
    let ranges = [
        <u32 as Integer>::RANGE,
        <u64 as Integer>::RANGE,
        <u128 as Integer>::RANGE,
        <i32 as Integer>::RANGE,
        <i64 as Integer>::RANGE,
        <i128 as Integer>::RANGE,
    ];
    let is_nonzero = min == "1" && ranges.contains(&("0", max));
    if ranges.contains(&(min, max)) || is_nonzero {
        return None;
    }
    let is_least = min.starts_with('-') && ranges.iter().any(|range| range.0 == min);
    let is_most = ranges.iter().any(|range| range.1 == max);
    Some(match (is_least, is_most) {
        (true, false) => format!("at most {max}"),
        (false, true) => format!("at least {min}"),
        _ => format!("{min} to {max}"),
    })
}

/// How an argument is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[cfg_attr(test, default)]
    Positional,
    /// The rest of the line, as one text.
    Rest,
    /// The words behind `--`.
    Last,
    /// The bytes that follow the command.
    Body,
    /// `--name value`.
    Option,
    /// `--name`, without a value.
    Flag,
    /// A kind that only newer daemons know. It is treated as positional.
    #[serde(other)]
    Unknown,
}

/// A property of the caller that the program fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OfCaller {
    /// The working directory.
    Cwd,
    /// The environment.
    Env,
    /// A property that only newer daemons know.
    #[serde(other)]
    Unknown,
}

/// The longest description that is read, in bytes, so that no daemon can exhaust the memory.
pub(super) const MAX_DESCRIPTION: usize = 16 << 20;

impl Interface {
    /// Asks the daemon for all commands.
    pub(super) fn of(client: &Client) -> Result<Self> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        Self::read(client.command("dockipc").arg("describe").call()?)
    }

    /// Asks the daemon for the command that the first words name. Also returns the number of these
    /// words, and `None` if the caller has no such command.
    pub(super) fn command(
        client: &Client,
        words: &[impl AsRef<str>],
    ) -> Result<Option<(Description, usize)>> {
        let Some(first) = words.first() else { return Ok(None) };
        let two = words.get(1).filter(|second| is_name(second.as_ref()));
        let two = two.map(|second| format!("{} {}", first.as_ref(), second.as_ref()));
        let names: Vec<_> = [first.as_ref()].into_iter().chain(two.as_deref()).collect();
        let described = Self::named(client, &names)?;
        Ok(described.resolve(words).map(|(command, used)| (command.into_owned(), used)))
    }

    /// Asks the daemon for those of some commands that the caller may run, hidden ones included.
    pub(super) fn named(client: &Client, names: &[&str]) -> Result<Self> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        let call = client.command("dockipc").arg("describe");
        Self::read(names.iter().fold(call, |call, name| call.arg(*name)).call()?)
    }

    /// Returns the commands that are linked into this program: none without the server.
    pub(super) fn linked() -> Result<Self> {
        #[cfg(feature = "server")]
        let described = crate::builtin::linked();
        #[cfg(not(feature = "server"))]
        let described = Reply::Map(Vec::new());
        Self::read(described)
    }

    fn read(reply: Reply) -> Result<Self> {
        let mut described = to_json(reply);
        for (name, command) in described.as_object_mut().into_iter().flatten() {
            if let Value::Object(command) = command {
                command.insert("name".into(), name.as_str().into());
            }
        }
        sanitize(&mut described);
        let commands = serde_json::from_value::<BTreeMap<String, Description>>(described).map_err(
            |error| Error::Protocol(format!("invalid description of commands: {error}")),
        )?;
        Ok(commands.into_values().collect())
    }

    /// Returns the command with a name or an alias, compared without regard to ASCII case.
    pub(super) fn find(&self, name: &str) -> Option<&Description> {
        self.commands.values().find(|command| command.has_name(name))
    }

    /// Returns the command that the first words name, and the number of these words. A name of two words
    /// has precedence. Words that stand in the middle of a name are counted, and are not arguments of the command.
    pub(super) fn resolve(
        &self,
        words: &[impl AsRef<str>],
    ) -> Option<(Cow<'_, Description>, usize)> {
        let two = match words {
            [first, second, ..] if is_name(second.as_ref()) => {
                self.find(&format!("{} {}", first.as_ref(), second.as_ref()))
            }
            _ => None,
        };
        let one = || self.find(words.first()?.as_ref()).map(|command| (command, 1));
        let found = two.map(|command| (command, 2)).or_else(one);
        found.map(|(command, used)| (Cow::Borrowed(command), used)).or_else(|| self.divided(words))
    }

    /// Returns the command whose name has words in its middle, as the daemon finds it.
    fn divided(&self, words: &[impl AsRef<str>]) -> Option<(Cow<'_, Description>, usize)> {
        let (group, words) = words.split_first()?;
        let plain = words.iter().take_while(|word| !word.as_ref().starts_with('-')).count();
        let fits = |command: &&Description| {
            let at = command.leading;
            let name =
                words.get(at).map(|second| format!("{} {}", group.as_ref(), second.as_ref()));
            (1..=plain).contains(&at) && name.is_some_and(|name| command.has_name(&name))
        };
        let found = self.commands.values().filter(fits).min_by_key(|command| command.leading)?;
        let mut command = found.clone();
        let at = command.leading.min(command.arguments.len());
        let arguments = command.arguments.split_off(at);
        command.before = std::mem::replace(&mut command.arguments, arguments);
        Some((Cow::Owned(command), found.leading + 2))
    }

    /// Returns the commands of a group, whose names begin with its name; none if there is no such group.
    pub(super) fn group(&self, name: &str) -> Self {
        let of_group = |command: &&Description| {
            command.group().is_some_and(|group| group.eq_ignore_ascii_case(name))
        };
        self.commands.values().filter(of_group).cloned().collect()
    }
}

impl Description {
    fn has_name(&self, name: &str) -> bool {
        let mut names = self.aliases.iter().chain([&self.name]);
        names.any(|other| other.eq_ignore_ascii_case(name))
    }

    /// Returns the first word of a name of two words.
    pub(super) fn group(&self) -> Option<&str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Returns whether a word can be a part of a command's name.
fn is_name(word: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    !word.is_empty() && word.len() <= MAX_NAME && word.bytes().all(is_part)
}

/// The longest word, in bytes, that is taken for a part of a name.
const MAX_NAME: usize = 128;

impl FromIterator<Description> for Interface {
    fn from_iter<C: IntoIterator<Item = Description>>(commands: C) -> Self {
        let named = commands.into_iter().map(|command| (command.name.clone(), command));
        Self { commands: named.collect() }
    }
}

/// The numbers of a description. All others stand for booleans.
const NUMBERS: [&str; 5] = ["min_len", "max_len", "min_count", "max_count", "leading"];

/// Escapes the texts of a description, and converts its numbers to the booleans that they stand
/// for.
fn sanitize(value: &mut Value) {
    match value {
        Value::String(text) => *text = escaped(text).into_owned(),
        Value::Number(number) => *value = (number.as_i64() != Some(0)).into(),
        Value::Array(items) => items.iter_mut().for_each(sanitize),
        Value::Object(fields) => {
            for (key, mut value) in std::mem::take(fields) {
                match &mut value {
                    // The only text with more than one line.
                    Value::String(text) if key == "details" => {
                        *text = text.split('\n').map(escaped).collect::<Vec<_>>().join("\n");
                    }
                    Value::Number(_) if NUMBERS.contains(&key.as_str()) => {}
                    value => sanitize(value),
                }
                fields.insert(escaped(&key).into_owned(), value);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Interface, Kind, OfCaller};
    use crate::reply::Reply;

    fn no() -> Reply {
        Reply::Int(0)
    }

    fn text(text: &str) -> Reply {
        Reply::bytes(text)
    }

    fn command(aliases: &[&str], arguments: Vec<Reply>) -> Reply {
        Reply::map([
            ("aliases", Reply::List(aliases.iter().map(|alias| text(alias)).collect())),
            ("summary", text("a\nb")),
            ("details", text("a\nb\x1b")),
            ("usage", text("add")),
            ("idempotent", no()),
            ("for", Reply::Null),
            ("builtin", no()),
            ("arguments", Reply::List(arguments)),
        ])
    }

    #[test]
    fn name_of_two_words_has_precedence() {
        let interface = Interface::read(Reply::map([
            ("group", command(&["g"], Vec::new())),
            ("group add", command(&["new", "group new"], Vec::new())),
            ("stop", command(&[], Vec::new())),
        ]));
        let interface = interface.unwrap();
        let resolved = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            interface.resolve(&words).map(|(command, used)| (command.name.clone(), used))
        };
        let is = |name: &str, used| Some((name.to_owned(), used));
        assert_eq!(resolved("GROUP Add x"), is("group add", 2));
        assert_eq!(resolved("group new"), is("group add", 2));
        assert_eq!(resolved("new x"), is("group add", 1));
        assert_eq!(resolved("group x"), is("group", 1));
        assert_eq!(resolved("g add"), is("group", 1));
        assert_eq!(resolved("stop add"), is("stop", 1));
        assert_eq!(resolved("add"), None);
        let names: Vec<_> = interface.group("Group").commands.into_keys().collect();
        assert_eq!(names, ["group add"]);
    }

    #[test]
    fn name_can_have_words_in_its_middle() {
        let argument = |name| {
            let (kind, none) = (text("positional"), || text(""));
            Reply::map([
                ("name", text(name)),
                ("kind", kind),
                ("flag", Reply::Null),
                ("type", none()),
                ("choices", Reply::List(Vec::new())),
                ("default", Reply::Null),
                ("optional", no()),
                ("multiple", no()),
                ("help", none()),
                ("secret", no()),
                ("completes", no()),
            ])
        };
        let with_leading = |aliases: &[&str], names: &[&'static str]| {
            let described = command(aliases, names.iter().map(|name| argument(*name)).collect());
            let Reply::Map(mut fields) = described else { panic!("{described:?}") };
            fields.push((text("leading"), Reply::Int(1)));
            Reply::Map(fields)
        };
        let interface = Interface::read(Reply::map([
            ("output off", with_leading(&["output out"], &["name"])),
            ("output scale", with_leading(&[], &["name", "factor"])),
            ("output list", command(&[], Vec::new())),
        ]));
        let interface = interface.unwrap();
        let resolved = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let (command, used) = interface.resolve(&words)?;
            let arguments = command.arguments.iter().map(|argument| argument.name.clone());
            Some((command.name.clone(), used, arguments.collect::<Vec<_>>().join(" ")))
        };
        let is = |name: &str, used, arguments: &str| Some((name.into(), used, arguments.into()));
        assert_eq!(resolved("output eDP-1 off"), is("output off", 3, ""));
        assert_eq!(resolved("OUTPUT eDP-1 Out"), is("output off", 3, ""));
        assert_eq!(resolved("output eDP-1 scale 2"), is("output scale", 3, "factor"));
        assert_eq!(resolved("output scale eDP-1 2"), is("output scale", 2, "name factor"));
        assert_eq!(resolved("output off scale"), is("output off", 2, "name"));
        assert_eq!(resolved("output list off"), is("output list", 2, ""));
        for line in ["output eDP-1", "output eDP-1 list", "output --x off", "x eDP-1 off"] {
            assert_eq!(resolved(line), None, "{line}");
        }
    }

    #[test]
    fn description_of_a_newer_daemon_is_read() {
        let argument = Reply::map([
            ("name", text("n\x1b")),
            ("kind", text("stream")),
            ("flag", Reply::Null),
            ("type", text("text")),
            ("choices", Reply::List(Vec::new())),
            ("default", Reply::Null),
            ("optional", Reply::Int(1)),
            ("multiple", no()),
            ("help", text("")),
            ("secret", no()),
            ("completes", no()),
            ("unit", text("bytes")),
            ("caller", text("mood")),
            ("aliases", Reply::map([("\x1b[2J", text("w"))])),
            ("min_count", Reply::Int(2)),
            ("absolute", Reply::Int(1)),
        ]);
        let command = command(&[], vec![argument]);
        let interface = Interface::read(Reply::map([("add", command)])).unwrap();
        let add = interface.find("ADD").unwrap();
        assert_eq!((&*add.summary, &*add.details), ("a\\nb", "a\nb\\x1b"));
        let [n] = &add.arguments[..] else { panic!("{add:?}") };
        assert_eq!((&*n.name, n.kind), ("n\\x1b", Kind::Unknown));
        assert_eq!(n.aliases.keys().collect::<Vec<_>>(), ["\\x1b[2J"]);
        assert_eq!((n.is_optional, n.is_multiple, n.is_absolute), (true, false, true));
        assert_eq!((n.caller, n.min_count), (Some(OfCaller::Unknown), Some(2)));
        for reply in [Reply::Int(1), Reply::List(vec![Reply::Null]), Reply::map([("add", no())])] {
            assert!(Interface::read(reply).is_err());
        }
    }
}
