//! `completions`: the completion scripts of bash, zsh and fish, and `__complete`, which they call.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use clap::ColorChoice;

use super::args::{self, Common, Complete, Shell};
use super::candidates::{Candidate, PartialLine, command_line, names};
use super::daemon::{Daemon, Target};
use super::interface::Interface;
use super::{running, socket, watch};

mod expand;
mod own_words;
mod values;

use expand::{expand, is_name};
pub(super) use own_words::OwnWords;
use values::{files, options, sockets, subcommands, values};

/// Prints the script of a shell.
pub(super) fn script(shell: Shell, program: &str) -> io::Result<()> {
    let script = match shell {
        Shell::Bash => include_str!("bash.sh"),
        Shell::Zsh => include_str!("zsh.sh"),
        Shell::Fish => include_str!("fish.fish"),
    };
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let word = program.replace(|char| !is_word(char), "_");
    let quoted = crate::client::quote(program);
    let script = script.replace("__WORD__", &word).replace("__PROGRAM__", &quoted);
    io::stdout().lock().write_all(script.as_bytes())
}

/// Prints the candidates at the end of a line: the value, a tab and its help, a line each. Errors
/// give no candidates.
pub(super) fn complete(target: &Target, program: &str, args: &Complete) -> io::Result<()> {
    let mut line = PartialLine::read(&expand(&args.line));
    // Assignments of variables may precede the program's name.
    let assigned: Vec<_> = line.words.iter().map_while(|word| assignment(word)).collect();
    if !assigned.is_empty() && !args.assigned {
        let mut again = Command::new("/proc/self/exe");
        again.arg0(program).envs(assigned).args(["__complete", "--assigned", "--"]);
        return Err(again.arg(&args.line).args(&args.part).exec());
    }
    let first = (1 + assigned.len()).min(line.words.len());
    let words = line.words.split_off(first);
    // A shell may replace only a part of the word.
    let before = args.part.as_ref().and_then(|part| args.line.strip_suffix(part));
    let before = before.map(|before| PartialLine::read(&expand(before)).last).unwrap_or_default();
    let mut out = io::stdout().lock();
    for Candidate { value, help, .. } in candidates(target, program, &words, &line.last) {
        if let Some(value) = value.strip_prefix(&before) {
            writeln!(out, "{value}\t{help}")?;
        }
    }
    Ok(())
}

/// Returns the name and the value of an assignment.
fn assignment(word: &str) -> Option<(&str, &str)> {
    word.split_once('=').filter(|(name, _)| is_name(name))
}

/// How long the daemon may take to answer after Tab was pressed.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Returns the candidates for the word `last` after the program's name and `words`.
fn candidates(target: &Target, program: &str, words: &[String], last: &str) -> Vec<Candidate> {
    let own = target.own().map(|own| args::Own { name: program, program: own });
    let mut root = args::command(own);
    root.build();
    let call = args::place_of_name(&root, own, words).map(|_| "call".to_owned());
    let words: Vec<_> = call.into_iter().chain(words.iter().cloned()).collect();
    let mut line = OwnWords::read(&root, &words);
    // In a daemon's own program, options of `call` may precede the command's name.
    if let (Some(_), true, Some(call)) = (own, line.is_root, root.find_subcommand("call")) {
        line = OwnWords::of(call);
        for word in &words {
            line.take(word);
        }
    }
    if let Some(option) = line.awaits {
        return values(option, last);
    }
    if last.starts_with('-') && !line.is_daemons {
        return options(line.command, last);
    }
    let mut words: Vec<OsString> = line.words.iter().map(OsString::from).collect();
    let Ok(require_owner) = line.owners() else { return Vec::new() };
    let common = Common {
        socket: line.value("socket"),
        timeout: Some(TIMEOUT),
        wait: None,
        quiet: false,
        verbose: false,
        token_file: None,
        require_owner,
        sends_no_token: true,
        color: ColorChoice::Never,
    };
    let needs_socket =
        own.is_none() && socket::take(common.socket.clone(), &mut Vec::new()).is_err();
    match if line.is_root { "" } else { line.command.get_name() } {
        "" if words.is_empty() => {
            let mut found = subcommands(&root, last);
            if needs_socket {
                found.extend(sockets(last));
            } else if own.is_some()
                && let Some(daemon) = Reached::of(target, &common, &mut words)
            {
                // A subcommand hides the daemon's command of the same name.
                let mut commands = names(&daemon.interface, &[], last);
                commands.retain(|one| found.iter().all(|other| other.value != one.value));
                found.extend(commands);
            }
            found
        }
        subcommand @ ("" | "call" | "help") => {
            let is_socket = own.is_none() && socket::is_socket(OsStr::new(last));
            let mut found = Vec::new();
            if subcommand == "help" && words.is_empty() && common.socket.is_none() {
                found = subcommands(&root, last);
            }
            if words.is_empty() && (needs_socket || is_socket) {
                found.extend(sockets(last));
                return found;
            }
            let Some(daemon) = Reached::of(target, &common, &mut words) else { return found };
            let words: Vec<_> =
                words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            if subcommand == "help" {
                found.extend(names(&daemon.interface, &words, last));
            } else {
                found.extend(daemon.words(&words, last));
            }
            found
        }
        "kill" if !(words.is_empty() && (needs_socket || socket::is_socket(OsStr::new(last)))) => {
            let daemon = reached(target, &common, &mut words);
            daemon.map_or_else(Vec::new, |daemon| running::ids(daemon.client, &words, last))
        }
        "watch" if !(words.is_empty() && (needs_socket || socket::is_socket(OsStr::new(last)))) => {
            let daemon = reached(target, &common, &mut words);
            let found = daemon.map(|daemon| watch::channels(&daemon.client, last));
            found.into_iter().flatten().filter_map(|name| Candidate::new(name, "")).collect()
        }
        "commands" | "doctor" | "kill" | "ping" | "ps" | "schema" | "shell" | "watch"
            if own.is_none() && words.is_empty() =>
        {
            sockets(last)
        }
        _ => line.next().map_or_else(Vec::new, |arg| values(arg, last)),
    }
}

/// A daemon that has answered.
struct Reached {
    daemon: Daemon,
    interface: Interface,
}

/// Returns the daemon. One on another machine is not asked: ssh takes long, and may ask for a password.
fn reached(target: &Target, common: &Common, words: &mut Vec<OsString>) -> Option<Daemon> {
    if let Target::Any = target {
        let (socket, _) = socket::take(common.socket.clone(), &mut words.clone()).ok()?;
        if socket.to_string_lossy().starts_with("ssh://") {
            return None;
        }
    }
    Daemon::find(target, common, words).ok()
}

impl Reached {
    /// Returns `None` if no daemon answers in time.
    fn of(target: &Target, common: &Common, words: &mut Vec<OsString>) -> Option<Self> {
        let daemon = reached(target, common, words)?;
        let interface = daemon.interface(&daemon.client).ok()?;
        Some(Self { daemon, interface })
    }

    /// Returns the candidates for a word of a command after these words.
    fn words(&self, words: &[String], last: &str) -> Vec<Candidate> {
        if let Some(path) = last.strip_prefix('@').filter(|_| !words.is_empty()) {
            let files = files(path, |_| true).into_iter();
            return files
                .filter_map(|file| Candidate::new(format!("@{}", file.value), ""))
                .collect();
        }
        let client = &self.daemon.client;
        command_line(&self.interface, words, last, |query| query.ask(client))
    }
}
