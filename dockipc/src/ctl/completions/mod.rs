//! `completions`: the completion scripts of bash, zsh and fish, and `__complete`, which they call.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::time::Duration;

use clap::ColorChoice;

use super::args::{self, Common, Complete, Shell};
use super::candidates::{Candidate, PartialLine, arguments, names};
use super::daemon::{Daemon, Target};
use super::interface::Interface;
use super::socket;

mod own_words;
mod values;

use own_words::OwnWords;
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
    let mut line = PartialLine::read(&args.line);
    let assigns = |word: &&String| word.contains('=') && !word.starts_with(['=', '/', '-']);
    // Assignments of variables may precede the program's name.
    let first = 1 + line.words.iter().take_while(assigns).count();
    let words = line.words.split_off(first.min(line.words.len()));
    // bash replaces only the part of a word after a `=` or a `:`.
    let part =
        args.part.as_deref().map_or_else(|| line.last.clone(), |part| PartialLine::read(part).last);
    let before = line.last.strip_suffix(&*part).unwrap_or_default();
    let mut out = io::stdout().lock();
    for Candidate { value, help, .. } in candidates(target, program, &words, &line.last) {
        writeln!(out, "{}\t{help}", value.strip_prefix(before).unwrap_or(&value))?;
    }
    Ok(())
}

/// How long the daemon may take to answer after Tab was pressed.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Returns the candidates for the word `last` after the program's name and `words`.
fn candidates(target: &Target, program: &str, words: &[String], last: &str) -> Vec<Candidate> {
    let own = matches!(target, Target::Own(_)).then_some(program);
    let mut root = args::command(own);
    root.build();
    let line = OwnWords::read(&root, words);
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
                let mut commands = names(&daemon.interface, last);
                commands.retain(|one| found.iter().all(|other| other.value != one.value));
                found.extend(commands);
            }
            found
        }
        subcommand @ ("" | "call" | "help") => {
            let is_socket = own.is_none() && socket::is_socket(OsStr::new(last));
            if words.is_empty() && (needs_socket || is_socket) {
                return sockets(last);
            }
            let Some(daemon) = Reached::of(target, &common, &mut words) else { return Vec::new() };
            let words: Vec<_> =
                words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            match &words[..] {
                [] => names(&daemon.interface, last),
                _ if subcommand == "help" => Vec::new(),
                [name, words @ ..] => daemon.arguments(name, words, last),
            }
        }
        "commands" | "doctor" | "ping" | "schema" | "shell"
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

impl Reached {
    /// Returns `None` if no daemon answers in time. A daemon on another machine is not asked: ssh
    /// takes long, and may ask for a password.
    fn of(target: &Target, common: &Common, words: &mut Vec<OsString>) -> Option<Self> {
        if let Target::Any = target {
            let (socket, _) = socket::take(common.socket.clone(), &mut words.clone()).ok()?;
            if socket.to_string_lossy().starts_with("ssh://") {
                return None;
            }
        }
        let daemon = Daemon::find(target, common, words).ok()?;
        let interface = Interface::of(&daemon.client).ok()?;
        Some(Self { daemon, interface })
    }

    fn arguments(&self, name: &str, words: &[String], last: &str) -> Vec<Candidate> {
        if let Some(path) = last.strip_prefix('@') {
            let files = files(path, |_| true).into_iter();
            return files
                .filter_map(|file| Candidate::new(format!("@{}", file.value), ""))
                .collect();
        }
        let client = &self.daemon.client;
        let Some(command) = self.interface.find(name) else { return Vec::new() };
        arguments(command, words, last, |query| query.ask(client))
    }
}
