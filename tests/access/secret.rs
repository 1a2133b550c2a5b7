//! Secret arguments are never shown.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use dockipc::audit::Record;
use dockipc::{Handle, Reply, Request, Secret, Server, State, command};
use tests::{exchange, resp};

/// The secret text.
const SECRET: &str = "hunter2-swordfish";

/// The secret default; too long to occur in a time or a number by chance.
const CODE: usize = 4_321_987_654_321;

/// The `Debug` output of a command's parameters.
type Printed = Mutex<Vec<String>>;

/// A type whose error contains its text, as many do.
struct Pin;

#[derive(Debug)]
struct BadPin(String);

impl fmt::Display for BadPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no pin", self.0)
    }
}

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        if text == "1234" { Ok(Self) } else { Err(BadPin(text.to_owned())) }
    }
}

/// Set a password.
#[command("login", allow = "any")]
fn login(
    request: &Request<'_>,
    user: &str,
    /// The new one.
    password: Secret<String>,
    #[arg(long, from_str, secret)] pin: Option<Pin>,
    #[arg(long, secret, default = CODE)] code: usize,
) -> usize {
    let pin = pin.is_some();
    let printed = request.state::<Printed>().unwrap();
    printed.lock().unwrap().push(format!("{request:?} {password} {password:?}"));
    assert!(user != "panic", "as the test wants");
    password.expose().len() + code + usize::from(pin)
}

/// For no caller.
#[command("denied", allow = "uid:4294967294")]
fn denied(_user: &str, _password: Secret<String>) {}

/// Takes secrets of all forms.
#[command("forms", allow = "any")]
fn forms(
    #[arg(secret)] text: &str,
    bytes: Secret<Vec<u8>>,
    number: Option<Secret<u32>>,
    list: Vec<Secret<String>>,
) -> String {
    let list: Vec<_> = list.iter().map(|secret| secret.expose().len()).collect();
    let number = number.map(|number| *number.expose());
    format!("{} {} {number:?} {list:?}", text.len(), bytes.expose().len())
}

/// Takes a secret rest.
#[command("text", allow = "any")]
fn text(#[arg(rest, secret)] text: &str) -> usize {
    text.len()
}

/// Starts a server, and returns it with the texts of its records.
fn serve() -> (Handle, &'static Mutex<Vec<String>>) {
    let records: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let server = Server::new().state(Printed::default()).audit(|record: &Record<'_>| {
        let mut told = vec![format!("{record:?}"), record.command().to_owned()];
        let arguments = record.arguments().iter();
        told.extend(arguments.map(|argument| format!("{}={}", argument.name(), argument.value())));
        told.push(format!("+{}", record.left_out()));
        records.lock().unwrap().push(told.join(" "));
        Ok(())
    });
    (server.spawn_in_process().unwrap(), records)
}

/// Returns the answers to some words as a line and in RESP.
fn ask(daemon: &Handle, words: &[&str]) -> [String; 2] {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("{}\n", quoted.join(" "));
    let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
    [line.into_bytes(), resp(&words)].map(|bytes| {
        let answer = exchange(daemon.connect().unwrap(), &bytes);
        answer.escape_ascii().to_string()
    })
}

#[test]
fn errors_show_no_secret() {
    let (daemon, records) = serve();
    let usage = "usage: login <user> <password> [--pin <pin>] [--code <code>]";
    let cases: [(&[&str], String); 9] = [
        (&["login", "me"], format!("USAGE password is missing; {usage}")),
        (&["login", "me", SECRET, SECRET], format!("USAGE unexpected word; {usage}")),
        (&["login", "me", "--hunter2-swordfish"], format!("USAGE unknown option; {usage}")),
        (
            &["login", "me", "x", "--pin", SECRET],
            format!("USAGE bad value for --pin: expected text; {usage}"),
        ),
        (
            &["login", "me", "x", "--code=hunter2-swordfish"],
            format!("USAGE bad value for --code: expected integer; {usage}"),
        ),
        (&["login", "panic", SECRET], "PANIC login panicked".into()),
        (&["denied", "me", SECRET], "NOPERM".into()),
        (
            &["forms", "a", "b", SECRET],
            "USAGE bad value for number: expected integer; usage: forms".into(),
        ),
        (&["ping", "x"], "x".into()),
    ];
    for (words, expected) in cases {
        for answer in ask(&daemon, words) {
            assert!(answer.contains(&expected) && !answer.contains(SECRET), "{words:?}: {answer}");
        }
    }
    // An unclosed quote, and invalid UTF-8.
    for bytes in [&b"login me 'hunter2-swordfish\n"[..], b"login me hunter2-swordfish\xff\n"] {
        let answer = exchange(daemon.connect().unwrap(), bytes).escape_ascii().to_string();
        assert!(answer.starts_with('-') && !answer.contains(SECRET), "{answer}");
    }
    let not_utf8 = resp(&[&b"login"[..], b"me", b"hunter2-swordfish\xff"]);
    let answer = exchange(daemon.connect().unwrap(), &not_utf8).escape_ascii().to_string();
    assert!(answer.contains("UTF8 bad value for password: expected text"), "{answer}");
    let records = records.lock().unwrap();
    assert!(records.len() >= 16 && !records.concat().contains(SECRET), "{records:#?}");
    assert!(!records.concat().contains(&CODE.to_string()), "{records:#?}");
}

#[test]
fn audit_shows_names_of_secrets_without_values() {
    let (daemon, records) = serve();
    for words in [
        &["login", "me", SECRET, "--pin", "1234"][..],
        &["denied", "me", SECRET],
        &["login", "me", SECRET, "one more"],
        &["forms", SECRET, SECRET, "7", SECRET, SECRET],
        &["text", "some", SECRET],
    ] {
        ask(&daemon, words);
    }
    let records = records.lock().unwrap();
    let ends = [
        "login user=me password=… pin=… +0",
        "denied user=me password=… +0",
        "login +3",
        "forms text=… bytes=… number=… list=… list=… +0",
        "text text=… +0",
    ];
    assert_eq!(records.len(), 2 * ends.len());
    for (i, record) in records.iter().enumerate() {
        assert!(record.ends_with(ends[i / 2]), "{record}");
        assert!(!record.contains(SECRET), "{record}");
    }
}

#[test]
fn secret_values_arrive_and_print_hidden() {
    let (daemon, _) = serve();
    let length = SECRET.len();
    let sum = (length + CODE).to_string();
    assert_eq!(ask(&daemon, &["login", "me", SECRET])[0], sum);
    let forms = ask(&daemon, &["forms", SECRET, "\u{e4}", "7", "a", "bc"]);
    assert_eq!(forms[0], format!("{length} 2 Some(7) [1, 2]"));
    assert!(ask(&daemon, &["text", "a", "b"])[1].contains(":3"));
    let client = daemon.client();
    let password = Secret::new(SECRET.to_owned());
    let call = client.command("login").arg("me").option("code", 0).arg(&password);
    assert!(!format!("{call:?}").contains(SECRET), "{call:?}");
    assert_eq!(call.call::<usize>().unwrap(), length);
    let mut pipeline = client.pipeline();
    pipeline.command("text", [&password]);
    assert!(!format!("{pipeline:?}").contains(SECRET), "{pipeline:?}");
    assert_eq!(pipeline.call().unwrap(), [Reply::Int(17)]);
    assert_eq!(format!("{password} {password:?}"), "… …");
}

#[test]
fn request_with_a_secret_prints_no_words() {
    let printed = State::new(Printed::default());
    let daemon = Server::new().share(printed.clone()).spawn_in_process().unwrap();
    ask(&daemon, &["login", "me", SECRET]);
    let printed = printed.lock().unwrap();
    assert_eq!(printed.len(), 2);
    for printed in printed.iter() {
        assert!(printed.contains(r#"words: ["…", "…"]"#) && !printed.contains(SECRET), "{printed}");
        assert!(printed.ends_with(" … …"), "{printed}");
    }
}

#[test]
fn help_marks_secrets_and_hides_their_defaults() {
    let (daemon, _) = serve();
    let help = ask(&daemon, &["help", "login"]);
    for help in &help {
        assert!(
            help.contains("default \\xe2\\x80\\xa6") && !help.contains(&CODE.to_string()),
            "{help}"
        );
        assert!(help.contains("The new one; text; secret"), "{help}");
    }
    let docs = ask(&daemon, &["command", "docs", "login"]);
    assert!(!docs.concat().contains(&CODE.to_string()), "{docs:?}");
    let described = ask(&daemon, &["dockipc", "describe", "login"]);
    assert!(!described.concat().contains(&CODE.to_string()), "{described:?}");
    assert!(described[1].contains("secret\\r\\n:1"), "{described:?}");
}

/// Overwritten secrets, searched for in the memory of other processes.
#[cfg(feature = "zeroize")]
mod overwritten {
    use std::fs::{self, File, Permissions};
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::process::{Command, Stdio};

    use dockipc::{Client, Secret};
    use tests::program::{self, Program};
    use tests::{Place, exchange, resp, rest};

    /// Makes the secret, so that it is in memory only where a process received or made it. It is long, since
    /// later input overwrites the beginning of a buffer.
    fn make_secret() -> String {
        (0..250_u8).map(|i| char::from(b'a' + i % 23)).collect()
    }

    const TOKEN: &str = "0123456789-the-token-of-this-daemon-and-no-other-0123456789";

    fn start(place: &Place) -> Program {
        let file = place.directory().join("token");
        fs::write(&file, TOKEN).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let socket = place.socket();
        let mut daemon = Command::new(program::path());
        daemon.arg(&socket).env("TEST_TOKEN_FILE", &file);
        Program::start_by(&mut daemon, &socket)
    }

    #[test]
    fn daemon_memory_has_no_secret_after_a_command() {
        let place = Place::new();
        let daemon = start(&place);
        let client = daemon.client();
        let secret = make_secret();
        // The search finds the secret while the daemon keeps it, or this test could not fail.
        client.command("keep").arg(Secret::new(secret.clone())).call::<()>().unwrap();
        assert!(count(daemon.id(), &secret[200..]) > 0);
        client.send("forget").unwrap();
        check(&daemon, &secret[200..], 0, "a command");

        let line = |text: &str| format!("{text}\n").into_bytes();
        let words =
            |before: &[&str], after: &[&str]| resp(&[before, &[secret.as_str()], after].concat());
        let padded = |size: usize| secret.clone() + &"x".repeat(size);
        let half = |whole: &[u8], left: usize| whole[..whole.len() - left].to_vec();
        let wrong = words(&["AUTH"], &[]);
        let cases = [
            ("a line", line(&format!("secret {secret}"))),
            ("a quoted word", line(&format!("secret '{secret}'"))),
            ("words in RESP", words(&["secret"], &[])),
            ("too many words", words(&["secret"], &["too much"])),
            ("a wrapped line", resp(&["dockipc", "line", &format!("secret '{secret}'")])),
            ("a completion", words(&["dockipc", "complete", "secret", "secret"], &["more"])),
            ("a completion's words", words(&["dockipc", "complete", "secret", "secret", "x"], &[])),
            ("a line's completion", line(&format!("dockipc complete secret secret '{secret}'"))),
            (
                "a transaction",
                [resp(&["MULTI"]), words(&["secret"], &[]), resp(&["EXEC"])].concat(),
            ),
            (
                "a longer transaction",
                [resp(&["MULTI"]), words(&["secret"], &[]).repeat(100), resp(&["EXEC"])].concat(),
            ),
            (
                "a transaction that is dropped",
                [resp(&["MULTI"]), words(&["secret"], &[]).repeat(3), resp(&["DISCARD"])].concat(),
            ),
            (
                "a transaction with a refused command",
                [resp(&["MULTI"]), words(&["secret"], &[]), words(&["secret"], &["too much"])]
                    .concat(),
            ),
            ("a transaction without an end", [resp(&["MULTI"]), words(&["secret"], &[])].concat()),
            ("an unknown command", words(&["secrte"], &["more"])),
            ("a line that is not UTF-8", [secret.as_bytes(), b"\xff\n"].concat()),
            ("a quote that is not closed", line(&format!("secret '{secret}"))),
            ("a word that does not end", half(&words(&["secret"], &["x"]), 9)),
            ("half a line", format!("secret {secret}").into_bytes()),
            ("half a command", half(&words(&["secret"], &[]), 2)),
            (
                "half behind a whole one",
                [resp(&["ping"]), half(&words(&["secret"], &[]), 2)].concat(),
            ),
            ("half of a long one", half(&resp(&["secret", &padded(40_000)]), 20_000)),
            ("a long one", resp(&["secret", &padded(40_000)])),
            ("one that is too long", resp(&["secret", &padded(2_000_000)])),
            ("half of one that is too long", half(&resp(&["secret", &padded(2_000_000)]), 100_000)),
            ("a wrong token", wrong.clone()),
            ("a wrong token for a user", words(&["AUTH", "me"], &[])),
            ("a wrong token in a handshake", words(&["HELLO", "3", "AUTH", "me"], &[])),
            ("a token on a line", line(&format!("auth {secret}"))),
            ("half a token", half(&wrong, 2)),
            ("more tokens than are looked at", wrong.repeat(200)),
        ];
        for (what, bytes) in cases {
            exchange(daemon.connect(), &bytes);
            check(&daemon, &secret[200..], 0, what);
        }

        // A client that disconnects in mid-command, after several reads.
        for size in [200, 5_000, 20_000, 60_000] {
            let mut stream = daemon.connect();
            stream
                .write_all(format!("*2\r\n$6\r\nsecret\r\n$100000\r\n{secret}").as_bytes())
                .unwrap();
            for _ in 0..size / 100 {
                client.send("ping").unwrap();
                stream.write_all(&[b'x'; 100]).unwrap();
            }
            drop(stream);
            check(&daemon, &secret[200..], 0, "a client that is gone");
        }
    }

    #[test]
    fn daemon_memory_has_one_copy_of_the_token() {
        let place = Place::new();
        let daemon = start(&place);
        let kept = count(daemon.id(), TOKEN);
        assert_eq!(kept, 1, "what it is compared with");
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["AUTH", TOKEN])).unwrap();
        tests::expect(&mut stream, b"+OK\r\n");
        check(&daemon, TOKEN, kept, "AUTH");
        stream.write_all(&resp(&["QUIT"])).unwrap();
        rest(stream);
        exchange(daemon.connect(), &resp(&["HELLO", "2", "AUTH", "me", TOKEN]));
        check(&daemon, TOKEN, kept, "HELLO");
    }

    #[test]
    fn client_memory_has_no_secret_after_a_call() {
        const SOCKET: &str = "DOCKIPC_TEST_SECRET_SOCKET";
        if let Some(socket) = std::env::var_os(SOCKET) {
            return call(&Client::new(socket));
        }
        let place = Place::new();
        let _daemon = start(&place);
        let mut caller = Command::new(std::env::current_exe().unwrap())
            .arg(tests::test_name("overwritten::client_memory_has_no_secret_after_a_call"))
            .args(["--exact", "--nocapture", "--test-threads=1"])
            .env(SOCKET, place.socket())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(caller.stdout.take().unwrap()).lines().map(Result::unwrap);
        let secret = make_secret();
        for (said, holds) in [("holds it", true), ("called", false)] {
            assert!(lines.any(|line| line.ends_with(said)), "{said}");
            assert_eq!(count(caller.id(), &secret[200..]) > 0, holds, "{said}");
            caller.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        }
        assert!(caller.wait().unwrap().success());
    }

    /// Runs the caller. The test searches its memory when it prints a line.
    fn call(client: &Client) {
        let say = |what: &str| {
            println!("{what}");
            std::io::stdin().read_exact(&mut [0]).unwrap();
        };
        let secret = Secret::new(make_secret());
        say("\nholds it");
        client.command("secret").arg(&secret).call::<()>().unwrap();
        // The request's buffer grows with the secret inside.
        let grown = client.command("secret").arg(&secret).arg("x".repeat(10_000)).clone();
        grown.call::<()>().unwrap_err();
        let mut pipeline = client.pipeline();
        pipeline.command("ping", ["x"]).command("secret", [&secret]);
        pipeline.command("ping", ["x".repeat(10_000)]);
        pipeline.call().unwrap();
        drop(pipeline);
        let guess = client.clone().token(secret.expose());
        guess.send("ping").unwrap_err();
        drop(guess);
        drop(secret);
        say("called");
    }

    /// Waits until the daemon's memory has this number of copies. The buffers are overwritten after the
    /// answer is sent, before the same thread's next turn.
    #[track_caller]
    fn check(daemon: &Program, secret: &str, copies: usize, what: &str) {
        let is_wiped = (0..50).any(|_| {
            daemon.client().send("ping").unwrap();
            count(daemon.id(), secret) == copies
        });
        assert!(is_wiped, "{what}: the daemon's memory has it still");
    }

    /// Counts the occurrences of a text in the writable memory of a process.
    fn count(process: u32, what: &str) -> usize {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
        let memory = File::open(format!("/proc/{process}/mem")).unwrap();
        let parts = maps.lines().map(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut part = vec![0; usize::try_from(end - start).unwrap()];
            // Unreadable or meanwhile unmapped memory counts as empty.
            let is_read = rest.starts_with("rw") && memory.read_exact_at(&mut part, start).is_ok();
            if is_read { count_in(&part, what.as_bytes()) } else { 0 }
        });
        parts.sum()
    }

    /// Uses the standard library's search for a byte, since a loop here is slow without optimization.
    fn count_in(mut part: &[u8], what: &[u8]) -> usize {
        let mut count = 0;
        while part.skip_until(what[0]).unwrap() > 0 {
            count += usize::from(part.starts_with(&what[1..]));
        }
        count
    }
}
