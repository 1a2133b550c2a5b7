//! Subscriptions of line mode.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use dockipc::events::WhenFull;
use dockipc::{Events, Server};
use tests::Daemon;
use tests::process::until;

/// Sends a line that subscribes, and waits until it has.
fn subscribe(daemon: &Daemon, line: &str) -> UnixStream {
    let mut stream = daemon.connect();
    stream.write_all(line.as_bytes()).expect("a line");
    until("a subscription", || daemon.handle().events().publish("ready", ()) > 0);
    stream
}

/// Reads the next event that is not `ready`.
fn next(lines: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        if line != "ready\t\n" {
            return line;
        }
    }
}

#[test]
fn line_stays_open_and_gets_a_row_for_each_event() {
    let daemon = Daemon::start(Server::new());
    let events = daemon.handle().events();
    let stream = subscribe(&daemon, "psubscribe 'jobs.*' ready\n");
    // `nc -N` and socat end their side at once.
    stream.shutdown(Shutdown::Write).expect("an end of input");
    let mut lines = BufReader::new(stream);
    events.publish("jobs.done", (7, "all\tdone\n"));
    events.publish("jobs.count", vec![1, 2]);
    events.publish("disk", "full");
    events.publish("jobs.last", true);
    assert_eq!(next(&mut lines), "jobs.done\t7\tall\\tdone\\n\n");
    assert_eq!(next(&mut lines), "jobs.count\t1\t2\n");
    assert_eq!(next(&mut lines), "jobs.last\ttrue\n");
    drop(lines);
    until("the client has left", || events.publish("jobs.done", 1) == 0);
}

#[test]
fn refused_line_ends() {
    let daemon = Daemon::start(Server::new().allow_channel("secret", "uid:4000000000"));
    assert_eq!(daemon.ask("subscribe\n"), "-USAGE usage: subscribe <channel>\\xe2\\x80\\xa6\\n");
    let uid = rustix::process::geteuid().as_raw();
    let why = "channel \"secret\" requires uid:4000000000";
    let denied = format!("-NOPERM permission denied: {why} (you are uid {uid})\\n");
    assert_eq!(daemon.ask("subscribe ready secret\n").replace("\\\"", "\""), denied);
    assert_eq!(daemon.ask("pubsub numsub ready\n"), "ready\\n0\\n");
    let wrapped = tests::resp(&["dockipc", "line", "subscribe ready"]);
    let why = "-USAGE subscribe is no line in RESP; send it as a command\\r\\n";
    assert_eq!(daemon.ask(wrapped), why);
    let why = "-USAGE unsubscribe has no meaning on a line: close it\\n";
    assert_eq!(daemon.ask("unsubscribe\n"), why);
}

#[test]
fn slow_line_ends_where_the_channel_says_so() {
    let events = Events::new().when_full("log", WhenFull::End);
    let server = Server::new().events(events.clone()).max_queued_events(2, 1 << 20);
    let daemon = Daemon::start(server);
    let stream = subscribe(&daemon, "subscribe log ready\n");
    let text = "x".repeat(64 * 1024);
    until("a full queue", || events.publish("log", &*text) == 0);
    let lines: Vec<_> = BufReader::new(stream).lines().map(|line| line.expect("a line")).collect();
    let (last, events) = lines.split_last().expect("a last line");
    assert_eq!(last, "-LAGGED 3 events were dropped");
    assert!(events.iter().all(|line| line.starts_with("log\tx") || line == "ready\t"));
}
