//! The memory of oversized input and of big answers.

use std::io::{Read, Write};

use dockipc::{Failure, Request, Server};
use tests::process::{alone, resident, until};
use tests::{Daemon, expect, resp};

#[test]
fn oversized_command_takes_no_memory() {
    let _alone = alone();
    let daemon = Daemon::start(Server::new());
    let before = resident();
    let mut stream = daemon.connect();
    let size = 128 << 20;
    stream.write_all(format!("*2\r\n$4\r\nECHO\r\n${size}\r\n").as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..size / piece.len() {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(b"\r\n").unwrap();
    expect(&mut stream, b"-TOOBIG the command is longer than 1048576 bytes; it was not run\r\n");
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes were taken for {size}");
}

#[test]
fn big_answer_is_in_memory_once() {
    let _alone = alone();
    let mass = |request: &Request<'_>| Ok::<_, Failure>(vec![b'x'; request.parse(0)?]);
    let daemon = Daemon::start(Server::new().handle("mass", mass));
    let size = 64 << 20;
    for command in [resp(&["mass", &size.to_string()]), format!("mass {size}\n").into_bytes()] {
        let before = resident();
        let grown = || resident().saturating_sub(before);
        let mut stream = daemon.connect();
        stream.write_all(&command).unwrap();
        // A client that reads a little at a time, in the middle of the answer.
        let mut piece = vec![0; 1024];
        for _ in 0..32 << 10 {
            stream.read_exact(&mut piece).unwrap();
        }
        assert!(grown() < size + (8 << 20), "{} bytes were taken for {size}", grown());
        drop(stream);
        until("the memory's return", || grown() < 8 << 20);
    }
}
