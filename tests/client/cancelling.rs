//! Calls that are cancelled by their caller, and deadlines that travel with a call.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dockipc::client::Canceller;
use dockipc::{Client, Error, Reply, Server};
use tests::gate::Gate;
use tests::peers::lacks;
use tests::process::until;
use tests::scripted::{
    DOCKIPC_GREETING, GREETING, WITH_GREETING, greet, greet_alone, handshake, scripted,
};
use tests::{Daemon, PATIENCE, Place, expect, resp, rest};

const SHORT: Duration = Duration::from_millis(50);

#[track_caller]
fn is_cancelled<T: std::fmt::Debug>(result: Result<T, Error>, why: &str) {
    match result {
        Err(Error::Refused(failure)) => {
            assert_eq!((failure.code(), failure.message()), ("CANCELLED", why));
        }
        other => panic!("{other:?}"),
    }
}

const NOT_RUN: &str = "the call was cancelled; the command was not run";
const NO_ANSWER: &str = "the call was cancelled without an answer; the command may still run";

/// Reads a command with its opening. Returns the keys and values of the opening.
#[track_caller]
fn opening(stream: &mut UnixStream, command: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    let line = |stream: &mut UnixStream| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line[1..line.len() - 2].to_vec()).unwrap()
    };
    let count: usize = line(stream).parse().unwrap();
    for _ in 0..count {
        let length: usize = line(stream).parse().unwrap();
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).unwrap();
        words.push(String::from_utf8(word[..length].to_vec()).unwrap());
    }
    let end = words.iter().position(|word| word == "--").unwrap();
    assert_eq!(words[..2], ["dockipc", "with"]);
    assert_eq!(words[end + 1..], *command);
    words[2..end].to_vec()
}

/// Reads until the client has ended its side.
#[track_caller]
fn ends(stream: &mut UnixStream) {
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

/// A call in a thread of its own.
struct Calling {
    canceller: Canceller,
    call: JoinHandle<Result<Reply, Error>>,
}

impl Calling {
    fn begin(client: &Client, words: &'static [&str]) -> Self {
        let (client, (sender, receiver)) = (client.clone(), channel());
        let call = thread::spawn(move || {
            let call = client.command(words[0]).args(&words[1..]).idempotent();
            sender.send(call.canceller()).unwrap();
            call.call()
        });
        Self { canceller: receiver.recv().unwrap(), call }
    }

    fn result(self) -> Result<Reply, Error> {
        self.call.join().unwrap()
    }
}

/// Cancels a call when its server has come to the gate, and returns the result.
fn cancelled_at(gate: &Gate, client: &Client) -> Result<Reply, Error> {
    let calling = Calling::begin(client, &["get"]);
    until("the server at the gate", || gate.waiting() == 1);
    gate.open();
    calling.canceller.cancel();
    calling.result()
}

#[test]
fn call_with_timeout_sends_what_is_left() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, WITH_GREETING);
        for limit in [60_000, 5_000] {
            let keys = opening(&mut stream, &["get", "x"]);
            let [key, left] = &keys[..] else { panic!("{keys:?}") };
            let left: u64 = left.parse().unwrap();
            assert!(key == "deadline" && (1..=limit).contains(&left), "{keys:?}");
            stream.write_all(b":1\r\n").unwrap();
        }
        // Without a limit the command is sent as it is.
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b":1\r\n").unwrap();
    });
    let client = Client::new(place.socket());
    let minute = client.clone().timeout(Duration::from_secs(60));
    assert_eq!(minute.command("get").arg("x").call::<u8>().unwrap(), 1);
    let five = Duration::from_secs(5);
    assert_eq!(minute.command("get").arg("x").timeout(five).call::<u8>().unwrap(), 1);
    assert_eq!(client.command("get").call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn new_call_without_limit_is_sent_with_the_handshake() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(&[WITH_GREETING, b":1\r\n"].concat()).unwrap();
    });
    assert_eq!(Client::new(place.socket()).command("get").call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn opening_goes_in_front_of_other_prefixes() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, WITH_GREETING);
        opening(&mut stream, &["dockipc", "args", "add", "--", "--text"]);
        stream.write_all(b":1\r\n").unwrap();
        opening(&mut stream, &["dockipc", "line", "add 'two words'"]);
        stream.write_all(b"$1\r\n2\r\n").unwrap();
        let long = "x".repeat(100_000);
        opening(&mut stream, &["add", &long]);
        stream.write_all(b":3\r\n").unwrap();
    });
    let client = Client::new(place.socket()).timeout(PATIENCE);
    assert_eq!(client.command("add").arg("--text").call::<u8>().unwrap(), 1);
    assert_eq!(client.send("add 'two words'").unwrap(), b"2");
    assert_eq!(client.command("add").arg("x".repeat(100_000)).call::<u8>().unwrap(), 3);
    server.join().unwrap();
}

#[test]
fn server_that_knows_no_opening_gets_none() {
    let resp2 = b"-ERR unknown command 'HELLO'\r\n-ERR unknown command 'CLIENT'\r\n";
    for greeting in [GREETING, DOCKIPC_GREETING, resp2] {
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet_alone(&mut stream, greeting);
            expect(&mut stream, &resp(&["get"]));
            stream.write_all(b":1\r\n").unwrap();
        });
        let client = Client::new(place.socket()).timeout(PATIENCE);
        assert_eq!(client.command("get").call::<u8>().unwrap(), 1);
        server.join().unwrap();
    }
}

#[test]
fn deadline_that_passed_in_the_queue_is_not_repeated() {
    for why in
        ["TIMEOUT the caller's deadline had passed; it was not run", "CANCELLED it was not run"]
    {
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet_alone(&mut stream, WITH_GREETING);
            opening(&mut stream, &["get"]);
            stream.write_all(format!("-{why}\r\n").as_bytes()).unwrap();
            // The connection is kept for the next call.
            expect(&mut stream, &resp(&["next"]));
            stream.write_all(b":1\r\n").unwrap();
        });
        let client = Client::new(place.socket());
        let call = client.command("get").idempotent().timeout(PATIENCE);
        let Err(Error::Refused(failure)) = call.call::<()>() else { panic!("an answer") };
        assert_eq!(format!("{} {}", failure.code(), failure.message()), why);
        assert_eq!(client.command("next").call::<u8>().unwrap(), 1);
        server.join().unwrap();
    }
}

#[test]
fn pipeline_sends_no_deadlines() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        expect(&mut stream, &[handshake(), resp(&["get"]), resp(&["set"])].concat());
        stream.write_all(&[WITH_GREETING, b":1\r\n:2\r\n"].concat()).unwrap();
    });
    let client = Client::new(place.socket());
    let mut pipeline = client.pipeline();
    pipeline.command("get", [""; 0]).command("set", [""; 0]).timeout(PATIENCE);
    assert_eq!(pipeline.call().unwrap(), [Reply::Int(1), Reply::Int(2)]);
    server.join().unwrap();
}

#[test]
fn cancelled_call_half_closes_and_returns_the_answer() {
    let place = Place::new();
    let begun = Gate::default();
    let began = begun.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, WITH_GREETING);
        assert!(opening(&mut stream, &["get"]).is_empty());
        began.pass();
        ends(&mut stream);
        stream.write_all(b"-CANCELLED as asked\r\n").unwrap();
        // The connection is not used again.
        ends(&mut stream);
        let mut stream = accept();
        greet(&mut stream, "next");
        stream.write_all(&[WITH_GREETING, b":1\r\n"].concat()).unwrap();
    });
    let client = Client::new(place.socket());
    let calling = Calling::begin(&client, &["get"]);
    until("a command that runs", || begun.waiting() == 1);
    begun.open();
    let canceller = calling.canceller.clone();
    canceller.cancel();
    canceller.clone().cancel();
    is_cancelled(calling.result(), "as asked");
    canceller.cancel();
    assert_eq!(client.command("next").call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn answer_that_was_under_way_is_returned() {
    let (place, begun) = (Place::new(), Gate::default());
    let began = begun.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, WITH_GREETING);
        opening(&mut stream, &["get"]);
        began.pass();
        ends(&mut stream);
        stream.write_all(b":7\r\n").unwrap();
        ends(&mut stream);
    });
    let result = cancelled_at(&begun, &Client::new(place.socket()));
    assert_eq!(result.unwrap(), Reply::Int(7));
    server.join().unwrap();
}

#[test]
fn daemon_that_answers_no_cancellation_is_left() {
    // It hangs, or ends.
    for hangs in [true, false] {
        let (place, begun, left) = (Place::new(), Gate::default(), Gate::default());
        let (began, is_left) = (begun.clone(), left.clone());
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet_alone(&mut stream, WITH_GREETING);
            opening(&mut stream, &["get"]);
            began.pass();
            ends(&mut stream);
            if hangs {
                is_left.pass();
            }
        });
        let client = Client::new(place.socket()).read_timeout(SHORT);
        is_cancelled(cancelled_at(&begun, &client), NO_ANSWER);
        left.open();
        server.join().unwrap();
    }
}

#[test]
fn cancelled_call_leaves_a_server_that_knows_no_opening() {
    let (place, begun) = (Place::new(), Gate::default());
    let began = begun.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        began.pass();
        ends(&mut stream);
        // It is not repeated, though it is idempotent.
    });
    let result = cancelled_at(&begun, &Client::new(place.socket()));
    is_cancelled(result, NO_ANSWER);
    server.join().unwrap();
}

#[test]
fn call_that_is_cancelled_before_it_begins_sends_nothing() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        assert_eq!(rest(accept()), b"");
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
    });
    let client = Client::new(place.socket());
    let call = client.command("get");
    call.canceller().cancel();
    let again = call.clone();
    is_cancelled(call.call::<()>(), NOT_RUN);
    assert_eq!(again.call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn cancelling_in_the_handshake_runs_nothing() {
    let (place, begun) = (Place::new(), Gate::default());
    let began = begun.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        began.pass();
        ends(&mut stream);
    });
    let result = cancelled_at(&begun, &Client::new(place.socket()));
    is_cancelled(result, NOT_RUN);
    server.join().unwrap();
}

/// Starts a daemon with a command that waits at the gate and listens to nothing.
fn gated() -> (Daemon, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Server::new().handle("stay", move |_: &dockipc::Request<'_>| held.pass());
    (Daemon::start(server), gate)
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn redis_server_is_called_without_opening() {
    if lacks("redis-server") {
        return;
    }
    let place = Place::new();
    let mut command = Command::new("redis-server");
    let socket = place.socket();
    command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket);
    let _redis = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let client = Client::new(&socket).timeout(PATIENCE);
    until("Redis", || client.command("PING").call::<String>().is_ok());
    client.command("SET").arg("key").arg(7).call::<()>().unwrap();
    assert_eq!(client.command("GET").arg("key").call::<u8>().unwrap(), 7);
    let calling = Calling::begin(&client, &["BLPOP", "list", "0"]);
    let info = |client: &Client| client.command("INFO").arg("clients").call::<String>().unwrap();
    until("a blocked client", || info(&client).contains("blocked_clients:1"));
    calling.canceller.cancel();
    is_cancelled(calling.result(), NO_ANSWER);
}

#[test]
fn newer_call_with_the_same_key_cancels_the_older() {
    let (daemon, gate) = gated();
    let client = Client::new(daemon.path());
    let search = |key: &'static str| {
        let client = client.clone();
        thread::spawn(move || client.command("stay").replace(key).call::<Reply>())
    };
    let first = search("search");
    until("the first", || gate.waiting() == 1);
    let other = search("other");
    until("another", || gate.waiting() == 2);
    let second = search("search");
    let runs_on = "the caller has cancelled the command, which still runs";
    is_cancelled(first.join().unwrap(), runs_on);
    until("the second", || gate.waiting() == 3);
    let third = search("search");
    is_cancelled(second.join().unwrap(), runs_on);
    until("the third", || gate.waiting() == 4);
    gate.open();
    third.join().unwrap().unwrap();
    other.join().unwrap().unwrap();
    // One that has ended is not cancelled, nor is the connection that it left.
    for _ in 0..3 {
        client.command("ping").replace("search").call::<String>().unwrap();
    }
}

#[test]
fn command_without_cancel_is_left_running() {
    let (daemon, gate) = gated();
    let client = Client::new(daemon.path());
    let calling = Calling::begin(&client, &["stay"]);
    until("a command that runs", || gate.waiting() == 1);
    calling.canceller.cancel();
    let result = calling.result();
    gate.open();
    is_cancelled(result, "the caller has cancelled the command, which still runs");
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
}
