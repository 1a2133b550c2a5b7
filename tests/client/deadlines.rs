//! A call ends at its deadline, whatever the daemon does.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::error::Ran;
use dockipc::{Client, Error, Reply, Request, Server};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tests::scripted::{GREETING, greet, greet_alone, scripted};
use tests::{Daemon, PATIENCE, Place, expect, resp};

const SHORT: Duration = Duration::from_millis(50);

/// Returns a client whose other timeouts turn a hang into a failure.
fn client(path: impl AsRef<Path>) -> Client {
    Client::new(path).connect_timeout(PATIENCE).read_timeout(PATIENCE).write_timeout(PATIENCE)
}

/// Sends bytes repeatedly until the client has closed the connection.
fn trickle(stream: &mut UnixStream, bytes: &[u8]) {
    for _ in 0..20_000 {
        if stream.write_all(bytes).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn timed_out<T>(result: Result<T, Error>, limit: Duration, what: &str, whether: Ran) {
    match result.err().expect("no answer") {
        Error::TimedOut { doing, after, ran } => {
            assert_eq!((doing, after, ran), (what, limit, whether));
        }
        error => panic!("{error}"),
    }
}

#[test]
fn slow_answer_does_not_extend_the_deadline() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b"$1000000\r\n").unwrap();
        trickle(&mut stream, b"x");
    });
    let client = client(place.socket()).timeout(SHORT);
    let result = client.command("get").call::<Reply>();
    timed_out(result, SHORT, "reading the answer", Ran::Maybe);
    server.join().unwrap();
}

#[test]
fn keepalive_resets_read_timeout_but_not_deadline() {
    let push = b">1\r\n$7\r\nrunning\r\n";
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "slow");
        stream.write_all(GREETING).unwrap();
        // Twice as long as the read timeout.
        for _ in 0..100 {
            stream.write_all(push).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        stream.write_all(b":1\r\n").unwrap();
        expect(&mut stream, &resp(&["slower"]));
        trickle(&mut stream, push);
    });
    let client = client(place.socket()).read_timeout(Duration::from_millis(500));
    assert_eq!(client.command("slow").call::<u8>().unwrap(), 1);
    let result = client.command("slower").timeout(SHORT).call::<u8>();
    timed_out(result, SHORT, "waiting for the answer", Ran::Maybe);
    server.join().unwrap();
}

#[test]
fn slow_reader_does_not_extend_the_deadline() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let client = client(place.socket());
    let word = vec![0; 16 << 20];
    let result = client.command("put").arg(&word).timeout(SHORT).call::<()>();
    timed_out(result, SHORT, "sending the command", Ran::No);
    drop(client);
    server.join().unwrap();
}

/// Creates a listener with a full queue, so that connecting blocks.
pub(super) fn full(place: &Place) -> (UnixListener, Vec<std::os::fd::OwnedFd>) {
    let listener = UnixListener::bind(place.socket()).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let address = SocketAddrUnix::new(place.socket()).unwrap();
    let mut waiting = Vec::new();
    loop {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        match rustix::net::connect(&socket, &address) {
            Ok(()) => waiting.push(socket),
            Err(Errno::AGAIN) => return (listener, waiting),
            Err(errno) => panic!("{errno}"),
        }
    }
}

#[test]
fn connecting_does_not_hang_on_a_full_queue() {
    let place = Place::new();
    let (listener, waiting) = full(&place);
    let connecting = "connecting (the daemon's queue is full)";
    let call = |client: Client| client.command("get").call::<()>();
    let patient = client(place.socket());
    timed_out(call(patient.clone().connect_timeout(SHORT)), SHORT, connecting, Ran::No);
    timed_out(call(patient.clone().timeout(SHORT)), SHORT, connecting, Ran::No);
    let only_total = patient.clone().connect_timeout(None).timeout(SHORT);
    timed_out(only_total.send("get"), SHORT, connecting, Ran::No);
    timed_out(call(only_total.connect_timeout(PATIENCE)), SHORT, connecting, Ran::No);
    let mut pipeline = patient.pipeline();
    pipeline.command("get", [""; 0]).command("get", [""; 0]).timeout(SHORT);
    timed_out(pipeline.call(), SHORT, connecting, Ran::No);

    // The call continues as soon as there is room.
    let server = thread::spawn(move || {
        for _ in &waiting {
            drop(listener.accept().unwrap());
        }
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b":1\r\n").unwrap();
    });
    assert_eq!(patient.command("get").timeout(PATIENCE).call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

/// Blocks the command `stay`.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, open: bool) {
        *self.open.lock().unwrap() = open;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        // A failed test must not hang.
        drop(self.moved.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap());
    }
}

fn staying() -> (Daemon, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let server = Server::new().handle("stay", move |_: &Request<'_>| {
        held.pass();
        "late"
    });
    (Daemon::start(server), gate)
}

#[test]
fn late_answer_after_deadline_is_discarded() {
    let (daemon, gate) = staying();
    let client = client(daemon.path());
    for _ in 0..3 {
        // Over an idle connection, and over a new one.
        assert_eq!(client.send("echo 1").unwrap(), b"1");
        let result = client.command("stay").timeout(SHORT).call::<String>();
        timed_out(result, SHORT, "waiting for the answer", Ran::Maybe);
        let result = client.clone().timeout(SHORT).send("stay");
        timed_out(result, SHORT, "waiting for the answer", Ran::Maybe);
        let mut pipeline = client.pipeline();
        pipeline.command("ping", [""; 0]).command("stay", [""; 0]).timeout(SHORT);
        timed_out(pipeline.call(), SHORT, "waiting for the answer", Ran::Maybe);
        gate.set(true);
        assert_eq!(client.send("echo 2").unwrap(), b"2");
        gate.set(false);
    }
    gate.set(true);
}

#[test]
fn call_timeout_overrides_client_timeout() {
    let (daemon, gate) = staying();
    let hasty = client(daemon.path()).timeout(SHORT);
    gate.set(true);
    assert_eq!(hasty.command("stay").timeout(None).call::<String>().unwrap(), "late");
    assert_eq!(hasty.command("stay").timeout(PATIENCE).call::<String>().unwrap(), "late");
    gate.set(false);
    let nothing = Duration::from_nanos(1);
    let result = hasty.command("stay").timeout(nothing).call::<String>();
    assert!(matches!(result, Err(Error::TimedOut { .. })));
    // The read timeout is shorter and expires first. On a new connection the greeting would be waited for.
    assert_eq!(hasty.clone().timeout(None).send("echo 0").unwrap(), b"0");
    let hastier = hasty.clone().read_timeout(nothing);
    let result = hastier.command("stay").timeout(PATIENCE).call::<String>();
    timed_out(result, Duration::from_micros(1), "waiting for the answer", Ran::Maybe);
    gate.set(true);
    // A timeout that the clock can't represent means no limit.
    let patient = hasty.timeout(Duration::MAX);
    assert_eq!(patient.send("echo 1").unwrap(), b"1");
}

#[test]
fn timeout_does_not_affect_faster_calls() {
    let daemon = Daemon::start(Server::new());
    let client = client(daemon.path()).timeout(PATIENCE).max_answer(1 << 30);
    let word = "x".repeat(500_000);
    for i in 0..100 {
        assert_eq!(client.command("echo").arg(i).call::<u32>().unwrap(), i);
    }
    let mut pipeline = client.pipeline();
    (0..20).for_each(|_| _ = pipeline.command("echo", [&word]));
    let answers = pipeline.call().unwrap();
    assert!(answers.into_iter().all(|answer| answer.parse::<String>().unwrap() == word));
}

#[test]
fn timed_out_call_is_not_retried() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        // The next connection is for another call.
        let mut next = accept();
        greet(&mut next, "next");
        next.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
    });
    let client = client(place.socket());
    let result = client.command("get").idempotent().timeout(SHORT).call::<()>();
    timed_out(result, SHORT, "waiting for the answer", Ran::Maybe);
    assert_eq!(client.command("next").call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn retry_keeps_the_deadline() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        drop(stream);
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b"$1000000\r\n").unwrap();
        trickle(&mut stream, b"x");
    });
    let client = client(place.socket());
    let error = client.command("get").idempotent().timeout(SHORT).call::<Reply>().unwrap_err();
    assert!(matches!(error, Error::CutOff { ran: Ran::Maybe, .. }), "{error}");
    server.join().unwrap();
}
