//! Maps as parameters.

use std::collections::{BTreeMap, HashMap};

use dockipc::client::Way;
use dockipc::{Handle, Secret, Server, command};
use tests::{exchange, resp};

#[command("start")]
fn start(
    #[arg(long)] env: HashMap<String, String>,
    #[arg(min = 1)] limits: BTreeMap<u8, i16>,
) -> String {
    let env: BTreeMap<_, _> = env.into_iter().collect();
    format!("{env:?} {limits:?}")
}

#[command("labels")]
fn labels(
    #[arg(default = BTreeMap::from([("a", "b c")]), max = 2)] labels: BTreeMap<&str, &str>,
) -> String {
    format!("{labels:?}")
}

#[command("bytes")]
fn bytes(values: BTreeMap<&[u8], Vec<u8>>) -> String {
    format!("{values:?}")
}

#[command("login")]
fn login(tokens: BTreeMap<String, Secret<String>>) -> usize {
    tokens.len()
}

fn daemon() -> Handle {
    Server::new().spawn_in_process().unwrap()
}

fn ask(daemon: &Handle, line: &str) -> String {
    let answer = exchange(daemon.connect().unwrap(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

#[test]
fn first_equals_sign_ends_the_key() {
    let daemon = daemon();
    for (line, expected) in [
        ("start 1=2", "{} {1: 2}"),
        ("start --env A=b --env=C=d=e 1=-2 3=4", "{\"A\": \"b\", \"C\": \"d=e\"} {1: -2, 3: 4}"),
        ("start --env '=x y' --env Z= 0=0", "{\"\": \"x y\", \"Z\": \"\"} {0: 0}"),
        ("labels", "{\"a\": \"b c\"}"),
        ("labels x=y z=", "{\"x\": \"y\", \"z\": \"\"}"),
    ] {
        assert_eq!(ask(&daemon, line), expected, "{line}");
    }
    let answer = exchange(daemon.connect().unwrap(), &resp(&[&b"bytes"[..], b"\xff=\0="]));
    assert_eq!(answer, b"$16\r\n{[255]: [0, 61]}\r\n");
}

#[test]
fn bad_entry_is_refused() {
    let daemon = daemon();
    for (line, reason) in [
        ("start", "limits is missing"),
        ("start 1", "bad value for limits: \"1\": expected KEY=VALUE"),
        ("start --env A 1=1", "bad value for --env: \"A\": expected KEY=VALUE"),
        (
            "start --env A=1 --env A=2 1=1",
            "bad value for --env: \"A=2\": the key A is given twice: give it once",
        ),
        (
            "start 1=1 01=2",
            "bad value for limits: \"01=2\": the key 01 is given twice: give it once",
        ),
        (
            "start x=1",
            "bad value for limits: \"x=1\": invalid key: expected an integer from 0 to 255",
        ),
        ("start 1=x", "bad value for limits: \"1=x\": expected an integer from -32768 to 32767"),
        ("labels a= b= c=", "too many values for labels: 3: expected at most 2 values"),
        ("login a=hunter2 a=hunter3", "bad value for tokens: expected text"),
        ("login hunter2", "bad value for tokens: expected text"),
    ] {
        let answer = ask(&daemon, line);
        assert!(answer.starts_with(&format!("-USAGE {reason}; usage: ")), "{line}\n{answer}");
    }
}

#[test]
fn client_sends_a_map() {
    let daemon = daemon();
    let client = daemon.client();
    let env = HashMap::from([("A".to_owned(), "b=c".to_owned()), ("B".into(), "--x".into())]);
    let limits = BTreeMap::from([(1_u8, -5_i16)]);
    let call = client.command("start").give(&env, Way::Long("env"));
    let answer: String = call.give(&limits, Way::Position).call().unwrap();
    assert_eq!(answer, "{\"A\": \"b=c\", \"B\": \"--x\"} {1: -5}");
}

#[test]
fn help_shows_the_form_of_an_entry() {
    let daemon = daemon();
    let start = ask(&daemon, "help start");
    assert!(start.contains("KEY=VALUE, text, any number\n"), "{start}");
    assert!(start.contains("KEY=VALUE, integer, at least 1 value"), "{start}");
    let labels = ask(&daemon, "help labels");
    assert!(labels.contains("KEY=VALUE, text, at most 2 values; default 'a=b c'"), "{labels}");
}
