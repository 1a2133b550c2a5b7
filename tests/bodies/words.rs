//! Bodies of Redis clients: the last word of the command.

use std::io::Write;
use std::process::{Command, Stdio};

use dockipc::Server;
use tests::{exchange, expect, resp};

use super::states::{Reading, hashed, noise};

#[test]
fn last_word_is_the_body() {
    let it = Reading::start(Server::new());
    let mut stream = it.daemon.connect();
    let body = noise(1_000_000);
    let hash = hashed(&*body).unwrap();
    let input = [
        resp(&["label", "a", "--loud", "x y"]),
        resp(&["label", "a", "--", "--loud"]),
        resp(&["read-all", ""]),
        resp(&[&b"measure"[..], &body]),
        resp(&["ping"]),
    ];
    stream.write_all(&input.concat()).unwrap();
    let answers = "$5\r\nA:X Y\r\n$8\r\na:--loud\r\n:0\r\n";
    expect(&mut stream, format!("{answers}$24\r\n{hash}\r\n+PONG\r\n").as_bytes());
}

#[test]
fn call_without_a_body_shows_the_usage() {
    let it = Reading::start(Server::new());
    let ask =
        |words: &[&str]| String::from_utf8(exchange(it.daemon.connect(), &resp(words))).unwrap();
    let usage = "usage: label <name> [--loud] <bytes>\r\n";
    assert_eq!(ask(&["label"]), format!("-USAGE bytes is missing; {usage}"));
    assert_eq!(ask(&["label", "a"]), format!("-USAGE name is missing; {usage}"));
}

#[test]
fn help_shows_the_body_last() {
    let it = Reading::start(Server::new());
    let help = String::from_utf8(exchange(it.daemon.connect(), b"help label\n")).unwrap();
    assert!(help.starts_with("label <name> [--loud] <bytes>\n"), "{help}");
    assert!(
        help.contains(
            "<bytes>  The bytes to be labelled; the last word, or all that follows a line\n"
        ),
        "{help}"
    );
    let docs = exchange(it.daemon.connect(), &resp(&["command", "docs", "label"]));
    let docs = String::from_utf8(docs).unwrap();
    let names: Vec<_> =
        docs.split("display_text\r\n").skip(1).map(|rest| rest.lines().nth(1).unwrap()).collect();
    assert_eq!(names, ["name", "loud", "bytes"]);
    let described = exchange(it.daemon.connect(), &resp(&["dockipc", "describe", "label"]));
    let described = String::from_utf8(described).unwrap();
    assert!(described.contains("$4\r\nkind\r\n$4\r\nbody\r\n"), "{described}");
}

#[test]
fn redis_cli_sends_standard_input() {
    let it = Reading::start(Server::new());
    let mut cli = Command::new("redis-cli")
        .arg("-s")
        .arg(it.daemon.path())
        .args(["-x", "label", "a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cli.stdin.take().unwrap().write_all(b"some bytes").unwrap();
    let output = cli.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a:some bytes\n");
}
