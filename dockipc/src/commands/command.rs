//! [`Command`], the registration that `#[command]` generates.

use std::fmt;
use std::pin::Pin;

use super::GroupCode;
use super::expand::Expand;
use crate::access::Allow;
use crate::answer::{Answered, Prepare};
use crate::arg::Arity;
use crate::error::Failure;
use crate::param::{Args, Marks, OwnedArgs, Param, Shape, Usage, Way};
use crate::reply::ReplyType;
use crate::text::{append, joined};

/// One command, as `#[command]` registers it.
#[doc(hidden)]
pub struct Command {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub hidden: bool,
    /// The author declares that running it twice has the same effect as once.
    pub idempotent: bool,
    pub marks: Marks,
    /// The command's own rule.
    pub allow: Option<Allow>,
    /// The doc comment, with the space after each `///`.
    pub doc: &'static str,
    pub params: &'static [Param],
    /// The type of the answer.
    pub reply: &'static ReplyType,
    pub file: &'static str,
    pub line: u32,
    /// Whether the answer may come after the function has returned.
    pub answers_later: bool,
    /// Whether the future is dropped when the command is asked to stop.
    pub abort: bool,
    /// Whether the earlier calls of the same process are cancelled when one begins.
    pub newest: bool,
    /// Called when a server with the command starts.
    pub at_start: Option<Prepare>,
    /// Parses the parameters and calls the function.
    pub code: Code,
    /// Returns the commands that are instead of this one, if its function takes an enum of commands.
    pub expand: Option<Expand>,
    /// The code for its group, if one of its names has two words.
    pub groups: Option<&'static GroupCode>,
}

/// How a command runs.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Code {
    Blocking(fn(&Args<'_>) -> Result<Answered, Failure>),
    /// The future owns the words.
    Async(fn(OwnedArgs) -> Running),
}

/// An async function that runs.
#[doc(hidden)]
pub type Running = Pin<Box<dyn Future<Output = Result<Answered, Failure>> + Send>>;

/// The parts of a command that depend on the types of its function: how it runs, its parameters, its answer.
#[doc(hidden)]
pub type CommandParts<const N: usize> =
    (Code, [Param; N], &'static ReplyType, bool, Option<Prepare>);

inventory::collect!(Command);

impl Command {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Returns the first paragraph of the doc comment as one line.
    pub(crate) fn summary(&self) -> String {
        summary(self.doc)
    }

    /// Returns the doc comment after its first paragraph.
    pub(crate) fn details(&self) -> String {
        details(self.doc)
    }

    /// Returns whether it answers with a stream.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.reply, ReplyType::Stream(_))
    }

    pub(super) fn shape(&self) -> Shape {
        let mut shape = Shape::of(self.params);
        shape.has_run |= self.answers_later || matches!(self.code, Code::Async(_));
        shape.listens |= self.answers_later || self.abort;
        shape
    }

    /// The usage line: `add <n> [--loud]`.
    pub(crate) fn usage(&self) -> String {
        format!("{self}")
    }

    /// Returns the parameters that are not injected.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static Param> + use<> {
        self.params.iter().filter(|param| param.way != Way::Injected)
    }
}

/// Returns the first paragraph of a doc comment as one line.
pub(crate) fn summary(doc: &str) -> String {
    let lines = doc.lines().map(str::trim_ascii);
    let mut first = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    joined(&mut first, " ")
}

/// Returns a doc comment after its first paragraph.
pub(crate) fn details(doc: &str) -> String {
    let lines = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_ascii_end());
    let mut after = lines.skip_while(|line| line.is_empty()).skip_while(|line| !line.is_empty());
    joined(&mut after, "\n")
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Usage { name: self.name, params: self.params }.fmt(f)
    }
}

impl Param {
    /// Returns the type or the choices, as help shows them.
    pub(crate) fn values(&self) -> String {
        let more = match self.extra {
            Some(extra) => (extra.code.values)(self, extra),
            None if self.arity == Arity::Many => ", any number".to_owned(),
            None => String::new(),
        };
        match (self.way, self.choices) {
            (Way::Flag(_), _) => String::new(),
            (Way::Body, _) if self.body.is_some_and(|body| body.items.is_some()) => {
                "a line for each item: the last word, or all that follows a line".to_owned()
            }
            (Way::Body, _) => "the last word, or all that follows a line".to_owned(),
            (_, []) if self.is_map => format!("KEY=VALUE, {}{more}", self.ty),
            (_, []) => format!("{}{more}", self.ty),
            (_, choices) => {
                let mut text = joined(&mut choices.iter().copied(), "|");
                for (alias, word) in self.aliases {
                    append(&mut text, format_args!(", {alias} for {word}"));
                }
                text + &more
            }
        }
    }
}
