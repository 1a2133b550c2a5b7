//! `#[derive(Commands)]`: each variant of an enum is a command.

use std::path::PathBuf;

use dockipc::{Arg, Args, Body, Cancel, Commands, Local, Peer, command};

use super::daemon::{Ui, daemon, line};

#[derive(Arg, Clone, Copy, Debug, PartialEq)]
enum Side {
    Left,
    Right,
}

#[derive(Args, Clone, Debug, PartialEq)]
struct Place {
    #[arg(long)]
    side: Option<Side>,
    #[arg(long, default = 1)]
    column: u8,
}

#[derive(Args, Clone, Debug, PartialEq)]
enum Target {
    Id(u64),
    Focused,
}

/// Actions of the user interface.
#[derive(Commands, Clone, Debug, PartialEq)]
enum Action {
    /// Leave the session.
    ///
    /// It asks before.
    #[command("leave", alias = "exit-session", idempotent)]
    Quit {
        /// It does not ask.
        #[arg(flag)]
        skip_confirmation: bool,
    },
    /// Start a program.
    Spawn {
        /// The program and its arguments.
        command: Vec<String>,
    },
    FocusWindow {
        target: Target,
        place: Place,
    },
    MoveTo(Place),
    PowerOff,
    #[command(hidden, allow = "uid:4000000")]
    Secret {
        path: PathBuf,
    },
}

#[command(flatten)]
fn act(ui: Local<'_, Ui>, peer: Peer, action: Action, cancel: Cancel) -> String {
    assert!(peer.pid().is_some() && !cancel.is_cancelled());
    let mut ui = ui;
    ui.0.push(format!("{action:?}"));
    ui.0.last().cloned().unwrap_or_default()
}

#[derive(Commands, Debug)]
enum Job2 {
    JobNew { name: String },
    JobRest(Place),
}

#[command(flatten, idempotent)]
#[expect(clippy::unused_async, reason = "it answers at once")]
async fn job(job: Job2, peer: Peer) -> String {
    format!("{job:?} {}", peer.pid().is_some())
}

/// The windows, by names of two words. Some of them are the protocol's.
#[derive(Commands, Clone, Debug)]
#[command(prefix = "window")]
enum Window {
    /// Select a window.
    #[command(alias = "pick", since = "1.2", readonly)]
    Select {
        id: u64,
    },
    Quit,
    Place(Place),
}

#[command(alias = "win", idempotent, deprecated = "use windows")]
fn window(window: Window) -> String {
    format!("{window:?}")
}

#[derive(Commands, Debug)]
enum Upload {
    UploadHere { name: String },
}

#[command(flatten)]
fn upload(upload: Upload, body: Body) -> std::io::Result<String> {
    Ok(format!("{upload:?} {}", std::io::read_to_string(body)?))
}

#[test]
fn each_variant_is_a_command() {
    let daemon = daemon();
    let client = daemon.client();
    for (given, answer) in [
        ("leave", "Quit { skip_confirmation: false }"),
        ("exit-session --skip-confirmation", "Quit { skip_confirmation: true }"),
        ("spawn foot -e sh", "Spawn { command: [\"foot\", \"-e\", \"sh\"] }"),
        (
            "focus-window --side left --id 3",
            "FocusWindow { target: Id(3), place: Place { side: Some(Left), column: 1 } }",
        ),
        ("move-to --column 4", "MoveTo(Place { side: None, column: 4 })"),
        ("power-off", "PowerOff"),
        ("job-new x", "JobNew { name: \"x\" } true"),
        ("job-rest", "JobRest(Place { side: None, column: 1 }) true"),
    ] {
        assert_eq!(line(&client, given), answer, "{given}");
    }
    for (given, why) in [
        (
            "focus-window",
            "nothing is given: give one of --id <id>, --focused; usage: focus-window ",
        ),
        ("power-off now", "unexpected word \"now\"; usage: power-off"),
        ("secret /x", "permission denied: \"secret\" requires uid:4000000"),
        ("power-of", "did you mean power-off?"),
        ("act", "no command \"act\""),
        ("job-new", "name is missing; usage: job-new <name>"),
    ] {
        let answer = line(&client, given);
        assert!(answer.contains(why), "{given}: {answer}");
    }
}

#[test]
fn help_and_description_show_each_variant() {
    let daemon = daemon();
    let client = daemon.client();
    let list = line(&client, "help");
    assert!(list.contains("leave [--skip-confirmation]"), "{list}");
    assert!(list.contains("Start a program."), "{list}");
    assert!(!list.contains("secret"), "{list}");
    let help = line(&client, "help leave");
    assert_eq!(
        help,
        "leave [--skip-confirmation]\n\nLeave the session.\n\nIt asks before.\n\n  \
         --skip-confirmation  It does not ask\n\naliases: exit-session\n\nidempotent: running it \
         twice has the same effect as once\n"
    );
    let help = line(&client, "help focus-window");
    assert!(
        help.starts_with(
            "focus-window (--id <id> | --focused) [--side <side>] [--column <column>]\n"
        ),
        "{help}"
    );
    let docs = line(&client, "command docs spawn");
    assert!(docs.contains("Start a program."), "{docs}");
    assert!(line(&client, "help job-new").contains("idempotent"), "of the function");
}

#[test]
fn second_server_has_the_commands_too() {
    let (first, second) = (daemon(), daemon());
    for daemon in [first, second] {
        assert_eq!(line(&daemon.client(), "power-off"), "PowerOff");
    }
}

#[test]
fn body_follows_the_words_of_a_variant() {
    let daemon = daemon();
    let client = daemon.client();
    let call = client.request(Upload::UploadHere { name: "a".into() }).body(&b"bytes"[..]);
    assert_eq!(call.call::<String>().unwrap(), "UploadHere { name: \"a\" } bytes");
    assert!(line(&client, "help upload-here").starts_with("upload-here <name> <body>\n"));
}

fn actions() -> Vec<Action> {
    let target = || [Target::Id(7), Target::Focused];
    let place = || {
        [
            Place { side: None, column: 0 },
            Place { side: Some(Side::Right), column: 255 },
            Place { side: Some(Side::Left), column: 1 },
        ]
    };
    let words = ["", "--", "-x", "--id", "a b", "ß"];
    let mut actions = vec![
        Action::Quit { skip_confirmation: true },
        Action::Quit { skip_confirmation: false },
        Action::PowerOff,
        Action::Spawn { command: Vec::new() },
        Action::Spawn { command: words.map(str::to_owned).into() },
        Action::Spawn { command: vec!["--".into()] },
    ];
    actions.extend(place().map(Action::MoveTo));
    for target in target() {
        let focus = |place| Action::FocusWindow { target: target.clone(), place };
        actions.extend(place().map(focus));
    }
    actions
}

#[test]
fn requested_variant_is_parsed_back() {
    let daemon = daemon();
    let client = daemon.client();
    for action in actions() {
        let shown = format!("{action:?}");
        assert_eq!(client.request(action).call::<String>().unwrap(), shown);
    }
}

#[test]
fn words_of_a_variant_are_parsed_back() {
    for action in actions() {
        let words = action.to_words();
        assert_eq!(Action::from_words(&words).unwrap(), action, "{words:?}");
    }
    let action = Action::from_words(["EXIT-SESSION", "--skip-confirmation"]).unwrap();
    assert_eq!(action, Action::Quit { skip_confirmation: true });
    assert_eq!(action.to_words(), ["leave", "--skip-confirmation"]);
}

#[test]
fn wrong_words_are_refused_as_by_the_daemon() {
    for (words, why) in [
        (&[][..], "USAGE no command is given"),
        (&["pwer-off"][..], "UNKNOWN no command \"pwer-off\"; did you mean power-off?"),
        (&["focus-window"], "USAGE nothing is given: give one of --id <id>, --focused; usage: "),
        (&["move-to", "--column", "300"], "USAGE bad value for --column: \"300\""),
        (&["power-off", "x"], "USAGE unexpected word \"x\"; usage: power-off"),
    ] {
        let failure = Action::from_words(words).unwrap_err();
        let text = format!("{} {}", failure.code(), failure.message());
        assert!(text.starts_with(why), "{text}");
    }
}

#[test]
fn variants_are_commands_of_a_group() {
    let daemon = daemon();
    let client = daemon.client();
    for (given, answer) in [
        ("window select 3", "Select { id: 3 }"),
        ("win pick 3", "Select { id: 3 }"),
        ("window quit", "Quit"),
        ("window place --column 9", "Place(Place { side: None, column: 9 })"),
    ] {
        assert_eq!(line(&client, given), answer, "{given}");
    }
    let list = line(&client, "window");
    assert!(list.contains("window select <id>"), "{list}");
    assert!(list.contains("Select a window."), "{list}");
    let described = line(&client, "dockipc describe \"window select\"");
    for part in ["since", "1.2", "readonly", "use windows"] {
        assert!(described.contains(part), "{part}: {described}");
    }
    let help = line(&client, "help window select");
    assert!(help.contains("aliases: window pick, win select, win pick\n"), "{help}");
    assert!(help.contains("readonly"), "{help}");
    assert!(line(&client, "help window quit").contains("idempotent"), "of the function");
    let answer = line(&client, "window select");
    assert!(answer.contains("id is missing; usage: window select <id>"), "{answer}");
}

#[test]
fn request_of_a_group_has_its_prefix() {
    let daemon = daemon();
    let client = daemon.client();
    for window in [
        Window::Select { id: 7 },
        Window::Quit,
        Window::Place(Place { side: Some(Side::Left), column: 2 }),
    ] {
        let shown = format!("{window:?}");
        assert_eq!(client.request(window).call::<String>().unwrap(), shown);
    }
    let words = Window::Select { id: 7 }.to_words();
    assert_eq!(words, ["select", "7"]);
    assert!(matches!(Window::from_words(words).unwrap(), Window::Select { id: 7 }));
}
