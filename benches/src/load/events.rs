//! Events for many subscribers, beside Redis' SUBSCRIBE and PUBLISH: the same client for both, of one thread and one
//! epoll set. One subscriber never reads.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::{Job, footprint, nanos, quantiles, watchdog};
use crate::peers::{Peer, resp};
use crate::results::Figures;
use crate::{Res, proc};

const CHANNEL: &str = "jobs.done";

/// The number of events that the publisher sends at a time. It sends the next ones when these are answered.
const BATCH: usize = 100;

/// A subscriber, or the publisher: it knows all bytes that it gets.
struct Reader {
    stream: UnixStream,
    fill: usize,
}

impl Reader {
    fn new(job: &Job) -> Res<Self> {
        Ok(Self { stream: UnixStream::connect(&job.socket)?, fill: 0 })
    }

    /// Reads what has arrived and compares it.
    fn read(&mut self, all: &[u8], input: &mut [u8]) -> Res<()> {
        match self.stream.read(input) {
            Ok(0) => Err("closed".into()),
            Ok(n) if all.get(self.fill..self.fill + n) == Some(&input[..n]) => {
                self.fill += n;
                Ok(())
            }
            Ok(n) => Err(format!("others: {}", input[..n.min(200)].escape_ascii()).into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

pub(crate) fn bench(job: &Job) -> Res<Figures> {
    watchdog();
    let (mut input, count) = (vec![0; 64 * 1024], job.work.connections());
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    let mut readers = Vec::new();
    let subscribe = resp::command(&["subscribe", CHANNEL]);
    let mut subscribed = b"*3\r\n".to_vec();
    subscribed.extend([resp::bulk("subscribe"), resp::bulk(CHANNEL), b":1\r\n".into()].concat());
    for i in 0..count {
        let mut reader = Reader::new(job)?;
        reader.stream.write_all(&subscribe)?;
        while reader.fill < subscribed.len() {
            reader.read(&subscribed, &mut input)?;
        }
        reader.fill = 0;
        // The first one never reads again.
        if i > 0 {
            epoll::add(&set, &reader.stream, EventData::new_u64(i as u64), EventFlags::IN)?;
        }
        readers.push(reader);
    }
    let publish = if job.peer == Peer::Redis { "publish" } else { "emit" };
    let (mut batches, mut all) = (Vec::new(), Vec::new());
    for i in 0..job.calls {
        let value = format!("event-{i:010}");
        if i % BATCH == 0 {
            batches.push(Vec::new());
        }
        let batch = batches.last_mut().ok_or("no batch")?;
        batch.extend(resp::command(&[publish, CHANNEL, &value]));
        all.extend_from_slice(b"*3\r\n");
        all.extend([resp::bulk("message"), resp::bulk(CHANNEL), resp::bulk(&value)].concat());
    }
    let mut publisher = Reader::new(job)?;
    epoll::add(&set, &publisher.stream, EventData::new_u64(0), EventFlags::IN)?;
    let answer = format!(":{count}\r\n").repeat(BATCH).into_bytes();
    let mut batches = batches.into_iter();
    let mut next = || batches.next();
    let before = footprint(job)?.0;
    let (start, cpu) = (Instant::now(), proc::cpu(job.server));
    let mut sent = start;
    publisher.stream.write_all(&next().ok_or("no events")?)?;
    let (mut times, mut left, mut is_publishing) = (Vec::new(), count - 1, true);
    let mut events = Vec::with_capacity(256);
    while left > 0 || is_publishing {
        events.clear();
        match epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in &events {
            let i = event.data.u64() as usize;
            if i > 0 {
                readers[i].read(&all, &mut input)?;
                left -= usize::from(readers[i].fill == all.len());
                continue;
            }
            publisher.read(&answer, &mut input)?;
            if publisher.fill == answer.len() {
                times.push(nanos(sent));
                (publisher.fill, sent) = (0, Instant::now());
                match next() {
                    Some(batch) => publisher.stream.write_all(&batch)?,
                    None => is_publishing = false,
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = proc::cpu(job.server).saturating_sub(cpu);
    let delivered = ((count - 1) * job.calls) as f64;
    let more = footprint(job)?.0 as f64 - before as f64;
    let mut figures = quantiles(&mut times);
    figures.push(("events_s".into(), delivered / seconds));
    figures.push(("server_ns".into(), cpu.as_nanos() as f64 / delivered));
    figures.push(("kib_more".into(), more));
    Ok(figures)
}
