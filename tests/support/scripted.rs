//! Somebody else's server, which does exactly what a test says.

use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use crate::{PATIENCE, Place, expect, resp};

/// The answer to a client's `HELLO 3`, as short as it can be.
pub const GREETING: &[u8] = b"%1\r\n$5\r\nproto\r\n:3\r\n";

/// Serves at the place's socket; it takes connections one after the other. When the script ends,
/// nobody listens any more.
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

/// Takes the handshake and one command of this one word.
pub fn greet(stream: &mut UnixStream, word: &str) {
    expect(stream, &[resp(&["HELLO", "3"]), resp(&[word])].concat());
}
