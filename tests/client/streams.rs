//! The items of a stream, as our client reads them.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::client::Canceller;
use dockipc::{Answerer, Client, Deferred, Error, Failure, Server, State, Stream, command};
use tests::process::until;
use tests::{Daemon, Place};

/// Counts the streams that are alive.
#[derive(Default)]
pub(super) struct Alive(pub(super) AtomicUsize);

/// Count from 0.
#[command(idempotent)]
fn count_up(
    alive: State<Alive>,
    to: Option<u64>,
    fail: Option<bool>,
) -> Stream<Result<u64, Failure>> {
    struct Items(State<Alive>, std::ops::Range<u64>, bool);

    impl Iterator for Items {
        type Item = Result<u64, Failure>;

        fn next(&mut self) -> Option<Self::Item> {
            let next = self.1.next().map(Ok);
            let failure = || Some(Err(Failure::new("BROKEN", "in the end")));
            next.or_else(|| if std::mem::take(&mut self.2) { failure() } else { None })
        }
    }

    impl Drop for Items {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, Relaxed);
        }
    }

    alive.0.fetch_add(1, Relaxed);
    Stream::iter(Items(alive, 0..to.unwrap_or(u64::MAX), fail == Some(true)))
}

/// Answer with numbers and words.
#[command]
fn mixed() -> Stream<String> {
    Stream::iter(["1", "two", "3"].map(String::from))
}

static WAITING: Mutex<Vec<Answerer<String>>> = Mutex::new(Vec::new());

/// Answer when the test does.
#[command]
fn late() -> Deferred<String> {
    let (later, answer) = Deferred::new();
    WAITING.lock().unwrap().push(answer);
    later
}

/// Answer with a list.
#[command]
fn no_stream() -> Vec<u64> {
    vec![1, 2]
}

/// Answer with chunks.
#[command]
fn chunks(count: usize, size: usize) -> Stream<Vec<u8>> {
    Stream::iter((0..count).map(move |i| vec![u8::try_from(i % 251).unwrap(); size]))
}

pub(super) fn start() -> (Daemon, State<Alive>) {
    let alive = State::new(Alive::default());
    (Daemon::start(Server::new().share(alive.clone())), alive)
}

fn client(daemon: &Daemon) -> Client {
    Client::new(daemon.path())
}

#[test]
fn items_arrive_in_order_to_the_end() {
    let (daemon, alive) = start();
    let client = client(&daemon);
    for _ in 0..3 {
        let items = client.command("count-up").arg(1000).stream::<u64>().unwrap();
        assert!(items.map(Result::unwrap).eq(0..1000));
    }
    until("the streams to be dropped", || alive.0.load(Relaxed) == 0);
    // The connection was used again.
    assert!(daemon.handle().client().send("info").unwrap().len() > 10);
}

#[test]
fn error_is_the_last_item() {
    let (daemon, _) = start();
    let mut items = client(&daemon).command("count-up").arg(2).arg(true).stream::<u64>().unwrap();
    assert_eq!(items.next().unwrap().unwrap(), 0);
    assert_eq!(items.next().unwrap().unwrap(), 1);
    let error = items.next().unwrap().unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "BROKEN");
    assert!(items.next().is_none());
    let error = client(&daemon).command("count-up").arg("x").stream::<u64>().unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "USAGE");
}

#[test]
fn item_of_another_type_is_an_error_of_its_own() {
    let (daemon, _) = start();
    let items = client(&daemon).command("mixed").stream::<u64>().unwrap();
    let items: Vec<_> = items.map(Result::ok).collect();
    assert_eq!(items, [Some(1), None, Some(3)]);
}

#[test]
fn list_is_a_stream_of_its_items() {
    let (daemon, _) = start();
    let items = client(&daemon).command("no-stream").stream::<u64>().unwrap();
    assert_eq!(items.map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    let mut pong = client(&daemon).command("ping").stream::<String>().unwrap();
    assert_eq!(pong.next().unwrap().unwrap(), "PONG");
    assert!(pong.next().is_none());
}

#[test]
fn dropped_items_cancel_the_command() {
    let (daemon, alive) = start();
    let mut items = client(&daemon).command("count-up").stream::<u64>().unwrap();
    assert_eq!(items.nth(5).unwrap().unwrap(), 5);
    assert_eq!(alive.0.load(Relaxed), 1);
    drop(items);
    until("the stream to be dropped", || alive.0.load(Relaxed) == 0);
}

#[test]
fn canceller_ends_a_stream() {
    let (daemon, alive) = start();
    let client = client(&daemon);
    let call = client.command("count-up");
    let canceller = call.canceller();
    let mut items = call.stream::<u64>().unwrap();
    assert_eq!(items.next().unwrap().unwrap(), 0);
    canceller.cancel();
    let last = items.by_ref().last().unwrap().unwrap_err();
    assert_eq!(last.failure().unwrap().code(), "CANCELLED");
    until("the stream to be dropped", || alive.0.load(Relaxed) == 0);
}

#[test]
fn canceller_of_an_ended_stream_cancels_no_other_call() {
    /// The call that is made when the stream's function is dropped, after its end.
    struct Next(Client, Canceller, Arc<Mutex<Option<dockipc::Result<String>>>>);

    impl Drop for Next {
        fn drop(&mut self) {
            let client = self.0.clone();
            let call = thread::spawn(move || {
                client.command("late").timeout(Duration::from_secs(60)).call::<String>()
            });
            until("the next call", || !WAITING.lock().unwrap().is_empty());
            self.1.cancel();
            WAITING.lock().unwrap().pop().unwrap().send("its own".into());
            *self.2.lock().unwrap() = Some(call.join().unwrap());
        }
    }

    let (daemon, _) = start();
    let client = client(&daemon);
    let answer = Arc::default();
    let call = client.command("count-up").arg(2);
    let next = Next(client.clone(), call.canceller(), Arc::clone(&answer));
    let items = call.on_progress(move |_| _ = &next).stream::<u64>().unwrap();
    assert_eq!(items.map(Result::unwrap).collect::<Vec<_>>(), [0, 1]);
    let answer = answer.lock().unwrap().take().unwrap();
    assert_eq!(answer.unwrap(), "its own");
}

#[test]
fn timeout_limits_the_whole_stream() {
    let (daemon, alive) = start();
    let call = client(&daemon).clone();
    let call = call.command("count-up").timeout(Duration::from_millis(50));
    // On a busy machine the time is over before the first item.
    let last = call.stream::<u64>().and_then(|items| items.last().unwrap()).unwrap_err();
    let is_timeout = match &last {
        Error::Refused(failure) => failure.code() == "TIMEOUT",
        Error::TimedOut { .. } => true,
        _ => false,
    };
    assert!(is_timeout, "{last}");
    until("the stream to be dropped", || alive.0.load(Relaxed) == 0);
}

#[test]
fn copied_stream_is_written_as_it_arrives() {
    let (daemon, _) = start();
    let mut out = Vec::new();
    let copied = client(&daemon).command("chunks").arg(300).arg(100_000).copy_to(&mut out);
    assert_eq!(copied.unwrap(), 30_000_000);
    for (i, chunk) in out.chunks(100_000).enumerate() {
        assert!(chunk.iter().all(|&b| usize::from(b) == i % 251));
    }
    out.clear();
    client(&daemon).command("mixed").copy_to(&mut out).unwrap();
    assert_eq!(out, b"1\ntwo\n3\n");
    let items = client(&daemon).command("chunks").arg(300).arg(70_000).stream::<Vec<u8>>().unwrap();
    let whole =
        items.enumerate().all(|(i, item)| item.unwrap().iter().all(|&b| usize::from(b) == i % 251));
    assert!(whole);
}

/// A daemon that answers each connection with these bytes and closes it.
pub(super) fn scripted(place: &Place, answer: Vec<u8>) -> Client {
    let listener = UnixListener::bind(place.socket()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The client may have left.
            let _ = stream.write_all(&answer);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    Client::new(place.socket())
}

#[test]
fn stream_that_is_cut_is_never_whole() {
    let hello = b"%1\r\n$4\r\nwith\r\n$15\r\ndeadline stream\r\n+OK\r\n".to_vec();
    let item = |value: &str| format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n{value}\r\n");
    let sign = ">3\r\n$7\r\ndockipc\r\n$7\r\nrunning\r\n$1\r\n1\r\n";
    let body = [&item(":1"), sign, &item("$5\r\n:2\r\n3"), "+OK\r\n"].concat().into_bytes();
    let mut whole = Vec::new();
    for end in 0..=body.len() {
        let place = Place::new();
        let client = scripted(&place, [&hello, &body[..end]].concat());
        let call = client.command("tail").timeout(Duration::from_secs(20));
        let is_whole = match call.stream::<dockipc::Reply>() {
            Ok(mut items) => items.all(|item| item.is_ok()),
            Err(_) => false,
        };
        if is_whole {
            whole.push(end);
        }
    }
    assert_eq!(whole, [body.len()]);
}

#[test]
fn daemon_without_streams_answers_with_its_list() {
    let place = Place::new();
    let client = scripted(&place, b"%0\r\n+OK\r\n*2\r\n:1\r\n:2\r\n".to_vec());
    let items = client.command("tail").stream::<u64>().unwrap();
    assert_eq!(items.map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
}
