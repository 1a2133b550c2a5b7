//! The items of a stream on the wire, and its end.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};

use dockipc::{Failure, Server, State, Stream, command};
use tests::{Daemon, exchange, expect, resp, rest};

use super::states::{Given, Streaming, in_resp3};

/// Count to `n`.
#[command(idempotent)]
fn count(n: u32) -> Stream<u32> {
    Stream::iter(0..n)
}

/// Answer with pairs.
#[command]
fn pairs() -> Stream<(u8, &'static str)> {
    Stream::iter([(1, "a\tb"), (2, "c")])
}

/// Answer with bytes.
#[command]
fn parts(n: usize) -> Stream<Vec<u8>> {
    Stream::iter((0..n).map(|i| vec![b'a' + u8::try_from(i % 26).unwrap(); 3]))
}

/// Count to 2, and then fail or panic.
#[command]
fn fail_after_two(how: &str) -> Stream<Result<u32, Failure>> {
    let panics = how == "panic";
    Stream::iter((0..).map(move |n| match n {
        0 | 1 => Ok(n),
        _ if panics => panic!("in the middle"),
        _ => Err(Failure::new("BROKEN", "no third")),
    }))
}

/// Count to 2, and then return an error of the author's.
#[command]
fn send_two() -> Stream<u32> {
    Stream::new(|sink| {
        sink.send(0)?;
        sink.send(1)?;
        std::fs::read("/nonexistent/file")?;
        Ok(())
    })
}

/// Refuse to stream.
#[command]
fn refuse_to_stream(refuse: bool) -> Result<Stream<u32>, Failure> {
    if refuse { Err(Failure::new("NOTNOW", "later")) } else { Ok(Stream::iter([7])) }
}

/// Answer with what the test gives.
#[command]
fn given(given: State<Given>) -> Stream<u32> {
    Stream::iter(given.lock().unwrap().take().into_iter().flatten())
}

fn start() -> (Daemon, Sender<u32>) {
    let Streaming { daemon, given, .. } = Streaming::start(Server::new());
    (daemon, given)
}

/// Returns the answers to a command and to QUIT.
fn ask_in_resp3(daemon: &Daemon, words: &[&str]) -> String {
    let mut stream = in_resp3(daemon);
    stream.write_all(&[resp(words), resp(&["quit"])].concat()).unwrap();
    String::from_utf8(rest(stream)).unwrap()
}

fn item(value: &str) -> String {
    format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n{value}\r\n")
}

#[test]
fn items_are_rows_in_line_mode() {
    let (daemon, _) = start();
    assert_eq!(daemon.ask("count 3\n"), "0\\n1\\n2\\n");
    assert_eq!(daemon.ask("pairs\n"), "1\\ta\\\\tb\\n2\\tc\\n");
    assert_eq!(daemon.ask("count 0\n"), "");
}

#[test]
fn bytes_are_written_as_they_are_in_line_mode() {
    let (daemon, _) = start();
    assert_eq!(daemon.ask("parts 3\n"), "aaabbbccc");
    let line = resp(&["dockipc", "line", "parts 3"]);
    assert_eq!(exchange(daemon.connect(), &line), b"$9\r\naaabbbccc\r\n");
    assert_eq!(daemon.handle().client().send("parts 2").unwrap(), b"aaabbb");
}

#[test]
fn redis_client_gets_a_list() {
    let (daemon, _) = start();
    let input = [resp(&["count", "3"]), resp(&["pairs"])].concat();
    let expected =
        b"*3\r\n:0\r\n:1\r\n:2\r\n*2\r\n*2\r\n:1\r\n$3\r\na\tb\r\n*2\r\n:2\r\n$1\r\nc\r\n";
    assert_eq!(exchange(daemon.connect(), &input), expected);
}

#[test]
fn long_list_is_too_big_for_a_redis_client() {
    let daemon = Streaming::start(Server::new().max_collected(1000)).daemon;
    for words in [&["count", "1000000000"][..], &["parts", "1000000000"]] {
        let answer = exchange(daemon.connect(), &resp(words));
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("-TOOBIG "), "{answer}");
        assert!(answer.contains("1000 bytes") && answer.contains("PSUBSCRIBE"), "{answer}");
    }
    assert_eq!(
        daemon.handle().client().command("count").arg(9).call::<Vec<u32>>().unwrap().len(),
        9
    );
}

#[test]
fn own_client_gets_items_in_front_of_the_answer() {
    let (daemon, _) = start();
    let with = |form, words: &[&str]| {
        ask_in_resp3(&daemon, &[&["dockipc", "with", "stream", form, "--"], words].concat())
    };
    let end = "+OK\r\n+OK\r\n";
    assert_eq!(with("items", &["count", "2"]), [item(":0"), item(":1"), end.into()].concat());
    assert_eq!(
        with("rows", &["count", "2"]),
        [item("$2\r\n0\n"), item("$2\r\n1\n"), end.into()].concat()
    );
    let pair = item("*2\r\n:2\r\n$1\r\nc");
    assert!(with("items", &["pairs"]).ends_with(&(pair + end)));
    assert_eq!(with("rows", &["parts", "1"]), item("$3\r\naaa") + end);
    assert_eq!(with("items", &["refuse-to-stream", "true"]), "-NOTNOW later\r\n+OK\r\n");
    // Another command answers as it always does.
    assert_eq!(with("items", &["echo", "a"]), "$1\r\na\r\n+OK\r\n");
    assert!(with("all", &["count", "2"]).starts_with("-USAGE stream is items or rows"));
}

#[test]
fn item_leaves_before_the_next_is_made() {
    let (daemon, sender) = start();
    let mut stream = daemon.connect();
    stream.write_all(b"given\n").unwrap();
    for n in 0..100 {
        sender.send(n).unwrap();
        expect(&mut stream, format!("{n}\n").as_bytes());
    }
    drop(sender);
    assert_eq!(rest(stream), b"");
}

#[test]
fn error_in_the_middle_is_the_end() {
    let (daemon, _) = start();
    assert_eq!(daemon.ask("fail-after-two error\n"), "0\\n1\\n-BROKEN no third\\n");
    let two = item(":0") + &item(":1");
    let with = |words: &[&str]| {
        ask_in_resp3(&daemon, &[&["dockipc", "with", "stream", "items", "--"], words].concat())
    };
    assert_eq!(with(&["fail-after-two", "error"]), two.clone() + "-BROKEN no third\r\n+OK\r\n");
    let error = "-ERR No such file or directory (os error 2)\r\n+OK\r\n";
    assert_eq!(with(&["send-two"]), two.clone() + error);
    let answer = with(&["fail-after-two", "panic"]);
    assert!(answer.starts_with(&(two + "-PANIC fail-after-two panicked")), "{answer}");
    assert_eq!(
        exchange(daemon.connect(), &resp(&["fail-after-two", "error"])),
        b"-BROKEN no third\r\n"
    );
}

#[test]
fn next_command_begins_after_the_stream() {
    let (daemon, sender) = start();
    let mut stream = daemon.connect();
    stream.write_all(&[resp(&["given"]), resp(&["echo", "b"])].concat()).unwrap();
    sender.send(1).unwrap();
    drop(sender);
    expect(&mut stream, b"*1\r\n:1\r\n$1\r\nb\r\n");
}

#[test]
fn transaction_does_not_queue_a_stream() {
    let (daemon, _) = start();
    let input = [resp(&["multi"]), resp(&["count", "2"]), resp(&["exec"])].concat();
    let answer = String::from_utf8(exchange(daemon.connect(), &input)).unwrap();
    assert!(answer.starts_with("+OK\r\n-ERR count answers later and can't be queued"), "{answer}");
    assert!(answer.contains("-EXECABORT"), "{answer}");
}

#[test]
fn function_of_a_stream_can_be_tested() {
    assert_eq!(count(3).into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(send_two().into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn stream_is_described_with_its_items() {
    let (daemon, _) = start();
    let answer = exchange(daemon.connect(), &resp(&["dockipc", "describe", "count"]));
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("stream") && answer.contains("4294967295"), "{answer}");
}

#[test]
fn hooks_see_the_number_of_items() {
    let (ends, seen) = channel();
    let server = Server::new().after(move |call, outcome, _| {
        ends.send((call.name().to_owned(), outcome.items(), outcome.code().map(String::from)))
            .unwrap();
    });
    let Streaming { daemon, .. } = Streaming::start(server);
    daemon.ask("count 5\n");
    daemon.ask("fail-after-two error\n");
    assert_eq!(seen.recv().unwrap(), ("count".into(), 5, None));
    assert_eq!(seen.recv().unwrap(), ("fail-after-two".into(), 2, Some("BROKEN".into())));
}
