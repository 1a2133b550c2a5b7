//! Calls that are made while the daemon restarts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use dockipc::{Client, Error, Server};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::{PATIENCE, Place};

use super::calls::{Runs, states};

/// The daemon of the tests that restart it.
#[test]
fn daemon_that_restarts() {
    apart::serve(|path| {
        let directory = path.parent().unwrap();
        let server = Server::new().once_file(directory.join("once"));
        let (server, _) = states(server, directory, &Runs::default(), &Gate::default());
        server.run(path).unwrap();
    });
}

fn start(place: &Place) -> Apart {
    Apart::start("daemon_that_restarts", place.socket())
}

fn client(path: impl AsRef<Path>) -> Client {
    Client::new(path).timeout(PATIENCE)
}

fn next(client: &Client) -> Result<u64, Error> {
    client.command("next-in-file").once().call()
}

/// Makes a call while no daemon runs, and then starts one.
#[track_caller]
fn over_a_restart(
    place: &Place,
    call: impl FnOnce() -> Result<u64, Error> + Send,
) -> (Apart, Result<u64, Error>) {
    let (calling, called) = channel();
    thread::scope(|scope| {
        let caller = scope.spawn(move || {
            calling.send(()).unwrap();
            call()
        });
        called.recv_timeout(PATIENCE).unwrap();
        let daemon = start(place);
        (daemon, caller.join().unwrap())
    })
}

#[test]
fn call_waits_for_the_daemon_that_restarts() {
    let place = Place::new();
    let old = client(place.socket());
    let mut daemon = start(&place);
    assert_eq!(next(&old).unwrap(), 1);
    for (i, signal) in [(2, Signal::TERM), (4, Signal::KILL)] {
        // A client that knew the daemon, and one that finds what it has left.
        let fresh = client(place.socket());
        for (j, client) in [(0, &old), (1, &fresh)] {
            daemon.signal(signal);
            let _ = daemon.wait();
            let answer;
            (daemon, answer) = over_a_restart(&place, || next(client));
            assert_eq!(answer.unwrap(), i + j);
        }
    }
    assert_eq!(fs::read(place.directory().join("count")).unwrap().len(), 5);
}

#[test]
fn client_that_knew_the_daemon_waits_for_its_directory() {
    let place = Place::new();
    let directory = place.directory().join("run");
    let socket = directory.join("s");
    let spawn = || {
        fs::create_dir(&directory).unwrap();
        let states = states(Server::new().once(), &directory, &Runs::default(), &Gate::default());
        states.0.spawn(&socket).unwrap()
    };
    let daemon = spawn();
    let client = client(&socket);
    let add = || client.command("add").arg(1).once().call::<u64>();
    assert_eq!(add().unwrap(), 1);
    drop(daemon);
    // As systemd does with the RuntimeDirectory= of a unit.
    fs::remove_dir_all(&directory).unwrap();
    let (calling, called) = channel();
    thread::scope(|scope| {
        let caller = scope.spawn(move || {
            calling.send(()).unwrap();
            add()
        });
        called.recv_timeout(PATIENCE).unwrap();
        let _daemon = spawn();
        assert_eq!(caller.join().unwrap().unwrap(), 1);
    });
}

#[cfg(feature = "tokio")]
#[test]
fn async_call_waits_for_the_daemon_that_restarts() {
    let place = Place::new();
    drop(start(&place));
    let client = dockipc::AsyncClient::new(place.socket()).timeout(PATIENCE);
    let call = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { client.command("next-in-file").once().call::<u64>().await })
    };
    let (_daemon, answer) = over_a_restart(&place, call);
    assert_eq!(answer.unwrap(), 1);
}

/// Returns the error of a call that must not wait until its timeout.
#[track_caller]
fn soon(path: PathBuf) -> Error {
    let (sender, error) = channel();
    thread::spawn(move || {
        let call = Client::new(path).timeout(10 * PATIENCE).command("add").arg(1).once().call();
        sender.send(call.map(|n: u64| n).unwrap_err())
    });
    error.recv_timeout(PATIENCE).expect("an error long before the timeout")
}

#[test]
fn call_to_a_path_without_traces_fails_soon() {
    let place = Place::new();
    let error = soon(place.socket());
    assert!(matches!(error, Error::NoSocket { .. }), "{error}");
    let error = soon(format!("@{}", place.socket().display()).into());
    assert!(matches!(error, Error::NoSocket { .. }), "{error}");
    fs::write(place.socket(), "").unwrap();
    let error = soon(place.socket());
    assert!(matches!(error, Error::NotASocket { .. }), "{error}");
}

#[test]
fn daemon_that_stays_away_is_named_after_the_timeout() {
    let place = Place::new();
    drop(start(&place));
    for is_stale in [true, false] {
        if !is_stale {
            fs::remove_file(place.socket()).unwrap();
        }
        let once = Client::new(place.socket()).once();
        let short = Duration::from_millis(30);
        for client in [once.clone().timeout(short), once.connect_timeout(short)] {
            let error = client.command("add").arg(1).call::<u64>().unwrap_err();
            match error {
                Error::Stale { .. } => assert!(is_stale),
                Error::NoSocket { .. } => assert!(!is_stale),
                error => panic!("{error}"),
            }
        }
    }
}
