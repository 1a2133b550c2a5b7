//! The program `dockipc`: how it prints and writes answers.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};

use dockipc::Server;
use rustix::process::{Pid, Signal, kill_process};
use tests::ctl::{self, dockipc, run};
use tests::gate::Gate;
use tests::process::until;
use tests::scripted::DOCKIPC_GREETING;
use tests::{Daemon, Place};

use super::ctl::{answered, daemon, failed};

#[test]
fn answer_ends_its_line() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.as_os_str();
    let call = |words: &[&str]| {
        dockipc(
            [std::ffi::OsStr::new("call"), path].into_iter().chain(words.iter().map(AsRef::as_ref)),
        )
    };
    answered(&call(&["add", "20", "--times", "2", "--twice"]), b"80\n");
    answered(&call(&["bytes", "a\nb"]), b"a\nb\n");
    answered(&call(&["bytes", "a\nb\n"]), b"a\nb\n");
    answered(&call(&["bytes", ""]), b"");
    answered(&call(&["list"]), b"one\t1\ttwo\t2\n\n");
    answered(&call(&["ping"]), b"PONG\n");
    // With a socket's path, `call` can be left out.
    answered(&dockipc([path, "PLUS".as_ref(), "7".as_ref()]), b"7\n");
    let every_byte: Vec<u8> = (0..=255).collect();
    let given =
        run(ctl::command(&ctl::path()).arg("call").arg(path).args(["bytes", "-"]), &every_byte);
    answered(&given, &every_byte);
    // A long text is looked at in parts.
    let long = "ä🦀".repeat(100_000);
    let given =
        run(ctl::command(&ctl::path()).arg("call").arg(path).args(["bytes", "-"]), long.as_bytes());
    answered(&given, (long + "\n").as_bytes());
}

#[test]
fn newline_is_optional() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for option in ["-n", "--raw"] {
        answered(&dockipc(["call", option, path, "add", "1"]), b"1");
        answered(&dockipc(["call", option, path, "bytes", "\x1b[2J"]), b"\x1b[2J");
        answered(&dockipc(["call", option, "--repeat", "3", path, "add", "1"]), b"111");
    }
    answered(&dockipc(["call", "-n", "--json", path, "add", "1"]), b"1");
    let ran = dockipc(["call", "--raw", "--json", path, "add", "1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn text_in_a_row_forges_no_row() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let text = "a\n99\tDone\tdefault\tforged\r\\n";
    let rows = b"1\ta\\n99\\tDone\\tdefault\\tforged\\r\\\\n\tend\n2\t\tend\n";
    answered(&dockipc(["call", path, "rows", text]), rows);
    // A text alone is not escaped.
    answered(&dockipc(["call", path, "bytes", text]), format!("{text}\n").as_bytes());
}

#[test]
fn answer_can_be_json() {
    let daemon = daemon();
    let path = daemon.path();
    let json = |words: &[&str]| {
        let ran = dockipc(["call", "--json", path.to_str().unwrap()].iter().chain(words));
        assert_eq!((ran.code, &*ran.err), (Some(0), ""));
        serde_json::from_slice::<serde_json::Value>(&ran.out).unwrap().to_string()
    };
    assert_eq!(json(&["add", "2"]), "2");
    assert_eq!(json(&["bytes", "text"]), "\"text\"");
    assert_eq!(json(&["list"]), r#"[[["one",1],["two",2]],null]"#);
    let bytes = run(
        ctl::command(&ctl::path()).args(["call", "--json"]).arg(&path).args(["bytes", "-"]),
        b"\xff\0",
    );
    assert_eq!(bytes.text(), "{\n  \"base64\": \"/wA=\"\n}\n");
}

#[test]
fn json_line_has_one_item() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let json = |words: &[&str]| dockipc(["call", "--json=line", path].iter().chain(words));
    answered(&json(&["rows", "a\nb"]), b"[1,\"a\\nb\",\"end\"]\n[2,null,\"end\"]\n");
    answered(&json(&["add", "2"]), b"2\n");
    let mut command = ctl::command(&ctl::path());
    command.args(["call", "--json=line", "-f", "-", path]);
    answered(&run(&mut command, b"add 1\nrows x\n"), b"1\n[1,\"x\",\"end\"]\n[2,null,\"end\"]\n");
    let place = Place::new();
    answered(&dockipc(["list", "--json=line", place.directory().to_str().unwrap()]), b"");
}

#[test]
fn answer_is_printed_as_it_arrives() {
    for (options, first, rest) in [
        (&["--json"][..], "[\n  1", ",\n  \"two\"\n]\n"),
        (&["--json=line"], "1", "\n\"two\"\n"),
        (&[], "1\n", "two\n"),
    ] {
        for is_whole in [true, false] {
            let place = Place::new();
            let daemon = UnixListener::bind(place.socket()).unwrap();
            let mut command = ctl::command(&ctl::path());
            let command = command.arg("call").args(options).arg(place.socket()).arg("get");
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stream = begin_answer(&daemon, b"*2\r\n:1\r\n");
            let mut printed = vec![0; first.len()];
            child.stdout.as_mut().unwrap().read_exact(&mut printed).unwrap();
            if is_whole {
                stream.write_all(b"$3\r\ntwo\r\n").unwrap();
            }
            drop(stream);
            let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
            let text = String::from_utf8([printed, stdout].concat()).unwrap();
            // An answer that is cut off is known by the exit code.
            let error = "test-dockipc: answer cut off after 8 bytes; the command may have run\n";
            let expected = if is_whole { (0, "") } else { (6, error) };
            assert_eq!((status.code().unwrap(), &*String::from_utf8(stderr).unwrap()), expected);
            assert_eq!(text, if is_whole { format!("{first}{rest}") } else { first.into() });
        }
    }
}

/// Accepts a connection, describes no command, reads one, and sends the begin of the answer.
fn begin_answer(daemon: &UnixListener, answer: &[u8]) -> UnixStream {
    let mut stream = daemon.accept().unwrap().0;
    stream.set_read_timeout(Some(tests::PATIENCE)).unwrap();
    for answer in [DOCKIPC_GREETING, b"%0\r\n", answer] {
        assert!(stream.read(&mut [0; 1000]).is_ok_and(|n| n > 0));
        stream.write_all(answer).unwrap();
    }
    stream
}

#[test]
fn long_answer_takes_little_memory() {
    let place = Place::new();
    let daemon = UnixListener::bind(place.socket()).unwrap();
    let size = 40_000_000;
    let row = format!("*2\r\n:1\r\n$1000\r\n{}\r\n", "x".repeat(1000));
    let rows = ("*40000\r\n".to_owned() + &row.repeat(40_000)).into_bytes();
    let text = format!("${size}\r\n{}\r\n", "x".repeat(size)).into_bytes();
    for answer in [&rows, &text] {
        for options in ["", "--json=line"] {
            let mut command = ctl::command("sh".as_ref());
            // 48 MiB of addresses, program and libraries included.
            let line = format!("ulimit -v 49152; \"$0\" call {options} \"$1\" get | wc -c");
            command.args(["-c", &line]).arg(ctl::path()).arg(place.socket());
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            // The program may end before it has read the answer.
            let _ = begin_answer(&daemon, b"").write_all(answer);
            let Output { stdout, stderr, .. } = child.wait_with_output().unwrap();
            assert_eq!(String::from_utf8(stderr).unwrap(), "");
            let count: usize = String::from_utf8(stdout).unwrap().trim().parse().unwrap();
            assert!(count > size, "{count} bytes");
        }
    }
}

#[test]
fn answer_is_written_to_a_file() {
    let (daemon, place) = (daemon(), Place::new());
    let file = place.directory().join("out");
    let path = daemon.path();
    let words = ["call".as_ref(), "-o".as_ref(), file.as_os_str(), path.as_os_str()];
    let ran = dockipc(words.into_iter().chain(["blob".as_ref(), "300000".as_ref()]));
    answered(&ran, b"");
    assert_eq!(fs::read(&file).unwrap(), vec![b'x'; 300_000]);
    let ran = dockipc(words.into_iter().chain(["fail".as_ref(), "x".as_ref()]));
    failed(&ran, 1, "test-dockipc: ERR it did not work\n");
    assert_eq!(
        fs::read(&file).unwrap().len(),
        300_000,
        "without an answer, the file keeps its contents"
    );
    let ran = dockipc(words.into_iter().chain(["bytes".as_ref(), "short".as_ref()]));
    answered(&ran, b"");
    assert_eq!(fs::read(&file).unwrap(), b"short");
    let ran = dockipc(words.into_iter().chain(["bytes".as_ref(), "".as_ref()]));
    answered(&ran, b"");
    assert_eq!(fs::read(&file).unwrap(), b"");
}

/// Returns the names in a directory.
fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.directory()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn refused_call_leaves_no_file() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let file = place.directory().join("out");
    let words = ["call".as_ref(), "-o".as_ref(), file.as_os_str()];
    for many in [&[][..], &["--repeat", "2"]] {
        let words = words.into_iter().chain(many.iter().map(AsRef::as_ref));
        let ran = dockipc(words.chain([path.as_os_str(), "fail".as_ref(), "x".as_ref()]));
        failed(&ran, 1, "test-dockipc: ERR it did not work\n");
        assert_eq!(names(&place), [""; 0], "{many:?}");
    }
    let words = words.into_iter().chain(["-f".as_ref(), "-".as_ref(), path.as_os_str()]);
    let ran = run(ctl::command(&ctl::path()).args(words), b"fail x\n");
    assert_eq!((ran.code, names(&place)), (Some(1), Vec::new()), "{ran:?}");
    // A file that can't be written is noticed before the command runs.
    let nowhere = place.directory().join("no/out");
    let ran = dockipc([
        "call".as_ref(),
        "-o".as_ref(),
        nowhere.as_os_str(),
        path.as_os_str(),
        "wait".as_ref(),
    ]);
    let why = "No such file or directory (os error 2)";
    failed(&ran, 1, &format!("test-dockipc: opening {}: {why}\n", nowhere.display()));
    let ran = dockipc([
        "call".as_ref(),
        "-o".as_ref(),
        place.directory().as_os_str(),
        path.as_os_str(),
        "wait".as_ref(),
    ]);
    assert!(ran.code == Some(1) && ran.err.contains("Is a directory"), "{ran:?}");
}

#[test]
fn cut_answer_leaves_the_old_file() {
    let place = Place::new();
    let (socket, file) = (place.directory().join("socket"), place.directory().join("out"));
    let daemon = UnixListener::bind(&socket).unwrap();
    fs::write(&file, "old").unwrap();
    let call = || {
        let mut command = ctl::command(&ctl::path());
        command.args(["call", "-o"]).arg(&file).arg(&socket).arg("get");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let answer_half = || begin_answer(&daemon, b"$100000\r\nhalf");
    let cut = call();
    drop(answer_half());
    assert_eq!(cut.wait_with_output().unwrap().status.code(), Some(6));
    // Nothing is left of a call that is killed.
    let mut killed = call();
    let stream = answer_half();
    let _ = kill_process(Pid::from_child(&killed), Signal::INT);
    assert_eq!(killed.wait().unwrap().code(), None);
    drop(stream);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(names(&place), ["out", "socket"]);
}

#[test]
fn written_file_keeps_its_kind() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let at = |name: &str| place.directory().join(name).display().to_string();
    let write = |file: &str, text: &str| {
        answered(&dockipc(["call", "-o", file, path, "bytes", text]), b"");
    };
    fs::write(at("file"), "old and long").unwrap();
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", at("link")).unwrap();
    write(&at("link"), "new");
    assert_eq!(fs::read(at("file")).unwrap(), b"new");
    assert_eq!(fs::metadata(at("file")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    fs::hard_link(at("file"), at("other")).unwrap();
    write(&at("file"), "both");
    assert_eq!(fs::read(at("other")).unwrap(), b"both");
    symlink("missing", at("dangling")).unwrap();
    write(&at("dangling"), "made");
    assert_eq!(fs::read(at("missing")).unwrap(), b"made");
    write("/dev/null", "nothing");
    assert!(run(Command::new("mkfifo").arg(at("fifo")), b"").code == Some(0));
    let fifo = at("fifo");
    let reader = std::thread::spawn(move || fs::read(fifo).unwrap());
    write(&at("fifo"), "through");
    assert_eq!(reader.join().unwrap(), b"through");
    // The program's own descriptors: the file is neither replaced nor cut.
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let line = format!("echo before; \"$0\" call -o {name} {path} bytes text; echo after");
        let line = format!("{{ {line}; }} > {}", at("all"));
        answered(&run(ctl::command("sh".as_ref()).args(["-c", &line]).arg(ctl::path()), b""), b"");
        assert_eq!(fs::read_to_string(at("all")).unwrap(), "before\ntextafter\n", "{name}");
    }
    let many = ["call", "-o", &at("file"), "--repeat", "2", path, "add", "1"];
    answered(&dockipc(many), b"");
    assert_eq!(fs::read(at("other")).unwrap(), b"1\n1\n");
    let left = ["all", "dangling", "fifo", "file", "link", "missing", "other"];
    assert_eq!(names(&place), left);
}

#[test]
fn file_in_a_closed_directory_is_written() {
    if !tests::users::can_be_had() {
        return;
    }
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = place.directory().join("out");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let call = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl::path());
        run(command.args(["call", "-o"]).arg(&file).arg(&path).args(words), b"")
    };
    failed(&call(&["fail", "x"]), 1, "test-dockipc: ERR it did not work\n");
    assert_eq!(fs::read(&file).unwrap(), b"old");
    answered(&call(&["bytes", "new"]), b"");
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn closed_pipe_ends_the_call_silently() {
    let daemon = daemon();
    let path = daemon.path();
    for words in [&["--repeat", "100000"][..], &[]] {
        let mut command = ctl::command(&ctl::path());
        command.arg("call").args(words).arg(&path).args(["blob", "10000000"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 100]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
    }
}

#[test]
fn colors_need_a_terminal_or_an_option() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let plain = dockipc(["help", path, "add"]);
    assert!(!plain.out.contains(&b'\x1b'));
    let colored = dockipc(["help", "--color", "always", path, "add"]);
    assert!(colored.text().contains("\x1b[1mUsage:\x1b[0m"), "{colored:?}");
    // script(1) provides a terminal.
    let terminal = |variable: &str| {
        let line = format!("{} help {path} add", ctl::path().display());
        let mut command = ctl::command("script".as_ref());
        command.env("TERM", "xterm").env(variable, "1");
        run(command.args(["-qec", &line, "/dev/null"]), b"").out
    };
    assert!(terminal("NOTHING").contains(&b'\x1b'));
    assert!(!terminal("NO_COLOR").contains(&b'\x1b'));
}

#[test]
fn terminal_gets_no_binary_answer() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    fs::write(place.directory().join("bytes"), b"\0owned").unwrap();
    let file = place.directory().join("bytes");
    let line = |what: &str| format!("{} call {} {what}", ctl::path().display(), path.display());
    let terminal =
        |line: &str| run(ctl::command("script".as_ref()).args(["-qec", line, "/dev/null"]), b"");
    let ran = terminal(&line(&format!("bytes @{}", file.display())));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let text = "the answer is binary and would garble the terminal: use -o FILE, --raw or a pipe";
    assert!(ran.text().contains(text) && !ran.text().contains("owned"), "{ran:?}");
    assert_eq!(terminal(&line("bytes text")).text(), "text\r\n");
    let raw = line(&format!("bytes @{}", file.display())).replace(" call ", " call --raw ");
    assert_eq!(terminal(&raw).out, b"\0owned");
    // Later commands of a file are run.
    let commands = place.directory().join("commands");
    fs::write(&commands, b"bytes \0owned\nbytes text\n").unwrap();
    let path = path.display();
    let ran = terminal(&format!("{} call -f {} {path}", ctl::path().display(), commands.display()));
    assert!(ran.code == Some(1) && ran.text().ends_with("text\r\n"), "{ran:?}");
    // Colors are shown, and other sequences are visible.
    fs::write(&file, b"\x1b[31mred\x1b]0;owned\x07").unwrap();
    for what in ["bytes", "rows"] {
        let shown = terminal(&line(&format!("{what} @{}", file.display()))).text();
        assert!(shown.contains("\x1b[31mred\\x1b]0;owned\\x07"), "{shown}");
        assert!(shown.ends_with("\x1b[0m\r\n") || shown.ends_with("\n\x1b[0m"), "{shown:?}");
    }
    let plain = line(&format!("bytes @{}", file.display()));
    let plain = plain.replace(" call ", " --color never call ");
    assert_eq!(terminal(&plain).text(), "red\\x1b]0;owned\\x07\r\n");
}

#[test]
fn ctrl_c_ends_a_call_at_once() {
    let gate = Gate::default();
    let daemon = Daemon::start(Server::new().state(gate.clone()));
    let mut command = ctl::command(&ctl::path());
    let child = command.arg("call").arg(daemon.path()).arg("wait").stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    until("the command runs", || gate.waiting() == 1);
    let _ = kill_process(Pid::from_child(&child), Signal::INT);
    let mut nothing = String::new();
    child.stdout.take().unwrap().read_to_string(&mut nothing).unwrap();
    assert_eq!((&*nothing, child.wait().unwrap().code()), ("", None));
    gate.open();
}

#[test]
fn ctrl_c_ends_a_long_answer_at_once() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    for words in [
        &["call", path, "blob", "300000000"][..],
        &["call", "--json", path, "blob", "300000000"],
        &["call", "--repeat", "100", path, "blob", "3000000"],
        &["call", "-f", "-", path],
    ] {
        let mut command = ctl::command(&ctl::path());
        let child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"blob 300000000\n").unwrap();
        let mut out = child.stdout.take().unwrap();
        // The pipe is full from now on.
        out.read_exact(&mut [0; 100]).unwrap();
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        let status = std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap());
        assert_eq!(status, Some(2), "{words:?}");
    }
}
