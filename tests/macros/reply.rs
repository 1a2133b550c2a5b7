//! Types that derive `Reply`.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use dockipc::{Arg, Reply, Server, command};

#[derive(Arg, Reply, Clone, Copy, Debug, PartialEq)]
enum Stage {
    InQueue,
    #[arg(name = "active")]
    Running,
}

#[derive(Reply, Debug, PartialEq)]
struct Task {
    id: u64,
    stage: Stage,
    r#type: Option<String>,
    took: Duration,
}

/// Another version of the task.
#[derive(Reply, Debug, PartialEq)]
struct Newer {
    id: u8,
    owner: Option<String>,
}

#[derive(Reply, Debug)]
struct Wrong {
    stage: u8,
}

#[derive(Reply, Debug)]
struct Missing {
    owner: String,
}

/// Cannot be read back.
#[derive(Reply)]
struct Borrowed<'w> {
    word: &'w str,
    first: Option<char>,
}

/// Holds values of its own type.
#[derive(Reply, Clone, Debug, PartialEq)]
struct Folder {
    name: String,
    folders: Vec<Folder>,
    parent: Option<Box<Self>>,
}

fn task() -> Task {
    Task { id: 7, stage: Stage::Running, r#type: None, took: Duration::from_millis(1500) }
}

#[command("task")]
fn one() -> Task {
    task()
}

#[command("tasks")]
fn several() -> Vec<Option<Task>> {
    vec![Some(task()), None]
}

#[command]
fn next(stage: Stage) -> Stage {
    if stage == Stage::InQueue { Stage::Running } else { Stage::InQueue }
}

#[command]
fn initial(word: &str) -> Borrowed<'_> {
    Borrowed { word, first: word.chars().next() }
}

#[command("folder")]
fn recursive() -> Folder {
    let folder = |name: &str| Folder { name: name.into(), folders: Vec::new(), parent: None };
    Folder { folders: vec![folder("b")], parent: Some(folder("c").into()), ..folder("a") }
}

mod model {
    /// Can't be read back.
    #[derive(dockipc::Reply)]
    pub(super) struct Row<'w> {
        pub(super) word: &'w str,
        pub(super) number: u8,
    }
}

/// Holds a struct with its own name.
#[derive(Reply)]
struct Row<'w> {
    row: Option<model::Row<'w>>,
}

#[command("reply-row")]
fn row(word: &str) -> (Row<'_>, Option<Row<'_>>) {
    (Row { row: Some(model::Row { word, number: 1 }) }, None)
}

#[test]
fn struct_holds_another_of_its_name() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let answer = daemon.client().send("reply-row a").unwrap();
    // A row for each: a key with a value of four columns, and as many empty ones.
    assert_eq!(answer.escape_ascii().to_string(), "row\\tword\\ta\\tnumber\\t1\\n\\t\\t\\t\\t\\n");
}

#[test]
fn recursive_structs_are_answers() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let read: Folder = daemon.client().command("folder").call().unwrap();
    assert_eq!(read, recursive());
}

#[test]
fn derived_answers_are_maps_and_words() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    for (line, answer) in [
        ("task", "id\t7\nstage\tactive\ntype\t\ntook\t1.5s\n"),
        ("tasks", "id\t7\tstage\tactive\ttype\t\ttook\t1.5s\n\t\t\t\t\t\t\t\n"),
        ("next in-queue", "active"),
        ("next active", "in-queue"),
        ("initial ab", "word\tab\nfirst\ta\n"),
    ] {
        assert_eq!(client.send(line).unwrap(), answer.as_bytes(), "{line}");
    }
    let read: Task = client.command("task").call().unwrap();
    assert_eq!(read, task());
    let read: Vec<Option<Task>> = client.command("tasks").call().unwrap();
    assert_eq!(read, [Some(task()), None]);
    let read: Newer = client.command("task").call().unwrap();
    assert_eq!(read, Newer { id: 7, owner: None });
    // As a Redis client of RESP2 gets it.
    let flat = [b"owner".as_slice(), b"ann", b"id", b"7"].map(Reply::bytes);
    let read: Newer = Reply::List(flat.into()).parse().unwrap();
    assert_eq!(read, Newer { id: 7, owner: Some("ann".into()) });
}

#[test]
fn mismatch_of_a_field_names_it() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    let wrong = client.command("task").call::<Wrong>().unwrap_err();
    assert_eq!(wrong.to_string(), r#"the answer is "active" in `stage`, not u8"#);
    let missing = client.command("task").call::<Missing>().unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the answer is a map without `owner`, not a map with all fields"
    );
    let word = Reply::bytes("gone").parse::<Stage>().unwrap_err();
    assert_eq!(word.to_string(), r#"the answer is "gone", not one of in-queue, active"#);
}
