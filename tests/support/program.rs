//! The daemon of `tests/bin/daemon.rs` as a separate process, and the expected answers of its commands.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::Client;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::PATIENCE;

/// Returns the path of the built program.
pub fn path() -> PathBuf {
    // target/<profile>/deps/<this test>
    let this = std::env::current_exe().expect("this test's path");
    this.ancestors().nth(2).expect("the profile's directory").join("test-daemon")
}

/// Writes an executable file. A separate process does so: a descriptor of this one could leak into a
/// child that another thread forks, and running the file would fail (`ETXTBSY`, execve(2)).
pub fn executable(path: &Path, content: impl Into<Stdio>) {
    let mut install = Command::new("install");
    let install = install.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(content);
    assert!(install.status().expect("install").success(), "{} is made", path.display());
}

/// The daemon's process. It is killed when this is dropped.
pub struct Program {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Program {
    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub fn start(socket: &Path) -> Self {
        Self::start_by(Command::new(path()).arg(socket), socket)
    }

    /// Starts the daemon with a command that executes it, and waits until it answers.
    #[track_caller]
    pub fn start_by(command: &mut Command, socket: &Path) -> Self {
        let mut daemon = Self::begin(command, socket);
        assert!(daemon.answers(), "the daemon ended: {:?}", daemon.complaint());
        daemon
    }

    /// Starts the daemon with a command, without waiting. Its standard error goes to a file.
    pub fn begin(command: &mut Command, socket: &Path) -> Self {
        Self::begin_with(command, socket, Stdio::null())
    }

    /// Like [`begin`](Self::begin), with this standard input.
    pub fn begin_with(command: &mut Command, socket: &Path, input: impl Into<Stdio>) -> Self {
        Self::begin_with_output(command, socket, input, Stdio::null())
    }

    /// Like [`begin`](Self::begin), with this standard input and output.
    pub fn begin_with_output(
        command: &mut Command,
        socket: &Path,
        input: impl Into<Stdio>,
        output: impl Into<Stdio>,
    ) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let log = log.keep().expect("a file that stays");
        let errors = File::create(&log).expect("a log");
        let command = command.stdin(input).stdout(output).stderr(errors);
        // A process group of its own, so that it gets no signals from the terminal.
        let child = command.process_group(0).spawn().expect("a process");
        Self { child, socket: socket.to_owned(), log }
    }

    /// Waits until the daemon answers; false if it ends instead.
    #[track_caller]
    pub fn answers(&mut self) -> bool {
        let client = self.client();
        let end = Instant::now() + PATIENCE;
        loop {
            // Checked before the call: another daemon may answer at the path.
            let ended = self.ended().is_some();
            if client.send("ping").is_ok_and(|answer| answer == b"PONG") {
                return !ended;
            }
            if ended {
                return false;
            }
            assert!(Instant::now() < end, "the daemon neither answers nor ends");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns a client of the daemon.
    pub fn client(&self) -> Client {
        Client::new(&self.socket)
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        stream
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Counts the entries of one of its directories under `/proc`.
    fn count(&self, what: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{what}", self.id())).map_or(0, Iterator::count)
    }

    /// Returns the number of its threads, without those of a runtime for async commands.
    pub fn threads(&self) -> usize {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.id())) else { return 0 };
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() != "dockipc-async").count()
    }

    /// Returns the number of its open descriptors.
    pub fn descriptors(&self) -> usize {
        self.count("fd")
    }

    /// Returns the time to the next check of the path, and the time between checks. `None` if the daemon
    /// checks no path.
    pub fn checks(&self) -> Option<(Duration, Duration)> {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", self.id())).expect("the process");
        let texts = infos.flatten().map(|info| fs::read_to_string(info.path()).unwrap_or_default());
        // proc_pid_fdinfo(5): "it_value: (seconds, nanoseconds)" of a timerfd.
        let time = |text: &str, name| {
            let (_, time) = text.split_once(name)?;
            let (seconds, rest) = time.split_once(", ")?;
            let (nanoseconds, _) = rest.split_once(')')?;
            Some(Duration::new(seconds.parse().ok()?, nanoseconds.parse().ok()?))
        };
        texts
            .into_iter()
            .find_map(|text| Some((time(&text, "it_value: (")?, time(&text, "it_interval: (")?)))
    }

    /// Returns the CPU time used so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("the process");
        // proc_pid_stat(5): the name is in parentheses and may contain any character.
        let (_, rest) = stat.rsplit_once(')').expect("a name");
        let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
        let mut next = || fields.next().expect("a field").expect("a number");
        let ticks = next() + next();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Returns the exit status, if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state")
    }

    /// Waits until the process ends.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < end, "the daemon does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the daemon with its `stop` command, and returns the exit status. Failing calls are
    /// repeated.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        let client = self.client();
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < end, "the daemon does not end");
            let _ = client.send("stop");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns its standard error so far.
    pub fn complaint(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Waits until the daemon is idle: only the server's two threads and the main thread are left, and
    /// the number of descriptors is stable.
    #[track_caller]
    pub fn rest(&self) {
        let mut last = 0;
        let mut same = 0;
        let end = Instant::now() + PATIENCE;
        while same < 20 {
            let now = self.descriptors();
            same = if now == last && self.threads() == 3 { same + 1 } else { 0 };
            last = now;
            assert!(Instant::now() < end, "the daemon does not become idle");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Killing only strace would leave the traced process.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}

/// Returns the answer of `blob`.
pub fn blob(size: usize) -> Vec<u8> {
    // It contains line ends and bytes that look like RESP.
    b"$12\r\n0123456789ab\r\n".iter().copied().cycle().take(size).collect()
}

/// Returns the answer of `items`.
pub fn items(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("item {i}\r\n+OK")).collect()
}

/// Returns the answer of `entries`.
pub fn entries(count: usize) -> BTreeMap<String, u64> {
    (0..count as u64).map(|i| (format!("key {i}"), i * i)).collect()
}
