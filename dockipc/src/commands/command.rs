//! One command, as `#[command]` registers it.

use std::fmt;

use crate::access::Term;
use crate::arg::Arity;
use crate::error::Failure;
use crate::param::{Args, Param, Way};
use crate::reply::Reply;
use crate::text::joined;

/// One command, as `#[command]` registers it.
#[doc(hidden)]
pub struct Command {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub hidden: bool,
    /// The author says that to run it twice is the same as once.
    pub idempotent: bool,
    /// Who may run it: any of these.
    pub allow: Option<&'static [Term<'static>]>,
    /// The doc comment as it stands, with the blank that follows `///`.
    pub doc: &'static str,
    pub params: &'static [Param],
    pub file: &'static str,
    pub line: u32,
    /// Parses the parameters and calls the function.
    pub run: for<'r> fn(&Args<'r>) -> Result<Reply, Failure>,
}

inventory::collect!(Command);

impl Command {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The doc comment's first paragraph, as one line.
    pub(crate) fn summary(&self) -> String {
        let lines = self.doc.lines().map(str::trim);
        let mut first =
            lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        joined(&mut first, " ")
    }

    /// The doc comment after its first paragraph.
    pub(crate) fn details(&self) -> String {
        let lines = self.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
        let mut after =
            lines.skip_while(|line| line.is_empty()).skip_while(|line| !line.is_empty());
        joined(&mut after, "\n")
    }

    /// The usage line: `add <n> [--loud]`.
    pub(crate) fn usage(&self) -> String {
        format!("{self}")
    }

    /// The parameters that a caller gives.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static Param> + use<> {
        self.params.iter().filter(|param| param.way != Way::Injected)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.given().try_for_each(|param| write!(f, " {param}"))
    }
}

impl Param {
    /// What help says of a parameter: its type, or the words to choose from.
    pub(crate) fn values(&self) -> String {
        let many = if self.arity == Arity::Many { ", any number" } else { "" };
        match (self.way, self.choices) {
            (Way::Flag(_), _) => String::new(),
            (_, []) => format!("{}{many}", self.ty),
            (_, choices) => format!("{}{many}", joined(&mut choices.iter().copied(), "|")),
        }
    }
}
