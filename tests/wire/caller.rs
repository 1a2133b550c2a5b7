//! Absolute paths, and the values that dockipc's own clients fill in.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dockipc::{Handle, Reply, Server, command};
use tests::exchange;

/// Open files.
#[command("open")]
fn open(#[arg(absolute)] path: &Path, #[arg(absolute)] more: Vec<PathBuf>) -> String {
    format!("{} {more:?}", path.display())
}

#[command("spawn")]
fn spawn(
    #[arg(caller = "cwd")] cwd: PathBuf,
    #[arg(caller = "env", long = "environment")] env: HashMap<OsString, OsString>,
    #[arg(short, caller = "cwd")] other: Option<PathBuf>,
) -> String {
    format!("{} {env:?} {other:?}", cwd.display())
}

fn daemon() -> Handle {
    Server::new().spawn_in_process().unwrap()
}

fn ask(daemon: &Handle, line: &str) -> String {
    let answer = exchange(daemon.connect().unwrap(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

#[test]
fn relative_path_is_refused() {
    let daemon = daemon();
    assert_eq!(ask(&daemon, "open /a /b /c"), "/a [\"/b\", \"/c\"]");
    let why = "expected an absolute path, which begins with /; dockipc's program and clients make a path absolute";
    for (line, name, word) in [("open a", "path", "a"), ("open /a /b ./c", "more", "./c")] {
        let reason = format!("-USAGE bad value for {name}: \"{word}\": {why}; usage: open ");
        let answer = ask(&daemon, line);
        assert!(answer.starts_with(&reason), "{answer}");
    }
}

#[test]
fn value_of_the_caller_is_an_option() {
    let daemon = daemon();
    assert_eq!(ask(&daemon, "spawn --cwd /a"), "/a {} None");
    let line = "spawn --cwd / -o/b --environment A=b=c";
    assert_eq!(ask(&daemon, line), "/ {\"A\": \"b=c\"} Some(\"/b\")");
    let missing = ask(&daemon, "spawn");
    assert!(missing.starts_with("-USAGE --cwd is missing; usage: spawn --cwd <cwd> "), "{missing}");
    assert!(ask(&daemon, "spawn --cwd a").contains("expected an absolute path"));
}

#[test]
fn description_says_what_clients_fill_in() {
    let daemon = daemon();
    let described: Reply =
        daemon.client().command("dockipc").arg("describe").arg("spawn").call().unwrap();
    let described = format!("{described:?}");
    assert_eq!(described.matches(&format!("{:?}", Reply::bytes("caller"))).count(), 3);
    assert_eq!(described.matches(&format!("{:?}", Reply::bytes("absolute"))).count(), 2);
    assert_eq!(described.matches(&format!("{:?}", Reply::bytes("map"))).count(), 1);
    let help = ask(&daemon, "help spawn");
    assert!(help.contains("path, absolute, by dockipc's clients the caller's directory"), "{help}");
}
