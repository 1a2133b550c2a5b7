//! Generic types that derive `Reply`, and the types of std that a field can have.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use dockipc::{FromReply, IntoReply, Reply, Server, command};

/// The bound is on what the fields mention, `I::Item`: the iterator itself is no answer.
#[derive(Reply, Clone, Debug, PartialEq)]
#[dockipc(table)]
struct Page<I: Iterator> {
    items: Vec<I::Item>,
    first: Option<<I as Iterator>::Item>,
    by_name: HashMap<String, I::Item>,
}

#[derive(Reply, Clone, Debug, PartialEq)]
enum Found<I>
where
    I: IntoIterator,
{
    Nothing,
    One(I::Item),
    Pair { left: I::Item, right: Box<[I::Item]> },
}

/// Holds itself.
#[derive(Reply, Clone, Debug, PartialEq)]
struct Chain<I: Iterator> {
    value: I::Item,
    next: Option<Box<Chain<I>>>,
}

/// A parameter and its associated type.
#[derive(Reply, Clone, Debug, PartialEq)]
struct Both<T: IntoIterator, const N: usize> {
    all: T,
    some: [T::Item; N],
}

mod wire {
    #[derive(dockipc::Reply, Clone, Debug, PartialEq)]
    pub(super) struct Envelope<T> {
        pub(super) of: T,
    }
}

/// Holds another type of its name, and not itself.
#[derive(Reply, Clone, Debug, PartialEq)]
struct Envelope<T> {
    inner: wire::Envelope<T>,
    others: Vec<wire::Envelope<Option<T>>>,
}

/// No answer itself.
#[derive(Clone, Debug, PartialEq)]
struct Numbers;

impl Iterator for Numbers {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        None
    }
}

#[derive(Reply, Clone, Debug, PartialEq)]
struct Held<'w> {
    word: Cow<'w, str>,
    bytes: Cow<'static, [u8]>,
    path: Cow<'static, Path>,
    boxed: Box<str>,
    shared: Arc<str>,
    counted: Rc<[u8]>,
    slice: Box<[u8]>,
    slices: Box<[String]>,
    os: OsString,
    path_buf: PathBuf,
    queue: VecDeque<u8>,
    set: BTreeSet<char>,
    array: [i8; 2],
    hash: [u8; 4],
    port: NonZeroU16,
    address: IpAddr,
    took: Duration,
    at: SystemTime,
}

fn page() -> Page<Numbers> {
    Page { items: vec![1, 2], first: Some(1), by_name: HashMap::from([("a".into(), 3)]) }
}

fn held() -> Held<'static> {
    Held {
        word: "a\tb".into(),
        bytes: Cow::Borrowed(&[0, 255]),
        path: Path::new("/tmp/x").into(),
        boxed: "boxed".into(),
        shared: "shared".into(),
        counted: [1, 2].into(),
        slice: [3].into(),
        slices: ["x".into(), String::new()].into(),
        os: "os".into(),
        path_buf: "/p".into(),
        queue: VecDeque::from([7, 8]),
        set: BTreeSet::from(['x', 'y']),
        array: [-1, 1],
        hash: [0, 1, 2, 3],
        port: NonZeroU16::MAX,
        address: Ipv4Addr::LOCALHOST.into(),
        took: Duration::from_millis(1500),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
    }
}

#[command("page")]
fn answer_page() -> Page<Numbers> {
    page()
}

#[command("held")]
fn answer_held() -> Held<'static> {
    held()
}

fn comes_back<T: IntoReply + FromReply + Clone + Debug + PartialEq>(value: T) {
    assert_eq!(value.clone().into_reply().parse::<T>().unwrap(), value);
}

#[test]
fn bounds_are_on_associated_types() {
    comes_back(page());
    comes_back(Found::<Vec<String>>::Nothing);
    comes_back(Found::<Vec<String>>::One("x".into()));
    comes_back(Found::<Vec<u8>>::Pair { left: 1, right: [2].into() });
    let last = Chain::<Numbers> { value: 2, next: None };
    comes_back(Chain { value: 1, next: Some(last.into()) });
    let (inner, others) = (wire::Envelope { of: 1 }, vec![wire::Envelope { of: None }]);
    comes_back(Envelope { inner, others });
    comes_back(Both { all: vec!["x".to_owned()], some: ["y".to_owned()] });
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    assert_eq!(client.command("page").call::<Page<Numbers>>().unwrap(), page());
    let line = client.send("page").unwrap();
    assert_eq!(line, b"items\t1\t2\nfirst\t1\nby_name\ta\t3\n", "{}", line.escape_ascii());
}

#[test]
fn fields_of_std_types_come_back() {
    comes_back(held());
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    assert_eq!(daemon.client().command("held").call::<Held<'_>>().unwrap(), held());
    let words: Cow<'_, str> = Reply::bytes("x").parse().unwrap();
    assert_eq!(words, "x");
}
