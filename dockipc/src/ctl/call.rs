//! `call`: one of the daemon's commands, or many.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::args::Call;
use super::complaint::Complaint;
use super::daemon::Daemon;
use super::exit::Exit;
use super::output::{Output, is_nobody, json_text, to_json};
use super::word::Word;
use crate::error::{Error, code};
use crate::reply::Reply;
use crate::wire::words::Splitter;

/// Runs what the command line says. The socket is taken from its words already.
pub(super) fn call(daemon: &Daemon, args: Call, program: &str) -> Result<Exit, Complaint> {
    let mut output = Output::open(args.output.as_deref())?;
    if let Some(file) = &args.file {
        if !args.words.is_empty() {
            return Err(Complaint::usage("with --file the commands stand in the file"));
        }
        return lines(daemon, file, args.json, &mut output, program);
    }
    let words = words(args.words, args.literal)?;
    let is_many = args.repeat.is_some() || args.every.is_some();
    let times = args.repeat.unwrap_or(if args.every.is_some() { u64::MAX } else { 1 });
    for i in 0..times {
        if i > 0 {
            thread::sleep(args.every.unwrap_or(Duration::ZERO));
        }
        if args.every.is_some() && output.is_terminal() {
            clear();
        }
        match one(daemon, &words, args.json, &mut output) {
            Ok(()) => {}
            Err(Error::Io { source, .. }) if is_nobody(&source) => break,
            Err(error) => {
                let is_unknown =
                    matches!(&error, Error::Refused(failure) if failure.code() == code::UNKNOWN);
                let complaint = Complaint::about(&words, error);
                // The first word may have been meant for the socket's name.
                let is_preset = daemon.is_preset && is_unknown;
                return Err(if is_preset { complaint.preset() } else { complaint });
            }
        }
        if let Err(error) = output.end(is_many) {
            return ended(&error);
        }
    }
    Ok(Exit::Answered)
}

/// Makes one call.
fn one(daemon: &Daemon, words: &[Word], json: bool, output: &mut Output) -> Result<(), Error> {
    let Some((name, arguments)) = words.split_first() else { return Ok(()) };
    let name = String::from_utf8_lossy(name.bytes());
    let call = daemon.client.command(&name).args(arguments);
    if json {
        let text = json_text(&to_json(call.call::<Reply>()?));
        return writeln!(output, "{text}").map_err(|e| Error::io("writing the answer", e));
    }
    call.copy_to(output).map(drop)
}

/// The words of the command line, those read that stand for something else.
fn words(words: Vec<OsString>, literal: bool) -> Result<Vec<Word>, Complaint> {
    let Some(name) = words.first() else {
        return Err(Complaint::usage("which command? `commands` lists them"));
    };
    if name.as_bytes().starts_with(b"-") {
        let name = name.display();
        return Err(Complaint::usage(format!(
            "{name} is no command's name; options stand in front of the socket"
        )));
    }
    let mut words = words.into_iter();
    let name = words.next().into_iter().map(|name| Ok(Word::typed(name.into_vec())));
    let mut input = None;
    let arguments = words.map(|word| match word.as_bytes() {
        _ if literal => Ok(Word::typed(word.into_vec())),
        b"-" if input.is_some() => Err(Complaint::usage("standard input is read once: one `-`")),
        b"-" => {
            input = Some(());
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Complaint::unread("standard input", &error))?;
            Ok(Word::read(bytes, "-".into(), "standard input".into()))
        }
        [b'@', b'@', ..] => Ok(Word::typed(word.as_bytes()[1..].to_vec())),
        [b'@', file @ ..] if !file.is_empty() => {
            let file = Path::new(OsStr::from_bytes(file));
            let bytes = std::fs::read(file).map_err(|error| {
                let what = format!("{} (for the text itself write @@)", file.display());
                Complaint::unread(what, &error)
            })?;
            Ok(Word::read(bytes, word.to_string_lossy().into(), file.display().to_string()))
        }
        _ => Ok(Word::typed(word.into_vec())),
    });
    name.chain(arguments).collect()
}

/// Runs the lines of a file. The daemon's "no" to one does not stop the others; the program ends as
/// the first that failed would have.
pub(super) fn lines(
    daemon: &Daemon,
    file: &Path,
    json: bool,
    output: &mut Output,
    program: &str,
) -> Result<Exit, Complaint> {
    let reading = |error| Complaint::unread(file.display(), &error);
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(reading)?)
    };
    let mut exit = Exit::Answered;
    for (i, line) in BufReader::new(input).split(b'\n').enumerate() {
        let line = line.map_err(reading)?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line).trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        // Without them, a quote is not closed: the daemon says so.
        let words = split(line);
        let is_split = words.is_some();
        let words = Word::of_line(words.unwrap_or_else(|| pieces(line)));
        let answered = if json && is_split {
            one(daemon, &words, json, output)
        } else {
            let call = daemon.client.command("dockipc").arg("line").arg(line);
            call.copy_to(output).map(drop)
        };
        match answered {
            Ok(()) => {}
            Err(Error::Io { source, .. }) if is_nobody(&source) => break,
            Err(error) => {
                let is_refused = matches!(error, Error::Refused(_));
                let complaint = Complaint::about(&words, error).at_line(i + 1);
                if !is_refused {
                    return Err(complaint);
                }
                complaint.tell(program);
                if exit == Exit::Answered {
                    exit = complaint.exit;
                }
            }
        }
        if let Err(error) = output.end(true) {
            return ended(&error).map(|_| exit);
        }
    }
    Ok(exit)
}

/// The words of a line, as the daemon finds them.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut splitter, mut text, mut words) = (Splitter::new(line), Vec::new(), Vec::new());
    while let Some(span) = splitter.next(&mut text).ok()? {
        words.push(span.of(line, &text).to_vec());
    }
    Some(words)
}

/// What a message could repeat of a line that has no words, since a quote in it is not closed.
fn pieces(line: &[u8]) -> Vec<Vec<u8>> {
    let is_between = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'\'' | b'"' | b'\\');
    line.split(is_between).filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect()
}

fn ended(error: &io::Error) -> Result<Exit, Complaint> {
    if is_nobody(error) { Ok(Exit::Answered) } else { Err(Complaint::io("writing", error)) }
}

/// As `watch` does between two runs: ECMA-48, CUP and ED.
fn clear() {
    let mut out = anstream::stdout();
    let _ = write!(out, "\x1b[H\x1b[2J").and_then(|()| out.flush());
}
