//! Completion candidates for the words of a daemon's command, for the shell and for `completions`.

use super::interface::{Argument, Description, Interface, Kind, MAX_DESCRIPTION};
use super::output::is_unsafe;
use crate::client::Client;

mod line;
mod progress;

pub(super) use line::PartialLine;
pub(super) use progress::{HELP, Progress, asks_for_help, remaining_usage};

/// A text that can replace the word at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    /// A line of explanation. May be empty.
    pub(super) help: String,
    /// Whether the value is inserted without quotes, which would be taken for a part of it.
    pub(super) is_verbatim: bool,
}

impl Candidate {
    /// Returns `None` if the value is empty or has a character that acts on a terminal: values come
    /// from a daemon.
    pub(super) fn new(value: impl Into<String>, help: &str) -> Option<Self> {
        let value = value.into();
        let help = help.split(is_unsafe).collect::<Vec<_>>().join(" ");
        let can_be_typed = !value.is_empty() && !value.contains(is_unsafe);
        can_be_typed.then_some(Self { value, help, is_verbatim: false })
    }

    /// Returns whether the word usually continues after this value, so that no blank follows.
    pub(super) fn is_open(&self) -> bool {
        self.value.ends_with(['/', '='])
    }
}

/// A question to the daemon: the values of a parameter that begin with a prefix.
pub(super) struct ValuesQuery<'q> {
    command: &'q str,
    parameter: &'q str,
    prefix: &'q str,
    words: &'q [String],
}

impl ValuesQuery<'_> {
    /// Asks the daemon. An error or a timeout gives no values.
    pub(super) fn ask(&self, client: &Client) -> Vec<String> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        let call = client.command("dockipc").arg("complete").arg(self.command);
        let call = call.arg(self.parameter).arg(self.prefix).args(self.words);
        call.call().unwrap_or_default()
    }
}

/// Returns the candidates for a word that begins with `prefix` and follows `words`, where a command and
/// its arguments are expected. Calls `ask` for values that only the daemon knows.
pub(super) fn command_line(
    interface: &Interface,
    words: &[String],
    prefix: &str,
    ask: impl FnMut(&ValuesQuery<'_>) -> Vec<String>,
) -> Vec<Candidate> {
    let mut found = names(interface, words, prefix);
    if let Some((command, used)) = interface.resolve(words) {
        found.extend(arguments(&command, &words[used..], prefix, ask));
    } else if let [group, before @ ..] = words
        && let commands = interface.group(group).commands
        && let Some(command) = commands.into_values().find(|of| of.leading > before.len())
    {
        // A word in the middle of the name.
        let arguments_of = command.arguments.iter().take(command.leading).cloned().collect();
        let command = Description { arguments: arguments_of, ..command };
        found.extend(arguments(&command, before, prefix, ask));
    }
    found
}

/// Returns the words with which a command's name continues `words` and that begin with `prefix`, or else
/// those of the aliases. A group is offered once.
pub(super) fn names(interface: &Interface, words: &[String], prefix: &str) -> Vec<Candidate> {
    let commands = || interface.commands.values();
    // Behind a whole name there are only arguments.
    let is_whole = interface.resolve(words).is_some();
    let leading = |command: &Description| if is_whole { 0 } else { command.leading };
    let mut found: Vec<Candidate> = Vec::new();
    for command in commands() {
        let next = next_word(&command.name, leading(command), words, prefix);
        let Some((word, is_whole)) = next else { continue };
        let help = if is_whole { command.summary.clone() } else { of_group(interface, word) };
        // A command that has the name of a group comes before the group's commands.
        if found.last().is_none_or(|last| last.value != word) {
            found.extend(Candidate::new(word, &help));
        }
    }
    if found.is_empty() {
        let aliases = commands().flat_map(|command| {
            let fitting = command
                .aliases
                .iter()
                .filter_map(|alias| next_word(alias, leading(command), words, prefix));
            fitting.filter_map(|(word, _)| Candidate::new(word, &command.summary))
        });
        found.extend(aliases);
    }
    found
}

/// Returns the word of a name that follows `words`, if it begins with `prefix`, and whether the name ends
/// with it. `leading` words can be in its middle.
fn next_word<'n>(
    name: &'n str,
    leading: usize,
    words: &[String],
    prefix: &str,
) -> Option<(&'n str, bool)> {
    let (group, rest) = match name.split_once(' ') {
        Some((group, rest)) => (group, Some(rest)),
        None => (name, None),
    };
    let (word, is_whole) = match (words, rest) {
        ([], rest) => (group, rest.is_none()),
        ([typed, middle @ ..], Some(rest))
            if typed.eq_ignore_ascii_case(group)
                && (middle.is_empty() || middle.len() == leading) =>
        {
            (rest, true)
        }
        _ => return None,
    };
    starts(word, prefix).then_some((word, is_whole))
}

/// Returns the help of a group: the names of its commands.
fn of_group(interface: &Interface, group: &str) -> String {
    let names = interface.group(group).commands.into_keys();
    names
        .filter_map(|name| name.split_once(' ').map(|(_, name)| name.to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns whether a name begins with `prefix`, compared without regard to ASCII case.
fn starts(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Returns the candidates for a word that begins with `prefix` and follows `words`, the words after
/// the command's name. Calls `ask` for values that only the daemon knows.
pub(super) fn arguments(
    command: &Description,
    words: &[String],
    prefix: &str,
    mut ask: impl FnMut(&ValuesQuery<'_>) -> Vec<String>,
) -> Vec<Candidate> {
    let progress = Progress::of(command, words);
    let mut values = |argument: &Argument, prefix: &str| {
        if argument.completes {
            let parameter = &argument.name;
            ask(&ValuesQuery { command: &command.name, parameter, prefix, words })
        } else {
            let choices = argument.choices.iter().filter(|choice| choice.starts_with(prefix));
            choices.cloned().collect()
        }
    };
    let plain = |values: Vec<String>| -> Vec<Candidate> {
        values.into_iter().filter_map(|value| Candidate::new(value, "")).collect()
    };
    if let Some(option) = progress.awaits {
        return plain(values(option, prefix));
    }
    if progress.takes_options(prefix) {
        let Some((flag, prefix)) = prefix.split_once('=') else { return progress.flags(prefix) };
        let Some(option) = progress.option(flag) else { return Vec::new() };
        let values = values(option, prefix).into_iter();
        return plain(values.map(|value| format!("{flag}={value}")).collect());
    }
    let found = match progress.next() {
        // The argument is one text, whose beginning is in the earlier words.
        Some(argument) if argument.kind == Kind::Rest => {
            let before = progress.rest.iter().flat_map(|word| [&**word, " "]).collect::<String>();
            let values = values(argument, &format!("{before}{prefix}"));
            let ends =
                values.iter().filter_map(|value| Candidate::new(value.strip_prefix(&before)?, ""));
            ends.map(|candidate| Candidate { is_verbatim: true, ..candidate }).collect()
        }
        Some(argument) => plain(values(argument, prefix)),
        None => Vec::new(),
    };
    if found.is_empty() && prefix.is_empty() && progress.takes_options("--") {
        return progress.flags("");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Candidate, PartialLine, arguments, command_line, names, remaining_usage};
    use crate::ctl::interface::{Argument, Description, Interface, Kind};

    fn argument(name: &str, kind: Kind) -> Argument {
        let is_named = matches!(kind, Kind::Option | Kind::Flag);
        Argument {
            name: name.into(),
            kind,
            flag: is_named.then(|| format!("--{name}")),
            ty: "text".into(),
            help: format!("The {name}."),
            ..Argument::default()
        }
    }

    fn command(name: &str, arguments: Vec<Argument>) -> Description {
        Description {
            name: name.into(),
            summary: format!("What {name} does."),
            aliases: vec![format!("also-{name}")],
            arguments,
            ..Description::default()
        }
    }

    /// `greet <who> [<how>] [--loud] [--level <level>] [--to <to>]…`
    fn greet() -> Description {
        let choices = ["low", "high"].map(String::from).to_vec();
        let many = argument("to", Kind::Option);
        command(
            "greet",
            vec![
                Argument { completes: true, ..argument("who", Kind::Positional) },
                Argument {
                    choices: choices.clone(),
                    is_optional: true,
                    ..argument("how", Kind::Positional)
                },
                Argument { is_optional: true, ..argument("loud", Kind::Flag) },
                Argument { choices, is_optional: true, ..argument("level", Kind::Option) },
                Argument { is_optional: true, is_multiple: true, completes: true, ..many },
            ],
        )
    }

    fn say() -> Description {
        command("say", vec![Argument { completes: true, ..argument("text", Kind::Rest) }])
    }

    /// Returns the values offered at the end of a line of arguments; the daemon knows three.
    fn values_at(command: &Description, line: &str) -> Vec<String> {
        let PartialLine { words, last, .. } = PartialLine::read(line);
        let known = ["anna", "anton b", "bob"];
        let found = arguments(command, &words, &last, |query| {
            let fit = known.iter().filter(|value| value.starts_with(query.prefix));
            fit.map(|value| (*value).to_owned()).collect()
        });
        found.into_iter().map(|candidate| candidate.value).collect()
    }

    /// `run [-l|--level <level>] [-v|--loud] [<who>] [-- <words>…]`
    fn run() -> Description {
        let choices = ["low", "high"].map(String::from).to_vec();
        let short = |name: &str| Some(name.to_owned());
        let level = argument("level", Kind::Option);
        let loud = argument("loud", Kind::Flag);
        let last = argument("words", Kind::Last);
        command(
            "run",
            vec![
                Argument { choices, is_optional: true, short: short("-l"), ..level },
                Argument { is_optional: true, short: short("-v"), ..loud },
                Argument {
                    is_optional: true,
                    completes: true,
                    ..argument("who", Kind::Positional)
                },
                Argument { is_optional: true, is_multiple: true, ..last },
            ],
        )
    }

    #[test]
    fn short_options_and_last_words_are_known() {
        let run = run();
        let cases: [(&str, &[&str]); 8] = [
            ("-l ", &["low", "high"]),
            ("-vl ", &["low", "high"]),
            ("-llow ", &["anna", "anton b", "bob"]),
            ("-v --", &["--level"]),
            ("-l low -v --", &[]),
            ("-5 ", &["--level", "--loud"]),
            ("-- ", &[]),
            ("anna -- --l", &[]),
        ];
        for (line, values) in cases {
            assert_eq!(values_at(&run, line), values, "{line}");
        }
        let usage = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            remaining_usage(&run, &words, "").unwrap_or_default()
        };
        assert_eq!(usage(&["-l"]), "<level> [--loud] [<who>] [-- <words>…]");
        assert_eq!(usage(&["-v", "a", "--"]), "[--level <level>] [<words>…]");
    }

    #[test]
    fn values_and_options_fit_their_position() {
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
            assert_eq!(values_at(&greet, line), values, "{line:?}");
        }
    }

    #[test]
    fn rest_of_the_line_is_one_value() {
        let say = say();
        assert_eq!(values_at(&say, "an"), ["anna", "anton b"]);
        assert_eq!(values_at(&say, "anton "), ["b"]);
        assert_eq!(values_at(&say, "--an"), [""; 0]);
        let candidates = arguments(&say, &[], "b", |_| vec!["bob".into()]);
        assert!(candidates[0].is_verbatim);
    }

    #[test]
    fn aliases_are_offered_where_no_name_fits() {
        let interface = Interface::from_iter([greet(), say()]);
        let values = |prefix: &str| -> Vec<_> {
            names(&interface, &[], prefix).into_iter().map(|candidate| candidate.value).collect()
        };
        assert_eq!(values(""), ["greet", "say"]);
        assert_eq!(values("G"), ["greet"]);
        assert_eq!(values("also-s"), ["also-say"]);
        assert_eq!(names(&interface, &[], "s")[0].help, "What say does.");
    }

    #[test]
    fn group_is_offered_once_and_then_its_commands() {
        let group = |name| command(name, vec![argument("what", Kind::Flag)]);
        let interface = Interface::from_iter([
            greet(),
            group("job add"),
            group("job remove"),
            group("job"),
            group("queue add"),
        ]);
        let found = |line: &str| {
            let PartialLine { words, last, .. } = PartialLine::read(line);
            let found = command_line(&interface, &words, &last, |_| Vec::new());
            found.into_iter().map(|one| (one.value, one.help)).collect::<Vec<_>>()
        };
        let is = |expected: &[(&str, &str)]| -> Vec<_> {
            expected.iter().map(|(value, help)| ((*value).into(), (*help).into())).collect()
        };
        let all = [("greet", "What greet does."), ("job", "What job does."), ("queue", "add")];
        assert_eq!(found(""), is(&all));
        assert_eq!(found("job r"), is(&[("remove", "What job remove does.")]));
        assert_eq!(found("QUEUE "), is(&[("add", "What queue add does.")]));
        assert_eq!(found("job add --"), is(&[("--what", "The what.")]));
        assert_eq!(found("job --"), is(&[("--what", "The what.")]));
        assert_eq!(found("queue --"), is(&[]));
    }

    #[test]
    fn remaining_usage_shrinks_with_each_word() {
        let greet = greet();
        let usage = |line: &str| {
            let PartialLine { words, last, .. } = PartialLine::read(line);
            remaining_usage(&greet, &words, &last).unwrap_or_default()
        };
        assert_eq!(usage(""), "<who> [<how>] [--loud] [--level <level>] [--to <to>]…");
        assert_eq!(usage("anna"), " [<how>] [--loud] [--level <level>] [--to <to>]…");
        assert_eq!(usage("anna low --loud "), "[--level <level>] [--to <to>]…");
        assert_eq!(usage("anna --level "), "<level> [<how>] [--loud] [--to <to>]…");
        assert_eq!(usage("anna --level=low "), "[<how>] [--loud] [--to <to>]…");
        let say = say();
        assert_eq!(remaining_usage(&say, &[], ""), Some("<text…>".into()));
        assert_eq!(remaining_usage(&say, &[], "x"), None);
    }

    #[test]
    fn control_characters_are_never_offered() {
        assert_eq!(Candidate::new("a\x1b[2J", ""), None);
        assert_eq!(Candidate::new("two\nlines", ""), None);
        assert_eq!(Candidate::new("a", "b\x07\nc").unwrap().help, "b  c");
    }

    #[test]
    fn words_in_the_middle_of_a_name_are_completed() {
        let of = |name: &str, more: Vec<Argument>| {
            let output = Argument { completes: true, ..argument("output", Kind::Positional) };
            let arguments = [output].into_iter().chain(more).collect();
            Description { leading: 1, ..command(name, arguments) }
        };
        let choices = ["normal", "flipped"].map(String::from).to_vec();
        let turn = Argument { choices, ..argument("turn", Kind::Positional) };
        let interface = Interface::from_iter([
            of("output off", Vec::new()),
            of("output turn", vec![turn]),
            command("output list", Vec::new()),
        ]);
        let at = |line: &str| {
            let PartialLine { words, last, .. } = PartialLine::read(line);
            let found = command_line(&interface, &words, &last, |query| {
                let known = ["eDP-1", "DP-2"].into_iter();
                known.filter(|name| name.starts_with(query.prefix)).map(String::from).collect()
            });
            found.into_iter().map(|candidate| candidate.value).collect::<Vec<_>>()
        };
        assert_eq!(at("output "), ["list", "off", "turn", "eDP-1", "DP-2"]);
        assert_eq!(at("output e"), ["eDP-1"]);
        assert_eq!(at("output eDP-1 "), ["off", "turn"]);
        assert_eq!(at("output eDP-1 t"), ["turn"]);
        assert_eq!(at("output eDP-1 turn f"), ["flipped"]);
        assert_eq!(at("output eDP-1 off "), [""; 0]);
        assert_eq!(at("output off "), ["eDP-1", "DP-2"]);
        assert_eq!(at("output turn eDP-1 "), ["normal", "flipped"]);
    }
}
