//! `shell`: runs the daemon's commands at a prompt.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};

mod editing;
mod history;

use self::editing::EditHelper;
use self::history::History;
use super::call::{Made, Show};
use super::candidates::{HELP, PartialLine, asks_for_help};
use super::daemon::Daemon;
use super::error::CliError;
use super::exit::Exit;
use super::help::Topic;
use super::interface::{Description, Interface};
use super::interrupt::Interrupt;
use super::output::{Form, Output, has_colors, is_closed};
use super::word::Word;
use super::{call, commands, described};
use crate::client::{Body, Client, SendBody};
use crate::error::{Error, Result};

/// Runs commands from the terminal until the user exits. Without a terminal, reads lines as
/// `call --file -` does. Asks before a destructive command, unless `yes`.
pub(super) fn shell(
    daemon: Daemon,
    yes: bool,
    program: &str,
) -> std::result::Result<Exit, CliError> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let mut output = Output::open(None, ANSWERS)?;
        return call::lines(&daemon, Path::new("-"), None, false, &mut output, program);
    }
    let prompt = format!("{}> ", daemon.name);
    let editing = |error| match error {
        ReadlineError::Io(error) => CliError::io("reading a line", &error),
        error => CliError::io("reading a line", &io::Error::other(error)),
    };
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .color_mode(if has_colors() { ColorMode::Enabled } else { ColorMode::Disabled })
        .history_ignore_space(true)
        .max_history_size(history::MAX_LINES)
        .map_err(editing)?
        .build();
    let signal = |error| CliError::io("handling Ctrl-C", &error);
    daemon.ignore_interrupts();
    let interrupt = Interrupt::install().map_err(signal)?;
    let lines = MemHistory::with_config(&config);
    let made = Interrupt::keep(|| Editor::with_history(config, lines));
    let mut editor = made.map_err(signal)?.map_err(editing)?;
    let session = Rc::new(Session::open(daemon, interrupt)?);
    editor.set_helper(Some(EditHelper::new(Rc::clone(&session))));
    let mut history = History::open();
    for line in history.lines() {
        editor.add_history_entry(line).map_err(editing)?;
    }
    loop {
        let text = match editor.readline(&prompt) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(Exit::Answered),
            Err(error) => return Err(editing(error)),
        };
        // Pasted text may have several lines.
        for line in text.lines() {
            let question = session.question(line).filter(|_| !yes);
            let is_wanted = match &question {
                Some(question) => {
                    // Without hints and history of the shell's lines.
                    editor.set_helper(None);
                    let answer = editor.readline(question);
                    editor.set_helper(Some(EditHelper::new(Rc::clone(&session))));
                    answer.is_ok_and(|text| matches!(text.trim(), "y" | "Y" | "yes"))
                }
                None => true,
            };
            let is_over = is_wanted && session.run(line).is_break();
            let keep = session.where_to_keep(line);
            if keep != Keep::Nowhere {
                editor.add_history_entry(line.trim_end()).map_err(editing)?;
            }
            if keep == Keep::InFile {
                history.keep(line.trim_end());
            }
            if is_over {
                return Ok(Exit::Answered);
            }
        }
    }
}

/// Each answer ends its line.
const ANSWERS: Form = Form { is_raw: false, is_open: false, has_many: true };

/// How long the daemon may take to answer a completion or a question of the shell itself.
const TIMEOUT: Duration = Duration::from_millis(300);

/// The daemon and its interface.
struct Session {
    daemon: Daemon,
    client: Client,
    interrupt: Interrupt,
    interface: RefCell<Rc<Interface>>,
    /// The number of connections when the interface was read. With a later connection, the daemon
    /// may have been restarted.
    seen: Cell<u64>,
}

/// Where a line is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Nowhere,
    /// In memory: the line can be corrected until the shell ends.
    InMemory,
    InFile,
}

impl Session {
    fn open(daemon: Daemon, interrupt: Interrupt) -> Result<Self> {
        let client = interrupt.watch(daemon.each_limited());
        let (interface, _) = interrupt.during(|| Interface::of(&client));
        let interface = RefCell::new(Rc::new(interface?));
        let seen = Cell::new(interrupt.connections());
        Ok(Self { daemon, client, interrupt, interface, seen })
    }

    fn interface(&self) -> Rc<Interface> {
        Rc::clone(&self.interface.borrow())
    }

    /// Returns a client with a short timeout.
    fn quick(&self) -> Client {
        self.client.clone().timeout(TIMEOUT)
    }

    /// Asks the daemon for its interface. Returns whether it answered in time.
    fn refresh(&self) -> bool {
        let (interface, _) = self.interrupt.during(|| Interface::of(&self.quick()));
        let is_reachable = interface.is_ok();
        if let Ok(interface) = interface {
            self.interface.replace(Rc::new(interface));
            self.seen.set(self.interrupt.connections());
        }
        is_reachable
    }

    /// Runs a line and prints its error. Breaks if the line exits the shell.
    fn run(&self, line: &str) -> ControlFlow<()> {
        let words = call::split(line.as_bytes()).unwrap_or_default();
        let texts: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let ran = match &texts[..] {
            [] if line.trim().is_empty() => Ok(()),
            ["exit" | "quit"] => return ControlFlow::Break(()),
            ["help", names @ ..] if self.has_help() => self.help(names),
            words if self.asks_for_help(words) => {
                let end = words.iter().position(|word| *word == HELP).unwrap_or_default();
                self.help(&words[..end])
            }
            _ => self.call(line.trim(), words),
        };
        if let Err(error) = ran {
            error.print_bare();
        }
        if self.interrupt.connections() != self.seen.get() {
            self.refresh();
        }
        ControlFlow::Continue(())
    }

    fn call(&self, line: &str, words: Vec<Vec<u8>>) -> std::result::Result<(), CliError> {
        let mut output = Output::open(None, ANSWERS)?;
        let texts: Vec<_> =
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let described = self.described(&texts).ok().flatten();
        let described = described.as_ref().map(|(command, used)| (command, *used));
        let command = described.map(|(command, _)| command);
        if let Some(command) = command {
            described::warn(command, "");
        }
        let show = Show::of(&self.daemon, command, None, &output);
        let words: Vec<_> = words.into_iter().map(Word::typed).collect();
        let (words, own_body) = call::prepared(&self.daemon, words, described)?;
        let own_body = own_body.map(|reader| Body::new(reader, None));
        let line = line.as_bytes();
        let made = Made::of_line(line, &self.daemon, &self.client, &words, described, &show);
        let mut was_canceled = false;
        let answered = call::answered(&mut output, |output| {
            let body = own_body.as_ref().map(|body| body as &dyn SendBody);
            let (called, is_canceled) = made.run(body, &show, output, &self.interrupt);
            // The answer may have arrived completely before.
            if is_canceled && called.is_err() {
                was_canceled = true;
                // Ends the line with the ^C that the terminal shows.
                let _ = writeln!(output);
            }
            called
        });
        match answered {
            _ if was_canceled => Err(CliError::interrupted(answered)),
            Err(Error::Io { source, .. }) if is_closed(&source) => Ok(()),
            Err(error) => Err(CliError::about(&words, error)),
            Ok(()) => Ok(()),
        }
    }

    /// Returns whether `help` is the shell's. A daemon's own command of that name has precedence.
    fn has_help(&self) -> bool {
        self.interface().find("help").is_none_or(|help| help.is_builtin)
    }

    fn asks_for_help(&self, words: &[&str]) -> bool {
        let Some(at) = words.iter().position(|word| *word == HELP) else { return false };
        let interface = self.interface();
        match interface.resolve(&words[..at]) {
            Some((command, used)) => {
                let before: Vec<_> =
                    words[used..at].iter().map(|word| (*word).to_owned()).collect();
                asks_for_help(&command, &before, words.len() == used + 1)
            }
            None => at == 1 && !interface.group(words[0]).commands.is_empty(),
        }
    }

    /// Explains the commands that the words name, or lists the commands.
    fn help(&self, mut words: &[&str]) -> std::result::Result<(), CliError> {
        let writing = |error| CliError::io("writing the output", &error);
        if words.is_empty() {
            let (interface, _) = self.interrupt.during(|| Interface::of(&self.client));
            commands::write(&interface?, None).map_err(writing)?;
            return writeln!(anstream::stdout(), "\n{SHELL_HELP}").map_err(writing);
        }
        while !words.is_empty() {
            let (found, _) = self.interrupt.during(|| Topic::of(&self.client, words));
            let (topic, used) = found?;
            topic.write(None).map_err(writing)?;
            words = &words[used..];
        }
        Ok(())
    }

    /// Returns the question before a destructive command.
    fn question(&self, line: &str) -> Option<String> {
        let words = call::split(line.as_bytes())?;
        let words: Vec<_> =
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if words.iter().any(|word| word == HELP) {
            return None;
        }
        let (command, _) = self.described(&words).ok().flatten()?;
        command.is_destructive.then(|| format!("{} is destructive: run it? [y/N] ", command.name))
    }

    /// Returns the command that the first words name, and the number of these words.
    fn described(&self, words: &[String]) -> Result<Option<(Description, usize)>> {
        if let Some((command, used)) = self.interface().resolve(words) {
            return Ok(Some((command.into_owned(), used)));
        }
        // The interface has no hidden commands.
        self.interrupt.during(|| Interface::command(&self.quick(), words)).0
    }

    /// Returns where a line is kept: in the file only if it is known to have no secret.
    fn where_to_keep(&self, line: &str) -> Keep {
        let typed = PartialLine::read(&format!("{line} "));
        let Some(name) = typed.words.first() else { return Keep::Nowhere };
        match &*name.to_ascii_lowercase() {
            "exit" | "quit" | "help" => return Keep::InFile,
            // Their words may be a token, or a line with any command.
            "auth" | "hello" | "dockipc" => return Keep::Nowhere,
            _ => {}
        }
        let Ok(known) = self.described(&typed.words) else { return Keep::Nowhere };
        match known {
            Some((command, _)) if command.arguments.iter().any(|a| a.is_secret) => Keep::Nowhere,
            Some(_) => Keep::InFile,
            None => Keep::InMemory,
        }
    }
}

const SHELL_HELP: &str = "\
help NAME explains a command. Tab completes; Up recalls earlier lines.
Ctrl-C cancels a command; exit or Ctrl-D leaves the shell.";
