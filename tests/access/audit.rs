//! The audit: every decision about a command with a rule has one record.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use dockipc::audit::{Decision, JsonLines, Record};
use dockipc::{Access, Handle, Request, Server, command};
use serde_json::Value;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::process::until;
use tests::{Place, exchange, figure, long, peers, resp, test_name};

/// For whoever can connect, and ruled all the same.
#[command("greet", alias = "g", allow = "any")]
fn greet(name: &str, #[arg(flag)] loud: bool, #[arg(long)] tag: Vec<String>) -> String {
    format!("{name} {loud} {tag:?}")
}

/// For nobody who runs these tests.
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

/// For nobody either.
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

/// Lasts.
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

/// A record, to keep.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// The decision, the command, its arguments, and how many are left out.
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

    /// The one record since the last look: what it says, its rule, and whether the command runs.
    #[track_caller]
    fn one(&self) -> (String, String, bool) {
        match <[Seen; 1]>::try_from(self.take()) {
            Ok([Seen { text, rule, runs, .. }]) => (text, rule, runs),
            Err(seen) => panic!("one record, not {seen:?}"),
        }
    }
}

fn start(server: Server) -> Handle {
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

/// Sends bytes over a new connection; what comes back as text.
#[track_caller]
fn ask(daemon: &Handle, bytes: impl AsRef<[u8]>) -> String {
    let answer = exchange(daemon.connect().expect("a connection"), bytes.as_ref());
    String::from_utf8_lossy(&answer).into_owned()
}

const STRANGER: &str = "uid:4294967294 | group:4294967294";

#[test]
fn each_decision_is_recorded_once_with_what_was_sent() {
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
        // It runs, and then the parameter can't be read.
        ("note x\n", "allowed note id=x", "any", true),
        ("note 1 the  rest 'of it\n", "allowed note id=1 text=the  rest 'of it", "any", true),
        // Words that don't fit have no names.
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
fn what_has_no_rule_and_what_gets_no_decision_is_not_recorded() {
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

/// A server with a token, and its directory.
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
    // What is no guess: the right one, none at all, one on a line.
    for words in [&["AUTH", "0123456789abcdef"][..], &["AUTH"], &["HELLO", "3", "AUTH", "x"]] {
        ask(&daemon, resp(words));
    }
    ask(&daemon, "auth guess\n");
    assert_eq!(journal.take(), []);
}

#[test]
fn a_token_is_refused_also_if_the_audit_fails() {
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
        // So that it is known to be slow: then the command is put aside for another thread.
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
fn built_in_commands_closures_and_fallbacks_have_numbers_for_names() {
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
fn a_server_that_denies_by_default_and_a_second_socket_are_recorded_too() {
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
fn a_record_has_the_numbers_of_the_request_and_the_connection() {
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
fn a_command_that_is_put_aside_for_another_thread_is_recorded_once() {
    let gate = Gate::default();
    let journal = Journal::default();
    let hook = journal.clone();
    let server = Server::new().state(gate.clone()).audit(move |record| {
        hook.write(record);
        Ok(())
    });
    let daemon = server.spawn_in_process().unwrap();
    // After the first, the command is known to be slow.
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
fn a_hook_that_blocks_holds_up_nobody_else() {
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
fn what_can_not_be_recorded_is_not_run() {
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
fn long_and_many_words_are_cut() {
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

/// The lines of a file of records, each of them whole.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file of records");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn written(path: &Path) -> Handle {
    let log = JsonLines::create(path).unwrap();
    start(Server::new().audit(move |record| log.write(record)))
}

#[test]
fn a_line_of_json_has_everything() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = written(&path);
    ask(&daemon, "greet --loud Ada\n");
    ask(&daemon, "erase sda 3\n");
    let text = fs::read_to_string(&path).unwrap();
    let keys = r#"{"time":_,"uid":_,"gid":_,"groups":_,"pid":_,"connection":_,"request":_,"command":_,"arguments":_,"left_out":_,"decision":_,"rule":_}"#;
    let [first, second] = &lines(&path)[..] else { panic!("{text}") };
    for (record, line) in [(first, text.lines().next()), (second, text.lines().nth(1))] {
        // The order of the fields is a part of the format.
        let mut at = 0;
        for key in keys.split('"').skip(1).step_by(2) {
            let found = line.unwrap()[at..].find(&format!("\"{key}\":")).expect(key);
            at += found;
        }
        assert_eq!(record.as_object().unwrap().len(), 12);
        assert_eq!(record["uid"], rustix::process::geteuid().as_raw());
        assert_eq!(record["gid"], rustix::process::getegid().as_raw());
        assert_eq!(record["pid"], std::process::id());
        let mut groups: Vec<_> = rustix::process::getgroups().unwrap();
        groups.sort_by_key(|group| group.as_raw());
        let mut seen: Vec<_> =
            record["groups"].as_array().unwrap().iter().map(|g| g.as_u64().unwrap()).collect();
        seen.sort_unstable();
        let groups: Vec<_> = groups.into_iter().map(|group| u64::from(group.as_raw())).collect();
        assert_eq!(seen, groups);
        assert_eq!(record["left_out"], 0);
    }
    assert_eq!(first["command"], "greet");
    let arguments = r#"[{"name":"name","value":"Ada"},{"name":"loud","value":"true"}]"#;
    assert_eq!(first["arguments"], serde_json::from_str::<Value>(arguments).unwrap());
    assert_eq!((&first["decision"], &first["rule"]), (&"allowed".into(), &"any".into()));
    assert!(first["request"].is_u64());
    assert_eq!((&second["decision"], &second["rule"]), (&"denied".into(), &STRANGER.into()));
    assert!(second["request"].is_null());
    assert_ne!(first["connection"], second["connection"]);
}

#[test]
fn the_time_of_a_record_is_the_one_of_the_clock() {
    if peers::lacks("python3") {
        return;
    }
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = written(&path);
    let seconds =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let before = seconds();
    ask(&daemon, "greet Ada\n");
    let after = seconds();
    let program = "import json, sys, datetime\n\
        for line in open(sys.argv[1]):\n\
        \ttime = json.loads(line)['time'].replace('Z', '+00:00')\n\
        \tprint(datetime.datetime.fromisoformat(time).timestamp())";
    let text = peers::text(Command::new("python3").args(["-c", program]).arg(&path), b"");
    let time: f64 = text.trim().parse().unwrap();
    assert!(before - 0.001 < time && time < after + 0.001, "{before} {time} {after}");
}

/// Words that try to be more than a word.
fn hostile() -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![b'a', byte, b'b']).collect();
    let whole = [
        "\n{\"time\":\"2026\",\"uid\":0,\"decision\":\"allowed\"}\n",
        "\"},\"uid\":0,\"x\":{\"",
        "\\\"\\",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}\u{1c}\u{1d}\u{1e}",
        "\r\n\0\x1b[2J",
        "…",
        "\u{feff}\u{202e}\u{10ffff}",
    ];
    words.extend(whole.map(|word| word.as_bytes().to_vec()));
    words.push(b"\xf0\x9f\xa6\xed\xa0\x80\xc0\x80\xff".to_vec());
    words.push((0..=255).collect());
    words
}

#[test]
fn no_bytes_make_a_second_line_or_break_one() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let log = JsonLines::create(&path).unwrap();
    let server = Server::new().fallback(|_: &Request<'_>| ()).allow("*", "any");
    let daemon = start(server.audit(move |record| log.write(record)));
    let mut stream = daemon.connect().unwrap();
    let words = hostile();
    for word in &words {
        stream.write_all(&resp(&[&b"many"[..], word])).unwrap();
        // As the name of a command, which the fallback takes or which is no text.
        stream.write_all(&resp(&[word, &b"x"[..]])).unwrap();
    }
    exchange(stream, b"");
    let records = lines(&path);
    assert_eq!(records.len(), words.len() * 2);
    for record in &records {
        let value = record["arguments"][0]["value"].as_str().unwrap();
        for text in [value, record["command"].as_str().unwrap()] {
            assert!(!text.chars().any(|c| c.is_control() || c == '…'), "{text}");
        }
        assert_eq!(record["decision"], "allowed");
        assert_eq!(record["uid"], rustix::process::geteuid().as_raw());
    }
    if peers::lacks("python3") {
        return;
    }
    let program = "import json, sys\n\
        text = open(sys.argv[1], encoding='utf-8', newline='').read()\n\
        print(len([json.loads(line) for line in text.splitlines()]))";
    let count = peers::text(Command::new("python3").args(["-c", program]).arg(&path), b"");
    assert_eq!(count.trim(), records.len().to_string());
}

/// The daemon of the next test.
#[test]
fn serves() {
    apart::serve(|path| {
        let log = JsonLines::create(path.with_file_name("audit")).unwrap();
        let server = Server::new().state(Gate::default()).audit(move |record| log.write(record));
        server.run(path).unwrap();
    });
}

#[test]
fn ten_thousand_denied_attempts_have_as_many_records_and_take_no_memory() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = Apart::start("serves", place.socket());
    let attempts = long(1_000, 10_000);
    let mut stream = daemon.connect();
    let mut attempt = |n: usize| {
        let word = n.to_string();
        stream.write_all(&resp(&["erase", "sda", &word, "x"])).unwrap();
        let mut answer = [0; 128];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer.starts_with(b"-NOPERM "), "{}", answer[..length].escape_ascii());
    };
    // What stays is there after the first ones.
    let (first, rest) = (0..attempts / 10, attempts / 10..attempts);
    first.for_each(&mut attempt);
    let before = daemon.resident();
    rest.for_each(&mut attempt);
    let grown = daemon.resident().saturating_sub(before);
    let records = lines(&path);
    assert_eq!(records.len(), attempts);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["decision"], "denied");
        assert_eq!(record["arguments"][1]["value"], n.to_string());
    }
    figure(
        "denied attempts: tries, records, more memory in KiB",
        format_args!("{attempts}, {}, {}", records.len(), grown / 1024),
    );
    assert!(grown <= 512 * 1024, "{grown}");
}

mod file {
    use super::*;

    #[test]
    fn it_is_its_owners_alone() {
        let place = Place::new();
        let path = place.directory().join("audit");
        let _log = JsonLines::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_somebody_else_could_have_made_is_refused() {
        let place = Place::new();
        let path = |name: &str| place.directory().join(name);
        symlink(path("elsewhere"), path("link")).unwrap();
        fs::create_dir(path("directory")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        for mode in [0o620, 0o602, 0o666] {
            let path = path(&format!("{mode:o}"));
            fs::write(&path, "").unwrap();
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let cases = [
            ("link", "it is a symbolic link, or behind too many"),
            ("directory", "Is a directory (os error 21)"),
            ("pipe", "it is not a file"),
            ("620", "it has mode 0620, and others may not write to it"),
            ("602", "it has mode 0602, and others may not write to it"),
            ("666", "it has mode 0666, and others may not write to it"),
            ("no/such", "No such file or directory (os error 2)"),
        ];
        for (name, why) in cases {
            let path = path(name);
            let error = JsonLines::create(&path).unwrap_err().to_string();
            assert_eq!(error, format!("opening the audit file {}: {why}", path.display()));
        }
        assert!(!path("elsewhere").exists());
    }

    #[test]
    fn another_users_is_refused() {
        if !rustix::process::geteuid().is_root() {
            peers::skip("root, which can give files to others,");
            return;
        }
        let place = Place::new();
        let path = place.directory().join("audit");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let error = JsonLines::create(&path).unwrap_err().to_string();
        assert!(error.ends_with("it is owned by uid 65534, not 0"), "{error}");
    }

    #[test]
    fn a_file_that_is_moved_or_removed_is_followed_by_a_new_one() {
        let place = Place::new();
        let path = place.directory().join("audit");
        let daemon = written(&path);
        let open = || {
            let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
            let links = links.filter_map(|link| fs::read_link(link.path()).ok());
            links.filter(|link| link.starts_with(place.directory())).count()
        };
        ask(&daemon, "greet 1\n");
        assert_eq!(open(), 1);
        let old = place.directory().join("audit.1");
        fs::rename(&path, &old).unwrap();
        ask(&daemon, "greet 2\n");
        ask(&daemon, "greet 3\n");
        fs::remove_file(&path).unwrap();
        ask(&daemon, "greet 4\n");
        let value = |record: &Value| record["arguments"][0]["value"].clone();
        assert_eq!(lines(&old).iter().map(value).collect::<Vec<_>>(), ["1"]);
        assert_eq!(lines(&path).iter().map(value).collect::<Vec<_>>(), ["4"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(open(), 1);

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let answer = ask(&daemon, "greet 5\n");
        assert_eq!(answer, "-ERR the audit failed: is a directory; the command was not run\n");
        fs::remove_dir(&path).unwrap();
        assert_eq!(ask(&daemon, "greet 6\n"), "6 false []");
        assert_eq!(lines(&path).iter().map(value).collect::<Vec<_>>(), ["6"]);
    }

    #[test]
    fn a_line_that_was_torn_stays_alone() {
        let place = Place::new();
        let path = place.directory().join("audit");
        fs::write(&path, "{\"time\":\"20").unwrap();
        let daemon = written(&path);
        ask(&daemon, "greet 1\n");
        ask(&daemon, "greet 2\n");
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("{\"time\":\"20"));
        let rest: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rest.len(), 2);
    }

    #[test]
    fn several_writers_do_not_mix_their_lines() {
        let place = Place::new();
        let path = place.directory().join("audit");
        let (writers, each) = (4, long(500, 10_000));
        // Each has the file open for itself, as processes have.
        let daemons: Vec<_> = (0..writers).map(|_| written(&path)).collect();
        thread::scope(|scope| {
            for daemon in &daemons {
                scope.spawn(move || {
                    let client = daemon.client();
                    for n in 0..each {
                        let word = "x".repeat(n % 250);
                        client.command("many").arg(&word).call::<u64>().unwrap();
                    }
                });
            }
        });
        assert_eq!(lines(&path).len(), writers * each);
    }

    #[test]
    fn a_disk_that_is_full_stops_what_is_ruled() {
        // A file may be no longer than this: that of the kernel for a full disk is no regular file.
        let place = Place::new();
        let path = place.directory().join("audit");
        let output = Command::new(std::env::current_exe().unwrap())
            .args([&*test_name("file::with_a_limit"), "--exact", "--nocapture"])
            .env("DOCKIPC_TEST_AUDIT", &path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let text = fs::read_to_string(&path).unwrap();
        let (mut whole, mut torn) = (0, 0);
        for line in text.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(_) => whole += 1,
                Err(_) => torn += 1,
            }
        }
        // The commands that ran are 1 to 4 here, and those after the limit was lifted.
        assert!(whole >= 3 && torn == 1, "{text}");
    }

    /// A part of the test before, in a process of its own.
    #[test]
    fn with_a_limit() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Some(path) = std::env::var_os("DOCKIPC_TEST_AUDIT") else { return };
        let path = Path::new(&path);
        // The limit is told with a signal as well, which would end this process.
        ignore_file_size_signal();
        let daemon = written(path);
        assert_eq!(ask(&daemon, "greet 1\n"), "1 false []");
        let one = fs::metadata(path).unwrap().len();
        let before = getrlimit(Resource::Fsize);
        let limit = Rlimit { current: Some(one * 2 + one / 2), ..before };
        setrlimit(Resource::Fsize, limit).unwrap();
        assert_eq!(ask(&daemon, "greet 2\n"), "2 false []");
        let failed = ask(&daemon, "greet 3\n");
        assert!(failed.starts_with("-ERR the audit failed: "), "{failed}");
        assert!(ask(&daemon, "greet 4\n").starts_with("-ERR the audit failed: "));
        assert!(ask(&daemon, "erase sda 3\n").starts_with("-NOPERM "));
        setrlimit(Resource::Fsize, before).unwrap();
        assert_eq!(ask(&daemon, "greet 5\n"), "5 false []");
    }

    #[expect(unsafe_code, reason = "signal(2) has no safe form")]
    fn ignore_file_size_signal() {
        // SAFETY: to ignore a signal runs no code.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    }
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
    fn a_record_is_an_event() {
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
fn a_decision_has_a_name() {
    assert_eq!(Decision::Allowed.as_str(), "allowed");
    assert_eq!(Decision::Denied.as_str(), "denied");
}
