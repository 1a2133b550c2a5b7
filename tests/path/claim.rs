//! Claiming the path: one daemon wins, displaces no live one, and removes only its own socket.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use dockipc::{Client, Error, Handle, Request, Server};
use rustix::fs::FlockOperation;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, sendmsg};
use tests::process::until;
use tests::{PATIENCE, Place, leave_socket, test_name};

/// Returns a server whose command `who` answers with a name.
fn named(name: &'static str) -> Server {
    Server::new().handle("who", move |_: &Request<'_>| name)
}

#[track_caller]
fn who(path: impl AsRef<Path>) -> String {
    String::from_utf8(dockipc::send(path, "who").expect("an answer")).unwrap()
}

/// The names in the directory while the daemon runs, and after it has ended.
const SERVING: [&str; 2] = ["s.sock", "s.sock.lock"];
const ENDED: [&str; 1] = ["s.sock.lock"];

/// Returns the error of a second start.
#[track_caller]
fn refused(path: impl AsRef<Path>) -> Error {
    match named("second").spawn(path) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

/// Returns the names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// Returns what identifies the file at a path.
fn identity(path: &Path) -> (u64, u64, u32) {
    let data = fs::symlink_metadata(path).expect("something at the path");
    (data.dev(), data.ino(), data.mode())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn live_daemon_is_never_displaced() {
    let place = Place::new();
    let _first = named("first").spawn(place.socket()).unwrap();
    let before = identity(&place.socket());
    for _ in 0..3 {
        let error = refused(place.socket());
        let me = Some(std::process::id());
        assert!(
            matches!(&error, Error::AlreadyRunning { path, pid } if *path == place.socket() && *pid == me),
            "{error}"
        );
        let words = format!(
            "already running: {} is in use by process {}",
            place.socket().display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), words);
    }
    assert_eq!(identity(&place.socket()), before);
    assert_eq!(names(place.directory()), SERVING);
    assert_eq!(who(place.socket()), "first");
}

#[test]
fn foreign_listener_is_not_displaced() {
    let place = Place::new();
    // It listens and never accepts.
    let _other = UnixListener::bind(place.socket()).unwrap();
    let before = identity(&place.socket());
    assert!(matches!(refused(place.socket()), Error::AlreadyRunning { .. }));
    assert_eq!(identity(&place.socket()), before);
}

#[test]
fn datagram_socket_is_not_touched() {
    let place = Place::new();
    let _other = UnixDatagram::bind(place.socket()).unwrap();
    let before = identity(&place.socket());
    assert!(matches!(refused(place.socket()), Error::Io { .. }));
    assert_eq!(identity(&place.socket()), before);
    assert_eq!(names(place.directory()), ["s.sock"]);
}

#[test]
fn stale_socket_is_replaced() {
    let place = Place::new();
    leave_socket(place.socket());
    assert!(place.socket().exists());
    let daemon = named("first").spawn(place.socket()).unwrap();
    assert_eq!(who(place.socket()), "first");
    assert_eq!(names(place.directory()), SERVING);
    drop(daemon);
    assert_eq!(names(place.directory()), ENDED);
}

#[test]
fn other_file_types_are_refused_and_not_touched() {
    type Make<'m> = (&'static str, &'m dyn Fn(&Path));

    let place = Place::new();
    let target = place.directory().join("target");
    fs::write(&target, "kept").unwrap();
    let live = place.directory().join("live");
    let _live = named("live").spawn(&live).unwrap();
    let make: &[Make<'_>] = &[
        ("a file", &|path| fs::write(path, "kept").unwrap()),
        ("a directory", &|path| fs::create_dir(path).unwrap()),
        ("a symbolic link", &|path| symlink(&target, path).unwrap()),
        ("a symbolic link", &|path| symlink(place.directory().join("nothing"), path).unwrap()),
        ("a symbolic link", &|path| symlink(&live, path).unwrap()),
        ("a pipe", &|path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    for (i, (what, make)) in make.iter().enumerate() {
        let path = place.directory().join(format!("{i}"));
        make(&path);
        let before = (identity(&path), names(place.directory()));
        let error = refused(&path);
        assert!(
            matches!(&error, Error::NotASocket { path: p, what: w } if *p == path && w == what),
            "{what}: {error}"
        );
        assert_eq!((identity(&path), names(place.directory())), before, "{what}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    assert_eq!(fs::read(place.directory().join("0")).unwrap(), b"kept");
    assert_eq!(who(&live), "live");
}

#[test]
fn invalid_path_is_refused_with_a_reason() {
    let place = Place::new();
    let file = place.directory().join("file");
    fs::write(&file, "").unwrap();
    let nul = place.directory().join(OsStr::from_bytes(b"a\0b"));
    for (path, why) in [
        (place.directory().join("missing/s.sock"), "its directory does not exist"),
        (file.join("s.sock"), "its parent is not a directory"),
        (nul, "it contains a NUL byte"),
        (PathBuf::new(), "it has no file name"),
        (PathBuf::from("/"), "it ends with a slash"),
        (place.directory().join("s.sock/"), "it ends with a slash"),
        (place.directory().join(".."), "it has no file name"),
    ] {
        let error = refused(&path);
        assert!(matches!(&error, Error::BadPath { path: p, .. } if *p == path), "{error}");
        assert!(error.to_string().ends_with(why), "{error}");
    }
    assert_eq!(names(place.directory()), ["file"]);
    // There is no room for the name of the lock, or for the name itself.
    for size in [251, 255, 256, 5000] {
        let error = refused(place.directory().join("x".repeat(size)));
        assert!(matches!(error, Error::BadPath { .. }), "{error}");
        assert!(error.to_string().contains("more than 250 bytes"), "{error}");
    }
    assert_eq!(names(place.directory()), ["file"]);
}

#[test]
fn path_may_be_longer_than_a_socket_address() {
    let place = Place::new();
    let room = 107 - place.directory().as_os_str().len() - 1;
    let mut deep = place.directory().to_owned();
    for _ in 0..5 {
        deep.push("d".repeat(200));
    }
    fs::create_dir_all(&deep).unwrap();
    for path in [
        // The longest path that fits in an address, and the shortest that does not.
        place.directory().join("x".repeat(room)),
        place.directory().join("x".repeat(room + 1)),
        place.directory().join("x".repeat(250)),
        deep.join("s"),
        deep.join("x".repeat(250)),
    ] {
        let size = path.as_os_str().len();
        let daemon = named("first").spawn(&path).unwrap();
        assert_eq!(who(&path), "first", "{size} bytes");
        assert!(matches!(refused(&path), Error::AlreadyRunning { .. }), "{size} bytes");
        let name = path.file_name().unwrap().to_str().unwrap();
        let both = [name.to_owned(), format!("{name}.lock")];
        assert!(both.iter().all(|name| names(path.parent().unwrap()).contains(name)));
        drop(daemon);
        assert!(!path.exists(), "{size} bytes");
        let error = dockipc::send(&path, "who").unwrap_err();
        assert!(matches!(error, Error::NoSocket { .. }), "{size} bytes: {error}");
    }
}

#[test]
fn socket_has_the_requested_mode() {
    for asked in [0o600, 0o660, 0o666, 0o777, 0o400] {
        let place = Place::new();
        let _daemon = named("first").mode(asked).spawn(place.socket()).unwrap();
        assert_eq!(mode(&place.socket()), asked);
    }
    let place = Place::new();
    let _daemon = named("first").spawn(place.socket()).unwrap();
    assert_eq!(mode(&place.socket()), 0o666, "the default");
}

#[test]
fn mode_is_never_wider_and_is_right_for_clients() {
    let place = Place::new();
    let path = place.socket();
    let (made, listening) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut made, mut listening) = (Vec::new(), Vec::new());
            while listening.len() < 1000 {
                if let Ok(data) = fs::symlink_metadata(&path) {
                    assert!(data.file_type().is_socket());
                    made.push(data.mode() & 0o7777);
                }
                // Identify the connected socket by its creation time as well: inode numbers are reused.
                let which = |data: &fs::Metadata| (data.ino(), data.created().ok());
                let before = fs::symlink_metadata(&path).ok();
                let connected = UnixStream::connect(&path).is_ok();
                if let Ok(data) = fs::symlink_metadata(&path)
                    && connected
                    && before.is_some_and(|before| which(&before) == which(&data))
                {
                    listening.push(data.mode() & 0o7777);
                }
            }
            (made, listening)
        });
        while !watcher.is_finished() {
            drop(named("first").mode(0o612).spawn(&path).unwrap());
        }
        watcher.join().unwrap()
    });
    let wider: Vec<_> = made.iter().filter(|mode| **mode & !0o612 != 0).collect();
    assert!(wider.is_empty(), "{wider:?}");
    let wrong: Vec<_> = listening.iter().filter(|mode| **mode != 0o612).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn shutdown_always_removes_the_socket() {
    let place = Place::new();
    let start = || named("first").spawn(place.socket()).unwrap();
    let ends: &[&dyn Fn(Handle)] = &[
        &|handle| drop(handle),
        &|handle| handle.shutdown(),
        &|handle| {
            handle.shutdown();
            handle.shutdown();
            handle.join();
            handle.join();
            handle.shutdown();
        },
        &|handle| {
            // Another process has removed it.
            fs::remove_file(place.socket()).unwrap();
            handle.shutdown();
        },
    ];
    for end in ends {
        let daemon = start();
        assert_eq!(names(place.directory()), SERVING);
        assert_eq!(who(place.socket()), "first");
        end(daemon);
        assert_eq!(names(place.directory()), ENDED);
        assert!(matches!(dockipc::send(place.socket(), "who"), Err(Error::NoSocket { .. })));
    }
    // A failed start leaves nothing either.
    let twice = named("first").handle("who", |_: &Request<'_>| "twice");
    assert!(matches!(twice.spawn(place.socket()), Err(Error::DuplicateName { .. })));
    assert_eq!(names(place.directory()), ENDED);
}

#[test]
fn path_is_free_right_after_shutdown() {
    let place = Place::new();
    let daemon = named("first").spawn(place.socket()).unwrap();
    let kept = UnixStream::connect(place.socket()).unwrap();
    daemon.shutdown();
    let second = named("second").spawn(place.socket()).unwrap();
    assert_eq!(who(place.socket()), "second");
    drop((daemon, kept));
    assert_eq!(who(place.socket()), "second");
    drop(second);
    assert_eq!(names(place.directory()), ENDED);
}

#[test]
fn old_daemon_does_not_remove_its_successors_socket() {
    let place = Place::new();
    // The old daemon has ended, but its handle is dropped late. The new socket usually gets the same
    // inode number.
    for _ in 0..10 {
        let old = named("old").spawn(place.socket()).unwrap();
        old.shutdown();
        old.join();
        let new = named("new").spawn(place.socket()).unwrap();
        old.shutdown();
        assert_eq!(who(place.socket()), "new");
        drop(old);
        assert_eq!(who(place.socket()), "new");
        drop(new);
    }
    // While it runs, it does not remove a file that has replaced its socket either.
    let old = named("old").spawn(place.socket()).unwrap();
    let other = place.directory().join("other");
    let _live = UnixListener::bind(&other).unwrap();
    let before = identity(&other);
    fs::rename(&other, place.socket()).unwrap();
    drop(old);
    assert_eq!(identity(&place.socket()), before);
    fs::remove_file(place.socket()).unwrap();
    let old = named("old").spawn(place.socket()).unwrap();
    fs::write(&other, "kept").unwrap();
    fs::rename(&other, place.socket()).unwrap();
    drop(old);
    assert_eq!(fs::read(place.socket()).unwrap(), b"kept");
}

#[test]
fn one_of_twenty_concurrent_starts_wins() {
    for round in 0..20 {
        let place = Place::new();
        let barrier = Barrier::new(20);
        let results: Vec<_> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                named("winner").spawn(place.socket())
            };
            let starters: Vec<_> = (0..20).map(|_| scope.spawn(start)).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1, "round {round}");
        for error in losers.into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
        }
        assert_eq!(who(place.socket()), "winner");
        assert_eq!(names(place.directory()), SERVING);
        drop(winners);
        assert_eq!(names(place.directory()), ENDED);
    }
}

#[test]
fn in_process_server_leaves_nothing_on_disk() {
    let daemon = named("first").spawn_in_process().unwrap();
    assert_eq!(daemon.client().send("who").unwrap(), b"first");
    daemon.shutdown();
    daemon.shutdown();
    daemon.join();
    assert!(daemon.connect().is_err());
    assert!(daemon.client().send("who").is_err());
}

/// A daemon in a separate process, which runs this test program again.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it from a shell command that ends in `exec "$0" "$@"`.
    fn start(directory: &Path, before: &str, path: &str, mode: u32) -> Self {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("{before} exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", &test_name("child_process_daemon"), "--ignored", "--nocapture"])
            .env("DAEMON_PATH", path)
            .env("DAEMON_MODE", mode.to_string())
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("READY") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the daemon did not start");
        }
        Self { child, output }
    }

    /// Kills it with SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It exits at the end of its input.
        drop(self.child.stdin.take());
        let _ = self.output.read_to_end(&mut Vec::new());
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the daemon that other tests start as a process"]
fn child_process_daemon() {
    let path = std::env::var("DAEMON_PATH").unwrap();
    let mode = std::env::var("DAEMON_MODE").unwrap().parse().unwrap();
    let _daemon = named("process").mode(mode).spawn(path).unwrap();
    println!("\nREADY");
    let _ = std::io::stdin().lines().next();
}

#[test]
fn mode_does_not_depend_on_the_umask() {
    for umask in ["000", "077", "777"] {
        for asked in [0o600, 0o660, 0o666] {
            let place = Place::new();
            let path = place.socket();
            let before = format!("umask {umask};");
            let daemon = Process::start(place.directory(), &before, path.to_str().unwrap(), asked);
            assert_eq!(mode(&path), asked, "umask {umask}");
            assert_eq!(who(&path), "process");
            drop(daemon);
            assert_eq!(names(place.directory()), ENDED);
        }
    }
}

#[test]
fn client_outside_the_pid_namespace_is_served() {
    // Only root can create a PID namespace.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: this needs root");
        return;
    }
    let place = Place::new();
    let path = place.socket();
    let before = "exec unshare --pid --fork --kill-child \"$0\" \"$@\";";
    let daemon = Process::start(place.directory(), before, path.to_str().unwrap(), 0o600);
    assert_eq!(who(&path), "process");
    drop(daemon);
}

#[test]
fn daemon_with_a_full_queue_is_not_displaced() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(place.socket()).unwrap();
    assert!(matches!(refused(place.socket()), Error::AlreadyRunning { .. }));
}

#[test]
fn temporary_socket_of_a_killed_start_is_removed() {
    let place = Place::new();
    leave_socket(place.directory().join(".s.sock.new"));
    let daemon = named("here").spawn(place.socket()).unwrap();
    assert_eq!(names(place.directory()), SERVING);
    drop(daemon);
    // A file that no start has created is not touched.
    let other = place.directory().join(".s.sock.new");
    fs::write(&other, "kept").unwrap();
    let error = refused(place.socket());
    assert!(matches!(&error, Error::InTheWay { file, .. } if *file == other), "{error}");
    let me = rustix::process::geteuid();
    let what =
        format!("{} is a file of uid {me} (mode {:04o}) that ", other.display(), mode(&other));
    assert!(error.to_string().contains(&what), "{error}");
    assert_eq!(fs::read(&other).unwrap(), b"kept");
    fs::remove_file(&other).unwrap();
    let live = named("live").spawn(&other).unwrap();
    let error = refused(place.socket());
    assert!(matches!(&error, Error::InTheWay { file, .. } if *file == other), "{error}");
    assert!(error.to_string().contains(" that a process listens on; "), "{error}");
    assert_eq!(who(&other), "live");
    drop(live);
}

#[test]
fn one_of_many_starts_replaces_a_stale_socket() {
    for _ in 0..20 {
        let place = Place::new();
        leave_socket(place.socket());
        let barrier = Barrier::new(8);
        let won: Vec<_> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                named("one").spawn(place.socket())
            };
            let starters: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starters.into_iter().filter_map(|starter| starter.join().unwrap().ok()).collect()
        });
        assert_eq!(won.len(), 1);
        assert_eq!(who(place.socket()), "one");
        drop(won);
        assert_eq!(names(place.directory()), ENDED);
    }
}

#[test]
fn relative_path_starts_at_the_current_directory() {
    let place = Place::new();
    for path in ["s.sock", "./s.sock"] {
        let daemon = Process::start(place.directory(), "", path, 0o666);
        assert_eq!(names(place.directory()), SERVING);
        assert_eq!(who(place.socket()), "process");
        drop(daemon);
        assert_eq!(names(place.directory()), ENDED);
    }
}

#[test]
fn socket_of_a_killed_daemon_is_replaced() {
    let place = Place::new();
    let path = place.socket();
    let client = Client::new(&path).read_timeout(PATIENCE);
    for _ in 0..3 {
        let daemon = Process::start(place.directory(), "", path.to_str().unwrap(), 0o666);
        assert_eq!(client.send("who").unwrap(), b"process");
        daemon.kill();
        assert!(path.exists());
        assert!(matches!(dockipc::send(&path, "who"), Err(Error::Stale { .. })));
    }
    let _daemon = named("next").spawn(&path).unwrap();
    assert_eq!(client.send("who").unwrap(), b"next");
    assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
}

/// Returns the path of the lock file.
fn lock_of(place: &Place) -> PathBuf {
    place.directory().join("s.sock.lock")
}

#[test]
fn lock_file_names_its_holder_and_stays() {
    let place = Place::new();
    let path = place.socket();
    let mut inode = None;
    for umask in ["022", "777"] {
        let before = format!("umask {umask};");
        let daemon = Process::start(place.directory(), &before, path.to_str().unwrap(), 0o666);
        let pid = daemon.child.id();
        assert_eq!(fs::read_to_string(lock_of(&place)).unwrap(), format!("{pid}\n"));
        assert_eq!(mode(&lock_of(&place)), 0o600);
        let error = refused(&path);
        assert!(matches!(error, Error::AlreadyRunning { pid: Some(p), .. } if p == pid), "{error}");
        daemon.kill();
        assert_eq!(fs::read_to_string(lock_of(&place)).unwrap(), format!("{pid}\n"));
        let now = identity(&lock_of(&place));
        assert_eq!(*inode.get_or_insert(now), now, "the same file");
    }
    drop(named("last").spawn(&path).unwrap());
    assert_eq!(fs::read(lock_of(&place)).unwrap(), b"");
    assert_eq!(Some(identity(&lock_of(&place))), inode);
}

#[test]
fn held_lock_prevents_a_start_without_a_socket() {
    let place = Place::new();
    let lock = File::create(lock_of(&place)).unwrap();
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::write(lock_of(&place), "12345\n").unwrap();
    // The process that holds it, which the text does not name.
    let me = Some(std::process::id());
    let error = refused(place.socket());
    assert!(matches!(error, Error::AlreadyRunning { pid, .. } if pid == me), "{error}");
    fs::write(lock_of(&place), "nobody").unwrap();
    let error = refused(place.socket());
    assert!(matches!(error, Error::AlreadyRunning { pid, .. } if pid == me), "{error}");
    assert_eq!(names(place.directory()), ENDED);
    drop(lock);
    let daemon = named("first").spawn(place.socket()).unwrap();
    assert_eq!(who(place.socket()), "first");
    drop(daemon);
    assert_eq!(fs::read(lock_of(&place)).unwrap(), b"nobody", "somebody else's");
}

#[test]
fn start_waits_for_a_daemon_that_is_stopping() {
    let place = Place::new();
    let lock = File::create(lock_of(&place)).unwrap();
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    thread::scope(|scope| {
        let starter = scope.spawn(|| named("next").spawn(place.socket()));
        // Whether it has tried the lock before this is open; both must work.
        thread::yield_now();
        drop(lock);
        let daemon = starter.join().unwrap().unwrap();
        assert_eq!(who(place.socket()), "next");
        drop(daemon);
    });
}

#[test]
fn file_with_the_locks_name_is_not_touched() {
    type Make<'m> = (&'static str, &'m dyn Fn(&Path));

    let place = Place::new();
    let target = place.directory().join("target");
    fs::write(&target, "kept").unwrap();
    let make: &[Make<'_>] = &[
        ("a directory", &|path| fs::create_dir(path).unwrap()),
        ("a symbolic link", &|path| symlink(&target, path).unwrap()),
        ("a symbolic link", &|path| symlink(place.directory().join("nothing"), path).unwrap()),
        ("a pipe", &|path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a socket", &|path| leave_socket(path)),
    ];
    for (i, (what, make)) in make.iter().enumerate() {
        let path = place.directory().join(format!("{i}"));
        let lock = place.directory().join(format!("{i}.lock"));
        make(&lock);
        let before = (identity(&lock), names(place.directory()));
        let error = refused(&path);
        assert!(matches!(&error, Error::InTheWay { file, .. } if *file == lock), "{error}");
        let me = rustix::process::geteuid();
        let why =
            format!("{} is {what} of uid {me} (mode {:04o}) that ", lock.display(), mode(&lock));
        assert!(error.to_string().contains(&why), "{error}");
        assert_eq!((identity(&lock), names(place.directory())), before, "{what}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    assert!(!place.directory().join("nothing").exists());
    // A regular file can be locked, and keeps its content.
    for text in ["somebody's\n", "7 pm", "12345678901234567890"] {
        fs::write(lock_of(&place), text).unwrap();
        let daemon = named("first").spawn(place.socket()).unwrap();
        assert_eq!(who(place.socket()), "first");
        drop(daemon);
        assert_eq!(fs::read_to_string(lock_of(&place)).unwrap(), text);
    }
}

#[test]
fn daemons_in_one_directory_have_separate_locks() {
    let place = Place::new();
    let long = "x".repeat(249);
    let names = ["a", "b", "a.lock.sock", &format!("{long}y"), &format!("{long}z")];
    let daemons: Vec<_> = names
        .iter()
        .map(|name| named("one").spawn(place.directory().join(name)).unwrap())
        .collect();
    for name in names {
        assert_eq!(who(place.directory().join(name)), "one");
    }
    drop(daemons);
}

#[test]
fn root_takes_another_users_lock_in_sticky_directory() {
    let place = Place::new();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    // As in /tmp, where fs.protected_regular forbids O_CREAT for an existing file.
    fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(lock_of(&place), "").unwrap();
    std::os::unix::fs::chown(lock_of(&place), Some(65534), Some(65534)).unwrap();
    let daemon = named("first").spawn(place.socket()).unwrap();
    assert_eq!(who(place.socket()), "first");
    drop(daemon);
}

/// Returns an unused abstract name.
fn abstract_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("@dockipc-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn at_sign_names_an_abstract_socket() {
    let name = abstract_name();
    let open = |answer| named(answer).open_to_all();
    assert!(matches!(dockipc::send(&name, "who"), Err(Error::NoSocket { .. })));
    for _ in 0..3 {
        let daemon = open("abstract").spawn(&name).unwrap();
        assert_eq!(who(&name), "abstract");
        let me = Some(std::process::id());
        let error = open("second").spawn(&name).err().unwrap();
        assert!(matches!(error, Error::AlreadyRunning { pid, .. } if pid == me), "{error}");
        assert_eq!(who(&name), "abstract");
        // Connect as other programs do.
        let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let mut stream = UnixStream::connect_addr(&address).unwrap();
        stream.write_all(b"who\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "abstract");
        daemon.shutdown();
        // The name is free when the last descriptor is closed.
        daemon.join();
        drop(daemon);
    }
    assert!(!Path::new(&name).exists());
    // With a full queue. (A child of another test may still hold the first name.)
    let name = abstract_name();
    let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect_addr(&address).unwrap();
    let client = Client::new(&name).connect_timeout(Duration::from_millis(50));
    assert!(matches!(client.send("who"), Err(Error::TimedOut { .. })));
    let error = open("second").spawn(&name).err().unwrap();
    assert!(matches!(error, Error::AlreadyRunning { pid: None, .. }), "{error}");
}

#[test]
fn invalid_abstract_name_is_refused_with_a_reason() {
    for (path, why) in [
        (OsStr::new("@"), "an abstract name must follow the @"),
        (
            OsStr::new(&format!("@{}", "x".repeat(108))),
            "an abstract name can have at most 107 bytes",
        ),
        (OsStr::from_bytes(b"@a\0b"), "it contains a NUL byte"),
    ] {
        let error = named("first").open_to_all().spawn(path).err().unwrap();
        assert!(matches!(error, Error::BadPath { .. }), "{error}");
        assert!(error.to_string().ends_with(why), "{error}");
        let error = dockipc::send(path, "who").unwrap_err();
        assert!(error.to_string().ends_with(why), "{error}");
    }
    let longest = abstract_name();
    let longest = format!("{longest}{}", "x".repeat(108 - longest.len()));
    let daemon = named("first").open_to_all().spawn(&longest).unwrap();
    assert_eq!(who(&longest), "first");
    drop(daemon);
}

#[test]
fn file_name_may_contain_an_at_sign() {
    let place = Place::new();
    for path in ["./@x", "a@b"] {
        let daemon = Process::start(place.directory(), "", path, 0o666);
        let file = place.directory().join(path);
        assert!(fs::symlink_metadata(&file).unwrap().file_type().is_socket());
        assert_eq!(who(&file), "process");
        drop(daemon);
    }
}

/// Returns the descriptors of this process that a child would inherit.
fn inheritable() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap() {
        let number = entry.unwrap().file_name().to_string_lossy().into_owned();
        // It may have been closed meanwhile.
        let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        if u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0 {
            let target = fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
            found.push((number, target));
        }
    }
    found
}

#[test]
fn children_inherit_no_descriptor() {
    let before = inheritable();
    let place = Place::new();
    let daemon = named("first").spawn(place.socket()).unwrap();
    let abstract_one = named("first").open_to_all().spawn(abstract_name()).unwrap();
    let client = Client::new(place.socket());
    assert_eq!(client.send("who").unwrap(), b"first");
    let connected = UnixStream::connect(place.socket()).unwrap();
    let inside = daemon.client();
    assert_eq!(inside.send("who").unwrap(), b"first");
    let own = daemon.connect().unwrap();
    assert_eq!(inheritable(), before);
    // Also after the path was lost and recreated.
    let inode = identity(&place.socket());
    fs::remove_file(place.socket()).unwrap();
    until("another socket", || UnixStream::connect(place.socket()).is_ok());
    assert_ne!(identity(&place.socket()), inode);
    assert_eq!(who(place.socket()), "first");
    assert_eq!(inheritable(), before);
    drop((connected, own, abstract_one));
}

/// Returns whether the kernel supports `SO_PASSRIGHTS`: Linux 6.16.
fn has_passrights() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(16))
}

#[test]
fn passed_descriptors_are_refused() {
    if !has_passrights() {
        println!("skipped: this kernel has no SO_PASSRIGHTS");
        return;
    }
    let place = Place::new();
    let daemon = named("first").spawn(place.socket()).unwrap();
    let name = abstract_name();
    let _other = named("first").open_to_all().spawn(&name).unwrap();
    let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
    for stream in [
        UnixStream::connect(place.socket()).unwrap(),
        UnixStream::connect_addr(&address).unwrap(),
        daemon.connect().unwrap(),
    ] {
        let descriptor = [stream.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptor)));
        let bytes = [IoSlice::new(b"who\n")];
        let sent = sendmsg(&stream, &bytes, &mut control, SendFlags::NOSIGNAL);
        assert_eq!(sent, Err(rustix::io::Errno::PERM));
    }
}

#[test]
fn start_waits_for_an_inherited_abstract_name() {
    let name = abstract_name();
    let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
    let ended = UnixListener::bind_addr(&address).unwrap();
    rustix::net::shutdown(&ended, Shutdown::Both).unwrap();
    thread::scope(|scope| {
        let starter = scope.spawn(|| named("next").open_to_all().spawn(&name));
        thread::yield_now();
        drop(ended);
        let daemon = starter.join().unwrap().unwrap();
        assert_eq!(who(&name), "next");
        drop(daemon);
    });
    // If a child keeps it, the name stays in use. (A child of another test may hold the first name.)
    let name = abstract_name();
    let address = SocketAddr::from_abstract_name(&name[1..]).unwrap();
    let ended = UnixListener::bind_addr(&address).unwrap();
    rustix::net::shutdown(&ended, Shutdown::Both).unwrap();
    let error = named("next").open_to_all().spawn(&name).err().unwrap();
    assert!(matches!(error, Error::AlreadyRunning { pid: None, .. }), "{error}");
}
