//! `DOCKIPC DESCRIBE`, the command descriptions that our own programs read.

use super::{Context, help};
use crate::arg::Arity;
use crate::commands::{BuiltIn, Command, Entry, Target};
use crate::param::{Param, Way};
use crate::reply::{IntoReply, Reply};
use crate::session::Session;

/// Describes the commands that the caller may run: those with one of the names, or, without names, all
/// that help lists.
pub(super) fn describe<'n>(
    context: Context<'_>,
    session: &Session,
    names: impl ExactSizeIterator<Item = &'n [u8]>,
) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    let described = |entry: &Entry| (entry.declared_name().to_owned(), command(entry));
    if names.len() == 0 {
        return Reply::map(table.visible(&caller).into_iter().map(described));
    }
    // An alias stands for its command, which is described once.
    let declared = |name| match table.find_visible(&caller, name) {
        Some(Entry { target: Target::Command(command), .. }) => command.name.as_bytes(),
        _ => name,
    };
    Reply::map(table.named(&caller, names.map(declared)).flatten().map(described))
}

fn command(entry: &Entry) -> Reply {
    let (name, target) = (&entry.name, &entry.target);
    let policy = entry.policy.is_ruled().then(|| entry.policy.to_string());
    let none = String::new;
    let (summary, details, usage) = match target {
        Target::Command(command) => (command.summary(), command.details(), command.to_string()),
        Target::BuiltIn(builtin) => (help::summary(*builtin), none(), help::usage_of(*builtin)),
        Target::Mounted(_) => (none(), none(), name.clone().into_owned()),
    };
    let (aliases, arguments): (&[&str], _) = match target {
        Target::Command(command) => (command.aliases, given(command)),
        Target::BuiltIn(builtin) => (&[], words(*builtin)),
        // A mounted handler declares no parameters.
        Target::Mounted(_) => (&[], vec![argument(&ArgumentInfo::word("word", true, true))]),
    };
    Reply::map([
        ("summary", summary.into_reply()),
        ("details", details.into_reply()),
        ("usage", usage.into_reply()),
        ("aliases", texts(aliases)),
        ("idempotent", number(target.is_idempotent())),
        ("for", policy.into_reply()),
        ("builtin", number(matches!(target, Target::BuiltIn(_)))),
        ("arguments", Reply::List(arguments)),
    ])
}

fn given(command: &Command) -> Vec<Reply> {
    command.given().map(|param| argument(&ArgumentInfo::of(param))).collect()
}

fn words(builtin: BuiltIn) -> Vec<Reply> {
    let words = help::words(builtin);
    words.map(|(name, optional)| argument(&ArgumentInfo::word(name, optional, false))).collect()
}

/// The description of one argument.
struct ArgumentInfo<'p> {
    name: &'p str,
    kind: &'static str,
    flag: Option<String>,
    ty: &'static str,
    choices: &'p [&'static str],
    default: Option<String>,
    optional: bool,
    multiple: bool,
    help: String,
    secret: bool,
    completes: bool,
}

impl<'p> ArgumentInfo<'p> {
    fn of(param: &'p Param) -> Self {
        let (kind, flag) = match param.way {
            Way::Injected | Way::Positional => ("positional", None),
            Way::Rest => ("rest", None),
            Way::Long(long) => ("option", Some(format!("--{long}"))),
            Way::Flag(long) => ("flag", Some(format!("--{long}"))),
        };
        Self {
            name: param.name,
            kind,
            flag,
            ty: param.ty,
            choices: if kind == "flag" { &[] } else { param.choices },
            default: param.shown_default().filter(|_| !param.secret),
            optional: param.is_optional(),
            multiple: param.arity == Arity::Many,
            help: help::of(param),
            secret: param.secret,
            completes: param.propose.is_some(),
        }
    }

    fn word(name: &'p str, optional: bool, multiple: bool) -> Self {
        Self {
            name,
            kind: "positional",
            flag: None,
            ty: "text",
            choices: &[],
            default: None,
            optional,
            multiple,
            help: String::new(),
            secret: false,
            completes: false,
        }
    }
}

fn argument(argument: &ArgumentInfo<'_>) -> Reply {
    Reply::map([
        ("name", argument.name.into_reply()),
        ("kind", argument.kind.into_reply()),
        ("flag", argument.flag.clone().into_reply()),
        ("type", argument.ty.into_reply()),
        ("choices", texts(argument.choices)),
        ("default", argument.default.clone().into_reply()),
        ("optional", number(argument.optional)),
        ("multiple", number(argument.multiple)),
        ("help", argument.help.as_str().into_reply()),
        ("secret", number(argument.secret)),
        ("completes", number(argument.completes)),
    ])
}

fn texts(texts: &[&str]) -> Reply {
    Reply::List(texts.iter().map(|text| text.into_reply()).collect())
}

fn number(is: bool) -> Reply {
    Reply::Int(is.into())
}
