//! Parameters and answers that are JSON text or `MessagePack`.

use std::collections::BTreeMap;

use dockipc::{
    Body, Client, DescribedJson, Error, Failure, Json, MsgPack, Reply, Server, Stream, command,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) id: u64,
    pub(super) title: Option<String>,
}

pub(super) fn window() -> Window {
    Window { id: 7, title: Some("a\t\"b\"\nc".into()) }
}

#[command]
fn retitle(window: Json<Window>, title: Option<String>) -> Json<Window> {
    let Json(window) = window;
    Json(Window { title: title.or(window.title), ..window })
}

#[command]
fn retitled(window: DescribedJson<Window>) -> Vec<DescribedJson<Window>> {
    vec![window]
}

#[command("json-titles")]
fn titles(windows: Vec<Json<Window>>) -> Vec<Json<Option<String>>> {
    windows.into_iter().map(|window| Json(window.0.title)).collect()
}

#[command("json-stream")]
fn stream(count: u64) -> Stream<Json<Window>> {
    Stream::iter((0..count).map(|id| Json(Window { id, ..window() })))
}

#[command("json-import")]
fn import(windows: Body<Json<Window>>) -> Result<Vec<Json<Window>>, Failure> {
    windows.collect()
}

#[command("json-borrowed")]
fn borrowed(text: Json<&str>) -> Json<&str> {
    text
}

#[command("json-default")]
fn with_default(#[arg(default = Json(window()))] window: Json<Window>) -> u64 {
    window.id
}

#[command("json-unwritable")]
fn unwritable() -> Json<BTreeMap<(u8, u8), u8>> {
    Json(BTreeMap::from([((1, 2), 3)]))
}

#[command("msgpack-window")]
fn packed(window: MsgPack<Window>) -> MsgPack<Window> {
    window
}

pub(super) fn client() -> Client {
    let daemon = Server::new().spawn_in_process().unwrap();
    let client = daemon.client().clone();
    std::mem::forget(daemon);
    client
}

#[test]
fn json_is_one_word_and_one_line() {
    let client = client();
    let line = client.send(r#"retitle '{"title":null,"id":7}' "x y""#).unwrap();
    assert_eq!(String::from_utf8(line).unwrap(), "{\"id\":7,\"title\":\"x y\"}\n");
    let call = client.command("retitle").arg(Json(window()));
    assert_eq!(call.call::<Json<Window>>().unwrap().0, window());
    let text: String = client.command("retitle").arg(Json(window())).call().unwrap();
    assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), window());
    assert_eq!(client.send("json-borrowed '\"abc\"'").unwrap(), b"\"abc\"\n");
    assert_eq!(client.send("json-default").unwrap(), b"7");
    let two = client.command("json-titles").arg(Json(window())).arg(r#"{"id":1}"#);
    let titles: Vec<Json<Option<String>>> = two.call().unwrap();
    assert_eq!(titles, [Json(window().title), Json(None)]);
}

#[test]
fn items_of_a_body_are_lines_of_json() {
    let client = client();
    let lines = client.send("json-stream 2").unwrap();
    assert!(lines.starts_with(br#"{"id":0,"title":"a\t\"b\"\nc"}"#));
    // A backslash of JSON is not one of a row.
    let call = client.command("json-import").body(&lines[..]);
    let windows: Vec<Json<Window>> = call.call().unwrap();
    assert_eq!(windows, [0, 1].map(|id| Json(Window { id, ..window() })));
    let call = client.command("json-import").items([Json(window())]);
    assert_eq!(call.call::<Vec<Json<Window>>>().unwrap(), [Json(window())]);
}

#[test]
fn bad_json_says_what_serde_says() {
    let client = client();
    for (word, why) in [
        ("{\"id\":\n 7x}", "expected `,` or `}` at line 2 column 3"),
        ("{\"title\":\"a\"}", "missing field `id` at line 1 column 13"),
        ("", "EOF while parsing a value at line 1 column 0"),
    ] {
        let failure = client.command("retitle").arg(word).call::<()>().unwrap_err().to_string();
        assert!(failure.starts_with("USAGE bad value for "), "{failure}");
        assert!(failure.contains(why), "{failure}");
    }
    // The client can't write such a key: the daemon refuses what it sends instead.
    let map = Json(BTreeMap::from([((1, 2), 3)]));
    let failure = client.command("retitle").arg(map).call::<()>().unwrap_err().to_string();
    assert!(failure.contains("key must be a string"), "{failure}");
    let failure = client.command("json-unwritable").call::<()>().unwrap_err().to_string();
    assert_eq!(failure, "ERR cannot write the answer as JSON: key must be a string");
    let failure = client.command("json-default").call::<Json<Window>>().unwrap_err().to_string();
    let expected = "the answer is \"7\" (invalid type: integer `7`, expected struct Window at line 1 column 1), not JSON text of this type";
    assert_eq!(failure, expected);
}

#[test]
fn stream_of_json_is_a_line_each() {
    let client = client();
    let lines = String::from_utf8(client.send("json-stream 2").unwrap()).unwrap();
    let lines: Vec<Window> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [Window { id: 0, ..window() }, Window { id: 1, ..window() }]);
    let items = client.command("json-stream").arg(1).stream::<Json<Window>>().unwrap();
    let items: Result<Vec<_>, _> = items.collect();
    assert_eq!(items.unwrap(), [Json(Window { id: 0, ..window() })]);
}

#[test]
fn description_has_the_json_schema() {
    let client = client();
    let describe = |name: &str| {
        let call = client.command("dockipc").arg("describe").arg(name);
        let mut all: BTreeMap<String, BTreeMap<String, Reply>> = call.call().unwrap();
        all.remove(name).unwrap()
    };
    let text = |reply: &Reply| reply.clone().parse::<String>().unwrap();
    let fields = |reply: &Reply| reply.clone().parse::<BTreeMap<String, Reply>>().unwrap();
    let plain = describe("retitle");
    let answer = fields(&plain["answer"]);
    assert_eq!(text(&answer["type"]), "json");
    assert!(!answer.contains_key("schema"));
    let described = describe("retitled");
    let answer = fields(&fields(&described["answer"])["of"]);
    let arguments: Vec<BTreeMap<String, Reply>> = described["arguments"].clone().parse().unwrap();
    assert_eq!(text(&arguments[0]["type"]), "json");
    for schema in [&answer["schema"], &arguments[0]["schema"]] {
        let schema: Value = serde_json::from_str(&text(schema)).unwrap();
        assert_eq!(schema["title"], "Window");
        assert_eq!(schema["properties"]["id"]["type"], "integer");
        assert!(schema["required"].as_array().unwrap().contains(&json!("id")));
    }
}

#[test]
fn msgpack_is_one_word_and_one_value() {
    let client = client();
    let call = client.command("msgpack-window").arg(MsgPack(window()));
    let bytes: Vec<u8> = call.call().unwrap();
    assert_eq!(rmp_serde::from_slice::<Window>(&bytes).unwrap(), window());
    // A map of its fields: another version may have more of them.
    let map: BTreeMap<String, Option<Value>> = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(map["id"], Some(json!(7)));
    let array = rmp_serde::to_vec(&window()).unwrap();
    let read = client.command("msgpack-window").arg(array).call::<MsgPack<Window>>().unwrap();
    assert_eq!(read.0, window());
    let failure = client.command("msgpack-window").arg("x").call::<()>().unwrap_err().to_string();
    assert!(failure.starts_with("USAGE bad value for window"), "{failure}");
    let wrong = client.command("json-default").call::<MsgPack<Window>>().unwrap_err().to_string();
    assert!(wrong.ends_with("not MessagePack of this type"), "{wrong}");
}

/// A tree that is as deep as its client wants.
#[derive(Serialize, Deserialize, dockipc::Reply)]
struct Tree {
    branches: Vec<Self>,
}

#[command("json-tree")]
fn tree_of_json(tree: Json<Tree>) -> Tree {
    tree.0
}

#[command("msgpack-tree")]
fn tree_of_msgpack(tree: MsgPack<Tree>) -> Tree {
    tree.0
}

#[command("msgpack-deep")]
fn deep(value: MsgPack<Value>) -> MsgPack<Value> {
    value
}

#[command("msgpack-as-json")]
fn as_json(value: MsgPack<Value>) -> Json<Value> {
    Json(value.0)
}

#[test]
fn depth_of_a_clients_value_is_bounded() {
    let daemon = Server::new().spawn_in_process().unwrap();
    let client = daemon.client();
    let nested = |before: &[u8], inner: &[u8], after: &[u8], levels: usize| {
        [&before.repeat(levels), inner, &after.repeat(levels)].concat()
    };
    for (levels, is_read) in [(60, true), (100, true), (500, false), (30_000, false)] {
        let list = nested(b"\x91", b"\xc0", b"", levels);
        let json = nested(b"{\"branches\":[", b"", b"]}", levels);
        let tree = nested(b"\x81\xa8branches\x91", b"\x81\xa8branches\x90", b"", levels);
        for (command, value, is_read) in [
            ("msgpack-deep", &list, is_read),
            ("msgpack-as-json", &list, is_read),
            ("msgpack-tree", &tree, levels < 64),
            ("json-tree", &json, levels < 64),
        ] {
            let refusal = match client.command(command).arg(&value[..]).call::<Vec<u8>>() {
                Err(Error::Refused(failure)) => Some(failure.code().to_owned()),
                // A RESP answer is deeper than a client reads.
                Ok(_) | Err(_) => None,
            };
            assert_eq!(refusal.as_deref(), (!is_read).then_some("USAGE"), "{command} {levels}");
            // The daemon is there, whatever the answer.
            assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
        }
    }
}
