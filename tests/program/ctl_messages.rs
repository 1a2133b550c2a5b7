//! Messages of the program `dockipc`: notes of `-v`, silence of `-q`, and one form in all subcommands.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use dockipc::{Failure, Server, command};
use tests::ctl::{self, dockipc, run};
use tests::gate::Gate;
use tests::{Daemon, Place, leave_socket};

#[command("full-disk-test")]
fn answer() -> &'static str {
    "answer"
}

#[command("refuse-word")]
fn refuse_word(word: &str) -> Result<(), Failure> {
    Err(Failure::new("NOTFOUND", format!("no {word}")))
}

fn daemon() -> Daemon {
    Daemon::start(Server::new().state(Gate::default()))
}

#[test]
fn note_begins_a_line() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    fs::write(place.directory().join("commands"), "ping\nfail LATE\nping\n").unwrap();
    let file = place.directory().join("commands");
    let file = file.to_str().unwrap();
    let cases: [(&[&str], usize); 3] = [
        (&["-v", "call", path, "ping"], 1),
        (&["-v", "call", "--repeat", "2", path, "ping"], 2),
        (&["-v", "call", "-f", file, path], 3),
    ];
    for (words, calls) in cases {
        // Standard output and standard error are the same file, as on a terminal.
        let out = place.directory().join("out");
        let file = File::create(&out).unwrap();
        let mut command = ctl::command(&ctl::path());
        command.args(words).stdout(file.try_clone().unwrap()).stderr(file);
        command.status().unwrap();
        let text = fs::read_to_string(out).unwrap();
        let notes = text.lines().filter(|line| line.starts_with("* the call took ")).count();
        assert_eq!(notes, calls, "{words:?}: {text}");
    }
}

#[test]
fn quiet_check_prints_no_remark() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let mut old: serde_json::Value =
        serde_json::from_slice(&dockipc(["schema", path]).out).unwrap();
    old["caller"]["uid"] = 4_000_000.into();
    let file = place.directory().join("old.json");
    fs::write(&file, old.to_string()).unwrap();
    let check = ["schema", "--check", file.to_str().unwrap(), path];
    let ran = dockipc(check);
    assert!(ran.code == Some(0) && ran.err.contains("uid 4000000"), "{ran:?}");
    let ran = dockipc(["-q"].into_iter().chain(check));
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
}

#[test]
fn only_words_of_the_daemon_are_redacted() {
    let place = Place::new();
    leave_socket(place.socket());
    let path = place.socket();
    let mut command = ctl::command(&ctl::path());
    let ran = run(command.args(["call", "-f", "-"]).arg(&path), b"x a no\n");
    let why = format!("test-dockipc: line 1: stale socket {}: no process is ", path.display());
    assert!(ran.code == Some(3) && ran.err.starts_with(&why), "{ran:?}");
    let daemon = daemon();
    let mut command = ctl::command(&ctl::path());
    let ran = run(command.args(["call", "-f", "-"]).arg(daemon.path()), b"refuse-word hunter2\n");
    assert_eq!(ran.err, "test-dockipc: line 1: NOTFOUND no (word 2)\n");
}

#[test]
fn full_disk_is_an_error_for_all_output() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for words in [
        &["--help"][..],
        &["--version"],
        &["help", "call"],
        &["man"],
        &["completions", "bash"],
        &["list", path],
        &["doctor", path],
        &["schema", path],
        &["commands", path],
        &["help", path, "ping"],
        &["ping", "-c", "1", path],
        &["call", path, "full-disk-test"],
        &["call", "-o", "/dev/stdout", path, "full-disk-test"],
        &["call", "--json", path, "full-disk-test"],
    ] {
        let mut command = ctl::command(&ctl::path());
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.args(words).stdout(full).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let is_said = error.starts_with("test-dockipc: writing the ");
        assert!(output.status.code() == Some(1) && is_said, "{words:?}: {error}");
    }
}

#[test]
fn mistyped_address_and_option_are_explained() {
    let ran = dockipc(["unix:x", "ping"]);
    let why = "test-dockipc: invalid address \"unix:x\": write unix:/PATH or unix:///PATH\n";
    assert_eq!((ran.code, &*ran.err), (Some(2), why));
    let ran = dockipc(["ping", "-n", "x"]);
    let why = "unknown option -n; it is an option of call\n  test-dockipc ping -n x\n                    ^^\n";
    assert!(ran.code == Some(2) && ran.err.ends_with(why), "{ran:?}");
    for subcommand in ["call", "doctor"] {
        let mut command = ctl::command(&ctl::path());
        let command = command.env("DOCKIPC_REQUIRE_OWNER", "0").args([subcommand, "ssh://x/y"]);
        let ran = run(command, b"");
        let advice = "leave out --require-owner and unset DOCKIPC_REQUIRE_OWNER\n";
        assert!(ran.code == Some(2) && ran.err.ends_with(advice), "{ran:?}");
    }
}

#[test]
fn doctor_prints_json_in_one_line() {
    let daemon = daemon();
    let ran = dockipc(["doctor", "--json=line", daemon.path().to_str().unwrap()]);
    assert_eq!((ran.code, ran.text().lines().count()), (Some(0), 1));
    let json: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(json["healthy"], true);
}

#[test]
fn daemons_own_program_refuses_a_socket() {
    let (daemon, place) = (daemon(), Place::new());
    let program = ctl::named(&place, "hitctl");
    for words in [&["-s", "x", "ping"][..], &["call", "--socket=x", "ping"], &["ping", "x"]] {
        let mut command = ctl::command(&program);
        let ran = run(command.env("TEST_SOCKET", daemon.path()).args(words), b"");
        let why = "this program has its daemon's socket; leave it out";
        assert!(ran.code == Some(2) && ran.err.contains(why), "{words:?}: {ran:?}");
    }
}

#[test]
fn time_of_wait_needs_an_equals_sign() {
    for time in ["30s", "5"] {
        let ran = dockipc(["call", "--wait", time, "./x", "ping"]);
        let why = format!("{time} is not the time of --wait: write --wait={time} ");
        assert!(ran.code == Some(2) && ran.err.contains(&why), "{ran:?}");
    }
    let ran = dockipc(["call", "--wait=0s", "./x", "ping"]);
    assert!(ran.code == Some(2) && ran.err.contains("--wait without a time waits until --timeout"));
    // A time is a word of the daemon's command, and a socket's name if it is named as one.
    let daemon = daemon();
    let path = daemon.path();
    let ran = dockipc(["call", "--wait", path.to_str().unwrap(), "echo", "30s"]);
    assert_eq!((ran.code, &*ran.text()), (Some(0), "30s\n"), "{ran:?}");
    let ran = dockipc(["call", "--timeout", "50ms", "--wait", "-s", "30s", "ping"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
}

#[test]
fn word_that_is_not_utf8_is_pointed_at() {
    let daemon = daemon();
    let mut command = ctl::command(&ctl::path());
    let command = command.arg("call").arg(daemon.path()).arg("refuse-word");
    let ran = run(command.arg(OsStr::from_bytes(b"a\xff")), b"");
    assert!(ran.code == Some(2) && ran.err.contains("refuse-word a\u{fffd}\n"), "{ran:?}");
    assert!(ran.err.ends_with("              ^^\n"), "{ran:?}");
}

#[test]
fn path_that_is_not_utf8_is_base64_in_json() {
    let place = Place::new();
    let path = place.directory().join(OsStr::from_bytes(b"\xff.sock"));
    let _daemon = Server::new().state(Gate::default()).spawn(&path).unwrap();
    for (subcommand, name) in [("list", "path"), ("doctor", "socket")] {
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.args([subcommand, "--json=line"]).arg(&path), b"");
        let json: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        assert!(json[name]["base64"].is_string(), "{ran:?}");
    }
}

#[test]
fn list_refers_an_address_to_doctor() {
    for address in ["ssh://x/y", "@no-such-socket", "unix:@no-such-socket"] {
        let ran = dockipc(["list", address]);
        let advice = format!("use `doctor {}`\n", address.trim_start_matches("unix:"));
        assert!(ran.code == Some(2) && ran.err.ends_with(&advice), "{ran:?}");
    }
}

#[test]
fn own_options_precede_common_ones_in_help() {
    let help = dockipc(["call", "-h"]).text();
    let at = |option: &str| help.find(option).unwrap();
    assert!(at("--json[=<LAYOUT>]") < at("--every <TIME>"), "{help}");
    assert!(at("--every <TIME>") < at("--socket <SOCK>"), "{help}");
}

#[test]
fn synopsis_has_optional_values_behind_an_equals_sign() {
    let place = Place::new();
    let pages = place.directory().join("pages");
    assert_eq!(dockipc(["man", pages.to_str().unwrap()]).code, Some(0));
    let page = fs::read_to_string(pages.join("dockipc-call.1")).unwrap();
    for option in ["\\-\\-json\\fR[=\\fILAYOUT\\fR]", "\\-\\-wait\\fR[=\\fITIME\\fR]"] {
        assert!(page.contains(option), "{page}");
    }
}

#[test]
fn named_socket_precedes_the_variable() {
    let (preset, named) = (daemon(), Place::new());
    let path = named.directory().join("other.sock");
    let _other = Server::new().state(Gate::default()).spawn(&path).unwrap();
    for words in [&["ping", "-c", "1"][..], &["commands"], &["schema"], &["doctor"], &["shell"]] {
        let mut command = ctl::command(&ctl::path());
        command.env("DOCKIPC_SOCKET", preset.path()).env("XDG_RUNTIME_DIR", named.directory());
        let ran = run(command.arg("-v").args(words).arg("other"), b"ping\n");
        let shows = format!("{}{}", ran.text(), ran.err);
        assert!(ran.code == Some(0) && shows.contains(path.to_str().unwrap()), "{ran:?}");
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.args(words).args(["-s", "x", "other"]), b"");
        let why = "unexpected word \"other\": the socket is given with --socket\n";
        assert!(ran.code == Some(2) && ran.err.ends_with(why), "{ran:?}");
    }
}

#[test]
fn timeout_limits_the_reading_of_a_file() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    // A pipe without a writer.
    let pipe = place.directory().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let word = format!("@{pipe}");
    for words in [
        &["call", path, "echo", &word][..],
        &["call", "-f", pipe, path],
        &["schema", "--check", pipe, path],
    ] {
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.args(["--timeout", "200ms"]).args(words), b"");
        let is_said = ran.err.ends_with("timed out after 200ms\n");
        assert!(ran.code == Some(5) && is_said, "{words:?}: {ran:?}");
    }
}

#[test]
fn help_tells_that_the_socket_is_preset() {
    let daemon = daemon();
    let mut command = ctl::command(&ctl::path());
    let ran = run(command.env("DOCKIPC_SOCKET", daemon.path()).args(["help", "other"]), b"");
    let hint = "\nthe socket comes from $DOCKIPC_SOCKET; ";
    assert!(ran.code == Some(2) && ran.err.contains(hint), "{ran:?}");
}
