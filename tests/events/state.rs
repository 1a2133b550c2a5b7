//! States that subscribers mirror.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::thread;

use dockipc::events::{Replica, Replicated};
use dockipc::{Events, Server};
use tests::{Daemon, resp};

use super::client::{Client, confirmation, message, pmessage};

/// The number of each name.
#[derive(Clone, Default)]
struct Counts(BTreeMap<String, u64>);

impl Replica for Counts {
    type Event = (String, u64);

    fn apply(&mut self, (name, count): &(String, u64)) {
        self.0.insert(name.clone(), *count);
    }

    fn replicate(&self) -> Vec<(String, u64)> {
        self.0.iter().map(|(name, count)| (name.clone(), *count)).collect()
    }
}

fn start(server: Server) -> (Daemon, Replicated<Counts>) {
    let events = Events::new();
    let counts = events.replicate("counts", Counts::default());
    let read = counts.clone();
    let server = server.events(events).handle("names", move |_| read.get().0.len());
    (Daemon::start(server), counts)
}

#[test]
fn subscriber_gets_the_state_and_then_its_changes() {
    let (daemon, counts) = start(Server::new());
    counts.publish(("a".into(), 1));
    counts.publish(("b".into(), 2));
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "counts"], &confirmation('>', "subscribe", "counts", 1));
    client.expect(&message('>', "counts", "a\n1\n"));
    client.expect(&message('>', "counts", "b\n2\n"));
    assert_eq!(counts.publish(("c".into(), 3)), 1);
    client.expect(&message('>', "counts", "c\n3\n"));
    client.ask(&["names"], ":3\r\n");
    client.ask(&["psubscribe", "c*"], &confirmation('>', "psubscribe", "c*", 2));
    for (name, count) in [("a", 1), ("b", 2), ("c", 3)] {
        client.expect(&pmessage('>', "c*", "counts", &format!("{name}\n{count}\n")));
    }
}

#[test]
fn watch_has_the_last_value() {
    let events = Events::new();
    let volume = events.watch("volume", 7);
    let daemon = Daemon::start(
        Server::new()
            .events(events)
            .state(Replicated::clone(&Events::new().replicate("none", Counts::default()))),
    );
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "volume"], &confirmation('*', "subscribe", "volume", 1));
    client.expect(&message('*', "volume", "7"));
    volume.set(8);
    client.expect(&message('*', "volume", "8"));
    assert_eq!(volume.get(), 8);
}

/// Reads messages of a channel with one number each until one is `end`.
fn read_until(client: &mut Client, end: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for line in BufReader::new(&client.0).lines() {
        let line = line.expect("a line");
        if let Ok(number) = line.parse() {
            numbers.push(number);
            if number == end {
                break;
            }
        }
    }
    numbers
}

#[test]
fn no_change_is_missed_or_comes_twice() {
    let (daemon, counts) = start(Server::new());
    let publishing = counts.clone();
    let publisher = thread::spawn(move || {
        for count in 1..=20_000 {
            publishing.publish(("a".into(), count));
        }
    });
    for _ in 0..20 {
        let mut client = Client::resp3(&daemon);
        client.0.write_all(&resp(&["subscribe", "counts"])).expect("a command");
        let numbers = read_until(&mut client, 20_000);
        let first = numbers[0];
        assert!(numbers.iter().zip(first..).all(|(number, expected)| *number == expected));
    }
    publisher.join().expect("the publisher");
}

#[test]
fn mirror_that_was_too_slow_gets_the_state_again() {
    let (daemon, counts) = start(Server::new().max_queued_events(4, 1 << 20));
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "counts"], &confirmation('>', "subscribe", "counts", 1));
    let name = "x".repeat(64 * 1024);
    for count in 1..=1000 {
        counts.publish((name.clone(), count));
    }
    counts.publish(("y".into(), 1001));
    let numbers = read_until(&mut client, 1001);
    assert!(numbers.is_sorted() && numbers.len() < 500, "{}", numbers.len());
    // The state again has what was dropped.
    assert!(numbers.contains(&1000), "{numbers:?}");
}

/// A number, which each change makes one more. As a state it is negative.
#[derive(Clone, Default)]
struct Steps(i64);

impl Replica for Steps {
    type Event = i64;

    fn apply(&mut self, number: &i64) {
        self.0 = *number;
    }

    fn replicate(&self) -> Vec<i64> {
        vec![-self.0]
    }
}

#[test]
fn change_comes_behind_the_state_that_it_changes() {
    const LAST: i64 = 50_000;
    let events = Events::new();
    let steps = events.replicate("steps", Steps::default());
    let daemon = Daemon::start(Server::new().events(events).max_queued_events(4, 1 << 20));
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "steps"], &confirmation('>', "subscribe", "steps", 1));
    let publisher = thread::spawn(move || {
        for number in 1..=LAST {
            steps.publish(number);
        }
    });
    let (mut state, mut lines) = (0, BufReader::new(&client.0).lines());
    while state < LAST {
        let line = lines.next().expect("an event").expect("a line");
        let Ok(number) = line.parse::<i64>() else { continue };
        assert!(number <= 0 || number == state + 1, "{number} behind {state}");
        state = number.abs();
    }
    publisher.join().expect("the publisher");
}

#[test]
fn pattern_gets_the_states_of_many_channels() {
    const CHANNELS: usize = 20_000;
    let events = Events::new();
    for at in 0..CHANNELS {
        events.watch(&format!("w{at}"), "state");
    }
    let daemon = Daemon::start(Server::new().events(events));
    let mut client = Client::resp3(&daemon);
    client.ask(&["psubscribe", "w*"], &confirmation('>', "psubscribe", "w*", 1));
    let lines = BufReader::new(&client.0).lines().map(|line| line.expect("a line"));
    assert_eq!(lines.filter(|line| line == "state").take(CHANNELS).count(), CHANNELS);
}
