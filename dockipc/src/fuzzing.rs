//! The fuzzer's entry points, one for each target in `fuzz/`. Compiled only for tests and the fuzzer.
//!
//! The first two bytes of an input decide how the others are split.

mod access;
pub(crate) mod dice;
mod long_way;
mod sizes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::access::SocketId;
use crate::commands::{Runnable, Speed};
use crate::dispatch::{Begin, Conversation, Executor, Service, Step};
use crate::error::code;
use crate::param::Scratch;
use crate::peer::Peer;
use crate::reply::{FromReply, Reply};
use crate::server::Server;
use crate::wire::answer::{self, Scan, Scanner};
use crate::wire::check::{self, LIMITS, is_line};
use crate::wire::{Protocol, encode};
use crate::workers::{Job, Workers};
use crate::{Arg, Failure, Request, command};

pub use access::{access, rule};
pub use sizes::sizes;

/// Decodes the input as a client's commands.
pub fn commands(data: &[u8]) {
    let (sizes, bytes) = cut(data);
    check::commands(bytes, &sizes);
}

/// Decodes the input as a server's replies, and converts them to values.
pub fn answers(data: &[u8]) {
    let (sizes, bytes) = cut(data);
    for reply in check::answers(bytes, &sizes) {
        values(reply);
    }
}

/// Splits the input as a line, and checks that a server answers it with the same bytes in line mode and
/// wrapped in RESP. The commands that change a connection have a meaning only there.
pub fn line(data: &[u8]) {
    check::line(data);
    let words = check::split(data).unwrap_or_default();
    // Sent as RESP words, the line may be another command: a quoted word may be an option there.
    answer_all(shared(), &request(&words), &[usize::MAX], Turns::default());
    let line = [data, b"\n"].concat();
    let changes_connection = words.first().is_some_and(|name| {
        let name = name.strip_suffix(b"\r").unwrap_or(name);
        let names = [&b"quit"[..], b"reset", b"select", b"unwatch"];
        names.iter().any(|other| name.eq_ignore_ascii_case(other))
    });
    if data.contains(&b'\n')
        || !is_line(&line)
        || data.len() > LIMITS.command / 2
        || changes_connection
    {
        return;
    }
    let plain = answer_all(shared(), &line, &[usize::MAX], Turns::default());
    let wrapped = request(&[&b"dockipc"[..], b"line", data]);
    let wrapped = answer_all(shared(), &wrapped, &[usize::MAX], Turns::default());
    let unwrapped = match answer::read(&wrapped) {
        Ok(Reply::Bytes(bytes)) => bytes,
        Ok(reply) => check::encoded(&reply, Protocol::Line),
        // `write` left out an answer that changes from call to call.
        Err(_) => wrapped,
    };
    let shown = data.escape_ascii();
    assert_eq!(unwrapped.escape_ascii().to_string(), plain.escape_ascii().to_string(), "{shown}");
}

/// Encodes a RESP command.
fn request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::length(b'*', words.len(), &mut bytes);
    for word in words {
        encode::bulk(word.as_ref(), &mut bytes);
    }
    bytes
}

/// Answers the input as a server does, without sockets and threads. The answers must not depend on how the
/// input is split, nor on commands that have to wait, nor on whether a plain command takes its short way.
pub fn server(data: &[u8]) {
    let shared = shared();
    let (sizes, bytes) = cut(data);
    let turns = |later| Turns { later, never: sizes[1] >> 4, waited: false };
    let whole = answer_all(shared, bytes, &[usize::MAX], turns(0));
    for (sizes, later) in [(&[1][..], 0), (&sizes, sizes[0])] {
        let out = answer_all(shared, bytes, sizes, turns(later));
        assert!(out == whole, "{}\nis not\n{}", out.escape_ascii(), whole.escape_ascii());
    }
    // Without commands that are refused a thread: the hook's server asks for one also where the words do not fit.
    let whole = answer_all(shared, bytes, &[usize::MAX], Turns::default());
    let long = long_way::answer_all(bytes);
    assert!(long == whole, "{}\nis not\n{}", long.escape_ascii(), whole.escape_ascii());
}

fn cut(data: &[u8]) -> ([usize; 2], &[u8]) {
    match data {
        [a, b, bytes @ ..] => ([usize::from(*a) + 1, usize::from(*b) + 1], bytes),
        _ => ([1, 1], &[]),
    }
}

/// Converts a reply to values of many types.
fn values(reply: Reply) {
    fn one<T: FromReply>(reply: &Reply) {
        drop(reply.clone().parse::<T>());
    }
    one::<()>(&reply);
    one::<bool>(&reply);
    one::<i8>(&reply);
    one::<u64>(&reply);
    one::<i128>(&reply);
    one::<f32>(&reply);
    one::<f64>(&reply);
    one::<String>(&reply);
    one::<PathBuf>(&reply);
    one::<Vec<u8>>(&reply);
    one::<Vec<Option<i64>>>(&reply);
    one::<BTreeSet<String>>(&reply);
    one::<BTreeMap<String, Vec<u8>>>(&reply);
    one::<HashMap<Vec<u8>, Option<u8>>>(&reply);
    one::<(String, Vec<(u8, f64)>, Option<bool>)>(&reply);
    drop(reply.into_line());
}

/// Passes a connection the bytes in pieces of these sizes, repeated. Returns its answers.
fn answer_all(shared: &Service, bytes: &[u8], sizes: &[usize], turns: Turns) -> Vec<u8> {
    let conversation = Conversation::new(shared, 1, Peer::unknown(), SocketId::FIRST, None);
    let mut out = Vec::new();
    converse(shared, conversation, bytes, sizes, turns, |reply, protocol| {
        write(reply, protocol, &mut out);
    });
    out
}

/// Passes a connection the bytes in pieces of these sizes, repeated, and calls `answered` with each answer.
fn converse(
    shared: &Service,
    mut conversation: Conversation,
    bytes: &[u8],
    sizes: &[usize],
    mut turns: Turns,
    mut answered: impl FnMut(Reply, Protocol),
) {
    let (mut scratch, mut start) = (Scratch::default(), 0);
    let mut in_transaction = false;
    for end in check::ends(bytes.len(), sizes) {
        loop {
            let input = &bytes[start..end];
            match conversation.step(shared, input, &mut scratch, &mut turns) {
                Step::NeedsInput(used) => {
                    assert!(used <= input.len());
                    start += used;
                    break;
                }
                // More input may arrive meanwhile, as in the engine.
                Step::NotNow { used } => {
                    start += used;
                    if end < bytes.len() {
                        break;
                    }
                }
                Step::Pending { .. } => unreachable!("no command is answered later"),
                Step::Told { .. } => unreachable!("there are no events"),
                Step::Continue => in_transaction = true,
                Step::Answer { used, reply, last } => {
                    assert!((1..=input.len()).contains(&used), "no progress");
                    start += used;
                    match &reply {
                        // Each answers one of the commands so far.
                        Reply::List(answers) if std::mem::take(&mut in_transaction) => {
                            for answer in answers {
                                sizes::check(start, answer, conversation.protocol());
                            }
                        }
                        _ => sizes::check(used, &reply, conversation.protocol()),
                    }
                    answered(reply, conversation.protocol());
                    if last {
                        return;
                    }
                }
            }
        }
    }
    if let Some(reply) = conversation.end_of_input(&bytes[start..]) {
        answered(reply, conversation.protocol());
    }
}

/// Appends a reply, and checks that a client finds exactly one reply in its own protocol.
fn write(reply: Reply, protocol: Protocol, out: &mut Vec<u8>) {
    let bytes = check::encoded(&reply, protocol);
    if protocol != Protocol::Line {
        let scan = Scanner::new().scan(&bytes);
        assert_eq!(scan, Ok(Scan::Whole { len: bytes.len(), push: false }));
        let read = answer::read(&bytes);
        assert!(read.is_ok(), "{read:?} was written");
    }
    if protocol == Protocol::Resp2 {
        assert!(b"+-:$*".contains(&bytes[0]), "{} in RESP2", bytes.escape_ascii());
    }
    match reply {
        Reply::Error(failure) if failure.code() == code::PANIC => {
            assert_eq!(failure.message(), "", "no command in here panics");
        }
        // The message quotes the input that had arrived by then.
        Reply::Error(failure) if failure.code() == code::PROTO => {
            out.extend_from_slice(code::PROTO.as_bytes());
        }
        // `INFO` contains the uptime.
        Reply::Bytes(info) if info.starts_with(b"# Server\r\n") => {}
        _ => out.extend_from_slice(&bytes),
    }
}

/// An executor that delays some commands once and refuses others. Each command takes a bit of the masks,
/// the lowest first.
#[derive(Default)]
struct Turns {
    later: usize,
    never: usize,
    waited: bool,
}

impl Executor for Turns {
    fn begin(&mut self, _: Runnable, _: &Speed, _: Protocol, _: Option<&Request<'_>>) -> Begin {
        if self.later & 1 == 1 && !self.waited {
            self.waited = true;
            return Begin::Later;
        }
        let never = self.never & 1 == 1;
        *self = Self { later: self.later >> 1, never: self.never >> 1, waited: false };
        if never { Begin::Never(Failure::new(code::BUSY, "not now")) } else { Begin::Now }
    }

    fn workers(&self) -> Arc<dyn Workers> {
        struct Here;

        impl Workers for Here {
            fn run(&self, _name: &'static str, job: Job) {
                job();
            }
        }

        Arc::new(Here)
    }

    fn end(&mut self) {}
}

#[expect(clippy::expect_used, reason = "a server that can't start is a mistake in here")]
fn shared() -> &'static Service {
    static SHARED: OnceLock<Arc<Service>> = OnceLock::new();
    SHARED.get_or_init(|| served().expect("a server that can start"))
}

/// Makes a server with commands and handlers of many kinds.
fn served() -> crate::Result<Arc<Service>> {
    with_handlers(Server::new().max_line(LIMITS.line).max_command(LIMITS.command)).service()
}

fn with_handlers(server: Server) -> Server {
    let upper = |request: &Request<'_>| {
        let words = request.words().map(|word| String::from_utf8_lossy(word).to_uppercase());
        (request.name().to_owned(), words.collect::<Vec<_>>())
    };
    let number = |request: &Request<'_>| request.parse::<Option<u8>>(0);
    server.handle("upper", upper).handle("number", number)
}

#[derive(Arg, Debug)]
enum Color {
    Red,
    DarkBlue,
}

/// Numbers.
#[command("num")]
fn num(a: i8, b: u128, #[arg(default = 1.5)] c: f64) -> (i8, u128, f64) {
    (a, b, c)
}

/// Words of other kinds.
#[command("kinds", alias = "k")]
fn kinds(a: char, b: bool, c: Duration, color: Option<Color>) -> String {
    format!("{a:?} {b} {c:?} {color:?}")
}

/// Addresses and paths.
#[command("net")]
fn net(a: IpAddr, b: SocketAddr, c: PathBuf, more: Vec<OsString>) -> String {
    format!("{a} {b} {} {more:?}", c.display())
}

/// Options.
#[command("opt", idempotent)]
fn opt(
    #[arg(flag)] loud: bool,
    #[arg(long)] times: Option<u8>,
    #[arg(long)] tag: Vec<String>,
    words: Vec<&[u8]>,
) -> (bool, Option<u8>, Vec<String>, Vec<Vec<u8>>) {
    (loud, times, tag, words.into_iter().map(<[u8]>::to_vec).collect())
}

/// The rest of a line, behind a flag.
#[command("say")]
fn say(#[arg(flag)] loud: bool, to: &str, #[arg(rest)] text: Option<&str>) -> String {
    format!("{loud} {to} {text:?}")
}

/// A map, or a failure with a code of the words.
#[command("map")]
fn map(keys: Vec<String>) -> Result<BTreeMap<String, Option<bool>>, Failure> {
    match keys.first().map(String::as_str) {
        Some("no") => Err(Failure::new("no such!", keys.join("\r\n"))),
        _ => Ok(keys.into_iter().map(|key| (key, Some(true))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = fn(&[u8]);

    #[test]
    fn fuzzer_corpus_passes_every_target() {
        let here = std::env::current_dir().expect("the directory that cargo starts a test in");
        let fuzz = here.with_file_name("fuzz");
        // The published crate does not contain the directory.
        if !fuzz.exists() {
            return;
        }
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("its manifest");
        let targets = [
            ("access", super::access as Target),
            ("answers", super::answers),
            ("commands", super::commands),
            ("line", super::line),
            ("rule", super::rule),
            ("server", super::server),
            ("sizes", super::sizes),
        ];
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for (name, target) in targets {
            let files = replay(&fuzz.join("corpus").join(name), target);
            println!("{name}: {files} files");
            assert!(files > 10, "only {files} files for {name}");
        }
    }

    fn replay(directory: &Path, target: Target) -> usize {
        let files = directory.read_dir().expect("a directory of the corpus");
        let each = files.map(|file| {
            let path = file.expect("a file").path();
            let _report = ReportFile(&path);
            target(&fs::read(&path).expect("the file"));
        });
        each.count()
    }

    struct ReportFile<'p>(&'p Path);

    impl Drop for ReportFile<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failing input: {}", self.0.display());
            }
        }
    }
}
