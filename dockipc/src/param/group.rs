//! Groups: types that are several parameters, in the place of one.
//!
//! `#[derive(Args)]` declares a group of fields, or of alternatives of which one is given, and `#[derive(Commands)]` the
//! commands of an enum. A command's own parameters are [flattened](flat) when it is compiled: the rest of the code
//! sees parameters that are one each. Nothing in here runs a command.

use super::declared::number;
use super::from_request::Kind;
use super::{Args, Marks, Param, Way, param};
use crate::arg::usage;
use crate::error::Failure;
use crate::text::joined;

/// How a parameter belongs to others.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Group {
    /// The parameter is one by itself.
    Alone,
    /// These parameters are in its place.
    Fields(&'static [Param]),
    /// These parameters are in its place, and one of them is given.
    OneOf { of: &'static [Param], is_optional: bool },
    /// A parameter of [`Group::OneOf`], in whose place it is: `of` is the name there.
    Alternative { of: &'static str, is_optional: bool },
    /// Each variant of the parameter's type is a command, until the command is expanded.
    Commands(&'static CommandSet),
    /// The number of the variant that the command is.
    Variant(usize),
}

/// The commands of an enum.
#[doc(hidden)]
#[derive(Debug)]
pub struct CommandSet {
    /// The first word of their names.
    pub prefix: Option<&'static str>,
    pub variants: &'static [Variant],
}

/// A variant that is a command.
#[doc(hidden)]
#[derive(Debug)]
pub struct Variant {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub hidden: bool,
    pub idempotent: bool,
    pub marks: Marks,
    /// The text of its rule.
    pub allow: Option<&'static str>,
    /// The doc comment, with the space after each `///`.
    pub doc: &'static str,
    /// The place of the enum, and the parameters of the variant.
    pub params: &'static [Param],
}

/// Reads a group from the parameters that begin at an index.
type ReadGroup<T> = fn(&Args<'_>, usize) -> Result<T, Failure>;

/// A type that reads itself from parameters, and the parameters. One constant has both, because the compiler reports a
/// mistake in a type once in each body of code.
#[doc(hidden)]
pub trait Grouped<P: 'static>: Sized {
    const PARTS: (ReadGroup<Self>, P);
}

impl Param {
    /// Returns the number of parameters that are in its place.
    const fn width(&self) -> usize {
        match self.group {
            Group::Fields(of) | Group::OneOf { of, .. } => of.len(),
            _ => 1,
        }
    }

    /// Returns the name of the parameter in whose place exactly one is given, and whether none may be.
    pub(crate) fn alternative(&self) -> Option<(&'static str, bool)> {
        match self.group {
            Group::Alternative { of, is_optional } => Some((of, is_optional)),
            _ => None,
        }
    }
}

/// Returns the index of a parameter's first one among the flat parameters.
#[doc(hidden)]
pub const fn base(params: &[Param], index: usize) -> usize {
    let (mut i, mut base) = (0, 0);
    while i < index {
        base += params[i].width();
        i += 1;
    }
    base
}

/// Returns the number of flat parameters.
#[doc(hidden)]
pub const fn count(params: &[Param]) -> usize {
    base(params, params.len())
}

/// Puts the parameters of groups in the places of these.
#[doc(hidden)]
pub const fn flat<const COUNT: usize>(params: &[Param]) -> [Param; COUNT] {
    let mut flat = [param("", "", None, None, Kind::INJECTED); COUNT];
    let (mut i, mut at) = (0, 0);
    while i < params.len() {
        let (of, group) = match params[i].group {
            Group::Fields(of) => (of, None),
            Group::OneOf { of, is_optional } => {
                (of, Some(Group::Alternative { of: params[i].name, is_optional }))
            }
            _ => (std::slice::from_ref(&params[i]), None),
        };
        let mut j = 0;
        while j < of.len() {
            flat[at] = of[j];
            if let Some(group) = group {
                flat[at].group = group;
            }
            at += 1;
            j += 1;
        }
        i += 1;
    }
    number(&mut flat);
    flat
}

/// Returns the number of words in front of the enum of commands whose variant the command is.
pub(crate) const fn leading(params: &[Param]) -> usize {
    let (mut words, mut rest) = (0, params);
    while let [param, others @ ..] = rest {
        if matches!(param.group, Group::Commands(_) | Group::Variant(_)) {
            return words;
        }
        words += matches!(param.way, Way::Positional) as usize;
        rest = others;
    }
    0
}

/// Makes the parameter that is in the place of an enum of commands, in front of those of one of its variants.
#[doc(hidden)]
pub const fn place(number: usize) -> Param {
    Param { group: Group::Variant(number), ..param("", "", None, None, Kind::INJECTED) }
}

impl Kind {
    /// Returns the commands, if each variant of the type is one.
    pub(crate) const fn commands(self) -> Option<&'static CommandSet> {
        match self.group {
            Group::Commands(set) => Some(set),
            _ => None,
        }
    }
}

/// Returns the properties of a group of fields.
#[doc(hidden)]
pub const fn fields(of: &'static [Param]) -> Kind {
    Kind { group: Group::Fields(of), ..Kind::INJECTED }
}

/// Returns the properties of a group of which one is given.
#[doc(hidden)]
pub const fn one_of(of: &'static [Param], is_optional: bool) -> Kind {
    Kind { group: Group::OneOf { of, is_optional }, ..Kind::INJECTED }
}

/// Returns the properties of an enum whose variants are commands.
#[doc(hidden)]
pub const fn commands(set: &'static CommandSet) -> Kind {
    Kind { group: Group::Commands(set), ..Kind::INJECTED }
}

impl Args<'_> {
    /// Returns whether one of these parameters was given.
    pub fn has_any(&self, base: usize, count: usize) -> bool {
        (base..base + count).any(|index| self.is_given(index))
    }

    /// Returns the place of the one parameter among these that was given.
    pub fn only(&self, base: usize, count: usize) -> Result<usize, Failure> {
        let mut given = (0..count).filter(|at| self.is_given(base + at));
        let name = |at: usize| self.params[base + at].to_string();
        match (given.next(), given.next()) {
            (Some(only), None) => Ok(only),
            (Some(one), Some(other)) => Err(usage(format_args!(
                "{} conflicts with {}: give only one of them",
                name(one),
                name(other)
            ))),
            (None, _) => {
                let ways: Vec<_> = (0..count).map(name).collect();
                let ways = joined(&mut ways.iter().map(|way| &**way), ", ");
                Err(usage(format_args!("nothing is given: give one of {ways}")))
            }
        }
    }

    /// Returns the number of the variant that the command is.
    pub fn variant(&self, index: usize) -> usize {
        match self.params[index].group {
            Group::Variant(number) => number,
            // Not reached: the template of such commands is not one itself.
            _ => 0,
        }
    }

    fn is_given(&self, index: usize) -> bool {
        if let Way::Flag(_) = self.params[index].way { self.flag(index) } else { self.has(index) }
    }
}
