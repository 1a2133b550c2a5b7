//! Limits of bodies.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use dockipc::Server;
use tests::process::until;
use tests::{exchange, expect, resp, rest};

use super::states::{Reading, data, end, noise, opened};

#[test]
fn body_over_the_limit_is_too_big() {
    let it = Reading::start(Server::new().max_body(1000));
    let too_big = "-TOOBIG the body is longer than 1000 bytes";
    let mut stream = it.daemon.connect();
    // Also if the function doesn't care.
    for name in ["read-all", "read-some"] {
        let call = [opened(&[name]), data(noise(600)), data(noise(401)), data("x"), end()].concat();
        stream.write_all(&[call, resp(&["ping"])].concat()).unwrap();
        expect(&mut stream, format!("{too_big}\r\n+PONG\r\n").as_bytes());
        let call = [opened(&[name]), data(noise(1000)), end()].concat();
        stream.write_all(&call).unwrap();
        expect(&mut stream, b":1000\r\n");
    }
    assert_eq!(it.end(), Err(ErrorKind::FileTooLarge));
    assert_eq!(it.end(), Ok(1000));
    let line = exchange(it.daemon.connect(), &[b"read-all\n", &noise(1001)[..]].concat());
    assert_eq!(String::from_utf8(line).unwrap(), format!("{too_big}\n"));
    let word = exchange(it.daemon.connect(), &resp(&[&b"read-all"[..], &noise(1001)]));
    assert_eq!(String::from_utf8(word).unwrap(), format!("{too_big}\r\n"));
    // An answer before that counts.
    let call = [opened(&["first-byte"]), data("a"), data(noise(2000)), end()].concat();
    stream.write_all(&call).unwrap();
    expect(&mut stream, b"$1\r\na\r\n");
}

#[test]
fn body_that_stalls_times_out() {
    let it = Reading::start(Server::new().arrival_timeout(Duration::from_millis(50)));
    let late = "-TIMEOUT the rest of the body did not come in time";
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["read-all"]), data("abc")].concat()).unwrap();
    expect(&mut stream, format!("{late}\r\n").as_bytes());
    assert_eq!(it.end(), Err(ErrorKind::TimedOut));
    // What comes afterwards is still the body.
    stream.write_all(&[data("def"), end(), resp(&["ping"])].concat()).unwrap();
    expect(&mut stream, b"+PONG\r\n");
    let mut stream = it.daemon.connect();
    stream.write_all(b"read-all\nabc").unwrap();
    assert_eq!(rest(stream), format!("{late}\n").as_bytes());
}

#[test]
fn function_that_does_not_read_times_nobody_out() {
    let it = Reading::start(Server::new().arrival_timeout(Duration::from_millis(50)));
    let mut stream = it.daemon.connect();
    let sender = stream.try_clone().unwrap();
    let call = [opened(&["wait-and-measure"]), data(noise(2_000_000)), end()].concat();
    thread::scope(|scope| {
        scope.spawn(|| (&sender).write_all(&call).unwrap());
        until("a command that waits", || it.gate.waiting() == 1);
        // Three times as long as the limit, on the same clock.
        let mut other = it.daemon.connect();
        other.write_all(b"*1").unwrap();
        assert!(rest(other).starts_with(b"-TIMEOUT"));
        it.gate.open();
        expect(&mut stream, b":2000000\r\n");
    });
}

#[test]
fn body_counts_for_the_quota_of_its_user() {
    let it = Reading::start(Server::new().max_bytes_per_user(200_000));
    let mut stream = it.daemon.connect();
    let sender = stream.try_clone().unwrap();
    stream.write_all(&opened(&["wait-and-measure"])).unwrap();
    until("a command that waits", || it.gate.waiting() == 1);
    let call = [data(noise(2_000_000)), end()].concat();
    thread::scope(|scope| {
        // The server may close the connection first.
        scope.spawn(|| drop((&sender).write_all(&call)));
        let mut answer = [0; 5];
        std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
        assert_eq!(&answer, b"-BUSY");
        it.gate.open();
        assert!(it.end().is_err());
    });
}
