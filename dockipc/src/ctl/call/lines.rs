//! `call --file`: runs the lines of a file, one after the other.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::super::daemon::Daemon;
use super::super::described::Descriptions;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::output::{Layout, Output, is_binary, is_closed};
use super::super::word::Word;
use super::{Made, Show, answered, interrupt, prepared, split, unread};
use crate::client::{Body, SendBody};
use crate::error::Error;

/// The byte order mark, which some editors write in front of a text.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Runs the lines of a file. A command that fails does not stop the later ones; the exit code is
/// that of the first failure.
pub(in crate::ctl) fn lines(
    daemon: &Daemon,
    file: &Path,
    json: Option<Layout>,
    is_checked: bool,
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
    let mut descriptions = Descriptions::new(daemon.questions());
    let mut exit = Exit::Answered;
    for (i, line) in BufReader::new(input).split(b'\n').enumerate() {
        let line = line.map_err(reading)?;
        let line = line.strip_prefix(BOM).filter(|_| i == 0).unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let words = split(line);
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        let texts: Vec<_> = words.iter().flatten().map(text).collect();
        let command = descriptions.find(&texts, program);
        let command = command.as_ref().map(|(command, used)| (&**command, *used));
        let answer = command.map(|(command, _)| command).filter(|_| !is_checked);
        let show = Show::of(daemon, answer, json, output);
        let words = Word::of_line(words.unwrap_or_else(|| fragments(line)));
        let (words, own_body) =
            prepared(daemon, words, command).map_err(|error| error.at_line(i + 1))?;
        let own_body = own_body.filter(|_| !is_checked);
        let own_body = own_body.map(|reader| Body::new(reader, None));
        let made = Made::of_line(line, daemon, &daemon.client, &words, command, &show);
        let made = made.checked(is_checked);
        let mut is_canceled = false;
        let answered = answered(output, |output| {
            let body = own_body.as_ref().map(|body| body as &dyn SendBody);
            let called = made.run(body, &show, output, &interrupt);
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

/// Returns the parts that a message may repeat of a line that can't be split.
fn fragments(line: &[u8]) -> Vec<Vec<u8>> {
    let is_between = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'\'' | b'"' | b'\\');
    line.split(is_between).filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect()
}
