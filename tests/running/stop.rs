//! A command that stops the server.

use dockipc::{Error, Server, Stop, command};
use tests::Place;

use super::kept::States;

/// Stop the daemon.
#[command]
fn quit_daemon(stop: Stop) -> &'static str {
    stop.after_answer();
    stop.after_answer();
    "bye"
}

#[test]
fn command_stops_the_server_after_its_answer() {
    let place = Place::new();
    let daemon = States::default().of(Server::new()).spawn(place.socket()).unwrap();
    assert_eq!(dockipc::send(place.socket(), "quit-daemon").unwrap(), b"bye");
    assert!(daemon.join().is_empty());
    assert!(matches!(dockipc::send(place.socket(), "ping"), Err(Error::NoSocket { .. })));
}
