//! Commands of which only the newest call matters to a client.

use std::io::Write;
use std::os::unix::net::UnixStream;

use dockipc::{Cancel, Server, State, Stopped, command};
use tests::ctl;
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, rest};

use super::kept::{LONG, States};

/// Wait until the command is asked to stop.
#[command(newest)]
fn search(begun: State<Gate>, _words: &str, cancel: Cancel) -> Result<(), Stopped> {
    begun.pass();
    assert!(cancel.wait(LONG));
    cancel.check()
}

/// Wait as well.
#[command(newest)]
fn look(begun: State<Gate>, cancel: Cancel) -> Result<(), Stopped> {
    begun.pass();
    assert!(cancel.wait(LONG));
    cancel.check()
}

fn begin(daemon: &Daemon, gate: &Gate, line: &str) -> UnixStream {
    let count = gate.came();
    let mut stream = daemon.connect();
    stream.write_all(line.as_bytes()).unwrap();
    until("a command that runs", || gate.came() == count + 1);
    stream
}

#[test]
fn newest_call_of_a_process_cancels_the_earlier() {
    let states = States::default();
    states.gate.open();
    let gate = states.gate.clone();
    let daemon = Daemon::start(states.of(Server::new()));
    // Another command, and another process.
    let look = begin(&daemon, &gate, "look\n");
    let mut command = ctl::command(&ctl::path());
    let mut process = command.arg("call").arg(daemon.path()).args(["search", "x"]).spawn().unwrap();
    until("the other process", || gate.came() == 2);
    let first = begin(&daemon, &gate, "search a\n");
    let second = begin(&daemon, &gate, "search ab\n");
    assert_eq!(rest(first), b"-CANCELLED the command was cancelled\n");
    let third = begin(&daemon, &gate, "search abc\n");
    assert_eq!(rest(second), b"-CANCELLED the command was cancelled\n");
    assert_eq!(daemon.ask("dockipc running\n").matches("search").count(), 2);
    let list = daemon.ask("dockipc running\n");
    assert!(list.contains("look"), "{list}");
    process.kill().unwrap();
    process.wait().unwrap();
    drop((look, third));
    until("no command", || daemon.ask("dockipc running\n").is_empty());
}
