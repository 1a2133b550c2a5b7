//! The program `dockipc` and a daemon: answers, errors, exit codes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};

use dockipc::{Arg, Failure, Request, Secret, Server, command};
use rustix::process::{Pid, Signal, kill_process};
use tests::ctl::{self, Ran, dockipc, run};
use tests::gate::Gate;
use tests::process::until;
use tests::scripted::DOCKIPC_GREETING;
use tests::{Daemon, Place, leave_socket};

#[derive(Arg)]
enum Unit {
    Kilo,
    Mega,
}

/// Add to a number.
///
/// Nothing is kept.
#[command("add", alias = "plus", idempotent)]
fn add(
    /// What to add.
    n: u64,
    #[arg(long, default = 1)] times: u64,
    #[arg(flag)] twice: bool,
    /// How large.
    #[arg(long)]
    unit: Option<Unit>,
) -> u64 {
    let unit = unit.map_or(1, |unit| match unit {
        Unit::Kilo => 1_000,
        Unit::Mega => 1_000_000,
    });
    n * times * unit * (1 + u64::from(twice))
}

/// Answer with the bytes.
#[command("bytes")]
fn bytes(data: &[u8]) -> Vec<u8> {
    data.to_vec()
}

/// Answer with `size` bytes.
#[command("blob")]
fn blob(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

/// Answer with a list and a map.
#[command("list")]
fn list() -> (Vec<(&'static str, u8)>, Option<bool>) {
    (vec![("one", 1), ("two", 2)], None)
}

/// Answer with rows that contain a text from outside.
#[command("rows")]
fn rows(text: &str) -> Vec<(u8, Option<&str>, &str)> {
    vec![(1, Some(text), "end"), (2, None, "end")]
}

/// Fail.
#[command("fail")]
fn fail(code: &str) -> Result<(), Failure> {
    Err(match code {
        "LATE" => Failure::new("LATE", "try tomorrow"),
        "RED" => Failure::new("RED", "\x1b[31mred"),
        _ => Failure::from("it did not work"),
    })
}

/// Refuse a text, and repeat it.
#[command("refuse")]
fn refuse(text: &str) -> Result<(), Failure> {
    Err(Failure::new("NO", format!("not {text:?}, nor {}!", text.trim().to_uppercase())))
}

/// Allowed for nobody.
#[command("closed", allow = "uid:4294967294")]
fn closed() {}

/// Allowed for everybody, by a rule.
#[command("open", allow = "any")]
fn open(_password: Secret<String>, #[arg(rest)] _text: Option<&str>) {}

/// Wait.
#[command("wait")]
fn wait(request: &Request<'_>) {
    request.state::<Gate>().unwrap().pass();
}

fn daemon() -> Daemon {
    Daemon::start(Server::new().state(Gate::default()))
}

#[track_caller]
fn answered(ran: &Ran, answer: &[u8]) {
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    assert_eq!(ran.out.escape_ascii().to_string(), answer.escape_ascii().to_string());
}

#[track_caller]
fn failed(ran: &Ran, code: i32, error: &str) {
    assert_eq!((ran.code, &*ran.out), (Some(code), &b""[..]), "{ran:?}");
    assert_eq!(ran.err, error);
}

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
fn arguments_are_read_from_files_and_stdin() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let file = place.directory().join("file");
    fs::write(&file, b"\0\xff\n").unwrap();
    let at = format!("@{}", file.display());
    let call =
        |word: &str| dockipc(["call".as_ref(), path.as_os_str(), "bytes".as_ref(), word.as_ref()]);
    answered(&call(&at), b"\0\xff\n");
    answered(&call(&format!("@{at}")), format!("{at}\n").as_bytes());
    answered(&call("@"), b"@\n");
    let literal = dockipc([
        "call".as_ref(),
        "--literal".as_ref(),
        path.as_os_str(),
        "bytes".as_ref(),
        at.as_ref(),
    ]);
    answered(&literal, format!("{at}\n").as_bytes());
    // An option's value is read in the same way, but not after the end of the options.
    fs::write(&file, b"3").unwrap();
    let add = |words: &[&str], input: &[u8]| {
        run(
            ctl::command(&ctl::path()).arg("call").arg(path.as_os_str()).arg("add").args(words),
            input,
        )
    };
    answered(&add(&["2", &format!("--times={at}")], b""), b"6\n");
    answered(&add(&["2", "--times=-"], b"4"), b"8\n");
    let ran = add(&["2", "--times=@@3"], b"");
    assert!(ran.err.contains("bad value for --times: \"@3\""), "{ran:?}");
    let ran = add(&["--", &format!("--times={at}")], b"");
    assert!(ran.err.contains(&format!("bad value for n: \"--times={at}\"")), "{ran:?}");
    let missing = call("@/no/such file");
    let why = "cannot read /no/such file (for a text that begins with @, write @@): No such file or directory";
    failed(&missing, 2, &format!("test-dockipc: {why} (os error 2)\n"));
    let twice =
        dockipc(["call".as_ref(), path.as_os_str(), "add".as_ref(), "-".as_ref(), "-".as_ref()]);
    failed(&twice, 2, "test-dockipc: standard input can be read only once: use one `-`\n");
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
fn word_that_was_read_is_in_no_message() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let file = place.directory().join("file");
    let at = format!("@{}", file.display());
    let from_file = format!("(the word from {})", file.display());
    for secret in
        ["secret", "s3cr\"et", "two words", "%7", "hunter2 and more of it\n", "--secret=x"]
    {
        fs::write(&file, secret).unwrap();
        let hides = |words: &[&str], code: i32, input: &str| -> String {
            let mut command = ctl::command(&ctl::path());
            let ran = run(command.arg("call").args(words), input.as_bytes());
            assert_eq!(ran.code, Some(code), "{words:?}: {ran:?}");
            let shown = format!("{}{}", ran.text(), ran.err).to_ascii_lowercase();
            // The path may contain the secret: it has digits.
            let shown = shown.replace(&file.display().to_string().to_ascii_lowercase(), "file");
            let secret = secret.trim();
            for form in [secret.to_owned(), format!("{secret:?}"), secret.replace('"', "\\\"")] {
                assert!(!shown.contains(&form), "{words:?} {secret:?}: {shown}");
            }
            ran.err
        };
        for (word, source) in [("-", "(the word from standard input)"), (&*at, &*from_file)] {
            let mistyped = hides(&[path, "ad", word], 2, secret);
            let shown = format!("  ad {word}\n  ^^\n");
            let expected = "test-dockipc: UNKNOWN no command \"ad\"; did you mean add?\n";
            assert_eq!(mistyped, format!("{expected}{shown}"));
            let refused = hides(&[path, "refuse", word], 1, secret);
            assert_eq!(refused, format!("test-dockipc: NO not {source}, nor {source}!\n"));
            hides(&["--json", path, "refuse", word], 1, secret);
            hides(&[path, "add", "1", word], 2, secret);
            hides(&[path, "list", word], 2, secret);
            hides(&[path, "add", "x", "--times", word], 2, secret);
            let option = format!("--times={word}");
            let bad = hides(&[path, "add", "1", &option], 2, secret);
            let place = format!("\n  add 1 {option}\n        ^");
            assert!(
                bad.contains(&format!(" for --times: {source}: ")) && bad.contains(&place),
                "{bad}"
            );
        }
        let quoted = dockipc::client::quote(secret.trim());
        let quoted = quoted.trim();
        let lines = [
            format!("{quoted} and more"),
            format!("ad {quoted}"),
            format!("add 1 {quoted}"),
            format!("add nan {quoted}"),
            format!("refuse {quoted}"),
            format!("'{quoted}"),
            format!("ad '{quoted}"),
        ];
        for line in lines {
            for json in [&["-f", "-", path][..], &["--json", "-f", "-", path]] {
                let mut command = ctl::command(&ctl::path());
                let ran = run(command.arg("call").args(json), line.as_bytes());
                let err = ran.err.replace("line 1: ", "");
                assert!(!err.contains(secret.trim()), "{line}: {err}");
            }
        }
    }
    // A typed word beside one that was read is still shown and pointed at.
    let mut command = ctl::command(&ctl::path());
    let ran = run(command.args(["call", path, "add", "x", "--times", "-"]), b"secret");
    assert!(
        ran.err.contains("\"x\"") && ran.err.contains("  add x --times -\n      ^\n"),
        "{ran:?}"
    );
    let ran = run(ctl::command(&ctl::path()).args(["call", path, "add", "-"]), b"secret");
    assert!(ran.err.contains("  add -\n      ^\n"), "{ran:?}");
}

#[test]
fn each_failure_has_its_exit_code() {
    let (daemon, place) = (daemon(), Place::new());
    let socket = daemon.path().display().to_string();
    let ask = |words: &[&str]| dockipc(["call", &socket].iter().chain(words));
    failed(&ask(&["fail", "LATE"]), 1, "test-dockipc: LATE try tomorrow\n");
    failed(&ask(&["fail", "x"]), 1, "test-dockipc: ERR it did not work\n");
    failed(&ask(&["fail", "RED"]), 1, "test-dockipc: RED \\x1b[31mred\n");
    let usage = "usage: add <n> [--times <times>] [--twice] [--unit <unit>]\n";
    failed(
        &ask(&["add"]),
        2,
        &format!("test-dockipc: USAGE n is missing\n{usage}           ^^^\n"),
    );
    let choice = "bad value for --unit: \"tera\": expected one of kilo, mega";
    failed(
        &ask(&["add", "1", "--unit=tera"]),
        2,
        &format!("test-dockipc: USAGE {choice}\n  add 1 --unit=tera\n        ^^^^^^^^^^^\n{usage}"),
    );
    let unknown = "UNKNOWN no command \"ad\"; did you mean add?\n  ad 1\n  ^^\n";
    failed(&ask(&["ad", "1"]), 2, &format!("test-dockipc: {unknown}"));
    let ran = ask(&["closed"]);
    assert!(ran.code == Some(4) && ran.err.contains("\"closed\" requires uid:"), "{ran:?}");
    let path = |name: &str| place.directory().join(name).display().to_string();
    let at = |name: &str| dockipc(["call", &path(name), "ping"]);
    let ran = at("nothing");
    let no_socket = format!("no socket at {}: is the daemon running?", path("nothing"));
    failed(&ran, 3, &format!("test-dockipc: {no_socket}\n"));
    leave_socket(path("stale"));
    let ran = at("stale");
    assert!(ran.code == Some(3) && ran.err.contains("stale socket"), "{ran:?}");
    fs::write(path("file"), "").unwrap();
    let ran = at("file");
    assert!(ran.code == Some(3) && ran.err.ends_with("file is a file\n"), "{ran:?}");
    let silent = UnixListener::bind(path("silent")).unwrap();
    let ran = dockipc(["call", "--timeout", "50ms", &path("silent"), "ping"]);
    assert!(ran.code == Some(5) && ran.err.contains("timed out after 50ms"), "{ran:?}");
    let cut = std::thread::spawn(move || {
        // The first connection is that of the client that timed out.
        for stream in silent.incoming().take(2) {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(tests::PATIENCE)).unwrap();
            for answer in [DOCKIPC_GREETING, b"$100000\r\nhalf"] {
                if stream.read(&mut [0; 1000]).is_ok_and(|n| n > 0) {
                    let _ = stream.write_all(answer);
                }
            }
        }
    });
    let ran = at("silent");
    assert_eq!((ran.code, ran.text()), (Some(6), "half".into()), "{ran:?}");
    assert!(ran.err.contains("answer cut off after 4 bytes; the command may have run"), "{ran:?}");
    cut.join().unwrap();
}

#[test]
fn permission_error_names_the_sockets_owner() {
    if !tests::users::can_be_had() {
        return;
    }
    let daemon = daemon();
    let path = daemon.path();
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ctl::path());
    let ran = run(command.arg("call").arg(&path).arg("ping"), b"");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.err.contains("permission denied") && ran.err.contains("0600"), "{ran:?}");
}

#[test]
fn socket_is_found_by_option_variable_and_name() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let with = |variable: &str, value: &std::ffi::OsStr, words: &[&str]| {
        run(ctl::command(&ctl::path()).env(variable, value).args(words), b"")
    };
    let socket = "DOCKIPC_SOCKET";
    answered(&with(socket, path.as_os_str(), &["call", "add", "3"]), b"3\n");
    let below = "  hitd add\n  ^^^^\n\
        the socket comes from $DOCKIPC_SOCKET; to use another, give a path with a / in it, or -s SOCK\n";
    let ran = with(socket, path.as_os_str(), &["call", "hitd", "add"]);
    let unknown = "test-dockipc: UNKNOWN no command \"hitd\"; `help` lists the commands\n";
    failed(&ran, 2, &format!("{unknown}{below}"));
    // A word with a slash has precedence over the variable.
    let ran = with(socket, "/nowhere.sock".as_ref(), &["call", path.to_str().unwrap(), "add", "4"]);
    answered(&ran, b"4\n");
    answered(&dockipc(["call", "-s", path.to_str().unwrap(), "add", "5"]), b"5\n");
    symlink(&path, place.directory().join("hitd.sock")).unwrap();
    let runtime = place.directory().as_os_str();
    for name in ["hitd", "hitd.sock"] {
        answered(&with("XDG_RUNTIME_DIR", runtime, &["call", name, "add", "6"]), b"6\n");
    }
    let ran = with("XDG_RUNTIME_DIR", runtime, &["call", "hit", "add", "6"]);
    let searched = format!("in {} or /run; for a path, write ./hit", place.directory().display());
    failed(&ran, 3, &format!("test-dockipc: no socket hit or hit.sock {searched}\n"));
    let which = "no socket given: name the daemon's socket or set DOCKIPC_SOCKET";
    failed(&dockipc(["call"]), 2, &format!("test-dockipc: {which}\n"));
    let name = format!("@dockipc-test-{}", std::process::id());
    let server = Server::new().state(Gate::default()).open_to_all();
    let handle = server.spawn(&name).unwrap();
    answered(&dockipc(["call", &name, "add", "7"]), b"7\n");
    handle.shutdown();
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

/// Accepts a connection, reads a command, and sends the begin of the answer.
fn begin_answer(daemon: &UnixListener, answer: &[u8]) -> UnixStream {
    let mut stream = daemon.accept().unwrap().0;
    stream.set_read_timeout(Some(tests::PATIENCE)).unwrap();
    for answer in [DOCKIPC_GREETING, answer] {
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
fn file_of_commands_uses_one_connection() {
    let daemon = daemon();
    let path = daemon.path();
    let file = |words: &[&str], input: &str| {
        let mut command = ctl::command(&ctl::path());
        run(command.args(["call", "-f", "-"]).args(words).arg(&path), input.as_bytes())
    };
    let ran = file(&[], "add 1\n\n# a comment\n  bytes 'two words' \r\nbytes \"\"\nadd 3");
    answered(&ran, b"1\ntwo words\n3\n");
    answered(&file(&[], "\u{feff}add 1\nbytes \u{feff}\n"), "1\n\u{feff}\n".as_bytes());
    let ran = file(&[], "add 1\nadd x\nfail LATE\nbytes 'open\nadd 2\n");
    assert_eq!((ran.code, &*ran.text()), (Some(2), "1\n2\n"));
    for line in [
        "line 2: USAGE bad value for n: (word 2): ",
        "usage: add <n>",
        "line 3: LATE",
        "line 4: USAGE",
    ] {
        assert!(ran.err.contains(line), "{line}: {}", ran.err);
    }
    // An unknown name is reported before an unclosed quote.
    let ran = file(&[], "ad 'open\nadd 2\n");
    assert_eq!((ran.code, &*ran.text()), (Some(2), "2\n"));
    assert_eq!(ran.err, "test-dockipc: line 1: UNKNOWN no command (word 1); did you mean add?\n");
    answered(&file(&["--json"], "add 1\nbytes x\n"), b"1\n\"x\"\n");
    let before = connections(&daemon);
    let lines = "add 1\n".repeat(500);
    assert_eq!(file(&[], &lines).text(), "1\n".repeat(500));
    assert_eq!(connections(&daemon), before + 2, "one, and that of the second `info`");
}

/// Returns the number of connections that the daemon has accepted.
fn connections(daemon: &Daemon) -> usize {
    let info = dockipc(["call", daemon.path().to_str().unwrap(), "info"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn repeat_runs_a_command_n_times() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    answered(&dockipc(["call", "--repeat", "3", path, "add", "2"]), b"2\n2\n2\n");
    let ran = dockipc(["call", "--repeat", "2", "--every", "1ms", path, "fail", "x"]);
    failed(&ran, 1, "test-dockipc: ERR it did not work\n");
    assert_eq!(dockipc(["call", "--repeat", "0", path, "add", "2"]).code, Some(2));
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
fn commands_are_listed_and_explained() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let ran = dockipc(["commands", path]);
    assert!(ran.text().starts_with(
        "add\tadd <n> [--times <times>] [--twice] [--unit <unit>]\tAdd to a number.\n\
         blob\tblob <size>\tAnswer with `size` bytes.\n"
    ));
    assert!(!ran.text().contains("closed"), "a command that the caller may not run is not shown");
    assert_eq!(dockipc(["help", path]), ran);
    let help = "\
Usage: add <n> [--times <times>] [--twice] [--unit <unit>]

Add to a number.

Nothing is kept.

Arguments:
  <n>              What to add. [integer]
  --times <times>  [integer, default 1]
  --twice
  --unit <unit>    How large. [kilo|mega, optional]

Aliases: plus
Idempotent: running it twice has the same effect as once.
";
    for name in ["add", "PLUS"] {
        answered(&dockipc(["help", path, name]), help.as_bytes());
    }
    let help = "\
Usage: open <password> [<text…>]

Allowed for everybody, by a rule.

Arguments:
  <password>  [text, secret]
  <text…>     [text, optional]

Allowed for: any
";
    answered(&dockipc(["help", path, "open"]), help.as_bytes());
    let ran = dockipc(["help", path, "opne"]);
    failed(&ran, 2, "test-dockipc: UNKNOWN no command \"opne\"; did you mean open?\n");
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
fn daemons_own_program_needs_no_socket() {
    let (daemon, place) = (daemon(), Place::new());
    let hitctl = ctl::named(&place, "hitctl");
    let own = |words: &[&str]| {
        run(ctl::command(&hitctl).env("TEST_SOCKET", daemon.path()).args(words), b"")
    };
    answered(&own(&["add", "2"]), b"2\n");
    answered(&own(&["call", "add", "2", "--twice"]), b"4\n");
    answered(&own(&["bytes", "/a/path"]), b"/a/path\n");
    // `list` is the daemon's command and not a subcommand.
    answered(&own(&["list"]), b"one\t1\ttwo\t2\n\n");
    failed(
        &own(&["list", "--all"]),
        2,
        "hitctl: USAGE unexpected word \"--all\"\n  list --all\n       ^^^^^\nusage: list\n",
    );
    assert!(own(&["commands"]).text().starts_with("add\t"));
    assert!(own(&["help", "add"]).text().starts_with("Usage: add <n>"));
    failed(&own(&["fail", "x"]), 1, "hitctl: ERR it did not work\n");
    let help = own(&["--help"]).text();
    assert!(
        help.contains("Usage: hitctl [OPTIONS] NAME [ARG]...") && !help.contains("SOCK"),
        "{help}"
    );
    for subcommand in ["call", "help", "commands"] {
        let help = own(&[subcommand, "--help"]).text();
        assert!(help.contains("Usage: hitctl ") && !help.contains("SOCK"), "{help}");
    }
}

#[test]
fn usage_errors_name_the_mistake() {
    let ran = dockipc(["cal", "x"]);
    let why = "(a socket's path has a / in it)";
    failed(
        &ran,
        2,
        &format!("test-dockipc: unknown subcommand \"cal\" {why}; did you mean call?\n"),
    );
    let ran = dockipc(["frobnicate", "x"]);
    failed(
        &ran,
        2,
        &format!("test-dockipc: unknown subcommand \"frobnicate\" {why}; see --help\n"),
    );
    let ran = dockipc(["call", "./socket", "-f", "lines"]);
    let hint = "invalid command name \"-f\": put options before the socket";
    failed(&ran, 2, &format!("test-dockipc: {hint}\n"));
    let ran = dockipc(["call", "--jsn", "hitd", "list"]);
    failed(&ran, 2, "test-dockipc: unknown option --jsn; did you mean --json?\n");
    let ran = dockipc(["call", "--frobnicate", "hitd", "list"]);
    failed(&ran, 2, "test-dockipc: unknown option --frobnicate; see --help\n");
    let ran = dockipc(["list", "-s", "./socket"]);
    failed(
        &ran,
        2,
        "test-dockipc: list takes no socket: it searches directories; leave out --socket\n",
    );
    let ran = dockipc(["call", "-f", "lines", "--repeat", "2", "./socket"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot be used with"), "{ran:?}");
    let ran = dockipc(["call", "--timeout", "2"]);
    assert!(ran.code == Some(2) && ran.err.contains("expected a duration such as"), "{ran:?}");
    let ran = dockipc(["call", "--timeout", "0s"]);
    assert!(
        ran.code == Some(2)
            && ran.err.contains("must be greater than zero; leave it out to wait without limit"),
        "{ran:?}"
    );
    let ran = dockipc::<&str>([]);
    assert!(ran.code == Some(2) && ran.err.contains("Usage: test-dockipc"), "{ran:?}");
    let version = dockipc(["--version"]).text();
    assert!(version.starts_with("dockipc ") && version.contains("features: cli"), "{version}");
}

#[test]
fn refused_command_line_is_pointed_at() {
    let cases: [(&[&str], &str); 12] = [
        (&["--bogus"], "unknown option --bogus; see --help\n  # --bogus\n    ^^^^^^^\n"),
        (
            &["--json", "x"],
            "unknown option --json; it is an option of call\n  # --json x\n    ^^^^^^\n",
        ),
        (
            &["list", "--al"],
            "unknown option --al; did you mean --all?\n  # list --al\n         ^^^^\n",
        ),
        (
            &["call", "--timeout", "2"],
            "invalid --timeout \"2\": expected a duration such as 200ms, 1.5s, 3m or 1h30m\n\
             \x20 # call --timeout 2\n                   ^\n",
        ),
        (
            &["ping", "-cx"],
            "invalid --count \"x\": expected an integer of at least 1\n  # ping -cx\n         ^^^\n",
        ),
        (&["ping", "-c"], "--count needs a value\n  # ping -c\n         ^^\n"),
        (
            &["completions", "fihs"],
            "invalid SHELL \"fihs\": expected one of bash, zsh, fish; did you mean fish?\n\
             \x20 # completions fihs\n                ^^^^\n",
        ),
        (&["completions"], "SHELL is missing\nusage: # completions <SHELL>\n"),
        (
            &["commands", "漢 字", "b"],
            "unexpected word \"b\"\n  # commands '漢 字' b\n                     ^\nusage: # commands [OPTIONS] [SOCK]\n",
        ),
        (&["list", "--all=3"], "--all takes no value\n  # list --all=3\n         ^^^^^^^\n"),
        (
            &["--color=red"],
            "invalid --color \"red\": expected one of auto, always, never\n  # --color=red\n    ^^^^^^^^^^^\n",
        ),
        (&["--timeout", "1s"], "no subcommand; see --help\n"),
    ];
    for (words, message) in cases {
        // The lines begin below the program's name.
        let name = "test-dockipc";
        let shift = |line: &str| {
            if line.trim_start().starts_with('^') {
                format!("{}{line}\n", " ".repeat(name.len() - 1))
            } else {
                format!("{}\n", line.replace('#', name))
            }
        };
        let message: String = message.lines().map(shift).collect();
        failed(&dockipc(words), 2, &format!("{name}: {message}"));
    }
}

#[test]
fn long_words_are_shortened_in_errors() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    // Linux limits a word to 128 KiB.
    let (long, at) = ("x".repeat(120_000), format!("@{}", "x".repeat(120_000)));
    let blanks = "x ".repeat(60_000);
    let cases: [&[&str]; 12] = [
        &["call", path, "add", &long],
        &["call", path, "add", "1", &long, "2"],
        &["call", path, "add", &blanks],
        &["call", path, "add", "1", "--unit", &long],
        &["call", path, &long],
        &["call", path, "add", &at],
        &["call", &long, "add"],
        &["call", "--timeout", &long],
        &["call", &format!("--{long}")],
        &["call", path, &format!("--{long}")],
        &["help", path, &long],
        &[&long, "add"],
    ];
    for words in cases {
        let ran = run(ctl::command(&ctl::named(&place, "hitd")).args(words), b"");
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains('…'), "{}", ran.err);
        for line in ran.err.lines() {
            assert!(line.len() < 600, "{} bytes: {line}", line.len());
        }
    }
}

#[test]
fn subcommand_is_explained_by_help() {
    let (daemon, place) = (daemon(), Place::new());
    for name in ["call", "list", "help"] {
        let help = dockipc(["help", name]);
        assert_eq!(help, dockipc([name, "--help"]));
        assert!(help.code == Some(0) && help.text().contains("Usage: "), "{help:?}");
    }
    // A socket of such a name is given as an option or a path, or with a command.
    symlink(daemon.path(), place.directory().join("list")).unwrap();
    let named = |words: &[&str]| {
        run(ctl::command(&ctl::path()).env("XDG_RUNTIME_DIR", place.directory()).args(words), b"")
    };
    assert!(named(&["help", "list"]).text().contains("Usage: test-dockipc list"));
    assert!(named(&["help", "-s", "list"]).text().starts_with("add\t"));
    assert!(named(&["help", "list", "add"]).text().starts_with("Usage: add <n>"));
    let preset = |words: &[&str]| {
        run(ctl::command(&ctl::path()).env("DOCKIPC_SOCKET", daemon.path()).args(words), b"")
    };
    assert!(preset(&["help", "call"]).text().contains("Usage: dockipc call"));
    assert!(preset(&["help", "add"]).text().starts_with("Usage: add <n>"));
    let ran = preset(&["help", "hitd", "add"]);
    assert!(ran.code == Some(2) && ran.err.contains("unexpected word \"add\""), "{ran:?}");
}

#[test]
fn command_is_explained_by_its_help_option() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let add = dockipc(["help", path, "add"]);
    let calls: [&[&str]; 4] = [
        &["call", path, "add", "--help"],
        &["call", path, "plus", "1", "--help", "x"],
        &[path, "add", "--help"],
        &["call", "--json", path, "add", "--times", "2", "--help"],
    ];
    for words in calls {
        assert_eq!(dockipc(words), add, "{words:?}");
    }
    let list = dockipc(["help", path, "list"]);
    assert_eq!(dockipc(["call", path, "list", "--help"]), list);
    // Where it can be a value, it is one, unless it is alone and `call` is left out.
    answered(&dockipc(["call", path, "bytes", "--help"]), b"--help\n");
    answered(&dockipc(["call", path, "open", "pw", "some", "--help"]), b"");
    let ran = dockipc(["call", path, "add", "1", "--unit", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("bad value for --unit"), "{ran:?}");
    let ran = dockipc(["call", "--literal", path, "add", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("unknown option --help"), "{ran:?}");
    assert!(dockipc([path, "bytes", "--help"]).text().starts_with("Usage: bytes <data>"));
    let ran = dockipc(["call", path, "ad", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean add?"), "{ran:?}");
    let hitctl = ctl::named(&place, "hitctl");
    let ran =
        run(ctl::command(&hitctl).env("TEST_SOCKET", "/nowhere").args(["add", "--help"]), b"");
    let hint = "the help of a command comes from the daemon; hitctl --help needs none";
    failed(&ran, 3, &format!("hitctl: no socket at /nowhere: is the daemon running?\n{hint}\n"));
}

#[test]
fn options_of_call_precede_a_name() {
    let (daemon, place) = (daemon(), Place::new());
    let hitctl = ctl::named(&place, "hitctl");
    let own = |words: &[&str]| {
        run(ctl::command(&hitctl).env("TEST_SOCKET", daemon.path()).args(words), b"")
    };
    answered(&own(&["--json", "bytes", "x"]), b"\"x\"\n");
    answered(&own(&["--timeout", "5s", "--repeat=2", "add", "2"]), b"2\n2\n");
    let file = place.directory().join("out");
    answered(&own(&["-o", file.to_str().unwrap(), "add", "3"]), b"");
    assert_eq!(fs::read(file).unwrap(), b"3");
    answered(
        &run(ctl::command(&hitctl).env("TEST_SOCKET", daemon.path()).args(["-f", "-"]), b"add 4\n"),
        b"4\n",
    );
    assert!(own(&["add", "--help"]).text().starts_with("Usage: add <n>"));
    assert!(own(&["help", "call", "ping"]).text().starts_with("Usage: ping [<message>]"));
    let unknown = "unknown option --bogus; see --help\n  hitctl --bogus add\n         ^^^^^^^\n";
    failed(&own(&["--bogus", "add"]), 2, &format!("hitctl: {unknown}"));
    // A path that a command follows is a call too.
    answered(&dockipc(["--json", daemon.path().to_str().unwrap(), "bytes", "x"]), b"\"x\"\n");
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
