//! Audit records of decisions.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::audit::{Decision, Record};
use dockipc::{Access, Handle, Request, Server, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Place, exchange, resp};

/// For every caller, by a rule.
#[command("greet", alias = "g", allow = "any")]
fn greet(name: &str, #[arg(flag)] loud: bool, #[arg(long)] tag: Vec<String>) -> String {
    format!("{name} {loud} {tag:?}")
}

/// For no user that runs these tests.
#[command("erase", alias = "wipe", allow = "uid:4294967294 | group:4294967294")]
fn erase(disk: &str, pass: u8, more: Vec<String>) -> String {
    format!("{disk} {pass} {more:?}")
}

/// A parameter that must not be parsed.
struct Trap;

impl FromStr for Trap {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        PARSED.fetch_add(1, SeqCst);
        panic!("parsed");
    }
}

/// For no user that runs these tests.
#[command("trap", allow = "uid:4294967294")]
fn trap(#[arg(from_str)] _trap: Trap, #[arg(rest)] _text: Option<&str>) {}

static PARSED: AtomicU64 = AtomicU64::new(0);

/// Counts how often its parameter is parsed, and how often it runs.
#[command("counted", allow = "any")]
fn counted(#[arg(from_str)] _counted: Counted) {
    RUNS.fetch_add(1, SeqCst);
}

struct Counted;

impl FromStr for Counted {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        RUNS.fetch_add(1, SeqCst);
        Ok(Self)
    }
}

static RUNS: AtomicU64 = AtomicU64::new(0);

/// Has any number of words.
#[command("many", allow = "any")]
fn many(first: &[u8], others: Vec<&[u8]>) -> usize {
    first.len() + others.len()
}

/// Has a number and the rest of the line.
#[command("note", allow = "any")]
fn note(id: u8, #[arg(rest)] text: &str) -> String {
    format!("{id} {text}")
}

/// Waits for the gate.
#[command("wait", allow = "any")]
fn wait(request: &Request<'_>, word: &str) -> String {
    request.state::<Gate>().unwrap().pass();
    word.to_owned()
}

/// Has no rule.
#[command("open")]
fn open(word: Option<&str>) -> String {
    word.unwrap_or_default().to_owned()
}

/// A copy of a record.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// The decision, the command, its arguments, and the number of words that are left out.
    text: String,
    rule: String,
    runs: bool,
    request: Option<u64>,
    connection: u64,
}

#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Seen>>>);

impl Journal {
    fn write(&self, record: &Record<'_>) {
        assert_eq!(record.peer().uid(), rustix::process::geteuid().as_raw());
        let age = record.time().elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(60), "{age:?}");
        let mut text = format!("{} {}", record.decision().as_str(), record.command());
        for argument in record.arguments() {
            let _ = write!(text, " {}={}", argument.name(), argument.value());
        }
        if record.left_out() > 0 {
            let _ = write!(text, " and {}", record.left_out());
        }
        let request = record.request();
        let (rule, connection) = (record.rule().to_owned(), record.connection());
        let seen = Seen { text, rule, runs: request.is_some(), request, connection };
        self.0.lock().unwrap().push(seen);
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Takes the only record since the last look. Returns its text, its rule, and whether the command runs.
    #[track_caller]
    fn one(&self) -> (String, String, bool) {
        match <[Seen; 1]>::try_from(self.take()) {
            Ok([Seen { text, rule, runs, .. }]) => (text, rule, runs),
            Err(seen) => panic!("one record, not {seen:?}"),
        }
    }
}

pub(super) fn start(server: Server) -> Handle {
    server.state(Gate::default()).spawn_in_process().expect("a server that starts")
}

fn recorded(server: Server) -> (Handle, Journal) {
    let journal = Journal::default();
    let hook = journal.clone();
    let server = server.audit(move |record| {
        hook.write(record);
        Ok(())
    });
    (start(server), journal)
}

/// Sends bytes over a new connection, and returns the answer as text.
#[track_caller]
pub(super) fn ask(daemon: &Handle, bytes: impl AsRef<[u8]>) -> String {
    let answer = exchange(daemon.connect().expect("a connection"), bytes.as_ref());
    String::from_utf8_lossy(&answer).into_owned()
}

pub(super) const STRANGER: &str = "uid:4294967294 | group:4294967294";

#[test]
fn each_decision_has_one_record_with_its_words() {
    let (daemon, journal) = recorded(Server::new());
    let cases = [
        ("greet Ada\n", "allowed greet name=Ada", "any", true),
        ("G Ada\n", "allowed greet name=Ada", "any", true),
        (
            "greet --loud --tag=a 'A \"B\"' --tag b\n",
            "allowed greet name=A \"B\" loud=true tag=a tag=b",
            "any",
            true,
        ),
        ("erase sda 3\n", "denied erase disk=sda pass=3", STRANGER, false),
        ("WIPE sda 3 x 'y z'\n", "denied erase disk=sda pass=3 more=x more=y z", STRANGER, false),
        // Not parsed, since it is denied.
        ("erase sda many\n", "denied erase disk=sda pass=many", STRANGER, false),
        ("erase\n", "denied erase", STRANGER, false),
        // The call is allowed, and then parsing fails.
        ("note x\n", "allowed note id=x", "any", true),
        ("note 1 the  rest 'of it\n", "allowed note id=1 text=the  rest 'of it", "any", true),
        // Words that don't fit are numbered.
        ("greet Ada Bob\n", "allowed greet 1=Ada 2=Bob", "any", false),
        ("greet --what 'a b' c\n", "allowed greet 1=--what 2=a b 3=c", "any", false),
        ("greet a 'b\n", "allowed greet 1=a", "any", false),
        ("trap a b\n", "denied trap trap=a text=b", "uid:4294967294", false),
    ];
    for (line, text, rule, runs) in cases {
        ask(&daemon, line);
        assert_eq!(journal.one(), (text.into(), rule.into(), runs), "{line}");
        let wrapped = line.trim_end();
        ask(&daemon, resp(&["dockipc", "line", wrapped]));
        assert_eq!(journal.one(), (text.into(), rule.into(), runs), "{line} in RESP");
    }
    let cases: [(&[&str], &str, bool); 6] = [
        (&["greet", "Ada"], "allowed greet name=Ada", true),
        (&["many", "a", "b c", "d"], "allowed many first=a others=b c others=d", true),
        (&["note", "1", "a", "b"], "allowed note id=1 text=a b", true),
        (&["greet", "Ada", "Bob"], "allowed greet 1=Ada 2=Bob", false),
        (&["erase", "sda", "3", "--x"], "denied erase disk=sda pass=3 more=--x", false),
        (&["trap", "a", "b", "c"], "denied trap trap=a text=b c", false),
    ];
    for (words, text, runs) in cases {
        ask(&daemon, resp(words));
        let (seen, _, seen_runs) = journal.one();
        assert_eq!((&*seen, seen_runs), (text, runs), "{words:?}");
    }
    assert_eq!(PARSED.load(SeqCst), 0, "nothing of a denied command's is run");
}

#[test]
fn calls_without_a_decision_are_not_recorded() {
    let (daemon, journal) = recorded(Server::new());
    for line in
        ["open\n", "open a b\n", "ping\n", "help\n", "no-such\n", "\n", "greet 'Ada", "greet"]
    {
        ask(&daemon, line);
    }
    ask(&daemon, resp(&["auth", "a", "b"]));
    ask(&daemon, resp(&["hello", "3", "auth", "a", "b"]));
    assert_eq!(journal.take(), []);
}

/// Returns a server with a token, and the directory of the token file.
fn with_token(server: Server) -> (Place, Server) {
    let place = Place::new();
    let file = place.directory().join("token");
    fs::write(&file, "0123456789abcdef").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    (place, server.token_file(file).allow("open", "token"))
}

#[test]
fn refused_tokens_are_recorded_without_the_guess() {
    let (_place, server) = with_token(Server::new());
    let (daemon, journal) = recorded(server);
    let wrong = ("wrong token".to_owned(), false);
    let cases: [(&[&str], &str); 4] = [
        (&["AUTH", "guess"], "denied auth and 1"),
        (&["auth", "guess", "guess"], "denied auth and 2"),
        (&["HELLO", "3", "AUTH", "guess", "guess", "SETNAME", "x"], "denied auth and 6"),
        (&["dockipc", "line", "auth guess"], "denied auth and 1"),
    ];
    for (words, text) in cases {
        let answer = ask(&daemon, resp(words));
        assert!(answer.starts_with("-WRONGPASS "), "{answer}");
        assert_eq!(journal.one(), (text.to_owned(), wrong.0.clone(), wrong.1), "{words:?}");
    }
    // These are no guesses: the right token, no token, a token in line mode.
    for words in [&["AUTH", "0123456789abcdef"][..], &["AUTH"], &["HELLO", "3", "AUTH", "x"]] {
        ask(&daemon, resp(words));
    }
    ask(&daemon, "auth guess\n");
    assert_eq!(journal.take(), []);
}

#[test]
fn token_is_refused_even_if_the_audit_fails() {
    let (_place, server) = with_token(Server::new());
    let daemon = start(server.audit(|record| match record.decision() {
        Decision::Denied => panic!("as the test wants"),
        Decision::Allowed => Err(io::ErrorKind::Other.into()),
    }));
    let answer = ask(&daemon, resp(&["AUTH", "guess"]));
    assert_eq!(answer, "-WRONGPASS wrong token (1 of 3 attempts used)\r\n");
}

#[test]
fn slow_audit_counts_each_token_once() {
    let (_place, server) = with_token(Server::new());
    let records = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&records);
    let daemon = start(server.audit(move |_| {
        // Slow enough that later audits go to a worker.
        thread::sleep(Duration::from_millis(20));
        counted.fetch_add(1, SeqCst);
        Ok(())
    }));
    for round in 1..=3 {
        let answer = ask(&daemon, resp(&["AUTH", "guess"]).repeat(4));
        let wrong = |used| format!("-WRONGPASS wrong token ({used} of 3 attempts used)\r\n");
        assert_eq!(answer, [1, 2, 3].map(wrong).concat());
        assert_eq!(records.load(SeqCst), 3 * round);
    }
}

#[test]
fn words_without_parameters_are_numbered() {
    let server = Server::new()
        .handle("closure", |request: &Request<'_>| request.words().count())
        .fallback(|request: &Request<'_>| request.name().to_owned());
    let (daemon, journal) = recorded(server.allow("*", "any").allow("info", "uid:4294967294"));
    let cases = [
        ("Closure 'a b' c\n", "allowed closure 1=a b 2=c", true),
        ("closure 'a\n", "allowed closure", false),
        ("echo hello\n", "allowed echo 1=hello", true),
        ("echo 'hello\n", "allowed echo", false),
        ("Whatever 1\n", "allowed Whatever 1=1", true),
        ("info all\n", "denied info 1=all", false),
    ];
    for (line, text, runs) in cases {
        ask(&daemon, line);
        let (seen, _, seen_runs) = journal.one();
        assert_eq!((&*seen, seen_runs), (text, runs), "{line}");
    }
    ask(&daemon, resp(&[b"what\xff\n".as_slice(), b"\0"]));
    assert_eq!(journal.one(), (r"allowed what\xff\n 1=\0".into(), "any".into(), false));
}

#[test]
fn default_deny_and_second_sockets_are_recorded() {
    let place = Place::new();
    let server = Server::new().default_deny().fallback(|_: &Request<'_>| ());
    let (daemon, journal) = recorded(server);
    ask(&daemon, "open x\n");
    assert_eq!(journal.one(), ("denied open word=x".into(), "nobody".into(), false));
    ask(&daemon, "no-such x\n");
    assert_eq!(journal.one(), ("denied no-such 1=x".into(), "nobody".into(), false));

    let journal = Journal::default();
    let hook = journal.clone();
    let second = place.directory().join("second");
    let server = Server::new().state(Gate::default()).audit(move |record| {
        hook.write(record);
        Ok(())
    });
    let server = server.also_at(&second, Access::only(["greet"]).mode(0o666));
    let _daemon = server.spawn(place.socket()).unwrap();
    let not_offered = "not offered at this socket";
    for (path, line, text, rule) in [
        (&second, "open x\n", "denied open word=x", not_offered),
        (&second, "note 1 x\n", "denied note id=1 text=x", not_offered),
        (&second, "greet x\n", "allowed greet name=x", "any"),
        (&place.socket(), "note 1 x\n", "allowed note id=1 text=x", "any"),
    ] {
        exchange(UnixStream::connect(path).unwrap(), line.as_bytes());
        let (seen, seen_rule, _) = journal.one();
        assert_eq!((&*seen, &*seen_rule), (text, rule), "{line}");
    }
    exchange(UnixStream::connect(place.socket()).unwrap(), b"open x\n");
    assert_eq!(journal.take(), []);
}

#[test]
fn record_has_the_request_and_connection_ids() {
    let server = Server::new().allow("ids", "any");
    let ids = |request: &Request<'_>| (request.connection(), request.id());
    let (daemon, journal) = recorded(server.handle("ids", ids));
    let client = daemon.client();
    for _ in 0..3 {
        let (connection, request): (u64, u64) = client.command("ids").call().unwrap();
        let [seen] = <[Seen; 1]>::try_from(journal.take()).unwrap();
        assert_eq!((seen.connection, seen.request), (connection, Some(request)));
    }
}

#[test]
fn command_moved_to_a_worker_is_recorded_once() {
    let gate = Gate::default();
    let journal = Journal::default();
    let hook = journal.clone();
    let server = Server::new().state(gate.clone()).audit(move |record| {
        hook.write(record);
        Ok(())
    });
    let daemon = server.spawn_in_process().unwrap();
    // After the first round the command is known to be slow.
    for round in 0..3 {
        gate.close();
        let connections = [(); 8].map(|()| daemon.connect().unwrap());
        for mut connection in &connections {
            connection.write_all(&resp(&["wait", "x"])).unwrap();
        }
        until("all of them wait", || gate.waiting() == 8);
        assert_eq!(journal.len(), 8, "round {round}: before they run");
        gate.open();
        for connection in connections {
            assert_eq!(exchange(connection, b""), b"$1\r\nx\r\n");
        }
        let mut requests: Vec<_> = journal.take().into_iter().map(|seen| seen.request).collect();
        requests.sort_unstable();
        requests.dedup();
        assert_eq!(requests.len(), 8, "round {round}");
    }
}

#[test]
fn transaction_records_each_command_once() {
    let (daemon, journal) = recorded(Server::new().allow("echo", "any"));
    let multi = |commands: &[&[&str]]| {
        let commands: Vec<_> = commands.iter().flat_map(|words| resp(words)).collect();
        ask(&daemon, [resp(&["MULTI"]), commands, resp(&["EXEC"])].concat())
    };
    let texts = || journal.take().into_iter().map(|seen| seen.text).collect::<Vec<_>>();
    // Queued commands are recorded when they run.
    let runs = RUNS.load(SeqCst);
    let answer = multi(&[&["greet", "Ada"], &["open", "x"], &["echo", "y"], &["counted", "z"]]);
    assert!(answer.ends_with("*4\r\n$12\r\nAda false []\r\n$1\r\nx\r\n$1\r\ny\r\n+OK\r\n"));
    let seen = journal.take();
    assert!(seen.iter().all(|seen| seen.runs && seen.rule == "any"), "{seen:?}");
    let seen: Vec<_> = seen.into_iter().map(|seen| seen.text).collect();
    assert_eq!(seen, ["allowed greet name=Ada", "allowed echo 1=y", "allowed counted counted=z"]);
    assert!(RUNS.load(SeqCst) > runs);

    // A refused one is recorded when it is refused, and the others do not run.
    let answer = multi(&[&["greet", "Ada"], &["erase", "sda", "3"], &["greet", "Bob"]]);
    assert!(answer.ends_with("-EXECABORT Transaction discarded because of previous errors.\r\n"));
    assert_eq!(texts(), ["denied erase disk=sda pass=3"]);
    multi(&[&["greet", "a", "b"], &["echo", "y"]]);
    assert_eq!(texts(), ["allowed greet 1=a 2=b"]);
    multi(&[&["note", "300", "x", "y"]]);
    let seen = journal.one();
    assert_eq!(seen, ("allowed note id=300 text=x y".into(), "any".into(), false));
    assert_eq!(PARSED.load(SeqCst), 0);
}

#[test]
fn blocked_hook_delays_no_other_client() {
    let gate = Gate::default();
    let hook = gate.clone();
    let server = Server::new().audit(move |_| {
        hook.pass();
        Ok(())
    });
    let daemon = start(server.allow("echo", "any"));
    for round in 1..4 {
        gate.close();
        let lines = ["greet Ada\n", "erase sda 3\n", "greet a b\n", "echo x\n"];
        let connections = lines.map(|line| {
            let mut connection = daemon.connect().unwrap();
            connection.write_all(line.as_bytes()).unwrap();
            connection
        });
        until("all of them wait", || gate.waiting() == lines.len());
        assert_eq!(ask(&daemon, "open still\n"), "still", "round {round}");
        gate.open();
        let starts = ["Ada false", "-NOPERM", "-USAGE", "x"];
        for (connection, start) in connections.into_iter().zip(starts) {
            let answer = String::from_utf8(exchange(connection, b"")).unwrap();
            assert!(answer.starts_with(start), "{answer}");
        }
        assert_eq!(gate.came(), lines.len() * round, "each is recorded once");
    }
}

#[test]
fn command_without_a_record_does_not_run() {
    let fails = Arc::new(AtomicBool::new(false));
    let panics = Arc::clone(&fails);
    let server = Server::new().audit(move |record| {
        assert!(!panics.load(SeqCst), "{}", record.command());
        let path = "/some/secret/place: No space left";
        Err(io::Error::new(io::ErrorKind::StorageFull, path))
    });
    let ran = |request: &Request<'_>| {
        RUNS.fetch_add(1, SeqCst);
        request.words().count()
    };
    let daemon = start(server.handle("ran", ran).allow("ran", "any").allow("echo", "any"));
    for why in ["no storage space", "it panicked"] {
        let before = RUNS.load(SeqCst);
        let failed = format!("-ERR the audit failed: {why}; the command was not run\n");
        for line in ["counted x\n", "counted\n", "greet a b\n", "ran x\n", "echo x\n"] {
            assert_eq!(ask(&daemon, line), failed, "{line}");
        }
        let denied = ask(&daemon, "erase sda 3\n");
        assert!(denied.starts_with("-NOPERM permission denied: \"erase\" requires"), "{denied}");
        assert_eq!(ask(&daemon, "open x\n"), "x");
        assert_eq!(RUNS.load(SeqCst), before);
        fails.store(true, SeqCst);
    }
}

#[test]
fn long_words_and_long_lists_are_truncated() {
    let (daemon, journal) = recorded(Server::new());
    let long = "a".repeat(300);
    ask(&daemon, resp(&["many", &long]));
    assert_eq!(journal.one().0, format!("allowed many first={}…", "a".repeat(256)));

    let words: Vec<_> = ["many"].into_iter().chain(std::iter::repeat_n("x", 100_000)).collect();
    ask(&daemon, resp(&words));
    let seen = journal.one().0;
    assert_eq!(seen.matches(" others=x").count(), 63);
    assert!(seen.ends_with(" others=x and 99936"), "{seen}");

    let words: Vec<_> = ["greet"].into_iter().chain(["x"; 100]).collect();
    ask(&daemon, resp(&words));
    let seen = journal.one().0;
    assert!(seen.ends_with(" 64=x and 36"), "{seen}");
}

#[cfg(feature = "tracing")]
mod tracing {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use ::tracing::field::{Field, Visit};
    use ::tracing::span::{Attributes, Id, Record};
    use ::tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Keeps events as text.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            let _ = write!(self.0, " {field}={value:?}");
        }
    }

    impl Subscriber for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let metadata = event.metadata();
            let mut text = Text(format!("{} {}:", metadata.level(), metadata.target()));
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn record_becomes_an_event() {
        let kept = Kept::default();
        ::tracing::subscriber::set_global_default(kept.clone()).unwrap();
        let daemon = start(Server::new().audit(dockipc::audit::to_tracing));
        ask(&daemon, "greet 'a \"b\"'\n");
        ask(&daemon, resp(&[&b"erase"[..], b"s\nda", b"3"]));
        let events = kept.0.lock().unwrap();
        let [allowed, denied] = &events[..] else { panic!("{events:?}") };
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let who = format!("uid={uid} gid={gid} pid={} connection=", std::process::id());
        assert!(allowed.starts_with(&format!("INFO dockipc::audit: {who}1 request=")), "{allowed}");
        let rest = r#" command="greet" arguments="name=\"a \\\"b\\\"\"" left_out=0 decision="allowed" rule="any""#;
        assert!(allowed.ends_with(rest), "{allowed}");
        let rest = r#" command="erase" arguments="disk=\"s\\\\nda\" pass=\"3\"" left_out=0 decision="denied" rule="uid:4294967294 | group:4294967294""#;
        assert_eq!(*denied, format!("WARN dockipc::audit: {who}2{rest}"));
    }
}

#[test]
fn decision_has_a_name() {
    assert_eq!(Decision::Allowed.as_str(), "allowed");
    assert_eq!(Decision::Denied.as_str(), "denied");
}
