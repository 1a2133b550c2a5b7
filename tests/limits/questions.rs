//! Questions to built-in commands: an answer is bounded by its question and the description of all
//! commands, and its memory is freed.

use std::io::{Read, Write};
use std::net::Shutdown;

use dockipc::client::Client;
use dockipc::{Arg, Reply, Request, Server, command};
use tests::process::{alone, resident, settled};
use tests::{Daemon, exchange, figure, long, resp};

#[derive(Arg, Clone, Copy)]
enum Color {
    Red,
    DarkBlue,
}

/// Paint the wall.
///
/// The paint takes some hours to dry, and until then nobody should lean on it.
#[command("paint", alias = "p", alias = "coat")]
fn paint(
    /// How often, since one coat seldom is enough
    #[arg(long, default = 1)]
    times: u8,
    color: Color,
) -> String {
    format!("{times} {}", color as u8)
}

/// The number of one-letter names that fit into a command of the default limit.
const NAMES: usize = 95_000;

/// Encodes a command that repeats one name.
fn repeated(words: &[&str], name: &str) -> Vec<u8> {
    let mut all = words.to_vec();
    all.resize(words.len() + NAMES, name);
    resp(&all)
}

const ASKED_BY_NAME: [&[&str]; 4] =
    [&["dockipc", "describe"], &["command", "docs"], &["command", "info"], &["config", "get"]];

#[test]
fn repeated_name_is_answered_once() {
    let _alone = alone();
    let daemon = Daemon::start(Server::new());
    for words in ASKED_BY_NAME {
        for name in ["p", "P", "save", "echo", "x"] {
            let once = exchange(daemon.connect(), &resp(&[words, &[name]].concat()));
            let often = exchange(daemon.connect(), &repeated(words, name));
            let is_null = |answer: &[u8]| answer.strip_suffix(b"$-1\r\n").is_some();
            if is_null(&once) {
                // An unknown name is answered each time, with fewer bytes than the name takes.
                assert!(is_null(&often) && often.len() < NAMES * 6, "{words:?} {name}");
            } else {
                assert_eq!(often.escape_ascii().to_string(), once.escape_ascii().to_string());
            }
        }
    }
    // Several aliases of a command get one description.
    let client = Client::new(daemon.path());
    let described: Reply =
        client.command("dockipc").args(["describe", "p", "coat", "PAINT"]).call().unwrap();
    assert!(matches!(&described, Reply::Map(pairs) if pairs.len() == 1), "{described:?}");
}

#[test]
fn repeated_name_takes_no_memory() {
    let _alone = alone();
    let daemon = Daemon::start(Server::new());
    let questions = ASKED_BY_NAME.map(|words| repeated(words, "p"));
    let ask = || {
        for question in &questions {
            let mut stream = daemon.connect();
            stream.write_all(question).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert!(stream.read_to_end(&mut Vec::new()).unwrap() > 0);
        }
    };
    ask();
    let before = settled(resident);
    let rounds = long(5, 200);
    for _ in 0..rounds {
        ask();
    }
    let grown = settled(resident).saturating_sub(before);
    figure(
        "memory after built-in commands with 95,000 times one name",
        format_args!("{grown} bytes more after {rounds} rounds of four commands"),
    );
    // glibc keeps some megabytes for each thread. Before answers were bounded, 600 MB remained.
    assert!(grown < 48 << 20, "{grown} bytes are kept");
}

#[test]
fn message_about_a_long_word_is_short() {
    let _alone = alone();
    let server = Server::new().handle("parse", |request: &Request<'_>| request.parse::<u8>(0));
    let daemon = Daemon::start(server);
    let fallback = |request: &Request<'_>| -> Reply { panic!("{} bytes", request.name().len()) };
    let falling = Daemon::start(Server::new().fallback(fallback));
    let long = "\u{1}x".repeat(400_000);
    let option = format!("--{long}");
    for words in [
        &[&*long][..],
        &["help", &long],
        &["paint", &option],
        &["paint", &long],
        &["paint", "--times", &long, "red"],
        &["paint", "red", &long],
        &["parse", &long],
        &["dockipc", &long],
        &["dockipc", "complete", &long, "x", "x"],
        &["dockipc", "describe", &long],
        &["dockipc", "idempotent", &long],
        &["dockipc", "line", &long],
        &["command", &long],
        &["command", "docs", &long],
        &["client", "setname", &long],
        &["client", "setinfo", "lib-name", &long],
        &["hello", &long],
        &["hello", "3", "setname", &long],
        &["hello", "3", &long],
        &["auth", &long],
        &["auth", &long, &long[..100]],
        &["config", "get", &long],
        &["select", &long],
        &["info", &long],
    ] {
        for daemon in [&daemon, &falling] {
            let answer = exchange(daemon.connect(), &resp(words));
            let name = words.iter().map(|word| &word[..word.len().min(20)]).collect::<Vec<_>>();
            assert!((1..1024).contains(&answer.len()), "{name:?}: {} bytes", answer.len());
        }
    }
}

#[test]
fn names_with_one_beginning_are_all_found() {
    // In an order of their own, and some the beginning of others.
    let names: Vec<_> = (0..300).map(|i| format!("interface-{}", i * 7 % 300)).collect();
    let server = names.iter().fold(Server::new(), |server, name| {
        let answer = name.clone();
        server.handle(name.clone(), move |_: &Request<'_>| answer.clone())
    });
    let daemon = Daemon::start(server);
    let client = Client::new(daemon.path());
    for name in &names {
        for asked in [name.clone(), name.to_uppercase()] {
            assert_eq!(client.command(&asked).call::<String>().unwrap(), *name);
        }
    }
    for name in ["interface-", "interface-300", "interfacd-9", "interfac", "interface-1 "] {
        let refused = client.command(name).call::<String>().unwrap_err().to_string();
        assert!(refused.contains("no command"), "{refused}");
    }
}
