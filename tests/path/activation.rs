//! Socket activation by systemd, and readiness notifications.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use dockipc::{Client, Error};
use rustix::process::Signal;
use tests::process::{listens, names_in, until};
use tests::program::{self, Program};
use tests::{PATIENCE, Place};

/// Starts a program as systemd does: the socket is descriptor 3, and the variables say so.
const PASSED: &str = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\" 3<&0 </dev/null";

/// Starts the daemon with the socket as the shell's standard input.
fn begin(shell: &str, socket: impl Into<OwnedFd>, path: &Path) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(program::path()).arg(path);
    Program::begin_with(&mut command, path, socket.into())
}

/// Like [`begin`], and waits until the daemon answers.
#[track_caller]
fn start(shell: &str, socket: &UnixListener, path: &Path) -> Program {
    let mut daemon = begin(shell, socket.try_clone().unwrap(), path);
    assert!(daemon.answers(), "{}", daemon.complaint());
    daemon
}

/// Stops the daemon with a signal. A call could wait in the socket's queue, which others keep open.
#[track_caller]
fn end(daemon: &mut Program) -> ExitStatus {
    daemon.signal(Signal::TERM);
    daemon.wait()
}

/// Returns what identifies the file at a path.
fn identity(path: &Path) -> (u64, u64, u32) {
    let data = fs::symlink_metadata(path).expect("something at the path");
    (data.dev(), data.ino(), data.mode())
}

fn abstract_name(name: &str) -> (String, SocketAddr) {
    let name = format!("dockipc-test-{name}-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    (format!("@{name}"), address)
}

#[test]
fn passed_socket_is_served_and_never_removed() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = (identity(&path), names_in(place.directory()));
    for killed in [false, true, false] {
        let mut daemon = start(PASSED, &socket, &path);
        assert_eq!((identity(&path), names_in(place.directory())), before);
        // The daemon's children must not inherit it.
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/3", daemon.id())).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_eq!(flags & 0o2_000_000, 0o2_000_000, "O_CLOEXEC");
        assert_eq!(daemon.checks(), None, "an idle daemon never wakes");
        if killed {
            daemon.signal(Signal::KILL);
            daemon.wait();
        } else {
            assert!(end(&mut daemon).success(), "{}", daemon.complaint());
        }
        assert_eq!((identity(&path), names_in(place.directory())), before);
        // A connection made while no daemon runs is served by the next one.
        UnixStream::connect(&path).expect("a socket that listens");
    }
}

#[test]
fn shutdown_leaves_passed_backlog_to_successor() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let notify = place.directory().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    let shell = format!("export NOTIFY_SOCKET={}; {PASSED}", notify.display());
    let mut old = start(&shell, &socket, &path);
    assert_eq!(told(&manager), "READY=1");
    let mut naps = old.connect();
    naps.write_all(b"nap 1500\n").unwrap();
    until("a command that runs", || old.threads() > 3);
    old.signal(Signal::TERM);
    assert_eq!(told(&manager), "STOPPING=1");
    let (mut waits, mut answer) = (old.connect(), [0; 4]);
    waits.write_all(b"ping\n").unwrap();
    let used = old.cpu();
    let mut napped = String::new();
    naps.read_to_string(&mut napped).unwrap();
    assert_eq!(napped, "1");
    let used = old.cpu().saturating_sub(used);
    assert!(used < Duration::from_millis(700), "{used:?} while there was nothing to do");
    assert!(old.wait().success());
    let _new = start(PASSED, &socket, &path);
    waits.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"PONG");
}

#[test]
fn passed_socket_wider_than_its_mode_is_refused() {
    let place = Place::new();
    let (path, second) = (place.socket(), place.directory().join("second.sock"));
    let socket = UnixListener::bind(&path).unwrap();
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let begin = |words: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", PASSED]).arg(program::path()).args(words);
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        Program::begin_with(&mut command, &path, socket)
    };
    let (first, second) = (path.to_str().unwrap(), second.to_str().unwrap());
    for (passed, given, is_refused) in [
        (0o666, "600", true),
        (0o666, "660", true),
        (0o660, "600", true),
        (0o620, "600", true),
        // Connecting requires write permission.
        (0o755, "600", false),
        (0o600, "600", false),
        (0o600, "666", false),
        // The author leaves the mode to the service manager.
        (0o666, "-", false),
    ] {
        set(passed);
        // As the first path and as the second.
        let both = [second, "-", first, given];
        let both = if given == "-" { &both[..3] } else { &both };
        for words in [&[first, given] as &[&str], both] {
            let mut daemon = begin(words);
            if is_refused {
                assert!(!daemon.wait().success(), "{passed:o} {given}");
                let why = format!(
                    "Error: the socket passed for {first} has mode {passed:04o}, wider than \
                     .mode(0o{given}): set SocketMode=0{given} in the socket unit, or remove .mode(…)\n",
                );
                assert_eq!(daemon.complaint(), why);
            } else {
                assert!(daemon.answers(), "{passed:o} {given}: {}", daemon.complaint());
                assert!(end(&mut daemon).success());
            }
            assert_eq!(identity(&path).2 & 0o7777, passed);
        }
    }
    // An abstract socket has no mode, and a removed path can't be connected to.
    set(0o666);
    fs::remove_file(&path).unwrap();
    let mut daemon = begin(&[first, "600"]);
    until("its start", || daemon.threads() > 1);
    assert!(end(&mut daemon).success(), "{}", daemon.complaint());
}

#[test]
fn removed_path_of_passed_socket_stays_removed() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let daemon = start(PASSED, &socket, &path);
    let mut client = daemon.connect();
    fs::remove_file(&path).unwrap();
    // Longer than the interval at which a daemon checks a path of its own.
    client.write_all(b"nap 2500\n").unwrap();
    client.read_to_string(&mut String::new()).unwrap();
    assert!(names_in(place.directory()).is_empty());
}

#[test]
fn passed_socket_is_matched_through_links() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let link = place.directory().join("link");
    symlink(place.directory(), &link).unwrap();
    let beside = place.directory().join("beside.sock");
    symlink(&path, &beside).unwrap();
    let before = (identity(&path), names_in(place.directory()));
    for other in [link.join("s.sock"), place.directory().join("./s.sock"), beside] {
        let mut daemon = start(PASSED, &socket, &other);
        assert_eq!(Client::new(&path).send("ping").unwrap(), b"PONG");
        assert!(end(&mut daemon).success());
        assert_eq!((identity(&path), names_in(place.directory())), before);
    }
    // A relative path.
    let shell = format!("cd {}; {PASSED}", place.directory().display());
    let mut command = Command::new("sh");
    command.arg("-c").arg(shell).arg(program::path()).arg("s.sock");
    let mut daemon = Program::begin_with(&mut command, &path, OwnedFd::from(socket));
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(end(&mut daemon).success());
    assert_eq!((identity(&path), names_in(place.directory())), before);
}

#[test]
fn passed_abstract_socket_is_served() {
    let (path, address) = abstract_name("passed");
    let socket = UnixListener::bind_addr(&address).unwrap();
    for _ in 0..2 {
        let mut daemon = start(PASSED, &socket, Path::new(&path));
        assert!(end(&mut daemon).success());
    }
}

#[test]
fn passed_socket_is_found_among_other_descriptors() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let before = (identity(&path), names_in(place.directory()));
    for shell in [
        "export LISTEN_PID=$$ LISTEN_FDS=3; exec \"$0\" \"$@\" 3</dev/null 4<. 5<&0",
        // Descriptor 4 is not open.
        "export LISTEN_PID=$$ LISTEN_FDS=4; exec \"$0\" \"$@\" 3</dev/null 5<&0 6<&0",
        "export LISTEN_PID=$$ LISTEN_FDS=99999999999999999999; exec \"$0\" \"$@\" 3<&0",
    ] {
        let mut daemon = start(shell, &socket, &path);
        assert!(end(&mut daemon).success());
        assert_eq!((identity(&path), names_in(place.directory())), before, "{shell}");
    }
}

/// Waits for the end of a start that is refused, and compares its message.
#[track_caller]
fn refused(daemon: &mut Program, path: &Path, why: &str) {
    assert!(!daemon.wait().success(), "{why}");
    let path = path.display();
    let expected = format!("Error: socket activation failed for {path}: {why}\n");
    assert_eq!(daemon.complaint(), expected);
}

#[test]
fn variables_of_another_process_are_refused() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let before = (identity(&path), names_in(place.directory()));
    let pid = "LISTEN_PID must be $ for this process, but is";
    let fix = "start the daemon directly, or with exec in a script";
    for (variables, why) in [
        ("LISTEN_PID=1 LISTEN_FDS=1", format!("{pid} \"1\"; {fix}")),
        ("LISTEN_PID= LISTEN_FDS=1", format!("{pid} \"\"; {fix}")),
        ("LISTEN_PID=-7 LISTEN_FDS=1", format!("{pid} \"-7\"; {fix}")),
        (
            "LISTEN_PID=99999999999999999999 LISTEN_FDS=1",
            format!("{pid} \"99999999999999999999\"; {fix}"),
        ),
        ("LISTEN_FDS=1", format!("{pid} not set; {fix}")),
        ("LISTEN_PID=$$ LISTEN_FDS=", "LISTEN_FDS is \"\", which is not a number".into()),
        ("LISTEN_PID=$$ LISTEN_FDS=-1", "LISTEN_FDS is \"-1\", which is not a number".into()),
        ("LISTEN_PID=$$ LISTEN_FDS=one", "LISTEN_FDS is \"one\", which is not a number".into()),
    ] {
        let shell = format!("export {variables}; exec \"$0\" \"$@\" 3<&0 </dev/null");
        let mut daemon = begin(&shell, socket.try_clone().unwrap(), &path);
        let why = why.replace('$', &daemon.id().to_string());
        refused(&mut daemon, &path, &why);
        // A script may have closed the descriptor. Then the listener belongs to another process.
        let shell = format!("export {variables}; exec \"$0\" \"$@\" </dev/null");
        let mut daemon = begin(&shell, socket.try_clone().unwrap(), &path);
        let why = why.split("must").last().unwrap();
        assert!(!daemon.wait().success(), "{variables}");
        let (complaint, me) = (daemon.complaint(), std::process::id());
        let listens = format!("{}: process {me} listens there, and LISTEN_", path.display());
        assert!(complaint.contains(&listens), "{complaint}");
        assert!(complaint.contains(why.split_once(';').map_or("LISTEN_FDS", |(_, fix)| fix)));
        assert_eq!((identity(&path), names_in(place.directory())), before, "{variables}");
    }
    // Nothing was passed.
    for variables in ["LISTEN_PID=$$", "LISTEN_PID=$$ LISTEN_FDS=0", "LISTEN_PID=1"] {
        let shell = format!("export {variables}; exec \"$0\" \"$@\" 3<&0 </dev/null");
        let mut daemon = begin(&shell, socket.try_clone().unwrap(), &path);
        assert!(!daemon.wait().success(), "{variables}");
        let expected = format!(
            "Error: already running: {} is in use by process {}\n",
            path.display(),
            std::process::id()
        );
        assert_eq!(daemon.complaint(), expected, "{variables}");
        assert_eq!((identity(&path), names_in(place.directory())), before, "{variables}");
    }
}

#[test]
fn variables_of_another_process_do_not_matter_elsewhere() {
    // A daemon that was started by an activated program, which did not remove the variables.
    let place = Place::new();
    let other = UnixListener::bind(place.directory().join("other.sock")).unwrap();
    let shell = "export LISTEN_PID=1 LISTEN_FDS=1; exec \"$0\" \"$@\" 3<&0 </dev/null";
    let mut daemon = begin(shell, other, &place.socket());
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(end(&mut daemon).success());
    assert_eq!(daemon.complaint(), "");
}

#[test]
fn pidfd_id_of_another_process_is_refused() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    // Linux 6.9 and later give pidfds unique IDs.
    let me = rustix::process::getpid();
    let pidfd = rustix::process::pidfd_open(me, rustix::process::PidfdFlags::empty()).unwrap();
    let shell = format!("export LISTEN_PIDFDID=1; {PASSED}");
    let mut daemon = begin(&shell, socket, &path);
    if rustix::fs::fstatfs(&pidfd).unwrap().f_type == 0x5049_4446 {
        assert!(!daemon.wait().success());
        let complaint = daemon.complaint();
        assert!(complaint.contains("LISTEN_PIDFDID must be "), "{complaint}");
        assert!(complaint.contains(" for this process, but is \"1\"; "), "{complaint}");
    } else {
        assert!(daemon.answers(), "{}", daemon.complaint());
    }
}

#[test]
fn passed_socket_of_other_address_or_type_is_refused() {
    let place = Place::new();
    let path = place.socket();
    let other = place.directory().join("other.sock");
    let (name, address) = abstract_name("other");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = std::net::UdpSocket::bind("[::1]:0");
    let datagram = UnixDatagram::bind(place.directory().join("datagram.sock")).unwrap();
    let mut others: Vec<(OwnedFd, String)> = vec![
        (
            datagram.into(),
            format!("a datagram socket at {}/datagram.sock", place.directory().display()),
        ),
        (
            UnixListener::bind(&other).unwrap().into(),
            format!("a listening socket at {}", other.display()),
        ),
        (
            UnixListener::bind_addr(&address).unwrap().into(),
            format!("a listening socket at {name}"),
        ),
        (UnixDatagram::unbound().unwrap().into(), "a datagram socket".into()),
        (UnixStream::pair().unwrap().0.into(), "a connection, not a listening socket,".into()),
        (tcp.into(), format!("a listening socket at port {port}")),
    ];
    if let Ok(udp) = udp {
        let port = udp.local_addr().unwrap().port();
        others.push((udp.into(), format!("a datagram socket at port {port}")));
    }
    for (other, what) in others {
        // Sockets for other parts of the program have names of their own.
        let named = format!("export LISTEN_FDNAMES=http; {PASSED}");
        let mut daemon = begin(&named, other.try_clone().unwrap(), &path);
        assert!(daemon.answers(), "{what}: {}", daemon.complaint());
        assert!(place.directory().join("s.sock.lock").exists(), "{what}: a socket of its own");
        assert!(end(&mut daemon).success());
        assert_eq!(daemon.complaint(), "");
        fs::remove_file(place.directory().join("s.sock.lock")).unwrap();
        for names in ["", "export LISTEN_FDNAMES=hitd.socket; "] {
            let mut daemon = begin(&format!("{names}{PASSED}"), other.try_clone().unwrap(), &path);
            let hint = "or FileDescriptorName= for a socket that the program itself uses";
            let why =
                format!("descriptor 3 is {what}; set ListenStream={}, {hint}", path.display());
            refused(&mut daemon, &path, &why);
        }
    }
    assert!(other.exists());
    assert!(!path.exists() && !place.directory().join("s.sock.lock").exists());
}

#[test]
fn passed_socket_beside_others_is_served_with_a_warning() {
    let place = Place::new();
    let path = place.socket();
    let socket = UnixListener::bind(&path).unwrap();
    let other = place.directory().join("other.sock");
    let other_socket = UnixListener::bind(&other).unwrap();
    let warning = format!(
        "dockipc: passed sockets are not used: descriptor 4 is a listening socket at {}; set \
         FileDescriptorName= for a socket that the program itself uses\n",
        other.display()
    );
    for (names, told) in [
        ("", &*warning),
        ("export LISTEN_FDNAMES=a.socket:b.socket;", &warning),
        ("export LISTEN_FDNAMES=a.socket:http;", ""),
    ] {
        let mut command = Command::new("sh");
        let shell = format!(
            "{names} export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\" 3<&0 4<&1 </dev/null"
        );
        command.args(["-c", &shell]).arg(program::path()).arg(&path);
        let mut daemon = Program::begin_with_output(
            &mut command,
            &path,
            OwnedFd::from(socket.try_clone().unwrap()),
            OwnedFd::from(other_socket.try_clone().unwrap()),
        );
        assert!(daemon.answers(), "{}", daemon.complaint());
        assert!(end(&mut daemon).success());
        assert_eq!(daemon.complaint(), told);
    }
}

#[test]
fn connection_or_datagrams_at_the_path_are_refused() {
    let place = Place::new();
    let path = place.socket();
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let accepted = listener.accept().unwrap().0;
    let place_of = |what: &str| format!("{what} at {}", path.display());
    let connection = place_of("a connection, not a listening socket,");
    let accept = format!("descriptor 3 is {connection}; use Accept=no in the socket unit");
    refused(&mut begin(PASSED, accepted.try_clone().unwrap(), &path), &path, &accept);
    // A daemon that would have connected would be waiting in the queue.
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // StandardInput=socket.
    let inetd = "exec \"$0\" \"$@\"";
    let accept = format!("standard input is {connection}; use Accept=no in the socket unit");
    refused(&mut begin(inetd, accepted, &path), &path, &accept);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let why = format!(
        "standard input is {}; remove StandardInput=socket from the service",
        place_of("a listening socket")
    );
    refused(&mut begin(inetd, listener, &path), &path, &why);
    drop(client);
    fs::remove_file(&path).unwrap();
    let datagrams = UnixDatagram::bind(&path).unwrap();
    let why = format!(
        "descriptor 3 is {}; use ListenStream= in the socket unit",
        place_of("a datagram socket")
    );
    refused(&mut begin(PASSED, datagrams, &path), &path, &why);
}

/// Returns whether systemd-socket-activate(1) is installed. With `DOCKIPC_REQUIRE_PEERS` set, it must be.
fn has_socket_activate() -> bool {
    let has = Command::new("systemd-socket-activate").arg("--version").output().is_ok();
    if !has {
        println!("skipped: systemd-socket-activate is not installed");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
    }
    has
}

#[test]
fn systemd_socket_activate_works() {
    if !has_socket_activate() {
        return;
    }
    let place = Place::new();
    let (path, other) = (place.socket(), place.directory().join("other.sock"));
    let mut command = Command::new("systemd-socket-activate");
    command.arg("-l").arg(&other).arg("-l").arg(&path).arg(program::path()).arg(&path);
    let mut daemon = Program::begin(&mut command, &path);
    until("its sockets", || listens(&path));
    let before = identity(&path);
    // The first connection starts the daemon.
    assert!(daemon.answers(), "{}", daemon.complaint());
    assert!(end(&mut daemon).success());
    assert_eq!(identity(&path), before);
    assert!(!place.directory().join("s.sock.lock").exists());
}

/// Starts systemd-socket-activate(1), and waits for its socket.
fn activate(words: &[&str], path: &Path) -> Program {
    let mut command = Command::new("systemd-socket-activate");
    command.args(words);
    let daemon = Program::begin(&mut command, path);
    until("its socket", || listens(path));
    daemon
}

#[test]
fn accept_yes_starts_one_daemon_per_client() {
    if !has_socket_activate() {
        return;
    }
    let (program, program_path) = (program::path(), Place::new());
    let path = program_path.socket();
    let (program, socket) = (program.to_str().unwrap(), path.to_str().unwrap());
    for inetd in [&[][..], &["--inetd"]] {
        let words = [&["--accept", "-l", socket], inetd, &[program, socket]].concat();
        let manager = activate(&words, &path);
        for _ in 0..3 {
            let mut answer = String::new();
            manager.connect().read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "");
        }
        let log = manager.complaint();
        assert_eq!(log.matches("use Accept=no in the socket unit").count(), 3, "{log}");
        assert_eq!(log.matches("Spawned ").count(), 3, "{log}");
        drop(manager);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn script_without_exec_is_told_to_use_exec() {
    if !has_socket_activate() {
        return;
    }
    for shell in ["\"$0\" \"$1\"; exit 7", "\"$0\" \"$1\" 3<&-; exit 7"] {
        let place = Place::new();
        let (program, path) = (program::path(), place.socket());
        let (program, socket) = (program.to_str().unwrap(), path.to_str().unwrap());
        let mut script = activate(&["-l", socket, "sh", "-c", shell, program, socket], &path);
        let _client = script.connect();
        assert_eq!(script.wait().code(), Some(7));
        let log = script.complaint();
        let why = format!(
            "but is \"{}\"; start the daemon directly, or with exec in a script",
            script.id()
        );
        assert!(log.contains(&why), "{log}");
    }
}

/// Starts and stops a daemon with this `NOTIFY_SOCKET`.
#[track_caller]
fn start_and_stop(notify: &Path) {
    let place = Place::new();
    let path = place.socket();
    let mut command = Command::new(program::path());
    let mut daemon = Program::start_by(command.arg(&path).env("NOTIFY_SOCKET", notify), &path);
    assert!(end(&mut daemon).success(), "{}", daemon.complaint());
}

#[track_caller]
fn told(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 100];
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let n = socket.recv(&mut bytes).expect("what is told");
    String::from_utf8(bytes[..n].to_vec()).unwrap()
}

#[track_caller]
fn expect_both(socket: &UnixDatagram) {
    assert_eq!(told(socket), "READY=1");
    assert_eq!(told(socket), "STOPPING=1");
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn service_manager_gets_ready_and_stopping() {
    let place = Place::new();
    let notify = place.directory().join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    let path = place.socket();
    let mut command = Command::new(program::path());
    let command = command.arg(&path).env("NOTIFY_SOCKET", &notify);
    let mut daemon = Program::begin(command, &path);
    assert_eq!(told(&socket), "READY=1");
    assert_eq!(Client::new(&path).send("ping").unwrap(), b"PONG");
    daemon.signal(Signal::TERM);
    assert_eq!(told(&socket), "STOPPING=1");
    assert!(matches!(dockipc::send(&path, "ping"), Err(Error::NoSocket { .. })));
    assert!(daemon.wait().success());
    // A failed start is not ready.
    let taken = UnixListener::bind(&path).unwrap();
    let mut command = Command::new(program::path());
    let mut daemon = Program::begin(command.arg(&path).env("NOTIFY_SOCKET", &notify), &path);
    assert!(!daemon.wait().success());
    drop(taken);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn notify_address_may_be_abstract_or_long() {
    let (path, address) = abstract_name("notify");
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    start_and_stop(Path::new(&path));
    expect_both(&socket);

    let place = Place::new();
    let deep = place.directory().join("d".repeat(150));
    fs::create_dir(&deep).unwrap();
    // The path is too long to be bound directly.
    let short = place.directory().join("short");
    symlink(&deep, &short).unwrap();
    let socket = UnixDatagram::bind(short.join("notify")).unwrap();
    start_and_stop(&deep.join("notify"));
    expect_both(&socket);
}

#[test]
fn missing_service_manager_does_not_block_the_start() {
    let place = Place::new();
    let file = place.directory().join("file");
    fs::write(&file, "kept").unwrap();
    let full = place.directory().join("full");
    let receiver = UnixDatagram::bind(&full).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"more", &full).is_ok() {}
    let nowhere = PathBuf::from("/nowhere/at/all");
    let relative = PathBuf::from("relative");
    for notify in [nowhere, relative, PathBuf::new(), "@".into(), "@nobody".into(), file, full] {
        start_and_stop(&notify);
    }
    assert_eq!(fs::read(place.directory().join("file")).unwrap(), b"kept");
    drop(receiver);
}
