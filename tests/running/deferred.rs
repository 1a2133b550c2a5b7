//! Answers that come later.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use dockipc::{Answerer, Deferred, Failure, Server, State, Stopped, command};
use tests::process::until;
use tests::{Daemon, exchange, expect, resp, rest};

use super::kept::{Kept, States};

/// Answer with a number that comes later.
#[command]
fn pick(answers: State<Kept<Answerer<u64>>>) -> Deferred<u64> {
    let (later, answer) = Deferred::new();
    answers.keep(answer);
    later
}

/// Answer later, or not at all.
#[command]
fn try_pick(
    answers: State<Kept<Answerer<Result<u64, Failure>>>>,
    refuse: Option<bool>,
) -> Result<Deferred<Result<u64, Failure>>, Failure> {
    if refuse == Some(true) {
        return Err(Failure::new("REFUSED", "not now"));
    }
    let (later, answer) = Deferred::new();
    answers.keep(answer);
    Ok(later)
}

type Later = Kept<Answerer<u64>>;

fn start(server: Server) -> (Daemon, Later, Kept<Answerer<Result<u64, Failure>>>) {
    let states = States::default();
    let (answers, results) = (states.answers.clone(), states.results.clone());
    (Daemon::start(states.of(server)), answers, results)
}

#[test]
fn deferred_answer_comes_before_the_next_command() {
    let (daemon, answers, _) = start(Server::new());
    let mut stream = daemon.connect();
    let input = [resp(&["echo", "a"]), resp(&["pick"]), resp(&["echo", "b"])].concat();
    stream.write_all(&input).unwrap();
    expect(&mut stream, b"$1\r\na\r\n");
    assert!(answers.take().send(7));
    expect(&mut stream, b":7\r\n$1\r\nb\r\n");
}

#[test]
fn deferred_answer_is_given_in_line_mode() {
    let (daemon, answers, _) = start(Server::new());
    let answering = thread::spawn(move || answers.take().send(7));
    assert_eq!(daemon.ask("pick\n"), "7");
    assert!(answering.join().unwrap());
}

#[test]
fn dropped_answer_is_an_error() {
    let (daemon, answers, _) = start(Server::new());
    let answering = thread::spawn(move || drop(answers.take()));
    assert_eq!(daemon.ask("pick\n"), "-ERR the command was dropped\\n");
    answering.join().unwrap();
}

#[test]
fn deferred_result_is_an_answer_or_an_error() {
    let (daemon, _, results) = start(Server::new());
    assert_eq!(daemon.ask("try-pick true\n"), "-REFUSED not now\\n");
    let answering = thread::spawn(move || {
        results.take().send(Ok(3));
        results.take().send(Err(Failure::new("NONE", "nothing there")));
    });
    assert_eq!(daemon.ask("try-pick\n"), "3");
    assert_eq!(daemon.ask("try-pick\n"), "-NONE nothing there\\n");
    answering.join().unwrap();
}

#[test]
fn client_that_leaves_is_told_to_the_answerer() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    stream.write_all(b"pick\n").unwrap();
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    assert!(!answer.is_cancelled());
    drop(stream);
    assert_eq!(reasons.take(), Stopped::Cancelled);
    assert!(answer.is_cancelled());
    answer.on_cancel(move |_| panic!("on purpose"));
    assert!(!answer.send(1));
}

#[test]
fn function_for_the_end_is_not_called_after_the_answer() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    stream.write_all(b"pick\n").unwrap();
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    assert!(answer.send(1));
    assert_eq!(rest(stream), b"1");
    assert_eq!(reasons.len(), 0);
}

#[test]
fn cancelled_deferred_command_is_answered_at_once() {
    let (daemon, answers, _) = start(Server::new());
    let mut stream = daemon.connect();
    let open = ["dockipc", "with", "deadline", "600000", "--", "pick"];
    stream.write_all(&resp(&open)).unwrap();
    let answer = answers.take();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    assert!(!answer.send(1));
}

#[test]
fn deadline_answers_deferred_command() {
    let (daemon, answers, _) = start(Server::new());
    let open = ["dockipc", "with", "deadline", "50", "--", "pick"];
    let mut stream = daemon.connect();
    stream.write_all(&resp(&open)).unwrap();
    expect(&mut stream, b"-TIMEOUT the time for the command has passed\r\n");
    assert!(answers.take().is_cancelled());
}

#[test]
fn run_timeout_answers_deferred_command() {
    let (daemon, answers, _) = start(Server::new().run_timeout(Duration::from_millis(50)));
    let answer = daemon.ask("pick\n");
    assert!(answer.starts_with("-TIMEOUT "), "{answer}");
    assert!(answers.take().is_cancelled());
}

#[test]
fn stop_ends_deferred_command_after_its_deadline() {
    let (daemon, answers, _) = start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let mut stream = daemon.connect();
    stream.write_all(b"pick\n").unwrap();
    let answer = answers.take();
    daemon.handle().shutdown();
    let text = String::from_utf8(rest(stream)).unwrap();
    assert!(text.starts_with("-SHUTDOWN "), "{text}");
    let unfinished = daemon.handle().join();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].name(), "pick");
    assert!(answer.is_cancelled());
}

#[test]
fn stop_waits_for_deferred_answer() {
    let (daemon, answers, _) = start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(b"pick\n").unwrap();
    let answer = answers.take();
    daemon.handle().shutdown();
    assert!(answer.send(5));
    assert_eq!(rest(stream), b"5");
    assert!(daemon.handle().join().is_empty());
}

#[test]
fn transaction_refuses_deferred_command() {
    let (daemon, _, _) = start(Server::new());
    let input = [resp(&["multi"]), resp(&["pick"]), resp(&["exec"]), resp(&["quit"])].concat();
    let answer = String::from_utf8(exchange(daemon.connect(), &input)).unwrap();
    assert!(
        answer.contains("-ERR pick answers later and can't be queued\r\n-EXECABORT"),
        "{answer}"
    );
}

#[test]
fn deferred_commands_count_as_running() {
    let (daemon, answers, _) = start(Server::new().max_running_per_user(2));
    let mut streams: Vec<_> = (0..2).map(|_| daemon.connect()).collect();
    for stream in &mut streams {
        stream.write_all(&resp(&["pick"])).unwrap();
    }
    until("two commands", || answers.len() == 2);
    let answer = daemon.ask("pick\n");
    assert!(answer.starts_with("-BUSY "), "{answer}");
    answers.take().send(1);
    answers.take().send(2);
    for stream in &mut streams {
        expect(stream, b":");
    }
    let answering = thread::spawn(move || answers.take().send(3));
    assert_eq!(daemon.ask("pick\n"), "3");
    assert!(answering.join().unwrap());
}

/// Answer with this many bytes.
#[command]
fn big(len: usize) -> Vec<u8> {
    vec![b'x'; len]
}

/// Counts its drops, and panics in each.
struct PanicsInDrop(Kept<Stopped>);

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        self.0.keep(Stopped::Cancelled);
        panic!("on purpose");
    }
}

#[test]
fn killed_connection_is_told_to_the_answerer() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    stream.write_all(&[resp(&["client", "id"]), resp(&["pick"])].concat()).unwrap();
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    let id = String::from_utf8(line(&mut stream)).unwrap();
    assert_eq!(daemon.ask(format!("client kill id {}\n", &id[1..])), "1");
    assert_eq!(reasons.take(), Stopped::Cancelled);
    assert!(!answer.send(1));
}

#[test]
fn client_that_does_not_read_cancels_by_its_end() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    let open = ["dockipc", "with", "deadline", "600000", "--", "pick"];
    fill(&mut stream, &open);
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reasons.take(), Stopped::Cancelled);
    assert!(rest(stream).ends_with(b"-CANCELLED the command was cancelled\r\n"));
}

#[test]
fn deadline_passes_for_a_client_that_does_not_read() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    let open = ["dockipc", "with", "deadline", "500", "--", "pick"];
    fill(&mut stream, &open);
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    assert_eq!(reasons.take(), Stopped::TimedOut);
    drop(stream);
}

#[test]
fn client_that_does_not_read_and_leaves_cancels() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    fill(&mut stream, &["pick"]);
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    drop(stream);
    assert_eq!(reasons.take(), Stopped::Cancelled);
}

#[test]
fn panic_in_a_dropped_function_ends_no_thread() {
    let (daemon, answers, _) = start(Server::new());
    let reasons = Kept::<Stopped>::default();
    for _ in 0..8 {
        let mut stream = daemon.connect();
        stream.write_all(&[resp(&["client", "id"]), resp(&["pick"])].concat()).unwrap();
        let (answer, value) = (answers.take(), PanicsInDrop(reasons.clone()));
        answer.on_cancel(move |_| drop(value));
        let id = String::from_utf8(line(&mut stream)).unwrap();
        assert_eq!(daemon.ask(format!("client kill id {}\n", &id[1..])), "1");
        reasons.take();
    }
    assert_eq!(daemon.ask("ping\n"), "PONG");
}

#[test]
fn quota_ends_a_connection_that_waits_for_an_answer() {
    let (daemon, answers, _) = start(Server::new().max_bytes_per_user(10_000));
    let reasons = Kept::<Stopped>::default();
    let mut stream = daemon.connect();
    let mut input = resp(&["pick"]);
    input.extend(resp(&["echo", &"x".repeat(20_000)]));
    stream.write_all(&input).unwrap();
    let (answer, told) = (answers.take(), reasons.clone());
    answer.on_cancel(move |why| told.keep(why));
    assert_eq!(reasons.take(), Stopped::Cancelled);
    let text = line(&mut stream);
    eprintln!("{}", String::from_utf8_lossy(&text));
    until("end of the connection", || daemon.ask("info\n").contains("connected_clients:1"));
}

/// Reads a line without its end.
fn line(stream: &mut UnixStream) -> Vec<u8> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    line.truncate(line.len() - 2);
    line
}

/// Sends a command behind answers that nobody reads, more than a socket takes.
fn fill(stream: &mut UnixStream, words: &[&str]) {
    let big = |len: &str| resp(&["big", len]);
    for n in 1..=6 {
        stream.write_all(&big("30000")).unwrap();
        until("an answer", || rustix::io::ioctl_fionread(&*stream).unwrap() > n * 30_000);
    }
    stream.write_all(&[big("60000"), resp(words)].concat()).unwrap();
}
