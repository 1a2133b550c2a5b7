//! The command line of a daemon's own program: that of `dockipc` without a socket.

use std::ffi::OsString;

use clap::{Args, CommandFactory};

use super::super::exit;
use super::super::own::Program;
use super::{Cli, Common, VERSION};

/// A daemon's own program, and the name that it is called by.
#[derive(Clone, Copy)]
pub(in crate::ctl) struct Own<'p> {
    pub(in crate::ctl) name: &'p str,
    pub(in crate::ctl) program: &'p Program,
}

/// Returns the command line of `dockipc` or of a daemon's own program.
pub(in crate::ctl) fn command(own: Option<Own<'_>>) -> clap::Command {
    let whole = Cli::command();
    let Some(Own { name, program }) = own else { return whole };
    let named = |usage: &str| usage.replace("[SOCK] ", "").replace("dockipc", name);
    // A daemon's own program needs no `list`, and many daemons have a command of such a name. clap
    // can't remove a subcommand.
    let is_mounted = name.contains(' ');
    let is_own = |name: &str| {
        let is_hosts = is_mounted && ["__complete", "completions", "man"].contains(&name);
        !is_hosts && !["list", "ps", "kill", "watch"].contains(&name)
    };
    let subcommands = whole.get_subcommands().filter(|subcommand| is_own(subcommand.get_name()));
    Common::augment_args(clap::Command::new(name.to_owned()))
        .bin_name(name.to_owned())
        .version(program.version.clone().unwrap_or_else(|| VERSION.into()))
        .about(program.about.clone().unwrap_or_else(|| "Talk to the daemon.".into()))
        .after_help(format!(
            "The options of `call`, such as --json, can stand before NAME: see `{name} help call`.\n\
             `{name} NAME --help` explains a command.\n\n{}",
            exit::TABLE
        ))
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .subcommands(subcommands.cloned())
        .override_usage(format!("{name} [OPTIONS] NAME [ARG]...\n       {name} [OPTIONS] COMMAND"))
        .mut_arg("socket", without_value)
        .mut_arg("timeout", |arg| arg.help(TIMEOUT))
        .mut_subcommand("call", |call| {
            call.override_usage(named(
                "dockipc call [OPTIONS] NAME [ARG]...\n       dockipc call [OPTIONS] --file FILE",
            ))
            .mut_arg("words", |arg| {
                arg.value_name("NAME ARG").help("The command and its arguments")
            })
        })
        .mut_subcommand("help", |help| {
            help.override_usage(named("dockipc help [NAME]..."))
                .long_about("Explain one of the daemon's commands or a subcommand, or list the commands")
                .mut_arg("words", |arg| {
                    arg.value_name("NAME").help("A command's or a subcommand's name")
                })
        })
        .mut_subcommands(|subcommand| {
            let takes = |arg: &clap::Arg| arg.get_id() == "name";
            if subcommand.get_arguments().any(takes) {
                subcommand.mut_arg("name", without_value)
            } else {
                subcommand
            }
        })
}

/// The help of `--timeout`, without ssh and the subcommands that only `dockipc` has.
const TIMEOUT: &str = "The time limit for the whole run: 200ms, 2s, 1m; by default 10s for `commands`, `help`, \
                       `schema`, `doctor` and each `ping`, and none for other commands";

/// Hides the argument for a socket, and refuses its values. clap can't remove an argument.
fn without_value(arg: clap::Arg) -> clap::Arg {
    arg.hide(true).value_parser(|_: &str| {
        Err::<OsString, _>("this program has its daemon's socket; leave it out")
    })
}
