//! dockipc, and its own client.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Body, Client, Events, Reply, Server, State, Stream, command};
use rustix::time::{ClockId, clock_gettime};

use crate::Res;
use crate::load::{Job, PAYLOAD, blocking, copy, rows};

/// A daemon with the commands below.
pub(crate) fn daemon() -> Server {
    Server::new().state(AtomicU64::new(0)).state(List(OnceLock::new()))
}

/// Answer with the word.
#[command]
#[allow(deprecated, reason = "the clients of the benchmark convert no answer to COPY")]
fn copy(word: &[u8]) -> &[u8] {
    word
}

/// Answer with the word, as tarpc's function does.
#[command]
#[expect(clippy::unused_async, reason = "it is ready at once")]
async fn copy_async(word: &[u8]) -> &[u8] {
    word
}

/// Add `n` to the counter and answer with the new total.
#[command]
fn add(total: State<AtomicU64>, n: u64) -> u64 {
    total.fetch_add(n, Ordering::Relaxed) + n
}

/// Sleep for some milliseconds.
#[command]
pub(crate) fn block(ms: u64) -> u64 {
    thread::sleep(Duration::from_millis(ms));
    ms
}

/// Keep a CPU busy for some milliseconds.
#[command]
pub(crate) fn compute(ms: u64) -> u64 {
    let end = Instant::now() + Duration::from_millis(ms);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    ms
}

/// Answer with this number of letters.
#[command]
pub(crate) fn fill(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}

/// Answer with this number of zeros, which take no memory before they are written.
#[command]
pub(crate) fn zeros(bytes: usize) -> Vec<u8> {
    vec![0; bytes]
}

/// Answer with a stream of this number of zeros.
#[command]
fn stream(bytes: usize) -> Stream<Vec<u8>> {
    Stream::iter(copy::pieces(bytes))
}

/// Read a body and answer with its length.
#[command]
fn take(mut body: Body) -> io::Result<usize> {
    copy::count(&mut body)
}

/// Send an event.
#[command]
fn emit(events: Events, channel: &str, value: &[u8]) -> usize {
    events.publish(channel, value)
}

/// The rows, made by the first command that asks for them.
struct List(OnceLock<Vec<String>>);

impl List {
    fn copied(&self) -> Vec<String> {
        self.0.get_or_init(rows::list).clone()
    }
}

/// Answer with a copy of the list.
#[command]
fn list(list: State<List>) -> Vec<String> {
    list.copied()
}

/// Make a copy of the list and answer with its length: what the function of `list` costs.
#[command]
fn made(list: State<List>) -> usize {
    list.copied().len()
}

/// Use this much CPU time, in microseconds. A thread that waits for a CPU does not come nearer to the end.
#[command]
pub(crate) fn work(us: u64) -> u64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    let end = now() + Duration::from_micros(us);
    while now() < end {}
    us
}

/// A client for each connection: a call is made as an author would make it.
pub(crate) struct Caller<'j> {
    job: &'j Job,
    client: Client,
}

impl<'j> Caller<'j> {
    pub(crate) fn new(job: &'j Job) -> Self {
        Self { job, client: Client::new(&job.socket) }
    }

    /// Makes one call, or a pipeline of several.
    pub(crate) fn batch(&self, batch: usize) -> Res<()> {
        let word = self.job.peer.word();
        let is_right = if batch == 1 {
            self.client.command(word).arg(PAYLOAD).call::<Vec<u8>>()? == PAYLOAD.as_bytes()
        } else {
            let mut pipeline = self.client.pipeline();
            for _ in 0..batch {
                pipeline.command(word, [PAYLOAD]);
            }
            let right = |reply: &Reply| matches!(reply, Reply::Bytes(b) if b == PAYLOAD.as_bytes());
            let answers = pipeline.call()?;
            answers.len() == batch && answers.iter().all(right)
        };
        if is_right { Ok(()) } else { Err("another answer".into()) }
    }
}

impl blocking::Caller for Caller<'_> {
    fn connect(&mut self) -> Res<()> {
        self.client = Client::new(&self.job.socket);
        Ok(())
    }

    fn call(&mut self) -> Res<()> {
        self.batch(self.job.work.pipeline())
    }

    fn close(&mut self) {
        self.client = Client::new(&self.job.socket);
    }
}
