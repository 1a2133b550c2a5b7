//! Many commands that wait at once: none holds a thread, and each takes little memory.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;

use dockipc::{Answerer, Deferred, Request, Server, State, command};
use tests::apart::{self, Apart};
use tests::process::{settled, until};
use tests::{Place, exchange, expect, figure, long, raise_descriptor_limit, resp};
use tokio::sync::Notify;

use super::kept::States;

/// Sleep until `wake` is called.
#[command]
async fn sleep_on(request: &Request<'_>, name: &str) -> String {
    let bed: &State<Bed> = request.state().unwrap();
    bed.morning.notified().await;
    name.to_owned()
}

/// Answer when `wake` is called.
#[command]
fn sleep_deferred(request: &Request<'_>) -> Deferred<u64> {
    let bed: &State<Bed> = request.state().unwrap();
    let (later, answer) = Deferred::new();
    bed.answers.lock().unwrap().push(answer);
    later
}

/// Wake all that sleep, and answer with the number of those that are deferred.
#[command]
fn wake(request: &Request<'_>) -> u64 {
    let bed: &State<Bed> = request.state().unwrap();
    bed.morning.notify_waiters();
    let answers = std::mem::take(&mut *bed.answers.lock().unwrap());
    answers.into_iter().map(|answer| u64::from(answer.send(1))).sum()
}

#[derive(Default)]
struct Bed {
    morning: Notify,
    answers: Mutex<Vec<Answerer<u64>>>,
}

fn server() -> Server {
    let most = 20_000;
    States::default().of(Server::new()).state(Bed::default()).max_connections(most)
}

/// The daemon of the tests below, without a runtime around.
#[test]
fn serves() {
    apart::serve(|path| {
        raise_descriptor_limit();
        server().run(path).unwrap();
    });
}

/// The daemon of the tests below, on a runtime.
#[test]
fn serves_on_tokio() {
    apart::serve(|path: &Path| {
        raise_descriptor_limit();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(server().serve(path)).unwrap();
    });
}

/// The number of threads, those of a runtime included.
fn all_threads(daemon: &Apart) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap().count()
}

fn calls_asleep(test: &str, command: &[&str], answer: &[u8]) {
    let place = Place::new();
    raise_descriptor_limit();
    let count = long(1_000, 10_000);
    let daemon = Apart::start(test, place.socket());
    let mut streams: Vec<UnixStream> = (0..count).map(|_| daemon.connect()).collect();
    // The list of the commands below takes memory as well, which the allocator keeps.
    let running = || {
        let list = exchange(daemon.connect(), b"dockipc running\n");
        list.split(|byte| *byte == b'\n').count() - 1
    };
    until("connections", || daemon.descriptors() > count);
    let (memory, threads) = (settled(|| daemon.resident()), all_threads(&daemon));
    for stream in &mut streams {
        stream.write_all(&resp(command)).unwrap();
    }
    until("commands that run", || running() >= count);
    // On a busy machine a command may be taken for slow and run on a thread of its own, which ends soon.
    let more_threads = || all_threads(&daemon).saturating_sub(threads);
    until("few threads", || more_threads() <= 8);
    let each = (settled(|| daemon.resident()) - memory) / count;
    assert_eq!(exchange(daemon.connect(), b"ping\n"), b"PONG");
    figure(test, format_args!("{count} asleep: {each} B each, {} threads more", more_threads()));
    assert!(each <= 4096, "{each} bytes each");
    exchange(daemon.connect(), b"wake\n");
    for stream in &mut streams {
        expect(stream, answer);
    }
}

#[test]
fn async_commands_asleep_take_no_thread() {
    calls_asleep("serves", &["sleep-on", "name"], b"$4\r\nname\r\n");
}

#[test]
fn commands_asleep_on_a_runtime_take_no_thread() {
    calls_asleep("serves_on_tokio", &["sleep-on", "name"], b"$4\r\nname\r\n");
}

#[test]
fn deferred_answers_take_no_thread() {
    calls_asleep("serves", &["sleep-deferred"], b":1\r\n");
}
