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

/// Reads the question that the program `dockipc` asks before it calls a command, and describes none.
pub fn describe_none(stream: &mut UnixStream, name: &str) {
    let (end, mut read) = (resp(&["describe", name])[b"*2\r\n".len()..].to_vec(), Vec::new());
    // A deadline may be in front.
    while !read.ends_with(&end) {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).expect("a question");
        read.extend(byte);
    }
    stream.write_all(b"%0\r\n").expect("an answer");
}

/// Answers the handshake, which is sent alone before a command that has a deadline or can be cancelled.
pub fn greet_alone(stream: &mut UnixStream, greeting: &[u8]) {
    expect(stream, &handshake());
    stream.write_all(greeting).expect("an answer");
}
