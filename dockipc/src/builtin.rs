//! The commands that every server has: what the Redis clients need for their handshake, and help.

use std::fmt::Write;

use crate::arg::{Arity, Param, Way};
use crate::connection::Session;
use crate::error::{Failure, code};
use crate::registry::Command;
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::router::Target;
use crate::server::Shared;
use crate::wire::{Frame, Protocol, Span, check_text};

/// One built-in command.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// How it is used, after its name.
    usage: &'static str,
    /// Help has it only with a summary; the handshake's commands are for programs.
    pub(crate) summary: Option<&'static str>,
    pub(crate) run: fn(&Shared, &mut Session, Words<'_>) -> Reply,
}

pub(crate) const ALL: &[Builtin] = &[
    shown("echo", "<message>", "Answer with the message.", echo),
    shown("help", "[<command>]", "List the commands, or explain one.", help),
    shown("info", "[<section>]", "Answer with the server's version and counters.", info),
    shown("ping", "[<message>]", "Answer with PONG, or with the message.", ping),
    silent("auth", auth),
    silent("client", client),
    silent("command", command),
    silent("config", config),
    silent("dockipc", dockipc),
    silent("hello", hello),
    silent("quit", quit),
    silent("reset", reset),
    silent("select", select),
];

type Run = fn(&Shared, &mut Session, Words<'_>) -> Reply;

const fn shown(
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    run: Run,
) -> Builtin {
    Builtin { name, usage, summary: Some(summary), run }
}

const fn silent(name: &'static str, run: Run) -> Builtin {
    Builtin { name, usage: "", summary: None, run }
}

/// The version of Redis that clients are told, since some choose what they send by it.
const REDIS_VERSION: &str = "7.4.0";

#[cold]
fn usage(why: &str) -> Reply {
    Reply::Error(Failure::new(code::USAGE, why))
}

fn is(word: Option<&[u8]>, expected: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(expected.as_bytes()))
}

fn ping(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1)) {
        (None, _) => Reply::Status("PONG".into()),
        (Some(message), None) => message.into_reply(),
        _ => usage("usage: ping [<message>]"),
    }
}

fn echo(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1)) {
        (Some(message), None) => message.into_reply(),
        _ => usage("usage: echo <message>"),
    }
}

fn quit(_: &Shared, session: &mut Session, _: Words<'_>) -> Reply {
    session.ending = true;
    Reply::Ok
}

fn reset(_: &Shared, session: &mut Session, _: Words<'_>) -> Reply {
    if session.protocol != Protocol::Line {
        session.protocol = Protocol::Resp2;
    }
    session.name.clear();
    session.has_token = false;
    Reply::Status("RESET".into())
}

fn select(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    match words.get(0) {
        Some(b"0") => Reply::Ok,
        _ => Reply::Error(Failure::from("there is only database 0 here")),
    }
}

fn auth(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    // Of two words the first is the user, who is the same here whatever the name.
    let given = match words.get(1) {
        None => words.get(0),
        second => second.filter(|_| words.get(2).is_none()),
    };
    let Some(given) = given else { return usage("usage: auth [<user>] <token>") };
    give_token(shared, session, given).map_or_else(Reply::Error, |()| Reply::Ok)
}

/// So many wrong tokens end the connection.
const TRIES: u8 = 3;

/// Takes the token from a client. What it had given before stays as it is if this one is wrong, as
/// in Redis.
#[cold]
fn give_token(shared: &Shared, session: &mut Session, given: &[u8]) -> Result<(), Failure> {
    let Some(token) = &shared.token else {
        return Err(Failure::from("this daemon has no password; connect without one"));
    };
    if session.protocol == Protocol::Line {
        let why = "a line is the only one of its connection; to give a token, speak RESP";
        return Err(Failure::new(code::USAGE, why));
    }
    let waited = session.since.map(|since| since.elapsed());
    if let (Some(waited), Some(limit)) = (waited, shared.times.auth)
        && waited > limit
    {
        let why = format_args!("the token must come within {limit:?} of connecting; connect anew");
        return Err(Failure::new(code::TIMEOUT, why));
    }
    if token.is(given) {
        session.has_token = true;
        return Ok(());
    }
    session.wrong_tokens += 1;
    if session.wrong_tokens < TRIES {
        return Err(Failure::new(code::WRONGPASS, "this is not the token"));
    }
    session.ending = true;
    let why = format_args!("this is not the token, nor were those before: {TRIES} tries at most");
    Err(Failure::new(code::WRONGPASS, why))
}

fn config(_: &Shared, _: &mut Session, words: Words<'_>) -> Reply {
    if !is(words.get(0), "get") {
        return usage("usage: config get <name>…");
    }
    // redis-benchmark asks for these two; there is nothing to save here.
    let known = words.iter().skip(1).filter_map(|name| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        match &*name {
            "save" => Some((name, Reply::bytes(""))),
            "appendonly" => Some((name, Reply::bytes("no"))),
            _ => None,
        }
    });
    Reply::map(known)
}

/// `HELLO [version [AUTH user password] [SETNAME name]]`, as in Redis.
fn hello(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    let mut protocol = session.protocol;
    let mut words = words.iter();
    match words.next() {
        None => {}
        Some(b"2") => protocol = Protocol::Resp2,
        Some(b"3") => protocol = Protocol::Resp3,
        Some(_) => {
            return Reply::Error(Failure::new(
                code::NOPROTO,
                "unsupported protocol version: 2 or 3",
            ));
        }
    }
    let usage = || usage("usage: hello [2|3 [auth <user> <token>] [setname <name>]]");
    let (mut name, mut token) = (None, None);
    while let Some(option) = words.next() {
        if is(Some(option), "auth") {
            token = words.next().and_then(|_| words.next());
            if token.is_none() {
                return usage();
            }
            continue;
        }
        match (is(Some(option), "setname"), words.next()) {
            (true, Some(word)) if client_name(word) => name = Some(word),
            (true, Some(_)) => return Reply::Error(Failure::from(BAD_CLIENT_NAME)),
            _ => return usage(),
        }
    }
    if let Some(Err(failure)) = token.map(|token| give_token(shared, session, token)) {
        return Reply::Error(failure);
    }
    if let Some(name) = name {
        session.name = name.to_vec();
    }
    // A line is answered as a line.
    if session.protocol != Protocol::Line {
        session.protocol = protocol;
    }
    let proto = if protocol == Protocol::Resp3 { 3 } else { 2 };
    Reply::map([
        ("server", "dockipc".into_reply()),
        ("version", env!("CARGO_PKG_VERSION").into_reply()),
        ("proto", Reply::Int(proto)),
        ("id", session.id.into_reply()),
        ("mode", "standalone".into_reply()),
        ("role", "master".into_reply()),
        ("modules", Reply::List(Vec::new())),
    ])
}

const BAD_CLIENT_NAME: &str = "a client's name has no blanks, line ends or special characters";

/// The rule of Redis: printable ASCII without blanks. So a name can't look like another field.
fn client_name(name: &[u8]) -> bool {
    name.len() <= 256 && name.iter().all(u8::is_ascii_graphic)
}

fn client(_: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    let what = words.get(0);
    match words.get(1) {
        None if is(what, "id") => session.id.into_reply(),
        None if is(what, "getname") => session.name.clone().into_reply(),
        None if is(what, "list") || is(what, "info") => client_line(session).into_reply(),
        Some(name) if is(what, "setname") => {
            if !client_name(name) {
                return Reply::Error(Failure::from(BAD_CLIENT_NAME));
            }
            session.name = name.to_vec();
            Reply::Ok
        }
        Some(_) if is(what, "setinfo") => Reply::Ok,
        _ => usage("usage: client id | getname | setname <name> | setinfo <what> <value> | list"),
    }
}

/// The caller's own connection. It sees no other.
fn client_line(session: &Session) -> String {
    let name = String::from_utf8_lossy(&session.name);
    let resp = if session.protocol == Protocol::Resp3 { 3 } else { 2 };
    format!("id={} name={name} uid={} resp={resp}\n", session.id, session.peer.uid())
}

fn info(shared: &Shared, _: &mut Session, _: Words<'_>) -> Reply {
    let seconds = shared.started.elapsed().as_secs();
    let (connections, accepted, commands) = shared.counts();
    // The Redis names first: clients look for these.
    let lines = [
        "# Server".to_owned(),
        format!("redis_version:{REDIS_VERSION}"),
        "redis_mode:standalone".to_owned(),
        format!("dockipc_version:{}", env!("CARGO_PKG_VERSION")),
        format!("process_id:{}", std::process::id()),
        format!("uptime_in_seconds:{seconds}"),
        "loading:0".to_owned(),
        "# Clients".to_owned(),
        format!("connected_clients:{connections}"),
        "# Stats".to_owned(),
        format!("total_connections_received:{accepted}"),
        format!("total_commands_processed:{commands}"),
    ];
    let mut text = lines.join("\r\n");
    text.push_str("\r\n");
    text.into_reply()
}

fn help(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    let Some(name) = words.get(0) else { return overview(shared, session).into_reply() };
    if words.get(1).is_some() {
        return usage("usage: help [<command>]");
    }
    let mut text = match shared.router.find_for(session, name) {
        Some(Target::Command(command)) => explain(command),
        Some(Target::Builtin(Builtin { name, usage, summary, .. })) => {
            let summary = summary.unwrap_or("A part of the Redis handshake.");
            format!("{name} {usage}").trim_end().to_owned() + "\n\n" + summary + "\n"
        }
        Some(Target::Handler { .. }) => {
            format!("{}\n\nNo help was given.\n", String::from_utf8_lossy(name))
        }
        None => return Reply::Error(shared.router.unknown(session, name)),
    };
    if let Some(policy) = shared.router.policy(name).filter(|policy| policy.is_ruled()) {
        let _ = write!(text, "\nfor: {policy}\n");
    }
    text.into_reply()
}

/// A row for each command: how it is used, and its summary.
fn overview(shared: &Shared, session: &Session) -> String {
    let row = |(name, target): (&str, &Target)| match target {
        Target::Command(command) => (command.to_string(), command.summary()),
        Target::Builtin(Builtin { usage, summary, .. }) => {
            (format!("{name} {usage}"), summary.unwrap_or_default().to_owned())
        }
        Target::Handler { .. } => (name.to_owned(), String::new()),
    };
    let rows: Vec<_> = shared.router.shown(session).into_iter().map(row).collect();
    table(&rows)
}

/// Two columns; a first column that is too wide has the second below it.
fn table(rows: &[(String, String)]) -> String {
    const WIDEST: usize = 32;
    let width = |text: &str| text.chars().count();
    let fitting = rows.iter().map(|(left, _)| width(left)).filter(|w| *w <= WIDEST);
    let column = fitting.max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (left, right) in rows {
        text.push_str(left);
        if !right.is_empty() {
            let mut here = width(left);
            if here + 2 > column {
                text.push('\n');
                here = 0;
            }
            text.extend(std::iter::repeat_n(' ', column - here));
            text.push_str(right);
        }
        text.push('\n');
    }
    text
}

fn explain(command: &Command) -> String {
    let mut text = format!("{command}\n");
    for part in [command.summary(), command.details()] {
        if !part.is_empty() {
            // Writing to a String does not fail.
            let _ = write!(text, "\n{part}\n");
        }
    }
    let rows: Vec<_> =
        command.given().map(|param| (format!("  {}", left(param)), right(param))).collect();
    if !rows.is_empty() {
        let _ = write!(text, "\n{}", table(&rows));
    }
    if !command.aliases.is_empty() {
        let _ = write!(text, "\nalso: {}\n", command.aliases.join(", "));
    }
    if command.idempotent {
        text.push_str("\nidempotent: to run it twice is the same as once\n");
    }
    text
}

fn left(param: &Param) -> String {
    match param.way {
        Way::Flag(long) => format!("--{long}"),
        Way::Long(long) => format!("--{long} <{}>", param.name),
        _ => format!("<{}>", param.name),
    }
}

fn right(param: &Param) -> String {
    let default = param.default.map(|default| format!("default {default}"));
    let optional = (default.is_none() && param.arity == Arity::Optional).then(|| "optional".into());
    let help = param.help.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    // More follows it on the row.
    let help = help.trim().trim_end_matches('.').to_owned();
    let parts = [Some(help), Some(param.values()), default, optional];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

fn command(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    let session = &*session;
    let router = &shared.router;
    let all = || router.shown(session).into_iter();
    let named = || {
        let names = words.iter().skip(1);
        let lower = |name| String::from_utf8_lossy(name).to_ascii_lowercase();
        names.map(move |name| (lower(name), router.find_for(session, name)))
    };
    match words.get(0) {
        None => Reply::List(all().map(|(name, target)| entry(name, target)).collect()),
        what if is(what, "count") => all().count().into_reply(),
        what if is(what, "list") => Reply::List(all().map(|(name, _)| name.into_reply()).collect()),
        what if is(what, "info") && words.get(1).is_some() => {
            let one = |(name, target): (String, Option<&Target>)| {
                target.map_or(Reply::Null, |target| entry(&name, target))
            };
            Reply::List(named().map(one).collect())
        }
        what if is(what, "info") => {
            Reply::List(all().map(|(name, target)| entry(name, target)).collect())
        }
        what if is(what, "docs") && words.get(1).is_some() => {
            let known = named().filter_map(|(name, target)| Some((name, docs(target?))));
            Reply::map(known)
        }
        what if is(what, "docs") => Reply::map(all().map(|(name, target)| (name, docs(target)))),
        _ => usage("usage: command [count | list | info [<name>…] | docs [<name>…]]"),
    }
}

/// The flags of a command, in `COMMAND` and in its docs.
fn flags(target: &Target) -> Option<Reply> {
    is_idempotent(target).then(|| Reply::List(vec![Reply::Status("idempotent".into())]))
}

/// Whether to run it twice is the same as once.
fn is_idempotent(target: &Target) -> bool {
    match target {
        Target::Command(command) => command.idempotent,
        // Those that help has say something; the others are a part of a connection's state.
        Target::Builtin(builtin) => builtin.summary.is_some(),
        Target::Handler { .. } => false,
    }
}

/// One entry of `COMMAND`: name, arity, flags, and no keys.
fn entry(name: &str, target: &Target) -> Reply {
    let arity = match target {
        Target::Command(command) => {
            let options = command.given().any(|p| matches!(p.way, Way::Long(_) | Way::Flag(_)));
            let count = command.given().count();
            let least = command.given().filter(|p| !p.may_lack()).count();
            let exact = least == count && !options && command.given().all(|p| p.way != Way::Rest);
            let words = i64::try_from(least + 1).unwrap_or(i64::MAX);
            if exact { words } else { -words }
        }
        Target::Builtin(_) | Target::Handler { .. } => -1,
    };
    let none = || Reply::List(Vec::new());
    Reply::List(vec![
        name.into_reply(),
        Reply::Int(arity),
        flags(target).unwrap_or_else(none),
        Reply::Int(0),
        Reply::Int(0),
        Reply::Int(0),
        none(),
        none(),
        none(),
        none(),
    ])
}

/// One value of `COMMAND DOCS`, from which redis-cli makes its hints and its help.
fn docs(target: &Target) -> Reply {
    let (summary, arguments) = match target {
        Target::Command(command) => (command.summary(), command.given().map(argument).collect()),
        Target::Builtin(builtin) => {
            let words = builtin.usage.split_whitespace().map(|word| {
                let name = word.trim_matches(['[', ']', '<', '>']);
                let optional = word.starts_with('[');
                described(name, "string", None, optional, false, Vec::new())
            });
            (builtin.summary.unwrap_or_default().to_owned(), words.collect())
        }
        Target::Handler { .. } => (String::new(), Vec::new()),
    };
    let flags = flags(target).map(|flags| ("doc_flags", flags));
    let pairs = [
        ("summary", summary.into_reply()),
        ("since", env!("CARGO_PKG_VERSION").into_reply()),
        ("group", "daemon".into_reply()),
        ("arguments", Reply::List(arguments)),
    ];
    Reply::map(pairs.into_iter().chain(flags))
}

fn argument(param: &Param) -> Reply {
    let (kind, token) = match param.way {
        Way::Flag(long) => ("pure-token", Some(format!("--{long}"))),
        Way::Long(long) => (kind(param), Some(format!("--{long}"))),
        Way::Injected | Way::Positional | Way::Rest => (kind(param), None),
    };
    let choices = if kind == "oneof" { param.choices } else { &[] };
    let choices = choices
        .iter()
        .map(|word| described(word, "pure-token", Some(word), false, false, Vec::new()))
        .collect();
    let many = param.arity == Arity::Many || param.way == Way::Rest;
    described(param.name, kind, token.as_deref(), param.may_lack(), many, choices)
}

fn kind(param: &Param) -> &'static str {
    match param.ty {
        _ if !param.choices.is_empty() => "oneof",
        "integer" => "integer",
        "number" => "double",
        _ => "string",
    }
}

fn described(
    name: &str,
    kind: &str,
    token: Option<&str>,
    optional: bool,
    many: bool,
    choices: Vec<Reply>,
) -> Reply {
    let mut pairs = vec![("name", name.into_reply()), ("type", kind.into_reply())];
    if kind != "oneof" {
        pairs.push(("display_text", name.into_reply()));
    }
    if let Some(token) = token {
        pairs.push(("token", token.into_reply()));
    }
    let flags = [("optional", optional), ("multiple", many)];
    let flags = flags.into_iter().filter(|(_, on)| *on);
    let flags: Vec<_> = flags.map(|(flag, _)| Reply::Status(flag.into())).collect();
    if !flags.is_empty() {
        pairs.push(("flags", Reply::List(flags)));
    }
    if !choices.is_empty() {
        pairs.push(("arguments", Reply::List(choices)));
    }
    Reply::map(pairs)
}

/// What our own client asks besides commands. `DOCKIPC LINE text` is a line whose answer is framed:
/// see [`wrapped_line`]. `DOCKIPC IDEMPOTENT name` tells, by 1 or 0, whether a call that may have run
/// may run again.
fn dockipc(shared: &Shared, session: &mut Session, words: Words<'_>) -> Reply {
    match (words.get(0), words.get(1), words.get(2)) {
        (what, Some(name), None) if is(what, "idempotent") => {
            Reply::Int(shared.router.find_for(session, name).is_some_and(is_idempotent).into())
        }
        _ => usage("usage: dockipc idempotent <command> | line <text>, the latter over RESP"),
    }
}

/// The line of a `DOCKIPC LINE`.
pub(crate) fn wrapped_line<'i>(input: &'i [u8], frame: Frame, words: &[Span]) -> Option<&'i [u8]> {
    let (Frame::Resp, &[name, what, line]) = (frame, words) else { return None };
    let of = |span: Span| span.of(input, &[]);
    (is(Some(of(name)), "dockipc") && is(Some(of(what)), "line")).then(|| of(line))
}

/// The rules of line mode for a line that came in one piece. Returns its text, without a `\r` at
/// its end.
pub(crate) fn check_line(line: &[u8], limit: usize) -> Result<&[u8], Failure> {
    if line.len() >= limit {
        let why = format!("the line is longer than {limit} bytes");
        return Err(Failure::new(code::TOOBIG, why));
    }
    if line.contains(&b'\n') {
        return Err(Failure::new(code::USAGE, "a line can't hold a newline"));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    check_text(line)?;
    Ok(line)
}
