//! Push frames tell RESP3 clients that a long command runs, so that they do not take the silence for a dead
//! connection and repeat the command.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use dockipc::{Client, Request, Server, command};
use tests::gate::Gate;
use tests::peers::{lacks, text, versions};
use tests::{Daemon, expect, figure, resp};

/// The number of runs.
type Runs = Arc<AtomicUsize>;

/// Sleeps, then answers with the word.
#[command("slow")]
fn slow(request: &Request<'_>, time: &str) -> String {
    request.state::<Runs>().unwrap().fetch_add(1, SeqCst);
    let seconds = time.trim_end_matches('s').parse().unwrap();
    thread::sleep(Duration::from_secs(seconds));
    time.to_owned()
}

/// Waits at the gate.
#[command("wait")]
fn wait(request: &Request<'_>) -> &'static str {
    request.state::<Gate>().unwrap().pass();
    "done"
}

fn start() -> (Daemon, Runs, Gate) {
    let (runs, gate) = (Runs::default(), Gate::default());
    let server = Server::new().state(Arc::clone(&runs)).state(gate.clone());
    (Daemon::start(server), runs, gate)
}

/// Opens a connection that speaks RESP3.
fn hello(daemon: &Daemon) -> UnixStream {
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["hello", "3"])).unwrap();
    let mut answer = Vec::new();
    // The greeting ends with an empty list of modules.
    while !answer.ends_with(b"*0\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    stream
}

fn push(seconds: usize) -> Vec<u8> {
    format!(">3\r\n$7\r\ndockipc\r\n$7\r\nrunning\r\n$1\r\n{seconds}\r\n").into_bytes()
}

/// Checks that nothing has arrived so far.
#[track_caller]
fn has_nothing(stream: &mut UnixStream) {
    stream.set_nonblocking(true).unwrap();
    let error = stream.read(&mut [0; 100]).expect_err("nothing");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

#[test]
fn only_resp3_clients_get_push_frames() {
    let (daemon, _, gate) = start();
    let mut framed = daemon.connect();
    framed.write_all(&resp(&["wait"])).unwrap();
    let mut line = daemon.connect();
    line.write_all(b"wait\n").unwrap();
    let client = Client::new(daemon.path());
    let calling = thread::spawn(move || client.command("wait").call::<String>());
    let mut stream = hello(&daemon);
    // Of two commands, the frames are about the running one.
    let commands = [resp(&["ping"]), resp(&["wait"]), resp(&["wait"])].concat();
    stream.write_all(&commands).unwrap();
    expect(&mut stream, b"+PONG\r\n");
    for _ in 1..=2 {
        // The number is a measured time: a busy machine may be late.
        expect(&mut stream, &push(0)[..push(0).len() - 3]);
        stream.read_exact(&mut [0; 3]).unwrap();
    }
    has_nothing(&mut framed);
    has_nothing(&mut line);
    gate.open();
    let mut answers = Vec::new();
    while !answers.ends_with(b"$4\r\ndone\r\n$4\r\ndone\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answers.push(byte[0]);
    }
    expect(&mut framed, b"$4\r\ndone\r\n");
    expect(&mut line, b"done");
    assert_eq!(calling.join().unwrap().unwrap(), "done");
    assert_eq!(gate.came(), 5);
}

/// Returns a script of `tests/peers` with the version of a client that the variable selects.
fn script(interpreter: &str, name: &str, daemon: &Daemon, variable: &str, path: &Path) -> Command {
    let mut command = Command::new("timeout");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    command.args(["60", interpreter]).arg(scripts.join(name)).arg(daemon.path());
    command.env(variable, path);
    command
}

#[test]
fn redis_py_runs_an_eight_second_command_once() {
    if lacks("python3") {
        return;
    }
    for version in versions("python", "redis") {
        if !version.ends_with("redis-8.1.0") {
            continue;
        }
        let (daemon, runs, _) = start();
        let mut command = script("python3", "slow.py", &daemon, "PYTHONPATH", &version);
        let report = text(command.arg("8s"), b"");
        assert!(report.ends_with("ok\n"), "{report}");
        let runs = runs.load(SeqCst);
        figure("redis-py 8.1, defaults, a command of 8 s", format_args!("ran {runs} times"));
        assert_eq!(runs, 1);
    }
}

#[test]
fn node_clients_get_the_answer_despite_push_frames() {
    if lacks("node") {
        return;
    }
    let clients = [versions("node", "redis"), versions("node", "ioredis")].concat();
    // In parallel, since they mostly wait.
    thread::scope(|scope| {
        for version in clients {
            scope.spawn(move || {
                let (daemon, ..) = start();
                let modules = version.join("node_modules");
                let mut command = script("node", "slow.cjs", &daemon, "NODE_PATH", &modules);
                let report = text(command.arg("3s"), b"");
                assert!(report.ends_with("ok\n"), "{report}");
                print!("{report}");
            });
        }
    });
}

#[test]
fn redis_cli_gets_the_answer_despite_push_frames() {
    if lacks("redis-cli") {
        return;
    }
    for protocol in ["-2", "-3"] {
        let (daemon, runs, _) = start();
        let mut command = Command::new("timeout");
        command.args(["60", "redis-cli", protocol, "-s"]).arg(daemon.path()).args(["slow", "3s"]);
        assert_eq!(text(&mut command, b""), "3s\n");
        assert_eq!(runs.load(SeqCst), 1);
    }
}
