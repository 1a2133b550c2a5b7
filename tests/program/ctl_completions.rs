//! Completion in bash, zsh and fish, in terminals.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

use dockipc::{Arg, Handle, Server, command};
use tests::Place;
use tests::ctl::{self, run};
use tests::peers::lacks;
use tests::terminal::Terminal;

#[derive(Arg)]
enum Level {
    Low,
    VeryHigh,
}

/// Greet: somebody.
#[command("greet")]
fn greet(#[arg(complete = people)] who: &str, #[arg(long)] level: Option<Level>) -> String {
    let level = level.map_or("", |level| match level {
        Level::Low => ", a bit",
        Level::VeryHigh => ", very much",
    });
    format!("hello {who}{level}")
}

fn people(_: &str) -> [&'static str; 5] {
    ["anna", "anton b", "host:one", "host:two", "$(touch x)"]
}

/// Guard something.
#[command("guard")]
fn guard(path: &str) -> usize {
    path.len()
}

/// A daemon, and a directory in $PATH with the programs and a file.
struct Scene {
    _daemon: Handle,
    place: Place,
    socket: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let socket = place.directory().join("hitd.sock");
        let daemon = Server::new().spawn(&socket).expect("a daemon");
        for name in ["dockipc", "hitctl"] {
            symlink(ctl::path(), place.directory().join(name)).expect("a link");
        }
        fs::write(place.directory().join("notes.txt"), "some").expect("a file");
        Self { _daemon: daemon, socket: socket.display().to_string(), place }
    }

    /// Returns the candidates at the end of a line: values, and their help after a tab.
    #[track_caller]
    fn complete(&self, line: &str) -> Vec<String> {
        let mut command = ctl::command(&self.place.directory().join("dockipc"));
        let directory = self.place.directory();
        command.current_dir(directory).env("XDG_RUNTIME_DIR", directory).env("HOME", directory);
        let ran = run(command.args(["__complete", "--", line]), b"");
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{line}");
        ran.text().lines().map(String::from).collect()
    }

    #[track_caller]
    fn values(&self, line: &str) -> Vec<String> {
        let value = |line: String| line.split('\t').next().unwrap_or_default().to_owned();
        self.complete(line).into_iter().map(value).collect()
    }

    /// Starts a shell in a terminal, with the directory as its home.
    #[track_caller]
    fn shell(&self, words: &[&str]) -> Option<Terminal> {
        if lacks(words[0]) {
            return None;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut with_ours = OsString::from(self.place.directory());
        with_ours.push(":");
        with_ours.push(path);
        let directory = self.place.directory();
        let with_ours = std::path::PathBuf::from(with_ours);
        let variables = [
            ("PATH", &*with_ours),
            ("HOME", directory),
            ("XDG_RUNTIME_DIR", directory),
            ("XDG_CONFIG_HOME", directory),
            ("XDG_DATA_HOME", directory),
        ];
        let terminal = Terminal::open(words, &variables)?;
        Some(terminal)
    }

    /// Types the same lines in every shell and completes them.
    #[track_caller]
    fn completes_in(&self, terminal: &Terminal, colon: &str, list: &[&str]) {
        let Self { socket, .. } = self;
        let directory = self.place.directory().display();
        let tab = |typed: &str, shown: &str| {
            terminal.types(typed);
            terminal.presses(&["Tab"]);
            let shown = shown.trim_end();
            terminal.until(shown, |screen| unwrapped(screen).contains(shown));
        };
        let empty = || {
            // Text that is typed before the prompt may get lost.
            terminal.ends_with("\n$");
            terminal.enters("clear");
            terminal.until("an empty screen", |screen| screen == "$");
        };
        tab("dockipc ca", "dockipc call ");
        tab("--lit", "call --literal ");
        tab(&format!("{directory}/hi"), &format!("{socket} "));
        tab("gr", "greet ");
        tab("ann", "greet anna ");
        tab("--le", "anna --level ");
        tab("v", "--level very-high");
        terminal.presses(&["Enter"]);
        terminal.shows("hello anna, very much");
        empty();
        // The completed value is one word, and not code.
        tab(&format!("dockipc call {socket} greet ant"), "anton");
        terminal.presses(&["Enter"]);
        terminal.shows("hello anton b");
        empty();
        for quote in ["'", "\"", ""] {
            let dollar = if quote == "'" { "$" } else { "\\$" };
            tab(&format!("dockipc call {socket} greet {quote}{dollar}"), "touch");
            terminal.presses(&["Enter"]);
            terminal.shows("hello $(touch x)");
            empty();
        }
        tab(&format!("dockipc call {socket} greet host:t"), colon);
        terminal.presses(&["Enter"]);
        terminal.shows("hello host:two");
        empty();
        tab(&format!("dockipc call {socket} greet anna --level=l"), "--level=low");
        terminal.presses(&["Enter"]);
        terminal.shows("hello anna, a bit");
        empty();
        tab(&format!("dockipc call {socket} guard @no"), "@notes.txt");
        terminal.presses(&["Enter"]);
        terminal.until("the length", |screen| screen.lines().any(|line| line == "4"));
        empty();
        // What the shell expands stays as typed, also a variable that is not exported.
        for directory in ["~", "$D"] {
            tab(&format!("dockipc call {directory}/hi"), &format!("{directory}/hitd.sock "));
            tab("gr", "greet ");
            terminal.types("anna");
            terminal.presses(&["Enter"]);
            terminal.shows("hello anna");
            empty();
        }
        tab("A=1 B='2 3' dockipc call hitd gr", "hitd greet ");
        terminal.presses(&["C-c"]);
        empty();
        // Several candidates are listed.
        terminal.types(&format!("dockipc call {socket} g"));
        terminal.presses(&["Tab", "Tab"]);
        for text in list {
            terminal.shows(text);
        }
        assert!(!self.place.directory().join("x").exists(), "a shell ran code in a daemon's value");
    }
}

/// Joins lines that the terminal has wrapped.
fn unwrapped(screen: &str) -> String {
    screen.replace('\n', "")
}

#[test]
fn candidates_fit_the_position() {
    let scene = Scene::new();
    let socket = &scene.socket;
    let values = |line: &str| scene.values(line).join(" ");
    assert_eq!(values("dockipc co"), "commands completions");
    assert_eq!(scene.complete("dockipc comm"), ["commands\tList the daemon's commands"]);
    assert_eq!(values("dockipc completions "), "bash zsh fish");
    assert_eq!(values("dockipc --col"), "--color");
    assert_eq!(values("dockipc --color al"), "always");
    assert_eq!(values("dockipc --color=n"), "--color=never");
    assert_eq!(values("dockipc ping --c"), "--count --color");
    assert_eq!(values("dockipc ping hi"), "hitd");
    assert_eq!(values("dockipc ping ./"), "./hitd.sock");
    assert_eq!(values("dockipc call -o no"), "notes.txt");
    assert_eq!(values("dockipc hi"), "hitd");
    assert_eq!(values(&format!("dockipc {socket} g")), "greet guard");
    assert_eq!(values("dockipc call hitd g"), "greet guard");
    assert_eq!(values("dockipc call -s hitd g"), "greet guard");
    assert_eq!(values("dockipc call -shitd g"), "greet guard");
    assert_eq!(values("dockipc call --socket=hitd --timeout 1s gr"), "greet");
    assert_eq!(scene.complete("dockipc help hitd gr"), ["greet\tGreet: somebody."]);
    assert_eq!(values("dockipc help hitd greet "), "");
    assert_eq!(values("DOCKIPC_X=1 dockipc call hitd greet --l"), "--level");
    assert_eq!(values("dockipc call hitd greet 'anton "), "anton b");
    assert_eq!(values("dockipc call hitd guard @no"), "@notes.txt");
    assert_eq!(values("dockipc call hitd guard "), "");
    // A daemon on another machine is not asked, and there is none at /nowhere.
    assert_eq!(values("dockipc call ssh://nowhere/s "), "");
    assert_eq!(values("dockipc call /nowhere "), "");
    assert_eq!(values("dockipc __complete "), "");
}

#[test]
fn line_is_expanded_before_it_is_completed() {
    let scene = Scene::new();
    let socket = &scene.socket;
    let values = |line: &str| scene.values(line).join(" ");
    assert_eq!(values("dockipc ping ~/hi"), *socket);
    assert_eq!(values("dockipc ping $HOME/hi"), *socket);
    assert_eq!(values("dockipc ping \"${HOME}/hi"), *socket);
    assert_eq!(values("dockipc ping '$HOME/hi"), "");
    assert_eq!(values("dockipc ping $UNSET/hi"), "");
    assert_eq!(values("dockipc call ~/hitd.sock gr"), "greet");
    assert_eq!(values("DOCKIPC_SOCKET=hitd dockipc call g"), "greet guard");
    assert_eq!(values("A=1 DOCKIPC_SOCKET=~/hitd.sock B='2 3' dockipc call g"), "greet guard");
    assert_eq!(values("DOCKIPC_SOCKET=$DOCKIPC_SOCKET/hitd dockipc call g"), "");
}

#[test]
fn part_of_a_word_is_completed() {
    let scene = Scene::new();
    let values = |line: &str, part: &str| {
        let mut command = ctl::command(&scene.place.directory().join("dockipc"));
        command.env("HOME", scene.place.directory()).env("DOCKIPC_SOCKET", &scene.socket);
        let ran = run(command.args(["__complete", "--", line, part]), b"");
        ran.text().lines().map(|line| line.replace('\t', "")).collect::<Vec<_>>().join("|")
    };
    assert_eq!(values("dockipc call greet host:t", "t"), "two");
    assert_eq!(values("dockipc call greet x --level=v", "v"), "very-high");
    assert_eq!(values("dockipc call greet \"anton ", "anton "), "anton b");
    assert_eq!(values("dockipc call greet anton\\ ", "anton\\ "), "anton b");
    assert_eq!(values("dockipc ping ~/hi", "hi"), "hitd.sock");
    assert_eq!(values("dockipc ping \"$HOME/hi", "hi"), "hitd.sock");
    // A candidate that is not behind the typed text replaces no part of it.
    assert_eq!(values("dockipc call GREET HOST:t", "t"), "");
}

#[test]
fn preset_socket_and_own_program_complete() {
    let scene = Scene::new();
    let ask = |variable: &str, line: &str| {
        let program = line.split(' ').next().unwrap();
        let mut command = ctl::command(&scene.place.directory().join(program));
        let ran = run(command.env(variable, &scene.socket).args(["__complete", line]), b"");
        let values = ran.text();
        let values = values.lines().map(|line| line.split('\t').next().unwrap_or_default());
        values.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ask("DOCKIPC_SOCKET", "dockipc call g"), "greet guard");
    assert_eq!(ask("DOCKIPC_SOCKET", "dockipc help g"), "greet guard");
    assert_eq!(ask("TEST_SOCKET", "hitctl g"), "greet guard");
    assert_eq!(ask("TEST_SOCKET", "hitctl sh"), "shell");
    // A daemon's command with the name of a subcommand is offered once.
    assert_eq!(ask("TEST_SOCKET", "hitctl pin"), "ping");
    assert_eq!(ask("TEST_SOCKET", "hitctl greet ann"), "anna");
    assert_eq!(ask("TEST_SOCKET", "hitctl help g"), "greet guard");
    assert_eq!(ask("TEST_SOCKET", "hitctl call greet --level=v"), "--level=very-high");
    assert_eq!(ask("TEST_SOCKET", "hitctl ping "), "");
    assert_eq!(ask("TEST_SOCKET", "hitctl --js"), "--json");
    assert_eq!(ask("TEST_SOCKET", "hitctl --json --repeat 2 greet ann"), "anna");
    assert_eq!(ask("TEST_SOCKET", "hitctl help ca"), "call");
}

const BASH: &str = "eval \"$(dockipc completions bash)\"";
const ZSH: &str = "source <(dockipc completions zsh)";

impl Scene {
    /// Starts bash with these settings, and with completion.
    #[track_caller]
    fn bash(&self, settings: &str) -> Option<Terminal> {
        let terminal = self.shell(&["bash", "--norc", "--noprofile", "-i"])?;
        terminal.enters(&format!(
            "cd; PS1='$ '; bind 'set bell-style none'; D=$HOME; {settings} {BASH}; clear"
        ));
        terminal.until("a prompt", |screen| screen == "$");
        Some(terminal)
    }

    /// Starts zsh with these settings, and with completion.
    #[track_caller]
    fn zsh(&self, settings: &str) -> Option<Terminal> {
        let terminal = self.shell(&["zsh", "-f", "-i"])?;
        terminal.enters(&format!(
            "cd; PS1='$ '; autoload -U compinit; compinit -u -D; D=$HOME; {settings} {ZSH}; clear"
        ));
        terminal.until("a prompt", |screen| screen == "$");
        Some(terminal)
    }
}

/// Completes in a shell that ends at a failure, and where an unset variable is one.
#[track_caller]
fn completes_strictly(terminal: &Terminal) {
    for (typed, shown) in
        [("dockipc call ~/hi", "~/hitd.sock "), ("gr", "greet "), ("xyz", "greet xyz")]
    {
        terminal.types(typed);
        terminal.presses(&["Tab"]);
        terminal.ends_with(shown.trim_end());
    }
    terminal.presses(&["Enter"]);
    let screen = terminal.shows("hello xyz");
    assert!(!screen.contains("unbound") && !screen.contains("not set"), "{screen}");
}

#[test]
fn bash_completes() {
    let scene = Scene::new();
    let Some(terminal) = scene.bash("") else { return };
    scene.completes_in(&terminal, "host:two", &["greet  (Greet: somebody.)", "guard"]);
}

#[test]
fn bash_quotes_a_value_after_closed_quotes() {
    let scene = Scene::new();
    let Some(terminal) = scene.bash("") else { return };
    terminal.types("dockipc call hitd greet ''ant");
    terminal.presses(&["Tab"]);
    terminal.shows("anton\\ b");
}

#[test]
fn zsh_completes() {
    let scene = Scene::new();
    let Some(terminal) = scene.zsh("") else { return };
    scene.completes_in(&terminal, "host:two", &["greet", "-- Greet: somebody.", "guard"]);
}

#[test]
fn zsh_sees_a_socket_that_is_set_for_the_call() {
    let scene = Scene::new();
    let Some(terminal) = scene.zsh("") else { return };
    terminal.types("true; A=1 DOCKIPC_SOCKET=~/hitd.sock dockipc call gr");
    terminal.presses(&["Tab"]);
    terminal.ends_with("call greet");
}

#[test]
fn strict_shells_complete() {
    let scene = Scene::new();
    if let Some(bash) = scene.bash("set -eu;") {
        completes_strictly(&bash);
    }
    if let Some(zsh) = scene.zsh("set -eu;") {
        completes_strictly(&zsh);
    }
}

#[test]
fn fish_completes() {
    let scene = Scene::new();
    let Some(terminal) = scene.shell(&["fish", "--no-config", "-i"]) else { return };
    terminal.enters("cd; function fish_prompt; echo '$ '; end; set fish_greeting; set D $HOME; dockipc completions fish | source; clear");
    terminal.until("a prompt", |screen| screen == "$");
    scene.completes_in(&terminal, "host:two", &["greet", "(Greet: somebody.)", "guard"]);
}
