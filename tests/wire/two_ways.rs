//! The same pipelines over the short way of plain commands and over the long one.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use dockipc::{Deferred, Failure, Server, Stream, command};
use tests::dice::Dice;
use tests::{Daemon, figure, long, resp, rest};

#[command]
fn two_ways_sum(a: u64, #[arg(default = 5)] b: u8, more: Option<i8>) -> u64 {
    a.wrapping_add(b.into()).wrapping_add_signed(more.unwrap_or_default().into())
}

#[command]
fn two_ways_bytes(first: &[u8], rest: Vec<String>) -> Vec<u8> {
    [first, rest.join("|").as_bytes()].concat()
}

#[command]
fn two_ways_option(words: Vec<String>, #[arg(long)] limit: Option<String>) -> String {
    format!("{} {limit:?}", words.len())
}

#[command]
fn two_ways_failure(why: String) -> Result<(), Failure> {
    Err(Failure::new("USAGE", why))
}

/// Sometimes it is slow, so that another thread runs it.
#[command]
fn two_ways_wait(micros: u8) -> u8 {
    if micros.is_multiple_of(16) {
        thread::sleep(Duration::from_micros(u64::from(micros) * 20));
    }
    micros
}

#[command(allow = "uid:4294967294")]
fn two_ways_denied() -> bool {
    true
}

#[command]
fn two_ways_rows(count: u8) -> Vec<(u8, Option<String>)> {
    (0..count).map(|i| (i, i.is_multiple_of(2).then(|| "even".to_owned()))).collect()
}

#[command]
fn two_ways_later(n: u8) -> Deferred<u8> {
    let (later, answer) = Deferred::new();
    answer.send(n);
    later
}

#[command]
fn two_ways_items(to: u8) -> Stream<u8> {
    Stream::iter(0..to)
}

/// Returns a command of the clients.
fn command(dice: &mut Dice) -> Vec<u8> {
    const NAMES: [&str; 10] = [
        "sum", "bytes", "option", "failure", "wait", "denied", "rows", "later", "items", "unknown",
    ];
    const WORDS: [&str; 16] = [
        "1",
        "7",
        "200",
        "256",
        "-1",
        "x",
        "",
        "--",
        "--limit",
        "--limit=x",
        "-l",
        "a b",
        "\r\n",
        "usage: none",
        "\u{e9}",
        "*",
    ];
    const OTHERS: [&[&str]; 14] = [
        &["hello", "3"],
        &["hello", "2"],
        &["client", "setinfo", "lib-name", "dockipc"],
        &["client", "setname", "x"],
        &["multi"],
        &["exec"],
        &["discard"],
        &["reset"],
        &["ping", "x"],
        &["dockipc", "format", "json"],
        &["dockipc", "format", "default"],
        &["dockipc", "line", "two-ways-sum 1"],
        &["dockipc", "with", "deadline", "60000", "--", "two-ways-sum", "1"],
        &["dockipc", "check", "two-ways-sum", "1"],
    ];
    match dice.below(10) {
        0 => resp(OTHERS[dice.below(OTHERS.len())]),
        1 if dice.below(8) == 0 => b"*1\r\n$x\r\n".to_vec(),
        _ => {
            let mut name = format!("two-ways-{}", NAMES[dice.below(NAMES.len())]);
            if dice.below(8) == 0 {
                name = name.to_uppercase();
            }
            let mut words = vec![name];
            for _ in 0..dice.below(4) {
                let word = WORDS[dice.below(WORDS.len())];
                let times = if dice.below(50) == 0 { 1 + dice.below(3000) } else { 1 };
                words.push(word.repeat(times));
            }
            resp(&words)
        }
    }
}

/// Sends a pipeline in parts and returns the answers. `ends` the sending side.
fn send(mut stream: UnixStream, bytes: &[u8], cuts: &[usize], ends: bool) -> Vec<u8> {
    let mut start = 0;
    for &cut in cuts {
        // The daemon may have closed the connection.
        let _ = stream.write_all(&bytes[start..cut]);
        thread::yield_now();
        start = cut;
    }
    let _ = stream.write_all(&bytes[start..]);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    rest(stream)
}

#[test]
fn pipelines_have_the_same_answers_either_way() {
    let short = Daemon::start(Server::new());
    let hooked = Daemon::start(Server::new().before(|_| Ok(())));
    let mut dice = Dice::thrown();
    let pipelines = long(500, 200_000);
    for i in 0..pipelines {
        let commands: Vec<_> = (0..=dice.below(12)).map(|_| command(&mut dice)).collect();
        // The end of the sending side cancels a command with an opening, unless the server knows it as a quick one.
        let ends = !commands.iter().any(|command| command.windows(4).any(|part| part == b"with"));
        let end = if ends { Vec::new() } else { [resp(&["discard"]), resp(&["quit"])].concat() };
        let bytes = [&b"*0\r\n"[..], &commands.concat(), &end].concat();
        let mut cuts: Vec<_> = (0..dice.below(3)).map(|_| dice.below(bytes.len())).collect();
        cuts.sort_unstable();
        let [one, other] =
            [&short, &hooked].map(|daemon| send(daemon.connect(), &bytes, &cuts, ends));
        let [one, other] = [one, other].map(|answers| answers.escape_ascii().to_string());
        assert_eq!(one, other, "pipeline {i}: {}", bytes.escape_ascii());
    }
    figure(
        "pipelines, the short way and the long way",
        format_args!("{pipelines}: the same answers"),
    );
}
