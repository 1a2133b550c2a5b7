//! What the tests share: a temporary directory for a socket, and raw bytes to and from it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A temporary directory with the path of a socket in it.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Makes the directory.
    #[expect(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// The path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    /// The directory.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

/// Sends bytes, ends the sending side, and returns everything that comes back.
pub fn exchange(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // The server may have answered and closed before it took everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    rest(stream)
}

/// Everything that comes until the server ends the connection.
pub fn rest(mut stream: UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer and its end");
    answer
}

/// Reads exactly the expected bytes.
#[track_caller]
pub fn expect(stream: &mut UnixStream, expected: &[u8]) {
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string());
}
