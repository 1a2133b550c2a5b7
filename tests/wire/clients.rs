//! Redis clients of other languages, each driven by a script of `tests/peers`: it pings, calls, sends and
//! gets any bytes, gets an error with its code, pipelines, and sends two calls after a command of five
//! seconds, whose answers must not be shifted.
//!
//! The test of a client that is not installed is skipped; with `DOCKIPC_REQUIRE_PEERS` set, as in CI, it
//! fails. `.ci/run` installs clients from Debian, and the others in `$DOCKIPC_PEERS_DIR`: several versions of
//! those for Python and Node as `python/<name>` and `node/<name>`, those in Rust in `rust`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tests::peers::{go_packages, installed, lacks, lacks_go, lacks_library, text, versions};

use super::peers::Daemon;

/// Runs the script of a client, which asks for this many slow commands.
#[track_caller]
fn works(slow: u64, script: impl FnOnce(&Daemon) -> Command) {
    let daemon = Daemon::start();
    let report = text(&mut script(&daemon), b"");
    assert!(report.ends_with("ok\n"), "{report}");
    print!("{report}");
    assert_eq!(daemon.slow_naps(), slow, "{report}");
}

/// Does the same for each version of a client, in parallel, since they mostly wait.
fn each(versions: Vec<PathBuf>, script: impl Fn(&Daemon, &Path) -> Command + Sync) {
    thread::scope(|scope| {
        for version in &versions {
            scope.spawn(|| works(1, |daemon| script(daemon, version)));
        }
    });
}

#[track_caller]
fn python(client: &str, script: &str) {
    if lacks("python3") {
        return;
    }
    each(versions("python", client), |daemon, version| {
        let mut command = daemon.script("python3", script);
        command.arg(client).env("PYTHONPATH", version);
        command
    });
}

#[test]
fn redis_py_works_in_each_version() {
    python("redis", "redis_py.py");
}

#[test]
fn valkey_py_works() {
    python("valkey", "redis_py.py");
}

#[test]
fn coredis_works() {
    python("coredis", "coredis_py.py");
}

#[track_caller]
fn node(client: &str, script: &str) {
    if lacks("node") {
        return;
    }
    each(versions("node", client), |daemon, version| {
        let mut command = daemon.script("node", script);
        command.arg(client).env("NODE_PATH", version.join("node_modules"));
        command
    });
}

#[test]
fn node_redis_works_in_each_version() {
    node("redis", "node_redis.cjs");
}

#[test]
fn ioredis_works_in_each_version() {
    node("ioredis", "ioredis.cjs");
}

#[test]
fn iovalkey_works() {
    node("iovalkey", "ioredis.cjs");
}

#[track_caller]
fn rust(client: &str, connections: u64) {
    if let Some(program) = installed(&format!("rust/debug/{client}")) {
        works(connections, |daemon| {
            let mut command = daemon.program(program);
            command.arg(daemon.path());
            command
        });
    }
}

#[test]
fn async_redis_crate_works() {
    rust("redis", 3);
}

#[test]
fn fred_works() {
    rust("fred", 2);
}

#[test]
fn rustis_works() {
    rust("rustis", 1);
}

#[test]
fn phpredis_works() {
    if !lacks_library(&["php", "-r", "exit(extension_loaded('redis') ? 0 : 1);"]) {
        works(1, |daemon| daemon.script("php", "phpredis.php"));
    }
}

#[test]
fn redis_pm_works() {
    if !lacks_library(&["perl", "-MRedis", "-e1"]) {
        works(1, |daemon| daemon.script("perl", "redis.pl"));
    }
}

#[test]
fn ruby_redis_works() {
    if !lacks_library(&["ruby", "-e", "require 'redis'"]) {
        works(1, |daemon| daemon.script("ruby", "redis.rb"));
    }
}

#[test]
fn redigo_works() {
    if !lacks_go() {
        works(1, |daemon| {
            let mut command = daemon.script("go run", "redigo.go");
            command.envs(go_packages());
            command
        });
    }
}
