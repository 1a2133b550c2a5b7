//! `man`: prints the manual page, or writes all of them to a directory.

use std::fs;
use std::io::{self, Write};

use clap::{Arg, Command};
use clap_mangen::Man;

use super::args::{self, Man as Args, Own};
use super::error::CliError;
use super::exit::{self, Exit};
use super::written;

/// Prints the program's page or, with a directory, writes it and those of the subcommands.
pub(super) fn man(own: Option<Own<'_>>, args: Args) -> Result<Exit, CliError> {
    let mut root = args::command(own);
    root.build();
    let own = own.map(|own| own.name);
    let Some(directory) = args.directory else {
        let printed = page(&root, &root, own);
        return written(printed.and_then(|page| io::stdout().lock().write_all(&page)));
    };
    let doing = format!("writing manual pages to {}", directory.display());
    let write = || {
        fs::create_dir_all(&directory)?;
        for command in shown(&root).chain([&root]) {
            let file = directory.join(format!("{}.1", title(command)));
            fs::write(file, page(command, &root, own)?)?;
        }
        Ok(())
    };
    write().map_err(|error| CliError::io(&doing, &error))?;
    Ok(Exit::Answered)
}

fn shown(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands().filter(|command| !command.is_hide_set())
}

/// Returns the name of a command's page, such as `dockipc-call`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Returns the page of the program or of a subcommand.
fn page(command: &Command, root: &Command, own: Option<&str>) -> io::Result<Vec<u8>> {
    let is_root = command.get_name() == root.get_name();
    let man = Man::new(command.clone())
        .source(concat!("dockipc ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{}", synopsis(command))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if is_root {
        man.render_subcommands_section(&mut page)?;
    }
    writeln!(page, ".SH EXIT STATUS")?;
    for line in exit::TABLE.lines().skip(1) {
        let (code, meaning) = line.trim().split_once("  ").unwrap_or_default();
        writeln!(page, ".TP\n.B {code}\n{}", roff(meaning))?;
    }
    writeln!(page, ".SH ENVIRONMENT")?;
    for (variable, meaning, is_for_own) in VARIABLES {
        if own.is_none() || *is_for_own {
            writeln!(page, ".TP\n.B {variable}\n{}", roff(meaning))?;
        }
    }
    writeln!(page, ".SH EXAMPLES")?;
    let name = if is_root { "" } else { command.get_name() };
    for (_, meaning, line) in EXAMPLES.iter().filter(|(of, ..)| *of == name) {
        let line = match own {
            Some(own) => line.replace(" hitd", "").replace("dockipc", own),
            None => (*line).to_owned(),
        };
        writeln!(page, ".PP\n{}\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE", roff(meaning), roff(&line))?;
    }
    let others = shown(root).chain([root]).map(title).filter(|other| *other != title(command));
    let mut others: Vec<_> = others.map(|name| format!("\\fB{}\\fR(1)", roff(name))).collect();
    others.sort();
    writeln!(page, ".SH SEE ALSO\n{}", others.join(",\n"))?;
    Ok(page)
}

/// Returns the options with their values, and the words as the usage has them. A second usage is a
/// line of its own.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut synopsis = String::new();
    for (i, line) in usage.trim_start_matches("Usage: ").lines().enumerate() {
        let words = line.trim().strip_prefix(name).unwrap_or(line).trim_start();
        let words = words.strip_prefix("[OPTIONS]").unwrap_or(words).trim_start();
        let options = if i == 0 { options(command) } else { " [\\fIOPTIONS\\fR]".into() };
        let end = if i == 0 { "" } else { "\n.br\n" };
        synopsis += &format!("{end}\\fB{}\\fR{options} \\fI{}\\fR", roff(name), roff(words));
    }
    synopsis
}

fn options(command: &Command) -> String {
    let is_help = |arg: &Arg| matches!(arg.get_id().as_str(), "help" | "version");
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && !is_help(arg));
    let mut options = String::new();
    for arg in shown {
        let Some(long) = arg.get_long() else { continue };
        let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR|")).unwrap_or_default();
        let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
        let value = value.map(|value| {
            let value = format!("\\fI{}\\fR", value.join(" "));
            // A value that is optional follows a `=`.
            if arg.is_require_equals_set() { format!("[={value}]") } else { format!(" {value}") }
        });
        let value = value.unwrap_or_default();
        options += &format!(" [{short}\\fB\\-\\-{}\\fR{value}]", roff(long));
    }
    options
}

/// Escapes a text for roff.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

/// The variables, their meanings, and whether a daemon's own program reads them.
const VARIABLES: &[(&str, &str, bool)] = &[
    ("DOCKIPC_SOCKET", "The daemon's socket, if the command line has none", false),
    ("DOCKIPC_TOKEN_FILE", "A file with the token, for daemons of root or of yourself", true),
    ("DOCKIPC_TOKEN", "The token itself, for the same daemons", true),
    ("DOCKIPC_REQUIRE_OWNER", "The users of whom one must own the daemon", true),
    ("XDG_RUNTIME_DIR", "The directory that is searched for sockets before /run", false),
    (
        "XDG_STATE_HOME",
        "The directory of dockipc/history, the lines of the shell; by default ~/.local/state",
        true,
    ),
    ("NO_COLOR", "If not empty, output has no colors", true),
];

/// Examples: the subcommand, what the line does, and the line. `hitd` is the socket, which a
/// daemon's own program leaves out.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("", "List the commands of a daemon:", "dockipc commands hitd"),
    ("", "Explain one, and run it:", "dockipc help hitd add\ndockipc call hitd add 2"),
    ("call", "Run a command, for at most two seconds:", "dockipc call --timeout 2s hitd add 2"),
    (
        "call",
        "Send standard input, and write the answer to a file:",
        "dockipc call -o out hitd store - < in",
    ),
    ("call", "Send a file as the body of a command:", "dockipc call hitd import - < big.tar"),
    (
        "call",
        "Run the commands in a file over one connection:",
        "dockipc call -f commands.txt hitd",
    ),
    (
        "call",
        "Show an answer every second, as watch(1) does:",
        "dockipc call --every 1s hitd total",
    ),
    ("commands", "List the names of the commands:", "dockipc commands hitd | cut -f 1"),
    ("help", "Explain one of the daemon's commands:", "dockipc help hitd add"),
    ("help", "Explain a subcommand:", "dockipc help call"),
    ("shell", "Run commands at a prompt:", "dockipc shell hitd"),
    ("ping", "Measure a hundred answers without a pause:", "dockipc ping -c 100 -i 0s hitd"),
    ("ps", "List the commands that run:", "dockipc ps hitd"),
    ("kill", "Stop two of them:", "dockipc kill hitd 17 23"),
    (
        "watch",
        "Wait for the end of a job, and print it as JSON:",
        "dockipc watch -c 1 --json=line hitd jobs.done",
    ),
    ("doctor", "Find out why a daemon does not answer:", "dockipc doctor hitd"),
    ("list", "List daemons, and print only their sockets:", "dockipc list | cut -f 1"),
    ("list", "Show why other sockets are not daemons:", "dockipc list --all /run"),
    (
        "schema",
        "Keep the interface, and compare with it later:",
        "dockipc schema hitd > old.json\ndockipc schema --check old.json hitd",
    ),
    ("man", "Write all pages, and read one:", "dockipc man pages\nman ./pages/dockipc-call.1"),
    ("completions", "Complete in bash from now on:", "eval \"$(dockipc completions bash)\""),
];
