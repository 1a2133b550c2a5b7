//! Streams, progress and events of the async client.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::task::Poll;

use dockipc::{AsyncClient, Progress, command};
use futures_core::Stream as _;
use tests::process::until;

use super::streams::{scripted, start};

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Report progress.
#[command]
fn advance(progress: Progress) -> u64 {
    progress.say("half");
    progress.set(1, 2);
    3
}

#[test]
fn async_items_arrive_in_order_to_the_end() {
    let (daemon, alive) = start();
    let client = AsyncClient::new(daemon.path());
    run(async {
        for _ in 0..3 {
            let mut items = client.command("count-up").arg(1000).stream::<u64>().await.unwrap();
            for i in 0..1000 {
                assert_eq!(items.next().await.unwrap().unwrap(), i);
            }
            assert!(items.next().await.is_none());
            assert!(items.next().await.is_none());
        }
        let mut items = client.command("count-up").arg(1).arg(true).stream::<u64>().await.unwrap();
        assert_eq!(items.next().await.unwrap().unwrap(), 0);
        let error = items.next().await.unwrap().unwrap_err();
        assert_eq!(error.failure().unwrap().code(), "BROKEN");
        assert!(items.next().await.is_none());
        // Also as a stream of futures, and with long items.
        let items = client.command("chunks").arg(30).arg(70_000).stream::<Vec<u8>>();
        let mut items = pin!(items.await.unwrap());
        let mut lengths = Vec::new();
        while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
            lengths.push(item.unwrap().len());
        }
        assert_eq!(lengths, [70_000; 30]);
        let mut list = client.command("no-stream").stream::<u64>().await.unwrap();
        assert_eq!(list.next().await.unwrap().unwrap(), 1);
        let error = client.command("count-up").arg("x").stream::<u64>().await.unwrap_err();
        assert_eq!(error.failure().unwrap().code(), "USAGE");
    });
    until("the streams to be dropped", || alive.0.load(Relaxed) == 0);
}

#[test]
fn dropped_async_items_cancel_the_command() {
    let (daemon, alive) = start();
    let client = AsyncClient::new(daemon.path());
    run(async {
        let mut items = client.command("count-up").stream::<u64>().await.unwrap();
        for _ in 0..100 {
            items.next().await.unwrap().unwrap();
        }
        assert_eq!(alive.0.load(Relaxed), 1);
    });
    until("the stream to be dropped", || alive.0.load(Relaxed) == 0);
}

#[test]
fn dropped_wait_for_an_item_loses_nothing() {
    let place = tests::Place::new();
    let hello: &[u8] = b"%1\r\n$4\r\nwith\r\n$15\r\ndeadline stream\r\n+OK\r\n";
    let item = |value: &str| format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n{value}\r\n");
    let items = [&item(":1"), &item("*2\r\n:2\r\n:3"), "+OK\r\n"].concat();
    let _ = scripted(&place, [hello, items.as_bytes()].concat());
    run(async {
        let client = AsyncClient::new(place.socket());
        let mut items = client.command("tail").stream::<dockipc::Reply>().await.unwrap();
        let mut seen = 0;
        loop {
            // A future that is polled once, and dropped.
            let mut next = Box::pin(items.next());
            let polled = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
            drop(next);
            match polled {
                Poll::Ready(Some(item)) => seen += usize::from(item.is_ok()),
                Poll::Ready(None) => break,
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
        assert_eq!(seen, 2);
    });
}

#[test]
fn async_stream_that_is_cut_is_never_whole() {
    let hello = b"%1\r\n$4\r\nwith\r\n$15\r\ndeadline stream\r\n+OK\r\n".to_vec();
    let item = |value: &str| format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n{value}\r\n");
    let body = [&item(":1"), &item("$5\r\n:2\r\n3"), "+OK\r\n"].concat().into_bytes();
    let mut whole = Vec::new();
    for end in 0..=body.len() {
        let place = tests::Place::new();
        let _ = scripted(&place, [&hello, &body[..end]].concat());
        let is_whole = run(async {
            let client = AsyncClient::new(place.socket());
            let Ok(mut items) = client.command("tail").stream::<dockipc::Reply>().await else {
                return false;
            };
            while let Some(item) = items.next().await {
                if item.is_err() {
                    return false;
                }
            }
            true
        });
        if is_whole {
            whole.push(end);
        }
    }
    assert_eq!(whole, [body.len()]);
}

#[test]
fn async_call_reports_progress() {
    let (daemon, _) = start();
    let (sender, reports) = mpsc::channel();
    let client = AsyncClient::new(daemon.path());
    let call = client.command("advance").on_progress(move |p| sender.send(p.clone()).unwrap());
    assert_eq!(run(call.call::<u64>()).unwrap(), 3);
    let last = reports.into_iter().last().unwrap();
    assert_eq!((last.done, last.total, last.text.as_deref()), (1, Some(2), Some("half")));
}
