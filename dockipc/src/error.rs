//! What can go wrong: a [`Failure`] is an answer, an [`Error`] is the reason why there is none.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::text::append;

/// The codes that dockipc itself answers with. Every other code is an author's own.
pub mod code {
    /// The handler returned an error and gave it no code.
    pub const ERR: &str = "ERR";
    /// No command has this name; the message has the nearest one.
    pub const UNKNOWN: &str = "UNKNOWN";
    /// The words don't fit the command; the message says which, why, and how it is used.
    pub const USAGE: &str = "USAGE";
    /// The caller may not run this command; or the system does not say who connected, and nothing is
    /// run for them.
    pub const NOPERM: &str = "NOPERM";
    /// The token that was given with `AUTH` is not the daemon's; the word is Redis'.
    pub const WRONGPASS: &str = "WRONGPASS";
    /// The command is longer than the limit.
    pub const TOOBIG: &str = "TOOBIG";
    /// The input ended before the command did; nothing was run.
    pub const INCOMPLETE: &str = "INCOMPLETE";
    /// Text was expected and these bytes are not UTF-8.
    pub const UTF8: &str = "UTF8";
    /// The bytes follow no protocol that is spoken here.
    pub const PROTO: &str = "PROTO";
    /// The daemon serves as many as it can or may; the command was not run.
    pub const BUSY: &str = "BUSY";
    /// A time limit of the daemon's passed: the message says which one, and whether something runs.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The daemon stops; the message says whether the command was run.
    pub const SHUTDOWN: &str = "SHUTDOWN";
    /// The handler panicked; the daemon goes on.
    pub const PANIC: &str = "PANIC";
    /// `HELLO` asked for a version of RESP that is not 2 or 3; the word is Redis'.
    pub const NOPROTO: &str = "NOPROTO";
}

/// A daemon's "no": a code for programs and a message for people.
///
/// On the wire it is `-CODE message`, the error form of RESP, in every mode. A handler that returns
/// `Result<T, E>` needs none of this: each `E` that is [`Display`](fmt::Display) becomes a failure
/// with the code [`ERR`](code::ERR), also through `?`. To give a code of your own:
///
/// ```
/// use dockipc::Failure;
///
/// fn show(id: u64) -> Result<String, Failure> {
///     if id > 9 {
///         return Err(Failure::new("NOTFOUND", format!("no note {id}")));
///     }
///     std::fs::read_to_string(format!("notes/{id}")).map_err(Failure::with("NOFILE"))
/// }
///
/// assert_eq!(show(10).unwrap_err().code(), "NOTFOUND");
/// assert_eq!(show(1).unwrap_err().code(), "NOFILE");
/// ```
///
/// An error type of yours that has no `Display` can have `impl From<Yours> for Failure` instead.
/// (`Failure` itself has no `Display` for this reason, as with `anyhow::Error` and `Error`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: Cow<'static, str>,
    message: String,
}

impl Failure {
    /// A failure with a code of your own.
    ///
    /// A code is one word of capitals, digits and `_`, as RESP has it: small letters are made
    /// capitals, whatever else is there becomes `_`. Line ends in the message become blanks when it
    /// is sent.
    // Cold, so that the way of a command that succeeds stays short: between two commands the
    // kernel has taken the first cache, and each line of code has to come from the second.
    #[cold]
    #[inline(never)]
    pub fn new(code: &'static str, message: impl fmt::Display) -> Self {
        // Not `to_string`, which brings a copy of how a String is written to.
        Self::from_parts(Cow::Borrowed(code), format!("{message}"))
    }

    /// What a command is told that comes when the daemon stops.
    #[cold]
    pub(crate) fn not_run() -> Self {
        Self::new(code::SHUTDOWN, NOT_RUN)
    }

    /// Whether it is that: then another daemon may be asked.
    pub(crate) fn is_not_run(&self) -> bool {
        self.code == code::SHUTDOWN && self.message == NOT_RUN
    }

    /// For `map_err`: gives an error this code.
    pub fn with<E: fmt::Display>(code: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::new(code, error)
    }

    /// One word of capitals, such as `USAGE`. See [`code`] for those that dockipc uses.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// A sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn from_parts(code: Cow<'static, str>, message: String) -> Self {
        let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let code = match code.as_bytes() {
            [] => Cow::Borrowed(code::ERR),
            bytes if bytes.iter().all(|&b| fits(b)) => code,
            bytes => {
                let upper = bytes.iter().map(u8::to_ascii_uppercase);
                Cow::Owned(upper.map(|b| if fits(b) { b as char } else { '_' }).collect())
            }
        };
        Self { code, message }
    }
}

/// A client makes such a call again: the words are part of the protocol.
const NOT_RUN: &str = "the daemon is stopping; the command was not run";

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(code::ERR, error)
    }
}

/// Why a daemon did not start, or why a call brought no answer.
///
/// [`Error::Refused`] is the daemon's own "no"; the others mean that it could not be asked or that
/// its answer did not arrive whole. `Debug` prints the same sentence as `Display`, so that
/// `fn main() -> dockipc::Result<()>` ends with words.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon said no.
    #[error("{} {}", .0.code(), .0.message())]
    Refused(Failure),
    /// There is nothing at the path.
    #[error("no socket at {}: is the daemon running?", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
    /// The path exists and this user may not use it.
    #[error("no permission for {}{owner}", path.display())]
    Permission {
        /// Where.
        path: PathBuf,
        /// Whose it is and with what mode, where that can be seen; begins with `: `.
        owner: String,
    },
    /// There is a socket at the path and nobody listens.
    #[error("stale socket {}: nobody listens there (the daemon has ended)", path.display())]
    Stale {
        /// Where.
        path: PathBuf,
    },
    /// Another user listens at the path than the client requires
    /// ([`Client::require_owner`](crate::Client::require_owner)). Nothing was sent.
    #[error(
        "wrong owner: uid {owner} listens at {}, and {} is required; nothing was sent",
        path.display(),
        uids(required)
    )]
    WrongOwner {
        /// Where.
        path: PathBuf,
        /// The user of the process that listens there.
        owner: u32,
        /// The users of whom one must listen there.
        required: Vec<u32>,
    },
    /// There is something else than a socket at the path.
    #[error("{} is not a socket but {what}", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
        /// What it is: `a directory`, `a file`, …
        what: &'static str,
    },
    /// A time limit of the client's passed.
    #[error("timed out after {after:?} {doing}; {ran}")]
    TimedOut {
        /// What was waited for, such as `waiting for the answer`.
        doing: &'static str,
        /// The limit.
        after: Duration,
        /// Whether the command may have run.
        ran: Ran,
    },
    /// The connection ended in the middle.
    #[error("answer cut off after {received} bytes; {ran}")]
    CutOff {
        /// How many bytes of the answer were there.
        received: usize,
        /// Whether the command may have run.
        ran: Ran,
    },
    /// The answer is longer than the client takes.
    #[error("answer longer than {limit} bytes (Client::max_answer)")]
    AnswerTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// What answers there does not speak RESP.
    #[error("not a RESP answer: {0}")]
    Protocol(String),
    /// The answer can't be read as the type that was asked for.
    #[error("the answer is {got}, not {wanted}")]
    Mismatch {
        /// The type that was asked for.
        wanted: &'static str,
        /// What came.
        got: String,
    },
    /// A daemon already answers at the path.
    #[error("already running: {} answers at {}", process(*pid), path.display())]
    AlreadyRunning {
        /// Where.
        path: PathBuf,
        /// Its process, where that can be seen from here.
        pid: Option<u32>,
    },
    /// A file at the path, or beside it, keeps the server from listening there.
    #[error(
        "cannot listen at {}: {} is {what}; remove it, or use a directory that only the daemon's user can write to", path.display(), file.display()
    )]
    InTheWay {
        /// The path of the socket.
        path: PathBuf,
        /// The file: a lock, a stale socket, or what has the name of one.
        file: PathBuf,
        /// What it is, its owner and mode, and why it is in the way.
        what: String,
    },
    /// The service manager passed a socket to which more users can connect than `Server::mode` or
    /// `Access::mode` says.
    #[error(
        "the socket that was passed for {} has mode {passed:04o}, wider than .mode(0o{given:03o}): set SocketMode={given:04o} in the socket unit, or leave .mode out", path.display()
    )]
    PassedMode {
        /// The path of the socket.
        path: PathBuf,
        /// The mode of its file.
        passed: u32,
        /// The mode that the server was given.
        given: u32,
    },
    /// The path can't be a socket's.
    #[error("{path:?} can't be a socket's path: {reason}")]
    BadPath {
        /// The path as given.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Two commands have one name.
    #[error(
        "two commands are named `{name}`: one at {first}, one at {second}; rename one, or leave out its alias"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// A source place.
        first: String,
        /// The other source place.
        second: String,
    },
    /// A name that was given at run time can't be a command's.
    #[error("`{name}` can't be a command's name: {reason}")]
    BadName {
        /// The name as given.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A command wants a state that the server wasn't given.
    #[error(
        "command `{command}` ({place}) wants State<{wanted}>: give it to the server with .state(…)"
    )]
    MissingState {
        /// The command's name.
        command: &'static str,
        /// Where the command is declared.
        place: String,
        /// The type.
        wanted: &'static str,
    },
    /// Two states of one type were given.
    #[error("two states of type {0} were given: wrap one in a type of its own")]
    DuplicateState(&'static str),
    /// The default of a parameter is no value of its type.
    #[error("command `{command}` ({place}): the default of `{param}` does not fit: {reason}")]
    BadDefault {
        /// The command's name.
        command: &'static str,
        /// Where the command is declared.
        place: String,
        /// The parameter.
        param: &'static str,
        /// Why.
        reason: String,
    },
    /// A rule about who may run a command can't be used.
    #[error("bad rule {rule}: {reason}")]
    BadRule {
        /// The rule and what has it.
        rule: String,
        /// Why not.
        reason: String,
    },
    /// An abstract socket has no mode, and no rule says who may run what.
    #[error(
        "every user of the machine could run every command at {}: an abstract socket has no mode; give rules with .allow(…), or say .open_to_all()", path.display()
    )]
    OpenToAll {
        /// Where.
        path: PathBuf,
    },
    /// The file that should have the token can't be used.
    #[error("the token file {} can't be used: {reason}", path.display())]
    BadTokenFile {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// The server was told to stop, and commands still ran when it had waited for them for as long
    /// as it may (`Server::shutdown_timeout`).
    #[error("stopped while commands were running: {}", list(.0))]
    Unfinished(Vec<Unfinished>),
    /// The system refused something else.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path if there is one.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A command that was still running when its server stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    name: String,
    ran_for: Duration,
}

impl Unfinished {
    pub(crate) fn new(name: String, ran_for: Duration) -> Self {
        Self { name, ran_for }
    }

    /// The command's name; empty for a fallback.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long it had been running.
    pub fn ran_for(&self) -> Duration {
        self.ran_for
    }
}

fn list(unfinished: &[Unfinished]) -> String {
    let mut text = String::new();
    for Unfinished { name, ran_for } in unfinished {
        let between = if text.is_empty() { "" } else { ", " };
        append(&mut text, format_args!("{between}{name} ({ran_for:.1?})"));
    }
    text
}

/// `uid 0 or 1000`.
fn uids(uids: &[u32]) -> String {
    let mut text = String::new();
    for uid in uids {
        let before = if text.is_empty() { "uid" } else { " or" };
        append(&mut text, format_args!("{before} {uid}"));
    }
    text
}

fn process(pid: Option<u32>) -> String {
    pid.map_or("a daemon".into(), |pid| format!("process {pid}"))
}

/// Whether a command may have run when its answer is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It did not reach the daemon whole, so it was not run.
    No,
    /// It may have run.
    Maybe,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "the command did not run",
            Self::Maybe => "the command may have run",
        })
    }
}

/// A result whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The daemon's "no", if that is what it is.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) => Some(failure),
            _ => None,
        }
    }

    /// The failure to answer with when a command calls another daemon: that daemon's own "no" with
    /// its code, and everything else as [`ERR`](code::ERR).
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Refused(failure) => failure,
            other => Failure::from(other),
        }
    }

    pub(crate) fn io(doing: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        #[cold]
        #[inline(never)]
        fn io(doing: fmt::Arguments<'_>, source: io::Error) -> Error {
            Error::Io { doing: format!("{doing}"), source }
        }
        io(format_args!("{doing}"), source.into())
    }

    #[cold]
    pub(crate) fn bad_rule(rule: &str, reason: &str) -> Self {
        Self::BadRule { rule: rule.to_owned(), reason: reason.to_owned() }
    }

    #[cold]
    pub(crate) fn bad_token_file(path: &Path, reason: &str) -> Self {
        Self::BadTokenFile { path: path.to_owned(), reason: reason.to_owned() }
    }

    #[cold]
    pub(crate) fn bad_path(path: &Path, reason: &str) -> Self {
        Self::BadPath { path: path.to_owned(), reason: reason.to_owned() }
    }

    /// Names the path as well, where what failed is not about it alone.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        if let Self::Io { doing, .. } = &mut self {
            let path = path.to_string_lossy();
            // As sentences with a path end.
            if !doing.ends_with(&*path) {
                doing.push_str(" for ");
                doing.push_str(&path);
            }
        }
        self
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
