//! Programs of other projects against a daemon in this process: the `redis` crate, redis-cli,
//! redis-benchmark, nc and socat. `tests/wire/clients.rs` has the clients of other languages.
//!
//! The test of a program that is not installed is skipped; with `DOCKIPC_REQUIRE_PEERS` set, as in CI, it
//! fails.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dockipc::{Failure, Handle, Request, Server, State, command};
use tests::Place;
use tests::peers::{lacks, output, run, text};

/// Add `n` to the counter and answer with the new total.
#[command("add")]
fn add(request: &Request<'_>, n: i64) -> i64 {
    let total = request.state::<AtomicI64>().unwrap();
    total.fetch_add(n, Relaxed) + n
}

/// Answer with a number beyond 64 bits.
#[command("big")]
fn big() -> u64 {
    u64::MAX
}

/// Answer with every byte once, and then a line end.
#[command("blob")]
fn blob() -> Vec<u8> {
    (0..=255).chain(*b"\r\n").collect()
}

/// Answer with the bytes in reverse.
#[command("reverse")]
fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

/// Answer with the words that were given.
#[command("words")]
fn words(words: Vec<String>) -> Vec<String> {
    words
}

/// Answer with prices.
#[command("prices")]
fn prices() -> BTreeMap<&'static str, i64> {
    BTreeMap::from([("pear", 2), ("plum", 3)])
}

/// Answer with half of a number.
#[command("half", idempotent)]
fn half(n: f64) -> f64 {
    n / 2.0
}

/// Whether a number is even.
#[command("even")]
fn even(n: i64) -> bool {
    n % 2 == 0
}

/// Answer with nothing.
#[command("nothing")]
fn nothing() -> Option<String> {
    None
}

/// The number of naps that took at least a second.
#[derive(Default)]
struct Naps(AtomicU64);

/// Take a moment, then answer OK.
#[command("nap")]
fn nap(request: &Request<'_>, time: Duration) {
    if time >= Duration::from_secs(1) {
        request.state::<Naps>().unwrap().0.fetch_add(1, Relaxed);
    }
    std::thread::sleep(time);
}

/// Fail without a code of its own.
#[command("spill")]
fn spill() -> Result<(), &'static str> {
    Err("the pot is empty")
}

/// Fail with a code of its own.
#[command("fetch")]
fn fetch(what: &str) -> Result<(), Failure> {
    Err(Failure::new("NOTFOUND", format!("there is no {what}")))
}

pub(super) struct Daemon {
    place: Place,
    handle: Handle,
    naps: State<Naps>,
}

impl Daemon {
    pub(super) fn start() -> Self {
        let place = Place::new();
        let naps = State::new(Naps::default());
        let server = Server::new().state(AtomicI64::new(0)).state(AtomicU64::new(0));
        let handle = server.share(naps.clone()).spawn(place.socket()).expect("a daemon");
        Self { place, handle, naps }
    }

    /// Stops, and returns the number of naps of at least a second that clients asked for.
    pub(super) fn slow_naps(self) -> u64 {
        self.handle.shutdown();
        self.handle.join();
        self.naps.0.load(Relaxed)
    }

    /// Runs a program with a temporary home, so that it ignores the user's settings, and for at most a
    /// minute, so that a hang is a failure.
    pub(super) fn program(&self, name: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command.arg("60").arg(name);
        command.env("HOME", self.place.directory()).current_dir(self.place.directory());
        command
    }

    pub(super) fn path(&self) -> PathBuf {
        self.place.socket()
    }

    fn redis_cli(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("redis-cli");
        command.arg("-s").arg(self.place.socket()).args(arguments);
        command
    }

    /// Runs a script of `tests/peers` with the socket's path.
    pub(super) fn script(&self, interpreter: &str, name: &str) -> Command {
        let mut words = interpreter.split(' ');
        let mut command = self.program(words.next().unwrap());
        command.args(words);
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        command.arg(scripts.join(name)).arg(self.place.socket());
        command
    }
}

mod redis_crate {
    use super::{Daemon, blob};
    use redis::{ConnectionLike, Value, cmd};

    fn connect(daemon: &Daemon, protocol: u8) -> redis::Connection {
        let socket = daemon.place.socket();
        let url = format!("redis+unix://{}?protocol=resp{protocol}", socket.display());
        let client = redis::Client::open(url).unwrap();
        let connection = client.get_connection().unwrap();
        connection.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        connection
    }

    #[test]
    fn every_kind_of_answer_arrives_as_its_type() {
        for protocol in [2, 3] {
            let daemon = Daemon::start();
            let mut redis = connect(&daemon, protocol);
            let mut ask = |line: &str| -> Value {
                let mut words = line.split(' ');
                cmd(words.next().unwrap()).arg(words.collect::<Vec<_>>()).query(&mut redis).unwrap()
            };
            let bulk = |text: &str| Value::BulkString(text.into());
            assert_eq!(ask("add 2"), Value::Int(2));
            assert_eq!(ask("ADD -44"), Value::Int(-42));
            assert_eq!(ask("blob"), Value::BulkString(blob()));
            assert_eq!(ask("words a b"), Value::Array(vec![bulk("a"), bulk("b")]));
            assert_eq!(ask("words"), Value::Array(vec![]));
            assert_eq!(ask("nothing"), Value::Nil);
            assert_eq!(ask("nap 20ms"), Value::Okay);
            assert_eq!(ask("ping"), Value::SimpleString("PONG".into()));
            let (pear, plum) = ((bulk("pear"), Value::Int(2)), (bulk("plum"), Value::Int(3)));
            if protocol == 3 {
                assert_eq!(ask("prices"), Value::Map(vec![pear, plum]));
                assert_eq!(ask("half 3"), Value::Double(1.5));
                assert_eq!(ask("even 3"), Value::Boolean(false));
            } else {
                assert_eq!(ask("prices"), Value::Array(vec![pear.0, pear.1, plum.0, plum.1]));
                assert_eq!(ask("half 3"), bulk("1.5"));
                assert_eq!(ask("even 3"), Value::Int(0));
            }
            assert_eq!(ask("big"), bulk(&u64::MAX.to_string()));
        }
    }

    #[test]
    fn bytes_go_both_ways_unchanged() {
        for protocol in [2, 3] {
            let daemon = Daemon::start();
            let mut redis = connect(&daemon, protocol);
            let large = blob().repeat(1000);
            let back: Vec<u8> = cmd("reverse").arg(&large).query(&mut redis).unwrap();
            assert!(back.iter().eq(large.iter().rev()));
        }
    }

    #[test]
    fn error_keeps_its_code_and_the_connection() {
        for protocol in [2, 3] {
            let daemon = Daemon::start();
            let mut redis = connect(&daemon, protocol);
            let error = cmd("fetch").arg("tea").exec(&mut redis).unwrap_err();
            assert_eq!(error.code(), Some("NOTFOUND"));
            assert_eq!(error.detail(), Some("there is no tea"));
            let error = cmd("ad").arg(1).exec(&mut redis).unwrap_err();
            assert_eq!(error.code(), Some("UNKNOWN"));
            let error = cmd("add").arg("x").exec(&mut redis).unwrap_err();
            assert_eq!(error.code(), Some("USAGE"));
            assert_eq!(cmd("add").arg(1).query::<i64>(&mut redis).unwrap(), 1);
            assert!(redis.is_open());
        }
    }

    #[test]
    fn pipeline_is_answered_in_order() {
        for protocol in [2, 3] {
            let daemon = Daemon::start();
            let mut redis = connect(&daemon, protocol);
            let mut pipeline = redis::pipe();
            for _ in 0..1000 {
                pipeline.cmd("add").arg(1);
            }
            let totals: Vec<i64> = pipeline.query(&mut redis).unwrap();
            assert!(totals.into_iter().eq(1..=1000));
        }
    }

    #[test]
    fn transaction_runs_all_or_nothing() {
        for protocol in [2, 3] {
            let daemon = Daemon::start();
            let mut redis = connect(&daemon, protocol);
            let mut pipeline = redis::pipe();
            pipeline.atomic().cmd("add").arg(1).cmd("nothing").cmd("add").arg(1);
            let answers: (i64, Option<i64>, i64) = pipeline.query(&mut redis).unwrap();
            assert_eq!(answers, (1, None, 2));
            let mut pipeline = redis::pipe();
            pipeline.atomic().cmd("add").arg(1).cmd("add").arg("x");
            pipeline.query::<(i64, i64)>(&mut redis).unwrap_err();
            assert_eq!(cmd("add").arg(1).query::<i64>(&mut redis).unwrap(), 3);
        }
    }

    #[test]
    fn client_has_its_name() {
        let daemon = Daemon::start();
        let mut redis = connect(&daemon, 3);
        cmd("client").arg("setname").arg("me").exec(&mut redis).unwrap();
        let name: String = cmd("client").arg("getname").query(&mut redis).unwrap();
        assert_eq!(name, "me");
    }
}

mod redis_cli {
    use super::{Daemon, blob, lacks, output, run, text};

    #[test]
    fn one_command_is_answered() {
        if lacks("redis-cli") {
            return;
        }
        for protocol in ["-2", "-3"] {
            let daemon = Daemon::start();
            let ask = |words: &[&str]| text(daemon.redis_cli(&[protocol]).args(words), b"");
            assert_eq!(ask(&["add", "2"]), "2\n");
            assert_eq!(ask(&["ADD", "2"]), "4\n");
            assert_eq!(ask(&["words", "a b", "c"]), "a b\nc\n");
            assert_eq!(ask(&["nothing"]), "\n");
            assert_eq!(ask(&["nap", "20ms"]), "OK\n");
            assert_eq!(ask(&["half", "3"]), "1.5\n");
            assert_eq!(ask(&["ping"]), "PONG\n");
            let (prices, even) = match protocol {
                "-2" => ("pear\n2\nplum\n3\n", "1\n"),
                _ => ("pear 2\nplum 3\n", "(true)\n"),
            };
            assert_eq!(ask(&["big"]), "18446744073709551615\n");
            assert_eq!(ask(&["prices"]), prices);
            assert_eq!(ask(&["even", "2"]), even);
        }
    }

    #[test]
    fn bytes_are_printed_unchanged() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        // redis-cli adds the newline after the answer.
        let expected = [&blob()[..], b"\n"].concat();
        for protocol in ["-2", "-3"] {
            assert_eq!(output(&mut daemon.redis_cli(&[protocol, "blob"]), b""), expected);
        }
    }

    #[test]
    fn stdin_can_be_the_last_argument() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        let bytes = blob();
        let back = output(&mut daemon.redis_cli(&["-x", "reverse"]), &bytes);
        let reversed: Vec<u8> = bytes.into_iter().rev().chain(*b"\n").collect();
        assert_eq!(back, reversed);
    }

    #[test]
    fn commands_are_read_from_stdin() {
        if lacks("redis-cli") {
            return;
        }
        for protocol in ["-2", "-3"] {
            let daemon = Daemon::start();
            let lines = b"add 1\nadd 2\n\nwords \"a b\" 'c'\nreverse \"\\x00\\r\\n!\"\nadd 3\n";
            let answers = output(&mut daemon.redis_cli(&[protocol]), lines);
            assert_eq!(answers, b"1\n3\na b\nc\n!\n\r\0\n6\n");
        }
    }

    #[test]
    fn pipe_mode_gets_every_answer() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        let add = tests::resp(&["add", "1"]);
        for (between, total) in [(&b""[..], 1000), (b"\r\n", 2000), (b"\n*0\r\n \r\n", 3000)] {
            let input = [&add, between].concat().repeat(1000);
            let report = text(&mut daemon.redis_cli(&["--pipe"]), &input);
            assert!(report.ends_with("errors: 0, replies: 1000\n"), "{report}");
            assert_eq!(text(&mut daemon.redis_cli(&["add", "0"]), b""), format!("{total}\n"));
        }
        // Without any command it begins with an empty line.
        let report = text(&mut daemon.redis_cli(&["--pipe"]), b"");
        assert!(report.ends_with("errors: 0, replies: 0\n"), "{report}");
    }

    #[test]
    fn json_output_has_the_types() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        let ask = |words: &[&str]| text(daemon.redis_cli(&["--json"]).args(words), b"");
        assert_eq!(ask(&["add", "2"]), "2\n");
        assert_eq!(ask(&["prices"]), "{\"pear\":2,\"plum\":3}\n");
        assert_eq!(ask(&["words", "a", "b"]), "[\"a\",\"b\"]\n");
        assert_eq!(ask(&["even", "2"]), "true\n");
        assert_eq!(ask(&["half", "3"]), "1.5\n");
        assert_eq!(ask(&["nothing"]), "null\n");
        assert_eq!(ask(&["nap", "0s"]), "\"OK\"\n");
    }

    #[test]
    fn option_e_makes_an_error_the_exit_code() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        let failed = run(&mut daemon.redis_cli(&["-e", "fetch", "tea"]), b"");
        assert_eq!(failed.status.code(), Some(1));
        let message = String::from_utf8(failed.stderr).expect("text");
        assert_eq!(message.trim_end(), "NOTFOUND there is no tea");
        // Without -e it prints the error and exits with 0.
        let answer = text(&mut daemon.redis_cli(&["fetch", "tea"]), b"");
        assert_eq!(answer.trim_end(), "NOTFOUND there is no tea");
    }

    #[test]
    fn help_comes_from_command_docs() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = Daemon::start();
        // `help` is redis-cli's own command, also outside its prompt.
        let help = text(&mut daemon.redis_cli(&["help", "add"]), b"");
        assert!(help.contains("Add `n` to the counter and answer with the new total."), "{help}");
    }

    #[test]
    fn prompt_hints_come_from_command_docs() {
        if lacks("redis-cli") || lacks("python3") {
            return;
        }
        for protocol in ["-2", "-3"] {
            let daemon = Daemon::start();
            text(daemon.script("python3", "redis_cli_prompt.py").arg(protocol), b"");
        }
    }
}

mod redis_benchmark {
    use super::{Daemon, lacks, text};

    #[test]
    fn own_command_runs_2000_times() {
        if lacks("redis-benchmark") {
            return;
        }
        for protocol in [&[][..], &["-3"]] {
            let daemon = Daemon::start();
            let mut command = daemon.program("redis-benchmark");
            command.arg("-s").arg(daemon.place.socket()).args(protocol);
            command.args(["-n", "2000", "-c", "10", "-P", "4", "-q", "add", "1"]);
            let report = text(&mut command, b"");
            assert!(report.contains("requests per second"), "{report}");
            assert!(!report.contains("rror") && !report.contains("WARN"), "{report}");
            // It may send up to a pipeline more for each connection.
            let total: u32 =
                text(&mut daemon.redis_cli(&["add", "0"]), b"").trim().parse().unwrap();
            assert!((2000..=2040).contains(&total), "{total}");
        }
    }

    #[test]
    fn ping_test_runs() {
        if lacks("redis-benchmark") {
            return;
        }
        let daemon = Daemon::start();
        let mut command = daemon.program("redis-benchmark");
        command.arg("-s").arg(daemon.place.socket());
        // Its other test, ping_inline, sends lines and expects RESP, but a line gets raw bytes.
        command.args(["-n", "2000", "-c", "10", "-P", "4", "-t", "ping_mbulk", "-q"]);
        let report = text(&mut command, b"");
        assert!(
            report.contains("PING_MBULK") && report.contains("requests per second"),
            "{report}"
        );
    }
}

mod lines {
    use super::{Daemon, blob, lacks, output};

    /// The commands that send a line, without the socket's path at the end.
    const PROGRAMS: &[&[&str]] = &[
        &["nc", "-U", ""],
        &["nc", "-N", "-U", ""],
        // By default it waits only half a second for the answer after its input ends.
        &["socat", "-t60", "-", "UNIX-CONNECT:"],
        // This one does not shut down its sending side.
        &["socat", "-,ignoreeof", "UNIX-CONNECT:"],
    ];

    fn ask(daemon: &Daemon, program: &[&str], line: &[u8]) -> Vec<u8> {
        let [name, arguments @ .., prefix] = program else { panic!("a program and its address") };
        let address = format!("{prefix}{}", daemon.place.socket().display());
        output(daemon.program(name).args(arguments).arg(address), line)
    }

    #[test]
    fn line_gets_raw_bytes_and_the_end() {
        for program in PROGRAMS {
            if lacks(program[0]) {
                continue;
            }
            let daemon = Daemon::start();
            let ask = |line: &[u8]| ask(&daemon, program, line);
            assert_eq!(ask(b"add 2\n"), b"2");
            assert_eq!(ask(b"add 2\r\n"), b"4");
            assert_eq!(ask(b"nap 20ms\n"), b"");
            assert_eq!(ask(b"words 'a b' c\n"), b"a b\nc\n");
            assert_eq!(ask(b"prices\n"), b"pear\t2\nplum\t3\n");
            assert_eq!(ask(b"blob\n"), blob());
        }
    }

    #[test]
    fn failure_is_one_line() {
        for program in PROGRAMS {
            if lacks(program[0]) {
                continue;
            }
            let daemon = Daemon::start();
            let ask = |line: &[u8]| ask(&daemon, program, line);
            assert_eq!(ask(b"fetch tea\n"), b"-NOTFOUND there is no tea\n");
            let unknown = ask(b"ad 2\n");
            assert!(unknown.starts_with(b"-UNKNOWN "), "{}", unknown.escape_ascii());
            assert!(unknown.ends_with(b"\n"), "{}", unknown.escape_ascii());
        }
    }

    #[test]
    fn line_without_its_newline_does_not_run() {
        // The others leave their side open, so the daemon waits for the rest of the line.
        for program in [PROGRAMS[1], PROGRAMS[2]] {
            if lacks(program[0]) {
                continue;
            }
            let daemon = Daemon::start();
            let answer = ask(&daemon, program, b"add 2");
            assert!(answer.starts_with(b"-INCOMPLETE "), "{}", answer.escape_ascii());
            assert_eq!(ask(&daemon, program, b"add 0\n"), b"0");
        }
    }
}
