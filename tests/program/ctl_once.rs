//! `dockipc call --once`, through a proxy that cuts the connection before an answer.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

use dockipc::{Reply, Server, command};
use tests::ctl::dockipc;
use tests::gate::Gate;
use tests::{Daemon, PATIENCE, Place};

static RUNS: AtomicU64 = AtomicU64::new(0);

#[derive(Reply)]
struct Run {
    word: String,
    run: u64,
}

#[command]
fn run_once(word: String) -> Vec<Run> {
    vec![Run { word, run: RUNS.fetch_add(1, SeqCst) + 1 }]
}

#[command]
fn run_after_restart(word: String) -> String {
    word
}

/// Returns a server for all commands of this program.
fn server() -> Server {
    Server::new().state(Gate::default())
}

/// Starts a proxy of one connection at a time, which cuts the first one that carries an answer with `run`.
fn cutting(place: &Place, daemon: &Path) -> PathBuf {
    let path = place.directory().join("proxy.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let daemon = daemon.to_owned();
    thread::spawn(move || {
        let mut has_cut = false;
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), UnixStream::connect(&daemon).unwrap());
            thread::scope(|scope| {
                scope.spawn(|| {
                    let _ = std::io::copy(&mut &client, &mut &server);
                    let _ = server.shutdown(Shutdown::Write);
                });
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = (&server).read(&mut bytes) {
                    let is_answer = bytes[..n].windows(9).any(|part| part == b"$3\r\nrun\r\n");
                    if is_answer && !std::mem::replace(&mut has_cut, true)
                        || (&client).write_all(&bytes[..n]).is_err()
                    {
                        break;
                    }
                }
                for stream in [&client, &server] {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            });
        }
    });
    path
}

#[test]
fn call_with_a_token_runs_once_after_a_lost_answer() {
    let daemon = Daemon::start(server().once());
    let place = daemon.path();
    let path = place.to_str().unwrap();
    for option in ["--json=line", "--no-newline"] {
        let place = Place::new();
        let proxy = cutting(&place, &daemon.path());
        let plain = dockipc(["call", option, path, "run-once", "x"]).text();
        let before = RUNS.load(SeqCst);
        let ran = dockipc(["call", "--once", option, proxy.to_str().unwrap(), "run-once", "x"]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""));
        let number = |n: u64| n.to_string();
        assert_eq!(ran.text(), plain.replace(&number(before), &number(before + 1)));
        assert_eq!(RUNS.load(SeqCst), before + 1);
    }
    let call = |word| dockipc(["call", "--once=order-1", path, "run-once", word]);
    let (first, second) = (call("x"), call("x"));
    assert_eq!((first.code, &first), (Some(0), &second));
    assert_eq!(call("y").code, Some(2));
}

#[test]
fn token_needs_a_daemon_that_remembers_calls() {
    let daemon = Daemon::start(server());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let ran = dockipc(["call", "--once", path, "run-once", "z"]);
    assert_eq!((ran.code, ran.text()), (Some(2), String::new()));
    let why = ": USAGE the daemon does not remember calls, so that none runs once (Server::once); the command was not run\n";
    assert!(ran.err.ends_with(why), "{ran:?}");
    let ran = dockipc(["call", "--once", "--file", "-", path]);
    assert!(ran.err.contains("--once cannot be used with --file"), "{ran:?}");
}

#[test]
fn call_with_a_token_waits_for_the_daemon_that_restarts() {
    let place = Place::new();
    let path = place.socket();
    drop(server().once().spawn(&path).unwrap());
    let (calling, called) = channel();
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            calling.send(()).unwrap();
            dockipc([
                "call",
                "--once",
                "--timeout=2m",
                path.to_str().unwrap(),
                "run-after-restart",
                "w",
            ])
        });
        called.recv_timeout(PATIENCE).unwrap();
        let _daemon = server().once().spawn(&path).unwrap();
        let ran = caller.join().unwrap();
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    });
    let without = dockipc(["call", path.to_str().unwrap(), "run-after-restart", "w"]);
    let late = dockipc([
        "call",
        "--once",
        "--timeout=30ms",
        path.to_str().unwrap(),
        "run-after-restart",
        "w",
    ]);
    for ran in [without, late] {
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.err.contains("no socket at "), "{ran:?}");
    }
}
