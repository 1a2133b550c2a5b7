//! `completions`: Tab in bash, zsh and fish. What their scripts call back is here as well.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ColorChoice, ValueHint};

use super::args::{self, Common, Complete, Shell};
use super::complete::{Proposal, Typed, arguments, names};
use super::daemon::{Daemon, Target};
use super::interface::Interface;
use super::socket;

/// Prints the script of a shell.
pub(super) fn script(shell: Shell, program: &str) -> io::Result<()> {
    let script = match shell {
        Shell::Bash => include_str!("completions/bash.sh"),
        Shell::Zsh => include_str!("completions/zsh.sh"),
        Shell::Fish => include_str!("completions/fish.fish"),
    };
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let word = program.replace(|char| !is_word(char), "_");
    let quoted = crate::client::quote(program);
    let script = script.replace("__WORD__", &word).replace("__PROGRAM__", &quoted);
    io::stdout().lock().write_all(script.as_bytes())
}

/// Prints what can stand at the end of a line: a value, a tab and its help, a line each. What can't
/// be found out is not there.
pub(super) fn complete(target: &Target, program: &str, args: &Complete) -> io::Result<()> {
    let mut line = Typed::read(&args.line);
    let assigns = |word: &&String| word.contains('=') && !word.starts_with(['=', '/', '-']);
    // In front of the program's name there may be variables.
    let first = 1 + line.words.iter().take_while(assigns).count();
    let words = line.words.split_off(first.min(line.words.len()));
    // bash replaces only what follows a `=` or `:`.
    let part =
        args.part.as_deref().map_or_else(|| line.begun.clone(), |part| Typed::read(part).begun);
    let before = line.begun.strip_suffix(&*part).unwrap_or_default();
    let mut out = io::stdout().lock();
    for Proposal { value, help, .. } in propose(target, program, &words, &line.begun) {
        writeln!(out, "{}\t{help}", value.strip_prefix(before).unwrap_or(&value))?;
    }
    Ok(())
}

/// How long the daemon may take: somebody has pressed Tab.
const PATIENCE: Duration = Duration::from_millis(500);

/// What can stand at the cursor, behind the program's name and these words.
fn propose(target: &Target, program: &str, words: &[String], begun: &str) -> Vec<Proposal> {
    let own = matches!(target, Target::Own(_)).then_some(program);
    let mut root = args::command(own);
    root.build();
    let line = Line::read(&root, words);
    if let Some(option) = line.awaits {
        return values(option, begun);
    }
    if begun.starts_with('-') && !line.is_daemons {
        return options(line.at, begun);
    }
    let mut words: Vec<OsString> = line.words.iter().map(OsString::from).collect();
    let Ok(require_owner) = line.owners() else { return Vec::new() };
    let common = Common {
        socket: line.value("socket"),
        timeout: Some(PATIENCE),
        token_file: None,
        require_owner,
        is_probe: true,
        color: ColorChoice::Never,
    };
    let place = if line.is_root { "" } else { line.at.get_name() };
    match place {
        "" if words.is_empty() => {
            let mut found = subcommands(&root, begun);
            match Sock::of(target, &common, &words) {
                Sock::Open => found.extend(sockets(begun)),
                // Of two with one name, the program's own comes first.
                Sock::Given if own.is_some() => {
                    let mut commands = Vec::new();
                    if let Some(daemon) = Reached::of(target, &common, &mut words) {
                        commands = names(&daemon.interface, begun);
                    }
                    commands.retain(|one| found.iter().all(|other| other.value != one.value));
                    found.extend(commands);
                }
                Sock::Given => {}
            }
            found
        }
        "" | "call" | "help" => {
            let sock = Sock::of(target, &common, &words);
            if words.is_empty() && (matches!(sock, Sock::Open) || is_socket(begun, own)) {
                return sockets(begun);
            }
            let Some(daemon) = Reached::of(target, &common, &mut words) else { return Vec::new() };
            let words: Vec<_> =
                words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            match &words[..] {
                [] => names(&daemon.interface, begun),
                _ if place == "help" => Vec::new(),
                [name, words @ ..] => daemon.arguments(name, words, begun),
            }
        }
        "commands" | "ping" | "schema" | "shell" if own.is_none() && words.is_empty() => {
            sockets(begun)
        }
        _ => {
            // Of the program's own arguments only those that are no words of the daemon's.
            let position = line.words.len();
            let positional = line.at.get_positionals().filter(|arg| !arg.is_hide_set());
            let positional: Vec<_> = positional.collect();
            let last = positional.last().filter(|last| takes_many(last));
            positional.get(position).or(last).map_or_else(Vec::new, |arg| values(arg, begun))
        }
    }
}

/// Whether a word in front of the others must be a socket.
fn is_socket(word: &str, own: Option<&str>) -> bool {
    own.is_none() && socket::is_socket(OsStr::new(word))
}

fn takes_many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// Whether it is known which daemon is meant.
enum Sock {
    Given,
    /// The next word says it.
    Open,
}

impl Sock {
    fn of(target: &Target, common: &Common, words: &[OsString]) -> Self {
        match target {
            Target::Any if words.is_empty() => {
                match socket::take(common.socket.clone(), &mut Vec::new()) {
                    Ok(_) => Self::Given,
                    Err(_) => Self::Open,
                }
            }
            _ => Self::Given,
        }
    }
}

/// A daemon that has answered.
struct Reached {
    daemon: Daemon,
    interface: Interface,
}

impl Reached {
    /// None if there is none, or it does not answer in time. Nothing is asked of another machine:
    /// that takes long, and might ask for a password.
    fn of(target: &Target, common: &Common, words: &mut Vec<OsString>) -> Option<Self> {
        if let Target::Any = target {
            let mut copy = words.clone();
            let (socket, _) = socket::take(common.socket.clone(), &mut copy).ok()?;
            if socket.to_string_lossy().starts_with("ssh://") {
                return None;
            }
        }
        let daemon = Daemon::find(target, common, words).ok()?;
        let interface = Interface::of(&daemon.client).ok()?;
        Some(Self { daemon, interface })
    }

    fn arguments(&self, name: &str, words: &[String], begun: &str) -> Vec<Proposal> {
        if let Some(begun) = begun.strip_prefix('@') {
            // The bytes of a file.
            let files = files(begun, |_| true).into_iter();
            return files
                .filter_map(|file| Proposal::new(format!("@{}", file.value), ""))
                .collect();
        }
        let client = &self.daemon.client;
        let Some(command) = self.interface.find(name) else { return Vec::new() };
        arguments(command, words, begun, |question| question.ask(client))
    }
}

/// What the program's own words so far are.
struct Line<'c> {
    /// The subcommand, or the program.
    at: &'c clap::Command,
    is_root: bool,
    /// The option whose value comes next.
    awaits: Option<&'c Arg>,
    given: Vec<(&'c Arg, String)>,
    /// All but options.
    words: Vec<String>,
    /// What follows is the daemon's: it may begin with dashes.
    is_daemons: bool,
}

impl<'c> Line<'c> {
    fn read(root: &'c clap::Command, words: &[String]) -> Self {
        let (at, is_root) = (root, true);
        let mut line = Self {
            at,
            is_root,
            awaits: None,
            given: Vec::new(),
            words: Vec::new(),
            is_daemons: false,
        };
        for word in words {
            line.take(word);
        }
        line
    }

    fn take(&mut self, word: &str) {
        if let Some(option) = self.awaits.take() {
            self.given.push((option, word.to_owned()));
        } else if self.is_daemons {
            self.words.push(word.to_owned());
        } else if word == "--" {
            self.is_daemons = true;
        } else if let Some(option) = word.strip_prefix("--") {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            let named = |arg: &&Arg| arg.get_long() == Some(name);
            self.option(self.at.get_arguments().find(named), value);
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            for (at, letter) in letters.char_indices() {
                let named = |arg: &&Arg| arg.get_short() == Some(letter);
                let option = self.at.get_arguments().find(named);
                let value = &letters[at + letter.len_utf8()..];
                let takes = option.is_some_and(takes_value);
                self.option(option, Some(value).filter(|value| takes && !value.is_empty()));
                if takes {
                    break;
                }
            }
        } else if let Some(subcommand) = self.at.find_subcommand(word).filter(|_| self.is_root) {
            (self.at, self.is_root) = (subcommand, false);
        } else {
            self.words.push(word.to_owned());
            let is_last = |arg: &Arg| arg.is_trailing_var_arg_set();
            self.is_daemons = self.is_root || self.at.get_positionals().any(is_last);
        }
    }

    fn option(&mut self, option: Option<&'c Arg>, value: Option<&str>) {
        match (option.filter(|option| takes_value(option)), value) {
            (Some(option), Some(value)) => self.given.push((option, value.to_owned())),
            (option, _) => self.awaits = option,
        }
    }

    /// The users of `--require-owner`.
    fn owners(&self) -> Result<Vec<u32>, String> {
        let given = self.given.iter().filter(|(option, _)| option.get_id() == "require_owner");
        given.flat_map(|(_, users)| users.split(',')).map(args::user).collect()
    }

    fn value(&self, id: &str) -> Option<OsString> {
        let given = self.given.iter().rev().find(|(option, _)| option.get_id() == id);
        given.map(|(_, value)| value.into())
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn subcommands(root: &clap::Command, begun: &str) -> Vec<Proposal> {
    let shown = root.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let fit = shown.filter(|subcommand| subcommand.get_name().starts_with(begun));
    fit.filter_map(|subcommand| {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        Proposal::new(subcommand.get_name(), &about)
    })
    .collect()
}

/// A command's options, or the values of one behind its `=`.
fn options(command: &clap::Command, begun: &str) -> Vec<Proposal> {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    if let Some((flag, value)) = begun.split_once('=') {
        let named = |arg: &&Arg| arg.get_long().is_some_and(|long| flag == format!("--{long}"));
        let found = shown().find(named).filter(|arg| takes_value(arg));
        let values = found.map_or_else(Vec::new, |option| values(option, value)).into_iter();
        return values
            .map(|one| Proposal { value: format!("{flag}={}", one.value), ..one })
            .collect();
    }
    let flags = shown().filter_map(|arg| {
        let flag = format!("--{}", arg.get_long()?);
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        flag.starts_with(begun).then(|| Proposal::new(flag, &help))?
    });
    flags.collect()
}

/// The values of one of the program's own arguments.
fn values(arg: &Arg, begun: &str) -> Vec<Proposal> {
    if arg.get_id() == "socket" {
        return sockets(begun);
    }
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let fit = possible.iter().filter(|value| value.get_name().starts_with(begun));
        return fit.filter_map(|value| Proposal::new(value.get_name(), "")).collect();
    }
    match arg.get_value_hint() {
        ValueHint::AnyPath | ValueHint::FilePath => files(begun, |_| true),
        ValueHint::DirPath => files(begun, fs::FileType::is_dir),
        _ => Vec::new(),
    }
}

/// Sockets: names where bare names are looked up, and paths.
fn sockets(begun: &str) -> Vec<Proposal> {
    if let Some(name) = begun.strip_prefix('@') {
        return abstract_sockets(name);
    }
    if begun.contains('/') {
        return files(begun, |kind| kind.is_dir() || kind.is_socket());
    }
    let mut found = Vec::new();
    for directory in socket::directories() {
        for entry in entries(&directory) {
            let (path, Some(name)) = (entry.path(), entry.file_name().to_str().map(String::from))
            else {
                continue;
            };
            let inner = path.join(format!("{name}.sock"));
            let there = [&path, &inner].into_iter().find(|path| is_daemons(path));
            if let Some(there) = there {
                let name = name.strip_suffix(".sock").unwrap_or(&name);
                found.extend(Proposal::new(name, &there.display().to_string()));
            }
        }
    }
    // A path has a slash in it.
    let here = files("./", fs::FileType::is_socket);
    found.extend(here.into_iter().filter(|_| begun.is_empty() || begun == "."));
    found.retain(|proposal| proposal.value.starts_with(begun));
    found.dedup_by(|a, b| a.value == b.value);
    found
}

/// Whether a path looks like a dockipc daemon's socket: it has a lock file beside it.
fn is_daemons(path: &Path) -> bool {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    is_socket && Path::new(&lock).is_file()
}

/// Those that somebody listens on: unix(7), `/proc/net/unix`.
fn abstract_sockets(begun: &str) -> Vec<Proposal> {
    const LISTENS: u32 = 0x10000;
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut found: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
            let name = fields.nth(3)?.strip_prefix('@').filter(|name| name.starts_with(begun))?;
            (flags & LISTENS != 0).then(|| Proposal::new(format!("@{name}"), ""))?
        })
        .collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}

/// Files whose path begins like this, and directories, which end in `/`.
fn files(begun: &str, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<Proposal> {
    let (directory, name) = begun.split_at(begun.rfind('/').map_or(0, |at| at + 1));
    let place = match (directory, directory.strip_prefix("~/"), env::home_dir()) {
        ("", ..) => PathBuf::from("."),
        (_, Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(directory),
    };
    let mut found: Vec<_> = entries(&place)
        .into_iter()
        .filter_map(|entry| {
            let file = entry.file_name().to_str().filter(|file| file.starts_with(name))?.to_owned();
            // What is hidden stays so until it is asked for.
            let is_shown = !file.starts_with('.') || name.starts_with('.');
            // Where a link leads to counts.
            let kind = fs::metadata(entry.path()).ok()?.file_type();
            let end = if kind.is_dir() { "/" } else { "" };
            let is_wanted = is_shown && (wanted(&kind) || kind.is_dir());
            is_wanted.then(|| Proposal::new(format!("{directory}{file}{end}"), ""))?
        })
        .collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}

fn entries(directory: &Path) -> Vec<fs::DirEntry> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
}
