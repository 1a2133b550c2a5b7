//! What this process is seen to have.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take before it counts as a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that another thread brings about.
#[track_caller]
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The threads of servers in this process.
pub fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let named = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    named.filter(|name| name.trim() == "dockipc").count()
}

/// The open descriptors of this process.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("the descriptors").count()
}

/// The memory that this process, and so the daemon in it, has now, in bytes.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}
