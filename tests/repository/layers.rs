//! Checks the layers of the runtime crate: a room imports only rooms below it.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the top, each with its rooms. A room is a module of `dockipc/src`. It may import
/// the rooms of lower layers, and in its own layer those to its right.
const LAYERS: &[(&str, &[&str])] = &[
    ("program", &["bin", "ctl"]),
    ("API", &["server", "client"]),
    ("engine", &["engine"]),
    ("conversation", &["dispatch", "events", "builtin", "running", "session"]),
    ("commands", &["audit", "hooks", "commands", "access"]),
    (
        "values",
        &[
            "once",
            "hand_over",
            "handler",
            "param",
            "request",
            "arg",
            "answer",
            "stream",
            "run",
            "body",
            "deferred",
            "later",
            "workers",
            "replica",
            "reply",
            "state",
            "local",
            "secret",
            "peer",
        ],
    ),
    ("bytes", &["wire"]),
    (
        "ground",
        &[
            "counters",
            "listener",
            "signals",
            "rule",
            "token",
            "buffer",
            "nearest",
            "warning",
            "config",
            "error",
            "caught",
            "proc",
            "directory",
            "text",
            "sys",
        ],
    ),
];

/// Modules above all layers: `private` is what generated code names, `fuzzing` drives every room.
const ABOVE: &[&str] = &["lib", "private", "fuzzing"];

fn root() -> PathBuf {
    // Read at run time, since checkouts may share a target directory.
    let here = std::env::current_dir().expect("the directory that cargo starts a test in");
    here.parent().expect("the workspace's directory").to_owned()
}

/// Returns every room with its layer, from the top down.
fn rooms() -> Vec<(&'static str, &'static str)> {
    LAYERS.iter().flat_map(|(layer, rooms)| rooms.iter().map(move |room| (*room, *layer))).collect()
}

fn height(room: &str) -> Option<usize> {
    rooms().iter().rev().position(|(other, _)| *other == room)
}

fn layer(room: &str) -> &'static str {
    rooms().iter().find(|(other, _)| *other == room).map_or("?", |(_, layer)| layer)
}

/// Returns a sentence for each upward import in `text`, a file of `room`.
fn upward_imports(room: &str, text: &str) -> Vec<String> {
    // Unit tests may import upward.
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = code.collect::<Vec<_>>().join("\n");
    let mut imported = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let words = list.map_or(rest, |(list, _)| list).split(',');
        let words = words.take(if list.is_some() { usize::MAX } else { 1 });
        let name = |word: &str| {
            let word = word.trim_start();
            let end = word.find(|c: char| !c.is_alphanumeric() && c != '_');
            word[..end.unwrap_or(word.len())].to_owned()
        };
        imported.extend(words.map(name));
    }
    imported.retain(|name| name != room);
    let mut sentences = Vec::new();
    for name in imported {
        if ABOVE.contains(&name.as_str()) || height(&name) > height(room) {
            let (here, there) = (layer(room), layer(&name));
            sentences.push(format!("{room} ({here}) imports {name} ({there}), which is above it"));
        }
    }
    sentences.sort();
    sentences.dedup();
    sentences
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in directory.read_dir().expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let source = root().join("dockipc/src");
    let mut seen = Vec::new();
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).expect("a file of the crate");
        let first = inside.iter().next().and_then(|name| name.to_str()).unwrap_or_default();
        let room = first.trim_end_matches(".rs").to_owned();
        // Unit tests may import upward.
        if ABOVE.contains(&room.as_str()) || inside.iter().any(|part| part == "tests") {
            continue;
        }
        if inside.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        assert!(height(&room).is_some(), "{room} is in no layer: add it to LAYERS in this file");
        let text = fs::read_to_string(&path).expect("a source file");
        let upward = upward_imports(&room, &text);
        let table = table();
        assert!(upward.is_empty(), "{}: {}\n\n{table}", inside.display(), upward.join("\n"));
        seen.push(room);
    }
    for (room, _) in rooms() {
        assert!(seen.iter().any(|other| other == room), "{room} is in LAYERS and has no file");
    }
}

#[test]
fn upward_imports_are_found() {
    for (room, text, sentence) in [
        ("wire", "use crate::reply::Reply;", "wire (bytes) imports reply (values)"),
        ("builtin", "use crate::engine::Engine;", "builtin (conversation) imports engine (engine)"),
        ("secret", "use crate::{client::ToArg, sys};", "secret (values) imports client (API)"),
        ("arg", "fn f(r: &crate::request::Request) {}", "arg (values) imports request (values)"),
        ("engine", "use crate::private::Command;", "engine (engine) imports private (?)"),
        ("client", "pub(crate) use crate::server::Handle;", "client (API) imports server (API)"),
    ] {
        let found = upward_imports(room, text);
        assert!(found.iter().any(|found| found.starts_with(sentence)), "{text}: {found:?}");
    }
    for (room, text) in [
        ("reply", "use crate::wire::Reply;"),
        ("engine", "use crate::engine::hub::Hub;"),
        ("arg", "/// See [`crate::server::Server`].\nuse crate::error::Failure;"),
        ("builtin", "use crate::Failure;"),
    ] {
        assert_eq!(upward_imports(room, text), [""; 0], "{text}");
    }
}

/// Returns the layers as a Markdown table.
fn table() -> String {
    let row = |(layer, rooms): &(&str, &[&str])| {
        let rooms: Vec<_> = rooms.iter().map(|room| format!("`{room}`")).collect();
        format!("| {layer} | {} |", rooms.join(" "))
    };
    let rows: Vec<_> = LAYERS.iter().map(row).collect();
    format!("| layer | rooms |\n| --- | --- |\n{}\n", rows.join("\n"))
}

#[test]
fn architecture_page_shows_the_layers() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let table = table();
    assert!(page.contains(&table), "ARCHITECTURE.md should have this table:\n\n{table}");
}
