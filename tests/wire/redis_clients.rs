//! What Redis clients do by themselves: codes on which they act, hash tables, the subcommands of `CLIENT`,
//! `INFO`, and names that they send to Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use dockipc::{Client, Failure, Reply, Request, Server, command};
use tests::peers::{lacks, text, versions};
use tests::{Daemon, expect, resp, rest};

/// The number of runs.
type Runs = Arc<AtomicUsize>;

/// Fails with the code. In a list, the failure is an item.
#[command]
fn refuse(request: &Request<'_>, code: &str, message: &str, place: &str) -> Reply {
    request.state::<Runs>().unwrap().fetch_add(1, SeqCst);
    let code = String::leak(code.to_owned());
    let error = Reply::Error(Failure::new(code, message));
    if place == "list" { Reply::List(vec![error]) } else { error }
}

/// Returns a map whose keys are lists.
#[command]
fn distances() -> BTreeMap<(u8, u8), Vec<u8>> {
    BTreeMap::from([((1, 2), vec![b'a', b'b']), ((3, 4), vec![])])
}

/// Returns a set of lists.
#[command]
fn edges() -> BTreeSet<(u8, u8)> {
    BTreeSet::from([(1, 2), (3, 4)])
}

type Areas = BTreeMap<(u8, u8), BTreeSet<Vec<u64>>>;

/// Returns a map of maps whose keys are lists.
#[command]
fn nested() -> BTreeMap<String, Areas> {
    BTreeMap::from([("k".into(), BTreeMap::from([((1, 2), BTreeSet::from([vec![3], vec![]]))]))])
}

#[command("time")]
#[allow(deprecated, reason = "a name whose answer redis-py converts")]
fn time() -> &'static str {
    "7"
}

fn start() -> (Daemon, Runs) {
    let runs = Runs::default();
    (Daemon::start(Server::new().state(Arc::clone(&runs))), runs)
}

fn ask(stream: &mut UnixStream, words: &str, answer: &str) {
    let words: Vec<_> = words.split(' ').collect();
    stream.write_all(&resp(&words)).unwrap();
    expect(stream, answer.as_bytes());
}

fn answer(daemon: &Daemon, words: &[&str]) -> String {
    let mut stream = daemon.connect();
    stream.write_all(&[resp(words), resp(&["quit"])].concat()).unwrap();
    let all = String::from_utf8(rest(stream)).unwrap();
    all.strip_suffix("+OK\r\n").unwrap().to_owned()
}

/// Runs the script with this version of redis-py. Returns the number of its calls.
fn redis_py(daemon: &Daemon, version: &Path, check: &str) -> usize {
    let mut python = Command::new("timeout");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/redis_py_acts.py");
    python.args(["60", "python3"]).arg(script).arg(daemon.path()).arg(check);
    let report = text(python.env("PYTHONPATH", version), b"");
    let calls =
        report.trim_end().strip_suffix(" calls ok").and_then(|rest| rest.rsplit(' ').next());
    calls.unwrap_or_else(|| panic!("{report}")).parse().unwrap()
}

#[test]
fn author_code_makes_no_client_repeat() {
    if lacks("python3") {
        return;
    }
    for version in versions("python", "redis") {
        let (daemon, runs) = start();
        let calls = redis_py(&daemon, &version, "codes");
        assert!(calls >= 24, "{calls}");
        assert_eq!(runs.load(SeqCst), calls, "{version:?}");
    }
}

#[test]
fn map_with_lists_as_keys_is_read() {
    let (daemon, _) = start();
    let client = Client::new(daemon.path());
    let distances: BTreeMap<(u8, u8), Vec<u8>> = client.command("distances").call().unwrap();
    assert_eq!(distances, self::distances());
    let edges: BTreeSet<(u8, u8)> = client.command("edges").call().unwrap();
    assert_eq!(edges, self::edges());
    let nested: BTreeMap<String, Areas> = client.command("nested").call().unwrap();
    assert_eq!(nested, self::nested());
    // RESP2 has flat arrays.
    let flat = "*4\r\n*2\r\n:1\r\n:2\r\n$2\r\nab\r\n*2\r\n:3\r\n:4\r\n$0\r\n\r\n";
    assert_eq!(answer(&daemon, &["distances"]), flat);
    if lacks("python3") {
        return;
    }
    for version in versions("python", "redis") {
        redis_py(&daemon, &version, "maps");
    }
}

#[test]
fn client_subcommands_are_answered() {
    let (daemon, _) = start();
    let mut stream = daemon.connect();
    for words in [
        "CLIENT TRACKING ON OPTIN",
        "client tracking on bcast noloop",
        "CLIENT TRACKING OFF",
        "CLIENT CACHING YES",
        "CLIENT NO-EVICT ON",
        "CLIENT NO-TOUCH ON",
        "CLIENT CAPA redirect",
        "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none",
        "CLIENT SETINFO LIB-NAME x",
        "CLIENT REPLY ON",
        "client reply on",
    ] {
        ask(&mut stream, words, "+OK\r\n");
    }
    for reply in ["OFF", "SKIP"] {
        let why = "-ERR CLIENT REPLY OFF and SKIP are not supported: every command is answered\r\n";
        ask(&mut stream, &format!("CLIENT REPLY {reply}"), why);
    }
    ask(&mut stream, "CLIENT PAUSE 100", "-ERR unknown subcommand 'PAUSE'\r\n");
    ask(&mut stream, "CLIENT HELP", "-ERR unknown subcommand 'HELP'\r\n");
    ask(&mut stream, "CLIENT", "-ERR unknown subcommand ''\r\n");
    ask(&mut stream, "COMMAND GETKEYS get x", "-ERR unknown subcommand 'GETKEYS'\r\n");
    let usage =
        "-USAGE usage: client id | getname | setname <name> | setinfo <what> <value> | list\r\n";
    ask(&mut stream, "CLIENT SETNAME", usage);
    ask(&mut stream, "CLIENT TRACKING", usage);
}

#[test]
fn protocol_word_is_an_unknown_command() {
    let (daemon, _) = start();
    let mut stream = daemon.connect();
    for word in ["SUBSCRIBE", "monitor", "CLUSTER", "SENTINEL", "Acl", "MODULE", "ROLE", "READONLY"]
    {
        let refusal = format!("-ERR unknown command '{word}'\r\n");
        ask(&mut stream, &format!("{word} x"), &refusal);
    }
    // Any other name is an author's.
    ask(&mut stream, "tim", "-UNKNOWN no command \"tim\"; did you mean time?\r\n");
}

#[test]
fn client_kill_of_unknown_id_ends_nothing() {
    let (daemon, _) = start();
    let mut other = daemon.connect();
    ask(&mut other, "PING", "+PONG\r\n");
    let mut stream = daemon.connect();
    let list = answer(&daemon, &["CLIENT", "LIST"]);
    assert!(list.contains("id="), "{list}");
    for id in 1_000_000..1_000_009 {
        ask(&mut stream, &format!("CLIENT KILL ID {id}"), ":0\r\n");
    }
    ask(&mut stream, "CLIENT KILL 127.0.0.1:1", "-ERR No such client\r\n");
    ask(&mut stream, "CLIENT KILL TYPE normal", "-ERR No such client\r\n");
    let own = Client::new(daemon.path()).command("client").arg("id").call::<u64>().unwrap() + 1;
    let mut last = daemon.connect();
    let killed =
        [resp(&["client", "kill", "id", &own.to_string(), "skipme", "no"]), resp(&["PING"])];
    last.write_all(&killed.concat()).unwrap();
    assert_eq!(rest(last), b":1\r\n");
    ask(&mut other, "PING", "+PONG\r\n");
    ask(&mut stream, "PING", "+PONG\r\n");
}

#[test]
fn info_answers_by_section() {
    let (daemon, _) = start();
    let names = |words: &[&str]| {
        let words = [&["INFO"], words].concat();
        let text = answer(&daemon, &words);
        let sections = text.lines().filter_map(|line| line.strip_prefix("# "));
        sections.map(str::to_owned).collect::<Vec<_>>()
    };
    let all = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "Cluster"];
    let all = [&all[..], &["Keyspace"]].concat();
    for words in [&[][..], &["all"], &["EVERYTHING"], &["default", "clients"]] {
        assert_eq!(names(words), all, "{words:?}");
    }
    assert_eq!(names(&["replication"]), ["Replication"]);
    assert_eq!(names(&["MEMORY", "clients"]), ["Clients", "Memory"]);
    assert!(names(&["nothing"]).is_empty());
    let replication = answer(&daemon, &["INFO", "replication"]);
    assert!(replication.contains("\r\nrole:master\r\n"), "{replication}");
    let all = answer(&daemon, &["INFO"]);
    let field = |name: &str| -> u64 {
        let line = all.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').parse().unwrap()
    };
    assert!(field("used_memory") > 1 << 20);
    assert!(field("connected_clients") >= 1 && field("total_commands_processed") > 0);
    assert_eq!(field("blocked_clients"), 0);
}

#[test]
fn redis_cli_stat_prints_numbers() {
    if lacks("redis-cli") {
        return;
    }
    let (daemon, _) = start();
    let mut cli = Command::new("timeout");
    cli.args(["-s", "INT", "20", "redis-cli", "-s"])
        .arg(daemon.path())
        .args(["--stat", "-i", "0.01"]);
    let mut child = cli.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let row = lines
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    child.kill().unwrap();
    child.wait().unwrap();
    let row = row.unwrap();
    // Keys, memory, clients, blocked, requests and their increase, connections.
    let columns: Vec<_> = row.split_whitespace().collect();
    assert!(columns[0] == "0" && columns[1].ends_with('M') && columns[2] == "1", "{row}");
    assert!(columns[3] == "0" && columns[4].parse::<u64>().is_ok() && !row.contains('-'), "{row}");
}
