//! Redis clients that subscribe to calls and to events, each driven by a script of `tests/peers`: a stream to its end
//! and to its error, refusals, events beside a stream, lost connections, and a daemon that is started again. See
//! `tests/wire/clients.rs`.
//!
//! A script asks for a fault with a line on its standard output, and gets a line when the fault is made: `cut` ends all
//! connections, and `restart` stops the daemon and starts another one at the same path.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use dockipc::{Cancel, Client, Events, Failure, Handle, Server, State, Stopped, Stream, command};
use tests::Place;
use tests::peers::{installed, lacks, lacks_library, versions};

/// How often each command ran.
#[derive(Default)]
struct Runs(Mutex<BTreeMap<&'static str, u64>>);

impl Runs {
    fn add(&self, name: &'static str) -> u64 {
        let mut runs = self.0.lock().unwrap();
        let run = runs.entry(name).or_default();
        *run += 1;
        *run
    }

    fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

/// Answer how often a command ran.
#[command]
fn runs(runs: State<Runs>, name: &str) -> u64 {
    runs.of(name)
}

/// Publish an event.
#[command]
fn emit(events: &Events, channel: &str, value: String) -> usize {
    events.publish(channel, value)
}

/// Count to `n`.
#[command(idempotent)]
fn count(n: u32) -> Stream<u32> {
    Stream::iter(0..n)
}

/// Count to `n`, and then fail.
#[command(idempotent)]
fn break_after(n: u32) -> Stream<Result<u32, Failure>> {
    let end = Err(Failure::new("BROKEN", "in the end"));
    Stream::iter((0..n).map(Ok).chain([end]))
}

/// Answer with the number of this run, and then with nothing until the client leaves.
#[command(idempotent)]
fn follow(runs: State<Runs>, cancel: Cancel) -> Stream<u64> {
    let run = runs.add("follow");
    Stream::new(move |sink| {
        sink.send(run)?;
        while !cancel.wait(Duration::from_secs(600)) {}
        Ok(())
    })
}

/// A stream that clients must not repeat by themselves.
#[command]
fn take(runs: State<Runs>) -> Stream<u64> {
    Stream::iter([runs.add("take")])
}

/// A stream for nobody.
#[command(idempotent, allow = "uid:4294967294")]
fn closed(runs: State<Runs>) -> Stream<u64> {
    Stream::iter([runs.add("closed")])
}

/// Count a run, and wait until the client leaves.
#[command]
fn hang(runs: State<Runs>, cancel: Cancel) -> Result<(), Stopped> {
    runs.add("hang");
    while !cancel.wait(Duration::from_secs(600)) {}
    cancel.check()
}

/// Count a run.
#[command]
fn hit(runs: State<Runs>) -> u64 {
    runs.add("hit")
}

struct Daemon {
    place: Place,
    runs: State<Runs>,
    handle: Option<Handle>,
}

impl Daemon {
    fn start() -> Self {
        let mut daemon =
            Self { place: Place::new(), runs: State::new(Runs::default()), handle: None };
        daemon.restart();
        daemon
    }

    fn restart(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.shutdown();
            handle.join();
        }
        let server =
            Server::new().shutdown_timeout(Duration::from_millis(50)).share(self.runs.clone());
        self.handle = Some(server.spawn(self.place.socket()).expect("a daemon that starts"));
    }

    /// Ends all connections, as an operator does.
    fn cut(&self) {
        let client = Client::new(self.place.socket());
        let own: u64 = client.command("client").arg("id").call().unwrap();
        let ended = |id: u64| -> u64 {
            client.command("client").args(["kill", "id"]).arg(id).call().unwrap()
        };
        assert!((1..own).map(ended).sum::<u64>() >= 1, "a connection");
    }

    /// Runs the script to its end, and makes the faults that it asks for.
    #[track_caller]
    fn drive(&mut self, script: &mut Command) {
        let script = script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.stderr(Stdio::piped()).spawn().expect("the script to start");
        let mut stderr = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = std::io::copy(&mut stderr, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut stdin = child.stdin.take().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.expect("text");
            match line.as_str() {
                "cut" => self.cut(),
                "restart" => self.restart(),
                _ => {}
            }
            if ["cut", "restart"].contains(&&*line) {
                // The script may have ended.
                let _ = stdin.write_all(b"done\n");
            }
            said.push(line);
        }
        let status = child.wait().unwrap();
        let errors = errors.join().unwrap();
        let is_whole = said.last().is_some_and(|line| line.ends_with(" ok"));
        assert!(status.success() && is_whole, "{script:?}: {status} {said:?}\n{errors}");
        println!("{}", said.last().unwrap());
        assert_eq!(self.runs.of("take") + self.runs.of("closed"), 0, "{said:?}");
    }
}

#[track_caller]
fn drive(interpreter: &str, script: &str, variables: &[(&str, &Path)]) {
    let mut daemon = Daemon::start();
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", script].iter().collect();
    let mut command = Command::new("timeout");
    command.args(["100", interpreter]).arg(script).arg(daemon.place.socket());
    daemon.drive(command.envs(variables.iter().copied()));
}

#[test]
fn redis_py_streams_in_each_version() {
    if lacks("python3") {
        return;
    }
    for version in versions("python", "redis") {
        drive("python3", "streams.py", &[("PYTHONPATH", &version)]);
    }
}

#[track_caller]
fn node(client: &str, script: &str) {
    if lacks("node") {
        return;
    }
    for version in versions("node", client) {
        drive("node", script, &[("NODE_PATH", &version.join("node_modules"))]);
    }
}

#[test]
fn node_redis_streams_in_each_version() {
    node("redis", "streams_node_redis.cjs");
}

#[test]
fn ioredis_streams_in_each_version() {
    node("ioredis", "streams_ioredis.cjs");
}

#[test]
fn ruby_redis_streams() {
    if !lacks_library(&["ruby", "-e", "require 'redis'"]) {
        drive("ruby", "streams.rb", &[]);
    }
}

#[test]
fn phpredis_streams() {
    if !lacks_library(&["php", "-r", "exit(extension_loaded('redis') ? 0 : 1);"]) {
        drive("php", "streams.php", &[]);
    }
}

#[track_caller]
fn rust(client: &str) {
    if let Some(program) = installed(&format!("rust/debug/{client}_streams")) {
        let mut daemon = Daemon::start();
        let mut command = Command::new("timeout");
        command.arg("100").arg(program).arg(daemon.place.socket());
        daemon.drive(&mut command);
    }
}

#[test]
fn redis_crate_streams() {
    rust("redis");
}

#[test]
fn fred_streams() {
    rust("fred");
}

/// Starts redis-cli with these words. Returns the lines that it prints.
fn redis_cli(daemon: &Daemon, words: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut cli = Command::new("redis-cli");
    cli.arg("-s").arg(daemon.place.socket()).args(words);
    let mut cli = cli.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("redis-cli");
    let lines = BufReader::new(cli.stdout.take().unwrap()).lines().map(Result::unwrap);
    (cli, lines.filter(|line| !line.is_empty() && !line.starts_with("Reading messages")))
}

#[test]
fn redis_cli_streams() {
    if lacks("redis-cli") {
        return;
    }
    let mut daemon = Daemon::start();
    for protocol in ["-2", "-3"] {
        let item = |n| ["pmessage", "break-after 2", "item", n];
        let end = ["pmessage", "break-after 2", "error", "-BROKEN in the end"];
        let expected =
            [["psubscribe", "break-after 2", "1"].as_slice(), &item("0"), &item("1"), &end];
        let (mut cli, mut lines) = redis_cli(&daemon, &[protocol, "psubscribe", "break-after 2"]);
        for line in expected.concat() {
            assert_eq!(lines.next().as_deref(), Some(line));
        }
        cli.kill().unwrap();
        cli.wait().unwrap();
        // A refusal is printed.
        for (call, code) in [("no such", "UNKNOWN "), ("take", "USAGE "), ("closed", "NOPERM ")] {
            for word in ["subscribe", "psubscribe"] {
                let (mut cli, mut lines) = redis_cli(&daemon, &[protocol, word, "jobs", call]);
                let line = lines.next().unwrap();
                assert!(line.starts_with(code), "{line}");
                cli.kill().unwrap();
                cli.wait().unwrap();
            }
        }
        // It ends with its connection.
        for restarts in [false, true] {
            let run = daemon.runs.of("follow") + 1;
            let (mut cli, mut lines) = redis_cli(&daemon, &[protocol, "psubscribe", "follow"]);
            assert!(lines.any(|line| line == "item"));
            assert_eq!(lines.next(), Some(run.to_string()));
            if restarts {
                daemon.restart();
            } else {
                daemon.cut();
            }
            for line in lines {
                assert_ne!(line, "end");
            }
            cli.wait().unwrap();
            assert_eq!(daemon.runs.of("follow"), run);
        }
    }
    assert_eq!(daemon.runs.of("take") + daemon.runs.of("closed"), 0);
}
