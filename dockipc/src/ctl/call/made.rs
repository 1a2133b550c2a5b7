//! [`Made`], a call whose words are ready, and how its answer is shown.

use std::io::Write;

use super::super::bar::Bar;
use super::super::daemon::Daemon;
use super::super::fill::Changes;
use super::super::interface::{Answer, Description, Field, Kind, Type};
use super::super::interrupt::{Cancelable, Interrupt};
use super::super::output::{JsonWriter, Layout, MissingValues, Output, TableWriter};
use super::super::own::Format;
use super::super::word::Word;
use crate::client::{self, Client, SendBody};
use crate::error::{Error, Failure, code};
use crate::reply::Reply;
use crate::wire::answer::{Piece, Shape};

/// How an answer is shown.
pub(in crate::ctl) enum Show<'s> {
    /// As in line mode; with the type of the answer, if it is known.
    Rows(Option<Answer>),
    Json {
        layout: Layout,
        /// Whether the command streams: nothing else tells an empty stream from no value.
        is_stream: bool,
    },
    /// As rows below a header, with the values of the fields.
    Table {
        /// The type of the answer.
        answer: Answer,
        fields: Vec<Field>,
        /// Whether blanks align the columns, as on a terminal.
        is_aligned: bool,
        /// Whether rows are shown as they arrive.
        is_stream: bool,
    },
    /// As the daemon's own program formats it.
    Own(&'s Format),
}

impl<'s> Show<'s> {
    /// Returns how the answers of a command are shown.
    pub(in crate::ctl) fn of(
        daemon: &'s Daemon,
        command: Option<&Description>,
        json: Option<Layout>,
        output: &Output,
    ) -> Self {
        let answer = command.and_then(|command| command.answer.as_ref());
        let ty = answer.map(|answer| &answer.ty);
        let is_stream = matches!(ty, Some(Type::Stream { .. }));
        if let Some(layout) = json {
            return Self::Json { layout, is_stream };
        }
        let format = || daemon.own.as_ref()?.format_of(&command?.name);
        if let Some(format) = format().filter(|_| !output.is_raw()) {
            return Self::Own(format);
        }
        let is_aligned = output.is_terminal();
        if let Some(answer) = answer
            && let Type::List { of } | Type::Stream { of } = &answer.ty
            && let of = of.or_missing()
            // In a pipe, the daemon writes the header and the rows of a stream.
            && let Type::Struct { fields: Some(fields), .. } = &of.ty
            && (is_aligned || (of.is_table && !is_stream))
        {
            let (answer, fields) = (answer.clone(), fields.clone());
            return Self::Table { answer, fields, is_aligned, is_stream };
        }
        Self::Rows(answer.cloned())
    }
}

/// A call that can be made, once or repeatedly.
pub(in crate::ctl) struct Made<'w> {
    client: Client,
    words: &'w [Word],
    /// The number of words of the command's name.
    used: usize,
    changes: Changes,
    /// The line to send in place of the words.
    line: Option<Vec<u8>>,
    /// Whether the daemon only checks the words.
    is_checked: bool,
    /// The token of the call; empty for a new one.
    once: Option<String>,
}

impl<'w> Made<'w> {
    pub(in crate::ctl) fn new(
        daemon: &Daemon,
        client: &Client,
        words: &'w [Word],
        command: Option<(&Description, usize)>,
    ) -> Self {
        let (used, changes) = match command {
            Some((command, used)) => (used, Changes::of(command, &words[used..], daemon)),
            None => (1, Changes::default()),
        };
        let client =
            if changes.has_environment { daemon.only_trusted(client) } else { client.clone() };
        Self { client, words, used, changes, line: None, is_checked: false, once: None }
    }

    /// Returns the call of a line. The line itself is sent if that is possible, so that the rest of the line
    /// stays as it is.
    pub(in crate::ctl) fn of_line(
        line: &[u8],
        daemon: &Daemon,
        client: &Client,
        words: &'w [Word],
        command: Option<(&Description, usize)>,
        show: &Show<'_>,
    ) -> Self {
        let mut made = Self::new(daemon, client, words, command);
        let has_rest = command.is_some_and(|(command, _)| {
            command.arguments.iter().any(|argument| argument.kind == Kind::Rest)
        });
        let has_rows = match show {
            Show::Rows(_) => true,
            Show::Json { .. } | Show::Own(_) => false,
            Show::Table { .. } => has_rest,
        };
        // A line that can't be split has an unclosed quote: the daemon answers with that error.
        let is_prepared = command.is_some_and(|(command, _)| {
            daemon.own.as_ref().is_some_and(|own| own.has_step(&command.name))
        });
        if (has_rows && !is_prepared) || super::split(line).is_none() {
            made.line = made.changes.to_line(line, made.used).or_else(|| Some(line.to_vec()));
        }
        made
    }

    /// Has the daemon only check the words, if that is wanted.
    pub(in crate::ctl) fn checked(mut self, is_checked: bool) -> Self {
        self.is_checked = is_checked;
        self.line = self.line.filter(|_| !is_checked);
        self
    }

    /// Gives each call this token, or a new one if it is empty.
    pub(in crate::ctl) fn once(self, once: Option<String>) -> Self {
        Self { once, ..self }
    }

    fn call(&self) -> client::Call<'_> {
        let client = &self.client;
        if let Some(line) = &self.line {
            return client.command("dockipc").words([b"line", &line[..]]);
        }
        let (name, arguments) = self.words.split_at(self.used.min(self.words.len()));
        let Changes { replaced, before, after, .. } = &self.changes;
        let first = name.first().map(Word::bytes).unwrap_or_default();
        let call = if self.is_checked {
            client.command("dockipc").words([b"check", first])
        } else {
            client.command(&String::from_utf8_lossy(first))
        };
        let call = call.words(name.iter().skip(1)).words(before);
        let arguments = arguments.iter().enumerate().map(|(i, word)| {
            let replaced = replaced.iter().find(|(at, _)| *at == i);
            replaced.map_or_else(|| word.bytes(), |(_, word)| word)
        });
        let call = call.words(arguments).words(after);
        match &self.once {
            None => call,
            Some(token) if token.is_empty() => call.once(),
            Some(token) => call.once_as(token.as_str()),
        }
    }

    /// Makes the call and writes its answer. Also returns whether the call was canceled.
    pub(in crate::ctl) fn run(
        &self,
        body: Option<&dyn SendBody>,
        show: &Show<'_>,
        output: &mut Output,
        interrupt: &Interrupt,
    ) -> (Result<(), Error>, bool) {
        if let Some(why) = &self.changes.withheld {
            let failure =
                Failure::new(code::NOPERM, format_args!("{why}; the command was not run"));
            return (Err(Error::Refused(failure)), false);
        }
        let writing = |error| Error::io("writing the answer", error);
        let bar = Bar::new();
        let call = bar.follows(self.call());
        interrupt.during_call(Some(call.canceller()), || {
            let mut beside = bar.beside(output);
            let mut cancelable = Cancelable::new(&mut beside, interrupt);
            let mut ready = Vec::new();
            match show {
                // The line's answer is text.
                _ if self.line.is_some() => call.copy(&mut cancelable, body, &mut |_| ()).map(drop),
                Show::Own(format) => {
                    let text = format(call.ask(body)?)?;
                    ready.extend_from_slice(text.as_bytes());
                    flush(&mut cancelable, &mut ready).map_err(writing)
                }
                Show::Rows(answer) => {
                    let mut missing = MissingValues::new(answer.as_ref());
                    call.copy(&mut cancelable, body, &mut |piece| missing.fill(piece)).map(drop)
                }
                Show::Json { layout, is_stream } => {
                    let (mut json, mut is_first) = (JsonWriter::new(*layout), true);
                    call.pieces("items", body, &mut |piece| {
                        let is_first = piece.is_some() && std::mem::take(&mut is_first);
                        if is_first && piece == Some(Piece::Value(Reply::Ok)) && *is_stream {
                            json.add(Piece::Begin(Shape::List), &mut ready).map_err(writing)?;
                            return json.add(Piece::End, &mut ready).map_err(writing);
                        }
                        if let Some(piece) = piece {
                            return json.add(piece, &mut ready).map_err(writing);
                        }
                        flush(&mut cancelable, &mut ready).map_err(writing)
                    })?;
                    output.end_json().map_err(writing)
                }
                Show::Table { answer, fields, is_aligned, is_stream } => {
                    let mut missing = MissingValues::new(Some(answer));
                    let mut table = TableWriter::new(fields, *is_aligned);
                    call.pieces("items", body, &mut |piece| {
                        if let Some(mut piece) = piece {
                            missing.fill(&mut piece);
                            table.add(piece, &mut ready);
                            return Ok(());
                        }
                        if *is_stream {
                            table.write(&mut ready);
                        }
                        flush(&mut cancelable, &mut ready).map_err(writing)
                    })?;
                    table.write(&mut ready);
                    flush(&mut cancelable, &mut ready).map_err(writing)
                }
            }
        })
    }
}

fn flush(out: &mut impl Write, ready: &mut Vec<u8>) -> std::io::Result<()> {
    out.write_all(ready)?;
    ready.clear();
    out.flush()
}
