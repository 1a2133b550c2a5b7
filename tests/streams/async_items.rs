//! Streams of async code.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use dockipc::{Server, State, Stream, command};
use tests::process::{alone, settled, threads, until};
use tests::{Daemon, rest};

use super::states::{Made, Streaming};

/// Numbers, each after a moment of tokio's clock.
struct Ticks {
    next: u64,
    end: u64,
    tick: Pin<Box<tokio::time::Sleep>>,
    made: Arc<Made>,
}

impl Ticks {
    fn new(end: u64, made: &Arc<Made>) -> Self {
        made.alive.fetch_add(1, Relaxed);
        let tick = Box::pin(tokio::time::sleep(Duration::from_micros(100)));
        Self { next: 0, end, tick, made: Arc::clone(made) }
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        self.made.alive.fetch_sub(1, Relaxed);
    }
}

impl futures_core::Stream for Ticks {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.next == self.end {
            return Poll::Ready(None);
        }
        std::task::ready!(self.tick.as_mut().poll(context));
        self.tick = Box::pin(tokio::time::sleep(Duration::from_micros(100)));
        self.next += 1;
        Poll::Ready(Some(self.next))
    }
}

/// Numbers that are always there.
struct Numbers(u64);

impl futures_core::Stream for Numbers {
    type Item = String;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        self.0 += 1;
        Poll::Ready(Some(format!("{:0100}", self.0)))
    }
}

/// Count with tokio's clock.
#[command]
async fn ticks(made: State<Arc<Made>>, end: u64) -> Stream<u64> {
    tokio::task::yield_now().await;
    Stream::from_stream(Ticks::new(end, &made))
}

/// Count without end.
#[command]
fn numbers() -> Stream<String> {
    Stream::from_stream(Numbers(0))
}

/// Panics after an item.
struct Panics(bool);

impl futures_core::Stream for Panics {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        assert!(!std::mem::replace(&mut self.0, true), "in the middle");
        Poll::Ready(Some(1))
    }
}

/// Panic after an item.
#[command]
async fn async_panic() -> Result<Stream<u64>, String> {
    tokio::task::yield_now().await;
    Ok(Stream::from_stream(Panics(false)))
}

fn start(server: Server) -> (Daemon, Arc<Made>) {
    let Streaming { daemon, made, .. } = Streaming::start(server);
    (daemon, made)
}

#[test]
fn async_stream_is_whole() {
    let (daemon, made) = start(Server::new());
    assert_eq!(daemon.ask("ticks 5\n"), "1\\n2\\n3\\n4\\n5\\n");
    until("the stream to be dropped", || made.alive.load(Relaxed) == 0);
    let panicked = daemon.ask("async-panic\n");
    assert!(panicked.starts_with("1\\n-PANIC async-panic panicked"), "{panicked}");
}

#[test]
fn async_streams_hold_no_thread() {
    let _alone = alone();
    let (daemon, made) = start(Server::new());
    let mut first = daemon.connect();
    first.write_all(b"ticks 1000000000\n").unwrap();
    first.read_exact(&mut [0; 20]).unwrap();
    let before = settled(threads);
    let mut clients: Vec<_> = (0..100).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.write_all(b"numbers\n").unwrap();
        client.read_exact(&mut [0; 101]).unwrap();
    }
    until("no more threads than before", || threads() <= before + 1);
    clients[3].read_exact(&mut vec![0; 3_000_000]).unwrap();
    drop((clients, first));
    until("the stream to be dropped", || made.alive.load(Relaxed) == 0);
}

#[test]
fn stop_ends_an_async_stream() {
    let (daemon, made) = start(Server::new().shutdown_timeout(Duration::from_millis(20)));
    let mut stream = daemon.connect();
    stream.write_all(b"ticks 1000000000\n").unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    daemon.handle().shutdown();
    let text = String::from_utf8(rest(stream)).unwrap();
    assert!(text.contains("\n-SHUTDOWN "), "{text}");
    until("the stream to be dropped", || made.alive.load(Relaxed) == 0);
}
