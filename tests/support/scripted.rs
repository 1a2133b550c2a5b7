//! A server that follows a test's script exactly.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use crate::{PATIENCE, Place, expect, resp};

/// The shortest valid answers to a client's handshake.
pub const GREETING: &[u8] = b"%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n";

/// The shortest valid answers of a dockipc daemon, which the program `dockipc` requires.
pub const DOCKIPC_GREETING: &[u8] = b"%1\r\n$6\r\nserver\r\n$7\r\ndockipc\r\n+OK\r\n";

/// The shortest valid answers of a daemon that understands `DOCKIPC WITH`.
pub const WITH_GREETING: &[u8] =
    b"%2\r\n$6\r\nserver\r\n$7\r\ndockipc\r\n$4\r\nwith\r\n$8\r\ndeadline\r\n+OK\r\n";

/// Returns the commands with which a client begins.
pub fn handshake() -> Vec<u8> {
    [resp(&["HELLO", "3"]), resp(&["CLIENT", "SETINFO", "LIB-NAME", "dockipc"])].concat()
}

/// Runs a script that accepts connections at the socket of `place`, one after the other. The listener
/// closes when the script ends.
pub fn scripted(
    place: &Place,
    serve: impl FnOnce(&mut dyn FnMut() -> UnixStream) + Send + 'static,
) -> JoinHandle<()> {
    let listener = UnixListener::bind(place.socket()).expect("a socket");
    thread::spawn(move || {
        serve(&mut || {
            let (stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream
        });
    })
}

/// Reads the handshake and a command without arguments.
pub fn greet(stream: &mut UnixStream, word: &str) {
    expect(stream, &[handshake(), resp(&[word])].concat());
}

/// Returns a text in RESP.
pub fn text(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// Returns a list in RESP.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
}

/// Returns a map in RESP3.
pub fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let head = format!("%{}\r\n", pairs.len()).into_bytes();
    pairs.iter().fold(head, |all, (key, value)| [all, text(key), value.clone()].concat())
}

/// Returns the description of a command whose options are filled in with these properties of the caller.
pub fn description(options: &[(&str, &str)]) -> Vec<u8> {
    let options = options.iter().map(|(name, caller)| {
        let flag = format!("--{name}");
        argument(&[("name", name), ("kind", "option"), ("flag", &flag), ("caller", caller)])
    });
    command(&options.collect::<Vec<_>>(), &[])
}

/// Returns the description of a command with these arguments and further fields.
pub fn command(arguments: &[Vec<u8>], more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let no = || b":0\r\n".to_vec();
    let fields = [
        ("summary", text("")),
        ("details", text("")),
        ("usage", text("usage")),
        ("aliases", list(&[])),
        ("idempotent", no()),
        ("for", b"_\r\n".to_vec()),
        ("builtin", no()),
        ("arguments", list(arguments)),
    ];
    map(&[&fields[..], more].concat())
}

/// Returns the description of an optional argument with these texts.
pub fn argument(texts: &[(&str, &str)]) -> Vec<u8> {
    let [yes, no] = [b":1\r\n", b":0\r\n"].map(|number| number.to_vec());
    let number = |value: &str| format!(":{value}\r\n").into_bytes();
    let texts = texts.iter().map(|(name, value)| match *name {
        "absolute" => (*name, number(value)),
        _ => (*name, text(value)),
    });
    let mut fields: Vec<_> = texts.collect();
    fields.extend([
        ("type", text("path")),
        ("choices", list(&[])),
        ("optional", yes),
        ("multiple", no.clone()),
        ("help", text("")),
        ("secret", no.clone()),
        ("completes", no),
    ]);
    map(&fields)
}

/// Reads the question that the program `dockipc` asks before it calls a command, and describes none.
pub fn describe_none(stream: &mut UnixStream, name: &str) {
    describe(stream, &[name], b"%0\r\n");
}

/// Reads the question about commands of these names, and answers it.
pub fn describe(stream: &mut UnixStream, names: &[&str], answer: &[u8]) {
    let question = resp(&[&["describe"], names].concat());
    let end = question.iter().position(|byte| *byte == b'\n').map(|at| &question[at + 1..]);
    let (end, mut read) = (end.expect("a question"), Vec::new());
    // A deadline may be in front.
    while !read.ends_with(end) {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).expect("a question");
        read.extend(byte);
    }
    stream.write_all(answer).expect("an answer");
}

/// Answers the handshake, which is sent alone before a command that has a deadline or can be cancelled.
pub fn greet_alone(stream: &mut UnixStream, greeting: &[u8]) {
    expect(stream, &handshake());
    stream.write_all(greeting).expect("an answer");
}
