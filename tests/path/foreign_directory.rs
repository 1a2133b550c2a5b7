//! A directory that another user can change: that user can take over the path, and nothing more.

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use dockipc::audit::JsonLines;
use dockipc::{Error, Request, Server};
use rustix::fs::{CWD, FlockOperation, RenameFlags, renameat_with};
use tests::process::{Over, names_in, until};
use tests::program::{self, Program};
use tests::users::{self, Shared, User, part, say};
use tests::{Place, figure, leave_socket, long, strace};

const OTHER: User = User { uid: 51_001, gid: 51_001, groups: &[] };

/// The names that a daemon uses in the directory.
const NAMES: [&str; 3] = ["s.sock", ".s.sock.new", "s.sock.lock"];

fn server() -> Server {
    Server::new().handle("who", |_: &Request<'_>| "ours")
}

/// Returns whether this is root, who can change owners. With `DOCKIPC_REQUIRE_PEERS` set, it must be.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
    }
    root
}

/// Creates a directory of the other user in one of ours.
fn foreign(place: &Place) -> PathBuf {
    fs::set_permissions(place.directory(), Permissions::from_mode(0o755)).unwrap();
    let home = place.directory().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    home
}

#[test]
fn symlink_swap_never_chmods_another_file() {
    const TEST: &str = "symlink_swap_never_chmods_another_file";

    if let Some(part) = part() {
        return swap(&part);
    }
    if !users::can_be_had() || !strace::is_here() {
        return;
    }
    let ours = Place::new();
    let victim = ours.directory().join("victim");
    fs::write(&victim, "kept").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(&victim).unwrap();
    let shared = Shared::new(OTHER);
    let socket = shared.directory().join("s.sock");
    let trace = ours.directory().join("trace");
    // Delays give the other user time before each call that could follow a link.
    let fault = "?chmod,fchmodat,bind,listen,unlinkat,renameat2:delay_enter=30000".to_owned();
    let begin = || {
        let mut command = strace::strace(&trace, std::slice::from_ref(&fault));
        command.arg(program::path()).arg(&socket);
        Program::begin(&mut command, &socket)
    };
    let check = |when: &str| {
        let after = fs::metadata(&victim).unwrap();
        assert_eq!((after.mode(), after.ino()), (before.mode(), before.ino()), "{when}");
        assert_eq!(fs::read(&victim).unwrap(), b"kept", "{when}");
    };
    let mut swaps = 0;
    for name in ["s.sock", ".s.sock.new"] {
        let attack = format!("{name} {}", victim.display());
        // During the start, which may fail.
        for _ in 0..long(2, 20) {
            let mut other = shared.start(TEST, &attack, OTHER);
            assert_eq!(other.line().unwrap(), "waits");
            if name != "s.sock" {
                // Make the start use the temporary name.
                leave_socket(&socket);
            }
            let daemon = begin();
            assert_eq!(other.line().unwrap(), "swapped", "{}", daemon.complaint());
            swaps += 1;
            other.end();
            drop(daemon);
            check("a start");
            let names = names_in(shared.directory());
            for name in names.iter().filter(|name| NAMES.iter().any(|known| *name == *known)) {
                fs::remove_file(shared.directory().join(name)).unwrap();
            }
        }
    }
    // While a daemon recreates its socket.
    let mut daemon = begin();
    assert!(daemon.answers(), "{}", daemon.complaint());
    let attack = format!("s.sock {}", victim.display());
    let mut other = shared.start(TEST, &attack, OTHER);
    assert_eq!(other.line().unwrap(), "waits");
    for _ in 0..long(2, 20) {
        assert_eq!(other.line().unwrap(), "swapped");
        swaps += 1;
        check("a recovery");
    }
    other.end();
    check("the end");
    assert!(daemon.answers(), "{}", daemon.complaint());
    figure(
        "links put over a socket that is being made; other files changed",
        format!("{swaps}; 0"),
    );
}

#[test]
fn socket_swap_never_widens_another_socket() {
    const TEST: &str = "socket_swap_never_widens_another_socket";

    if let Some(part) = part() {
        return swap(&part);
    }
    if !users::can_be_had() || !strace::is_here() {
        return;
    }
    let ours = Place::new();
    let shared = Shared::new(OTHER);
    let at = |name: &str| shared.directory().join(name);
    let mut narrow = Command::new(program::path());
    let mut narrow =
        Program::start_by(narrow.arg(at("narrow.sock")).arg("600"), &at("narrow.sock"));
    let mut was_in_time = false;
    // The swap may come too late, after the socket has its mode.
    for _ in 0..30 {
        let mut other = shared.start(TEST, "s.sock narrow.sock", OTHER);
        assert_eq!(other.line().unwrap(), "waits");
        let fault = "openat,?chmod,fchmodat,listen:delay_enter=30000".to_owned();
        let mut command = strace::strace(&ours.directory().join("trace"), &[fault]);
        command.arg(program::path()).arg(at("s.sock")).arg("666");
        let mut wide = Program::begin(&mut command, &at("s.sock"));
        assert_eq!(other.line().unwrap(), "swapped", "{}", wide.complaint());
        other.end();
        was_in_time = !wide.answers();
        assert_eq!(fs::metadata(at("narrow.sock")).unwrap().mode() & 0o7777, 0o600);
        if was_in_time {
            let why = wide.complaint();
            // Seen before or after the other user has taken it away again.
            let is_seen = why.contains("that has replaced the new socket")
                || why.contains("No such file or directory");
            assert!(is_seen, "{why}");
            break;
        }
        assert!(wide.stop().success());
    }
    assert!(was_in_time);
    assert_eq!(fs::metadata(at("narrow.sock")).unwrap().mode() & 0o7777, 0o600);
    assert!(narrow.answers());
}

/// Runs as the other user: replaces each socket that appears at a name with a link or another socket, and
/// removes it later.
fn swap(words: &str) {
    let (name, victim) = words.split_once(' ').unwrap();
    let is_link = victim.starts_with('/');
    let over = ended();
    say("waits");
    while !over.is() {
        if fs::symlink_metadata(name).is_ok_and(|data| !data.is_symlink()) {
            if is_link {
                symlink(victim, "link").unwrap();
            }
            fs::rename(if is_link { "link" } else { victim }, name).unwrap();
            // For about as long as a call is delayed.
            for _ in 0..50_000 {
                let _ = fs::symlink_metadata(name);
            }
            let _ = if is_link { fs::remove_file(name) } else { fs::rename(name, victim) };
            say("swapped");
        }
    }
    if is_link {
        let _ = fs::remove_file(name);
    }
}

/// Returns a flag that is set when the test ends this process.
fn ended() -> std::sync::Arc<Over> {
    let over = std::sync::Arc::new(Over::default());
    let end = over.clone();
    thread::spawn(move || {
        let _end = end.in_the_end();
        users::wait_for_the_end();
    });
    over
}

#[test]
fn directory_swap_creates_nothing_elsewhere() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let home = foreign(&place);
    let elsewhere = place.directory().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (run, link) = (home.join("run"), home.join("link"));
    fs::create_dir(&run).unwrap();
    symlink(&elsewhere, &link).unwrap();
    for (path, own) in [(&run, chown as fn(_, _, _) -> _), (&link, lchown)] {
        own(path, Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    }
    let over = Over::default();
    let (mut started, mut failed) = (0, 0);
    thread::scope(|scope| {
        let _end = over.in_the_end();
        scope.spawn(|| {
            while !over.is() {
                let _ = renameat_with(CWD, &run, CWD, &link, RenameFlags::EXCHANGE);
            }
        });
        while started < long(50, 1000) || failed < long(50, 1000) {
            match server().spawn(run.join("s.sock")) {
                Ok(daemon) => {
                    started += 1;
                    drop(daemon);
                }
                Err(_) => failed += 1,
            }
            assert!(names_in(&elsewhere).is_empty(), "{:?}", names_in(&elsewhere));
        }
    });
    figure("starts while the directory is exchanged", format!("{started}, {failed} refused"));
}

#[test]
fn bound_address_is_the_path() {
    let place = Place::new();
    let _daemon = server().spawn(place.socket()).unwrap();
    let name = |path: &Path| {
        let stream = UnixStream::connect(path).unwrap();
        stream.peer_addr().unwrap().as_pathname().unwrap().to_owned()
    };
    assert_eq!(name(&place.socket()), place.socket());
    fs::remove_file(place.socket()).unwrap();
    until("another socket", || UnixStream::connect(place.socket()).is_ok());
    assert_eq!(name(&place.socket()), place.socket());
    if !is_root() {
        return;
    }
    // The parent directory is ours, so no other user can redirect the path.
    let home = foreign(&place);
    let _daemon = server().spawn(home.join("s.sock")).unwrap();
    assert_eq!(name(&home.join("s.sock")), home.join("s.sock"));
    let below = home.join("below");
    fs::create_dir(&below).unwrap();
    let _daemon = server().spawn(below.join("s.sock")).unwrap();
    assert!(name(&below.join("s.sock")).starts_with("/proc/self/fd"));
}

#[test]
fn only_links_of_root_are_followed() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let home = foreign(&place);
    let target = place.directory().join("target");
    fs::create_dir(&target).unwrap();
    let link = home.join("link");
    symlink("../target", &link).unwrap();
    let path = link.join("s.sock");
    let daemon = server().spawn(&path).unwrap();
    assert_eq!(dockipc::send(target.join("s.sock"), "who").unwrap(), b"ours");
    drop(daemon);
    fs::remove_file(target.join("s.sock.lock")).unwrap();
    lchown(&link, Some(OTHER.uid), None).unwrap();
    let why = format!("{} is a symbolic link owned by uid {}", link.display(), OTHER.uid);
    let error = server().spawn(&path).unwrap_err();
    assert!(matches!(error, Error::BadPath { .. }), "{error}");
    assert!(error.to_string().contains(&why), "{error}");
    let error = JsonLines::create(link.join("audit")).unwrap_err();
    assert!(error.to_string().contains(&why), "{error}");
    fs::write(target.join("token"), "0123456789abcdef").unwrap();
    fs::set_permissions(target.join("token"), Permissions::from_mode(0o600)).unwrap();
    let server = server().allow("who", "token").token_file(link.join("token"));
    let error = server.spawn_in_process().unwrap_err();
    assert!(matches!(error, Error::BadTokenFile { .. }), "{error}");
    assert!(error.to_string().contains(&why), "{error}");
    assert_eq!(names_in(&target), ["token"]);
    // A loop of links.
    let around = place.directory().join("around");
    symlink("around", &around).unwrap();
    let error = server_at(&around.join("s.sock"));
    assert!(error.to_string().contains("Too many levels"), "{error}");
}

#[track_caller]
fn server_at(path: &Path) -> Error {
    server().spawn(path).expect_err("no start")
}

#[test]
fn replaceable_token_file_is_refused() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let home = foreign(&place);
    fs::write(home.join("token"), "0123456789abcdef").unwrap();
    fs::set_permissions(home.join("token"), Permissions::from_mode(0o600)).unwrap();
    let refused = |who: &str| {
        let server = server().allow("who", "token").token_file(home.join("token"));
        let error = server.spawn_in_process().unwrap_err().to_string();
        assert!(error.contains(&format!("{who} {}, ", home.display())), "{error}");
    };
    refused("uid 51001 owns");
    chown(&home, Some(0), Some(51_001)).unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o775)).unwrap();
    refused("group 51001 can write to");
    fs::set_permissions(&home, Permissions::from_mode(0o777)).unwrap();
    refused("any user can write to");
    fs::set_permissions(&home, Permissions::from_mode(0o1777)).unwrap();
    let server = server().allow("who", "token").token_file(home.join("token"));
    drop(server.spawn_in_process().unwrap());
}

#[test]
fn hard_linked_file_is_not_written() {
    let place = Place::new();
    let victim = place.directory().join("victim");
    fs::write(&victim, "12\n").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&victim, place.directory().join("s.sock.lock")).unwrap();
    let daemon = server().spawn(place.socket()).unwrap();
    assert_eq!(dockipc::send(place.socket(), "who").unwrap(), b"ours");
    drop(daemon);
    assert_eq!(fs::read(&victim).unwrap(), b"12\n");
    let error = JsonLines::create(&victim).unwrap_err().to_string();
    assert!(error.ends_with("it has another hard link; use a file with one name"), "{error}");
}

#[test]
fn foreign_directory_warns_once_and_is_only_polled() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let home = foreign(&place);
    // Counts the daemon's inotify watches.
    let watches = |daemon: &Program| {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", daemon.id())).unwrap();
        let text = |info: fs::DirEntry| fs::read_to_string(info.path()).unwrap_or_default();
        let texts: Vec<_> = infos.flatten().map(text).collect();
        texts.iter().flat_map(|text| text.lines()).filter(|l| l.starts_with("inotify ")).count()
    };
    for (owner, mode, who) in [
        (OTHER.uid, 0o755, Some("uid 51001 owns")),
        (OTHER.uid, 0o1777, Some("uid 51001 owns")),
        (0, 0o775, Some("group 51001 can write to")),
        (0, 0o777, Some("any user can write to")),
        (0, 0o1777, None),
        (0, 0o755, None),
    ] {
        chown(&home, Some(owner), Some(OTHER.gid)).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(mode)).unwrap();
        let socket = home.join("s.sock");
        let mut daemon = Program::start(&socket);
        // The socket, the lock, and each directory below the root.
        let all = 2 + home.components().count() - 1;
        assert_eq!(watches(&daemon), if who.is_some() { 0 } else { all }, "{mode:o}");
        fs::remove_file(&socket).unwrap();
        until("another socket", || UnixStream::connect(&socket).is_ok());
        let between = Duration::from_secs(if who.is_some() { 2 } else { 30 });
        until("its rhythm", || daemon.checks().unwrap().1 == between);
        assert!(daemon.stop().success());
        let told = who.map_or(String::new(), |who| {
            format!(
                "dockipc: {who} {} and can therefore replace the socket {}; use a directory that only \
                 the daemon's user can write to, such as /run/NAME\n",
                home.display(),
                socket.display()
            )
        });
        assert_eq!(daemon.complaint(), told, "{mode:o}");
    }
}

/// Returns the error message of a start as a user other than root.
fn complaint(place: &Place, socket: &Path) -> String {
    let copy = place.directory().join("daemon");
    program::executable(&copy, File::open(program::path()).unwrap());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).arg(socket);
    let mut daemon = Program::begin(&mut command, socket);
    assert!(!daemon.wait().success());
    daemon.complaint()
}

#[test]
fn obstructing_file_is_reported_with_its_owner() {
    if !users::can_be_had() {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o755)).unwrap();
    let open = place.directory().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
    let (socket, lock) = (open.join("s.sock"), open.join("s.sock.lock"));
    let give = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        chown(path, Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    };
    let expected = |file: &Path, what: &str| {
        format!(
            "cannot listen at {}: {} is {what}; remove it, or use a directory that only the daemon's \
             user can write to",
            socket.display(),
            file.display()
        )
    };
    let error = |file: &Path, what: &str| format!("Error: {}\n", expected(file, what));
    let file = "a file of uid 51001";

    // A lock file that this user can't open.
    fs::write(&lock, "").unwrap();
    give(&lock, 0o600);
    let why = format!("{file} (mode 0600) that this user cannot open as the lock file");
    assert_eq!(complaint(&place, &socket), error(&lock, &why));
    // A lock that another user holds.
    let held = File::open(&lock).unwrap();
    rustix::fs::flock(held.as_fd(), FlockOperation::NonBlockingLockExclusive).unwrap();
    let why = format!("{file} (mode 0600) that another process has locked");
    assert_eq!(server_at(&socket).to_string(), expected(&lock, &why));
    drop(held);
    fs::remove_file(&lock).unwrap();

    // A stale socket that this user can't remove, or not even connect to.
    leave_socket(&socket);
    give(&socket, 0o666);
    let stale = "a socket of uid 51001";
    let why = format!("{stale} (mode 0666) that this user cannot remove");
    assert_eq!(complaint(&place, &socket), error(&socket, &why));
    give(&socket, 0o600);
    let why = format!("{stale} (mode 0600) that this user cannot connect to");
    assert_eq!(complaint(&place, &socket), error(&socket, &why));
    fs::remove_file(&socket).unwrap();
    fs::remove_file(&lock).unwrap();

    // The same at the temporary name.
    let temporary = open.join(".s.sock.new");
    leave_socket(&temporary);
    give(&temporary, 0o666);
    let why = format!("{stale} (mode 0666) that this user cannot remove");
    assert_eq!(complaint(&place, &socket), error(&temporary, &why));
    fs::remove_file(&temporary).unwrap();
    fs::create_dir(&temporary).unwrap();
    give(&temporary, 0o755);
    let why = "a directory of uid 51001 (mode 0755) that has the temporary name for a stale \
               socket";
    assert_eq!(complaint(&place, &socket), error(&temporary, why));
    fs::remove_dir(&temporary).unwrap();
}

#[test]
fn unwritable_directory_is_reported_with_the_uid() {
    if !users::can_be_had() {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o755)).unwrap();
    let (socket, directory) = (place.socket(), place.directory().display());
    let told = format!(
        "Error: permission denied: {} ({directory} is not writable for uid 65534)\n",
        socket.display()
    );
    assert_eq!(complaint(&place, &socket), told);
    // The lock file is there already.
    let lock = place.directory().join("s.sock.lock");
    fs::write(&lock, "").unwrap();
    chown(&lock, Some(65_534), Some(65_534)).unwrap();
    assert_eq!(complaint(&place, &socket), told);
}

#[test]
fn process_id_in_a_foreign_lock_file_is_ignored() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o1777)).unwrap();
    let (socket, lock) = (place.socket(), place.directory().join("s.sock.lock"));
    // A listener whose process is not visible, since its queue is full.
    let listener = UnixListener::bind(&socket).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&socket).unwrap();
    fs::write(&lock, "1\n").unwrap();
    for (owner, named) in [(OTHER.uid, "another process"), (0, "another process")] {
        chown(&lock, Some(owner), Some(owner)).unwrap();
        let told = format!("already running: {} is in use by {named}", socket.display());
        assert_eq!(server_at(&socket).to_string(), told, "uid {owner}");
    }
    // A process that holds the lock is named, whatever the file says.
    let held = File::open(&lock).unwrap();
    rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    for owner in [OTHER.uid, 0] {
        chown(&lock, Some(owner), Some(owner)).unwrap();
        let me = std::process::id();
        let told = format!("already running: {} is in use by process {me}", socket.display());
        assert_eq!(server_at(&socket).to_string(), told, "uid {owner}");
    }
}

#[test]
fn mount_point_at_the_path_is_reported() {
    type Make = fn(&Path);

    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script]);
        command
    };
    if !is_root() || !unshare("true").status().is_ok_and(|status| status.success()) {
        println!("skipped: this needs a mount namespace");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    let makes: [(Make, &str); 3] = [
        (
            |path| leave_socket(path),
            "a socket of uid 0 (mode 0755) that is a mount point (mount its directory instead)",
        ),
        (|path| fs::write(path, "").unwrap(), "not a socket: {} is a file and a mount point"),
        (|path| fs::create_dir(path).unwrap(), "not a socket: {} is a directory and a mount point"),
    ];
    for (make, told) in makes {
        let place = Place::new();
        make(&place.socket());
        let mut command = unshare("mount --bind \"$1\" \"$1\"; exec \"$0\" \"$1\"");
        command.arg(program::path()).arg(place.socket());
        let mut daemon = Program::begin(&mut command, &place.socket());
        assert!(!daemon.wait().success());
        let told = told.replace("{}", place.socket().to_str().unwrap());
        assert!(daemon.complaint().contains(&told), "{}", daemon.complaint());
    }
}

#[test]
fn mode_is_set_without_proc() {
    if !strace::is_here() {
        return;
    }
    let place = Place::new();
    let socket = place.socket();
    let fault = "?chmod,fchmodat:error=ENOENT".to_owned();
    let mut command = strace::strace(&place.directory().join("trace"), &[fault]);
    let mut daemon = Program::begin(command.arg(program::path()).arg(&socket), &socket);
    if daemon.answers() {
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o7777, 0o666);
    } else {
        // Linux before 6.6.
        let why = format!(
            "Error: setting the mode (requires /proc, Linux 6.6, or umask 0) of {}: Function \
             not implemented (os error 38)\n",
            socket.display()
        );
        assert_eq!(daemon.complaint(), why);
        assert!(!socket.exists());
    }
}
