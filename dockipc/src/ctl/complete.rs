//! What can stand at the cursor.

use super::interface::{Argument, Description, Interface, Kind, LONGEST};
use super::output::is_unsafe;
use crate::client::Client;
use crate::wire::words::{Splitter, Unbalanced};

/// Something that can stand at the cursor, in place of the word that is begun there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) value: String,
    /// What it is for, in a line. May be empty.
    pub(super) help: String,
    /// A line takes it as it is: quotes would be a part of it.
    pub(super) is_untouched: bool,
}

impl Proposal {
    /// None if it can't be shown and typed: what a daemon says must do nothing to a terminal.
    pub(super) fn new(value: impl Into<String>, help: &str) -> Option<Self> {
        let value = value.into();
        let help = help.split(is_unsafe).collect::<Vec<_>>().join(" ");
        let can_be_typed = !value.is_empty() && !value.contains(is_unsafe);
        can_be_typed.then_some(Self { value, help, is_untouched: false })
    }

    /// More of the word is to come.
    pub(super) fn is_open(&self) -> bool {
        self.value.ends_with(['/', '='])
    }
}

/// What is asked of the daemon: the values of a parameter that begin with a text.
pub(super) struct Question<'q> {
    command: &'q str,
    parameter: &'q str,
    prefix: &'q str,
    words: &'q [String],
}

impl Question<'_> {
    /// Asks. A daemon that says no, or nothing in time, proposes nothing.
    pub(super) fn ask(&self, client: &Client) -> Vec<String> {
        let client = client.clone().max_answer(LONGEST);
        let call = client.command("dockipc").arg("complete").arg(self.command);
        let call = call.arg(self.parameter).arg(self.prefix).args(self.words);
        call.call().unwrap_or_default()
    }
}

/// Commands whose names begin like this. An alias is proposed where no name fits.
pub(super) fn names(interface: &Interface, begun: &str) -> Vec<Proposal> {
    let commands = || interface.commands.values();
    let fit = |name: &&String| starts(name, begun);
    let names = commands().filter(|command| fit(&&command.name));
    let mut found: Vec<_> =
        names.filter_map(|command| Proposal::new(&*command.name, &command.summary)).collect();
    if found.is_empty() {
        let aliases = commands().flat_map(|command| {
            let fitting = command.aliases.iter().filter(fit);
            fitting.filter_map(|alias| Proposal::new(&**alias, &command.summary))
        });
        found.extend(aliases);
    }
    found
}

/// Whether a name begins like this. Names match without regard to ASCII case.
fn starts(name: &str, begun: &str) -> bool {
    name.get(..begun.len()).is_some_and(|start| start.eq_ignore_ascii_case(begun))
}

/// What can stand in place of `begun` after a command's name and these words. Values that only the
/// daemon knows are asked for.
pub(super) fn arguments(
    command: &Description,
    words: &[String],
    begun: &str,
    mut ask: impl FnMut(&Question<'_>) -> Vec<String>,
) -> Vec<Proposal> {
    let progress = Progress::of(command, words);
    let mut values = |argument: &Argument, prefix: &str| {
        if argument.completes {
            let parameter = &argument.name;
            ask(&Question { command: &command.name, parameter, prefix, words })
        } else {
            let choices = argument.choices.iter().filter(|choice| choice.starts_with(prefix));
            choices.cloned().collect()
        }
    };
    let plain = |values: Vec<String>| -> Vec<Proposal> {
        values.into_iter().filter_map(|value| Proposal::new(value, "")).collect()
    };
    if let Some(option) = progress.awaits {
        return plain(values(option, begun));
    }
    if progress.takes_options(begun) {
        let Some((flag, prefix)) = begun.split_once('=') else { return progress.flags(begun) };
        let Some(option) = progress.option(flag) else { return Vec::new() };
        let values = values(option, prefix).into_iter();
        return plain(values.map(|value| format!("{flag}={value}")).collect());
    }
    let found = match progress.next() {
        // It is one text: what is typed of it is in the words already.
        Some(argument) if argument.kind == Kind::Rest => {
            let before = progress.rest.iter().flat_map(|word| [&**word, " "]).collect::<String>();
            let values = values(argument, &format!("{before}{begun}"));
            let left =
                values.iter().filter_map(|value| Proposal::new(value.strip_prefix(&before)?, ""));
            left.map(|proposal| Proposal { is_untouched: true, ..proposal }).collect()
        }
        Some(argument) => plain(values(argument, begun)),
        None => Vec::new(),
    };
    if found.is_empty() && begun.is_empty() && progress.takes_options("--") {
        return progress.flags("");
    }
    found
}

/// The usage that is left, to stand behind what is typed: for reading, not for typing.
pub(super) fn left(command: &Description, words: &[String], begun: &str) -> Option<String> {
    let mut words = words.to_vec();
    let blank = if begun.is_empty() { "" } else { " " };
    words.extend((!begun.is_empty()).then(|| begun.to_owned()));
    let progress = Progress::of(command, &words);
    let mut left: Vec<String> = Vec::new();
    left.extend(progress.awaits.map(|option| format!("<{}>", option.name)));
    let mut position = 0;
    for argument in &command.arguments {
        let is_left = match argument.kind {
            Kind::Positional | Kind::Rest => {
                position += 1;
                let is_begun = position <= progress.position;
                (!is_begun || argument.is_multiple) && progress.rest.is_empty()
            }
            Kind::Option(_) | Kind::Flag(_) => progress.is_left(argument),
        };
        if is_left {
            left.push(usage(argument));
        }
    }
    (!left.is_empty()).then(|| format!("{blank}{}", left.join(" ")))
}

/// How an argument is written in a usage line.
fn usage(argument: &Argument) -> String {
    let Argument { name, is_optional, .. } = argument;
    let many = if argument.is_multiple { "…" } else { "" };
    match &argument.kind {
        Kind::Flag(flag) => format!("[{flag}]"),
        Kind::Option(flag) if *is_optional => format!("[{flag} <{name}>]{many}"),
        Kind::Option(flag) => format!("{flag} <{name}>"),
        Kind::Rest if *is_optional => format!("[<{name}…>]"),
        Kind::Rest => format!("<{name}…>"),
        Kind::Positional if *is_optional => format!("[<{name}>{many}]"),
        Kind::Positional => format!("<{name}>"),
    }
}

/// What a command's words so far are for, as the daemon takes them.
struct Progress<'c> {
    command: &'c Description,
    /// The option whose value comes next.
    awaits: Option<&'c Argument>,
    /// Options and flags that are there.
    given: Vec<&'c Argument>,
    /// Words that are no option's.
    position: usize,
    /// After `--`.
    no_options: bool,
    /// The words of an argument that takes all that is left.
    rest: &'c [String],
}

impl<'c> Progress<'c> {
    fn of(command: &'c Description, words: &'c [String]) -> Self {
        let has_options = |argument: &Argument| flag(argument).is_some();
        let no_options = !command.arguments.iter().any(has_options);
        let mut progress =
            Self { command, awaits: None, given: Vec::new(), position: 0, no_options, rest: &[] };
        for (i, word) in words.iter().enumerate() {
            if progress.awaits.take().is_some() {
                continue;
            }
            if !progress.no_options && word == "--" {
                progress.no_options = true;
            } else if progress.takes_options(word) {
                let (flag, value) = match word.split_once('=') {
                    Some((flag, value)) => (flag, Some(value)),
                    None => (&**word, None),
                };
                let Some(option) = progress.option(flag) else { continue };
                progress.given.push(option);
                let takes_next = matches!(option.kind, Kind::Option(_)) && value.is_none();
                progress.awaits = takes_next.then_some(option);
            } else if progress.next().is_some_and(|argument| argument.kind == Kind::Rest) {
                progress.rest = &words[i..];
                break;
            } else {
                progress.position += 1;
            }
        }
        progress
    }

    /// Whether a word that begins like this is an option.
    fn takes_options(&self, begun: &str) -> bool {
        // A dash alone may become one.
        !self.no_options && self.rest.is_empty() && (begun.starts_with("--") || begun == "-")
    }

    fn option(&self, name: &str) -> Option<&'c Argument> {
        self.command.arguments.iter().find(|argument| flag(argument) == Some(name))
    }

    /// Whether an option can still be given.
    fn is_left(&self, argument: &Argument) -> bool {
        argument.is_multiple || !self.given.contains(&argument)
    }

    /// The argument whose value the next word is.
    fn next(&self) -> Option<&'c Argument> {
        let mut positional =
            self.command.arguments.iter().filter(|argument| flag(argument).is_none());
        let last = positional.clone().next_back().filter(|last| last.is_multiple);
        positional.nth(self.position).or(last)
    }

    /// The options that are not there yet.
    fn flags(&self, begun: &str) -> Vec<Proposal> {
        let left = self.command.arguments.iter().filter(|argument| self.is_left(argument));
        let fit = left.filter_map(|argument| {
            let flag = flag(argument).filter(|flag| flag.starts_with(begun))?;
            Proposal::new(flag, &argument.help)
        });
        fit.collect()
    }
}

fn flag(argument: &Argument) -> Option<&str> {
    match &argument.kind {
        Kind::Option(flag) | Kind::Flag(flag) => Some(flag),
        Kind::Positional | Kind::Rest => None,
    }
}

/// A line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// The words that are whole.
    pub(super) words: Vec<String>,
    /// The word at the cursor; empty behind a blank.
    pub(super) begun: String,
    /// Where that begins.
    pub(super) start: usize,
}

impl Typed {
    /// Splits a line that may end anywhere, also within quotes.
    pub(super) fn read(line: &str) -> Self {
        // With a letter more there is always a word at the cursor.
        let mut closed = format!("{line}x");
        loop {
            match Self::split(&closed) {
                Ok(typed) => return typed,
                Err(Unbalanced::Quote { quote, .. }) => closed.push(quote),
                Err(Unbalanced::Backslash) => closed.push('x'),
            }
        }
    }

    fn split(line: &str) -> Result<Self, Unbalanced> {
        let line = line.as_bytes();
        let (mut splitter, mut text) = (Splitter::new(line), Vec::new());
        let (mut words, mut start) = (Vec::new(), 0);
        loop {
            let next = line.len() - splitter.peek().len();
            let Some(span) = splitter.next(&mut text)? else { break };
            start = next;
            words.push(String::from_utf8_lossy(span.of(line, &text)).into_owned());
        }
        let mut begun = words.pop().unwrap_or_default();
        begun.pop();
        Ok(Self { words, begun, start })
    }
}

#[cfg(test)]
mod tests {
    use super::{Proposal, Typed, arguments, left, names};
    use crate::ctl::interface::{Argument, Description, Interface, Kind};

    fn argument(name: &str, kind: Kind) -> Argument {
        Argument {
            name: name.into(),
            kind,
            ty: "text".into(),
            choices: Vec::new(),
            default: None,
            is_optional: false,
            is_multiple: false,
            help: format!("The {name}."),
            is_secret: false,
            completes: false,
        }
    }

    fn command(name: &str, arguments: Vec<Argument>) -> Description {
        Description {
            name: name.into(),
            summary: format!("What {name} does."),
            details: String::new(),
            usage: String::new(),
            aliases: vec![format!("also-{name}")],
            is_idempotent: false,
            rule: None,
            is_builtin: false,
            arguments,
        }
    }

    /// `greet <who> [<how>] [--loud] [--level <level>] [--to <to>]…`
    fn greet() -> Description {
        let choices = ["low", "high"].map(String::from).to_vec();
        let many = argument("to", Kind::Option("--to".into()));
        command(
            "greet",
            vec![
                Argument { completes: true, ..argument("who", Kind::Positional) },
                Argument {
                    choices: choices.clone(),
                    is_optional: true,
                    ..argument("how", Kind::Positional)
                },
                Argument { is_optional: true, ..argument("loud", Kind::Flag("--loud".into())) },
                Argument {
                    choices,
                    is_optional: true,
                    ..argument("level", Kind::Option("--level".into()))
                },
                Argument { is_optional: true, is_multiple: true, completes: true, ..many },
            ],
        )
    }

    fn say() -> Description {
        command("say", vec![Argument { completes: true, ..argument("text", Kind::Rest) }])
    }

    /// The values at the end of a line without the command's name, the daemon knowing three.
    fn proposed(command: &Description, line: &str) -> Vec<String> {
        let Typed { words, begun, .. } = Typed::read(line);
        let known = ["anna", "anton b", "bob"];
        let proposed = arguments(command, &words, &begun, |question| {
            let fit = known.iter().filter(|value| value.starts_with(question.prefix));
            fit.map(|value| (*value).to_owned()).collect()
        });
        proposed.into_iter().map(|proposal| proposal.value).collect()
    }

    #[test]
    fn values_and_options_are_proposed_where_they_can_stand() {
        let greet = greet();
        let cases: [(&str, &[&str]); 16] = [
            ("", &["anna", "anton b", "bob"]),
            ("a", &["anna", "anton b"]),
            ("'anton ", &["anton b"]),
            ("anna ", &["low", "high"]),
            ("anna l", &["low"]),
            ("anna low ", &["--loud", "--level", "--to"]),
            ("-", &["--loud", "--level", "--to"]),
            ("--l", &["--loud", "--level"]),
            ("--loud --l", &["--level"]),
            ("--level ", &["low", "high"]),
            ("--level h", &["high"]),
            ("--level=h", &["--level=high"]),
            ("--to=b", &["--to=bob"]),
            ("--to bob --to a", &["anna", "anton b"]),
            ("-- --l", &[]),
            ("--level low bob ", &["low", "high"]),
        ];
        for (line, values) in cases {
            assert_eq!(proposed(&greet, line), values, "{line:?}");
        }
    }

    #[test]
    fn text_to_the_end_of_the_line_is_one_value() {
        let say = say();
        assert_eq!(proposed(&say, "an"), ["anna", "anton b"]);
        assert_eq!(proposed(&say, "anton "), ["b"]);
        assert_eq!(proposed(&say, "--an"), [""; 0]);
        let proposals = arguments(&say, &[], "b", |_| vec!["bob".into()]);
        assert!(proposals[0].is_untouched);
    }

    #[test]
    fn names_are_proposed_and_aliases_where_none_fits() {
        let commands = [greet(), say()].map(|command| (command.name.clone(), command));
        let interface = Interface { commands: commands.into() };
        let values = |begun: &str| -> Vec<_> {
            names(&interface, begun).into_iter().map(|proposal| proposal.value).collect()
        };
        assert_eq!(values(""), ["greet", "say"]);
        assert_eq!(values("G"), ["greet"]);
        assert_eq!(values("also-s"), ["also-say"]);
        assert_eq!(names(&interface, "s")[0].help, "What say does.");
    }

    #[test]
    fn the_usage_that_is_left_becomes_less() {
        let greet = greet();
        let left = |line: &str| {
            let Typed { words, begun, .. } = Typed::read(line);
            left(&greet, &words, &begun).unwrap_or_default()
        };
        assert_eq!(left(""), "<who> [<how>] [--loud] [--level <level>] [--to <to>]…");
        assert_eq!(left("anna"), " [<how>] [--loud] [--level <level>] [--to <to>]…");
        assert_eq!(left("anna low --loud "), "[--level <level>] [--to <to>]…");
        assert_eq!(left("anna --level "), "<level> [<how>] [--loud] [--to <to>]…");
        assert_eq!(left("anna --level=low "), "[<how>] [--loud] [--to <to>]…");
        let say = say();
        assert_eq!(super::left(&say, &[], ""), Some("<text…>".into()));
        assert_eq!(super::left(&say, &[], "x"), None);
    }

    #[test]
    fn a_line_may_end_anywhere() {
        let typed = |line: &str| {
            let Typed { words, begun, start } = Typed::read(line);
            (words.join("|"), begun, start)
        };
        let is = |words: &str, begun: &str, start| (words.to_owned(), begun.to_owned(), start);
        assert_eq!(typed(""), is("", "", 0));
        assert_eq!(typed("ad"), is("", "ad", 0));
        assert_eq!(typed("add  "), is("add", "", 5));
        assert_eq!(typed("add 'two w"), is("add", "two w", 4));
        assert_eq!(typed("add \"a\\"), is("add", "a\\", 4));
        assert_eq!(typed("add a\\ b\\"), is("add", "a b", 4));
        assert_eq!(typed("add 'x' ä"), is("add|x", "ä", 8));
    }

    #[test]
    fn what_would_do_something_to_a_terminal_is_not_proposed() {
        assert_eq!(Proposal::new("a\x1b[2J", ""), None);
        assert_eq!(Proposal::new("two\nlines", ""), None);
        assert_eq!(Proposal::new("a", "b\x07\nc").unwrap().help, "b  c");
    }
}
