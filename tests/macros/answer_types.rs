//! The types of answers, as a command's description has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroI8, ParseIntError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use dockipc::{Client, IntoReply, Reply, ReplyType, Request, Server, command};

#[derive(Reply)]
enum Mood {
    Good,
    #[arg(name = "so-so")]
    Mixed,
}

/// Contains itself.
#[derive(Reply)]
struct Tree<'w> {
    label: &'w str,
    r#type: Option<Mood>,
    branches: Vec<Tree<'w>>,
}

/// Says nothing of its type.
struct Silent;

impl IntoReply for Silent {
    fn into_reply(self) -> Reply {
        Reply::Ok
    }
}

/// A wrapper that says its type.
struct Wrapper<T>(T);

impl<T: IntoReply> IntoReply for Wrapper<T> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Optional(T::REPLY_TYPE);

    fn into_reply(self) -> Reply {
        self.0.into_reply()
    }
}

#[command("types-nothing")]
fn nothing() {}

#[command("types-empty")]
fn empty(n: &str) -> Result<(), ParseIntError> {
    n.parse::<u8>().map(drop)
}

#[command("types-hidden")]
fn hidden() -> impl IntoReply + use<> {
    1
}

#[command("types-scalars")]
fn scalars() -> (bool, f32, char, String, PathBuf, Duration, SystemTime, IpAddr, Reply, Silent) {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (path, time) = (PathBuf::new(), SystemTime::UNIX_EPOCH);
    (true, 1.0, 'a', String::new(), path, Duration::ZERO, time, address, Reply::Ok, Silent)
}

#[command("types-bytes")]
fn bytes(bytes: &[u8]) -> ([u8; 2], Arc<[u8]>, &[u8]) {
    ([0; 2], Arc::new([]), bytes)
}

#[command("types-integers")]
fn integers() -> Vec<(i16, NonZeroI8, u64)> {
    Vec::new()
}

#[command("types-lists")]
fn lists() -> Option<HashMap<String, BTreeSet<Box<[i8; 3]>>>> {
    None
}

#[command("types-wrapped")]
fn wrapped(n: &str) -> Result<Wrapper<BTreeMap<char, f64>>, Box<dyn Error + Send + Sync>> {
    let n = n.parse()?;
    Ok(Wrapper(BTreeMap::from([('n', n)])))
}

#[command("types-tree")]
fn tree(label: &str) -> Vec<Tree<'_>> {
    vec![Tree { label, r#type: Some(Mood::Good), branches: Vec::new() }]
}

#[command("types-enum")]
fn mood() -> Mood {
    Mood::Mixed
}

macro_rules! answering {
    ($name:literal, $ty:ty) => {
        const _: () = {
            #[command($name)]
            fn answering() -> $ty {
                <$ty>::default()
            }
        };
    };
}

answering! { "types-of-macro", Option<u8> }

/// Structs that each hold the one before three times.
macro_rules! holding {
    ($inner:ident $outer:ident $($more:ident)*) => {
        #[derive(Reply)]
        struct $outer {
            a: Option<$inner>,
            b: Option<$inner>,
            c: Option<$inner>,
        }
        holding!($outer $($more)*);
    };
    ($last:ident) => {
        #[command("types-shared")]
        fn shared() -> Option<Box<$last>> {
            None
        }
    };
}

holding! { u8 Held1 Held2 Held3 Held4 Held5 Held6 Held7 }

/// Returns a type's description as a text.
pub(super) fn text(reply: &Reply) -> String {
    let list = |items: &[Reply]| items.iter().map(text).collect::<Vec<_>>().join(", ");
    match reply {
        Reply::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Reply::Int(value) => value.to_string(),
        Reply::List(items) => format!("[{}]", list(items)),
        Reply::Map(map) => {
            let (ty, more) = map.split_first().unwrap();
            let more: Vec<_> =
                more.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
            if more.is_empty() {
                text(&ty.1)
            } else {
                format!("{}({})", text(&ty.1), more.join(", "))
            }
        }
        other => panic!("{other:?}"),
    }
}

fn answer(client: &Client, name: &str) -> String {
    let call = client.command("dockipc").arg("describe").arg(name);
    let mut all: BTreeMap<String, BTreeMap<String, Reply>> = call.call().unwrap();
    text(&all.remove(name).unwrap()["answer"])
}

#[test]
fn description_has_the_type_of_an_answer() {
    let server = Server::new().state(AtomicU64::new(0));
    let server = server.handle("types-mounted", |_: &Request<'_>| 1);
    let daemon = server.spawn_in_process().unwrap();
    let client = daemon.client();
    for (name, expected) in [
        ("types-nothing", "nothing"),
        ("types-empty", "nothing"),
        ("types-hidden", "unknown"),
        ("types-mounted", "unknown"),
        (
            "types-scalars",
            "row(columns=[bool, float, text(form=character), text, bytes(form=path), \
             text(form=duration), text(form=time), text(form=address), unknown, unknown])",
        ),
        ("types-bytes", "row(columns=[bytes, bytes, bytes])"),
        (
            "types-integers",
            "list(of=row(columns=[int(min=-32768, max=32767), int(min=-128, max=127), \
             int(min=0, max=18446744073709551615)]))",
        ),
        ("types-lists", "optional(of=map(key=text, of=set(of=list(of=int(min=-128, max=127)))))"),
        ("types-wrapped", "optional(of=map(key=text(form=character), of=float))"),
        (
            "types-tree",
            "list(of=struct(name=Tree, fields=[label(of=text), \
             type(of=optional(of=enum(name=Mood, words=[good, so-so]))), \
             branches(of=list(of=struct(name=Tree)))]))",
        ),
        ("types-enum", "enum(name=Mood, words=[good, so-so])"),
        ("types-of-macro", "optional(of=int(min=0, max=255))"),
    ] {
        assert_eq!(answer(&client, name), expected, "{name}");
    }
}

#[test]
fn description_of_shared_structs_is_short() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let text = answer(&daemon.client(), "types-shared");
    let (all, unknown) = (text.matches("of=").count(), text.matches("unknown").count());
    // 3,280 structs, without a limit.
    assert!((1000..1100).contains(&all) && (1..100).contains(&unknown), "{all} {unknown}");
}
