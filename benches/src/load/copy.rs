//! A stream of a GiB and a body of a GiB, beside a bare copy loop over a Unix socket.
//!
//! The functions are the same on both servers: one makes a `Vec` for each item, the other reads into one buffer.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use dockipc::Client;

use super::{Job, watchdog};
use crate::peers::{Peer, resp};
use crate::results::Figures;
use crate::work::Work;
use crate::{Res, proc};

const TOTAL: usize = 1 << 30;

/// The size of an item, and of each read and write of a bare loop.
const PIECE: usize = 64 * 1024;

/// The items of the stream.
pub(crate) fn pieces(bytes: usize) -> impl Iterator<Item = Vec<u8>> + Send {
    (0..bytes.div_ceil(PIECE)).map(move |i| vec![0; PIECE.min(bytes - i * PIECE)])
}

/// Reads to the end.
pub(crate) fn count(from: &mut impl Read) -> io::Result<usize> {
    let (mut buffer, mut bytes) = (vec![0; PIECE], 0);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => bytes += n,
        }
    }
}

pub(crate) fn bench(job: &Job) -> Res<Figures> {
    watchdog();
    let (start, before) = (Instant::now(), proc::cpu(job.server));
    for _ in 0..job.calls {
        let bytes = match (job.work, job.peer) {
            (Work::In, Peer::Client) => {
                Client::new(&job.socket).command("take").body(body()).call::<usize>()?
            }
            (Work::In, peer) => upload(job, request(peer, &["take"]))?,
            (_, Peer::Client) => items(job)?,
            (_, peer) => {
                let mut stream = UnixStream::connect(&job.socket)?;
                stream.write_all(&request(peer, &["stream", &TOTAL.to_string()]))?;
                count(&mut stream)?
            }
        };
        if bytes != TOTAL {
            return Err(format!("{bytes} bytes").into());
        }
    }
    let wall = start.elapsed();
    let cpu = proc::cpu(job.server).saturating_sub(before);
    let gigabytes = (job.calls * TOTAL) as f64 / 1e9;
    Ok(vec![
        ("gb_s".into(), gigabytes / wall.as_secs_f64()),
        ("server_kib".into(), proc::status(job.server, "VmHWM")? as f64),
        ("client_kib".into(), proc::status(std::process::id(), "VmHWM")? as f64),
        ("server_ms".into(), cpu.as_secs_f64() * 1e3 / gigabytes),
    ])
}

fn body() -> impl Read + Send {
    io::repeat(0).take(TOTAL as u64)
}

/// The command as a line, or for the bare loop in RESP.
fn request(peer: Peer, words: &[&str]) -> Vec<u8> {
    match peer {
        Peer::Line => format!("{}\n", words.join(" ")).into(),
        _ => resp::command(words),
    }
}

fn items(job: &Job) -> Res<usize> {
    let client = Client::new(&job.socket);
    let mut bytes = 0;
    for item in client.command("stream").arg(TOTAL).stream::<Vec<u8>>()? {
        bytes += item?.len();
    }
    Ok(bytes)
}

/// Sends a body that ends with the client's side of the connection. Returns the length that the server has read.
fn upload(job: &Job, request: Vec<u8>) -> Res<usize> {
    let mut stream = UnixStream::connect(&job.socket)?;
    stream.write_all(&request)?;
    let (mut body, mut buffer) = (body(), vec![0; PIECE]);
    loop {
        match body.read(&mut buffer)? {
            0 => break,
            n => stream.write_all(&buffer[..n])?,
        }
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.trim().parse()?)
}
