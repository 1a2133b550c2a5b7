//! A server that is bound and does not serve yet, and what its program tells the service manager.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::{fs, process};

use dockipc::{Client, Error, Server};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::process::{alone, descriptors, names_in, threads};
use tests::{PATIENCE, Place, exchange, rest};

#[test]
fn clients_of_a_bound_server_wait_without_a_thread() {
    let _alone = alone();
    let place = Place::new();
    let bound = Server::new().bind(place.socket()).unwrap();
    assert_eq!(bound.path(), place.socket());
    let mut early = UnixStream::connect(place.socket()).unwrap();
    early.write_all(b"ping\n").unwrap();
    assert_eq!(threads(), 0);
    let _daemon = bound.spawn().unwrap();
    assert_eq!(rest(early), b"PONG");
}

#[test]
fn dropped_bound_releases_the_path() {
    let _alone = alone();
    let before = descriptors();
    let place = Place::new();
    let second = place.directory().join("second.sock");
    let server = || Server::new().also_at(&second, dockipc::Access::all());
    let bound = server().bind(place.socket()).unwrap();
    let error = server().bind(place.socket()).map(drop).unwrap_err();
    let own = Some(process::id());
    assert!(matches!(&error, Error::AlreadyRunning { pid, .. } if *pid == own), "{error}");
    let mut waits = UnixStream::connect(place.socket()).unwrap();
    drop(bound);
    assert!(matches!(
        waits.read(&mut [0]).map_err(|e| e.kind()),
        Ok(0) | Err(ErrorKind::ConnectionReset)
    ));
    drop(waits);
    assert_eq!(names_in(place.directory()), ["s.sock.lock", "second.sock.lock"]);
    assert_eq!(descriptors(), before);
    // A file of another process stays.
    let bound = server().bind(place.socket()).unwrap();
    fs::remove_file(place.socket()).unwrap();
    let _other = UnixListener::bind(place.socket()).unwrap();
    drop(bound);
    assert!(place.socket().exists() && !second.exists());
}

#[test]
fn path_of_bound_is_as_it_was_given() {
    let _alone = alone();
    let name = format!("@dockipc-test-bound-{}", process::id());
    let bound = Server::new().open_to_all().bind(&name).unwrap();
    assert_eq!(bound.path(), Path::new(&name));
    drop(bound);
    let error = Server::new().bind(&name).map(drop).unwrap_err();
    assert!(matches!(error, Error::OpenToAll { .. }), "{error}");
}

#[test]
fn socket_removed_before_the_start_comes_back() {
    let _alone = alone();
    let place = Place::new();
    let bound = Server::new().bind(place.socket()).unwrap();
    fs::remove_file(place.socket()).unwrap();
    let _daemon = bound.spawn().unwrap();
    tests::process::until("the socket", || place.socket().exists());
    assert_eq!(Client::new(place.socket()).send("ping").unwrap(), b"PONG");
}

/// Not a test: binds, then serves until a signal.
#[test]
fn bound_daemon() {
    apart::serve(|path| {
        let bound = Server::new().bind(path).unwrap();
        exit(i32::from(bound.run().is_err()));
    });
}

/// Not a test: says that it is ready when a client wants that.
#[test]
fn ready_daemon() {
    apart::serve(|path| {
        static READY: OnceLock<Sender<()>> = OnceLock::new();
        let (sender, receiver) = channel();
        READY.set(sender).unwrap();
        let ready = |_: &dockipc::Request<'_>| READY.get().unwrap().send(()).unwrap();
        let daemon = Server::new().handle("ready", ready).spawn(path).unwrap();
        receiver.recv().unwrap();
        daemon.ready();
        daemon.ready();
        receiver.recv().unwrap();
        daemon.ready();
        drop(daemon);
        exit(0);
    });
}

fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 100];
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let n = socket.recv(&mut bytes).expect("what is told");
    String::from_utf8(bytes[..n].to_vec()).unwrap()
}

fn is_told_nothing(socket: &UnixDatagram) -> bool {
    socket.set_nonblocking(true).unwrap();
    let nothing = socket.recv(&mut [0]).is_err();
    socket.set_nonblocking(false).unwrap();
    nothing
}

#[test]
fn bound_server_that_runs_is_ready_and_stops_at_a_signal() {
    let _alone = alone();
    let place = Place::new();
    let notify = place.directory().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    let daemon = Apart::start_with("bound_daemon", place.socket(), &[("NOTIFY_SOCKET", &notify)]);
    assert_eq!(told(&manager), "READY=1");
    daemon.signal(Signal::TERM);
    assert_eq!(told(&manager), "STOPPING=1");
    assert!(daemon.wait().success());
    assert!(!place.socket().exists());
}

#[test]
fn ready_is_told_when_the_author_says_so_and_once() {
    let _alone = alone();
    let place = Place::new();
    let notify = place.directory().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    let daemon = Apart::start_with("ready_daemon", place.socket(), &[("NOTIFY_SOCKET", &notify)]);
    assert!(is_told_nothing(&manager));
    assert_eq!(exchange(daemon.connect(), b"ready\n"), b"");
    assert_eq!(told(&manager), "READY=1");
    assert_eq!(exchange(daemon.connect(), b"ready\n"), b"");
    assert!(daemon.wait().success());
    assert!(is_told_nothing(&manager));
}
