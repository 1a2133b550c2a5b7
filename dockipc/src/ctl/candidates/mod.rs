//! Completion candidates for the words of a daemon's command, for the shell and for `completions`.

use super::interface::{Argument, Description, Interface, Kind, MAX_DESCRIPTION};
use super::output::is_unsafe;
use crate::client::Client;

mod line;
mod progress;

pub(super) use line::PartialLine;
use progress::Progress;
pub(super) use progress::{HELP, asks_for_help, remaining_usage};

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

/// Returns the commands whose names begin with `prefix`, or else the aliases that do.
pub(super) fn names(interface: &Interface, prefix: &str) -> Vec<Candidate> {
    let commands = || interface.commands.values();
    let fit = |name: &&String| starts(name, prefix);
    let names = commands().filter(|command| fit(&&command.name));
    let mut found: Vec<_> =
        names.filter_map(|command| Candidate::new(&*command.name, &command.summary)).collect();
    if found.is_empty() {
        let aliases = commands().flat_map(|command| {
            let fitting = command.aliases.iter().filter(fit);
            fitting.filter_map(|alias| Candidate::new(&**alias, &command.summary))
        });
        found.extend(aliases);
    }
    found
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
    use serde_json::json;

    use super::{Candidate, PartialLine, arguments, names, remaining_usage};
    use crate::ctl::interface::{Argument, Description, Interface, Kind};

    fn argument(name: &str, kind: Kind) -> Argument {
        let is_named = matches!(kind, Kind::Option | Kind::Flag);
        let argument = json!({
            "name": name, "kind": kind, "flag": is_named.then(|| format!("--{name}")),
            "type": "text", "choices": [], "optional": false, "multiple": false,
            "help": format!("The {name}."), "secret": false, "completes": false,
        });
        serde_json::from_value(argument).unwrap()
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
            answer: None,
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
            names(&interface, prefix).into_iter().map(|candidate| candidate.value).collect()
        };
        assert_eq!(values(""), ["greet", "say"]);
        assert_eq!(values("G"), ["greet"]);
        assert_eq!(values("also-s"), ["also-say"]);
        assert_eq!(names(&interface, "s")[0].help, "What say does.");
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
}
