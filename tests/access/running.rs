//! The users who see and stop a running command.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use dockipc::{Cancel, Server, Stopped, command};
use tests::process::until;
use tests::{Place, exchange, users};

/// Wait until the command is asked to stop.
#[command]
fn await_stop(cancel: Cancel) -> Result<(), Stopped> {
    while !cancel.wait(std::time::Duration::from_secs(600)) {}
    cancel.check()
}

/// A client of another user.
fn client(uid: u32, socket: &Path) -> Command {
    let mut client = Command::new("setpriv");
    client.args([&format!("--reuid={uid}"), "--clear-groups", "nc", "-U"]).arg(socket);
    client.stdin(Stdio::piped()).stdout(Stdio::piped());
    client
}

fn ask(uid: u32, socket: &Path, line: &str) -> String {
    let mut client = client(uid, socket).spawn().expect("nc");
    let mut input = client.stdin.take().expect("its input");
    writeln!(input, "{line}").expect("a client that reads");
    let answer = client.wait_with_output().expect("its answer");
    drop(input);
    String::from_utf8(answer.stdout).expect("text")
}

#[test]
fn running_command_is_seen_and_stopped_by_its_user_and_operators() {
    const ITS: u32 = 65_534;
    const OTHER: u32 = 65_533;
    if !users::can_be_had() {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o711)).expect("its mode");
    let socket = place.socket();
    let daemon = Server::new().mode(0o666).spawn(&socket).expect("a server that starts");
    let as_root = |line: &str| {
        let answer = exchange(daemon.connect().expect("a connection"), line.as_bytes());
        String::from_utf8(answer).expect("text")
    };
    for stopper in [None, Some(ITS)] {
        let mut its = client(ITS, &socket).spawn().expect("nc");
        let mut input = its.stdin.take().expect("its input");
        writeln!(input, "await-stop").expect("a client that reads");
        until("a command that runs", || as_root("dockipc running\n").contains("await-stop"));
        let list = as_root("dockipc running\n");
        let fields: Vec<_> = list.trim_end().split('\t').collect();
        let (id, connection) = (fields[1], fields[5]);
        assert_eq!(ask(OTHER, &socket, "dockipc running"), "");
        assert_eq!(ask(ITS, &socket, "dockipc running").split('\t').nth(1), Some(id));
        let refused = ask(OTHER, &socket, &format!("dockipc cancel {id}"));
        assert!(refused.starts_with("-ERR no command "), "{refused}");
        assert_eq!(ask(OTHER, &socket, &format!("client kill id {connection}")), "0");
        let line = format!("dockipc cancel {id}");
        let answer = match stopper {
            Some(uid) => ask(uid, &socket, &line),
            None => as_root(&format!("{line}\n")),
        };
        assert_eq!(answer, "");
        let answer = its.wait_with_output().expect("its answer");
        assert_eq!(answer.stdout, b"-CANCELLED the command was cancelled\n");
    }
}
