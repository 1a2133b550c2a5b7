//! Clients that block, one thread each.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::{Job, Meter, Tickets, footprint, idle, nanos, watchdog};
use crate::Res;
use crate::results::Figures;
use crate::work::{BESIDE, Work};

/// One connection.
pub(crate) trait Caller: Send {
    fn connect(&mut self) -> Res<()>;
    /// Makes one call, or a batch if the workload pipelines. Answers are compared whole.
    fn call(&mut self) -> Res<()>;
    fn close(&mut self);
}

pub(crate) fn bench<C: Caller>(job: &Job, new: impl Fn() -> C) -> Res<Figures> {
    watchdog();
    match job.work {
        Work::Rtt16p => trip(job, new()),
        Work::Rtt16i => {
            let _beside = open(BESIDE, &new)?;
            trip(job, new())
        }
        Work::Conc50 | Work::Pipe16 | Work::Compute(_) => {
            let callers = open(job.work.connections(), new)?;
            many(job, callers, Caller::call)
        }
        Work::One1p | Work::One8 => {
            let callers = (0..job.work.connections()).map(|_| new()).collect();
            many(job, callers, |caller| {
                caller.connect()?;
                caller.call()?;
                caller.close();
                Ok(())
            })
        }
        Work::Idle => {
            let before = footprint(job)?;
            let _open = open(job.calls, new)?;
            idle(job, before)
        }
        Work::Ep50
        | Work::Ep50p16
        | Work::Blocked
        | Work::Mixed
        | Work::Beside
        | Work::Big
        | Work::Sips
        | Work::Rows
        | Work::Library
        | Work::Out
        | Work::In
        | Work::Events => Err("not for this client".into()),
    }
}

/// Opens connections that make one call each and then stay idle.
pub(crate) fn open<C: Caller>(count: usize, new: impl Fn() -> C) -> Res<Vec<C>> {
    let open = |_| {
        let mut caller = new();
        caller.connect()?;
        caller.call()?;
        Ok(caller)
    };
    (0..count).map(open).collect()
}

fn trip<C: Caller>(job: &Job, mut caller: C) -> Res<Figures> {
    caller.connect()?;
    for _ in 0..job.warm_up() {
        caller.call()?;
    }
    let mut times = Vec::with_capacity(job.calls);
    let meter = Meter::start(job.server);
    for _ in 0..job.calls {
        let start = Instant::now();
        caller.call()?;
        times.push(nanos(start));
    }
    Ok(meter.stop(times, 1))
}

/// Runs a thread for each caller; together they make the job's calls.
fn many<C: Caller>(
    job: &Job,
    callers: Vec<C>,
    one: impl Fn(&mut C) -> Res<()> + Sync,
) -> Res<Figures> {
    let batch = job.work.pipeline();
    let tickets = Tickets::new(job.calls / batch);
    let warm_up = job.warm_up().div_ceil(batch * callers.len());
    let room = 2 * job.calls / batch / callers.len() + 64;
    let gate = Barrier::new(callers.len() + 1);
    let (tickets, gate, one) = (&tickets, &gate, &one);
    thread::scope(|scope| {
        let run = |mut caller: C| {
            scope.spawn(move || {
                let warm = (0..warm_up).try_for_each(|_| one(&mut caller));
                let mut times = Vec::with_capacity(room);
                // Even if the warm-up failed, or the others would wait for this one.
                gate.wait();
                gate.wait();
                warm?;
                while tickets.take() {
                    let start = Instant::now();
                    one(&mut caller)?;
                    times.push(nanos(start));
                }
                Ok(times)
            })
        };
        let threads: Vec<_> = callers.into_iter().map(run).collect();
        gate.wait();
        let meter = Meter::start(job.server);
        gate.wait();
        let mut times = Vec::with_capacity(job.calls);
        for thread in threads {
            let part: Res<Vec<u64>> = thread.join().map_err(|_| "a client's thread panicked")?;
            times.append(&mut part?);
        }
        Ok(meter.stop(times, batch))
    })
}

/// A client that sends the same bytes each time and knows the bytes of the answer.
pub(crate) struct Raw {
    path: PathBuf,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// The answer ends with the connection.
    to_end: bool,
    stream: Option<UnixStream>,
    input: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(path: &Path, request: Vec<u8>, answer: Vec<u8>) -> Self {
        let input = vec![0; answer.len() + 64];
        Self { path: path.into(), request, answer, to_end: false, stream: None, input }
    }

    pub(crate) fn to_end(path: &Path, request: Vec<u8>, answer: Vec<u8>) -> Self {
        Self { to_end: true, ..Self::new(path, request, answer) }
    }

    pub(crate) fn send(&mut self) -> Res<()> {
        Ok(self.stream.as_mut().ok_or("not connected")?.write_all(&self.request)?)
    }

    pub(crate) fn receive(&mut self) -> Res<()> {
        let mut fill = 0;
        while fill < self.answer.len() || self.to_end {
            match self.read(fill)? {
                0 if self.to_end => break,
                0 => return Err("closed before the answer".into()),
                n => fill += n,
            }
        }
        self.compare(fill)
    }

    /// Reads once what has arrived of the answer, after `fill` bytes of it. Returns the number of bytes that
    /// are there, 0 if the answer is whole.
    pub(crate) fn receive_part(&mut self, fill: usize) -> Res<usize> {
        match self.read(fill)? {
            0 => Err("closed before the answer".into()),
            n if fill + n < self.answer.len() => Ok(fill + n),
            n => self.compare(fill + n).map(|()| 0),
        }
    }

    pub(crate) fn stream(&self) -> Res<&UnixStream> {
        Ok(self.stream.as_ref().ok_or("not connected")?)
    }

    fn read(&mut self, fill: usize) -> Res<usize> {
        Ok(self.stream.as_mut().ok_or("not connected")?.read(&mut self.input[fill..])?)
    }

    /// Compares the answer whole.
    fn compare(&self, fill: usize) -> Res<()> {
        if self.input[..fill] == self.answer[..] {
            return Ok(());
        }
        Err(format!("another answer: {}", self.input[..fill].escape_ascii()).into())
    }
}

impl Caller for Raw {
    fn connect(&mut self) -> Res<()> {
        self.stream = Some(UnixStream::connect(&self.path)?);
        Ok(())
    }

    fn call(&mut self) -> Res<()> {
        self.send()?;
        self.receive()
    }

    fn close(&mut self) {
        self.stream = None;
    }
}
