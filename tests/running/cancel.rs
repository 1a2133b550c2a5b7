//! A command that is asked to stop: by a client that leaves, by an operator, by limits and by a stop.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use dockipc::{Cancel, Client, Deadline, Error, Server, State, Stopped, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, exchange, expect, resp, rest};

use super::kept::{Kept, States, wait};

/// Wait until the command is asked to stop.
#[command]
fn linger(
    begun: State<Gate>,
    reasons: State<Kept<Stopped>>,
    cancel: Cancel,
) -> Result<(), Stopped> {
    begun.pass();
    wait(&cancel, &reasons)
}

/// Wait at the gate, and do not listen.
#[command]
fn ignore(gate: State<Gate>) {
    gate.pass();
}

/// Answer with the milliseconds until the deadline.
#[command]
fn left(deadline: Deadline) -> Option<u64> {
    deadline.left().map(|left| left.as_millis().try_into().unwrap())
}

struct Lingering {
    daemon: Daemon,
    begun: Gate,
    reasons: Kept<Stopped>,
    cancels: Kept<Cancel>,
}

impl Lingering {
    fn start(server: Server) -> Self {
        let states = States::default();
        states.gate.open();
        let (begun, reasons) = (states.gate.clone(), states.reasons.clone());
        let cancels = states.cancels.clone();
        Self { daemon: Daemon::start(states.of(server)), begun, reasons, cancels }
    }

    fn begun(&self, count: usize) {
        until("a command that runs", || self.begun.came() == count);
    }

    /// The running commands, as an operator sees them.
    fn list(&self) -> String {
        let list = exchange(self.daemon.connect(), b"dockipc running\n");
        String::from_utf8(list).unwrap()
    }

    fn ends(&self) {
        until("an empty table", || self.list().is_empty());
    }
}

#[test]
fn client_that_leaves_cancels_its_command() {
    let it = Lingering::start(Server::new());
    for (count, unread) in [(1, 0), (2, 100), (3, 100_000)] {
        let mut stream = it.daemon.connect();
        let input = [resp(&["linger"]), vec![b'\n'; unread]].concat();
        stream.write_all(&input).unwrap();
        it.begun(count);
        drop(stream);
        assert_eq!(it.reasons.take(), Stopped::Cancelled);
    }
    it.ends();
}

#[test]
fn line_client_that_leaves_cancels_its_command() {
    let it = Lingering::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(b"linger\n").unwrap();
    it.begun(1);
    drop(stream);
    assert_eq!(it.reasons.take(), Stopped::Cancelled);
    it.ends();
}

#[test]
fn half_closed_plain_call_runs_on() {
    let it = Lingering::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(b"linger\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    it.begun(1);
    // As `printf 'linger\n' | nc -N` does. It is cancelled by its id.
    let list = it.list();
    let id = list.split('\t').nth(1).expect("an id");
    assert_eq!(it.daemon.ask(format!("dockipc cancel {id}\n")), "");
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\n");
    assert_eq!(it.reasons.take(), Stopped::Cancelled);
}

#[test]
fn half_close_cancels_call_with_opening() {
    let it = Lingering::start(Server::new());
    let mut stream = it.daemon.connect();
    let open = ["dockipc", "with", "deadline", "600000", "--", "linger"];
    stream.write_all(&resp(&open)).unwrap();
    it.begun(1);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    assert_eq!(it.reasons.take(), Stopped::Cancelled);
}

#[test]
fn half_close_answers_command_that_does_not_listen() {
    let it = Lingering::start(Server::new());
    it.begun.close();
    let mut stream = it.daemon.connect();
    let open = ["dockipc", "with", "deadline", "600000", "--", "ignore"];
    stream.write_all(&resp(&open)).unwrap();
    until("a command that runs", || it.begun.waiting() == 1);
    stream.shutdown(Shutdown::Write).unwrap();
    let why = "-CANCELLED the caller has cancelled the command, which still runs\r\n";
    expect(&mut stream, why.as_bytes());
    it.begun.open();
    assert_eq!(rest(stream), b"");
}

#[test]
fn deadline_cancels_command_in_the_middle() {
    let it = Lingering::start(Server::new());
    let open = ["dockipc", "with", "deadline", "50", "--", "linger"];
    let mut stream = it.daemon.connect();
    stream.write_all(&resp(&open)).unwrap();
    expect(&mut stream, b"-TIMEOUT the time for the command has passed\r\n");
    assert_eq!(it.reasons.take(), Stopped::TimedOut);
}

#[test]
fn command_has_the_deadline_of_its_caller() {
    let it = Lingering::start(Server::new());
    assert_eq!(it.daemon.ask("left\n"), "");
    let open = ["dockipc", "with", "deadline", "600000", "--", "left"];
    let mut stream = it.daemon.connect();
    // The client's end of input would cancel the command.
    stream.write_all(&[resp(&open), resp(&["quit"])].concat()).unwrap();
    let text = String::from_utf8(rest(stream)).unwrap();
    let left: u64 = text.lines().next().unwrap().strip_prefix(':').unwrap().parse().unwrap();
    assert!((1..=600_000).contains(&left), "{left}");
}

#[test]
fn passed_deadline_does_not_run_command() {
    let it = Lingering::start(Server::new());
    let open = ["dockipc", "with", "deadline", "0", "--", "linger"];
    let answer = exchange(it.daemon.connect(), &[resp(&open), resp(&["quit"])].concat());
    assert!(answer.starts_with(b"-TIMEOUT ") && answer.ends_with(b"it was not run\r\n+OK\r\n"));
    assert_eq!(it.begun.came(), 0);
}

#[test]
fn run_timeout_cancels_command() {
    let it = Lingering::start(Server::new().run_timeout(Duration::from_millis(50)));
    let answer = it.daemon.ask("linger\n");
    assert!(answer.starts_with("-TIMEOUT no answer after "), "{answer}");
    assert_eq!(it.reasons.take(), Stopped::TimedOut);
    it.ends();
}

#[test]
fn stop_cancels_command_after_its_deadline() {
    let it = Lingering::start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let mut stream = it.daemon.connect();
    stream.write_all(b"linger\n").unwrap();
    it.begun(1);
    it.daemon.handle().shutdown();
    assert_eq!(it.reasons.take(), Stopped::ShuttingDown);
    let answer = String::from_utf8(rest(stream)).unwrap();
    assert!(answer.starts_with("-SHUTDOWN "), "{answer}");
}

#[test]
fn client_kill_ends_connection_and_cancels_its_command() {
    let it = Lingering::start(Server::new());
    let client = Client::new(it.daemon.path());
    for reads in [false, true] {
        let mut stream = it.daemon.connect();
        stream.write_all(&resp(&["client", "id"])).unwrap();
        let mut id = [0; 64];
        let length = stream.read(&mut id).unwrap();
        let id = std::str::from_utf8(&id[1..length]).unwrap().trim_end().to_owned();
        if reads {
            stream.write_all(&resp(&["linger"])).unwrap();
            it.begun(1);
        }
        let killed: u64 = client.command("client").arg("kill").arg("id").arg(&id).call().unwrap();
        assert_eq!(killed, 1);
        assert_eq!(rest(stream), b"");
        until("no connection", || {
            client.command("client").arg("kill").arg("id").arg(&id).call::<u64>().unwrap() == 0
        });
    }
    assert_eq!(it.reasons.take(), Stopped::Cancelled);
    it.ends();
}

#[test]
fn command_that_does_not_listen_is_listed_and_not_cancelled() {
    let it = Lingering::start(Server::new());
    it.begun.close();
    let mut stream = it.daemon.connect();
    stream.write_all(b"ignore\n").unwrap();
    until("a listed command", || it.list().contains("\tignore\t"));
    let id = it.list().split('\t').nth(1).expect("an id").to_owned();
    let answer = it.daemon.ask(format!("dockipc cancel {id}\n"));
    assert_eq!(answer, "-ERR ignore does not take a Cancel, so it runs to its end\\n");
    it.begun.open();
    assert_eq!(rest(stream), b"");
    it.ends();
    let answer = it.daemon.ask(format!("dockipc cancel {id}\n"));
    assert!(answer.starts_with("-ERR no command "), "{answer}");
}

#[test]
fn client_that_times_out_cancels_its_command() {
    let it = Lingering::start(Server::new());
    let client = Client::new(it.daemon.path()).timeout(Duration::from_millis(100));
    let error = client.command("linger").call::<()>().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. } | Error::Refused(_)), "{error}");
    it.reasons.take();
    it.ends();
}

/// Keep the command's `Cancel` after the answer.
#[command]
fn keep(kept: State<Kept<Cancel>>, cancel: Cancel) {
    kept.keep(cancel);
}

#[test]
fn kept_cancel_is_not_asked_to_stop_after_the_answer() {
    let it = Lingering::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(&resp(&["keep"])).unwrap();
    expect(&mut stream, b"+OK\r\n");
    let cancel = it.cancels.take();
    drop(stream);
    // That of the question is left.
    until("one connection", || it.daemon.ask("info\n").contains("connected_clients:1\\r"));
    assert!(!cancel.is_cancelled());
}

#[test]
fn opening_of_a_call_is_not_nested() {
    let daemon = Daemon::start(States::default().of(Server::new()));
    let mut words = ["dockipc", "with", "--"].repeat(20_000);
    words.push("ping");
    let mut stream = daemon.connect();
    stream.write_all(&resp(&words)).unwrap();
    expect(&mut stream, b"-USAGE ");
}
