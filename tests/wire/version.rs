//! The version of the author's daemon.

use dockipc::{Client, Server};
use tests::{Daemon, exchange, resp};

fn ask(daemon: &Daemon, words: &[&str]) -> String {
    String::from_utf8(exchange(daemon.connect(), &resp(words))).unwrap()
}

const LIBRARY: &str = env!("CARGO_PKG_VERSION");

#[test]
fn version_of_the_daemon_is_told() {
    let daemon = Daemon::start(Server::new().version("1.4"));
    let hello = ask(&daemon, &["hello"]);
    assert!(hello.contains("$6\r\ndaemon\r\n$3\r\n1.4\r\n"), "{hello}");
    assert!(hello.starts_with("*18\r\n"), "{hello}");
    let info = ask(&daemon, &["info"]);
    assert!(info.contains("\r\ndaemon_version:1.4\r\nprocess_id:"), "{info}");
    assert!(ask(&daemon, &["info", "server"]).contains("\r\ndaemon_version:1.4\r\n"));
    assert!(!ask(&daemon, &["info", "clients"]).contains("daemon_version"));
    let length = LIBRARY.len();
    assert_eq!(
        ask(&daemon, &["dockipc", "describe", "--daemon"]),
        format!("*4\r\n$7\r\nversion\r\n$3\r\n1.4\r\n$7\r\ndockipc\r\n${length}\r\n{LIBRARY}\r\n")
    );
    let told = Client::new(daemon.path()).daemon().unwrap();
    assert_eq!((told.version(), told.dockipc_version()), (Some("1.4"), Some(LIBRARY)));
}

#[cfg(feature = "tokio")]
#[test]
fn async_client_reads_the_version() {
    let daemon = Daemon::start(Server::new().version("1.4"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = dockipc::AsyncClient::new(daemon.path());
    assert_eq!(runtime.block_on(client.daemon()).unwrap().version(), Some("1.4"));
}

#[test]
fn daemon_without_a_version_tells_that_of_dockipc() {
    let daemon = Daemon::start(Server::new());
    let hello = ask(&daemon, &["hello"]);
    assert!(hello.starts_with("*16\r\n") && !hello.contains("daemon"), "{hello}");
    assert!(!ask(&daemon, &["info"]).contains("daemon_version"));
    let told = Client::new(daemon.path()).daemon().unwrap();
    assert_eq!((told.version(), told.dockipc_version()), (None, Some(LIBRARY)));
}

#[test]
fn version_adds_no_line_to_info() {
    let daemon = Daemon::start(Server::new().version("1\r\nrole:slave"));
    let info = ask(&daemon, &["info"]);
    assert!(info.contains("\r\ndaemon_version:1\r\n") && !info.contains("role:slave"), "{info}");
}
