//! The typed clients that `schema --rust`, `--python` and `--typescript` print: each is compiled where its language is,
//! and calls a daemon that has every type, and names that are keywords.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use dockipc::{Arg, Body, DescribedJson, Failure, Json, Reply, Secret, Server, Stream, command};
use serde_json::Value;
use tests::ctl::dockipc;
use tests::peers::{installed, lacks, text, versions};
use tests::{Daemon, Place};

#[derive(Arg, Reply, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    Good,
    #[arg(name = "so-so")]
    Middling,
    #[arg(name = "7th")]
    Heaven,
}

/// A value of each type.
#[derive(Reply)]
struct Kinds {
    text: String,
    bytes: Vec<u8>,
    path: PathBuf,
    truth: bool,
    sign: char,
    wait: Duration,
    at: SystemTime,
    address: IpAddr,
    number: f64,
    small: i8,
    big: u128,
    mood: Mood,
    none: Option<u8>,
    r#type: Option<String>,
    row: (u8, String),
    map: BTreeMap<String, Vec<u8>>,
    moods: BTreeMap<Mood, u64>,
    set: BTreeSet<u8>,
    optional: Vec<Option<i64>>,
}

#[derive(Reply, Clone)]
struct Folder {
    name: String,
    folders: Vec<Folder>,
    parent: Option<Box<Folder>>,
}

#[derive(Reply, Clone)]
enum Shape {
    Nothing,
    Circle(f64),
    Line(i8, i8),
    Text { r#in: String, shapes: Vec<Shape> },
    Mood(Mood),
}

#[derive(Reply)]
enum Level {
    Low,
    #[dockipc(other)]
    #[allow(dead_code, reason = "only read")]
    Other,
}

/// Answer with shapes.
#[command("shape list")]
fn shapes() -> Vec<Shape> {
    vec![
        Shape::Nothing,
        Shape::Circle(1.5),
        Shape::Line(-1, 2),
        Shape::Text { r#in: "x".into(), shapes: vec![] },
        Shape::Mood(Mood::Good),
    ]
}

#[command("shape level")]
fn level() -> Level {
    Level::Low
}

/// Answer with what was given.
///
/// Every parameter has another type. "Quotes", \ and */ are text.
#[command]
#[expect(clippy::too_many_arguments, reason = "one of each type")]
fn kinds(
    /// Some text.
    text: &str,
    bytes: &[u8],
    path: PathBuf,
    truth: bool,
    sign: char,
    wait: Duration,
    at: SystemTime,
    address: IpAddr,
    number: f64,
    small: i8,
    /// A large number.
    #[arg(long)]
    big: u128,
    #[arg(long)] mood: Mood,
    #[arg(long)] r#type: Option<String>,
) -> Kinds {
    Kinds {
        text: text.into(),
        bytes: bytes.into(),
        path,
        truth,
        sign,
        wait,
        at,
        address,
        number,
        small,
        big,
        mood,
        none: None,
        r#type,
        row: (1, "one".into()),
        map: BTreeMap::from([("k".into(), b"\xff".to_vec())]),
        moods: BTreeMap::from([(Mood::Heaven, 7)]),
        set: BTreeSet::from([1, 2]),
        optional: vec![Some(-1), None],
    }
}

#[command("class", idempotent)]
fn class(
    r#for: &str,
    #[arg(long = "in")] r#while: Option<u32>,
    #[arg(flag)] delete: bool,
) -> String {
    format!("{for} {while:?} {delete}")
}

#[command("job.list-all")]
fn join(words: Vec<String>, #[arg(long)] limits: Vec<u16>) -> (Vec<String>, Vec<u16>) {
    (words, limits)
}

/// Run another command.
#[command("run")]
fn run_it(files: Vec<String>, #[arg(last)] command: Vec<Vec<u8>>) -> (Vec<String>, Vec<Vec<u8>>) {
    (files, command)
}

#[command]
fn environment(
    #[arg(long)] env: BTreeMap<String, Vec<u8>>,
    limits: BTreeMap<String, i64>,
) -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, i64>) {
    (env, limits)
}

#[command]
fn wait(times: BTreeMap<String, Duration>) -> Duration {
    times.into_values().sum()
}

#[command]
fn upload(name: Option<String>, mut body: Body) -> std::io::Result<(Option<String>, u64)> {
    Ok((name, std::io::copy(&mut body, &mut std::io::sink())?))
}

#[command]
fn open(
    #[arg(absolute)] path: PathBuf,
    #[arg(long, absolute)] under: Option<PathBuf>,
) -> (PathBuf, bool) {
    (path, under.is_some())
}

/// Answer with what the caller brings.
#[command]
fn start(
    #[arg(absolute)] files: Vec<PathBuf>,
    #[arg(long, absolute)] lists: Vec<PathBuf>,
    /// Where it runs.
    #[arg(long, caller = "cwd")]
    cwd: PathBuf,
    #[arg(long, caller = "env")] env: BTreeMap<String, Vec<u8>>,
) -> (Vec<PathBuf>, Vec<PathBuf>, PathBuf, BTreeMap<String, Vec<u8>>) {
    (files, lists, cwd, env)
}

/// Stream the caller's environment.
#[command(idempotent)]
fn variables(#[arg(long, caller = "env")] env: BTreeMap<String, String>) -> Stream<String> {
    Stream::iter(env.into_iter().map(|(key, value)| format!("{key}={value}")))
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Note {
    title: String,
    colors: Vec<Color>,
    parent: Option<u8>,
}

/// Values as JSON text.
#[derive(Reply)]
struct Edited {
    note: DescribedJson<Note>,
    rest: Vec<Json<Value>>,
    extra: Option<Json<Value>>,
    others: Vec<Json<Value>>,
    keys: BTreeMap<String, String>,
}

#[command]
fn edit(
    note: DescribedJson<Note>,
    rest: Vec<Json<Value>>,
    #[arg(long)] extra: Option<Json<Value>>,
    #[arg(long)] others: Vec<Json<Value>>,
    #[arg(long)] keys: BTreeMap<String, Json<Value>>,
) -> Edited {
    let keys = keys.into_iter().map(|(key, Json(value))| (key, value.to_string())).collect();
    Edited { note, rest, extra, others, keys }
}

#[command]
fn say(#[arg(rest)] text: &str) -> String {
    text.into()
}

/// A name that is Redis' own.
#[command("save")]
#[allow(deprecated, reason = "a name whose answer redis-py converts")]
fn save(password: Secret<String>) -> String {
    password.expose().len().to_string()
}

#[command]
fn take_pairs(
    /// The pairs.
    pairs: Body<(u64, Mood)>,
) -> Result<Vec<u64>, Failure> {
    pairs.map(|pair| pair.map(|(number, mood)| number + mood as u64)).collect()
}

#[command]
fn take_folders(folders: Body<Folder>) -> Result<Vec<Folder>, Failure> {
    folders.collect()
}

/// An item with a text, bytes and values that can be missing.
#[derive(Reply, Clone)]
struct Part {
    /// The name.
    name: String,
    bytes: Vec<u8>,
    wait: Option<Duration>,
    place: Option<(u8, String)>,
    shape: Flat,
    tags: Vec<String>,
}

#[derive(Reply, Clone)]
enum Flat {
    Nothing,
    Circle(f64),
    /// A line.
    Line {
        /// Its begin.
        from: u8,
        to: u8,
    },
}

#[command]
fn take_parts(parts: Body<Part>) -> Result<Vec<Part>, Failure> {
    parts.collect()
}

/// A row of a table.
#[derive(Reply, Clone)]
#[dockipc(table)]
struct Line {
    name: String,
    #[dockipc(name = "how-many")]
    count: Option<u64>,
}

#[command]
fn take_lines(
    note: Option<String>,
    lines: Body<Line>,
) -> Result<(Option<String>, Vec<Line>), Failure> {
    Ok((note, lines.collect::<Result<_, _>>()?))
}

#[command]
fn take_texts(texts: Body<String>) -> Result<Vec<String>, Failure> {
    texts.collect()
}

#[command]
fn take_blobs(blobs: Body<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
    blobs.collect()
}

#[command]
fn take_values(values: Body<Json<Value>>) -> Result<Vec<Json<Value>>, Failure> {
    values.collect()
}

#[command]
fn take_maps(maps: Body<BTreeMap<String, i64>>) -> Result<Vec<BTreeMap<String, i64>>, Failure> {
    maps.collect()
}

/// Names that mean something in Python or JavaScript.
#[derive(Reply)]
#[allow(non_snake_case, reason = "names of fields")]
struct Names {
    #[dockipc(name = "__proto__")]
    proto: String,
    constructor: u8,
    #[dockipc(name = "self")]
    this: u8,
    class: u8,
    class_: u8,
    #[dockipc(name = "__init__")]
    init: u8,
    str: String,
    int: Option<u8>,
    staticmethod: Option<u8>,
    classmethod: Option<u8>,
    #[dockipc(name = "Names")]
    own_name: Option<u8>,
    map: BTreeMap<String, u8>,
    odd: Odd,
}

#[derive(Reply)]
enum Odd {
    #[arg(name = "__proto__")]
    Proto {
        #[dockipc(name = "__proto__")]
        proto: u8,
    },
    #[allow(dead_code, reason = "only described")]
    Constructor(u8),
}

#[command("import")]
#[expect(clippy::too_many_arguments, reason = "each is a name")]
fn import(
    map: BTreeMap<String, u8>,
    #[arg(long)] constructor: Option<u8>,
    #[arg(long)] to_string: Option<u8>,
    #[arg(long = "self", name = "self")] this: Option<u8>,
    #[arg(long)] print: Option<u8>,
    #[arg(long)] a_b: Option<u8>,
    #[arg(long = "ab", name = "aB")] ab: Option<u8>,
    #[arg(long)] redis: Option<u8>,
) -> Names {
    let numbers = [constructor, to_string, this, print, a_b, ab, redis];
    Names {
        proto: numbers.map(|number| number.unwrap_or(0).to_string()).join(" "),
        constructor: 1,
        this: 2,
        class: 3,
        class_: 4,
        init: 5,
        str: "x".into(),
        int: Some(6),
        staticmethod: None,
        classmethod: None,
        own_name: Some(7),
        map,
        odd: Odd::Proto { proto: 8 },
    }
}

/// The name of a function of JavaScript's promises.
#[command("then", since = "1.2", deprecated = "use \"list\"")]
fn then(#[arg(range = 1..=9, default = 3)] n: u8) -> u8 {
    n
}

#[command("list")]
fn list(map: Vec<String>) -> Vec<String> {
    map
}

#[command("print")]
fn print(#[arg(absolute)] map: Vec<PathBuf>) -> Vec<PathBuf> {
    map
}

/// The name of a type.
#[command("bytes")]
fn bytes() -> Vec<u8> {
    vec![255]
}

#[command]
fn size(mut body: Body) -> std::io::Result<usize> {
    let mut all = Vec::new();
    body.read_to_end(&mut all)?;
    Ok(all.len())
}

#[command]
fn fail(code: Option<String>) -> Result<(), Failure> {
    Err(Failure::new(if code.is_some() { "NOTFOUND" } else { "ERR" }, "no tea"))
}

/// Count.
#[command(idempotent)]
fn count(to: u32, word: Option<String>) -> Stream<Result<String, Failure>> {
    let word = word.unwrap_or_default();
    let end = (to > 3).then(|| Err(Failure::new("BROKEN", "in the end")));
    Stream::iter((0..to).map(move |n| Ok(format!("{n}{word}"))).chain(end))
}

#[command]
fn pairs() -> Stream<(u8, Mood)> {
    Stream::iter([(1, Mood::Good), (2, Mood::Middling)])
}

#[command(idempotent)]
fn lines() -> Stream<(u8, Vec<u8>, String, Mood)> {
    Stream::iter([
        (1, b"\t\\\xff\r\n".to_vec(), String::new(), Mood::Good),
        (2, Vec::new(), "\\t".into(), Mood::Heaven),
    ])
}

#[command(idempotent)]
fn notes() -> Stream<Json<Value>> {
    Stream::iter([Json(serde_json::json!({ "a\t": [1, null] })), Json(Value::Null)])
}

#[command]
fn tree() -> Folder {
    let leaf = Folder { name: "leaf".into(), folders: Vec::new(), parent: None };
    Folder { name: "root".into(), folders: vec![leaf.clone()], parent: Some(Box::new(leaf)) }
}

#[command]
fn anything() -> Reply {
    Reply::Int(7)
}

#[command]
fn nothing() {}

#[command]
fn maybe(#[arg(default = 5)] n: u8) -> Option<u8> {
    (n > 5).then_some(n)
}

fn daemon() -> Daemon {
    Daemon::start(Server::new())
}

/// Returns a typed client of the daemon.
fn printed(daemon: &Daemon, language: &str) -> String {
    let mut words = vec!["schema".into(), daemon.path().into_os_string()];
    words.extend(language.split(' ').map(Into::into));
    let ran = dockipc(words);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    ran.text()
}

/// Returns the path of a program that uses the client.
fn caller(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/typed").join(name)
}

#[test]
fn rust_client_compiles_fits_and_calls() {
    let (daemon, place) = (daemon(), Place::new());
    let root = tests::example::root();
    let package = format!(
        "[package]\nname = 'typed'\nedition = '2024'\n[workspace]\n[dependencies]\ndockipc = {{ path = {:?}, features = ['tokio'] }}\ntokio = {{ version = '1', features = ['rt'] }}\n[[bin]]\nname = 'typed'\npath = 'main.rs'\n",
        root.join("dockipc"),
    );
    let directory = place.directory();
    fs::write(directory.join("Cargo.toml"), package).unwrap();
    let client = printed(&daemon, "--rust");
    assert!(client.contains("\n    /// The name.\n    pub name: String,\n"));
    assert!(client.contains("\n    Line {\n        /// Its begin.\n        from: u8,\n"));
    fs::write(directory.join("typed.rs"), client).unwrap();
    let asynchronous = printed(&daemon, "--rust --async");
    fs::write(directory.join("typed_async.rs"), asynchronous).unwrap();
    fs::copy(caller("main.rs"), directory.join("main.rs")).unwrap();
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo.args(["run", "--quiet", "--offline", "--"]).arg(daemon.path()).current_dir(directory);
    cargo.env("CARGO_TARGET_DIR", root.join("target/tests/typed"));
    assert_eq!(text(&mut cargo, b""), "ok\n");
}

#[test]
fn python_client_calls_with_each_version() {
    if lacks("python3") {
        return;
    }
    let (daemon, place) = (daemon(), Place::new());
    let client = printed(&daemon, "--python");
    assert_eq!(client.matches("return self._stream(").count(), 4);
    assert!(client.contains("\nclass Part:\n    name: str\n    \"\"\"The name.\"\"\"\n"));
    assert_eq!(client.matches("The items come together").count(), 1);
    fs::write(place.directory().join("typed_client.py"), client).unwrap();
    for version in versions("python", "redis") {
        if version.ends_with("redis-4.6.0") {
            continue;
        }
        let path = std::env::join_paths([&version, place.directory()]).unwrap();
        let mut python = Command::new("timeout");
        python.args(["60", "python3", "-W", "error"]).arg(caller("typed.py")).arg(daemon.path());
        assert_eq!(text(python.env("PYTHONPATH", path), b""), "ok\n", "{version:?}");
    }
}

#[test]
fn typescript_client_compiles_and_calls_with_each_version() {
    let Some(compiler) = installed("node/typescript-5.9.3/node_modules") else { return };
    if lacks("node") {
        return;
    }
    let daemon = daemon();
    let client = printed(&daemon, "--typescript");
    assert!(client.contains("\n  /** The name. */\n  name: string;\n"));
    assert!(client.contains(
        "\n  /** A line. */\n  | { line: { /** Its begin. */ from: number; to: number } };\n"
    ));
    for version in versions("node", "redis") {
        let place = Place::new();
        let directory = place.directory();
        fs::write(directory.join("typed_client.ts"), &client).unwrap();
        fs::copy(caller("typed.ts"), directory.join("typed.ts")).unwrap();
        let modules = version.join("node_modules");
        std::os::unix::fs::symlink(modules, directory.join("node_modules")).unwrap();
        let mut tsc = Command::new("node");
        tsc.arg(compiler.join("typescript/bin/tsc")).current_dir(directory).args([
            "--strict",
            "--noUncheckedIndexedAccess",
            "--noUnusedLocals",
            "--erasableSyntaxOnly",
            "--skipLibCheck",
            "--target",
            "es2022",
            "--module",
            "commonjs",
            "--moduleResolution",
            "node10",
            "--types",
            "node",
            "--typeRoots",
        ]);
        text(tsc.arg(compiler.join("@types")).arg("typed.ts"), b"");
        let mut node = Command::new("timeout");
        node.args(["60", "node", "typed.js"]).arg(daemon.path()).current_dir(directory);
        assert_eq!(text(&mut node, b""), "ok\n", "{version:?}");
    }
}
