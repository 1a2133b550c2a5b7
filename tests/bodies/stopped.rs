//! Bodies that are not whole.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::time::Duration;

use dockipc::Server;
use tests::process::until;
use tests::{expect, resp, rest};

use super::states::{Reading, data, end, noise, opened};

#[test]
fn cut_body_is_an_error() {
    let it = Reading::start(Server::new());
    it.gate.open();
    let body = [data("abc"), data(noise(1000)), end()].concat();
    for (i, at) in (0..body.len()).step_by(7).chain([body.len() - 1]).enumerate() {
        let mut stream = it.daemon.connect();
        stream.write_all(&opened(&["wait-and-measure"])).unwrap();
        until("a command that runs", || it.gate.came() > i);
        stream.write_all(&body[..at]).unwrap();
        drop(stream);
        assert!(it.end().is_err(), "cut at {at}");
    }
}

#[test]
fn client_of_a_line_that_leaves_cuts_the_body() {
    let it = Reading::start(Server::new());
    it.gate.open();
    for (i, length) in [0, 1, 1000, 400_000].into_iter().enumerate() {
        let mut stream = it.daemon.connect();
        stream.write_all(b"wait-and-measure\n").unwrap();
        until("a command that runs", || it.gate.came() > i);
        stream.write_all(&noise(length)).unwrap();
        drop(stream);
        assert!(it.end().is_err(), "{length}");
    }
}

#[test]
fn half_close_in_a_body_cancels() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["wait-and-measure"]), data("abc")].concat()).unwrap();
    until("a command that runs", || it.gate.waiting() == 1);
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = b"-CANCELLED the caller has cancelled the command, which still runs\r\n";
    expect(&mut stream, answer);
    it.gate.open();
    assert!(it.end().is_err());
    assert_eq!(rest(stream), b"");
}

#[test]
fn body_that_is_kept_ends_with_the_answer() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    for name in ["pass-body-on", "pass-body-on-async"] {
        stream.write_all(&[opened(&[name]), data("abc")].concat()).unwrap();
        expect(&mut stream, b"+OK\r\n");
        assert_eq!(it.end(), Err(ErrorKind::UnexpectedEof), "{name}");
        stream.write_all(&[data(noise(1000)), end()].concat()).unwrap();
    }
    stream.write_all(&resp(&["ping"])).unwrap();
    expect(&mut stream, b"+PONG\r\n");
}

#[test]
fn stop_ends_a_body() {
    let it = Reading::start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    it.gate.open();
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["wait-and-measure"]), data("abc")].concat()).unwrap();
    until("a command that runs", || it.gate.came() == 1);
    it.daemon.handle().shutdown();
    let answer = rest(stream);
    assert!(answer.starts_with(b"-SHUTDOWN "), "{}", answer.escape_ascii());
    assert_eq!(it.end(), Err(ErrorKind::Other));
}

#[test]
fn whole_body_is_read_after_its_client_has_left() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(&[opened(&["wait-and-measure"]), data("abc"), end()].concat()).unwrap();
    until("a command that runs", || it.gate.waiting() == 1);
    drop(stream);
    until("no command", || it.daemon.ask("dockipc running\n").is_empty());
    it.gate.open();
    assert_eq!(it.end(), Ok(3));
}
