//! The resources of a process, as `/proc` shows them.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Waits for a condition that another thread or process makes true.
#[track_caller]
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Returns whether a socket at this path listens, without a connection to it: a bound one refuses clients.
pub fn listens(path: &Path) -> bool {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let is_this = |line: &str| line.ends_with(path.to_str().unwrap());
    // The fourth field has the flags, of which `__SO_ACCEPTCON` is for sockets that listen.
    sockets.lines().any(|line| is_this(line) && line.split_whitespace().nth(3) == Some("00010000"))
}

/// Serializes the tests of this program that count the resources of the process. Waits until nothing is
/// left of earlier servers: a command that a stopped server has abandoned may end later.
#[track_caller]
pub fn alone() -> MutexGuard<'static, bool> {
    // Whether a wait failed, so that later tests fail at once.
    static ONE: Mutex<bool> = Mutex::new(false);
    let mut failed = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!*failed, "an earlier test left a server that does not end");
    *failed = true;
    until("the end of the servers before", || threads() == 0);
    *failed = false;
    failed
}

/// Waits until a number stops changing, and returns it.
#[track_caller]
pub fn settled(number: impl Fn() -> usize) -> usize {
    let end = Instant::now() + PATIENCE;
    let (mut last, mut same) = (number(), 0);
    while same < 100 {
        assert!(Instant::now() < end, "{last} does not settle");
        thread::sleep(Duration::from_millis(1));
        let now = number();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// Returns the number of server threads in this process.
pub fn threads() -> usize {
    threads_of("self")
}

/// Returns the number of server threads in another process.
pub fn threads_of(process: impl Display) -> usize {
    loop {
        // Before the list: Linux ends it early if the thread that it has come to ends meanwhile.
        let Some(all) = number_in_status(&process, "Threads") else { return 0 };
        let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
        let tasks: Vec<_> = tasks.filter_map(|task| Some(task.ok()?.path())).collect();
        if tasks.len() >= all {
            let names = tasks.iter().filter_map(|task| fs::read_to_string(task.join("comm")).ok());
            return names.filter(|name| name.trim() == "dockipc").count();
        }
    }
}

/// Returns a number of `/proc/PID/status`; `None` if there is no such process.
fn number_in_status(process: impl Display, key: &str) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(line.trim().trim_end_matches(" kB").parse().expect("a number"))
}

/// Returns the number of open descriptors of this process.
pub fn descriptors() -> usize {
    descriptors_of("self")
}

/// Returns the number of open descriptors of another process.
pub fn descriptors_of(process: impl Display) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// Returns the resident memory of this process in bytes.
pub fn resident() -> usize {
    resident_of("self")
}

/// Returns the resident memory of another process in bytes.
pub fn resident_of(process: impl Display) -> usize {
    number_in_status(process, "VmRSS").expect("the resident memory") * 1024
}

/// A flag that ends the threads of a test, also when the test fails.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// Returns whether the flag is set.
    pub fn is(&self) -> bool {
        self.0.load(SeqCst)
    }

    /// Returns a guard that sets the flag when it is dropped.
    pub fn in_the_end(&self) -> impl Drop {
        struct End<'o>(&'o AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        End(&self.0)
    }
}

/// Returns the names in a directory, sorted.
pub fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names
}
