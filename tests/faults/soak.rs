//! A long mixed load in a short time, during which the daemon's resources stay flat.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Client, Error, Failure, Server, command};
use tests::apart::{self, Apart};
use tests::process::{Over, alone, names_in, settled, until};
use tests::{Place, exchange, expect, figure, long, raise_descriptor_limit, resp};

#[command("add")]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[command("text")]
fn text(size: usize) -> String {
    "x".repeat(size)
}

#[command("sleep")]
fn sleep(time: Duration) {
    thread::sleep(time);
}

#[command("fail")]
fn fail() -> Result<(), Failure> {
    Err(Failure::new("NOTFOUND", "there is none"))
}

#[command("fall")]
fn fall() {
    panic!("on purpose");
}

/// Not a test: the daemon of the test below.
#[test]
fn daemon() {
    apart::serve(|path| {
        raise_descriptor_limit();
        Server::new().run(path).unwrap();
    });
}

/// Number of concurrent clients.
const CLIENTS: usize = 8;

/// Number of commands in a pipeline.
const PIPELINE: usize = 250;

/// Makes one round of calls for a client. Returns their number.
fn round(daemon: &Apart, client: &Client, number: usize) -> usize {
    // Lines.
    for i in 0..4 {
        let line = format!("add {number} {i}\n");
        assert_eq!(
            exchange(daemon.connect(), line.as_bytes()),
            (number + i).to_string().as_bytes()
        );
    }
    // Pipelines, raw and with our client.
    let mut stream = daemon.connect();
    let [mut commands, mut answers] = [Vec::new(), Vec::new()];
    for i in 0..PIPELINE {
        commands.extend(resp(&["add", &number.to_string(), &i.to_string()]));
        answers.extend_from_slice(format!(":{}\r\n", number + i).as_bytes());
    }
    for _ in 0..3 {
        stream.write_all(&commands).unwrap();
        expect(&mut stream, &answers);
    }
    let mut pipeline = client.pipeline();
    for i in 0..PIPELINE {
        pipeline.command("add", [number, i]);
    }
    assert_eq!(pipeline.call().unwrap().len(), PIPELINE);
    // Single calls: small and large answers, errors, slow commands, panics.
    for i in 0..20 {
        assert_eq!(client.command("add").arg(number).arg(i).call::<usize>().unwrap(), number + i);
    }
    let size = number * 7919 % 300_000;
    let large = client.command("text").arg(size).call::<String>().unwrap();
    assert_eq!(large.len(), size);
    client.command("sleep").arg("1ms").call::<()>().unwrap();
    for (name, code) in [("fail", "NOTFOUND"), ("fall", "PANIC"), ("nobody", "UNKNOWN")] {
        match client.command(name).call::<()>() {
            Err(Error::Refused(failure)) => assert_eq!(failure.code(), code),
            other => panic!("{name}: {other:?}"),
        }
    }
    // Clients that close: before the answer, within a command, and within an answer.
    daemon.connect().write_all(b"sleep 1ms\n").unwrap();
    daemon.connect().write_all(b"*2\r\n$4\r\nte").unwrap();
    let mut leaver = daemon.connect();
    leaver.write_all(b"text 250000\n").unwrap();
    leaver.read_exact(&mut [0; 10]).unwrap();
    4 + 4 * PIPELINE + 20 + 5 + 2
}

/// The daemon's resources at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    resident: usize,
    threads: usize,
    descriptors: usize,
}

impl Sample {
    fn of(daemon: &Apart) -> Self {
        let (resident, threads) = (daemon.resident(), daemon.threads());
        Self { resident, threads, descriptors: daemon.descriptors() }
    }

    /// Returns the maximum of each.
    fn most(samples: &[Self]) -> Self {
        let most = |get: fn(&Self) -> usize| samples.iter().map(get).max().unwrap();
        Self {
            resident: most(|s| s.resident),
            threads: most(|s| s.threads),
            descriptors: most(|s| s.descriptors),
        }
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { resident, threads, descriptors } = self;
        write!(f, "{} KiB, {threads} threads, {descriptors} descriptors", resident / 1024)
    }
}

/// Number of samples.
const SAMPLES: usize = 200;

#[test]
fn long_load_leaves_resources_flat() {
    let _alone = alone();
    raise_descriptor_limit();
    let place = Place::new();
    // With many heaps, glibc's memory takes a long time to become stable. The test measures what dockipc
    // keeps.
    let allocator = [("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_ARENA_MAX", "1")];
    let daemon = Apart::start_with("daemon", place.socket(), &allocator);
    let rest = (settled(|| daemon.threads()), settled(|| daemon.descriptors()));
    let names = names_in(place.directory());
    let calls = long(60_000, 100_000_000);
    let (done, rounds) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = Over::default();
    let begun = Instant::now();
    let samples = thread::scope(|scope| {
        let end = over.in_the_end();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(daemon.path());
                    while done.load(Relaxed) < calls && !over.is() {
                        let number = rounds.fetch_add(1, Relaxed);
                        done.fetch_add(round(&daemon, &client, number), Relaxed);
                    }
                })
            })
            .collect();
        let mut samples = Vec::new();
        let all_run = || clients.iter().all(|client| !client.is_finished());
        while samples.len() < SAMPLES && all_run() {
            if done.load(Relaxed) >= samples.len() * calls / SAMPLES {
                samples.push(Sample::of(&daemon));
            }
            thread::sleep(Duration::from_millis(1));
        }
        for client in clients {
            client.join().unwrap();
        }
        drop(end);
        samples
    });
    let took = begun.elapsed();
    let quarter = samples.len() / 4;
    let quarters: Vec<_> = samples.chunks(quarter.max(1)).take(4).map(Sample::most).collect();
    for (number, most) in quarters.iter().enumerate() {
        println!("quarter {}, at most: {most}", number + 1);
    }
    let [second, last] = [quarters[1], quarters[3]];
    let done = done.into_inner();
    figure("calls on a mixed load", format_args!("{done} in {took:.0?}"));
    figure("at most in the second quarter", second);
    figure("at most in the last quarter", last);
    assert!(done >= calls);
    let margin = second.resident / 10 + (8 << 20);
    assert!(last.resident < second.resident + margin, "memory: {last} after {second}");
    assert!(last.threads <= second.threads + CLIENTS, "threads: {last} after {second}");
    assert!(last.descriptors <= second.descriptors + 4 * CLIENTS, "{last} after {second}");
    until("the threads' end", || daemon.threads() == rest.0);
    until("the descriptors' end", || daemon.descriptors() <= rest.1);
    assert_eq!(names_in(place.directory()), names);
    assert_eq!(exchange(daemon.connect(), b"ping\n"), b"PONG");
}
