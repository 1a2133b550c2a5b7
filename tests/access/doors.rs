//! The ways into a server, and what one user may take of it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use dockipc::{Access, Client, Error, Request, Server, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, Place, exchange, expect, resp, rest};

/// Shows something.
#[command("status")]
fn status() -> &'static str {
    "well"
}

/// Changes something.
#[command("stop", alias = "halt")]
fn stop() {}

/// For nobody who runs these tests.
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
fn a_second_path_offers_what_it_was_given() {
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
        let denied = format!("NOPERM \"{name}\" is not offered at this socket; you are uid {me}");
        assert_eq!(ask(&second, name), denied);
        let line = exchange(UnixStream::connect(&second).unwrap(), format!("{name}\n").as_bytes());
        assert_eq!(line, format!("-{denied}\n").as_bytes());
    }
    // A command's own rule is for every path.
    assert!(ask(&second, "list-secrets").contains("is for uid:4294967294"));
    let help = ask(&second, "help");
    assert!(help.contains("status") && !help.contains("stop"), "{help}");
    assert!(ask(&place.socket(), "help").contains("stop"));
    assert_eq!(ask(&second, "stopp"), "UNKNOWN no command \"stopp\"; send help for a list");
    drop(daemon);
    assert!(!second.exists() && !place.socket().exists());
}

#[test]
fn a_second_path_has_no_fallback_unless_it_offers_everything() {
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
fn every_path_comes_back_when_it_is_removed() {
    let place = Place::new();
    let second = place.directory().join("second");
    let server = Server::new().also_at(&second, Access::only(["status"]));
    let daemon = server.spawn(place.socket()).unwrap();
    for path in [&second, &place.socket()] {
        std::fs::remove_file(path).unwrap();
        until("the path's return", || path.exists());
        assert_eq!(ask(path, "status"), "well");
    }
    assert!(ask(&second, "stop").starts_with("NOPERM"), "it is the same door as before");
    drop(daemon);
}

#[test]
fn a_path_that_is_taken_leaves_none_of_the_others() {
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

#[test]
fn one_connection_of_a_user_too_many_is_told_so() {
    let daemon = Daemon::start(Server::new().max_connections_per_user(2));
    let (mut first, second) = (daemon.connect(), daemon.connect());
    first.write_all(&resp(&["PING"])).unwrap();
    expect(&mut first, b"+PONG\r\n");
    let busy = r"-BUSY too many connections of this user: 2 at most; try again\n";
    assert_eq!(daemon.ask("ping\n"), busy);
    drop(second);
    until("room", || daemon.ask("ping\n") == "PONG");
}

type Doors = (Mutex<Sender<()>>, Mutex<Receiver<()>>);

/// A server whose command `hold` says that it runs, and waits to be let go.
fn waiting(server: Server) -> (Daemon, Receiver<()>, Sender<()>) {
    let (runs, begun) = channel();
    let (go, gone) = channel();
    let gate: Arc<Doors> = Arc::new((Mutex::new(runs), Mutex::new(gone)));
    let wait = move |_: &Request<'_>| {
        gate.0.lock().unwrap().send(()).unwrap();
        gate.1.lock().unwrap().recv().unwrap();
    };
    (Daemon::start(server.handle("hold", wait)), begun, go)
}

#[test]
fn one_slow_command_of_a_user_too_many_is_told_so() {
    let (daemon, begun, go) = waiting(Server::new().max_running_per_user(1));
    let wait = || {
        let mut stream = daemon.connect();
        stream.write_all(b"hold\n").unwrap();
        stream
    };
    let first = wait();
    begun.recv().unwrap();
    // Nobody knew that it is slow. When somebody else is answered, it is known.
    assert_eq!(daemon.ask("ping\n"), "PONG");
    assert_eq!(rest(wait()), TOO_MANY);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    go.send(()).unwrap();
    assert_eq!(rest(first), b"");
    // Its place is free again.
    let second = wait();
    begun.recv().unwrap();
    assert_eq!(rest(wait()), TOO_MANY);
    go.send(()).unwrap();
    assert_eq!(rest(second), b"");
}

const TOO_MANY: &[u8] = b"-BUSY too many slow commands of this user: 1 at most; try again\n";

#[test]
fn a_command_that_is_slow_now_and_then_counts_when_it_is() {
    let gate = Gate::default();
    let waits = gate.clone();
    let nap = move |request: &Request<'_>| {
        if request.words().count() > 0 {
            waits.pass();
        }
    };
    let daemon = Daemon::start(Server::new().max_running_per_user(2).handle("nap", nap));
    let begin = |words: &[&str]| {
        let mut stream = daemon.connect();
        stream.write_all(&resp(words)).unwrap();
        stream
    };
    let sleep = |number| {
        let stream = begin(&["nap", "long"]);
        until("a wait", || gate.waiting() == number);
        assert_eq!(daemon.ask("ping\n"), "PONG");
        stream
    };
    let first = sleep(1);
    // After so many quick runs nobody thinks that it is slow.
    for _ in 0..64 {
        expect(&mut begin(&["nap"]), b"+OK\r\n");
    }
    let second = sleep(2);
    let busy = b"-BUSY too many slow commands of this user: 2 at most; try again\r\n";
    expect(&mut begin(&["nap"]), busy);
    gate.open();
    for mut stream in [first, second] {
        expect(&mut stream, b"+OK\r\n");
    }
    expect(&mut begin(&["nap"]), b"+OK\r\n");
}

#[test]
fn more_bytes_of_a_user_than_may_wait_are_told_so_and_let_go() {
    let daemon = Daemon::start(Server::new().max_bytes_per_user(100_000));
    let head = b"*2\r\n$4\r\necho\r\n$90000\r\n";
    let mut first = daemon.connect();
    first.write_all(&[&head[..], &vec![b'x'; 40_000]].concat()).unwrap();
    let mut second = daemon.connect();
    second.write_all(&[&head[..], &vec![b'x'; 80_000]].concat()).unwrap();
    let busy = "-BUSY too much waits in the connections of this user: 100000 bytes at most; nothing was run";
    let told = |stream: &mut UnixStream| {
        let mut byte = [0];
        let n = rustix::net::recv(&*stream, &mut byte, rustix::net::RecvFlags::PEEK);
        assert_eq!(n.unwrap().1, 1);
        expect(stream, format!("{busy}\r\n").as_bytes());
    };
    told(&mut second);
    drop(second);
    // The other one goes on, and so does a client whose bytes do not wait.
    let client = Client::new(daemon.path());
    assert_eq!(client.command("echo").arg("small").call::<String>().unwrap(), "small");
    first.write_all(&[&vec![b'x'; 50_000][..], b"\r\n"].concat()).unwrap();
    expect(&mut first, b"$90000\r\n");
}

#[test]
fn excess_answer_is_cut_and_nothing_follows() {
    let long = |_: &Request<'_>| vec![b'x'; 4 << 20];
    let server = Server::new().max_bytes_per_user(100_000).handle("long", long);
    let daemon = Daemon::start(server);
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["long"])).unwrap();
    // Nothing is read before the connection is closed.
    until("the close", || daemon.ask("info\n").contains("connected_clients:1\\r"));
    expect(&mut stream, b"$4194304\r\n");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < 4 << 20 && rest.iter().all(|b| *b == b'x'), "{} bytes", rest.len());
}

#[test]
fn fewer_bytes_of_a_user_than_may_wait_are_no_trouble() {
    let daemon = Daemon::start(Server::new().max_bytes_per_user(100_000));
    for waiting in (10_000..90_000).step_by(10_000) {
        let mut stream = daemon.connect();
        stream.write_all(b"*2\r\n$4\r\necho\r\n$90000\r\n").unwrap();
        stream.write_all(&vec![b'x'; waiting]).unwrap();
        // Meanwhile they are read, a part in each turn.
        for _ in 0..20 {
            assert_eq!(daemon.ask("ping\n"), "PONG");
        }
        stream.write_all(&vec![b'x'; 90_000 - waiting]).unwrap();
        stream.write_all(b"\r\n").unwrap();
        expect(&mut stream, b"$90000\r\n");
    }
}
