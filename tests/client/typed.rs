//! Typed clients: what a trait's methods send and read, and how the trait is compared with the daemon.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dockipc::client::{Difference, Items};
use dockipc::{Body, Client, Error, Failure, Reply, Secret, Server, Stream, client, command};
use tests::Daemon;

/// Add.
#[command(idempotent)]
fn add(n: u64, #[arg(long)] times: Option<u8>, #[arg(flag)] negative: bool) -> i64 {
    let sum = i64::try_from(n).unwrap() * i64::from(times.unwrap_or(1));
    if negative { -sum } else { sum }
}

/// Join words.
#[command("join-words")]
fn join(separator: &str, words: Vec<String>) -> String {
    words.join(separator)
}

#[command]
fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[command]
fn say(#[arg(rest)] text: &str) -> String {
    text.to_owned()
}

#[command]
fn r#where(
    path: PathBuf,
    #[arg(long)] cwd: Option<PathBuf>,
    #[arg(long)] more: Vec<PathBuf>,
) -> Vec<PathBuf> {
    [path].into_iter().chain(cwd).chain(more).collect()
}

#[command]
fn unlock(password: Secret<String>, after: Duration) -> Duration {
    assert_eq!(password.expose(), "--sesame");
    after
}

#[derive(Reply, Debug, PartialEq)]
struct Job {
    id: u64,
    state: State,
    note: Option<String>,
}

#[derive(Reply, Debug, PartialEq)]
enum State {
    Queued,
    Done,
}

#[command]
fn jobs() -> Vec<Job> {
    vec![Job { id: 7, state: State::Done, note: None }]
}

#[command]
fn count(to: u32) -> Stream<u32> {
    Stream::iter(0..to)
}

#[command]
fn size(mut body: Body) -> std::io::Result<usize> {
    let mut all = Vec::new();
    body.read_to_end(&mut all)?;
    Ok(all.len())
}

#[command]
fn sum(numbers: Body<u64>) -> Result<u64, Failure> {
    numbers.sum()
}

#[command]
fn doubled(numbers: Body<u64>) -> Stream<Result<u64, Failure>> {
    Stream::iter(numbers.map(|number| Ok(2 * number?)))
}

#[command]
fn fail(code: Option<String>) -> Result<(), Failure> {
    Err(Failure::new(if code.is_some() { "NOTFOUND" } else { "ERR" }, "no tea"))
}

#[command]
fn run(files: Vec<String>, #[arg(last)] command: Vec<Vec<u8>>) -> (Vec<String>, Vec<Vec<u8>>) {
    (files, command)
}

#[command]
fn limits(#[arg(long)] of: BTreeMap<String, u64>, #[arg(last)] command: Vec<String>) -> usize {
    of.len() + command.len()
}

type Answer<T> = dockipc::Result<T>;

/// All commands.
#[client]
trait Hits {
    /// Adds.
    #[command(idempotent)]
    fn add(
        &self,
        /// The number.
        n: u64,
        #[arg(long)] times: Option<u8>,
        #[arg(flag)] negative: bool,
    ) -> dockipc::Result<i64>;

    fn join_words(&self, separator: &str, words: &[&str]) -> Answer<String>;

    #[expect(clippy::needless_lifetimes, reason = "a method may name one")]
    fn reverse<'b>(&self, bytes: &'b [u8]) -> Result<Vec<u8>, Error>;

    fn say(&self, #[arg(rest)] text: &str) -> dockipc::Result<String>;

    #[command("where")]
    fn places(
        &self,
        #[arg(absolute)] path: &Path,
        #[arg(long, caller = "cwd")] cwd: Option<&Path>,
        #[arg(long, absolute)] more: &[PathBuf],
    ) -> dockipc::Result<Vec<PathBuf>>;

    fn unlock(&self, password: Secret<String>, after: Duration) -> dockipc::Result<Duration>;

    fn jobs(&self) -> dockipc::Result<Vec<Job>>;

    fn count(&self, to: u32) -> dockipc::Result<Items<u32>>;

    fn size(&self, #[arg(body)] body: &mut (dyn Read + Send)) -> dockipc::Result<usize>;

    fn sum(
        &self,
        #[arg(items)] numbers: &mut (dyn Iterator<Item = u64> + Send),
    ) -> dockipc::Result<u64>;

    fn fail(&self, code: Option<&str>) -> dockipc::Result<()>;

    fn run(
        &self,
        files: &[&str],
        #[arg(last)] command: &[&[u8]],
    ) -> dockipc::Result<(Vec<String>, Vec<Vec<u8>>)>;

    /// Calls another method.
    fn add_one(&self) -> dockipc::Result<i64> {
        self.add(1, None, false)
    }
}

/// A size that is answered without a daemon.
struct Mock;

#[client]
trait Sizes {
    fn size(&self, #[arg(body)] body: impl Read + Send) -> dockipc::Result<usize>;
}

#[client]
trait Numbers {
    fn doubled(
        &self,
        #[arg(items)] numbers: impl Iterator<Item = u64> + Send + 'static,
    ) -> dockipc::Result<Items<u64>>;

    fn sum<I: Iterator<Item = u64> + Send>(&self, #[arg(items)] numbers: I)
    -> dockipc::Result<u64>;
}

impl Sizes for Mock {
    fn size(&self, _: impl Read + Send) -> dockipc::Result<usize> {
        Ok(7)
    }
}

fn start() -> (Daemon, Client) {
    let daemon = Daemon::start(Server::new());
    let client = Client::new(daemon.path());
    (daemon, client)
}

#[test]
fn methods_call_commands() {
    let (_daemon, client) = start();
    let client = HitsClient::new(client);
    let hits: &dyn Hits = &client;
    assert_eq!(hits.add(2, None, false).unwrap(), 2);
    assert_eq!(hits.add(2, Some(3), true).unwrap(), -6);
    assert_eq!(hits.add_one().unwrap(), 1);
    assert_eq!(hits.join_words("--", &["a", "--b", "c"]).unwrap(), "a----b--c");
    assert_eq!(hits.join_words("-", &[]).unwrap(), "");
    assert_eq!(hits.reverse(b"\xff\0\r").unwrap(), b"\r\0\xff");
    assert_eq!(hits.say("--  two  blanks").unwrap(), "--  two  blanks");
    let password = Secret::new("--sesame".into());
    let after = Duration::from_nanos(1_000_000_001);
    assert_eq!(hits.unlock(password, after).unwrap(), after);
    assert_eq!(hits.jobs().unwrap(), jobs());
    let items: dockipc::Result<Vec<u32>> = hits.count(3).unwrap().collect();
    assert_eq!(items.unwrap(), [0, 1, 2]);
    assert_eq!(hits.size(&mut &*vec![0; 300_000]).unwrap(), 300_000);
    assert_eq!(SizesClient::from(client.client().clone()).size(&b"12"[..]).unwrap(), 2);
    assert_eq!(Mock.size(&b"12"[..]).unwrap(), 7);
    assert_eq!(hits.sum(&mut (1..4)).unwrap(), 6);
    let numbers = NumbersClient::from(client.client().clone());
    assert_eq!(numbers.sum(vec![7, 8].into_iter()).unwrap(), 15);
    let doubled: dockipc::Result<Vec<u64>> = numbers.doubled(0..3).unwrap().collect();
    assert_eq!(doubled.unwrap(), [0, 2, 4]);
    let Err(Error::Refused(failure)) = hits.fail(Some("x")) else { panic!("no failure") };
    assert_eq!(failure.code(), "NOTFOUND");
}

#[test]
fn two_dashes_are_a_value_beside_another_command_line() {
    let (_daemon, client) = start();
    let hits = HitsClient::new(client);
    for files in [&[][..], &["--"], &["--", "rm"], &["a", "--", "--"]] {
        for command in [&[][..], &[&b"--"[..]], &[b"-x\xff", b"--", b""]] {
            let (got, rest) = hits.run(files, command).unwrap();
            assert_eq!(got, files, "{command:?}");
            assert_eq!(rest, command, "{files:?}");
        }
    }
}

#[test]
fn paths_are_made_absolute_and_the_directory_is_filled_in() {
    let (_daemon, client) = start();
    let hits = HitsClient::new(client);
    let here = std::env::current_dir().unwrap();
    let places = hits.places(Path::new("a/../b"), None, &["c".into(), "/d".into()]).unwrap();
    assert_eq!(places, [here.join("a/../b"), here.clone(), here.join("c"), "/d".into()]);
    let places = hits.places(Path::new("/a"), Some(Path::new("x")), &[]).unwrap();
    assert_eq!(places, [Path::new("/a"), Path::new("x")]);
}

#[test]
fn trait_that_fits_has_no_difference() {
    let (_daemon, client) = start();
    assert_eq!(HitsClient::new(client.clone()).check().unwrap(), []);
    assert_eq!(SizesClient::new(client.clone()).check().unwrap(), []);
    assert_eq!(NumbersClient::new(client).check().unwrap(), []);
}

/// Each method differs from the daemon.
#[client]
#[allow(dead_code, reason = "only compared")]
trait Wrong {
    fn subtract(&self) -> dockipc::Result<()>;

    fn add(&self, n: &str, #[arg(long = "often")] times: Option<u8>) -> dockipc::Result<u8>;

    #[command("join-words", idempotent)]
    fn join(
        &self,
        words: &str,
        separator: &str,
        third: &str,
        fourth: &[u8],
    ) -> dockipc::Result<u64>;

    fn reverse(&self) -> dockipc::Result<String>;

    fn say(&self, text: &str, more: Option<u8>) -> dockipc::Result<Items<String>>;

    fn unlock(&self, password: Option<&str>, #[arg(long)] after: u64) -> dockipc::Result<Duration>;

    fn jobs(&self) -> dockipc::Result<Vec<BTreeMap<String, u64>>>;

    fn count(&self, to: u64) -> dockipc::Result<Vec<u32>>;

    fn size(&self) -> dockipc::Result<Option<u64>>;

    fn sum(&self) -> dockipc::Result<u64>;

    fn fail(&self, #[arg(flag)] code: bool, #[arg(body)] body: &[u8]) -> dockipc::Result<Reply>;

    fn run(&self, files: &str, command: &[&str]) -> dockipc::Result<Reply>;

    fn limits(&self, #[arg(long)] of: &str, command: &[&str]) -> dockipc::Result<usize>;
}

#[derive(Reply)]
enum OldState {
    Queued,
}

#[derive(Reply)]
struct OldJob {
    #[allow(dead_code, reason = "only its type is compared")]
    id: u32,
    #[allow(dead_code, reason = "only its type is compared")]
    state: OldState,
    #[allow(dead_code, reason = "only its type is compared")]
    note: String,
    #[allow(dead_code, reason = "only its type is compared")]
    owner: String,
    #[allow(dead_code, reason = "only its type is compared")]
    group: Option<String>,
}

#[client]
#[allow(dead_code, reason = "only compared")]
trait Older {
    fn jobs(&self) -> dockipc::Result<Vec<OldJob>>;

    fn add(&self, #[arg(long)] n: u64, times: u16) -> dockipc::Result<i64>;

    fn size(&self, #[arg(items)] sizes: Vec<u64>) -> dockipc::Result<usize>;

    fn fail(&self, #[arg(last)] code: &[&str]) -> dockipc::Result<()>;
}

#[test]
fn each_difference_is_a_sentence() {
    let (_daemon, client) = start();
    let sentences =
        |found: Vec<Difference>| -> Vec<_> { found.iter().map(ToString::to_string).collect() };
    let i64 = "-9223372036854775808 to 9223372036854775807";
    assert_eq!(
        sentences(WrongClient::new(client.clone()).check().unwrap()),
        [
            "subtract: the daemon has no such command, or you may not run it",
            "add: <n> is of the type text in the trait, and integer in the daemon",
            "add: the daemon has no option --often",
            &format!("add: the answer is 0 to 255 in the trait, and {i64} in the daemon"),
            "join-words: the trait promises `idempotent`, and the daemon does not: a repeated call may act twice",
            "join-words: <fourth> is of the type bytes in the trait, and text in the daemon",
            "join-words: <words> is word 1 in the trait and word 2 in the daemon",
            "join-words: <separator> is word 2 in the trait and word 1 in the daemon",
            "join-words: the answer is of the type int in the trait, and text in the daemon",
            "reverse: the daemon needs <bytes>, which is missing in the trait",
            "reverse: the answer is of the type text in the trait, and bytes in the daemon",
            "say: <more> can be left out in the trait; the daemon needs it",
            "say: the answer is a stream in the trait, and text in the daemon",
            "unlock: <password> can be left out in the trait; the daemon needs it",
            "unlock: `after` is a word in its place in the daemon, and not the option --after: remove `long` or `flag`",
            "jobs: `state` of an item of the answer is of the type int in the trait, and State in the daemon",
            "jobs: `note` of an item of the answer can be missing in the daemon: make the type an `Option<…>`",
            "jobs: `note` of an item of the answer is of the type int in the trait, and text in the daemon",
            "count: <to> is 0 to 18446744073709551615 in the trait, and 0 to 4294967295 in the daemon",
            "count: the answer is a stream in the daemon: return `dockipc::client::Items<…>`",
            "size: the daemon takes a body: add `#[arg(body)] body: impl Read + Send`",
            "sum: the daemon takes items: add `#[arg(items)] items: impl Iterator<Item = …> + Send`",
            "fail: `code` is a word in its place in the daemon, and not the option --code: remove `long` or `flag`",
            "fail: the daemon takes no body",
            "run: <command> is behind `--` in the daemon: add `#[arg(last)]`",
            "limits: <command> is behind `--` in the daemon: add `#[arg(last)]`",
            "limits: --of is of the type text in the trait, and map of integer in the daemon",
        ]
    );
    assert_eq!(
        sentences(OlderClient::new(client).check().unwrap()),
        [
            "jobs: `id` of an item of the answer is 0 to 4294967295 in the trait, and 0 to 18446744073709551615 in the daemon",
            "jobs: `state` of an item of the answer can be done in the daemon, which the trait does not know",
            "jobs: `note` of an item of the answer can be missing in the daemon: make the type an `Option<…>`",
            "jobs: an item of the answer has no `owner` in the daemon",
            "add: `times` is the option --times in the daemon: add `#[arg(long)]`",
            "add: `n` is a word in its place in the daemon, and not the option --n: remove `long` or `flag`",
            "size: the body is bytes in the daemon, and not items: write `#[arg(body)]`",
            "fail: the daemon takes no words behind `--` as <code>: remove `last`",
        ]
    );
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use dockipc::client::AsyncItems;
    use dockipc::{AsyncClient, client};
    use tokio::io::AsyncRead;

    use super::{Job, jobs, start};

    /// Some of the commands.
    #[client]
    pub(super) trait Hits: Send + Sync {
        /// Adds.
        async fn add(&self, n: u64, #[arg(long)] times: Option<u8>) -> dockipc::Result<i64>;

        async fn jobs(&self) -> dockipc::Result<Vec<Job>>;

        async fn count(&self, to: u32) -> dockipc::Result<AsyncItems<u32>>;

        async fn size(
            &self,
            #[arg(body)] body: &mut (dyn AsyncRead + Send + Unpin),
        ) -> dockipc::Result<usize>;

        async fn sum(
            &self,
            #[arg(items)] numbers: impl Iterator<Item = u64> + Send,
        ) -> dockipc::Result<u64>;

        async fn doubled(
            &self,
            #[arg(items)] numbers: impl Iterator<Item = u64> + Send + 'static,
        ) -> dockipc::Result<AsyncItems<u64>>;
    }

    #[client]
    trait Sizes {
        async fn size(&self, #[arg(body)] body: impl AsyncRead + Send) -> dockipc::Result<usize>;
    }

    async fn use_it(hits: impl Hits + 'static) {
        assert_eq!(hits.add(2, Some(3)).await.unwrap(), 6);
        let task = tokio::spawn(async move {
            assert_eq!(hits.jobs().await.unwrap(), jobs());
            let mut items = hits.count(2).await.unwrap();
            assert_eq!(items.next().await.unwrap().unwrap(), 0);
            assert_eq!(hits.size(&mut &*vec![0; 300_000]).await.unwrap(), 300_000);
            assert_eq!(hits.sum(1..4).await.unwrap(), 6);
            let mut doubled = hits.doubled(1..3).await.unwrap();
            assert_eq!(doubled.next().await.unwrap().unwrap(), 2);
            assert_eq!(doubled.next().await.unwrap().unwrap(), 4);
            assert!(doubled.next().await.is_none());
        });
        task.await.unwrap();
    }

    #[tokio::test]
    async fn async_methods_call_commands() {
        let (_daemon, client) = start();
        let hits = HitsClient::new(AsyncClient::from(client.clone()));
        assert_eq!(hits.check().await.unwrap(), []);
        use_it(hits).await;
        let sizes = SizesClient::new(AsyncClient::from(client.clone()));
        assert_eq!(sizes.check().await.unwrap(), []);
        assert_eq!(sizes.size(&b"12"[..]).await.unwrap(), 2);
        assert_eq!(
            HitsClient::from(client).client().command("add").arg(1).call::<u8>().await.unwrap(),
            1
        );
    }
}
