//! How the program `dockipc` reaches a daemon: addresses, `--wait`, `--timeout`, `list`, and messages about it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use dockipc::Server;
use tests::ctl::{self, Ran, dockipc, run};
use tests::gate::Gate;
use tests::{Daemon, Place, leave_socket};

fn daemon() -> Daemon {
    Daemon::start(Server::new().state(Gate::default()))
}

#[track_caller]
fn failed(ran: &Ran, code: i32, error: &str) {
    assert_eq!((ran.code, &*ran.err), (Some(code), &*format!("test-dockipc: {error}\n")));
}

/// Runs the program as a user without any rights.
fn as_nobody<'w>(words: impl IntoIterator<Item = &'w str>) -> Ran {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl::path());
    run(command.args(words), b"")
}

#[test]
fn unix_address_is_a_path() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for address in [format!("unix:{path}"), format!("unix://{path}")] {
        for words in [
            &["call", &address, "ping"][..],
            &["call", "-s", &address, "ping"],
            &[&*address, "ping"],
        ] {
            let ran = dockipc(words);
            assert_eq!((ran.code, &*ran.text()), (Some(0), "PONG\n"), "{words:?}: {ran:?}");
        }
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.env("DOCKIPC_SOCKET", &address).args(["call", "ping"]), b"");
        assert_eq!((ran.code, &*ran.text()), (Some(0), "PONG\n"), "{ran:?}");
        assert!(dockipc(["list", &address]).text().starts_with(path));
        let line = format!("dockipc call {}", &address[..address.len() - 1]);
        assert_eq!(dockipc(["__complete", "--", &line]).text(), format!("{address}\t\n"));
    }
    let ran = dockipc(["call", "unix:@no-such-socket", "ping"]);
    failed(&ran, 3, "no socket at @no-such-socket: is the daemon running?");
    let why = "invalid address \"unix:x/y\": write unix:/PATH or unix:///PATH";
    failed(&dockipc(["call", "unix:x/y", "ping"]), 2, why);
}

#[test]
fn socket_alone_lists_its_commands() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let listed = dockipc([path]);
    assert_eq!((listed.code, &*listed.err), (Some(0), ""));
    assert_eq!(listed, dockipc(["commands", path]));
    failed(&dockipc(["./nothing"]), 3, "no socket at ./nothing: is the daemon running?");
}

#[test]
fn quiet_program_prints_no_message() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let ran = dockipc(["call", "-q", path, "fail", "LATE"]);
    assert_eq!((ran.code, &*ran.err), (Some(1), ""));
    let mut command = ctl::command(&ctl::path());
    let ran = run(command.args(["-q", "call", "-f", "-", path]), b"fail LATE\nping\n");
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(1), "PONG\n", ""));
    let ran = dockipc(["list", "-q", place.directory().to_str().unwrap(), "/nowhere"]);
    assert_eq!((ran.code, &*ran.err), (Some(3), ""));
    assert_eq!(dockipc(["-q", "-v", "call", path, "ping"]).code, Some(2));
}

#[test]
fn verbose_program_names_the_listener() {
    let daemon = daemon();
    let path = daemon.path();
    let ran = dockipc(["-v", "call", path.to_str().unwrap(), "ping"]);
    assert_eq!((ran.code, &*ran.text()), (Some(0), "PONG\n"));
    let notes: Vec<_> = ran.err.lines().collect();
    let connected = format!("* connected to {}: process {} (", path.display(), std::process::id());
    assert!(notes.len() == 2 && notes[0].starts_with(&connected), "{notes:?}");
    assert!(notes[1].starts_with("* the call took "), "{notes:?}");
}

#[test]
fn wait_ends_when_the_daemon_answers() {
    let place = Place::new();
    leave_socket(place.socket());
    let mut command = ctl::command(&ctl::path());
    let by_name =
        command.env("XDG_RUNTIME_DIR", place.directory()).args(["-v", "--wait", "call", "s"]);
    let mut by_name =
        by_name.arg("ping").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(by_name.stderr.take().unwrap()).lines();
    let note = notes.next().unwrap().unwrap();
    assert!(note.starts_with("* waiting: stale socket "), "{note}");
    let _daemon = Server::new().state(Gate::default()).spawn(place.socket()).unwrap();
    let mut answer = String::new();
    by_name.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert_eq!((&*answer, by_name.wait().unwrap().code()), ("PONG\n", Some(0)));
    drop(notes);
}

#[test]
fn wait_ends_at_its_limit_with_the_cause() {
    let place = Place::new();
    let socket = place.socket().display().to_string();
    let why = format!("waiting for the daemon: no socket at {socket}: is the daemon running?");
    let ran = dockipc(["call", "--wait=300ms", &socket, "ping"]);
    failed(&ran, 5, &format!("timed out after 300ms {why}"));
    let ran = dockipc(["call", "--timeout", "200ms", "--wait", &socket, "ping"]);
    failed(&ran, 5, &format!("timed out after 200ms {why}"));
    let ran = dockipc(["commands", "--timeout", "200ms", "--wait=1h", &socket]);
    failed(&ran, 5, &format!("timed out after 200ms {why}"));
    fs::write(&socket, "").unwrap();
    let ran = dockipc(["call", "--wait", &socket, "ping"]);
    failed(&ran, 3, &format!("not a socket: {socket} is a file"));
    for words in [["doctor", "--wait", &socket], ["list", "--wait", &socket]] {
        let why = "invalid --wait: doctor and list show what is there now; leave it out";
        failed(&dockipc(words), 2, why);
    }
}

#[test]
fn timeout_limits_all_commands_of_a_run() {
    const TIMEOUT: &str = "100ms";
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for words in [
        &["call", "--every", "10ms", path, "ping"][..],
        &["call", "--repeat", "1000000", path, "ping"],
        &["ping", "-c", "1000000", "-i", "10ms", path],
    ] {
        let ran = run(ctl::command(&ctl::path()).args(["--timeout", TIMEOUT]).args(words), b"");
        assert!(ran.code == Some(5) && ran.err.contains("timed out after 100ms"), "{words:?}");
    }
    // Standard input stays open without a line, or gets one when the time is over.
    for words in [&["call", "-f", "-", path][..], &["call", path, "bytes", "-"]] {
        let mut command = ctl::command(&ctl::path());
        command.args(["--timeout", TIMEOUT]).args(words).stdin(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5), "{words:?}: {error}");
        assert!(error.ends_with("timed out after 100ms\n"), "{error}");
    }
    for words in [&["call", "-f", "-", path][..], &["shell", path]] {
        let mut command = ctl::command(&ctl::path());
        command.args(["--timeout", TIMEOUT]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = child.stdin.take().unwrap();
        lines.write_all(b"ping\n").unwrap();
        thread::sleep(Duration::from_millis(200));
        let _ = lines.write_all(b"ping\n");
        drop(lines);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{words:?}: {output:?}");
    }
}

#[test]
fn name_in_a_closed_directory_is_not_absent() {
    if !tests::users::can_be_had() {
        return;
    }
    let place = Place::new();
    let closed = place.directory().join("closed");
    fs::create_dir(&closed).unwrap();
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(place.directory(), 0o755);
    set(&closed, 0o700);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl::path());
    command.env("XDG_RUNTIME_DIR", place.directory());
    let ran = run(command.args(["call", "closed", "ping"]), b"");
    let why = format!("permission denied: {} can't be searched for closed; ", closed.display());
    assert!(ran.code == Some(4) && ran.err.contains(&why), "{ran:?}");
    let ran = as_nobody(["list", "--all", place.directory().to_str().unwrap()]);
    assert!(ran.err.contains(&format!("searching {}: Perm", closed.display())), "{ran:?}");
}

#[test]
fn pause_of_zero_is_refused() {
    let ran = dockipc(["call", "--every", "0s", "./x", "ping"]);
    let why = "must be greater than zero; to repeat without a pause, use --repeat";
    assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
}

#[test]
fn list_of_an_absent_path_fails() {
    let (daemon, place) = (daemon(), Place::new());
    let directory = daemon.path().parent().unwrap().to_str().unwrap().to_owned();
    let ran = dockipc(["list", "/nowhere", &directory]);
    let why = "test-dockipc: searching /nowhere: No such file or directory (os error 2)\n";
    assert_eq!((ran.code, &*ran.err), (Some(3), why));
    assert_eq!(ran.text().lines().count(), 1, "the others are listed");
    let file = place.directory().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(dockipc(["list", file.to_str().unwrap()]).code, Some(2));
    // A socket is asked, whatever it is.
    leave_socket(place.socket());
    let ran = dockipc(["list", place.socket().to_str().unwrap()]);
    assert!(ran.code == Some(0) && ran.text().contains("stale socket"), "{ran:?}");
    // The directories that are searched by default may be absent.
    let mut command = ctl::command(&ctl::path());
    assert_eq!(run(command.env("XDG_RUNTIME_DIR", "/nowhere").arg("list"), b"").code, Some(0));
}

#[test]
fn list_shows_what_may_not_be_used() {
    if !tests::users::can_be_had() {
        return;
    }
    let daemon = daemon();
    let path = daemon.path();
    let directory = path.parent().unwrap();
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(directory, 0o755);
    set(&path, 0o600);
    let ran = as_nobody(["list", directory.to_str().unwrap()]);
    let text = ran.text();
    let row: Vec<_> = text.trim_end().split('\t').collect();
    assert_eq!((ran.code, row[0], row[2]), (Some(0), path.to_str().unwrap(), "0600"), "{ran:?}");
    assert!(row[5].starts_with("permission denied"), "{row:?}");
    set(directory, 0o711);
    let ran = as_nobody(["list", directory.to_str().unwrap()]);
    assert!(ran.code == Some(4) && ran.err.contains("Permission denied"), "{ran:?}");
}
