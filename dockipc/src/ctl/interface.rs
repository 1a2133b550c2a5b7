//! The interface of a daemon: its commands, as `DOCKIPC DESCRIBE` answers them.
//!
//! Invariant: no text in an [`Interface`] that was read from a daemon has a character that acts on
//! a terminal; [`sanitize`] escapes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::output::{escaped, to_json};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::text::Integer;

mod answer;

pub(super) use answer::{Answer, Type};

/// The commands that the caller may run, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) commands: BTreeMap<String, Description>,
}

/// A command. The order of the fields is their order in the output of `schema`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(rename = "builtin", default, skip_serializing)]
    pub(super) is_builtin: bool,
    pub(super) arguments: Vec<Argument>,
    /// The type of the answer, which older daemons do not describe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
}

/// An argument of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The name of an option or a flag, with its dashes. A positional argument has none.
    pub(super) flag: Option<String>,
    #[serde(rename = "type")]
    pub(super) ty: String,
    pub(super) choices: Vec<String>,
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
    /// The short name of an option, with its dash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) short: Option<String>,
    /// Other words for the choices, each with its choice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) aliases: BTreeMap<String, String>,
    /// Whether each word is `KEY=VALUE`, with a value of the type.
    #[serde(rename = "map", default, skip_serializing_if = "is_false")]
    pub(super) is_map: bool,
    /// Whether a path must be absolute.
    #[serde(rename = "absolute", default, skip_serializing_if = "is_false")]
    pub(super) is_absolute: bool,
    /// The value that the program fills in unless it is given: `cwd` or `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<String>,
    pub(super) default: Option<String>,
    #[serde(rename = "optional")]
    pub(super) is_optional: bool,
    #[serde(rename = "multiple")]
    pub(super) is_multiple: bool,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
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
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
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

/// The longest description that is read, in bytes, so that no daemon can exhaust the memory.
pub(super) const MAX_DESCRIPTION: usize = 16 << 20;

impl Interface {
    /// Asks the daemon for all commands.
    pub(super) fn of(client: &Client) -> Result<Self> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        Self::read(client.command("dockipc").arg("describe").call()?)
    }

    /// Asks the daemon for one command. Returns `None` if the caller has no such command.
    pub(super) fn command(client: &Client, name: &str) -> Result<Option<Description>> {
        let one = Self::named(client, &[name])?;
        Ok(one.commands.into_values().next())
    }

    /// Asks the daemon for those of some commands that the caller may run, hidden ones included.
    pub(super) fn named(client: &Client, names: &[&str]) -> Result<Self> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        let call = client.command("dockipc").arg("describe");
        Self::read(names.iter().fold(call, |call, name| call.arg(*name)).call()?)
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
        self.commands.values().find(|command| {
            let mut names = command.aliases.iter().chain([&command.name]);
            names.any(|other| other.eq_ignore_ascii_case(name))
        })
    }
}

impl FromIterator<Description> for Interface {
    fn from_iter<C: IntoIterator<Item = Description>>(commands: C) -> Self {
        let named = commands.into_iter().map(|command| (command.name.clone(), command));
        Self { commands: named.collect() }
    }
}

/// The numbers of a description. All others stand for booleans.
const NUMBERS: [&str; 4] = ["min_len", "max_len", "min_count", "max_count"];

/// Escapes the texts of a description, and converts its numbers to the booleans that they stand
/// for.
fn sanitize(value: &mut Value) {
    match value {
        Value::String(text) => *text = escaped(text).into_owned(),
        Value::Number(number) => *value = (number.as_i64() != Some(0)).into(),
        Value::Array(items) => items.iter_mut().for_each(sanitize),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    // The only text with more than one line.
                    Value::String(text) if key == "details" => {
                        *text = text.split('\n').map(escaped).collect::<Vec<_>>().join("\n");
                    }
                    Value::Number(_) if NUMBERS.contains(&key.as_str()) => {}
                    value => sanitize(value),
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Interface, Kind};
    use crate::reply::Reply;

    #[test]
    fn description_of_a_newer_daemon_is_read() {
        let (text, no) = (|text: &str| Reply::bytes(text), || Reply::Int(0));
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
        ]);
        let command = Reply::map([
            ("aliases", Reply::List(Vec::new())),
            ("summary", text("a\nb")),
            ("details", text("a\nb\x1b")),
            ("usage", text("add")),
            ("idempotent", no()),
            ("for", Reply::Null),
            ("builtin", no()),
            ("arguments", Reply::List(vec![argument])),
        ]);
        let interface = Interface::read(Reply::map([("add", command)])).unwrap();
        let add = interface.find("ADD").unwrap();
        assert_eq!((&*add.summary, &*add.details), ("a\\nb", "a\nb\\x1b"));
        let [n] = &add.arguments[..] else { panic!("{add:?}") };
        assert_eq!((&*n.name, n.kind), ("n\\x1b", Kind::Unknown));
        assert_eq!((n.is_optional, n.is_multiple), (true, false));
        for reply in [Reply::Int(1), Reply::List(vec![Reply::Null]), Reply::map([("add", no())])] {
            assert!(Interface::read(reply).is_err());
        }
    }
}
