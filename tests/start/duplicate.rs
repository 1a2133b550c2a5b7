//! Two `#[command]`s with one name. No server of this program starts, so it has no other test.

use dockipc::{Error, Server, command};

#[command("add")]
fn first() {}

/// A command's place is that of its attribute, not of its doc comment.
#[command("plus", alias = "add")]
fn second() {}

#[test]
fn duplicate_command_is_refused_with_both_places() {
    let error = Server::new().spawn_in_process().map(drop).unwrap_err();
    let Error::DuplicateName { name, first, second } = &error else { panic!("{error}") };
    assert_eq!(name, "add");
    assert_eq!(*first, concat!(file!(), ":5"));
    assert_eq!(*second, concat!(file!(), ":9"));
    let message = error.to_string();
    assert!(message.contains(first) && message.contains(second), "{message}");
}
