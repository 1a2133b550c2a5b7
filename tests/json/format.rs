//! `DOCKIPC JSON` and `DOCKIPC FORMAT json`: answers of any command as JSON text.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use dockipc::{Deferred, Failure, Json, Reply, Server, Stream, command};
use serde_json::{Value, json};
use tests::{Place, resp};

use super::values::window;

#[command("format-all")]
fn all() -> Vec<Reply> {
    let text = |text: &str| Reply::bytes(text);
    vec![
        Reply::Null,
        Reply::Int(-1),
        Reply::Float(1.5),
        Reply::Float(f64::NAN),
        Reply::Big("18446744073709551616".into()),
        Reply::Bytes(b"\xff\0".to_vec()),
        Reply::Map(vec![(text("b"), Reply::Bool(true)), (text("a"), Reply::Ok)]),
        Reply::Map(vec![(Reply::Int(1), text("one"))]),
        Reply::Error(Failure::new("NOTFOUND", "no note 9")),
        text("a\t\"b\"\n"),
    ]
}

const ALL: &str = r#"[null,-1,1.5,"NaN","18446744073709551616",{"base64":"/wA="},{"b":true,"a":"OK"},[[1,"one"]],{"error":"NOTFOUND no note 9"},"a\t\"b\"\n"]"#;

#[command("format-json")]
fn nested() -> Vec<Json<super::values::Window>> {
    vec![Json(window())]
}

#[command("format-text")]
fn text(#[arg(rest)] text: String) -> String {
    text
}

#[command("format-fails")]
fn fails() -> Result<(), Failure> {
    Err(Failure::new("NOTFOUND", "no\nnote"))
}

#[command("format-later")]
fn later() -> Deferred<BTreeMap<String, u8>> {
    let (later, answer) = Deferred::new();
    std::thread::spawn(move || answer.send(BTreeMap::from([("n".to_owned(), 7)])));
    later
}

#[command("format-stream")]
fn stream(count: u8) -> Stream<Option<(u8, String)>> {
    Stream::iter((0..count).map(|n| Some((n, "a\\b".to_owned())).filter(|_| n != 1)))
}

#[command("format-reset")]
fn nothing() {}

#[command("format-deep")]
fn deep(levels: usize) -> Reply {
    (0..levels).fold(Reply::Null, |inner, _| Reply::List(vec![inner]))
}

/// A connection that sends lines and RESP commands, and reads what comes.
struct Raw(UnixStream);

impl Raw {
    fn send(&mut self, words: &[&str]) -> &mut Self {
        self.0.write_all(&resp(words)).unwrap();
        self
    }

    fn gets(&mut self, expected: &str) -> &mut Self {
        let mut got = vec![0; expected.len()];
        self.0.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), expected);
        self
    }

    /// Reads up to the end of a text.
    fn skip_to(&mut self, end: &str) -> &mut Self {
        let mut got = Vec::new();
        while !got.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            got.extend(byte);
        }
        self
    }

    fn gets_bulk(&mut self, expected: &str) -> &mut Self {
        self.gets(&format!("${}\r\n{expected}\r\n", expected.len()))
    }
}

fn with_daemon(test: impl Fn(&dyn Fn() -> Raw, &dyn Fn(&str) -> String)) {
    let place = Place::new();
    let path = place.socket();
    let daemon = Server::new().spawn(&path).unwrap();
    let raw = || {
        let socket = UnixStream::connect(&path).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        Raw(socket)
    };
    let line = |line: &str| {
        let mut raw = raw();
        raw.0.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut text = String::new();
        raw.0.read_to_string(&mut text).unwrap();
        text
    };
    test(&raw, &line);
    daemon.shutdown();
}

#[test]
fn prefix_makes_one_answer_json() {
    with_daemon(|raw, line| {
        raw()
            .send(&["DOCKIPC", "JSON", "format-all"])
            .gets_bulk(ALL)
            .send(&["dockipc", "json", "FORMAT-LATER"])
            .gets_bulk(r#"{"n":7}"#)
            .send(&["dockipc", "json", "format-stream", "3"])
            .gets_bulk(r#"[[0,"a\\b"],null,[2,"a\\b"]]"#)
            .send(&["dockipc", "json", "format-json"])
            .gets_bulk(r#"[{"id":7,"title":"a\t\"b\"\nc"}]"#)
            .send(&["dockipc", "json", "format-fails"])
            .gets("-NOTFOUND no note\r\n")
            .send(&["dockipc", "json", "format-reset"])
            .gets_bulk(r#""OK""#)
            .send(&["dockipc", "json", "ping"])
            .gets_bulk(r#""PONG""#)
            .send(&["dockipc", "json", "dockipc", "args", "format-text", "--", "a"])
            .gets_bulk(r#""a""#)
            .send(&[
                "dockipc",
                "json",
                "dockipc",
                "with",
                "deadline",
                "10000",
                "--",
                "format-text",
                "a",
            ])
            .gets_bulk(r#""a""#)
            .send(&[
                "dockipc",
                "with",
                "deadline",
                "10000",
                "--",
                "dockipc",
                "json",
                "format-text",
                "a",
            ])
            .gets_bulk(r#""a""#)
            .send(&["dockipc", "json", "dockipc", "json", "ping"])
            .gets("-USAGE dockipc json can't be nested\r\n")
            .send(&["dockipc", "json"])
            .gets("-USAGE usage: dockipc");
        // The next answer is not JSON.
        raw()
            .send(&["dockipc", "json", "ping"])
            .gets_bulk(r#""PONG""#)
            .send(&["ping"])
            .gets("+PONG\r\n");
        assert_eq!(line("dockipc json format-all"), format!("{ALL}\n"));
        assert_eq!(line("  DOCKIPC  json  format-text  a 'b "), "\"a 'b \"\n");
        assert_eq!(line("dockipc json format-later"), "{\"n\":7}\n");
        assert_eq!(line("dockipc json format-stream 3"), "[0,\"a\\\\b\"]\nnull\n[2,\"a\\\\b\"]\n");
        assert_eq!(line("dockipc json format-stream 0"), "");
        assert_eq!(line("dockipc json format-fails"), "-NOTFOUND no note\n");
        assert_eq!(line("dockipc json dockipc json ping"), "-USAGE dockipc json can't be nested\n");
        assert!(line("dockipc json gone").starts_with("-UNKNOWN no command"));
        // No prefix of words that only begin so.
        assert!(line("dockipc jsons ping").starts_with("-USAGE"));
    });
}

#[test]
fn nothing_but_json_until_reset() {
    with_daemon(|raw, line| {
        let mut client = raw();
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client.send(&["format-text", "a"]).gets_bulk(r#""a""#);
        client.send(&["format-later"]).gets_bulk(r#"{"n":7}"#);
        client.send(&["format-stream", "1"]).gets_bulk(r#"[[0,"a\\b"]]"#);
        client.send(&["format-fails"]).gets("-NOTFOUND no note\r\n");
        client.send(&["gone"]).gets("-UNKNOWN");
        let mut client = raw();
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client.send(&["ping"]).gets_bulk(r#""PONG""#);
        client.send(&["multi"]).gets_bulk(r#""OK""#);
        client.send(&["format-text", "a"]).gets_bulk(r#""QUEUED""#);
        client.send(&["dockipc", "describe"]).gets("-ERR");
        let mut client = raw();
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client.send(&["multi"]).gets_bulk(r#""OK""#);
        client.send(&["format-json"]).gets_bulk(r#""QUEUED""#);
        client.send(&["format-fails"]).gets_bulk(r#""QUEUED""#);
        client
            .send(&["exec"])
            .gets_bulk(r#"[[{"id":7,"title":"a\t\"b\"\nc"}],{"error":"NOTFOUND no\nnote"}]"#);
        // The greeting is the protocol's.
        client.send(&["hello", "3"]).gets("%");
        let mut client = raw();
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client
            .send(&["dockipc", "format", "resp"])
            .gets("+OK\r\n")
            .send(&["ping"])
            .gets("+PONG\r\n");
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client.send(&["reset"]).gets("+RESET\r\n").send(&["ping"]).gets("+PONG\r\n");
        client
            .send(&["dockipc", "format", "xml"])
            .gets("-USAGE usage: dockipc format json|resp\r\n");
        assert_eq!(
            line("dockipc format json"),
            "-USAGE a line has one answer; write dockipc json <command> [<word>…]\n"
        );
    });
}

#[test]
fn pushed_items_are_json_texts() {
    with_daemon(|raw, _| {
        let mut client = raw();
        client.send(&["hello", "3"]).gets("%");
        client.send(&["echo", "greeted"]).skip_to("greeted\r\n");
        client.send(&["dockipc", "format", "json"]).gets("+OK\r\n");
        client.send(&["dockipc", "with", "stream", "items", "--", "format-stream", "2"]);
        let item = |text: &str| {
            format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n${}\r\n{text}\r\n", text.len())
        };
        client.gets(&item(r#"[0,"a\\b"]"#)).gets(&item("null")).gets_bulk(r#""OK""#);
        // Events are not answers.
        client.send(&["subscribe", "news"]).gets(">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
        client.send(&["ping"]).gets_bulk(r#""PONG""#);
    });
}

#[test]
fn our_client_keeps_no_connection_in_another_format() {
    let place = Place::new();
    let path = place.socket();
    let daemon = Server::new().spawn(&path).unwrap();
    let client = dockipc::Client::new(&path);
    client.command("dockipc").arg("format").arg("json").call::<()>().unwrap();
    assert_eq!(client.command("format-later").call::<BTreeMap<String, u8>>().unwrap()["n"], 7);
    // A line of our client has the bytes of line mode.
    let lines = client.send("dockipc json format-stream 3").unwrap();
    assert_eq!(lines, b"[0,\"a\\\\b\"]\nnull\n[2,\"a\\\\b\"]\n");
    assert_eq!(
        client.send("format-json").unwrap(),
        b"{\"id\":7,\"title\":\"a\\t\\\"b\\\"\\nc\"}\n"
    );
    let value: Value = {
        let call = client.command("dockipc").arg("json").arg("format-later");
        serde_json::from_str(&call.call::<String>().unwrap()).unwrap()
    };
    assert_eq!(value, json!({ "n": 7 }));
    daemon.shutdown();
}

#[test]
fn answer_nested_too_deep_is_an_error() {
    let error = "-ERR the answer is nested deeper than 64, and can't be written as JSON\r\n";
    with_daemon(|raw, _| {
        let text = format!("{}null{}", "[".repeat(64), "]".repeat(64));
        raw()
            .send(&["dockipc", "json", "format-deep", "64"])
            .gets_bulk(&text)
            .send(&["dockipc", "json", "format-deep", "65"])
            .gets(error)
            .send(&["dockipc", "json", "format-deep", "1500"])
            .gets(error)
            .send(&["ping"])
            .gets("+PONG\r\n");
    });
}
