//! Hooks before and after commands.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use dockipc::hooks::{Call, End};
use dockipc::{Failure, Request, Secret, Server, Stopped, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, exchange, expect, resp, rest};

use super::kept::{Kept, States};

/// Open a door.
#[command(allow = "uid:4294967294")]
fn open_door() {}

/// Answer with half of an even number.
#[command]
fn halve(n: u32) -> Result<u32, Failure> {
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(Failure::new("ODD", "it is odd")) }
}

/// Take a secret.
#[command]
fn unlock(_secret: Secret<String>, _n: Option<u8>) {}

/// The events that the hooks have seen, a line each.
type Log = Kept<String>;

fn log(log: &Log, line: impl std::fmt::Display) {
    log.keep(line.to_string());
}

/// Starts a server that logs each end.
fn start(states: States, server: Server) -> (Daemon, Log) {
    let ends = Log::default();
    let seen = ends.clone();
    let server = server.after(move |call, outcome, took| {
        assert!(took < Duration::from_secs(60));
        assert!(call.id() > 0 && call.connection() > 0 && call.peer().uid() < u32::MAX);
        let code = outcome.code().unwrap_or("OK");
        log(&seen, format_args!("{} {:?} {code}", call.name(), outcome.end()));
    });
    (Daemon::start(states.of(server)), ends)
}

/// Returns the lines of a log and clears it.
fn lines(log: &Log) -> Vec<String> {
    (0..log.len()).map(|_| log.take()).collect()
}

fn refuse_odd_connections(call: &Call<'_>) -> Result<(), Failure> {
    if call.name() == "halve" {
        return Err(Failure::new("RATELIMIT", "slow down"));
    }
    Ok(())
}

#[test]
fn before_refuses_with_its_own_code() {
    let (daemon, ends) = start(States::default(), Server::new().before(refuse_odd_connections));
    let refused = "-RATELIMIT slow down\\n";
    assert_eq!(daemon.ask("halve 4\n"), refused);
    // Attempts count, also with words that do not fit.
    assert_eq!(daemon.ask("halve x\n"), refused);
    assert_eq!(daemon.ask("halve\n"), refused);
    assert_eq!(lines(&ends), ["halve Refused RATELIMIT"; 3]);
    assert_eq!(daemon.ask("ping\n"), "PONG");
}

#[test]
fn after_sees_each_kind_of_end() {
    let upper = |request: &Request<'_>| request.name().to_uppercase();
    let explode = |_: &Request<'_>| -> u8 { panic!("on purpose") };
    let server = Server::new().fallback(upper).handle("explode", explode);
    let (daemon, ends) = start(States::default(), server);
    for (line, end) in [
        ("halve 4", "halve Answered OK"),
        ("HALVE 4", "halve Answered OK"),
        ("halve 3", "halve Failed ODD"),
        ("halve x", "halve Failed USAGE"),
        ("halve", "halve Failed USAGE"),
        ("halve 'x", "halve Failed USAGE"),
        ("unlock hunter2 hunter3", "unlock Failed USAGE"),
        ("open-door", "open-door Refused NOPERM"),
        ("explode", "explode Panicked PANIC"),
        ("other words", "other Answered OK"),
    ] {
        daemon.ask(format!("{line}\n"));
        assert_eq!(lines(&ends), [end], "{line}");
    }
}

#[test]
fn after_gives_the_failure() {
    let failures = Kept::<Failure>::default();
    let kept = failures.clone();
    let server = Server::new().after(move |_, outcome, _| {
        outcome.failure().into_iter().for_each(|failure| kept.keep(failure.clone()));
    });
    let (daemon, _) = start(States::default(), server);
    daemon.ask("halve 4\n");
    daemon.ask("halve 3\n");
    assert_eq!(failures.take().message(), "it is odd");
    assert_eq!(failures.len(), 0);
}

#[test]
fn built_in_and_unknown_commands_are_not_seen() {
    let (daemon, ends) = start(States::default(), Server::new().allow("info", "uid:4294967294"));
    for line in ["ping", "info", "help", "nothing"] {
        daemon.ask(format!("{line}\n"));
    }
    let seen = lines(&ends);
    assert_eq!(seen, [] as [&str; 0]);
    daemon.ask("halve 2\n");
    assert_eq!(ends.len(), 1);
}

#[test]
fn hooks_are_called_in_order() {
    let order = Log::default();
    let logs = |line: &'static str| {
        let order = order.clone();
        move |_: &Call<'_>| {
            log(&order, line);
            Ok(())
        }
    };
    let last = order.clone();
    let record = order.clone();
    let server = Server::new()
        .allow("halve", "any")
        .audit(move |_| {
            log(&record, "audit");
            Ok(())
        })
        .before(logs("first"))
        .after(move |_, _, _| log(&last, "after"))
        .before(logs("second"))
        .before(refuse_odd_connections)
        .before(logs("not called"));
    let (daemon, _) = start(States::default(), server);
    daemon.ask("halve 2\n");
    assert_eq!(lines(&order), ["audit", "first", "second", "after"]);
    daemon.ask("unlock x\n");
    assert_eq!(lines(&order), ["first", "second", "not called", "after"]);
}

#[test]
fn failing_audit_refuses_before_the_hooks() {
    let server = Server::new()
        .allow("halve", "any")
        .audit(|_| Err(std::io::Error::other("full")))
        .before(|_| panic!("not called"));
    let (daemon, ends) = start(States::default(), server);
    assert!(daemon.ask("halve 2\n").starts_with("-ERR the audit failed"));
    assert!(daemon.ask("halve\n").starts_with("-ERR the audit failed"));
    assert_eq!(lines(&ends), ["halve Refused ERR"; 2]);
}

#[test]
fn panic_of_a_hook_is_caught() {
    let server = Server::new()
        .before(|call| if call.name() == "halve" { panic!("on purpose") } else { Ok(()) })
        .after(|_, _, _| panic!("on purpose"));
    let (daemon, ends) = start(States::default(), server);
    let answer = daemon.ask("halve 2\n");
    assert!(answer.starts_with("-PANIC a hook panicked"), "{answer}");
    assert_eq!(daemon.ask("unlock x\n"), "");
    assert_eq!(lines(&ends), ["halve Refused PANIC", "unlock Answered OK"]);
}

#[test]
fn queued_command_is_seen_when_it_runs() {
    let calls = Log::default();
    let called = calls.clone();
    let server = Server::new().before(move |call| {
        log(&called, call.name());
        Ok(())
    });
    let (daemon, ends) = start(States::default(), server);
    let mut stream = daemon.connect();
    let mut ask = |words: &[&str], answer: &[u8]| {
        stream.write_all(&resp(words)).unwrap();
        expect(&mut stream, answer);
    };
    ask(&["multi"], b"+OK\r\n");
    ask(&["halve", "2"], b"+QUEUED\r\n");
    ask(&["halve", "3"], b"+QUEUED\r\n");
    assert_eq!((calls.len(), ends.len()), (0, 0));
    ask(&["exec"], b"*2\r\n:1\r\n-ODD it is odd\r\n");
    assert_eq!(lines(&calls), ["halve", "halve"]);
    assert_eq!(lines(&ends), ["halve Answered OK", "halve Failed ODD"]);
    ask(&["multi"], b"+OK\r\n");
    ask(&["halve"], b"-USAGE n is missing; usage: halve <n>\r\n");
    assert_eq!((calls.len(), ends.len()), (0, 0));
}

#[test]
fn after_sees_later_answer_when_it_comes() {
    let states = States::default();
    let (daemon, ends) = start(states.clone(), Server::new());
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["pick"])).unwrap();
    let answer = states.answers.take();
    assert_eq!(ends.len(), 0);
    answer.send(7);
    expect(&mut stream, b":7\r\n");
    assert_eq!(lines(&ends), ["pick Answered OK"]);
    stream.write_all(&resp(&["pick"])).unwrap();
    drop(states.answers.take());
    expect(&mut stream, b"-ERR the command was dropped\r\n");
    assert_eq!(lines(&ends), ["pick Failed ERR"]);
}

/// Begins a command that is answered later.
fn pick(daemon: &Daemon, states: &States) -> (UnixStream, dockipc::Answerer<u64>) {
    let mut stream = daemon.connect();
    let open = ["dockipc", "with", "deadline", "600000", "--", "pick"];
    stream.write_all(&resp(&open)).unwrap();
    (stream, states.answers.take())
}

#[test]
fn after_sees_that_nobody_waits_for_later_answer() {
    let states = States::default();
    let (daemon, ends) = start(states.clone(), Server::new());
    let (stream, _answer) = pick(&daemon, &states);
    drop(stream);
    assert_eq!(ends.take(), "pick Stopped(Cancelled) CANCELLED");

    let (stream, _answer) = pick(&daemon, &states);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    assert_eq!(ends.take(), "pick Stopped(Cancelled) CANCELLED");

    let (mut stream, _answer) = pick(&daemon, &states);
    let other =
        exchange(daemon.connect(), &[resp(&["dockipc", "running"]), resp(&["quit"])].concat());
    let text = String::from_utf8(other).unwrap();
    let id = text.split("connection\r\n:").nth(1).unwrap().split("\r\n").next().unwrap();
    let kill = [resp(&["client", "kill", "id", id]), resp(&["quit"])].concat();
    assert_eq!(exchange(daemon.connect(), &kill), b":1\r\n+OK\r\n");
    expect(&mut stream, b"");
    assert_eq!(ends.take(), "pick Stopped(Cancelled) CANCELLED");
    assert_eq!(ends.len(), 0);
}

#[test]
fn after_sees_later_command_that_a_stop_ends() {
    let states = States::default();
    let (daemon, ends) =
        start(states.clone(), Server::new().shutdown_timeout(Duration::from_millis(50)));
    let (stream, _answer) = pick(&daemon, &states);
    daemon.handle().shutdown();
    daemon.handle().join();
    assert!(rest(stream).starts_with(b"-SHUTDOWN "));
    assert_eq!(lines(&ends), ["pick Stopped(ShuttingDown) SHUTDOWN"]);
}

#[test]
fn after_sees_command_that_timed_out_in_its_place() {
    let gate = Gate::default();
    let inside = gate.clone();
    let server = Server::new().run_timeout(Duration::from_millis(50));
    let server = server.handle("stay", move |_: &Request<'_>| inside.pass());
    let (daemon, ends) = start(States::default(), server);
    let answer = daemon.ask("stay\n");
    assert!(answer.starts_with("-TIMEOUT "), "{answer}");
    assert_eq!(ends.len(), 0);
    gate.open();
    assert_eq!(ends.take(), "stay Stopped(TimedOut) TIMEOUT");
}

#[test]
fn after_sees_why_a_command_was_asked_to_stop() {
    let states = States::default();
    states.gate.open();
    let (daemon, ends) = start(states.clone(), Server::new());
    let mut stream = daemon.connect();
    stream.write_all(b"linger\n").unwrap();
    until("the command", || states.gate.came() > 0);
    drop(stream);
    assert_eq!(ends.take(), "linger Stopped(Cancelled) CANCELLED");
    assert_eq!(states.reasons.take(), Stopped::Cancelled);
}

#[test]
fn blocking_hooks_delay_no_other_client() {
    let gate = Gate::default();
    let (before, after) = (gate.clone(), gate.clone());
    let states = States::default();
    let server = Server::new()
        .before(move |call| {
            if call.name() == "halve" {
                before.pass();
            }
            Ok(())
        })
        .after(move |call, outcome, _| {
            if call.name() == "pick" && outcome.end() == End::Answered {
                after.pass();
            }
        });
    let (daemon, ends) = start(states.clone(), server);
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["halve", "2"])).unwrap();
        waiting.push((stream, &b":1\r\n"[..]));
    }
    for _ in 0..4 {
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["pick"])).unwrap();
        states.answers.take().send(7);
        waiting.push((stream, b":7\r\n"));
    }
    until("all hooks", || gate.waiting() == 8);
    assert_eq!(daemon.ask("ping\n"), "PONG");
    assert_eq!(daemon.ask("unlock x\n"), "");
    gate.open();
    for (mut stream, answer) in waiting {
        expect(&mut stream, answer);
        stream.write_all(&resp(&["halve", "4"])).unwrap();
        expect(&mut stream, b":2\r\n");
    }
    assert_eq!(lines(&ends).len(), 1 + 8 + 8);
}

#[test]
fn each_command_has_one_end() {
    let begun = Log::default();
    let seen = begun.clone();
    let states = States::default();
    let server = Server::new().before(move |call| {
        log(&seen, call.id());
        Ok(())
    });
    let ended = Log::default();
    let kept = ended.clone();
    let server = server.after(move |call, _, _| log(&kept, call.id()));
    let (daemon, _) = start(states.clone(), server);
    thread::scope(|scope| {
        for client in 0..4 {
            let (daemon, states) = (&daemon, &states);
            scope.spawn(move || {
                for round in 0..50 {
                    let mut stream = daemon.connect();
                    let input = [resp(&["halve", "3"]), resp(&["pick"])].concat();
                    stream.write_all(&input).unwrap();
                    expect(&mut stream, b"-ODD it is odd\r\n");
                    let answer = states.answers.take();
                    if (client + round) % 2 == 0 {
                        drop(stream);
                    }
                    answer.send(1);
                }
            });
        }
    });
    until("the ends", || ended.len() >= 400);
    let sorted = |log| {
        let mut lines = lines(log);
        lines.sort();
        lines
    };
    assert_eq!(sorted(&begun), sorted(&ended));
}
