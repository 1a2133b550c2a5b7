//! The sockets of a server, and the commands that each offers.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use dockipc::{Access, Error, Request, Server, command};
use tests::process::until;
use tests::{Daemon, Place, exchange};

/// Shows something.
#[command("status")]
fn status() -> &'static str {
    "well"
}

/// Changes something.
#[command("stop", alias = "halt")]
fn stop() {}

/// For no user that runs these tests.
#[command("list-secrets", allow = "uid:4294967294")]
fn list_secrets() {}

#[track_caller]
fn ask(path: &Path, line: &str) -> String {
    match dockipc::send(path, line) {
        Ok(answer) => String::from_utf8(answer).expect("text"),
        Err(Error::Refused(failure)) => format!("{} {}", failure.code(), failure.message()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn second_socket_offers_only_its_commands() {
    let place = Place::new();
    let second = place.directory().join("status.sock");
    let access = Access::only(["stat*", "list-*"]).mode(0o644);
    let daemon = Server::new().also_at(&second, access).spawn(place.socket()).unwrap();
    assert_eq!(second.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(ask(&place.socket(), "stop"), "");
    assert_eq!(ask(&second, "status"), "well");
    assert_eq!(ask(&second, "ping"), "PONG");
    let me = rustix::process::geteuid().as_raw();
    for name in ["stop", "halt"] {
        let denied = format!(
            "NOPERM permission denied: \"{name}\" is not offered at this socket (you are uid {me})"
        );
        assert_eq!(ask(&second, name), denied);
        let line = exchange(UnixStream::connect(&second).unwrap(), format!("{name}\n").as_bytes());
        assert_eq!(line, format!("-{denied}\n").as_bytes());
    }
    // A command's own rule holds at every path.
    assert!(ask(&second, "list-secrets").contains("requires uid:4294967294"));
    let help = ask(&second, "help");
    assert!(help.contains("status") && !help.contains("stop"), "{help}");
    assert!(ask(&place.socket(), "help").contains("stop"));
    assert_eq!(ask(&second, "stopp"), "UNKNOWN no command \"stopp\"; send help for a list");
    drop(daemon);
    assert!(!second.exists() && !place.socket().exists());
}

#[test]
fn fallback_needs_a_socket_that_offers_all() {
    let place = Place::new();
    let [some, all] = ["some", "all"].map(|name| place.directory().join(name));
    let server = Server::with_handler(|request: &Request<'_>| request.name().to_owned());
    let server = server.also_at(&some, Access::only(["status"])).also_at(&all, Access::all());
    let daemon = server.spawn(place.socket()).unwrap();
    assert!(ask(&some, "whatever").starts_with("NOPERM"));
    assert_eq!(ask(&all, "whatever"), "whatever");
    assert_eq!(all.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    drop(daemon);
}

#[test]
fn every_removed_socket_comes_back() {
    let place = Place::new();
    let second = place.directory().join("second");
    let server = Server::new().also_at(&second, Access::only(["status"]));
    let daemon = server.spawn(place.socket()).unwrap();
    for path in [&second, &place.socket()] {
        std::fs::remove_file(path).unwrap();
        until("the path's return", || UnixStream::connect(path).is_ok());
        assert_eq!(ask(path, "status"), "well");
    }
    assert!(
        ask(&second, "stop").starts_with("NOPERM"),
        "the restored socket offers the same commands"
    );
    drop(daemon);
}

#[test]
fn taken_second_path_leaves_no_first_socket() {
    let place = Place::new();
    let taken = Daemon::start(Server::new());
    let server = Server::new().also_at(taken.path(), Access::all());
    let error = server.spawn(place.socket()).unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
    assert!(!place.socket().exists());
    let error = Server::new().also_at("x", Access::only(["stats"])).spawn(place.socket());
    let expected = "invalid rule Access::only(stats): no command has such a name";
    assert_eq!(error.unwrap_err().to_string(), expected);
}
