//! Bodies in line mode: all that follows the line.

use std::io::Write;
use std::net::Shutdown;
use std::process::{Command, Stdio};

use dockipc::Server;
use tests::{exchange, resp, rest};

use super::states::{Reading, hashed, noise};

#[test]
fn all_after_the_line_is_the_body() {
    let it = Reading::start(Server::new());
    let call = b"label 'a b' --loud\nx\n\ny";
    for at in 0..=call.len() {
        let mut stream = it.daemon.connect();
        stream.write_all(&call[..at]).unwrap();
        stream.write_all(&call[at..]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(stream), b"A B:X\n\nY");
    }
}

#[test]
fn long_body_of_a_line_arrives_whole() {
    let it = Reading::start(Server::new());
    let body = noise(4_000_000);
    let answer = exchange(it.daemon.connect(), &[b"measure\n", &body[..]].concat());
    assert_eq!(String::from_utf8(answer).unwrap(), hashed(&*body).unwrap());
    assert_eq!(exchange(it.daemon.connect(), b"read-all\n"), b"0");
}

#[test]
fn client_of_a_line_gets_an_early_answer() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    stream.write_all(b"first-byte\nabc").unwrap();
    assert_eq!(rest(stream), b"a");
}

#[test]
fn nc_sends_a_file() {
    let it = Reading::start(Server::new());
    let mut nc = Command::new("nc")
        .arg("-N")
        .arg("-U")
        .arg(it.daemon.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let body = noise(1_000_000);
    let mut stdin = nc.stdin.take().unwrap();
    stdin.write_all(&[b"measure\n", &body[..]].concat()).unwrap();
    drop(stdin);
    let output = nc.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), hashed(&*body).unwrap());
}

#[test]
fn line_within_resp_has_no_body() {
    let it = Reading::start(Server::new());
    let answer = exchange(it.daemon.connect(), &resp(&["dockipc", "line", "measure"]));
    assert_eq!(answer, b"-USAGE body is missing; usage: measure <body>\r\n");
}
