//! The commands that Redis clients send to set up and inspect a connection.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::running::number;
use super::{Context, Fields, at, is, take, unknown_subcommand, usage};
use crate::access::{Attempt, Credentials};
use crate::error::{Failure, code};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::session::Session;
use crate::sys;
use crate::text::time::units;
use crate::token::Token;
use crate::wire::Protocol;

/// Answers `HELLO [version [AUTH user password] [SETNAME name]]` as Redis does.
pub(super) fn hello(context: Context<'_>, session: &mut Session, words: Words<'_>) -> Reply {
    let mut protocol = session.protocol;
    let mut words = words;
    match take(&mut words) {
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
    while let Some(option) = take(&mut words) {
        if is(Some(option), "auth") {
            token = take(&mut words).and_then(|_| take(&mut words));
            if token.is_none() {
                return usage();
            }
            continue;
        }
        match (is(Some(option), "setname"), take(&mut words)) {
            (true, Some(word)) if client_name(word) => name = Some(word),
            (true, Some(_)) => return Reply::Error(Failure::from(BAD_CLIENT_NAME)),
            _ => return usage(),
        }
    }
    if let Some(Err(failure)) = token.map(|token| give_token(context, session, token)) {
        return Reply::Error(failure);
    }
    if let Some(name) = name {
        session.name = name.to_vec();
    }
    // Line mode stays line mode.
    if session.protocol != Protocol::Line {
        session.protocol = protocol;
    }
    let proto = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let mut fields = Fields::default();
    fields.text("server", "dockipc");
    fields.text("version", env!("CARGO_PKG_VERSION"));
    if let Some(version) = &context.config.version {
        fields.text("daemon", version);
    }
    fields.number("proto", proto);
    fields.put("id", session.id.into_reply());
    // The keys of `DOCKIPC WITH`, with blanks between.
    let (keys, store) = ("deadline stream body progress", context.store);
    match store {
        None => fields.text("with", keys),
        Some(store) => {
            fields.text("with", &format!("{keys} once"));
            fields.text("once", store);
        }
    }
    fields.text("mode", "standalone");
    fields.text("role", "master");
    fields.list("modules", Vec::new());
    fields.into_reply()
}

const BAD_CLIENT_NAME: &str =
    "client names can't contain spaces, newlines, special characters or more than 256 bytes";

/// Returns whether a client name is valid by Redis' rule: printable ASCII without spaces. Such a name
/// can't look like another field of `CLIENT LIST`.
fn client_name(name: &[u8]) -> bool {
    name.len() <= 256 && name.iter().all(u8::is_ascii_graphic)
}

pub(super) fn client(context: Context<'_>, session: &mut Session, words: Words<'_>) -> Reply {
    let what = at(words, 0);
    match at(words, 1) {
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
        Some(attribute) if is(what, "setinfo") => {
            if is(Some(attribute), "lib-name") {
                session.set_library(at(words, 2).unwrap_or_default());
            }
            Reply::Ok
        }
        Some(_) if is(what, "kill") => kill(context, session, words),
        Some(word) if is(what, "reply") && !is(Some(word), "on") => Reply::Error(Failure::from(
            "CLIENT REPLY OFF and SKIP are not supported: every command is answered",
        )),
        Some(_) if TAKES_A_WORD.iter().any(|name| is(what, name)) => Reply::Ok,
        None if is(what, "setname") || TAKES_A_WORD.iter().any(|name| is(what, name)) => {
            usage("usage: client id | getname | setname <name> | setinfo <what> <value> | list")
        }
        _ => unknown_subcommand(what),
    }
}

/// The subcommands of `CLIENT` that are answered with `OK`. Nothing has to be done: there are no keys that
/// could be evicted, touched or invalidated, and no maintenance that a client could be told about.
const TAKES_A_WORD: [&str; 8] = [
    "setinfo",
    "tracking",
    "caching",
    "no-evict",
    "no-touch",
    "capa",
    "maint_notifications",
    "reply",
];

/// Answers `CLIENT KILL ID id [SKIPME no]` with the number of connections that end: one of the caller's user,
/// or of any user if the caller is root or the daemon's user. As in Redis, the caller's own ends only with
/// `SKIPME no`.
fn kill(context: Context<'_>, session: &mut Session, words: Words<'_>) -> Reply {
    let (mut id, mut skips_own) = (None, true);
    let mut filters = words.skip(1);
    while let Some(filter) = take(&mut filters) {
        match take(&mut filters) {
            Some(word) if is(Some(filter), "id") => id = Some(word),
            value if is(Some(filter), "skipme") && value.is_some() => skips_own = !is(value, "no"),
            _ => return Reply::Error(Failure::from("No such client")),
        }
    }
    let ends = match id.and_then(number) {
        None => false,
        Some(id) if id == session.id => {
            session.is_last |= !skips_own;
            !skips_own
        }
        Some(id) => {
            let may_end = |uid| context.may_stop(session, uid);
            context.running.end_connection(id, &may_end)
        }
    };
    Reply::Int(ends.into())
}

/// Describes the caller's own connection. Callers can't see other connections.
fn client_line(session: &Session) -> String {
    let name = String::from_utf8_lossy(&session.name);
    let resp = if session.protocol == Protocol::Resp3 { 3 } else { 2 };
    let Credentials { peer, has_token, socket } = session.credentials();
    let (id, uid) = (session.id, peer.uid());
    let owner = u8::from(peer.is_known() && uid == sys::effective_user());
    let (token, socket) = (u8::from(has_token), socket.index());
    format!(
        "id={id} name={name} uid={uid} owner={owner} token={token} socket={socket} resp={resp}\n"
    )
}

pub(super) fn auth(context: Context<'_>, session: &mut Session, words: Words<'_>) -> Reply {
    // With two words, the first is the user name, which is ignored.
    let given = match at(words, 1) {
        None => at(words, 0),
        second => second.filter(|_| at(words, 2).is_none()),
    };
    let Some(given) = given else { return usage("usage: auth [<user>] <token>") };
    give_token(context, session, given).map_or_else(Reply::Error, |()| Reply::Ok)
}

/// The number of wrong tokens that end a connection.
const ATTEMPTS: u8 = 3;

#[cold]
fn give_token(context: Context<'_>, session: &mut Session, given: &[u8]) -> Result<(), Failure> {
    match context.token {
        Some((token, check)) => check(context, session, token, given),
        None => Err(Failure::from("this daemon has no password; connect without one")),
    }
}

/// Checks a token and marks the session as authenticated if it is right. A wrong token does not undo an
/// earlier right one, as in Redis.
pub(crate) fn check_token(
    context: Context<'_>,
    session: &mut Session,
    token: &Token,
    given: &[u8],
) -> Result<(), Failure> {
    if session.protocol == Protocol::Line {
        let why = "a token can't be used in line mode (one command per connection); use RESP";
        return Err(Failure::new(code::USAGE, why));
    }
    if let Some(limit) = context.config.times.auth
        && session.connected.elapsed() > limit
    {
        let limit = units(limit);
        let why = format_args!("the token must be sent within {limit} of connecting; reconnect");
        return Err(Failure::new(code::TIMEOUT, why));
    }
    let (uid, is_right) = (session.peer.uid(), token.is(given));
    let mut guesses = context.guesses.lock().unwrap_or_else(PoisonError::into_inner);
    let attempt = guesses.attempt(uid, is_right, Instant::now());
    drop(guesses);
    match attempt {
        Attempt::Right => {
            session.has_token = true;
            // They were allowed, or not, without the token.
            session.end_subscriptions();
            return Ok(());
        }
        Attempt::Wrong { is_recorded } => {
            session.refused_token = is_recorded.then_some("wrong token".into());
        }
        Attempt::Paused { left, is_first } => {
            // Rounded up, so that a client that waits this long does not come too early.
            let left = left.as_micros().div_ceil(1_000).try_into().unwrap_or(u64::MAX);
            let left = units(Duration::from_millis(left));
            session.refused_token =
                is_first.then(|| format!("too many wrong tokens: paused for {left}").into());
            let why = format_args!("too many wrong tokens from uid {uid}; try again in {left}");
            return Err(Failure::new(code::BUSY, why));
        }
    }
    session.wrong_tokens += 1;
    session.is_last = session.wrong_tokens >= ATTEMPTS;
    let used = session.wrong_tokens;
    let why = format_args!("wrong token ({used} of {ATTEMPTS} attempts used)");
    Err(Failure::protocol(code::WRONGPASS, why))
}

pub(super) fn config(words: Words<'_>) -> Reply {
    if !is(at(words, 0), "get") {
        return usage("usage: config get <name>…");
    }
    // redis-benchmark asks for these two.
    let mut fields = Fields::default();
    for (name, value) in [("save", ""), ("appendonly", "no")] {
        if words.iter().skip(1).any(|word| is(Some(word), name)) {
            fields.text(name, value);
        }
    }
    fields.into_reply()
}

pub(super) fn select(words: Words<'_>) -> Reply {
    match at(words, 0) {
        Some(b"0") => Reply::Ok,
        _ => Reply::Error(Failure::from("only database 0 exists")),
    }
}

pub(super) fn reset(session: &mut Session) -> Reply {
    if session.protocol != Protocol::Line {
        session.protocol = Protocol::Resp2;
    }
    session.name.clear();
    session.set_library(b"");
    session.has_token = false;
    session.end_transaction();
    session.end_subscriptions();
    #[cfg(feature = "json")]
    session.set_json(false);
    Reply::Status("RESET".into())
}

pub(super) fn quit(session: &mut Session) -> Reply {
    session.is_last = true;
    session.end_transaction();
    Reply::Ok
}
