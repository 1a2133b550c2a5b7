//! The load that clients make, and its measurement.

pub(crate) mod big;
pub(crate) mod blocking;
pub(crate) mod copy;
pub(crate) mod events;
pub(crate) mod library;
pub(crate) mod ready;
pub(crate) mod rows;
pub(crate) mod stalls;
pub(crate) mod tasks;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Res;
use crate::peers::Peer;
use crate::proc;
use crate::results::Figures;
use crate::work::Work;

/// The job of one client process.
pub(crate) struct Job {
    pub(crate) peer: Peer,
    pub(crate) work: Work,
    pub(crate) socket: PathBuf,
    /// The process number of the server, whose CPU time and memory are measured.
    pub(crate) server: u32,
    pub(crate) calls: usize,
}

impl Job {
    pub(crate) fn read(words: &[&str]) -> Res<Self> {
        let [peer, work, socket, server, calls] = words else {
            return Err("usage: bench PEER WORK SOCKET PID CALLS".into());
        };
        Ok(Self {
            peer: Peer::named(peer)?,
            work: Work::named(work)?,
            socket: socket.into(),
            server: server.parse()?,
            calls: calls.parse()?,
        })
    }

    /// The number of warm-up calls.
    pub(crate) fn warm_up(&self) -> usize {
        (self.calls / 20).clamp(1, 2_000)
    }
}

/// 16 letters, so that no codec has to escape anything.
pub(crate) const PAYLOAD: &str = "abcdefghijklmnop";

/// The time limit of a run.
const LIMIT: Duration = Duration::from_mins(3);

/// Ends this process if a call hangs.
pub(crate) fn watchdog() {
    thread::spawn(|| {
        thread::sleep(LIMIT);
        eprintln!("benches: gave up after {} s", LIMIT.as_secs());
        std::process::exit(3);
    });
}

/// The counter of calls: each idle caller takes the next one.
pub(crate) struct Tickets(AtomicUsize);

impl Tickets {
    pub(crate) fn new(calls: usize) -> Self {
        Self(AtomicUsize::new(calls))
    }

    pub(crate) fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }
}

/// Reads the clocks before and after the timed calls.
pub(crate) struct Meter {
    server: u32,
    server_cpu: Duration,
    start: Instant,
}

impl Meter {
    pub(crate) fn start(server: u32) -> Self {
        Self { server, server_cpu: proc::cpu(server), start: Instant::now() }
    }

    /// Returns the figures. `times` has the nanoseconds of each call, or of each batch of `batch` calls.
    pub(crate) fn stop(self, mut times: Vec<u64>, batch: usize) -> Figures {
        let wall = self.start.elapsed();
        let cpu = proc::cpu(self.server).saturating_sub(self.server_cpu);
        let calls = (times.len() * batch) as f64;
        let mut figures = quantiles(&mut times);
        figures.push(("calls_s".into(), calls / wall.as_secs_f64()));
        figures.push(("server_us".into(), cpu.as_secs_f64() * 1e6 / calls));
        figures
    }
}

pub(crate) fn quantiles(times: &mut [u64]) -> Figures {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let at =
        |q: f64| times.get((last as f64 * q).round() as usize).map_or(0.0, |&n| n as f64 / 1e3);
    vec![("p50_us".into(), at(0.5)), ("p99_us".into(), at(0.99)), ("max_us".into(), at(1.0))]
}

pub(crate) fn nanos(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// Measures the memory and threads of many idle connections. `before` is the footprint without them.
pub(crate) fn idle(job: &Job, before: (u64, u64)) -> Res<Figures> {
    // An idle server may release memory.
    thread::sleep(Duration::from_secs(1));
    let after = footprint(job)?;
    let more = after.0 as f64 - before.0 as f64;
    Ok(vec![
        ("kib_each".into(), more / job.calls as f64),
        ("threads_more".into(), after.1 as f64 - before.1 as f64),
    ])
}

/// Returns the resident memory in KiB, and the number of threads.
pub(crate) fn footprint(job: &Job) -> Res<(u64, u64)> {
    Ok((proc::status(job.server, "VmRSS")?, proc::status(job.server, "Threads")?))
}
