//! The program `dockipc` and commands whose names have two words.

use dockipc::{Server, command};
use tests::ctl::{self, Ran, run};
use tests::terminal::Terminal;
use tests::{Daemon, Place};

/// Add a group.
#[command("group add", alias = "group new")]
fn add(
    /// Its name.
    name: &str,
    #[arg(flag)] paused: bool,
) -> String {
    format!("{name}{}", if paused { ", paused" } else { "" })
}

/// Remove a group.
#[command("group remove", destructive)]
fn remove(#[arg(complete = groups)] name: &str) -> String {
    format!("no {name}")
}

fn groups(_: &str) -> [&'static str; 2] {
    ["ops", "web"]
}

/// Stop everything.
#[command("stop")]
fn stop() {}

struct Scene {
    daemon: Daemon,
    place: Place,
}

impl Scene {
    fn new() -> Self {
        Self { daemon: Daemon::start(Server::new()), place: Place::new() }
    }

    /// Runs `dockipc` with the daemon's socket in the environment.
    fn run(&self, words: &[&str]) -> Ran {
        let mut command = ctl::command(&ctl::path());
        run(command.env("DOCKIPC_SOCKET", self.daemon.path()).args(words), b"")
    }

    /// Runs the daemon's own program.
    fn own(&self, words: &[&str]) -> Ran {
        let mut command = ctl::command(&ctl::named(&self.place, "hitctl"));
        run(command.env("TEST_SOCKET", self.daemon.path()).args(words), b"")
    }

    #[track_caller]
    fn prints(&self, words: &[&str], expected: &str) {
        for ran in [self.run(words), self.own(words)] {
            assert_eq!((ran.code, &*ran.err, &*ran.text()), (Some(0), "", expected), "{words:?}");
        }
    }

    #[track_caller]
    fn completes(&self, line: &str, values: &[&str]) {
        let values_of = |ran: Ran| -> Vec<_> {
            ran.text().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
        };
        let found = values_of(self.run(&["__complete", "--", &format!("dockipc call {line}")]));
        assert_eq!(found, values, "{line:?}");
        let found = values_of(self.own(&["__complete", "--", &format!("hitctl {line}")]));
        let found: Vec<_> = found.into_iter().filter(|value| values.contains(&&**value)).collect();
        assert_eq!(found, values, "{line:?}");
    }
}

#[test]
fn group_is_called_with_two_words() {
    let it = Scene::new();
    it.prints(&["call", "group", "add", "ops", "--paused"], "ops, paused\n");
    it.prints(&["call", "GROUP", "new", "ops"], "ops\n");
    it.prints(&["call", "--json", "group", "remove", "ops"], "\"no ops\"\n");
    it.prints(&["call", "--dry-run", "group", "add", "ops"], "group add would run: name=ops\n");
    let ran = it.own(&["group", "add", "ops"]);
    assert_eq!((ran.code, &*ran.text()), (Some(0), "ops\n"), "{ran:?}");
    let mut command = ctl::command(&ctl::path());
    command.env("DOCKIPC_SOCKET", it.daemon.path()).args(["call", "-f", "-"]);
    assert_eq!(run(&mut command, b"group add 'a  b'\ngroup remove x\n").text(), "a  b\nno x\n");
}

#[test]
fn mistake_in_a_group_points_at_its_word() {
    let it = Scene::new();
    for (words, message) in [
        (
            &["call", "group", "ad", "x"][..],
            "UNKNOWN no command \"group ad\"; did you mean group add?\n  group ad x\n        ^^\n",
        ),
        (
            &["call", "group", "frobnicate"],
            "UNKNOWN no command \"group frobnicate\"; `help group` lists the commands\n  \
             group frobnicate\n        ^^^^^^^^^^\n",
        ),
        (
            &["call", "group", "add", "x", "y"],
            "USAGE unexpected word \"y\"\n  group add x y\n              ^\n\
             usage: group add <name> [--paused]\n",
        ),
        (&["help", "group", "ad"], "UNKNOWN no command \"group ad\"; did you mean group add?\n"),
    ] {
        let ran = it.own(words);
        assert_eq!((ran.code, &*ran.err), (Some(2), &*format!("hitctl: {message}")), "{words:?}");
    }
}

#[test]
fn group_and_its_commands_are_explained() {
    let it = Scene::new();
    let add = "Usage: group add <name> [--paused]\n\nAdd a group.\n\nArguments:\n  \
               <name>    Its name. [text]\n  --paused\n\nAliases: group new\n";
    it.prints(&["help", "group", "add"], add);
    it.prints(&["call", "group", "new", "--help"], add);
    assert_eq!(it.own(&["group", "add", "--help"]).text(), add);
    let list = "group add\tgroup add <name> [--paused]\tAdd a group.\n\
                group remove\tgroup remove <name>\tRemove a group.\n";
    it.prints(&["help", "group"], list);
    it.prints(&["call", "group", "--help"], list);
    assert_eq!(it.own(&["group", "--help"]).text(), list);
    assert!(it.own(&["commands"]).text().contains(list));
    let json = it.run(&["commands", "--json=line"]).text();
    assert!(json.contains("\n{\"name\":\"group add\",\"aliases\":[\"group new\"],"), "{json}");
    let json = it.run(&["help", "--json", "group", "add"]).text();
    assert!(json.starts_with("{\n  \"name\": \"group add\",\n"), "{json}");
}

#[test]
fn group_is_completed_word_by_word() {
    let it = Scene::new();
    it.completes("g", &["group"]);
    it.completes("group ", &["add", "remove"]);
    it.completes("group r", &["remove"]);
    it.completes("group remove w", &["web"]);
    it.completes("group add ops --", &["--paused"]);
    it.completes("stop r", &[]);
}

#[test]
fn group_is_listed_once_on_a_terminal() {
    let it = Scene::new();
    let socket = it.daemon.path();
    let words = [ctl::path().as_os_str(), "commands".as_ref(), socket.as_os_str()].map(Into::into);
    let words: [std::ffi::OsString; 3] = words;
    let Some(terminal) = Terminal::open(words, &[]) else { return };
    terminal.shows("group\n  add <name> [--paused]");
    terminal.shows("\n  remove <name>");
}

#[test]
fn shell_completes_and_hints_at_a_group() {
    let it = Scene::new();
    let socket = it.daemon.path();
    let words = [ctl::path().as_os_str(), "shell".as_ref(), socket.as_os_str()].map(Into::into);
    let words: [std::ffi::OsString; 3] = words;
    let state = it.place.directory().join("state");
    let Some(terminal) = Terminal::open(words, &[("XDG_STATE_HOME", &state)]) else { return };
    terminal.until("a prompt", |screen| screen.ends_with('>'));
    terminal.types("gr");
    terminal.presses(&["Tab"]);
    terminal.types("re");
    terminal.shows("group remove <name>");
    terminal.presses(&["Tab"]);
    terminal.types("w");
    terminal.presses(&["Tab", "Enter"]);
    // The command is destructive.
    terminal.shows("group remove is destructive: run it? [y/N]");
    terminal.presses(&["Enter"]);
    terminal.until("a prompt", |screen| screen.ends_with("s>"));
    assert!(!terminal.screen().contains("no web"));
    terminal.enters("group remove web");
    terminal.until("a second question", |screen| screen.matches("[y/N]").count() == 2);
    terminal.enters("y");
    terminal.shows("no web");
    terminal.enters("help group");
    terminal.shows("\n  add <name> [--paused]");
    terminal.enters("group add --help");
    terminal.shows("Usage: group add <name>");
}
