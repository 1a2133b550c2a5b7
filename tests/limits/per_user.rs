//! Limits for each user.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use dockipc::{Client, Request, Server};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, expect, resp, rest};

#[test]
fn connection_over_the_limit_gets_busy() {
    let daemon = Daemon::start(Server::new().max_connections_per_user(2));
    let (mut first, second) = (daemon.connect(), daemon.connect());
    first.write_all(&resp(&["PING"])).unwrap();
    expect(&mut first, b"+PONG\r\n");
    let busy = r"-BUSY too many connections of this user: 2 at most; try again\n";
    assert_eq!(daemon.ask("ping\n"), busy);
    drop(second);
    until("room", || daemon.ask("ping\n") == "PONG");
}

type Channels = (Mutex<Sender<()>>, Mutex<Receiver<()>>);

/// Starts a daemon whose command `hold` reports each run and then waits for a signal.
fn waiting(server: Server) -> (Daemon, Receiver<()>, Sender<()>) {
    let (runs, begun) = channel();
    let (go, gone) = channel();
    let gate: Arc<Channels> = Arc::new((Mutex::new(runs), Mutex::new(gone)));
    let wait = move |_: &Request<'_>| {
        gate.0.lock().unwrap().send(()).unwrap();
        gate.1.lock().unwrap().recv().unwrap();
    };
    (Daemon::start(server.handle("hold", wait)), begun, go)
}

#[test]
fn slow_command_over_the_limit_gets_busy() {
    let (daemon, begun, go) = waiting(Server::new().max_running_per_user(1));
    let wait = || {
        let mut stream = daemon.connect();
        stream.write_all(b"hold\n").unwrap();
        stream
    };
    let first = wait();
    begun.recv().unwrap();
    // The answer shows that the server has noticed the slow command.
    assert_eq!(daemon.ask("ping\n"), "PONG");
    assert_eq!(rest(wait()), TOO_MANY);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    go.send(()).unwrap();
    assert_eq!(rest(first), b"");
    // The finished run no longer counts.
    let second = wait();
    begun.recv().unwrap();
    assert_eq!(rest(wait()), TOO_MANY);
    go.send(()).unwrap();
    assert_eq!(rest(second), b"");
}

const TOO_MANY: &[u8] = b"-BUSY too many slow commands of this user: 1 at most; try again\n";

#[test]
fn sometimes_slow_command_counts_when_slow() {
    let gate = Gate::default();
    let waits = gate.clone();
    let nap = move |request: &Request<'_>| {
        if request.words().count() > 0 {
            waits.pass();
        }
    };
    // With a second leader, an answered ping would not tell that the wait was noticed.
    let server = Server::new().max_cores(1).max_running_per_user(2);
    let daemon = Daemon::start(server.handle("nap", nap));
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
    // After this number of quick runs the command counts as quick.
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
fn bytes_over_the_limit_get_busy_and_are_freed() {
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
    // The other connection continues, and so does a client whose bytes do not wait.
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
    // The client reads nothing before the connection is closed.
    until("the close", || daemon.ask("info\n").contains("connected_clients:1\\r"));
    expect(&mut stream, b"$4194304\r\n");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < 4 << 20 && rest.iter().all(|b| *b == b'x'), "{} bytes", rest.len());
}

#[test]
fn excess_answer_does_not_wait_for_a_second_turn() {
    let long = |_: &Request<'_>| vec![b'x'; 4 << 20];
    let server = Server::new().max_cores(1).max_bytes_per_user(100_000).handle("long", long);
    let daemon = Daemon::start(server);
    let mut streams = [(); 8].map(|()| daemon.connect());
    for stream in &mut streams {
        stream.write_all(&resp(&["long"])).unwrap();
    }
    until("the close", || daemon.ask("info\n").contains("connected_clients:1\\r"));
    for stream in streams {
        // A turn sends less than a socket takes.
        let sent = rest(stream).len();
        assert!(sent < 150_000, "{sent} bytes");
    }
}

#[test]
fn bytes_under_the_limit_are_served() {
    let daemon = Daemon::start(Server::new().max_bytes_per_user(100_000));
    for waiting in (10_000..90_000).step_by(10_000) {
        let mut stream = daemon.connect();
        stream.write_all(b"*2\r\n$4\r\necho\r\n$90000\r\n").unwrap();
        stream.write_all(&vec![b'x'; waiting]).unwrap();
        // The server reads a part of them in each turn.
        for _ in 0..20 {
            assert_eq!(daemon.ask("ping\n"), "PONG");
        }
        stream.write_all(&vec![b'x'; 90_000 - waiting]).unwrap();
        stream.write_all(b"\r\n").unwrap();
        expect(&mut stream, b"$90000\r\n");
    }
}
