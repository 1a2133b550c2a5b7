//! The program `dockipc` on a daemon whose parameters have ranges, short names, maps and words behind `--`.

use dockipc::Server;
use tests::ctl::dockipc;
use tests::{Daemon, Place};

#[test]
fn program_shows_the_accepted_values() {
    let daemon = Daemon::start(Server::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for (name, shown) in [
        ("volume", "<n>              The new volume. [integer, 0 to 100]\n"),
        ("volume", "[integer, at most -1, optional]\n"),
        ("volume", "[integer, 1 to 9, default 7]\n"),
        ("tag", "[text, 2 to 5 bytes]\n"),
        ("print", "-t, --times <times>   How often. [integer, 0 to 255, default 1]\n"),
        ("run", "-- <command…>        [bytes, at least 1 value]\n"),
        ("kill", "[interrupt (2, int)|term (15)|hangup]\n"),
        ("start", "[KEY=VALUE, text, optional]\n"),
        ("open", "[path, absolute]\n"),
        ("spawn", "[path, absolute, default: the working directory]\n"),
    ] {
        let help = dockipc(["help", path, name]).text();
        assert!(help.contains(shown), "{shown}\n{help}");
    }
}

#[test]
fn program_sends_short_options_and_last_words() {
    let daemon = Daemon::start(Server::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for (words, answer) in [
        (
            &["run", "-lx", "--", "ls", "-l", "a b"][..],
            "Some(\"x\") None [\"ls\", \"-l\", \"a b\"]",
        ),
        (&["print", "-vt3", "-5"], "3 true false [] [\"-5\"]"),
        (&["start", "--env", "A=b=c", "1=2"], "{\"A\": \"b=c\"} {1: 2}"),
    ] {
        let ran = dockipc(["call", path].iter().chain(words));
        assert_eq!(ran.text().trim_end(), answer, "{ran:?}");
    }
    let ran = dockipc(["call", path, "volume", "200"]);
    assert!(ran.err.contains("bad value for n: \"200\": expected 0 to 100"), "{ran:?}");
}

#[test]
fn schema_check_reports_a_narrower_value() {
    let (place, daemon) = (Place::new(), Daemon::start(Server::new()));
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let file = place.directory().join("old.json");
    let printed = dockipc(["schema", path]);
    let mut schema: serde_json::Value = serde_json::from_slice(&printed.out).unwrap();
    let check = |schema: &serde_json::Value| {
        std::fs::write(&file, schema.to_string()).unwrap();
        dockipc(["schema", "--check", file.to_str().unwrap(), path])
    };
    assert_eq!(check(&schema).text(), "");
    let commands = schema["commands"].as_array_mut().unwrap();
    let mut set = |name: &str, key: &str, value: serde_json::Value| {
        let command = commands.iter_mut().find(|command| command["name"] == name).unwrap();
        command["arguments"][0][key] = value;
    };
    set("volume", "max", "255".into());
    set("levels", "max_count", 9.into());
    set("mix", "max", "2.0".into());
    set("tag", "min_len", 1.into());
    set("open", "absolute", false.into());
    set("print", "short", "-T".into());
    let changes = check(&schema).text();
    assert_eq!(
        changes,
        "levels: <levels> now accepts only 0 to 9, 2 to 3 values\n\
         mix: <left> now accepts only -1.5 to 1.5\n\
         open: <path> now accepts only absolute paths\n\
         print: -T for --times removed\n\
         tag: <name> now accepts only 2 to 5 bytes\n\
         volume: <n> now accepts only 0 to 100, not 0 to 255\n"
    );
}
