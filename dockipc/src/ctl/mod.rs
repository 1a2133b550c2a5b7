//! A daemon's command line.
//!
//! The program `dockipc` (`cargo install dockipc --features cli`) talks to any daemon: `dockipc call
//! /run/hitd.sock add 2`. With [`main`] a daemon has one of its own: `hitctl add 2`.
//!
//! `dockipc --help` and the page `docs/CLI.md` have the rest.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::ColorChoice;

mod args;
mod call;
mod commands;
mod complaint;
mod complete;
mod completions;
mod daemon;
mod exit;
mod help;
mod interface;
mod list;
mod man;
mod output;
mod ping;
mod schema;
mod shell;
mod socket;
mod ssh;
mod word;

use args::{Action, Call, Cli};
use complaint::Complaint;
use daemon::{Daemon, Target};
use exit::Exit;
use interface::Interface;

/// A daemon's own program: its commands, and those of `dockipc` without a socket.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     dockipc::ctl::main("/run/hitd.sock")
/// }
/// ```
///
/// Built as `hitctl`, it answers `hitctl add 2`, `hitctl help add`, `hitctl shell`. A command of the
/// daemon's that has the name of a subcommand is reached by `hitctl call NAME`.
pub fn main(path: impl AsRef<Path>) -> ExitCode {
    run(&Target::Own(path.as_ref().to_owned()))
}

/// The program `dockipc`.
#[doc(hidden)]
pub fn program() -> ExitCode {
    run(&Target::Any)
}

fn run(target: &Target) -> ExitCode {
    let program = std::env::args_os().next().map(std::path::PathBuf::from);
    let program = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let program = program.as_deref().unwrap_or("dockipc");
    let own = matches!(target, Target::Own(_)).then_some(program);
    let cli = match args::read(own) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are none.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Answered };
            let _ = error.print();
            return exit.into();
        }
    };
    match cli.common.color {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    let exit = act(target, cli, program).unwrap_or_else(|complaint| {
        complaint.tell(program);
        complaint.exit
    });
    exit.into()
}

fn act(target: &Target, cli: Cli, program: &str) -> Result<Exit, Complaint> {
    let Cli { common, action } = cli;
    let find = |words: &mut Vec<OsString>| Daemon::find(target, &common, words);
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
            call::call(&daemon, Call { words, ..Call::default() }, program)
        }
        Action::Commands(socket) => {
            let daemon = find(&mut socket.name.into_iter().collect())?;
            written(commands::write(&Interface::of(&daemon.client)?))
        }
        Action::Ping(args) => {
            let daemon = find(&mut args.socket.name.iter().cloned().collect())?;
            ping::ping(&daemon, &args)
        }
        Action::Shell(socket) => {
            let daemon = find(&mut socket.name.into_iter().collect())?;
            shell::shell(daemon, program)
        }
        Action::Completions(args) => written(completions::script(args.shell, program)),
        Action::Complete(args) => written(completions::complete(target, program, &args)),
        Action::List(_) if common.socket.is_some() => {
            Err(Complaint::usage("list looks for sockets, and takes none"))
        }
        Action::List(args) => list::list(&args, &common.owners()?),
        Action::Schema(args) => {
            let daemon = find(&mut args.socket.name.into_iter().collect())?;
            schema::schema(&Interface::of(&daemon.client)?, args.check.as_deref())
        }
        Action::Man(args) => man::man(matches!(target, Target::Own(_)).then_some(program), args),
        Action::Help(mut args) => {
            let daemon = find(&mut args.words)?;
            let [name] = &args.words[..] else {
                return written(commands::write(&Interface::of(&daemon.client)?));
            };
            let name = name.to_string_lossy();
            if let Some(command) = Interface::command(&daemon.client, &name)? {
                return written(help::write(&command));
            }
            // The daemon has the nearest name.
            let error = daemon.client.command("help").arg(&*name).call::<()>().err();
            let unknown = || Complaint::usage(format!("no command {name}"));
            Err(error.map_or_else(unknown, |error| Complaint::about(&[], error)))
        }
    }
}

/// What became of a text that was written.
fn written(result: std::io::Result<()>) -> Result<Exit, Complaint> {
    match result {
        Err(error) if !output::is_nobody(&error) => Err(Complaint::io("writing", &error)),
        _ => Ok(Exit::Answered),
    }
}
