//! Abstract sockets, in a program in which no command has a rule.

use dockipc::{Error, Request, Server};

fn server() -> Server {
    Server::new().handle("anything", |_: &Request<'_>| "done")
}

#[test]
fn abstract_socket_requires_rules_or_open_to_all() {
    let name = format!("@dockipc-open-{}", std::process::id());
    let error = server().spawn(&name).unwrap_err();
    assert!(matches!(error, Error::OpenToAll { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "any local user could run every command at {name}: an abstract socket has no mode; \
             add rules with .allow(…), or call .open_to_all()"
        )
    );
    for server in
        [server().open_to_all(), server().default_deny(), server().allow("anything", "owner")]
    {
        let daemon = server.spawn(&name).unwrap();
        assert_eq!(dockipc::send(&name, "ping").unwrap(), b"PONG");
        drop(daemon);
    }
}
