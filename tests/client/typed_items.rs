//! The comparison of a trait with its daemon: the items of bodies, and daemons that describe less.

use std::io::{Read, Write};

#[cfg(feature = "tokio")]
use dockipc::AsyncBody;
use dockipc::client::{Difference, Items};
use dockipc::{Body, Client, Failure, Reply, Server, client, command};
use tests::scripted::{GREETING, command as description, handshake, list, map, text};
use tests::{Daemon, Place, expect, resp};

#[derive(Reply)]
struct Note {
    /// The daemon's text, which no comparison reads.
    id: u32,
    tags: Vec<String>,
    size: Option<(u8, f64)>,
    kind: Kind,
}

#[derive(Reply)]
enum Kind {
    Plain,
    Linked(String),
}

#[command]
fn import(notes: Body<Note>) -> Result<usize, Failure> {
    let mut count = 0;
    for note in notes {
        let Note { id, tags, size, kind } = note?;
        let has_kind = matches!(kind, Kind::Plain | Kind::Linked(_));
        drop((id, tags, size));
        count += usize::from(has_kind);
    }
    Ok(count)
}

#[command]
fn totals(numbers: Body<u8>) -> Result<u64, Failure> {
    numbers.map(|number| number.map(u64::from)).sum()
}

#[cfg(feature = "tokio")]
#[command("async-totals")]
async fn async_totals(mut numbers: AsyncBody<u8>) -> Result<u64, Failure> {
    let mut sum = 0;
    while let Some(number) = numbers.next().await {
        sum += u64::from(number?);
    }
    Ok(sum)
}

#[command("small")]
fn small(#[arg(range = 1..=9, default = 3)] n: u8, #[arg(max_len = 2)] word: Option<String>) -> u8 {
    n + u8::from(word.is_some())
}

mod fitting {
    #![allow(dead_code, reason = "only compared")]

    use dockipc::Reply;

    /// Fewer values than the daemon reads, and more fields.
    #[derive(Reply)]
    pub(super) struct Note {
        /// Another text than the daemon's.
        pub(super) id: u16,
        /// A text that the daemon lacks.
        pub(super) tags: [String; 2],
        pub(super) kind: Kind,
        pub(super) more: String,
    }

    #[derive(Reply)]
    pub(super) enum Kind {
        /// Another text.
        Plain,
    }

    pub(super) struct Unknown;

    impl dockipc::IntoReply for Unknown {
        fn into_reply(self) -> Reply {
            Reply::Int(1)
        }
    }
}

#[client]
#[allow(dead_code, reason = "only compared")]
trait Fits {
    fn import(&self, #[arg(items)] notes: Vec<fitting::Note>) -> dockipc::Result<usize>;

    fn totals(
        &self,
        #[arg(items)] n: &mut (dyn Iterator<Item = u8> + Send),
    ) -> dockipc::Result<u64>;

    /// Limits and defaults are the daemon's.
    fn small(&self, n: Option<u8>, word: Option<&str>) -> dockipc::Result<u8>;
}

#[client]
#[allow(dead_code, reason = "only compared")]
trait AnyItems {
    fn totals<T>(&self, #[arg(items)] items: T) -> dockipc::Result<u64>
    where
        T: Iterator<Item = fitting::Unknown> + Send;
}

macro_rules! of_fragments {
    ($name:ident, $body:ty, $items:ty) => {
        #[client]
        trait $name {
            fn import(&self, #[arg(body)] body: $body) -> dockipc::Result<usize>;

            fn totals(&self, #[arg(items)] items: $items) -> dockipc::Result<u64>;
        }
    };
}

of_fragments!(Fragments, impl Read + Send, impl Iterator<Item = u16> + Send);

mod wrong {
    #![allow(dead_code, reason = "only compared")]

    use dockipc::Reply;

    #[derive(Reply)]
    pub(super) struct Note {
        pub(super) id: i32,
        pub(super) tags: Vec<Vec<u8>>,
        pub(super) size: Option<(u8, f64, u8)>,
    }

    #[derive(Reply)]
    pub(super) struct Other {
        pub(super) id: Option<u32>,
        pub(super) tags: String,
        pub(super) size: (u8, String),
        pub(super) kind: Kind,
    }

    #[derive(Reply)]
    pub(super) enum Kind {
        Linked,
        Gone,
    }
}

#[client]
#[allow(dead_code, reason = "only compared")]
trait Wrong {
    fn import(&self, #[arg(items)] notes: Vec<wrong::Note>) -> dockipc::Result<usize>;

    fn totals(
        &self,
        #[arg(items)] numbers: impl Iterator<Item = u16> + Send,
    ) -> dockipc::Result<u64>;
}

#[client]
#[allow(dead_code, reason = "only compared")]
trait Others {
    fn import(
        &self,
        #[arg(items)] notes: &mut (dyn Iterator<Item = wrong::Other> + Send),
    ) -> dockipc::Result<usize>;

    fn totals<'t, T: Iterator<Item = &'t str> + Send>(
        &self,
        #[arg(items)] numbers: T,
    ) -> dockipc::Result<u64>;
}

fn sentences(found: &[Difference]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn items_that_the_daemon_reads_are_no_difference() {
    let daemon = Daemon::start(Server::new());
    let client = Client::new(daemon.path());
    assert_eq!(FitsClient::new(client.clone()).check().unwrap(), []);
    assert_eq!(AnyItemsClient::new(client).check().unwrap(), []);
}

#[test]
fn items_of_another_type_are_differences() {
    let daemon = Daemon::start(Server::new());
    let client = Client::new(daemon.path());
    assert_eq!(
        sentences(&WrongClient::new(client.clone()).check().unwrap()),
        [
            "import: `id` of an item of the body is -2147483648 to 2147483647 in the trait, and 0 to 4294967295 in the daemon",
            "import: an item of `tags` of an item of the body is of the type bytes in the trait, and text in the daemon",
            "import: `size` of an item of the body has 3 columns in the trait, and 2 in the daemon",
            "import: the daemon needs `kind` of an item of the body, which the trait lacks",
            "totals: an item of the body is 0 to 65535 in the trait, and 0 to 255 in the daemon",
        ]
    );
    assert_eq!(
        sentences(&OthersClient::new(client).check().unwrap()),
        [
            "import: `id` of an item of the body can be missing in the trait; the daemon needs it",
            "import: `tags` of an item of the body is of the type text in the trait, and list in the daemon",
            "import: column 2 of `size` of an item of the body is of the type text in the trait, and float in the daemon",
            "import: linked of `kind` of an item of the body has no value in the trait, and one in the daemon",
            "import: the daemon does not accept gone for `kind` of an item of the body",
            "totals: an item of the body is of the type text in the trait, and int in the daemon",
        ]
    );
}

/// Uses what a daemon may not describe.
#[client]
#[allow(dead_code, reason = "only compared")]
trait Newer {
    #[command(idempotent)]
    fn add(
        &self,
        n: u64,
        words: &[&str],
        #[arg(flag)] quiet: bool,
        #[arg(long)] times: Option<u8>,
    ) -> dockipc::Result<Vec<(u8, Option<String>)>>;

    fn send(&self, #[arg(items)] items: Vec<u8>) -> dockipc::Result<Items<Kept>>;

    fn bare(&self, n: u64) -> dockipc::Result<std::collections::BTreeMap<String, u8>>;
}

#[derive(Reply)]
struct Kept {
    #[allow(dead_code, reason = "only its type is compared")]
    by: Kind,
    #[allow(dead_code, reason = "only its type is compared")]
    at: (u8, u8),
}

/// Answers a `check` with this description of the commands, and ends.
fn check_against(commands: Vec<u8>) -> Vec<String> {
    let place = Place::new();
    let server = tests::scripted::scripted(&place, move |accept| {
        let mut stream = accept();
        let describe = resp(&["dockipc", "describe", "add", "send", "bare"]);
        expect(&mut stream, &[handshake(), describe].concat());
        stream.write_all(&[GREETING, &commands].concat()).unwrap();
    });
    let found = NewerClient::new(Client::new(place.socket())).check().unwrap();
    server.join().unwrap();
    sentences(&found)
}

#[test]
fn types_of_bodies_may_be_fragments() {
    let daemon = Daemon::start(Server::new());
    let client = FragmentsClient::new(Client::new(daemon.path()));
    assert_eq!(client.import(&b""[..]).unwrap(), 0);
    assert_eq!(client.totals([1, 2].into_iter()).unwrap(), 3);
    assert_eq!(
        sentences(&client.check().unwrap()),
        ["totals: an item of the body is 0 to 65535 in the trait, and 0 to 255 in the daemon"]
    );
}

#[test]
fn older_daemon_is_not_blamed_for_what_it_does_not_describe() {
    let ty = |name: &str| map(&[("type", text(name))]);
    let answer = |ty: Vec<u8>| map(&[("answer", ty)]);
    // Neither arguments nor types within types.
    let commands = map(&[
        ("add", answer(ty("list"))),
        ("send", answer(ty("stream"))),
        ("bare", answer(ty("map"))),
    ]);
    assert_eq!(check_against(commands), [""; 0]);
    let named = |name: &str| map(&[("name", text(name))]);
    let flag = |name: &str| map(&[("name", text(name)), ("flag", text(&format!("--{name}")))]);
    let row = map(&[("type", text("list")), ("of", ty("row"))]);
    let fields = [("by", ty("union")), ("at", ty("row"))];
    let fields = fields.map(|(name, of)| map(&[("name", text(name)), ("of", of)]));
    let item = map(&[("type", text("struct")), ("fields", list(&fields))]);
    let body = map(&[("name", text("items")), ("kind", text("body"))]);
    let add = [named("n"), named("words"), flag("quiet"), flag("times")];
    let commands = map(&[
        ("add", map(&[("arguments", list(&add)), ("answer", row)])),
        (
            "send",
            map(&[
                ("arguments", list(&[body])),
                ("answer", map(&[("type", text("stream")), ("of", item)])),
            ]),
        ),
        ("bare", map(&[])),
    ]);
    assert_eq!(check_against(commands), [""; 0]);
    // The whole description of an older version: commands without answers.
    let commands = map(&[("add", description(&[], &[])), ("bare", description(&[], &[]))]);
    assert_eq!(
        check_against(commands),
        [
            "add: the trait promises `idempotent`, and the daemon does not: a repeated call may act twice",
            "add: the daemon has no parameter <n>",
            "add: the daemon has no parameter <words>",
            "add: the daemon has no option --quiet",
            "add: the daemon has no option --times",
            "send: the daemon has no such command, or you may not run it",
            "bare: the daemon has no parameter <n>",
        ]
    );
}
