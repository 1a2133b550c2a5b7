//! Makes a command of each variant of an enum that a function takes.
//!
//! Such a function registers one [`Command`], the template. It is expanded when the first server of the process starts;
//! the rest of the code sees ordinary commands. Only templates refer to this code, so that other programs do not contain
//! it.

use std::sync::{Mutex, PoisonError};

use super::name::{LONGEST_NAME, RESERVED, first_word};
use super::{Command, GROUPS};
use crate::access::allow;
use crate::param::{CommandSet, Group, Param, Variant, Way, leading, number};
use crate::rule::parse;

/// Returns the commands of a template.
pub(super) type Expand = fn(&'static Command) -> &'static [Command];

impl Command {
    /// Returns every command of the program.
    pub(crate) fn all() -> Vec<&'static Self> {
        let mut all = Vec::new();
        for command in inventory::iter::<Self> {
            match command.expand {
                None => all.push(command),
                Some(expand) => all.extend(expand(command)),
            }
        }
        all
    }
}

/// Returns the function that expands a command, if it has a parameter whose variants are commands. Checks that its
/// name fits: `flatten` gives the commands the names of the variants alone.
#[doc(hidden)]
#[track_caller]
pub const fn expand(params: &[Param], name: &str, flatten: bool) -> Option<Expand> {
    let mut rest = params;
    while let [param, others @ ..] = rest {
        if let Group::Commands(CommandSet { prefix, variants }) = param.group {
            if let Some(prefix) = prefix {
                assert!(
                    !flatten && is_same(name, prefix),
                    "the enum has a `prefix`, by which clients call its commands: give the function this name",
                );
            }
            assert!(
                flatten || first_word(name).len() == name.len(),
                "the commands of the variants have names of two words: give the function a name of one word",
            );
            assert!(
                !flatten || leading(params) == 0,
                "a word in front of the enum stands between the two words of a name: give the function a name and not `flatten`",
            );
            let (mut i, longest) = (0, LONGEST_NAME - if flatten { 0 } else { name.len() + 1 });
            while i < variants.len() {
                check_name(variants[i].name, flatten, longest);
                check_leading(params, variants[i].params);
                let mut j = 0;
                while j < variants[i].aliases.len() {
                    check_name(variants[i].aliases[j], flatten, longest);
                    j += 1;
                }
                i += 1;
            }
            return Some(if flatten { flattened } else { grouped });
        }
        rest = others;
    }
    assert!(!flatten, "`flatten` is for a function that takes an enum that derives `Commands`");
    None
}

/// Checks a name of a variant.
#[track_caller]
const fn check_name(name: &str, flatten: bool, longest: usize) {
    let first = first_word(name);
    assert!(
        flatten || first.len() == name.len(),
        "a variant has a name of two words, and the function a name: give the variant a name of one word, or write `flatten`",
    );
    assert!(name.len() <= longest, "the name of a variant is too long: a command's has 64 bytes");
    let mut i = 0;
    while flatten && i < RESERVED.len() {
        assert!(
            !is_same(first, RESERVED[i]),
            "a variant has a name that the protocol uses: give it another, or give the function a name and not `flatten`",
        );
        i += 1;
    }
}

/// Checks that no parameter of a variant has the name of one in front of the enum.
#[track_caller]
const fn check_leading(params: &[Param], of_variant: &[Param]) {
    let mut i = 0;
    while i < params.len() {
        let mut j = 0;
        while leading(params) > 0 && j < of_variant.len() {
            assert!(
                !matches!(params[i].way, Way::Positional)
                    || !is_same(params[i].name, of_variant[j].name),
                "a parameter of a variant has the name of one in front of the enum: rename one of the two",
            );
            j += 1;
        }
        i += 1;
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut i = 0;
    while i < one.len() {
        if one[i] != other[i] {
            return false;
        }
        i += 1;
    }
    true
}

fn flattened(template: &'static Command) -> &'static [Command] {
    once(template, &[])
}

fn grouped(template: &'static Command) -> &'static [Command] {
    let prefixes: Vec<_> = [&template.name].into_iter().chain(template.aliases).copied().collect();
    once(template, &prefixes)
}

/// Expands a template, or returns its commands of the first time.
fn once(template: &'static Command, prefixes: &[&str]) -> &'static [Command] {
    static EXPANDED: Mutex<Vec<(&Command, &[Command])>> = Mutex::new(Vec::new());
    let mut expanded = EXPANDED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = expanded.iter().find(|(known, _)| std::ptr::eq(*known, template));
    if let Some((_, commands)) = known {
        return commands;
    }
    let commands: &'static [Command] = Vec::leak(each(template, prefixes));
    expanded.push((template, commands));
    commands
}

/// Makes the commands. What they refer to is there until the process ends.
fn each(template: &'static Command, prefixes: &[&str]) -> Vec<Command> {
    let set = template.params.iter().find_map(|param| match param.group {
        Group::Commands(set) => Some(set),
        _ => None,
    });
    let variants = set.map_or(&[][..], |set| set.variants).iter();
    let command = |variant: &'static Variant| {
        let names = [&variant.name].into_iter().chain(variant.aliases).copied();
        let names: Vec<&'static str> = if prefixes.is_empty() {
            names.collect()
        } else {
            let names: Vec<_> = names.collect();
            let under = |prefix: &&str| {
                let joined = |name: &&str| &*String::leak(format!("{prefix} {name}"));
                names.iter().map(joined).collect::<Vec<_>>()
            };
            prefixes.iter().flat_map(under).collect()
        };
        let (name, aliases) = (names[0], &Vec::leak(names)[1..]);
        let rule = variant.allow.and_then(|text| parse(text).ok());
        Command {
            name,
            aliases,
            hidden: template.hidden || variant.hidden,
            idempotent: template.idempotent || variant.idempotent,
            marks: template.marks.or(&variant.marks),
            allow: rule.map(|terms| allow(Vec::leak(terms))).or(template.allow),
            doc: variant.doc,
            params: Vec::leak(params(template.params, variant)),
            expand: None,
            groups: Some(&GROUPS),
            ..*template
        }
    };
    variants.map(command).collect()
}

/// Returns the parameters of a command: those of the function, with those of the variant in the place of its enum.
fn params(template: &[Param], variant: &Variant) -> Vec<Param> {
    let mut params = Vec::with_capacity(template.len() + variant.params.len());
    for param in template {
        params.extend_from_slice(match param.group {
            Group::Commands(_) => variant.params,
            _ => std::slice::from_ref(param),
        });
    }
    number(&mut params);
    params
}
