//! Access to channels.

use std::sync::{Arc, Mutex};

use dockipc::audit::Decision;
use dockipc::{Access, Server};
use tests::{Daemon, Place};

use super::client::{Client, bulk, confirmation, message, pmessage};

const NOBODY: &str = "uid:4000000000";

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn denied(channel: &str, reason: &str) -> String {
    format!("-NOPERM permission denied: channel \"{channel}\" {reason} (you are uid {})\r\n", uid())
}

#[test]
fn rule_decides_who_hears_a_channel() {
    let server = Server::new().allow_channel("jobs.*", NOBODY).allow_channel("jobs.open", "any");
    let daemon = Daemon::start(server);
    let mut client = Client::resp3(&daemon);
    let requires = format!("requires {NOBODY}");
    client.ask(&["subscribe", "disk", "jobs.done"], &denied("jobs.done", &requires));
    client.ask(&["psubscribe", "*"], &confirmation('>', "psubscribe", "*", 1));
    let events = daemon.handle().events();
    assert_eq!(events.publish("jobs.done", 1), 0);
    assert_eq!(events.publish("jobs.open", 2), 1);
    assert_eq!(events.publish("disk", 3), 1);
    client.expect(&pmessage('>', "*", "jobs.open", "2"));
    client.expect(&pmessage('>', "*", "disk", "3"));
    client.ask(&["subscribe", "jobs.open"], &confirmation('>', "subscribe", "jobs.open", 2));
}

#[test]
fn channel_without_a_rule_is_closed_by_default_deny() {
    let server = Server::new().default_deny().allow_channel("disk", "owner");
    let daemon = Daemon::start(server);
    let mut client = Client::resp2(&daemon);
    client.ask(&["subscribe", "jobs"], &denied("jobs", "is denied to everyone"));
    client.ask(&["subscribe", "disk"], &confirmation('*', "subscribe", "disk", 1));
    client.ask(&["psubscribe", "*"], &confirmation('*', "psubscribe", "*", 2));
    assert_eq!(daemon.handle().events().publish("jobs", 1), 0);
    assert_eq!(daemon.handle().events().publish("disk", 1), 2);
}

#[test]
fn second_socket_offers_its_channels() {
    let place = Place::new();
    let second = place.directory().join("second.sock");
    let access = Access::only(["emit"]).channels(["disk*"]).mode(0o666);
    let daemon = Daemon::start(Server::new().also_at(&second, access));
    let stream = std::os::unix::net::UnixStream::connect(&second).expect("a connection");
    let mut client = Client(stream);
    client.ask(&["subscribe", "jobs"], &denied("jobs", "is not offered at this socket"));
    client.ask(&["psubscribe", "*"], &confirmation('*', "psubscribe", "*", 1));
    let events = daemon.handle().events();
    assert_eq!(events.publish("jobs", 1), 0);
    assert_eq!(events.publish("disk.full", 2), 1);
    client.expect(&pmessage('*', "*", "disk.full", "2"));
}

#[test]
fn subscription_with_a_rule_is_recorded() {
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let server = Server::new().allow_channel("jobs", "any").allow_channel("secret", NOBODY).audit(
        move |record| {
            kept.lock().expect("the records").push(format!("{record:?}"));
            Ok(())
        },
    );
    let daemon = Daemon::start(server);
    let mut client = Client::resp2(&daemon);
    let both =
        [confirmation('*', "subscribe", "disk", 1), confirmation('*', "subscribe", "jobs", 2)];
    client.ask(&["subscribe", "disk", "jobs"], &both.concat());
    client.ask(&["subscribe", "secret"], &denied("secret", &format!("requires {NOBODY}")));
    let records = records.lock().expect("the records");
    let [allowed, denied] = &records[..] else { panic!("{records:?}") };
    assert!(allowed.contains("subscribe") && allowed.contains("jobs"), "{allowed}");
    assert!(denied.contains("subscribe") && denied.contains("secret"), "{denied}");
}

#[test]
fn pattern_is_recorded_with_each_rule_that_lets_it() {
    // The first rule is that of a declared channel.
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let server = Server::new()
        .default_deny()
        .allow_channel("jobs.*", "any")
        .allow_channel("jobs.secret", NOBODY)
        .allow_channel("disk", "owner")
        .audit(move |record| {
            let what = format!("{} {}", record.arguments()[0].value(), record.rule());
            kept.lock().expect("the records").push((what, record.decision()));
            Ok(())
        });
    let daemon = Daemon::start(server);
    let mut client = Client::resp2(&daemon);
    for (index, pattern) in ["*", "job?.*", "jobs.secret", "cpu"].iter().enumerate() {
        client.ask(&["psubscribe", pattern], &confirmation('*', "psubscribe", pattern, index + 1));
    }
    let records = records.lock().expect("the records");
    let records: Vec<_> =
        records.iter().map(|(what, decision)| (what.as_str(), *decision)).collect();
    let (allowed, denied) = (Decision::Allowed, Decision::Denied);
    let expected = [
        ("* owner", allowed),
        ("* any", allowed),
        ("* owner", allowed),
        ("job?.* any", allowed),
        ("jobs.secret any", allowed),
        ("cpu nobody", denied),
    ];
    assert_eq!(records, expected);
}

#[test]
fn pattern_that_is_not_recorded_is_refused() {
    let server = Server::new()
        .allow_channel("jobs.*", "any")
        .allow_channel("closed", NOBODY)
        .audit(|_| Err(std::io::ErrorKind::StorageFull.into()));
    let daemon = Daemon::start(server);
    let mut client = Client::resp2(&daemon);
    let failed = "-ERR the audit failed: no storage space; the command was not run\r\n";
    for patterns in [&["job?.*"][..], &["jobs.*", "closed"]] {
        client.ask(&[&["psubscribe"], patterns].concat(), failed);
    }
    client.ask(&["psubscribe", "disk"], &confirmation('*', "psubscribe", "disk", 1));
    assert_eq!(daemon.handle().events().publish("jobs.x", 1), 0);
}

#[test]
fn reset_ends_subscriptions() {
    let daemon = Daemon::start(Server::new());
    let mut client = Client::resp3(&daemon);
    client.ask(&["subscribe", "a"], &confirmation('>', "subscribe", "a", 1));
    let events = daemon.handle().events();
    assert_eq!(events.publish("a", 1), 1);
    client.expect(&message('>', "a", "1"));
    client.ask(&["reset"], "+RESET\r\n");
    assert_eq!(events.publish("a", 2), 0);
    client.ask(&["unsubscribe"], &format!("*3\r\n{}$-1\r\n:0\r\n", bulk("unsubscribe")));
}

#[test]
fn token_ends_subscriptions() {
    let place = Place::new();
    let file = place.directory().join("token");
    std::fs::write(&file, "a token of many letters\n").expect("a token");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("a mode");
    let daemon = Daemon::start(Server::new().allow_channel("jobs", "token").token_file(&file));
    let mut client = Client::resp3(&daemon);
    client.ask(&["psubscribe", "*"], &confirmation('>', "psubscribe", "*", 1));
    let events = daemon.handle().events();
    assert_eq!(events.publish("jobs", 1), 0);
    client.ask(&["auth", "a token of many letters"], "+OK\r\n");
    assert_eq!(events.publish("disk", 1), 0);
    client.ask(&["psubscribe", "*"], &confirmation('>', "psubscribe", "*", 1));
    assert_eq!(events.publish("jobs", 1), 1);
    client.expect(&pmessage('>', "*", "jobs", "1"));
}
