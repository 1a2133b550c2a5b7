//! Transactions: `MULTI` queues commands, `EXEC` runs them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use dockipc::{Access, Client, Reply, Request, Server, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, Place, exchange, expect, resp, rest};

/// Adds to the counter, which shows what ran.
#[command("count")]
fn count(request: &Request<'_>, n: i64) -> i64 {
    let counter = request.state::<AtomicI64>().unwrap();
    counter.fetch_add(n, SeqCst) + n
}

fn server() -> Server {
    Server::new().state(AtomicI64::new(0))
}

fn start(server: Server) -> Daemon {
    Daemon::start(server)
}

/// Encodes commands, each with its words separated by blanks.
fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| resp(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// Sends commands in one piece and then one by one, and expects exactly these answers both times.
#[track_caller]
fn check(server: impl Fn() -> Server, dialogue: &[(&str, &str)]) {
    let daemon = start(server());
    let lines: Vec<_> = dialogue.iter().map(|(line, _)| *line).collect();
    let answers: String = dialogue.iter().map(|(_, answer)| *answer).collect();
    let mut stream = daemon.connect();
    stream.write_all(&commands(&lines)).unwrap();
    expect(&mut stream, answers.as_bytes());
    let daemon = start(server());
    let mut stream = daemon.connect();
    for (line, answer) in dialogue {
        stream.write_all(&commands(&[line])).unwrap();
        expect(&mut stream, answer.as_bytes());
    }
}

/// Reads a line without its end.
fn line(stream: &mut UnixStream) -> String {
    let mut line = String::new();
    while !line.ends_with("\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0].into());
    }
    line.trim_end().to_owned()
}

const OK: &str = "+OK\r\n";
const QUEUED: &str = "+QUEUED\r\n";
const ABORT: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";
const LOST: &str = "-ERR EXEC without MULTI\r\n";

#[test]
fn exec_runs_the_queue_in_order() {
    check(
        server,
        &[
            ("count 1", ":1\r\n"),
            ("MULTI", OK),
            ("count 10", QUEUED),
            ("ping", QUEUED),
            ("COUNT 100", QUEUED),
            ("exec", "*3\r\n:11\r\n+PONG\r\n:111\r\n"),
            ("count 0", ":111\r\n"),
            ("multi", OK),
            ("EXEC", "*0\r\n"),
            ("EXEC", LOST),
        ],
    );
}

#[test]
fn input_skipped_before_exec_is_used_up_with_it() {
    let daemon = start(server());
    let mut stream = daemon.connect();
    let before = commands(&["multi", "count 1"]);
    let after = commands(&["exec", "count 1"]);
    stream.write_all(&[&before[..], b"\r\n \r\n*0\r\n", &after].concat()).unwrap();
    expect(&mut stream, b"+OK\r\n+QUEUED\r\n*1\r\n:1\r\n:2\r\n");
}

#[test]
fn hello_as_a_line_is_refused_in_a_transaction() {
    let daemon = start(server());
    let mut stream = daemon.connect();
    let bytes = [&commands(&["multi"])[..], b"HELLO 3\r\n", &commands(&["exec"])].concat();
    stream.write_all(&bytes).unwrap();
    let told = "-ERR hello is not allowed in a transaction; send it before MULTI\r\n";
    expect(&mut stream, [OK, told, ABORT].concat().as_bytes());
}

#[test]
fn refused_command_aborts_exec() {
    let server = || server().handle("locked", |_: &Request<'_>| ()).allow("locked", "uid:12345678");
    let me = rustix::process::getuid().as_raw();
    let denied = format!(
        "-NOPERM permission denied: \"locked\" requires uid:12345678 (you are uid {me})\r\n"
    );
    for (line, refusal) in [
        ("coun 1", "-UNKNOWN no command \"coun\"; did you mean count?\r\n"),
        ("count", "-USAGE n is missing; usage: count <n>\r\n"),
        (
            "count x",
            "-USAGE bad value for n: \"x\": expected an integer from -9223372036854775808 to 9223372036854775807; usage: count <n>\r\n",
        ),
        ("count 1 2", "-USAGE unexpected word \"2\"; usage: count <n>\r\n"),
        ("locked", &denied),
        ("MULTI", "-ERR MULTI calls can not be nested\r\n"),
        ("WATCH key", "-ERR WATCH inside MULTI is not allowed\r\n"),
        ("HELLO 3", "-ERR hello is not allowed in a transaction; send it before MULTI\r\n"),
        ("AUTH token", "-ERR auth is not allowed in a transaction; send it before MULTI\r\n"),
        (
            "dockipc line ping",
            "-ERR dockipc is not allowed in a transaction; send it before MULTI\r\n",
        ),
        ("exec now", "-USAGE EXEC and DISCARD take no arguments\r\n"),
        ("discard now", "-USAGE EXEC and DISCARD take no arguments\r\n"),
    ] {
        check(
            server,
            &[
                ("MULTI", OK),
                ("count 1", QUEUED),
                (line, refusal),
                ("count 1", QUEUED),
                ("EXEC", ABORT),
                ("EXEC", LOST),
                ("count 0", ":0\r\n"),
            ],
        );
    }
}

#[test]
fn failed_command_does_not_stop_the_others() {
    let server = || {
        let fail = |request: &Request<'_>| match request.word(0) {
            None => Err::<(), _>("it failed"),
            Some(_) => panic!("a panic of this test"),
        };
        server().handle("break", fail)
    };
    check(
        server,
        &[
            ("MULTI", OK),
            ("count 1", QUEUED),
            ("break", QUEUED),
            ("break x", QUEUED),
            ("count 1", QUEUED),
            (
                "EXEC",
                "*4\r\n:1\r\n-ERR it failed\r\n-PANIC break panicked; see the daemon's standard error for the message\r\n:2\r\n",
            ),
            ("count 0", ":2\r\n"),
        ],
    );
}

#[test]
fn discard_reset_and_quit_drop_the_queue() {
    check(
        server,
        &[
            ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
            ("MULTI", OK),
            ("count 1", QUEUED),
            ("discard", OK),
            ("EXEC", LOST),
            ("MULTI", OK),
            ("count 1", QUEUED),
            ("coun", "-UNKNOWN no command \"coun\"; did you mean count?\r\n"),
            ("DISCARD", OK),
            ("MULTI", OK),
            ("count 1", QUEUED),
            ("RESET", "+RESET\r\n"),
            ("EXEC", LOST),
            ("count 0", ":0\r\n"),
        ],
    );
    let daemon = start(server());
    let quit = commands(&["MULTI", "count 1", "QUIT", "EXEC"]);
    let answer = exchange(daemon.connect(), &quit);
    assert_eq!(answer, [OK, QUEUED, OK].concat().as_bytes());
    // A client that leaves.
    let answer = exchange(daemon.connect(), &commands(&["MULTI", "count 1"]));
    assert_eq!(answer, [OK, QUEUED].concat().as_bytes());
    assert_eq!(daemon.ask("count 0\n"), "0");
}

#[test]
fn second_client_kill_does_not_undo_the_first() {
    let daemon = start(server());
    let mut stream = daemon.connect();
    stream.write_all(&commands(&["CLIENT ID"])).unwrap();
    let id = line(&mut stream).trim_start_matches(':').to_owned();
    let kill = format!("CLIENT KILL ID {id} SKIPME no");
    stream.write_all(&commands(&["MULTI", &kill, "CLIENT KILL ID 0", "EXEC", "ping"])).unwrap();
    let answer = [OK, QUEUED, QUEUED, "*2\r\n:1\r\n:0\r\n"].concat();
    assert_eq!(String::from_utf8(rest(stream)).unwrap(), answer);
}

#[test]
fn watch_is_refused_and_unwatch_is_not() {
    check(
        server,
        &[
            (
                "WATCH a b",
                "-ERR WATCH is not supported: there are no keys to watch; use MULTI and EXEC without it\r\n",
            ),
            ("UNWATCH", OK),
            ("MULTI", OK),
            ("unwatch", QUEUED),
            ("EXEC", "*1\r\n+OK\r\n"),
        ],
    );
}

#[test]
fn harmless_builtins_are_queued() {
    check(
        server,
        &[
            ("MULTI", OK),
            ("echo x", QUEUED),
            ("client setname me", QUEUED),
            ("client getname", QUEUED),
            ("select 0", QUEUED),
            ("select 1", QUEUED),
            ("command info count", QUEUED),
            (
                "EXEC",
                "*6\r\n$1\r\nx\r\n+OK\r\n$2\r\nme\r\n+OK\r\n-ERR only database 0 exists\r\n\
             *1\r\n*10\r\n$5\r\ncount\r\n:2\r\n*1\r\n+write\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n",
            ),
        ],
    );
}

#[test]
fn exec_and_discard_take_no_prefix() {
    let refused = "-ERR EXEC and DISCARD take no prefix\r\n";
    for prefix in ["DOCKIPC ARGS", "DOCKIPC WITH deadline 60000 --"] {
        for word in ["EXEC", "DISCARD"] {
            let prefixed = format!("{prefix} {word}");
            let dialogue =
                [("MULTI", OK), (&prefixed, refused), ("EXEC", ABORT), ("count 1", ":1\r\n")];
            check(server, &dialogue);
        }
    }
}

#[test]
fn answers_have_their_resp3_form() {
    let daemon = start(server().handle("none", |_: &Request<'_>| None::<u8>));
    let mut stream = daemon.connect();
    stream.write_all(&commands(&["HELLO 3", "MULTI", "none", "count x", "EXEC"])).unwrap();
    stream.write_all(&commands(&["MULTI", "none", "select 1", "EXEC", "QUIT"])).unwrap();
    let answer = String::from_utf8(rest(stream)).unwrap();
    let wanted =
        format!("{ABORT}{OK}{QUEUED}{QUEUED}*2\r\n_\r\n-ERR only database 0 exists\r\n{OK}");
    assert!(answer.ends_with(&wanted), "{answer}");
}

#[test]
fn own_commands_may_have_these_names() {
    let own = |request: &Request<'_>| format!("own {}", request.name());
    let others = || {
        let server = server().handle("exec", own).handle("discard", own);
        server.handle("watch", own).handle("unwatch", own)
    };
    check(
        others,
        &[
            ("exec", "$8\r\nown exec\r\n"),
            ("discard", "$11\r\nown discard\r\n"),
            ("watch", "$9\r\nown watch\r\n"),
            ("unwatch", "$11\r\nown unwatch\r\n"),
            ("MULTI", OK),
            ("watch x", QUEUED),
            ("EXEC", "*1\r\n$9\r\nown watch\r\n"),
            ("MULTI", OK),
            ("exec x", "-USAGE EXEC and DISCARD take no arguments\r\n"),
            ("discard", OK),
            ("exec x", "$8\r\nown exec\r\n"),
        ],
    );
    // An own `multi` takes transactions away.
    check(
        || server().handle("multi", own),
        &[("multi", "$9\r\nown multi\r\n"), ("count 1", ":1\r\n"), ("EXEC", LOST)],
    );
    // A fallback answers the other names outside of a transaction.
    check(
        || server().fallback(own),
        &[
            ("exec", "$8\r\nown exec\r\n"),
            ("watch x", "$9\r\nown watch\r\n"),
            ("MULTI", OK),
            ("some", QUEUED),
            ("EXEC", "*1\r\n$8\r\nown some\r\n"),
        ],
    );
}

#[test]
fn line_begins_no_transaction() {
    let daemon = start(server());
    let told = r"USAGE a line can\'t begin a transaction (one command per connection); use RESP";
    assert_eq!(daemon.ask("multi\n"), format!(r"-{told}\n"));
    assert_eq!(daemon.ask("exec\n"), r"-ERR EXEC without MULTI\n");
    let wrapped = [resp(&["dockipc", "line", "multi"]), resp(&["exec"])].concat();
    assert_eq!(daemon.ask(wrapped), format!(r"-{told}\r\n-ERR EXEC without MULTI\r\n"));
}

#[test]
fn second_socket_queues_only_what_it_offers() {
    let second = Place::new();
    let server = server().also_at(second.socket(), Access::only(["ping"]));
    let _daemon = start(server);
    let mut stream = UnixStream::connect(second.socket()).unwrap();
    stream.write_all(&commands(&["MULTI", "ping", "count 1", "EXEC"])).unwrap();
    let me = rustix::process::getuid().as_raw();
    let told = format!(
        "-NOPERM permission denied: \"count\" is not offered at this socket (you are uid {me})\r\n"
    );
    expect(&mut stream, [OK, QUEUED, &told, ABORT].concat().as_bytes());
}

#[test]
fn command_docs_describe_transactions() {
    let own = |_: &Request<'_>| ();
    let daemon = start(server().handle("exec", own));
    let docs = daemon.ask(resp(&["command", "docs"]));
    for (name, summary) in [
        ("multi", "Queue the next commands for EXEC; not in line mode."),
        ("discard", "Drop the commands that MULTI queued."),
    ] {
        let begins =
            format!(r"\r\n{name}\r\n*8\r\n$7\r\nsummary\r\n${}\r\n{summary}", summary.len());
        assert!(docs.contains(&begins), "{begins} is not in {docs}");
        assert!(daemon.ask(format!("help {name}\n")).contains(summary), "{name}");
        assert_eq!(daemon.ask(resp(&["dockipc", "idempotent", name])), r":0\r\n", "{name}");
    }
    assert_eq!(docs.matches(r"\r\nexec\r\n").count(), 1, "{docs}");
    // Lists for people and our programs leave them out, as they send one command at a time.
    assert!(!daemon.ask("help\n").contains("multi"));
}

#[test]
fn transactions_have_no_rule() {
    let daemon = start(server().allow("*", "uid:12345678").allow("count", "any"));
    let mut stream = daemon.connect();
    stream.write_all(&commands(&["MULTI", "count 1", "EXEC"])).unwrap();
    expect(&mut stream, [OK, QUEUED, "*1\r\n:1\r\n"].concat().as_bytes());
    let error = server().allow("multi", "any").spawn(Place::new().socket()).err();
    let error = error.expect("a rule for no command").to_string();
    assert!(error.contains("no command has such a name"), "{error}");
}

#[test]
fn info_counts_each_command() {
    let daemon = start(server());
    let processed = || {
        let info = daemon.ask("info\n");
        let (_, rest) = info.split_once("total_commands_processed:").expect("the field");
        rest.split_once('\\').unwrap().0.parse::<u64>().unwrap()
    };
    let before = processed();
    exchange(daemon.connect(), &commands(&["MULTI", "count 1", "count 1", "EXEC"]));
    // As in Redis: two that ran, MULTI, EXEC, and the INFO before.
    assert_eq!(processed() - before, 5);
}

mod limits {
    use super::*;

    #[test]
    fn longer_transaction_gets_toobig() {
        let server = || server().max_command(100);
        let told = "-TOOBIG the commands of the transaction are longer than 100 bytes\r\n";
        let one = "echo 0123456789012345678901234";
        check(
            server,
            &[
                ("MULTI", OK),
                (one, QUEUED),
                (one, QUEUED),
                (one, told),
                (one, QUEUED),
                ("EXEC", ABORT),
                ("MULTI", OK),
                (one, QUEUED),
                ("EXEC", "*1\r\n$25\r\n0123456789012345678901234\r\n"),
            ],
        );
        let long = format!("echo {}", "x".repeat(100));
        let told = "-TOOBIG the command is longer than 100 bytes; it was not run\r\n";
        check(
            server,
            &[
                ("MULTI", OK),
                ("count 1", QUEUED),
                (&long, told),
                ("EXEC", ABORT),
                ("count 0", ":0\r\n"),
            ],
        );
    }

    #[test]
    fn more_commands_get_toobig() {
        let daemon = start(server());
        let mut stream = daemon.connect();
        let many = [commands(&["MULTI"]), commands(&["ping"]).repeat(10_001)].concat();
        let mut writing = stream.try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            writing.write_all(&[many, commands(&["EXEC"])].concat()).unwrap();
        });
        expect(&mut stream, [OK, &QUEUED.repeat(10_000)].concat().as_bytes());
        expect(&mut stream, b"-TOOBIG a transaction has at most 10000 commands\r\n");
        expect(&mut stream, ABORT.as_bytes());
        writer.join().unwrap();
    }

    #[test]
    fn longer_answers_get_toobig() {
        let large = |_: &Request<'_>| vec![b'x'; 7 << 20];
        let daemon = start(server().handle("large", large));
        let client = Client::new(daemon.path());
        let mut pipeline = client.pipeline();
        pipeline.command("multi", [""; 0]);
        for _ in 0..5 {
            pipeline.command("large", [""; 0]);
        }
        pipeline.command("count", ["1"]).command("exec", [""; 0]).command("count", ["0"]);
        let answers = pipeline.call().unwrap();
        let [.., Reply::List(answers), Reply::Int(0)] = &answers[..] else {
            panic!("{} answers", answers.len());
        };
        let kinds: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                Reply::Bytes(bytes) => format!("{} bytes", bytes.len()),
                Reply::Error(failure) => format!("{} {}", failure.code(), failure.message()),
                other => format!("{other:?}"),
            })
            .collect();
        let told = "TOOBIG the answers of the transaction are longer than 16777216 bytes; the command was not run";
        assert_eq!(kinds, ["7340032 bytes", "7340032 bytes", "7340032 bytes", told, told, told]);
    }

    #[test]
    fn answers_count_for_their_user() {
        let long = |_: &Request<'_>| vec![b'x'; 60_000];
        let daemon = start(server().max_bytes_per_user(100_000).handle("long", long));
        let mut stream = daemon.connect();
        let lines = ["MULTI", "count 1", "long", "long", "count 1", "count 1", "EXEC", "count 0"];
        stream.write_all(&commands(&lines)).unwrap();
        let long = format!("$60000\r\n{}\r\n", "x".repeat(60_000));
        let told = "-BUSY too much waits in the connections of this user: 100000 bytes at most; nothing was run\r\n";
        let answer = format!("*5\r\n:1\r\n{long}{long}{told}{told}:1\r\n");
        expect(&mut stream, [OK, &QUEUED.repeat(5), &answer].concat().as_bytes());
    }

    #[test]
    fn queue_counts_for_its_user() {
        let daemon = start(server().max_bytes_per_user(100_000));
        let big = "x".repeat(60_000);
        let queue = || {
            let mut stream = daemon.connect();
            stream.write_all(&[resp(&["MULTI"]), resp(&["echo", &big])].concat()).unwrap();
            expect(&mut stream, [OK, QUEUED].concat().as_bytes());
            stream
        };
        let mut first = queue();
        let second = queue();
        let told = "-BUSY too much waits in the connections of this user: 100000 bytes at most; nothing was run\r\n";
        assert_eq!(rest(second), told.as_bytes());
        // What is dropped or run counts no longer.
        for end in ["DISCARD", "EXEC"] {
            first.write_all(&resp(&[end])).unwrap();
            match end {
                "EXEC" => expect(&mut first, format!("*1\r\n$60000\r\n{big}\r\n").as_bytes()),
                _ => expect(&mut first, b"+OK\r\n"),
            }
            drop(first);
            first = queue();
        }
    }
}

mod slow {
    use std::convert::Infallible;

    use super::*;

    fn gated(server: impl FnOnce(Server) -> Server) -> (Daemon, Gate) {
        let gate = Gate::default();
        let waits = gate.clone();
        let pass = move |request: &Request<'_>| {
            waits.pass();
            request.word(0).map(<[u8]>::to_vec)
        };
        (start(server(super::server()).handle("pass", pass)), gate)
    }

    /// Begins a transaction whose second and third commands wait at the gate.
    fn begin(daemon: &Daemon, gate: &Gate) -> UnixStream {
        let (mut stream, before) = (daemon.connect(), gate.waiting());
        let lines = ["PING", "MULTI", "count 1", "pass a", "pass b", "count 1", "EXEC", "ping"];
        stream.write_all(&commands(&lines)).unwrap();
        let early = ["+PONG\r\n", OK, &QUEUED.repeat(4)].concat();
        expect(&mut stream, early.as_bytes());
        until("a command that waits", || gate.waiting() == before + 1);
        stream
    }

    static PARSING: LazyLock<Gate> = LazyLock::new(Gate::default);

    /// A word that takes long to parse.
    struct Parsed(String);

    impl FromStr for Parsed {
        type Err = Infallible;

        fn from_str(text: &str) -> Result<Self, Infallible> {
            PARSING.pass();
            Ok(Self(text.into()))
        }
    }

    #[command("parsed")]
    fn parsed(#[arg(from_str)] word: Parsed) -> String {
        word.0
    }

    #[test]
    fn slow_parser_delays_no_other_client() {
        let daemon = start(server());
        for round in 1..=2 {
            PARSING.close();
            let mut stream = daemon.connect();
            stream.write_all(&commands(&["MULTI", "parsed a"])).unwrap();
            expect(&mut stream, OK.as_bytes());
            until("a parser that waits", || PARSING.waiting() == 1);
            assert_eq!(daemon.ask("ping\n"), "PONG", "round {round}");
            PARSING.open();
            expect(&mut stream, QUEUED.as_bytes());
            stream.write_all(&commands(&["EXEC"])).unwrap();
            expect(&mut stream, b"*1\r\n$1\r\na\r\n");
        }
    }

    #[test]
    fn slow_transaction_delays_no_other_client() {
        let (daemon, gate) = gated(|server| server);
        for round in 0..3 {
            gate.close();
            let streams: Vec<_> = (0..4).map(|_| begin(&daemon, &gate)).collect();
            assert_eq!(daemon.ask("ping\n"), "PONG");
            let between = if round == 0 { 4 } else { 8 * round + 4 };
            assert_eq!(
                daemon.ask("count 0\n"),
                between.to_string(),
                "others' commands run between"
            );
            gate.open();
            for mut stream in streams {
                let mut head = vec![0; 4];
                stream.read_exact(&mut head).unwrap();
                assert_eq!(head, b"*4\r\n");
                let mut answer = String::new();
                while !answer.ends_with("+PONG\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    answer.push(byte[0].into());
                }
                assert!(answer.contains("\r\n$1\r\na\r\n$1\r\nb\r\n:"), "{answer}");
            }
        }
        assert_eq!(gate.came(), 24);
        assert_eq!(daemon.ask("count 0\n"), "24");
    }

    /// A word whose parser waits at the gate.
    struct Waits;

    static PARSER: LazyLock<Gate> = LazyLock::new(Gate::default);

    impl FromStr for Waits {
        type Err = &'static str;
        fn from_str(_: &str) -> Result<Self, Self::Err> {
            PARSER.pass();
            Ok(Self)
        }
    }

    #[command("parse")]
    fn parse(#[arg(from_str)] _word: Waits) {}

    #[test]
    fn parser_of_a_queued_command_is_a_slow_command() {
        let limit = Duration::from_millis(100);
        let daemon = start(server().run_timeout(limit).max_running_per_user(1));
        let mut stream = daemon.connect();
        stream.write_all(&commands(&["MULTI", "parse x", "EXEC"])).unwrap();
        let told = "-TIMEOUT no answer after 100ms; the command still runs\r\n";
        expect(&mut stream, [OK, told].concat().as_bytes());
        // The next is refused when the parser is known to be slow.
        let mut second = daemon.connect();
        second.write_all(&commands(&["MULTI", "parse x", "EXEC"])).unwrap();
        let busy = "-BUSY too many slow commands of this user: 1 at most; try again\r\n";
        expect(&mut second, [OK, busy, ABORT].concat().as_bytes());
        PARSER.open();
        expect(&mut stream, ABORT.as_bytes());
        assert_eq!(PARSER.came(), 1);
    }

    #[test]
    fn run_timeout_answers_exec_and_the_rest_runs() {
        let limit = Duration::from_millis(100);
        let (daemon, gate) = gated(|server| server.run_timeout(limit));
        for round in 1..3 {
            gate.close();
            let mut stream = begin(&daemon, &gate);
            expect(&mut stream, b"-TIMEOUT no answer after 100ms; the command still runs\r\n");
            gate.open();
            expect(&mut stream, b"+PONG\r\n");
            assert_eq!(daemon.ask("count 0\n"), (2 * round).to_string());
        }
    }

    #[test]
    fn deadline_of_a_shutdown_stops_between_commands() {
        let (daemon, gate) = gated(|server| server.shutdown_timeout(Duration::from_millis(1)));
        let stream = begin(&daemon, &gate);
        daemon.handle().shutdown();
        let told =
            "-SHUTDOWN the daemon stops without waiting for the command, which still runs\r\n";
        assert_eq!(rest(stream), told.as_bytes());
        gate.open();
        until("the command's end", || gate.waiting() == 0);
        daemon.handle().join();
        assert_eq!(gate.came(), 1, "the second one did not begin");
    }

    /// A daemon whose threads all wait, and a transaction whose second command waits for one of them.
    fn starved(
        server: impl FnOnce(Server) -> Server,
    ) -> (Daemon, Gate, UnixStream, Vec<UnixStream>) {
        let (daemon, gate) = gated(|own| server(own.max_threads(3)));
        let mut all = Vec::new();
        for i in 0..5 {
            let mut stream = daemon.connect();
            stream.write_all(&resp(&["pass", "x"])).unwrap();
            if i == 0 {
                // It shows that the command is slow.
                until("a command that waits", || gate.waiting() == 1);
            }
            assert_eq!(daemon.ask("ping\n"), "PONG");
            all.push(stream);
        }
        let mut stream = daemon.connect();
        stream.write_all(&commands(&["MULTI", "count 1", "pass a", "count 1", "EXEC"])).unwrap();
        expect(&mut stream, [OK, &QUEUED.repeat(3)].concat().as_bytes());
        until("the first command", || daemon.ask("count 0\n") == "1");
        (daemon, gate, stream, all)
    }

    #[test]
    fn shutdown_fails_the_commands_that_wait_for_a_thread() {
        let limit = Duration::from_millis(100);
        let (daemon, gate, stream, _all) = starved(|server| server.shutdown_timeout(limit));
        daemon.handle().shutdown();
        let told = "-SHUTDOWN the daemon is stopping; the command was not run\r\n";
        assert_eq!(String::from_utf8(rest(stream)).unwrap(), format!("*3\r\n:1\r\n{told}{told}"));
        gate.open();
    }

    #[test]
    fn command_without_a_free_thread_gets_busy() {
        let limit = Duration::from_millis(100);
        let (daemon, gate, mut stream, _all) = starved(|server| server.busy_timeout(limit));
        let told = "-BUSY no thread was free for 100ms (of 3); the command was not run\r\n";
        expect(&mut stream, format!("*3\r\n:1\r\n{told}:2\r\n").as_bytes());
        assert_eq!(daemon.ask("count 0\n"), "2");
        gate.open();
    }

    #[test]
    fn shutdown_waits_for_a_transaction() {
        let (daemon, gate) = gated(|server| server.shutdown_timeout(Duration::from_secs(60)));
        let stream = begin(&daemon, &gate);
        daemon.handle().shutdown();
        gate.open();
        assert_eq!(rest(stream), b"*4\r\n:1\r\n$1\r\na\r\n$1\r\nb\r\n:2\r\n+PONG\r\n");
    }

    #[test]
    fn transaction_keeps_its_place_among_slow_commands() {
        let (daemon, gate) = gated(|server| server.max_running_per_user(1));
        let busy = b"-BUSY too many slow commands of this user: 1 at most; try again\r\n";
        // The first run shows that the command is slow.
        let first = begin(&daemon, &gate);
        gate.open();
        drop(first);
        until("its end", || gate.came() == 2 && gate.waiting() == 0);
        until("its charge's end", || daemon.ask(resp(&["pass", "c"])) == r"$1\r\nc\r\n");
        gate.close();
        let mut stream = begin(&daemon, &gate);
        assert_eq!(exchange(daemon.connect(), &resp(&["pass", "c"])), busy);
        gate.open();
        expect(&mut stream, b"*4\r\n:3\r\n$1\r\na\r\n$1\r\nb\r\n:4\r\n+PONG\r\n");
    }

    #[test]
    fn client_that_leaves_does_not_cut_a_transaction() {
        let (daemon, gate) = gated(|server| server);
        drop(begin(&daemon, &gate));
        gate.open();
        until("the whole queue", || daemon.ask("count 0\n") == "2");
        assert_eq!(gate.came(), 2);
    }

    #[test]
    fn transaction_begins_when_earlier_answers_are_sent() {
        let large = |request: &Request<'_>| vec![b'x'; request.parse(0).unwrap()];
        let (daemon, gate) = gated(|server| server.handle("large", large));
        // The first run shows that the command is slow.
        let mut first = daemon.connect();
        first.write_all(&resp(&["pass", "x"])).unwrap();
        until("a command that waits", || gate.waiting() == 1);
        assert_eq!(daemon.ask("ping\n"), "PONG");
        gate.open();
        expect(&mut first, b"$1\r\nx\r\n");
        // The socket's buffer holds the first answer, and not the second, which is sent with later ones.
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["large", "200000"])).unwrap();
        assert_eq!(daemon.ask("ping\n"), "PONG");
        let lines = ["large 63000", "MULTI", "count 1", "pass a", "count 1", "EXEC"];
        stream.write_all(&commands(&lines)).unwrap();
        for _ in 0..3 {
            assert_eq!(daemon.ask("count 0\n"), "0", "half of it has run");
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = rest(stream);
        let end = [OK, &QUEUED.repeat(3), "*3\r\n:1\r\n$1\r\na\r\n:2\r\n"].concat();
        assert!(answer.ends_with(end.as_bytes()), "{} bytes", answer.len());
        assert_eq!(daemon.ask("count 0\n"), "2");
    }
}

#[test]
fn own_client_keeps_no_connection_in_a_transaction() {
    let daemon = start(server());
    let client = Client::new(daemon.path());
    assert_eq!(client.command("multi").call::<Reply>().unwrap(), Reply::Ok);
    assert_eq!(client.command("count").arg(1).call::<i64>().unwrap(), 1);
    let mut pipeline = client.pipeline();
    pipeline.command("MULTI", [""; 0]).command("count", ["1"]).command("exec", [""; 0]);
    let answers = pipeline.call().unwrap();
    assert_eq!(answers[2], Reply::List(vec![Reply::Int(2)]));
}
