//! A client that subscribes.

use std::io::Write;
use std::os::unix::net::UnixStream;

use dockipc::{Events, command};
use tests::{Daemon, expect, resp};

/// Publish an event, and answer with the number of its subscribers.
#[command]
fn emit(events: &Events, channel: &str, value: String) -> usize {
    events.publish(channel, value)
}

/// A connection of a Redis client.
pub(super) struct Client(pub(super) UnixStream);

impl Client {
    pub(super) fn resp2(daemon: &Daemon) -> Self {
        Self(daemon.connect())
    }

    pub(super) fn resp3(daemon: &Daemon) -> Self {
        let mut client = Self(daemon.connect());
        client.send(&["hello", "3"]);
        let mut hello = [0; 4096];
        // One short answer arrives at once.
        assert!(std::io::Read::read(&mut client.0, &mut hello).is_ok_and(|n| n > 0));
        client
    }

    pub(super) fn send(&mut self, words: &[&str]) {
        self.0.write_all(&resp(words)).expect("a command that is sent");
    }

    #[track_caller]
    pub(super) fn expect(&mut self, bytes: &str) {
        expect(&mut self.0, bytes.as_bytes());
    }

    /// Sends a command and expects these bytes.
    #[track_caller]
    pub(super) fn ask(&mut self, words: &[&str], bytes: &str) {
        self.send(words);
        self.expect(bytes);
    }
}

pub(super) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

pub(super) fn confirmation(kind: char, word: &str, name: &str, count: usize) -> String {
    format!("{kind}3\r\n{}{}:{count}\r\n", bulk(word), bulk(name))
}

pub(super) fn message(kind: char, channel: &str, text: &str) -> String {
    format!("{kind}3\r\n{}{}{}", bulk("message"), bulk(channel), bulk(text))
}

pub(super) fn pmessage(kind: char, pattern: &str, channel: &str, text: &str) -> String {
    let [word, pattern] = [bulk("pmessage"), bulk(pattern)];
    format!("{kind}4\r\n{word}{pattern}{}{}", bulk(channel), bulk(text))
}
