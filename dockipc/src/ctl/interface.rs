//! What a daemon offers, as it describes it.

use std::collections::BTreeMap;

use super::output::escaped;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::reply::{FromReply, Reply};

/// The commands that the caller may run, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) commands: BTreeMap<String, Description>,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) details: String,
    pub(super) usage: String,
    pub(super) aliases: Vec<String>,
    pub(super) is_idempotent: bool,
    /// Who may run it, if there is a rule.
    pub(super) rule: Option<String>,
    pub(super) is_builtin: bool,
    pub(super) arguments: Vec<Argument>,
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) ty: String,
    pub(super) choices: Vec<String>,
    pub(super) default: Option<String>,
    pub(super) is_optional: bool,
    pub(super) is_multiple: bool,
    pub(super) help: String,
    pub(super) is_secret: bool,
    /// The daemon proposes values.
    pub(super) completes: bool,
}

/// How an argument is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Positional,
    /// All that is left, as one text.
    Rest,
    /// With this in front, dashes and all.
    Option(String),
    /// This alone.
    Flag(String),
}

/// The longest description, in bytes: a stranger's would not end.
pub(super) const LONGEST: usize = 16 << 20;

impl Interface {
    /// Asks the daemon.
    pub(super) fn of(client: &Client) -> Result<Self> {
        let client = client.clone().max_answer(LONGEST);
        Self::read(client.command("dockipc").arg("describe").call()?)
    }

    /// Asks for one command; none if there is no such command for this caller.
    pub(super) fn command(client: &Client, name: &str) -> Result<Option<Description>> {
        let client = client.clone().max_answer(LONGEST);
        let one = Self::read(client.command("dockipc").arg("describe").arg(name).call()?)?;
        Ok(one.commands.into_values().next())
    }

    fn read(commands: BTreeMap<String, Fields>) -> Result<Self> {
        let commands = commands.into_iter().map(|(name, fields)| {
            let name = escaped(&name).into_owned();
            let command = Description::read(name.clone(), fields)?;
            Ok((name, command))
        });
        commands.collect::<Result<_>>().map(|commands| Self { commands })
    }

    /// The command that a name or an alias means, without regard to ASCII case.
    pub(super) fn find(&self, name: &str) -> Option<&Description> {
        self.commands.values().find(|command| {
            let mut names = command.aliases.iter().chain([&command.name]);
            names.any(|other| other.eq_ignore_ascii_case(name))
        })
    }
}

impl Description {
    fn read(name: String, mut fields: Fields) -> Result<Self> {
        let arguments: Vec<Fields> = fields.take("arguments")?;
        Ok(Self {
            name,
            summary: fields.take("summary")?,
            details: fields.take(DETAILS)?,
            usage: fields.take("usage")?,
            aliases: fields.take("aliases")?,
            is_idempotent: fields.take::<i64>("idempotent")? != 0,
            rule: fields.take("for")?,
            is_builtin: fields.take::<i64>("builtin")? != 0,
            arguments: arguments.into_iter().map(Argument::read).collect::<Result<_>>()?,
        })
    }
}

impl Argument {
    fn read(mut fields: Fields) -> Result<Self> {
        let flag: Option<String> = fields.take("flag")?;
        let kind: String = fields.take("kind")?;
        let kind = match (&*kind, flag) {
            ("option", Some(flag)) => Kind::Option(flag),
            ("flag", Some(flag)) => Kind::Flag(flag),
            ("rest", _) => Kind::Rest,
            _ => Kind::Positional,
        };
        Ok(Self {
            name: fields.take("name")?,
            kind,
            ty: fields.take("type")?,
            choices: fields.take("choices")?,
            default: fields.take("default")?,
            is_optional: fields.take::<i64>("optional")? != 0,
            is_multiple: fields.take::<i64>("multiple")? != 0,
            help: fields.take("help")?,
            is_secret: fields.take::<i64>("secret")? != 0,
            completes: fields.take::<i64>("completes")? != 0,
        })
    }
}

/// What is said of something, by key. A newer daemon may say more.
struct Fields(BTreeMap<String, Reply>);

impl FromReply for Fields {
    fn from_reply(reply: Reply) -> Result<Self> {
        let fields = BTreeMap::<String, Reply>::from_reply(reply)?.into_iter();
        let fields = fields.map(|(key, value)| {
            // The only text with several lines.
            let value = if key == DETAILS { each_line(value) } else { plain(value) };
            (key, value)
        });
        Ok(Self(fields.collect()))
    }
}

const DETAILS: &str = "details";

/// What is shown to people: each text as a part of one line, without what would do something to a
/// terminal.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Bytes(bytes) => Reply::bytes(escaped(&String::from_utf8_lossy(&bytes)).into_owned()),
        Reply::List(items) => Reply::List(items.into_iter().map(plain).collect()),
        other => other,
    }
}

fn each_line(reply: Reply) -> Reply {
    let Reply::Bytes(bytes) = reply else { return plain(reply) };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.split('\n').map(escaped).collect();
    Reply::bytes(lines.join("\n"))
}

impl Fields {
    fn take<T: FromReply>(&mut self, key: &'static str) -> Result<T> {
        let missing = || Error::Protocol(format!("a description without `{key}`"));
        T::from_reply(self.0.remove(key).ok_or_else(missing)?)
    }
}
