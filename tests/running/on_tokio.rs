//! Async commands on a tokio runtime, of both flavors.

use std::future::pending;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use dockipc::{
    Arg, AsyncClient, Client, Error, Peer, Request, Secret, Server, State, Stop, Stopped, command,
};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, PATIENCE, Place, exchange, expect, resp, rest};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use super::kept::{Kept, LONG, States};

/// Answer with the word.
#[command]
#[expect(clippy::unused_async, reason = "it is ready at once")]
async fn say(word: &str) -> String {
    word.to_owned()
}

/// Answer with the word, after a moment.
#[command]
async fn say_later(word: &str) -> String {
    tokio::time::sleep(Duration::from_millis(1)).await;
    word.to_owned()
}

/// Wait until `ring` is called.
#[command]
async fn listen(request: &Request<'_>) -> u64 {
    let table: &State<Table> = request.state().unwrap();
    let rung = table.rung.notified();
    table.gate.pass();
    rung.await;
    table.gate.pass();
    7
}

/// Call those that listen.
#[command]
#[expect(clippy::unused_async, reason = "it is ready at once")]
async fn ring(request: &Request<'_>) {
    request.state::<Table>().unwrap().rung.notify_waiters();
}

/// Wait forever; the guard is dropped when the command is asked to stop.
#[command(abort)]
async fn wait_forever(request: &Request<'_>) {
    let _guard = Guard(request.state::<Table>().unwrap().dropped.clone());
    pending::<()>().await;
}

/// Wait forever.
#[command]
async fn wait_anyway(request: &Request<'_>) {
    let table: &State<Table> = request.state().unwrap();
    let _guard = Guard(table.dropped.clone());
    table.gate.pass();
    pending::<()>().await;
}

/// Panic, after a moment.
#[command]
async fn fall_later() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    panic!("on purpose");
}

/// Block the thread until the gate is open.
#[command]
fn block(request: &Request<'_>) {
    request.state::<Table>().unwrap().blocked.pass();
}

/// Block the thread that polls the future first until the gate is open.
#[command]
#[expect(clippy::unused_async, reason = "it is ready at once")]
async fn block_in_future(request: &Request<'_>) {
    request.state::<Table>().unwrap().blocked.pass();
}

/// Stop the daemon.
#[command]
async fn quit_later(stop: Stop) -> &'static str {
    tokio::task::yield_now().await;
    stop.after_answer();
    "bye"
}

#[derive(Arg, Clone, Copy, Debug, PartialEq)]
enum Color {
    Red,
    Blue,
}

/// Take all kinds of parameters.
#[command]
#[expect(clippy::too_many_arguments, reason = "there are many kinds")]
async fn take_all(
    table: &State<Gate>,
    reasons: State<Kept<Stopped>>,
    peer: Peer,
    same_peer: &Peer,
    request: &Request<'_>,
    text: &str,
    bytes: &[u8],
    color: Color,
    #[arg(secret)] hidden: &str,
    pin: Secret<String>,
    #[arg(flag)] loud: bool,
    #[arg(long, default = 3)] times: u8,
    #[arg(long)] note: Option<&str>,
    others: Vec<&str>,
) -> String {
    tokio::task::yield_now().await;
    assert_eq!(table.came() + reasons.len(), 0);
    assert_eq!(peer.uid(), same_peer.uid());
    let pin = pin.expose().len() + hidden.len();
    let bytes = bytes.escape_ascii();
    let name = request.name();
    format!("{name} {text} {bytes} {color:?} {pin} {loud} {times} {note:?} {others:?}")
}

struct Guard(Kept<bool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.keep(Handle::try_current().is_ok());
    }
}

#[derive(Clone, Default)]
struct Table {
    rung: Arc<Notify>,
    gate: Gate,
    blocked: Gate,
    /// Whether a guard was dropped on the runtime.
    dropped: Kept<bool>,
}

fn server() -> (Server, Table) {
    let table = Table::default();
    table.gate.open();
    (States::default().of(Server::new()).state(table.clone()), table)
}

fn flavors() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.worker_threads(2).enable_all().build().unwrap())
}

/// Serves on a runtime of each flavor, while a test talks to the server on another thread.
fn served(test: impl Fn(&Path, &Table) + Sync) {
    for runtime in flavors() {
        let place = Place::new();
        let path = place.socket();
        let (server, table) = server();
        let over = Notify::new();
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                let _end = End(&over);
                until("a socket", || UnixStream::connect(&path).is_ok());
                test(&path, &table);
            });
            runtime.block_on(server.serve(&path).until(over.notified())).unwrap();
            client.join().unwrap();
        });
        assert!(!path.exists());
    }
}

struct End<'o>(&'o Notify);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(path: &Path, bytes: &[u8]) -> String {
    exchange(connect(path), bytes).escape_ascii().to_string()
}

/// Sends a command, and returns the connection without waiting for the answer.
fn begin(path: &Path, line: &str) -> UnixStream {
    let mut stream = connect(path);
    stream.write_all(line.as_bytes()).unwrap();
    stream
}

#[test]
fn server_runs_until_the_future_is_ready() {
    served(|path, _| {
        assert_eq!(ask(path, b"say a\n"), "a");
        assert_eq!(ask(path, b"say-later b\n"), "b");
        let pipeline = [resp(&["say-later", "a"]), resp(&["say", "b"]), resp(&["quit"])];
        assert_eq!(ask(path, &pipeline.concat()), "$1\\r\\na\\r\\n$1\\r\\nb\\r\\n+OK\\r\\n");
    });
}

#[test]
fn async_command_has_every_kind_of_parameter() {
    served(|path, _| {
        let line = b"take-all a 'b c' blue xyz 1234 --loud --note=n d e\n";
        let all = "take-all a b c Blue 7 true 3 Some(\\\"n\\\") [\\\"d\\\", \\\"e\\\"]";
        assert_eq!(ask(path, line), all);
        assert!(ask(path, b"take-all a b green x 1\n").starts_with("-USAGE "));
    });
}

#[test]
fn one_command_wakes_another() {
    served(|path, table| {
        let came = table.gate.came();
        let mut streams: Vec<_> = (0..20).map(|_| begin(path, "listen\n")).collect();
        until("commands that listen", || table.gate.came() == came + 20);
        // The registration of the last one may come after its pass of the gate.
        until("commands that are awake", || {
            ask(path, b"ring\n");
            table.gate.came() == came + 40
        });
        streams.drain(..).for_each(|stream| assert_eq!(rest(stream), b"7"));
    });
}

#[test]
fn panic_after_a_wait_is_an_answer() {
    served(|path, _| {
        for _ in 0..3 {
            assert!(ask(path, b"fall-later\n").starts_with("-PANIC fall-later panicked"));
        }
        assert_eq!(ask(path, b"say-later a\n"), "a");
    });
}

#[test]
fn aborted_future_is_dropped_on_the_runtime() {
    served(|path, table| {
        // By a client that leaves.
        let stream = begin(path, "wait-forever\n");
        until("a command that runs", || ask(path, b"dockipc running\n").contains("wait-forever"));
        drop(stream);
        assert!(table.dropped.take());
        // By an operator.
        let stream = begin(path, "wait-forever\n");
        until("a command that runs", || ask(path, b"dockipc running\n").contains("wait-forever"));
        let list = ask(path, b"dockipc running\n");
        let id = list.split("\\t").find(|word| word.parse::<u64>().is_ok()).unwrap();
        assert_eq!(ask(path, format!("dockipc cancel {id}\n").as_bytes()), "");
        assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\n");
        assert!(table.dropped.take());
        // By the deadline.
        let open = ["dockipc", "with", "deadline", "20", "--", "wait-forever"];
        let mut stream = connect(path);
        stream.write_all(&resp(&open)).unwrap();
        expect(&mut stream, b"-TIMEOUT the time for the command has passed\r\n");
        assert!(table.dropped.take());
    });
}

#[test]
fn future_runs_on_after_its_client_has_left() {
    served(|path, table| {
        let came = table.gate.came();
        let stream = begin(path, "listen\n");
        until("a command that listens", || table.gate.came() == came + 1);
        drop(stream);
        until("the command's end", || {
            ask(path, b"ring\n");
            table.gate.came() == came + 2
        });
    });
}

#[test]
fn blocking_commands_and_futures_do_not_wait_for_each_other() {
    served(|path, table| {
        let blocked: Vec<_> = (0..4).map(|_| begin(path, "block\n")).collect();
        let futures: Vec<_> = (0..4).map(|_| begin(path, "block-in-future\n")).collect();
        let waiting: Vec<_> = (0..4).map(|_| begin(path, "wait-anyway\n")).collect();
        until("commands that block", || table.blocked.waiting() == 8);
        assert_eq!(ask(path, b"say-later a\n"), "a");
        assert_eq!(ask(path, b"ping\n"), "PONG");
        table.blocked.open();
        blocked.into_iter().chain(futures).for_each(|stream| assert_eq!(rest(stream), b""));
        drop(waiting);
        table.blocked.close();
    });
}

#[test]
fn async_command_stops_the_server() {
    for runtime in flavors() {
        let place = Place::new();
        let path = place.socket();
        let (server, _) = server();
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                until("a socket", || UnixStream::connect(&path).is_ok());
                ask(&path, b"quit-later\n")
            });
            runtime.block_on(server.serve(&path)).unwrap();
            assert_eq!(client.join().unwrap(), "bye");
        });
    }
}

#[test]
fn stop_tells_which_commands_were_unfinished() {
    for runtime in flavors() {
        let place = Place::new();
        let path = place.socket();
        let (server, table) = server();
        let server = server.shutdown_timeout(Duration::from_millis(20));
        let begun = async {
            while table.gate.came() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                until("a socket", || UnixStream::connect(&path).is_ok());
                ask(&path, b"wait-anyway\n")
            });
            let ended = runtime.block_on(server.serve(&path).until(begun));
            let Err(Error::Unfinished(unfinished)) = ended else { panic!("{ended:?}") };
            assert_eq!(unfinished[0].name(), "wait-anyway");
            assert!(client.join().unwrap().starts_with("-SHUTDOWN "));
        });
    }
}

#[test]
fn run_on_a_runtime_is_refused() {
    for runtime in flavors() {
        let place = Place::new();
        let error = runtime.block_on(async { server().0.run(place.socket()) }).unwrap_err();
        assert!(error.to_string().contains("Server::serve(path).await"), "{error}");
        assert!(!place.socket().exists());
    }
}

#[test]
fn bound_server_is_served_on_a_runtime() {
    let place = Place::new();
    // Before there is a runtime.
    let bound = server().0.bind(place.socket()).unwrap();
    let path = bound.path().to_owned();
    let client = thread::spawn(move || [ask(&path, b"say-later a\n"), ask(&path, b"quit-later\n")]);
    let [runtime, _] = flavors();
    runtime.block_on(bound.serve()).unwrap();
    assert_eq!(client.join().unwrap(), ["a", "bye"]);

    let bound = server().0.bind(place.socket()).unwrap();
    assert!(runtime.block_on(async { bound.run() }).is_err());
    assert!(!place.socket().exists());
}

#[test]
fn serve_without_a_runtime_is_refused() {
    let place = Place::new();
    let mut serve = pin!(server().0.serve(place.socket()));
    let polled = serve.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = polled else { panic!("{polled:?}") };
    assert!(error.to_string().contains("Server::run"), "{error}");
}

#[test]
fn failed_start_is_the_result() {
    for runtime in flavors() {
        let (server, _) = server();
        let ended = runtime.block_on(server.serve("/nonexistent/s.sock"));
        assert!(ended.unwrap_err().to_string().contains("/nonexistent/s.sock"));
    }
}

#[test]
fn dropped_serve_stops_the_server() {
    for runtime in flavors() {
        let place = Place::new();
        runtime.block_on(async {
            let mut serve = pin!(server().0.serve(place.socket()));
            let polled = std::future::poll_fn(|context| Poll::Ready(serve.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            assert!(place.socket().exists());
        });
        assert!(!place.socket().exists());
    }
}

#[test]
fn dropped_handle_does_not_block_the_runtime() {
    for runtime in flavors() {
        let place = Place::new();
        let (server, table) = server();
        let daemon = runtime.block_on(async {
            let daemon = server.shutdown_timeout(LONG).spawn(place.socket()).unwrap();
            (daemon, tokio::task::yield_now().await).0
        });
        let stream = begin(&place.socket(), "block\n");
        until("a command that blocks", || table.blocked.waiting() == 1);
        // If it blocked, it would do so for ten minutes.
        runtime.block_on(async move { drop(daemon) });
        assert!(!place.socket().exists());
        table.blocked.open();
        assert_eq!(rest(stream), b"");
    }
}

#[test]
fn stopped_waits_for_the_commands() {
    for runtime in flavors() {
        let place = Place::new();
        let (server, table) = server();
        runtime.block_on(async {
            let daemon = server.spawn(place.socket()).unwrap();
            let path = place.socket();
            let client = tokio::task::spawn_blocking(move || ask(&path, b"block\n"));
            while table.blocked.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            daemon.shutdown();
            let mut stopped = pin!(daemon.stopped());
            let polled =
                std::future::poll_fn(|context| Poll::Ready(stopped.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            table.blocked.open();
            assert!(stopped.await.is_empty());
            assert_eq!(client.await.unwrap(), "");
        });
    }
}

#[test]
fn runtime_that_ends_drops_its_commands() {
    for runtime in flavors() {
        let (server, table) = server();
        let context = runtime.enter();
        let daemon = Daemon::start(server);
        drop(context);
        let stream = begin(&daemon.path(), "wait-anyway\n");
        until("a command that waits", || table.gate.came() == 1);
        let client = thread::spawn(move || String::from_utf8(rest(stream)).unwrap());
        runtime.shutdown_background();
        assert_eq!(client.join().unwrap(), "-ERR the command was dropped\n");
        table.dropped.take();
        // Nor do later ones begin.
        assert_eq!(daemon.ask("say-later a\n"), "-ERR the command was dropped\\n");
        assert_eq!(daemon.ask("ping\n"), "PONG");
        daemon.handle().shutdown();
        assert!(daemon.handle().join().is_empty());
    }
}

#[test]
fn server_without_a_runtime_around_has_its_own() {
    let (server, table) = server();
    let daemon = Daemon::start(server);
    assert_eq!(daemon.ask("say-later a\n"), "a");
    let client = Client::new(daemon.path());
    assert_eq!(client.command("say-later").arg("b").call::<String>().unwrap(), "b");
    let stream = begin(&daemon.path(), "wait-forever\n");
    until("a running command", || daemon.ask("dockipc running\n").contains("wait-forever"));
    drop(stream);
    assert!(table.dropped.take());
}

#[test]
fn async_commands_run_in_process() {
    for runtime in flavors() {
        let (server, _) = server();
        runtime.block_on(async {
            let daemon = server.spawn_in_process().unwrap();
            let client = daemon.client();
            let call = move || client.command("say-later").arg("a").call::<String>().unwrap();
            assert_eq!(tokio::task::spawn_blocking(call).await.unwrap(), "a");
            daemon.shutdown();
            daemon.stopped().await;
        });
    }
}

/// The daemon of the test below.
#[test]
fn serves() {
    apart::serve(|path| {
        let flavor: usize = std::env::var(FLAVOR).unwrap().parse().unwrap();
        flavors()[flavor].block_on(server().0.serve(path)).unwrap();
    });
}

const FLAVOR: &str = "DOCKIPC_TEST_FLAVOR";

#[test]
fn signal_ends_the_future() {
    for (flavor, signal) in [("0", Signal::TERM), ("1", Signal::INT)] {
        let place = Place::new();
        let daemon = Apart::start_with("serves", place.socket(), &[(FLAVOR, flavor)]);
        assert_eq!(ask(daemon.path(), b"say-later a\n"), "a");
        daemon.signal(signal);
        assert!(daemon.wait().success());
        assert!(!place.socket().exists());
    }
}

#[test]
fn async_client_sends_its_deadline() {
    let daemon = Daemon::start(States::default().of(Server::new()).state(Table::default()));
    for runtime in flavors() {
        let client = AsyncClient::new(daemon.path()).timeout(LONG);
        runtime.block_on(async {
            // On a new connection, and on a kept one.
            for _ in 0..2 {
                let left: Option<u64> = client.command("left").call().await.unwrap();
                assert!((1..=600_000).contains(&left.unwrap()), "{left:?}");
            }
            let none = client.command("left").timeout(None).call::<Option<u64>>().await.unwrap();
            assert_eq!(none, None);
        });
    }
}
