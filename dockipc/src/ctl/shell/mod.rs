//! `shell`: the daemon's commands at a prompt.

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
mod interrupt;

use self::editing::Editing;
use self::history::History;
use self::interrupt::{Interrupt, Stoppable};
use super::complaint::Complaint;
use super::complete::Typed;
use super::daemon::Daemon;
use super::exit::Exit;
use super::interface::{Description, Interface};
use super::output::{Output, is_nobody};
use super::word::Word;
use super::{call, commands, help};
use crate::client::Client;
use crate::error::{Error, Result};

/// Reads commands and runs them until the user has enough. Without a terminal, reads lines as
/// `call --file -` does.
pub(super) fn shell(daemon: Daemon, program: &str) -> std::result::Result<Exit, Complaint> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return call::lines(&daemon, Path::new("-"), false, &mut Output::open(None)?, program);
    }
    let prompt = format!("{}> ", daemon.name);
    let editing = |error| match error {
        ReadlineError::Io(error) => Complaint::io("reading a line", &error),
        error => Complaint::io("reading a line", &io::Error::other(error)),
    };
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .color_mode(if has_colours() { ColorMode::Enabled } else { ColorMode::Disabled })
        .history_ignore_space(true)
        .max_history_size(history::MOST)
        .map_err(editing)?
        .build();
    let signal = |error| Complaint::io("handling Ctrl-C", &error);
    daemon.leave_interrupts();
    let interrupt = Interrupt::take().map_err(signal)?;
    let lines = MemHistory::with_config(&config);
    let made = Interrupt::keep(|| Editor::with_history(config, lines));
    let mut editor = made.map_err(signal)?.map_err(editing)?;
    let session = Rc::new(Session::open(&daemon, interrupt)?);
    editor.set_helper(Some(Editing::new(Rc::clone(&session))));
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
        // Text that was pasted may have several.
        for line in text.lines() {
            let is_over = session.run(line).is_break();
            let kept = session.may_be_kept(line);
            if kept != Kept::Nowhere {
                editor.add_history_entry(line.trim_end()).map_err(editing)?;
            }
            if kept == Kept::InTheFile {
                history.keep(line.trim_end());
            }
            if is_over {
                return Ok(Exit::Answered);
            }
        }
    }
}

/// Whether the terminal is to have colours.
fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// How long Tab, and what is asked between two commands, waits for the daemon.
const PATIENCE: Duration = Duration::from_millis(300);

/// The daemon, and what is known of it.
struct Session {
    client: Client,
    interrupt: Interrupt,
    interface: RefCell<Rc<Interface>>,
    /// The connections when the interface was read. With a new one the daemon may be another.
    seen: Cell<u64>,
}

/// Where a line may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nowhere,
    /// Until this shell ends: what can be put right and run then.
    Here,
    InTheFile,
}

impl Session {
    fn open(daemon: &Daemon, interrupt: Interrupt) -> Result<Self> {
        let client = interrupt.watch(daemon.client.clone());
        let (interface, _) = interrupt.during(|| Interface::of(&client));
        let interface = RefCell::new(Rc::new(interface?));
        let seen = Cell::new(interrupt.connections());
        Ok(Self { client, interrupt, interface, seen })
    }

    fn interface(&self) -> Rc<Interface> {
        Rc::clone(&self.interface.borrow())
    }

    /// A client that does not let anybody wait.
    fn quick(&self) -> Client {
        self.client.clone().timeout(PATIENCE)
    }

    /// Asks the daemon what it offers now. True if it has said it in time.
    fn look(&self) -> bool {
        let (interface, _) = self.interrupt.during(|| Interface::of(&self.quick()));
        let is_told = interface.is_ok();
        if let Ok(interface) = interface {
            self.interface.replace(Rc::new(interface));
            self.seen.set(self.interrupt.connections());
        }
        is_told
    }

    /// Runs a line and tells what comes of it. Breaks off where the user has enough.
    fn run(&self, line: &str) -> ControlFlow<()> {
        let words = call::split(line.as_bytes()).unwrap_or_default();
        let texts: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let told = match &texts[..] {
            [] if line.trim().is_empty() => Ok(()),
            ["exit" | "quit"] => return ControlFlow::Break(()),
            ["help", names @ ..] if self.helps() => self.help(names),
            _ => self.call(line.trim(), words),
        };
        if let Err(complaint) = told {
            complaint.tell_alone();
        }
        if self.interrupt.connections() != self.seen.get() {
            self.look();
        }
        ControlFlow::Continue(())
    }

    fn call(&self, line: &str, words: Vec<Vec<u8>>) -> std::result::Result<(), Complaint> {
        let mut output = Output::open(None)?;
        let (called, was_stopped) = self.interrupt.during(|| {
            let call = self.client.command("dockipc").arg("line").arg(line);
            call.copy_to(&mut Stoppable::new(&mut output, &self.interrupt))
        });
        let ended = output.end(true);
        match called {
            _ if was_stopped => {
                // Behind the ^C that the terminal shows.
                let _ = writeln!(output);
                Err(Complaint::stopped("cancelled; the daemon may be at it still, or have done it"))
            }
            Err(Error::Io { source, .. }) if is_nobody(&source) => Ok(()),
            Err(error) => {
                let words: Vec<_> = words.into_iter().map(Word::typed).collect();
                Err(Complaint::about(&words, error))
            }
            Ok(_) => ended.map_err(|error| Complaint::io("writing", &error)),
        }
    }

    /// Whether `help` is the shell's: an author's own command of that name is the daemon's.
    fn helps(&self) -> bool {
        self.interface().find("help").is_none_or(|help| help.is_builtin)
    }

    fn help(&self, names: &[&str]) -> std::result::Result<(), Complaint> {
        let writing = |error| Complaint::io("writing", &error);
        let (described, _) = self.interrupt.during(|| -> Result<_> {
            match names {
                [] => Interface::of(&self.client).map(|interface| (Some(interface), Vec::new())),
                names => {
                    let each = names.iter().map(|name| self.described(name));
                    each.collect::<Result<Vec<_>>>().map(|commands| (None, commands))
                }
            }
        });
        let (interface, described) = described?;
        if let Some(interface) = interface {
            commands::write(&interface).map_err(writing)?;
            return writeln!(anstream::stdout(), "\n{SHELL_HELP}").map_err(writing);
        }
        described.iter().try_for_each(help::write).map_err(writing)
    }

    fn described(&self, name: &str) -> Result<Description> {
        match Interface::command(&self.client, name)? {
            Some(command) => Ok(command),
            // The daemon has the nearest name.
            None => self
                .client
                .command("help")
                .arg(name)
                .call::<()>()
                .and_then(|()| Err(Error::Protocol(format!("nothing is said of {name}")))),
        }
    }

    /// A line is written down only where it is known to have no secret in it.
    fn may_be_kept(&self, line: &str) -> Kept {
        let typed = Typed::read(&format!("{line} "));
        let Some(name) = typed.words.first() else { return Kept::Nowhere };
        let name = name.to_ascii_lowercase();
        match &*name {
            "exit" | "quit" | "help" => return Kept::InTheFile,
            // Theirs may be a token, or a line of any command.
            "auth" | "hello" | "dockipc" => return Kept::Nowhere,
            _ => {}
        }
        let interface = self.interface();
        let known = if let Some(command) = interface.find(&name) {
            Some(command.clone())
        } else {
            // Help does not show all there are.
            let (asked, _) = self.interrupt.during(|| Interface::command(&self.quick(), &name));
            let Ok(asked) = asked else { return Kept::Nowhere };
            asked
        };
        match known {
            Some(command) if command.arguments.iter().any(|a| a.is_secret) => Kept::Nowhere,
            Some(_) => Kept::InTheFile,
            None => Kept::Here,
        }
    }
}

const SHELL_HELP: &str = "\
help NAME explains a command. Tab completes, Up brings back earlier lines.
Ctrl-C stops to wait for an answer; exit or Ctrl-D ends.";
