//! A daemon in a process of its own: what it takes can be seen from outside, and it can be killed.
//!
//! The process is the test program once more, in which only the one test runs that serves.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use crate::process::{self, until};
use crate::{PATIENCE, test_name};

/// The socket's path, set in the daemon's process.
const PATH: &str = "DOCKIPC_TEST_APART";

/// The body of the test that serves: runs the daemon if this is its process, else does nothing.
pub fn serve(daemon: impl FnOnce(&Path)) {
    let Some(path) = env::var_os(PATH) else { return };
    // It ends with the program that started it, however that ends.
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(70);
    });
    // Some commands panic, and nobody wants to read it ten thousand times.
    panic::set_hook(Box::new(|_| ()));
    daemon(Path::new(&path));
}

/// A daemon in a process of its own. It is killed when this is dropped.
pub struct Apart {
    child: Child,
    // Its input's end is its own.
    _stdin: ChildStdin,
    path: PathBuf,
}

impl Apart {
    /// Starts the test of this name in the caller's file, which [`serve`]s, and waits until it can be connected to.
    #[track_caller]
    pub fn start(test: &str, path: impl AsRef<Path>) -> Self {
        Self::start_with::<&str>(test, path, &[])
    }

    /// The same with some settings in its environment.
    #[track_caller]
    pub fn start_with<V: AsRef<OsStr>>(
        test: &str,
        path: impl AsRef<Path>,
        environment: &[(&str, V)],
    ) -> Self {
        let path = path.as_ref().to_owned();
        let mut command = Command::new(env::current_exe().expect("this program"));
        command
            .args([&*test_name(test), "--exact", "--nocapture", "--test-threads=1"])
            .env(PATH, &path);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("a process");
        let stdin = child.stdin.take().expect("its input");
        let daemon = Self { child, _stdin: stdin, path };
        until("the daemon's start", || UnixStream::connect(&daemon.path).is_ok());
        // That connection is gone.
        let at_rest = || daemon.threads() == 2;
        until("the daemon's rest", at_rest);
        daemon
    }

    /// A new connection.
    #[track_caller]
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream
    }

    /// The path of its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The threads of the server.
    pub fn threads(&self) -> usize {
        process::threads_of(self.id())
    }

    /// Its open descriptors.
    pub fn descriptors(&self) -> usize {
        process::descriptors_of(self.id())
    }

    /// The memory that it has now, in bytes.
    pub fn resident(&self) -> usize {
        process::resident_of(self.id())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("a process that takes a signal");
    }

    /// Waits until it has ended by itself.
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
