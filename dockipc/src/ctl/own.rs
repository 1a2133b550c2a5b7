//! [`Program`], a daemon's own program.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;

use super::daemon::Target;
use crate::error::Result;
use crate::reply::{FromReply, Reply};

/// A daemon's own program: the daemon's commands, and the subcommands of `dockipc` without a socket.
///
/// [`main`](super::main) runs one without settings. A program that mounts it under one of its own subcommands
/// passes it the words behind that:
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use clap::Parser;
/// use dockipc::ctl::{Program, Words};
///
/// #[derive(Parser)]
/// enum Cli {
///     /// Start the compositor.
///     Run,
///     /// Talk to the compositor that runs.
///     Msg(Words),
/// }
///
/// fn main() -> ExitCode {
///     match Cli::parse() {
///         Cli::Run => ExitCode::SUCCESS,
///         Cli::Msg(words) => Program::new("/run/viewd.sock").name("viewd msg").run(words),
///     }
/// }
/// ```
#[must_use = "a program is run with `.main()` or `.run(words)`"]
pub struct Program {
    pub(super) path: PathBuf,
    name: Option<String>,
    pub(super) about: Option<String>,
    pub(super) version: Option<String>,
    formats: Vec<(String, Box<Format>)>,
    steps: Vec<(String, Box<Step>)>,
    pub(super) is_linked: bool,
}

/// Returns the text of an answer.
pub(super) type Format = dyn Fn(Reply) -> Result<String>;

type Step = dyn Fn(&mut Outgoing) -> std::result::Result<(), Box<dyn StdError>>;

impl Program {
    /// Returns the program of the daemon whose socket has this path.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            name: None,
            about: None,
            version: None,
            formats: Vec::new(),
            steps: Vec::new(),
            is_linked: false,
        }
    }

    /// Sets the name in messages and help, such as `viewd msg` for a program that is mounted under a
    /// subcommand. Default: the name of the program's file.
    ///
    /// A program whose name has a blank has no `completions` and no `man`: those of the program in which it is
    /// mounted are the right ones.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the first line of `--help`. Default: `Talk to the daemon.`
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    /// Sets the version that `--version` prints. Default: that of dockipc.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Explains, lists and completes the commands that are linked into this program while the daemon does not
    /// run. A running daemon describes its commands itself.
    #[cfg(feature = "server")]
    pub fn linked(mut self) -> Self {
        self.is_linked = true;
        self
    }

    /// Prints the answers of a command as a function returns them, without `--json` and `--raw`. Without one,
    /// a list of structs is a table on a terminal, and any other answer is printed as in line mode.
    ///
    /// ```no_run
    /// # use dockipc::ctl::Program;
    /// # Program::new("/run/spool.sock")
    /// .format("list", |jobs: Vec<(u64, String)>| match jobs.len() {
    ///     0 => "no jobs".to_owned(),
    ///     count => format!("{count} jobs, the first is {}", jobs[0].1),
    /// })
    /// # ;
    /// ```
    pub fn format<T: FromReply>(
        mut self,
        command: &str,
        format: impl Fn(T) -> String + 'static,
    ) -> Self {
        let format = move |reply| T::from_reply(reply).map(&format);
        self.formats.push((command.to_owned(), Box::new(format)));
        self
    }

    /// Runs a function before a command is sent, which can change its words and give it a body. An error ends
    /// the program with its text, and nothing is sent.
    ///
    /// ```no_run
    /// # use dockipc::ctl::Program;
    /// # Program::new("/run/wall.sock")
    /// .before("image", |call| {
    ///     let file = call.words.pop().ok_or("which image?")?;
    ///     call.body(std::fs::File::open(file)?);
    ///     Ok(())
    /// })
    /// # ;
    /// ```
    pub fn before(
        mut self,
        command: &str,
        step: impl Fn(&mut Outgoing) -> std::result::Result<(), Box<dyn StdError>> + 'static,
    ) -> Self {
        self.steps.push((command.to_owned(), Box::new(step)));
        self
    }

    /// Runs the program with the arguments of the process.
    pub fn main(self) -> ExitCode {
        self.run(std::env::args_os().skip(1))
    }

    /// Runs the program with these words, the arguments behind the program's name.
    pub fn run<W: Into<OsString>>(self, words: impl IntoIterator<Item = W>) -> ExitCode {
        let name = self.name.clone().unwrap_or_else(super::file_name);
        let words = words.into_iter().map(Into::into).collect();
        super::run_as(&Target::Own(Rc::new(self)), &name, words)
    }

    /// Returns the function that formats the answers of a command.
    pub(super) fn format_of(&self, command: &str) -> Option<&Format> {
        self.formats.iter().find(|(name, _)| name == command).map(|(_, format)| &**format)
    }

    /// Returns whether a function runs before a command is sent.
    pub(super) fn has_step(&self, command: &str) -> bool {
        self.steps.iter().any(|(name, _)| name == command)
    }

    /// Runs the functions before a command is sent.
    pub(super) fn prepare(
        &self,
        command: &str,
        outgoing: &mut Outgoing,
    ) -> std::result::Result<(), Box<dyn StdError>> {
        let mut steps = self.steps.iter().filter(|(name, _)| name == command);
        steps.try_for_each(|(_, step)| step(outgoing))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A command that is about to be sent; see [`Program::before`].
#[non_exhaustive]
pub struct Outgoing {
    /// The words behind the command's name.
    pub words: Vec<OsString>,
    pub(super) body: Option<Box<dyn Read + Send>>,
}

impl Outgoing {
    pub(super) fn new(words: Vec<OsString>) -> Self {
        Self { words, body: None }
    }

    /// Sends the bytes of a reader as the body of the command.
    pub fn body(&mut self, reader: impl Read + Send + 'static) {
        self.body = Some(Box::new(reader));
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("words", &self.words).finish_non_exhaustive()
    }
}

/// The words behind a subcommand of a clap program, which [`Program::run`] takes.
///
/// In a program that uses clap's builder, `Words::augment_args(clap::Command::new("msg"))` is the subcommand, and
/// `Words::from_arg_matches` reads its matches.
#[derive(Args, Clone, Debug, Default)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct Words {
    /// A command and its arguments; `help` lists the commands
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl IntoIterator for Words {
    type Item = OsString;
    type IntoIter = std::vec::IntoIter<OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.words.into_iter()
    }
}
