//! Client calls: typed answers, whole or an error that says why.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::error::Ran;
use dockipc::{Client, Error, Failure, IntoReply, Reply, Request, Server, command};
use tests::program::executable;
use tests::scripted::{GREETING, greet, greet_alone, handshake, scripted};
use tests::{Daemon, PATIENCE, Place, expect, leave_socket, resp, rest, test_name};

/// Number of times a command ran.
struct Runs(Arc<AtomicU64>);

#[command]
fn hit(request: &Request<'_>) -> u64 {
    request.state::<Runs>().unwrap().0.fetch_add(1, SeqCst) + 1
}

#[command]
fn value(what: &str) -> Result<Reply, Failure> {
    Ok(match what {
        "nothing" => ().into_reply(),
        "none" => None::<u8>.into_reply(),
        "text" => "blå\r\n".into_reply(),
        "number text" => "42".into_reply(),
        "bytes" => (0..=255).collect::<Vec<u8>>().into_reply(),
        "int" => i64::MIN.into_reply(),
        "small" => 7.into_reply(),
        "big" => u128::MAX.into_reply(),
        "float" => 0.1_f64.into_reply(),
        "yes" => true.into_reply(),
        "char" => 'ß'.into_reply(),
        "list" => vec![3, 1].into_reply(),
        "optional" => vec![Some(1), None].into_reply(),
        "set" => BTreeSet::from([1, 3]).into_reply(),
        "map" => BTreeMap::from([("k", 1), ("l", 2)]).into_reply(),
        "tuple" => (1, "one", true).into_reply(),
        "long tuple" => (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "end").into_reply(),
        "path" => PathBuf::from("/a/b").into_reply(),
        "inner" => Reply::List(vec![Reply::Int(1), Reply::Error(Failure::new("INNER", "why"))]),
        _ => return Err(Failure::new("NO_SUCH", format!("value {what}"))),
    })
}

/// Return the arguments, each in brackets.
#[command]
fn words(request: &Request<'_>, words: Vec<Vec<u8>>) -> Vec<u8> {
    let _ = request;
    words.iter().flat_map(|word| [b"[", &word[..], b"]"].concat()).collect()
}

#[command]
fn wait(time: Duration) -> String {
    format!("{time:?}")
}

#[command]
fn big(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

fn server() -> (Server, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    (Server::new().state(Runs(Arc::clone(&runs))), runs)
}

fn daemon() -> Daemon {
    Daemon::start(server().0)
}

/// Returns a client that fails rather than hangs.
fn client(path: impl AsRef<Path>) -> Client {
    Client::new(path).read_timeout(PATIENCE).write_timeout(PATIENCE)
}

#[test]
fn every_answer_converts_to_its_type() {
    let daemon = daemon();
    let client = client(daemon.path());
    macro_rules! get {
        ($what:literal as $ty:ty) => {
            client.command("value").arg($what).call::<$ty>().unwrap()
        };
    }
    get!("nothing" as ());
    get!("map" as ());
    assert_eq!(get!("none" as Option<u8>), None);
    assert_eq!(get!("small" as Option<u8>), Some(7));
    assert_eq!(get!("text" as String), "blå\r\n");
    assert_eq!(get!("text" as Vec<u8>), "blå\r\n".as_bytes());
    assert_eq!(get!("bytes" as Vec<u8>), (0..=255).collect::<Vec<u8>>());
    assert_eq!(get!("int" as i64), i64::MIN);
    assert_eq!(get!("int" as i128), i64::MIN.into());
    assert_eq!(get!("small" as u8), 7);
    assert_eq!(get!("small" as usize), 7);
    assert_eq!(get!("small" as f64).to_string(), "7");
    assert_eq!(get!("small" as String), "7");
    assert_eq!(get!("number text" as u16), 42);
    assert_eq!(get!("big" as u128), u128::MAX);
    assert_eq!(get!("float" as f64).to_string(), "0.1");
    assert_eq!(get!("float" as f32).to_string(), "0.1");
    assert!(get!("yes" as bool));
    assert_eq!(get!("char" as String), "ß");
    assert_eq!(get!("list" as Vec<i64>), [3, 1]);
    assert_eq!(get!("list" as BTreeSet<u8>), BTreeSet::from([1, 3]));
    assert_eq!(get!("optional" as Vec<Option<u8>>), [Some(1), None]);
    assert_eq!(get!("set" as HashSet<i32>), HashSet::from([1, 3]));
    assert_eq!(get!("set" as Vec<i32>), [1, 3]);
    let map = [("k".to_owned(), 1), ("l".to_owned(), 2)];
    assert_eq!(get!("map" as HashMap<String, u8>), HashMap::from(map.clone()));
    assert_eq!(get!("map" as BTreeMap<String, u8>), BTreeMap::from(map));
    assert_eq!(get!("tuple" as (u8, String, bool)), (1, "one".into(), true));
    assert_eq!(get!("path" as PathBuf), Path::new("/a/b"));
    assert_eq!(get!("path" as Box<str>), "/a/b".into());
    assert_eq!(get!("list" as [u16; 2]), [3, 1]);
    assert_eq!(get!("path" as [u8; 4]), *b"/a/b");
    assert_eq!(get!("list" as VecDeque<u16>), [3, 1]);
    assert_eq!(get!("list" as Box<Arc<Vec<u16>>>), Box::new(Arc::new(vec![3, 1])));
    let long = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "end".to_owned());
    assert_eq!(get!("long tuple" as (u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, String)), long);
    let inner = Reply::List(vec![Reply::Int(1), Reply::Error(Failure::new("INNER", "why"))]);
    assert_eq!(get!("inner" as Reply), inner);
}

#[test]
fn type_mismatch_keeps_the_connection() {
    let daemon = daemon();
    let client = client(daemon.path());
    let id: u64 = client.command("client").arg("id").call().unwrap();
    let get = |what: &str| client.command("value").arg(what);
    let told = |error: Error, text: &str| {
        assert!(matches!(error, Error::Mismatch { .. }), "{error}");
        assert_eq!(error.to_string(), text);
    };
    told(get("text").call::<u8>().unwrap_err(), r#"the answer is "bl\xc3\xa5\r\n", not u8"#);
    told(
        get("int").call::<u8>().unwrap_err(),
        "the answer is the integer -9223372036854775808, not u8",
    );
    told(get("none").call::<u8>().unwrap_err(), "the answer is nothing, not u8");
    told(get("map").call::<Vec<u8>>().unwrap_err(), "the answer is a map of 2, not bytes");
    told(
        get("list").call::<[u64; 3]>().unwrap_err(),
        "the answer is 2 items long, not as long as the array",
    );
    told(
        get("number text").call::<Duration>().unwrap_err(),
        r#"the answer is "42", not a duration"#,
    );
    told(get("list").call::<(u8,)>().unwrap_err(), "the answer is a list of 2, not a list of 1");
    told(get("bytes").call::<String>().unwrap_err(), "the answer is 256 bytes, not UTF-8 text");
    let inner = get("inner").call::<Vec<u8>>().unwrap_err();
    assert!(matches!(inner, Error::Mismatch { .. }), "{inner}");
    let inner = get("inner").call::<Vec<u16>>().unwrap_err();
    assert_eq!(inner.failure().unwrap().code(), "INNER");
    assert_eq!(client.command("client").arg("id").call::<u64>().unwrap(), id);
}

#[test]
fn arguments_arrive_unchanged() {
    let daemon = daemon();
    let client = client(daemon.path());
    let all: Vec<u8> = (0..=255).collect();
    let said: Vec<u8> = client
        .command("words")
        .arg("a b'\n")
        .arg(String::from("é"))
        .arg(&all)
        .arg(b"raw")
        .arg(-1)
        .arg(u128::MAX)
        .arg(0.5)
        .arg(true)
        .arg('ß')
        .arg(Path::new("/a b"))
        .arg(None::<u8>)
        .arg(Some(7))
        .arg("")
        .arg("127.0.0.1".parse::<IpAddr>().unwrap())
        .args([1, 2])
        .call()
        .unwrap();
    let expected = [
        "[a b'\n][é][".as_bytes(),
        &all,
        "][raw][-1][340282366920938463463374607431768211455][0.5][true][ß][/a b][7][][127.0.0.1][1][2]"
            .as_bytes(),
    ];
    assert_eq!(said, expected.concat());
    for time in [Duration::from_nanos(1_500_000_001), Duration::ZERO, Duration::from_secs(1 << 20)]
    {
        let said: String = client.command("wait").arg(time).call().unwrap();
        assert_eq!(said, format!("{time:?}"));
    }
}

#[test]
fn line_answer_matches_nc() {
    let daemon = daemon();
    let client = client(daemon.path());
    for (line, answer) in [
        ("words a  'b c'", "[a][b c]"),
        ("words a\n", "[a]"),
        ("value map", "k\t1\nl\t2\n"),
        ("value nothing", ""),
        ("value none", ""),
        ("value yes", "true"),
        ("value float", "0.1"),
        ("ping", "PONG"),
    ] {
        assert_eq!(client.send(line).unwrap(), answer.as_bytes(), "{line:?}");
        assert_eq!(dockipc::send(daemon.path(), line).unwrap(), answer.as_bytes(), "{line:?}");
    }
    assert_eq!(client.send("value bytes").unwrap(), (0..=255).collect::<Vec<u8>>());
}

#[test]
fn error_answer_has_its_code_and_message() {
    let daemon = daemon();
    let client = client(daemon.path());
    let no = |error: Error| {
        let failure = error.failure().unwrap_or_else(|| panic!("{error}")).clone();
        (failure.code().to_owned(), failure.message().to_owned())
    };
    let own = ("NO_SUCH".to_owned(), "value x".to_owned());
    assert_eq!(no(client.command("value").arg("x").call::<Reply>().unwrap_err()), own);
    assert_eq!(no(client.command("value").arg("x").call::<()>().unwrap_err()), own);
    assert_eq!(no(client.command("value").arg("x").call::<Option<u8>>().unwrap_err()), own);
    assert_eq!(no(client.send("value x").unwrap_err()), own);
    let error = client.send("value x").unwrap_err();
    assert_eq!(error.to_string(), "NO_SUCH value x");
    assert_eq!(no(client.send("hti").unwrap_err()).0, "UNKNOWN");
    assert_eq!(no(client.send("").unwrap_err()).0, "USAGE");
    assert_eq!(no(client.send("hit\nhit").unwrap_err()).0, "USAGE");
    assert_eq!(no(client.send(&"x".repeat(4096)).unwrap_err()).0, "TOOBIG");
    assert_eq!(no(client.command("").call::<()>().unwrap_err()).0, "UNKNOWN");
    // No command ran.
    assert_eq!(client.send("hit").unwrap(), b"1");
}

#[test]
fn path_errors_name_the_cause() {
    let place = Place::new();
    let path = place.socket();
    let told = |path: &Path, is: fn(&Error) -> bool, text: &str| {
        let errors = [
            dockipc::send(path, "hit").unwrap_err(),
            client(path).command("hit").call::<u64>().unwrap_err(),
        ];
        for error in errors {
            assert!(is(&error), "{error}");
            assert_eq!(error.to_string(), text.replace("PATH", path.to_str().unwrap()));
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    };
    let no_socket = "no socket at PATH: is the daemon running?";
    told(&path, |error| matches!(error, Error::NoSocket { .. }), no_socket);
    let missing = place.directory().join("missing/s.sock");
    told(&missing, |error| matches!(error, Error::NoSocket { .. }), no_socket);
    let long = place.directory().join("missing").join("x".repeat(200));
    told(&long, |error| matches!(error, Error::NoSocket { .. }), no_socket);
    leave_socket(&path);
    let stale = "stale socket PATH: no process is listening; the daemon is not running, or has a newer \
                 socket (in a container, mount the socket's directory, not its file)";
    told(&path, |error| matches!(error, Error::Stale { .. }), stale);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    let file = "not a socket: PATH is a file";
    told(&path, |error| matches!(error, Error::NotASocket { .. }), file);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let directory = "not a socket: PATH is a directory";
    told(&path, |error| matches!(error, Error::NotASocket { .. }), directory);
    let error = dockipc::send("", "hit").unwrap_err();
    assert_eq!(error.to_string(), "invalid socket path \"\": it is empty");
    let error = dockipc::send("a\0b", "hit").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
#[ignore = "the client that another test starts as another user"]
fn child_process_client() {
    match dockipc::send(std::env::var("CLIENT_PATH").unwrap(), "hit") {
        Ok(answer) => println!("\nANSWER {}", answer.escape_ascii()),
        Err(error) => println!("\nERROR {error}"),
    }
}

#[test]
fn permission_error_shows_owner_and_mode() {
    let place = Place::new();
    let owner = fs::metadata(place.directory()).unwrap().uid();
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if owner != 0 || !has_setpriv {
        eprintln!("skipped: requires root and setpriv");
        return;
    }
    let program = place.directory().join("client");
    executable(&program, fs::File::open(std::env::current_exe().unwrap()).unwrap());
    let set_mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(place.directory(), 0o711);
    let said = |path: &Path| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(["--exact", &test_name("child_process_client"), "--ignored", "--nocapture"])
            .env("CLIENT_PATH", path)
            .current_dir("/")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line =
            text.lines().find(|line| line.starts_with("ERROR") || line.starts_with("ANSWER"));
        line.unwrap_or_else(|| panic!("{output:?}")).to_owned()
    };
    let path = place.socket();
    let shown = path.display();
    for (mode, answer) in [
        (0o600, format!("ERROR permission denied: {shown} (owner uid 0, mode 0600)")),
        (0o660, format!("ERROR permission denied: {shown} (owner uid 0, mode 0660)")),
        (0o666, "ANSWER 1".to_owned()),
    ] {
        let _daemon = server().0.mode(mode).spawn(&path).unwrap();
        assert_eq!(said(&path), answer);
    }
    // In a directory without access, not even the owner is visible.
    let hidden = place.directory().join("hidden");
    fs::create_dir(&hidden).unwrap();
    set_mode(&hidden, 0o700);
    let path = hidden.join("s.sock");
    let _daemon = server().0.spawn(&path).unwrap();
    assert_eq!(said(&path), format!("ERROR permission denied: {}", path.display()));
}

#[test]
fn late_answer_after_read_timeout_is_discarded() {
    let (leave, may_leave) = channel::<()>();
    let may_leave = Mutex::new(may_leave);
    let (server, _) = server();
    let daemon = Daemon::start(server.handle("stay", move |_: &Request<'_>| {
        may_leave.lock().unwrap().recv().unwrap();
        "late"
    }));
    let patient = client(daemon.path());
    let hasty = patient.clone().read_timeout(Duration::from_millis(20));
    // Also over an idle connection.
    assert_eq!(patient.send("ping").unwrap(), b"PONG");
    for _ in 0..2 {
        let error = hasty.send("stay").unwrap_err();
        assert!(matches!(error, Error::TimedOut { ran: Ran::Maybe, .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "timed out after 20ms waiting for the answer; the command may have run"
        );
        leave.send(()).unwrap();
        assert_eq!(patient.send("ping").unwrap(), b"PONG");
    }
}

#[test]
fn write_timeout_ends_a_call() {
    let place = Place::new();
    let (done, is_done) = channel::<()>();
    let server = scripted(&place, move |accept| {
        let _stream = accept();
        is_done.recv().unwrap();
    });
    let short = Duration::from_millis(20);
    let client = Client::new(place.socket()).write_timeout(short).read_timeout(short);
    let error = client.command("put").arg(vec![0; 16 << 20]).call::<()>().unwrap_err();
    assert!(matches!(error, Error::TimedOut { ran: Ran::No, .. }), "{error}");
    assert!(error.to_string().ends_with("sending the command; the command did not run"), "{error}");
    done.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn truncated_answer_reports_its_length() {
    let answer = b"%1\r\n$1\r\nk\r\n*2\r\n:12\r\n$5\r\nhello\r\n";
    for cut in 0..answer.len() {
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet(&mut stream, "get");
            stream.write_all(&[GREETING, &answer[..cut]].concat()).unwrap();
        });
        let error = client(place.socket()).command("get").call::<Reply>().unwrap_err();
        assert!(
            matches!(error, Error::CutOff { received, ran: Ran::Maybe } if received == cut),
            "{cut}: {error}"
        );
        let text = format!("answer cut off after {cut} bytes; the command may have run");
        assert_eq!(error.to_string(), text);
        server.join().unwrap();
    }
}

#[test]
fn non_resp_answer_is_shown() {
    for (said, shown) in [
        (&b"220 mail.example ESMTP\r\n"[..], "not a RESP answer: \"220 mail.example ESMTP\\r\\n\""),
        (b"$x\r\n", "not a RESP answer: invalid length \"x\""),
        (b"\0\0\0\x08", "not a RESP answer: \"\\x00\\x00\\x00\\x08\""),
        (b"+PONG\n", "not a RESP answer: LF without CR"),
    ] {
        let place = Place::new();
        let server = scripted(&place, move |accept| accept().write_all(said).unwrap());
        let error = client(place.socket()).command("get").call::<Reply>().unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert_eq!(error.to_string(), shown);
        server.join().unwrap();
        let place = Place::new();
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            greet(&mut stream, "get");
            stream.write_all(&[GREETING, said].concat()).unwrap();
        });
        let error = client(place.socket()).command("get").call::<Reply>().unwrap_err();
        assert_eq!(error.to_string(), shown);
        server.join().unwrap();
    }
}

#[test]
fn oversized_answer_is_refused_and_next_call_works() {
    let daemon = daemon();
    let client = client(daemon.path()).max_answer(10_000);
    let ask = |size: usize| client.command("big").arg(size).call::<Vec<u8>>();
    // The limit includes the header `$9990\r\n` and the final `\r\n`.
    assert_eq!(ask(9991).unwrap().len(), 9991);
    for size in [9992, 20_000, 10 << 20] {
        let error = ask(size).unwrap_err();
        assert!(matches!(error, Error::AnswerTooBig { limit: 10_000 }), "{size}: {error}");
        assert_eq!(ask(1).unwrap(), b"x");
    }
}

#[test]
fn answer_limit_applies_within_one_read() {
    let daemon = daemon();
    let client = client(daemon.path()).max_answer(10);
    assert_eq!(client.command("big").arg(4).call::<Vec<u8>>().unwrap(), b"xxxx");
    for size in [5, 100, 5000] {
        let error = client.command("big").arg(size).call::<Vec<u8>>().unwrap_err();
        assert!(matches!(error, Error::AnswerTooBig { limit: 10 }), "{size}: {error}");
    }
}

#[test]
fn line_may_end_with_a_newline() {
    let daemon = daemon();
    let client = client(daemon.path());
    for line in ["ping", "ping\n", "ping\r\n", "ping\r"] {
        assert_eq!(client.send(line).unwrap(), b"PONG", "{line:?}");
    }
}

#[test]
fn oversized_length_is_refused_before_its_bytes() {
    let place = Place::new();
    let (done, is_done) = channel::<()>();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "get");
        stream.write_all(&[GREETING, b"$9223372036854775807\r\n"].concat()).unwrap();
        is_done.recv().unwrap();
    });
    let error = client(place.socket()).command("get").call::<Vec<u8>>().unwrap_err();
    assert!(matches!(error, Error::AnswerTooBig { .. }), "{error}");
    done.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn large_arguments_and_answers_arrive_whole() {
    let (server, _) = server();
    let daemon = Daemon::start(server.max_command(9 << 20));
    let client = client(daemon.path());
    let word: Vec<u8> = (0..8 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
    let said: Vec<u8> = client.command("words").arg(&word).call().unwrap();
    assert!(said == [b"[", &word[..], b"]"].concat());
}

#[test]
fn connections_are_reused_across_clones() {
    let daemon = daemon();
    let client = client(daemon.path());
    let id = |client: &Client| client.command("client").arg("id").call::<u64>().unwrap();
    let first = id(&client);
    for _ in 0..10 {
        assert_eq!(id(&client), first);
        assert_eq!(id(&client.clone()), first);
        // An error answer keeps the connection too.
        assert!(client.send("value x").is_err());
    }
    assert_ne!(id(&Client::new(daemon.path())), first);
}

#[test]
fn eight_threads_share_one_client() {
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let daemon = daemon();
    let client = client(daemon.path());
    is_shared(&client);
    let ids: BTreeSet<u64> = thread::scope(|scope| {
        let calls = |thread: u32| {
            let client = &client;
            move || {
                let mut ids = BTreeSet::new();
                for i in 0..300 {
                    let word = format!("{thread}:{i}");
                    let said: String = client.command("words").arg(&word).call().unwrap();
                    assert_eq!(said, format!("[{word}]"));
                    ids.insert(client.command("client").arg("id").call::<u64>().unwrap());
                }
                ids
            }
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(calls(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!((1..=8).contains(&ids.len()), "{ids:?}");
}

#[test]
fn after_a_restart_a_call_succeeds_and_runs_once() {
    let place = Place::new();
    let client = client(place.socket());
    for _ in 0..5 {
        let (server, runs) = server();
        let daemon = server.spawn(place.socket()).unwrap();
        // The idle connection belongs to the old daemon.
        assert_eq!(client.command("hit").call::<u64>().unwrap(), 1);
        assert_eq!(runs.load(SeqCst), 1);
        // Several idle connections.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| client.command("hit").call::<u64>().unwrap());
            }
        });
        assert_eq!(runs.load(SeqCst), 5);
        drop(daemon);
        let error = client.command("hit").call::<u64>().unwrap_err();
        assert!(matches!(error, Error::NoSocket { .. }), "{error}");
    }
}

/// Answers like a server that does not know the query whether a command is idempotent.
fn refuses_to_say(mut stream: UnixStream, name: &str) {
    let question = resp(&["dockipc", "idempotent", name]);
    expect(&mut stream, &[handshake(), question].concat());
    stream.write_all(&[GREETING, b"-ERR unknown command\r\n"].concat()).unwrap();
    assert_eq!(rest(stream), b"");
}

#[test]
fn command_that_may_have_run_is_not_retried() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        // Closed after the command: on a new connection and on a reused one.
        let mut stream = accept();
        greet(&mut stream, "once");
        drop(stream);
        refuses_to_say(accept(), "once");
        let mut stream = accept();
        greet(&mut stream, "first");
        stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
        expect(&mut stream, &resp(&["second"]));
        drop(stream);
        refuses_to_say(accept(), "second");
        // The next connection is for a new call, not for a retry.
        let mut stream = accept();
        greet(&mut stream, "third");
        stream.write_all(&[GREETING, b":3\r\n"].concat()).unwrap();
    });
    let client = client(place.socket());
    let call = |name: &str| client.command(name).call::<u8>();
    let is_cut = |error: Error| matches!(error, Error::CutOff { received: 0, ran: Ran::Maybe });
    assert!(is_cut(call("once").unwrap_err()));
    assert_eq!(call("first").unwrap(), 1);
    assert!(is_cut(call("second").unwrap_err()));
    assert_eq!(call("third").unwrap(), 3);
    server.join().unwrap();
}

#[test]
fn closed_idle_connection_is_replaced() {
    let place = Place::new();
    let (closed, is_closed) = channel();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "first");
        stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
        drop(stream);
        closed.send(()).unwrap();
        let mut stream = accept();
        greet(&mut stream, "second");
        stream.write_all(&[GREETING, b":2\r\n"].concat()).unwrap();
    });
    let client = client(place.socket());
    assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
    is_closed.recv().unwrap();
    assert_eq!(client.command("second").call::<u8>().unwrap(), 2);
    server.join().unwrap();
}

#[test]
fn push_frames_are_skipped() {
    let place = Place::new();
    let push = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet(&mut stream, "first");
        stream.write_all(&[push, GREETING, push, push, b":1\r\n"].concat()).unwrap();
        expect(&mut stream, &resp(&["second"]));
        // Byte by byte.
        for byte in [&push[..], b":2\r\n"].concat() {
            stream.write_all(&[byte]).unwrap();
        }
    });
    let client = client(place.socket());
    assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
    assert_eq!(client.command("second").call::<u8>().unwrap(), 2);
    server.join().unwrap();
}

#[test]
fn surplus_answer_is_never_taken_for_the_next() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet(&mut stream, "first");
        // One answer more than there are commands.
        stream.write_all(&[GREETING, b":1\r\n:666\r\n"].concat()).unwrap();
        let mut next = accept();
        greet(&mut next, "second");
        next.write_all(&[GREETING, b":2\r\n"].concat()).unwrap();
    });
    let client = client(place.socket());
    assert_eq!(client.command("first").call::<u8>().unwrap(), 1);
    assert_eq!(client.command("second").call::<u8>().unwrap(), 2);
    server.join().unwrap();
}

#[test]
fn client_falls_back_to_resp2() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet(&mut stream, "first");
        stream
            .write_all(b"-ERR unknown command 'HELLO'\r\n-ERR no SETINFO\r\n*4\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n:2\r\n")
            .unwrap();
        expect(&mut stream, &resp(&["second"]));
        stream.write_all(b":1\r\n").unwrap();
        expect(&mut stream, &resp(&["third"]));
        stream.write_all(b"$-1\r\n").unwrap();
    });
    let client = client(place.socket());
    let map: BTreeMap<String, u8> = client.command("first").call().unwrap();
    assert_eq!(map, BTreeMap::from([("k".to_owned(), 1), ("l".to_owned(), 2)]));
    assert!(client.command("second").call::<bool>().unwrap());
    assert_eq!(client.command("third").call::<Option<u8>>().unwrap(), None);
    server.join().unwrap();
}

#[test]
fn full_daemon_answers_busy() {
    let (server, runs) = server();
    let daemon = Daemon::start(server.max_connections(1));
    let mut holder = daemon.connect();
    holder.write_all(&resp(&["PING"])).unwrap();
    expect(&mut holder, b"+PONG\r\n");
    let client = client(daemon.path());
    for _ in 0..3 {
        let error = client.command("hit").call::<u64>().unwrap_err();
        assert_eq!(error.failure().unwrap_or_else(|| panic!("{error}")).code(), "BUSY");
    }
    assert_eq!(runs.load(SeqCst), 0);
    // The served connection is not affected.
    holder.write_all(&resp(&["hit"])).unwrap();
    expect(&mut holder, b":1\r\n");
}

#[test]
fn in_process_client_needs_no_path() {
    let (server, runs) = server();
    let daemon = server.spawn_in_process().unwrap();
    let client = daemon.client().read_timeout(PATIENCE);
    assert_eq!(client.command("hit").call::<u64>().unwrap(), 1);
    assert_eq!(client.clone().send("hit").unwrap(), b"2");
    let mut stream = daemon.connect().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"hit\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "3");
    drop(daemon);
    assert!(client.send("hit").is_err());
    assert_eq!(runs.load(SeqCst), 3);
}

#[test]
fn connection_changed_by_a_command_is_not_reused() {
    let (server, runs) = server();
    let daemon = server.spawn_in_process().unwrap();
    let client = daemon.client().read_timeout(PATIENCE);
    for (i, name) in ["quit", "RESET", "hello"].into_iter().enumerate() {
        client.command(name).call::<()>().unwrap();
        client.send(name).unwrap();
        let mut pipeline = client.pipeline();
        pipeline.command("ping", [""; 0]).command(name, [""; 0]);
        assert_eq!(pipeline.call().unwrap().len(), 2);
        // A new connection uses RESP3, in which this is a map.
        let answer: Reply = client.command("config").args(["get", "save"]).call().unwrap();
        assert!(matches!(answer, Reply::Map(_)), "{answer:?}");
        assert_eq!(client.command("hit").call::<usize>().unwrap(), i + 1);
    }
    assert_eq!(runs.load(SeqCst), 3);
}

#[test]
fn long_pipeline_does_not_deadlock() {
    let (server, _) = server();
    let daemon = server.spawn_in_process().unwrap();
    let client = daemon.client().read_timeout(PATIENCE).write_timeout(PATIENCE);
    let word = "x".repeat(10_000);
    let mut pipeline = client.pipeline();
    for _ in 0..2_000 {
        pipeline.command("echo", [&word]);
    }
    pipeline.command("no-such-command", [""; 0]);
    let mut answers = pipeline.call().unwrap();
    assert!(answers.pop().unwrap().parse::<()>().is_err());
    assert_eq!(answers.len(), 2_000);
    assert!(answers.into_iter().all(|answer| answer.parse::<String>().unwrap() == word));
    assert!(client.pipeline().call().unwrap().is_empty());
}

/// A writer that passes on what is written.
struct Told(Sender<Vec<u8>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn long_answer_is_copied_as_it_arrives() {
    let place = Place::new();
    let (may_end, ends) = channel();
    let half = vec![b'x'; 100_000];
    let sent = half.clone();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        // The client waits for the greeting, to learn whether the daemon streams.
        greet_alone(&mut stream, GREETING);
        expect(&mut stream, &resp(&["get"]));
        let push = b">1\r\n$4\r\nsign\r\n";
        stream.write_all(&[push, &b"$200000\r\n"[..], &sent].concat()).unwrap();
        ends.recv().unwrap();
        stream.write_all(&[&sent[..], b"\r\n"].concat()).unwrap();
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b"*2\r\n:1\r\n+two\r\n").unwrap();
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(b"-NO why\r\n").unwrap();
        expect(&mut stream, &resp(&["get"]));
        stream.write_all(&[b"$200000\r\n", &sent[..]].concat()).unwrap();
    });
    let client = client(place.socket()).max_answer(1000);
    let (told, parts) = channel();
    let copied = thread::scope(|scope| {
        let copy = scope.spawn(|| client.command("get").copy_to(&mut Told(told)));
        let mut first = Vec::new();
        while first.len() < half.len() {
            first.extend(parts.recv().unwrap());
        }
        // Only this half has been sent so far.
        assert_eq!(first, half);
        may_end.send(()).unwrap();
        copy.join().unwrap()
    });
    assert_eq!(copied.unwrap(), 200_000);
    assert_eq!(parts.iter().flatten().collect::<Vec<u8>>(), half);
    let mut out = Vec::new();
    assert_eq!(client.command("get").copy_to(&mut out).unwrap(), 6);
    assert_eq!(out, b"1\ntwo\n");
    let refused = client.command("get").copy_to(&mut out).unwrap_err();
    assert_eq!(refused.to_string(), "NO why");
    out.clear();
    let cut = client.command("get").copy_to(&mut out).unwrap_err();
    assert!(matches!(cut, Error::CutOff { received: 100_000, ran: Ran::Maybe }), "{cut}");
    assert_eq!(out, half);
    server.join().unwrap();
}
