//! A lost path is recreated, and no foreign file is touched.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Client, Error, Handle, Request, Server};
use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, utimensat};
use rustix::process::Signal;
use tests::process::{names_in, until};
use tests::program::{self, Program};
use tests::{PATIENCE, Place, figure, leave_socket, long, strace};

fn start(path: &Path) -> Handle {
    Server::new().handle("who", |_: &Request<'_>| "ours").mode(0o640).spawn(path).unwrap()
}

/// Returns whether our daemon serves the path.
fn is_ours(path: &Path) -> bool {
    dockipc::send(path, "who").is_ok_and(|answer| answer == b"ours")
}

#[track_caller]
fn back(path: &Path) {
    until("the socket's return", || is_ours(path));
    assert_eq!(fs::symlink_metadata(path).unwrap().mode() & 0o7777, 0o640);
}

/// Returns the names of a daemon's files.
fn files(names: &[&str]) -> Vec<OsString> {
    names.iter().map(OsString::from).collect()
}

#[test]
fn lost_socket_is_recreated_and_clients_stay() {
    type Harm<'h> = (&'static str, &'h dyn Fn());

    let place = Place::new();
    let path = place.socket();
    let daemon = start(&path);
    let moved = place.directory().join("moved");
    let lock = place.directory().join("s.sock.lock");
    let harms: [Harm<'_>; 4] = [
        ("removed", &|| fs::remove_file(&path).unwrap()),
        ("moved", &|| fs::rename(&path, &moved).unwrap()),
        ("removed with the lock", &|| {
            fs::remove_file(&lock).unwrap();
            fs::remove_file(&path).unwrap();
        }),
        ("replaced by a stale socket", &|| {
            leave_socket(place.directory().join("stale"));
            fs::rename(place.directory().join("stale"), &path).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let mut connected = UnixStream::connect(&path).unwrap();
        connected.set_read_timeout(Some(PATIENCE)).unwrap();
        harm();
        back(&path);
        // An existing connection is still served.
        connected.write_all(b"who\n").unwrap();
        let mut answer = String::new();
        connected.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "ours", "{what}");
        let _ = fs::remove_file(&moved);
        until("the lock", || lock.exists());
        assert_eq!(names_in(place.directory()), files(&["s.sock", "s.sock.lock"]), "{what}");
    }
    drop(daemon);
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
}

#[test]
fn socket_is_recreated_in_a_replaced_directory() {
    let place = Place::new();
    let home = place.directory().join("home");
    let away = place.directory().join("away");
    let path = home.join("s.sock");
    fs::create_dir(&home).unwrap();
    let daemon = start(&path);
    // The directory is replaced: the socket is recreated there and removed from the old one.
    fs::rename(&home, &away).unwrap();
    fs::create_dir(&home).unwrap();
    back(&path);
    until("the old socket's end", || names_in(&away) == files(&["s.sock.lock"]));
    // The directory is removed. The socket may return while that happens.
    until("the directory's end", || fs::remove_dir_all(&home).is_ok());
    fs::create_dir(&home).unwrap();
    back(&path);
    // The directory is away for a while.
    fs::remove_dir_all(&away).unwrap();
    fs::rename(&home, &away).unwrap();
    let before = fs::symlink_metadata(away.join("s.sock")).unwrap().ino();
    fs::rename(&away, &home).unwrap();
    back(&path);
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), before, "it was not lost");
    drop(daemon);
    assert_eq!(names_in(&home), files(&["s.sock.lock"]));
    // The daemon ends while its directory is away.
    let daemon = start(&path);
    fs::rename(&home, &away).unwrap();
    drop(daemon);
    assert!(!home.exists());
    assert_eq!(names_in(&away), files(&["s.sock.lock"]));
}

#[test]
fn foreign_file_at_the_path_is_left_alone() {
    type Make = (&'static str, fn(&Path));

    let makes: [Make; 5] = [
        ("a file", |path| fs::write(path, "theirs").unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a link", |path| symlink("target", path).unwrap()),
        ("a dangling link", |path| symlink("nothing", path).unwrap()),
        ("a pipe", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    thread::scope(|scope| {
        for (what, make) in makes {
            scope.spawn(move || stays(what, make));
        }
    });
}

fn stays(what: &str, make: fn(&Path)) {
    let place = Place::new();
    let path = place.socket();
    let target = place.directory().join("target");
    fs::write(&target, "kept").unwrap();
    let daemon = start(&path);
    let held = Held::take(&place);
    fs::remove_file(&path).unwrap();
    make(&path);
    drop(held);
    let identity = || {
        let data = fs::symlink_metadata(&path).unwrap();
        (data.ino(), data.mode())
    };
    let before = identity();
    looked_at();
    assert_eq!(identity(), before, "{what}");
    if fs::symlink_metadata(&path).unwrap().is_dir() {
        fs::remove_dir(&path).unwrap();
    } else {
        fs::remove_file(&path).unwrap();
    }
    back(&path);
    assert_eq!(fs::read(&target).unwrap(), b"kept");
    drop(daemon);
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock", "target"]));
}

/// Keeps a daemon from recreating its socket, by occupying its temporary name.
struct Held(PathBuf);

impl Held {
    fn take(place: &Place) -> Self {
        let taken = place.directory().join(".s.sock.new");
        fs::write(&taken, "held").unwrap();
        Self(taken)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        assert_eq!(fs::read(&self.0).unwrap(), b"held");
        fs::remove_file(&self.0).unwrap();
    }
}

/// The time between checks of a path whose changes inotify reports.
const SELDOM: Duration = Duration::from_secs(30);

/// The time between checks of any other path.
const OFTEN: Duration = Duration::from_secs(2);

/// Waits until the daemon relies on inotify, two seconds after its start or the last change.
#[track_caller]
fn watched(daemon: &Program) {
    until("rare checks", || daemon.checks().is_some_and(|(_, between)| between == SELDOM));
}

fn touch(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let now = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, path, &now, AtFlags::empty()).unwrap();
}

/// Waits until a daemon that polls from now on has checked its path; by then earlier ones that poll have
/// checked theirs.
fn looked_at() {
    let place = Place::new();
    let path = place.socket();
    let daemon = Program::start(&path);
    watched(&daemon);
    let held = Held::take(&place);
    fs::remove_file(&path).unwrap();
    // Two checks follow the removal; then the daemon polls.
    until("its polling", || {
        let (next, between) = daemon.checks().unwrap();
        between == OFTEN && next > Duration::from_millis(20)
    });
    // inotify does not report this.
    drop(held);
    until("the socket's return", || UnixStream::connect(&path).is_ok());
}

#[test]
fn watched_path_is_checked_seldom() {
    let place = Place::new();
    let above = place.directory().join("above");
    let path = above.join("home/s.sock");
    fs::create_dir_all(above.join("home")).unwrap();
    let mut daemon = Program::start(&path);
    watched(&daemon);
    // A directory above moves, which inotify reports: the daemon looks for the path from then on.
    fs::rename(&above, place.directory().join("away")).unwrap();
    until("frequent checks", || daemon.checks().unwrap().1 == OFTEN);
    fs::create_dir_all(above.join("home")).unwrap();
    assert!(daemon.answers(), "{}", daemon.complaint());
    watched(&daemon);
    // The same through a link, which is replaced.
    let link = place.directory().join("link");
    symlink("above", &link).unwrap();
    let path = link.join("home/t.sock");
    let mut linked = Program::start(&path);
    watched(&linked);
    symlink("nowhere", place.directory().join("new")).unwrap();
    fs::rename(place.directory().join("new"), &link).unwrap();
    until("frequent checks", || linked.checks().unwrap().1 == OFTEN);
    symlink("above", place.directory().join("new")).unwrap();
    fs::rename(place.directory().join("new"), &link).unwrap();
    watched(&linked);
    assert!(daemon.stop().success() && linked.stop().success());
    assert_eq!(names_in(&above.join("home")), files(&["s.sock.lock", "t.sock.lock"]));
}

#[test]
fn chroot_leaves_the_socket_in_place() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    let place = Place::new();
    let (home, root) = (place.directory().join("home"), place.directory().join("root"));
    // The new root has a directory of the same path.
    let twin = root.join(home.strip_prefix("/").unwrap());
    for directory in [&home, &twin, &root.join("proc")] {
        fs::create_dir_all(directory).unwrap();
    }
    let path = home.join("s.sock");
    let mut command = Command::new("unshare");
    let mount = "mount --rbind /proc \"$0/proc\" && exec \"$@\"";
    command.args(["--mount", "sh", "-c", mount]).arg(&root).arg(program::path()).arg(&path);
    let mut daemon = Program::start_by(&mut command, &path);
    let before = fs::symlink_metadata(&path).unwrap().ino();
    daemon.client().send(&format!("chroot {}", root.display())).unwrap();
    let same = || {
        assert!(names_in(&twin).is_empty(), "{:?}", names_in(&twin));
        assert_eq!(names_in(&home), files(&["s.sock", "s.sock.lock"]));
    };
    // The daemon checks the path.
    watched(&daemon);
    looked_at();
    same();
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), before);
    // A lost path comes back outside of the new root.
    fs::remove_file(&path).unwrap();
    until("the socket's return", || UnixStream::connect(&path).is_ok());
    assert!(daemon.answers(), "{}", daemon.complaint());
    same();
    // The watches would be of other files.
    until("frequent checks", || daemon.checks().unwrap().1 == OFTEN);
    assert!(daemon.stop().success());
    assert_eq!(names_in(&home), files(&["s.sock.lock"]));
    assert!(names_in(&twin).is_empty());
}

#[test]
fn socket_returns_after_another_daemon_ends() {
    let place = Place::new();
    let path = place.socket();
    let daemon = start(&path);
    // It uses no lock.
    let other = UnixListener::bind(place.directory().join("other")).unwrap();
    fs::rename(place.directory().join("other"), &path).unwrap();
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    looked_at();
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode);
    drop(other);
    back(&path);
    // A daemon that has replaced our lock with its own.
    let lock = place.directory().join("s.sock.lock");
    let held = Held::take(&place);
    fs::remove_file(&path).unwrap();
    let new = place.directory().join("new");
    let theirs = File::create(&new).unwrap();
    rustix::fs::flock(&theirs, FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::rename(&new, &lock).unwrap();
    drop(held);
    looked_at();
    assert!(!path.exists());
    drop(theirs);
    back(&path);
    drop(daemon);
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
}

#[test]
fn removed_lock_is_taken_again() {
    let place = Place::new();
    let path = place.socket();
    let daemon = start(&path);
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    let lock = place.directory().join("s.sock.lock");
    fs::remove_file(&lock).unwrap();
    let pid = format!("{}\n", std::process::id());
    until("the lock's return", || fs::read_to_string(&lock).is_ok_and(|text| text == pid));
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode, "the socket is the same");
    let file = File::open(&lock).unwrap();
    let busy = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
    assert_eq!(busy, Err(rustix::io::Errno::WOULDBLOCK));
    drop(daemon);
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(fs::read(&lock).unwrap(), b"");
}

#[test]
fn stopped_daemon_recreates_nothing() {
    let place = Place::new();
    let path = place.socket();
    for _ in 0..long(100, 1000) {
        let daemon = start(&path);
        let remover = thread::spawn({
            let path = path.clone();
            move || fs::remove_file(path)
        });
        daemon.shutdown();
        // The path may be lost at any moment of the stop.
        let _ = remover.join().unwrap();
        assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
        daemon.join();
        assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
    }
}

#[test]
fn suspended_daemon_does_not_displace_its_successor() {
    let place = Place::new();
    let path = place.socket();
    let old = Program::start(&path);
    old.signal(Signal::STOP);
    until("its stop", || {
        let mut tasks = fs::read_dir(format!("/proc/{}/task", old.id())).unwrap();
        let status = |task: std::io::Result<fs::DirEntry>| {
            fs::read_to_string(task.unwrap().path().join("status")).unwrap()
        };
        tasks.all(|task| status(task).contains("State:\tT"))
    });
    // An operator removes everything.
    fs::remove_file(&path).unwrap();
    fs::remove_file(place.directory().join("s.sock.lock")).unwrap();
    let new = start(&path);
    old.signal(Signal::CONT);
    looked_at();
    assert!(is_ours(&path));
    drop(old);
    assert!(is_ours(&path));
    drop(new);
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
}

#[test]
fn relative_path_survives_chdir() {
    let place = Place::new();
    let path = place.socket();
    let mut command = Command::new(program::path());
    command.arg("s.sock").current_dir(place.directory());
    let mut daemon = Program::begin(&mut command, &path);
    assert!(daemon.answers(), "{}", daemon.complaint());
    daemon.client().send("chdir /").unwrap();
    fs::remove_file(&path).unwrap();
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(daemon.stop().success());
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
}

#[test]
fn path_is_recovered_without_inotify() {
    if !strace::is_here() {
        return;
    }
    let place = Place::new();
    let path = place.socket();
    let trace = place.directory().join("trace");
    let fault = "inotify_init1:error=EMFILE".to_owned();
    let mut command = strace::strace(&trace, &[fault]);
    let mut daemon = Program::begin(command.arg(program::path()).arg(&path), &path);
    assert!(daemon.answers(), "{}", daemon.complaint());
    fs::remove_file(&path).unwrap();
    until("the socket's return", || UnixStream::connect(&path).is_ok());
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(daemon.stop().success());
}

#[test]
fn recovery_waits_for_write_permission() {
    let me = rustix::process::geteuid();
    if !me.is_root() {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    let place = Place::new();
    let home = place.directory().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let path = home.join("s.sock");
    let program = place.directory().join("daemon");
    program::executable(&program, File::open(program::path()).unwrap());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--clear-groups", "--inh-caps=-all"]).arg(&program).arg(&path);
    let mut daemon = Program::begin(&mut command, &path);
    assert!(daemon.answers(), "{}", daemon.complaint());
    let client = Client::new(&path);
    assert_eq!(client.send("ping").unwrap(), b"PONG");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(&path).unwrap();
    looked_at();
    assert!(matches!(dockipc::send(&path, "ping"), Err(Error::NoSocket { .. })));
    assert_eq!(client.send("ping").unwrap(), b"PONG");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(daemon.stop().success());
    assert_eq!(names_in(&home), files(&["s.sock.lock"]));
}

#[test]
fn repeatedly_removed_path_is_always_recreated() {
    let place = Place::new();
    let path = place.socket();
    let mut daemon = Program::start(&path);
    daemon.rest();
    let before = (daemon.threads(), daemon.descriptors(), names_in(place.directory()));
    let times = long(100, 1000);
    for _ in 0..times {
        let inode = fs::symlink_metadata(&path).unwrap().ino();
        fs::remove_file(&path).unwrap();
        until("another socket", || {
            fs::symlink_metadata(&path).is_ok_and(|data| data.ino() != inode)
        });
        // The socket has its name a moment before it listens.
        let mut answer = dockipc::send(&path, "ping");
        while matches!(answer, Err(Error::Stale { .. })) {
            answer = dockipc::send(&path, "ping");
        }
        assert_eq!(answer.unwrap(), b"PONG");
    }
    daemon.rest();
    let after = (daemon.threads(), daemon.descriptors(), names_in(place.directory()));
    assert_eq!(after, before);
    figure("a path removed and back", times);
    assert!(daemon.stop().success());
    assert_eq!(names_in(place.directory()), files(&["s.sock.lock"]));
}

#[test]
fn path_longer_than_an_address_is_recreated() {
    let place = Place::new();
    let deep = place.directory().join("d".repeat(200));
    for name in ["s.sock", &"x".repeat(250)] {
        fs::create_dir(&deep).unwrap();
        let path = deep.join(name);
        let daemon = start(&path);
        fs::remove_file(&path).unwrap();
        back(&path);
        until("the directory's end", || fs::remove_dir_all(&deep).is_ok());
        fs::create_dir(&deep).unwrap();
        back(&path);
        drop(daemon);
        assert_eq!(names_in(&deep), files(&[&format!("{name}.lock")]));
        fs::remove_dir_all(&deep).unwrap();
    }
}

#[test]
fn touching_the_socket_keeps_no_thread_busy() {
    if !strace::is_here() {
        return;
    }
    let place = Place::new();
    let trace = place.directory().join("trace");
    let mut command = strace::strace(&trace, &[]);
    command.arg(program::path()).arg(place.socket());
    let mut daemon = Program::begin(&mut command, &place.socket());
    assert!(daemon.answers(), "{}", daemon.complaint());
    // Whoever may connect to it may do this.
    let begin = Instant::now();
    for _ in 0..200_000 {
        touch(&place.socket());
    }
    // It looks at the path twice for what it is told, and then not for 20 ms.
    let most = 4 + begin.elapsed().as_millis() / 20;
    assert!(daemon.stop().success());
    let trace = fs::read_to_string(&trace).unwrap();
    let looks = trace.lines().filter(|line| line.contains("timerfd_settime(")).count();
    assert!(looks as u128 <= most, "{looks} looks, {most} at most");
}
