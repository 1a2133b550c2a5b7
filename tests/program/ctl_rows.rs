//! `call` with rows in which a struct is missing: in a pipe they are those of line mode.

use std::collections::BTreeMap;

use dockipc::{Client, Reply, Server, command};
use tests::Daemon;
use tests::ctl::{self, run};
use tests::gate::Gate;

#[derive(Reply, Clone)]
struct Size {
    w: u32,
    h: Option<u32>,
}

#[derive(Reply, Clone)]
enum Mark {
    None,
    At(Option<(u8, u8)>),
    Box { size: Option<Size> },
}

#[derive(Reply, Clone)]
#[dockipc(table)]
struct Window {
    id: u64,
    size: Option<Size>,
    mark: Option<Mark>,
    inner: Vec<Option<Size>>,
}

#[derive(Reply)]
struct Plain {
    window: Option<Window>,
    last: u8,
}

fn all_windows() -> Vec<Window> {
    let size = Some(Size { w: 1, h: None });
    let window =
        |id, size, mark, inner: &[Option<Size>]| Window { id, size, mark, inner: inner.to_vec() };
    vec![
        window(1, size.clone(), Some(Mark::At(Some((7, 8)))), &[None, size.clone()]),
        window(2, None, None, &[None]),
        window(3, None, Some(Mark::At(None)), &[]),
        window(4, size.clone(), Some(Mark::Box { size: None }), &[size]),
        window(5, None, Some(Mark::None), &[]),
    ]
}

/// Windows.
#[command]
fn windows() -> Vec<Window> {
    all_windows()
}

/// Windows, some of which are gone.
#[command]
fn maybe_windows() -> Vec<Option<Window>> {
    let mut windows: Vec<_> = all_windows().into_iter().map(Some).collect();
    windows.insert(1, None);
    windows
}

/// Structs that are no table.
#[command]
fn plain_rows() -> Vec<Plain> {
    let some = all_windows().into_iter().map(Some).chain([None]);
    some.map(|window| Plain { window, last: 9 }).collect()
}

type Numbered = (u8, Option<Size>);

/// Rows by name.
#[command]
fn rows_by_name() -> BTreeMap<String, (Option<Numbered>, u8)> {
    let row = |name: &str, row| (name.to_owned(), (row, 9));
    BTreeMap::from([row("a", None), row("b", Some((1, None))), row("c", Some((1, None)))])
}

/// No rows.
#[command]
fn no_windows() -> Vec<Window> {
    Vec::new()
}

fn call(daemon: &Daemon, options: &[&str], name: &str) -> String {
    let mut program = ctl::command(&ctl::path());
    let ran = run(program.arg("call").args(options).arg(daemon.path()).arg(name), b"");
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    ran.text()
}

#[test]
fn missing_structs_keep_their_columns_in_a_pipe() {
    let daemon = Daemon::start(Server::new().state(Gate::default()));
    let client = Client::new(daemon.path());
    for name in ["windows", "maybe-windows", "plain-rows", "rows-by-name", "no-windows"] {
        let line = String::from_utf8(client.send(name).unwrap()).unwrap();
        assert_eq!(call(&daemon, &[], name), line, "{name}");
    }
    let line = String::from_utf8(client.send("windows").unwrap()).unwrap();
    let lines: Vec<_> = line.lines().take(3).collect();
    let columns: Vec<_> = lines.iter().map(|line| line.split('\t').collect::<Vec<_>>()).collect();
    // An identifier, a struct of four columns, a union of one word and six columns, and a list.
    assert_eq!(columns[0].iter().position(|name| *name == "mark"), Some(5));
    assert_eq!(columns[2][1..5], [""; 4]);
}

#[test]
fn missing_structs_are_null_in_json() {
    let daemon = Daemon::start(Server::new().state(Gate::default()));
    let text = call(&daemon, &["--json=line"], "maybe-windows");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            r#"{"id":1,"size":{"w":1,"h":null},"mark":{"at":[7,8]},"inner":[null,{"w":1,"h":null}]}"#,
            "null",
            r#"{"id":2,"size":null,"mark":null,"inner":[null]}"#,
        ]
    );
    assert_eq!(call(&daemon, &["--json=line"], "no-windows"), "");
}
