//! Many connections that stall, split, half-close, close early and read late, checked against a model.
//!
//! `DOCKIPC_STRESS_ROUNDS` makes it longer, `DOCKIPC_STRESS_SEED` repeats a failure.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dockipc::{Request, Server, command};
use tests::dice::Dice;
use tests::process::{alone, descriptors, resident, threads, until};
use tests::{Daemon, raise_descriptor_limit, resp};

/// Number of concurrent clients.
const CLIENTS: usize = 200;

/// Number of connections that each client makes in a round, in sequence.
const VISITS: usize = 4;

/// Timeout after which an operation counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// State of the handlers: how many commands of each connection ran.
#[derive(Default)]
struct Board {
    ran: Vec<AtomicU32>,
    /// Number of commands sent whole, as reported by the client.
    whole: Vec<AtomicU32>,
    /// The first error.
    wrong: Mutex<Option<String>>,
    /// A running counter; some handlers wait for its next value.
    clock: Mutex<u64>,
    ticked: Condvar,
}

impl Board {
    /// Records that a command runs. The commands of one connection run one at a time and in order.
    fn note(&self, visit: usize, at: u32) {
        let ran = self.ran[visit].fetch_add(1, SeqCst);
        if ran != at {
            let what = format!("visit {visit}: command {at} ran as number {ran}");
            self.wrong.lock().unwrap().get_or_insert(what);
        }
    }

    fn ran(&self, visit: usize) -> u32 {
        self.ran[visit].load(SeqCst)
    }

    /// Waits for the next tick.
    fn wait(&self) {
        let now = self.clock.lock().unwrap();
        let begun = *now;
        drop(self.ticked.wait_while(now, |now| *now == begun).unwrap());
    }
}

fn answer(visit: usize, at: u32, size: usize) -> Vec<u8> {
    let mut bytes = format!("{visit}.{at}.").into_bytes();
    bytes.resize(bytes.len() + size, b'x');
    bytes
}

#[command("now")]
fn now(request: &Request<'_>, visit: usize, at: u32, size: usize) -> Vec<u8> {
    let board = request.state::<Arc<Board>>().unwrap();
    board.note(visit, at);
    answer(visit, at, size)
}

#[command("spin")]
fn spin(request: &Request<'_>, visit: usize, at: u32, turns: usize) -> Vec<u8> {
    let board = request.state::<Arc<Board>>().unwrap();
    board.note(visit, at);
    for turn in 0..turns {
        std::hint::black_box(turn);
    }
    answer(visit, at, 0)
}

#[command("block")]
fn block(request: &Request<'_>, visit: usize, at: u32, _size: usize) -> Vec<u8> {
    let board = request.state::<Arc<Board>>().unwrap();
    board.note(visit, at);
    board.wait();
    answer(visit, at, 0)
}

/// Be slow at random, so that the server often predicts wrongly.
#[command("fickle")]
fn fickle(request: &Request<'_>, visit: usize, at: u32, mood: usize) -> Vec<u8> {
    let board = request.state::<Arc<Board>>().unwrap();
    board.note(visit, at);
    if mood == 0 {
        board.wait();
    }
    answer(visit, at, 0)
}

/// The bytes that a client sends, and the answers it expects for each command.
struct Script {
    line: bool,
    sent: Vec<u8>,
    answers: Vec<Vec<u8>>,
    /// End offset of each command.
    ends: Vec<usize>,
    /// Whether the last command is cut off.
    cut: bool,
    /// Whether the last bytes are not a command; the server may not read them.
    tail: bool,
}

impl Script {
    fn write(dice: &mut Dice, visit: usize) -> Self {
        let line = dice.below(3) == 0;
        let most = if dice.below(8) == 0 { 200 } else { 12 };
        let count = if line { 1 } else { 1 + dice.below(most) };
        let mut script = Self {
            line,
            sent: Vec::new(),
            answers: Vec::new(),
            ends: Vec::new(),
            cut: false,
            tail: false,
        };
        for at in 0..count {
            let (words, body) = Self::command(dice, visit, u32::try_from(at).unwrap(), count);
            if line {
                script.sent.extend_from_slice(format!("{}\n", words.join(" ")).as_bytes());
                script.answers.push(body);
            } else {
                script.sent.extend(resp(&words));
                let head = format!("${}\r\n", body.len()).into_bytes();
                script.answers.push([&head, &body[..], b"\r\n"].concat());
            }
            script.ends.push(script.sent.len());
        }
        match dice.below(6) {
            0 => {
                let words = ["now".into(), visit.to_string(), count.to_string(), "0".into()];
                let more = if line { b"now 0 0 0".to_vec() } else { resp(&words) };
                if line {
                    // A line connection has only one command.
                    script.sent.clear();
                    script.answers.clear();
                    script.ends.clear();
                }
                script.sent.extend_from_slice(&more[..=dice.below(more.len() - 1)]);
                script.cut = true;
            }
            1 if line => {
                script.sent.resize(script.sent.len() + dice.below(60_000), b'?');
                script.tail = true;
            }
            _ => {}
        }
        script
    }

    fn command(dice: &mut Dice, visit: usize, at: u32, count: usize) -> (Vec<String>, Vec<u8>) {
        // A long pipeline of slow commands would take too long.
        let kind = dice.below(if count > 20 { 200 } else { 20 });
        let (name, number, size) = match kind {
            0 => ("block", 0, 0),
            1 | 2 => ("spin", dice.below(200_000), 0),
            3 => ("fickle", 0, 0),
            4..8 => ("fickle", 1, 0),
            8 => {
                let size = dice.below(400_000);
                ("now", size, size)
            }
            _ => {
                let size = dice.below(60);
                ("now", size, size)
            }
        };
        let words = vec![name.to_owned(), visit.to_string(), at.to_string(), number.to_string()];
        (words, answer(visit, at, size))
    }

    /// Returns the number of whole commands in the first bytes.
    fn whole(&self, sent: usize) -> u32 {
        u32::try_from(self.ends.iter().filter(|end| **end <= sent).count()).unwrap()
    }
}

/// Sends in pieces, with pauses.
fn send(dice: &mut Dice, stream: &mut UnixStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut left = bytes;
    let pieces = dice.below(8);
    for _ in 0..pieces {
        let (now, later) = left.split_at(dice.below(left.len().clamp(1, 200)));
        stream.write_all(now)?;
        left = later;
        if dice.below(3) == 0 {
            thread::sleep(dice.moment(Duration::from_millis(3)));
        }
    }
    stream.write_all(left)
}

/// Reads to the end, optionally slowly.
fn read_all(dice: &mut Dice, stream: &mut UnixStream, slow: bool) -> (Vec<u8>, Option<ErrorKind>) {
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if slow && dice.below(4) == 0 {
            thread::sleep(dice.moment(Duration::from_millis(10)));
        }
        let most = if slow { 1 + dice.below(20_000) } else { buffer.len() };
        match stream.read(&mut buffer[..most]) {
            Ok(0) => return (got, None),
            Ok(n) => got.extend_from_slice(&buffer[..n]),
            Err(e) => return (got, Some(e.kind())),
        }
    }
}

#[track_caller]
fn same(what: &str, got: &[u8], expected: &[u8]) {
    if got != expected {
        let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let near = |bytes: &[u8]| bytes[at..bytes.len().min(at + 60)].escape_ascii().to_string();
        let (got_near, near) = (near(got), near(expected));
        let (g, e) = (got.len(), expected.len());
        panic!("{what}: {g} bytes for {e}, from byte {at} on \"{got_near}\" for \"{near}\"");
    }
}

/// Runs one connection from beginning to end. Returns how many commands were sent whole.
fn visit(dice: &mut Dice, daemon: &Daemon, board: &Board, visit: usize) -> u32 {
    let script = Script::write(dice, visit);
    let mut stream = daemon.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let all = script.answers.concat();
    let way = dice.below(8);
    let what = format!("visit {visit}, way {way}");
    match way {
        // Closes at some point, having read nothing or a part.
        0 | 1 => {
            let sent = dice.below(script.sent.len() + 1);
            send(dice, &mut stream, &script.sent[..sent]).unwrap();
            if way == 1 && sent == script.sent.len() && !all.is_empty() {
                let mut part = vec![0; dice.below(all.len()) + 1];
                stream.read_exact(&mut part).expect(&what);
                same(&what, &part, &all[..part.len()]);
            }
            return script.whole(sent);
        }
        // One command at a time.
        2 if !script.line && !script.cut => {
            let mut sent = 0;
            for (&end, answer) in script.ends.iter().zip(&script.answers) {
                send(dice, &mut stream, &script.sent[sent..end]).unwrap();
                sent = end;
                let mut got = vec![0; answer.len()];
                stream.read_exact(&mut got).expect(&what);
                same(&what, &got, answer);
            }
        }
        // Everything at once or in pieces, then all answers; then both sides close.
        _ => {
            let sent = send(dice, &mut stream, &script.sent);
            assert!(sent.is_ok() || script.tail, "{what}: {sent:?}");
            if script.cut || dice.below(2) == 0 {
                let _ = stream.shutdown(Shutdown::Write);
                let slow = dice.below(3) == 0;
                if slow {
                    thread::sleep(dice.moment(Duration::from_millis(30)));
                }
                let (mut got, error) = read_all(dice, &mut stream, slow);
                if script.cut {
                    let end = got.split_off(got.len().min(all.len()));
                    let end = end.escape_ascii().to_string();
                    assert!(end.starts_with("-INCOMPLETE "), "{what}: \"{end}\" at the end");
                }
                same(&what, &got, &all);
                assert!(error.is_none() || script.tail, "{what}: {error:?}");
            } else {
                let mut got = vec![0; all.len()];
                stream.read_exact(&mut got).expect(&what);
                same(&what, &got, &all);
            }
        }
    }
    let whole = script.whole(script.sent.len());
    assert_eq!(board.ran(visit), whole, "{what}: commands that ran");
    whole
}

/// Runs one server and its clients.
fn round(seed: u64) {
    let mut dice = Dice::new(seed);
    let zeros = || (0..CLIENTS * VISITS).map(|_| AtomicU32::new(0)).collect();
    let board = Arc::new(Board { ran: zeros(), whole: zeros(), ..Board::default() });
    let threads_at_most = [2, 3, 6, 30, 1000, 1000][dice.below(6)];
    let server = Server::new().state(Arc::clone(&board)).max_threads(threads_at_most);
    let daemon = Daemon::start(server);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    let before = descriptors();
    let over = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                thread::sleep(Duration::from_micros(500));
                *board.clock.lock().unwrap() += 1;
                board.ticked.notify_all();
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let seed = dice.roll();
                let (daemon, board) = (&daemon, &board);
                scope.spawn(move || {
                    let mut dice = Dice::new(seed);
                    for number in client * VISITS..(client + 1) * VISITS {
                        let whole = visit(&mut dice, daemon, board, number);
                        board.whole[number].store(whole, SeqCst);
                    }
                })
            })
            .collect();
        let failed = clients.into_iter().filter_map(|client| client.join().err()).count();
        // Handlers still wait for the clock.
        if failed == 0 {
            until("the threads' end", || threads() == 2);
            until("the descriptors' end", || descriptors() <= before);
        }
        over.store(true, SeqCst);
        failed
    });
    if failed > 0 {
        // Stopping the server could hang as well.
        std::mem::forget(daemon);
        panic!("{failed} clients failed");
    }
    assert_eq!(board.wrong.lock().unwrap().take(), None);
    let stopping = thread::spawn(move || drop(daemon));
    until("the server's end", || stopping.is_finished());
    until("no threads", || threads() == 0);
    for (visit, (ran, whole)) in board.ran.iter().zip(&board.whole).enumerate() {
        let (ran, whole) = (ran.load(SeqCst), whole.load(SeqCst));
        assert!(ran <= whole, "visit {visit}: {ran} commands ran of {whole} that came whole");
    }
}

#[test]
fn misbehaving_clients_never_mix_up_answers() {
    let _alone = alone();
    raise_descriptor_limit();
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() % 1_000_000_000;
    let seed = number("DOCKIPC_STRESS_SEED").unwrap_or_else(|| u64::try_from(now).unwrap());
    let rounds = number("DOCKIPC_STRESS_ROUNDS").unwrap_or(3);
    let mut settled = None;
    for i in 0..rounds {
        println!("DOCKIPC_STRESS_SEED={}", seed + i);
        round(seed + i);
        // The first rounds fill the allocator's pools.
        let now = resident() / 1024;
        if i >= 1 {
            let settled = *settled.get_or_insert(now);
            let more = now.saturating_sub(settled);
            assert!(more < 100 * 1024, "{more} KiB more than after the second round ({settled})");
        }
    }
}
