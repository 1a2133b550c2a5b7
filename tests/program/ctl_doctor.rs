//! The subcommand `doctor`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use dockipc::{Client, Server};
use tests::ctl::{self, Ran, dockipc, run};
use tests::gate::Gate;
use tests::{Daemon, Place, leave_socket};

fn daemon() -> Daemon {
    Daemon::start(Server::new().state(Gate::default()))
}

fn doctor(path: &Path) -> Ran {
    dockipc(["doctor".as_ref(), path.as_os_str()])
}

/// Returns a check's state and text, separated by a tab.
#[track_caller]
fn check(ran: &Ran, name: &str) -> String {
    let text = ran.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

/// Checks the exit code, the check that fails, and its text.
#[track_caller]
fn finds(ran: &Ran, code: i32, name: &str, text: &str) {
    assert_eq!((ran.code, &*ran.err), (Some(code), ""), "{ran:?}");
    assert_eq!(check(ran, name), format!("error\t{text}"));
    assert_eq!(ran.text().matches("\terror\t").count(), 1, "{ran:?}");
}

#[test]
fn healthy_daemon_passes_all_checks() {
    let daemon = daemon();
    let path = daemon.path();
    let shown = path.display();
    let ran = doctor(&path);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    let states: Vec<_> =
        ran.text().lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect();
    assert_eq!(states, ["ok"; 9], "{ran:?}");
    let pid = std::process::id();
    assert_eq!(check(&ran, "path"), format!("ok\t{shown} exists"));
    assert_eq!(check(&ran, "mode"), "ok\t0666");
    assert_eq!(check(&ran, "lock"), format!("ok\t{shown}.lock is held by process {pid}"));
    assert!(check(&ran, "listener").starts_with(&format!("ok\tprocess {pid} (")));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(check(&ran, "version"), format!("ok\tdockipc {version}, RESP3"));
    // Through a link, the lock file is that of the socket.
    let place = Place::new();
    symlink(&path, place.socket()).unwrap();
    let ran = doctor(&place.socket());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let link = place.socket().display().to_string();
    assert_eq!(check(&ran, "path"), format!("ok\t{link} is a symbolic link to {shown}"));
    assert!(check(&ran, "lock").starts_with(&format!("ok\t{shown}.lock ")));
    // As JSON, and in a daemon's own program.
    let mut own = ctl::command(&ctl::named(&place, "hitctl"));
    let ran = run(own.env("TEST_SOCKET", &path).args(["doctor", "--json"]), b"");
    let json: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!((ran.code, &json["healthy"]), (Some(0), &true.into()), "{ran:?}");
    assert_eq!(json["checks"]["answer"]["state"], "ok");
}

#[test]
fn doctor_finds_what_is_wrong_with_a_path() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    let shown = |name: &str| at(name).display().to_string();
    let absent = format!("{} does not exist: is the daemon running?", shown("no"));
    finds(&doctor(&at("no")), 3, "path", &absent);
    let absent = format!("{}: the directory {} does not exist", shown("no/x/s"), shown("no"));
    finds(&doctor(&at("no/x/s")), 3, "path", &absent);
    symlink("gone", at("link")).unwrap();
    let dangling = format!("{} is a symbolic link to gone, which is not there", shown("link"));
    finds(&doctor(&at("link")), 3, "path", &dangling);
    fs::write(at("file"), "").unwrap();
    finds(&doctor(&at("file")), 3, "type", "not a socket");
    finds(&doctor(place.directory()), 3, "type", "a directory");
    leave_socket(at("stale"));
    let ran = doctor(&at("stale"));
    assert_eq!(ran.code, Some(3));
    assert!(check(&ran, "connect").starts_with("error\tstale socket "), "{ran:?}");
    assert!(check(&ran, "lock").starts_with("warning\t"), "{ran:?}");
    assert_eq!(check(&ran, "answer"), "unknown\t");
    let ran = dockipc(["doctor", "no-such-name"]);
    assert!(check(&ran, "path").starts_with("error\tno socket no-such-name or "), "{ran:?}");
    let ran = dockipc(["doctor", "@no-such-name"]);
    assert!(ran.code == Some(3) && check(&ran, "connect").starts_with("error\tno socket"));
    let ran = dockipc(["doctor", "--json", shown("no").as_str()]);
    let json: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!((ran.code, &json["healthy"]), (Some(3), &false.into()));
}

#[test]
fn doctor_finds_another_program() {
    let place = Place::new();
    let path = place.socket();
    let _silent = UnixListener::bind(&path).unwrap();
    let ran = dockipc(["doctor", "--timeout", "50ms", path.to_str().unwrap()]);
    assert_eq!(ran.code, Some(5));
    assert!(check(&ran, "answer").starts_with("error\ttimed out after 50ms waiting for the gre"));
    assert!(check(&ran, "listener").starts_with("ok\t"), "{ran:?}");
    assert!(check(&ran, "lock").ends_with("does not exist: a dockipc daemon creates it"));
}

#[test]
fn doctor_names_the_closed_directory() {
    if !tests::users::can_be_had() {
        return;
    }
    let daemon = daemon();
    let path = daemon.path();
    let directory = path.parent().unwrap();
    let nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl::path());
        run(command.arg("doctor").arg(&path), b"")
    };
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(directory, 0o700);
    let ran = nobody();
    let found = check(&ran, "path");
    let closed = format!("may not search the directory {}", directory.display());
    assert!(ran.code == Some(4) && found.contains(&closed), "{ran:?}");
    assert!(found.contains("(owner root (uid 0), mode 0700)"), "{ran:?}");
    // Another user's daemon, whose lock file this user can't open.
    set(directory, 0o711);
    let ran = nobody();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(check(&ran, "lock").starts_with("ok\t"), "{ran:?}");
    set(&path, 0o600);
    let ran = nobody();
    assert!(ran.code == Some(4) && check(&ran, "connect").starts_with("error\tpermission denied"));
    assert_eq!(check(&ran, "mode"), "ok\t0600");
}

#[test]
fn doctor_disturbs_no_daemon_and_no_lock() {
    let place = Place::new();
    let path = place.socket();
    leave_socket(&path);
    // Opening this lock file would wait for a writer.
    let lock = place.directory().join("s.sock.lock");
    let made = Command::new("mkfifo").arg(&lock).status();
    assert!(made.expect("mkfifo").success());
    let ran = doctor(&path);
    assert!(ran.code == Some(3) && check(&ran, "lock").ends_with(" is not a file"), "{ran:?}");
    fs::remove_file(&lock).unwrap();
    let before = tests::process::names_in(place.directory());
    doctor(&path);
    assert_eq!(
        tests::process::names_in(place.directory()),
        before,
        "nothing is created or removed"
    );
    let _daemon = Server::new().state(Gate::default()).spawn(&path).unwrap();
    let text = fs::read(&lock).unwrap();
    for _ in 0..20 {
        assert_eq!(doctor(&path).code, Some(0));
    }
    assert_eq!(fs::read(&lock).unwrap(), text);
    assert_eq!(Client::new(&path).send("ping").unwrap(), b"PONG");
    assert!(Server::new().state(Gate::default()).spawn(&path).is_err(), "the lock is held");
}
