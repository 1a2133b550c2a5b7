//! The program `dockipc`, and command-line programs for single daemons.
//!
//! `dockipc` (`cargo install dockipc --features cli`) calls any daemon: `dockipc call
//! /run/hitd.sock add 2`. With [`main`], a daemon gets its own program: `hitctl add 2`.
//!
//! See `dockipc --help` and the page `docs/CLI.md`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::ColorChoice;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::emulate_default_handler;

mod args;
mod bar;
mod call;
mod candidates;
mod commands;
mod completions;
mod daemon;
mod described;
mod doctor;
mod error;
mod exit;
mod fill;
mod help;
mod interface;
mod interrupt;
mod list;
mod man;
mod output;
mod own;
mod ping;
mod running;
mod schema;
mod shell;
mod socket;
mod ssh;
mod wait;
mod watch;
mod word;

use args::{Action, Call, Cli, NotRun};
use daemon::{Daemon, Target};
use error::{CliError, Verbosity};
use exit::Exit;
use help::Topic;
use interface::Interface;
pub use own::{Outgoing, Program, Words};

use crate::arg::Quoted;
use crate::error::{Error, Failure, code};

/// Runs a daemon's own program: the daemon's commands, and the subcommands of `dockipc` without a
/// socket.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     dockipc::ctl::main("/run/hitd.sock")
/// }
/// ```
///
/// Built as `hitctl`, the program runs `hitctl add 2`, `hitctl help add` and `hitctl shell`. If one
/// of the daemon's commands has the name of a subcommand, `hitctl call NAME` runs it. [`Program`] has more
/// settings.
pub fn main(path: impl AsRef<Path>) -> ExitCode {
    Program::new(path).main()
}

/// Runs a daemon's own program with these words, the arguments behind the program's name; see [`Program`].
pub fn run<W: Into<OsString>>(
    path: impl AsRef<Path>,
    words: impl IntoIterator<Item = W>,
) -> ExitCode {
    Program::new(path).run(words)
}

/// Runs the program `dockipc`.
#[doc(hidden)]
pub fn program() -> ExitCode {
    run_as(&Target::Any, &file_name(), std::env::args_os().skip(1).collect())
}

/// Returns the name of the program's file, as it was called.
fn file_name() -> String {
    let program = std::env::args_os().next().map(std::path::PathBuf::from);
    let name = program.as_deref().and_then(Path::file_name);
    name.map_or_else(|| "dockipc".into(), |name| name.to_string_lossy().into_owned())
}

fn run_as(target: &Target, program: &str, words: Vec<OsString>) -> ExitCode {
    let own = target.own().map(|own| args::Own { name: program, program: own });
    let cli = match args::read(own, program, words) {
        Ok(cli) => cli,
        Err(NotRun::Help(help)) => return ended(printed(&help), program),
        Err(NotRun::Refused(error)) => return ended(Err(error), program),
    };
    match cli.common.color {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    match (cli.common.quiet, cli.common.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Notes,
        _ => Verbosity::Errors,
    }
    .set();
    ended(act(target, cli, program), program)
}

/// Prints the error, if there is one, and returns the exit code.
fn ended(result: Result<Exit, CliError>, program: &str) -> ExitCode {
    let exit = result.unwrap_or_else(|error| {
        error.print(program);
        error.exit
    });
    if exit == Exit::Interrupted {
        // A shell stops a script only if the signal has ended the program.
        let _ = emulate_default_handler(SIGINT);
    }
    exit.into()
}

/// Prints help or the version. Help is an error if nothing was asked for.
fn printed(help: &clap::Error) -> Result<Exit, CliError> {
    if help.use_stderr() {
        let _ = help.print();
        return Ok(Exit::Usage);
    }
    written(help.print())
}

fn act(target: &Target, cli: Cli, program: &str) -> Result<Exit, CliError> {
    let Cli { common, action } = cli;
    let find = |words: &mut Vec<OsString>| Daemon::find(target, &common, words);
    let find_named = |socket: args::Socket| {
        Daemon::find(target, &common.clone().with_socket(socket)?, &mut Vec::new())
    };
    match action {
        Action::Call(mut args) => {
            let daemon = find(&mut args.words)?;
            call::call(&daemon, args, program)
        }
        Action::Other(mut words) => {
            if let (Target::Any, Some(first)) = (target, words.first())
                && !socket::is_socket(first)
            {
                return Err(args::unknown(first));
            }
            let daemon = find(&mut words)?;
            // Only a program for any daemon has no word left: the socket was the only one.
            if words.is_empty() {
                return written(commands::write(&Interface::of(&daemon.questions())?, None));
            }
            call::call(&daemon, Call { words, ..Call::default() }, program)
        }
        Action::Commands(args) => {
            let daemon = find_named(args.socket)?;
            written(commands::write(&daemon.interface(&daemon.questions())?, args.json))
        }
        Action::Ping(args) => {
            let daemon = find_named(args.socket)?;
            ping::ping(&daemon, args.count, args.interval)
        }
        Action::Ps(args) => {
            let daemon = find_named(args.socket)?;
            running::ps(&daemon, args.json)
        }
        Action::Kill(mut args) => {
            let daemon = find(&mut args.words)?;
            running::kill(&daemon, &args.words, program)
        }
        Action::Watch(mut args) => {
            let daemon = find(&mut args.words)?;
            watch::watch(&daemon, &args, program)
        }
        Action::Shell(args) => {
            let daemon = find_named(args.socket)?;
            shell::shell(daemon, args.yes, program)
        }
        Action::Completions(args) => written(completions::script(args.shell, program)),
        Action::Complete(args) => written(completions::complete(target, program, &args)),
        Action::Doctor(_) | Action::List(_) if common.wait.is_some() => Err(CliError::usage(
            "invalid --wait: doctor and list show what is there now; leave it out",
        )),
        Action::Doctor(args) => {
            doctor::doctor(target, &common.with_socket(args.socket)?, args.json)
        }
        Action::List(_) if common.socket.is_some() => Err(CliError::usage(
            "list takes no socket: it searches directories; leave out --socket",
        )),
        Action::List(args) => list::list(&args, &common, program),
        Action::Schema(args) => {
            let language = args.language();
            let daemon = find_named(args.socket)?;
            schema::schema(&daemon, args.check.as_deref(), language)
        }
        Action::Man(args) => {
            man::man(target.own().map(|own| args::Own { name: program, program: own }), args)
        }
        Action::Help(mut args) => {
            let daemon = find(&mut args.words)?;
            let client = daemon.questions();
            // In a daemon's own program, `help call NAME` explains what `call NAME` runs.
            if matches!(target, Target::Own(_)) && args.words.len() > 1 && args.words[0] == "call" {
                args.words.remove(0);
            }
            let words: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
            let topic = Topic::of(&client, &words).or_else(|error| {
                let unknown = Error::Refused(Failure::new(code::UNKNOWN, "no such command"));
                Topic::among(daemon.instead_of(error)?, &words).ok_or(unknown)
            });
            let error = match topic {
                Ok((topic, used)) if used == words.len() => {
                    return written(topic.write(args.json));
                }
                Ok((_, used)) => {
                    let word = Quoted(args.words[used].as_encoded_bytes());
                    CliError::usage(format!("unexpected word {word}"))
                }
                Err(Error::Refused(failure)) if is_about_first(&failure, &words) => {
                    let word = Quoted(args.words[1].as_encoded_bytes());
                    CliError::usage(format!("unexpected word {word}"))
                }
                Err(error) => CliError::about(&[], error),
            };
            // The word may be meant as the socket.
            Err(if daemon.is_preset { error.with_preset_socket() } else { error })
        }
    }
}

/// Returns whether a daemon knows no command or group of the first word alone.
fn is_about_first(failure: &Failure, words: &[impl AsRef<str>]) -> bool {
    let [first, second, ..] = words else { return false };
    let both = format!("{} {}", first.as_ref(), second.as_ref());
    failure.code() == code::UNKNOWN && !failure.message().contains(&both)
}

/// Returns the exit code after output was written. A reader that has closed the pipe is not an
/// error.
fn written(result: std::io::Result<()>) -> Result<Exit, CliError> {
    match result {
        Err(error) if !output::is_closed(&error) => Err(CliError::io("writing the output", &error)),
        _ => Ok(Exit::Answered),
    }
}
