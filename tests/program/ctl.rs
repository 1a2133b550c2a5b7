//! The program `dockipc` and a daemon: answers, errors, exit codes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use dockipc::{Arg, Failure, Request, Secret, Server, command};
use tests::ctl::{self, Ran, dockipc, run};
use tests::gate::Gate;
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

pub(super) fn daemon() -> Daemon {
    Daemon::start(Server::new().state(Gate::default()))
}

#[track_caller]
pub(super) fn answered(ran: &Ran, answer: &[u8]) {
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    assert_eq!(ran.out.escape_ascii().to_string(), answer.escape_ascii().to_string());
}

#[track_caller]
pub(super) fn failed(ran: &Ran, code: i32, error: &str) {
    assert_eq!((ran.code, &*ran.out), (Some(code), &b""[..]), "{ran:?}");
    assert_eq!(ran.err, error);
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
        // The first connections are those of the client that timed out.
        for stream in silent.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(tests::PATIENCE)).unwrap();
            let is_answered =
                [DOCKIPC_GREETING, b"%0\r\n", b"$100000\r\nhalf"].iter().all(|answer| {
                    stream.read(&mut [0; 1000]).is_ok_and(|n| n > 0)
                        && stream.write_all(answer).is_ok()
                });
            if is_answered {
                return;
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
