//! The unit files of docs/systemd, and their page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tests::process::{listens, until};
use tests::program::{self, Program};
use tests::{Place, strace};

/// The files, in the order of the page.
const FILES: [&str; 4] =
    ["plain/hitd.service", "socket/hitd.socket", "socket/hitd.service", "hitd.conf"];

fn docs(path: &str) -> String {
    // Read at run time, since checkouts may share a target directory.
    let here = std::env::current_dir().expect("the directory that cargo starts a test in");
    let path = here.parent().expect("the workspace's directory").join("docs").join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Returns the values of a setting in a unit file.
fn values(unit: &str, setting: &str) -> Vec<String> {
    let value = |line: &str| line.strip_prefix(setting)?.strip_prefix('=').map(str::to_owned);
    docs(&format!("systemd/{unit}")).lines().filter_map(value).collect()
}

/// Returns whether a program of systemd is installed. With `DOCKIPC_REQUIRE_PEERS` set, it must be.
fn has(program: &str) -> bool {
    let has = Command::new(program).arg("--version").output().is_ok();
    if !has {
        println!("skipped: {program} is not installed");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
    }
    has
}

#[test]
fn page_shows_the_unit_files() {
    let page = docs("SYSTEMD.md");
    let blocks = page.split("\n```").skip(1).step_by(2);
    let blocks: Vec<_> = blocks.filter_map(|block| block.strip_prefix("ini\n")).collect();
    let files = FILES.map(|file| docs(&format!("systemd/{file}")).trim_end().to_owned());
    assert_eq!(blocks, files);
    for file in FILES {
        assert!(page.contains(&format!("](systemd/{file})")), "{file} is linked");
    }
}

#[test]
fn unit_files_are_valid() {
    if !has("systemd-analyze") {
        return;
    }
    for units in [&FILES[..1], &FILES[1..3]] {
        let place = Place::new();
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no"]);
        for unit in units {
            let copy = place.directory().join(Path::new(unit).file_name().unwrap());
            // The program must exist.
            let program = program::path().to_str().unwrap().to_owned();
            let text = docs(&format!("systemd/{unit}")).replace("/usr/bin/hitd", &program);
            fs::write(&copy, text).unwrap();
            verify.arg(copy);
        }
        let output = verify.output().unwrap();
        // Unknown settings are only warnings.
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{units:?}");
        assert!(output.status.success(), "{units:?}");
    }
}

/// Returns the command of a service, with the program of the tests and a path in another directory.
fn command(unit: &str, run: &Path) -> (Vec<String>, PathBuf) {
    let [command] = &values(unit, "ExecStart")[..] else { panic!("one command in {unit}") };
    let words = command.replace("/usr/bin/hitd", program::path().to_str().unwrap());
    let words = words.replace("/run/", &format!("{}/", run.display()));
    let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
    let path = words.last().unwrap().into();
    (words, path)
}

#[test]
fn plain_service_makes_its_socket() {
    let place = Place::new();
    let (words, path) = command(FILES[0], place.directory());
    for directory in values(FILES[0], "RuntimeDirectory") {
        fs::create_dir(place.directory().join(directory)).unwrap();
    }
    let mut daemon = Program::start_by(Command::new(&words[0]).args(&words[1..]), &path);
    assert!(daemon.stop().success());
}

#[test]
fn socket_unit_starts_its_service() {
    if !has("systemd-socket-activate") {
        return;
    }
    let place = Place::new();
    let (words, path) = command(FILES[2], place.directory());
    let [listen] = &values(FILES[1], "ListenStream")[..] else { panic!("one path") };
    let listen = place.directory().join(listen.strip_prefix("/run/").unwrap());
    let mut activate = Command::new("systemd-socket-activate");
    let mut daemon = Program::begin(activate.arg("-l").arg(&listen).args(words), &path);
    until("its socket", || listens(&listen));
    assert!(daemon.answers(), "{}", daemon.complaint());
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success(), "{}", daemon.complaint());
    assert!(path.exists() && !path.with_extension("sock.lock").exists());
}

#[test]
fn tmpfiles_make_the_directory() {
    if !has("systemd-tmpfiles") || !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let config = place.directory().join("hitd.conf");
    // The user of the page does not exist here.
    fs::write(&config, docs("systemd/hitd.conf").replace(" hitd hitd ", " root root ")).unwrap();
    let mut tmpfiles = Command::new("systemd-tmpfiles");
    let root = format!("--root={}", place.directory().display());
    assert!(tmpfiles.args(["--create", &root]).arg(&config).status().unwrap().success());
    let (_, path) = command(FILES[0], &place.directory().join("run"));
    let mut daemon = Program::start(&path);
    assert!(daemon.stop().success());
}

#[test]
fn system_call_filter_admits_the_daemon() {
    if !has("systemd-analyze") || !strace::is_here() {
        return;
    }
    let [filter] = &values(FILES[0], "SystemCallFilter")[..] else { panic!("one filter") };
    let mut groups = vec![filter.clone()];
    let mut admitted = BTreeSet::new();
    while let Some(group) = groups.pop() {
        let output = Command::new("systemd-analyze").args(["syscall-filter", &group]).output();
        let output = String::from_utf8(output.unwrap().stdout).unwrap();
        for name in output.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
            if name.starts_with('@') {
                groups.push(name.to_owned());
            }
            admitted.insert(name.to_owned());
        }
    }
    let place = Place::new();
    let (path, trace) = (place.socket(), place.directory().join("trace"));
    let mut command = strace::strace(&trace, &[]);
    let mut daemon = Program::start_by(command.arg(program::path()).arg(&path), &path);
    // A lost path, a slow command, and more threads.
    fs::remove_file(&path).unwrap();
    assert!(daemon.answers());
    assert_eq!(daemon.client().send("nap 50").unwrap(), b"1");
    assert!(daemon.stop().success());
    for call in strace::calls(&trace, Some("getppid")) {
        assert!(admitted.contains(&call.name), "{}", call.name);
    }
}
