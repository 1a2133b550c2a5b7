//! Calls of a counter through a proxy that cuts connections at random bytes: each runs exactly once.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use dockipc::error::Ran;
use dockipc::{Client, Error, Server, State, command};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::dice::Dice;
use tests::gate::Gate;
use tests::process::until;
use tests::{PATIENCE, Place, figure, long};

use super::calls::{Runs, states};

/// A counter in a file, which survives the daemon: its value is the file's length.
pub(super) struct Counter(Mutex<PathBuf>);

impl Counter {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self(Mutex::new(path.into()))
    }

    pub(super) fn next(&self) -> u64 {
        let path = self.0.lock().unwrap();
        let mut file = fs::File::options().create(true).append(true).open(&*path).unwrap();
        file.write_all(b"+").unwrap();
        file.metadata().unwrap().len()
    }
}

#[command]
fn next(runs: State<Runs>) -> u64 {
    runs.next()
}

#[command]
fn next_in_file(counter: State<Counter>) -> u64 {
    counter.next()
}

/// A proxy between clients and a daemon.
struct Proxy {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// The most bytes that a connection carries in one direction: a few calls.
const MOST: usize = 1500;

impl Proxy {
    fn start(place: &Place) -> Self {
        let path = place.directory().join("proxy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (daemon, is_over, cuts) =
            (place.socket(), Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (over, counted) = (Arc::clone(&is_over), Arc::clone(&cuts));
        let thread = thread::spawn(move || {
            let mut dice = Dice::thrown();
            for client in listener.incoming() {
                if over.load(SeqCst) {
                    return;
                }
                let client = Arc::new(client.unwrap());
                // While the daemon restarts, clients get the end of the connection.
                let Ok(server) = UnixStream::connect(&daemon) else { continue };
                let server = Arc::new(server);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (Arc::clone(from), Arc::clone(to));
                    let (most, counted) = (dice.below(MOST), Arc::clone(&counted));
                    thread::spawn(move || carry(&from, &to, most, &counted));
                }
            }
        });
        Self { path, is_over, cuts, thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        drop(UnixStream::connect(&self.path));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

/// Copies this number of bytes, and cuts the connections off.
fn carry(mut from: &UnixStream, mut to: &UnixStream, mut left: usize, cuts: &AtomicUsize) {
    let mut bytes = [0; MOST];
    while left > 0 {
        match from.read(&mut bytes[..left]) {
            Ok(n) if n > 0 && to.write_all(&bytes[..n]).is_ok() => left -= n,
            _ => break,
        }
    }
    cuts.fetch_add(usize::from(left == 0), SeqCst);
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Calls a counter from eight clients through a proxy, while `meanwhile` runs. Each answer is there once.
fn calls(place: &Place, name: &str, count: usize, meanwhile: impl FnOnce(&AtomicUsize)) {
    const CLIENTS: usize = 8;
    let proxy = Proxy::start(place);
    let done = AtomicUsize::new(0);
    let mut answers = BTreeSet::new();
    thread::scope(|scope| {
        let clients =
            (0..CLIENTS).map(|_| scope.spawn(|| client(&proxy.path, name, count / CLIENTS, &done)));
        let clients: Vec<_> = clients.collect();
        meanwhile(&done);
        for client in clients {
            for answer in client.join().unwrap() {
                assert!(answers.insert(answer), "{answer} twice");
            }
        }
    });
    assert!(answers.into_iter().eq(1..=count as u64));
    let cuts = proxy.cuts.load(SeqCst);
    assert!(cuts > count / 20, "{cuts} cuts of {count} calls");
    figure(
        "calls that run once, and cut connections",
        format_args!("{name}: {count} calls, {cuts} cuts"),
    );
}

fn client(proxy: &Path, name: &str, count: usize, done: &AtomicUsize) -> Vec<u64> {
    let client = Client::new(proxy).timeout(PATIENCE).once();
    let one = || loop {
        match client.command(name).call::<u64>() {
            Ok(answer) => return answer,
            // The client has given up a call that did not run.
            Err(Error::CutOff { ran: Ran::No, .. }) => {}
            Err(Error::Refused(failure)) if failure.message().contains("was not run") => {}
            Err(error) => panic!("{error}"),
        }
    };
    let answers = (0..count).map(|_| {
        let answer = one();
        done.fetch_add(1, SeqCst);
        answer
    });
    answers.collect()
}

#[test]
fn cut_calls_run_exactly_once() {
    let (place, runs) = (Place::new(), Runs::default());
    let server = Server::new().once();
    let (server, _) = states(server, place.directory(), &runs, &Gate::default());
    let daemon = server.spawn(place.socket()).unwrap();
    let count = long(1_000, 10_000);
    calls(&place, "next", count, |_| ());
    assert_eq!(runs.count(), count as u64);
    drop(daemon);
}

/// The daemon of the tests that restart it.
#[test]
fn daemon_with_file() {
    apart::serve(|path| {
        let directory = path.parent().unwrap();
        let server = Server::new().once_file(directory.join("once"));
        let (server, _) = states(server, directory, &Runs::default(), &Gate::default());
        server.run(path).unwrap();
    });
}

#[test]
fn cut_calls_run_exactly_once_over_restarts() {
    let place = Place::new();
    let start = || Apart::spawn::<&str>("daemon_with_file", place.socket(), &[]);
    let mut daemon = start();
    let count = long(1_000, 10_000);
    calls(&place, "next-in-file", count, |done| {
        for restart in 1..long(5, 20) {
            // Before that, the signal would kill it. The calls may have been made by the one before.
            until("the daemon", || UnixStream::connect(place.socket()).is_ok());
            until("some calls", || done.load(SeqCst) >= restart * count / long(5, 20));
            daemon.signal(Signal::TERM);
            // The next one starts while this one ends.
            until("the release of the path", || !place.socket().exists());
            let status = std::mem::replace(&mut daemon, start()).wait();
            assert!(status.success(), "{status}");
        }
    });
    assert_eq!(fs::read(place.directory().join("count")).unwrap().len(), count);
}
