//! Subscriptions of our client.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use dockipc::events::Replica;
use dockipc::{Client, Error, Events, Server};
use tests::scripted::{greet_alone, handshake, scripted};
use tests::{Daemon, Place, expect, resp};

fn daemon() -> (Daemon, Events) {
    let events = Events::new();
    (Daemon::start(Server::new().events(events.clone())), events)
}

#[test]
fn events_of_channels_and_patterns_arrive_in_order() {
    let (daemon, events) = daemon();
    let client = Client::new(daemon.path());
    let mut subscription = client.subscribe(["disk", "jobs.*"]).unwrap();
    events.publish("jobs.done", 7);
    events.publish("other", 0);
    events.publish("disk", "full");
    events.publish("jobs.failed", vec![(1, "a\tb")]);
    let event = subscription.next().unwrap().unwrap();
    assert_eq!((event.channel(), event.pattern()), ("jobs.done", Some("jobs.*")));
    assert_eq!(event.get::<u64>().unwrap(), 7);
    assert!(event.get::<Vec<u64>>().is_err());
    let event = subscription.next().unwrap().unwrap();
    assert_eq!((event.channel(), event.pattern(), event.dropped()), ("disk", None, 0));
    assert_eq!(event.get::<String>().unwrap(), "full");
    let event = subscription.next().unwrap().unwrap();
    assert_eq!(event.get::<Vec<(u64, String)>>().unwrap(), [(1, "a\tb".to_owned())]);
    // Calls of the client use other connections.
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
    drop(subscription);
    tests::process::until("the subscription to end", || events.publish("disk", 1) == 0);
}

#[test]
fn refused_channel_is_an_error() {
    let nobody = "uid:4000000000";
    let daemon = Daemon::start(Server::new().allow_channel("secret", nobody));
    let events = daemon.handle().events().clone();
    let client = Client::new(daemon.path());
    let error = client.subscribe(["disk", "secret"]).unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "NOPERM");
    assert_eq!(events.publish("disk", 1), 0);
    assert!(client.subscribe(["Bad Name"]).is_err());
    // No names: it ends at once.
    assert!(client.subscribe([""; 0]).unwrap().next().is_none());
}

#[test]
fn end_of_the_connection_is_the_last_item() {
    let (daemon, events) = daemon();
    let mut subscription = Client::new(daemon.path()).subscribe(["disk"]).unwrap();
    events.publish("disk", 1);
    drop(daemon);
    assert_eq!(subscription.next().unwrap().unwrap().get::<u64>().unwrap(), 1);
    let error = subscription.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("the connection was closed"), "{error}");
    assert!(subscription.next().is_none());
}

#[test]
fn canceller_ends_a_subscription() {
    let (daemon, _) = daemon();
    let subscription = Client::new(daemon.path()).subscribe(["disk"]).unwrap();
    let canceller = subscription.canceller();
    let reader = thread::spawn(move || subscription.count());
    canceller.cancel();
    assert_eq!(reader.join().unwrap(), 0);
}

#[test]
fn wait_for_an_event_has_a_limit() {
    let (daemon, events) = daemon();
    let mut subscription = Client::new(daemon.path()).subscribe(["disk"]).unwrap();
    assert!(subscription.next_within(Duration::from_millis(1)).unwrap().is_none());
    events.publish("disk", 1);
    let event = subscription.next_within(tests::PATIENCE).unwrap().unwrap();
    assert_eq!(event.get::<u64>().unwrap(), 1);
    // Nothing limits a wait that was not given a limit.
    let client = Client::new(daemon.path()).read_timeout(Duration::from_millis(1));
    let mut patient = client.timeout(Duration::from_secs(60)).subscribe(["disk"]).unwrap();
    let publisher = thread::spawn(move || {
        assert!(subscription.next_within(Duration::from_millis(20)).unwrap().is_none());
        events.publish("disk", 2)
    });
    assert_eq!(patient.next().unwrap().unwrap().get::<u64>().unwrap(), 2);
    assert_eq!(publisher.join().unwrap(), 2);
}

#[test]
fn losses_are_told() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        let both = [resp(&["subscribe", "a", "b"]), resp(&["psubscribe", "c*"])].concat();
        expect(&mut stream, &[handshake(), both].concat());
        let confirm = |kind: &str, name: &str, count| {
            format!(">3\r\n${}\r\n{kind}\r\n${}\r\n{name}\r\n:{count}\r\n", kind.len(), name.len())
        };
        let frames = [
            "%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n",
            &confirm("subscribe", "a", 1),
            // In front of the last confirmation.
            ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n:1\r\n",
            &confirm("subscribe", "b", 2),
            &confirm("psubscribe", "c*", 3),
            ">3\r\n$7\r\ndockipc\r\n$7\r\ndropped\r\n:5\r\n",
            ">4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nc1\r\n*1\r\n:2\r\n",
            ">3\r\n$7\r\ndockipc\r\n$5\r\nended\r\n*2\r\n$1\r\na\r\n-LAGGED 9 events were dropped\r\n",
            ">3\r\n$7\r\nmessage\r\n$1\r\nb\r\n:3\r\n",
        ];
        stream.write_all(frames.concat().as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // It stays open until the client has left.
        tests::rest(stream);
    });
    let mut subscription = Client::new(place.socket()).subscribe(["a", "c*", "b"]).unwrap();
    let mut seen = Vec::new();
    for event in subscription.by_ref() {
        seen.push(match event {
            Ok(event) => format!("{} {}", event.channel(), event.dropped()),
            Err(error) => error.to_string(),
        });
    }
    let end = "waiting for events: the connection was closed";
    assert_eq!(seen, ["a 0", "c1 5", "LAGGED 9 events were dropped", "b 0", end]);
    drop(subscription);
    server.join().unwrap();
}

#[test]
fn last_subscription_that_lags_ends_the_items() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        expect(&mut stream, &[handshake(), resp(&["subscribe", "a"])].concat());
        let frames = "%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n\
            >3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n\
            >3\r\n$7\r\ndockipc\r\n$5\r\nended\r\n*2\r\n$1\r\na\r\n-LAGGED 9 events were dropped\r\n";
        stream.write_all(frames.as_bytes()).unwrap();
        tests::rest(stream);
    });
    let mut subscription = Client::new(place.socket()).subscribe(["a"]).unwrap();
    let error = subscription.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused(failure) if failure.code() == "LAGGED"));
    assert!(subscription.next().is_none());
    drop(subscription);
    server.join().unwrap();
}

#[test]
fn name_that_is_given_twice_is_subscribed_to_once() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        let both = [resp(&["subscribe", "a"]), resp(&["psubscribe", "c*"])].concat();
        expect(&mut stream, &[handshake(), both].concat());
        let frames = "%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n\
            >3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n\
            >3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:2\r\n";
        stream.write_all(frames.as_bytes()).unwrap();
        for name in ["a", "c*"] {
            let frame = format!(
                ">3\r\n$7\r\ndockipc\r\n$5\r\nended\r\n*2\r\n${}\r\n{name}\r\n-LAGGED it was slow\r\n",
                name.len()
            );
            stream.write_all(frame.as_bytes()).unwrap();
        }
        tests::rest(stream);
    });
    let names = ["a", "c*", "a", "c*"];
    let mut subscription = Client::new(place.socket()).subscribe(names).unwrap();
    let errors: Vec<_> = subscription.by_ref().map(|event| event.unwrap_err()).collect();
    assert_eq!(errors.len(), 2);
    drop(subscription);
    server.join().unwrap();
}

#[test]
fn subscription_goes_to_the_next_daemon_if_the_first_is_gone() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        drop(accept());
        let mut stream = accept();
        // Nothing is known of what was sent to the first one.
        greet_alone(&mut stream, b"");
        expect(&mut stream, &resp(&["subscribe", "a"]));
        let frames = "%1\r\n$5\r\nproto\r\n:3\r\n+OK\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
        stream.write_all(frames.as_bytes()).unwrap();
        tests::rest(stream);
    });
    drop(Client::new(place.socket()).subscribe(["a"]).unwrap());
    server.join().unwrap();
}

/// The number of each name.
#[derive(Clone, Debug, Default, PartialEq)]
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

#[test]
fn mirror_follows_the_state() {
    let events = Events::new();
    let counts = events.replicate("counts", Counts::default());
    let daemon = Daemon::start(Server::new().events(events));
    counts.publish(("a".into(), 1));
    counts.publish(("b".into(), 2));
    let mut mirror = Client::new(daemon.path()).mirror("counts", Counts::default()).unwrap();
    counts.publish(("a".into(), 3));
    for _ in 0..3 {
        mirror.next().unwrap().unwrap();
    }
    assert_eq!(mirror.get(), &*counts.get());
    mirror.canceller().cancel();
    assert!(mirror.next().is_none());
}

#[cfg(feature = "tokio")]
#[test]
fn async_subscription_gets_the_events_to_the_end() {
    let (daemon, events) = daemon();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = dockipc::AsyncClient::new(daemon.path()).read_timeout(Duration::from_secs(60));
        let mut subscription = client.subscribe(["disk", "jobs.*"]).await.unwrap();
        events.publish("jobs.done", 7);
        let event = subscription.next().await.unwrap().unwrap();
        assert_eq!((event.channel(), event.get::<u64>().unwrap()), ("jobs.done", 7));
        assert!(client.subscribe(["Bad Name"]).await.is_err());
        drop(daemon);
        let error = subscription.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("the connection was closed"), "{error}");
        assert!(subscription.next().await.is_none());
    });
}
