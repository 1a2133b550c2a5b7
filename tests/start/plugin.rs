//! Commands of another crate that only one `use` refers to.

use std::sync::Mutex;

use dockipc::{Error, Server};
use plugin as _;

/// A server with the state that the commands of `refused.rs` require.
fn server() -> Server {
    Server::new().state(Mutex::new(1_u64))
}

#[test]
fn commands_of_another_crate_are_served() {
    let daemon = server().state("Good day".to_owned()).spawn_in_process().unwrap();
    let client = daemon.client();
    assert_eq!(client.send("plugin.greet Ada").unwrap(), b"Good day, Ada");
    assert_eq!(client.send("greet Ada").unwrap(), b"Good day, Ada");
    assert_eq!(client.send("plugin.version").unwrap(), b"1");
    let help = String::from_utf8(client.send("help").unwrap()).unwrap();
    assert!(help.contains("plugin.greet <name>"), "{help}");
}

#[test]
fn missing_state_of_another_crate_is_refused() {
    let error = server().spawn_in_process().map(drop).unwrap_err();
    let Error::MissingState { command, place, wanted } = error else { panic!("{error}") };
    assert_eq!((command, wanted), ("plugin.greet", "alloc::string::String"));
    assert!(place.contains("plugin/lib.rs:"), "{place}");
}
