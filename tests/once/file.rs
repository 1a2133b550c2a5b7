//! The file in which answers survive a restart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use dockipc::error::Ran;
use dockipc::{Client, Error, Handle, Once, Server, State, command};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::process::until;
use tests::{PATIENCE, Place, figure, long, resp};

use super::calls::{Runs, states};

/// A ledger of the author's, which has each token with its effect: a line for each.
pub(super) struct Ledger(Mutex<(PathBuf, HashMap<String, u64>)>);

impl Ledger {
    pub(super) fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let lines = fs::read_to_string(&path).unwrap_or_default();
        let lines = lines.lines().zip(1..).map(|(token, number)| (token.to_owned(), number));
        Self(Mutex::new((path, lines.collect())))
    }
}

#[command]
fn enter(ledger: State<Ledger>, once: Once) -> u64 {
    let (path, lines) = &mut *ledger.0.lock().unwrap();
    let number = lines.len() as u64 + 1;
    *lines.entry(once.token().to_owned()).or_insert_with(|| {
        // One write: the effect and its record.
        let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{}\n", once.token()).as_bytes()).unwrap();
        number
    })
}

#[cfg(feature = "json")]
#[command("file-json")]
fn json() -> dockipc::Json<[u8; 2]> {
    dockipc::Json([1, 2])
}

#[derive(dockipc::Reply)]
#[dockipc(table)]
struct Row {
    id: u64,
    place: Option<(u8, u8)>,
    name: String,
}

#[command("file-table")]
fn table() -> Vec<Row> {
    let row = |id, place, name: &str| Row { id, place, name: name.to_owned() };
    vec![row(1, Some((2, 3)), "a\tb"), row(2, None, "")]
}

fn server(directory: &Path) -> Server {
    Server::new().once_file(directory.join("once"))
}

#[track_caller]
fn start_with(server: Server, place: &Place, gate: &Gate) -> (Handle, Runs) {
    let runs = Runs::default();
    let (server, _) = states(server, place.directory(), &runs, gate);
    (server.spawn(place.socket()).unwrap(), runs)
}

#[track_caller]
fn start(place: &Place) -> (Handle, Runs) {
    start_with(server(place.directory()), place, &Gate::default())
}

fn add(place: &Place, token: &str) -> Result<u64, Error> {
    Client::new(place.socket()).command("add").arg(1).once_as(token).call()
}

#[track_caller]
fn refused(place: &Place, why: &str) {
    let server = server(place.directory());
    let (server, _) = states(server, place.directory(), &Runs::default(), &Gate::default());
    let error = server.spawn(place.socket());
    let error = error.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("opening the file of the calls that run once") && error.contains(why),
        "{error}"
    );
}

#[cfg(feature = "json")]
#[test]
fn json_answer_is_the_same_after_a_restart() {
    let place = Place::new();
    for _ in 0..2 {
        let (daemon, _) = start(&place);
        let mut stream = UnixStream::connect(place.socket()).unwrap();
        let words = ["dockipc", "with", "once", "a", "--", "dockipc", "json", "file-json"];
        stream.write_all(&[resp(&words), resp(&["quit"])].concat()).unwrap();
        assert_eq!(tests::rest(stream), b"$5\r\n[1,2]\r\n+OK\r\n");
        drop(daemon);
    }
}

#[test]
fn table_keeps_its_header_after_a_restart() {
    let place = Place::new();
    for _ in 0..2 {
        let (daemon, _) = start(&place);
        for _ in 0..2 {
            let mut stream = UnixStream::connect(place.socket()).unwrap();
            let line = ["dockipc", "with", "once", "a", "--", "dockipc", "line", "file-table"];
            stream.write_all(&[resp(&line), resp(&["quit"])].concat()).unwrap();
            let rows = "id\tplace\t\tname\n1\t2\t3\ta\\tb\n2\t\t\t\n";
            let answer = format!("${}\r\n{rows}\r\n+OK\r\n", rows.len());
            assert_eq!(String::from_utf8(tests::rest(stream)).unwrap(), answer);
            let again = Client::new(place.socket());
            let rows: Vec<Row> = again.command("file-table").once_as("b").call().unwrap();
            assert_eq!((rows.len(), rows[0].place), (2, Some((2, 3))));
        }
        drop(daemon);
    }
}

#[test]
fn damaged_end_delays_no_start() {
    let place = Place::new();
    let file = place.directory().join("once");
    // Each fourth byte begins the length of a record that is not one.
    let end = [0, 0, 0x10, 0].repeat(1 << 19);
    fs::write(&file, [&b"dockipc once 1 0123456789abcdef\n"[..], &end].concat()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (_daemon, _) = start(&place);
    assert_eq!(add(&place, "a").unwrap(), 1);
}

#[test]
fn answers_survive_a_restart() {
    let place = Place::new();
    for restart in 0..3 {
        let (daemon, runs) = start(&place);
        assert_eq!(add(&place, "a").unwrap(), 1);
        let error = Client::new(place.socket()).command("fail").once_as("b").call::<()>();
        assert_eq!(error.unwrap_err().to_string(), "FULL run 2");
        assert_eq!(runs.count(), if restart == 0 { 2 } else { 0 });
        drop(daemon);
    }
    let mode = fs::metadata(place.directory().join("once")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn torn_last_record_is_ignored() {
    let place = Place::new();
    let path = place.directory().join("once");
    let (daemon, _) = start(&place);
    add(&place, "a").unwrap();
    let whole = fs::read(&path).unwrap();
    add(&place, "b").unwrap();
    drop(daemon);
    let bytes = fs::read(&path).unwrap();
    for end in whole.len()..bytes.len() {
        fs::write(&path, &bytes[..end]).unwrap();
        let (daemon, runs) = start(&place);
        assert_eq!(add(&place, "a").unwrap(), 1, "{end}");
        let again = add(&place, "b");
        match again {
            // The record of its beginning is not there.
            Ok(_) => assert_eq!(runs.count(), 1, "{end}"),
            Err(Error::Refused(failure)) => {
                assert_eq!((failure.code(), runs.count()), ("FORGOTTEN", 0), "{end}");
            }
            Err(error) => panic!("{error}"),
        }
        drop(daemon);
        let (daemon, runs) = start(&place);
        assert_eq!((add(&place, "a").unwrap(), runs.count()), (1, 0), "{end}");
        drop(daemon);
    }
    // A head that is not whole was left by a daemon that had answered nothing.
    fs::write(&path, &bytes[..7]).unwrap();
    let (_daemon, runs) = start(&place);
    assert_eq!((add(&place, "a").unwrap(), runs.count()), (1, 1));
}

#[test]
fn file_of_others_is_refused() {
    let place = Place::new();
    let path = place.directory().join("once");
    fs::write(&path, "some notes\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    refused(&place, "it has other content");
    assert_eq!(fs::read_to_string(&path).unwrap(), "some notes\n");
    let newer = "dockipc once 2 0123456789abcdef 0123456789abcdef\nx";
    fs::write(&path, newer).unwrap();
    refused(&place, "another version of dockipc has written it; use that version, or another file");
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    refused(&place, "it has mode 0640");
    fs::remove_file(&path).unwrap();
    symlink(place.directory().join("other"), &path).unwrap();
    refused(&place, "it is a symbolic link");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&place, "opening");
    fs::remove_dir(&path).unwrap();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o777)).unwrap();
    refused(&place, "any user can write to");
    assert!(!path.exists());
}

#[test]
fn start_waits_for_the_daemon_that_ends() {
    let place = Place::new();
    let gate = Gate::default();
    let (first, _) = start_with(server(place.directory()), &place, &gate);
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    let words = ["dockipc", "with", "once", "a", "--", "pass"];
    stream.write_all(&resp(&words)).unwrap();
    until("the run", || gate.waiting() == 1);
    thread::scope(|scope| {
        let stopping = scope.spawn(|| drop(first));
        until("the release of the path", || !place.socket().exists());
        let second = scope.spawn(|| start(&place));
        until("the second daemon", || place.socket().exists());
        gate.open();
        stopping.join().unwrap();
        let (_second, runs) = second.join().unwrap();
        let again = Client::new(place.socket()).command("pass").once_as("a").call::<u64>();
        assert_eq!((again.unwrap(), runs.count()), (1, 0));
    });
}

#[test]
fn failed_rewrite_leaves_no_file() {
    let place = Place::new();
    let (_daemon, _) = start(&place);
    let file = place.directory().join("once");
    // The new file can't take its name.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (client, text) = (Client::new(place.socket()), "x".repeat(64 << 10));
    for i in 0..20 {
        let call = client.command("repeat").arg(&text).once_as(format!("t{i}"));
        assert_eq!(call.call::<String>().unwrap(), text);
    }
    assert!(!place.directory().join("once.new").exists());
}

#[test]
fn file_of_interrupted_rewrite_is_removed_at_start() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    for part in ["", "dockipc on", "dockipc once 1 0123456789abcdef\nx"] {
        fs::write(at("once.new"), part).unwrap();
        fs::set_permissions(at("once.new"), Permissions::from_mode(0o600)).unwrap();
        drop(start(&place));
        assert!(!at("once.new").exists(), "{part}");
    }
    // Anything else is not the daemon's.
    fs::write(at("other"), "dockipc once 1 ").unwrap();
    fs::set_permissions(at("other"), Permissions::from_mode(0o600)).unwrap();
    symlink(at("other"), at("once.new")).unwrap();
    drop(start(&place));
    assert!(at("once.new").is_symlink() && at("other").exists());
    fs::remove_file(at("once.new")).unwrap();
    for (text, mode) in [("notes", 0o600), ("dockipc once 1 ", 0o644)] {
        fs::write(at("once.new"), text).unwrap();
        fs::set_permissions(at("once.new"), Permissions::from_mode(mode)).unwrap();
        drop(start(&place));
        assert_eq!(fs::read_to_string(at("once.new")).unwrap(), text);
    }
    fs::remove_file(at("once.new")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("once.new"), rustix::fs::Mode::RUSR).unwrap();
    drop(start(&place));
    assert!(at("once.new").exists());
}

#[test]
fn signal_ends_the_wait_for_the_lock() {
    let place = Place::new();
    let daemon = start(&place);
    drop(daemon);
    let held = fs::File::open(place.directory().join("once")).unwrap();
    held.lock().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Apart::spawn::<&str>("daemon_that_is_killed", place.socket(), &[]);
        until("the socket", || place.socket().exists());
        daemon.signal(signal);
        // The end of the time for the lock would be an error.
        assert!(daemon.wait().success());
        assert!(!place.socket().exists());
    }
}

#[cfg(feature = "tokio")]
#[test]
fn signal_ends_the_wait_of_async_server() {
    let place = Place::new();
    drop(start(&place));
    let held = fs::File::open(place.directory().join("once")).unwrap();
    held.lock().unwrap();
    let daemon = Apart::spawn::<&str>("async_daemon_that_is_killed", place.socket(), &[]);
    until("the socket", || place.socket().exists());
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    assert!(!place.socket().exists());
}

/// The daemon of the test that stops it.
#[cfg(feature = "tokio")]
#[test]
fn async_daemon_that_is_killed() {
    apart::serve(|path| {
        let directory = path.parent().unwrap();
        let (runs, gate) = (Runs::default(), Gate::default());
        let (server, _) = states(server(directory), directory, &runs, &gate);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(server.serve(path)).unwrap();
    });
}

#[test]
fn grown_file_is_written_anew() {
    let place = Place::new();
    let path = place.directory().join("once");
    let small = || {
        let server = server(place.directory()).max_once(8, 1 << 20);
        start_with(server, &place, &Gate::default())
    };
    let daemon = small();
    let client = Client::new(place.socket());
    let text = "x".repeat(20_000);
    let call = |token: &str| client.command("repeat").arg(&*text).once_as(token).call::<String>();
    let mut longest = 0;
    for i in 0..200 {
        call(&format!("t{i}")).unwrap();
        longest = fs::metadata(&path).unwrap().len().max(longest);
    }
    assert!(longest < 2 << 20, "{longest}");
    drop(daemon);
    let _daemon = small();
    // The last ones are there, and the others are known to have run.
    // Ten for each answer.
    for i in 112..200 {
        let code = match call(&format!("t{i}")) {
            Ok(answer) => {
                assert_eq!(answer, text);
                "OK".to_owned()
            }
            Err(error) => error.failure().unwrap().code().to_owned(),
        };
        assert_eq!(code, if i < 192 { "FORGOTTEN" } else { "OK" }, "{i}");
    }
}

/// The daemon of the test that kills it.
#[test]
fn daemon_that_is_killed() {
    apart::serve(|path| {
        let directory = path.parent().unwrap();
        let server = server(directory);
        let (server, _) = states(server, directory, &Runs::default(), &Gate::default());
        server.run(path).unwrap();
    });
}

/// The outcomes of calls, by token.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<String, u64>,
    forgotten: BTreeSet<String>,
}

/// Calls a command until the test is over. Each token is then asked for again.
fn client(path: &Path, name: &str, prefix: usize, left: &AtomicUsize) -> Tally {
    let client = Client::new(path).timeout(PATIENCE);
    let mut tally = Tally::default();
    for i in 0.. {
        if left.load(SeqCst) == 0 {
            break;
        }
        let token = format!("{name}-{prefix}-{i}");
        let call = || loop {
            match client.command(name).once_as(&*token).call::<u64>() {
                // The daemon is not there; nothing was sent.
                Err(Error::NoSocket { .. } | Error::Stale { .. }) => thread::yield_now(),
                Err(Error::CutOff { ran: Ran::No, .. }) => {}
                other => return other,
            }
        };
        // The same token as by another process that repeats the call.
        let outcomes = [call(), call()];
        for outcome in outcomes {
            match outcome {
                Ok(answer) => {
                    let earlier = tally.answers.insert(token.clone(), answer);
                    assert!(earlier.is_none_or(|earlier| earlier == answer), "{token}");
                    assert!(!tally.forgotten.contains(&token), "{token}");
                }
                Err(Error::Refused(failure)) if failure.code() == "FORGOTTEN" => {
                    assert!(!tally.answers.contains_key(&token), "{token}");
                    tally.forgotten.insert(token.clone());
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    tally
}

#[test]
fn killed_daemon_leaves_at_most_running_calls_unknown() {
    const CLIENTS: usize = 4;
    let kills = long(5, 100);
    let place = Place::new();
    let begin = || {
        let daemon = Apart::spawn::<&str>("daemon_that_is_killed", place.socket(), &[]);
        until("the daemon", || UnixStream::connect(place.socket()).is_ok());
        daemon
    };
    let (left, path) = (AtomicUsize::new(kills), place.socket());
    let mut daemon = Some(begin());
    let (mut counted, mut entered) = (Tally::default(), Tally::default());
    thread::scope(|scope| {
        let clients = (0..CLIENTS * 2).map(|i| {
            let name = if i % 2 == 0 { "next-in-file" } else { "enter" };
            let (path, left) = (&path, &left);
            (name, scope.spawn(move || client(path, name, i, left)))
        });
        let clients: Vec<_> = clients.collect();
        let count = place.directory().join("count");
        let calls = || fs::metadata(&count).map_or(0, |count| count.len());
        while left.load(SeqCst) > 0 {
            let before = calls();
            until("some calls", || calls() >= before + 20);
            // It is waited for.
            drop(daemon.take());
            daemon = Some(begin());
            left.fetch_sub(1, SeqCst);
        }
        for (name, client) in clients {
            let Tally { answers, forgotten } = client.join().unwrap();
            let of = if name == "enter" { &mut entered } else { &mut counted };
            of.answers.extend(answers);
            of.forgotten.extend(forgotten);
        }
    });
    drop(daemon);
    // Without a record of the author's: none ran twice, and at most the calls that ran are unknown.
    let effects = fs::read(place.directory().join("count")).unwrap().len();
    let (known, unknown) = (counted.answers.len(), counted.forgotten.len());
    let distinct: BTreeSet<_> = counted.answers.values().collect();
    assert_eq!(distinct.len(), known);
    assert!((known..=known + unknown).contains(&effects), "{known} {unknown} {effects}");
    assert!(unknown <= kills * CLIENTS, "{unknown}");
    // With one: all are known, and exact.
    assert_eq!(entered.forgotten, BTreeSet::new());
    let lines = fs::read_to_string(place.directory().join("ledger")).unwrap();
    let lines: BTreeMap<_, _> = lines.lines().map(str::to_owned).zip(1..).collect();
    assert_eq!(entered.answers, lines);
    figure(
        "calls that run once, and a daemon that is killed",
        format_args!("{kills} kills, {known} + {} known, {unknown} unknown", lines.len()),
    );
}
