//! A process forks while it serves or calls: the child keeps nothing of the daemon alive, and takes nothing
//! from its parent.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::exit;

use dockipc::{Client, Error, Handle, Request, Server};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, kill_process, setrlimit, waitpid,
};
use tests::apart::{self, Apart};
use tests::process::{settled, until};
use tests::{PATIENCE, Place, expect, resp, rest};

/// Forks. Returns the child's process ID; 0 in the child, which ends in any case.
#[expect(unsafe_code, reason = "fork(2)")]
fn fork() -> i32 {
    // SAFETY: the children of these tests use only memory, whose locks glibc's fork takes, and system
    // calls. alarm(2) ends a child that blocks.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::alarm(60);
        }
        child
    }
}

/// Forks without the C library, which runs no fork handlers.
#[expect(unsafe_code, reason = "clone(2)")]
fn plain_clone() -> i32 {
    // SAFETY: without flags the call makes a copy of the process. The child only waits.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    i32::try_from(child).unwrap()
}

/// Waits in a child until it is killed.
#[expect(unsafe_code, reason = "pause(2)")]
fn wait_forever() -> ! {
    loop {
        // SAFETY: the call takes no arguments.
        unsafe { libc::pause() };
    }
}

/// Ends a child without the exit handlers of its parent.
#[expect(unsafe_code, reason = "_exit(2)")]
fn leave(status: i32) -> ! {
    // SAFETY: the call only ends the process.
    unsafe { libc::_exit(status) }
}

/// Waits for a child, and returns its exit status.
fn status_of(child: i32) -> Option<i32> {
    let (_, status) = waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap().unwrap();
    status.exit_status()
}

/// Opens files until this process has no free descriptor.
fn use_all_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    while let Ok(file) = fs::File::open("/dev/null") {
        std::mem::forget(file);
    }
}

/// Returns the number of descriptors that a process waits for with epoll(7).
fn awaited(process: u32) -> usize {
    let mut texts = (0..64)
        .filter_map(|number| fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok());
    let epoll = texts.find(|text| text.contains("tfd:")).unwrap();
    epoll.matches("tfd:").count()
}

/// A child of a daemon, killed when this is dropped.
struct Orphan(i32);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_raw(self.0).unwrap(), Signal::KILL);
    }
}

/// Forks a child with a server beside this one.
fn fork_server(beside: &Path) -> i32 {
    match fork() {
        0 => leave(i32::from(server().run(beside.with_extension("sock.child")).is_err())),
        child => child,
    }
}

fn server() -> Server {
    let child = |pid: i32| if pid == 0 { wait_forever() } else { pid };
    Server::new()
        .handle("fork", move |_: &Request<'_>| child(fork()))
        .handle("full", move |_: &Request<'_>| {
            use_all_descriptors();
            child(fork())
        })
        .handle("clone", move |_: &Request<'_>| child(plain_clone()))
        .handle("both", |_: &Request<'_>| match fork() {
            0 => 0,
            child => status_of(child).unwrap_or(-1),
        })
        .handle("connection", |request: &Request<'_>| request.connection())
}

/// Not a test: the daemon of those below.
#[test]
fn daemon() {
    apart::serve(|path| {
        let beside = path.to_owned();
        let server = server().handle("serve", move |_: &Request<'_>| fork_server(&beside));
        exit(i32::from(server.run(path).is_err()));
    });
}

/// Starts a daemon, lets it fork by a command, and kills it. Returns the child, the daemon's process ID, and
/// a client that was connected all the time.
fn killed(path: &Path, command: &str) -> (Orphan, u32, UnixStream) {
    let daemon = Apart::start("daemon", path);
    let mut client = daemon.connect();
    client.write_all(&resp(&["ping"])).unwrap();
    expect(&mut client, b"+PONG\r\n");
    let child = dockipc::send(path, command).unwrap();
    let orphan = Orphan(String::from_utf8(child).unwrap().parse().unwrap());
    let id = daemon.id();
    daemon.signal(Signal::KILL);
    daemon.wait();
    (orphan, id, client)
}

#[test]
fn forked_child_keeps_no_socket_and_no_lock() {
    for command in ["fork", "full"] {
        let place = Place::new();
        let path = place.socket();
        let (_orphan, _, client) = killed(&path, command);
        assert_eq!(rest(client), b"", "{command}: the client sees the end");
        let error = dockipc::send(&path, "ping").unwrap_err();
        assert!(matches!(error, Error::Stale { .. }), "{command}: {error}");
        let daemon = server().spawn(&path).unwrap();
        assert_eq!(dockipc::send(&path, "ping").unwrap(), b"PONG");
        drop(daemon);
    }
}

#[test]
fn replaced_listener_in_a_cloned_child_is_not_awaited() {
    let place = Place::new();
    let path = place.socket();
    let daemon = Apart::start("daemon", &path);
    let child = dockipc::send(&path, "clone").unwrap();
    let _orphan = Orphan(String::from_utf8(child).unwrap().parse().unwrap());
    let before = settled(|| awaited(daemon.id()));
    fs::remove_file(&path).unwrap();
    until("the socket's return", || dockipc::send(&path, "ping").is_ok());
    // The shut-down listener would be ready for ever.
    until("the end of the old listener", || awaited(daemon.id()) == before);
}

#[test]
fn cloned_child_is_named_by_the_next_start() {
    let place = Place::new();
    let path = place.socket();
    let (orphan, daemon, _client) = killed(&path, "clone");
    let child = u32::try_from(orphan.0).unwrap();
    let error = server().spawn(&path).unwrap_err();
    let told = format!(
        "already running: {} is still held by process {child}, although process {daemon}, which opened \
         it, has ended; end process {child}",
        path.display()
    );
    assert_eq!(error.to_string(), told);
    // The child still has the lock.
    fs::remove_file(&path).unwrap();
    let error = server().spawn(&path).unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { pid: Some(p), .. } if p == child), "{error}");
    drop(orphan);
    drop(server().spawn(&path).unwrap());
}

#[test]
fn handle_does_nothing_in_a_forked_child() {
    type Act = fn(Handle) -> bool;

    let place = Place::new();
    let path = place.socket();
    let daemon = server().spawn(&path).unwrap();
    let acts: [(&str, Act); 4] = [
        ("drop", |_| true),
        ("stop", |handle| {
            handle.shutdown();
            handle.join().is_empty()
        }),
        ("client", |handle| handle.client().send("ping").is_err()),
        ("connect", |handle| handle.connect().is_err()),
    ];
    let mut daemon = Some(daemon);
    for (what, act) in acts {
        let child = fork();
        if child == 0 {
            leave(i32::from(!daemon.take().is_some_and(act)));
        }
        assert_eq!(status_of(child), Some(0), "{what}");
        assert_eq!(dockipc::send(&path, "ping").unwrap(), b"PONG", "{what}");
    }
    drop(daemon);
    assert!(!path.exists());
}

#[test]
fn command_is_answered_once_if_it_returns_in_a_child() {
    let place = Place::new();
    let daemon = Apart::start("daemon", place.socket());
    let mut stream = daemon.connect();
    stream.write_all(&[resp(&["both"]), resp(&["ping"])].concat()).unwrap();
    // The child's exit status, which dockipc sets.
    expect(&mut stream, b":1\r\n+PONG\r\n");
    until("the daemon's rest", || daemon.threads() == 2);
}

#[test]
fn signal_to_a_child_does_not_stop_the_daemon() {
    let place = Place::new();
    let daemon = Apart::start("daemon", place.socket());
    let ask = |command| String::from_utf8(dockipc::send(daemon.path(), command).unwrap()).unwrap();
    for signal in [Signal::TERM, Signal::INT].repeat(20) {
        let child = Orphan(ask("fork").parse().unwrap());
        kill_process(Pid::from_raw(child.0).unwrap(), signal).unwrap();
        let stat = format!("/proc/{}/stat", child.0);
        // The daemon does not wait for it.
        until("the child's end", || fs::read_to_string(&stat).unwrap().contains(") Z "));
        assert_eq!(ask("ping"), "PONG", "{signal:?}");
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn forked_child_runs_a_server_of_its_own() {
    let place = Place::new();
    let daemon = Apart::start("daemon", place.socket());
    let child = dockipc::send(daemon.path(), "serve").unwrap();
    let child = Orphan(String::from_utf8(child).unwrap().parse().unwrap());
    let path = place.socket().with_extension("sock.child");
    until("the child's start", || dockipc::send(&path, "ping").is_ok());
    kill_process(Pid::from_raw(child.0).unwrap(), Signal::TERM).unwrap();
    until("the child's end in order", || !path.exists());
    assert_eq!(dockipc::send(daemon.path(), "ping").unwrap(), b"PONG");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn forked_client_opens_a_connection_of_its_own() {
    let place = Place::new();
    let _daemon = server().spawn(place.socket()).unwrap();
    let client = Client::new(place.socket()).read_timeout(PATIENCE);
    let connection = || client.command("connection").call::<u64>().unwrap();
    let ours = connection();
    assert_eq!(connection(), ours, "the connection is kept");
    let child = fork();
    if child == 0 {
        leave(i32::from(connection() == ours));
    }
    assert_eq!(status_of(child), Some(0));
    assert_eq!(connection(), ours);
}

#[test]
fn bound_server_does_nothing_in_a_forked_child() {
    let place = Place::new();
    let bound = server().bind(place.socket()).unwrap();
    let child = fork();
    if child == 0 {
        let error = bound.spawn().map(drop).unwrap_err().to_string();
        leave(i32::from(!error.contains("fork before Server::bind")));
    }
    assert_eq!(status_of(child), Some(0));
    assert!(place.socket().exists(), "the child leaves the path");
    let _daemon = bound.spawn().unwrap();
    assert_eq!(Client::new(place.socket()).send("ping").unwrap(), b"PONG");
}
