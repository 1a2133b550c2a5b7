//! The parameters of a method beside those of the daemon's command.

use super::item::item;
use super::{Fill, Method, Sent, Way};
use crate::arg::{Placed, check_order, check_rest};
use crate::client::typed::fit::Described;
use crate::text::is_within;

/// The words that a type sends for a parameter.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Gives {
    /// The name of the type, as a daemon describes it; empty if it is unknown.
    ty: &'static str,
    /// The only words, if they can be listed.
    choices: &'static [&'static str],
    range: Option<(&'static str, &'static str)>,
    /// It may send nothing.
    is_optional: bool,
    /// It may send several words.
    is_multiple: bool,
    /// It is several parameters, whose words are not known.
    is_group: bool,
    /// The names of the commands, if it is an enum of these.
    pub(super) commands: &'static [&'static str],
}

impl Gives {
    /// Any words.
    pub const UNKNOWN: Self = Self::of("");

    /// The words of several parameters.
    pub const GROUP: Self = Self { is_group: true, ..Self::UNKNOWN };

    /// The words of one of these commands, the first of which is the second word of the name.
    pub const fn commands(commands: &'static [&'static str]) -> Self {
        Self { commands, ..Self::GROUP }
    }

    /// One word of the type with this name.
    pub const fn of(ty: &'static str) -> Self {
        Self {
            ty,
            choices: &[],
            range: None,
            is_optional: false,
            is_multiple: false,
            is_group: false,
            commands: &[],
        }
    }

    /// One of these words.
    pub const fn one_of(ty: &'static str, choices: &'static [&'static str]) -> Self {
        Self { choices, ..Self::of(ty) }
    }

    /// An integer within these limits.
    pub const fn integer(range: (&'static str, &'static str)) -> Self {
        Self { range: Some(range), ..Self::of("integer") }
    }

    #[must_use]
    pub const fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    #[must_use]
    pub const fn list(self) -> Self {
        Self { is_optional: true, is_multiple: true, ..self }
    }
}

/// Rejects parameters at compile time that no command has, as `#[command]` does.
// `track_caller` makes the error point at the author's parameter.
#[track_caller]
pub const fn check_sent(method: &Method, index: usize) {
    let this = &method.params[index];
    if let Some(Way::Flag(_)) = this.way {
        let is_bool = match this.gives.ty.as_bytes() {
            b"" | b"boolean" => !this.gives.is_optional,
            _ => false,
        };
        assert!(is_bool, "a flag is a `bool`: use `#[arg(long)]` for an option with a value");
    }
    check_rest(this.is_rest && this.gives.is_multiple);
    let mut i = 0;
    while i < index {
        if let (Some(earlier), Some(this)) = (method.params[i].placed(), this.placed()) {
            check_order(earlier, this);
        }
        i += 1;
    }
}

impl Sent {
    /// Returns how the words in its place are, if they are known.
    const fn placed(&self) -> Option<Placed> {
        match self.way {
            Some(Way::Position) if !self.gives.is_group => Some(Placed {
                takes_all: self.gives.is_multiple || self.is_rest,
                is_required: !self.gives.is_optional,
            }),
            _ => None,
        }
    }
}

/// Returns each difference between the parameters of a method and those of the command.
pub(super) fn differences(method: &Method, described: &[Described]) -> Vec<String> {
    let mut found = Vec::new();
    if !has_group(method) {
        positionals(method, described, &mut found);
        last(method, described, &mut found);
    }
    options(method, described, &mut found);
    body(method, described, &mut found);
    found
}

/// Returns whether a parameter may give any of the daemon's.
fn has_group(method: &Method) -> bool {
    method.params.iter().any(|sent| sent.gives.is_group)
}

fn flag(described: &Described) -> Option<String> {
    described.text("flag")
}

fn is_positional(described: &Described) -> bool {
    let of_other_kind = ["body", "last"].iter().any(|kind| described.has("kind", kind));
    flag(described).is_none() && !of_other_kind
}

fn is_last(described: &Described, named: &str) -> bool {
    described.has("kind", "last") && described.has("name", named)
}

fn name(described: &Described) -> String {
    described.text("name").unwrap_or_default()
}

fn positionals(method: &Method, described: &[Described], found: &mut Vec<String>) {
    let theirs: Vec<_> = described.iter().filter(|argument| is_positional(argument)).collect();
    let mut ours = method.params.iter().filter(|sent| sent.way == Some(Way::Position)).enumerate();
    for (i, sent) in ours.by_ref() {
        let option = described
            .iter()
            .find(|argument| name(argument) == sent.name && flag(argument).is_some());
        let theirs = theirs.get(i).or_else(|| {
            theirs.last().filter(|last| last.is("multiple") || last.has("kind", "rest"))
        });
        match (theirs, option.and_then(flag)) {
            (theirs, Some(flag)) if theirs.is_none_or(|theirs| name(theirs) != sent.name) => {
                let key = if option.is_some_and(|option| option.has("kind", "flag")) {
                    "flag"
                } else {
                    "long"
                };
                found.push(format!(
                    "`{}` is the option {flag} in the daemon: add `#[arg({key})]`",
                    sent.name
                ));
            }
            (Some(theirs), _) => value(sent, &format!("<{}>", sent.name), theirs, found),
            // Reported with the words behind `--`.
            (None, _) if described.iter().any(|argument| is_last(argument, sent.name)) => {}
            (None, _) => {
                found.push(format!("the daemon has no parameter <{}>", sent.name));
            }
        }
    }
    let count = method.params.iter().filter(|sent| sent.way == Some(Way::Position)).count();
    // One that is an option in the trait is reported there.
    let is_option = |theirs: &Described| method.params.iter().any(|sent| sent.name == name(theirs));
    let needed = theirs.iter().skip(count).filter(|theirs| theirs.is_not("optional"));
    for missing in needed.filter(|theirs| !is_option(theirs)) {
        found.push(format!("the daemon needs <{}>, which is missing in the trait", name(missing)));
    }
    swapped(method, &theirs, found);
}

/// Reports parameters that have the names of others, as after two of the same type have changed places.
fn swapped(method: &Method, theirs: &[&Described], found: &mut Vec<String>) {
    let ours = method.params.iter().filter(|sent| sent.way == Some(Way::Position));
    for (i, sent) in ours.enumerate() {
        let place = theirs.iter().position(|argument| name(argument) == sent.name);
        if let Some(place) = place.filter(|place| *place != i) {
            found.push(format!(
                "<{}> is word {} in the trait and word {} in the daemon",
                sent.name,
                i + 1,
                place + 1,
            ));
        }
    }
}

/// Compares the words behind `--`.
fn last(method: &Method, described: &[Described], found: &mut Vec<String>) {
    let ours = method.params.iter().find(|sent| sent.way == Some(Way::Last));
    let theirs = described.iter().find(|argument| argument.has("kind", "last"));
    match (ours, theirs) {
        (Some(sent), Some(theirs)) => value(sent, &format!("<{}>", sent.name), theirs, found),
        (Some(sent), None) => {
            found.push(format!(
                "the daemon takes no words behind `--` as <{}>: remove `last`",
                sent.name
            ));
        }
        (None, Some(theirs)) => {
            let name = name(theirs);
            if method.params.iter().any(|sent| sent.name == name) {
                found.push(format!("<{name}> is behind `--` in the daemon: add `#[arg(last)]`"));
            } else if theirs.is_not("optional") {
                found.push(format!("the daemon needs <{name}>, which is missing in the trait"));
            }
        }
        (None, None) => {}
    }
}

fn options(method: &Method, described: &[Described], found: &mut Vec<String>) {
    let mut given = Vec::new();
    for sent in method.params {
        let (Some(Way::Long(option) | Way::Flag(option)), is_flag) =
            (sent.way, matches!(sent.way, Some(Way::Flag(_))))
        else {
            continue;
        };
        let option = format!("--{option}");
        let theirs = described.iter().find(|argument| flag(argument).as_ref() == Some(&option));
        match theirs {
            None if described
                .iter()
                .any(|theirs| name(theirs) == sent.name && is_positional(theirs)) =>
            {
                found.push(format!(
                    "`{}` is a word in its place in the daemon, and not the option {option}: remove `long` or `flag`",
                    sent.name
                ));
            }
            None => found.push(format!("the daemon has no option {option}")),
            // An older daemon may not say it.
            Some(theirs) if is_flag && !theirs.knows("kind") => {}
            Some(theirs) => match (is_flag, theirs.has("kind", "flag")) {
                (true, false) => {
                    found.push(format!("{option} needs a value in the daemon: write `long`"));
                }
                (false, true) => {
                    found.push(format!("{option} has no value in the daemon: write `flag`"));
                }
                (true, true) => {}
                (false, false) => value(sent, &option, theirs, found),
            },
        }
        given.push(option);
    }
    let needed = described.iter().filter(|theirs| theirs.is_not("optional"));
    for theirs in needed.filter(|_| !has_group(method)) {
        if let Some(option) = flag(theirs).filter(|option| !given.contains(option)) {
            let is_positional =
                |sent: &Sent| sent.way == Some(Way::Position) && sent.name == name(theirs);
            if !method.params.iter().any(is_positional) {
                found.push(format!("the daemon needs {option}, which is missing in the trait"));
            }
        }
    }
}

fn body(method: &Method, described: &[Described], found: &mut Vec<String>) {
    let sends = method.params.iter().find(|sent| sent.way.is_none());
    let takes = described.iter().find(|argument| argument.has("kind", "body"));
    let has_items = takes.is_some_and(|takes| takes.has("type", "items"));
    match (sends.map(|sends| sends.gives.ty == "items"), takes) {
        (Some(_), None) => found.push("the daemon takes no body".into()),
        (Some(true), Some(takes)) if has_items => {
            let (ours, theirs) = (sends.and_then(|sends| sends.items), takes.map("of"));
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                item(ours, &theirs, "an item of the body", found);
            }
        }
        (None, Some(_)) if has_items => found.push(
            "the daemon takes items: add `#[arg(items)] items: impl Iterator<Item = …> + Send`"
                .into(),
        ),
        (None, Some(_)) => {
            found.push("the daemon takes a body: add `#[arg(body)] body: impl Read + Send`".into());
        }
        // A reader of lines is a body of items, too.
        (Some(true), Some(takes)) if takes.knows("type") => {
            found.push(
                "the body is bytes in the daemon, and not items: write `#[arg(body)]`".into(),
            );
        }
        _ => {}
    }
}

/// Compares the value of a parameter. `shown` names it.
fn value(sent: &Sent, shown: &str, theirs: &Described, found: &mut Vec<String>) {
    let Gives { ty, choices, range, is_optional, is_multiple, .. } = sent.gives;
    let is_optional = is_optional && sent.fill != Fill::Caller;
    if is_multiple
        && theirs.is_not("multiple")
        && !theirs.has("kind", "rest")
        && !theirs.has("kind", "last")
    {
        found.push(format!("{shown} can be several words in the trait; the daemon takes one"));
    } else if is_optional && !is_multiple && theirs.is_not("optional") {
        found.push(format!("{shown} can be left out in the trait; the daemon needs it"));
    }
    if theirs.is("absolute") && sent.fill == Fill::Nothing {
        found.push(format!("{shown} must be an absolute path: add `#[arg(absolute)]`"));
    }
    let (their_type, words) = (theirs.text("type").unwrap_or_default(), theirs.texts("choices"));
    let refused: Vec<_> = choices.iter().filter(|word| !words.iter().any(|w| w == *word)).collect();
    if !choices.is_empty() && !words.is_empty() {
        if !refused.is_empty() {
            let refused: Vec<_> = refused.into_iter().copied().collect();
            found.push(format!("the daemon does not accept {} for {shown}", refused.join(", ")));
        }
    } else if !accepts(&their_type, !words.is_empty(), ty) {
        let their_type = match words.is_empty() {
            true if theirs.is("map") => format!("map of {their_type}"),
            true => their_type,
            false => format!("one of {}", words.join(", ")),
        };
        found.push(format!(
            "{shown} is of the type {ty} in the trait, and {their_type} in the daemon"
        ));
    } else if let (Some(range), Some(min), Some(max)) =
        (range, theirs.text("min"), theirs.text("max"))
        && ty == their_type
        && is_of_type(&min, &max)
        && !is_within(range, (&min, &max))
    {
        let (from, to) = range;
        found.push(format!(
            "{shown} is {from} to {to} in the trait, and {min} to {max} in the daemon"
        ));
    }
}

/// Returns whether each word of a type `ours` can be a value of the daemon's type. A type that one of the two does not
/// know may be anything.
fn accepts(theirs: &str, has_choices: bool, ours: &str) -> bool {
    match (ours, theirs) {
        _ if ours == theirs => true,
        ("bytes", "text") => false,
        // A path that is no UTF-8 is refused where it is used.
        ("", _)
        | (_, "bytes" | "text")
        | ("integer", "number")
        | ("bytes" | "text", "path")
        | ("text", "address") => true,
        (
            _,
            "integer" | "number" | "boolean" | "character" | "duration" | "time" | "address"
            | "path",
        ) => false,
        ("text", _) => true,
        // A type of the daemon's author: by its words, or by any.
        _ => !has_choices,
    }
}

/// Returns whether these are the limits of one of Rust's types, and not those that an author has set: no type has
/// those.
fn is_of_type(min: &str, max: &str) -> bool {
    use crate::text::Integer;
    macro_rules! ranges {
        ($($int:ty)*) => { [$(<$int as Integer>::RANGE),*] };
    }
    ranges!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128).contains(&(min, max))
}
