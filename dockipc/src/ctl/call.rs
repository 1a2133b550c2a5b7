//! `call`: runs one command, repeatedly or once, or the commands in a file.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::Call;
use super::bar::Bar;
use super::candidates::{HELP, asks_for_help};
use super::daemon::{Daemon, Input};
use super::error::{CliError, note};
use super::exit::Exit;
use super::help;
use super::interface::{Description, Interface, Kind, Type};
use super::interrupt::{Cancelable, Interrupt};
use super::output::{Form, JsonWriter, Layout, Output, is_binary, is_closed};
use super::word::Word;
use super::written;
use crate::client::{self, Body, SendBody};
use crate::error::{Error, code};
use crate::reply::Reply;
use crate::wire::answer::{Piece, Shape};
use crate::wire::words::Splitter;

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
        return lines(daemon, file, args.json, &mut output, program);
    }
    if let Some(help) = help_of(daemon, &args, program)? {
        return written(help::write(&help));
    }
    let times = args.repeat.unwrap_or(if args.every.is_some() { u64::MAX } else { 1 });
    let body = take_body(daemon, &mut args)?;
    if body.is_some() && times > 1 {
        return Err(CliError::usage(
            "standard input can be read only once: leave out --repeat and --every",
        ));
    }
    let words = words(args.words, args.literal, daemon)?;
    let interrupt = interrupt(daemon)?;
    for i in 0..times {
        if i > 0 {
            daemon.pause(args.every.unwrap_or(Duration::ZERO))?;
        }
        if args.every.is_some() && output.is_terminal() {
            clear();
        }
        let mut is_canceled = false;
        let answered = answered(&mut output, |output| {
            let source = body.as_ref().map(|input| Body::new(input, Some(input.as_fd())));
            let body = source.as_ref().map(|body| body as &dyn SendBody);
            let called = one(daemon, &words, body, args.json, output, &interrupt);
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
                if is_missing
                    && body.is_none()
                    && takes_body(daemon, words.first().map(Word::bytes))
                {
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

/// Returns the daemon's description of a command if the words ask for it.
fn help_of(daemon: &Daemon, args: &Call, program: &str) -> Result<Option<Description>, CliError> {
    let [name, words @ ..] = &args.words[..] else { return Ok(None) };
    let Some(at) = words.iter().position(|word| word == HELP).filter(|_| !args.literal) else {
        return Ok(None);
    };
    match Interface::command(&daemon.questions(), &name.to_string_lossy()) {
        Ok(Some(command)) => {
            let before = words[..at].iter().map(|word| word.to_string_lossy().into_owned());
            let is_alone = args.is_implied && words.len() == 1;
            let asks = asks_for_help(&command, &before.collect::<Vec<_>>(), is_alone);
            Ok(asks.then_some(command))
        }
        // The call has the error, such as an unknown name.
        Ok(None) | Err(Error::Refused(_)) => Ok(None),
        Err(error) => {
            let hint =
                format!("the help of a command comes from the daemon; {program} --help needs none");
            Err(CliError::from(error).with_lines([&*hint]))
        }
    }
}

/// Takes the last word if it is a `-` and the command has a body: then standard input is the body. For another
/// command the `-` is an argument.
fn take_body(daemon: &Daemon, args: &mut Call) -> Result<Option<Input<File>>, CliError> {
    let is_dash = args.words.len() > 1 && args.words.last().is_some_and(|last| last == "-");
    if !is_dash
        || args.literal
        || !takes_body(daemon, args.words.first().map(|name| name.as_bytes()))
    {
        return Ok(None);
    }
    args.words.pop();
    let input = daemon.unbuffered_input().map_err(|error| unread("standard input", &error))?;
    Ok(Some(input))
}

/// Returns whether the command takes a body.
fn takes_body(daemon: &Daemon, name: Option<&[u8]>) -> bool {
    let name = String::from_utf8_lossy(name.unwrap_or_default());
    // If the daemon refuses the question, the call has the error.
    let command = Interface::command(&daemon.questions(), &name).ok().flatten();
    command.is_some_and(|command| command.arguments.iter().any(|a| a.kind == Kind::Body))
}

/// Handles Ctrl-C: while a command runs it is cancelled, and otherwise the program ends.
fn interrupt(daemon: &Daemon) -> Result<Interrupt, CliError> {
    // ssh ends by the signal as well, and then the daemon cancels the command.
    if daemon.is_far() {
        return Ok(Interrupt::none());
    }
    Interrupt::ending_program().map_err(|error| CliError::io("handling Ctrl-C", &error))
}

/// Runs one command and writes its answer. Also returns whether it was canceled.
fn one(
    daemon: &Daemon,
    words: &[Word],
    body: Option<&dyn SendBody>,
    json: Option<Layout>,
    output: &mut Output,
    interrupt: &Interrupt,
) -> (Result<(), Error>, bool) {
    let Some((name, arguments)) = words.split_first() else { return (Ok(()), false) };
    let name = String::from_utf8_lossy(name.bytes());
    // Nothing but the description tells an empty stream from no value.
    let is_stream = || {
        let command = Interface::command(&daemon.questions(), &name).ok().flatten();
        let answer = command.and_then(|command| command.answer);
        answer.is_some_and(|answer| matches!(answer.ty, Type::Stream { .. }))
    };
    let call = daemon.client.command(&name).words(arguments);
    made(call, body, json.map(|layout| (layout, &is_stream as _)), output, interrupt)
}

/// Makes a call and writes its answer, in JSON with a function that returns whether the command streams. Also
/// returns whether the call was canceled.
fn made(
    call: client::Call<'_>,
    body: Option<&dyn SendBody>,
    json: Option<(Layout, &dyn Fn() -> bool)>,
    output: &mut Output,
    interrupt: &Interrupt,
) -> (Result<(), Error>, bool) {
    let writing = |error| Error::io("writing the answer", error);
    let bar = Bar::new();
    let call = bar.follows(call);
    interrupt.during_call(Some(call.canceller()), || {
        let mut beside = bar.beside(output);
        let mut cancelable = Cancelable::new(&mut beside, interrupt);
        let Some((layout, is_stream)) = json else {
            return call.copy(&mut cancelable, body).map(drop);
        };
        let (mut json, mut ready, mut is_first) = (JsonWriter::new(layout), Vec::new(), true);
        call.pieces("items", body, &mut |piece| {
            let is_first = piece.is_some() && std::mem::take(&mut is_first);
            if is_first && piece == Some(Piece::Value(Reply::Ok)) && is_stream() {
                json.add(Piece::Begin(Shape::List), &mut ready).map_err(writing)?;
                return json.add(Piece::End, &mut ready).map_err(writing);
            }
            if let Some(piece) = piece {
                return json.add(piece, &mut ready).map_err(writing);
            }
            cancelable.write_all(&ready).and_then(|()| cancelable.flush()).map_err(writing)?;
            ready.clear();
            Ok(())
        })?;
        output.end_json().map_err(writing)
    })
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

/// Converts the words of the command line; reads those that stand for standard input or a file.
fn words(words: Vec<OsString>, literal: bool, daemon: &Daemon) -> Result<Vec<Word>, CliError> {
    let Some(name) = words.first() else {
        return Err(CliError::usage("missing command name; `commands` lists the commands"));
    };
    if name.as_bytes().starts_with(b"-") {
        let name = name.to_string_lossy();
        return Err(CliError::usage(format!(
            "invalid command name {name:?}: put options before the socket"
        )));
    }
    let mut words = words.into_iter();
    let name = words.next().into_iter().map(|name| Ok(Word::typed(name.into_vec())));
    let (mut has_input, mut may_be_option) = (true, true);
    let arguments = words.map(|word| {
        let bytes = word.as_bytes();
        may_be_option &= bytes != b"--";
        let equals = bytes.iter().position(|&b| b == b'=');
        let equals = equals.filter(|_| may_be_option && bytes.starts_with(b"--"));
        let (option, value) = bytes.split_at(equals.map_or(0, |at| at + 1));
        let typed = || word.to_string_lossy().into_owned();
        Ok(match value {
            _ if literal => Word::typed(word.into_vec()),
            b"-" if !std::mem::take(&mut has_input) => {
                let text = "standard input can be read only once: use one `-`";
                return Err(CliError::usage(text));
            }
            b"-" => {
                let mut bytes = Vec::new();
                let read = daemon.input().read_to_end(&mut bytes);
                read.map_err(|error| unread("standard input", &error))?;
                Word::read(bytes, typed(), "standard input".into()).of_option(option)
            }
            [b'@', text @ ..] if text.starts_with(b"@") => Word::typed([option, text].concat()),
            [b'@', file @ ..] if !file.is_empty() => {
                let file = Path::new(OsStr::from_bytes(file));
                let mut bytes = Vec::new();
                let read = daemon.file(file).and_then(|mut file| file.read_to_end(&mut bytes));
                let file = file.display();
                read.map_err(|error| {
                    let advice = "(for a text that begins with @, write @@)";
                    unread(format!("{file} {advice}"), &error)
                })?;
                Word::read(bytes, typed(), file.to_string()).of_option(option)
            }
            _ => Word::typed(word.into_vec()),
        })
    });
    name.chain(arguments).collect()
}

/// The byte order mark, which some editors write in front of a text.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Runs the lines of a file. A command that fails does not stop the later ones; the exit code is
/// that of the first failure.
pub(super) fn lines(
    daemon: &Daemon,
    file: &Path,
    json: Option<Layout>,
    output: &mut Output,
    program: &str,
) -> Result<Exit, CliError> {
    let reading = |error| unread(file.display(), &error);
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(daemon.input())
    } else {
        Box::new(daemon.file(file).map_err(reading)?)
    };
    let interrupt = interrupt(daemon)?;
    let mut exit = Exit::Answered;
    for (i, line) in BufReader::new(input).split(b'\n').enumerate() {
        let line = line.map_err(reading)?;
        let line = line.strip_prefix(BOM).filter(|_| i == 0).unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        // A line that can't be split has an unclosed quote: the daemon answers with that error.
        let words = split(line);
        let is_split = words.is_some();
        let words = Word::of_line(words.unwrap_or_else(|| fragments(line)));
        let mut is_canceled = false;
        let answered = answered(output, |output| {
            let called = if json.is_some() && is_split {
                one(daemon, &words, None, json, output, &interrupt)
            } else {
                let call = daemon.client.command("dockipc").words(["line".as_bytes(), line]);
                made(call, None, None, output, &interrupt)
            };
            is_canceled = called.1;
            called.0
        });
        match answered {
            answered if is_canceled => {
                return Err(CliError::interrupted(answered).at_line(i + 1));
            }
            Ok(()) => {}
            Err(Error::Io { source, .. }) if is_closed(&source) => break,
            Err(error) => {
                let goes_on = match &error {
                    Error::Refused(_) => true,
                    Error::Io { source, .. } => is_binary(source),
                    _ => false,
                };
                let error = CliError::about(&words, error).at_line(i + 1);
                if !goes_on {
                    return Err(error);
                }
                error.print(program);
                if exit == Exit::Answered {
                    exit = error.exit;
                }
            }
        }
    }
    Ok(exit)
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

/// Returns the parts that a message may repeat of a line that can't be split.
fn fragments(line: &[u8]) -> Vec<Vec<u8>> {
    let is_between = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'\'' | b'"' | b'\\');
    line.split(is_between).filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Clears the terminal between two runs, as `watch` does (CUP and ED of ECMA-48).
fn clear() {
    let mut out = anstream::stdout();
    let _ = write!(out, "\x1b[H\x1b[2J").and_then(|()| out.flush());
}
