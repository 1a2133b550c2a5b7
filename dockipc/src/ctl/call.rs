//! `call`: runs one command, repeatedly or once, or the commands in a file.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use super::args::Call;
use super::candidates::{HELP, asks_for_help};
use super::daemon::{Daemon, Input};
use super::error::{CliError, note};
use super::exit::Exit;
use super::help::Topic;
use super::interface::{Description, Interface, Kind};
use super::interrupt::Interrupt;
use super::output::{Form, Output, is_closed};
use super::{described, written};
use crate::client::{Body, CONNECT_TIMEOUT, Restart, SendBody};
use crate::error::{Error, code};
use crate::wire::words::Splitter;

mod lines;
mod made;
mod words;

pub(super) use lines::lines;
pub(super) use made::{Made, Show};
pub(super) use words::prepared;

/// Runs `call`. The socket is already removed from the words.
pub(super) fn call(daemon: &Daemon, mut args: Call, program: &str) -> Result<Exit, CliError> {
    let is_repeated = args.repeat.is_some() || args.every.is_some();
    let form = Form {
        is_raw: args.raw,
        is_open: args.no_newline,
        has_many: is_repeated || args.file.is_some(),
    };
    let mut output = Output::open(args.output.as_deref(), form)?;
    if let Some(file) = &args.file {
        if !args.words.is_empty() {
            return Err(CliError::usage(
                "unexpected arguments with --file: the commands are read from the file",
            ));
        }
        return lines(daemon, file, args.json, args.dry_run, &mut output, program);
    }
    words::check_name(&args.words)?;
    let texts: Vec<_> = args.words.iter().map(|word| word.to_string_lossy()).collect();
    let help = args.words.iter().position(|word| word == HELP);
    let help = help.filter(|at| *at > 0 && !args.literal);
    let described = match command_of(daemon, &texts, args.once.is_some()) {
        Ok(described) => described,
        Err(error) if help.is_none() && is_before_all(&error) => return Err(error.into()),
        // The call has the error.
        Err(error) if help.is_none() || matches!(error, Error::Refused(_)) => None,
        Err(error) => match daemon.instead_of(error) {
            Ok(linked) => {
                linked.resolve(&texts).map(|(command, used)| (command.into_owned(), used))
            }
            Err(error) => {
                let hint = format!(
                    "the help of a command comes from the daemon; {program} --help needs none"
                );
                return Err(CliError::from(error).with_lines([&*hint]));
            }
        },
    };
    let described = described.as_ref().map(|(command, used)| (command, *used));
    let (command, used) =
        (described.map(|(command, _)| command), described.map_or(1, |(_, used)| used));
    if let Some(topic) = help.and_then(|at| help_of(daemon, &args, at, described)) {
        return written(topic.write(None));
    }
    if let Some(command) = command {
        described::warn(command, program);
    }
    let times = args.repeat.unwrap_or(if args.every.is_some() { u64::MAX } else { 1 });
    let body = take_body(daemon, &mut args, command, used)?;
    let words = words::words(args.words, args.literal, daemon)?;
    let (words, own_body) = prepared(daemon, words, described)?;
    // The body of a command that is only checked is not sent.
    let body = body.filter(|_| !args.dry_run);
    let mut own_body = own_body.filter(|_| !args.dry_run);
    if (body.is_some() || own_body.is_some()) && times > 1 {
        return Err(CliError::usage(
            "standard input can be read only once: leave out --repeat and --every",
        ));
    }
    if (body.is_some() || own_body.is_some()) && args.once.is_some() {
        return Err(CliError::usage("a body can't be sent again: leave out --once"));
    }
    let interrupt = interrupt(daemon)?;
    let answer = command.filter(|_| !args.dry_run);
    let show = Show::of(daemon, answer, args.json, &output);
    let made = Made::new(daemon, &daemon.client, &words, described).checked(args.dry_run);
    let made = made.once(args.once);
    for i in 0..times {
        if i > 0 {
            daemon.pause(args.every.unwrap_or(Duration::ZERO))?;
        }
        if args.every.is_some() && output.is_terminal() {
            clear();
        }
        let mut is_canceled = false;
        let answered = answered(&mut output, |output| {
            let input = body.as_ref().map(|input| Body::new(input, Some(input.as_fd())));
            let own = own_body.take().map(|reader| Body::new(reader, None));
            let body = input.as_ref().map(|body| body as &dyn SendBody);
            let body = own.as_ref().map(|body| body as &dyn SendBody).or(body);
            let called = made.run(body, &show, output, &interrupt);
            is_canceled = called.1;
            called.0
        });
        match answered {
            answered if is_canceled => return Err(CliError::interrupted(answered)),
            Ok(()) => {}
            Err(Error::Io { source, .. }) if is_closed(&source) => break,
            Err(error) => {
                let is_unknown =
                    matches!(&error, Error::Refused(failure) if failure.code() == code::UNKNOWN);
                let is_missing = matches!(&error, Error::Refused(failure)
                    if failure.code() == code::USAGE && failure.message().contains(" is missing"));
                let error = CliError::about(&words, error);
                if is_missing && body.is_none() && command.is_some_and(takes_body) {
                    let hint = "`-` as the last word sends standard input as the body";
                    return Err(error.with_lines([hint]));
                }
                // The first word may be meant as the socket.
                let is_preset = daemon.is_preset && is_unknown;
                return Err(if is_preset { error.with_preset_socket() } else { error });
            }
        }
    }
    Ok(Exit::Answered)
}

/// Asks the daemon for the description of a command. `waits`: also of one that restarts, as the call does then.
fn command_of(
    daemon: &Daemon,
    words: &[Cow<'_, str>],
    waits: bool,
) -> Result<Option<(Description, usize)>, Error> {
    let mut restart = Restart::default();
    loop {
        match Interface::command(&daemon.questions(), words) {
            Err(error) if waits => {
                let limit = CONNECT_TIMEOUT;
                thread::sleep(restart.pause(error, false, daemon.deadline, limit)?);
            }
            described => return described,
        }
    }
}

/// Returns whether no daemon was reached, so that a further call would fail in the same way.
fn is_before_all(error: &Error) -> bool {
    use Error::{NoSocket, NotASocket, NotDockipc, Permission, Stale, WrongOwner};
    matches!(
        error,
        NoSocket { .. }
            | NotASocket { .. }
            | NotDockipc { .. }
            | Permission { .. }
            | Stale { .. }
            | WrongOwner { .. }
    )
}

/// Returns what the word at `at`, a [`HELP`], asks to be explained.
fn help_of(
    daemon: &Daemon,
    args: &Call,
    at: usize,
    described: Option<(&Description, usize)>,
) -> Option<Topic> {
    if let Some((command, used)) = described {
        let before = args.words.get(used..at).unwrap_or_default();
        let before: Vec<_> =
            before.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let is_alone = args.is_implied && args.words.len() == used + 1;
        return asks_for_help(command, &before, is_alone).then(|| Topic::command(command.clone()));
    }
    let name = args.words[0].to_string_lossy();
    let named = Interface::named(&daemon.questions(), &[&name]);
    let all = named.or_else(|error| daemon.instead_of(error)).ok().filter(|_| at == 1)?;
    let group = all.group(&name);
    (!group.commands.is_empty()).then_some(Topic::Group(group))
}

/// Takes the last word if it is a `-` and the command has a body: then standard input is the body. For another
/// command the `-` is an argument.
fn take_body(
    daemon: &Daemon,
    args: &mut Call,
    command: Option<&Description>,
    used: usize,
) -> Result<Option<Input<std::fs::File>>, CliError> {
    let is_dash = args.words.len() > used && args.words.last().is_some_and(|last| last == "-");
    if !is_dash || args.literal || !command.is_some_and(takes_body) {
        return Ok(None);
    }
    args.words.pop();
    let input = daemon.unbuffered_input().map_err(|error| unread("standard input", &error))?;
    Ok(Some(input))
}

fn takes_body(command: &Description) -> bool {
    command.arguments.iter().any(|argument| argument.kind == Kind::Body)
}

/// Handles Ctrl-C: while a command runs it is cancelled, and otherwise the program ends.
fn interrupt(daemon: &Daemon) -> Result<Interrupt, CliError> {
    // ssh ends by the signal as well, and then the daemon cancels the command.
    if daemon.is_far() {
        return Ok(Interrupt::none());
    }
    Interrupt::ending_program().map_err(|error| CliError::io("handling Ctrl-C", &error))
}

/// Makes a call that writes its answer, ends that, and notes how long the call took.
pub(super) fn answered(
    output: &mut Output,
    call: impl FnOnce(&mut Output) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = Instant::now();
    let called = call(output);
    let took = start.elapsed();
    let ended = match called {
        Ok(()) => output.end().map_err(|error| Error::io("writing the answer", error)),
        Err(error) => {
            output.leave();
            Err(error)
        }
    };
    note(format_args!("the call took {took:.1?}"));
    ended
}

/// Returns the error for input that can't be read, or does not arrive before the deadline.
pub(super) fn unread(what: impl Display, error: &io::Error) -> CliError {
    let exit = if error.kind() == ErrorKind::TimedOut { Exit::TimedOut } else { Exit::Usage };
    CliError::unread(what, error).with_exit(exit)
}

/// Splits a line into words, as the daemon does. Returns `None` if a quote is not closed.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut splitter, mut text, mut words) = (Splitter::new(line), Vec::new(), Vec::new());
    while let Some(span) = splitter.next(&mut text).ok()? {
        words.push(span.of(line, &text).to_vec());
    }
    Some(words)
}

/// Clears the terminal between two runs, as `watch` does (CUP and ED of ECMA-48).
fn clear() {
    let mut out = anstream::stdout();
    let _ = write!(out, "\x1b[H\x1b[2J").and_then(|()| out.flush());
}
