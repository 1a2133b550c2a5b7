//! The names of a generated client: its types, which answers and arguments refer to, and identifiers.

use std::collections::BTreeSet;

use super::super::interface::{Answer, Argument, Field, Interface, Type, Variant};

/// A struct or an enum, with a name of its own in the generated code.
pub(super) struct Named {
    pub(super) name: String,
    /// The name in the description.
    described: String,
    /// That name as a type has it.
    plain: String,
    pub(super) form: Form,
    /// Whether another version may have more words or variants.
    pub(super) is_open: bool,
    /// Whether it is the type of an argument.
    pub(super) is_sent: bool,
}

pub(super) enum Form {
    Struct(Vec<Field>),
    Enum(Vec<String>),
    Union(Vec<Variant>),
}

/// All types with names, in the order in which the commands mention them.
pub(super) struct Types {
    pub(super) list: Vec<Named>,
    taken: BTreeSet<String>,
}

impl Types {
    /// Collects the types of an interface. `taken` are names that the generated code needs for itself.
    pub(super) fn of(interface: &Interface, taken: &[&str]) -> Self {
        let taken = taken.iter().map(ToString::to_string).collect();
        let mut types = Self { list: Vec::new(), taken };
        for command in own(interface) {
            for argument in &command.arguments {
                if is_choice(argument) {
                    types.add(&argument.ty, Form::Enum(argument.choices.clone())).0.is_sent = true;
                }
                argument.of.iter().for_each(|of| types.collect(of));
            }
            if let Some(answer) = &command.answer {
                types.collect(answer);
            }
        }
        types
    }

    fn collect(&mut self, answer: &Answer) {
        match &answer.ty {
            Type::Optional { of } | Type::List { of } | Type::Set { of } | Type::Stream { of } => {
                self.collect(of);
            }
            Type::Map { key, of } => {
                self.collect(key);
                self.collect(of);
            }
            Type::Row { columns } => columns.iter().for_each(|column| self.collect(column)),
            // The fields of a variant have no name.
            Type::Struct { name, fields: Some(fields) }
                if name.is_empty() || self.add(name, Form::Struct(fields.clone())).1 =>
            {
                for field in fields {
                    self.collect(&field.of);
                }
            }
            Type::Enum { name, words } => {
                self.add(name, Form::Enum(words.clone())).0.is_open |= answer.is_open;
            }
            Type::Union { name, variants: Some(variants) } => {
                let (named, is_new) = self.add(name, Form::Union(variants.clone()));
                named.is_open |= answer.is_open;
                if is_new {
                    variants.iter().flat_map(|variant| &variant.of).for_each(|of| self.collect(of));
                }
            }
            _ => {}
        }
    }

    /// Adds a type, unless it is there. Returns whether it was not.
    fn add(&mut self, described: &str, form: Form) -> (&mut Named, bool) {
        let place = self.place(described, &form);
        let at = place.unwrap_or(self.list.len());
        if place.is_none() {
            let plain = pascal(described);
            let name = unique(plain.clone(), &mut self.taken);
            let described = described.into();
            self.list.push(Named { name, described, plain, form, is_open: false, is_sent: false });
        }
        (&mut self.list[at], place.is_none())
    }

    fn find(&self, described: &str, form: &Form) -> Option<&Named> {
        self.place(described, form).map(|at| &self.list[at])
    }

    fn place(&self, described: &str, form: &Form) -> Option<usize> {
        let name = pascal(described);
        self.list.iter().position(|named| named.plain == name && is_same(&named.form, form))
    }

    /// Returns the name of the enum with these words.
    pub(super) fn choice(&self, described: &str, words: &[String]) -> Option<&str> {
        let words = Form::Enum(words.to_vec());
        Some(&self.find(described, &words)?.name)
    }

    /// Returns the name of the struct with these fields.
    pub(super) fn structure(&self, described: &str, fields: &[Field]) -> Option<&Named> {
        self.find(described, &Form::Struct(fields.to_vec()))
    }

    /// Returns the name of the union with these variants.
    pub(super) fn union(&self, described: &str, variants: &[Variant]) -> Option<&str> {
        Some(&self.find(described, &Form::Union(variants.to_vec()))?.name)
    }

    /// Returns the struct or the union with this name, for one within itself, whose content is not described there.
    pub(super) fn within(&self, described: &str) -> Option<&Named> {
        let is_one =
            |named: &&Named| named.described == described && !matches!(named.form, Form::Enum(_));
        self.list.iter().find(is_one)
    }
}

/// Compares two types with the same name. A struct is described differently within itself.
fn is_same(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Enum(a), Form::Enum(b)) => a == b,
        (Form::Struct(a), Form::Struct(b)) => {
            let shown = |field: &Field| (field.name.clone(), field.of.to_string());
            a.iter().map(shown).eq(b.iter().map(shown))
        }
        (Form::Union(a), Form::Union(b)) => {
            let shown = |variant: &Variant| {
                (variant.name.clone(), variant.of.as_ref().map(ToString::to_string))
            };
            a.iter().map(shown).eq(b.iter().map(shown))
        }
        _ => false,
    }
}

/// Returns the commands of the daemon's author.
pub(super) fn own(
    interface: &Interface,
) -> impl Iterator<Item = &super::super::interface::Description> {
    interface.commands.values().filter(|command| !command.is_builtin)
}

/// Returns the help of an argument, with the form of a body's items.
pub(super) fn documentation(argument: &Argument) -> String {
    let Some(of) = &argument.of else { return argument.help.clone() };
    let help = argument.help.trim_end_matches('.');
    let separator = if help.is_empty() { "" } else { "; " };
    format!("{help}{separator}a line for each item, {of}")
}

/// Returns whether an argument is one of the words of a type of the author's.
pub(super) fn is_choice(argument: &Argument) -> bool {
    !argument.choices.is_empty() && argument.ty != "boolean"
}

/// Returns the name of the type that calls a daemon: that of its socket, unless the generated code needs that itself.
pub(super) fn named_after(daemon: &str, taken: &[&str]) -> String {
    unique(pascal(daemon), &mut taken.iter().map(ToString::to_string).collect())
}

/// Returns a name that is not taken, and takes it.
pub(super) fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{name}{n}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let name = names.find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(name.clone());
    name
}

/// Returns the words of a name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Returns a name as a type has it: `dry-run` is `DryRun`. Capital letters stay.
pub(super) fn pascal(name: &str) -> String {
    let mut pascal = String::new();
    for word in words(name) {
        let (first, rest) = word.split_at(1);
        pascal.push_str(&first.to_ascii_uppercase());
        pascal.push_str(rest);
    }
    started(pascal, "V")
}

/// Returns a name as a function has it: `dry-run` is `dry_run`.
pub(super) fn snake(name: &str) -> String {
    started(words(name).collect::<Vec<_>>().join("_").to_ascii_lowercase(), "n")
}

/// Returns a name as a function of JavaScript has it: `dry-run` is `dryRun`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let lower =
        words(name).next().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    match pascal.split_at_checked(1) {
        Some((first, rest)) if lower => first.to_ascii_lowercase() + rest,
        _ => started(pascal, "n"),
    }
}

/// Puts a letter in front of a name that begins with a digit or is empty.
fn started(name: String, letter: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("{letter}{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::{camel, pascal, snake};

    #[test]
    fn names_fit_their_language() {
        for (name, as_type, function, script) in [
            ("dry-run", "DryRun", "dry_run", "dryRun"),
            ("group add", "GroupAdd", "group_add", "groupAdd"),
            ("JobState", "JobState", "jobstate", "jobState"),
            ("7.z", "V7Z", "n7_z", "V7Z"),
            ("a:b._c", "ABC", "a_b_c", "aBC"),
        ] {
            assert_eq!((&*pascal(name), &*snake(name), &*camel(name)), (as_type, function, script));
        }
    }
}
