//! Access control for any bytes: the parser of rules, and the decision about each command of a client,
//! compared with a model.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use super::dice::Dice;
use super::{Turns, converse, cut};
use crate::access::{Access, Credentials, Policy, SocketId};
use crate::dispatch::{Conversation, Service};
use crate::error::code;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::rule::{self, Name, Term};
use crate::server::Server;
use crate::wire::check::LIMITS;
use crate::{Request, command};

/// Parses the input as a rule. A valid rule must parse to the same terms after it is displayed and must
/// decide as the model does. An error must have a position.
pub fn rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let terms = match rule::parse(text) {
        Ok(terms) => terms,
        Err((at, _)) => {
            assert!(text.is_char_boundary(at), "{text:?}: no character begins at {at}");
            assert!(!is_rule(text), "{text:?} is one");
            return;
        }
    };
    assert!(is_rule(text), "{text:?} is none");
    let shown = terms.iter().map(Term::to_string).collect::<Vec<_>>().join(" | ");
    assert_eq!(rule::parse(&shown), Ok(terms.clone()), "{text:?}");
    let principals: Option<Vec<_>> = terms.iter().map(Principal::of).collect();
    if let (Some(principals), Ok(policy)) = (principals, Policy::new(&terms, text)) {
        assert_eq!(policy.to_string(), shown);
        for (caller, has_token) in
            CALLERS.iter().flat_map(|caller| [(caller, false), (caller, true)])
        {
            let may = principals.iter().any(|who| who.is(caller, has_token));
            let socket = SocketId::FIRST;
            let credentials = Credentials { peer: &caller.peer(), has_token, socket };
            assert_eq!(policy.allows(&credentials), may, "{text:?} {caller:?}");
        }
    }
}

/// Returns whether the text is a rule according to the documentation.
fn is_rule(text: &str) -> bool {
    let is_name = |name: &str| {
        if let Some(quoted) = name.strip_prefix('"') {
            let (name, rest) = quoted.split_once('"').unwrap_or(("", "unclosed"));
            return !name.is_empty() && rest.is_empty() && !name.chars().any(char::is_control);
        }
        let is_number = name.chars().all(|c| c.is_ascii_digit());
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let number = name.trim_start_matches('0');
        let is_small = number.len() < 10 || (number.len() == 10 && number < "4294967295");
        !name.is_empty() && fits && (!is_number || is_small)
    };
    // Pieces with an even index are outside of quotes.
    let mut terms = vec![String::new()];
    for (index, piece) in text.split('"').enumerate() {
        let mut pieces = if index % 2 == 0 { piece.split('|').collect() } else { vec![piece] };
        let last = terms.len() - 1;
        let quote = if index == 0 { "" } else { "\"" };
        terms[last].push_str(quote);
        terms[last].push_str(pieces.remove(0));
        terms.extend(pieces.into_iter().map(String::from));
    }
    terms.iter().map(|term| term.trim_matches([' ', '\t'])).all(|term| {
        let named = term.strip_prefix("uid:").or_else(|| term.strip_prefix("group:"));
        ["any", "owner", "token"].contains(&term) || named.is_some_and(is_name)
    })
}

/// Sends the input to a server with rules. The first three bytes choose the server, the caller and the
/// socket. A command that the model denies must not run, and its arguments must not be parsed.
pub fn access(data: &[u8]) {
    let [server, caller, socket, data @ ..] = data else { return };
    let scenario = Scenario::new(*server, *caller, *socket);
    let (sizes, bytes) = cut(data);
    let whole = scenario.outcomes(bytes, &[usize::MAX]);
    for sizes in [&[1][..], &sizes] {
        assert_eq!(scenario.outcomes(bytes, sizes), whole, "{}", bytes.escape_ascii());
    }
}

/// One caller of one server.
struct Scenario {
    served: &'static TestServer,
    caller: &'static Caller,
    socket: usize,
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The author's code with this name ran.
    Ran(&'static str),
    Denied,
    /// A built-in command, or no command at all.
    Other,
}

impl Scenario {
    fn new(server: u8, caller: u8, socket: u8) -> Self {
        let all = servers();
        Self {
            served: &all[usize::from(server) % all.len()],
            caller: &CALLERS[usize::from(caller) % CALLERS.len()],
            socket: usize::from(socket % 2),
        }
    }

    fn outcomes(&self, bytes: &[u8], sizes: &[usize]) -> Vec<Outcome> {
        let TestServer { shared, model } = self.served;
        let could_have_token = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        let mut outcomes = Vec::new();
        RAN.take();
        let socket = SocketId::new(self.socket);
        let conversation = Conversation::new(shared, 1, self.caller.peer(), socket, None);
        converse(shared, conversation, bytes, sizes, Turns::default(), |reply, _| {
            let ran = RAN.take();
            for name in &ran {
                let may = model.may(name, self.caller, could_have_token, self.socket);
                assert!(may, "{name} ran for {:?} at socket {}", self.caller, self.socket);
            }
            outcomes.push(match (ran.last(), reply) {
                (Some(name), _) => Outcome::Ran(name),
                (None, Reply::Error(failure)) if failure.code() == code::NOPERM => Outcome::Denied,
                _ => Outcome::Other,
            });
        });
        outcomes
    }
}

/// The credentials of a client.
#[derive(Debug)]
struct Caller {
    uid: u32,
    gid: u32,
    groups: &'static [u32],
}

const CALLERS: [Caller; 8] = [
    Caller { uid: 0, gid: 0, groups: &[] },
    Caller { uid: 1, gid: 1, groups: &[2, 3] },
    Caller { uid: 2, gid: 1, groups: &[] },
    Caller { uid: 3, gid: 7, groups: &[0, 1, 2] },
    Caller { uid: 1000, gid: 1000, groups: &[4] },
    Caller { uid: 65_534, gid: 65_534, groups: &[] },
    Caller { uid: u32::MAX - 1, gid: u32::MAX - 1, groups: &[] },
    // Unknown credentials.
    Caller { uid: u32::MAX, gid: u32::MAX, groups: &[] },
];

impl Caller {
    fn peer(&self) -> Peer {
        Peer::made_up(self.uid, self.gid, self.groups)
    }
}

/// A term of a rule in the model.
#[derive(Clone, Debug)]
enum Principal {
    Any,
    Owner,
    Token,
    User(u32),
    Group(u32),
}

impl Principal {
    fn random(dice: &mut Dice) -> Self {
        match dice.below(8) {
            0 => Self::Any,
            1 => Self::Owner,
            2 => Self::Token,
            3..=5 => Self::User(dice.one(&[0, 1, 2, 3, 1000, 65_534])),
            _ => Self::Group(dice.one(&[0, 1, 2, 3, 4, 7])),
        }
    }

    /// Converts a term, unless its user or group is given by name.
    fn of(term: &Term<'_>) -> Option<Self> {
        Some(match *term {
            Term::Any => Self::Any,
            Term::Owner => Self::Owner,
            Term::Token => Self::Token,
            Term::User(Name::Number(uid)) => Self::User(uid),
            Term::Group(Name::Number(gid)) => Self::Group(gid),
            Term::User(Name::Text(_)) | Term::Group(Name::Text(_)) => return None,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Any => "any".into(),
            Self::Owner => "owner".into(),
            Self::Token => "token".into(),
            Self::User(uid) => format!("uid:{uid}"),
            Self::Group(gid) => format!("group:{gid}"),
        }
    }

    fn is(&self, caller: &Caller, has_token: bool) -> bool {
        let is_known = caller.uid != u32::MAX;
        match *self {
            Self::Any => true,
            Self::Token => has_token,
            Self::Owner => is_known && caller.uid == crate::sys::effective_user(),
            Self::User(uid) => is_known && caller.uid == uid,
            Self::Group(gid) => is_known && (caller.gid == gid || caller.groups.contains(&gid)),
        }
    }
}

/// A pattern of names in the model.
#[derive(Clone, Copy, Debug)]
enum Names {
    All,
    /// Names that begin with this character.
    Like(char),
    One(&'static str),
}

impl Names {
    fn random(dice: &mut Dice) -> Self {
        match dice.below(6) {
            0 => Self::All,
            1 => Self::Like(dice.one(&['a', 'b', 'g'])),
            _ => Self::One(dice.one(&["aa", "ab", "ba", "bb", "gated", "gate"])),
        }
    }

    fn text(self) -> String {
        match self {
            Self::All => "*".into(),
            Self::Like(first) => format!("{first}*"),
            Self::One(name) => name.into(),
        }
    }

    /// Returns whether the pattern matches any name of a command.
    fn have(self, name: &str) -> bool {
        let names = if name == "gated" { &["gated", "gate"] } else { &[name][..] };
        match self {
            Self::All => true,
            Self::Like(first) => names.iter().any(|name| name.starts_with(first)),
            Self::One(one) => names.contains(&one),
        }
    }
}

/// The mounted closures. `gated` is a function, and `*` is the fallback.
const CLOSURES: [&str; 4] = ["aa", "ab", "ba", "bb"];

/// The access rules of one server.
struct Model {
    given: Vec<(Names, Vec<Principal>)>,
    denies: bool,
    offered: Vec<Names>,
    has_fallback: bool,
}

impl Model {
    fn random(dice: &mut Dice) -> Self {
        Self {
            given: dice.list(5, |dice| {
                let mut who = dice.list(3, Principal::random);
                who.push(Principal::random(dice));
                (Names::random(dice), who)
            }),
            denies: dice.below(3) == 0,
            offered: dice.list(3, Names::random),
            has_fallback: dice.below(2) == 0,
        }
    }

    fn may(&self, name: &str, caller: &Caller, has_token: bool, socket: usize) -> bool {
        let have = |names: &Names| {
            if name == "*" { matches!(names, Names::All) } else { names.have(name) }
        };
        if socket == 1 && !self.offered.iter().any(have) {
            return false;
        }
        let given = self.given.iter().rev().find(|(names, _)| have(names));
        let own = [Principal::User(1), Principal::Group(2)];
        match given {
            Some((_, who)) => who.iter().any(|who| who.is(caller, has_token)),
            None if name == "gated" => own.iter().any(|who| who.is(caller, has_token)),
            None => !self.denies,
        }
    }
}

struct TestServer {
    shared: Arc<Service>,
    model: Model,
}

#[expect(clippy::expect_used, reason = "a server that can't start is a mistake in here")]
fn servers() -> &'static [TestServer] {
    static SERVERS: OnceLock<Vec<TestServer>> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let served = |seed| {
            let model = Model::random(&mut Dice(seed));
            // The start fails if a rule requires a token.
            let shared = shared(&model, None).or_else(|_| {
                let file = token_file()?;
                let shared = shared(&model, Some(file.clone()));
                let _ = std::fs::remove_file(file);
                shared
            });
            TestServer { shared: shared.expect("a server that can start"), model }
        };
        (0..64).map(served).collect()
    })
}

const TOKEN: &str = "0123456789abcdef";

fn token_file() -> crate::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("dockipc-fuzzing-{}", std::process::id()));
    let written = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(TOKEN.as_bytes())
    };
    written().map_err(|error: std::io::Error| crate::Error::io("writing a token", error))?;
    Ok(path)
}

fn shared(model: &Model, token: Option<PathBuf>) -> crate::Result<Arc<Service>> {
    let mut server = Server::new().max_line(LIMITS.line).max_command(LIMITS.command);
    for name in CLOSURES {
        server = server.handle(name, move |_: &Request<'_>| ran(name));
    }
    if model.has_fallback {
        server = server.fallback(|_: &Request<'_>| ran("*"));
    }
    for (names, who) in &model.given {
        let rule: Vec<_> = who.iter().map(Principal::text).collect();
        server = server.allow(names.text(), rule.join(" |\t"));
    }
    if model.denies {
        server = server.default_deny();
    }
    if let Some(file) = token {
        server = server.token_file(file).auth_timeout(None).auth_pause(None);
    }
    let offered: Vec<_> = model.offered.iter().map(|names| names.text()).collect();
    server.also_at("second", Access::only(offered)).service()
}

thread_local! {
    /// The names of the author's code that ran.
    static RAN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn ran(name: &'static str) -> &'static str {
    RAN.with_borrow_mut(|ran| ran.push(name));
    "ran"
}

/// A command with its own rule.
#[command("gated", alias = "gate", allow = "uid:1 | group:2")]
fn gated(#[arg(from_str, complete = proposed)] _word: Parsed) -> &'static str {
    ran("gated")
}

/// Records a completion as a run.
fn proposed(_: &str) -> [&'static str; 1] {
    [ran("gated")]
}

/// Records parsing as a run.
struct Parsed;

impl FromStr for Parsed {
    type Err = Infallible;

    fn from_str(_: &str) -> Result<Self, Infallible> {
        ran("gated");
        Ok(Self)
    }
}

#[cfg(test)]
mod tests;
