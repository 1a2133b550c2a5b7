//! Servers that do not start although all their `#[command]`s are valid.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dockipc::{Error, Result, Server, State, command};
use tests::Place;

#[command("count", alias = "sum")]
fn count(_total: State<Mutex<u64>>, _same: &State<Mutex<u64>>) {}

fn server() -> Server {
    // The last state is for the commands of `plugin`, which are in this program, too.
    Server::new().state(Mutex::new(1_u64)).state(String::new())
}

fn refusal(server: Server) -> Error {
    server.spawn_in_process().map(drop).unwrap_err()
}

/// Returns the error of a server that is valid except for its path.
fn refused_path(path: impl AsRef<Path>) -> Error {
    let result: Result<_> = server().spawn(path);
    result.map(drop).unwrap_err()
}

/// Returns the number of a line in this file that contains `what`.
fn line_of(what: &str) -> String {
    let lines = include_str!("refused.rs").lines();
    let at = lines.enumerate().find(|(_, line)| line.contains(what)).expect("the line").0;
    format!("{}:{}", file!(), at + 1)
}

#[test]
fn complete_server_starts() {
    assert!(server().spawn_in_process().is_ok());
}

#[test]
fn duplicate_handler_is_refused_with_both_places() {
    let twice = server()
        .handle("once", |_| ()) // the first
        .handle("once", |_| ()); // the second
    let error = refusal(twice);
    let Error::DuplicateName { name, first, second } = &error else { panic!("{error}") };
    assert_eq!(name, "once");
    assert_eq!(*first, line_of("// the first"));
    assert_eq!(*second, line_of("// the second"));
    let message = error.to_string();
    assert!(message.contains(first) && message.contains(second), "{message}");
}

#[test]
fn handler_named_like_a_command_is_refused() {
    for name in ["count", "sum"] {
        let error = refusal(server().handle(name, |_| ())); // beside the command
        let Error::DuplicateName { name: twice, first, second } = &error else { panic!("{error}") };
        assert_eq!(twice, name);
        assert_eq!(*first, line_of("#[command(\"count\""));
        assert_eq!(*second, line_of("// beside the command"));
    }
}

#[test]
fn missing_state_is_refused_with_command_and_type() {
    let error = refusal(Server::new().state(Mutex::new(1_i64)).state(String::new()));
    let Error::MissingState { command, place, wanted } = &error else { panic!("{error}") };
    assert_eq!(*command, "count");
    assert_eq!(*place, line_of("#[command(\"count\""));
    assert!(wanted.contains("Mutex<u64>"), "{wanted}");
    let message = error.to_string();
    assert!(message.contains("`count`") && message.contains("Mutex<u64>"), "{message}");
}

#[test]
fn arc_as_a_state_is_refused_with_the_way_to_share_it() {
    let shared = Arc::new(Mutex::new(1_u64));
    let error = refusal(Server::new().state(shared.clone()).state(String::new()));
    let Error::StateInArc { command, place, wanted } = &error else { panic!("{error}") };
    assert_eq!((*command, place), ("count", &line_of("#[command(\"count\"")));
    assert!(wanted.contains("Mutex<u64>"), "{wanted}");
    assert!(error.to_string().contains("replace .state(arc) with .share(arc)"), "{error}");
    assert!(Server::new().share(shared).state(String::new()).spawn_in_process().is_ok());
}

#[test]
fn duplicate_state_is_refused() {
    let error = refusal(server().state(Mutex::new(2_u64)));
    let Error::DuplicateState(name) = &error else { panic!("{error}") };
    assert!(name.contains("Mutex<u64>"), "{name}");
}

#[test]
fn invalid_name_is_refused() {
    let long = "x".repeat(65);
    for name in ["", "Add", "a b c", "-a", "a/b", "ä", "hello", "quit", &long] {
        let error = refusal(server().handle(name, |_| ()));
        assert!(
            matches!(&error, Error::BadName { name: bad, .. } if bad == name),
            "{name}: {error}"
        );
    }
    let longest = "x".repeat(64);
    for name in ["a", "9", "a b", "a.b_c:d-e", "ping", "help", "clear", &longest] {
        assert!(server().handle(name, |_| ()).spawn_in_process().is_ok(), "{name}");
    }
}

#[test]
fn invalid_path_is_refused_with_the_path() {
    let place = Place::new();
    let inside = |name: &str| place.directory().join(name);
    std::fs::write(inside("file"), "").unwrap();
    let bad = ["".into(), "a\0b".into(), inside("x/"), inside("missing/x"), inside("file/x")];
    for path in bad {
        let error = refused_path(&path);
        let Error::BadPath { path: named, .. } = &error else { panic!("{error}") };
        assert_eq!(*named, path);
        assert!(error.to_string().contains("invalid socket path "), "{error}");
    }
}

#[test]
fn path_longer_than_a_socket_address_is_served() {
    let place = Place::new();
    let directory = place.directory().join("x".repeat(150));
    std::fs::create_dir(&directory).unwrap();
    let long = directory.join("s.sock");
    let _daemon = server().spawn(&long).unwrap();
    assert_eq!(dockipc::send(&long, "ping").unwrap(), b"PONG");
}

#[test]
fn file_that_is_not_a_socket_is_refused_and_stays() {
    let place = Place::new();
    let (file, link) = (place.directory().join("file"), place.directory().join("link"));
    std::fs::write(&file, "mine").unwrap();
    symlink(&file, &link).unwrap();
    for path in [&file, &link, place.directory()] {
        let error = refused_path(path);
        assert!(matches!(&error, Error::NotASocket { path: bad, .. } if bad == path), "{error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(std::fs::read_link(&link).unwrap(), file);
}
