//! Times quick commands beside slow ones, on servers that speak RESP.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::blocking::{Caller, Raw};
use super::{Job, PAYLOAD, footprint, nanos, quantiles, watchdog};
use crate::Res;
use crate::peers::resp;
use crate::results::Figures;

/// Pings the server while 1,000 handlers sleep for a second.
pub(crate) fn blocked(job: &Job) -> Res<Figures> {
    watchdog();
    let before = footprint(job)?.1;
    let ping = Raw::new(&job.socket, resp::command(&["PING"]), b"+PONG\r\n".into());
    let mut ping = connected(ping)?;
    ping.call()?;
    let sleeper = || {
        let answer = b":1000\r\n".into();
        connected(Raw::new(&job.socket, resp::command(&["block", "1000"]), answer))
    };
    let mut sleepers: Vec<_> = (0..job.calls).map(|_| sleeper()).collect::<Res<_>>()?;
    let is_over = AtomicBool::new(false);
    let (pings, answered) = thread::scope(|scope| {
        let pinger = scope.spawn(|| pings(&mut ping, &is_over));
        let answered = wake(&mut sleepers);
        is_over.store(true, Ordering::Relaxed);
        let pings = pinger.join().map_err(|_| "the pinger panicked")??;
        Res::Ok((pings, answered?))
    })?;
    drop((sleepers, ping));
    let mut figures = quantiles(&mut pings.iter().map(|ping| ping.took).collect::<Vec<_>>());
    let in_the_middle = pings.iter().filter(|ping| ALL_BLOCK.contains(&ping.due));
    let middle = quantiles(&mut in_the_middle.map(|ping| ping.took).collect::<Vec<_>>());
    figures.extend(middle.into_iter().map(|(key, value)| (format!("middle_{key}"), value)));
    figures.push(("answered".into(), answered as f64));
    figures.push(("threads_left".into(), threads_left(job, before)?));
    Ok(figures)
}

/// The time in milliseconds when all handlers block: all have begun, and none has ended.
const ALL_BLOCK: Range<u128> = 400..950;

pub(super) struct Ping {
    /// In milliseconds since the first.
    due: u128,
    /// In nanoseconds.
    pub(super) took: u64,
}

/// Sends one ping a millisecond. Its time counts from when it was due: a server that pauses delays many
/// pings, not one.
pub(super) fn pings(ping: &mut Raw, is_over: &AtomicBool) -> Res<Vec<Ping>> {
    let mut pings = Vec::with_capacity(10_000);
    let start = Instant::now();
    let mut due = start;
    while !is_over.load(Ordering::Relaxed) {
        due += Duration::from_millis(1);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        ping.call()?;
        pings.push(Ping { due: (due - start).as_millis(), took: nanos(due) });
    }
    Ok(pings)
}

/// Calls the sleeping handler on every connection, and returns the number of answers.
fn wake(sleepers: &mut [Raw]) -> Res<usize> {
    sleepers.iter_mut().try_for_each(Raw::send)?;
    Ok(sleepers.iter_mut().filter_map(|sleeper| sleeper.receive().ok()).count())
}

/// Returns the number of threads beyond `before`, after ten seconds at most for them to end.
fn threads_left(job: &Job, before: u64) -> Res<f64> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let now = footprint(job)?.1;
        if now <= before || Instant::now() > end {
            return Ok(now as f64 - before as f64);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The interval of calls on each quick connection.
const PACE: Duration = Duration::from_millis(5);

/// Sends a command that computes for 50 ms over and over on one connection, and quick commands on the
/// others, at a rate that two CPUs can serve.
pub(crate) fn mixed(job: &Job) -> Res<Figures> {
    watchdog();
    let slow = resp::command(&["compute", "50"]);
    let mut slow = connected(Raw::new(&job.socket, slow, b":50\r\n".into()))?;
    let quick = || {
        let request = resp::command(&[job.peer.word(), PAYLOAD]);
        connected(Raw::new(&job.socket, request, resp::bulk(PAYLOAD)))
    };
    let others = job.work.connections() - 1;
    let callers: Vec<_> = (0..others).map(|_| quick()).collect::<Res<_>>()?;
    let end = Instant::now() + Duration::from_millis(job.calls as u64);
    let mut times = thread::scope(|scope| {
        let slow = scope.spawn(move || {
            while Instant::now() < end {
                slow.call()?;
            }
            Res::Ok(())
        });
        let run = |(i, mut caller): (usize, Raw)| {
            scope.spawn(move || {
                let mut times = Vec::with_capacity(10_000);
                // Spread over the interval.
                let mut due = Instant::now() + PACE * i as u32 / others as u32;
                while due < end {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let start = Instant::now();
                    caller.call()?;
                    times.push(nanos(start));
                    due += PACE;
                }
                Res::Ok(times)
            })
        };
        let threads: Vec<_> = callers.into_iter().enumerate().map(run).collect();
        let mut times = Vec::new();
        for thread in threads {
            times.append(&mut thread.join().map_err(|_| "a client's thread panicked")??);
        }
        slow.join().map_err(|_| "a client's thread panicked")??;
        Res::Ok(times)
    })?;
    Ok(quantiles(&mut times))
}

/// Sends a command that computes for 300 µs over and over on all connections but one, and a quick one a
/// millisecond after each answer on that one.
pub(crate) fn beside(job: &Job) -> Res<Figures> {
    watchdog();
    let request = resp::command(&["work", "300"]);
    let busy = || connected(Raw::new(&job.socket, request.clone(), b":300\r\n".into()));
    let busy: Vec<_> = (1..job.work.connections()).map(|_| busy()).collect::<Res<_>>()?;
    let quick = resp::command(&[job.peer.word(), PAYLOAD]);
    let mut quick = connected(Raw::new(&job.socket, quick, resp::bulk(PAYLOAD)))?;
    let end = Instant::now() + Duration::from_millis(job.calls as u64);
    let mut times = thread::scope(|scope| {
        let run = |mut caller: Raw| {
            scope.spawn(move || {
                while Instant::now() < end {
                    caller.call()?;
                }
                Res::Ok(())
            })
        };
        let threads: Vec<_> = busy.into_iter().map(run).collect();
        let mut times = Vec::with_capacity(job.calls);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
            let start = Instant::now();
            quick.call()?;
            times.push(nanos(start));
        }
        for thread in threads {
            thread.join().map_err(|_| "a client's thread panicked")??;
        }
        Res::Ok(times)
    })?;
    Ok(quantiles(&mut times))
}

pub(super) fn connected(mut raw: Raw) -> Res<Raw> {
    raw.connect()?;
    Ok(raw)
}
