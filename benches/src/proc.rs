//! Reads figures of processes and of the system from /proc.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Res;

/// Sets up this process: it ends with its parent, may open as many files as the system allows, and runs
/// on one CPU if asked to.
pub(crate) fn settle(pinned: bool) -> Res<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum })?;
    if pinned {
        let mut first = CpuSet::new();
        first.set(0);
        sched_setaffinity(None, &first)?;
    }
    Ok(())
}

/// Returns the CPU time of a process.
pub(crate) fn cpu(pid: u32) -> Duration {
    // The scheduler counts nanoseconds, but only for live threads; the process' own counters include
    // ended threads, in truncated ticks.
    of_threads(pid).max(in_ticks(pid))
}

fn of_threads(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let ns = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(ns.sum())
}

/// `USER_HZ`, which is 100 on every architecture that Linux runs on today.
const TICK: Duration = Duration::from_millis(10);

fn in_ticks(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // proc_pid_stat(5): the name is field 2 and may have spaces and brackets; utime and stime are fields 14
    // and 15.
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok());
    TICK * ticks.sum()
}

/// Returns a number of `/proc/PID/status`, such as `VmRSS` (in KiB) or `Threads`.
pub(crate) fn status(pid: u32, key: &str) -> Res<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("no {key} in the status of {pid}"))?.parse()?)
}

/// Waits until the machine is nearly idle, a few seconds at most.
pub(crate) fn calm() {
    for _ in 0..20 {
        let (busy, since) = (busy(), Instant::now());
        sleep(Duration::from_millis(150));
        let more = self::busy().saturating_sub(busy);
        let share = more.as_secs_f64() / since.elapsed().as_secs_f64();
        if share < 0.1 {
            return;
        }
    }
}

/// Returns the CPU time of all processes, and the time that the hypervisor took.
fn busy() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
    let ticks = first.split_whitespace().skip(1).map(|n| n.parse::<u64>().unwrap_or(0));
    let busy = ticks.enumerate().filter(|(i, _)| [0, 1, 2, 5, 6, 7].contains(i)).map(|(_, n)| n);
    Duration::from_millis(10 * busy.sum::<u64>())
}

/// Returns one line about the machine and the date.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default();
    let redis = said("redis-server", &["--version"]).unwrap_or_default();
    let redis = redis.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let redis = redis.map(|version| format!(", Redis {version}")).unwrap_or_default();
    format!("{model}, {cpus} CPUs, Linux {}{redis}, {date}", kernel.trim())
}

fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).is_file())
}
