//! Structs whose lists are tables in line mode.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use dockipc::{Client, IntoReply, Reply, Server, Stream, command};

#[derive(Reply, Clone, Debug, PartialEq)]
struct Size {
    w: u32,
    h: u32,
}

#[derive(Reply, Clone, Debug, PartialEq)]
#[dockipc(table)]
struct Window {
    id: u64,
    size: Option<Size>,
    #[dockipc(name = "app-id")]
    app: Option<String>,
    tags: Vec<String>,
}

fn windows() -> Vec<Window> {
    let size = Some(Size { w: 1, h: 2 });
    let tags = vec!["x".into(), "y\tz".into()];
    vec![
        Window { id: 1, size, app: Some("term".into()), tags },
        Window { id: 2, size: None, app: None, tags: Vec::new() },
    ]
}

#[command("windows")]
fn all() -> Vec<Window> {
    windows()
}

#[command("no-windows")]
fn none(n: &str) -> Result<Vec<Window>, std::num::ParseIntError> {
    n.parse::<u8>().map(|_| Vec::new())
}

#[command("maybe-windows")]
fn maybe() -> VecDeque<Option<Window>> {
    VecDeque::from([windows().pop(), None])
}

#[command("one-window")]
fn one() -> Option<Window> {
    windows().pop()
}

#[command("held-windows")]
fn held() -> (u8, Vec<Window>) {
    (7, windows())
}

#[command("windows-as-made")]
fn stream(count: usize, #[arg(flag)] fails: bool) -> Stream<Result<Window, String>> {
    let end = fails.then(|| Err("broken".to_owned()));
    Stream::iter(windows().into_iter().take(count).map(Ok).chain(end))
}

const HEADER: &str = "id\tsize\t\t\t\tapp-id\ttags\n";
const FIRST: &str = "1\tw\t1\th\t2\tterm\tx\ty\\tz\n";
const SECOND: &str = "2\t\t\t\t\t\n";

fn client() -> Client {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client().clone();
    std::mem::forget(daemon);
    client
}

#[test]
fn list_on_a_line_has_a_header() {
    let client = client();
    for (line, answer) in [
        ("windows", [HEADER, FIRST, SECOND].concat()),
        ("no-windows 0", HEADER.into()),
        ("maybe-windows", [HEADER, SECOND, "\t\t\t\t\t\t\n"].concat()),
        ("windows-as-made 2", [HEADER, FIRST, SECOND].concat()),
        ("windows-as-made 0", HEADER.into()),
        // Not a list of them.
        ("one-window", "id\t2\nsize\t\t\t\t\napp-id\t\ntags\n".into()),
        (
            "held-windows",
            "7\nid\t1\tsize\tw\t1\th\t2\tapp-id\tterm\ttags\tx\ty\\tz\tid\t2\tsize\t\t\t\t\tapp-id\t\ttags\n"
                .into(),
        ),
    ] {
        let sent = String::from_utf8(client.send(line).unwrap()).unwrap();
        assert_eq!(sent, answer, "{line}");
    }
    assert_eq!(windows().into_reply().into_line(), [HEADER, FIRST, SECOND].concat().as_bytes());
}

#[test]
fn failed_stream_has_no_header_alone() {
    let client = client();
    let failure = client.send("windows-as-made 0 --fails").unwrap_err();
    assert_eq!(failure.to_string(), "ERR broken");
}

#[test]
fn table_is_a_list_of_maps_in_resp() {
    let client = client();
    assert_eq!(client.command("windows").call::<Vec<Window>>().unwrap(), windows());
    assert!(client.command("no-windows").arg(0).call::<Vec<Window>>().unwrap().is_empty());
    let items = client.command("windows-as-made").arg(2).stream::<Window>().unwrap();
    assert_eq!(items.collect::<Result<Vec<_>, _>>().unwrap(), windows());
    let (seven, held): (u8, Vec<Window>) = client.command("held-windows").call().unwrap();
    assert_eq!((seven, held), (7, windows()));
    assert_eq!(windows().into_reply().parse::<Vec<Window>>().unwrap(), windows());
}

#[test]
fn description_says_that_lists_are_tables() {
    let client = client();
    let call = client.command("dockipc").arg("describe").arg("windows");
    let described: Reply = call.call().unwrap();
    let text = format!("{described:?}");
    assert_eq!(text.matches("Bytes([116, 97, 98, 108, 101]), Int(1)").count(), 1, "{text}");
}
