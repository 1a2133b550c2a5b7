//! `range`, `min`, `max`, `min_len`, `max_len` and `pattern` of a parameter.

use std::num::NonZeroU16;
use std::path::Path;

use dockipc::{Client, Handle, Reply, Secret, Server, command};
use tests::{exchange, resp};

type Answer = String;

/// Set the volume.
#[command("volume")]
fn volume(
    /// The new volume.
    #[arg(range = 0..=100)]
    n: u8,
    #[arg(long, range = ..=-1)] fade: Option<i64>,
    #[arg(long, range = 1..)] port: Option<NonZeroU16>,
    #[arg(long, default = 7, range = 1..10)] steps: u32,
) -> Answer {
    format!("{n} {fade:?} {port:?} {steps}")
}

#[command("mix")]
fn mix(
    #[arg(range = -1.5..=1.5)] left: f64,
    #[arg(range = 0.0..1.0)] right: Option<f32>,
    #[arg(long, range = 0..1)] gain: Option<f64>,
) -> Answer {
    format!("{left} {right:?} {gain:?}")
}

#[command("huge")]
fn huge(
    #[arg(range = 1..=340282366920938463463374607431768211454)] n: u128,
    #[arg(range = -170141183460469231731687303715884105728..0)] m: Option<i128>,
) -> Answer {
    format!("{n} {m:?}")
}

#[command("levels")]
fn levels(#[arg(range = 0..=9, min = 2, max = 3)] levels: Vec<u64>) -> Answer {
    format!("{levels:?}")
}

#[command("tag")]
fn tag(
    #[arg(min_len = 2, max_len = 5)] name: &str,
    #[arg(long, max = 2, max_len = 3)] tag: Vec<String>,
    #[arg(long, default = vec![1, 2], min = 2, range = 1..=9)] weight: Vec<u16>,
    #[arg(max_len = 1)] rest: Option<&Path>,
) -> Answer {
    format!("{name} {tag:?} {weight:?} {rest:?}")
}

#[command("unlock")]
fn unlock(
    #[arg(range = 1000..=9999)] pin: Secret<u32>,
    #[arg(secret, min_len = 8)] word: Option<&str>,
) -> Answer {
    format!("{} {}", pin.expose(), word.is_some())
}

#[command("say")]
fn say(#[arg(rest, max_len = 11)] text: &str) -> Answer {
    text.to_owned()
}

#[cfg(feature = "pattern")]
#[command("user")]
fn user(
    #[arg(pattern = "[a-z]+|[0-9]{2}")] name: &str,
    #[arg(pattern = "a|ab", default = "ab")] more: Vec<u8>,
) -> Answer {
    format!("{name} {}", more.escape_ascii())
}

fn daemon() -> Handle {
    Server::new().spawn_in_process().unwrap()
}

fn ask(daemon: &Handle, line: &str) -> String {
    let answer = exchange(daemon.connect().unwrap(), format!("{line}\n").as_bytes());
    let answer = String::from_utf8(answer).unwrap();
    let words: Vec<_> = line.split(' ').collect();
    let framed = exchange(daemon.connect().unwrap(), &resp(&words));
    let framed = String::from_utf8(framed).unwrap();
    let framed = framed.trim_end();
    let framed = framed.split_once("\r\n").map_or(framed, |(_, answer)| answer);
    assert_eq!(framed, answer.trim_end(), "{line}");
    answer.trim_end().to_owned()
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, expected) in cases {
        assert_eq!(ask(&daemon, line), *expected, "{line}");
    }
}

/// Expects each line to be refused for this reason.
#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, reason) in cases {
        let answer = ask(&daemon, line);
        let start = format!("-USAGE {reason}; usage: ");
        assert!(answer.starts_with(&start), "{line}\n{answer}");
    }
}

#[test]
fn number_in_range_is_accepted() {
    check(&[
        ("volume 0", "0 None None 7"),
        ("volume 100 --fade -1 --port 65535 --steps 9", "100 Some(-1) Some(65535) 9"),
        ("volume +007 --port=1", "7 None Some(1) 7"),
        ("mix -1.5", "-1.5 None None"),
        ("mix 1.5 0.999 --gain=0.5", "1.5 Some(0.999) Some(0.5)"),
        ("mix -0 0", "-0 Some(0.0) None"),
        (
            "huge 340282366920938463463374607431768211454 -1",
            "340282366920938463463374607431768211454 Some(-1)",
        ),
        ("levels 0 9", "[0, 9]"),
        ("levels 1 2 3", "[1, 2, 3]"),
        ("unlock 1000", "1000 false"),
    ]);
}

#[test]
fn number_out_of_range_is_refused() {
    refused(&[
        ("volume 101", "bad value for n: \"101\": expected 0 to 100"),
        ("volume 200", "bad value for n: \"200\": expected 0 to 100"),
        ("volume 1 --fade 0", "bad value for --fade: \"0\": expected at most -1"),
        ("volume 1 --steps 0", "bad value for --steps: \"0\": expected 1 to 9"),
        ("volume 1 --steps=10", "bad value for --steps: \"10\": expected 1 to 9"),
        // The type's own limits are those of a message about another value.
        ("volume 256", "bad value for n: \"256\": expected 0 to 100"),
        ("volume x", "bad value for n: \"x\": expected an integer from 0 to 255"),
        ("mix 1.6", "bad value for left: \"1.6\": expected -1.5 to 1.5"),
        ("mix NaN", "bad value for left: \"NaN\": expected -1.5 to 1.5"),
        ("mix inf", "bad value for left: \"inf\": expected -1.5 to 1.5"),
        ("mix 1 1", "bad value for right: \"1\": expected at least 0.0 and less than 1.0"),
        ("mix 1 --gain 1", "bad value for --gain: \"1\": expected at least 0 and less than 1"),
        ("huge 0", "bad value for n: \"0\": expected 1 to 340282366920938463463374607431768211454"),
        (
            "huge 1 0",
            "bad value for m: \"0\": expected -170141183460469231731687303715884105728 to -1",
        ),
        ("levels 1 10 2", "bad value for levels: \"10\": expected 0 to 9"),
    ]);
}

#[test]
fn length_and_count_are_checked() {
    check(&[
        ("tag ab", "ab [] [1, 2] None"),
        ("tag abcde --tag abc --tag x", "abcde [\"abc\", \"x\"] [1, 2] None"),
        ("tag ab / --weight 9 --weight 8", "ab [] [9, 8] Some(\"/\")"),
        ("say hello world", "hello world"),
    ]);
    refused(&[
        ("tag a", "bad value for name: \"a\": expected 2 to 5 bytes"),
        // Bytes, not characters.
        ("tag äöü", "bad value for name: \"äöü\": expected 2 to 5 bytes"),
        ("tag ab --tag abcd", "bad value for --tag: \"abcd\": expected at most 3 bytes"),
        (
            "tag ab --tag a --tag b --tag c",
            "too many values for --tag: 3: expected at most 2 values",
        ),
        ("tag ab --weight 1", "too few values for --weight: 1: expected at least 2 values"),
        ("tag ab //", "bad value for rest: \"//\": expected at most 1 byte"),
        ("levels", "levels is missing"),
        ("levels 1", "too few values for levels: 1: expected 2 to 3 values"),
        ("levels 1 2 3 4", "too many values for levels: 4: expected 2 to 3 values"),
        ("say hello worlds", "bad value for text: \"hello worlds\": expected at most 11 bytes"),
    ]);
}

#[test]
fn refused_secret_is_not_shown() {
    refused(&[
        ("unlock 77", "bad value for pin: expected 1000 to 9999"),
        ("unlock 1234 hunter2", "bad value for word: expected at least 8 bytes"),
    ]);
}

#[cfg(feature = "pattern")]
#[test]
fn pattern_matches_the_whole_word() {
    check(&[("user anna", "anna ab"), ("user 42 ab", "42 ab"), ("user 42 a", "42 a")]);
    let expected = "expected a text that matches [a-z]+|[0-9]{2}";
    for word in ["Anna", "anna2", "421", "4", "ä"] {
        refused(&[(
            &format!("user {word}"),
            &format!("bad value for name: \"{word}\": {expected}"),
        )]);
    }
    refused(&[("user a abb", "bad value for more: \"abb\": expected a text that matches a|ab")]);
    let daemon = daemon();
    let answer = exchange(daemon.connect().unwrap(), &resp(&[&b"user"[..], b"a", b"\xff"]));
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("expected a text that matches a|ab"), "{answer}");
}

#[test]
fn checked_value_is_refused_before_a_transaction() {
    let daemon = daemon();
    let words: Vec<u8> = [&["multi"][..], &["volume", "101"], &["exec"]].map(resp).concat();
    let answer = String::from_utf8(exchange(daemon.connect().unwrap(), &words)).unwrap();
    assert!(answer.contains("-USAGE bad value for n: \"101\": expected 0 to 100"), "{answer}");
    assert!(
        answer.ends_with("-EXECABORT Transaction discarded because of previous errors.\r\n"),
        "{answer}"
    );
}

#[test]
fn help_and_usage_show_the_limits() {
    let daemon = daemon();
    let help = |name: &str| ask(&daemon, &format!("help {name}"));
    let volume = help("volume");
    assert!(volume.contains("<n>              The new volume; integer, 0 to 100\n"), "{volume}");
    assert!(volume.contains("integer, at most -1; optional\n"), "{volume}");
    assert!(volume.contains("integer, at least 1; optional\n"), "{volume}");
    assert!(volume.contains("integer, 1 to 9; default 7"), "{volume}");
    let levels = help("levels");
    assert!(levels.starts_with("levels <levels>…\n"), "{levels}");
    assert!(levels.contains("integer, 0 to 9, 2 to 3 values"), "{levels}");
    let tag = help("tag");
    assert!(tag.contains("text, 2 to 5 bytes\n"), "{tag}");
    assert!(tag.contains("text, at most 3 bytes, at most 2 values\n"), "{tag}");
}

#[test]
fn description_has_the_limits() {
    let daemon = daemon();
    let client: Client = daemon.client();
    let described: Reply = client.command("dockipc").arg("describe").call().unwrap();
    let argument = |command: &str, index: usize| {
        let described = field(&described, command);
        let Reply::List(arguments) = field(described, "arguments") else { panic!() };
        arguments[index].clone()
    };
    let texts = |argument: &Reply, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| text(field(argument, name))).collect()
    };
    assert_eq!(texts(&argument("volume", 0), &["min", "max"]), ["0", "100"]);
    assert_eq!(texts(&argument("volume", 1), &["min", "max"]), ["-9223372036854775808", "-1"]);
    assert_eq!(texts(&argument("volume", 2), &["min", "max"]), ["1", "65535"]);
    assert_eq!(texts(&argument("volume", 3), &["min", "max"]), ["1", "9"]);
    assert_eq!(texts(&argument("mix", 0), &["min", "max", "below"]), ["-1.5", "1.5", "-"]);
    assert_eq!(texts(&argument("mix", 1), &["min", "max", "below"]), ["0.0", "-", "1.0"]);
    let counts = ["min_count", "max_count", "min_len", "max_len", "optional"];
    assert_eq!(texts(&argument("levels", 0), &counts), ["2", "3", "-", "-", "0"]);
    assert_eq!(texts(&argument("tag", 0), &counts), ["-", "-", "2", "5", "0"]);
    assert_eq!(texts(&argument("tag", 1), &counts), ["-", "2", "-", "3", "1"]);
    #[cfg(feature = "pattern")]
    assert_eq!(texts(&argument("user", 0), &["pattern"]), ["[a-z]+|[0-9]{2}"]);
}

fn field<'r>(reply: &'r Reply, name: &str) -> &'r Reply {
    let Reply::Map(fields) = reply else { panic!("{reply:?}") };
    let is_this = |(key, _): &&(Reply, Reply)| *key == Reply::bytes(name);
    fields.iter().find(is_this).map_or(&Reply::Null, |(_, value)| value)
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Reply::Int(int) => int.to_string(),
        Reply::Null => "-".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_docs_summarize_the_limits() {
    let daemon = daemon();
    let docs = exchange(daemon.connect().unwrap(), &resp(&["command", "docs", "volume"]));
    let docs = String::from_utf8(docs).unwrap();
    assert!(docs.contains("summary\r\n$17\r\ninteger, 0 to 100\r\n"), "{docs}");
}
