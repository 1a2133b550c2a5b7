//! Clients that close before their answer leave nothing behind.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use tests::dice::Dice;
use tests::process::until;
use tests::program::Program;
use tests::{Place, figure, long, resp};

/// Sends something, reads at most the beginning of the answer, and closes.
fn visit(mut stream: UnixStream, dice: &mut Dice) {
    let pipeline = || (0..20).flat_map(|i| resp(&["blob", &(i * 100).to_string()])).collect();
    let kind = dice.below(12);
    let sent: Vec<u8> = match kind {
        0 => b"hit\n".to_vec(),
        1 => b"blob 300000\n".to_vec(),
        2 => b"nap 3\n".to_vec(),
        3 => b"nap 3\nhit\n".to_vec(),
        4 => resp(&["hit"]),
        5 => resp(&["blob", "300000"]),
        6 => resp(&["nap", "3"]),
        7 => [resp(&["HELLO", "3"]), resp(&["nap", "3"]), resp(&["hit"])].concat(),
        8 => pipeline(),
        9 => b"hit".to_vec(),
        10 => resp(&["items", "5000"])[..20].to_vec(),
        _ => Vec::new(),
    };
    // The daemon may have answered and closed already.
    let _ = stream.write_all(&sent);
    match dice.below(4) {
        0 if kind < 9 => drop(stream.read(&mut [0; 10])),
        1 => thread::sleep(dice.moment(Duration::from_micros(300))),
        _ => {}
    }
}

#[test]
fn abandoned_calls_leak_nothing() {
    let visits = long(4000, 100_000);
    let place = Place::new();
    let daemon = Program::start(&place.socket());
    daemon.rest();
    let names = || fs::read_dir(place.directory()).unwrap().count();
    let before = (daemon.threads(), daemon.descriptors(), names());
    let mut dice = Dice::thrown();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (daemon, seed) = (&daemon, dice.roll());
            scope.spawn(move || {
                let (mut dice, client) = (Dice::new(seed), daemon.client());
                for i in 0..visits / 4 {
                    visit(daemon.connect(), &mut dice);
                    if i % 50 == 0 {
                        // Other clients are still answered.
                        assert_eq!(client.send("ping").unwrap(), b"PONG");
                    }
                }
            });
        }
    });
    let after = || (daemon.threads(), daemon.descriptors(), names());
    until("the daemon as it was", || after() == before);
    assert_eq!(daemon.client().send("ping").unwrap(), b"PONG");
    let (threads, descriptors, names) = before;
    figure(
        "clients that leave before their answer",
        format!(
            "{visits} clients; before and after: {descriptors} descriptors, {threads} threads, \
             {names} names in the directory"
        ),
    );
}
