//! Streams whose client reads slowly or not at all.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use dockipc::{Server, State, Stream, command};
use tests::process::{alone, settled, threads, until};
use tests::{Daemon, resp};

use super::states::{Made, Streaming};

/// Chunks of zeros, which count themselves.
struct Chunks(Arc<Made>, u64);

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let size = self.1.min(64 * 1024);
        self.1 -= size;
        self.0.bytes.fetch_add(size, Relaxed);
        (size > 0).then(|| vec![0; usize::try_from(size).unwrap()])
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Relaxed);
    }
}

fn chunks(made: &State<Arc<Made>>, bytes: u64) -> Chunks {
    made.alive.fetch_add(1, Relaxed);
    Chunks(Arc::clone(made), bytes)
}

/// Answer with zeros.
#[command]
fn zeros(made: State<Arc<Made>>, bytes: u64) -> Stream<Vec<u8>> {
    Stream::iter(chunks(&made, bytes))
}

/// Answer with zeros, from a thread.
#[command]
fn send_zeros(made: State<Arc<Made>>, bytes: u64) -> Stream<Vec<u8>> {
    let chunks = chunks(&made, bytes);
    Stream::new(move |sink| {
        for chunk in chunks {
            sink.send(chunk)?;
        }
        Ok(())
    })
}

fn start() -> (Daemon, Arc<Made>) {
    let Streaming { daemon, made, .. } = Streaming::start(Server::new());
    (daemon, made)
}

#[test]
fn stream_waits_for_its_client_and_holds_no_thread() {
    let _alone = alone();
    let (daemon, made) = start();
    let before = settled(threads);
    let mut clients: Vec<_> = (0..50).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.write_all(b"zeros 1000000000000\n").unwrap();
    }
    until("every stream to begin", || made.alive.load(Relaxed) == 50);
    let bytes = settled(|| usize::try_from(made.bytes.load(Relaxed)).unwrap());
    assert!(bytes < 50 * 1024 * 1024, "{bytes} bytes were made for clients that read nothing");
    until("the threads to end", || threads() <= before + 1);
    // One that reads gets on.
    let mut read = vec![1; 10_000_000];
    clients[7].read_exact(&mut read).unwrap();
    assert!(read.iter().all(|&b| b == 0));
    drop(clients);
    until("the streams to be dropped", || made.alive.load(Relaxed) == 0);
}

#[test]
fn long_stream_arrives_whole() {
    let (daemon, made) = start();
    for command in ["zeros", "send-zeros"] {
        let mut stream = daemon.connect();
        writeln!(stream, "{command} 50000000").unwrap();
        let mut count = 0;
        let mut buffer = vec![0; 5000];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            if n == 0 {
                break;
            }
            count += n;
        }
        assert_eq!(count, 50_000_000);
    }
    until("the streams to be dropped", || made.alive.load(Relaxed) == 0);
}

#[test]
fn quick_commands_are_served_beside_streams() {
    let (daemon, _) = start();
    let path = daemon.path();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || {
                let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
                stream.write_all(b"zeros 100000000\n").unwrap();
                std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
            })
        })
        .collect();
    let mut pinging = daemon.connect();
    while !readers.iter().all(thread::JoinHandle::is_finished) {
        pinging.write_all(&resp(&["ping"])).unwrap();
        tests::expect(&mut pinging, b"+PONG\r\n");
    }
    for reader in readers {
        assert_eq!(reader.join().unwrap(), 100_000_000);
    }
}
