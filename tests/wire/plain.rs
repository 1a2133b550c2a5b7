//! Plain commands, which take a shorter way through the server than the others.

use std::io::{Read, Write};

use dockipc::{Server, command};
use tests::{Daemon, expect, resp};

#[command(alias = "plain_plus")]
fn plain_sum(a: u64, #[arg(default = 5)] b: u8, more: Option<i8>) -> u64 {
    a.wrapping_add(b.into()).wrapping_add_signed(more.unwrap_or_default().into())
}

#[command]
fn plain_bytes(first: &[u8], rest: Vec<String>) -> Vec<u8> {
    [first, rest.join("|").as_bytes()].concat()
}

#[command]
fn plain_option(words: Vec<String>, #[arg(long)] limit: Option<String>) -> String {
    format!("{} {limit:?}", words.len())
}

#[command]
fn plain_failure(why: String) -> Result<(), String> {
    Err(why)
}

#[command]
fn plain_panic() {
    panic!("on purpose");
}

#[command(allow = "any")]
fn plain_allowed() -> bool {
    true
}

#[command(allow = "uid:4294967294")]
fn plain_denied() -> bool {
    true
}

/// Sends a command to a daemon and returns its answer, which a `PING` follows.
fn ask(daemon: &Daemon, words: &[&str]) -> String {
    const PONG: &[u8] = b"+PONG\r\n";
    let mut stream = daemon.connect();
    stream.write_all(&[resp(words), resp(&["ping"])].concat()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(PONG) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    answer.truncate(answer.len() - PONG.len());
    answer.escape_ascii().to_string()
}

#[test]
fn plain_command_is_answered_as_with_options() {
    let daemon = Daemon::start(Server::new());
    let many: Vec<_> = std::iter::once("plain-option").chain(["x"; 300]).collect();
    let cases: &[&[&str]] = &[
        &["plain-sum", "1"],
        &["PLAIN-Sum", "1", "2"],
        &["plain-plus", "18446744073709551615", "0", "-1"],
        &["plain-sum", "+7", "007"],
        &["plain-sum"],
        &["plain-sum", ""],
        &["plain-sum", "1", "256"],
        &["plain-sum", "18446744073709551616"],
        &["plain-sum", "1", "2", "3", "4"],
        &["plain-sum", "--", "1"],
        &["plain-sum", "--"],
        &["plain-sum", "1", "--"],
        &["plain-sum", "--b", "1"],
        &["plain-bytes", ""],
        &["plain-bytes", "a\r\n", "b", "ß"],
        &["plain-bytes", "--", "--", "a"],
        &["plain-bytes", "-x", "--y"],
        &["plain-option", "a", "--limit", "b"],
        &many,
        &["plain-failure", "no luck"],
        &["plain-failure", "usage: none"],
        &["plain-panic"],
        &["plain-panic", "now"],
        &["plain-allowed"],
        &["plain-denied"],
        &["plain-unknown", "1"],
    ];
    for words in cases {
        let short = ask(&daemon, words);
        let long = [&["dockipc", "with", "deadline", "60000", "--"], *words].concat();
        assert_eq!(short, ask(&daemon, &long), "{words:?}");
    }
}

#[test]
fn plain_commands_are_answered_in_order() {
    let daemon = Daemon::start(Server::new());
    let bulk = |word: &str| format!("${}\r\n{word}\r\n", word.len());
    let (mut sent, mut answers) = (Vec::new(), Vec::new());
    for n in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX / 2, u64::MAX - 100] {
        let (word, sum) = (n.to_string(), n + 5);
        sent.extend(resp(&["plain-sum", &word]));
        answers.push(match i64::try_from(sum) {
            Ok(sum) => format!(":{sum}\r\n"),
            Err(_) => bulk(&sum.to_string()),
        });
        sent.extend(resp(&["plain-bytes", &word]));
        answers.push(bulk(&word));
    }
    let mut stream = daemon.connect();
    stream.write_all(&sent).unwrap();
    expect(&mut stream, answers.concat().as_bytes());
}
