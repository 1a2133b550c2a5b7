//! The other way: the crate gives `dockipc` its own name back, once, and the attributes say nothing.

extern crate ipc as dockipc;

use dockipc::{Arg, Server, command};

/// A direction.
#[derive(Arg, Debug)]
enum Direction {
    North,
}

#[command]
fn go(direction: Direction) -> String {
    format!("{direction:?}")
}

#[test]
fn a_command_of_a_renamed_crate_is_served() {
    let daemon = Server::new().spawn_in_process().unwrap();
    assert_eq!(daemon.client().send("go north").unwrap(), b"North");
}
