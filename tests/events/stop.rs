//! The end of subscriptions when the server stops.

use std::sync::atomic::{AtomicBool, Ordering};

use dockipc::{Events, Server, command};
use tests::process::until;
use tests::{Daemon, rest};

use super::client::{Client, confirmation, message};

/// Whether `last-words` may end.
static MAY_END: AtomicBool = AtomicBool::new(false);

/// Publish an event at the end.
#[command]
fn last_words(events: &Events) -> &'static str {
    events.publish("words", "begin");
    until("the server to stop", || MAY_END.load(Ordering::Relaxed));
    events.publish("words", "last");
    "done"
}

#[test]
fn event_published_before_a_stop_arrives() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "words"], &confirmation('*', "subscribe", "words", 1));
    daemon.handle().events().publish("words", "last");
    daemon.handle().shutdown();
    assert_eq!(String::from_utf8_lossy(&rest(client.0)), message('*', "words", "last"));
    assert!(daemon.handle().join().is_empty());
}

#[test]
fn event_of_the_last_command_arrives_before_the_end() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "words"], &confirmation('>', "subscribe", "words", 1));
    let mut caller = Client::resp2(&daemon);
    caller.send(&["last-words"]);
    client.expect(&message('>', "words", "begin"));
    daemon.handle().shutdown();
    until("the path's release", || !daemon.path().exists());
    MAY_END.store(true, Ordering::Relaxed);
    // Nothing waits for the deadline: the subscriber is the last that is left.
    let frames = rest(client.0);
    assert_eq!(String::from_utf8_lossy(&frames), message('>', "words", "last"));
    assert_eq!(rest(caller.0), b"$4\r\ndone\r\n");
    assert!(daemon.handle().join().is_empty());
}

#[test]
fn line_that_subscribes_ends_with_the_server() {
    use std::io::Write;
    let daemon = Daemon::start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(b"subscribe words\n").expect("a line");
    until("a subscription", || daemon.handle().events().publish("words", 1) > 0);
    daemon.handle().shutdown();
    assert_eq!(rest(stream), b"words\t1\n");
    daemon.handle().join();
}
