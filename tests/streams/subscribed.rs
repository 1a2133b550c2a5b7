//! Streams to which Redis clients subscribe.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use dockipc::{Failure, Peer, Server, Stopped, Stream, command};
use tests::process::until;
use tests::{exchange, expect, resp, rest};

use super::states::{Streaming, in_resp3};

/// Answer with lines, and then fail if told so.
#[command(idempotent)]
fn lines(fail: Option<bool>) -> Stream<Result<&'static str, Failure>> {
    let end = fail.unwrap_or_default().then(|| Err(Failure::new("BROKEN", "in the end")));
    Stream::iter([Ok("one\n"), Ok("two")].into_iter().chain(end))
}

/// Answer with rows.
#[command(idempotent)]
fn table() -> Stream<(u8, &'static str)> {
    Stream::iter([(1, "a b"), (2, "c\td")])
}

/// A stream for nobody.
#[command(idempotent, allow = "uid:4294967294")]
fn denied_lines() -> Stream<u8> {
    Stream::iter([1])
}

/// A stream that clients must not repeat by themselves.
#[command]
fn take_next(_peer: Peer) -> Stream<u8> {
    Stream::iter([1])
}

/// Fail before the first item.
#[command(idempotent)]
fn no_lines(word: String) -> Result<Stream<String>, Failure> {
    Err(Failure::new("NOTFOUND", word))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Returns a frame of bulk strings.
fn frame(kind: char, words: &[&str]) -> String {
    let words: String = words.iter().map(|word| bulk(word)).collect();
    format!("{kind}{}\r\n{words}", words.matches('$').count())
}

fn confirmation(kind: char, word: &str, name: &str, count: usize) -> String {
    format!("{kind}3\r\n{}{}:{count}\r\n", bulk(word), bulk(name))
}

#[test]
fn pattern_gets_items_and_the_end_in_resp2_and_resp3() {
    let Streaming { daemon, .. } = Streaming::start(Server::new());
    for kind in ['*', '>'] {
        let mut stream = if kind == '>' { in_resp3(&daemon) } else { daemon.connect() };
        stream.write_all(&resp(&["psubscribe", "lines"])).unwrap();
        let item = |text| frame(kind, &["pmessage", "lines", "item", text]);
        let expected = [
            confirmation(kind, "psubscribe", "lines", 1),
            item("one\n"),
            item("two"),
            frame(kind, &["pmessage", "lines", "end", "+END"]),
        ];
        expect(&mut stream, expected.concat().as_bytes());
        // The subscription stays, and can be made again.
        stream.write_all(&resp(&["psubscribe", "lines true"])).unwrap();
        let item = |text| frame(kind, &["pmessage", "lines true", "item", text]);
        let expected = [
            confirmation(kind, "psubscribe", "lines true", 2),
            item("one\n"),
            item("two"),
            frame(kind, &["pmessage", "lines true", "error", "-BROKEN in the end"]),
        ];
        expect(&mut stream, expected.concat().as_bytes());
        stream.write_all(&resp(&["punsubscribe"])).unwrap();
        let expected = [
            confirmation(kind, "punsubscribe", "lines", 1),
            confirmation(kind, "punsubscribe", "lines true", 0),
        ];
        expect(&mut stream, expected.concat().as_bytes());
    }
}

#[test]
fn channel_gets_items_and_a_last_message() {
    let Streaming { daemon, .. } = Streaming::start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["subscribe", "table", "no-lines 'a b'"])).unwrap();
    let message = |name, text| frame('*', &["message", name, text]);
    let mut got = vec![0; 4096];
    let mut len = 0;
    until("both ends", || true);
    while !String::from_utf8_lossy(&got[..len]).contains("-NOTFOUND")
        || !String::from_utf8_lossy(&got[..len]).contains("+END")
    {
        len += stream.read(&mut got[len..]).unwrap();
    }
    let got = String::from_utf8_lossy(&got[..len]);
    let table =
        [message("table", "1\ta b"), message("table", "2\tc\\td"), message("table", "+END")];
    assert!(got.contains(&table.concat()), "{got}");
    assert!(got.contains(&message("no-lines 'a b'", "-NOTFOUND a b")), "{got}");
}

#[test]
fn call_that_can_not_be_subscribed_is_refused_whole() {
    let Streaming { daemon, .. } = Streaming::start(Server::new());
    for (call, expected) in [
        ("take-next", "-USAGE \"take-next\" can't be subscribed to: it is not marked idempotent"),
        ("denied-lines", "-NOPERM permission denied: \"denied-lines\" requires"),
        ("no-such command", "-UNKNOWN no command \"no-such\""),
        ("echo x", "-USAGE \"echo\" is not a stream"),
        ("count", "-USAGE "),
        ("lines true more", "-USAGE "),
        ("lines 'open", "-USAGE "),
        ("lines\n", "-USAGE "),
    ] {
        for word in ["subscribe", "psubscribe"] {
            let answer = exchange(daemon.connect(), &resp(&[word, "lines", call]));
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(expected), "{call}: {answer}");
            assert_eq!(answer.matches("\r\n").count(), 1, "{answer}");
        }
    }
    assert!(daemon.ask("subscribe 'lines true'\n").starts_with("-USAGE "));
}

fn read_item(stream: &mut UnixStream, n: u32) {
    let text = n.to_string();
    let expected = frame('>', &["pmessage", "waiting-again", "item", &text]);
    expect(stream, expected.as_bytes());
}

type Source = Mutex<Vec<std::sync::mpsc::Receiver<u32>>>;

static SOURCES: Source = Mutex::new(Vec::new());

/// Answer with what the test sends.
#[command(idempotent)]
fn waiting_again(told: dockipc::State<super::states::Told>) -> Stream<u32> {
    let items = SOURCES.lock().unwrap().pop().unwrap();
    let told = (*told).clone();
    Stream::new(move |sink| {
        for item in items {
            if let Err(why) = sink.send(item) {
                told.tell(why);
                break;
            }
        }
        Ok(())
    })
}

#[test]
fn subscribed_connection_goes_on_and_unsubscribing_cancels() {
    let Streaming { daemon, reasons, .. } = Streaming::start(Server::new());
    let (sender, items) = channel();
    SOURCES.lock().unwrap().push(items);
    let mut stream = in_resp3(&daemon);
    stream.write_all(&resp(&["psubscribe", "waiting-again"])).unwrap();
    expect(&mut stream, confirmation('>', "psubscribe", "waiting-again", 1).as_bytes());
    for n in 0..3 {
        sender.send(n).unwrap();
        read_item(&mut stream, n);
        stream.write_all(&resp(&["ping"])).unwrap();
        expect(&mut stream, b"+PONG\r\n");
    }
    // It is a running command.
    let client = daemon.handle().client();
    let running: Vec<dockipc::Reply> = client.command("dockipc").arg("running").call().unwrap();
    assert!(format!("{running:?}").contains("waiting") || running.len() == 1, "{running:?}");
    stream.write_all(&resp(&["punsubscribe", "waiting-again"])).unwrap();
    expect(&mut stream, confirmation('>', "punsubscribe", "waiting-again", 0).as_bytes());
    let _ = sender.send(9);
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
    stream.write_all(&resp(&["quit"])).unwrap();
    assert_eq!(rest(stream), b"+OK\r\n");

    // A client that leaves cancels it as well, and a stop tells it so.
    let (sender, items) = channel();
    SOURCES.lock().unwrap().push(items);
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["psubscribe", "waiting-again"])).unwrap();
    expect(&mut stream, confirmation('*', "psubscribe", "waiting-again", 1).as_bytes());
    sender.send(1).unwrap();
    expect(&mut stream, frame('*', &["pmessage", "waiting-again", "item", "1"]).as_bytes());
    drop(stream);
    let mut last = sender.send(2);
    while last.is_ok() {
        last = sender.send(3);
        std::thread::yield_now();
    }
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
    let client = daemon.handle().client();
    until("no command to be listed", || {
        let all = client.command("dockipc").arg("running").call::<Vec<dockipc::Reply>>();
        all.unwrap().is_empty()
    });
}

#[test]
fn subscribed_stream_that_nobody_reads_counts_while_it_runs() {
    let Streaming { daemon, reasons, .. } = Streaming::start(Server::new().max_running_per_user(1));
    let (sender, items) = channel();
    SOURCES.lock().unwrap().push(items);
    let mut stream = in_resp3(&daemon);
    let subscribe = resp(&["psubscribe", "waiting-again"]);
    stream.write_all(&subscribe).unwrap();
    expect(&mut stream, confirmation('>', "psubscribe", "waiting-again", 1).as_bytes());
    sender.send(5).unwrap();
    expect(&mut stream, frame('>', &["pmessage", "waiting-again", "item", "5"]).as_bytes());
    stream.write_all(&resp(&["punsubscribe"])).unwrap();
    expect(&mut stream, confirmation('>', "punsubscribe", "waiting-again", 0).as_bytes());
    stream.write_all(&subscribe).unwrap();
    expect(&mut stream, confirmation('>', "psubscribe", "waiting-again", 1).as_bytes());
    let busy = "-BUSY too many slow commands of this user: 1 at most; try again";
    let end = frame('>', &["pmessage", "waiting-again", "error", busy]);
    expect(&mut stream, end.as_bytes());
    sender.send(6).unwrap();
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
}

#[test]
fn stop_ends_a_subscribed_stream_with_a_reason() {
    let server = Server::new().shutdown_timeout(Duration::from_millis(50));
    let Streaming { daemon, .. } = Streaming::start(server);
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["psubscribe", "endless"])).unwrap();
    expect(&mut stream, confirmation('*', "psubscribe", "endless", 1).as_bytes());
    daemon.handle().shutdown();
    let answer = String::from_utf8(rest(stream)).unwrap();
    let end = bulk("error") + &bulk("-SHUTDOWN the daemon stops; the command was ended");
    assert!(answer.ends_with(&end), "{}", &answer[answer.len().saturating_sub(300)..]);
}

/// Count without end.
#[command(idempotent)]
fn endless() -> Stream<u64> {
    Stream::iter(0..)
}

#[test]
fn subscribed_stream_waits_for_a_slow_client() {
    let Streaming { daemon, .. } = Streaming::start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["psubscribe", "endless"])).unwrap();
    expect(&mut stream, confirmation('*', "psubscribe", "endless", 1).as_bytes());
    // None is dropped, although the client reads late.
    for n in 0..200_000_u64 {
        let text = n.to_string();
        let message = frame('*', &["pmessage", "endless", "item", &text]);
        if n.is_multiple_of(50_000) {
            std::thread::yield_now();
        }
        let mut got = vec![0; message.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, message.as_bytes());
    }
}
