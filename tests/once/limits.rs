//! Calls with a token at the limits of a daemon: many waiters, a time limit, a stop, and other rights.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use dockipc::{Failure, Server, State, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Place, expect, resp};

use super::calls::{Runs, once, open, start_with, states, until_running};

#[command]
fn busy(runs: State<Runs>) -> Result<u64, Failure> {
    match runs.next() {
        1 => Err(Failure::new("BUSY", "another daemon is busy")),
        n => Ok(n),
    }
}

#[test]
fn hundreds_of_repeats_wait_for_one_run() {
    const REPEATS: usize = 300;
    let (daemon, runs, gate, _) = start_with(Server::new().once());
    let mut streams: Vec<_> = (0..REPEATS).map(|_| open(&daemon, &once("a", &["pass"]))).collect();
    until("the run", || gate.waiting() == 1);
    until_running(&daemon, "pass", REPEATS);
    // Half of them leave.
    for stream in streams.split_off(REPEATS / 2) {
        drop(stream);
    }
    gate.open();
    for stream in &mut streams {
        expect(stream, b":1\r\n");
    }
    assert_eq!(runs.count(), 1);
}

#[test]
fn time_limit_ends_the_wait_and_not_the_run() {
    let server = Server::new().once().run_timeout(Duration::from_millis(50));
    let (daemon, runs, gate, _) = start_with(server);
    let first = open(&daemon, &once("a", &["pass"]));
    until("the run", || gate.waiting() == 1);
    let repeat = open(&daemon, &once("a", &["pass"]));
    for mut stream in [first, repeat] {
        expect(&mut stream, b"-TIMEOUT ");
    }
    gate.open();
    until("the end of the run", || runs.count() == 1);
    until_running(&daemon, "pass", 0);
    expect(&mut open(&daemon, &once("a", &["pass"])), b":1\r\n");
    assert_eq!(runs.count(), 1);
}

#[test]
fn run_that_outlives_the_stop_is_not_repeated() {
    let place = Place::new();
    let (runs, gate) = (Runs::default(), Gate::default());
    let start = |gate: &Gate| {
        let server = Server::new().once_file(place.directory().join("once"));
        let server = server.shutdown_timeout(Duration::from_millis(50));
        states(server, place.directory(), &runs, gate).0.spawn(place.socket()).unwrap()
    };
    let daemon = start(&gate);
    let connect = || {
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        stream.write_all(&once("a", &["pass"])).unwrap();
        stream
    };
    let mut streams = vec![connect()];
    until("the run", || gate.waiting() == 1);
    streams.push(connect());
    thread::scope(|scope| {
        scope.spawn(|| drop(daemon));
        for stream in &mut streams {
            expect(stream, b"-SHUTDOWN ");
        }
    });
    gate.open();
    until("the end of the run", || runs.count() == 1);
    let other = Gate::default();
    other.open();
    let _daemon = start(&other);
    // The earlier daemon's thread has written the answer.
    expect(&mut connect(), b":1\r\n");
    assert_eq!(runs.count(), 1);
}

#[test]
fn error_of_the_command_is_remembered_whatever_its_code() {
    let (daemon, runs, ..) = start_with(Server::new().once());
    for _ in 0..2 {
        expect(&mut open(&daemon, &once("a", &["busy"])), b"-BUSY another daemon is busy\r\n");
    }
    assert_eq!(runs.count(), 1);
}

#[test]
fn caller_without_the_access_token_has_other_tokens() {
    let place = Place::new();
    let file = place.directory().join("token");
    fs::write(&file, "0123456789abcdef-the-token").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (daemon, runs, ..) =
        start_with(Server::new().once().token_file(&file).allow("fail", "token"));
    let add = || once("a", &["add", "5"]);
    let auth = resp(&["auth", "0123456789abcdef-the-token"]);
    let mut stream = open(&daemon, &[add(), auth, add(), add()].concat());
    expect(&mut stream, b":5\r\n+OK\r\n:10\r\n:10\r\n");
    expect(&mut open(&daemon, &add()), b":5\r\n");
    assert_eq!(runs.count(), 2);
}

#[test]
#[cfg(feature = "json")]
fn repeat_gets_the_answer_in_its_own_format() {
    let (daemon, runs, ..) = start_with(Server::new().once());
    let ask = || once("a", &["rows"]);
    let json = br#"[["run 1",0.5],["none",null]]"#;
    let json = format!("${}\r\n{}\r\n", json.len(), String::from_utf8_lossy(json));
    let format = resp(&["dockipc", "format", "json"]);
    expect(&mut open(&daemon, &[format, ask()].concat()), format!("+OK\r\n{json}").as_bytes());
    expect(&mut open(&daemon, &ask()), b"*2\r\n*2\r\n$5\r\nrun 1\r\n");
    let prefixed = resp(&["dockipc", "json", "dockipc", "with", "once", "a", "--", "rows"]);
    expect(&mut open(&daemon, &prefixed), json.as_bytes());
    // The words of a call are those behind its token. A check runs nothing.
    expect(&mut open(&daemon, &once("a", &["dockipc", "json", "rows"])), b"-USAGE ");
    expect(&mut open(&daemon, &once("b", &["dockipc", "check", "rows"])), b"$");
    assert_eq!(runs.count(), 1);
}
