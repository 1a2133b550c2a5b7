//! Connections to a socket that is still being made.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, thread};

use dockipc::{Access, Server};
use rustix::fs::Mode;
use rustix::io::Errno;
use tests::process::Over;
use tests::users::{self, Shared, User, part, say};
use tests::{figure, long, strace};

const OWNER: User = User { uid: 51_000, gid: 51_000, groups: &[] };
const NOBODY: User = User { uid: 65_534, gid: 65_534, groups: &[] };

const TEST: &str = "no_client_connects_before_the_mode_is_set";

/// The delay in microseconds before and after each system call that makes a socket.
const SLOWED: u32 = 20_000;
/// System calls with a question mark are missing on some architectures.
const CALLS: &str = "bind,fchmod,fchmodat,?chmod,listen";

/// The number of early attempts that a run needs.
const MANY: u64 = 1_000;
/// The most starts to reach [`MANY`].
const STARTS: u32 = 30;

#[test]
fn no_client_connects_before_the_mode_is_set() {
    match part().as_deref() {
        Some("stranger") => return try_to_connect(),
        Some(mode) => return serve(u32::from_str_radix(mode, 8).unwrap()),
        None => {}
    }
    if !users::can_be_had() || !strace::is_here() {
        return;
    }
    for mode in ["600", "660"] {
        let seen = attempts(mode, long(2, 10));
        figure(&format!("tries at a socket that is being made, mode 0{mode}, umask 0"), &seen);
        assert_eq!((seen.connected, seen.passed, &*seen.others), (0, 0, ""), "{mode}: {seen}");
    }
    // With mode 0666 strangers pass the permission check early, which shows that they come in time.
    let seen = attempts("666", 1);
    assert!(seen.refused == 0 && seen.passed > 0, "{seen}");
}

/// The outcomes of the stranger's attempts.
#[derive(Default)]
struct Seen {
    /// Attempts without permission.
    refused: u64,
    /// Attempts without permission before the socket listened.
    early: u64,
    /// Attempts with permission before the socket listened.
    passed: u64,
    connected: u64,
    others: String,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { refused, early, passed, connected, others } = self;
        write!(f, "{refused} without the right, {early} of them before it listens, ")?;
        write!(f, "{passed} with it and too early, {connected} connected{others}")
    }
}

/// Starts daemons while a stranger tries to connect without pause.
fn attempts(mode: &str, starts: u32) -> Seen {
    let mut seen = Seen::default();
    for start in 1.. {
        let place = Shared::new(OWNER);
        // The stranger can list the names.
        fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut stranger = place.start(TEST, "stranger", NOBODY);
        assert_eq!(stranger.line().unwrap(), "trying");
        let fault = format!("{CALLS}:delay_enter={SLOWED}:delay_exit={SLOWED}");
        let mut strace = strace::strace(Path::new("/dev/null"), &[fault]);
        strace.arg("setpriv");
        let mut daemon = place.start_by(strace, TEST, mode, OWNER);
        assert_eq!(daemon.line().unwrap(), "ready");
        for line in stranger.end() {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap();
            let (outcome, count) = (next(), next().parse::<u64>().unwrap());
            match outcome {
                "connected" => seen.connected += count,
                "ECONNREFUSED" => seen.passed += count,
                "EACCES" => seen.refused += count,
                "early" => {
                    seen.refused += count;
                    seen.early += count;
                }
                "ENOENT" => {}
                _ => seen.others.extend([", ", &line]),
            }
        }
        daemon.end();
        let enough = seen.early >= MANY || seen.passed + seen.connected > 0;
        if start >= starts && enough {
            break;
        }
        assert!(start < STARTS, "the stranger is too slow: {seen}");
    }
    seen
}

/// Runs the daemon at two sockets.
fn serve(mode: u32) {
    rustix::process::umask(Mode::empty());
    let server = Server::new().mode(mode).also_at("second", Access::all().mode(mode));
    let daemon = server.spawn("first").unwrap();
    say("ready");
    users::wait_for_the_end();
    drop(daemon);
}

/// Runs the stranger: tries all sockets of the directory until the test ends it, and prints the
/// outcomes.
fn try_to_connect() {
    let over = Arc::new(Over::default());
    let end = over.clone();
    thread::spawn(move || {
        let _end = end.in_the_end();
        users::wait_for_the_end();
    });
    let here = std::env::current_dir().unwrap();
    let mut seen = BTreeMap::<&str, u64>::new();
    say("trying");
    while !over.is() {
        for name in names() {
            let outcome = match UnixStream::connect(&name) {
                Ok(_) => "connected",
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::ACCESS) if listens(&here.join(&name)) => "EACCES",
                    Some(Errno::ACCESS) => "early",
                    Some(Errno::CONNREFUSED) => "ECONNREFUSED",
                    Some(Errno::NOENT) => "ENOENT",
                    _ => "other",
                },
            };
            *seen.entry(outcome).or_default() += 1;
        }
    }
    for (outcome, count) in seen {
        say(format!("{outcome} {count}"));
    }
}

/// Returns whether a socket at a path listens: the kernel's list has `__SO_ACCEPTCON` among its flags.
fn listens(path: &Path) -> bool {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    sockets.lines().any(|line| {
        let mut words = line.split_whitespace();
        let flags = words.nth(3);
        flags == Some("00010000") && words.nth(3).is_some_and(|name| Path::new(name) == path)
    })
}

/// Returns the names of the two sockets and of all sockets in the directory.
fn names() -> Vec<PathBuf> {
    let sockets = fs::read_dir(".")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let others = sockets.map(|entry| PathBuf::from(entry.file_name()));
    ["first", "second"].map(PathBuf::from).into_iter().chain(others).collect()
}
