//! Garbage over real sockets, sent to a server and to a client. `DOCKIPC_LONG` runs more of it,
//! `DOCKIPC_SEED` repeats a failure.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use dockipc::{Client, Error, Handle, Reply, Server, command};
use tests::dice::Dice;
use tests::process::{alone, descriptors, threads, until};
use tests::scripted::GREETING;
use tests::{PATIENCE, Place, exchange, figure, long, resp, rest};

#[command("sum")]
fn sum(numbers: Vec<i64>) -> i64 {
    numbers.into_iter().fold(0, i64::wrapping_add)
}

/// Return more than a socket buffer holds.
#[command("big")]
fn big() -> Vec<u8> {
    vec![b'x'; 300_000]
}

#[test]
fn server_survives_garbage() {
    let _alone = alone();
    count_panics();
    let (seed, visits) = (seed(), long(2_000, 500_000));
    let outside = descriptors();
    let daemon = Server::new().spawn_in_process().unwrap();
    until("a server at rest", || threads() == 2);
    let before = descriptors();
    thread::scope(|scope| {
        for worker in 0..4 {
            let daemon = &daemon;
            scope.spawn(move || {
                for visit in (worker..visits).step_by(4) {
                    let _told = Told(seed, visit);
                    one_visit(daemon, &mut dice(seed, visit));
                    if visit % 50 == 0 {
                        let ping = exchange(daemon.connect().unwrap(), &resp(&["ping"]));
                        assert_eq!(ping, b"+PONG\r\n");
                    }
                }
            });
        }
    });
    until("the end of every connection", || descriptors() == before);
    until("a server at rest again", || threads() == 2);
    drop(daemon);
    until("nothing left of it", || (threads(), descriptors()) == (0, outside));
    assert_eq!(PANICS.load(SeqCst), 0);
    figure(
        "garbage sent to a server",
        format_args!(
            "{visits} connections (seed {seed}), 0 panics, 0 hangs, descriptors as before"
        ),
    );
}

/// Sends garbage, and reads all, part or nothing of the answer.
fn one_visit(daemon: &Handle, dice: &mut Dice) {
    let mut stream = daemon.connect().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let bytes = garbage(dice);
    send(&mut stream, &bytes, dice);
    match dice.below(6) {
        0 => {}
        1 => {
            let _ = stream.shutdown(Shutdown::Both);
        }
        2 if !is_skipped(&bytes) => {
            let _ = stream.shutdown(Shutdown::Write);
            stream.read_exact(&mut [0]).expect("the answer's first byte");
        }
        _ => {
            let _ = stream.shutdown(Shutdown::Write);
            let answer = rest(stream);
            assert_eq!(answer.is_empty(), is_skipped(&bytes), "{}", bytes.escape_ascii());
        }
    }
}

/// Returns whether the bytes have no command, so that they get no answer.
fn is_skipped(mut bytes: &[u8]) -> bool {
    let mut is_resp = false;
    loop {
        bytes = match bytes {
            [b'*', b'0', b'\r', b'\n', rest @ ..]
            | [b'*', b'-', b'1'..=b'9', b'\r', b'\n', rest @ ..] => {
                is_resp = true;
                rest
            }
            [b'\r', b'\n', rest @ ..] => rest,
            [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] if is_resp => rest,
            _ => return bytes.is_empty(),
        }
    }
}

#[test]
fn client_survives_garbage() {
    let _alone = alone();
    count_panics();
    let (seed, calls) = (seed(), long(2_000, 500_000));
    let before = descriptors();
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    // The number of the current call, for which the client may reconnect.
    let current = Arc::new(AtomicU64::new(0));
    let server = thread::spawn({
        let current = current.clone();
        move || {
            loop {
                let (stream, _) = listener.accept().expect("a connection");
                match current.load(SeqCst) {
                    u64::MAX => break,
                    call => answer(stream, &mut dice(seed, call)),
                }
            }
        }
    });
    let (mut answers, mut errors) = (0, 0);
    for call in 0..calls {
        let _told = Told(seed, call);
        current.store(call, SeqCst);
        match one_call(&place, &mut dice(seed.wrapping_add(call), 1 << 63)) {
            Ok(()) => answers += 1,
            Err(Error::TimedOut { .. }) => panic!("a hang"),
            Err(_) => errors += 1,
        }
    }
    current.store(u64::MAX, SeqCst);
    drop(UnixStream::connect(place.socket()));
    server.join().expect("no panic");
    assert_eq!(descriptors(), before);
    assert!(answers > calls / 50 && errors > calls / 50, "{answers} answers, {errors} errors");
    assert_eq!(PANICS.load(SeqCst), 0);
    figure(
        "garbage sent to a client",
        format_args!(
            "{calls} calls (seed {seed}), {answers} answers, {errors} errors, 0 panics, 0 hangs"
        ),
    );
}

/// Answers with garbage.
fn answer(mut stream: UnixStream, dice: &mut Dice) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    if dice.below(3) > 0 {
        send(&mut stream, GREETING, dice);
    }
    let bytes = garbage(dice);
    send(&mut stream, &bytes, dice);
    if dice.below(4) > 0 {
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn one_call(place: &Place, dice: &mut Dice) -> Result<(), Error> {
    let client = Client::new(place.socket()).timeout(PATIENCE).max_answer(1 << 20);
    let call = client.command("a").arg("b");
    match dice.below(5) {
        0 => call.call::<Reply>().map(drop),
        1 => call.call::<Option<i64>>().map(drop),
        2 => call.call::<Vec<String>>().map(drop),
        3 => client.send("a b").map(drop),
        _ => {
            let mut pipeline = client.pipeline();
            for _ in 0..dice.below(4) {
                pipeline.command("a", ["b"]);
            }
            pipeline.call().map(drop)
        }
    }
}

/// Generates a mix of what either side might send.
fn garbage(dice: &mut Dice) -> Vec<u8> {
    const WORDS: &[&str] = &[
        "ping", "echo", "help", "info", "hello", "3", "2", "command", "docs", "sum", "1", "-7",
        "big", "quit", "reset", "client", "list", "setname", "dockipc", "line", "sum 1 2", "it's",
        "\r\n", "",
    ];
    const PIECES: &[&[u8]] = &[
        b"*1\r\n",
        b"*2\r\n",
        b"*-1\r\n",
        b"*",
        b"$4\r\nping\r\n",
        b"$0\r\n\r\n",
        b"$-1\r\n",
        b"$9\r\n",
        b"$2000000\r\n",
        b"$536870913\r\n",
        b"*1048576\r\n",
        b"\r\n",
        b"\n",
        b"{",
        b"'",
        b"\"",
        b"\\",
        b"\xff\xfe",
        b"\0",
        b"ping\n",
        b"sum 1 2\n",
        b"help",
        b" ",
        b"+OK\r\n",
        b"-ERR no\r\n",
        b"-BUSY no\r\n",
        b":1\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",nan\r\n",
        b"(1\r\n",
        b"=5\r\ntxt:a\r\n",
        b"!3\r\nE a\r\n",
        b"~1\r\n",
        b"%1\r\n",
        b">1\r\n",
        b">1\r\n+x\r\n",
        b"|1\r\n",
        b"$?\r\n",
    ];
    let mut bytes = Vec::new();
    for _ in 0..dice.below(8) {
        match dice.below(8) {
            0 => bytes.extend((0..dice.below(60)).map(|_| dice.roll().to_le_bytes()[3])),
            1..=3 => bytes.extend_from_slice(PIECES[dice.below(PIECES.len())]),
            _ => {
                let words: Vec<_> =
                    (0..=dice.below(3)).map(|_| WORDS[dice.below(WORDS.len())]).collect();
                bytes.extend(resp(&words));
            }
        }
    }
    // Half of the inputs are damaged somewhere.
    if !bytes.is_empty() && dice.below(2) == 0 {
        let at = dice.below(bytes.len());
        match dice.below(3) {
            0 => bytes.truncate(at),
            1 => drop(bytes.remove(at)),
            _ => bytes[at] = dice.roll().to_le_bytes()[3],
        }
    }
    bytes
}

/// Sends the bytes in pieces; the peer may have closed.
fn send(stream: &mut UnixStream, bytes: &[u8], dice: &mut Dice) {
    let size = [1, 7, 64, 100_000][dice.below(4)];
    for piece in bytes.chunks(size) {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
}

/// Prints, when the test fails, the seed that repeats the failure first.
struct Told(u64, u64);

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("repeat it with DOCKIPC_SEED={}", self.0.wrapping_add(self.1));
        }
    }
}

fn dice(seed: u64, number: u64) -> Dice {
    Dice::new(seed.wrapping_add(number))
}

/// Returns `DOCKIPC_SEED`, or else a seed from the clock.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    std::env::var("DOCKIPC_SEED").map_or(now << 20, |seed| seed.parse().expect("a number"))
}

/// Number of panics in this process, caught or not.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics from now on.
fn count_panics() {
    // Other tests of this program set a hook too, and panic on purpose.
    let old = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, SeqCst);
        old(info);
    }));
    PANICS.store(0, SeqCst);
}
