//! Shared test support: a temporary directory with a socket, and raw bytes over it.

pub mod apart;
pub mod ctl;
pub mod dice;
pub mod example;
pub mod figures;
pub mod gate;
pub mod neighbors;
pub mod package;
pub mod peers;
pub mod process;
pub mod program;
pub mod scripted;
pub mod strace;
pub mod terminal;
pub mod users;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dockipc::{Handle, Server};

pub use figures::{figure, is_long, long};

/// Timeout that turns a hang into a failure. On a busy machine a process may need half a minute to
/// exit, since the kernel closes inotify descriptors asynchronously.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A temporary directory with a path for a socket.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Creates the directory.
    #[expect(clippy::new_without_default, reason = "it has side effects")]
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Leaves a stale socket, as a killed daemon does. Closing is not enough: a child that another test has
/// just forked may hold the descriptor too.
pub fn leave_socket(path: impl AsRef<Path>) {
    let listener = UnixListener::bind(path).expect("a socket");
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).expect("its end");
}

/// A daemon in this process, at a path of its own.
pub struct Daemon {
    // Dropped first, so that the daemon stops before its directory is removed.
    handle: Handle,
    place: Place,
}

impl Daemon {
    /// Starts the server.
    #[track_caller]
    pub fn start(server: Server) -> Self {
        let place = Place::new();
        let handle = server.spawn(place.socket()).expect("a daemon that starts");
        Self { handle, place }
    }

    /// Returns the handle of the running server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns the path of its socket.
    pub fn path(&self) -> PathBuf {
        self.place.socket()
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream
    }

    /// Sends bytes over a new connection, shuts down its sending side, and returns everything received,
    /// escaped to printable ASCII.
    #[track_caller]
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        exchange(self.connect(), bytes.as_ref()).escape_ascii().to_string()
    }
}

/// Returns the full name of a test in the caller's file, `subject::file::test`, for a process that runs
/// only that test.
#[track_caller]
pub fn test_name(test: &str) -> String {
    let file = Location::caller().file();
    let mut parts = file.trim_end_matches(".rs").rsplit('/');
    let (file, subject) = (parts.next().expect("a file"), parts.next().expect("its folder"));
    format!("{subject}::{file}::{test}")
}

/// Encodes a RESP command.
pub fn resp(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends bytes, shuts down the sending side, and returns everything received.
#[track_caller]
pub fn exchange(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // The server may have answered and closed before reading everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    rest(stream)
}

/// Returns everything received until the server closes the connection.
#[track_caller]
pub fn rest(mut stream: UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.set_read_timeout(Some(PATIENCE));
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

/// Raises the descriptor limit of this process to the hard limit.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit that may be raised");
}
