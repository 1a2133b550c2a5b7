//! Redis clients that subscribe, each driven by a script of `tests/peers`, and redis-cli. See
//! `tests/wire/clients.rs`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dockipc::Server;
use tests::Daemon;
use tests::peers::{lacks, text, versions};
use tests::process::until;

#[track_caller]
fn each(interpreter: &str, kind: &str, client: &str, script: &str) {
    if lacks(interpreter) {
        return;
    }
    for version in versions(kind, client) {
        let daemon = Daemon::start(Server::new());
        let report = text(&mut command(interpreter, script, &version, &daemon.path()), b"");
        assert!(report.ends_with("ok\n"), "{report}");
    }
}

fn command(interpreter: &str, script: &str, version: &Path, socket: &Path) -> Command {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", script].iter().collect();
    let mut command = Command::new("timeout");
    command.args(["60", interpreter]).arg(script).arg(socket);
    command.env("PYTHONPATH", version).env("NODE_PATH", version.join("node_modules"));
    command
}

#[test]
fn redis_py_subscribes_in_each_version() {
    each("python3", "python", "redis", "events.py");
}

#[test]
fn node_redis_subscribes_in_each_version() {
    each("node", "node", "redis", "events_node_redis.cjs");
}

#[test]
fn ioredis_subscribes_in_each_version() {
    each("node", "node", "ioredis", "events_ioredis.cjs");
}

#[test]
fn redis_cli_prints_events() {
    if lacks("redis-cli") {
        return;
    }
    for protocol in ["-2", "-3"] {
        let daemon = Daemon::start(Server::new());
        let events = daemon.handle().events();
        let mut cli = Command::new("redis-cli");
        cli.arg("-s").arg(daemon.path()).args([protocol, "psubscribe", "jobs.*"]);
        let mut cli = cli.stdout(Stdio::piped()).spawn().expect("redis-cli");
        let mut lines = BufReader::new(cli.stdout.take().expect("its output")).lines();
        until("a subscription", || events.publish("jobs.done", 7) == 1);
        let printed = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("jobs.done")));
        assert!(printed.is_some());
        cli.kill().expect("redis-cli to be ended");
        cli.wait().expect("its end");
    }
}
