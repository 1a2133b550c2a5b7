//! The subcommand `watch`.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use dockipc::{Events, Failure, Server};
use rustix::process::{Pid, Signal, kill_process};
use tests::ctl::{self, dockipc};
use tests::process::until;
use tests::scripted::{DOCKIPC_GREETING, greet_alone, scripted};
use tests::{Daemon, Place, expect, resp};

/// The events of the mail.
#[derive(dockipc::Events)]
#[expect(dead_code, reason = "they are only declared")]
enum Mail {
    #[event("mail.sent")]
    Sent(u64),
    #[event("mail.secret", allow = "uid:4000000000")]
    Secret,
}

fn daemon(server: Server) -> (Daemon, Events) {
    let events = Events::new();
    (Daemon::start(server.events(events.clone())), events)
}

#[test]
fn daemon_without_events_is_named() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, DOCKIPC_GREETING);
        expect(&mut stream, &resp(&["subscribe", "mail"]));
        stream.write_all(b"-ERR unknown command 'subscribe'\r\n").unwrap();
    });
    let ran = dockipc(["watch", "-s", place.socket().to_str().unwrap(), "mail"]);
    assert_eq!((ran.code, &*ran.err), (Some(1), "test-dockipc: the daemon has no events\n"));
    server.join().unwrap();
}

#[test]
fn refused_name_is_explained() {
    let (daemon, _) = daemon(Server::new());
    let ran = dockipc(["watch", "-s", daemon.path().to_str().unwrap(), "two words"]);
    assert!(ran.err.starts_with("test-dockipc: UNKNOWN no command \"two\""), "{}", ran.err);
}

/// Runs `watch` with these words, and publishes when it has subscribed.
fn watch(words: &[&str], publish: impl Fn(&Events) + Send + 'static) -> ctl::Ran {
    let (daemon, events) = daemon(Server::new());
    let publisher = std::thread::spawn(move || {
        until("a subscriber", || events.publish("start", 0) > 0);
        publish(&events);
    });
    let socket = daemon.path();
    // The last pattern: whoever hears it hears the other names too.
    let first = ["watch", "-s", socket.to_str().unwrap()];
    let ran = dockipc(first.iter().chain(words).chain(&["start*"]));
    publisher.join().unwrap();
    ran
}

fn publish(events: &Events) {
    events.publish("jobs.done", 7);
    events.publish("other", 0);
    events.publish("disk", vec![("a\tb", 1)]);
}

#[test]
fn watch_prints_a_line_for_each_event() {
    let ran = watch(&["-c", "3", "jobs.*", "disk"], publish);
    let lines = "start\t0\njobs.done\t7\ndisk\ta\\tb\t1\n";
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), lines, ""));
    let ran = watch(&["--count=3", "--json=line", "jobs.*", "disk"], publish);
    let lines = "{\"channel\":\"start\",\"value\":0}\n\
        {\"channel\":\"jobs.done\",\"value\":7}\n\
        {\"channel\":\"disk\",\"value\":[[\"a\\tb\",1]]}\n";
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), lines, ""));
    let ran = watch(&["-c1", "--json"], |_| ());
    assert_eq!(ran.text(), "{\n  \"channel\": \"start\",\n  \"value\": 0\n}\n");
}

#[test]
fn refused_channel_has_the_exit_code_of_its_error() {
    let (daemon, _) = daemon(Server::new().allow_channel("secret", "uid:4000000000"));
    let socket = daemon.path();
    let ran = dockipc(["watch".as_ref(), socket.as_os_str(), "secret".as_ref()]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.err.contains("NOPERM permission denied: channel \"secret\""), "{}", ran.err);
    let ran = dockipc(["watch".as_ref(), socket.as_os_str()]);
    assert_eq!((ran.code, &*ran.text()), (Some(2), ""));
    assert!(ran.err.contains("missing channel"), "{}", ran.err);
}

#[test]
fn event_that_is_an_error_does_not_end_watch() {
    let publish = |events: &Events| {
        events.publish("jobs.done", Err::<u64, _>(Failure::new("BROKEN", "no paper")));
        events.publish("jobs.done", 7);
    };
    let ran = watch(&["-c3", "jobs.*"], publish);
    let lines = "start\t0\njobs.done\t-BROKEN no paper\njobs.done\t7\n";
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), lines, ""));
    let ran = watch(&["-c3", "--json=line", "jobs.*"], publish);
    let lines = "{\"channel\":\"start\",\"value\":0}\n\
        {\"channel\":\"jobs.done\",\"value\":{\"error\":\"BROKEN no paper\"}}\n\
        {\"channel\":\"jobs.done\",\"value\":7}\n";
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), lines, ""));
}

#[test]
fn watched_call_of_an_unknown_command_is_told() {
    let (daemon, _) = daemon(Server::new());
    let ran = dockipc(["watch".as_ref(), daemon.path().as_os_str(), "no such".as_ref()]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("UNKNOWN no command \"no\""), "{}", ran.err);
}

#[test]
fn end_of_the_daemon_ends_watch_as_cut_off() {
    let (daemon, events) = daemon(Server::new());
    let mut command = ctl::command(&ctl::path());
    command.arg("watch").arg(daemon.path()).arg("*");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until("a subscriber", || events.publish("last", 1) > 0);
    drop(daemon);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "last\t1");
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(6));
}

#[test]
fn interrupt_ends_watch_quietly() {
    use std::os::unix::process::ExitStatusExt;
    let (daemon, events) = daemon(Server::new());
    let mut command = ctl::command(&ctl::path());
    command.arg("watch").arg(daemon.path()).arg("*");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("a subscriber", || events.publish("first", 1) > 0);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(output.stderr, b"");
    until("no subscriber", || events.publish("first", 1) == 0);
}

#[test]
fn time_limit_ends_watch() {
    let (daemon, _) = daemon(Server::new());
    let ran = dockipc([
        "watch".as_ref(),
        "--timeout=50ms".as_ref(),
        daemon.path().as_os_str(),
        "disk".as_ref(),
    ]);
    assert_eq!((ran.code, &*ran.text()), (Some(5), ""));
    assert!(ran.err.contains("timed out after 50ms"), "{}", ran.err);
}

#[test]
fn watch_completes_channels() {
    let (daemon, _) = daemon(Server::new());
    let socket = daemon.path();
    let channels = ["jobs.done", "disk", "mail.sent"];
    let _others = dockipc::Client::new(&socket).subscribe(channels).unwrap();
    let line = |last: &str| format!("dockipc watch {} x {last}", socket.display());
    let complete = |last: &str| dockipc(["__complete", "--", &line(last)]).text();
    assert_eq!(complete("jo"), "jobs.done\t\n");
    let mut all: Vec<_> = complete("").lines().map(|line| line.trim_end().to_owned()).collect();
    all.sort();
    assert_eq!(all, ["disk", "jobs.done", "mail.sent"]);
}

#[test]
fn watch_completes_declared_channels() {
    let (daemon, _) = daemon(Server::new());
    let line = format!("dockipc watch {} ", daemon.path().display());
    assert_eq!(dockipc(["__complete", "--", &line]).text(), "mail.sent\t\n");
}
