//! Bodies from our client to commands.

use std::io::{self, Cursor, Read};

use dockipc::{Body, Client, Failure, Server, Stream, command};
use tests::Daemon;

/// Answer with the sum of the bytes of the body.
#[command]
fn sum(mut body: Body) -> io::Result<u64> {
    let (mut sum, mut buffer) = (0, vec![0; 100_000]);
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(sum),
            n => sum += buffer[..n].iter().map(|&b| u64::from(b)).sum::<u64>(),
        }
    }
}

/// Answer with the first byte.
#[command]
fn first(mut body: Body) -> io::Result<u8> {
    let mut one = [0];
    body.read_exact(&mut one)?;
    Ok(one[0])
}

/// Answer with the body.
#[command]
fn back(mut body: Body) -> Stream<Vec<u8>> {
    Stream::new(move |sink| {
        let mut buffer = vec![0; 65_536];
        loop {
            match body.read(&mut buffer).map_err(|error| Failure::new("BROKEN", error))? {
                0 => return Ok(()),
                n => sink.send(buffer[..n].to_vec())?,
            }
        }
    })
}

pub(super) fn start() -> (Daemon, Client) {
    let daemon = Daemon::start(Server::new().state(tests::gate::Gate::default()));
    let client = Client::new(daemon.path());
    (daemon, client)
}

#[test]
fn body_reaches_the_command() {
    let (_daemon, client) = start();
    for size in [0, 1, 131_072, 131_073, 5_000_000] {
        let body = vec![3; size];
        let sum: u64 = client.command("sum").body(&body[..]).call().unwrap();
        assert_eq!(sum, 3 * size as u64);
    }
}

#[test]
fn command_that_answers_early_ends_the_upload() {
    let (_daemon, client) = start();
    for _ in 0..20 {
        assert_eq!(client.command("first").body(io::repeat(7)).call::<u8>().unwrap(), 7);
        assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
    }
}

#[test]
fn body_comes_back_as_a_stream() {
    let (_daemon, client) = start();
    let body: Vec<u8> = (0..10_000_000_u32).map(|i| (i % 251) as u8).collect();
    let items = client.command("back").body(Cursor::new(body.clone())).stream::<Vec<u8>>();
    let back = items.unwrap().map(Result::unwrap).collect::<Vec<_>>().concat();
    assert!(back == body);
    let mut out = Vec::new();
    assert_eq!(client.command("back").body(&body[..]).copy_to(&mut out).unwrap(), 10_000_000);
    assert!(out == body);
}

#[test]
fn body_for_a_command_without_one_is_not_read() {
    let (_daemon, client) = start();
    assert_eq!(client.command("ping").body(io::repeat(7)).call::<String>().unwrap(), "PONG");
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
}
