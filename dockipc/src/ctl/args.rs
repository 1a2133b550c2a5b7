//! The command line of the program.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are the text of --help, which is not Markdown"
)]

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, ColorChoice, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::completions::OwnWords;
use super::error::CliError;
use super::output::Layout;
use super::{exit, socket};
use crate::arg::{Arg, Quoted};

mod hints;
mod own;
mod refused;

pub(super) use hints::{unknown, unknown_option};
pub(super) use own::{Own, command};
use refused::refused;

/// Talk to the control sockets of daemons.
#[derive(Debug, Parser)]
#[command(
    name = "dockipc",
    version = VERSION,
    after_help = exit::TABLE,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) action: Action,
}

/// The version, with the features of this build.
const VERSION: &str = const {
    match (cfg!(feature = "tracing"), cfg!(feature = "zeroize")) {
        (false, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli)"),
        (true, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, tracing)"),
        (false, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, zeroize)"),
        (true, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, tracing, zeroize)"),
    }
};

/// The options of every subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_display_order = 100)]
pub(super) struct Common {
    /// The daemon's socket, instead of the first word
    #[arg(long, short, global = true, value_name = "SOCK")]
    pub(super) socket: Option<OsString>,

    /// The time limit for the whole run, ssh and all commands included: 200ms, 2s, 1m; by default
    /// 10s for `commands`, `help`, `schema`, `list`, `ps`, `kill`, `doctor` and each `ping`, and none
    /// for other commands
    #[arg(long, global = true, value_name = "TIME", value_parser = limit)]
    pub(super) timeout: Option<Duration>,

    /// Wait until the daemon answers, at most for this time: --wait=30s
    #[arg(long, global = true, value_name = "TIME", num_args = 0..=1, require_equals = true,
        value_parser = wait)]
    #[expect(clippy::option_option, reason = "the form in which clap has an optional value")]
    pub(super) wait: Option<Option<Duration>>,

    /// Read the token from this file; by default, if root or you own the daemon, from the file
    /// $DOCKIPC_TOKEN_FILE or the variable $DOCKIPC_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Send nothing unless the daemon's owner is this user: a name or a number, several separated
    /// by commas; by default $DOCKIPC_REQUIRE_OWNER
    #[arg(long, global = true, value_name = "USER", value_delimiter = ',', value_parser = user)]
    pub(super) require_owner: Vec<u32>,

    /// Whether no token is sent, as for a completion
    #[arg(skip)]
    pub(super) sends_no_token: bool,

    /// Print no messages on standard error; the exit code tells what failed
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Print notes on standard error: the socket, who listens there, and the time of each answer
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,

    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

impl Common {
    /// Adds the socket of a subcommand that takes only a socket: its word can't be a command, so
    /// that it has precedence over the environment.
    pub(super) fn with_socket(mut self, socket: Socket) -> Result<Self, CliError> {
        match (&self.socket, &socket.name) {
            (Some(_), Some(word)) => {
                let word = Quoted(word.as_encoded_bytes());
                return Err(CliError::usage(format!(
                    "unexpected word {word}: the socket is given with --socket"
                )));
            }
            (None, Some(_)) => self.socket = socket.name,
            (_, None) => {}
        }
        Ok(self)
    }

    /// Returns the users of whom one must own the daemon; empty if any user may.
    pub(super) fn owners(&self) -> Result<Vec<u32>, CliError> {
        const VARIABLE: &str = "DOCKIPC_REQUIRE_OWNER";
        let preset = std::env::var_os(VARIABLE).filter(|users| !users.is_empty());
        let Some(preset) = preset.filter(|_| self.require_owner.is_empty()) else {
            return Ok(self.require_owner.clone());
        };
        let users = preset.to_string_lossy();
        let users = users.split(',').map(user).collect::<Result<_, _>>();
        users.map_err(|why| {
            CliError::usage(format!("invalid {VARIABLE} \"{}\": {why}", preset.display()))
        })
    }
}

/// The subcommand.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Call(Call),
    Commands(Commands),
    Help(Help),
    Shell(Prompt),
    Ping(Ping),
    Ps(Ps),
    Kill(Kill),
    Watch(Watch),
    Doctor(Doctor),
    List(List),
    Schema(Schema),
    Man(Man),
    Completions(Completions),
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
    /// A socket and a command or, in a daemon's own program, a command.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Run one of the daemon's commands
///
/// Prints the answer, and a newline if a text ends without one, to standard output, and errors to
/// standard error.
///
/// An argument `-` is read from standard input, and `@FILE` from a file; `@@TEXT` is the text
/// `@TEXT`. The same holds for the value in `--name=VALUE`. The words of a text that takes the rest
/// of the line are joined with one blank each. For a command with a body, a `-` at the end sends
/// standard input as the body, while it is read. Options come before the socket: everything after it
/// belongs to the daemon's command.
#[derive(Args, Debug, Default)]
#[command(
    override_usage = "dockipc call [OPTIONS] [SOCK] NAME [ARG]...\n       dockipc call [OPTIONS] [SOCK] --file FILE"
)]
pub(super) struct Call {
    /// Print the answer as JSON or, with =line, each item of a list as a line of JSON; bytes that
    /// are not UTF-8 become {"base64": "…"}
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    /// Write the answer to a file, which stays as it is if there is none
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Add no newline to an answer
    #[arg(long, short = 'n')]
    pub(super) no_newline: bool,

    /// Write the bytes of an answer as they are, also to a terminal
    #[arg(long, conflicts_with = "json")]
    pub(super) raw: bool,

    /// Run the commands in a file, one per line, over one connection; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["repeat", "every", "literal"])]
    pub(super) file: Option<PathBuf>,

    /// Do not replace `-` and `@FILE` in arguments
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) literal: bool,

    /// Check the command and its arguments, and print what would run, without running it
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Give the call a token, so that the daemon runs it once however often it is repeated: after a lost
    /// connection or a restart of the daemon, until --timeout or for a minute. With =TOKEN, 1 to 64
    /// letters, digits and ._:- that no other call has, you can repeat the call yourself
    #[arg(long, value_name = "TOKEN", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["file", "dry_run"])]
    pub(super) once: Option<String>,

    /// Run the command COUNT times
    #[arg(long, value_name = "COUNT", value_parser = count::<u64>)]
    pub(super) repeat: Option<u64>,

    /// Run the command repeatedly, with this pause between: 500ms, 2s
    #[arg(long, value_name = "TIME", value_parser = pause)]
    pub(super) every: Option<Duration>,

    /// The socket, unless given otherwise (a path, unix:PATH, @abstract, a name in
    /// $XDG_RUNTIME_DIR or /run, or ssh://[USER@]HOST[:PORT]/PATH), the command's name, and its
    /// arguments
    #[arg(value_name = "SOCK NAME ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,

    /// Whether `call` was left out.
    #[arg(skip)]
    pub(super) is_implied: bool,
}

/// Explain one of the daemon's commands, or list them; `help SUBCOMMAND` explains a subcommand
///
/// A single word that is the name of a subcommand means that subcommand. For a socket of such a
/// name, write `-s NAME`.
#[derive(Args, Debug)]
#[command(override_usage = "dockipc help [SOCK] [NAME]...\n       dockipc help SUBCOMMAND")]
pub(super) struct Help {
    /// Print JSON or, with =line, each command as a line of JSON
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    /// The socket, unless given otherwise, and the name of a command or of a group; or a subcommand
    #[arg(value_name = "SOCK NAME", num_args = 0..)]
    pub(super) words: Vec<OsString>,
}

/// List the daemon's commands
#[derive(Args, Debug)]
pub(super) struct Commands {
    /// Print JSON or, with =line, each command as a line of JSON
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// Run the daemon's commands at a prompt, with history, Tab and hints
///
/// `help` lists the commands, `help NAME` explains one, `exit` or Ctrl-D leaves the shell.
/// Ctrl-C cancels the command that runs. A destructive command is run after a question. Lines are kept in $XDG_STATE_HOME/dockipc/history,
/// except those that may contain a secret or begin with a blank. Without a terminal, lines are
/// read as by `call -f -`.
#[derive(Args, Debug)]
pub(super) struct Prompt {
    /// Run destructive commands without a question
    #[arg(long)]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// Measure how fast the daemon answers
#[derive(Args, Debug)]
pub(super) struct Ping {
    /// How many pings to send
    #[arg(long, short, default_value = "10", value_parser = count::<u32>)]
    pub(super) count: u32,

    /// The pause between two pings: 0s, 200ms
    #[arg(long, short, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub(super) interval: Duration,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// List the commands that run in the daemon
///
/// Shows those that you may stop: your own or, for root and the daemon's user, all. A command is
/// listed when it is known to last, or if it can be stopped.
#[derive(Args, Debug)]
pub(super) struct Ps {
    /// Print JSON or, with =line, each command as a line of JSON
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// Stop commands that run in the daemon
///
/// Asks the daemon to stop them; who called them gets the error CANCELLED. A command that does not
/// look whether it is to stop is refused.
#[derive(Args, Debug)]
#[command(override_usage = "dockipc kill [SOCK] ID...")]
pub(super) struct Kill {
    /// The socket, unless given otherwise, and the numbers in the first column of `ps`
    #[arg(value_name = "SOCK ID", num_args = 0..)]
    pub(super) words: Vec<OsString>,
}

/// Print the daemon's events as they arrive
///
/// Prints a line for each event: the channel, a tab, and the value. Ends when the daemon closes the
/// connection, or with Ctrl-C.
#[derive(Args, Debug)]
#[command(override_usage = "dockipc watch [OPTIONS] [SOCK] CHANNEL...")]
pub(super) struct Watch {
    /// Print each event as JSON or, with =line, as a line of JSON
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    /// End after COUNT events
    #[arg(long, short, value_name = "COUNT", value_parser = count::<u64>)]
    pub(super) count: Option<u64>,

    /// The socket, unless given otherwise, and the channels; * ? and [] match many: "jobs.*"
    #[arg(value_name = "SOCK CHANNEL", num_args = 0..)]
    pub(super) words: Vec<OsString>,
}

/// Find out why the daemon does not answer
///
/// Checks the path, the file's type, owner and mode, the lock file, the process that listens, and
/// whether it answers, one line for each. The exit code is 0 if the daemon answers, and otherwise
/// that of a call. Changes nothing and takes no lock.
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Print JSON or, with =line, JSON in one line
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// List the daemons with sockets in $XDG_RUNTIME_DIR and /run
#[derive(Args, Debug)]
pub(super) struct List {
    /// Search these directories, or ask these sockets, instead
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// Also show other sockets, and why they are not a daemon's
    #[arg(long, short)]
    pub(super) all: bool,

    /// Print JSON or, with =line, each daemon as a line of JSON
    #[arg(long, value_name = "LAYOUT", num_args = 0..=1, require_equals = true, default_missing_value = "indented")]
    pub(super) json: Option<Layout>,
}

/// Print the daemon's interface as JSON or as a typed client, or compare it with an earlier one
#[derive(Args, Debug)]
pub(super) struct Schema {
    /// Compare with the interface in this file; exit with 1 if a change can break callers
    #[arg(long, value_name = "FILE")]
    pub(super) check: Option<PathBuf>,

    /// Print a trait for Rust (`#[dockipc::client]`), with the types that it needs
    #[arg(long, group = "language", conflicts_with = "check")]
    pub(super) rust: bool,

    /// With --rust, print a trait of async functions, for the feature tokio
    #[arg(long = "async", requires = "rust")]
    pub(super) is_async: bool,

    /// Print a module for Python 3.9 and redis-py 5, or newer
    #[arg(long, group = "language", conflicts_with = "check")]
    pub(super) python: bool,

    /// Print a module for TypeScript and node-redis 4.7, or newer
    #[arg(long, group = "language", conflicts_with = "check")]
    pub(super) typescript: bool,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// A language in which `schema` prints a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rust { is_async: bool },
    Python,
    Typescript,
}

impl Schema {
    /// Returns the language, if there is one.
    pub(super) fn language(&self) -> Option<Language> {
        let languages = [
            (self.rust, Language::Rust { is_async: self.is_async }),
            (self.python, Language::Python),
            (self.typescript, Language::Typescript),
        ];
        languages.into_iter().find_map(|(is_given, language)| is_given.then_some(language))
    }
}

/// Print the manual page, or write all manual pages to a directory
#[derive(Args, Debug)]
pub(super) struct Man {
    #[arg(value_name = "DIRECTORY")]
    pub(super) directory: Option<PathBuf>,
}

/// Print a completion script for a shell; it also completes what the daemon knows
///
/// bash: eval "$(dockipc completions bash)" in ~/.bashrc
///
/// zsh: source <(dockipc completions zsh) in ~/.zshrc, below compinit
///
/// fish: dockipc completions fish | source in ~/.config/fish/config.fish
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

/// A shell with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The call of a completion script.
#[derive(Args, Debug)]
pub(super) struct Complete {
    /// Whether the assignments in front of the line are in the environment.
    #[arg(long)]
    pub(super) assigned: bool,

    /// The line up to the cursor, unparsed.
    #[arg(allow_hyphen_values = true)]
    pub(super) line: String,

    /// The end of the line that is replaced, unparsed; by default the last word.
    #[arg(allow_hyphen_values = true)]
    pub(super) part: Option<String>,
}

/// The argument of a subcommand that takes only a socket.
#[derive(Args, Debug)]
pub(super) struct Socket {
    /// The socket: a path, unix:PATH, @abstract, a name in $XDG_RUNTIME_DIR or /run, or
    /// ssh://[USER@]HOST[:PORT]/PATH; by default $DOCKIPC_SOCKET
    #[arg(value_name = "SOCK", id = "name")]
    pub(super) name: Option<OsString>,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::from_word(text.as_bytes()).map_err(|bad| bad.reason().to_owned())
}

/// Reads a number of times.
fn count<N: FromStr + From<u8> + PartialOrd>(text: &str) -> Result<N, &'static str> {
    let count = text.parse().ok().filter(|count| *count >= N::from(1));
    count.ok_or("expected an integer of at least 1")
}

/// Reads a user's name or number.
pub(super) fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    match crate::sys::user(text) {
        Ok(uid) => uid.ok_or_else(|| format!("no user named {text:?}")),
        Err(error) => Err(format!("cannot look up user {text:?}: {error}")),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    nonzero(text, "leave it out to wait without limit")
}

fn wait(text: &str) -> Result<Duration, String> {
    nonzero(text, "--wait without a time waits until --timeout")
}

fn pause(text: &str) -> Result<Duration, String> {
    nonzero(text, "to repeat without a pause, use --repeat")
}

fn nonzero(text: &str, advice: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("must be greater than zero; {advice}")),
        time => Ok(time),
    }
}

/// The result of a command line that runs no subcommand.
pub(super) enum NotRun {
    /// Help or the version, to be printed.
    Help(clap::Error),
    Refused(CliError),
}

/// Returns the index of the first word that is a daemon's command or, without `own`, a socket before
/// a command, if `call` is left out.
pub(super) fn place_of_name(
    root: &clap::Command,
    own: Option<Own<'_>>,
    words: &[impl AsRef<OsStr>],
) -> Option<usize> {
    let mut line = OwnWords::of(root.find_subcommand("call")?);
    for (i, word) in words.iter().enumerate() {
        let word = word.as_ref().to_string_lossy();
        if line.awaits.is_none() && matches!(&*word, "-h" | "--help" | "-V" | "--version") {
            return None;
        }
        line.take(&word);
        if line.is_wrong {
            return None;
        }
        if let Some(first) = line.words.first() {
            let is_name = match own {
                Some(_) => root.find_subcommand(first).is_none(),
                None => socket::is_socket(OsStr::new(first)) && i + 1 < words.len(),
            };
            return is_name.then_some(i);
        }
    }
    (own.is_some() && line.value("file").is_some()).then_some(0)
}

/// Returns the error for a `--wait 30s`, whose time would be the name of a socket for which the program
/// waits without limit.
fn time_without_equals(program: &str, words: &[OsString]) -> Option<CliError> {
    let at = words.iter().position(|word| word == "--wait")? + 1;
    let time = words.get(at)?.to_str()?;
    let is_time = duration(time).is_ok() || time.bytes().all(|b| b.is_ascii_digit());
    let error = CliError::usage(format!(
        "{time} is not the time of --wait: write --wait={time} or, for a socket of this name, -s {time}"
    ));
    let line: Vec<_> = [program.into()]
        .into_iter()
        .chain(words.iter().map(|word| word.to_string_lossy()))
        .collect();
    is_time.then(|| error.pointing_at(&line, Some(at + 1)))
}

/// Parses the command line, the words after the program's name.
pub(super) fn read(
    own: Option<Own<'_>>,
    program: &str,
    words: Vec<OsString>,
) -> Result<Cli, NotRun> {
    let mut command = command(own);
    command.build();
    let place = place_of_name(&command, own, &words);
    // The options before the name are those of `call`.
    let call = place.map(|_| OsString::from("call"));
    let parse = |parts: &[&[OsString]]| {
        let whole = parts.iter().copied().flatten().cloned();
        let parsed =
            command.clone().try_get_matches_from([program.into()].into_iter().chain(whole));
        parsed.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
            use ErrorKind::{
                DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand as NothingGiven,
                DisplayVersion,
            };
            match error.kind() {
                DisplayHelp | NothingGiven | DisplayVersion => NotRun::Help(error),
                _ => NotRun::Refused(refused(&error, &command, program, &words)),
            }
        })
    };
    let mut cli = parse(&[call.as_slice(), &words])?;
    if cli.common.wait == Some(None)
        && let Some(refused) = time_without_equals(program, &words)
    {
        return Err(NotRun::Refused(refused));
    }
    match &mut cli.action {
        Action::Call(call) => call.is_implied = place.is_some(),
        Action::Help(Help { words, .. }) if cli.common.socket.is_none() => {
            if let [name] = &words[..]
                && command.find_subcommand(name).is_some()
            {
                return parse(&[words, &["--help".into()]]);
            }
        }
        _ => {}
    }
    Ok(cli)
}
