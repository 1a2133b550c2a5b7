//! Push frames that tell a client that its command waits for a thread or runs.
//!
//! A client with a timeout takes silence for a dead connection, and some send the command again: redis-py 8
//! and valkey-py 6 after 5 s, redis-py ten times. [`Signs`] decides which clients get signs of life.
//!
//! A Redis client gets one byte at a time, [`SLOW`] apart. The interval must be less than the 5 s, and as
//! long as it can be, so that a shorter timeout that the user has set still ends the call. A whole frame each
//! time would be too many: redis-py's parser calls itself for each push frame before an answer, and fails at
//! the 993rd, after little more than an hour. Byte by byte, a frame lasts 17 minutes. An answer sends the
//! rest of the frame first.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::output::{send, send_part};
use crate::session::Signs;
use crate::wire::{Outgoing, encode};

/// The interval of signs of life for our own client.
const STEADY: Duration = Duration::from_secs(1);

/// The interval of signs of life for Redis clients.
const SLOW: Duration = Duration::from_secs(4);

/// The digits of the number in a frame for Redis clients, which make it about 256 bytes long.
const WIDTH: usize = 216;

/// Returns when the next sign of life is sent after the last bytes, or `None` for never.
pub(super) fn next_sign(signs: Signs, last: Instant) -> Option<Instant> {
    match signs {
        Signs::None => None,
        Signs::Slow => Some(last + SLOW),
        Signs::Steady => Some(last + STEADY),
    }
}

/// Sends a sign of life, unless the client has not read the bytes that were sent before. `unsent` has the
/// bytes that the client gets first.
pub(super) fn send_sign(
    signs: Signs,
    what: &str,
    since: Instant,
    socket: &OwnedFd,
    unsent: &mut Outgoing,
) {
    let width = if signs == Signs::Slow { WIDTH } else { 0 };
    let is_new = unsent.is_empty();
    if is_new && signs != Signs::None {
        encode::sign_of_life(what, since.elapsed(), width, unsent.tail());
    }
    let length = unsent.len();
    match signs {
        Signs::None => {}
        Signs::Slow => drop(send_part(socket, unsent, 1)),
        Signs::Steady => drop(send(socket, unsent)),
    }
    if is_new && unsent.len() == length {
        unsent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_long_command_sends_fewer_than_100_frames() {
        let mut frame = Vec::new();
        encode::sign_of_life("running", Duration::ZERO, WIDTH, &mut frame);
        let day = Duration::from_secs(24 * 60 * 60);
        let bytes = day.as_secs() / SLOW.as_secs();
        assert!(bytes < 100 * frame.len() as u64, "frames of {} bytes", frame.len());
        // The default timeout of redis-py 8 and valkey-py 6.
        assert!(SLOW < Duration::from_secs(5));
    }

    #[test]
    fn frames_of_slow_signs_are_whole_in_the_end() {
        let (client, server) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let (server, mut unsent, mut got) =
            (OwnedFd::from(server), Outgoing::default(), Vec::new());
        let mut whole = Vec::new();
        encode::sign_of_life("running", Duration::ZERO, WIDTH, &mut whole);
        for _ in 0..whole.len() + 10 {
            send_sign(Signs::Slow, "running", Instant::now(), &server, &mut unsent);
        }
        unsent.tail().extend_from_slice(b"+OK\r\n");
        assert_eq!(send(&server, &mut unsent), crate::engine::output::Sent::All);
        drop(server);
        std::io::Read::read_to_end(&mut &client, &mut got).expect("the bytes");
        let expected = [&whole[..], &whole, b"+OK\r\n"].concat();
        assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}
