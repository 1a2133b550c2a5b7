//! Ctrl-C in `dockipc call` and `dockipc shell`.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};

use dockipc::{Cancel, Server, State, Stopped, command};
use rustix::process::{Pid, Signal, kill_process};
use tests::ctl;
use tests::gate::Gate;
use tests::process::until;
use tests::scripted::{DOCKIPC_GREETING, WITH_GREETING, describe_none, handshake, scripted};
use tests::terminal::Terminal;
use tests::{Daemon, PATIENCE, Place, expect, resp};

/// Wait until the command is asked to stop.
#[command("await-stop")]
fn await_stop(begun: State<Gate>, cancel: Cancel) -> Result<(), Stopped> {
    begun.pass();
    assert!(cancel.wait(PATIENCE));
    cancel.check()
}

/// Wait at the gate.
#[command("stay")]
fn stay(gate: State<Gate>) {
    gate.pass();
}

fn daemon(is_open: bool) -> (Daemon, Gate) {
    let gate = Gate::default();
    if is_open {
        gate.open();
    }
    (Daemon::start(Server::new().state(gate.clone())), gate)
}

/// Opens a terminal with the program.
fn terminal(words: &[&str], socket: &Path) -> Option<Terminal> {
    let program = ctl::path();
    let mut all = vec![program.to_str().unwrap(), words[0], socket.to_str().unwrap()];
    all.extend(&words[1..]);
    Terminal::open(all, &[("XDG_STATE_HOME", socket.parent().unwrap())])
}

#[test]
fn ctrl_c_cancels_the_command_on_the_daemon() {
    let (daemon, gate) = daemon(true);
    let Some(terminal) = terminal(&["call", "await-stop"], &daemon.path()) else { return };
    until("a command that runs", || gate.came() == 1);
    terminal.presses(&["C-c"]);
    assert_eq!(terminal.exit(), 130);
    let screen = terminal.screen();
    assert!(screen.contains("test-dockipc: CANCELLED the command was cancelled\n"), "{screen}");
    assert_eq!(daemon.ask("dockipc running\n"), "");
}

#[test]
fn ctrl_c_says_that_a_command_runs_on() {
    let (daemon, gate) = daemon(false);
    let Some(terminal) = terminal(&["call", "stay"], &daemon.path()) else { return };
    until("a command that runs", || gate.waiting() == 1);
    terminal.presses(&["C-c"]);
    assert_eq!(terminal.exit(), 130);
    let why = "CANCELLED the caller has cancelled the command, which still runs\n";
    assert!(terminal.screen().contains(why));
    gate.open();
}

#[test]
fn ctrl_c_in_the_shell_cancels_the_command() {
    let (daemon, gate) = daemon(true);
    let Some(terminal) = terminal(&["shell"], &daemon.path()) else { return };
    terminal.ends_with("s>");
    terminal.enters("await-stop");
    until("a command that runs", || gate.came() == 1);
    terminal.presses(&["C-c"]);
    terminal.ends_with("\nCANCELLED the command was cancelled\ns>");
    assert_eq!(daemon.ask("dockipc running\n"), "");
    terminal.enters("ping");
    terminal.ends_with("\nPONG\ns>");
}

/// Starts `dockipc call` and waits for a server that has read the command.
fn call(words: &[&str], socket: &Path, gate: &Gate) -> Child {
    let mut command = ctl::command(&ctl::path());
    command.arg("call").args(&words[1..]).env("DOCKIPC_SOCKET", socket);
    let child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    until("a command that runs", || gate.waiting() == 1);
    child
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// Waits until SIGINT has ended the program. Returns its standard error.
#[track_caller]
fn ended(mut child: Child) -> String {
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(2), "{err}");
    err
}

#[test]
fn second_ctrl_c_ends_the_call_at_once() {
    let (place, gate, over) = (Place::new(), Gate::default(), Gate::default());
    let (read, is_over) = (gate.clone(), over.clone());
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        stream.write_all(WITH_GREETING).unwrap();
        describe_none(&mut stream, "hang");
        expect(&mut stream, &resp(&["dockipc", "with", "--", "hang"]));
        read.pass();
        // The end of the client's side is not answered.
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        is_over.pass();
    });
    let child = call(&["call", "hang"], &place.socket(), &gate);
    gate.open();
    interrupt(&child);
    until("a cancelled command", || over.waiting() == 1);
    interrupt(&child);
    let err = ended(child);
    over.open();
    server.join().unwrap();
    assert!(!err.contains("CANCELLED"), "{err}");
}

#[test]
fn daemon_that_takes_long_to_cancel_is_waited_for() {
    let (place, gate, over) = (Place::new(), Gate::default(), Gate::default());
    let (read, is_over) = (gate.clone(), over.clone());
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        stream.write_all(WITH_GREETING).unwrap();
        describe_none(&mut stream, "hang");
        expect(&mut stream, &resp(&["dockipc", "with", "--", "hang"]));
        read.pass();
        is_over.pass();
        stream.write_all(b"-CANCELLED at last\r\n").unwrap();
    });
    let mut child = call(&["call", "hang"], &place.socket(), &gate);
    gate.open();
    interrupt(&child);
    let mut first = [0; 24];
    child.stderr.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"waiting for the daemon t");
    over.open();
    let err = ended(child);
    assert!(err.ends_with("test-dockipc: CANCELLED at last\n"), "{err}");
    server.join().unwrap();
}

#[test]
fn ctrl_c_leaves_an_older_daemon() {
    let (place, gate) = (Place::new(), Gate::default());
    let read = gate.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        stream.write_all(DOCKIPC_GREETING).unwrap();
        describe_none(&mut stream, "hang");
        expect(&mut stream, &resp(&["hang"]));
        read.pass();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    });
    let child = call(&["call", "hang"], &place.socket(), &gate);
    gate.open();
    interrupt(&child);
    let err = ended(child);
    assert!(err.contains("CANCELLED the call was cancelled without an answer; the command may"));
    server.join().unwrap();
}

#[test]
fn ctrl_c_ends_a_file_of_commands_and_keeps_no_output() {
    let (daemon, gate) = daemon(false);
    let place = Place::new();
    let [file, output] = ["lines", "out"].map(|name| place.directory().join(name));
    std::fs::write(&file, "stay\nping\n").unwrap();
    let words = ["call", "-f", file.to_str().unwrap()];
    let child = call(&words, &daemon.path(), &gate);
    interrupt(&child);
    assert!(ended(child).starts_with("test-dockipc: line 1: CANCELLED "));
    gate.open();
    until("no command", || gate.waiting() == 0);
    gate.close();
    let child = call(&["call", "-o", output.to_str().unwrap(), "stay"], &daemon.path(), &gate);
    interrupt(&child);
    ended(child);
    gate.open();
    assert!(!output.exists());
}

#[test]
fn ignored_interrupt_stays_ignored() {
    let (daemon, gate) = daemon(false);
    let socket = daemon.path();
    // A shell without job control ignores SIGINT for a program in the background.
    let script =
        format!("trap '' INT; exec {} call {} stay", ctl::path().display(), socket.display());
    let mut command = ctl::command(Path::new("sh"));
    let mut child = command.args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    until("a command that runs", || gate.waiting() == 1);
    interrupt(&child);
    assert_eq!(gate.waiting(), 1);
    gate.open();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
