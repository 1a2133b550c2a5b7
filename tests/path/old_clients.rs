//! Clients of other protocols on the same socket, whose connections the program takes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{process, thread};

use dockipc::error::Unfinished;
use dockipc::{Access, HandOver, Peer, Server};
use tests::gate::Gate;
use tests::peers::{lacks, text};
use tests::process::{alone, descriptors, threads, until};
use tests::{Daemon, Place, exchange, expect, resp, rest};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The lengths of the bytes that were shown, in order.
type Shown = Arc<Mutex<Vec<usize>>>;

/// Takes lines of JSON, frames that begin with a zero byte, and HTTP/2.
fn decide(first: &[u8]) -> HandOver {
    match first {
        [b'{' | 0, ..] => HandOver::Take,
        _ if first.starts_with(PREFACE) => HandOver::Take,
        _ if PREFACE.starts_with(first) => HandOver::More,
        _ => HandOver::Leave,
    }
}

/// Serves the protocol of the first byte.
fn take(mut stream: UnixStream, peer: &Peer) {
    let mut first = [0];
    // A byte that was shown is still there.
    stream.read_exact(&mut first).unwrap();
    match first[0] {
        b'{' => {
            let mut reader = BufReader::new(&stream);
            let mut line = String::from("{");
            while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
                let pid = peer.pid().unwrap();
                (&stream)
                    .write_all(format!("{{\"pid\":{pid},\"got\":{line}}}\n").as_bytes())
                    .unwrap();
                line.clear();
            }
        }
        0 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length[1..]).unwrap();
            let mut body = vec![0; usize::try_from(u64::from_be_bytes(length)).unwrap()];
            stream.read_exact(&mut body).unwrap();
            stream.write_all(&length).unwrap();
            stream.write_all(&body).unwrap();
        }
        _ => {
            let mut rest = vec![0; PREFACE.len() - 1];
            stream.read_exact(&mut rest).unwrap();
            assert_eq!(rest, PREFACE[1..]);
            // An empty SETTINGS frame.
            stream.write_all(SETTINGS).unwrap();
        }
    }
}

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn server() -> Server {
    Server::new().hand_over(decide, |stream, peer| take(stream, &peer))
}

/// A server whose taken connections wait at a gate, with the stream open.
fn gated(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::new().hand_over(
        |first: &[u8]| first[0] == 0,
        move |mut stream, _| {
            gate.pass();
            let _ = stream.write_all(b"through");
        },
    )
}

/// Takes nothing, always wants more, and records what it is shown.
fn undecided(shown: &Shown) -> Server {
    let shown = Arc::clone(shown);
    Server::new().hand_over(
        move |first: &[u8]| {
            shown.lock().unwrap().push(first.len());
            HandOver::More
        },
        |_, _| unreachable!("it is never taken"),
    )
}

#[track_caller]
fn string(stream: UnixStream) -> String {
    String::from_utf8(rest(stream)).unwrap()
}

#[track_caller]
fn send(daemon: &Daemon, bytes: &[u8]) -> UnixStream {
    let mut stream = daemon.connect();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn json_lines_beside_redis_cli_and_nc() {
    let _alone = alone();
    let daemon = Daemon::start(server());
    let mut old = send(&daemon, b"{\"a\":1}\n");
    let pid = process::id();
    let answer = |got: &str| format!("{{\"pid\":{pid},\"got\":{got}\n}}\n");
    expect(&mut old, answer("{\"a\":1}").as_bytes());
    let path = daemon.path();
    if !lacks("redis-cli") {
        let ping = text(Command::new("redis-cli").arg("-s").arg(&path).arg("ping"), b"");
        assert_eq!(ping, "PONG\n");
    }
    if !lacks("nc") {
        assert_eq!(text(Command::new("nc").arg("-NU").arg(&path), b"ping\n"), "PONG");
        let line = text(Command::new("nc").arg("-NU").arg(&path), b"{}\n");
        assert!(line.starts_with("{\"pid\":") && line.ends_with(",\"got\":{}\n}\n"), "{line}");
    }
    old.write_all(b"[2]\n").unwrap();
    expect(&mut old, answer("[2]").as_bytes());
    drop(old);
    assert_eq!(daemon.ask("echo still\n"), "still");
}

#[test]
fn megabyte_goes_both_ways() {
    let _alone = alone();
    let before = descriptors();
    let daemon = Daemon::start(server());
    let running = descriptors();
    let body: Vec<u8> =
        (0..1 << 20).map(|n: u32| n.to_be_bytes()[3] ^ n.to_be_bytes()[2]).collect();
    let frame = [&(1_u64 << 20).to_be_bytes()[..], &body].concat();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(exchange_duplex(daemon.connect(), &frame) == frame));
        }
    });
    until("the end of the connections", || descriptors() == running);
    drop(daemon);
    until("the descriptors' end", || descriptors() == before);
}

/// Sends while another thread receives.
fn exchange_duplex(stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    let other = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || (&other).write_all(bytes).unwrap());
        rest(stream)
    })
}

#[test]
fn bytes_that_arrive_one_by_one_are_decided() {
    let _alone = alone();
    let shown = Shown::default();
    let seen = Arc::clone(&shown);
    let daemon = Daemon::start(Server::new().hand_over(
        move |first: &[u8]| {
            seen.lock().unwrap().push(first.len());
            decide(first)
        },
        |stream, peer| take(stream, &peer),
    ));
    let slowly = |bytes: &[u8], decided: usize| {
        shown.lock().unwrap().clear();
        let mut stream = daemon.connect();
        for (n, byte) in (1..).zip(bytes) {
            stream.write_all(&[*byte]).unwrap();
            if n <= decided {
                until("a decision", || shown.lock().unwrap().last() == Some(&n));
            }
        }
        // No bytes are shown twice.
        assert!(shown.lock().unwrap().iter().copied().eq(1..=decided), "{shown:?}");
        stream
    };
    assert_eq!(rest(slowly(PREFACE, PREFACE.len())), SETTINGS);
    assert_eq!(rest(slowly(b"PRINT\n", 4)), rest(send(&daemon, b"PRINT\n")));
    let half = slowly(b"P", 1);
    half.shutdown(Shutdown::Write).unwrap();
    assert!(string(half).starts_with("-INCOMPLETE "));
}

#[test]
fn dockipc_clients_are_served_whatever_the_split() {
    let _alone = alone();
    let daemon = Daemon::start(server());
    for (bytes, answer) in [
        (b"PING\n".to_vec(), &b"PONG"[..]),
        (resp(&["ping"]), b"+PONG\r\n"),
        (b"\r\nping\n".to_vec(), b"PONG"),
    ] {
        for at in 1..bytes.len() {
            let mut stream = daemon.connect();
            stream.write_all(&bytes[..at]).unwrap();
            // By now the daemon has seen what was sent before.
            assert_eq!(daemon.ask("ping\n"), "PONG");
            stream.write_all(&bytes[at..]).unwrap();
            expect(&mut stream, answer);
        }
    }
    let mut pipeline = send(&daemon, &[resp(&["ping"]), resp(&["echo", "{"])].concat());
    expect(&mut pipeline, b"+PONG\r\n$1\r\n{\r\n");
    // Only the first bytes of a connection decide.
    pipeline.write_all(&resp(&["\0"])).unwrap();
    expect(&mut pipeline, b"-UNKNOWN");
}

#[test]
fn end_of_input_leaves_an_undecided_connection() {
    let _alone = alone();
    let shown = Shown::default();
    let daemon = Daemon::start(undecided(&shown));
    assert_eq!(daemon.ask("ping\n"), "PONG");
    assert!(daemon.ask("pin").starts_with("-INCOMPLETE "));
    assert_eq!(exchange(daemon.connect(), &resp(&["ping"])), b"+PONG\r\n");
    assert_eq!(daemon.ask(""), "");
}

#[test]
fn undecided_connection_is_left_after_the_arrival_timeout() {
    let _alone = alone();
    let daemon = Daemon::start(
        undecided(&Shown::default())
            .arrival_timeout(Duration::from_millis(50))
            .idle_timeout(Duration::from_secs(60)),
    );
    assert_eq!(string(send(&daemon, b"ping\n")), "PONG");
    let told = string(send(&daemon, b"pin"));
    assert_eq!(told, "-TIMEOUT the command was not whole after 50ms; nothing was run\n");
}

#[test]
fn at_most_4096_bytes_are_shown() {
    let _alone = alone();
    let shown = Shown::default();
    let daemon = Daemon::start(undecided(&shown).max_line(10_000));
    let word = "x".repeat(5000);
    assert_eq!(string(send(&daemon, format!("echo {word}\n").as_bytes())), word);
    let shown = shown.lock().unwrap();
    assert_eq!(shown.iter().max(), Some(&4096));
    assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
}

#[test]
fn silent_client_is_not_decided_about() {
    let _alone = alone();
    let shown = Shown::default();
    let daemon = Daemon::start(undecided(&shown).idle_timeout(Duration::from_millis(50)));
    assert_eq!(string(daemon.connect()), "-TIMEOUT no command within 50ms\n");
    // Without a limit it waits until the server stops.
    let daemon = Daemon::start(undecided(&shown));
    let silent = daemon.connect();
    assert!(shown.lock().unwrap().is_empty());
    daemon.handle().shutdown();
    assert_eq!(string(silent), "");
}

#[test]
fn panic_ends_only_its_connection() {
    let _alone = alone();
    let daemon = Daemon::start(Server::new().hand_over(
        |first: &[u8]| match first[0] {
            0 => true,
            1 => panic!("it can't decide"),
            _ => false,
        },
        |mut stream: UnixStream, _| {
            stream.write_all(b"begun").unwrap();
            panic!("it can't go on");
        },
    ));
    let used = descriptors();
    for _ in 0..3 {
        let told = "-PANIC hand_over panicked; see the daemon's standard error for the message\n";
        assert_eq!(string(send(&daemon, b"\x01")), told);
        // Closed with an unread byte.
        let mut taken = send(&daemon, b"\0");
        expect(&mut taken, b"begun");
        let end = taken.read(&mut [0]).map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
        assert_eq!(daemon.ask("ping\n"), "PONG");
    }
    until("the end of the connections", || descriptors() == used);
}

#[test]
fn blocked_connections_delay_nobody() {
    let _alone = alone();
    let gate = Gate::default();
    let daemon = Daemon::start(gated(&gate));
    let taken: Vec<_> = (0..50).map(|_| send(&daemon, b"\0")).collect();
    until("their threads", || gate.waiting() == 50);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    // The connection of the question before may not have ended yet.
    until("51 connections", || daemon.ask("info\n").contains("connected_clients:51"));
    gate.open();
    for mut stream in taken {
        expect(&mut stream, b"through");
    }
    until("the threads' end", || threads() == 2);
}

#[test]
fn limits_hold_for_taken_connections() {
    let _alone = alone();
    let gate = Gate::default();
    let daemon = Daemon::start(gated(&gate).max_running_per_user(1));
    let first = send(&daemon, b"\0");
    until("its thread", || gate.waiting() == 1);
    let told = "-BUSY too many slow commands of this user: 1 at most; try again\n";
    assert_eq!(string(send(&daemon, b"\0")), told);
    gate.open();
    drop(first);
    until("a thread for the next", || rest_or_reset(send(&daemon, b"\0")) == b"through");
    drop(daemon);

    gate.close();
    let daemon = Daemon::start(gated(&gate).max_threads(3).busy_timeout(Duration::from_millis(50)));
    let first = send(&daemon, b"\0");
    until("its thread", || gate.waiting() == 1);
    let told = "-BUSY no thread was free for 50ms (of 3); the command was not run\n";
    assert_eq!(string(send(&daemon, b"\0")), told);
    gate.open();
    assert_eq!(rest_or_reset(first), b"through");
    drop(daemon);

    let daemon = Daemon::start(server().max_connections(2).max_connections_per_user(None));
    let mut both = [(); 2].map(|()| send(&daemon, &resp(&["ping"])));
    for stream in &mut both {
        expect(stream, b"+PONG\r\n");
    }
    for bytes in [&b"{}\n"[..], b"\0\n"] {
        let told = string(send(&daemon, bytes));
        assert!(told.starts_with("-BUSY too many connections"), "{told}");
    }
}

/// Returns what came before the end, which may be a reset since a byte was not read.
fn rest_or_reset(mut stream: UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn second_path_hands_nothing_over() {
    let _alone = alone();
    let place = Place::new();
    let second = place.directory().join("second.sock");
    let _daemon = server().also_at(&second, Access::only(["ping"])).spawn(place.socket()).unwrap();
    for bytes in [&b"{}\n"[..], b"\0\n"] {
        let stream = UnixStream::connect(&second).unwrap();
        assert_eq!(exchange(stream, bytes)[0], b'-');
    }
    let stream = UnixStream::connect(place.socket()).unwrap();
    assert!(exchange(stream, b"{}\n").starts_with(b"{\"pid\":"));
}

#[test]
fn executed_program_does_not_inherit_the_stream() {
    let _alone = alone();
    let daemon = Daemon::start(Server::new().hand_over(
        |first: &[u8]| first[0] == 0,
        |mut stream: UnixStream, _| {
            let _ = stream.read(&mut [0]);
            let mut list = Command::new("ls");
            let list = list.args(["-l", "/proc/self/fd"]).stdin(Stdio::null()).output().unwrap();
            stream.write_all(&list.stdout).unwrap();
        },
    ));
    let list = string(send(&daemon, b"\0"));
    assert!(list.contains("/dev/null") && !list.contains("socket"), "{list}");
}

#[test]
fn stop_ends_the_input_of_a_taken_connection() {
    let _alone = alone();
    let gate = Gate::default();
    let (before, begun) = (gate.clone(), gate.clone());
    let daemon = Daemon::start(
        Server::new()
            .hand_over(
                |first: &[u8]| first[0] == 0,
                move |mut stream: UnixStream, _| {
                    before.pass();
                    let mut all = Vec::new();
                    stream.read_to_end(&mut all).unwrap();
                    stream.write_all(&all).unwrap();
                },
            )
            .shutdown_timeout(Duration::from_secs(60)),
    );
    let arrived = send(&daemon, b"\0arrived");
    until("its thread", || begun.waiting() == 1);
    // Its bytes may not have been seen before the stop.
    let late = send(&daemon, b"\0late");
    daemon.handle().shutdown();
    assert!(!daemon.path().exists());
    gate.open();
    assert_eq!(string(arrived), "\0arrived");
    assert_eq!(string(late), "\0late");
    assert_eq!(daemon.handle().join(), []);
}

#[test]
fn deadline_of_a_stop_shuts_a_taken_connection_down() {
    let _alone = alone();
    let before = descriptors();
    let gate = Gate::default();
    let held = gate.clone();
    let result = Arc::new(Mutex::new(None));
    let written = Arc::clone(&result);
    let daemon = Daemon::start(
        Server::new()
            .hand_over(
                |first: &[u8]| first[0] == 0,
                move |mut stream: UnixStream, _| {
                    let _ = stream.read(&mut [0]);
                    held.pass();
                    let sent = stream.write_all(b"late").map_err(|error| error.kind());
                    *written.lock().unwrap() = Some(sent);
                },
            )
            .shutdown_timeout(Duration::from_millis(50)),
    );
    let taken = send(&daemon, b"\0");
    until("its thread", || gate.waiting() == 1);
    daemon.handle().shutdown();
    let unfinished = daemon.handle().join();
    let names: Vec<_> = unfinished.iter().map(Unfinished::name).collect();
    assert_eq!(names, ["(hand_over)"]);
    assert_eq!(string(taken), "");
    gate.open();
    drop(daemon);
    until("the threads' end", || threads() == 0);
    assert_eq!(*result.lock().unwrap(), Some(Err(ErrorKind::BrokenPipe)));
    until("the descriptors' end", || descriptors() == before);
}

#[test]
fn stream_can_outlive_the_function() {
    let _alone = alone();
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let daemon = Daemon::start(Server::new().hand_over(
        |first: &[u8]| first[0] == 0,
        move |stream: UnixStream, _| *keep.lock().unwrap() = Some(stream),
    ));
    let client = send(&daemon, b"\0more");
    until("the stream", || kept.lock().unwrap().is_some());
    until("its end in the server", || daemon.ask("info\n").contains("connected_clients:1\\r"));
    drop(daemon);
    let mut stream = kept.lock().unwrap().take().unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert_eq!(all, "\0more");
    stream.write_all(b"answer").unwrap();
    drop(stream);
    assert_eq!(string(client), "answer");
}
