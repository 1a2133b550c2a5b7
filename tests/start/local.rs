//! Servers that do not start since the loop of their commands is missing, or is there twice.

use dockipc::{Error, Job, Server};

use crate::running::{Ui, with_loop};

fn refusal(server: Server) -> Error {
    server.spawn_in_process().map(drop).unwrap_err()
}

#[test]
fn missing_loop_is_refused_with_command_and_type() {
    let error = refusal(Server::new().state(String::new()));
    let Error::MissingLocal { command, place, wanted } = &error else { panic!("{error}") };
    assert!(place.contains("running/local"), "{place}");
    assert!(wanted.ends_with("local::Ui"), "{wanted}");
    let expected = format!(
        "missing loop: command `{command}` ({place}) requires Local<{wanted}>; add .local(|job: Job<{wanted}>| …) to the server"
    );
    assert_eq!(error.to_string(), expected);
    assert!(with_loop(Server::new()).0.spawn_in_process().is_ok());
}

#[test]
fn duplicate_loop_is_refused() {
    let error = refusal(with_loop(Server::new()).0.local(drop::<Job<Ui>>));
    let Error::DuplicateLocal(name) = &error else { panic!("{error}") };
    assert!(name.ends_with("local::Ui"), "{name}");
    assert!(error.to_string().starts_with("duplicate .local(…) for "), "{error}");
}
