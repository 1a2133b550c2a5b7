//! Bodies from our async client to commands.

use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use dockipc::{AsyncClient, Body, Error, Failure, Stream, command};
use tests::process::until;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::uploads::start;

/// The bodies that ended and those that did not, by their first byte.
static SEEN: Mutex<Vec<(u8, Result<usize, io::ErrorKind>)>> = Mutex::new(Vec::new());

fn seen(first: u8) -> Vec<Result<usize, io::ErrorKind>> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.iter().filter(|(by, _)| *by == first).map(|(_, how)| *how).collect()
}

/// Stream `begun` and the number of the bytes, and remember how the body ended.
#[command]
fn witness(mut body: Body) -> Stream<String> {
    Stream::new(move |sink| {
        let mut first = [0];
        body.read_exact(&mut first).map_err(|error| Failure::new("BROKEN", error))?;
        sink.send("begun".into())?;
        let mut rest = Vec::new();
        let how = body.read_to_end(&mut rest).map(|count| 1 + count);
        let kept = how.as_ref().map(|count| *count).map_err(io::Error::kind);
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).push((first[0], kept));
        sink.send(how.map_err(|error| Failure::new("BROKEN", error))?.to_string())?;
        Ok(())
    })
}

/// Answer each line of the body when it has come.
#[command]
fn each_number(numbers: Body<u64>) -> Stream<Result<u64, Failure>> {
    Stream::iter(numbers.map(|number| Ok(1 + number?)))
}

/// Add the numbers.
#[command]
fn all_numbers(numbers: Body<u64>) -> Result<u64, Failure> {
    numbers.sum()
}

/// Gives the parts that are sent to it; a part that is an error is the reader's.
struct Parts(UnboundedReceiver<io::Result<Vec<u8>>>);

fn parts() -> (UnboundedSender<io::Result<Vec<u8>>>, Parts) {
    let (sender, receiver) = unbounded_channel();
    (sender, Parts(receiver))
}

impl AsyncRead for Parts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_recv(context).map(|part| {
            part.transpose()?.into_iter().for_each(|part| buffer.put_slice(&part));
            Ok(())
        })
    }
}

/// Never ends.
struct Repeat(u8);

impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.initialize_unfilled().fill(self.0);
        buffer.advance(buffer.remaining());
        Poll::Ready(Ok(()))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

#[test]
fn async_body_reaches_the_command() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    run(async {
        for size in [0, 1, 131_072, 131_073, 5_000_000] {
            let body = vec![3; size];
            let sum: u64 = client.command("sum").body(&body[..]).call().await.unwrap();
            assert_eq!(sum, 3 * size as u64);
        }
        let sum: u64 = client.command("all-numbers").items(0..100_000).call().await.unwrap();
        assert_eq!(sum, 4_999_950_000);
        // The items of one call are those of another.
        let numbers = client.command("each-number").items(0..1000_u64).stream::<u64>();
        let numbers = numbers.await.unwrap();
        let sum: u64 = client.command("all-numbers").item_stream(numbers).call().await.unwrap();
        assert_eq!(sum, 500_500);
    });
}

#[test]
fn async_command_that_answers_early_ends_the_upload() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    run(async {
        for _ in 0..20 {
            let first = client.command("first").body(Repeat(7)).call::<u8>();
            assert_eq!(first.await.unwrap(), 7);
            let pong = client.command("ping").body(Repeat(7)).call::<String>();
            assert_eq!(pong.await.unwrap(), "PONG");
            assert_eq!(client.command("ping").call::<String>().await.unwrap(), "PONG");
        }
    });
}

#[test]
fn async_body_comes_back_as_a_stream() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    let body: Vec<u8> = (0..10_000_000_u32).map(|i| (i % 251) as u8).collect();
    let sent = io::Cursor::new(body.clone());
    let back = run(async {
        let mut items = client.command("back").body(sent).stream::<Vec<u8>>().await.unwrap();
        let mut back = Vec::new();
        while let Some(item) = items.next().await {
            back.extend(item.unwrap());
        }
        back
    });
    assert!(back == body);
}

#[test]
fn async_body_is_sent_as_it_comes() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    run(async {
        let (sender, reader) = parts();
        sender.send(Ok(b"a".to_vec())).unwrap();
        let items = client.command("witness").body(reader).stream::<String>();
        let mut items = items.await.unwrap();
        assert_eq!(items.next().await.unwrap().unwrap(), "begun");
        sender.send(Ok(b"bc".to_vec())).unwrap();
        drop(sender);
        assert_eq!(items.next().await.unwrap().unwrap(), "3");
        assert!(items.next().await.is_none());
    });
    assert_eq!(seen(b'a'), [Ok(3)]);
}

#[test]
fn dropped_upload_is_no_whole_body() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    run(async {
        let (sender, reader) = parts();
        sender.send(Ok(b"d".to_vec())).unwrap();
        let items = client.command("witness").body(reader).stream::<String>();
        let mut items = items.await.unwrap();
        assert_eq!(items.next().await.unwrap().unwrap(), "begun");
        assert!(tokio::time::timeout(Duration::ZERO, items.next()).await.is_err());
        drop(items);
        drop(sender);
    });
    until("the body to be cut off", || !seen(b'd').is_empty());
    assert!(matches!(seen(b'd')[..], [Err(_)]), "{:?}", seen(b'd'));
}

#[test]
fn failed_async_reader_cancels_the_command() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    let error = run(async {
        let (sender, reader) = parts();
        sender.send(Ok(b"f".to_vec())).unwrap();
        let call = client.command("witness").idempotent().body(reader);
        let mut items = call.stream::<String>().await.unwrap();
        assert_eq!(items.next().await.unwrap().unwrap(), "begun");
        sender.send(Err(io::Error::other("the disk is gone"))).unwrap();
        items.next().await.unwrap().unwrap_err()
    });
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    until("the body to be cut off", || !seen(b'f').is_empty());
    assert!(matches!(seen(b'f')[..], [Err(_)]), "{:?}", seen(b'f'));
    let items = [Ok(1_u64), Err("no more")];
    let call = client.command("all-numbers").items(items);
    let error = run(call.call::<u64>()).unwrap_err();
    assert!(error.to_string().contains("no more"), "{error}");
}

#[test]
fn upload_lets_other_tasks_run() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    run(async {
        let (asked, mut most) = (AtomicUsize::new(0), 0);
        let numbers = (0..5000_u64).inspect(|_| _ = asked.fetch_add(1, Relaxed));
        let mut upload = pin!(client.command("all-numbers").items(numbers).call::<u64>());
        let sum = poll_fn(|context| {
            let before = asked.load(Relaxed);
            let poll = upload.as_mut().poll(context);
            most = most.max(asked.load(Relaxed) - before);
            poll
        });
        assert_eq!(sum.await.unwrap(), 12_497_500);
        // tokio's budget for a task is 128; the socket has room for more.
        assert!(most <= 150, "{most} items without a break");
    });
}

#[test]
fn timeout_ends_an_upload_that_waits_for_its_reader() {
    let (_daemon, client) = start();
    let client = AsyncClient::from(client);
    let (sender, reader) = parts();
    sender.send(Ok(b"t".to_vec())).unwrap();
    let call = client.command("sum").timeout(Duration::from_millis(100)).body(reader);
    let error = run(async { call.call::<u64>().await.unwrap_err() });
    // The daemon knows the deadline, too.
    let is_late = match &error {
        Error::TimedOut { .. } => true,
        Error::Refused(failure) => failure.code() == "TIMEOUT",
        _ => false,
    };
    assert!(is_late, "{error:?}");
}
