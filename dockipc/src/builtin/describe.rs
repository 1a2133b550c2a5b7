//! `DOCKIPC DESCRIBE`, the descriptions of commands and channels that our own programs read.

use std::cell::Cell;

use super::{Context, Fields, help};
use crate::access::{Credentials, Policy};
use crate::arg::Arity;
use crate::commands::{BuiltIn, Channels, Command, Entry, Table, Target, details, summary};
use crate::param::{Marks, Param, Way, leading};
use crate::reply::{IntoReply, Reply, ReplyType};
use crate::request::Words;
use crate::session::Session;

/// Describes the commands that the caller may run: those with one of the names, those of the groups with one of
/// the names, or, without names, all that help lists. A group is left out if one of its commands is named: our
/// program asks for `group` and for `group add` when it does not know how many words the name has.
pub(super) fn describe(context: Context<'_>, session: &Session, names: Words<'_>) -> Reply {
    let (table, caller) = (context.table, session.credentials());
    if names.get(0).is_none() {
        return all(&table.visible(&caller));
    }
    // An alias stands for its command, which is described once.
    let mut declared = Vec::new();
    for name in names.iter() {
        declared.push(match table.find_visible(&caller, name) {
            Some(Entry { target: Target::Command(command), .. }) => command.name.as_bytes(),
            _ => name,
        });
    }
    let mut entries = known(table.named(&caller, &declared));
    let has_group = || entries.iter().any(|entry| matches!(entry.target, Target::Group(_)));
    if let Some(code) = table.groups.filter(|_| has_group()) {
        let mut names: Vec<&[u8]> = Vec::new();
        let is_begun = |group: &Entry| entries.iter().any(|of| of.group() == Some(&*group.name));
        for entry in &entries {
            match entry.target {
                Target::Group(_) if is_begun(entry) => {}
                Target::Group(_) => {
                    let members = (code.members)(table, &caller, &entry.name);
                    names.extend(members.iter().map(|of| of.name.as_bytes()));
                }
                _ => names.push(entry.name.as_bytes()),
            }
        }
        // A command may be named beside its group.
        entries = known(table.named(&caller, &names));
    }
    all(&entries)
}

/// Returns the entries of the names that have one.
#[inline(never)]
pub(super) fn known(named: Vec<Option<&Entry>>) -> Vec<&Entry> {
    let mut known = Vec::new();
    for entry in named.into_iter().flatten() {
        known.push(entry);
    }
    known
}

/// Describes the commands that are linked into this program, hidden ones excepted, without a daemon.
#[cfg(feature = "cli")]
pub(crate) fn linked() -> Reply {
    let commands = Command::all().into_iter().filter(|command| !command.hidden);
    let entries: Vec<_> = commands.map(Entry::of).collect();
    all(&entries.iter().collect::<Vec<_>>())
}

/// Each of these commands by its name.
fn all(entries: &[&Entry]) -> Reply {
    let mut fields = Fields::default();
    for entry in entries {
        fields.put(entry.declared_name(), command(entry));
    }
    fields.into_reply()
}

fn command(entry: &Entry) -> Reply {
    let (name, target) = (&entry.name, &entry.target);
    let policy = entry.policy.is_ruled().then(|| entry.policy.shown());
    let none = String::new;
    let (summary, details, usage) = match target {
        Target::Command(command) => (command.summary(), command.details(), command.usage()),
        Target::BuiltIn(builtin) => (help::summary(*builtin), none(), help::usage_of(*builtin)),
        _ => (none(), none(), name.clone().into_owned()),
    };
    let (aliases, arguments): (&[&str], _) = match target {
        Target::Command(command) => (command.aliases, given(command)),
        Target::BuiltIn(builtin) => (&[], words(*builtin)),
        // A mounted handler declares no parameters.
        _ => (&[], vec![argument(ArgumentInfo::word("word", true, true))]),
    };
    let mut fields = Fields::default();
    fields.text("summary", &summary);
    fields.text("details", &details);
    fields.text("usage", &usage);
    fields.list("aliases", texts(aliases));
    fields.number("idempotent", target.is_idempotent().into());
    fields.maybe("for", policy);
    let Marks { since, deprecated, readonly, destructive } = target.marks();
    for (name, text) in [("since", since), ("deprecated", deprecated)] {
        if let Some(text) = text {
            fields.text(name, text);
        }
    }
    for (name, is_on) in [("readonly", readonly), ("destructive", destructive)] {
        if is_on {
            fields.number(name, 1);
        }
    }
    if let Target::Command(command) = target
        && let leading @ 1.. = leading(command.params)
    {
        fields.number("leading", i64::try_from(leading).unwrap_or(0));
    }
    fields.number("builtin", matches!(target, Target::BuiltIn(_)).into());
    fields.list("arguments", arguments);
    let reply =
        if let Target::Command(command) = target { command.reply } else { &ReplyType::Unknown };
    fields.put("answer", outermost(reply));
    fields.into_reply()
}

/// Describes the declared channels that a caller may hear, each by its name.
pub(crate) fn channels(table: &Table, caller: &Credentials<'_>) -> Reply {
    let mut described = Fields::default();
    for (channel, _) in Channels::all() {
        let policy = match &table.channels {
            Some(channels) => channels.policy(caller.socket, channel.name),
            None => Some(&Policy::Open),
        };
        let Some(policy) = policy.filter(|policy| policy.allows(caller)) else { continue };
        let mut fields = Fields::default();
        fields.text("summary", &summary(channel.doc));
        fields.text("details", &details(channel.doc));
        fields.maybe("for", policy.is_ruled().then(|| policy.shown()));
        fields.put("value", outermost(channel.value));
        described.put(channel.name, fields.into_reply());
    }
    described.into_reply()
}

fn given(command: &Command) -> Vec<Reply> {
    command.given().map(|param| argument(ArgumentInfo::of(param))).collect()
}

fn words(builtin: BuiltIn) -> Vec<Reply> {
    let words = builtin.words().iter();
    words.map(|&(name, optional)| argument(ArgumentInfo::word(name, optional, false))).collect()
}

/// The description of one argument.
struct ArgumentInfo<'p> {
    name: &'p str,
    kind: &'static str,
    flag: Option<String>,
    ty: &'static str,
    choices: &'p [&'static str],
    aliases: &'p [(&'static str, &'static str)],
    is_map: bool,
    range: Option<(&'static str, &'static str)>,
    schema: Option<fn() -> String>,
    default: Option<String>,
    optional: bool,
    multiple: bool,
    help: String,
    secret: bool,
    completes: bool,
    /// The parameter in whose place exactly one is given.
    one_of: Option<&'static str>,
    more: Vec<(&'static str, Reply)>,
}

impl<'p> ArgumentInfo<'p> {
    fn of(param: &'p Param) -> Self {
        let (kind, flag) = match param.way {
            Way::Injected | Way::Positional => ("positional", None),
            Way::Rest => ("rest", None),
            Way::Last => ("last", None),
            Way::Body => ("body", None),
            Way::Long(long) => ("option", Some(format!("--{long}"))),
            Way::Flag(long) => ("flag", Some(format!("--{long}"))),
        };
        let mut more =
            param.extra.map(|extra| (extra.code.describe)(param, extra)).unwrap_or_default();
        if let Some(items) = param.body.and_then(|body| body.items) {
            more.push(("of", outermost(items)));
        }
        Self {
            name: param.name,
            kind,
            flag,
            ty: param.ty,
            choices: if kind == "flag" { &[] } else { param.choices },
            aliases: param.aliases,
            is_map: param.is_map,
            range: param.range,
            schema: param.schema,
            default: help::default(param).filter(|_| !param.secret),
            optional: param.is_optional(),
            multiple: param.arity == Arity::Many,
            help: help::one_line(param.help),
            secret: param.secret,
            completes: param.propose.is_some(),
            one_of: param.alternative().map(|(of, _)| of),
            more,
        }
    }

    fn word(name: &'p str, optional: bool, multiple: bool) -> Self {
        Self {
            name,
            kind: "positional",
            flag: None,
            ty: "text",
            choices: &[],
            aliases: &[],
            is_map: false,
            range: None,
            schema: None,
            default: None,
            optional,
            multiple,
            help: String::new(),
            secret: false,
            completes: false,
            one_of: None,
            more: Vec::new(),
        }
    }
}

fn argument(argument: ArgumentInfo<'_>) -> Reply {
    let mut fields = Fields::default();
    fields.text("name", argument.name);
    fields.text("kind", argument.kind);
    fields.maybe("flag", argument.flag.as_deref());
    fields.text("type", argument.ty);
    fields.list("choices", texts(argument.choices));
    if let Some(range) = argument.range {
        put_range(&mut fields, range);
    }
    if let Some(schema) = argument.schema {
        fields.text("schema", &schema());
    }
    fields.maybe("default", argument.default.as_deref());
    fields.number("optional", argument.optional.into());
    fields.number("multiple", argument.multiple.into());
    fields.text("help", &argument.help);
    fields.number("secret", argument.secret.into());
    fields.number("completes", argument.completes.into());
    if let Some(of) = argument.one_of {
        fields.text("one_of", of);
    }
    if argument.is_map {
        fields.number("map", 1);
    }
    if !argument.aliases.is_empty() {
        let mut aliases = Fields::default();
        argument.aliases.iter().for_each(|(alias, word)| aliases.text(alias, word));
        fields.put("aliases", aliases.into_reply());
    }
    argument.more.into_iter().for_each(|(name, value)| fields.put(name, value));
    fields.into_reply()
}

fn put_range(fields: &mut Fields, (min, max): (&str, &str)) {
    // Texts, since not every client has such large numbers.
    fields.text("min", min);
    fields.text("max", max);
}

/// The most levels of types that are described. A client reads 64 levels, and a struct takes three.
const DEEPEST: u8 = 16;

/// The most types in one description. Structs that share others would describe these on every way to them.
const MOST: u16 = 1000;

/// The types around a type.
struct Outer<'o> {
    /// The name of a struct, or an empty text.
    name: &'static str,
    around: Option<&'o Self>,
    depth: u8,
    /// How many more types are described.
    left: &'o Cell<u16>,
}

fn outermost(ty: &ReplyType) -> Reply {
    let left = Cell::new(MOST);
    answer(ty, &Outer { name: "", around: None, depth: 0, left: &left })
}

/// Describes the type of an answer. A struct within itself has only its name.
fn answer(ty: &ReplyType, outer: &Outer<'_>) -> Reply {
    let left = outer.left.get();
    outer.left.set(left.saturating_sub(1));
    let (ty, form) = match ty {
        _ if outer.depth == DEEPEST || left == 0 => (&ReplyType::Unknown, None),
        ReplyType::Form(of, form) => (*of, Some(*form)),
        _ => (ty, None),
    };
    let (ty, mark) = match ty {
        ReplyType::Open(of) => (*of, "other"),
        ReplyType::Table(of) => (*of, "table"),
        _ => (ty, ""),
    };
    let (ty, docs) = match ty {
        ReplyType::Documented(of, docs) => (*of, *docs),
        _ => (ty, &[][..]),
    };
    let mut fields = Fields::default();
    fields.text("type", word(ty));
    if let Some(form) = form {
        fields.text("form", form);
    }
    let name = match *ty {
        ReplyType::Struct { name, .. }
        | ReplyType::Enum { name, .. }
        | ReplyType::Union { name, .. } => name,
        _ => "",
    };
    if !name.is_empty() {
        fields.text("name", name.rsplit(':').next().unwrap_or_default());
    }
    if !mark.is_empty() {
        fields.number(mark, 1);
    }
    let here = Outer { name, around: Some(outer), depth: outer.depth + 1, left: outer.left };
    match *ty {
        ReplyType::Int { min, max } => put_range(&mut fields, (min, max)),
        ReplyType::Optional(of)
        | ReplyType::List(of)
        | ReplyType::Set(of)
        | ReplyType::Stream(of) => {
            put_type(&mut fields, "of", of, &here);
        }
        ReplyType::Map(key, of) => {
            put_type(&mut fields, "key", key, &here);
            put_type(&mut fields, "of", of, &here);
        }
        ReplyType::Row(columns) => {
            let mut list = Vec::new();
            for ty in columns {
                list.push(answer(ty, &here));
            }
            fields.list("columns", list);
        }
        ReplyType::Struct { fields: of, .. } if !outer.has(name) => {
            fields.list("fields", named(of(), true, docs, &here));
        }
        ReplyType::Union { variants, .. } if !outer.has(name) => {
            fields.list("variants", named(variants(), false, docs, &here));
        }
        ReplyType::Json { schema: Some(schema) } => fields.text("schema", &schema()),
        ReplyType::Enum { words, .. } => {
            fields.list("words", texts(words));
            if !docs.is_empty() {
                let variants: Vec<_> =
                    words.iter().map(|word| (*word, &ReplyType::Nothing)).collect();
                fields.list("variants", named(&variants, false, docs, &here));
            }
        }
        _ => {}
    }
    fields.into_reply()
}

/// Describes the fields of a struct or the variants of a union; a variant without a value has no type.
#[inline(never)]
fn named(
    list: &[(&str, &ReplyType)],
    are_fields: bool,
    texts: &[(&str, &str)],
    outer: &Outer<'_>,
) -> Vec<Reply> {
    let mut described = Vec::new();
    for (name, ty) in list {
        let mut fields = Fields::default();
        fields.text("name", name);
        if are_fields || !matches!(ty, ReplyType::Nothing) {
            put_type(&mut fields, "of", ty, outer);
        }
        let text = texts.iter().find(|(of, _)| of == name);
        let help = text.map(|(_, text)| help::one_line(text)).unwrap_or_default();
        if !help.is_empty() {
            fields.text("help", &help);
        }
        described.push(fields.into_reply());
    }
    described
}

impl Outer<'_> {
    /// The fields of a variant have no name.
    fn has(&self, name: &str) -> bool {
        !name.is_empty() && self.is(name)
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || self.around.is_some_and(|outer| outer.is(name))
    }
}

#[inline(never)]
fn put_type(fields: &mut Fields, key: &str, ty: &ReplyType, outer: &Outer<'_>) {
    fields.put(key, answer(ty, outer));
}

fn word(ty: &ReplyType) -> &'static str {
    match ty {
        ReplyType::Unknown => "unknown",
        ReplyType::Nothing => "nothing",
        ReplyType::Bool => "bool",
        ReplyType::Int { .. } => "int",
        ReplyType::Float => "float",
        ReplyType::Text => "text",
        ReplyType::Bytes => "bytes",
        ReplyType::Optional(_) => "optional",
        ReplyType::List(_) => "list",
        ReplyType::Set(_) => "set",
        ReplyType::Stream(_) => "stream",
        ReplyType::Map(..) => "map",
        ReplyType::Row(_) => "row",
        ReplyType::Struct { .. } => "struct",
        ReplyType::Enum { .. } => "enum",
        ReplyType::Union { .. } => "union",
        ReplyType::Json { .. } => "json",
        ReplyType::Form(of, _)
        | ReplyType::Open(of)
        | ReplyType::Table(of)
        | ReplyType::Documented(of, _) => word(of),
    }
}

fn texts(texts: &[&str]) -> Vec<Reply> {
    texts.iter().map(|text| text.into_reply()).collect()
}
