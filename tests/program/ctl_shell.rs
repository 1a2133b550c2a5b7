//! `dockipc shell` in a terminal: completion, hints, errors, Ctrl-C, history.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use dockipc::{Arg, Handle, Request, Secret, Server, State, command};
use tests::Place;
use tests::ctl::{self, run};
use tests::gate::Gate;
use tests::peers::lacks;
use tests::process::until;
use tests::terminal::Terminal;

#[derive(Arg)]
enum Level {
    Low,
    VeryHigh,
}

/// Greet somebody.
#[command("greet", alias = "hi")]
fn greet(
    /// The person to greet.
    #[arg(complete = people)]
    who: &str,
    #[arg(flag)] loud: bool,
    /// How much.
    #[arg(long)]
    level: Option<Level>,
) -> String {
    let level = level.map_or("", |level| match level {
        Level::Low => ", a bit",
        Level::VeryHigh => ", very much",
    });
    format!("hello {who}{level}{}", if loud { "!" } else { "" })
}

fn people(request: &Request<'_>, _: &str) -> Vec<String> {
    request.state::<People>().map(|people| people.0.lock().unwrap().clone()).unwrap_or_default()
}

#[derive(Default)]
struct People(Mutex<Vec<String>>);

/// Keep a note.
#[command("note")]
fn note(#[arg(rest)] text: &str) -> usize {
    text.len()
}

/// Take a password.
#[command("login")]
fn login(_user: &str, _password: Secret<String>) -> &'static str {
    "welcome"
}

#[command("login-hidden", hidden)]
fn login_hidden(_password: Secret<String>) -> &'static str {
    "welcome, too"
}

/// Wait.
#[command("wait")]
fn wait(gate: State<Gate>) -> &'static str {
    gate.pass();
    "waited"
}

/// Answer with `count` lines.
#[command("lines")]
fn lines(count: usize) -> Vec<String> {
    (1..=count).map(|line| format!("line {line} of {count}")).collect()
}

/// A daemon and a shell.
struct Scene {
    // Dropped before the daemon.
    terminal: Terminal,
    daemon: Handle,
    gate: Gate,
    place: Place,
}

/// The prompt, which has the socket's name.
const PROMPT: &str = "hitd>";

impl Scene {
    #[track_caller]
    fn open() -> Option<Self> {
        let (place, gate) = (Place::new(), Gate::default());
        let daemon = serve(&place, &gate);
        let terminal = shell(&place)?;
        Some(Self { terminal, daemon, gate, place })
    }

    fn history(&self) -> String {
        fs::read_to_string(self.place.directory().join("state/dockipc/history")).unwrap_or_default()
    }
}

#[track_caller]
fn serve(place: &Place, gate: &Gate) -> Handle {
    let people = ["anna", "anton b", "bob"].map(String::from).to_vec();
    let server = Server::new().state(gate.clone()).state(People(Mutex::new(people)));
    server.spawn(place.directory().join("hitd.sock")).expect("a daemon")
}

#[track_caller]
fn shell(place: &Place) -> Option<Terminal> {
    let socket = place.directory().join("hitd.sock");
    let words = [ctl::path().as_os_str(), "shell".as_ref(), socket.as_os_str()].map(Into::into);
    let words: [std::ffi::OsString; 3] = words;
    let terminal = Terminal::open(words, &[("XDG_STATE_HOME", &place.directory().join("state"))])?;
    terminal.ends_with(PROMPT);
    Some(terminal)
}

#[test]
fn tab_completes_names_options_and_values() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    let completes = |typed: &str, line: &str| {
        terminal.types(typed);
        terminal.presses(&["Tab"]);
        terminal.until(line, |screen| last(screen).starts_with(&format!("{PROMPT} {line}")));
    };
    completes("gr", "greet ");
    completes("bo", "greet bob ");
    completes("--le", "greet bob --level ");
    completes("v", "greet bob --level very-high ");
    completes("--lo", "greet bob --level very-high --loud");
    terminal.presses(&["Enter"]);
    terminal.shows("\nhello bob, very much!\n");
    // A blank within a value is escaped.
    completes("greet ant", "greet anton\\ b ");
    terminal.presses(&["Enter"]);
    terminal.shows("\nhello anton b\n");
    // Several candidates are listed.
    completes("greet a", "greet an");
    terminal.presses(&["Tab"]);
    terminal.shows("anna     anton b");
    // tmux must see the next prompt before more is typed.
    terminal.presses(&["C-c"]);
    terminal.ends_with("\nhitd>");
    terminal.types("l");
    terminal.presses(&["Tab", "Tab"]);
    terminal.shows("lines  Answer with `count` lines.\nlogin  Take a password.\n");
    // The list is whole when the prompt is below it.
    let screen = terminal.ends_with("\nhitd> l");
    assert!(!screen.contains("hidden"), "{screen}");
}

/// Returns the last line, which has the cursor.
fn last(screen: &str) -> &str {
    screen.lines().last().unwrap_or_default()
}

#[test]
fn remaining_usage_is_shown_in_gray() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    terminal.types("gree");
    terminal.ends_with("> greet <who> [--loud] [--level <level>]");
    terminal.types("t bob --loud ");
    terminal.ends_with("> greet bob --loud [--level <level>]");
    let colored = terminal.colored();
    assert!(colored.contains("--loud \x1b[90m[--level <level>]"), "{colored:?}");
    terminal.types("--level ");
    terminal.ends_with("> greet bob --loud --level <level>");
    // The right arrow inserts only the rest of a name.
    terminal.presses(&["C-u"]);
    terminal.types("no");
    terminal.ends_with("> note <text…>");
    terminal.presses(&["Right"]);
    terminal.enters(" a  b");
    terminal.shows("note a  b\n4\n");
}

#[test]
fn errors_point_at_the_word() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    terminal.enters("greet bob --level x");
    let below = "
USAGE bad value for --level: \"x\": expected one of low, very-high
  greet bob --level x
                    ^
usage: greet <who> [--loud] [--level <level>]
hitd>";
    terminal.ends_with(below);
    terminal.enters("gret bob");
    terminal.ends_with("did you mean greet?\n  gret bob\n  ^^^^\nhitd>");
    terminal.enters("greet");
    terminal.ends_with("usage: greet <who> [--loud] [--level <level>]\n             ^^^^^\nhitd>");
    terminal.enters("greet 'bob");
    terminal.shows("the quote ' at byte 6 is not closed");
}

#[test]
fn ctrl_c_cancels_a_call_and_ctrl_d_exits() {
    let Some(Scene { terminal, gate, .. }) = &Scene::open() else { return };
    for round in 1..=2 {
        terminal.enters("wait");
        until("the command runs", || gate.came() == round);
        terminal.presses(&["C-c"]);
        let why = "the caller has cancelled the command, which still runs";
        terminal.ends_with(&format!("\nCANCELLED {why}\nhitd>"));
        terminal.presses(&["C-l"]);
        terminal.until("an empty screen", |screen| screen == PROMPT);
    }
    // Ctrl-C also discards a typed line.
    terminal.types("greet somebody");
    terminal.presses(&["C-c"]);
    terminal.ends_with("\nhitd>");
    terminal.enters("greet bob");
    terminal.shows("\nhello bob\nhitd>");
    gate.open();
    // A line can be typed while a command runs.
    terminal.enters("wait");
    terminal.enters("greet anna");
    terminal.ends_with("hello anna\nhitd>");
    terminal.presses(&["C-d"]);
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn ctrl_c_ends_a_long_answer() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    // More than the terminal shows before the key is pressed.
    terminal.enters("lines 2000000");
    terminal.shows("of 2000000");
    terminal.presses(&["C-c"]);
    terminal.ends_with("canceled; the command may have run, or may still be running\nhitd>");
    terminal.enters("greet bob");
    terminal.ends_with("hello bob\nhitd>");
}

#[test]
fn verbose_shell_names_the_listener_and_times() {
    let (place, gate) = (Place::new(), Gate::default());
    let _daemon = serve(&place, &gate);
    let (program, socket) = (ctl::path(), place.directory().join("hitd.sock"));
    let words = [program.as_os_str(), "-v".as_ref(), "shell".as_ref(), socket.as_os_str()];
    let state = place.directory().join("state");
    let Some(terminal) = Terminal::open(words, &[("XDG_STATE_HOME", &state)]) else { return };
    terminal.shows("* connected to ");
    terminal.ends_with(PROMPT);
    terminal.enters("note abc");
    terminal.shows("3\n* the call took ");
}

#[test]
fn help_explains_and_exit_leaves() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    terminal.enters("help hi");
    let screen = terminal.shows("Aliases: hi");
    assert!(screen.contains("<who>            The person to greet. [text]"), "{screen}");
    terminal.presses(&["C-l"]);
    terminal.enters("help");
    let screen = terminal.shows("exit or Ctrl-D leaves the shell.");
    assert!(screen.contains("login <user> <password>"), "{screen}");
    terminal.enters("help gret");
    terminal.shows("UNKNOWN no command \"gret\"; did you mean greet?");
    terminal.presses(&["C-l"]);
    terminal.enters("hi --help");
    terminal.shows("Aliases: hi");
    terminal.enters("exit");
    assert_eq!(terminal.exit(), 0);
}

#[test]
fn long_answer_is_followed_by_the_prompt() {
    let Some(Scene { terminal, .. }) = &Scene::open() else { return };
    terminal.enters("lines 30000");
    terminal.ends_with("line 29999 of 30000\nline 30000 of 30000\nhitd>");
}

#[test]
fn history_is_private_and_has_no_secret() {
    let Some(scene) = Scene::open() else { return };
    let terminal = &scene.terminal;
    terminal.enters("greet bob");
    terminal.shows("hello bob\n");
    for line in ["login me hunter2", "LOGIN me 'hunter2'", "login-hidden hunter2"] {
        terminal.presses(&["C-l"]);
        terminal.enters(line);
        terminal.shows("\nwelcome");
    }
    terminal.enters(" greet hunter2");
    terminal.shows("hello hunter2\n");
    for line in ["dockipc line 'login me hunter2'", "auth hunter2", "logn me hunter2"] {
        terminal.presses(&["C-l"]);
        terminal.enters(line);
        terminal.until("an answer", |screen| screen.lines().count() > 1 && last(screen) == PROMPT);
    }
    // A mistyped line can be recalled.
    terminal.presses(&["Up"]);
    terminal.ends_with("> logn me hunter2");
    terminal.presses(&["Up"]);
    terminal.ends_with("> greet bob [--loud] [--level <level>]");
    terminal.presses(&["C-u"]);
    terminal.enters("note it");
    until("the line is in the file", || scene.history() == "greet bob\nnote it\n");
    let directory = scene.place.directory().join("state/dockipc");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("history"))), (0o700, 0o600));
    // The next shell reads the file.
    let Some(terminal) = shell(&scene.place) else { return };
    terminal.presses(&["Up", "Up"]);
    terminal.ends_with("> greet bob [--loud] [--level <level>]");
}

#[test]
fn history_follows_no_link_and_waits_for_no_pipe() {
    for what in ["link", "pipe"] {
        let (place, gate) = (Place::new(), Gate::default());
        let _daemon = serve(&place, &gate);
        let other = place.directory().join("other");
        fs::write(&other, "precious\n").unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o644)).unwrap();
        let history = place.directory().join("state/dockipc/history");
        fs::create_dir_all(history.parent().unwrap()).unwrap();
        if what == "link" {
            std::os::unix::fs::symlink(&other, &history).unwrap();
        } else {
            assert!(Command::new("mkfifo").arg(&history).status().unwrap().success());
        }
        let Some(terminal) = shell(&place) else { return };
        terminal.shows("cannot keep history in");
        terminal.enters("greet bob");
        terminal.shows("hello bob");
        terminal.enters("exit");
        assert_eq!(terminal.exit(), 0);
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious\n");
        assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o644);
    }
}

#[test]
fn restarted_daemon_is_connected_to_again() {
    let Some(Scene { terminal, daemon, gate, place }) = Scene::open() else { return };
    terminal.enters("greet bob");
    terminal.shows("hello bob\n");
    daemon.shutdown();
    terminal.enters("greet bob");
    terminal.shows("is the daemon running?\nhitd>");
    let again = serve(&place, &gate);
    terminal.enters("greet anna");
    terminal.shows("hello anna\n");
    // Also if no command ran in between.
    again.shutdown();
    let _again = serve(&place, &gate);
    terminal.types("greet bo");
    terminal.presses(&["Tab"]);
    terminal.until("the name", |screen| last(screen).starts_with("hitd> greet bob "));
}

#[test]
fn hanging_daemon_does_not_stall_tab() {
    let (place, gate) = (Place::new(), Gate::default());
    let server = Server::new().state(gate.clone()).state(People::default());
    let _daemon = server.spawn(place.directory().join("hitd.sock")).unwrap();
    let Some(terminal) = shell(&place) else { return };
    terminal.types("stalls ");
    terminal.presses(&["Tab"]);
    terminal.types("x");
    terminal.ends_with("> stalls x");
    terminal.enters("");
    terminal.shows("\nunstalled x\nhitd>");
    gate.open();
}

#[command("stalls")]
fn stalls(#[arg(complete = stalled)] what: &str) -> String {
    format!("unstalled {what}")
}

fn stalled(request: &Request<'_>, _: &str) -> Vec<String> {
    request.state::<Gate>().unwrap().pass();
    vec!["late".into()]
}

#[test]
fn shell_without_a_terminal_reads_lines() {
    let (place, gate) = (Place::new(), Gate::default());
    let _daemon = serve(&place, &gate);
    let mut command = ctl::command(&ctl::path());
    let socket = place.directory().join("hitd.sock");
    let ran = run(command.arg("shell").arg(socket), b"greet bob\n# nothing\ngreet\ngreet anna\n");
    assert_eq!((ran.code, &*ran.text()), (Some(2), "hello bob\nhello anna\n"));
    assert!(ran.err.contains("line 3: USAGE who is missing"), "{ran:?}");
    let none = run(ctl::command(&ctl::path()).args(["shell", "/nowhere/s.sock"]), b"ping");
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn redis_cli_shows_the_same_names_and_hints() {
    let (place, gate) = (Place::new(), Gate::default());
    let _daemon = serve(&place, &gate);
    if lacks("redis-cli") {
        return;
    }
    let socket = place.directory().join("hitd.sock");
    let words = ["redis-cli".as_ref(), "-s".as_ref(), socket.as_os_str()];
    let Some(terminal) = Terminal::open(words, &[("HOME", place.directory())]) else { return };
    terminal.ends_with(">");
    terminal.types("greet ");
    terminal.ends_with("greet who [--loud] [--level low|very-high]");
    terminal.presses(&["C-u"]);
    terminal.types("gre");
    terminal.presses(&["Tab"]);
    terminal.until("the name", |screen| last(screen).contains("> GREET"));
    terminal.enters(" bob");
    terminal.shows("\"hello bob\"");
    terminal.enters("help greet");
    terminal.shows("summary: Greet somebody.");
}
