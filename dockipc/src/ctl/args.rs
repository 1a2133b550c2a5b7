//! The program's command line.

#![expect(
    clippy::doc_markdown,
    reason = "the comments at fields are the help, which is no markdown"
)]

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{
    ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};

use super::complaint::Complaint;
use super::{exit, socket};
use crate::arg::Arg;
use crate::nearest;

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

/// The version, with what was built in.
const VERSION: &str = const {
    match (cfg!(feature = "tracing"), cfg!(feature = "zeroize")) {
        (false, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli)"),
        (true, false) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, tracing)"),
        (false, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, zeroize)"),
        (true, true) => concat!(env!("CARGO_PKG_VERSION"), " (features: cli, tracing, zeroize)"),
    }
};

/// What every subcommand takes.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    /// The daemon's socket, instead of the first word
    #[arg(long, short, global = true, value_name = "SOCK")]
    pub(super) socket: Option<OsString>,

    /// How long to wait in all: 200ms, 2s, 1m
    #[arg(long, global = true, value_name = "TIME", value_parser = limit)]
    pub(super) timeout: Option<Duration>,

    /// A file with the token for the daemon; by default, where root or you listen,
    /// $DOCKIPC_TOKEN_FILE or else $DOCKIPC_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Send nothing unless this user listens at the socket: a name or a number, or several with
    /// commas; by default $DOCKIPC_REQUIRE_OWNER
    #[arg(long, global = true, value_name = "USER", value_delimiter = ',', value_parser = user)]
    pub(super) require_owner: Vec<u32>,

    /// Whether no token is sent: Tab was pressed, and no command is run yet
    #[arg(skip)]
    pub(super) is_probe: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

impl Common {
    /// The users of whom one must listen at a socket; none if it may be anyone.
    pub(super) fn owners(&self) -> Result<Vec<u32>, Complaint> {
        const VARIABLE: &str = "DOCKIPC_REQUIRE_OWNER";
        let preset = std::env::var_os(VARIABLE).filter(|users| !users.is_empty());
        let Some(preset) = preset.filter(|_| self.require_owner.is_empty()) else {
            return Ok(self.require_owner.clone());
        };
        let users = preset.to_string_lossy();
        let users = users.split(',').map(user).collect::<Result<_, _>>();
        users.map_err(|why| {
            Complaint::usage(format!("invalid {VARIABLE} \"{}\": {why}", preset.display()))
        })
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Call(Call),
    /// List the daemon's commands
    Commands(Socket),
    Help(Help),
    /// Run the daemon's commands at a prompt, with history, Tab and hints
    ///
    /// `help` lists them, `help NAME` explains one, `exit` or Ctrl-D ends. Ctrl-C stops to wait for an
    /// answer. Earlier lines are kept in $XDG_STATE_HOME/dockipc/history, but none that may have a
    /// secret in it, or that begins with a blank. Without a terminal, lines are read as by `call -f -`.
    Shell(Socket),
    Ping(Ping),
    List(List),
    Schema(Schema),
    Man(Man),
    Completions(Completions),
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
    /// A socket and one of its commands, or, in a daemon's own program, a command.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Run one of the daemon's commands
///
/// Standard output gets the answer's bytes and nothing else, standard error what went wrong.
///
/// An argument `-` is read from standard input, `@FILE` from a file, any byte in it; `@@TEXT` is the
/// text `@TEXT`. Options stand in front of the socket: all that follows is the daemon's.
#[derive(Args, Debug, Default)]
#[command(
    override_usage = "dockipc call [OPTIONS] [SOCK] NAME [ARG]...\n       dockipc call [OPTIONS] [SOCK] --file FILE"
)]
pub(super) struct Call {
    /// Print the answer as JSON; bytes that are no text are {"base64": "…"}
    #[arg(long)]
    pub(super) json: bool,

    /// Write the answer to a file
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Run the commands of a file, a line each, over one connection; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["repeat", "every", "literal"])]
    pub(super) file: Option<PathBuf>,

    /// Take `-` and `@` in arguments as they are
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) literal: bool,

    /// Run it so many times
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) repeat: Option<u64>,

    /// Run it again and again, with this time between: 500ms, 2s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) every: Option<Duration>,

    /// The socket if it is not given otherwise (a path, @abstract, a name in $XDG_RUNTIME_DIR or /run,
    /// or ssh://[USER@]HOST[:PORT]/PATH), the command's name, and its arguments
    #[arg(value_name = "SOCK NAME ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) words: Vec<OsString>,
}

/// Explain one of the daemon's commands, or list them
#[derive(Args, Debug)]
#[command(override_usage = "dockipc help [SOCK] [NAME]")]
pub(super) struct Help {
    /// The socket if it is not given otherwise, and a command's name
    #[arg(value_name = "SOCK NAME", num_args = 0..=2)]
    pub(super) words: Vec<OsString>,
}

/// Measure how fast the daemon answers
#[derive(Args, Debug)]
pub(super) struct Ping {
    /// Ask so many times
    #[arg(long, short, default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) count: u32,

    /// Wait so long between two: 0s, 200ms
    #[arg(long, short, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    pub(super) interval: Duration,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// List the daemons whose sockets are in $XDG_RUNTIME_DIR and /run
#[derive(Args, Debug)]
pub(super) struct List {
    /// Look in these directories instead
    #[arg(value_name = "DIRECTORY")]
    pub(super) directories: Vec<PathBuf>,

    /// Show the other sockets as well, and why they are no daemon's
    #[arg(long, short)]
    pub(super) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Print the daemon's interface as JSON, or compare it with an earlier one
#[derive(Args, Debug)]
pub(super) struct Schema {
    /// Compare with the interface in this file; end with 1 if a caller of that one could be broken
    #[arg(long, value_name = "FILE")]
    pub(super) check: Option<PathBuf>,

    #[command(flatten)]
    pub(super) socket: Socket,
}

/// Print this program's manual page, or write it and those of the subcommands to a directory
#[derive(Args, Debug)]
pub(super) struct Man {
    #[arg(value_name = "DIRECTORY")]
    pub(super) directory: Option<PathBuf>,
}

/// Print a script that lets a shell complete words with Tab, also those that the daemon knows
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

/// A shell that has completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What such a script calls.
#[derive(Args, Debug)]
pub(super) struct Complete {
    /// The line up to the cursor, as it is typed.
    #[arg(allow_hyphen_values = true)]
    pub(super) line: String,

    /// The part of it that is replaced, as it is typed; by default the last word.
    #[arg(allow_hyphen_values = true)]
    pub(super) part: Option<String>,
}

/// A subcommand that takes a socket alone.
#[derive(Args, Debug)]
pub(super) struct Socket {
    /// The socket: a path, @abstract, a name in $XDG_RUNTIME_DIR or /run, or
    /// ssh://[USER@]HOST[:PORT]/PATH; by default $DOCKIPC_SOCKET
    #[arg(value_name = "SOCK", id = "name")]
    pub(super) name: Option<OsString>,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::from_word(text.as_bytes()).map_err(|bad| bad.reason().to_owned())
}

/// The number of a user.
pub(super) fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    match crate::sys::user(text) {
        Ok(uid) => uid.ok_or_else(|| format!("no user is named {text:?}")),
        Err(error) => Err(format!("looking up {text:?}: {error}")),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("nothing is done in no time; without it there is no limit".into()),
        limit => Ok(limit),
    }
}

/// The command line of `dockipc`, or, with a name, that of a daemon's own program.
pub(super) fn command(own: Option<&str>) -> clap::Command {
    let whole = Cli::command();
    let Some(name) = own else { return whole };
    let named = |usage: &str| usage.replace("[SOCK] ", "").replace("dockipc", name);
    // Where daemons are is no matter here, and many a daemon has a command `list`. A subcommand can't be
    // taken out of what there is.
    let subcommands = whole.get_subcommands().filter(|subcommand| subcommand.get_name() != "list");
    Common::augment_args(clap::Command::new(name.to_owned()))
        .bin_name(name.to_owned())
        .version(VERSION)
        .about("Talk to the daemon.")
        .after_help(exit::TABLE)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .subcommands(subcommands.cloned())
        .override_usage(format!("{name} [OPTIONS] NAME [ARG]...\n       {name} [OPTIONS] COMMAND"))
        .mut_arg("socket", |arg| arg.hide(true))
        .mut_subcommand("call", |call| {
            call.override_usage(named(
                "dockipc call [OPTIONS] NAME [ARG]...\n       dockipc call [OPTIONS] --file FILE",
            ))
            .mut_arg("words", |arg| {
                arg.value_name("NAME ARG").help("The command and its arguments")
            })
        })
        .mut_subcommand("help", |help| {
            help.override_usage(named("dockipc help [NAME]"))
                .mut_arg("words", |arg| arg.value_name("NAME").help("A command's name"))
        })
        .mut_subcommands(|subcommand| {
            let takes = |arg: &clap::Arg| arg.get_id() == "name";
            if subcommand.get_arguments().any(takes) {
                subcommand.mut_arg("name", |arg| arg.hide(true))
            } else {
                subcommand
            }
        })
}

/// Reads the command line. What is wrong with it, help, and the version end the program.
pub(super) fn read(own: Option<&str>) -> Result<Cli, clap::Error> {
    let matches = command(own).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// A subcommand that there is not.
pub(super) fn unknown(text: &OsStr) -> Complaint {
    let word = text.to_string_lossy();
    let command = command(None);
    let names = command.get_subcommands().map(|subcommand| subcommand.get_name().to_owned());
    let hint = if socket::find(text).is_ok() {
        format!("`call {word} NAME` asks the daemon there")
    } else {
        nearest(&word, names)
    };
    let what = "nor a socket's path, which has a / in it";
    Complaint::usage(format!("{word} is no subcommand, {what}; {hint}"))
}

/// An option that there is not.
pub(super) fn unknown_option(text: &OsStr) -> Complaint {
    let word = text.to_string_lossy();
    let command = command(None);
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let names = all.flat_map(|command| command.get_arguments().filter_map(clap::Arg::get_long));
    let hint = nearest(&word, names.map(|name| format!("--{name}")));
    Complaint::usage(format!("no option {word}; {hint}"))
}

fn nearest(word: &str, names: impl Iterator<Item = String>) -> String {
    match nearest::nearest(word.as_bytes(), names, 2) {
        Some(name) => format!("did you mean {name}?"),
        None => "--help lists them".into(),
    }
}
