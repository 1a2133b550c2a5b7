//! Errors: a [`Failure`] is a daemon's error answer; an [`Error`] says why there is no answer.

mod acted_on;
mod coded;
#[cfg(feature = "server")]
mod registered;
/// A client sends no errors, so it registers no types.
#[cfg(not(feature = "server"))]
mod registered {
    pub(super) fn code_of(_: &dyn std::any::Any) -> Option<&'static str> {
        None
    }
}
mod stopped;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys;
use crate::text::append;
use crate::text::time::units;

pub(crate) use acted_on::is_acted_on;
pub use coded::{Coded, check_code};
#[cfg(feature = "server")]
pub use registered::CodedType;
pub use stopped::Stopped;

/// The error codes that dockipc itself sends. All other codes are defined by the daemon's author;
/// [`Failure::new`](super::Failure::new) lists those that are sent with `APP_` in front.
pub mod code {
    /// The handler returned an error without a code.
    pub const ERR: &str = "ERR";
    /// No command has this name; the message suggests the closest one.
    pub const UNKNOWN: &str = "UNKNOWN";
    /// The arguments don't match the command; the message says which one, why, and shows the usage.
    pub const USAGE: &str = "USAGE";
    /// Permission denied: a rule forbids the command to this caller, or peer credentials are
    /// unavailable.
    pub const NOPERM: &str = "NOPERM";
    /// The token sent with `AUTH` is wrong. The name comes from Redis.
    pub const WRONGPASS: &str = "WRONGPASS";
    /// The command exceeds a size limit.
    pub const TOOBIG: &str = "TOOBIG";
    /// The input ended in the middle of a command, which was not run.
    pub const INCOMPLETE: &str = "INCOMPLETE";
    /// Text was expected, but the bytes are not UTF-8.
    pub const UTF8: &str = "UTF8";
    /// The bytes are not valid in any supported protocol.
    pub const PROTO: &str = "PROTO";
    /// A limit on connections or running commands is reached; the command was not run.
    pub const BUSY: &str = "BUSY";
    /// A timeout of the daemon expired; the message says which, and whether the command still runs.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The command was cancelled before it was done.
    pub const CANCELLED: &str = "CANCELLED";
    /// The client read events too slowly, and some were dropped; the message says how many.
    pub const LAGGED: &str = "LAGGED";
    /// The command with this token has run, or may have, and its answer is not known any more: see
    /// [`Server::once`](crate::Server::once).
    pub const FORGOTTEN: &str = "FORGOTTEN";
    /// The daemon is stopping; the message says whether the command was run.
    pub const SHUTDOWN: &str = "SHUTDOWN";
    /// `EXEC` ran no command, since one was refused when it was queued. The name comes from Redis.
    pub const EXECABORT: &str = "EXECABORT";
    /// The handler panicked; the daemon keeps running.
    pub const PANIC: &str = "PANIC";
    /// `HELLO` requested a RESP version other than 2 or 3. The name comes from Redis.
    pub const NOPROTO: &str = "NOPROTO";
}

/// An error answer: a code for programs and a message for people.
///
/// On the wire it is `-CODE message`, the error form of RESP, in every mode. A handler can return
/// any `Result<T, E>`: an `E` that is [`Display`](fmt::Display) becomes a failure with the code
/// [`ERR`](code::ERR), also through `?`. To use a code of your own:
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
/// Or derive the codes of an error type. `?` and a command that returns the type itself then use them; in a
/// `Box<dyn Error>` or an `anyhow::Error` the type is hidden, and the code is [`ERR`](code::ERR):
///
/// ```standalone_crate
/// use dockipc::{Failure, command};
///
/// #[derive(Debug, Failure, thiserror::Error)]
/// enum NoteError {
///     #[error("no note {0}")]
///     #[code("NOTFOUND")]
///     Missing(u64),
///     #[error(transparent)] // without a code of its own: ERR
///     Io(#[from] std::io::Error),
/// }
///
/// fn read(id: u64) -> Result<String, NoteError> {
///     if id > 9 {
///         return Err(NoteError::Missing(id));
///     }
///     Ok(std::fs::read_to_string(format!("notes/{id}"))?)
/// }
///
/// #[command]
/// fn size(id: u64) -> Result<usize, Failure> {
///     Ok(read(id)?.len())
/// }
///
/// assert_eq!(size(10).unwrap_err().code(), "NOTFOUND");
/// assert_eq!(size(1).unwrap_err().code(), "ERR");
/// ```
///
/// An error type without `Display` can implement `From<YourError> for Failure` instead. This is why
/// `Failure` itself is not `Display`, just as `anyhow::Error` is not `Error`.
#[derive(Clone)]
pub struct Failure(
    // In a box, so that the answer of a command that succeeds is moved in few instructions.
    Box<Parts>,
);

#[derive(Clone)]
struct Parts {
    code: Code,
    message: String,
}

#[derive(Clone)]
enum Code {
    /// A code that the protocol prescribes, sent as it is.
    Protocol(&'static str),
    /// Any other code. [`is_acted_on`] decides how it is sent.
    Given(Cow<'static, str>),
}

impl Failure {
    /// Creates a failure with a code of your own.
    ///
    /// A code is one word of uppercase letters, digits and `_`. Lowercase letters are converted to
    /// uppercase, other characters to `_`. Line breaks in the message are sent as spaces.
    ///
    /// Redis clients act on some codes by themselves: after `LOADING`, redis-py 8 runs the command ten
    /// more times. So a code that begins with `ASK`, `CLUSTERDOWN`, `CROSSSLOT`, `EXECABORT`, `LOADING`,
    /// `MASTERDOWN`, `MOVED`, `NOAUTH`, `NOREPLICAS`, `NOSCRIPT`, `READONLY`, `TRYAGAIN`, `UNBLOCKED` or
    /// `WRONGPASS` is sent with `APP_` in front: `-APP_LOADING …`. The same holds for `ERR` with a
    /// message that such clients act on, such as `max number of clients reached`.
    // Cold keeps the code of a successful command compact: the kernel evicts the L1 cache between
    // two commands, so each cache line of code costs a fetch from L2.
    #[cold]
    #[inline(never)]
    pub fn new(code: &'static str, message: impl fmt::Display) -> Self {
        // Not `to_string`, which brings a copy of how a String is written to.
        Self::from_parts(Cow::Borrowed(code), format!("{message}"))
    }

    /// Creates a failure on which clients are meant to act, such as `WRONGPASS` after `AUTH`. Its code is
    /// sent unchanged.
    #[cold]
    pub(crate) fn protocol(code: &'static str, message: impl fmt::Display) -> Self {
        Self::of(Code::Protocol(code), format!("{message}"))
    }

    /// Returns whether the protocol prescribes the code.
    pub(crate) fn is_protocol(&self) -> bool {
        matches!(self.0.code, Code::Protocol(_))
    }

    /// Failure sent to commands that arrive after the daemon has begun to stop.
    #[cold]
    pub(crate) fn not_run() -> Self {
        Self::new(code::SHUTDOWN, NOT_RUN)
    }

    /// Failure of a command whose job was dropped. Clients do not retry as after [`not_run`](Self::not_run):
    /// the later commands of a pipeline may run.
    #[cold]
    pub(crate) fn not_taken() -> Self {
        let why = "the daemon's loop did not take the command; it was not run";
        Self::new(code::SHUTDOWN, why)
    }

    /// Returns whether this is [`not_run`](Self::not_run), so that the client may retry.
    pub(crate) fn is_not_run(&self) -> bool {
        self.code() == code::SHUTDOWN && self.message() == NOT_RUN
    }

    /// Returns a function for `map_err` that converts an error to a failure with this code.
    pub fn with<E: fmt::Display>(code: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::new(code, error)
    }

    /// Returns the code, one uppercase word such as `USAGE`. See [`code`] for those of dockipc
    /// itself.
    pub fn code(&self) -> &str {
        match &self.0.code {
            Code::Protocol(code) => code,
            Code::Given(code) => code,
        }
    }

    /// Returns the message for people.
    pub fn message(&self) -> &str {
        &self.0.message
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
        Self::of(Code::Given(code), message)
    }

    fn of(code: Code, message: String) -> Self {
        Self(Box::new(Parts { code, message }))
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.message() == other.message()
    }
}

impl Eq for Failure {}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Failure");
        debug.field("code", &self.code()).field("message", &self.message()).finish()
    }
}

/// Part of the protocol: clients recognize this text and retry.
const NOT_RUN: &str = "the daemon is stopping; the command was not run";

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        coded::failure(&error, sys::as_any(&error))
    }
}

/// For `?` in a function that returns `Box<dyn Error>`. Converted back, the failure is the same.
impl From<Failure> for Box<dyn StdError + Send + Sync> {
    fn from(failure: Failure) -> Self {
        Box::new(coded::Boxed(failure))
    }
}

impl From<Failure> for Box<dyn StdError> {
    fn from(failure: Failure) -> Self {
        Box::new(coded::Boxed(failure))
    }
}

/// Why a daemon did not start, or why a call failed.
///
/// [`Error::Refused`] is an error answer from the daemon. The other variants of a call mean that
/// the daemon could not be reached or that its answer did not arrive whole. `Debug` prints the same
/// text as `Display`, so `fn main() -> dockipc::Result<()>` prints a readable message.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon answered with an error.
    #[error("{} {}", .0.code(), .0.message())]
    Refused(Failure),
    /// Nothing exists at the path.
    #[error("no socket at {}: is the daemon running?", path.display())]
    NoSocket {
        /// The path of the socket.
        path: PathBuf,
    },
    /// This user may not use the path.
    #[error("permission denied: {}{owner}", path.display())]
    Permission {
        /// The path of the socket.
        path: PathBuf,
        /// The owner and mode in parentheses after a space, or the reason; empty if unknown.
        owner: String,
    },
    /// The path has a socket, but no process listens.
    #[error(
        "stale socket {}: no process is listening; the daemon is not running, or has a newer socket (in a container, mount the socket's directory, not its file)", path.display()
    )]
    Stale {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The listening process belongs to a user other than
    /// [`Client::require_owner`](crate::Client::require_owner) allows. Nothing was sent.
    #[error(
        "wrong owner: uid {owner} is listening at {}, but {} is required; nothing was sent",
        path.display(),
        uids(required)
    )]
    WrongOwner {
        /// The path of the socket.
        path: PathBuf,
        /// The user of the listening process.
        owner: u32,
        /// The allowed users.
        required: Vec<u32>,
    },
    /// The path has something other than a socket.
    #[error("not a socket: {} is {what}", path.display())]
    NotASocket {
        /// The path of the socket.
        path: PathBuf,
        /// What it is: `a directory`, `a file`, …
        what: &'static str,
    },
    /// Another program than a dockipc daemon listens at the path, or its socket is no stream socket.
    #[error("not a dockipc daemon: {} {why}", path.display())]
    NotDockipc {
        /// The path of the socket.
        path: PathBuf,
        /// The reason, such as `is a datagram socket`.
        why: String,
    },
    /// A timeout of the client expired.
    #[error("timed out after {} {doing}; {ran}", units(*after))]
    TimedOut {
        /// The step that timed out, such as `waiting for the answer`.
        doing: &'static str,
        /// The timeout.
        after: Duration,
        /// Whether the command may have run.
        ran: Ran,
    },
    /// The connection closed before the whole answer had arrived.
    #[error("answer cut off after {received} bytes; {ran}")]
    CutOff {
        /// Number of bytes of the answer received.
        received: usize,
        /// Whether the command may have run.
        ran: Ran,
    },
    /// The answer exceeds the client's limit.
    #[error("answer longer than {limit} bytes; the limit is Client::max_answer")]
    AnswerTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The peer does not speak RESP.
    #[error("not a RESP answer: {0}")]
    Protocol(String),
    /// The answer can't be read as the requested type.
    #[error("the answer is {got}, not {wanted}")]
    Mismatch {
        /// The requested type.
        wanted: &'static str,
        /// A description of the answer.
        got: String,
    },
    /// Another process serves the path.
    #[error("already running: {} is in use by {}", path.display(), process(*pid))]
    AlreadyRunning {
        /// The path of the socket.
        path: PathBuf,
        /// The other process, if it is visible in this PID namespace.
        pid: Option<u32>,
    },
    /// The process that opened the socket at the path has ended, but another one has inherited the
    /// socket and keeps it open.
    #[error(
        "already running: {} is still held by {}, although process {ended}, which opened it, has ended{}", path.display(), process(*pid), ending(*pid)
    )]
    StillHeld {
        /// The path of the socket.
        path: PathBuf,
        /// The process that holds the socket's lock, if it is visible: a forked child of the daemon.
        pid: Option<u32>,
        /// The process that has ended.
        ended: u32,
    },
    /// A file at the path, or beside it, prevents the server from listening.
    #[error(
        "cannot listen at {}: {} is {what}; remove it, or use a directory that only the daemon's user can write to", path.display(), file.display()
    )]
    InTheWay {
        /// The path of the socket.
        path: PathBuf,
        /// The file: a lock, a stale socket, or a file with the name of one.
        file: PathBuf,
        /// Its type, owner, mode, and why it prevents the start.
        what: String,
    },
    /// The service manager passed a socket that more users can connect to than `Server::mode` or
    /// `Access::mode` allows.
    #[error(
        "the socket passed for {} has mode {passed:04o}, wider than .mode(0o{given:03o}): set SocketMode={given:04o} in the socket unit, or remove .mode(…)", path.display()
    )]
    PassedMode {
        /// The path of the socket.
        path: PathBuf,
        /// The mode of the passed socket's file.
        passed: u32,
        /// The mode set with `mode`.
        given: u32,
    },
    /// The service manager passed sockets that the server cannot use.
    #[error("socket activation failed for {}: {reason}", path.display())]
    Activation {
        /// The path of the socket.
        path: PathBuf,
        /// What was passed, and what to do.
        reason: String,
    },
    /// The path is not valid for a socket.
    #[error("invalid socket path \"{}\": {reason}", path.display())]
    BadPath {
        /// The path as given.
        path: PathBuf,
        /// Why it is invalid.
        reason: String,
    },
    /// Two commands have the same name.
    #[error(
        "duplicate command name `{name}`: declared at {first} and at {second}; rename one, or remove its alias"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// The source location of one declaration.
        first: String,
        /// The source location of the other declaration.
        second: String,
    },
    /// A command has the first word of another's name of two words as its name.
    #[error(
        "`{name}` is a command at {command}, and the group of `{member}` at {place}; rename one of them"
    )]
    GroupIsCommand {
        /// The name of the command and the group.
        name: String,
        /// The source location of the command.
        command: String,
        /// A command of the group.
        member: String,
        /// The source location of that command.
        place: String,
    },
    /// Two enums that derive [`Events`](derive@crate::Events) have a channel of one name.
    #[error("duplicate channel `{name}`: rename it at {first} or at {second}")]
    DuplicateChannel {
        /// The name.
        name: &'static str,
        /// The source location of one declaration.
        first: String,
        /// The source location of the other declaration.
        second: String,
    },
    /// A name given at run time is not a valid command name.
    #[error("invalid command name `{name}`: {reason}")]
    BadName {
        /// The name as given.
        name: String,
        /// Why it is invalid.
        reason: &'static str,
    },
    /// A command requires a state that the server does not have.
    #[error(
        "missing state: command `{command}` ({place}) requires State<{wanted}>; add it to the server with .state(…)"
    )]
    MissingState {
        /// The command's name.
        command: &'static str,
        /// The source location of the command's declaration.
        place: String,
        /// The type of the state.
        wanted: &'static str,
    },
    /// A command requires a state of which the server has an `Arc`, which is another type.
    #[error(
        "missing state: command `{command}` ({place}) requires State<{wanted}>, but the server has an Arc of it; replace .state(arc) with .share(arc)"
    )]
    StateInArc {
        /// The command's name.
        command: &'static str,
        /// The source location of the command's declaration.
        place: String,
        /// The type of the state.
        wanted: &'static str,
    },
    /// A command requires a value of the program's own thread, and the server has no loop for it.
    #[error(
        "missing loop: command `{command}` ({place}) requires Local<{wanted}>; add .local(|job: Job<{wanted}>| …) to the server"
    )]
    MissingLocal {
        /// The command's name.
        command: &'static str,
        /// The source location of the command's declaration.
        place: String,
        /// The type of the value.
        wanted: &'static str,
    },
    /// `Server::local` was called twice with the same type.
    #[error("duplicate .local(…) for {0}: remove one, or wrap one of the values in a newtype")]
    DuplicateLocal(&'static str),
    /// The server has two states of the same type.
    #[error("duplicate state of type {0}: wrap one of them in a newtype")]
    DuplicateState(&'static str),
    /// The default of a parameter is not a valid value of its type.
    #[error("invalid default for `{param}` of command `{command}` ({place}): {reason}")]
    BadDefault {
        /// The command's name.
        command: &'static str,
        /// The source location of the command's declaration.
        place: String,
        /// The parameter.
        param: &'static str,
        /// Why the default is invalid.
        reason: String,
    },
    /// An access rule is invalid.
    #[error("invalid rule {rule}: {reason}")]
    BadRule {
        /// The rule and what it applies to.
        rule: String,
        /// Why it is invalid.
        reason: String,
    },
    /// The socket is abstract, so it has no mode, and the server has no access rules.
    #[error(
        "any local user could run every command at {}: an abstract socket has no mode; add rules with .allow(…), or call .open_to_all()", path.display()
    )]
    OpenToAll {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The token file can't be used.
    #[error("cannot use token file {}: {reason}", path.display())]
    BadTokenFile {
        /// The file.
        path: PathBuf,
        /// Why it can't be used, and what to do.
        reason: String,
    },
    /// Commands were still running when `Server::shutdown_timeout` had expired.
    #[error("stopped while commands were running: {}", list(.0))]
    Unfinished(Vec<Unfinished>),
    /// Another operation of the system failed.
    #[error("{doing}: {source}")]
    Io {
        /// The operation, with the path if there is one.
        doing: String,
        /// The system's error.
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

    /// Returns the command's name; empty for a fallback, and `(hand_over)` for a connection that the program has
    /// taken ([`Server::hand_over`](crate::Server::hand_over)).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how long it had been running.
    pub fn ran_for(&self) -> Duration {
        self.ran_for
    }
}

fn list(unfinished: &[Unfinished]) -> String {
    let mut text = String::new();
    for Unfinished { name, ran_for } in unfinished {
        let between = if text.is_empty() { "" } else { ", " };
        // `Debug` of a duration brings 1.7 KiB of code.
        let millis = ran_for.as_millis().try_into().unwrap_or(u64::MAX);
        let ran_for = units(Duration::from_millis(millis));
        append(&mut text, format_args!("{between}{name} ({ran_for})"));
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
    pid.map_or("another process".into(), |pid| format!("process {pid}"))
}

/// `; end process 7`.
fn ending(pid: Option<u32>) -> String {
    pid.map_or(String::new(), |pid| format!("; end process {pid}"))
}

/// Whether a command without an answer may have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The command did not run: it did not reach the daemon whole.
    No,
    /// The command may have run.
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
    /// Returns the daemon's error answer, if this is [`Refused`](Self::Refused).
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) => Some(failure),
            _ => None,
        }
    }

    /// Converts this to a failure, for a command that calls another daemon: that daemon's failure
    /// is kept with its code, any other error gets the code [`ERR`](code::ERR).
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

    /// Adds the path to the message of an `Io` error that does not end with it.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        if let Self::Io { doing, .. } = &mut self {
            let path = path.to_string_lossy();
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
