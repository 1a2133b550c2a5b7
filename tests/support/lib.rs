//! What the tests share: a temporary directory for a socket, and raw bytes to and from it.

pub mod apart;
pub mod ctl;
pub mod dice;
pub mod example;
pub mod figures;
pub mod gate;
pub mod neighbours;
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

/// How long a test waits before it fails rather than hangs. A process that ends may wait half a minute
/// on a busy machine: the kernel closes an inotify descriptor when its own threads get to it.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Leaves a socket at which nobody listens, as a daemon does that is killed. To close it would not do:
/// a child that another test has just forked may have it too.
pub fn leave_socket(path: impl AsRef<Path>) {
    let listener = UnixListener::bind(path).expect("a socket");
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).expect("its end");
}

/// A daemon at a path of its own, in this process.
pub struct Daemon {
    // The handle goes first: the daemon stops before its directory is removed.
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

    /// The running server.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The path of its socket.
    pub fn path(&self) -> PathBuf {
        self.place.socket()
    }

    /// A new connection.
    #[track_caller]
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream
    }

    /// Sends bytes over a new connection, ends the sending side, and returns everything that comes
    /// back, what is not printable ASCII being escaped, line ends too.
    #[track_caller]
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        exchange(self.connect(), bytes.as_ref()).escape_ascii().to_string()
    }
}

/// The full name of a test in the caller's file, `subject::file::test`, for a process that runs only
/// that test.
#[track_caller]
pub fn test_name(test: &str) -> String {
    let file = Location::caller().file();
    let mut parts = file.trim_end_matches(".rs").rsplit('/');
    let (file, subject) = (parts.next().expect("a file"), parts.next().expect("its folder"));
    format!("{subject}::{file}::{test}")
}

/// A RESP command.
pub fn resp(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends bytes, ends the sending side, and returns everything that comes back.
#[track_caller]
pub fn exchange(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // The server may have answered and closed before it took everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    rest(stream)
}

/// Everything that comes until the server ends the connection.
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

/// Lets this process have as many descriptors as the system allows it.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("a limit that may be raised");
}
