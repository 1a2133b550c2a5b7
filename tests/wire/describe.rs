//! The descriptions of commands for programs, and completions.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use dockipc::{Arg, Body, Client, Error, Handle, Reply, Request, Server, State, command};

type Names = Mutex<Vec<String>>;

#[derive(Arg)]
enum Level {
    Low,
    VeryHigh,
}

/// Greet somebody.
///
/// More than once, if that is wanted.
#[command("greet", alias = "hi", idempotent)]
fn greet(
    /// Who is
    /// greeted.
    #[arg(complete = names)]
    who: String,
    #[arg(long, default = 1)] times: u32,
    #[arg(flag)] loud: bool,
    #[arg(long)] level: Option<Level>,
    words: Vec<i64>,
) -> String {
    let level = level.map(|level| match level {
        Level::Low => "low",
        Level::VeryHigh => "very high",
    });
    format!("{who} {times} {loud} {level:?} {words:?}")
}

fn names(request: &Request<'_>, prefix: &str) -> Vec<String> {
    assert!(prefix != "panic", "asked to panic");
    let names = request.state::<Names>().map(|names| names.lock().unwrap().clone());
    let before = request.words().map(|word| format!("{prefix}{}", word.escape_ascii()));
    names.unwrap_or_default().into_iter().chain(before).collect()
}

/// Stop.
#[command("halt", allow = "uid:4294967294")]
fn halt(#[arg(complete = never)] why: &str) -> usize {
    why.len()
}

fn never(_: &str) -> [&'static str; 1] {
    panic!("who may not run it is proposed nothing")
}

#[command("many")]
fn many(#[arg(complete = numbers)] number: u32, #[arg(complete = slow)] other: &str) -> String {
    format!("{number}{other}")
}

fn numbers(prefix: &str) -> impl Iterator<Item = String> + use<> {
    let prefix = prefix.to_owned();
    (0..).map(move |number| format!("{prefix}{number}"))
}

type Gate = Mutex<(Sender<()>, Receiver<()>)>;

fn slow(request: &Request<'_>, _: &str) -> Vec<String> {
    let gate = request.state::<Gate>().unwrap().lock().unwrap();
    gate.0.send(()).unwrap();
    gate.1.recv().unwrap();
    vec!["slow".into()]
}

#[command("hidden", hidden)]
fn hidden(_names: State<Names>) {}

/// A struct of which a list is a table.
#[derive(Reply)]
#[dockipc(table)]
#[allow(clippy::empty_docs, reason = "is no text in a description")]
struct Folder {
    /// The name,
    ///   without its place.
    ///
    name: String,
    size: u8,
    #[doc = " "]
    depth: u8,
    /// Those in it.
    folders: Vec<Folder>,
    #[doc = concat!("The ", "shape.")]
    #[dockipc(name = "form")]
    shape: Shape,
}

#[derive(Reply)]
#[allow(dead_code, reason = "only described")]
enum Shape {
    /// None.
    Nothing,
    /// A circle, by its radius.
    Circle(
        /// A field without a name has no text.
        u8,
    ),
    Line {
        /// Its begin.
        from: u8,
        to: u8,
    },
}

#[derive(Reply)]
#[allow(dead_code, reason = "only described")]
enum Color {
    /// As blood.
    Red,
    Green,
    #[dockipc(other)]
    Other,
}

#[command(hidden)]
fn folders(colors: Body<Color>) -> Vec<Folder> {
    drop(colors);
    Vec::new()
}

fn serve() -> (Handle, Receiver<()>, Sender<()>) {
    let names = ["anna", "bob", "barbara"].map(String::from).to_vec();
    let ((begun, has_begun), (go, may_go)) = (channel(), channel());
    let server = Server::new().state(Names::new(names)).state(Gate::new((begun, may_go)));
    let server = server.handle("closed", |_: &Request<'_>| "something");
    (server.spawn_in_process().unwrap(), has_begun, go)
}

fn describe(client: &Client, names: &[&str]) -> BTreeMap<String, BTreeMap<String, Reply>> {
    let mut call = client.command("dockipc").arg("describe");
    for name in names {
        call = call.arg(name);
    }
    call.call().unwrap()
}

fn complete(client: &Client, words: &[&[u8]]) -> Result<Vec<String>, Error> {
    let mut call = client.command("dockipc").arg("complete");
    for word in words {
        call = call.arg(*word);
    }
    call.call()
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Reply::Int(int) => int.to_string(),
        Reply::Null => "-".into(),
        Reply::List(list) => {
            format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(" "))
        }
        Reply::Map(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}={}", text(key), text(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn description_of_a_command_is_complete() {
    let (daemon, ..) = serve();
    let all = describe(&daemon.client(), &["hi"]);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["greet"]);
    let greet = &all["greet"];
    let Reply::List(arguments) = &greet["arguments"] else { panic!("{greet:?}") };
    let arguments: Vec<_> = arguments.iter().map(text).collect();
    assert_eq!(
        arguments,
        [
            "name=who, kind=positional, flag=-, type=text, choices=[], default=-, optional=0, \
             multiple=0, help=Who is greeted., secret=0, completes=1",
            "name=times, kind=option, flag=--times, type=integer, choices=[], min=0, max=4294967295, default=1, \
             optional=1, multiple=0, help=, secret=0, completes=0",
            "name=loud, kind=flag, flag=--loud, type=boolean, choices=[], default=-, \
             optional=1, multiple=0, help=, secret=0, completes=0",
            "name=level, kind=option, flag=--level, type=level, choices=[low very-high], default=-, \
             optional=1, multiple=0, help=, secret=0, completes=0",
            "name=words, kind=positional, flag=-, type=integer, choices=[], min=-9223372036854775808, \
             max=9223372036854775807, default=-, optional=1, multiple=1, help=, secret=0, completes=0",
        ]
    );
    let rest: Vec<_> = greet.iter().filter(|(key, _)| *key != "arguments").collect();
    let rest: Vec<_> =
        rest.into_iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
    assert_eq!(
        rest,
        [
            "aliases=[hi]",
            "answer=type=text",
            "builtin=0",
            "details=More than once, if that is wanted.",
            "for=-",
            "idempotent=1",
            "summary=Greet somebody.",
            "usage=greet <who> [--times <times>] [--loud] [--level <level>] [<words>…]",
        ]
    );
}

#[test]
fn doc_comments_of_fields_and_variants_are_described() {
    let (daemon, ..) = serve();
    let all = describe(&daemon.client(), &["folders"]);
    let int = "type=int, min=0, max=255";
    assert_eq!(
        text(&all["folders"]["answer"]),
        format!(
            "type=list, of=type=struct, name=Folder, table=1, fields=[\
             name=name, of=type=text, help=The name, without its place. \
             name=size, of={int} \
             name=depth, of={int} \
             name=folders, of=type=list, of=type=struct, name=Folder, table=1, help=Those in it. \
             name=form, of=type=union, name=Shape, variants=[\
             name=nothing, help=None. \
             name=circle, of={int}, help=A circle, by its radius. \
             name=line, of=type=struct, fields=[\
             name=from, of={int}, help=Its begin. name=to, of={int}]], help=The shape.]"
        )
    );
    let arguments = text(&all["folders"]["arguments"]);
    let items = "of=type=enum, name=Color, other=1, words=[red green other], \
                 variants=[name=red, help=As blood. name=green name=other]]";
    assert!(arguments.ends_with(items), "{arguments}");
}

#[test]
fn describe_without_names_lists_what_help_lists() {
    let (daemon, ..) = serve();
    let all = describe(&daemon.client(), &[]);
    let names: Vec<_> = all.keys().collect();
    assert_eq!(names, ["closed", "echo", "greet", "help", "info", "many", "ping"]);
    assert_eq!(text(&all["ping"]["builtin"]), "1");
    let some = describe(&daemon.client(), &["HIDDEN", "halt", "nobody", "closed"]);
    assert_eq!(some.keys().collect::<Vec<_>>(), ["closed", "hidden"]);
}

#[test]
fn completions_come_from_the_running_daemon() {
    let (daemon, ..) = serve();
    let client = daemon.client();
    assert_eq!(complete(&client, &[b"greet", b"who", b"b"]).unwrap(), ["bob", "barbara"]);
    assert_eq!(
        complete(&client, &[b"HI", b"who", b"x", b"--times", b"\xff"]).unwrap(),
        ["x--times", "x\\xff"]
    );
    for nothing in [
        [&b"greet"[..], b"times", b""],
        [b"greet", b"nobody", b""],
        [b"greet", b"who", b"\xff"],
        [b"closed", b"word", b""],
        [b"ping", b"message", b""],
    ] {
        assert_eq!(complete(&client, &nothing).unwrap(), [""; 0]);
    }
    assert_eq!(complete(&client, &[b"many", b"number", b"7"]).unwrap().len(), 1000);
}

#[test]
fn completion_function_obeys_the_rules_of_commands() {
    let (daemon, has_begun, go) = serve();
    let client = daemon.client();
    let failed = complete(&client, &[b"greet", b"who", b"panic"]).unwrap_err();
    assert!(failed.to_string().contains("PANIC"), "{failed}");
    let denied = complete(&client, &[b"halt", b"why", b""]).unwrap_err();
    assert!(denied.to_string().contains("UNKNOWN"), "{denied}");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| complete(&client, &[b"many", b"other", b""]));
        has_begun.recv().unwrap();
        // No client waits for it.
        assert_eq!(client.send("ping").unwrap(), b"PONG");
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap().unwrap(), ["slow"]);
    });
}
