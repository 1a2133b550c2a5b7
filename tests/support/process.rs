//! What a process is seen to have.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Waits for something that another thread brings about.
#[track_caller]
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps the other tests of this program waiting that ask for this too, since they count what the
/// process has. It begins when nothing is left of a server before: a command that a stopped server
/// gave up on ends by itself, later.
#[track_caller]
pub fn alone() -> MutexGuard<'static, bool> {
    // Whether a wait failed: every later test would wait as long.
    static ONE: Mutex<bool> = Mutex::new(false);
    let mut failed = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!*failed, "an earlier test has left a server that does not end");
    *failed = true;
    until("the end of the servers before", || threads() == 0);
    *failed = false;
    failed
}

/// A number, when it has not changed for a while: what a process has at rest.
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

/// The threads of servers in this process.
pub fn threads() -> usize {
    threads_of("self")
}

/// The threads of servers in another process.
pub fn threads_of(process: impl Display) -> usize {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    let named = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    named.filter(|name| name.trim() == "dockipc").count()
}

/// The open descriptors of this process.
pub fn descriptors() -> usize {
    descriptors_of("self")
}

/// The open descriptors of another process.
pub fn descriptors_of(process: impl Display) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

/// The memory that this process, and so the daemon in it, has now, in bytes.
pub fn resident() -> usize {
    resident_of("self")
}

/// The memory that another process has now, in bytes.
pub fn resident_of(process: impl Display) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// Set when this is dropped, so that threads which go on until then end also when a test fails.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// Whether it is.
    pub fn is(&self) -> bool {
        self.0.load(SeqCst)
    }

    /// Sets it at the end of the caller's scope at the latest.
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

/// The names in a directory, in order.
pub fn names_in(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names
}
