//! Bodies of our own client: `DOCKIPC DATA` and `DOCKIPC END`.

use std::io::Write;
use std::thread;

use dockipc::Server;
use tests::process::until;
use tests::{expect, resp, rest};

use super::states::{Reading, data, end, hashed, noise, opened};

/// Sends bytes, and then a PING in the same connection.
fn ask(it: &Reading, bytes: &[u8], answer: &str) {
    let mut stream = it.daemon.connect();
    let sender = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| (&sender).write_all(&[bytes, &resp(&["ping"])].concat()).unwrap());
        expect(&mut stream, answer.as_bytes());
        expect(&mut stream, b"+PONG\r\n");
    });
}

#[test]
fn body_reaches_the_function_however_it_is_split() {
    let it = Reading::start(Server::new());
    let call =
        [opened(&["label", "--loud", "a"]), data("x\r\n*"), data(""), data("y"), end()].concat();
    for at in 0..=call.len() {
        let mut stream = it.daemon.connect();
        stream.write_all(&call[..at]).unwrap();
        // Answered when it is read.
        let mut other = it.daemon.connect();
        other.write_all(&resp(&["ping"])).unwrap();
        expect(&mut other, b"+PONG\r\n");
        stream.write_all(&[&call[at..], &resp(&["ping"])].concat()).unwrap();
        expect(&mut stream, b"$7\r\nA:X\r\n*Y\r\n+PONG\r\n");
    }
}

#[test]
fn long_body_arrives_whole() {
    let it = Reading::start(Server::new());
    let body = noise(5_000_000);
    let hash = hashed(&*body).unwrap();
    let answer = format!("${}\r\n{hash}\r\n", hash.len());
    for size in [1_000, 65_536, 65_491, 5_000_000] {
        let parts: Vec<_> = body.chunks(size).flat_map(data).collect();
        ask(&it, &[opened(&["measure"]), parts, end()].concat(), &answer);
    }
}

#[test]
fn empty_body_is_whole() {
    let it = Reading::start(Server::new());
    ask(&it, &[opened(&["read-all"]), end()].concat(), ":0\r\n");
    assert_eq!(it.end(), Ok(0));
}

#[test]
fn rest_of_a_body_is_skipped_after_an_early_answer() {
    let it = Reading::start(Server::new());
    for size in [1, 100_000, 3_000_000] {
        let call = [opened(&["first-byte"]), data("abc"), data(noise(size)), end()].concat();
        ask(&it, &call, "$1\r\na\r\n");
    }
    let call = [opened(&["fall-over"]), data("abc"), data(noise(1_000_000)), end()].concat();
    let why = "panicked; see the daemon's standard error for the message";
    ask(&it, &call, &format!("-PANIC fall-over {why}\r\n"));
}

#[test]
fn skipped_body_is_never_taken_for_commands() {
    let it = Reading::start(Server::new());
    // Once it has kept a thread for long, it waits for another one each time.
    let mut stream = it.daemon.connect();
    stream.write_all(&resp(&["pass-gate"])).unwrap();
    until("the command at the gate", || it.gate.waiting() == 1);
    assert_eq!(it.daemon.handle().client().send("ping").unwrap(), b"PONG");
    it.gate.open();
    expect(&mut stream, b"+OK\r\n");
    for _ in 0..20 {
        stream.write_all(&[opened(&["first-byte"]), data("a")].concat()).unwrap();
        expect(&mut stream, b"$1\r\na\r\n");
        let (body, next) = (data(resp(&["quit"])), resp(&["pass-gate"]));
        let (seen, rest) = body.split_at(body.len() - resp(&["quit"]).len() - b"\r\n".len());
        stream.write_all(seen).unwrap();
        // So that the rest comes with the next command.
        assert_eq!(it.daemon.handle().client().send("ping").unwrap(), b"PONG");
        stream.write_all(&[rest, &end(), &next].concat()).unwrap();
        expect(&mut stream, b"+OK\r\n");
        stream.write_all(&resp(&["ping"])).unwrap();
        expect(&mut stream, b"+PONG\r\n");
    }
}

#[test]
fn body_of_a_refused_call_is_skipped() {
    let it = Reading::start(Server::new());
    let body = [data("ping"), data(noise(2_000_000)), end()].concat();
    let refused = [
        (vec!["unknown"], "-UNKNOWN no command \"unknown\"; send help for a list\r\n"),
        (vec!["plain"], "-USAGE plain takes no body; usage: plain [<word>]\r\n"),
        (vec!["label"], "-USAGE name is missing; usage: label <name> [--loud] <bytes>\r\n"),
        (
            vec!["label", "a", "b"],
            "-USAGE unexpected word \"b\"; usage: label <name> [--loud] <bytes>\r\n",
        ),
    ];
    for (words, answer) in refused {
        let mut stream = it.daemon.connect();
        let sender = stream.try_clone().unwrap();
        let input = [&opened(&words)[..], &body, &resp(&["ping"])].concat();
        thread::scope(|scope| {
            scope.spawn(|| (&sender).write_all(&input).unwrap());
            let mut got = vec![];
            while !got.ends_with(b"+PONG\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                got.push(byte[0]);
            }
            let got = String::from_utf8(got).unwrap();
            assert_eq!(got.split_once("+PONG").unwrap().0, answer);
        });
    }
}

#[test]
fn body_behind_a_wrong_key_is_skipped() {
    let it = Reading::start(Server::new());
    let body = [data("ping"), end()].concat();
    let wrong = [
        (["body", "1", "depth", "1"], "unknown key \"depth\" of dockipc with"),
        (["depth", "1", "body", "items"], "unknown key \"depth\" of dockipc with"),
        (["deadline", "x", "body", "1"], "deadline is a number of milliseconds"),
    ];
    for (keys, why) in wrong {
        let words = [&["dockipc", "with"], &keys[..], &["--", "measure"]].concat();
        ask(&it, &[resp(&words), body.clone()].concat(), &format!("-USAGE {why}\r\n"));
    }
}

#[test]
fn anything_else_in_a_body_ends_the_connection() {
    let it = Reading::start(Server::new());
    let answer = b"-PROTO expected DOCKIPC DATA or DOCKIPC END: a body had begun\r\n";
    // While it is read.
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["wait-and-measure"]), data("x")].concat()).unwrap();
    until("a command that waits", || it.gate.waiting() == 1);
    stream.write_all(&resp(&["ping"])).unwrap();
    assert_eq!(rest(stream), answer);
    it.gate.open();
    assert!(it.end().is_err());
    // While it is skipped.
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["first-byte"]), data("x")].concat()).unwrap();
    expect(&mut stream, b"$1\r\nx\r\n");
    stream.write_all(&resp(&["ping"])).unwrap();
    assert_eq!(rest(stream), answer);
}

#[test]
fn data_without_a_call_runs_nothing() {
    let it = Reading::start(Server::new());
    let why = "usage: dockipc with body 1 -- <command> [<word>…]";
    for frame in [data("ping"), end()] {
        let mut stream = it.daemon.connect();
        stream.write_all(&[frame, resp(&["ping"])].concat()).unwrap();
        expect(
            &mut stream,
            format!("-USAGE data and end follow a call with a body; {why}\r\n+PONG\r\n").as_bytes(),
        );
    }
}

#[test]
fn transaction_refuses_a_body() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    let input = [resp(&["multi"]), resp(&["measure", "body"]), resp(&["exec"])].concat();
    stream.write_all(&input).unwrap();
    let refused = "-ERR measure takes a body and can't be queued\r\n";
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    expect(&mut stream, format!("+OK\r\n{refused}{aborted}").as_bytes());
    // Its frames would be taken for commands.
    stream.write_all(&[resp(&["multi"]), opened(&["measure"]), data("x"), end()].concat()).unwrap();
    assert_eq!(rest(stream), format!("+OK\r\n{refused}").as_bytes());
}

#[test]
fn body_goes_in_while_a_stream_comes_out() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    let sender = stream.try_clone().unwrap();
    let body = noise(3_000_000);
    let input = ["dockipc", "with", "body", "1", "stream", "items", "--", "back"];
    stream.write_all(&[resp(&["hello", "3"]), resp(&input)].concat()).unwrap();
    let parts: Vec<_> = body.chunks(100_000).flat_map(data).collect();
    thread::scope(|scope| {
        scope.spawn(|| (&sender).write_all(&[parts, end()].concat()).unwrap());
        let (mut got, mut buffer) = (Vec::new(), vec![0; 65_536]);
        while !got.ends_with(b"\r\n+OK\r\n") {
            let n = std::io::Read::read(&mut stream, &mut buffer).unwrap();
            assert!(n > 0);
            got.extend_from_slice(&buffer[..n]);
        }
        assert!(got.len() > body.len() && got.len() < body.len() + 50_000);
    });
}

#[test]
fn early_answer_does_not_wait_for_a_body_that_is_dropped() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    let sender = stream.try_clone().unwrap();
    let call = [opened(&["ignore-body"]), data(noise(4_000_000)), end()].concat();
    thread::scope(|scope| {
        scope.spawn(|| (&sender).write_all(&call).unwrap());
        until("a command that waits", || it.gate.waiting() == 1);
        it.gate.open();
        expect(&mut stream, b"+OK\r\n");
    });
}
