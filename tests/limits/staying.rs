//! A client that calls a command of some 30 µs over and over has a thread of its own, and nobody is worse off for it.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Handle, Request, Server, command};
use tests::gate::Gate;
use tests::process::{alone, threads, until};
use tests::{expect, rest};

/// Computes for a little longer than it takes to wake a thread.
fn compute() {
    let end = Instant::now() + Duration::from_micros(30);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[command("turn")]
fn turn() -> &'static str {
    compute();
    "done"
}

/// A word that takes as long to parse.
struct Dear;

impl FromStr for Dear {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        compute();
        Ok(Self)
    }
}

#[command("dear")]
fn dear(#[arg(from_str)] _word: Dear) {}

#[command("short_nap")]
fn short_nap(millis: u64) -> &'static str {
    thread::sleep(Duration::from_millis(millis));
    "rested"
}

#[command("stand")]
fn stand(request: &Request<'_>) -> &'static str {
    request.state::<Gate>().unwrap().pass();
    "passed"
}

#[command("quick_word")]
fn quick_word() -> &'static str {
    "quick"
}

#[command("long_text")]
fn long_text(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

const TURN: &[u8] = b"*1\r\n$4\r\nturn\r\n";
const DONE: &[u8] = b"$4\r\ndone\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

fn start() -> (Handle, Gate) {
    let gate = Gate::default();
    (Server::new().state(gate.clone()).spawn_in_process().unwrap(), gate)
}

fn connect(daemon: &Handle) -> UnixStream {
    let stream = daemon.connect().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn call(client: &mut UnixStream) {
    client.write_all(TURN).unwrap();
    expect(client, DONE);
}

/// Returns the number of sockets whose bytes a thread waits for itself: epoll(7) is asked for the end of the
/// connection, and not for bytes.
fn with_a_thread() -> usize {
    masks().filter(|mask| mask & RDHUP != 0 && mask & IN == 0).count()
}

/// `EPOLLRDHUP` and `EPOLLIN`.
const RDHUP: u32 = 0x2000;
const IN: u32 = 1;

/// The events that the epoll sets of this process are asked for, `proc_pid_fdinfo(5)`: "tfd: N events: MASK data: …".
fn masks() -> impl Iterator<Item = u32> {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap();
    let texts = infos.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    texts.flat_map(|text| text.lines().filter_map(mask).collect::<Vec<_>>())
}

fn mask(line: &str) -> Option<u32> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "events:");
    u32::from_str_radix(words.nth(1)?, 16).ok()
}

/// Whether this machine has another CPU for a second thread.
fn has_cores() -> bool {
    thread::available_parallelism().unwrap().get() > 1
}

/// Calls until a thread stays with this client. It may have left by the time that this returns.
fn keep_a_thread(client: &mut UnixStream) {
    let end = Instant::now() + Duration::from_secs(60);
    while has_cores() && with_a_thread() == 0 {
        assert!(Instant::now() < end, "no thread stays");
        (0..50).for_each(|_| call(client));
    }
}

#[test]
fn silent_client_gives_its_thread_back() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    for _ in 0..2 {
        keep_a_thread(&mut client);
        until("the end of the stay", || with_a_thread() == 0);
        call(&mut client);
    }
}

#[test]
fn thread_ends_after_its_stay() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let before = threads();
    for _ in 0..30 {
        let mut client = connect(&daemon);
        keep_a_thread(&mut client);
        drop(client);
        until("the end of the stay", || with_a_thread() == 0);
    }
    let after = threads();
    assert!(after < before + 15, "{before}, {after}");
}

#[test]
fn client_that_turns_quick_gives_its_thread_back() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let client = RefCell::new(connect(&daemon));
    keep_a_thread(&mut client.borrow_mut());
    until("the end of the stay", || {
        let client = &mut client.borrow_mut();
        for _ in 0..50 {
            client.write_all(b"*1\r\n$10\r\nquick_word\r\n").unwrap();
            expect(client, b"$5\r\nquick\r\n");
        }
        with_a_thread() == 0
    });
}

#[test]
fn slow_command_ends_a_stay_also_among_others() {
    let _alone = alone();
    let (daemon, _gate) = start();
    for (millis, others) in [(1, 1), (3, 12)] {
        let client = RefCell::new(connect(&daemon));
        keep_a_thread(&mut client.borrow_mut());
        until("the end of the stay", || {
            let client = &mut client.borrow_mut();
            (0..others).for_each(|_| call(client));
            write!(client, "*2\r\n$9\r\nshort_nap\r\n$1\r\n{millis}\r\n").unwrap();
            expect(client, b"$6\r\nrested\r\n");
            with_a_thread() == 0
        });
    }
}

#[test]
fn quick_client_ends_the_stay_of_others() {
    let _alone = alone();
    let (daemon, gate) = start();
    let mut long = connect(&daemon);
    keep_a_thread(&mut long);
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            while gate.came() == 0 {
                call(&mut long);
            }
        });
        let quick = RefCell::new(connect(&daemon));
        until("the end of the stay", || {
            let quick = &mut quick.borrow_mut();
            for _ in 0..50 {
                quick.write_all(PING).unwrap();
                expect(quick, b"+PONG\r\n");
            }
            with_a_thread() == 0
        });
        let mut quick = quick.into_inner();
        gate.open();
        quick.write_all(b"*1\r\n$5\r\nstand\r\n").unwrap();
        expect(&mut quick, b"$6\r\npassed\r\n");
        caller.join().unwrap();
    });
}

#[test]
fn slow_command_leaves_others_served() {
    let _alone = alone();
    let (daemon, gate) = start();
    let mut client = connect(&daemon);
    // The second time it is known to be slow.
    for _ in 0..2 {
        keep_a_thread(&mut client);
        client.write_all(&[TURN, b"*1\r\n$5\r\nstand\r\n", TURN].concat()).unwrap();
        expect(&mut client, DONE);
        until("a command that waits", || gate.waiting() == 1);
        let mut other = connect(&daemon);
        other.write_all(PING).unwrap();
        expect(&mut other, b"+PONG\r\n");
        gate.open();
        expect(&mut client, b"$6\r\npassed\r\n$4\r\ndone\r\n");
        gate.close();
    }
}

#[test]
fn transaction_of_several_round_trips_is_answered() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    client.write_all(b"*1\r\n$5\r\nMULTI\r\n").unwrap();
    expect(&mut client, b"+OK\r\n");
    for _ in 0..50 {
        client.write_all(b"*2\r\n$4\r\ndear\r\n$1\r\n4\r\n").unwrap();
        expect(&mut client, b"+QUEUED\r\n");
    }
    client.write_all(b"*1\r\n$4\r\nEXEC\r\n").unwrap();
    expect(&mut client, &[&b"*50\r\n"[..], &b"+OK\r\n".repeat(50)].concat());
}

#[test]
fn command_in_pieces_is_answered() {
    let _alone = alone();
    let (daemon, _gate) = start();
    for cut in 1..TURN.len() {
        let mut client = connect(&daemon);
        keep_a_thread(&mut client);
        let (first, last) = TURN.split_at(cut);
        client.write_all(&[TURN, TURN, first].concat()).unwrap();
        expect(&mut client, &[DONE, DONE].concat());
        client.write_all(last).unwrap();
        expect(&mut client, DONE);
    }
}

#[test]
fn command_longer_than_the_buffer_is_answered() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    let word = vec![b'y'; 60_000];
    let mut echo = format!("*2\r\n$4\r\nECHO\r\n${}\r\n", word.len()).into_bytes();
    echo.extend_from_slice(&word);
    echo.extend_from_slice(b"\r\n");
    client.write_all(&[TURN, &echo, TURN].concat()).unwrap();
    let mut expected = format!("$4\r\ndone\r\n${}\r\n", word.len()).into_bytes();
    expected.extend_from_slice(&word);
    expected.extend_from_slice(b"\r\n$4\r\ndone\r\n");
    expect(&mut client, &expected);
}

#[test]
fn answer_that_is_not_read_waits_whole() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    client.write_all(b"*2\r\n$9\r\nlong_text\r\n$7\r\n3000000\r\n").unwrap();
    client.write_all(TURN).unwrap();
    until("the end of the stay", || with_a_thread() == 0);
    let mut expected = b"$3000000\r\n".to_vec();
    expected.resize(expected.len() + 3_000_000, b'x');
    expected.extend_from_slice(b"\r\n");
    expect(&mut client, &expected);
    expect(&mut client, DONE);
}

#[test]
fn end_of_the_client_is_seen() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    client.write_all(TURN).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(client), DONE);
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    client.write_all(TURN).unwrap();
    drop(client);
    until("the end of the connection", || masks().all(|mask| mask & RDHUP == 0));
}

#[test]
fn server_stops_while_a_thread_stays() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let mut client = connect(&daemon);
    keep_a_thread(&mut client);
    client.write_all(TURN).unwrap();
    expect(&mut client, DONE);
    daemon.shutdown();
    assert_eq!(rest(client), b"");
}

#[test]
fn several_clients_have_a_thread_each() {
    let _alone = alone();
    let (daemon, _gate) = start();
    let is_over = AtomicBool::new(!has_cores());
    let end = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (mut client, is_over) = (connect(&daemon), &is_over);
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    let too_late = Instant::now() > end;
                    is_over.fetch_or(too_late || with_a_thread() > 1, SeqCst);
                    assert!(!too_late, "no two threads stay");
                    (0..50).for_each(|_| call(&mut client));
                }
            });
        }
    });
}
