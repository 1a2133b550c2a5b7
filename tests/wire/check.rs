//! `DOCKIPC CHECK`: what a call would do, without doing it.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use dockipc::error::code;
use dockipc::{
    Arg, BadValue, Body, Cancel, Client, Deferred, Error, Request, Secret, Server, Stream, command,
};
use tests::{Daemon, exchange, resp};

/// The number of functions that ran.
static RAN: AtomicU64 = AtomicU64::new(0);

fn ran() {
    RAN.fetch_add(1, SeqCst);
}

/// Set a level.
#[command("level set")]
fn level_set(
    level: Even,
    name: Option<String>,
    #[arg(flag)] loud: bool,
    #[arg(long)] tag: Vec<String>,
    key: Option<Secret<String>>,
) {
    let _ = (level.0, name, loud, tag, key);
    ran();
}

/// A number that only its parser can refuse.
struct Even(u64);

impl<'r> Arg<'r> for Even {
    const TYPE: &'static str = "even number";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        assert!(word != b"panic", "asked to panic");
        let number = u64::from_word(word)?;
        if number % 2 == 0 {
            Ok(Self(number))
        } else {
            Err(BadValue::new("expected an even number"))
        }
    }
}

#[command("check-closed", allow = "uid:4294967294")]
fn closed(_name: &str) {
    ran();
}

#[command("check-open", allow = "any")]
fn open(_name: &str, _key: Option<Secret<String>>) {
    ran();
}

#[command("check-later")]
fn later(_cancel: Cancel) -> Deferred<u64> {
    ran();
    Deferred::new().0
}

#[command("check-stream")]
fn stream(n: u64) -> Stream<u64> {
    ran();
    Stream::iter(0..n)
}

#[command("check-import")]
fn import(name: &str, _body: Body) -> usize {
    ran();
    name.len()
}

#[command("check-fetch")]
async fn fetch(url: String) -> usize {
    std::future::ready(()).await;
    ran();
    url.len()
}

fn server() -> Server {
    Server::new().handle("check-raw", |_: &Request<'_>| ran())
}

fn line(daemon: &Daemon, line: &str) -> String {
    let answer = exchange(daemon.connect(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

fn words(daemon: &Daemon, words: &[&str]) -> String {
    String::from_utf8(exchange(daemon.connect(), &resp(words))).unwrap()
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn check_says_what_would_run_and_runs_nothing() {
    let daemon = Daemon::start(server());
    for (call, says) in [
        ("level set 4", "level set would run: level=4"),
        (
            "LEVEL set --loud 4 --tag a 'o p' --tag=b",
            "level set would run: level=4 name='o p' loud=true tag=a tag=b",
        ),
        ("level set 4 me hush", "level set would run: level=4 name=me key=…"),
        ("'level set' -- 4 --x", "level set would run: level=4 name=--x"),
        ("check-later", "check-later would run"),
        ("check-stream 5", "check-stream would run: n=5"),
        ("check-import a", "check-import would run: name=a"),
        ("check-fetch http://x", "check-fetch would run: url=http://x"),
        ("check-raw a 'b c'", "check-raw would run: a 'b c'"),
    ] {
        assert_eq!(line(&daemon, &format!("dockipc check {call}")), says, "{call}");
        assert_eq!(line(&daemon, &format!("DOCKIPC 'CHECK'  {call}")), says, "{call}");
        if !call.contains('\'') {
            let sent: Vec<_> = ["dockipc", "check"].into_iter().chain(call.split(' ')).collect();
            assert_eq!(words(&daemon, &sent), bulk(says), "{call}");
        }
    }
    assert_eq!(
        words(&daemon, &["dockipc", "check", "Level Set", "4"]),
        bulk("level set would run: level=4")
    );
    assert_eq!(RAN.load(SeqCst), 0);
}

#[test]
fn refused_check_has_the_error_of_the_call() {
    let daemon = Daemon::start(server());
    for call in [
        "level set 3",
        "level set x",
        "level set panic",
        "level set",
        "level set 4 a b c",
        "level set 4 --none",
        "level",
        "level sett 4",
        "none",
        "check-closed x",
        "check-fetch",
        "check-stream",
        "level set 'x",
    ] {
        let expected = match call {
            // The call lists the group.
            "level" => "-USAGE \"level\" is a group; send help level for its commands".to_owned(),
            "level set 'x" => "-USAGE the quote ' at byte 24 is not closed; usage: level set <level> [<name>] [--loud] [--tag <tag>]… [<key>]".to_owned(),
            call => line(&daemon, call),
        };
        assert!(expected.starts_with('-'), "{expected}");
        assert_eq!(line(&daemon, &format!("dockipc check {call}")), expected, "{call}");
    }
    for (call, says) in [
        ("", "-USAGE usage: dockipc check <command> [<word>…]"),
        ("ping", "-USAGE \"ping\" is built in; check is for the daemon's own commands"),
        (
            "dockipc check level set 4",
            "-USAGE \"dockipc\" is built in; check is for the daemon's own commands",
        ),
    ] {
        assert_eq!(line(&daemon, &format!("dockipc check {call}")), says, "{call}");
    }
    let bytes = [resp(&["multi"]), resp(&["dockipc", "check", "level", "set", "4"])].concat();
    let answer = String::from_utf8(exchange(daemon.connect(), &bytes)).unwrap();
    assert!(answer.contains("-ERR dockipc is not allowed in a transaction"), "{answer}");
    let with_fallback = Daemon::start(server().fallback(|_: &Request<'_>| ran()));
    assert_eq!(line(&with_fallback, "dockipc check none x"), "none would run: x");
    assert_eq!(RAN.load(SeqCst), 0);
}

#[test]
fn client_checks_a_call() {
    let daemon = Daemon::start(server());
    let client = Client::new(daemon.path());
    let call =
        || client.command("level set").arg(4).arg("--name").option("tag", "a b").flag("loud");
    let says = "level set would run: level=4 name=--name tag='a b' loud=true";
    assert_eq!(call().check().unwrap(), says);
    assert_eq!(call().timeout(tests::PATIENCE).check().unwrap(), says);
    assert_eq!(
        client.command("level").words(["set", "4"]).check().unwrap(),
        "level set would run: level=4"
    );
    let Err(Error::Refused(failure)) = client.command("level set").arg(3).check() else { panic!() };
    assert_eq!(failure.code(), code::USAGE);
    assert_eq!(RAN.load(SeqCst), 0);
}

#[cfg(feature = "tokio")]
#[test]
fn async_client_checks_a_call() {
    let daemon = Daemon::start(server());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = dockipc::AsyncClient::new(daemon.path());
    let checked = runtime.block_on(client.command("level set").arg(4).check());
    assert_eq!(checked.unwrap(), "level set would run: level=4");
}

#[test]
fn audit_records_a_check_as_one() {
    let records = Arc::new(Mutex::new(Vec::new()));
    let (kept, is_broken) = (Arc::clone(&records), Arc::new(AtomicU64::new(0)));
    let broken = Arc::clone(&is_broken);
    let daemon = Daemon::start(
        server()
            .audit(move |record| {
                let arguments: Vec<_> = record
                    .arguments()
                    .iter()
                    .map(|a| format!("{}={}", a.name(), a.value()))
                    .collect();
                let (name, decision) = (record.command().to_owned(), record.decision());
                let is_run = record.request().is_some();
                kept.lock()
                    .unwrap()
                    .push(format!("{name} {decision:?} {is_run} {}", arguments.join(" ")));
                if broken.load(SeqCst) == 0 { Ok(()) } else { Err(std::io::Error::other("full")) }
            })
            .before(|_| panic!("a hook of a check"))
            .after(|_, _, _| panic!("a hook of a check")),
    );
    assert_eq!(
        line(&daemon, "dockipc check check-open a hush"),
        "check-open would run: name=a key=…"
    );
    assert!(line(&daemon, "dockipc check check-open").starts_with("-USAGE name is missing"));
    assert!(line(&daemon, "dockipc check check-open a b c").starts_with("-USAGE unexpected word"));
    assert!(
        line(&daemon, "dockipc check check-closed a")
            .starts_with("-NOPERM permission denied: \"check-closed\"")
    );
    is_broken.store(1, SeqCst);
    assert!(line(&daemon, "dockipc check check-open a").starts_with("-ERR the audit failed"));
    assert_eq!(
        *records.lock().unwrap(),
        [
            "dockipc check check-open Allowed false name=a key=…",
            "dockipc check check-open Allowed false ",
            "dockipc check check-open Allowed false ",
            "dockipc check check-closed Denied false name=a",
            "dockipc check check-open Allowed false name=a",
        ]
    );
    assert_eq!(RAN.load(SeqCst), 0);
}
