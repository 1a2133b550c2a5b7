//! The path is lost under load: it is recreated, and no accepted call is lost.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Client, Error, Request, Server, command};
use tests::process::{Over, alone, descriptors, names_in, settled, threads, until};
use tests::{PATIENCE, Place, exchange, expect, figure, long, resp, rest};

/// Number of calls that ran.
type Ran = Arc<AtomicU64>;

/// Count a call, and return its number.
#[command("tell")]
fn tell(request: &Request<'_>, call: u64) -> u64 {
    request.state::<Ran>().unwrap().fetch_add(1, SeqCst);
    call
}

/// The outcomes of the calls.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    answered: u64,
    /// Calls that found no listener.
    not_connected: u64,
    longest: Duration,
}

impl Calls {
    fn answered(&mut self, begun: Instant) {
        self.answered += 1;
        self.longest = self.longest.max(begun.elapsed());
    }

    fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            not_connected: self.not_connected + other.not_connected,
            longest: self.longest.max(other.longest),
        }
    }
}

/// The path that is called, and until when.
struct Scene<'s> {
    path: &'s Path,
    over: &'s Over,
    /// Number of callers that hold a connection.
    kept: AtomicUsize,
}

/// Makes calls, each over a new connection. Every connection must be answered.
fn fresh(scene: &Scene<'_>) -> Calls {
    let mut calls = Calls::default();
    for call in 0_u64.. {
        if scene.over.is() {
            break;
        }
        let begun = Instant::now();
        match UnixStream::connect(scene.path) {
            Ok(mut stream) => {
                let (command, answer) = if call.is_multiple_of(2) {
                    (format!("tell {call}\n").into_bytes(), call.to_string())
                } else {
                    (resp(&["tell", &call.to_string()]), format!(":{call}\r\n"))
                };
                stream.write_all(&command).expect("a connection that is served");
                if call.is_multiple_of(2) {
                    assert_eq!(rest(stream), answer.as_bytes());
                } else {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    expect(&mut stream, answer.as_bytes());
                }
                calls.answered(begun);
            }
            Err(e) => {
                let kinds = [ErrorKind::NotFound, ErrorKind::ConnectionRefused];
                assert!(kinds.contains(&e.kind()), "{e}");
                calls.not_connected += 1;
                thread::yield_now();
            }
        }
    }
    calls
}

/// Makes calls over one connection, which must not notice the loss.
fn kept(scene: &Scene<'_>) -> Calls {
    let mut stream = UnixStream::connect(scene.path).expect("a connection");
    scene.kept.fetch_add(1, SeqCst);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut calls = Calls::default();
    while !scene.over.is() {
        let begun = Instant::now();
        stream.write_all(&resp(&["tell", "7"])).unwrap();
        expect(&mut stream, b":7\r\n");
        calls.answered(begun);
    }
    calls
}

/// Makes calls with our client; every second one with a new client.
fn client(scene: &Scene<'_>) -> Calls {
    let kept = Client::new(scene.path);
    // Give it a connection.
    kept.send("ping").expect("an answer");
    scene.kept.fetch_add(1, SeqCst);
    let mut calls = Calls::default();
    for call in 0_u64.. {
        if scene.over.is() {
            break;
        }
        let begun = Instant::now();
        let fresh = Client::new(scene.path);
        let client = if call.is_multiple_of(2) { &kept } else { &fresh };
        match client.command("tell").arg(call).call::<u64>() {
            Ok(answer) => {
                assert_eq!(answer, call);
                calls.answered(begun);
            }
            Err(Error::NoSocket { .. } | Error::Stale { .. }) if !call.is_multiple_of(2) => {
                calls.not_connected += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    calls
}

/// A way to lose the path.
struct Loss {
    what: &'static str,
    times: usize,
    lose: fn(&Place),
    /// Restores the directory, if `lose` took it away.
    give_back: Option<fn(&Place)>,
}

fn away(place: &Place) -> std::path::PathBuf {
    place.directory().with_extension("away")
}

fn move_away(place: &Place) {
    fs::rename(place.directory(), away(place)).unwrap();
}

fn move_back(place: &Place) {
    fs::rename(away(place), place.directory()).unwrap();
}

/// Removes the directory with its content.
fn remove_directory(place: &Place) {
    move_away(place);
    fs::remove_dir_all(away(place)).unwrap();
}

fn make_directory(place: &Place) {
    fs::create_dir(place.directory()).unwrap();
}

fn lose_under_load(loss: &Loss) {
    let place = Place::new();
    let path = place.socket();
    let ran = Ran::default();
    let before = (threads(), settled(descriptors));
    let server = Server::new().state(Arc::clone(&ran));
    let daemon = server.spawn(&path).unwrap();
    assert_eq!(exchange(UnixStream::connect(&path).unwrap(), b"ping\n"), b"PONG");
    let had = (settled(threads), settled(descriptors), names_in(place.directory()));
    let over = Over::default();
    let scene = &Scene { path: &path, over: &over, kept: AtomicUsize::new(0) };
    let mut gaps = Vec::new();
    let calls = thread::scope(|scope| {
        let end = over.in_the_end();
        let (path, ran) = (&*path, &ran);
        let callers: Vec<_> = [fresh as fn(&Scene<'_>) -> Calls, fresh, kept, kept, client]
            .into_iter()
            .map(|call| scope.spawn(move || call(scene)))
            .collect();
        // After the loss, no caller could connect.
        until("connections that are kept", || scene.kept.load(SeqCst) == 3);
        for _ in 0..loss.times {
            let seen = ran.load(SeqCst);
            until("some calls", || ran.load(SeqCst) > seen + 100);
            let mut begun = Instant::now();
            (loss.lose)(&place);
            if let Some(give_back) = loss.give_back {
                let seen = ran.load(SeqCst);
                until("calls over connections that are kept", || ran.load(SeqCst) > seen + 10);
                begun = Instant::now();
                give_back(&place);
            }
            while UnixStream::connect(path).is_err() {
                assert!(begun.elapsed() < PATIENCE, "the path is not back");
            }
            gaps.push(begun.elapsed());
        }
        drop(end);
        let calls = callers.into_iter().map(|caller| caller.join().unwrap());
        calls.fold(Calls::default(), Calls::and)
    });
    let Calls { answered, not_connected, longest } = calls;
    let gap = gaps.iter().max().unwrap();
    let (what, times) = (loss.what, loss.times);
    figure(
        &format!(
            "{what} {times} times under load: longest gap; calls answered, not connected, lost"
        ),
        format_args!("{gap:.2?}; {answered}, {not_connected}, 0; slowest call {longest:.2?}"),
    );
    assert_eq!(ran.load(SeqCst), answered, "calls that ran are calls that were answered");
    // The daemon checks the path every two seconds.
    assert!(*gap < Duration::from_secs(long(30, 3)), "{gap:?}");
    until("the threads' end", || threads() <= had.0);
    until("the descriptors' end", || descriptors() <= had.1);
    assert_eq!(names_in(place.directory()), had.2);
    drop(daemon);
    until("the threads' end", || threads() <= before.0);
    until("the descriptors' end", || descriptors() <= before.1);
    assert!(!path.exists());
}

#[test]
fn path_lost_under_load_loses_no_call() {
    let _alone = alone();
    // In sequence, since each counts descriptors.
    for loss in [
        Loss {
            what: "the path removed",
            times: 100,
            lose: |place| fs::remove_file(place.socket()).unwrap(),
            give_back: None,
        },
        Loss {
            what: "the path renamed",
            times: long(10, 100),
            lose: |place| {
                fs::rename(place.socket(), place.directory().join("other")).unwrap();
                fs::remove_file(place.directory().join("other")).unwrap();
            },
            give_back: None,
        },
        Loss {
            what: "the directory moved away and back",
            times: long(10, 100),
            lose: move_away,
            give_back: Some(move_back),
        },
        Loss {
            what: "the directory removed and made anew",
            times: long(3, 30),
            lose: remove_directory,
            give_back: Some(make_directory),
        },
    ] {
        lose_under_load(&loss);
    }
}
