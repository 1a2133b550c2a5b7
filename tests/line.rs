//! Line mode.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dockipc::{Arg, Peer, Request, Server, State, command};
use tests::{Place, exchange};

/// Add `n` to the counter.
///
/// More of it.
#[command("add", alias = "plus")]
fn add(total: State<AtomicU64>, n: u64) -> u64 {
    total.fetch_add(n, Relaxed) + n
}

/// A colour.
#[derive(Arg, Debug)]
enum Color {
    Red,
    DarkBlue,
}

#[command]
fn paint(
    who: Peer,
    color: Color,
    request: &Request<'_>,
    #[arg(flag)] loud: bool,
    #[arg(long, default = 3)] times: u8,
    /// Where to
    places: Vec<String>,
) -> String {
    format!("{color:?} {loud} {times} {places:?} {} {}", request.name(), who.uid() < 1_000_000)
}

#[command]
fn say(#[arg(flag)] loud: bool, to: &str, #[arg(rest)] text: &str) -> String {
    format!("{loud} <{to}> <{text}>")
}

#[command]
fn raw(bytes: Vec<u8>, more: Option<&[u8]>) -> Vec<u8> {
    [&bytes[..], b"|", more.unwrap_or_default()].concat()
}

#[command]
fn boom() {
    panic!("boom");
}

#[test]
fn a_line_is_answered_with_raw_bytes() {
    let place = Place::new();
    let _daemon = Server::new().state(AtomicU64::new(0)).spawn(place.socket()).unwrap();
    let ask = |line: &str| {
        let stream = std::os::unix::net::UnixStream::connect(place.socket()).unwrap();
        String::from_utf8(exchange(stream, line.as_bytes())).unwrap()
    };
    assert_eq!(ask("add 2\n"), "2");
    assert_eq!(ask("PLUS 2\n"), "4");
    for line in [
        "help\n",
        "help add\n",
        "help paint\n",
        "paint red --loud a 'b c' --times=4 d\n",
        "paint green\n",
        "paint\n",
        "add x\n",
        "ad 2\n",
        "say Bob  it's   here\n",
        "say --loud Bob --loud  x\n",
        "say -- --loud  x\n",
        "raw a b\n",
        "raw a b c\n",
        "boom\n",
        "add 2",
        "\n",
        "add 'x\n",
        "paint red --time 3\n",
        "info\n",
        "command docs\n",
    ] {
        println!("{line:?} => {}", ask(line));
    }
    println!("{:?}", dockipc::send(place.socket(), "say  Bob  it's   here"));
    println!("{:?}", dockipc::send(place.socket(), "sayy  Bob  it's   here"));
}
