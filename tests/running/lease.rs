//! Values that end with a connection.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dockipc::{Cancel, Peer, Server, State, Stopped, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, exchange, expect, resp, rest};

use super::kept::{Kept, LONG, States};

/// Keeps its number when it is dropped.
struct Lease(u64, Kept<u64>);

impl Drop for Lease {
    fn drop(&mut self) {
        assert!(self.0 != 13, "on purpose");
        self.1.keep(self.0);
    }
}

/// Another type of value.
struct Blocking(Gate);

impl Drop for Blocking {
    fn drop(&mut self) {
        self.0.pass();
    }
}

/// Hold a value with this number until the connection ends.
#[command]
fn hold(peer: Peer, dropped: State<Kept<u64>>, n: u64) {
    peer.hold(Lease(n, (*dropped).clone()));
}

/// Hold a value whose drop blocks.
#[command]
fn hold_blocking(peer: &Peer, gate: State<Gate>) {
    peer.hold(Blocking((*gate).clone()));
}

/// Release the value that was held last, and answer with its number.
#[command]
fn release(peer: Peer) -> Option<u64> {
    peer.release::<Lease>().map(|lease| lease.0)
}

/// Keep the peer.
#[command]
fn keep_peer(peer: Peer, peers: State<Kept<Peer>>) {
    peers.keep(peer);
}

/// Hold a value and wait until the command is to stop.
#[command]
fn hold_and_wait(
    peer: Peer,
    cancel: Cancel,
    dropped: State<Kept<u64>>,
    reasons: State<Kept<Stopped>>,
) -> Result<(), Stopped> {
    peer.hold(Lease(1, (*dropped).clone()));
    assert!(cancel.wait(LONG));
    assert_eq!(dropped.len(), 0);
    reasons.keep(cancel.check().unwrap_err());
    cancel.check()
}

fn start(server: Server) -> (Daemon, States) {
    let states = States::default();
    (Daemon::start(states.clone().of(server)), states)
}

fn ask(stream: &mut UnixStream, words: &[&str], answer: &str) {
    stream.write_all(&resp(words)).unwrap();
    expect(stream, answer.as_bytes());
}

#[test]
fn value_is_dropped_when_its_connection_ends() {
    let (daemon, states) = start(Server::new());
    let mut stream = daemon.connect();
    for n in ["1", "2", "13", "3"] {
        ask(&mut stream, &["hold", n], "+OK\r\n");
    }
    let mut other = daemon.connect();
    ask(&mut other, &["hold", "9"], "+OK\r\n");
    ask(&mut other, &["ping"], "+PONG\r\n");
    assert_eq!(states.dropped.len(), 0);
    drop(stream);
    // In reverse order. A panic is caught.
    assert_eq!([(); 3].map(|()| states.dropped.take()), [3, 2, 1]);
    ask(&mut other, &["ping"], "+PONG\r\n");
    assert_eq!(states.dropped.len(), 0);
    ask(&mut other, &["quit"], "+OK\r\n");
    assert_eq!(states.dropped.take(), 9);
}

#[test]
fn value_of_a_line_is_dropped_after_its_answer() {
    let (daemon, states) = start(Server::new());
    assert_eq!(daemon.ask("hold 4\n"), "");
    assert_eq!(states.dropped.take(), 4);
}

#[test]
fn released_value_is_not_dropped_later() {
    let (daemon, states) = start(Server::new());
    let mut stream = daemon.connect();
    for n in ["1", "2"] {
        ask(&mut stream, &["hold", n], "+OK\r\n");
    }
    ask(&mut stream, &["hold-blocking"], "+OK\r\n");
    states.gate.open();
    ask(&mut stream, &["release"], ":2\r\n");
    assert_eq!(states.dropped.take(), 2);
    // That of another connection is not found.
    ask(&mut daemon.connect(), &["release"], "$-1\r\n");
    drop(stream);
    assert_eq!(states.dropped.take(), 1);
    assert_eq!((states.dropped.len(), states.gate.came()), (0, 1));
}

#[test]
fn value_is_dropped_when_its_connection_is_killed() {
    let (daemon, states) = start(Server::new());
    let mut stream = daemon.connect();
    ask(&mut stream, &["hold", "5"], "+OK\r\n");
    stream.write_all(&resp(&["client", "id"])).unwrap();
    let mut id = String::new();
    let mut reader = std::io::BufReader::new(&stream);
    std::io::BufRead::read_line(&mut reader, &mut id).unwrap();
    let kill = [resp(&["client", "kill", "id", id[1..].trim()]), resp(&["quit"])].concat();
    assert_eq!(exchange(daemon.connect(), &kill), b":1\r\n+OK\r\n");
    assert_eq!(states.dropped.take(), 5);
}

#[test]
fn value_is_dropped_when_its_connection_is_idle() {
    let (daemon, states) = start(Server::new().idle_timeout(Duration::from_millis(20)));
    let mut stream = daemon.connect();
    ask(&mut stream, &["hold", "6"], "+OK\r\n");
    assert_eq!(states.dropped.take(), 6);
    assert_eq!(rest(stream), b"");
}

#[test]
fn values_are_dropped_before_the_server_has_stopped() {
    let (daemon, states) = start(Server::new());
    let mut streams = [daemon.connect(), daemon.connect()];
    for stream in &mut streams {
        ask(stream, &["hold", "7"], "+OK\r\n");
    }
    daemon.handle().shutdown();
    daemon.handle().join();
    assert_eq!(states.dropped.len(), 2);
}

#[test]
fn command_is_asked_to_stop_before_values_are_dropped() {
    let (daemon, states) = start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["hold-and-wait"])).unwrap();
    until("the command", || daemon.ask("dockipc running\n").contains("hold-and-wait"));
    drop(stream);
    assert_eq!(states.dropped.take(), 1);
    assert_eq!(states.reasons.take(), Stopped::Cancelled);
}

#[test]
fn value_for_ended_connection_is_dropped_at_once() {
    let (daemon, states) = start(Server::new());
    let mut stream = daemon.connect();
    ask(&mut stream, &["keep-peer"], "+OK\r\n");
    let peer = states.peers.take();
    peer.hold(Lease(1, states.dropped.clone()));
    assert_eq!(states.dropped.len(), 0);
    drop(stream);
    assert_eq!(states.dropped.take(), 1);
    peer.hold(Lease(2, states.dropped.clone()));
    assert_eq!(states.dropped.len(), 1);
    assert!(peer.release::<Lease>().is_none());
}

#[test]
fn blocking_drop_delays_no_other_client() {
    let (daemon, states) = start(Server::new());
    for _ in 0..8 {
        let mut stream = daemon.connect();
        ask(&mut stream, &["hold-blocking"], "+OK\r\n");
        drop(stream);
    }
    until("all drops", || states.gate.waiting() == 8);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    ask(&mut daemon.connect(), &["hold", "1"], "+OK\r\n");
    states.gate.open();
    assert_eq!(states.dropped.take(), 1);
}

#[test]
fn stop_waits_no_longer_than_its_time_for_a_drop() {
    let (daemon, states) = start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let mut stream = daemon.connect();
    ask(&mut stream, &["hold-blocking"], "+OK\r\n");
    daemon.handle().shutdown();
    daemon.handle().join();
    assert_eq!(states.gate.waiting(), 1);
    states.gate.open();
}
