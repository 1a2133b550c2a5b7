//! The bytes of subscriptions, as Redis clients know them.

use std::thread;

use dockipc::events::WhenFull;
use dockipc::{Deferred, Events, Server, command};
use tests::Daemon;

use super::client::{Client, bulk, confirmation, message, pmessage};

#[test]
fn resp2_subscriber_gets_arrays() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp2(&daemon);
    let both = [confirmation('*', "subscribe", "a", 1), confirmation('*', "subscribe", "b", 2)];
    client.ask(&["subscribe", "a", "b"], &both.concat());
    client.ask(&["psubscribe", "j*"], &confirmation('*', "psubscribe", "j*", 3));
    let events = daemon.handle().events();
    assert_eq!(events.publish("a", "one"), 1);
    assert_eq!(events.publish("c", "nobody"), 0);
    assert_eq!(events.publish("jobs", 7), 1);
    assert_eq!(events.publish("b", vec![("x", 1), ("y", 2)]), 1);
    client.expect(&message('*', "a", "one"));
    client.expect(&pmessage('*', "j*", "jobs", "7"));
    client.expect(&message('*', "b", "x\t1\ny\t2\n"));
    client.ask(&["unsubscribe", "b"], &confirmation('*', "unsubscribe", "b", 2));
    client.ask(&["unsubscribe"], &confirmation('*', "unsubscribe", "a", 1));
    client.ask(&["unsubscribe"], &format!("*3\r\n{}$-1\r\n:1\r\n", bulk("unsubscribe")));
    client.ask(&["punsubscribe"], &confirmation('*', "punsubscribe", "j*", 0));
    client.ask(&["punsubscribe"], &format!("*3\r\n{}$-1\r\n:0\r\n", bulk("punsubscribe")));
    assert_eq!(events.publish("a", "one"), 0);
    // It is an ordinary connection again.
    client.ask(&["ping"], "+PONG\r\n");
}

#[test]
fn resp3_subscriber_gets_push_frames_between_answers() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "a"], &confirmation('>', "subscribe", "a", 1));
    // Published before the answer, and sent before it.
    let published = [message('>', "a", "one"), ":1\r\n".to_owned()].concat();
    client.ask(&["emit", "a", "one"], &published);
    client.ask(&["ping"], "+PONG\r\n");
    client.ask(&["psubscribe", "*"], &confirmation('>', "psubscribe", "*", 2));
    daemon.handle().events().publish("a", "two");
    client.expect(&message('>', "a", "two"));
    client.expect(&pmessage('>', "*", "a", "two"));
    client.ask(&["unsubscribe"], &confirmation('>', "unsubscribe", "a", 1));
    client.ask(&["unsubscribe"], &format!(">3\r\n{}_\r\n:1\r\n", bulk("unsubscribe")));
}

#[test]
fn resp2_subscriber_may_only_subscribe_and_ping() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "a"], &confirmation('*', "subscribe", "a", 1));
    client.ask(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    client.ask(&["ping", "me"], "*2\r\n$4\r\npong\r\n$2\r\nme\r\n");
    let why = "-ERR Can't execute 'emit': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n";
    client.ask(&["emit", "a", "one"], why);
    client.ask(&["reset"], "+RESET\r\n");
    client.ask(&["emit", "a", "one"], ":0\r\n");
    client.ask(&["subscribe", "a"], &confirmation('*', "subscribe", "a", 1));
    client.ask(&["quit"], "+OK\r\n");
    assert_eq!(tests::rest(client.0), b"");
}

#[test]
fn subscribe_is_refused_whole() {
    let daemon = Daemon::start(Server::new().max_subscriptions(2));
    let mut client = Client::resp2(&daemon);
    for (words, error) in [
        (&["subscribe"][..], "-USAGE usage: subscribe <channel>…"),
        (
            &["subscribe", "a", "B"],
            "-USAGE bad channel \"B\": use a-z, 0-9 and, after the first character, . _ : -, at most 255 bytes",
        ),
        (&["subscribe", "a", "tail -f"], "-UNKNOWN no command \"tail\"; send help for a list"),
        (&["psubscribe", "a", "emit x"], "-USAGE \"emit\" is not a stream; call it"),
        (
            &["subscribe", "a", "b", "c"],
            "-TOOBIG too many subscriptions of this connection: 2 at most",
        ),
        (&["ssubscribe", "a"], "-ERR ssubscribe is for clusters; use subscribe"),
    ] {
        client.ask(words, &format!("{error}\r\n"));
        client.ask(&["pubsub", "channels"], "*0\r\n");
    }
    client.ask(&["multi"], "+OK\r\n");
    client.ask(&["subscribe", "a"], "-ERR subscribe is not allowed in a transaction\r\n");
    client.ask(&["discard"], "+OK\r\n");
}

#[test]
fn pubsub_lists_channels_and_counts() {
    let daemon = Daemon::start(Server::new());
    let mut first = Client::resp2(&daemon);
    let mut second = Client::resp3(&daemon);
    first.ask(&["subscribe", "jobs.done"], &confirmation('*', "subscribe", "jobs.done", 1));
    second.ask(&["subscribe", "jobs.done"], &confirmation('>', "subscribe", "jobs.done", 1));
    second.ask(&["subscribe", "disk"], &confirmation('>', "subscribe", "disk", 2));
    second.ask(&["psubscribe", "j*"], &confirmation('>', "psubscribe", "j*", 3));
    let mut other = Client::resp2(&daemon);
    other.ask(&["pubsub", "channels"], "*2\r\n$4\r\ndisk\r\n$9\r\njobs.done\r\n");
    other.ask(&["pubsub", "channels", "j*"], "*1\r\n$9\r\njobs.done\r\n");
    let counts = "*4\r\n$9\r\njobs.done\r\n:2\r\n$1\r\nx\r\n:0\r\n";
    other.ask(&["pubsub", "numsub", "jobs.done", "x"], counts);
    other.ask(&["pubsub", "numpat"], ":1\r\n");
    // A client that has left hears nothing.
    drop(second);
    tests::process::until("the client has left", || {
        daemon.handle().events().publish("disk", "") == 0
    });
    other.ask(&["pubsub", "numsub", "jobs.done"], "*2\r\n$9\r\njobs.done\r\n:1\r\n");
    other.ask(&["pubsub", "numpat"], ":0\r\n");
}

#[test]
fn own_client_gets_the_value_itself() {
    let events = Events::new().when_full("audit", WhenFull::End);
    let server = Server::new().events(events.clone()).max_queued_events(2, 1 << 20);
    let daemon = Daemon::start(server);
    let mut client = Client::resp3(&daemon);
    client.ask(&["client", "setinfo", "lib-name", "dockipc"], "+OK\r\n");
    client.ask(&["subscribe", "a"], &confirmation('>', "subscribe", "a", 1));
    client.ask(&["psubscribe", "au*"], &confirmation('>', "psubscribe", "au*", 2));
    events.publish("a", vec![(1, true), (2, false)]);
    client.expect(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n*2\r\n*2\r\n:1\r\n#t\r\n*2\r\n:2\r\n#f\r\n");
    events.publish("audit", 1.5);
    client.expect(">4\r\n$8\r\npmessage\r\n$3\r\nau*\r\n$5\r\naudit\r\n,1.5\r\n");
    // Events that the client does not read.
    let text = "x".repeat(64 * 1024);
    tests::process::until("a full queue", || events.publish("audit", &*text) == 0);
    for _ in 0..3 {
        events.publish("a", &*text);
    }
    let ended = ">3\r\n$7\r\ndockipc\r\n$5\r\nended\r\n*2\r\n$3\r\nau*\r\n-LAGGED 3 events were dropped\r\n";
    let dropped = ">3\r\n$7\r\ndockipc\r\n$7\r\ndropped\r\n:1\r\n";
    let expected = [dropped, ended, &message('>', "a", &text), &message('>', "a", &text)].concat();
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).ends_with(&expected) {
        let mut buffer = [0; 4096];
        let n = std::io::Read::read(&mut client.0, &mut buffer).expect("events");
        got.extend_from_slice(&buffer[..n]);
    }
}

/// Publish an event and answer later, from another thread.
#[command]
fn emit_later(events: Events, channel: String) -> Deferred<u64> {
    let (later, answer) = Deferred::new();
    thread::spawn(move || {
        events.publish(&channel, "late");
        answer.send(7);
    });
    later
}

#[test]
fn events_of_a_command_come_before_its_answer() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "a"], &confirmation('>', "subscribe", "a", 1));
    for _ in 0..100 {
        client.ask(&["emit-later", "a"], &(message('>', "a", "late") + ":7\r\n"));
    }
    client.ask(&["multi"], "+OK\r\n");
    client.ask(&["emit", "a", "one"], "+QUEUED\r\n");
    client.ask(&["emit", "a", "two"], "+QUEUED\r\n");
    let both = [message('>', "a", "one"), message('>', "a", "two")].concat();
    client.ask(&["exec"], &(both + "*2\r\n:1\r\n:1\r\n"));
    // A pipeline of them as well.
    let commands: Vec<_> = (0..100).flat_map(|_| tests::resp(&["emit", "a", "x"])).collect();
    std::io::Write::write_all(&mut client.0, &commands).expect("commands");
    client.expect(&(message('>', "a", "x") + ":1\r\n").repeat(100));
}
