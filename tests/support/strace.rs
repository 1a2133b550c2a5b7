//! strace(1): traces a process's system calls, and injects faults into them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Returns whether strace is usable. With `DOCKIPC_REQUIRE_PEERS` set, its absence is a failure.
pub fn is_here() -> bool {
    let output = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let here = output.is_ok_and(|output| output.status.success());
    if !here {
        let what = "skipped: strace is not installed, or may not trace";
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
        println!("{what}");
    }
    here
}

/// A system call, identified by its name and its number among the calls of that name in its thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The name of the call.
    pub name: String,
    /// The number of the call, from 1.
    pub number: usize,
}

/// Returns a strace command; the traced program is appended to it.
pub fn strace(output: &Path, faults: &[String]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(output);
    for fault in faults {
        command.args(["-e", &format!("inject={fault}")]);
    }
    command
}

/// Returns the distinct calls in a trace, in order. With a marker, only those after the first thread
/// has made that call.
pub fn calls(trace: &Path, marker: Option<&str>) -> Vec<Call> {
    let text = fs::read(trace).expect("a trace");
    let text = String::from_utf8_lossy(&text);
    let first = text.split_whitespace().next();
    let mut begun = marker.is_none();
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    let mut seen = BTreeSet::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        // Skip signals, exits, and resumed calls.
        let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let number = counts.entry((thread, name)).or_default();
        *number += 1;
        if Some(thread) == first && Some(name) == marker {
            begun = true;
        } else if begun {
            let call = Call { name: name.to_owned(), number: *number };
            if seen.insert(call.clone()) {
                calls.push(call);
            }
        }
    }
    assert!(begun, "{marker:?} is not in the trace");
    calls
}

/// strace attached to a running process. Detaches when this is dropped.
pub struct Strace {
    child: Child,
}

impl Strace {
    /// Attaches to all threads of a process, and waits until strace is attached.
    #[track_caller]
    pub fn attach(process: u32, output: &Path, faults: &[String]) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(output);
        for fault in faults {
            command.args(["-e", &format!("inject={fault}")]);
        }
        command.args(["-p", &process.to_string()]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("strace");
        let mut messages = BufReader::new(child.stderr.take().expect("its messages"));
        let mut message = String::new();
        while !message.contains("attached") {
            message.clear();
            let size = messages.read_line(&mut message).expect("a message");
            assert!(size > 0, "strace does not attach");
        }
        // Drain the remaining messages, so that strace does not block.
        thread::spawn(move || messages.lines().count());
        Self { child }
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let strace = Pid::from_child(&self.child);
        let _ = kill_process(strace, Signal::INT);
        let end = Instant::now() + Duration::from_secs(2);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > end {
                // If the process is killed during the detach, strace 6.1 waits for the first thread
                // before the others, and so forever.
                let _ = kill_process(strace, Signal::KILL);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
