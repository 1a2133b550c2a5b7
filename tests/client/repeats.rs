//! Retries of calls, and idle connections.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use dockipc::error::Ran;
use dockipc::{Client, Error, Reply, Request, Server, command};
use tests::process::{threads, until};
use tests::scripted::{GREETING, greet, handshake, scripted};
use tests::{Daemon, PATIENCE, Place, expect, figure, long, resp, rest};

fn client(path: impl AsRef<Path>) -> Client {
    Client::new(path).read_timeout(PATIENCE).write_timeout(PATIENCE)
}

/// Answers a command after the handshake.
fn answer(stream: &mut UnixStream, bytes: &[u8]) {
    stream.write_all(&[GREETING, bytes].concat()).unwrap();
}

/// Expects the query whether a command is idempotent, and answers it.
fn asked(stream: &mut UnixStream, name: &str, says: &[u8]) {
    let question = resp(&["dockipc", "idempotent", name]);
    expect(stream, &[handshake(), question].concat());
    answer(stream, says);
}

fn line(text: &str) -> Vec<u8> {
    resp(&["dockipc", "line", text])
}

#[track_caller]
fn cut(error: &Error, bytes: usize, whether: Ran) {
    let is =
        matches!(error, Error::CutOff { received, ran } if (*received, *ran) == (bytes, whether));
    assert!(is, "{error}");
}

#[test]
fn idempotent_command_is_retried_once() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        for part in [&b""[..], b"$5\r\nhel"] {
            let mut stream = accept();
            greet(&mut stream, "get");
            answer(&mut stream, part);
            drop(stream);
            let mut stream = accept();
            asked(&mut stream, "get", b":1\r\n");
            expect(&mut stream, &resp(&["get"]));
            stream.write_all(b"$5\r\nhello\r\n").unwrap();
            // The connection can be reused.
            expect(&mut stream, &resp(&["next"]));
            stream.write_all(b":1\r\n").unwrap();
        }
        let mut stream = accept();
        greet(&mut stream, "get");
        answer(&mut stream, b"$5\r\nhel");
        drop(stream);
        let mut stream = accept();
        asked(&mut stream, "get", b":1\r\n");
        expect(&mut stream, &resp(&["get"]));
        // Cut off again: there is no second retry.
        drop(stream);
        greet(&mut accept(), "last");
    });
    for _ in 0..2 {
        let client = client(place.socket());
        assert_eq!(client.command("get").call::<String>().unwrap(), "hello");
        assert_eq!(client.command("next").call::<u8>().unwrap(), 1);
    }
    let client = client(place.socket());
    cut(&client.command("get").call::<String>().unwrap_err(), 7, Ran::Maybe);
    UnixStream::connect(place.socket())
        .unwrap()
        .write_all(&[handshake(), resp(&["last"])].concat())
        .unwrap();
    server.join().unwrap();
}

#[test]
fn command_not_reported_idempotent_is_not_retried() {
    for says in [&b":0\r\n"[..], b"-ERR unknown command\r\n", b"+OK\r\n", b"", b"!"] {
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            greet(&mut accept(), "add");
            let mut stream = accept();
            asked(&mut stream, "add", says);
            let _ = stream.shutdown(Shutdown::Write);
            assert_eq!(rest(stream), b"");
        });
        let error = client(place.socket()).command("add").call::<u64>().unwrap_err();
        cut(&error, 0, Ran::Maybe);
        server.join().unwrap();
    }
}

#[test]
fn call_declared_idempotent_is_retried() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        greet(&mut accept(), "GET");
        let mut stream = accept();
        greet(&mut stream, "GET");
        answer(&mut stream, b":1\r\n");
    });
    let call = client(place.socket());
    assert_eq!(call.command("GET").idempotent().call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn client_parses_the_name_like_the_daemon() {
    for (text, name) in [
        ("get a", "get"),
        ("  GET\ta\r\n", "GET"),
        ("'g'e\"t\" a", "get"),
        (r"g\et 'a", "get"),
        ("get", "get"),
    ] {
        let place = Place::new();
        let sent = text.strip_suffix('\n').unwrap_or(text).to_owned();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            expect(&mut stream, &[handshake(), line(&sent)].concat());
            drop(stream);
            let mut stream = accept();
            asked(&mut stream, name, b":1\r\n");
            expect(&mut stream, &line(&sent));
            stream.write_all(b"$1\r\n7\r\n").unwrap();
        });
        assert_eq!(client(place.socket()).send(text).unwrap(), b"7", "{text}");
        server.join().unwrap();
    }
    // A name may have two words.
    let place = Place::new();
    let text = "group 'members' ops";
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &[handshake(), line(text)].concat());
        drop(stream);
        let mut stream = accept();
        asked(&mut stream, "group", b":0\r\n");
        expect(&mut stream, &resp(&["dockipc", "idempotent", "group members"]));
        stream.write_all(b":1\r\n").unwrap();
        expect(&mut stream, &line(text));
        stream.write_all(b"$1\r\n7\r\n").unwrap();
    });
    assert_eq!(client(place.socket()).send(text).unwrap(), b"7");
    server.join().unwrap();
    // Without a name, the daemon is not asked.
    for text in ["", "'get"] {
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            expect(&mut stream, &[handshake(), line(text)].concat());
        });
        cut(&client(place.socket()).send(text).unwrap_err(), 0, Ran::Maybe);
        server.join().unwrap();
    }
}

#[test]
fn partly_run_pipeline_is_retried_only_if_idempotent() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let both = [resp(&["get"]), resp(&["get"])].concat();
        let whole = [handshake(), both].concat();
        for _ in 0..2 {
            let mut stream = accept();
            expect(&mut stream, &whole);
            answer(&mut stream, b":1\r\n$5\r\nhel");
        }
        let mut stream = accept();
        expect(&mut stream, &whole);
        answer(&mut stream, b":2\r\n:3\r\n");
    });
    let client = client(place.socket());
    let mut pipeline = client.pipeline();
    pipeline.command("get", [""; 0]).command("get", [""; 0]);
    cut(&pipeline.call().unwrap_err(), 7, Ran::Maybe);
    let answers = pipeline.idempotent().call().unwrap();
    // No answer of the first attempt is included.
    assert_eq!(answers, [Reply::Int(2), Reply::Int(3)]);
    server.join().unwrap();
}

#[test]
fn partly_sent_command_is_retried() {
    let word = vec![b'x'; 8 << 20];
    let place = Place::new();
    let server = scripted(&place, |accept| {
        for attempt in 0..6 {
            let mut stream = accept();
            if attempt % 2 == 0 {
                stream.read_exact(&mut vec![0; 100_000]).unwrap();
                continue;
            }
            let size = if attempt == 5 { (8 << 20) + 10 } else { 8 << 20 };
            let mut taken = vec![0; size];
            stream.read_exact(&mut taken).unwrap();
            let count = if attempt == 5 { 2 } else { 1 };
            let swallow = thread::spawn({
                let mut stream = stream.try_clone().unwrap();
                move || std::io::copy(&mut stream, &mut std::io::sink())
            });
            answer(&mut stream, &b":1\r\n".repeat(count));
            swallow.join().unwrap().unwrap();
        }
    });
    let client = client(place.socket()).max_idle(0);
    assert_eq!(client.command("put").arg(&word).call::<u8>().unwrap(), 1);
    assert_eq!(client.command("put").arg(&word).call::<u8>().unwrap(), 1);
    // Not even the first command of a pipeline was sent whole.
    let mut pipeline = client.pipeline();
    pipeline.command("put", [&word[..]]).command("put", [&word[..]]);
    assert_eq!(pipeline.call().unwrap().len(), 2);
    server.join().unwrap();
}

#[test]
fn pipeline_with_a_sent_command_is_not_retried() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        stream.read_exact(&mut vec![0; 100_000]).unwrap();
    });
    let client = client(place.socket());
    let mut pipeline = client.pipeline();
    pipeline.command("ping", [""; 0]).command("put", [vec![b'x'; 8 << 20]]);
    cut(&pipeline.call().unwrap_err(), 0, Ran::Maybe);
    server.join().unwrap();
}

#[test]
fn unread_new_connection_is_replaced_twice() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        drop(accept());
        drop(accept());
        let mut stream = accept();
        greet(&mut stream, "get");
        answer(&mut stream, b":1\r\n");
        drop(stream);
        (0..3).for_each(|_| drop(accept()));
        // There is no fourth attempt.
        greet(&mut accept(), "last");
    });
    let client = client(place.socket()).max_idle(0);
    assert_eq!(client.command("get").call::<u8>().unwrap(), 1);
    cut(&client.command("get").call::<u8>().unwrap_err(), 0, Ran::No);
    UnixStream::connect(place.socket())
        .unwrap()
        .write_all(&[handshake(), resp(&["last"])].concat())
        .unwrap();
    server.join().unwrap();
}

#[test]
fn busy_is_an_answer_and_next_call_reconnects() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        // As the answer to the command, to the handshake, and without reading anything.
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(b"-BUSY no room\r\n").unwrap();
        drop(stream);
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(b"-ERR no HELLO\r\n-BUSY no room\r\n").unwrap();
        drop(stream);
        let mut stream = accept();
        stream.write_all(b"-BUSY no room\r\n").unwrap();
        drop(stream);
        let mut stream = accept();
        stream.write_all(b"-BUSY max number of clients reached\r\n").unwrap();
        drop(stream);
        let mut stream = accept();
        greet(&mut stream, "get");
        answer(&mut stream, b":1\r\n");
    });
    let client = client(place.socket());
    for _ in 0..4 {
        let error = client.command("get").call::<u8>().unwrap_err();
        assert_eq!(error.failure().unwrap_or_else(|| panic!("{error}")).code(), "BUSY");
    }
    assert_eq!(client.command("get").call::<u8>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn shutdown_refusal_is_retried() {
    let not_run = b"-SHUTDOWN the daemon is stopping; the command was not run\r\n";
    let runs = b"-SHUTDOWN the daemon stops without waiting for the command, which still runs\r\n";
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet(&mut stream, "get");
        answer(&mut stream, b":1\r\n");
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(not_run).unwrap();
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(not_run).unwrap();
        let mut stream = accept();
        let both = [resp(&["get"]), resp(&["get"])].concat();
        greet(&mut stream, "get");
        answer(&mut stream, b":2\r\n");
        expect(&mut stream, &both);
        stream.write_all(not_run).unwrap();
        let mut stream = accept();
        expect(&mut stream, &[handshake(), both].concat());
        answer(&mut stream, b":3\r\n:4\r\n");
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(runs).unwrap();
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b":5\r\n").unwrap();
    });
    let client = client(place.socket());
    let call = || client.command("get").call::<u8>();
    assert_eq!(call().unwrap(), 1);
    assert_eq!(call().unwrap(), 2);
    let mut pipeline = client.pipeline();
    pipeline.command("get", [""; 0]).command("get", [""; 0]);
    assert_eq!(pipeline.call().unwrap(), [Reply::Int(3), Reply::Int(4)]);
    let error = call().unwrap_err();
    assert_eq!(error.failure().unwrap_or_else(|| panic!("{error}")).code(), "SHUTDOWN");
    assert_eq!(call().unwrap(), 5);
    server.join().unwrap();
    // Without a successor, the refusal is the error.
    fs::remove_file(place.socket()).unwrap();
    let path = place.socket();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "get");
        fs::remove_file(path).unwrap();
        stream.write_all(not_run).unwrap();
    });
    let error = call().unwrap_err();
    assert_eq!(error.failure().unwrap_or_else(|| panic!("{error}")).code(), "SHUTDOWN");
    server.join().unwrap();
}

/// The bytes that a daemon may send before it closes an idle connection.
const GOODBYES: [&[u8]; 5] = [
    b"",
    b">2\r\n$7\r\ngoodbye\r\n$4\r\nidle\r\n",
    b"-TIMEOUT idle for too long\r\n",
    b"-SHUTDOWN the daemon stops\r\n",
    b"$5\r\nhel",
];

#[test]
fn idle_connection_closed_with_any_text_is_replaced() {
    for goodbye in GOODBYES {
        // An argument that fits in a socket buffer, and one that does not.
        for size in [1, 1 << 20] {
            let word = vec![b'x'; size];
            let sent = [&b"get"[..], &word];
            let place = Place::new();
            let (closed, is_closed) = mpsc::channel();
            let expected = [handshake(), resp(&sent), resp(&sent)].concat();
            let server = scripted(&place, move |accept| {
                let mut stream = accept();
                greet(&mut stream, "first");
                answer(&mut stream, b":1\r\n");
                stream.write_all(goodbye).unwrap();
                drop(stream);
                closed.send(()).unwrap();
                let mut stream = accept();
                expect(&mut stream, &expected);
                answer(&mut stream, b":2\r\n:3\r\n");
            });
            let client = client(place.socket());
            assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
            is_closed.recv().unwrap();
            let mut pipeline = client.pipeline();
            pipeline.command("get", [&word]).command("get", [&word]);
            assert_eq!(pipeline.call().unwrap(), [Reply::Int(2), Reply::Int(3)]);
            server.join().unwrap();
        }
    }
}

#[test]
fn half_closed_idle_connection_is_replaced() {
    for goodbye in GOODBYES {
        let place = Place::new();
        let (closed, is_closed) = mpsc::channel();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet(&mut stream, "first");
            answer(&mut stream, b":1\r\n");
            // It keeps reading, as a daemon does that waits for the client to close.
            stream.write_all(goodbye).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            closed.send(()).unwrap();
            let mut next = accept();
            greet(&mut next, "second");
            answer(&mut next, b":2\r\n");
            // Only the end, or a reset if the client did not read the goodbye.
            assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
        });
        let client = client(place.socket());
        assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
        is_closed.recv().unwrap();
        // A connection that is reused at once is not checked.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(client.command("second").call::<u8>().unwrap(), 2);
        server.join().unwrap();
    }
}

#[test]
fn idle_connection_with_input_is_not_used() {
    let place = Place::new();
    let (said, is_said) = mpsc::channel();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "first");
        answer(&mut stream, b":1\r\n");
        stream.write_all(b":666\r\n").unwrap();
        said.send(()).unwrap();
        let mut next = accept();
        greet(&mut next, "second");
        answer(&mut next, b":2\r\n");
    });
    let client = client(place.socket());
    assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
    is_said.recv().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(client.command("second").call::<u8>().unwrap(), 2);
    server.join().unwrap();
}

/// Number of runs by the caller's token.
struct Runs(Arc<Mutex<HashMap<u64, u64>>>);

fn count(runs: &Runs, token: u64) -> u64 {
    let mut runs = runs.0.lock().unwrap();
    let count = runs.entry(token).or_default();
    *count += 1;
    *count
}

#[command]
fn mark(request: &Request<'_>, token: u64) -> u64 {
    count(request.state::<Runs>().unwrap(), token)
}

#[command(idempotent, alias = "peek")]
fn look(request: &Request<'_>, token: u64) -> u64 {
    count(request.state::<Runs>().unwrap(), token)
}

type Count = Arc<Mutex<HashMap<u64, u64>>>;

fn server(runs: &Count) -> Server {
    Server::new().state(Runs(Arc::clone(runs)))
}

/// Makes a client open this many connections.
fn connections(client: &Client, count: usize) {
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| client.command("meet").arg(count).call::<()>().unwrap());
        }
    });
}

/// Returns a command that blocks until this many callers run it.
fn meeting(server: Server, count: usize) -> Server {
    let barrier = Barrier::new(count);
    server.handle("meet", move |_: &Request<'_>| {
        barrier.wait();
    })
}

/// Returns the number of a daemon's connections, without the one that asks. The daemon may not have
/// noticed yet that an earlier one was closed.
fn open(daemon: &Daemon) -> usize {
    let info = dockipc::send(daemon.path(), "info").unwrap();
    let info = String::from_utf8(info).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).unwrap();
    line.trim().parse::<usize>().unwrap() - 1
}

#[test]
fn sixteen_dead_connections_fail_no_call() {
    let place = Place::new();
    let client = client(place.socket());
    let word = "x".repeat(100_000);
    for round in 0..3 {
        let runs = Count::default();
        let daemon = meeting(server(&runs), 16).spawn(place.socket()).unwrap();
        // These use connections to the previous daemon.
        let mut pipeline = client.pipeline();
        for token in 0..30 {
            pipeline.command("mark", [token]).command("echo", [&word]);
        }
        if round == 1 {
            assert_eq!(client.command("mark").arg(99).call::<u64>().unwrap(), 1);
        }
        let answers = pipeline.call().unwrap();
        let hits = answers.into_iter().step_by(2);
        assert!(hits.into_iter().all(|hit| hit == Reply::Int(1)));
        connections(&client, 16);
        drop(daemon);
        assert!(runs.lock().unwrap().values().all(|count| *count == 1));
    }
}

#[test]
fn idle_connections_are_limited() {
    let runs = Count::default();
    let daemon = Daemon::start(meeting(server(&runs), 20));
    for (most, client) in [
        (16, client(daemon.path())),
        (3, client(daemon.path()).max_idle(3)),
        (20, client(daemon.path()).max_idle(100)),
        (0, client(daemon.path()).max_idle(0)),
    ] {
        connections(&client, 20);
        until("only the kept connections are left", || open(&daemon) == most);
        drop(client.clone());
        until("they are still kept", || open(&daemon) == most);
        drop(client);
        until("none is left", || open(&daemon) == 0);
    }
}

#[test]
fn expired_idle_connection_is_closed_by_next_call() {
    let runs = Count::default();
    let daemon = Daemon::start(meeting(server(&runs), 5));
    let old = Duration::from_millis(30);
    let hasty = client(daemon.path()).idle_timeout(old);
    let id = |client: &Client| client.command("client").arg("id").call::<u64>().unwrap();
    connections(&hasty, 5);
    thread::sleep(old * 3);
    until("all are kept, as nobody calls", || open(&daemon) == 5);
    let first = id(&hasty);
    until("the old ones are closed", || open(&daemon) == 1);
    thread::sleep(old * 3);
    // A clone with a longer timeout shares them.
    assert_eq!(id(&hasty.clone().idle_timeout(None)), first);
    thread::sleep(old * 3);
    assert_ne!(id(&hasty), first);
}

#[test]
fn child_program_inherits_no_connection() {
    let daemon = Daemon::start(server(&Count::default()));
    let client = client(daemon.path());
    assert_eq!(client.send("ping").unwrap(), b"PONG");
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    drop(client);
    until("the connection is closed", || open(&daemon) == 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The outcomes of the calls of one thread.
#[derive(Default)]
struct Tally {
    calls: u64,
    cut: u64,
    cut_and_not_run: u64,
}

impl Tally {
    /// Makes calls until stopped. Each has a unique token, by which its runs are counted.
    fn calls(client: &Client, runs: &Count, thread: u64, stop: &AtomicBool) -> Self {
        let mut tally = Self::default();
        while !stop.load(SeqCst) {
            tally.calls += 1;
            let token = thread << 32 | tally.calls;
            let ran = || runs.lock().unwrap().get(&token).copied().unwrap_or(0);
            match tally.calls % 4 {
                0 => {
                    let count: u64 = client.command("PEEK").arg(token).call().unwrap();
                    assert!((1..=2).contains(&count) && ran() == count);
                    continue;
                }
                1 => {
                    client.send(&format!("'look' {token}")).unwrap();
                    assert!((1..=2).contains(&ran()));
                    continue;
                }
                _ => {}
            }
            match client.command("mark").arg(token).call::<u64>() {
                Ok(count) => assert_eq!((count, ran()), (1, 1)),
                Err(Error::CutOff { ran: Ran::Maybe, .. }) => {
                    tally.cut += 1;
                    tally.cut_and_not_run += u64::from(ran() == 0);
                    // It may still run.
                    assert!(ran() <= 1);
                }
                Err(error) => panic!("{error}"),
            }
        }
        tally
    }
}

#[test]
fn restarts_under_load_run_no_call_twice() {
    const CALLERS: u64 = 4;
    let place = Place::new();
    let runs = Count::default();
    // The path is a link to the daemon's socket, so the next one listens before the last one ends.
    let socket = |i: u32| place.directory().join(format!("{i}.sock"));
    let point_to = |i: u32| {
        let link = place.directory().join("link");
        std::os::unix::fs::symlink(socket(i), &link).unwrap();
        fs::rename(link, place.socket()).unwrap();
    };
    let threads_before = threads();
    let mut daemon = server(&runs).spawn(socket(0)).unwrap();
    point_to(0);
    let client = client(place.socket());
    let stop = AtomicBool::new(false);
    let restarts = long(10, 100);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|i| {
                let (client, runs, stop) = (&client, &runs, &stop);
                scope.spawn(move || Tally::calls(client, runs, i, stop))
            })
            .collect();
        let seen = || runs.lock().unwrap().len();
        for i in 1..=restarts {
            let before = seen();
            until("calls are answered", || {
                seen() > before + 500 || callers.iter().any(ScopedJoinHandle::is_finished)
            });
            let next = server(&runs).spawn(socket(i)).unwrap();
            point_to(i);
            drop(std::mem::replace(&mut daemon, next));
        }
        stop.store(true, SeqCst);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    drop((client, daemon));
    until("the threads have ended", || threads() <= threads_before);
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (calls, cut) = (sum(|tally| tally.calls), sum(|tally| tally.cut));
    let lost = sum(|tally| tally.cut_and_not_run);
    // The kind of a call is encoded in its token.
    let twice = runs
        .lock()
        .unwrap()
        .iter()
        .filter(|(token, count)| {
            let once = (*token & u64::from(u32::MAX)) % 4 > 1;
            **count > if once { 1 } else { 2 }
        })
        .count();
    assert_eq!(twice, 0);
    let tokens: BTreeSet<u64> = runs.lock().unwrap().keys().copied().collect();
    assert!(tokens.len() as u64 + lost >= calls - cut);
    figure(
        "daemon restarted under load",
        format_args!(
            "{restarts} restarts, {calls} calls of {CALLERS} threads: {cut} cut off (of these {lost} had not run), \
             0 other errors, 0 repeated that may not be"
        ),
    );
}
