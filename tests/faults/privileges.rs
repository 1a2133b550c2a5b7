//! A daemon that has given up root's privileges can neither recreate nor remove its socket, and says so.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::exit;

use dockipc::{Client, Request, Server};
use rustix::process::Signal;
use tests::Place;
use tests::apart::{self, Apart};
use tests::process::until;

/// Environment variable with the file for the daemon's standard error.
const LOG: &str = "LOG";

/// Changes the user of all threads.
#[expect(unsafe_code, reason = "setuid(2) of the C library, which changes all threads")]
fn become_nobody(_: &Request<'_>) -> io::Result<()> {
    // SAFETY: the call takes only a number.
    match unsafe { libc::setuid(65_534) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[expect(unsafe_code, reason = "dup2(2) of a descriptor that std owns")]
fn redirect_stderr(file: &File) {
    // SAFETY: standard error stays open; it only leads elsewhere.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 2) }, 2);
}

/// Not a test: the daemon of those below.
#[test]
fn daemon() {
    apart::serve(|path| {
        redirect_stderr(&File::create(std::env::var_os(LOG).unwrap()).unwrap());
        exit(i32::from(Server::new().handle("become-nobody", become_nobody).run(path).is_err()));
    });
}

struct Fixture {
    daemon: Apart,
    place: Place,
    log: PathBuf,
}

impl Fixture {
    /// Starts a daemon as root, and lets it become another user. `None` if this is not root.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: this needs root");
            assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
            return None;
        }
        let place = Place::new();
        fs::set_permissions(place.directory(), Permissions::from_mode(0o755)).unwrap();
        let log = place.directory().join("log");
        let daemon = Apart::start_with("daemon", place.socket(), &[(LOG, &log)]);
        dockipc::send(place.socket(), "become-nobody").unwrap();
        Some(Self { daemon, place, log })
    }

    fn complaints(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

#[test]
fn socket_that_cannot_be_recreated_is_reported_once() {
    let Some(fixture) = Fixture::new() else { return };
    let path = fixture.place.socket();
    let client = Client::new(&path);
    assert_eq!(client.send("ping").unwrap(), b"PONG");
    fs::remove_file(&path).unwrap();
    until("a warning", || !fixture.complaints().is_empty());
    let told = format!(
        "dockipc: the socket {0} is lost; uid 65534 cannot recreate it, but keeps trying: permission \
         denied: {0} ({1} is not writable for uid 65534)\n",
        path.display(),
        fixture.place.directory().display()
    );
    assert_eq!(fixture.complaints(), told);
    assert_eq!(client.send("ping").unwrap(), b"PONG", "the connection stays");
    // The directory becomes writable, so that the next looks succeed.
    fs::set_permissions(fixture.place.directory(), Permissions::from_mode(0o777)).unwrap();
    until("the socket", || dockipc::send(&path, "ping").is_ok());
    assert!(fixture.complaints().starts_with(&told));
    fixture.daemon.signal(Signal::TERM);
    let Fixture { daemon, place: _place, log } = fixture;
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(fs::read_to_string(log).unwrap(), told);
}

#[test]
fn socket_that_cannot_be_removed_is_reported() {
    let Some(Fixture { daemon, place, log }) = Fixture::new() else { return };
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
    let told = format!(
        "dockipc: cannot remove the socket {} as uid 65534: Permission denied (os error 13); the daemon's \
         user needs write permission for the directory\n",
        place.socket().display()
    );
    assert_eq!(fs::read_to_string(log).unwrap(), told);
    // The lock is free, and the next start replaces the socket.
    assert!(place.socket().exists());
    drop(Server::new().spawn(place.socket()).unwrap());
    assert!(!place.socket().exists());
}
