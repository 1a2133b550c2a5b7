//! A secret shows nowhere.

use std::fmt;
#[cfg(feature = "zeroize")]
use std::os::unix::fs::FileExt;
use std::str::FromStr;
use std::sync::Mutex;

use dockipc::audit::Record;
use dockipc::{Handle, Reply, Request, Secret, Server, State, command};
#[cfg(feature = "zeroize")]
use tests::{Place, program::Program};
use tests::{exchange, resp};

/// What must not be seen.
const SECRET: &str = "hunter2-swordfish";

/// Nor this, which is too long for a time or a number to have it by chance.
const CODE: usize = 4_321_987_654_321;

/// What a command prints of what it was given.
type Printed = Mutex<Vec<String>>;

/// Prints itself in its error, as many types do.
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
    printed: State<Printed>,
    request: &Request<'_>,
    user: &str,
    /// The new one.
    password: Secret<String>,
    #[arg(long, from_str, secret)] pin: Option<Pin>,
    #[arg(long, secret, default = CODE)] code: usize,
) -> usize {
    let pin = pin.is_some();
    printed.lock().unwrap().push(format!("{request:?} {password} {password:?}"));
    assert!(user != "panic", "as the test wants");
    password.expose().len() + code + usize::from(pin)
}

/// For nobody.
#[command("denied", allow = "uid:4294967294")]
fn denied(_user: &str, _password: Secret<String>) {}

/// All the forms.
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

/// Takes a rest that nobody may see.
#[command("text", allow = "any")]
fn text(#[arg(rest, secret)] text: &str) -> usize {
    text.len()
}

/// What the audit was told, and the daemon's own words.
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

/// The answers to some words: as a line, and in RESP.
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
fn no_error_shows_a_secret() {
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
    // A quote that is not closed, and text that is none.
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
fn the_audit_has_the_names_and_not_the_values() {
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
fn the_values_arrive_and_print_as_nothing() {
    let (daemon, _) = serve();
    let length = SECRET.len();
    let sum = (length + CODE).to_string();
    assert_eq!(ask(&daemon, &["login", "me", SECRET])[0], sum);
    let forms = ask(&daemon, &["forms", SECRET, "\u{e4}", "7", "a", "bc"]);
    assert_eq!(forms[0], format!("{length} 2 Some(7) [1, 2]"));
    assert!(ask(&daemon, &["text", "a", "b"])[1].contains(":3"));
    let client = daemon.client();
    let password = Secret::new(SECRET.to_owned());
    let call = client.command("login").arg("me").arg(&password).arg(Some("--code")).arg(0);
    assert!(!format!("{call:?}").contains(SECRET), "{call:?}");
    assert_eq!(call.call::<usize>().unwrap(), length);
    let mut pipeline = client.pipeline();
    pipeline.command("text", [&password]);
    assert!(!format!("{pipeline:?}").contains(SECRET), "{pipeline:?}");
    assert_eq!(pipeline.call().unwrap(), [Reply::Int(17)]);
    assert_eq!(format!("{password} {password:?}"), "… …");
}

#[test]
fn a_request_with_a_secret_shows_no_words() {
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
fn help_shows_no_default_and_says_that_it_is_a_secret() {
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

#[cfg(feature = "zeroize")]
#[test]
fn after_the_command_the_daemons_memory_has_no_secret() {
    let place = Place::new();
    let daemon = Program::start(&place.socket());
    let client = daemon.client();
    // So that what is searched for is only there if the daemon was sent it.
    // Long: what comes next is written over the beginning of a buffer.
    let secret: String = (0..250_u8).map(|i| char::from(b'a' + i % 23)).collect();
    // Seen while it is held, or this test could not fail.
    client.command("keep").arg(Secret::new(secret.clone())).call::<()>().unwrap();
    assert!(memory_of(daemon.id()).iter().any(|part| holds(part, &secret.as_bytes()[200..])));
    client.send("forget").unwrap();
    exchange(daemon.connect(), format!("secret {secret}\n").as_bytes());
    exchange(daemon.connect(), format!("secret '{secret}'\n").as_bytes());
    exchange(daemon.connect(), &resp(&[&b"secret"[..], secret.as_bytes()]));
    exchange(daemon.connect(), &resp(&[&b"secret"[..], secret.as_bytes(), b"too much"]));
    // The answer is sent before the buffers are wiped; a turn of the same thread comes after that.
    let is_wiped = (0..50).any(|_| {
        client.send("ping").unwrap();
        !memory_of(daemon.id()).iter().any(|part| holds(part, &secret.as_bytes()[200..]))
    });
    assert!(is_wiped, "the daemon's memory has it still");
}

/// All that a process could write to.
#[cfg(feature = "zeroize")]
fn memory_of(process: u32) -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let parts = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        // What was freed meanwhile, or can't be read, has nothing.
        let is_read = rest.starts_with("rw") && memory.read_exact_at(&mut part, start).is_ok();
        is_read.then_some(part)
    });
    parts.collect()
}

#[cfg(feature = "zeroize")]
fn holds(part: &[u8], secret: &[u8]) -> bool {
    part.windows(secret.len()).any(|window| window == secret)
}
