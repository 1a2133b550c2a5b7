//! The program `dockipc` and sockets of other users: which bytes they get, and what they can make
//! the program show.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use dockipc::{Client, Error, Server};
use tests::ctl::{self, Ran, run};
use tests::scripted::{description, list, map, text};
use tests::users::{self, Actor, Shared, User};
use tests::{Place, is_long};

const TOKEN: &str = "0123456789abcdef-the-token";

const STRANGER: User = User { uid: 65534, gid: 65534, groups: &[] };

/// Serves each connection in its own thread until the process ends.
fn serve(path: &Path, answer: impl Fn(&[String]) -> Vec<u8> + Send + Sync + 'static) {
    let listener = UnixListener::bind(path).expect("a socket");
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("its mode");
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    fs::write(lock, "").expect("a lock file");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.expect("a connection"), Arc::clone(&answer));
            thread::spawn(move || {
                let mut input = BufReader::new(stream.try_clone().expect("a descriptor"));
                while let Ok(words) = command(&mut input) {
                    if stream.write_all(&answer(&words)).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// Reads one command of RESP.
fn command(input: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..length(input)? {
        let mut word = vec![0; length(input)?];
        input.read_exact(&mut word)?;
        input.read_exact(&mut [0; 2])?;
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Ok(words)
}

fn length(input: &mut impl BufRead) -> io::Result<usize> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let digits = line.trim_end().get(1..).unwrap_or_default();
    digits.parse().map_err(io::Error::other)
}

fn hello(version: &str) -> Vec<u8> {
    map(&[("server", text("dockipc")), ("version", text(version)), ("proto", b":3\r\n".to_vec())])
}

/// A socket of another user, who reports each command, and each word with the token.
struct Trap {
    shared: Shared,
    actor: Actor,
}

impl Trap {
    fn set(test: &str) -> Self {
        Self::set_in(Shared::new(STRANGER), test)
    }

    fn set_in(shared: Shared, test: &str) -> Self {
        let mut actor = shared.start(test, "listens", STRANGER);
        assert_eq!(actor.line().as_deref(), Some("ready"));
        Self { shared, actor }
    }

    fn socket(&self) -> String {
        self.shared.directory().join("d.sock").display().to_string()
    }

    /// Returns how many commands the stranger got, and how many words with the token.
    fn sprung(self) -> (usize, usize) {
        let said = self.actor.end();
        let count = |what: &str| said.iter().filter(|line| *line == what).count();
        (count("command"), count("token"))
    }
}

/// Runs the stranger's part, if this process is the stranger.
fn is_stranger() -> bool {
    if users::part().is_none() {
        return false;
    }
    serve(Path::new("d.sock"), |words| {
        if words.iter().any(|word| word.contains(TOKEN)) {
            users::say("token");
        }
        users::say("command");
        match &*words[0].to_ascii_lowercase() {
            "hello" => hello("9.9.9"),
            // A process of root, which a user of `list` might kill.
            "info" => text("process_id:1\r\n"),
            "command" => b":1\r\n".to_vec(),
            "ping" => b"+PONG\r\n".to_vec(),
            "dockipc" if words.get(2).is_some_and(|name| name == "collect") => {
                map(&[("collect", description(&[("env", "env")]))])
            }
            _ => b"-NOPERM permission denied: \"x\" requires token\r\n".to_vec(),
        }
    });
    users::say("ready");
    users::wait_for_the_end();
    true
}

/// Runs the program with a token in its environment.
fn with_token(words: &[&str]) -> Ran {
    let mut command = ctl::command(&ctl::path());
    run(command.env("DOCKIPC_TOKEN", TOKEN).args(words), b"")
}

#[test]
fn environment_reaches_no_stranger() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let trap = Trap::set("environment_reaches_no_stranger");
    let mut command = ctl::command(&ctl::path());
    command.env("OTHER_TOKEN", TOKEN).args(["--verbose", "call", &trap.socket(), "collect"]);
    let ran = run(&mut command, b"");
    let why = "NOPERM the environment was not sent as --env: the listener is uid 65534, neither root nor you; \
               allow it with --require-owner, or give --env; the command was not run";
    assert!(ran.err.contains(why), "{ran:?}");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    // What the user gives is sent.
    let mut command = ctl::command(&ctl::path());
    command.env("OTHER_TOKEN", TOKEN).args(["call", &trap.socket(), "collect", "--env=A=b"]);
    assert!(run(&mut command, b"").err.contains("requires token"));
    assert_eq!(trap.sprung().1, 0);
    // A user who is allowed gets it.
    let trap = Trap::set("environment_reaches_no_stranger");
    let mut command = ctl::command(&ctl::path());
    let owner = format!("--require-owner={}", STRANGER.uid);
    command.env("OTHER_TOKEN", TOKEN).args([&*owner, "call", &trap.socket(), "collect"]);
    run(&mut command, b"");
    assert_eq!(trap.sprung().1, 1);
}

#[test]
fn environment_reaches_no_stranger_that_takes_the_path_meanwhile() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let trap = Trap::set("environment_reaches_no_stranger_that_takes_the_path_meanwhile");
    let path = trap.shared.directory().join("root.sock");
    let (from, to) = (trap.socket(), path.clone());
    // A server of this user, whose path changes hands between its description of a command and the call.
    serve(&path, move |words| match &*words[0].to_ascii_lowercase() {
        "hello" => hello("9.9.9"),
        "dockipc" => {
            let _ = fs::rename(&from, &to);
            map(&[("collect", description(&[("env", "env")]))])
        }
        _ => b"+OK\r\n".to_vec(),
    });
    let mut command = ctl::command(&ctl::path());
    let ran = command.env("OTHER_TOKEN", TOKEN).args(["call", path.to_str().unwrap(), "collect"]);
    let ran = run(ran, b"");
    assert!(ran.err.contains("wrong owner: uid 65534 is listening"), "{ran:?}");
    assert_eq!(trap.sprung(), (0, 0));
}

#[test]
fn token_of_environment_reaches_no_stranger() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let trap = Trap::set("token_of_environment_reaches_no_stranger");
    let socket = &*trap.socket();
    let directory = trap.shared.directory().to_str().unwrap();
    let place = Place::new();
    let file = place.directory().join("token");
    fs::write(&file, TOKEN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    let (call, tab) = (format!("dockipc call {socket} "), format!("--token-file {file}"));
    let tabs = [format!("dockipc call {tab} {socket} "), format!("dockipc {tab} help {socket} ")];
    let attacks: [&[&str]; 13] = [
        &["list", directory],
        &["list", "--all", directory],
        &["list", "--json", "--token-file", file, directory],
        &["__complete", "--", &call],
        &["__complete", "--", &tabs[0]],
        &["__complete", "--", &tabs[1]],
        &["call", socket, "x"],
        &["call", "--json", socket, "x"],
        &["commands", socket],
        &["help", socket, "x"],
        &["ping", "-c", "2", "-i", "0s", socket],
        &["schema", socket],
        &[socket, "x"],
    ];
    for words in attacks {
        with_token(words);
        let mut command = ctl::command(&ctl::path());
        run(command.env("DOCKIPC_TOKEN_FILE", file).args(words), b"");
    }
    for words in [&["shell", socket][..], &["call", "-f", "-", socket]] {
        run(ctl::command(&ctl::path()).env("DOCKIPC_TOKEN", TOKEN).args(words), b"x\nx\n");
    }
    let mut own = ctl::command(&ctl::named(&place, "hitctl"));
    run(own.env("TEST_SOCKET", socket).env("DOCKIPC_TOKEN", TOKEN).arg("x"), b"");

    // The user learns that the token was not sent, but only if there is one.
    let ran = with_token(&["call", socket, "x"]);
    let why = "the token from the environment was not sent: the listener is uid 65534, \
               neither root nor you; allow it with --require-owner";
    assert_eq!(
        ran.err,
        format!("test-dockipc: NOPERM permission denied: \"x\" requires token; {why}\n")
    );
    assert_eq!(ran.code, Some(4));
    let ran = run(ctl::command(&ctl::path()).args(["call", socket, "x"]), b"");
    assert_eq!(ran.err, "test-dockipc: NOPERM permission denied: \"x\" requires token\n");
    // The process number that the stranger reports is not shown.
    let ran = with_token(&["list", directory]);
    assert_eq!(ran.text().split('\t').nth(3), Some("?"), "{ran:?}");

    let (commands, tokens) = trap.sprung();
    assert!(commands > 60, "the stranger was asked: {commands}");
    assert_eq!(tokens, 0);
}

#[test]
fn token_is_sent_to_an_owner_that_is_named() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let trap = Trap::set("token_is_sent_to_an_owner_that_is_named");
    let socket = &*trap.socket();
    let place = Place::new();
    let file = place.directory().join("token");
    fs::write(&file, TOKEN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    with_token(&["call", "--require-owner", "65534", socket, "x"]);
    with_token(&["call", "--require-owner", "root,65534", socket, "x"]);
    let mut command = ctl::command(&ctl::path());
    command.env("DOCKIPC_REQUIRE_OWNER", "65534").env("DOCKIPC_TOKEN", TOKEN);
    run(command.args(["call", socket, "x"]), b"");
    let file = file.to_str().unwrap();
    run(ctl::command(&ctl::path()).args(["call", "--token-file", file, socket, "x"]), b"");
    assert_eq!(trap.sprung().1, 4);
}

#[test]
fn required_owner_is_checked_before_a_byte_is_sent() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let trap = Trap::set("required_owner_is_checked_before_a_byte_is_sent");
    let socket = &*trap.socket();
    let directory = trap.shared.directory().to_str().unwrap();
    let wrong = format!(
        "test-dockipc: wrong owner: uid 65534 is listening at {socket}, but uid 0 is required; \
         nothing was sent\n"
    );
    for words in [
        &["call", "--require-owner", "root", socket, "x"][..],
        &["ping", "--require-owner=0", socket],
        &["commands", socket, "--require-owner", "root"],
    ] {
        let ran = with_token(words);
        assert_eq!((ran.code, &*ran.err), (Some(4), &*wrong), "{words:?}");
    }
    let required = |words: &[&str]| {
        let mut command = ctl::command(&ctl::path());
        run(command.env("DOCKIPC_REQUIRE_OWNER", "root").args(words), b"")
    };
    assert_eq!(required(&["call", socket, "x"]).err, wrong);
    assert_eq!(required(&["list", directory]).text(), "");
    assert!(required(&["list", "--all", directory]).text().contains("wrong owner"));
    assert_eq!(required(&["__complete", "--", &format!("dockipc call {socket} ")]).text(), "");
    let tab = format!("dockipc call --require-owner 1 {socket} ");
    assert_eq!(with_token(&["__complete", "--", &tab]).text(), "");
    // The same in the library.
    let client = Client::new(socket).require_owner(0).token(TOKEN);
    for error in [
        client.send("x").expect_err("a stranger"),
        client.pipeline().command("x", [""; 0]).call().expect_err("a stranger"),
    ] {
        assert!(matches!(error, Error::WrongOwner { owner: 65534, .. }), "{error}");
    }
    assert_eq!(trap.sprung(), (0, 0));
}

#[test]
fn stranger_after_a_restart_is_noticed() {
    if is_stranger() || !users::can_be_had() {
        return;
    }
    let shared = Shared::new(STRANGER);
    let socket = shared.directory().join("d.sock");
    let daemon = Server::new().spawn(&socket).expect("a daemon");
    let plain = Client::new(&socket);
    assert_eq!(plain.send("ping").unwrap(), b"PONG");
    let client = plain.clone().require_owner(0).token_from_env();
    assert_eq!(client.send("ping").unwrap(), b"PONG");
    daemon.shutdown();
    drop(daemon);
    let _ = fs::remove_file(shared.directory().join("d.sock.lock"));
    let trap = Trap::set_in(shared, "stranger_after_a_restart_is_noticed");
    let error = client.send("ping").expect_err("a stranger");
    assert!(matches!(error, Error::WrongOwner { owner: 65534, .. }), "{error}");
    assert_eq!(trap.sprung(), (0, 0));
}

#[test]
fn owner_that_cannot_be_required_is_refused() {
    let ran = with_token(&["call", "--require-owner", "nobody-has-this-name", "./s", "x"]);
    let why = "no user named \"nobody-has-this-name\"";
    assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
    let mut command = ctl::command(&ctl::path());
    command.env("DOCKIPC_REQUIRE_OWNER", "root,").args(["call", "./s", "x"]);
    let ran = run(&mut command, b"");
    let why = "invalid DOCKIPC_REQUIRE_OWNER \"root,\": no user named \"\"";
    assert_eq!((ran.code, &*ran.err), (Some(2), &*format!("test-dockipc: {why}\n")));
    let ran = with_token(&["call", "--require-owner", "root", "ssh://nowhere/s", "x"]);
    let why = "cannot check the owner of a socket on another machine";
    assert!(ran.code == Some(2) && ran.err.contains(why), "{ran:?}");
}

/// A text that forges a line, a column, and colors.
const FORGED: &str = "a\n/run/forged.sock\troot\r\x1b[2J\u{9b}1m\u{202e}z";

/// Checks that the output has this number of rows and no control characters.
#[track_caller]
fn is_harmless(ran: &Ran, rows: usize) {
    let all = ran.text() + &ran.err;
    let is_bad = |char: char| char.is_control() && !"\n\t".contains(char) || char == '\u{202e}';
    assert!(!all.contains(is_bad), "{all:?}");
    assert!(!all.lines().any(|line| line.starts_with("/run/forged")), "{all:?}");
    assert_eq!(all.lines().count(), rows, "{all:?}");
}

#[test]
fn stranger_forges_no_row_and_no_message() {
    let place = Place::new();
    let name = format!("{FORGED}.sock").replace('/', "");
    let socket = place.directory().join(name);
    serve(&socket, |words| {
        let forged = || text(FORGED);
        let argument = map(&[
            ("name", forged()),
            ("kind", text("option")),
            ("flag", text(&format!("--{FORGED}"))),
            ("type", forged()),
            ("choices", list(&[forged()])),
            ("default", forged()),
            ("optional", b":1\r\n".to_vec()),
            ("multiple", b":0\r\n".to_vec()),
            ("help", forged()),
            ("secret", b":0\r\n".to_vec()),
            ("completes", b":1\r\n".to_vec()),
        ]);
        let described = map(&[
            ("summary", forged()),
            ("details", text(&FORGED.replace('\n', " "))),
            ("usage", forged()),
            ("aliases", list(&[forged()])),
            ("idempotent", b":0\r\n".to_vec()),
            ("for", forged()),
            ("builtin", b":0\r\n".to_vec()),
            ("arguments", list(&[argument])),
        ]);
        let words: Vec<_> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        match [&*words[0], words.get(1).map_or("", |word| word)] {
            ["hello", _] => hello(FORGED),
            ["info", _] => text("process_id:1\r\n"),
            ["command", _] => b":1\r\n".to_vec(),
            ["ping", _] => b"+PONG\r\n".to_vec(),
            ["dockipc", "describe"] => map(&[(FORGED, described.clone()), ("x", described)]),
            ["dockipc", "complete"] => list(&[forged(), text("fine")]),
            _ => b"-USAGE no\t\x1b[31m\x0bx; usage: x\t\x1b[31m\r\n".to_vec(),
        }
    });
    let directory = place.directory().to_str().unwrap();
    let socket = socket.to_str().unwrap();
    let dockipc = |words: &[&str]| run(ctl::command(&ctl::path()).args(words), b"");
    let listed = dockipc(&["list", directory]);
    is_harmless(&listed, 1);
    let shown = "a\\n/run/forged.sock\\troot\\r\\x1b[2J\\xc2\\x9b1m\\xe2\\x80\\xaez";
    let fields: Vec<_> = listed.text().trim_end().split('\t').map(String::from).collect();
    assert_eq!(fields.len(), 6);
    assert_eq!(fields[0], format!("{directory}/{}.sock", shown.replace('/', "")));
    assert_eq!(fields[5], shown);
    is_harmless(&dockipc(&["list", "--json", directory]), 11);
    is_harmless(&dockipc(&["commands", socket]), 2);
    is_harmless(&dockipc(&["schema", socket]), 61);
    is_harmless(&dockipc(&["help", socket, "x"]), 11);
    is_harmless(&dockipc(&["ping", "-c", "2", "-i", "0s", socket]), 3);
    is_harmless(&dockipc(&["call", socket, "x", "y"]), 2);
    let quoted = socket.replace('\n', "'\n'");
    for (line, rows) in [("x --", 1), ("x --z=", 0), ("", 2)] {
        let line = format!("dockipc call '{quoted}' {line}");
        is_harmless(&dockipc(&["__complete", "--", &line]), rows);
    }
    is_harmless(&dockipc(&["call", &format!("{directory}/{FORGED}"), "x"]), 1);
    is_harmless(&dockipc(&["list", &format!("{directory}/{FORGED}")]), 1);
    // On a terminal, lines end with a carriage return, and colors would be the program's own.
    let line = format!("NO_COLOR=1 {} list {directory}", ctl::path().display());
    let ran = run(ctl::command(Path::new("script")).args(["-qec", &line, "/dev/null"]), b"");
    let text = ran.text().replace("\r\n", "\n");
    is_harmless(&Ran { out: text.into_bytes(), ..ran }, 2);
}

#[test]
fn stranger_makes_no_list_endless() {
    let place = Place::new();
    // An endless answer, and one with an enormous length.
    serve(&place.directory().join("endless"), |words| match &*words[0] {
        "HELLO" => hello("1"),
        _ => [format!("${}\r\n", 1 << 30).into_bytes(), vec![b'x'; 1 << 20]].concat(),
    });
    serve(&place.directory().join("huge"), |_| hello(&"9".repeat(1 << 20)));
    serve(&place.directory().join("long"), |words| match &*words[0] {
        "HELLO" | "hello" => hello(&"9".repeat(10_000)),
        "info" => text(&"x".repeat(1 << 20)),
        _ => b":1\r\n".to_vec(),
    });
    let fifo = Command::new("mkfifo").arg(place.directory().join("pipe.sock")).status();
    assert!(fifo.expect("mkfifo").success());
    let mut command = ctl::command(&ctl::path());
    let listed = run(command.args(["list", "--all"]).arg(place.directory()), b"");
    assert_eq!((listed.code, &*listed.err), (Some(0), ""));
    let text = listed.text();
    let rows: Vec<Vec<_>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let ends: Vec<_> = rows.iter().map(|row| row[5]).collect();
    let too_big = "answer longer than 65536 bytes";
    assert_eq!(ends, [too_big, too_big, &"9".repeat(64)]);
}

#[test]
fn silent_strangers_hold_up_no_list() {
    // Takes as long as the program's timeout.
    if !is_long() {
        return;
    }
    let place = Place::new();
    let listeners: Vec<_> = (0..1000)
        .map(|i| {
            let path = place.directory().join(format!("{i}.sock"));
            fs::write(path.with_extension("sock.lock"), "").expect("a lock file");
            UnixListener::bind(path).expect("a socket")
        })
        .collect();
    let mut command = ctl::command(&ctl::path());
    let listed = run(command.args(["list", "--all"]).arg(place.directory()), b"");
    let asked = listed.text().lines().count();
    let left = listeners.len() - asked;
    let left = format!("test-dockipc: timed out after 10s: {left} sockets were not asked\n");
    assert_eq!((listed.code, &*listed.err), (Some(5), &*left));
}
