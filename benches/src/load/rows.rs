//! A list of many short strings, beside Redis' LRANGE of the same list.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::blocking::{Caller, Raw};
use super::{Job, watchdog};
use crate::peers::{Peer, resp};
use crate::results::Figures;
use crate::{Res, proc};

const ROWS: usize = 1_000_000;
/// The number of rows that Redis gets at a time.
const PUSHED: usize = 10_000;

pub(crate) fn list() -> Vec<String> {
    (0..ROWS).map(|i| format!("row-{i:06}")).collect()
}

/// Asks for the list again and again, and for what only makes it.
pub(crate) fn bench(job: &Job) -> Res<Figures> {
    watchdog();
    let rows = list();
    let mut answer = format!("*{ROWS}\r\n").into_bytes();
    for row in &rows {
        answer.extend_from_slice(&resp::bulk(row));
    }
    let request = if job.peer == Peer::Redis {
        push(job, &rows)?;
        resp::command(&["lrange", "list", "0", "-1"])
    } else {
        resp::command(&["list"])
    };
    let mut stream = UnixStream::connect(&job.socket)?;
    let mut input = vec![0; 1 << 20];
    let mut once = || -> Res<()> {
        stream.write_all(&request)?;
        let mut rest = &answer[..];
        while !rest.is_empty() {
            let n = stream.read(&mut input)?;
            rest = match rest.strip_prefix(&input[..n]) {
                Some(rest) if n > 0 => rest,
                _ => return Err("another answer".into()),
            };
        }
        Ok(())
    };
    // The first answer also pays for the list itself.
    once()?;
    let (start, before) = (Instant::now(), used(job));
    for _ in 0..job.calls {
        once()?;
    }
    let wall = start.elapsed();
    let cpu = used(job).saturating_sub(before);
    let made = if job.peer == Peer::Redis { Duration::ZERO } else { made(job)? };
    let each = |time: Duration| time.as_secs_f64() * 1e3 / job.calls as f64;
    Ok(vec![
        ("server_ms".into(), each(cpu)),
        ("encode_ms".into(), each(cpu.saturating_sub(made))),
        ("lists_s".into(), job.calls as f64 / wall.as_secs_f64()),
    ])
}

/// Returns the CPU time that the function alone takes for as many calls.
fn made(job: &Job) -> Res<Duration> {
    let answer = format!(":{ROWS}\r\n").into();
    let mut raw = Raw::new(&job.socket, resp::command(&["made"]), answer);
    raw.connect()?;
    let before = used(job);
    for _ in 0..job.calls {
        raw.call()?;
    }
    Ok(used(job).saturating_sub(before))
}

/// Returns the server's CPU time once it is idle: what an answer took in memory is freed after its last byte.
fn used(job: &Job) -> Duration {
    thread::sleep(Duration::from_millis(100));
    proc::cpu(job.server)
}

fn push(job: &Job, rows: &[String]) -> Res<()> {
    let mut sent = 0;
    for part in rows.chunks(PUSHED) {
        let mut words = vec!["rpush", "list"];
        words.extend(part.iter().map(String::as_str));
        sent += part.len();
        let answer = format!(":{sent}\r\n").into();
        let mut raw = Raw::new(&job.socket, resp::command(&words), answer);
        raw.connect()?;
        raw.call()?;
    }
    Ok(())
}
