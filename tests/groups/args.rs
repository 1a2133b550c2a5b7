//! `#[derive(Args)]`: a struct of parameters, and an enum of which one variant is given.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dockipc::client::Way;
use dockipc::{Arg, Args, Peer, command};

use super::daemon::{daemon, line};

#[derive(Arg, Clone, Copy, Debug, PartialEq)]
enum Priority {
    Low,
    VeryHigh,
}

/// How the daemon waits.
#[derive(Args, Clone, Debug, PartialEq)]
struct Waiting {
    /// How long it waits.
    #[arg(long, default = "5s")]
    timeout: Duration,
    /// It says nothing.
    #[arg(flag)]
    quiet: bool,
}

/// The options of most commands.
#[derive(Args, Clone, Debug, PartialEq)]
struct Common {
    /// The first place.
    from: PathBuf,
    waiting: Waiting,
    #[arg(long = "prio")]
    priority: Option<Priority>,
    #[arg(from_str, long)]
    host: Option<IpAddr>,
    #[arg(long, max_len = 30)]
    label: Vec<String>,
}

/// The tasks that a command is for.
#[derive(Args, Clone, Debug, PartialEq)]
enum Selection {
    /// Those of a group.
    Group(String),
    Named {
        #[arg(long = "tag")]
        name: Vec<String>,
    },
    /// Each of them.
    All,
    /// These.
    Ids(Vec<u64>),
}

/// A group within a group.
#[derive(Args, Clone, Debug, PartialEq)]
struct Kill {
    selection: Selection,
    /// The signal.
    #[arg(long)]
    signal: Option<u8>,
}

#[derive(Args, Clone, Debug, PartialEq)]
enum Input {
    #[arg(long = "at")]
    Position(i32),
    Text(#[arg(rest)] String),
}

/// Copy a file.
#[command]
fn copy_file(peer: Peer, common: Common, to: &str, #[arg(flag)] force: bool) -> String {
    assert!(peer.pid().is_some());
    format!("{common:?} {to} {force}")
}

#[command]
fn only_common(common: Common) -> String {
    format!("{common:?}")
}

/// End tasks.
#[command]
fn kill(#[arg(flag)] hard: bool, kill: Kill) -> String {
    format!("{hard} {kill:?}")
}

#[command]
fn pause(selection: Option<Selection>) -> String {
    format!("{selection:?}")
}

#[command]
#[expect(clippy::unused_async, reason = "it answers at once")]
async fn enter(input: Input) -> String {
    format!("{input:?}")
}

#[test]
fn fields_are_parameters_in_place() {
    let daemon = daemon();
    let client = daemon.client();
    let answer = line(
        &client,
        "copy-file --quiet a --prio very-high --force --host ::1 --label x b --label y",
    );
    assert_eq!(
        answer,
        "Common { from: \"a\", waiting: Waiting { timeout: 5s, quiet: true }, priority: Some(VeryHigh), \
         host: Some(::1), label: [\"x\", \"y\"] } b true"
    );
    let answer = line(&client, "only-common a --timeout 1m");
    assert!(answer.contains("timeout: 60s, quiet: false"), "{answer}");
    for (wrong, why) in [
        ("copy-file a", "to is missing"),
        ("copy-file", "from is missing"),
        ("copy-file a b --prio none", "bad value for --prio: \"none\""),
        ("copy-file a b --timeout soon", "bad value for --timeout: \"soon\""),
        ("copy-file a b --label 0123456789012345678901234567890", "bad value for --label"),
        ("copy-file a b --signal 3", "unknown option --signal"),
    ] {
        let answer = line(&client, wrong);
        assert!(answer.contains(why), "{wrong}: {answer}");
    }
}

#[test]
fn help_shows_the_fields() {
    let daemon = daemon();
    let client = daemon.client();
    let help = line(&client, "help copy-file");
    assert!(
        help.starts_with(
            "copy-file <from> [--timeout <timeout>] [--quiet] [--prio <priority>] [--host <host>] \
             [--label <label>]… <to> [--force]\n"
        ),
        "{help}"
    );
    assert!(help.contains("--timeout <timeout>"), "{help}");
    assert!(help.contains("How long it waits; duration; default 5s"), "{help}");
    let help = line(&client, "help kill");
    assert!(
        help.starts_with(
            "kill [--hard] (--group <group> | --tag <name>… | --all | <ids>…) [--signal <signal>]\n"
        ),
        "{help}"
    );
    let help = line(&client, "help pause");
    assert!(
        help.starts_with("pause [--group <group> | --tag <name>… | --all | <ids>…]\n"),
        "{help}"
    );
}

#[test]
fn exactly_one_variant_is_given() {
    let daemon = daemon();
    let client = daemon.client();
    for (given, answer) in [
        ("kill --all", "false Kill { selection: All, signal: None }"),
        ("kill 1 2 --hard", "true Kill { selection: Ids([1, 2]), signal: None }"),
        ("kill --signal 9 --group=a", "false Kill { selection: Group(\"a\"), signal: Some(9) }"),
        (
            "kill --tag a --tag b",
            "false Kill { selection: Named { name: [\"a\", \"b\"] }, signal: None }",
        ),
        ("pause", "None"),
        ("pause 3", "Some(Ids([3]))"),
        ("pause --all", "Some(All)"),
        ("enter --at -3", "Position(-3)"),
        ("enter so it is", "Text(\"so it is\")"),
    ] {
        assert_eq!(line(&client, given), answer, "{given}");
    }
    for (given, why) in [
        (
            "kill",
            "nothing is given: give one of --group <group>, --tag <name>…, --all, <ids>…; usage: kill ",
        ),
        ("kill --all 3", "--all conflicts with <ids>…: give only one of them; usage: kill "),
        ("pause --group a --all", "--group <group> conflicts with --all: give only one"),
        ("pause x", "bad value for ids: \"x\""),
    ] {
        let answer = line(&client, given);
        assert!(answer.contains(why), "{given}: {answer}");
    }
}

#[test]
fn description_names_the_alternatives() {
    let daemon = daemon();
    let answer = line(&daemon.client(), "dockipc describe kill pause");
    assert_eq!(answer.matches("one_of").count(), 8, "{answer}");
    assert_eq!(answer.matches("selection").count(), 8, "{answer}");
}

/// Numbers that differ in each run.
struct Dice(u64);

impl Dice {
    fn index(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll(sides as u64)).unwrap()
    }

    fn roll(&mut self, sides: u64) -> u64 {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(self.0);
        self.0 = hasher.finish();
        self.0 % sides
    }

    fn text(&mut self) -> String {
        let parts = ["--", "-", "", " ", "a", "=", "--all", "\"", "ß", "\\", "--group", "\t"];
        (0..self.roll(4)).map(|_| parts[self.index(parts.len())]).collect()
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(2) == 0).then(|| value(self))
    }

    fn common(&mut self) -> Common {
        Common {
            from: self.text().into(),
            waiting: Waiting {
                timeout: Duration::from_nanos(self.roll(u64::MAX)),
                quiet: self.roll(2) == 0,
            },
            priority: self.maybe(|dice| [Priority::Low, Priority::VeryHigh][dice.index(2)]),
            host: self.maybe(|dice| {
                IpAddr::from(u32::try_from(dice.roll(1 << 32)).unwrap().to_be_bytes())
            }),
            label: (0..self.roll(3)).map(|_| self.text()).collect(),
        }
    }

    fn selection(&mut self) -> Selection {
        match self.roll(4) {
            0 => Selection::Group(self.text()),
            1 => Selection::Named { name: (0..=self.roll(2)).map(|_| self.text()).collect() },
            2 => Selection::All,
            _ => Selection::Ids((0..=self.roll(3)).map(|_| self.roll(u64::MAX)).collect()),
        }
    }
}

#[test]
fn sent_values_are_parsed_back() {
    let daemon = daemon();
    let client = daemon.client();
    let dice = &mut Dice(0);
    for _ in 0..300 {
        let common = dice.common();
        let call = client.command("only-common").give(&common, Way::Position);
        assert_eq!(call.call::<String>().unwrap(), format!("{common:?}"));

        let selection = dice.maybe(Dice::selection);
        let call = client.command("pause").give(&selection, Way::Position);
        assert_eq!(call.call::<String>().unwrap(), format!("{selection:?}"));

        let kill = Kill {
            selection: dice.selection(),
            signal: dice.maybe(|d| u8::try_from(d.roll(256)).unwrap()),
        };
        let call = client.command("kill").give(&kill, Way::Position);
        assert_eq!(call.call::<String>().unwrap(), format!("false {kill:?}"));

        let input = match dice.roll(2) {
            0 => Input::Position(
                i32::try_from(dice.roll(1 << 32).cast_signed() - (1 << 31)).unwrap(),
            ),
            // No text is no parameter.
            _ => Input::Text(format!("x{}", dice.text())),
        };
        let call = client.command("enter").give(&input, Way::Position);
        assert_eq!(call.call::<String>().unwrap(), format!("{input:?}"));
    }
}
