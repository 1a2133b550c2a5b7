//! Oversized input takes no memory.

use std::io::Write;

use dockipc::Server;
use tests::process::{alone, resident};
use tests::{Daemon, expect};

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
