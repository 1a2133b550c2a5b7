//! The signals that `Server::run` handles, in a process that runs several servers.

use std::process::exit;

use dockipc::Server;
use rustix::process::Signal;
use tests::Place;
use tests::apart::{self, Apart};
use tests::process::until;

fn server() -> Server {
    Server::new().open_to_all()
}

/// Not a test: a daemon that fails to start, and then serves twice.
#[test]
fn daemon() {
    apart::serve(|path| {
        assert!(server().run(path.join("no directory")).is_err());
        server().run(path).unwrap();
        exit(i32::from(server().run(path).is_err()));
    });
}

#[test]
fn each_run_in_a_process_stops_in_order() {
    let place = Place::new();
    let daemon = Apart::start("daemon", place.socket());
    let first = std::fs::symlink_metadata(place.socket()).unwrap();
    daemon.signal(Signal::TERM);
    until("the second run", || {
        let now = std::fs::symlink_metadata(place.socket());
        now.is_ok_and(|now| now.modified().unwrap() != first.modified().unwrap())
            && dockipc::send(place.socket(), "ping").is_ok()
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!place.socket().exists());
}
