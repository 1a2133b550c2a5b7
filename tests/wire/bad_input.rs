//! Bad input gets a clear answer, never runs, and does not affect other clients.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Arg, Request, Server, command};
use tests::{Daemon, PATIENCE, exchange, expect, resp, rest};

/// The number of runs.
struct Runs(Arc<AtomicU64>);

/// Count a run.
#[command]
fn hit(request: &Request<'_>, words: Vec<Vec<u8>>) -> u64 {
    let _ = words;
    request.state::<Runs>().unwrap().0.fetch_add(1, SeqCst) + 1
}

/// A color.
#[derive(Arg)]
enum Color {
    Red,
    DarkBlue,
}

#[command]
fn paint(
    request: &Request<'_>,
    color: Color,
    #[arg(long)] times: Option<u8>,
    #[arg(flag)] loud: bool,
) {
    let _ = (color, times, loud);
    request.state::<Runs>().unwrap().0.fetch_add(1, SeqCst);
}

#[command]
fn pick(request: &Request<'_>, number: i8, on: bool, one: char, wait: Option<Duration>) {
    let _ = (number, on, one, wait);
    request.state::<Runs>().unwrap().0.fetch_add(1, SeqCst);
}

#[command]
fn text(request: &Request<'_>, text: &str) -> String {
    request.state::<Runs>().unwrap().0.fetch_add(1, SeqCst);
    text.to_owned()
}

#[command]
fn boom() {
    panic!("boom");
}

/// A panic payload whose drop panics with such a payload again.
struct Bomb(u8);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Bomb(self.0 - 1));
        }
    }
}

#[command]
fn bomb() {
    std::panic::panic_any(Bomb(3));
}

fn server() -> (Server, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    (Server::new().state(AtomicU64::new(0)).state(Runs(Arc::clone(&runs))), runs)
}

/// A daemon and its number of runs.
fn daemon() -> (Daemon, Arc<AtomicU64>) {
    let (server, runs) = server();
    (Daemon::start(server), runs)
}

/// Checks that each input gets its answer and runs nothing, and that the daemon then still serves.
#[track_caller]
fn refused(pairs: &[(&[u8], &str)]) {
    let (daemon, runs) = daemon();
    for (input, answer) in pairs {
        assert_eq!(daemon.ask(input), *answer, "{}", input.escape_ascii());
    }
    assert_eq!(runs.load(SeqCst), 0, "something was run");
    assert_eq!(daemon.ask("hit\n"), "1");
}

#[test]
fn oversized_line_gets_toobig_and_does_not_run() {
    let line = |size: usize| ["hit ", &"x".repeat(size - 5), "\n"].concat().into_bytes();
    let too_long = r"-TOOBIG the line is longer than 4096 bytes\n";
    refused(&[
        (&line(4097), too_long),
        (&line(5000), too_long),
        (&line(500_000), too_long),
        (&line(4097)[..4096], too_long),
    ]);
    let (daemon, runs) = daemon();
    assert_eq!(daemon.ask(line(4096)), "1");
    assert_eq!(runs.load(SeqCst), 1);
}

#[test]
fn endless_line_gets_toobig_at_the_limit() {
    let (daemon, runs) = daemon();
    let mut stream = daemon.connect();
    // Sends exactly the limit without a line end: the daemon does not wait for more.
    stream.write_all(&[b'x'; 4096]).unwrap();
    let answer = b"-TOOBIG the line is longer than 4096 bytes\n";
    expect(&mut stream, answer);
    assert_eq!(rest(stream), b"");

    // An endless line is cut off, which bounds the daemon's memory: it reads only what the socket buffers
    // hold.
    let mut stream = daemon.connect();
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    let most = 64 << 20;
    while sent < most {
        match stream.write(&piece) {
            Ok(n) => sent += n,
            Err(e) if matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                break;
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert!(sent < most, "the daemon took everything");
    assert_eq!(runs.load(SeqCst), 0);
    assert_eq!(daemon.ask("hit\n"), "1");
}

#[test]
fn line_cut_off_before_its_newline_does_not_run() {
    let answer = r"-INCOMPLETE the input ended before a newline; nothing was run\n";
    refused(&[(b"hit", answer), (b"h", answer), (b"hit 1 2 ", answer), (b"hit\r", answer)]);
}

#[test]
fn empty_input_gets_no_answer() {
    refused(&[(b"", "")]);
    let (daemon, _) = daemon();
    for _ in 0..100 {
        drop(daemon.connect());
    }
    assert_eq!(daemon.ask("hit\n"), "1");
}

#[test]
fn line_that_is_not_utf8_gets_utf8_with_the_byte() {
    refused(&[
        (b"hit \xff\n", r"-UTF8 the line is not UTF-8 at byte 4 (0xff)\n"),
        (b"\x80hit\n", r"-UTF8 the line is not UTF-8 at byte 0 (0x80)\n"),
        (b"hit \xc3\n", r"-UTF8 the line is not UTF-8 at byte 4 (0xc3)\n"),
        (b"hit \xed\xa0\x80\n", r"-UTF8 the line is not UTF-8 at byte 4 (0xed)\n"),
    ]);
}

#[test]
fn resp_text_that_is_not_utf8_keeps_the_connection() {
    let (daemon, runs) = daemon();
    let mut stream = daemon.connect();
    stream.write_all(&resp(&[&b"text"[..], b"a\xff"])).unwrap();
    let mut code = [0; 6];
    stream.read_exact(&mut code).unwrap();
    assert_eq!(&code, b"-UTF8 ");
    assert_eq!(runs.load(SeqCst), 0);
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
    }
    stream.write_all(&resp(&[&b"\xff\xfe"[..], b"a"])).unwrap();
    let name = "-UNKNOWN no command \"\u{fffd}\u{fffd}\"; send help for a list\r\n";
    expect(&mut stream, name.as_bytes());
    stream.write_all(&resp(&["text", "ok"])).unwrap();
    expect(&mut stream, b"$2\r\nok\r\n");
}

#[test]
fn nul_byte_is_an_ordinary_byte() {
    let (daemon, runs) = daemon();
    assert_eq!(daemon.ask(b"\0\n"), r#"-UNKNOWN no command \"\\0\"; send help for a list\n"#);
    assert_eq!(daemon.ask(b"hit\0\n"), r#"-UNKNOWN no command \"hit\\0\"; did you mean hit?\n"#);
    assert_eq!(runs.load(SeqCst), 0);
    assert_eq!(daemon.ask(b"text a\0b\n"), r"a\x00b");
}

#[test]
fn empty_line_gets_usage() {
    let answer = r"-USAGE empty line; send help for a list\n";
    refused(&[(b"\n", answer), (b" \r\n", answer), (b" \t \n", answer)]);
    let empty_name = r#"-UNKNOWN no command \"\"; send help for a list\n"#;
    refused(&[(b"''\n", empty_name), (b"\"\" hit\n", empty_name)]);
}

#[test]
fn unclosed_quote_gets_usage_with_its_position() {
    refused(&[
        (
            b"hit 'a\n",
            r"-USAGE the quote \' at byte 4 is not closed; usage: hit [<words>\xe2\x80\xa6]\n",
        ),
        (
            b"hit a \"b\\\"\n",
            r#"-USAGE the quote \" at byte 6 is not closed; usage: hit [<words>\xe2\x80\xa6]\n"#,
        ),
        (b"hit \\\n", r"-USAGE the line ends in a backslash; usage: hit [<words>\xe2\x80\xa6]\n"),
        (b"'hit\n", r"-USAGE the quote \' at byte 0 is not closed\n"),
    ]);
}

#[test]
fn unknown_name_gets_the_nearest_name() {
    refused(&[
        (b"hti\n", r#"-UNKNOWN no command \"hti\"; did you mean hit?\n"#),
        (b"HITT 1\n", r#"-UNKNOWN no command \"HITT\"; did you mean hit?\n"#),
        (b"piant red\n", r#"-UNKNOWN no command \"piant\"; did you mean paint?\n"#),
        (
            b"nothing-like-it\n",
            r#"-UNKNOWN no command \"nothing-like-it\"; send help for a list\n"#,
        ),
        ("blå\n".as_bytes(), r#"-UNKNOWN no command \"bl\xc3\xa5\"; send help for a list\n"#),
    ]);
    // A long name is truncated.
    let (daemon, _) = daemon();
    let answer = daemon.ask(["x".repeat(4000).as_str(), "\n"].concat());
    assert!(answer.starts_with("-UNKNOWN no command \\\"xxx") && answer.len() < 200, "{answer}");
}

#[test]
fn surplus_or_missing_words_get_usage() {
    let (daemon, runs) = daemon();
    for (line, why) in [
        ("paint\n", "color is missing"),
        ("paint red blue\n", r#"unexpected word \"blue\""#),
        ("paint green\n", r#"bad value for color: \"green\": "#),
        ("paint red --tims 3\n", "unknown option --tims"),
        ("paint red --times\n", "--times needs a value"),
        ("paint red --times 300\n", r#"bad value for --times: \"300\": "#),
        ("paint red --loud=yes\n", "--loud takes no value"),
        ("pick\n", "number is missing"),
        ("pick 1 true\n", "one is missing"),
        ("pick 1 true x 1s more\n", r#"unexpected word \"more\""#),
        ("pick x true x\n", r#"bad value for number: \"x\": "#),
        ("pick 128 true x\n", r#"bad value for number: \"128\": "#),
        ("pick 1 maybe x\n", r#"bad value for on: \"maybe\": "#),
        ("pick 1 true xy\n", r#"bad value for one: \"xy\": "#),
        ("pick 1 true x soon\n", r#"bad value for wait: \"soon\": "#),
    ] {
        let answer = daemon.ask(line);
        assert!(answer.starts_with(&format!("-USAGE {why}")), "{line:?} => {answer}");
        let usage = match &line[..4] {
            "pick" => r"; usage: pick <number> <on> <one> [<wait>]\n",
            _ => r"; usage: paint <color> [--times <times>] [--loud]\n",
        };
        assert!(answer.ends_with(usage), "{line:?} => {answer}");
        // RESP has the same text, and the connection continues.
        let words: Vec<_> = line.trim_end().split(' ').collect();
        let both = daemon.ask([resp(&words), resp(&["PING"])].concat());
        assert_eq!(both, answer.replace(r"\n", r"\r\n") + r"+PONG\r\n", "{line:?}");
    }
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn invalid_resp_gets_proto_and_ends_the_connection() {
    let word = r"expected $ and the length of a word, got ";
    let count = r"expected * and the number of words, got ";
    refused(&[
        (b"*-x\r\n", &format!(r#"-PROTO {count}\"*-x\"\r\n"#)),
        (b"*x\r\n", &format!(r#"-PROTO {count}\"*x\"\r\n"#)),
        (b"*\r\n", &format!(r#"-PROTO {count}\"*\"\r\n"#)),
        (b"*1048577\r\n", r"-PROTO a command has at most 1048576 words, got 1048577\r\n"),
        (
            b"*99999999999999999999\r\n",
            r"-PROTO a command has at most 1048576 words, got 18446744073709551615\r\n",
        ),
        (b"*1\r\n:5\r\n", &format!(r#"-PROTO {word}\":5\"\r\n"#)),
        (b"*1\r\n$-1\r\n", &format!(r#"-PROTO {word}\"$-1\"\r\n"#)),
        (b"*1\r\n$three\r\nhit\r\n", &format!(r#"-PROTO {word}\"$three\"\r\n"#)),
        (b"*1\r\n$536870913\r\n", r"-PROTO a word has at most 536870912 bytes, got 536870913\r\n"),
        (b"*1\r\n$3\r\nhitxx", r"-PROTO expected CR LF after a word of the declared length\r\n"),
        (b"*1\r\n$2\r\nhit\r\n", r"-PROTO expected CR LF after a word of the declared length\r\n"),
    ]);
}

#[test]
fn end_of_input_after_invalid_resp_changes_nothing() {
    // The mistake is told before the client ends its side.
    let (daemon, runs) = daemon();
    let mut stream = daemon.connect();
    stream.write_all(b"*1\r\n$-1\r\n").unwrap();
    let answer = rest(stream);
    assert!(answer.starts_with(b"-PROTO ") && answer.ends_with(b"\r\n"));
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn input_without_a_command_gets_no_answer() {
    let (daemon, _) = daemon();
    let mut runs = 0;
    for skipped in [&b"\r\n"[..], b"*0\r\n", b"*-1\r\n", b"\r\n*-1\r\n*0\r\n\n \t\r\n"] {
        assert_eq!(daemon.ask(skipped), "");
        let hit = resp(&["hit"]);
        let input = [skipped, &hit, b"\n  \r\n*0\r\n*-1\r\n", &hit, skipped].concat();
        assert_eq!(daemon.ask(&input), format!(r":{}\r\n:{}\r\n", runs + 1, runs + 2));
        let mut stream = daemon.connect();
        for byte in input {
            stream.write_all(&[byte]).unwrap();
        }
        expect(&mut stream, format!(":{}\r\n:{}\r\n", runs + 3, runs + 4).as_bytes());
        runs += 4;
    }
    assert_eq!(daemon.ask("\r\nhit\n"), (runs + 1).to_string());
    for empty in ["\n", " \r\n", "\r\n\n"] {
        assert_eq!(daemon.ask(empty), r"-USAGE empty line; send help for a list\n");
    }
}

#[test]
fn endless_empty_commands_stall_no_other_client() {
    let daemon = Daemon::start(server().0.max_threads(3));
    let has_begun = mpsc::channel();
    thread::scope(|scope| {
        let mut flood = daemon.connect();
        scope.spawn(move || {
            for i in 0..1000 {
                flood.write_all(&b"\r\n*0\r\n\n*-1\r\n".repeat(1000)).unwrap();
                if i == 10 {
                    has_begun.0.send(()).unwrap();
                }
            }
            flood.write_all(&resp(&["ping"])).unwrap();
            expect(&mut flood, b"+PONG\r\n");
        });
        has_begun.1.recv().unwrap();
        let mut stream = daemon.connect();
        for i in 1..=100 {
            stream.write_all(&resp(&["hit"])).unwrap();
            expect(&mut stream, format!(":{i}\r\n").as_bytes());
        }
    });
}

#[test]
fn skipped_input_keeps_the_time_limits() {
    let short = Duration::from_millis(100);
    let daemon = Daemon::start(server().0.arrival_timeout(short).idle_timeout(short));
    let mut stream = daemon.connect();
    stream.write_all(b"\r\n*0\r\n \n*1\r\n").unwrap();
    assert_eq!(
        rest(stream),
        b"-TIMEOUT the command was not whole after 100ms; nothing was run\r\n"
    );
    let mut stream = daemon.connect();
    stream.write_all(b"*0\r\n\r\n").unwrap();
    assert_eq!(rest(stream), b"");
}

#[test]
fn resp_command_cut_off_anywhere_does_not_run() {
    let (daemon, runs) = daemon();
    let command = resp(&["hit", "a b", "", "\r\n"]);
    let incomplete =
        r"-INCOMPLETE the input ended before the command was whole; nothing was run\r\n";
    for cut in 1..command.len() {
        assert_eq!(daemon.ask(&command[..cut]), incomplete, "cut at {cut}");
    }
    assert_eq!(runs.load(SeqCst), 0);
    // What came whole before it was run, once.
    for (before, cut) in (1..command.len()).enumerate() {
        let input = [&command, &command[..cut]].concat();
        assert_eq!(daemon.ask(input), format!(r":{}\r\n{incomplete}", before + 1));
    }
    assert_eq!(runs.load(SeqCst), u64::try_from(command.len() - 1).unwrap());
}

#[test]
fn reserved_or_wrong_first_byte_is_refused() {
    refused(&[
        (
            b"{\"add\":2}\n",
            r"-PROTO a first byte { is reserved for a later protocol; send a line or RESP\n",
        ),
        // These are lines, of nothing that is known.
        (b"$3\r\nhit\r\n", r#"-UNKNOWN no command \"$3\"; send help for a list\n"#),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            r#"-UNKNOWN no command \"GET\"; send help for a list\n"#,
        ),
        (
            b"\x16\x03\x01\x02\n",
            r#"-UNKNOWN no command \"\\u{16}\\u{3}\\u{1}\\u{2}\"; send help for a list\n"#,
        ),
        (b"\xff\n", r"-UTF8 the line is not UTF-8 at byte 0 (0xff)\n"),
    ]);
}

#[test]
fn mode_can_not_change_during_a_connection() {
    let (daemon, runs) = daemon();
    let input = [&resp(&["hit"])[..], b"hit\n"].concat();
    assert_eq!(
        daemon.ask(input),
        r#":1\r\n-PROTO expected * and the number of words, got \"hit\"\r\n"#
    );
    assert_eq!(runs.load(SeqCst), 1);
    // One line is all that a line's connection takes.
    let input = [b"hit\n", &resp(&["hit"])[..]].concat();
    assert_eq!(daemon.ask(input), "2");
    assert_eq!(runs.load(SeqCst), 2);
}

#[test]
fn oversized_resp_command_keeps_the_connection() {
    let (server, runs) = server();
    let daemon = Daemon::start(server.max_command(1000));
    let too_big = b"-TOOBIG the command is longer than 1000 bytes; it was not run\r\n";
    let mut stream = daemon.connect();
    for (run, size) in (1_u64..).zip([1000, 5000, 100_000, 3_000_000]) {
        stream.write_all(&resp(&["hit", &"x".repeat(size)])).unwrap();
        expect(&mut stream, too_big);
        stream.write_all(&resp(&["hit"])).unwrap();
        expect(&mut stream, format!(":{run}\r\n").as_bytes());
    }
    stream.write_all(&resp(&vec!["hit"; 200])).unwrap();
    expect(&mut stream, too_big);
    assert_eq!(runs.load(SeqCst), 4);
}

#[test]
fn panic_is_answered_and_the_daemon_continues() {
    let (daemon, _) = daemon();
    let answer = "-PANIC boom panicked; see the daemon's standard error for the message";
    assert_eq!(exchange(daemon.connect(), b"boom\n"), format!("{answer}\n").as_bytes());
    let mut stream = daemon.connect();
    for _ in 0..3 {
        stream.write_all(&resp(&["boom"])).unwrap();
        expect(&mut stream, format!("{answer}\r\n").as_bytes());
    }
    // Nor does a payload that panics when it is dropped, again and again.
    stream.write_all(&resp(&["bomb"])).unwrap();
    expect(&mut stream, answer.replace("boom", "bomb").as_bytes());
    expect(&mut stream, b"\r\n");
    assert_eq!(daemon.ask("bomb\n"), answer.replace("boom", "bomb").replace('\'', r"\'") + r"\n");
    stream.write_all(&resp(&["hit"])).unwrap();
    expect(&mut stream, b":1\r\n");
}

#[test]
fn panic_of_a_closure_is_answered() {
    let daemon = Daemon::start(
        server().0.handle("odd", |_: &Request<'_>| -> u8 { std::panic::panic_any(Bomb(2)) }),
    );
    for _ in 0..2 {
        assert!(daemon.ask("odd\n").starts_with("-PANIC odd panicked;"));
    }
    assert_eq!(daemon.ask("hit\n"), "1");
}

#[test]
fn client_may_leave_before_its_answer() {
    let (entered, is_in) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = Mutex::new(may_leave);
    let (left, has_left) = mpsc::channel();
    let (server, _) = server();
    let daemon = Daemon::start(server.handle("stay", move |_: &Request<'_>| {
        entered.send(()).unwrap();
        may_leave.lock().unwrap().recv().unwrap();
        left.send(()).unwrap();
        vec![b'x'; 1 << 20]
    }));
    for input in [b"stay\n".to_vec(), resp(&["stay"])] {
        let mut stream = daemon.connect();
        stream.write_all(&input).unwrap();
        is_in.recv_timeout(PATIENCE).unwrap();
        drop(stream);
        leave.send(()).unwrap();
        has_left.recv_timeout(PATIENCE).unwrap();
    }
    // One that leaves in the middle of its answer.
    let mut stream = daemon.connect();
    stream.write_all(b"stay\n").unwrap();
    leave.send(()).unwrap();
    expect(&mut stream, b"xxx");
    drop(stream);
    assert_eq!(daemon.ask("hit\n"), "1");
}

#[test]
fn half_closed_client_gets_all_answers() {
    let (daemon, _) = daemon();
    let answers: Vec<_> = (1..=200).map(|n| format!(r":{n}\r\n")).collect();
    assert_eq!(daemon.ask(resp(&["hit"]).repeat(200)), answers.concat());
}

#[test]
fn refused_client_that_keeps_sending_gets_no_reset() {
    let (daemon, _) = daemon();
    for input in [&b"nothing-like-it\n"[..], b"*x\r\n", b"{", b"\xff\n"] {
        let mut stream = daemon.connect();
        stream.write_all(input).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(stream);
        assert!(answer.starts_with(b"-") && answer.ends_with(b"\n"), "{}", input.escape_ascii());
    }
}

#[test]
fn surplus_connection_gets_busy_in_its_own_mode() {
    let (server, runs) = server();
    let daemon = Daemon::start(server.max_connections(2));
    let mut first = daemon.connect();
    let mut second = daemon.connect();
    for stream in [&mut first, &mut second] {
        stream.write_all(&resp(&["PING"])).unwrap();
        expect(stream, b"+PONG\r\n");
    }
    assert_eq!(daemon.ask("hit\n"), r"-BUSY too many connections: 2 at most; try again\n");
    assert_eq!(daemon.ask(resp(&["hit"])), r"-BUSY too many connections: 2 at most; try again\r\n");
    let hello = [resp(&["HELLO", "3"]), resp(&["hit"])].concat();
    assert_eq!(daemon.ask(hello), r"-BUSY too many connections: 2 at most; try again\r\n");
    assert_eq!(runs.load(SeqCst), 0);
    // Those who are in go on.
    first.write_all(&resp(&["hit"])).unwrap();
    expect(&mut first, b":1\r\n");
    // When one has left there is room again, as soon as the daemon has seen it.
    drop(second);
    let start = Instant::now();
    let answer = loop {
        let answer = daemon.ask("hit\n");
        if answer != r"-BUSY too many connections: 2 at most; try again\n"
            || start.elapsed() > PATIENCE
        {
            break answer;
        }
        thread::yield_now();
    };
    assert_eq!(answer, "2");
}

#[test]
fn unread_answer_stalls_no_other_client() {
    let (server, _) = server();
    let daemon = Daemon::start(server.handle("huge", |_: &Request<'_>| vec![b'x'; 8 << 20]));
    let lazy: Vec<UnixStream> = (0..10)
        .map(|_| {
            let mut stream = daemon.connect();
            stream.write_all(&resp(&["huge"])).unwrap();
            stream
        })
        .collect();
    for mut stream in &lazy {
        // Its answer has begun, and is far longer than what the socket holds.
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
    }
    assert_eq!(daemon.ask("hit\n"), "1");
    drop(lazy);
    assert_eq!(daemon.ask("hit\n"), "2");
}
