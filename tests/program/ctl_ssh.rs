//! `ssh://` addresses: the program `dockipc` and a real sshd, on this machine.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use dockipc::{Failure, Server, command};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tests::ctl::{self, Ran, run};
use tests::gate::Gate;
use tests::process::{names_in, until};
use tests::program::executable;
use tests::terminal::Terminal;
use tests::{Daemon, Place};

#[command("add")]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

#[command("bytes")]
fn bytes(data: &[u8]) -> Vec<u8> {
    data.to_vec()
}

#[command("fail")]
fn fail() -> Result<(), Failure> {
    Err(Failure::new("LATE", "try tomorrow"))
}

/// An sshd with its own keys and configuration, and the configuration of a client that knows its
/// key.
struct Sshd {
    child: Child,
    port: u16,
    place: Place,
}

/// The path on Debian. sshd must be started by its absolute path.
const SSHD: &str = "/usr/sbin/sshd";

impl Sshd {
    /// Returns `None` if sshd is not installed, or if this is not root: an sshd of another user
    /// can't log anybody in.
    fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() || !rustix::process::geteuid().is_root() {
            let what = "skipped: sshd is not installed, or this is not root";
            assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
            println!("{what}");
            return None;
        }
        // The directory for privilege separation.
        fs::create_dir_all("/run/sshd").unwrap();
        let place = Place::new();
        let path = |name: &str| place.directory().join(name);
        for name in ["host", "user", "stranger"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(name));
            assert!(keygen.status().unwrap().success());
        }
        // A port that is free now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| path(name).display().to_string();
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            at("host"),
            at("user.pub"),
        );
        fs::write(path("sshd_config"), server).unwrap();
        let host_key = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client = format!(
            "UserKnownHostsFile {}\nGlobalKnownHostsFile none\nIdentityFile {}\nIdentitiesOnly yes\n\
             IdentityAgent none\nStrictHostKeyChecking yes\n",
            at("known"),
            at("user"),
        );
        fs::write(path("ssh_config"), client).unwrap();
        // Makes ssh use this configuration in place of the user's.
        fs::create_dir(path("bin")).unwrap();
        let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("ssh_config"));
        fs::write(path("wrapper"), wrapper).unwrap();
        executable(&path("bin/ssh"), fs::File::open(path("wrapper")).unwrap());
        let mut sshd = Command::new(SSHD);
        sshd.args(["-D", "-e", "-f"]).arg(path("sshd_config")).process_group(0);
        let child = sshd.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        fs::create_dir(path("runtime")).unwrap();
        let sshd = Self { child, port, place };
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(sshd)
    }

    /// Returns the address of a socket.
    fn address(&self, path: &Path) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, path.display())
    }

    /// Returns the program, with this ssh and runtime directory.
    fn command(&self) -> Command {
        let mut command = ctl::command(&ctl::path());
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.place.directory().join("bin");
        command.env("PATH", format!("{}:{path}", bin.display()));
        // Without a terminal, nobody can be asked for a password.
        command.env("XDG_RUNTIME_DIR", self.runtime()).process_group(0);
        command
    }

    fn runtime(&self) -> std::path::PathBuf {
        self.place.directory().join("runtime")
    }

    fn run(&self, words: &[&str]) -> Ran {
        run(self.command().args(words), b"")
    }

    /// Checks that a run left no directory and no ssh.
    #[track_caller]
    fn check_nothing_is_left(&self) {
        until("ssh ends", || !self.has_ssh());
        assert_eq!(names_in(&self.runtime()), [""; 0]);
    }

    /// Returns whether an ssh of these tests is running.
    fn has_ssh(&self) -> bool {
        let config = self.place.directory().join("ssh_config");
        let config = config.to_str().unwrap().as_bytes();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut lines = processes.filter_map(|one| fs::read(one.path().join("cmdline")).ok());
        lines.any(|line| line.windows(config.len()).any(|window| window == config))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
fn daemon_is_called_through_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let daemon = Daemon::start(Server::new().state(Gate::default()));
    let address = sshd.address(&daemon.path());
    let ran = sshd.run(&["call", &address, "add", "2", "3"]);
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "5\n", ""));
    let every_byte: Vec<u8> = (0..=255).cycle().take(1 << 19).collect();
    let ran = run(sshd.command().args(["call", &address, "bytes", "-"]), &every_byte);
    assert!(ran.code == Some(0) && ran.out == every_byte, "{:?}: {}", ran.code, ran.err);
    let ran = run(sshd.command().args(["call", "-f", "-", &address]), b"add 1 1\nadd 2 2\n");
    assert_eq!((ran.code, &*ran.text()), (Some(0), "2\n4\n"));
    assert!(sshd.run(&["commands", &address]).text().starts_with("add\t"));
    let ran = sshd.run(&["call", &address, "fail"]);
    assert_eq!((ran.code, &*ran.err), (Some(1), "test-dockipc: LATE try tomorrow\n"));
    // With a user, and a path that must be percent-encoded.
    let link = sshd.place.directory().join("a b");
    std::os::unix::fs::symlink(daemon.path(), &link).unwrap();
    let escaped = link.display().to_string().replace(' ', "%20");
    let ran = sshd.run(&["call", &format!("ssh://root@127.0.0.1:{}{escaped}", sshd.port), "ping"]);
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "PONG\n", ""));
    sshd.check_nothing_is_left();
}

#[test]
fn token_of_environment_stays_on_this_machine() {
    const TOKEN: &str = "0123456789abcdef-the-token";
    let Some(sshd) = Sshd::start() else { return };
    let file = sshd.place.directory().join("token");
    fs::write(&file, TOKEN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::new().state(Gate::default()).allow("add", "token").token_file(&file);
    let daemon = Daemon::start(server);
    let address = sshd.address(&daemon.path());
    let call = ["call", &address, "add", "1", "2"];
    for (variable, value) in
        [("DOCKIPC_TOKEN", TOKEN), ("DOCKIPC_TOKEN_FILE", file.to_str().unwrap())]
    {
        let ran = run(sshd.command().env(variable, value).args(call), b"");
        let why = "the token from the environment was not sent: the daemon's user is unknown; \
                   use --token-file to send a token\n";
        assert!(ran.code == Some(4) && ran.err.ends_with(why), "{ran:?}");
    }
    let ran = run(sshd.command().arg("--token-file").arg(&file).args(call), b"");
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "3\n", ""));
}

#[test]
fn ssh_errors_are_reported() {
    let Some(sshd) = Sshd::start() else { return };
    let daemon = Daemon::start(Server::new().state(Gate::default()));
    let address = sshd.address(&daemon.path());
    let nowhere = sshd.run(&["call", &sshd.address(Path::new("/nowhere.sock")), "ping"]);
    let text = "no daemon at /nowhere.sock on 127.0.0.1, or no permission to use its socket";
    assert_eq!((nowhere.code, &*nowhere.err), (Some(3), &*format!("test-dockipc: {text}\n")));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = sshd.run(&["call", &format!("ssh://127.0.0.1:{free}/x"), "ping"]);
    assert!(refused.code == Some(3) && refused.err.contains("Connection refused"), "{refused:?}");
    let stranger = sshd.run(&["call", &address, "ping"]);
    assert_eq!(stranger.code, Some(0));
    let config = sshd.place.directory().join("ssh_config");
    let before = fs::read_to_string(&config).unwrap();
    let key = sshd.place.directory().join("user").display().to_string();
    let other = sshd.place.directory().join("stranger").display().to_string();
    fs::write(&config, before.replace(&key, &other)).unwrap();
    let stranger = sshd.run(&["call", &address, "ping"]);
    assert!(stranger.code == Some(4) && stranger.err.contains("Permission denied"), "{stranger:?}");
    // The host's key is not the known one.
    fs::write(&config, before).unwrap();
    let known = sshd.place.directory().join("known");
    let other = fs::read_to_string(sshd.place.directory().join("stranger.pub")).unwrap();
    fs::write(&known, format!("[127.0.0.1]:{} {other}", sshd.port)).unwrap();
    let changed = sshd.run(&["call", &address, "ping"]);
    assert!(changed.code == Some(4) && changed.err.contains("verification failed"), "{changed:?}");
    let bad = sshd.run(&["call", "ssh://-oProxyCommand=x/run/x.sock", "ping"]);
    assert!(bad.code == Some(2) && bad.err.contains("write ssh://[USER@]HOST"), "{bad:?}");
    sshd.check_nothing_is_left();
}

#[test]
fn socket_behind_ssh_is_checked() {
    let Some(sshd) = Sshd::start() else { return };
    let daemon = Daemon::start(Server::new().state(Gate::default()));
    let ran = sshd.run(&["doctor", &sshd.address(&daemon.path())]);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    assert!(ran.text().contains("connect\tok\tthrough ssh\nlistener\tunknown\t\nanswer\tok\t"));
    let ran = sshd.run(&["doctor", &sshd.address(Path::new("/nowhere.sock"))]);
    assert!(ran.code == Some(3) && ran.text().contains("connect\terror\tno daemon at "), "{ran:?}");
    // Another program, and one that never answers.
    let [foreign, silent] =
        ["foreign", "silent"].map(|name| UnixListener::bind(sshd.place.directory().join(name)));
    let (foreign, _silent) = (foreign.unwrap(), silent.unwrap());
    thread::spawn(move || {
        for mut stream in foreign.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let path = sshd.place.directory().join("foreign");
    let ran = sshd.run(&["call", &sshd.address(&path), "x"]);
    let what = format!("{} on 127.0.0.1 is an HTTP server", path.display());
    let text = format!("test-dockipc: not a dockipc daemon: {what}\n");
    assert_eq!((ran.code, ran.err), (Some(7), text));
    let address = sshd.address(&sshd.place.directory().join("silent"));
    for words in
        [&["call", "--timeout", "2s", &address, "x"][..], &["--wait=2s", "commands", &address]]
    {
        let ran = sshd.run(words);
        assert!(ran.code == Some(5) && ran.err.contains("timed out after 2s "), "{ran:?}");
    }
    sshd.check_nothing_is_left();
}

#[test]
fn killed_call_leaves_nothing_behind() {
    let Some(sshd) = Sshd::start() else { return };
    let gate = Gate::default();
    let daemon = Daemon::start(Server::new().state(gate.clone()));
    let address = sshd.address(&daemon.path());
    for (i, signal) in [Signal::INT, Signal::TERM, Signal::HUP].into_iter().enumerate() {
        let mut command = sshd.command();
        let mut child =
            command.args(["call", &address, "wait"]).stdout(Stdio::piped()).spawn().unwrap();
        until("the command runs", || gate.came() == i + 1);
        let _ = kill_process(Pid::from_child(&child), signal);
        let mut nothing = String::new();
        child.stdout.take().unwrap().read_to_string(&mut nothing).unwrap();
        assert_eq!((&*nothing, child.wait().unwrap().code()), ("", None), "{signal:?}");
        sshd.check_nothing_is_left();
    }
    // SIGKILL leaves the directory, but no ssh.
    let mut command = sshd.command();
    let mut child = command.args(["call", &address, "wait"]).spawn().unwrap();
    until("the command runs", || gate.came() == 4);
    child.kill().unwrap();
    child.wait().unwrap();
    until("ssh ends", || !sshd.has_ssh());
    gate.open();
}

#[test]
fn ctrl_c_in_a_shell_keeps_the_tunnel() {
    let Some(sshd) = Sshd::start() else { return };
    let gate = Gate::default();
    let daemon = Daemon::start(Server::new().state(gate.clone()));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", sshd.place.directory().join("bin").display());
    let variables = [
        ("PATH", Path::new(&path)),
        ("XDG_RUNTIME_DIR", &sshd.runtime()),
        ("XDG_STATE_HOME", sshd.place.directory()),
    ];
    let address = sshd.address(&daemon.path());
    let program = ctl::path();
    let words = [program.as_os_str(), "shell".as_ref(), address.as_ref()];
    let Some(terminal) = Terminal::open(words, &variables) else { return };
    terminal.ends_with(">");
    terminal.enters("wait");
    until("the command runs", || gate.waiting() == 1);
    terminal.presses(&["C-c"]);
    terminal.shows("CANCELLED the caller has cancelled the command, which still runs");
    terminal.ends_with(">");
    terminal.enters("add 1 2");
    terminal.until("the sum", |screen| screen.lines().any(|line| line == "3"));
    gate.open();
    terminal.enters("exit");
    assert_eq!(terminal.exit(), 0);
    sshd.check_nothing_is_left();
}
