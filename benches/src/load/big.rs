//! Answers of many bytes, beside the bare copy loop of the server with a thread per connection.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::blocking::Raw;
use super::stalls::{connected, pings};
use super::{Job, quantiles, watchdog};
use crate::peers::resp;
use crate::results::Figures;
use crate::{Res, proc};

/// The bytes of the answer to one client, and to each of many.
const ONE: usize = 1 << 30;
const EACH: usize = 100 << 20;

/// The size of a read that costs the client little.
const READ: usize = 1 << 20;
/// The size of a read of a client that reads few bytes at a time.
const SIP: usize = 1 << 10;

/// Reads answers of a gigabyte. What the author's function takes is left out: the clock starts when the
/// first bytes have arrived.
pub(crate) fn one(job: &Job) -> Res<Figures> {
    watchdog();
    let mut stream = UnixStream::connect(&job.socket)?;
    let mut input = vec![0; READ];
    let (mut wall, mut cpu, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..job.calls {
        let mut left = begin(&mut stream, "zeros", ONE)?;
        let (start, before) = (Instant::now(), proc::cpu(job.server));
        bytes += left;
        while left > 0 {
            left = left.checked_sub(read(&mut stream, &mut input)?).ok_or("too many bytes")?;
        }
        wall += start.elapsed();
        // The last answer's memory is freed after its last byte is sent.
        thread::sleep(Duration::from_millis(100));
        cpu += proc::cpu(job.server).saturating_sub(before);
    }
    let gigabytes = bytes as f64 / 1e9;
    Ok(vec![
        ("gb_s".into(), gigabytes / wall.as_secs_f64()),
        ("server_ms".into(), cpu.as_secs_f64() * 1e3 / gigabytes),
    ])
}

/// Pings the server alone, and then beside 100 clients that read a KiB at a time.
pub(crate) fn sips(job: &Job) -> Res<Figures> {
    watchdog();
    let ping = Raw::new(&job.socket, resp::command(&["PING"]), b"+PONG\r\n".into());
    let mut ping = connected(ping)?;
    let mut alone = during(&mut ping, || {
        thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    let mut readers = Vec::new();
    for _ in 0..job.work.connections() {
        let mut stream = UnixStream::connect(&job.socket)?;
        let left = begin(&mut stream, "zeros", EACH)?;
        readers.push((stream, left));
    }
    let start = Instant::now();
    let mut input = [0; SIP];
    let end = start + Duration::from_millis(job.calls as u64);
    let mut bytes = 0;
    let mut beside = during(&mut ping, || {
        while Instant::now() < end && !readers.is_empty() {
            for (stream, left) in &mut readers {
                let n = read(stream, &mut input)?;
                bytes += n;
                *left = left.checked_sub(n).ok_or("too many bytes")?;
            }
            readers.retain(|(_, left)| *left > 0);
        }
        Ok(())
    })?;
    let wall = start.elapsed();
    let p99 = |times: &mut [u64]| quantiles(times).into_iter().find(|(key, _)| key == "p99_us");
    let [alone, beside] =
        [&mut alone, &mut beside].map(|times| p99(times).map_or(0.0, |(_, value)| value));
    Ok(vec![
        ("p99_us".into(), beside),
        ("alone_p99_us".into(), alone),
        ("gb_s".into(), bytes as f64 / 1e9 / wall.as_secs_f64()),
    ])
}

/// Pings once a millisecond while `run` runs. Returns the nanoseconds that each ping took.
fn during(ping: &mut Raw, run: impl FnOnce() -> Res<()>) -> Res<Vec<u64>> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let pinger = scope.spawn(|| pings(ping, &is_over));
        let ran = run();
        is_over.store(true, Ordering::Relaxed);
        let pings = pinger.join().map_err(|_| "the pinger panicked")??;
        ran?;
        Ok(pings.iter().map(|ping| ping.took).collect())
    })
}

/// Asks for a big answer, and reads its first bytes. Returns how many are left.
fn begin(stream: &mut UnixStream, command: &str, bytes: usize) -> Res<usize> {
    stream.write_all(&resp::command(&[command, &bytes.to_string()]))?;
    let answer = format!("${bytes}\r\n").len() + bytes + b"\r\n".len();
    let mut first = [0; SIP];
    let n = read(stream, &mut first)?;
    if first[0] != b'$' {
        return Err(format!("another answer: {}", first[..n].escape_ascii()).into());
    }
    Ok(answer - n)
}

fn read(stream: &mut UnixStream, input: &mut [u8]) -> Res<usize> {
    match stream.read(input)? {
        0 => Err("closed before the answer".into()),
        n => Ok(n),
    }
}
