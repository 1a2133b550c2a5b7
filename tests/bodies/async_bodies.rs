//! Bodies of async commands.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::pin::Pin;

use dockipc::{AsyncBody, Client, Failure, Server, State, command};
use tests::{exchange, expect, resp};
use tokio::io::{AsyncRead, ReadBuf};

use super::states::{Ends, Reading, data, end, noise, opened};

/// Answer with the length of the body.
#[command]
async fn measure_async(ends: State<Ends>, body: AsyncBody) -> io::Result<u64> {
    read_to_end(ends, body).await
}

/// Answer at once, and let another task read.
#[command]
#[expect(clippy::unused_async, reason = "it answers at once")]
async fn pass_body_on_async(ends: State<Ends>, body: AsyncBody) {
    tokio::spawn(read_to_end(ends, body));
}

async fn read_to_end(ends: State<Ends>, mut body: AsyncBody) -> io::Result<u64> {
    let (mut length, mut buffer) = (0, vec![0; 50_000]);
    let result = loop {
        let mut read = ReadBuf::new(&mut buffer);
        match poll_fn(|context| Pin::new(&mut body).poll_read(context, &mut read)).await {
            Ok(()) if read.filled().is_empty() => break Ok(length),
            Ok(()) => length += read.filled().len() as u64,
            Err(error) => break Err(error),
        }
    };
    ends.tell(&result);
    result
}

/// Answer with the sum of the numbers.
#[command]
async fn sum_items_async(mut numbers: AsyncBody<u64>) -> Result<u64, Failure> {
    let mut sum = 0;
    while let Some(number) = numbers.next().await {
        sum += number?;
    }
    Ok(sum)
}

/// Answer without reading.
#[command]
#[expect(clippy::unused_async, reason = "it answers at once")]
async fn answer_at_once(_body: AsyncBody) -> u64 {
    7
}

#[test]
fn async_command_reads_a_body() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    for size in [0, 1, 3_000_000] {
        let call = [opened(&["measure-async"]), data(noise(size)), end()].concat();
        stream.write_all(&call).unwrap();
        expect(&mut stream, format!(":{size}\r\n").as_bytes());
        assert_eq!(it.end(), Ok(size as u64));
    }
    assert_eq!(exchange(it.daemon.connect(), b"measure-async\nabc"), b"3");
    assert_eq!(exchange(it.daemon.connect(), &resp(&["measure-async", "abcd"])), b":4\r\n");
}

#[test]
fn async_command_sees_that_a_body_is_cut() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["measure-async"]), data(noise(1_000_000))].concat()).unwrap();
    drop(stream);
    let end = it.end();
    assert!(matches!(end, Err(ErrorKind::UnexpectedEof | ErrorKind::Other)), "{end:?}");
}

#[test]
fn body_is_skipped_after_an_answer_at_once() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    let call = [opened(&["answer-at-once"]), data(noise(1000)), end(), resp(&["ping"])].concat();
    stream.write_all(&call).unwrap();
    expect(&mut stream, b":7\r\n+PONG\r\n");
}

#[test]
fn async_function_takes_items() {
    let it = Reading::start(Server::new());
    let client = Client::new(it.daemon.path());
    let sum: u64 = client.command("sum-items-async").items(0..100_000_u64).call().unwrap();
    assert_eq!(sum, 4_999_950_000);
    let lines: String = (0..100_000).map(|n| n.to_string() + "\n").collect();
    let line = exchange(it.daemon.connect(), format!("sum-items-async\n{lines}").as_bytes());
    assert_eq!(line, b"4999950000");
    let error = client.command("sum-items-async").body(&b"1\nx\n"[..]).call::<u64>().unwrap_err();
    let message = error.failure().unwrap().message();
    assert!(message.starts_with("bad item 2: expected u64, got \"x\""), "{message}");
    let cut = exchange(it.daemon.connect(), b"sum-items-async\n1\n2");
    assert_eq!(cut, b"-INCOMPLETE item 2 is cut off: its line has no newline\n");
}
