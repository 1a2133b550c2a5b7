//! Push frames tell clients that a long command runs, so that they do not take the silence for a dead
//! connection and repeat the command. Only clients that are known to skip push frames get them.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
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

/// Takes less than the interval of push frames.
#[command("short")]
fn short() {
    thread::sleep(Duration::from_millis(600));
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

/// Sends the name of a client's library.
fn name(stream: &mut UnixStream, library: &str) {
    stream.write_all(&resp(&["CLIENT", "SETINFO", "LIB-NAME", library])).unwrap();
    expect(stream, b"+OK\r\n");
}

/// Opens a connection that speaks RESP3 and names its library.
fn named(daemon: &Daemon, library: &str) -> UnixStream {
    let mut stream = hello(daemon);
    name(&mut stream, library);
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
fn own_client_gets_a_push_frame_every_second() {
    let (daemon, _, gate) = start();
    let client = Client::new(daemon.path());
    let calling = thread::spawn(move || client.command("wait").call::<String>());
    let mut stream = named(&daemon, "dockipc");
    // Of two commands, the frames are about the running one.
    let commands = [resp(&["ping"]), resp(&["wait"]), resp(&["wait"])].concat();
    stream.write_all(&commands).unwrap();
    expect(&mut stream, b"+PONG\r\n");
    for _ in 1..=2 {
        // The number is a measured time: a busy machine may be late.
        expect(&mut stream, &push(0)[..push(0).len() - 3]);
        stream.read_exact(&mut [0; 3]).unwrap();
    }
    gate.open();
    let mut answers = Vec::new();
    while !answers.ends_with(b"$4\r\ndone\r\n$4\r\ndone\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answers.push(byte[0]);
    }
    assert_eq!(calling.join().unwrap().unwrap(), "done");
    assert_eq!(gate.came(), 3);
}

#[test]
fn transaction_of_shorter_commands_gets_push_frames() {
    let (daemon, _, _) = start();
    let mut stream = named(&daemon, "dockipc");
    let commands = [resp(&["multi"]), resp(&["short"]).repeat(4), resp(&["exec"])].concat();
    stream.write_all(&commands).unwrap();
    expect(&mut stream, ["+OK\r\n", &"+QUEUED\r\n".repeat(4)].concat().as_bytes());
    expect(&mut stream, &push(0)[..push(0).len() - 3]);
}

#[test]
fn read_timeout_of_own_client_outlasts_a_longer_command() {
    let (daemon, runs, _) = start();
    let client = Client::new(daemon.path()).read_timeout(Duration::from_secs(3));
    assert_eq!(client.command("slow").arg("5s").call::<String>().unwrap(), "5s");
    assert_eq!(runs.load(SeqCst), 1);
}

/// The libraries that skip push frames, and names with what is put behind them.
const SKIP_PUSH_FRAMES: &[&str] = &[
    "redis-py",
    "redis-py(django-redis_v5.4.0)",
    "valkey-py",
    "node-redis",
    "node-redis(billing)",
    "ioredis",
    "redis-rs",
];

/// Libraries that take a push frame for an answer, or that are unknown, and near misses.
const OTHERS: &[&str] = &[
    "",
    "fred",
    "redis-client",
    "redis-rb",
    "predis",
    "SE.Redis",
    "go-redis(,go1.22.1)",
    "jedis",
    "lettuce",
    "redis",
    "redis-py-cluster",
    "redis-py(",
    "my redis-py",
    "REDIS-PY",
];

#[test]
fn only_listed_libraries_get_push_frames() {
    let (daemon, _, gate) = start();
    let mut others: Vec<_> = OTHERS.iter().map(|library| named(&daemon, library)).collect();
    others.push(hello(&daemon));
    // RESP2 has no push frames, and neither do lines.
    let mut resp2 = daemon.connect();
    name(&mut resp2, "redis-py");
    others.push(resp2);
    // The last name counts, and RESET takes it away.
    let mut renamed = named(&daemon, "redis-py");
    name(&mut renamed, "predis");
    others.push(renamed);
    for library in ["redis-py", "dockipc"] {
        let mut reset = named(&daemon, library);
        reset.write_all(&[resp(&["RESET"]), resp(&["HELLO", "3"])].concat()).unwrap();
        while !read_some(&mut reset).ends_with(b"*0\r\n") {}
        others.push(reset);
    }
    let mut line = daemon.connect();
    line.write_all(b"wait\n").unwrap();
    let mut listed: Vec<_> =
        SKIP_PUSH_FRAMES.iter().map(|library| named(&daemon, library)).collect();
    for stream in others.iter_mut().chain(&mut listed) {
        stream.write_all(&[resp(&["wait"]), resp(&["ping"])].concat()).unwrap();
    }
    // A byte at a time: a whole frame every few seconds would be too many in a day.
    for stream in &mut listed {
        expect(stream, b">");
        has_nothing(stream);
    }
    others.iter_mut().chain([&mut line]).for_each(has_nothing);
    gate.open();
    for mut stream in others {
        expect(&mut stream, b"$4\r\ndone\r\n+PONG\r\n");
    }
    expect(&mut line, b"done");
    for mut stream in listed {
        let seconds = [b'0'; 215];
        expect(&mut stream, b"3\r\n$7\r\ndockipc\r\n$7\r\nrunning\r\n$216\r\n");
        expect(&mut stream, &seconds);
        let mut last = [0];
        stream.read_exact(&mut last).unwrap();
        assert!(last[0].is_ascii_digit());
        expect(&mut stream, b"\r\n$4\r\ndone\r\n+PONG\r\n");
    }
}

fn read_some(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = [0; 1000];
    let count = stream.read(&mut bytes).unwrap();
    bytes[..count].to_vec()
}

#[test]
fn client_is_told_that_its_command_waits_for_a_thread() {
    let (_, runs, gate) = start();
    let server = Server::new().state(runs).state(gate.clone()).max_threads(3);
    let daemon = Daemon::start(server);
    // The first call shows that the command is slow.
    let streams: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = named(&daemon, "dockipc");
            stream.write_all(&resp(&["wait"])).unwrap();
            stream
        })
        .collect();
    let mut reads: Vec<_> = streams.into_iter().map(BufReader::new).collect();
    let mut told = [false; 2];
    while told != [true; 2] {
        for stream in &mut reads {
            let mut frame = Vec::new();
            for _ in 0..7 {
                stream.read_until(b'\n', &mut frame).unwrap();
            }
            told[0] |= frame.starts_with(b">3\r\n$7\r\ndockipc\r\n$7\r\nrunning\r\n$1\r\n");
            told[1] |= frame.starts_with(b">3\r\n$7\r\ndockipc\r\n$7\r\nwaiting\r\n$1\r\n");
        }
    }
    gate.open();
}

#[test]
fn begun_frame_is_whole_before_the_answer() {
    let (_, runs, gate) = start();
    let server = Server::new().state(runs).state(gate.clone()).max_threads(3);
    let daemon = Daemon::start(server);
    let mut streams: Vec<_> = (0..3).map(|_| named(&daemon, "redis-py")).collect();
    for stream in &mut streams {
        stream.write_all(&resp(&["wait"])).unwrap();
    }
    for stream in &mut streams {
        expect(stream, b">");
    }
    gate.open();
    let mut waited = 0;
    for mut stream in streams {
        expect(&mut stream, b"3\r\n$7\r\ndockipc\r\n$7\r\n");
        let mut rest = [0; 7 + 8 + 216];
        stream.read_exact(&mut rest).unwrap();
        assert!(rest.starts_with(b"running\r\n$216\r\n0") || rest.starts_with(b"waiting"));
        waited += usize::from(rest.starts_with(b"waiting"));
        expect(&mut stream, b"\r\n$4\r\ndone\r\n");
    }
    assert!((1..3).contains(&waited), "{waited} waited");
}

/// Has a Python client call a command with these settings.
fn python(daemon: &Daemon, version: &Path, module: &str, settings: &str, words: &[&str]) -> String {
    let mut command = script("python3", "slow.py", daemon, "PYTHONPATH", version);
    text(command.args([module, settings]).args(words), b"")
}

/// Returns a script of `tests/peers` with the version of a client that the variable selects.
fn script(interpreter: &str, name: &str, daemon: &Daemon, variable: &str, path: &Path) -> Command {
    let mut command = Command::new("timeout");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    command.args(["60", interpreter]).arg(scripts.join(name)).arg(daemon.path());
    command.env(variable, path);
    command
}

/// Returns redis-py 8.1 if it is installed.
fn redis_py_8() -> Option<PathBuf> {
    if lacks("python3") {
        return None;
    }
    versions("python", "redis").into_iter().find(|version| version.ends_with("redis-8.1.0"))
}

#[test]
fn redis_py_runs_an_eight_second_command_once() {
    let Some(version) = redis_py_8() else { return };
    let (daemon, runs, _) = start();
    assert_eq!(python(&daemon, &version, "redis", "{}", &["slow", "8s"]), "8s\n");
    let runs = runs.load(SeqCst);
    figure("redis-py 8.1, defaults, a command of 8 s", format_args!("ran {runs} times"));
    assert_eq!(runs, 1);
}

#[test]
fn valkey_py_runs_an_eight_second_command_once() {
    if lacks("python3") {
        return;
    }
    for version in versions("python", "valkey") {
        let (daemon, runs, _) = start();
        let settings = r#"{"protocol": 3}"#;
        assert_eq!(python(&daemon, &version, "valkey", settings, &["slow", "8s"]), "8s\n");
        assert_eq!(runs.load(SeqCst), 1);
    }
}

#[test]
fn socket_timeout_of_redis_py_holds() {
    let Some(version) = redis_py_8() else { return };
    // Up to the interval of the signs of life it holds in RESP3, and in RESP2 any does.
    let resp2 = r#"{"retry": null, "socket_timeout": 6, "protocol": 2}"#;
    for settings in [r#"{"retry": null, "socket_timeout": 2}"#, resp2] {
        let (daemon, _, gate) = start();
        assert_eq!(python(&daemon, &version, "redis", settings, &["wait"]), "timed out\n");
        gate.open();
        assert_eq!(gate.came(), 1);
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
                let report = text(command.arg("6s"), b"");
                assert!(report.ends_with("ok\n"), "{report}");
                print!("{report}");
            });
        }
    });
}

#[test]
fn redis_crate_gets_the_answer_despite_push_frames() {
    for protocol in [2, 3] {
        let (daemon, runs, _) = start();
        let url = format!("redis+unix://{}?protocol=resp{protocol}", daemon.path().display());
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_connection().unwrap();
        let answer: String = redis::cmd("slow").arg("6s").query(&mut connection).unwrap();
        assert_eq!(answer, "6s");
        let pong: String = redis::cmd("ping").arg("b").query(&mut connection).unwrap();
        assert_eq!(pong, "b");
        assert_eq!(runs.load(SeqCst), 1);
    }
}

#[test]
fn redis_cli_gets_the_answer_of_a_slow_command() {
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
