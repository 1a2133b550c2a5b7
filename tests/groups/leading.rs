//! Words in front of an enum of commands, which stand in the middle of a command's name.

use std::collections::BTreeMap;

use dockipc::client::Way;
use dockipc::{Arg, Commands, Peer, command};

use super::daemon::{daemon, line};

#[derive(Arg, Clone, Copy, Debug, PartialEq)]
enum Turn {
    Normal,
    Flipped,
}

/// A change of a display.
#[derive(Commands, Clone, Debug, PartialEq)]
#[command(prefix = "display")]
enum Change {
    /// Turn a display off.
    #[command(alias = "out")]
    Off,
    /// Turn a display.
    Turn {
        turn: Turn,
        #[arg(long)]
        after: Option<u8>,
    },
    Label {
        #[arg(rest)]
        text: String,
    },
    Run {
        #[arg(last)]
        words: Vec<String>,
    },
}

/// Change a display.
#[command(alias = "screen")]
fn display(
    peer: Peer,
    /// The name of the display.
    name: String,
    #[arg(range = 1..=9)] desk: u8,
    change: Change,
) -> String {
    assert!(peer.pid().is_some());
    format!("{name} {desk} {change:?}")
}

/// List the displays.
#[command("display list")]
fn list() -> Vec<String> {
    vec!["eDP-1".to_owned()]
}

#[test]
fn words_stand_in_the_middle_of_a_name() {
    let daemon = daemon();
    let client = daemon.client();
    for (given, answer) in [
        ("display eDP-1 2 off", "eDP-1 2 Off"),
        ("SCREEN eDP-1 2 OUT", "eDP-1 2 Off"),
        ("display \'e DP\' \"2\" off", "e DP 2 Off"),
        (
            "display eDP-1 2 turn --after 3 flipped",
            "eDP-1 2 Turn { turn: Flipped, after: Some(3) }",
        ),
        ("display eDP-1 2 turn flipped", "eDP-1 2 Turn { turn: Flipped, after: None }"),
        ("display a 2 label  it\'s  \"x\"", "a 2 Label { text: \"it\'s  \\\"x\\\"\" }"),
        ("display a 2 label -- -x", "a 2 Label { text: \"-x\" }"),
        ("display a 2 off --", "a 2 Off"),
        ("display a 2 run -- ls -l", "a 2 Run { words: [\"ls\", \"-l\"] }"),
        // Behind the name.
        ("display off eDP-1 2", "eDP-1 2 Off"),
        ("display off off 2", "off 2 Off"),
        ("display turn --after 3 eDP-1 2 normal", "eDP-1 2 Turn { turn: Normal, after: Some(3) }"),
        ("display off -- --x 2", "--x 2 Off"),
        ("dockipc check display eDP-1 2 off", "display off would run: name=eDP-1 desk=2"),
    ] {
        assert_eq!(line(&client, given), answer, "{given}");
        let Ok(words) = shell(given) else { continue };
        let called = client.command(words[0]).words(&words[1..]).call::<String>().unwrap();
        assert_eq!(called, answer, "{given} in RESP");
    }
    assert_eq!(line(&client, "display list"), "eDP-1\n");
}

/// Splits a line without quotes.
fn shell(line: &str) -> Result<Vec<&str>, ()> {
    if line.contains(['\'', '"']) { Err(()) } else { Ok(line.split(' ').collect()) }
}

#[test]
fn wrong_words_around_a_name_are_refused() {
    let daemon = daemon();
    let client = daemon.client();
    for (given, why) in [
        ("display eDP-1 2 of", "no command \"display of\"; did you mean display off?"),
        ("display eDP-1", "no command \"display eDP-1\""),
        ("display eDP-1 2", "no command \"display eDP-1\""),
        ("display eDP-1 2 list", "no command \"display eDP-1\""),
        ("display --x 2 off", "no command \"display --x\""),
        ("display eDP-1 12 off", "bad value for desk: \"12\""),
        ("display eDP-1 2 off now", "unexpected word \"now\"; usage: display <name> <desk> off"),
        (
            "display eDP-1 2 turn",
            "turn is missing; usage: display <name> <desk> turn <turn> [--after",
        ),
        ("display off", "name is missing; usage: display <name> <desk> off"),
        ("display eDP-1 2 off \"x", "the quote \" at byte 20 is not closed"),
    ] {
        let answer = line(&client, given);
        assert!(answer.contains(why), "{given}: {answer}");
    }
}

#[test]
fn help_has_the_words_in_the_middle() {
    let daemon = daemon();
    let client = daemon.client();
    let listed = line(&client, "display");
    assert!(listed.contains("display <name> <desk> off  "), "{listed}");
    let help = line(&client, "help display off");
    assert!(help.starts_with("display <name> <desk> off\n\nTurn a display off.\n"), "{help}");
    assert!(help.contains("  <name>  The name of the display; text\n"), "{help}");
    let described = line(&client, "dockipc describe \"display off\"");
    assert!(described.contains("leading\t2"), "{described}");
    let described = line(&client, "dockipc describe \"display list\"");
    assert!(!described.contains("leading"), "{described}");
    // Redis clients have a subcommand behind its command.
    let docs = line(&client, "command docs \"display|off\"");
    assert!(docs.contains("name"), "{docs}");
}

fn changes() -> Vec<Change> {
    vec![
        Change::Off,
        Change::Turn { turn: Turn::Flipped, after: Some(9) },
        Change::Turn { turn: Turn::Normal, after: None },
        Change::Label { text: "--x  y".to_owned() },
        Change::Run { words: ["ls", "--", "-l", "off"].map(str::to_owned).into() },
    ]
}

#[dockipc::client]
trait Monitors {
    fn display(&self, name: &str, desk: u8, change: &Change) -> dockipc::Result<String>;

    #[command("display off")]
    fn turn_off(&self, name: &str, desk: u8) -> dockipc::Result<String>;
}

#[test]
fn client_sends_an_enum_behind_other_words() {
    let daemon = daemon();
    let client = daemon.client();
    let displays = MonitorsClient::new(client.clone());
    for change in changes() {
        for name in ["eDP-1", "off", "--", "-x", "turn"] {
            let answer = format!("{name} 1 {change:?}");
            assert_eq!(displays.display(name, 1, &change).unwrap(), answer);
            let call = client.command("display").arg(name).arg(1).give(&change, Way::Position);
            assert_eq!(call.call::<String>().unwrap(), answer);
        }
    }
    assert_eq!(displays.turn_off("off", 3).unwrap(), "off 3 Off");
    assert_eq!(displays.check().unwrap(), []);
}

#[derive(Commands)]
enum Newer {
    Off,
    Paint,
}

#[dockipc::client]
trait NewerMonitors {
    fn display(&self, name: &str, desk: u8, change: Newer) -> dockipc::Result<BTreeMap<u8, u8>>;
}

#[test]
fn check_compares_each_command_of_an_enum() {
    let daemon = daemon();
    let newer = NewerMonitorsClient::new(daemon.client());
    let differences = newer.check().unwrap();
    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        differences,
        [
            "display off: the answer is of the type map in the trait, and text in the daemon",
            "display paint: the daemon has no such command, or you may not run it",
        ]
    );
    assert!(newer.display("eDP-1", 1, Newer::Off).is_err());
}
