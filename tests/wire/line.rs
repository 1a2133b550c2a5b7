//! Line mode: one line, its raw answer, end of connection.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dockipc::{Arg, Failure, Peer, Reply, Request, Server, State, command};
use tests::{Daemon, expect, resp, rest};

/// Add `n` to the counter.
///
/// The counter starts at 0.
#[command("add", alias = "plus")]
fn add(
    total: State<AtomicU64>,
    /// what to add
    n: u64,
) -> u64 {
    total.fetch_add(n, Relaxed) + n
}

/// A color.
#[derive(Arg, Debug)]
enum Color {
    Red,
    DarkBlue,
}

/// Paint places.
#[command]
fn paint(
    color: Color,
    who: Peer,
    #[arg(flag)] loud: bool,
    request: &Request<'_>,
    #[arg(long, default = 3)] times: u8,
    places: Vec<String>,
) -> String {
    let own = who.pid() == Some(std::process::id());
    format!("{color:?} {loud} {times} {places:?} {} {own}", request.name())
}

#[command]
fn say(#[arg(flag)] loud: bool, to: &str, #[arg(rest)] text: &str) -> String {
    format!("{loud} <{to}> <{text}>")
}

#[command]
fn words(words: Vec<String>) -> String {
    format!("{words:?}")
}

#[command]
fn wait(time: Duration, path: Option<PathBuf>) -> String {
    format!("{time:?} {path:?}")
}

#[command(hidden)]
fn secret() -> &'static str {
    "hidden"
}

#[command]
fn fail(code: Option<u8>) -> Result<(), Failure> {
    match code {
        None => Err(std::io::Error::other("first\nsecond\r\nthird").into()),
        Some(n) => Err(Failure::new("NO_SUCH", n)),
    }
}

#[command]
fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

#[command]
fn value(what: &str) -> Result<Reply, Failure> {
    use dockipc::IntoReply;
    Ok(match what {
        "nothing" => ().into_reply(),
        "none" => None::<u8>.into_reply(),
        "some" => Some("x").into_reply(),
        "text" => "blå\n".into_reply(),
        "int" => i64::MIN.into_reply(),
        "big" => u64::MAX.into_reply(),
        "float" => 0.1_f32.into_reply(),
        "bool" => true.into_reply(),
        "char" => 'ß'.into_reply(),
        "list" => vec!["a", "b c"].into_reply(),
        "table" => vec![(1, "one"), (2, "two")].into_reply(),
        "set" => BTreeSet::from([3, 1]).into_reply(),
        "map" => BTreeMap::from([("k", 1), ("l", 2)]).into_reply(),
        _ => return Err(Failure::new("NO_SUCH", what)),
    })
}

fn daemon() -> Daemon {
    Daemon::start(Server::new().state(AtomicU64::new(0)))
}

/// Sends lines to one daemon, each over its own connection.
#[track_caller]
fn answers(pairs: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, answer) in pairs {
        assert_eq!(daemon.ask(line), *answer, "{line:?}");
    }
}

#[test]
fn answer_is_exactly_what_the_function_returned() {
    answers(&[("add 2\n", "2"), ("add 40\n", "42"), ("value text\n", r"bl\xc3\xa5\n")]);
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(daemon().ask("all-bytes\n"), all.escape_ascii().to_string());
}

#[test]
fn carriage_return_before_newline_is_dropped() {
    answers(&[("add 2\r\n", "2"), ("say Bob hey\r\n", "false <Bob> <hey>")]);
}

#[test]
fn names_and_aliases_match_in_any_case() {
    answers(&[("ADD 1\n", "1"), ("Plus 1\n", "2"), ("secret\n", "hidden")]);
}

#[test]
fn line_is_split_as_a_shell_does() {
    answers(&[
        ("words\n", "[]"),
        (" \t words \t a  b \n", r#"[\"a\", \"b\"]"#),
        (
            "words 'a b' \"c d\" e\\ f '' $x *\n",
            r#"[\"a b\", \"c d\", \"e f\", \"\", \"$x\", \"*\"]"#,
        ),
        ("'words' a\n", r#"[\"a\"]"#),
    ]);
}

#[test]
fn options_may_be_anywhere_before_two_dashes() {
    answers(&[
        ("paint red\n", "Red false 3 [] paint true"),
        (
            "paint --loud dark-blue a --times 4 'b c'\n",
            r#"DarkBlue true 4 [\"a\", \"b c\"] paint true"#,
        ),
        ("paint red --times=9 -- --loud\n", r#"Red false 9 [\"--loud\"] paint true"#),
    ]);
}

#[test]
fn rest_of_the_line_is_unchanged() {
    answers(&[
        ("say Bob  it's   \"here\\ \n", r#"false <Bob> <it\'s   \"here\\ >"#),
        ("say --loud Bob -x\n", "true <Bob> <-x>"),
        ("say -- Bob --loud\n", "false <Bob> <--loud>"),
        ("say Bob \x0c--loud\n", r"false <Bob> <\x0c--loud>"),
    ]);
}

#[test]
fn values_are_parsed_by_type() {
    answers(&[("wait 1.5s\n", "1.5s None"), ("wait 200ms /a/b\n", r#"200ms Some(\"/a/b\")"#)]);
}

#[test]
fn every_value_has_its_line_form() {
    answers(&[
        ("value nothing\n", ""),
        ("value none\n", ""),
        ("value some\n", "x"),
        ("value int\n", "-9223372036854775808"),
        ("value big\n", "18446744073709551615"),
        ("value float\n", "0.1"),
        ("value bool\n", "true"),
        ("value char\n", r"\xc3\x9f"),
        ("value list\n", r"a\nb c\n"),
        ("value table\n", r"1\tone\n2\ttwo\n"),
        ("value set\n", r"1\n3\n"),
        ("value map\n", r"k\t1\nl\t2\n"),
    ]);
}

#[test]
fn failure_is_one_line_with_its_code() {
    answers(&[
        ("fail\n", r"-ERR first second  third\n"),
        ("fail 7\n", r"-NO_SUCH 7\n"),
        ("value x\n", r"-NO_SUCH x\n"),
    ]);
}

#[test]
fn help_lists_and_explains_commands() {
    let daemon = daemon();
    let ask =
        |line: &str| String::from_utf8(tests::exchange(daemon.connect(), line.as_bytes())).unwrap();
    let overview = ask("help\n");
    for row in ["add <n>", "Add `n` to the counter.", "paint", "ping [<message>]"] {
        assert!(overview.contains(row), "{row} is not in\n{overview}");
    }
    assert!(!overview.contains("secret") && !overview.contains("hello"), "{overview}");
    let add = ask("help PLUS\n");
    for part in
        ["add <n>\n", "Add `n` to the counter.", "starts at 0", "what to add", "aliases: plus"]
    {
        assert!(add.contains(part), "{part} is not in\n{add}");
    }
    assert!(ask("help secret\n").starts_with("secret\n"));
    assert_eq!(ask("help ad\n"), "-UNKNOWN no command \"ad\"; did you mean add?\n");
    assert_eq!(ask("help a b\n"), "-UNKNOWN no command \"a b\"; send help for a list\n");
}

#[test]
fn built_in_commands_answer_in_line_mode() {
    let daemon = daemon();
    assert_eq!(daemon.ask("ping\n"), "PONG");
    assert_eq!(daemon.ask("ping 'a b'\n"), "a b");
    assert_eq!(daemon.ask("echo hey\n"), "hey");
    assert!(daemon.ask("info\n").contains(r"\r\nloading:0\r\n"));
    // `hello` is the one line that is not answered in line mode.
    assert!(daemon.ask("hello 3\n").starts_with(r"%8\r\n$6\r\nserver\r\n"));
}

#[test]
fn line_does_not_change_its_connection() {
    let daemon = daemon();
    for name in ["quit", "reset", "select", "unwatch"] {
        let answer = format!(
            "-UNKNOWN no command \"{name}\": the protocol reserves the name, which has no meaning on a line; send help for a list\n"
        );
        let line = format!("{} 0\n", name.to_ascii_uppercase());
        assert_eq!(daemon.ask(&line), answer.escape_default().to_string(), "{line}");
    }
    assert!(daemon.ask("auth x\n").starts_with("-ERR this daemon has no password"));
    assert!(daemon.ask("multi\n").starts_with("-USAGE a line can"));
}

#[test]
fn answer_comes_at_the_newline() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(b"add 2\n").unwrap();
    // This client never ends its side; the daemon does.
    assert_eq!(rest(stream), b"2");
}

#[test]
fn line_may_arrive_in_pieces() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    for byte in b"add 2\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(rest(stream), b"2");
}

#[test]
fn second_line_of_a_connection_does_not_run() {
    let daemon = daemon();
    assert_eq!(daemon.ask("add 2\nadd 2\nadd 2"), "2");
    let more = [b"add 2\n", &resp(&["add", "2"])[..]].concat();
    assert_eq!(daemon.ask(more), "4");
    assert_eq!(daemon.ask("add 0\n"), "4");
}

#[test]
fn client_that_keeps_sending_gets_no_reset() {
    let daemon = daemon();
    let mut stream = daemon.connect();
    stream.write_all(b"add 2\n").unwrap();
    expect(&mut stream, b"2");
    // The daemon reads these bytes and discards them.
    stream.write_all(&[b'x'; 10_000]).unwrap();
    assert_eq!(rest(stream), b"");
}

#[test]
fn every_way_to_connect_gives_the_same_answers() {
    let daemon = daemon();
    let answer = tests::exchange(daemon.handle().connect().unwrap(), b"add 2\n");
    assert_eq!(answer, b"2");
    let served = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    assert_eq!(tests::exchange(served.connect().unwrap(), b"add 2\n"), b"2");
}

#[test]
fn line_limit_can_be_set() {
    let daemon = Daemon::start(Server::new().state(AtomicU64::new(0)).max_line(10));
    assert_eq!(daemon.ask("echo 1234\n"), "1234");
    assert_eq!(daemon.ask("echo 12345\n"), r"-TOOBIG the line is longer than 10 bytes\n");
}
