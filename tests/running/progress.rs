//! Commands that report their progress: to a caller that asked, and to nobody else.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use dockipc::{Answerer, Cancel, Deferred, Progress, Server, State, Stopped, command};
use tests::gate::Gate;
use tests::{Daemon, expect, resp, rest};

use super::kept::{Kept, States};

/// Count, and report each number.
#[command]
fn count_up(to: u64, progress: Progress) -> u64 {
    for i in 1..=to {
        progress.set(i, to);
    }
    to
}

/// Hand the progress to the test, and wait at the gate.
#[command]
fn report_and_wait(all: State<Kept<Progress>>, gate: State<Gate>, progress: Progress) -> u64 {
    all.keep(progress);
    gate.pass();
    7
}

/// Hand the progress to the test, and answer later.
#[command]
fn report_later(
    all: State<Kept<Progress>>,
    answers: State<Kept<Answerer<u64>>>,
    progress: Progress,
) -> Deferred<u64> {
    let (later, answer) = Deferred::new();
    all.keep(progress);
    answers.keep(answer);
    later
}

/// Hand the progress to the test, and wait until the command is asked to stop.
#[command]
async fn report_async(
    all: State<Kept<Progress>>,
    progress: Progress,
    cancel: Cancel,
) -> Result<(), Stopped> {
    all.keep(progress);
    Err(cancel.cancelled().await)
}

/// Panic.
#[command]
fn report_and_fall(progress: Progress) {
    progress.set(1, None);
    panic!("on purpose");
}

struct Reporting {
    daemon: Daemon,
    gate: Gate,
    answers: Kept<Answerer<u64>>,
    progress: Kept<Progress>,
}

impl Reporting {
    fn start() -> Self {
        let states = States::default();
        let (gate, answers) = (states.gate.clone(), states.answers.clone());
        let progress = states.progress.clone();
        Self { daemon: Daemon::start(states.of(Server::new())), gate, answers, progress }
    }

    /// Opens a connection that speaks RESP3, and sends commands.
    fn send(&self, input: impl AsRef<[u8]>) -> UnixStream {
        let mut stream = self.daemon.connect();
        stream.write_all(&resp(&["hello", "3"])).unwrap();
        // The greeting ends with an empty list of modules.
        until_bytes(&mut stream, b"*0\r\n");
        stream.write_all(input.as_ref()).unwrap();
        stream
    }
}

/// Reads until the bytes have come.
fn until_bytes(stream: &mut UnixStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    bytes
}

fn asked(words: &[&str]) -> Vec<u8> {
    resp(&[&["dockipc", "with", "progress", "1", "--"], words].concat())
}

/// Returns a frame, whose total and text are given as RESP values.
fn frame(done: u64, total: &str, text: &str) -> Vec<u8> {
    let head = ">3\r\n$7\r\ndockipc\r\n$8\r\nprogress\r\n*3\r\n";
    format!("{head}:{done}\r\n{total}\r\n{text}\r\n").into_bytes()
}

#[test]
fn quick_command_reports_its_last_progress() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["count-up", "3"]));
    expect(&mut stream, &[&frame(3, ":3", "_")[..], b":3\r\n"].concat());
    // The connection goes on, and the next call does not ask.
    stream.write_all(&resp(&["count-up", "3"])).unwrap();
    expect(&mut stream, b":3\r\n");
    // A command that reports nothing.
    stream.write_all(&asked(&["count-up", "0"])).unwrap();
    expect(&mut stream, b":0\r\n");
}

#[test]
fn blocking_command_reports_while_it_runs() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["report-and-wait"]));
    let progress = it.progress.take();
    progress.say("list");
    expect(&mut stream, &frame(0, "_", "$4\r\nlist"));
    progress.set(1, None);
    expect(&mut stream, &frame(1, "_", "$4\r\nlist"));
    progress.set(2, 9);
    expect(&mut stream, &frame(2, ":9", "$4\r\nlist"));
    progress.set(9, 9);
    it.gate.open();
    expect(&mut stream, &[&frame(9, ":9", "$4\r\nlist")[..], b":7\r\n"].concat());
    // A value that is kept reports nothing about the next command.
    progress.set(10, None);
    stream.write_all(&asked(&["count-up", "0"])).unwrap();
    expect(&mut stream, b":0\r\n");
}

#[test]
fn slow_command_reports_on_a_worker() {
    let it = Reporting::start();
    for _ in 0..3 {
        let mut stream = it.send([asked(&["report-and-wait"]), resp(&["ping"])].concat());
        let progress = it.progress.take();
        progress.set(1, None);
        expect(&mut stream, &frame(1, "_", "_"));
        it.gate.open();
        expect(&mut stream, b":7\r\n+PONG\r\n");
        it.gate.close();
    }
}

#[test]
fn latest_progress_wins() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["report-and-wait"]));
    let progress = it.progress.take();
    (1..=100_000).for_each(|i| progress.set(i, None));
    it.gate.open();
    let answer = String::from_utf8(until_bytes(&mut stream, b"\r\n:7\r\n")).unwrap();
    let numbers: Vec<u64> = answer
        .split("*3\r\n:")
        .skip(1)
        .map(|rest| rest.split('\r').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers.last(), Some(&100_000));
    assert!(numbers.is_sorted() && numbers.len() < 10_000, "{numbers:?}");
}

#[test]
fn deferred_command_reports_while_it_waits() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["report-later"]));
    let (progress, answer) = (it.progress.take(), it.answers.take());
    progress.set(1, 2);
    expect(&mut stream, &frame(1, ":2", "_"));
    progress.set(2, 2);
    answer.send(5);
    expect(&mut stream, &[&frame(2, ":2", "_")[..], b":5\r\n"].concat());
}

#[test]
fn async_command_reports_until_it_is_cancelled() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["report-async"]));
    let progress = it.progress.take();
    progress.set(1, 2);
    expect(&mut stream, &frame(1, ":2", "_"));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
}

#[test]
fn panic_comes_after_the_last_progress() {
    let it = Reporting::start();
    let mut stream = it.send(asked(&["report-and-fall"]));
    expect(&mut stream, &frame(1, "_", "_"));
    expect(&mut stream, b"-PANIC report-and-fall panicked");
}

#[test]
fn clients_that_did_not_ask_get_no_frame() {
    let it = Reporting::start();
    let plain = resp(&["count-up", "3"]);
    let deadline = resp(&["dockipc", "with", "deadline", "600000", "--", "count-up", "3"]);
    for input in [plain, deadline] {
        for library in ["dockipc", "redis-py", "node-redis", "jedis"] {
            let mut stream = it.send(resp(&["client", "setinfo", "lib-name", library]));
            expect(&mut stream, b"+OK\r\n");
            stream.write_all(&[&input[..], &resp(&["ping"])].concat()).unwrap();
            expect(&mut stream, b":3\r\n+PONG\r\n");
        }
    }
    assert_eq!(it.daemon.ask("count-up 3\n"), "3");
    it.gate.open();
    assert_eq!(it.daemon.ask("report-and-wait\n"), "7");
    it.progress.take().set(1, None);
}

#[test]
fn resp2_has_no_progress() {
    let it = Reporting::start();
    it.gate.open();
    let mut stream = it.daemon.connect();
    let input = [asked(&["count-up", "3"]), asked(&["report-and-wait"])].concat();
    stream.write_all(&input).unwrap();
    expect(&mut stream, b":3\r\n:7\r\n");
}

#[test]
fn transaction_reports_before_its_answer() {
    let it = Reporting::start();
    let asks = [asked(&["count-up", "2"]), resp(&["count-up", "3"]), asked(&["report-async"])];
    let input = [&resp(&["multi"])[..], &asks.concat(), &resp(&["exec"])].concat();
    let mut stream = it.send(input);
    expect(&mut stream, b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    let progress = it.progress.take();
    expect(&mut stream, &frame(2, ":2", "_"));
    progress.set(1, None);
    expect(&mut stream, &frame(1, "_", "_"));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"*3\r\n:2\r\n:3\r\n-CANCELLED the command was cancelled\r\n");
}

#[test]
fn progress_is_asked_for_with_1() {
    let it = Reporting::start();
    let mut stream = it.send(resp(&["dockipc", "with", "progress", "0", "--", "count-up", "1"]));
    expect(&mut stream, b"-USAGE progress is 1\r\n");
}

#[test]
fn function_is_called_by_a_test() {
    assert_eq!(count_up(3, Progress::new()), 3);
    Progress::default().say(format_args!("{} files", 3));
}
