//! An abstract socket, in a program that has no command with a rule.

use dockipc::{Error, Request, Server};

fn server() -> Server {
    Server::new().handle("anything", |_: &Request<'_>| "done")
}

#[test]
fn an_abstract_socket_without_any_rule_is_refused_unless_it_is_meant() {
    let name = format!("@dockipc-open-{}", std::process::id());
    let error = server().spawn(&name).unwrap_err();
    assert!(matches!(error, Error::OpenToAll { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "every user of the machine could run every command at {name}: an abstract socket has no \
             mode; give rules with .allow(…), or say .open_to_all()"
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
