//! `ping`: measures how fast the daemon answers.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::AnsiColor;

use super::daemon::{Daemon, OWN_MAX_ANSWER, OWN_TIMEOUT};
use super::error::CliError;
use super::exit::Exit;
use super::written;
use crate::reply::Reply;

/// The longest bar, in columns.
const MAX_BAR: usize = 40;

/// Sends the pings and writes the time of each, with a bar on a terminal, and a summary.
pub(super) fn ping(daemon: &Daemon, count: u32, interval: Duration) -> Result<Exit, CliError> {
    let mut out = anstream::stdout().lock();
    let is_terminal = io::stdout().is_terminal();
    let mut times = Vec::new();
    let (green, name) = (AnsiColor::Green.on_default(), &daemon.name);
    let client = daemon.client.clone().timeout(OWN_TIMEOUT).max_answer(OWN_MAX_ANSWER);
    for i in 1..=count {
        if i > 1 {
            daemon.pause(interval)?;
        }
        let start = Instant::now();
        let _: Reply = client.command("ping").call()?;
        let time = start.elapsed();
        times.push(time);
        let line = if is_terminal {
            let longest = times.iter().max().copied().unwrap_or(time);
            let bar = "█".repeat(length(time, longest));
            writeln!(out, "{name} {i:>4} {:>9} {green}{bar}{green:#}", shown(time))
        } else {
            writeln!(out, "{name}\t{i}\t{}", shown(time))
        };
        if line.is_err() {
            return written(line);
        }
    }
    times.sort_unstable();
    // The nearest-rank percentile.
    let at = |percent: usize| shown(times[(times.len() * percent).div_ceil(100).max(1) - 1]);
    let (min, median, p99, max) = (at(0), at(50), at(99), at(100));
    let count = times.len();
    // The first time includes connecting.
    written(writeln!(out, "{count} answered: min {min}, median {median}, p99 {p99}, max {max}"))
}

/// Returns the length of a bar, relative to the longest time so far.
fn length(time: Duration, longest: Duration) -> usize {
    let parts = time.as_nanos() * MAX_BAR as u128 / longest.as_nanos().max(1);
    usize::try_from(parts).unwrap_or(MAX_BAR).clamp(1, MAX_BAR)
}

/// Formats a time with one decimal and a unit.
fn shown(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0..1_000_000 => format!("{}.{} µs", nanos / 1_000, nanos / 100 % 10),
        1_000_000..1_000_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10),
        _ => format!("{}.{} s", nanos / 1_000_000_000, nanos / 100_000_000 % 10),
    }
}
