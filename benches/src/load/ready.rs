//! A client of one thread and one epoll set. It costs so little that the server limits the rate.

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::blocking::{Raw, open};
use super::{Job, Meter, nanos, watchdog};
use crate::Res;
use crate::results::Figures;

struct Connection {
    raw: Raw,
    /// The number of bytes of the answer that are there.
    fill: usize,
    sent: Instant,
}

/// Keeps one batch in flight on each connection until the job's calls are answered.
pub(crate) fn bench(job: &Job, new: impl Fn() -> Raw) -> Res<Figures> {
    watchdog();
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for raw in open(job.work.connections(), new)? {
        let data = EventData::new_u64(connections.len() as u64);
        epoll::add(&set, raw.stream()?, data, EventFlags::IN)?;
        connections.push(Connection { raw, fill: 0, sent: Instant::now() });
    }
    let batch = job.work.pipeline();
    run(&set, &mut connections, job.warm_up().div_ceil(batch))?;
    let meter = Meter::start(job.server);
    let times = run(&set, &mut connections, job.calls / batch)?;
    Ok(meter.stop(times, batch))
}

/// Sends at least this number of batches. Returns the nanoseconds that each took.
fn run(set: &impl AsFd, connections: &mut [Connection], batches: usize) -> Res<Vec<u64>> {
    let batches = batches.max(connections.len());
    let mut times = Vec::with_capacity(batches);
    for connection in &mut *connections {
        send(connection)?;
    }
    let mut left = batches - connections.len();
    let mut events = Vec::with_capacity(256);
    while times.len() < batches {
        events.clear();
        match epoll::wait(set, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            connection.fill = connection.raw.receive_part(connection.fill)?;
            if connection.fill > 0 {
                continue;
            }
            times.push(nanos(connection.sent));
            if left > 0 {
                left -= 1;
                send(connection)?;
            }
        }
    }
    Ok(times)
}

fn send(connection: &mut Connection) -> Res<()> {
    connection.sent = Instant::now();
    connection.raw.send()
}
