//! Panics anywhere in the author's code are answered, and leak nothing. One test, since it counts the
//! resources of the process.

use std::fmt;
use std::io::Write;
use std::panic;
use std::str::FromStr;

use dockipc::{Arg, IntoReply, Reply, Request, Server, command};
use tests::process::{alone, descriptors, resident, settled, threads, until};
use tests::{Daemon, expect, figure, resp, rest};

/// A payload that panics when dropped, with another such payload, up to this many times.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic::panic_any(Self(self.0 - 1));
        }
    }
}

#[command("plain")]
fn plain() {
    panic!("on purpose");
}

#[command("payload")]
fn payload(bombs: u32) {
    panic::panic_any(Bomb(bombs));
}

/// An error whose `Display` panics.
struct Mute;

impl fmt::Display for Mute {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose");
    }
}

#[command("error-text")]
fn error_text() -> Result<(), Mute> {
    Err(Mute)
}

/// An argument whose parsing fails or panics.
#[derive(Arg)]
#[arg(from_str)]
struct Unreadable;

impl FromStr for Unreadable {
    type Err = Mute;

    fn from_str(text: &str) -> Result<Self, Mute> {
        if text == "panic" { panic!("on purpose") } else { Err(Mute) }
    }
}

#[command("read")]
fn read(_value: Unreadable) {}

/// A value that panics when it is dropped.
#[derive(Arg)]
#[arg(from_str)]
struct Sticky;

impl FromStr for Sticky {
    type Err = Mute;

    fn from_str(_: &str) -> Result<Self, Mute> {
        Ok(Self)
    }
}

impl Drop for Sticky {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

impl IntoReply for Sticky {
    fn into_reply(self) -> Reply {
        Reply::Ok
    }
}

#[command("drop-argument")]
fn drop_argument(_value: Sticky) {}

/// Fail on the second argument.
#[command("drop-unused")]
fn drop_unused(_value: Sticky, _number: u64) {}

#[command("drop-answer")]
fn drop_answer() -> Sticky {
    Sticky
}

/// An answer whose conversion panics.
struct Shapeless;

impl IntoReply for Shapeless {
    fn into_reply(self) -> Reply {
        panic!("on purpose");
    }
}

#[command("shape")]
fn shape() -> Shapeless {
    Shapeless
}

/// The number of panics of each kind, and the command that causes them.
const KINDS: &[(usize, &[&str])] = &[
    (3000, &["plain"]),
    (1000, &["payload", "0"]),
    (1000, &["payload", "1"]),
    (100, &["payload", "2"]),
    (100, &["payload", "100"]),
    (1000, &["error-text"]),
    (1000, &["read", "panic"]),
    (500, &["read", "other"]),
    (1000, &["drop-argument", "x"]),
    (500, &["drop-unused", "x", "y"]),
    (1000, &["drop-answer"]),
    (1000, &["shape"]),
    (500, &["by-hand"]),
    (500, &["nobody-knows-it"]),
];

#[test]
fn ten_thousand_panics_leak_nothing() {
    let _alone = alone();
    // Silence the expected panics.
    panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let is_other_text = payload.downcast_ref().is_some_and(|text: &&str| *text != "on purpose");
        if is_other_text || payload.is::<String>() {
            eprintln!("{info}");
        }
    }));
    let server = Server::new()
        .handle("by-hand", |_: &Request<'_>| -> () { panic!("on purpose") })
        .fallback(|_| -> () { panic!("on purpose") });
    let daemon = Daemon::start(server);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    until("the daemon's rest", || threads() == 2);
    let before = settled(descriptors);
    let (mut total, mut bombs) = (0, 0);
    let mut settled = 0;
    for round in 0..2 {
        let mut kept = daemon.connect();
        for &(count, words) in KINDS {
            // Half of them in each round; one in ten of those in line mode.
            for i in 0..count / 2 {
                let mut line = daemon.connect();
                let panics = if i % 10 == 0 {
                    line.write_all(format!("{}\n", words.join(" ")).as_bytes()).unwrap();
                    rest(line)
                } else {
                    kept.write_all(&resp(words)).unwrap();
                    let mut answer = vec![0; b"-PANIC".len()];
                    std::io::Read::read_exact(&mut kept, &mut answer).unwrap();
                    let mut byte = [0];
                    while !answer.ends_with(b"\n") {
                        std::io::Read::read_exact(&mut kept, &mut byte).unwrap();
                        answer.push(byte[0]);
                    }
                    answer
                };
                let panics = panics.escape_ascii().to_string();
                assert!(panics.starts_with("-PANIC "), "{words:?}: \"{panics}\"");
            }
            total += count / 2;
            let is_bomb = matches!(words, ["payload", depth] if *depth != "0");
            bombs += if is_bomb { count / 2 } else { 0 };
        }
        kept.write_all(&resp(&["ping"])).unwrap();
        expect(&mut kept, b"+PONG\r\n");
        if round == 0 {
            settled = resident();
        }
    }
    until("the threads' end", || threads() == 2);
    until("the descriptors' end", || descriptors() <= before);
    let grown = resident().saturating_sub(settled);
    figure(
        "panics; of them payloads that panic when dropped; leaked threads, descriptors; growth",
        format_args!("{total}; {bombs}; 0, 0; {} KiB", grown / 1024),
    );
    assert!(total >= 10_000 && bombs >= 1_000);
    assert!(grown < 4 << 20, "{grown} bytes for {} panics", total / 2);
    assert_eq!(daemon.ask("ping\n"), "PONG");
}
