//! The async client: the calls of the blocking one, on a tokio runtime.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;
use std::process::exit;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use dockipc::error::{Ran, code};
use dockipc::{AsyncClient, Error, Failure, Reply, Request, Server};
use rustix::process::{Signal, getpid, kill_process};
use tests::apart::{self, Apart};
use tests::dice::Dice;
use tests::scripted::{GREETING, greet, greet_alone, handshake, scripted};
use tests::{Daemon, PATIENCE, Place, expect, resp};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::deadlines::full;

const SHORT: Duration = Duration::from_millis(50);

/// Returns a client that fails rather than hangs.
fn client(path: impl AsRef<Path>) -> AsyncClient {
    AsyncClient::new(path).read_timeout(PATIENCE).write_timeout(PATIENCE).connect_timeout(PATIENCE)
}

fn runtimes() -> [Runtime; 2] {
    let [mut one, mut many] = [Builder::new_current_thread(), Builder::new_multi_thread()];
    [&mut one, many.worker_threads(2)].map(|builder| builder.enable_all().build().unwrap())
}

/// Runs a test on a runtime of one thread, and on one of two.
fn on_each<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for runtime in runtimes() {
        runtime.block_on(test());
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Starts a daemon with `late MICROS N`, which answers `N` late, and `fail`.
fn daemon() -> Daemon {
    let late = |request: &Request<'_>| -> Result<u64, Failure> {
        thread::sleep(Duration::from_micros(request.parse(0)?));
        request.parse(1)
    };
    let fail = |_: &Request<'_>| Err::<(), _>(Failure::new("NOTFOUND", "no such thing"));
    Daemon::start(Server::new().handle("late", late).handle("fail", fail))
}

#[track_caller]
fn timed_out<T>(result: Result<T, Error>, what: &str, whether: Ran) {
    match result.err().expect("no answer") {
        Error::TimedOut { doing, after, ran } => {
            assert_eq!((doing, after, ran), (what, SHORT, whether));
        }
        error => panic!("{error}"),
    }
}

#[test]
fn async_calls_answer_as_blocking_ones_do() {
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    on_each(|| async {
        let daemon = daemon();
        let client = client(daemon.path());
        is_shared(&client);
        let call = client.command("late").arg(0).arg(7).call::<u64>();
        assert_eq!(is_send(call).await.unwrap(), 7);
        let words = client.command("echo").arg("--text").call::<String>();
        assert_eq!(words.await.unwrap(), "--text");
        assert_eq!(is_send(client.send("echo 'a b'\n")).await.unwrap(), b"a b");
        let text = "x".repeat(900_000);
        assert_eq!(client.command("echo").arg(&text).call::<String>().await.unwrap(), text);
        let error = client.command("fail").call::<()>().await.unwrap_err();
        assert!(matches!(error, Error::Refused(failure) if failure.code() == "NOTFOUND"));
        assert!(client.command("echo").arg("x").call::<u64>().await.is_err());
        let small = client.clone().max_answer(10);
        let error = small.command("echo").arg(&text).call::<String>().await.unwrap_err();
        assert!(matches!(error, Error::AnswerTooBig { limit: 10 }), "{error}");
        let nowhere = AsyncClient::new("/no/such/socket").send("ping").await.unwrap_err();
        assert!(matches!(nowhere, Error::NoSocket { .. }), "{nowhere}");
        let shared = AsyncClient::from(daemon.handle().client());
        assert_eq!(shared.send("ping").await.unwrap(), b"PONG");
        assert_eq!(daemon.handle().client().send("ping").unwrap(), b"PONG");
    });
}

#[test]
fn async_calls_share_pooled_connections() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet(&mut stream, "a");
        stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
        for word in ["b", "c"] {
            expect(&mut stream, &resp(&[word]));
            stream.write_all(b">1\r\n$1\r\nx\r\n:2\r\n").unwrap();
        }
    });
    let client = client(place.socket());
    // An idle connection belongs to no runtime.
    for (runtime, words) in runtimes().into_iter().zip([&["a", "b"][..], &["c"]]) {
        runtime.block_on(async {
            for word in words {
                client.clone().command(word).call::<u8>().await.unwrap();
            }
        });
    }
    server.join().unwrap();
}

#[test]
fn async_pipeline_is_answered_in_order() {
    on_each(|| async {
        let daemon = daemon();
        let client = client(daemon.path());
        let mut pipeline = client.pipeline();
        assert!(pipeline.call().await.unwrap().is_empty());
        // More than the buffers of a socket hold: the client has to read while it sends.
        let text = "x".repeat(1000);
        for i in 0..5000 {
            pipeline.command("echo", [format!("{i} {text}")]);
        }
        pipeline.add(client.command("fail")).timeout(PATIENCE);
        let answers = is_send(pipeline.call()).await.unwrap();
        assert_eq!(answers.len(), 5001);
        for (i, answer) in answers[..5000].iter().enumerate() {
            assert_eq!(*answer, Reply::bytes(format!("{i} {text}")));
        }
        assert!(matches!(answers[5000], Reply::Error(_)));
    });
}

#[test]
fn fifty_tasks_call_with_one_async_client() {
    on_each(|| async {
        let daemon = daemon();
        let client = client(daemon.path()).max_idle(50);
        let mut tasks = JoinSet::new();
        for task in 0..50 {
            let client = client.clone();
            tasks.spawn(async move {
                for i in 0..20 {
                    let n = task * 100 + i;
                    let late = client.command("late").arg(i * 10).arg(n);
                    assert_eq!(late.call::<u64>().await.unwrap(), n);
                }
            });
        }
        assert_eq!(tasks.join_all().await.len(), 50);
    });
}

#[test]
fn dropped_async_call_leaves_no_answer_behind() {
    on_each(|| async {
        let daemon = daemon();
        let client = client(daemon.path());
        let mut dice = Dice::thrown();
        for n in 0..1000_u64 {
            let call = client.command("late").arg(dice.below(300)).arg(n).call::<u64>();
            let moment = dice.moment(Duration::from_millis(2));
            if let Ok(answer) = tokio::time::timeout(moment, call).await {
                assert_eq!(answer.unwrap(), n);
            }
            let own = u64::MAX - n;
            let answer = client.command("late").arg(0).arg(own).call::<u64>();
            assert_eq!(answer.await.unwrap(), own);
        }
    });
}

/// Polls a future this number of times at most, and drops it.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    let poll = |context: &mut Context<'_>| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if polls >= times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    };
    std::future::poll_fn(poll).await
}

#[test]
fn async_call_dropped_at_any_wait_is_not_pooled() {
    on_each(|| async {
        let daemon = daemon();
        let text = "x".repeat(900_000);
        for is_pooled in [false, true] {
            for times in 1.. {
                let client = client(daemon.path());
                if is_pooled {
                    client.send("ping").await.unwrap();
                }
                let whole = polled(times, client.command("echo").arg(&text).call::<String>()).await;
                assert_eq!(client.send("echo next").await.unwrap(), b"next");
                if let Some(answer) = whole {
                    assert_eq!(answer.unwrap(), text);
                    break;
                }
            }
        }
    });
}

#[test]
fn async_call_ends_at_its_deadline() {
    on_each(|| async {
        let place = Place::new();
        let (sender, receiver) = channel();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet_alone(&mut stream, GREETING);
            expect(&mut stream, &resp(&["slow"]));
            // Keepalives extend the read timeout only.
            while stream.write_all(b">1\r\n$1\r\nx\r\n").is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
            let mut stream = accept();
            greet(&mut stream, "silent");
            stream.write_all(GREETING).unwrap();
            // Until the client has left.
            stream.read_exact(&mut [0]).unwrap_err();
            let _reads_nothing = accept();
            receiver.recv().unwrap();
        });
        let client = client(place.socket());
        let slow = client.command("slow").timeout(SHORT).call::<()>().await;
        timed_out(slow, "waiting for the answer", Ran::Maybe);
        let silent = client.clone().read_timeout(SHORT);
        let silent = silent.command("silent").call::<()>().await;
        timed_out(silent, "waiting for the answer", Ran::Maybe);
        // Larger than what a socket buffers.
        let word = vec![0; 16 << 20];
        let put = client.write_timeout(SHORT);
        let put = put.command("put").arg(&word).call::<()>().await;
        timed_out(put, "sending the command", Ran::No);
        sender.send(()).unwrap();
        server.join().unwrap();
    });
}

#[test]
fn async_client_meets_a_restarted_daemon() {
    on_each(|| async {
        let place = Place::new();
        let client = client(place.socket());
        for _ in 0..3 {
            let handle = Server::new().spawn(place.socket()).unwrap();
            let mut calls = client.pipeline();
            calls.command("ping", [""; 0]).command("ping", [""; 0]);
            assert_eq!(calls.call().await.unwrap().len(), 2);
            assert_eq!(client.send("ping").await.unwrap(), b"PONG");
            handle.shutdown();
            assert!(handle.stopped().await.is_empty());
        }
        let gone = client.send("ping").await.unwrap_err();
        assert!(matches!(gone, Error::NoSocket { .. } | Error::Stale { .. }), "{gone}");
    });
}

#[test]
fn async_call_is_retried_only_if_idempotent() {
    on_each(|| async {
        let place = Place::new();
        let server = scripted(&place, |accept| {
            for is_idempotent in [false, true] {
                let mut stream = accept();
                greet(&mut stream, "get");
                stream.write_all(&[GREETING, b"$5\r\nab"].concat()).unwrap();
                drop(stream);
                let mut stream = accept();
                let ask = resp(&["dockipc", "idempotent", "get"]);
                expect(&mut stream, &[handshake(), ask].concat());
                let answer = if is_idempotent { b":1\r\n" } else { b":0\r\n" };
                stream.write_all(&[GREETING, answer].concat()).unwrap();
                if is_idempotent {
                    expect(&mut stream, &resp(&["get"]));
                    stream.write_all(b"$2\r\nab\r\n").unwrap();
                }
            }
        });
        let client = client(place.socket());
        let cut = client.command("get").call::<String>().await.unwrap_err();
        assert!(matches!(cut, Error::CutOff { ran: Ran::Maybe, received: 6 }), "{cut:?}");
        assert_eq!(client.command("get").call::<String>().await.unwrap(), "ab");
        server.join().unwrap();
    });
}

/// Not a test: the daemon of that below. `end` records that it runs, and kills the daemon.
#[test]
fn async_daemon() {
    apart::serve(|path| {
        let runs = path.with_file_name("runs");
        let end = move |_: &Request<'_>| {
            let mut runs = File::options().create(true).append(true).open(&runs).unwrap();
            runs.write_all(b"x").unwrap();
            kill_process(getpid(), Signal::KILL).unwrap();
        };
        exit(i32::from(Server::new().handle("end", end).run(path).is_err()));
    });
}

#[test]
fn async_call_of_a_killed_daemon_is_cut_off() {
    on_each(|| async {
        for is_pooled in [false, true] {
            let place = Place::new();
            let daemon = Apart::start("async_daemon", place.socket());
            let client = client(daemon.path());
            if is_pooled {
                client.send("ping").await.unwrap();
            }
            let cut = client.command("end").call::<()>().await.unwrap_err();
            assert!(matches!(cut, Error::CutOff { ran: Ran::Maybe, .. }), "{cut:?}");
            assert_eq!(std::fs::read(place.directory().join("runs")).unwrap(), b"x");
        }
    });
}

#[test]
fn async_client_sends_its_token() {
    const TOKEN: &str = "0123456789abcdef-the-token";
    let place = Place::new();
    let file = place.directory().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let server = Server::new().handle("vault", |_: &Request<'_>| 1).allow("vault", "token");
    let daemon = Daemon::start(server.token_file(&file));
    on_each(|| async {
        let plain = client(daemon.path());
        let code = |result: Result<u8, Error>| match result {
            Err(Error::Refused(failure)) => failure.code().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(code(plain.command("vault").call().await), code::NOPERM);
        for client in [plain.clone().token(TOKEN), plain.clone().token_file(&file)] {
            for _ in 0..3 {
                assert_eq!(client.command("vault").call::<u8>().await.unwrap(), 1);
            }
            assert!(plain.send("vault").await.is_err(), "another client's connection");
        }
        let wrong = plain.token("not the token at all");
        assert_eq!(code(wrong.command("vault").call().await), code::WRONGPASS);
    });
}

#[test]
fn async_client_requires_the_owner_that_listens() {
    let daemon = daemon();
    let me = rustix::process::geteuid().as_raw();
    on_each(|| async {
        let client = client(daemon.path());
        // A kept connection was not checked.
        client.send("ping").await.unwrap();
        let other = client.require_owner(me + 1);
        let error = other.send("ping").await.unwrap_err();
        assert!(matches!(error, Error::WrongOwner { owner, .. } if owner == me), "{error}");
        assert!(other.require_owner(me).send("ping").await.is_ok(), "one of two");
    });
}

#[test]
fn async_connecting_to_a_full_queue_lets_others_run() {
    on_each(|| async {
        let place = Place::new();
        let (listener, waiting) = full(&place);
        let client = client(place.socket());
        let late = client.clone().connect_timeout(SHORT).send("get").await;
        timed_out(late, "connecting (the daemon's queue is full)", Ran::No);
        let call = client.command("get").call::<u8>();
        // On a runtime of one thread, room comes only if this task runs while the other connects.
        let make_room = async {
            tokio::task::yield_now().await;
            thread::spawn(move || {
                for _ in &waiting {
                    drop(listener.accept().unwrap());
                }
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                greet(&mut stream, "get");
                stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
            })
        };
        let (answer, server) = tokio::join!(call, make_room);
        assert_eq!(answer.unwrap(), 1);
        server.join().unwrap();
    });
}
