//! What `#[command]` registers, and the rules of names.

use std::fmt;

use crate::access::Term;
use crate::arg::{Args, Arity, Param, Way};
use crate::error::Failure;
use crate::reply::Reply;

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
        let first = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        first.collect::<Vec<_>>().join(" ")
    }

    /// The doc comment after its first paragraph.
    pub(crate) fn details(&self) -> String {
        let lines = self.doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
        let after = lines.skip_while(|line| line.is_empty()).skip_while(|line| !line.is_empty());
        after.collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    /// The parameters that a caller gives.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static Param> + use<> {
        self.params.iter().filter(|param| param.way != Way::Injected)
    }
}

/// The usage line: `add <n> [--loud]`.
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
            (_, choices) => format!("{}{many}", choices.join("|")),
        }
    }
}

/// The longest name.
const LONGEST_NAME: usize = 64;

/// The words that the protocol itself needs, which no command can have as a name. The macro crate
/// has the same list, and a test compares them.
pub(crate) const RESERVED: &[&str] = &[
    "auth",
    "client",
    "command",
    "config",
    "dockipc",
    "hello",
    "monitor",
    "psubscribe",
    "psync",
    "publish",
    "punsubscribe",
    "quit",
    "reset",
    "select",
    "slowlog",
    "spublish",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "sync",
    "unsubscribe",
];

/// Checks a name that was given at run time; the macro checks the others.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-');
    let first = name.as_bytes().first();
    if !first.is_some_and(u8::is_ascii_alphanumeric) || !name.bytes().all(fits) {
        Err("a name has a-z, 0-9, and then also . _ : -")
    } else if name.len() > LONGEST_NAME {
        Err("a name has at most 64 bytes")
    } else if RESERVED.contains(&name) {
        Err("the protocol needs this word")
    } else {
        Ok(())
    }
}
