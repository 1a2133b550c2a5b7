//! Subscribers that read too slowly.

use std::io::{Read, Write};
use std::time::Duration;

use dockipc::events::WhenFull;
use dockipc::{Events, Server};
use tests::{Daemon, resp};

use super::client::{Client, bulk, confirmation, message, pmessage};

/// A text that fills a socket's buffer after some events.
fn long() -> String {
    "x".repeat(32 * 1024)
}

/// A daemon with short queues, and a channel whose slow subscriptions end.
fn start() -> (Daemon, Events) {
    start_with(Server::new())
}

fn start_with(server: Server) -> (Daemon, Events) {
    let events = Events::new().when_full("audit*", WhenFull::End);
    let server = server.events(events.clone()).max_queued_events(10, 1 << 20);
    (Daemon::start(server), events)
}

/// Publishes until events do not fit into the queue of a client that does not read. Returns the number that were
/// queued.
fn fill(events: &Events, channel: &str) -> usize {
    let mut queued = 0;
    // The engine may take some of the last ones.
    for at in 0..1000 {
        queued += events.publish(channel, format!("{at} {}", long()));
    }
    queued
}

/// Reads messages until one fits.
fn read_until(client: &mut Client, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = client.0.read(&mut buffer).expect("events");
        assert!(n > 0, "the connection was closed");
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes);
        if text.ends_with(end) {
            return text.into_owned();
        }
    }
}

#[test]
fn slow_pattern_is_told_how_many_were_dropped() {
    let (daemon, events) = start();
    let mut client = Client::resp3(&daemon);
    client.ask(&["psubscribe", "log*"], &confirmation('>', "psubscribe", "log*", 1));
    assert_eq!(fill(&events, "log"), 1000, "the oldest go, the new ones are queued");
    let last = pmessage('>', "log*", "log", &format!("999 {}", long()));
    let text = read_until(&mut client, &last);
    let dropped: usize = text
        .split(&format!("{}{}$", bulk("log*"), bulk("dropped")))
        .skip(1)
        .filter_map(|rest| rest.split("\r\n").nth(1)?.parse::<usize>().ok())
        .sum();
    let came = text.matches(&format!("{}{}", bulk("log*"), bulk("log"))).count();
    assert_eq!(dropped + came, 1000, "{dropped} dropped, {came} came");
    assert!(dropped > 0);
    // In order, and the connection goes on.
    let numbers = text.split("\r\n").filter_map(|line| line.split_once(" xx")?.0.parse().ok());
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers.is_sorted() && numbers.len() == came, "{numbers:?}");
    client.ask(&["ping"], "+PONG\r\n");
}

#[test]
fn slow_subscription_ends_where_the_channel_says_so() {
    let (daemon, events) = start();
    for (words, end) in [
        (["subscribe", "audit"], message('*', "audit", "-LAGGED 11 events were dropped")),
        (["psubscribe", "a*"], pmessage('*', "a*", "error", "-LAGGED 11 events were dropped")),
    ] {
        let mut client = Client::resp2(&daemon);
        client.ask(&words, &confirmation('*', words[0], words[1], 1));
        let queued = fill(&events, "audit");
        assert!(queued < 1000, "{queued}");
        let text = read_until(&mut client, &end);
        assert_eq!(
            text.matches("audit\r\n$").count() + 10,
            queued + usize::from(words[0] == "subscribe")
        );
        assert_eq!(events.publish("audit", "later"), 0);
        client.ask(&["ping"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        // It can be made again.
        client.ask(&words, &confirmation('*', words[0], words[1], 1));
        assert_eq!(events.publish("audit", "later"), 1);
    }
}

#[test]
fn subscriber_that_never_reads_delays_nobody() {
    let short = Duration::from_millis(1);
    let (daemon, events) = start_with(Server::new().idle_timeout(short).write_timeout(short));
    // The idle timeout may end a connection before it subscribes.
    let subscribed = || loop {
        let mut client = Client::resp2(&daemon);
        let sent = client.0.write_all(&resp(&["subscribe", "log"]));
        let mut first = [0];
        if sent.and_then(|()| client.0.read_exact(&mut first)).is_ok() && first == *b"*" {
            client.expect(&confirmation('*', "subscribe", "log", 1)[1..]);
            return client;
        }
    };
    let mut silent = subscribed();
    let mut reader = subscribed();
    for at in 0..2000 {
        let text = format!("{at} {}", long());
        events.publish("log", &*text);
        reader.expect(&message('*', "log", &text));
    }
    reader.ask(&["ping"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    // Neither the idle nor the write timeout ends it: its last events are there.
    let last = message('*', "log", &format!("1999 {}", long()));
    read_until(&mut silent, &last);
}

#[test]
fn event_beyond_the_limit_is_sent_alone() {
    let (daemon, events) = start();
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "log"], &confirmation('*', "subscribe", "log", 1));
    let text = "y".repeat(3 << 20);
    assert_eq!(events.publish("log", &*text), 1);
    client.expect(&message('*', "log", &text));
}
