//! `since`, `deprecated`, `readonly` and `destructive`.

use std::collections::BTreeMap;

use dockipc::{Client, Reply, Request, Server, command};
use tests::{Daemon, exchange};

/// Show the sum.
#[command("sum show", readonly, since = "1.2")]
fn sum_show() -> u64 {
    7
}

/// Forget everything.
#[command("forget", destructive, idempotent)]
fn forget() {}

/// Add a number.
#[command("plus", since = "0.9", deprecated = "use add")]
fn plus(n: u64) -> u64 {
    n
}

/// Add a number.
#[command("add")]
fn add(n: u64) -> u64 {
    n
}

fn daemon() -> Daemon {
    Daemon::start(Server::new().handle("raw", |_: &Request<'_>| ()))
}

fn line(daemon: &Daemon, line: &str) -> String {
    String::from_utf8(exchange(daemon.connect(), format!("{line}\n").as_bytes())).unwrap()
}

fn texts(texts: &[&str]) -> Reply {
    Reply::List(texts.iter().map(|text| Reply::Status((*text).to_owned().into())).collect())
}

#[test]
fn help_shows_the_marks() {
    let daemon = daemon();
    assert_eq!(
        line(&daemon, "help sum show"),
        "sum show\n\nShow the sum.\n\nsince: 1.2\n\nreadonly: it changes nothing\n"
    );
    assert_eq!(
        line(&daemon, "help plus"),
        "plus <n>\n\nAdd a number.\n\n  <n>  integer\n\nsince: 0.9\n\ndeprecated: use add\n"
    );
    assert_eq!(
        line(&daemon, "help forget"),
        "forget\n\nForget everything.\n\ndestructive: what it removes or overwrites is lost\n\n\
         idempotent: running it twice has the same effect as once\n"
    );
    let list = line(&daemon, "help");
    assert!(list.contains("Add a number. (deprecated: use add)\n"), "{list}");
}

#[test]
fn description_has_the_marks_that_are_set() {
    let daemon = daemon();
    let client = Client::new(daemon.path());
    let all: BTreeMap<String, BTreeMap<String, Reply>> =
        client.command("dockipc").arg("describe").call().unwrap();
    let marks = |name: &str| {
        let keys = ["since", "deprecated", "readonly", "destructive", "idempotent"];
        let shown = |key: &&str| match all[name].get(*key)? {
            Reply::Bytes(text) => Some(format!("{key}={}", String::from_utf8_lossy(text))),
            Reply::Int(number) => Some(format!("{key}={number}")),
            other => panic!("{other:?}"),
        };
        keys.iter().filter_map(shown).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(marks("sum show"), "since=1.2 readonly=1 idempotent=1");
    assert_eq!(marks("plus"), "since=0.9 deprecated=use add idempotent=0");
    assert_eq!(marks("forget"), "destructive=1 idempotent=1");
    assert_eq!(marks("add"), "idempotent=0");
    assert_eq!(marks("ping"), "idempotent=1");
}

#[test]
fn command_has_the_flags() {
    let daemon = daemon();
    let client = Client::new(daemon.path());
    let flags = |name: &str| {
        let rows: Vec<Vec<Reply>> = client.command("command").arg("info").arg(name).call().unwrap();
        rows[0][2].clone()
    };
    assert_eq!(flags("sum|show"), texts(&["readonly", "idempotent"]));
    assert_eq!(flags("forget"), texts(&["write", "destructive", "idempotent"]));
    assert_eq!(flags("plus"), texts(&["write"]));
    assert_eq!(flags("raw"), texts(&["write"]));
    assert_eq!(flags("sum"), texts(&[]));
    assert_eq!(flags("ping"), texts(&["idempotent"]));
    let docs = |name: &str| {
        let mut docs: BTreeMap<String, BTreeMap<String, Reply>> =
            client.command("command").arg("docs").arg(name).call().unwrap();
        let docs = docs.remove(name).unwrap();
        let keys = ["since", "doc_flags", "replaced_by"];
        keys.map(|key| docs.get(key).cloned())
    };
    let text = |text: &str| Some(Reply::Bytes(text.into()));
    let plus = [text("0.9"), Some(texts(&["deprecated"])), text("use add")];
    assert_eq!(docs("plus"), plus);
    assert_eq!(docs("sum|show"), [text("1.2"), Some(texts(&["idempotent"])), None]);
    assert_eq!(docs("add")[1..], [None, None]);
}
