//! The names of a generated client: its types, which answers and arguments refer to, and identifiers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::interface::{
    Answer, Argument, Description, Field, Interface, Kind, Type, Variant,
};
use super::part::{is_row, is_scalar};

/// A struct or an enum, with a name of its own in the generated code.
pub(super) struct Named {
    pub(super) name: String,
    /// The name in the description.
    described: String,
    /// That name as a type has it.
    plain: String,
    pub(super) form: Form,
    /// The texts about words of an enum.
    helps: BTreeMap<String, String>,
    /// Whether another version may have more words or variants.
    pub(super) is_open: bool,
    /// Whether it is the type of an argument.
    pub(super) is_sent: bool,
    /// Whether it is in an answer.
    pub(super) is_answered: bool,
    /// Whether it is in the items of a body.
    pub(super) is_item: bool,
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
                if let Some(of) = argument.of.as_ref().filter(|_| has_items(argument)) {
                    types.mark(of, |named| &mut named.is_item);
                }
            }
            if let Some(answer) = &command.answer {
                types.collect(answer);
                types.mark(answer, |named| &mut named.is_answered);
            }
        }
        types
    }

    /// Sets a mark of the types in a type, which were collected.
    fn mark(&mut self, answer: &Answer, field: fn(&mut Named) -> &mut bool) {
        let place = self.named(answer).map(|named| &named.name);
        let place = place.and_then(|name| self.list.iter().position(|named| named.name == *name));
        if place.is_some_and(|at| std::mem::replace(field(&mut self.list[at]), true)) {
            return;
        }
        for of in inner(answer) {
            self.mark(of, field);
        }
    }

    fn collect(&mut self, answer: &Answer) {
        let is_new = match &answer.ty {
            // The fields of a variant have no name.
            Type::Struct { name, fields: Some(fields) } if !name.is_empty() => {
                self.add(name, Form::Struct(fields.clone())).1
            }
            // A daemon of dockipc has none without words: no language has a type of them.
            Type::Enum { words, .. } if words.is_empty() => false,
            Type::Union { variants: Some(variants), .. } if variants.is_empty() => false,
            Type::Enum { name, words, variants } => {
                let named = self.add(name, Form::Enum(words.clone())).0;
                named.is_open |= answer.is_open;
                let helps = variants.iter().map(|of| (of.name.clone(), of.help.clone()));
                named.helps.extend(helps);
                false
            }
            Type::Union { name, variants: Some(variants) } => {
                let (named, is_new) = self.add(name, Form::Union(variants.clone()));
                named.is_open |= answer.is_open;
                is_new
            }
            _ => true,
        };
        if is_new {
            for of in inner(answer) {
                self.collect(of);
            }
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
            let (is_open, is_sent, is_answered, is_item) = (false, false, false, false);
            self.list.push(Named {
                name,
                described,
                plain,
                form,
                helps: BTreeMap::new(),
                is_open,
                is_sent,
                is_answered,
                is_item,
            });
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

    /// Returns the struct, the enum or the union that a type is.
    pub(super) fn named(&self, answer: &Answer) -> Option<&Named> {
        match &answer.ty {
            Type::Struct { name, fields: Some(fields) } => self.structure(name, fields),
            Type::Struct { name, fields: None } | Type::Union { name, variants: None } => {
                self.within(name)
            }
            Type::Union { name, variants: Some(variants) } => {
                self.find(name, &Form::Union(variants.clone()))
            }
            Type::Enum { name, words, .. } => self.find(name, &Form::Enum(words.clone())),
            _ => None,
        }
    }

    /// Returns the struct or the union with this name, for one within itself, whose content is not described there.
    pub(super) fn within(&self, described: &str) -> Option<&Named> {
        let is_one =
            |named: &&Named| named.described == described && !matches!(named.form, Form::Enum(_));
        self.list.iter().find(is_one)
    }
}

impl Named {
    /// Returns the text about a word of an enum, or an empty text.
    pub(super) fn help(&self, word: &str) -> &str {
        self.helps.get(word).map_or("", |help| help)
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
pub(super) fn own(interface: &Interface) -> impl Iterator<Item = &Description> {
    interface.commands.values().filter(|command| !command.is_builtin)
}

/// Returns the types that a type is made of.
fn inner(answer: &Answer) -> Vec<&Answer> {
    match &answer.ty {
        Type::Optional { of } | Type::List { of } | Type::Set { of } | Type::Stream { of } => {
            vec![of]
        }
        Type::Map { key, of } => vec![key, of],
        Type::Row { columns } => columns.iter().collect(),
        Type::Struct { fields, .. } => fields.iter().flatten().map(|field| &field.of).collect(),
        Type::Union { variants, .. } => {
            variants.iter().flatten().flat_map(|variant| &variant.of).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns what a command does, and since when.
pub(super) fn explained(command: &Description) -> String {
    let mut text = command.summary.clone();
    let since = command.since.as_ref().map(|version| format!("Since version {version}."));
    for part in [Some(&*command.details), collected(command), since.as_deref()] {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            text += &format!("\n\n{part}");
        }
    }
    text
}

/// Returns the help of an argument, with its limits and its default, and the form of a body whose items are no rows.
pub(super) fn documentation(argument: &Argument) -> String {
    let mut notes = argument.limits();
    notes.retain(|note| note != "absolute");
    let is_text = argument.ty == "text" && argument.choices.is_empty();
    let default = |default: &str| if is_text { literal(default) } else { default.into() };
    notes.extend(argument.default.as_deref().map(|of| format!("default {}", default(of))));
    let of = argument.of.as_ref().filter(|_| !has_items(argument));
    notes.extend(of.map(|of| format!("a line for each item, {of}")));
    let (help, notes) = (argument.help.trim_end_matches('.'), notes.join(", "));
    match (help, &*notes) {
        (_, "") => argument.help.clone(),
        ("", _) => notes,
        _ => format!("{help} ({notes})."),
    }
}

/// Returns whether an argument is a body of items that a generated client writes as rows.
pub(super) fn has_items(argument: &Argument) -> bool {
    argument.kind == Kind::Body && argument.of.as_ref().is_some_and(|of| is_row(of, true))
}

/// Returns whether a stream of these items can be subscribed to, and the text of a message is one item for certain: a
/// missing value would look like an empty text, and the row of a struct has no end of a list that a newer daemon adds.
pub(super) fn can_be_subscribed(command: &Description, of: &Answer) -> bool {
    let mut kinds = command.arguments.iter().map(|argument| argument.kind);
    let is_line = kinds.all(|kind| !matches!(kind, Kind::Last | Kind::Body));
    let is_text = match &of.ty {
        Type::Row { columns } => !columns.is_empty() && columns.iter().all(is_scalar),
        Type::Json { .. } => true,
        _ => is_scalar(of),
    };
    command.is_idempotent && is_text && is_line
}

/// Returns a sentence for the documentation of a stream that is called and not subscribed to.
fn collected(command: &Description) -> Option<&'static str> {
    match command.answer.as_ref().map(|answer| &answer.ty) {
        Some(Type::Stream { of }) if !can_be_subscribed(command, of) => {
            Some("The items come together, when the command has ended.")
        }
        _ => None,
    }
}

/// Returns a literal of Python and JavaScript. A text of a description has no control characters.
pub(super) fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The widest line of generated code, unless it can't be broken.
pub(super) const WIDTH: usize = 100;

/// Returns a list on one line or, if it is too wide, with a line for each item. `indent` is that of the line, and the
/// items have `step` blanks more.
pub(super) fn spread(
    open: &str,
    items: &[String],
    close: &str,
    indent: usize,
    step: usize,
) -> String {
    let line = format!("{open}{}{close}", items.join(", "));
    let is_short = indent + line.chars().count() <= WIDTH && !line.contains('\n');
    if is_short || items.is_empty() {
        return line;
    }
    let inner = " ".repeat(indent + step);
    let items: String = items.iter().map(|item| format!("{inner}{item},\n")).collect();
    format!("{open}\n{items}{:indent$}{close}", "")
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
