//! A daemon in a separate process, whose resources can be measured and which can be killed.
//!
//! The process runs this test program again, with only the test that serves.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use crate::process::{self, until};
use crate::{PATIENCE, test_name};

/// Environment variable with the socket's path, set in the daemon's process.
const PATH: &str = "DOCKIPC_TEST_APART";

/// Runs the daemon if this is its process; otherwise does nothing. The body of the test that serves.
pub fn serve(daemon: impl FnOnce(&Path)) {
    let Some(path) = env::var_os(PATH) else { return };
    // Exit when the program that started this one ends, for whatever reason.
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(70);
    });
    // Some commands panic thousands of times.
    panic::set_hook(Box::new(|_| ()));
    daemon(Path::new(&path));
}

/// A daemon in a separate process. It is killed when this is dropped.
pub struct Apart {
    child: Child,
    // Closing it ends the daemon.
    _stdin: ChildStdin,
    path: PathBuf,
}

impl Apart {
    /// Starts the test of this name in the caller's file, which calls [`serve`], and waits until it
    /// accepts connections.
    #[track_caller]
    pub fn start(test: &str, path: impl AsRef<Path>) -> Self {
        Self::start_with::<&str>(test, path, &[])
    }

    /// Like [`start`](Self::start), with additional environment variables.
    #[track_caller]
    pub fn start_with<V: AsRef<OsStr>>(
        test: &str,
        path: impl AsRef<Path>,
        environment: &[(&str, V)],
    ) -> Self {
        let daemon = Self::spawn(test, path, environment);
        until("the daemon's start", || UnixStream::connect(&daemon.path).is_ok());
        // Wait for the end of that connection.
        let at_rest = || daemon.threads() == 2;
        until("the daemon's rest", at_rest);
        daemon
    }

    /// Like [`start_with`](Self::start_with), without waiting for the daemon.
    #[track_caller]
    pub fn spawn<V: AsRef<OsStr>>(
        test: &str,
        path: impl AsRef<Path>,
        environment: &[(&str, V)],
    ) -> Self {
        let path = path.as_ref().to_owned();
        // A script's `cargo test &` leaves SIGINT ignored, which `Server::run` respects.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(env::current_exe().expect("this program"))
            .args([&*test_name(test), "--exact", "--nocapture", "--test-threads=1"])
            .env(PATH, &path);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("a process");
        let stdin = child.stdin.take().expect("its input");
        Self { child, _stdin: stdin, path }
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream
    }

    /// Returns the path of its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the number of server threads.
    pub fn threads(&self) -> usize {
        process::threads_of(self.id())
    }

    /// Returns the number of its open descriptors.
    pub fn descriptors(&self) -> usize {
        process::descriptors_of(self.id())
    }

    /// Returns its resident memory in bytes.
    pub fn resident(&self) -> usize {
        process::resident_of(self.id())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("a process that takes a signal");
    }

    /// Waits until the process ends.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        let mut status = None;
        let end = Instant::now() + PATIENCE;
        while status.is_none() {
            assert!(Instant::now() < end, "the daemon does not end");
            thread::sleep(Duration::from_millis(1));
            status = self.child.try_wait().expect("its end");
        }
        status.expect("its end")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
