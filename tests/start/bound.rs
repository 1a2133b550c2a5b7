//! States that are given between `bind` and the start, and mistakes that are found before the socket exists.

use std::sync::Mutex;

use dockipc::{Error, Server, State};
use tests::process::names_in;
use tests::{Place, exchange};

#[test]
fn states_can_be_added_after_bind() {
    let place = Place::new();
    let bound = Server::new().bind(place.socket()).unwrap();
    // For the commands of this program.
    let text = State::new(String::from("shared"));
    let daemon = bound.state(Mutex::new(1_u64)).share(text.clone()).spawn().unwrap();
    assert_eq!(dockipc::send(place.socket(), "ping").unwrap(), b"PONG");
    drop(daemon);
    assert_eq!(*text, "shared");
}

#[test]
fn missing_state_is_an_error_of_the_start_after_bind() {
    let place = Place::new();
    let bound = Server::new().state(String::new()).bind(place.socket()).unwrap();
    let client = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
    let error = bound.spawn().map(drop).unwrap_err();
    assert!(matches!(error, Error::MissingState { .. }), "{error}");
    assert!(!place.socket().exists(), "the path is released");
    let bound = Server::new().state(1_u8).bind(place.socket()).unwrap();
    let error = bound.state(2_u8).run().unwrap_err();
    assert!(matches!(error, Error::DuplicateState("u8")), "{error}");
    drop(client);
}

#[test]
fn mistakes_are_found_before_the_socket_exists() {
    let place = Place::new();
    let error = Server::new().spawn(place.socket()).map(drop).unwrap_err();
    assert!(matches!(error, Error::MissingState { .. }), "{error}");
    let error = Server::new().run(place.socket()).unwrap_err();
    assert!(matches!(error, Error::MissingState { .. }), "{error}");
    for server in [
        Server::new().allow("unknown", "owner"),
        Server::new().handle("ping", |_| ()).handle("ping", |_| ()),
        Server::new().token_file(place.directory().join("token")),
    ] {
        server.bind(place.socket()).map(drop).unwrap_err();
    }
    assert!(names_in(place.directory()).is_empty());
}

#[test]
fn later_path_that_fails_releases_the_first() {
    let place = Place::new();
    let second = place.directory().join("missing/second.sock");
    let server = Server::new().also_at(second, dockipc::Access::all());
    server.bind(place.socket()).map(drop).unwrap_err();
    assert!(!place.socket().exists());
    let server = Server::new().state(Mutex::new(1_u64)).state(String::new());
    let _daemon = server.spawn(place.socket()).unwrap();
    let stream = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
    assert_eq!(exchange(stream, b"ping\n"), b"PONG");
}

#[test]
fn bound_server_and_control_can_be_sent() {
    const fn sent<T: Send + Sync>() {}
    const { sent::<dockipc::Control>() };
    const { sent::<dockipc::Bound>() };
}
