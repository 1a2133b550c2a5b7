//! A new daemon takes over the path while the old one still answers.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use dockipc::{Client, Error, Handle, Request, Server, command};
use tests::process::{Over, alone, descriptors, names_in, settled, threads, until};
use tests::{PATIENCE, Place, exchange, expect, figure, resp, rest};

/// State shared by both daemons.
#[derive(Default)]
struct Book {
    /// Calls that ran.
    ran: Mutex<HashSet<u64>>,
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
}

/// The daemon's number.
struct Number(usize);

/// Record that a call ran.
#[command("note")]
fn note(request: &Request<'_>, call: u64) -> u64 {
    let book = request.state::<Arc<Book>>().unwrap();
    assert!(book.ran.lock().unwrap().insert(call), "call {call} ran twice");
    call
}

#[command("who")]
fn who(request: &Request<'_>) -> usize {
    request.state::<Number>().unwrap().0
}

/// Wait until the test opens the book.
#[command("stay")]
fn stay(request: &Request<'_>) -> usize {
    let (book, number) =
        (request.state::<Arc<Book>>().unwrap(), request.state::<Number>().unwrap());
    book.waiting.fetch_add(1, SeqCst);
    let open = book.open.lock().unwrap();
    drop(book.opened.wait_while(open, |open| !*open).unwrap());
    book.waiting.fetch_sub(1, SeqCst);
    number.0
}

fn start(path: &Path, book: &Arc<Book>, number: usize) -> Handle {
    let server = Server::new().state(Arc::clone(book)).state(Number(number));
    server.shutdown_timeout(PATIENCE).spawn(path).expect("a daemon that starts")
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The outcomes of the calls made meanwhile.
#[derive(Debug, Default)]
struct Calls {
    answered: usize,
    /// No daemon was listening.
    not_connected: usize,
    /// Connected, and closed before the command was read.
    not_run: usize,
    /// Calls of our client that failed.
    failed: usize,
    longest_gap: Duration,
}

impl Calls {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.not_connected += other.not_connected;
        self.not_run += other.not_run;
        self.failed += other.failed;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }
}

/// Makes calls, each over a new connection.
fn call_raw(path: &Path, book: &Book, numbers: &AtomicUsize, over: &Over) -> Calls {
    let mut calls = Calls::default();
    let mut last = Instant::now();
    while !over.is() {
        let call = numbers.fetch_add(1, SeqCst) as u64;
        let Ok(mut stream) = UnixStream::connect(path) else {
            calls.not_connected += 1;
            continue;
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(format!("note {call}\n").as_bytes());
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        if answer == call.to_string().as_bytes() {
            calls.longest_gap = calls.longest_gap.max(last.elapsed());
            last = Instant::now();
            calls.answered += 1;
        } else {
            let text = answer.escape_ascii().to_string();
            assert!(text.is_empty() || text.starts_with("-SHUTDOWN "), "{text}, {end:?}");
            assert!(!book.ran.lock().unwrap().contains(&call), "{call} ran: {text}, {end:?}");
            calls.not_run += 1;
        }
    }
    calls
}

/// Makes calls with our client, which reuses its connections.
fn call_kept(path: &Path, book: &Book, numbers: &AtomicUsize, over: &Over) -> Calls {
    let client = Client::new(path);
    let mut calls = Calls::default();
    while !over.is() {
        let call = numbers.fetch_add(1, SeqCst) as u64;
        match client.command("note").arg(call).call::<u64>() {
            Ok(answer) => {
                assert_eq!(answer, call);
                calls.answered += 1;
            }
            Err(Error::NoSocket { .. } | Error::Stale { .. }) => calls.not_connected += 1,
            Err(error) => {
                let ran = book.ran.lock().unwrap().contains(&call);
                let safe = match &error {
                    Error::Refused(failure) => failure.code() == "SHUTDOWN",
                    // The error may say "may have run"; what counts is that the command did not.
                    Error::CutOff { .. } => true,
                    _ => false,
                };
                assert!(safe && !ran, "{call} ran: {ran}, {error}");
                println!("our client: {error}");
                calls.failed += 1;
            }
        }
    }
    calls
}

type Caller = fn(&Path, &Book, &AtomicUsize, &Over) -> Calls;

const TIMES: usize = 100;

#[test]
fn successor_keeps_its_socket_after_the_old_daemon_ends() {
    let _alone = alone();
    let place = Place::new();
    let path = place.socket();
    let book = Arc::new(Book::default());
    let first = start(&path, &book, 0);
    assert_eq!(exchange(connect(&path), b"who\n"), b"0");
    let had = (settled(threads), settled(descriptors), names_in(place.directory()));
    let numbers = AtomicUsize::new(0);
    let over = Over::default();
    let mut calls = Calls::default();
    let last = thread::scope(|scope| {
        let mut old = first;
        let end = over.in_the_end();
        let (path, book, numbers, over) = (&*path, &book, &numbers, &over);
        let callers: Vec<_> = [call_raw as Caller, call_raw, call_raw, call_kept, call_kept]
            .into_iter()
            .map(|call| scope.spawn(move || call(path, book.as_ref(), numbers, over)))
            .collect();
        for number in 1..=TIMES {
            *book.open.lock().unwrap() = false;
            // Send three commands to the old daemon: one runs, two wait behind it.
            let mut waits = connect(path);
            let commands = [resp(&["stay"]), resp(&["who"]), resp(&["stay"])].concat();
            waits.write_all(&commands).unwrap();
            until("a command that runs", || book.waiting.load(SeqCst) == 1);
            let begun = numbers.load(SeqCst);
            until("some calls", || numbers.load(SeqCst) > begun + 50);
            old.shutdown();
            let new = start(path, book, number);
            let socket = fs::symlink_metadata(path).unwrap().ino();
            assert_eq!(exchange(connect(path), b"who\n"), number.to_string().as_bytes());
            *book.open.lock().unwrap() = true;
            book.opened.notify_all();
            let answer = format!(":{}\r\n", number - 1);
            expect(&mut waits, answer.repeat(3).as_bytes());
            assert_eq!(rest(waits), b"");
            assert!(old.join().is_empty());
            drop(old);
            let now = fs::symlink_metadata(path).expect("the new daemon's socket").ino();
            assert_eq!(now, socket, "after the old one's end");
            assert_eq!(exchange(connect(path), b"who\n"), number.to_string().as_bytes());
            old = new;
        }
        drop(end);
        for caller in callers {
            calls.add(&caller.join().unwrap());
        }
        old
    });
    let Calls { answered, not_connected, not_run, failed, longest_gap } = calls;
    figure(
        "hand-overs; calls answered, not connected, closed and not run, failed; longest gap",
        format_args!(
            "{TIMES}; {answered}, {not_connected}, {not_run}, {failed}; {longest_gap:.2?}"
        ),
    );
    assert!(answered > 0);
    let ran = book.ran.lock().unwrap().len();
    assert_eq!(ran, answered, "calls that ran are calls that were answered");
    until("the threads' end", || threads() == had.0);
    until("the descriptors' end", || descriptors() <= had.1);
    assert_eq!(names_in(place.directory()), had.2);
    drop(last);
    assert!(!path.exists());
    assert!(UnixStream::connect(&path).is_err());
}
