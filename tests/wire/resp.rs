//! RESP: the commands and forms that Redis clients need.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use dockipc::{Arg, Failure, IntoReply, Reply, Request, Server, command};
use tests::{Daemon, expect, resp, rest};

/// A color.
#[derive(Arg)]
enum Color {
    Red,
    DarkBlue,
}

/// Paint a place.
#[command]
fn paint(
    color: Color,
    #[arg(flag)] loud: bool,
    #[arg(long)] times: Option<u8>,
    /// where to
    places: Vec<String>,
) -> usize {
    let hue = match color {
        Color::Red => 0,
        Color::DarkBlue => 100,
    };
    hue + places.len() + usize::from(loud) + usize::from(times.unwrap_or(0))
}

#[command]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[command]
fn cat(parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.concat()
}

#[command]
fn join(first: &str, #[arg(rest)] text: Option<&str>) -> String {
    format!("{first}:{}", text.unwrap_or("-"))
}

#[command]
fn connection(request: &Request<'_>) -> u64 {
    request.connection()
}

#[command]
fn fail(code: Option<u8>) -> Result<(), Failure> {
    match code {
        None => Err(std::io::Error::other("first\nsecond\r\nthird").into()),
        Some(n) => Err(Failure::new("NO_SUCH", n)),
    }
}

#[command]
fn value(what: &str) -> Reply {
    match what {
        "nothing" => ().into_reply(),
        "none" => None::<u8>.into_reply(),
        "text" => "a\r\nb".into_reply(),
        "int" => (-7).into_reply(),
        "big" => u64::MAX.into_reply(),
        "float" => 0.5_f64.into_reply(),
        "yes" => true.into_reply(),
        "no" => false.into_reply(),
        "list" => vec![Some(1), None].into_reply(),
        "set" => std::collections::BTreeSet::from([1, 2]).into_reply(),
        "map" => BTreeMap::from([("k", 1)]).into_reply(),
        _ => Reply::List(vec![Reply::Error(Failure::new("INNER", "x")), Reply::Ok]),
    }
}

fn daemon() -> Daemon {
    Daemon::start(Server::new())
}

/// Sends one command and expects exactly these bytes.
#[track_caller]
fn ask(stream: &mut UnixStream, command: &str, answer: &str) {
    stream.write_all(&resp(&command.split(' ').collect::<Vec<_>>())).unwrap();
    expect(stream, answer.as_bytes());
}

/// Returns the answer to one command on its own connection, which is then closed.
#[track_caller]
fn answer(daemon: &Daemon, hello: &str, words: &[&str]) -> String {
    let mut stream = daemon.connect();
    if !hello.is_empty() {
        stream.write_all(&resp(&["HELLO", hello])).unwrap();
        let id = id_after_hello(&mut stream, hello);
        assert!(id > 0);
    }
    let answer = tests::exchange(stream, &resp(words));
    String::from_utf8(answer).unwrap()
}

/// Reads the whole greeting. Returns the connection's id.
#[track_caller]
fn id_after_hello(stream: &mut UnixStream, version: &str) -> u64 {
    let head = if version == "3" { "%8" } else { "*16" };
    let version_text = env!("CARGO_PKG_VERSION");
    let size = version_text.len();
    expect(
        stream,
        format!(
            "{head}\r\n$6\r\nserver\r\n$7\r\ndockipc\r\n$7\r\nversion\r\n${size}\r\n{version_text}\r\n\
             $5\r\nproto\r\n:{version}\r\n$2\r\nid\r\n:"
        )
        .as_bytes(),
    );
    let mut id = 0;
    loop {
        let mut byte = [0];
        std::io::Read::read_exact(stream, &mut byte).unwrap();
        match byte[0] {
            digit @ b'0'..=b'9' => id = id * 10 + u64::from(digit - b'0'),
            other => {
                assert_eq!(other, b'\r');
                break;
            }
        }
    }
    expect(
        stream,
        b"\n$4\r\nwith\r\n$29\r\ndeadline stream body progress\r\n\
          $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
    );
    id
}

#[test]
fn hello_answers_bulk_strings_in_a_map_or_array() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["HELLO", "3"])).unwrap();
    let id = id_after_hello(&mut stream, "3");
    ask(&mut stream, "CLIENT ID", &format!(":{id}\r\n"));
    ask(&mut stream, "connection", &format!(":{id}\r\n"));
    stream.write_all(&resp(&["HELLO", "2"])).unwrap();
    assert_eq!(id_after_hello(&mut stream, "2"), id);
    // Without a version, the protocol stays.
    stream.write_all(&resp(&["HELLO"])).unwrap();
    assert_eq!(id_after_hello(&mut stream, "2"), id);
}

#[test]
fn hello_line_begins_resp() {
    // As fred sends it.
    let daemon = daemon();
    for (line, version) in [("HELLO 3\r\n", "3"), ("hello\n", "2"), ("Hello 2\r\n", "2")] {
        for piece in [1, usize::MAX] {
            let mut stream = daemon.connect();
            let mut ask = |bytes: &[u8]| {
                for piece in bytes.chunks(piece.min(bytes.len())) {
                    stream.write_all(piece).unwrap();
                }
            };
            ask(&[line.as_bytes(), &resp(&["add", "1", "2"]), line.as_bytes()].concat());
            let id = id_after_hello(&mut stream, version);
            expect(&mut stream, b":3\r\n");
            assert_eq!(id_after_hello(&mut stream, version), id);
        }
    }
    // No other line may follow.
    let answers = daemon.ask("hello 2\r\nadd 1 2\r\n");
    let refused = r#"-PROTO expected * and the number of words, got \"add 1 2\"\r\n"#;
    assert!(answers.ends_with(refused), "{answers}");
    assert_eq!(daemon.ask("add 1 2\r\nhello 3\r\n"), "3");
    let unbalanced = r"-USAGE the quote \' at byte 6 is not closed\r\n";
    assert!(daemon.ask("HELLO '\r\n").starts_with(unbalanced));
}

#[test]
fn hello_sets_the_name() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["HELLO", "3", "SETNAME", "me"])).unwrap();
    id_after_hello(&mut stream, "3");
    ask(&mut stream, "CLIENT GETNAME", "$2\r\nme\r\n");
}

#[test]
fn refused_hello_changes_nothing() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    let password = "-ERR this daemon has no password; connect without one\r\n";
    let versions = "-NOPROTO unsupported protocol version: 2 or 3\r\n";
    for (hello, refusal) in [
        ("HELLO 4", versions),
        ("HELLO 1", versions),
        ("HELLO x", versions),
        ("HELLO 3 AUTH default secret", password),
        ("HELLO 3 SETNAME a AUTH default secret", password),
        ("HELLO 3 WHAT", "-USAGE usage: hello [2|3 [auth <user> <token>] [setname <name>]]\r\n"),
        ("HELLO 3 SETNAME", "-USAGE usage: hello [2|3 [auth <user> <token>] [setname <name>]]\r\n"),
    ] {
        ask(&mut stream, hello, refusal);
    }
    ask(&mut stream, "AUTH secret", password);
    stream.write_all(&resp(&["HELLO", "3", "SETNAME", "a b"])).unwrap();
    expect(&mut stream, b"-ERR client names can't contain spaces, newlines, special characters or more than 256 bytes\r\n");
    // Still RESP2, still without a name.
    ask(&mut stream, "value none", "$-1\r\n");
    ask(&mut stream, "CLIENT GETNAME", "$0\r\n\r\n");
}

#[test]
fn handshake_commands_answer_as_clients_expect() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    ask(&mut stream, "PING", "+PONG\r\n");
    ask(&mut stream, "ping hey", "$3\r\nhey\r\n");
    ask(&mut stream, "ECHO hey", "$3\r\nhey\r\n");
    ask(&mut stream, "SELECT 0", "+OK\r\n");
    ask(&mut stream, "SELECT 1", "-ERR only database 0 exists\r\n");
    ask(&mut stream, "CLIENT SETINFO LIB-NAME redis-py", "+OK\r\n");
    ask(&mut stream, "CLIENT SETINFO lib-ver 8.0.0", "+OK\r\n");
    ask(&mut stream, "CLIENT GETNAME", "$0\r\n\r\n");
    ask(&mut stream, "CLIENT SETNAME me", "+OK\r\n");
    ask(&mut stream, "CLIENT GETNAME", "$2\r\nme\r\n");
    ask(&mut stream, "CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    ask(&mut stream, "CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
    ask(&mut stream, "CONFIG GET other", "*0\r\n");
    ask(&mut stream, "CONFIG SET save x", "-USAGE usage: config get <name>…\r\n");
    stream.write_all(&resp(&["HELLO", "3"])).unwrap();
    id_after_hello(&mut stream, "3");
    ask(&mut stream, "CONFIG GET save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n");
    ask(&mut stream, "CLIENT NONSENSE", "-ERR unknown subcommand 'NONSENSE'\r\n");
    // RESET returns to RESP2 and removes the name.
    ask(&mut stream, "RESET", "+RESET\r\n");
    ask(&mut stream, "value none", "$-1\r\n");
    ask(&mut stream, "CLIENT GETNAME", "$0\r\n\r\n");
}

#[test]
fn quit_answers_and_ends_the_connection() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(&[resp(&["QUIT"]), resp(&["PING"])].concat()).unwrap();
    assert_eq!(rest(stream), b"+OK\r\n");
}

#[test]
fn client_list_shows_only_the_caller() {
    let daemon = daemon();
    let mut other = daemon.connect();
    ask(&mut other, "CLIENT SETNAME other", "+OK\r\n");
    let list = answer(&daemon, "", &["CLIENT", "LIST"]);
    assert!(list.starts_with('$') && list.contains("id="), "{list}");
    assert!(!list.contains("other"), "{list}");
}

#[test]
fn info_is_bulk_text_with_loading_0() {
    let daemon = daemon();
    for hello in ["", "3"] {
        let info = answer(&daemon, hello, &["INFO"]);
        let (head, text) = info.split_once("\r\n").unwrap();
        assert_eq!(head, format!("${}", text.len() - 2));
        assert!(text.contains("redis_version:7"), "{text}");
        assert!(text.contains("\r\nloading:0\r\n"), "{text}");
    }
}

#[test]
fn command_lists_what_help_lists() {
    let daemon = daemon();
    let count = answer(&daemon, "", &["COMMAND", "COUNT"]);
    let all = answer(&daemon, "", &["COMMAND"]);
    let count = count.trim_start_matches(':');
    assert!(all.starts_with(&format!("*{count}")), "{all}");
    let list = answer(&daemon, "", &["COMMAND", "LIST"]);
    assert!(list.starts_with(&format!("*{count}")) && list.contains("\r\n$5\r\npaint\r\n"));
    assert!(!list.contains("\r\nhello\r\n"));
}

#[test]
fn command_info_has_ten_parts_and_redis_arity() {
    let daemon = daemon();
    let tail = "*1\r\n+write\r\n:0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n";
    assert_eq!(
        answer(&daemon, "", &["COMMAND", "INFO", "ADD", "nothing"]),
        format!("*2\r\n*10\r\n$3\r\nadd\r\n:3\r\n{tail}$-1\r\n")
    );
    assert_eq!(
        answer(&daemon, "3", &["COMMAND", "INFO", "paint"]),
        format!("*1\r\n*10\r\n$5\r\npaint\r\n:-2\r\n{tail}")
    );
}

/// Set the level.
#[command("level", alias = "lv", idempotent)]
fn level(n: u64) -> u64 {
    n
}

#[test]
fn idempotent_command_is_marked() {
    let daemon = daemon();
    let tail = ":0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*0\r\n*0\r\n";
    assert_eq!(
        answer(&daemon, "", &["COMMAND", "INFO", "level"]),
        format!("*1\r\n*10\r\n$5\r\nlevel\r\n:2\r\n*2\r\n+write\r\n+idempotent\r\n{tail}")
    );
    let docs = answer(&daemon, "", &["COMMAND", "DOCS", "level"]);
    assert!(docs.ends_with("\r\n$9\r\ndoc_flags\r\n*1\r\n+idempotent\r\n"), "{docs}");
    let help = answer(&daemon, "", &["HELP", "level"]);
    let says = "\n\naliases: lv\n\nidempotent: running it twice has the same effect as once\n";
    assert!(help.contains(says), "{help}");
    let help = answer(&daemon, "", &["HELP", "paint"]);
    assert!(!help.contains("idempotent"), "{help}");
}

#[test]
fn dockipc_idempotent_answers_1_or_0() {
    let daemon = daemon();
    for (name, expected) in [
        ("level", ":1\r\n"),
        ("LV", ":1\r\n"),
        ("add", ":0\r\n"),
        ("ping", ":1\r\n"),
        ("help", ":1\r\n"),
        ("quit", ":0\r\n"),
        ("no-such-command", ":0\r\n"),
        ("", ":0\r\n"),
    ] {
        assert_eq!(answer(&daemon, "", &["DOCKIPC", "IDEMPOTENT", name]), expected, "{name}");
    }
    for words in
        [&["dockipc"][..], &["dockipc", "idempotent"], &["dockipc", "idempotent", "a", "b"]]
    {
        let said = answer(&daemon, "", words);
        assert!(said.starts_with("-USAGE usage: dockipc complete <command>"), "{said}");
    }
}

#[test]
fn command_docs_has_bulk_texts_and_simple_flags() {
    let daemon = daemon();
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let pairs = |pairs: &[(&str, String)]| {
        let pairs: String = pairs.iter().map(|(key, value)| bulk(key) + value).collect();
        pairs
    };
    let (name, kind, shown) = ("name", "type", "display_text");
    let choice = |word: &str| {
        "%4\r\n".to_owned()
            + &pairs(&[
                (name, bulk(word)),
                (kind, bulk("pure-token")),
                (shown, bulk(word)),
                ("token", bulk(word)),
            ])
    };
    let arguments = [
        "%3\r\n".to_owned()
            + &pairs(&[
                (name, bulk("color")),
                (kind, bulk("oneof")),
                ("arguments", format!("*2\r\n{}{}", choice("red"), choice("dark-blue"))),
            ]),
        "%5\r\n".to_owned()
            + &pairs(&[
                (name, bulk("loud")),
                (kind, bulk("pure-token")),
                (shown, bulk("loud")),
                ("token", bulk("--loud")),
                ("flags", "*1\r\n+optional\r\n".into()),
            ]),
        "%5\r\n".to_owned()
            + &pairs(&[
                (name, bulk("times")),
                (kind, bulk("integer")),
                (shown, bulk("times")),
                ("token", bulk("--times")),
                ("flags", "*1\r\n+optional\r\n".into()),
            ]),
        "%4\r\n".to_owned()
            + &pairs(&[
                (name, bulk("places")),
                (kind, bulk("string")),
                (shown, bulk("places")),
                ("flags", "*2\r\n+optional\r\n+multiple\r\n".into()),
            ]),
    ];
    let docs = "%1\r\n".to_owned()
        + &bulk("paint")
        + "%4\r\n"
        + &pairs(&[
            ("summary", bulk("Paint a place.")),
            ("since", bulk(env!("CARGO_PKG_VERSION"))),
            ("group", bulk("daemon")),
            ("arguments", format!("*4\r\n{}", arguments.concat())),
        ]);
    assert_eq!(answer(&daemon, "3", &["COMMAND", "DOCS", "PAINT", "nothing"]), docs);
    // Every command has the four parts, even if they are empty.
    let all = answer(&daemon, "", &["COMMAND", "DOCS"]);
    let count: usize = all.lines().next().unwrap()[1..].parse().unwrap();
    for part in ["summary", "since", "group", "arguments"] {
        // Choices are nested "arguments".
        let more = usize::from(part == "arguments");
        assert_eq!(all.matches(&bulk(part)).count(), count / 2 + more, "{part}");
    }
}

#[test]
fn every_value_has_its_resp2_and_resp3_form() {
    let daemon = daemon();
    for (what, resp2, resp3) in [
        ("nothing", "+OK\r\n", "+OK\r\n"),
        ("none", "$-1\r\n", "_\r\n"),
        ("text", "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"),
        ("int", ":-7\r\n", ":-7\r\n"),
        ("big", "$20\r\n18446744073709551615\r\n", "$20\r\n18446744073709551615\r\n"),
        ("float", "$3\r\n0.5\r\n", ",0.5\r\n"),
        ("yes", ":1\r\n", "#t\r\n"),
        ("no", ":0\r\n", "#f\r\n"),
        ("list", "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n"),
        ("set", "*2\r\n:1\r\n:2\r\n", "~2\r\n:1\r\n:2\r\n"),
        ("map", "*2\r\n$1\r\nk\r\n:1\r\n", "%1\r\n$1\r\nk\r\n:1\r\n"),
        ("inner", "*2\r\n-INNER x\r\n+OK\r\n", "*2\r\n-INNER x\r\n+OK\r\n"),
    ] {
        assert_eq!(answer(&daemon, "2", &["value", what]), resp2, "{what}");
        assert_eq!(answer(&daemon, "3", &["value", what]), resp3, "{what}");
    }
}

#[test]
fn failure_is_one_line_and_keeps_the_connection() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    ask(&mut stream, "fail", "-ERR first second  third\r\n");
    ask(&mut stream, "fail 7", "-NO_SUCH 7\r\n");
    ask(&mut stream, "ad 1 2", "-UNKNOWN no command \"ad\"; did you mean add?\r\n");
    ask(&mut stream, "add 1", "-USAGE b is missing; usage: add <a> <b>\r\n");
    ask(&mut stream, "ADD 1 2", ":3\r\n");
}

#[test]
fn words_may_contain_any_byte() {
    let daemon = daemon();
    let all: Vec<u8> = (0..=255).collect();
    let command = resp(&[&b"cat"[..], &all, b"", b"\r\n$3\r\n", b"'"]);
    let mut stream = daemon.connect();
    stream.write_all(&command).unwrap();
    let text = [&all[..], b"\r\n$3\r\n'"].concat();
    expect(&mut stream, &[format!("${}\r\n", text.len()).as_bytes(), &text, b"\r\n"].concat());
}

#[test]
fn rest_is_the_remaining_words_joined_by_spaces() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    for (words, text) in [
        (&["join", "a"][..], "a:-"),
        (&["join", "a", "b  c"], "a:b  c"),
        (&["join", "a", "b", "", "c d"], "a:b  c d"),
    ] {
        stream.write_all(&resp(words)).unwrap();
        expect(&mut stream, format!("${}\r\n{text}\r\n", text.len()).as_bytes());
    }
}

#[test]
fn wrapped_line_gets_the_bytes_of_line_mode() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["HELLO", "3"])).unwrap();
    id_after_hello(&mut stream, "3");
    for (line, answer) in [
        ("add 1 '2'", "$1\r\n3\r\n"),
        ("value map", "$4\r\nk\t1\n\r\n"),
        ("value nothing", "$0\r\n\r\n"),
        ("fail 7", "-NO_SUCH 7\r\n"),
        ("", "-USAGE empty line; send help for a list\r\n"),
        ("add 1\n", "-USAGE a line can't contain a newline\r\n"),
        ("add 'x", "-USAGE the quote ' at byte 4 is not closed; usage: add <a> <b>\r\n"),
    ] {
        stream.write_all(&resp(&["dockipc", "LINE", line])).unwrap();
        expect(&mut stream, answer.as_bytes());
    }
    let long = format!("cat {}", "x".repeat(4092));
    stream.write_all(&resp(&["dockipc", "line", &long])).unwrap();
    expect(&mut stream, b"-TOOBIG the line is longer than 4096 bytes\r\n");
    stream.write_all(&resp(&["dockipc", "line", &long[1..]])).unwrap();
    expect(&mut stream, b"-UNKNOWN no command \"at\"; did you mean cat?\r\n");
    // The `\r` counts, as in line mode.
    stream.write_all(&resp(&["dockipc", "line", &format!("{}\r", &long[1..])])).unwrap();
    expect(&mut stream, b"-TOOBIG the line is longer than 4096 bytes\r\n");
    stream.write_all(&resp(&[&b"dockipc"[..], b"line", b"add \xff"])).unwrap();
    expect(&mut stream, b"-UTF8 the line is not UTF-8 at byte 4 (0xff)\r\n");
}

#[test]
fn command_may_arrive_in_pieces() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    for byte in resp(&["add", "1", "2"]).repeat(3) {
        stream.write_all(&[byte]).unwrap();
    }
    expect(&mut stream, b":3\r\n:3\r\n:3\r\n");
}

#[test]
fn pipeline_of_10000_is_answered_in_order() {
    let daemon = daemon();
    let stream = daemon.connect();
    let mut commands = Vec::new();
    let mut answers = Vec::new();
    for i in 0..10_000 {
        let i = i.to_string();
        if i.len().is_multiple_of(2) {
            commands.extend(resp(&["ECHO", &i]));
            answers.extend(format!("${}\r\n{i}\r\n", i.len()).into_bytes());
        } else {
            commands.extend(resp(&["add", &i, "1"]));
            answers.extend(format!(":{}\r\n", i.parse::<u32>().unwrap() + 1).into_bytes());
        }
    }
    // The answers are read meanwhile: the daemon reads no more commands than it can answer.
    let mut writing = stream.try_clone().unwrap();
    let writer = thread::spawn(move || {
        writing.write_all(&commands).unwrap();
        writing.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let read = rest(stream);
    writer.join().unwrap();
    assert!(read == answers, "{} bytes came, {} are right", read.len(), answers.len());
}

#[test]
fn connections_do_not_see_each_other() {
    let (entered, is_in) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    let daemon = Daemon::start(Server::new().handle("stay", move |_: &Request<'_>| {
        entered.send(()).unwrap();
        may_leave.lock().unwrap().recv().unwrap();
        "left"
    }));
    let mut blocked = daemon.connect();
    blocked.write_all(&resp(&["stay"])).unwrap();
    is_in.recv_timeout(tests::PATIENCE).unwrap();
    // A blocked handler stalls only its own connection.
    let mut streams: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    for (i, stream) in streams.iter_mut().enumerate() {
        ask(stream, &format!("CLIENT SETNAME n{i}"), "+OK\r\n");
    }
    for (i, stream) in streams.iter_mut().enumerate() {
        let name = format!("n{i}");
        ask(stream, "CLIENT GETNAME", &format!("${}\r\n{name}\r\n", name.len()));
    }
    leave.send(()).unwrap();
    expect(&mut blocked, b"$4\r\nleft\r\n");
}
