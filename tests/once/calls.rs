//! Calls with a token: what runs, what is remembered, and what a repeat gets.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::error::Ran;
use dockipc::{
    Answerer, Body, Cancel, Client, Deferred, Error, Failure, Once, Server, State, Stopped, Stream,
    command,
};
use tests::gate::Gate;
use tests::process::until;
use tests::scripted::{GREETING, greet_alone, scripted};
use tests::{Daemon, PATIENCE, Place, exchange, expect, resp, rest};

use super::file::Ledger;
use super::proxy::Counter;

/// The number of runs of any command.
#[derive(Clone, Default)]
pub(super) struct Runs(Arc<AtomicU64>);

impl Runs {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Where the answers of `pick` come from.
type Answers = Mutex<Sender<Answerer<u64>>>;

#[command]
fn add(runs: State<Runs>, n: u64) -> u64 {
    runs.next() * n
}

#[command]
fn pass(runs: State<Runs>, gate: State<Gate>) -> u64 {
    gate.pass();
    runs.next()
}

/// Waits until the test opens the gate, and tells whether it was asked to stop.
#[command]
fn listen(runs: State<Runs>, gate: State<Gate>, cancel: Cancel) -> Result<u64, Stopped> {
    gate.pass();
    cancel.check()?;
    Ok(runs.next())
}

/// Waits until it is asked to stop.
#[command]
fn wait(runs: State<Runs>, gate: State<Gate>, cancel: Cancel) -> Result<(), Stopped> {
    runs.next();
    gate.pass();
    assert!(cancel.wait(PATIENCE));
    cancel.check()
}

#[command]
fn pick(runs: State<Runs>, answers: State<Answers>) -> Deferred<u64> {
    runs.next();
    let (later, answer) = Deferred::new();
    answers.lock().unwrap().send(answer).unwrap();
    later
}

#[command]
#[expect(clippy::unused_async, reason = "it answers at once")]
async fn run_async(runs: State<Runs>, gate: State<Gate>) -> u64 {
    gate.pass();
    runs.next()
}

#[command]
fn fail(runs: State<Runs>) -> Result<(), Failure> {
    Err(Failure::new("FULL", format_args!("run {}", runs.next())))
}

#[command]
fn burst(runs: State<Runs>) {
    panic!("run {}", runs.next());
}

#[command]
fn rows(runs: State<Runs>) -> Vec<(String, Option<f64>)> {
    vec![(format!("run {}", runs.next()), Some(0.5)), ("none".into(), None)]
}

#[command]
fn token(once: Once) -> (String, bool) {
    (once.token().to_owned(), once.is_repeat())
}

#[command]
fn maybe_token(once: Option<Once>) -> Option<String> {
    once.map(|once| once.token().to_owned())
}

#[command]
fn size(body: Body) -> std::io::Result<usize> {
    let mut bytes = Vec::new();
    { body }.read_to_end(&mut bytes)
}

#[command]
fn count(to: u64) -> Stream<u64> {
    Stream::iter(1..=to)
}

#[command(allow = "uid:4294967294")]
fn forbidden(runs: State<Runs>) -> u64 {
    runs.next()
}

/// Adds what the commands of this program use. Some have their effect in files of this directory.
pub(super) fn states(
    server: Server,
    directory: &Path,
    runs: &Runs,
    gate: &Gate,
) -> (Server, Receiver<Answerer<u64>>) {
    let (sender, answers) = channel();
    let server = server.state(runs.clone()).state(gate.clone()).state(Mutex::new(sender));
    let server = server.state(Counter::new(directory.join("count")));
    (server.state(Ledger::open(directory.join("ledger"))), answers)
}

pub(super) fn start_with(server: Server) -> (Daemon, Runs, Gate, Receiver<Answerer<u64>>) {
    let (runs, gate) = (Runs::default(), Gate::default());
    let (server, answers) = states(server, Path::new("/nonexistent"), &runs, &gate);
    (Daemon::start(server), runs, gate, answers)
}

fn start() -> (Daemon, Runs, Gate, Receiver<Answerer<u64>>) {
    start_with(Server::new().once())
}

pub(super) fn once(token: &str, words: &[&str]) -> Vec<u8> {
    resp(&[&["dockipc", "with", "once", token, "--"], words].concat())
}

pub(super) fn open(daemon: &Daemon, command: &[u8]) -> UnixStream {
    let mut stream = daemon.connect();
    stream.write_all(command).unwrap();
    stream
}

/// Waits until this number of calls of a command are in the table of running ones.
#[track_caller]
pub(super) fn until_running(daemon: &Daemon, name: &str, count: usize) {
    until("the calls that run", || daemon.ask("dockipc running\n").matches(name).count() == count);
}

#[test]
fn repeat_gets_the_first_answer() {
    let (daemon, runs, ..) = start();
    for _ in 0..3 {
        let again = [once("a", &["add", "5"]), once("b", &["add", "7"])].concat();
        expect(&mut open(&daemon, &again), b":5\r\n:14\r\n");
    }
    assert_eq!(runs.count(), 2);
    // Without a token it runs.
    expect(&mut open(&daemon, &resp(&["add", "5"])), b":15\r\n");
}

#[test]
fn repeat_gets_the_answer_in_its_own_protocol() {
    let (daemon, runs, ..) = start();
    let ask = |token: &str| once(token, &["rows"]);
    let line = resp(&["dockipc", "with", "once", "l", "--", "dockipc", "line", "rows"]);
    let hello = [resp(&["HELLO", "3"]), ask("a"), resp(&["quit"])].concat();
    expect(
        &mut open(&daemon, &ask("a")),
        b"*2\r\n*2\r\n$5\r\nrun 1\r\n$3\r\n0.5\r\n*2\r\n$4\r\nnone\r\n$-1\r\n",
    );
    let answer = rest(open(&daemon, &hello)).escape_ascii().to_string();
    let whole = r"*2\r\n*2\r\n$5\r\nrun 1\r\n,0.5\r\n*2\r\n$4\r\nnone\r\n_\r\n+OK\r\n";
    assert!(answer.ends_with(whole), "{answer}");
    for _ in 0..2 {
        expect(&mut open(&daemon, &line), b"$16\r\nrun 2\t0.5\nnone\t\n\r\n");
    }
    assert_eq!(runs.count(), 2);
}

#[test]
fn errors_and_panics_are_remembered() {
    let (daemon, runs, ..) = start();
    for _ in 0..2 {
        expect(&mut open(&daemon, &once("a", &["fail"])), b"-FULL run 1\r\n");
        let panic = b"-PANIC burst panicked; see the daemon's standard error for the message\r\n";
        expect(&mut open(&daemon, &once("b", &["burst"])), panic);
    }
    assert_eq!(runs.count(), 2);
}

#[test]
fn repeat_waits_while_the_first_runs() {
    let (daemon, runs, gate, _) = start();
    for (i, name) in [(1, "pass"), (2, "run-async")] {
        let mut streams: Vec<_> = (0..4).map(|_| open(&daemon, &once(name, &[name]))).collect();
        until_running(&daemon, name, 4);
        gate.open();
        for stream in &mut streams {
            expect(stream, format!(":{i}\r\n").as_bytes());
        }
        gate.close();
        assert_eq!(runs.count(), i);
    }
}

#[test]
fn client_that_left_during_the_run_gets_its_answer() {
    let (daemon, runs, gate, _) = start();
    let stream = open(&daemon, &once("a", &["listen"]));
    until("the run", || gate.waiting() == 1);
    drop(stream);
    let mut stream = open(&daemon, &once("a", &["listen"]));
    until_running(&daemon, "listen", 2);
    gate.open();
    expect(&mut stream, b":1\r\n");
    assert_eq!(runs.count(), 1);
}

#[test]
fn half_close_cancels_the_first_run() {
    for is_repeat in [false, true] {
        let (daemon, runs, gate, _) = start();
        gate.open();
        let mut first = open(&daemon, &once("a", &["wait"]));
        until("the run", || runs.count() == 1);
        let mut repeat = open(&daemon, &once("a", &["wait"]));
        until_running(&daemon, "wait", 2);
        let cancelling = if is_repeat { &repeat } else { &first };
        cancelling.shutdown(Shutdown::Write).unwrap();
        for stream in [&mut first, &mut repeat] {
            let answer = b"-CANCELLED ";
            expect(stream, answer);
        }
        assert_eq!(runs.count(), 1);
    }
}

#[test]
fn cancelled_repeat_is_told_that_the_command_runs() {
    let (daemon, runs, gate, _) = start();
    let mut first = open(&daemon, &once("a", &["pass"]));
    until("the run", || gate.waiting() == 1);
    let repeat = open(&daemon, &once("a", &["pass"]));
    until_running(&daemon, "pass", 2);
    repeat.shutdown(Shutdown::Write).unwrap();
    let answer = rest(repeat).escape_ascii().to_string();
    assert_eq!(answer, r"-CANCELLED the caller has cancelled the command, which still runs\r\n");
    gate.open();
    expect(&mut first, b":1\r\n");
    assert_eq!(runs.count(), 1);
}

#[test]
fn deferred_answer_outlives_its_connection() {
    let (daemon, runs, _, answers) = start();
    let stream = open(&daemon, &once("a", &["pick"]));
    let answer = answers.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    let mut repeats: Vec<_> = (0..2).map(|_| open(&daemon, &once("a", &["pick"]))).collect();
    until_running(&daemon, "pick", 3);
    // One of them leaves as well.
    drop(repeats.pop());
    until_running(&daemon, "pick", 2);
    assert!(!answer.is_cancelled());
    answer.send(7);
    expect(&mut repeats[0], b":7\r\n");
    expect(&mut open(&daemon, &once("a", &["pick"])), b":7\r\n");
    assert_eq!(runs.count(), 1);
    until_running(&daemon, "pick", 0);
}

#[test]
fn operator_stops_a_command_whose_client_has_left() {
    let (daemon, _, _, answers) = start();
    let stream = open(&daemon, &once("a", &["pick"]));
    let answer = answers.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    let listed = daemon.ask("dockipc running\n");
    let id = listed.split(r"\t").nth(1).unwrap();
    daemon.ask(format!("dockipc cancel {id}\n"));
    until("the cancellation", || answer.is_cancelled());
    let repeat = open(&daemon, &once("a", &["pick"]));
    expect(&mut { repeat }, b"-CANCELLED ");
}

#[test]
fn token_with_other_words_is_refused() {
    let (daemon, runs, ..) = start();
    expect(&mut open(&daemon, &once("a", &["add", "5"])), b":5\r\n");
    for words in [&["add", "6"][..], &["fail"], &["add", "5", "6"]] {
        let refused = open(&daemon, &once("a", words));
        expect(&mut { refused }, b"-USAGE ");
    }
    assert_eq!(runs.count(), 1);
}

#[test]
fn refusals_are_not_remembered() {
    let refuses = Arc::new(AtomicU64::new(1));
    let left = Arc::clone(&refuses);
    let before = move |_: &dockipc::hooks::Call<'_>| match left.swap(0, SeqCst) {
        0 => Ok(()),
        _ => Err(Failure::new("RATELIMIT", "later")),
    };
    let (daemon, runs, ..) = start_with(Server::new().once().before(before));
    expect(&mut open(&daemon, &once("a", &["add", "5"])), b"-RATELIMIT later\r\n");
    expect(&mut open(&daemon, &once("a", &["add", "5"])), b":5\r\n");
    // Words that do not fit, and a rule that denies.
    for (words, code) in [(&["add", "x"][..], "-USAGE "), (&["forbidden"], "-NOPERM ")] {
        for _ in 0..2 {
            expect(&mut open(&daemon, &once("b", words)), code.as_bytes());
        }
    }
    expect(&mut open(&daemon, &once("b", &["add", "1"])), b":2\r\n");
    assert_eq!(runs.count(), 2);
}

#[test]
fn every_repeat_is_authorized_and_recorded() {
    let records = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&records);
    let server = Server::new().once().allow("add", "owner | uid:root").audit(move |_| {
        seen.fetch_add(1, SeqCst);
        Ok(())
    });
    let (daemon, runs, ..) = start_with(server);
    for _ in 0..3 {
        expect(&mut open(&daemon, &once("a", &["add", "5"])), b":5\r\n");
    }
    assert_eq!((runs.count(), records.load(SeqCst)), (1, 3));
}

#[test]
fn oldest_answers_are_forgotten_first() {
    let (daemon, runs, ..) = start_with(Server::new().once().max_once(4, 1 << 20));
    for token in ["a", "b", "c", "d", "e"] {
        open(&daemon, &once(token, &["add", "1"])).read_exact(&mut [0; 4]).unwrap();
    }
    for _ in 0..2 {
        let forgotten =
            b"-FORGOTTEN the command has run, and its answer is no longer remembered\r\n";
        expect(&mut open(&daemon, &once("a", &["add", "1"])), forgotten);
        expect(&mut open(&daemon, &once("b", &["add", "1"])), b":2\r\n");
    }
    assert_eq!(runs.count(), 5);
}

#[test]
fn answer_that_is_too_old_is_forgotten() {
    let (daemon, runs, ..) = start_with(Server::new().once().once_timeout(Duration::ZERO));
    expect(&mut open(&daemon, &once("a", &["add", "1"])), b":1\r\n");
    expect(&mut open(&daemon, &once("a", &["add", "1"])), b"-FORGOTTEN ");
    assert_eq!(runs.count(), 1);
}

#[test]
fn answer_beyond_the_bytes_is_forgotten_alone() {
    let (daemon, runs, ..) = start_with(Server::new().once().max_once(100, 600));
    expect(&mut open(&daemon, &once("a", &["add", "1"])), b":1\r\n");
    let long = format!("{:0500}", 1);
    expect(&mut open(&daemon, &once("b", &["repeat", &long])), b"$500\r\n");
    expect(&mut open(&daemon, &once("b", &["repeat", &long])), b"-FORGOTTEN ");
    expect(&mut open(&daemon, &once("a", &["add", "1"])), b":1\r\n");
    assert_eq!(runs.count(), 1);
}

#[command]
fn repeat(text: String) -> String {
    text
}

#[test]
fn token_is_refused_where_it_has_no_meaning() {
    let (daemon, runs, ..) = start();
    let asked = |command: &[u8]| String::from_utf8(exchange(daemon.connect(), command)).unwrap();
    for (command, why) in [
        (once("a", &["count", "3"]), "-USAGE count can't be called once: its answer is a stream"),
        (once("a", &["size", "abc"]), "-USAGE size can't be called once: it takes a body"),
        (once("a", &["subscribe", "x"]), "-USAGE subscribe can't be called once: it subscribes"),
        (once("", &["add", "1"]), "-USAGE once is a token: 1 to 64 letters"),
        (once("a b", &["add", "1"]), "-USAGE once is a token: 1 to 64 letters"),
        (once(&"a".repeat(65), &["add", "1"]), "-USAGE once is a token: 1 to 64 letters"),
    ] {
        let answer = asked(&command);
        assert!(answer.starts_with(why), "{answer}");
    }
    let queued = [resp(&["multi"]), once("a", &["add", "1"]), resp(&["exec"])].concat();
    let answer = asked(&queued);
    let refused = "+OK\r\n-USAGE a call with once can't be queued in a transaction\r\n-EXECABORT ";
    assert!(answer.starts_with(refused), "{answer}");
    let words = ["dockipc", "with", "body", "1", "once", "a", "--", "size"];
    let body = [resp(&words), resp(&["dockipc", "data", "abc"]), resp(&["dockipc", "end"])];
    let answer = asked(&[&body.concat()[..], &resp(&["echo", "b"])].concat());
    let refused = "-USAGE a call with a body can't be made once; call without once\r\n$1\r\nb\r\n";
    assert_eq!(answer, refused);
    assert_eq!(runs.count(), 0);
}

#[test]
fn daemon_without_a_store_refuses_tokens() {
    let (daemon, runs, ..) = start_with(Server::new());
    expect(&mut open(&daemon, &once("a", &["add", "1"])), b"-USAGE this daemon remembers no calls");
    let why = "the daemon does not remember calls, so that none runs once (Server::once); the command was not run";
    for client in [Client::new(daemon.path()), Client::new(daemon.path()).once()] {
        match client.command("add").arg(1).once().call::<u64>() {
            Err(Error::Refused(failure)) => assert_eq!(failure.message(), why),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(runs.count(), 0);
}

#[test]
fn command_gets_its_token() {
    let (daemon, ..) = start();
    let client = Client::new(daemon.path());
    let call = || client.command("token").once();
    let (first, is_repeat) = call().call::<(String, bool)>().unwrap();
    let (other, _) = call().call::<(String, bool)>().unwrap();
    assert!(!is_repeat && first.len() == 32 && first != other, "{first} {other}");
    let given = client.command("maybe-token").once_as("mine").call::<Option<String>>();
    assert_eq!(given.unwrap().as_deref(), Some("mine"));
    assert_eq!(client.command("maybe-token").call::<Option<String>>().unwrap(), None);
    let error = client.command("token").call::<(String, bool)>().unwrap_err();
    assert!(error.to_string().starts_with("USAGE token runs once: it requires a token"), "{error}");
}

#[test]
fn handlers_run_once_as_well() {
    let runs = Runs::default();
    let (named, other) = (runs.clone(), runs.clone());
    let server = Server::new().once();
    let server = server.handle("named", move |_| named.next()).fallback(move |_| other.next());
    let (daemon, ..) = start_with(server);
    for _ in 0..2 {
        expect(&mut open(&daemon, &once("a", &["named", "x"])), b":1\r\n");
        expect(&mut open(&daemon, &once("b", &["other"])), b":2\r\n");
    }
    assert_eq!(runs.count(), 2);
}

#[test]
fn concurrent_calls_with_one_token_run_once() {
    let (daemon, runs, ..) = start();
    for i in 1..=100 {
        let token = format!("t{i}");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut stream = open(&daemon, &once(&token, &["add", "1"]));
                    expect(&mut stream, format!(":{i}\r\n").as_bytes());
                });
            }
        });
        assert_eq!(runs.count(), i);
    }
}

#[test]
fn client_of_calls_that_run_once_gives_each_a_token() {
    let (daemon, runs, ..) = start();
    let client = Client::new(daemon.path()).once();
    assert_eq!(client.command("add").arg(1).call::<u64>().unwrap(), 1);
    assert_eq!(client.command("add").arg(1).call::<u64>().unwrap(), 2);
    let token = client.command("maybe-token").call::<Option<String>>().unwrap();
    assert_eq!(token.map(|token| token.len()), Some(32));
    // They can't have one.
    let items = client.command("count").arg(3).stream::<u64>().unwrap();
    assert_eq!(items.map(Result::unwrap).sum::<u64>(), 6);
    assert_eq!(client.command("size").body(&b"abc"[..]).call::<usize>().unwrap(), 3);
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
    assert_eq!(runs.count(), 2);
}

#[test]
#[cfg(feature = "tokio")]
fn async_client_has_tokens() {
    let (daemon, runs, ..) = start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = dockipc::AsyncClient::new(daemon.path());
    runtime.block_on(async {
        for _ in 0..2 {
            let call = client.command("add").arg(3).once_as("same");
            assert_eq!(call.call::<u64>().await.unwrap(), 3);
        }
        let call = client.command("add").arg(3).once();
        assert_eq!(call.call::<u64>().await.unwrap(), 6);
    });
    assert_eq!(runs.count(), 2);
}

/// The answers of a daemon that remembers calls to a client's handshake.
fn greeting(store: &str) -> Vec<u8> {
    let with = "%2\r\n$4\r\nwith\r\n$13\r\ndeadline once\r\n$4\r\nonce\r\n$1\r\n";
    [with.as_bytes(), store.as_bytes(), b"\r\n+OK\r\n"].concat()
}

fn next(place: &Place, stores: &'static [&'static str]) -> thread::JoinHandle<()> {
    scripted(place, |accept| {
        for (i, store) in stores.iter().enumerate() {
            let mut stream = accept();
            greet_alone(&mut stream, &greeting(store));
            if *store == stores[0] {
                expect(&mut stream, &once("mine", &["add", "1"]));
                if i + 1 == stores.len() {
                    stream.write_all(b":1\r\n").unwrap();
                }
            }
        }
    })
}

#[test]
fn client_repeats_with_the_same_token() {
    let place = Place::new();
    let server = next(&place, &["7", "7", "7"]);
    let call = Client::new(place.socket()).command("add").arg(1).once_as("mine").call::<u64>();
    assert_eq!(call.unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn client_does_not_repeat_at_another_store() {
    let place = Place::new();
    let server = next(&place, &["7", "8"]);
    match Client::new(place.socket()).command("add").arg(1).once_as("mine").call::<u64>() {
        Err(Error::CutOff { ran: Ran::Maybe, .. }) => {}
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

#[test]
fn client_sends_a_token_only_to_a_daemon_that_knows_it() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, GREETING);
        assert_eq!(rest(stream), b"");
    });
    let error = Client::new(place.socket()).command("add").arg(1).once().call::<u64>();
    assert!(matches!(error, Err(Error::Refused(failure)) if failure.code() == "USAGE"));
    server.join().unwrap();
}

#[test]
fn stop_waits_for_the_first_run_and_its_repeats() {
    let (daemon, runs, gate, _) = start();
    let mut first = open(&daemon, &once("a", &["pass"]));
    until("the run", || gate.waiting() == 1);
    let mut repeat = open(&daemon, &once("a", &["pass"]));
    until_running(&daemon, "pass", 2);
    thread::scope(|scope| {
        let path = daemon.path();
        let stopping = scope.spawn(|| daemon.handle().shutdown());
        until("the release of the path", || !path.exists());
        gate.open();
        expect(&mut first, b":1\r\n");
        expect(&mut repeat, b":1\r\n");
        stopping.join().unwrap();
    });
    assert_eq!(runs.count(), 1);
}
