//! Shutdown: commands that have arrived are answered, running ones may end until a deadline, and the
//! clients of the rest get `-SHUTDOWN`.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{env, fs, process, thread};

use dockipc::error::Unfinished;
use dockipc::{Client, Control, Error, Request, Server, command};
use rustix::process::Signal;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::process::{alone, descriptors, threads, until};
use tests::{Daemon, Place, exchange, expect, resp, rest};

/// Makes a file, sleeps, and answers with the time it slept.
#[command("nap")]
fn nap(time: Duration, begun: PathBuf) -> String {
    fs::write(begun, "").expect("a file");
    thread::sleep(time);
    format!("{time:?}")
}

fn start(deadline: Duration) -> (Daemon, Gate) {
    let gate = Gate::default();
    let server = Server::new().state(gate.clone()).shutdown_timeout(deadline);
    (Daemon::start(server), gate)
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

/// A client whose command waits at the gate.
fn blocked(daemon: &Daemon, gate: &Gate, command: &[u8]) -> UnixStream {
    let mut stream = daemon.connect();
    let before = gate.waiting();
    stream.write_all(command).unwrap();
    until("a command that runs", || gate.waiting() == before + 1);
    stream
}

fn text(stream: UnixStream) -> String {
    rest(stream).escape_ascii().to_string()
}

/// The number of clients that connect at the same time.
const MANY: usize = 100;

#[test]
fn shutdown_answers_what_has_arrived() {
    let _alone = alone();
    let before = descriptors();
    for line in [true, false] {
        let (daemon, gate) = start(LONG);
        let [x, y] = if line {
            [b"wait x\n".to_vec(), b"echo y\n".to_vec()]
        } else {
            let two = [resp(&["wait", "x"]), resp(&["echo", "z"])].concat();
            [two, resp(&["echo", "y"])]
        };
        let mut running: Vec<_> = (0..3).map(|_| blocked(&daemon, &gate, &x)).collect();
        // Some are in the listener's queue, and some behind those.
        let begin = |_| {
            let mut stream = daemon.connect();
            stream.write_all(&y).unwrap();
            stream
        };
        let queued: Vec<_> = (0..MANY).map(begin).collect();
        daemon.handle().shutdown();
        assert!(!daemon.path().exists(), "the path is free");
        assert!(matches!(Client::new(daemon.path()).send("ping"), Err(Error::NoSocket { .. })));
        for stream in queued {
            assert_eq!(text(stream), if line { "y" } else { r"$1\r\ny\r\n" });
        }
        assert_eq!(gate.waiting(), 3);
        gate.open();
        for stream in running.drain(..) {
            assert_eq!(text(stream), if line { "x" } else { r"$1\r\nx\r\n$1\r\nz\r\n" });
        }
        assert_eq!(daemon.handle().join(), []);
        drop(daemon);
        until("the threads' end", || threads() == 0);
        until("the descriptors' end", || descriptors() == before);
    }
}

#[test]
fn shutdown_closes_idle_connections_at_once() {
    let _alone = alone();
    let (daemon, gate) = start(LONG);
    let running = blocked(&daemon, &gate, b"wait x\n");
    let fresh: Vec<_> = (0..MANY).map(|_| daemon.connect()).collect();
    let used = |_| {
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["ping"])).unwrap();
        expect(&mut stream, b"+PONG\r\n");
        stream
    };
    let used: Vec<_> = (0..MANY).map(used).collect();
    let begun = |bytes: &[u8]| {
        let mut stream = daemon.connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    let half = [begun(b"echo m"), begun(b"*2\r\n$4\r\necho\r\n$2\r\nm")];
    // By now the daemon has read what was sent before.
    assert_eq!(exchange(daemon.connect(), b"ping\n"), b"PONG");
    daemon.handle().shutdown();
    for stream in fresh.into_iter().chain(used) {
        assert_eq!(text(stream), "");
    }
    let told = "-SHUTDOWN the daemon is stopping; the command was not run";
    for (stream, end) in half.into_iter().zip([r"\n", r"\r\n"]) {
        assert_eq!(text(stream), format!("{told}{end}"));
    }
    assert_eq!(gate.waiting(), 1, "all that while a command runs");
    gate.open();
    assert_eq!(text(running), "x");
}

#[test]
fn commands_after_the_deadline_get_shutdown() {
    let _alone = alone();
    let before = descriptors();
    let (daemon, gate) = start(SHORT);
    let line = blocked(&daemon, &gate, b"wait x\n");
    let framed = blocked(&daemon, &gate, &resp(&["wait", "x"]));
    daemon.handle().shutdown();
    let unfinished = daemon.handle().join();
    let told = "-SHUTDOWN the daemon stops without waiting for the command, which still runs";
    assert_eq!(text(line), format!(r"{told}\n"));
    assert_eq!(text(framed), format!(r"{told}\r\n"));
    let names: Vec<_> = unfinished.iter().map(Unfinished::name).collect();
    assert_eq!(names, ["wait", "wait"]);
    assert!(unfinished.iter().all(|one| one.ran_for() >= SHORT), "{unfinished:?}");
    assert_eq!(daemon.handle().join(), unfinished, "asked again");
    assert_eq!(gate.waiting(), 2, "they run on");
    drop(daemon);
    gate.open();
    until("the threads' end", || threads() == 0);
    until("the descriptors' end", || descriptors() == before);
}

#[test]
fn queued_commands_at_the_deadline_are_not_run() {
    let _alone = alone();
    let gate = Gate::default();
    let server = Server::new().state(gate.clone()).shutdown_timeout(SHORT);
    let daemon = Daemon::start(server.max_threads(3).busy_timeout(LONG));
    let first = blocked(&daemon, &gate, &resp(&["wait", "x"]));
    let begin = |_| {
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["wait", "x"])).unwrap();
        stream
    };
    let others: Vec<_> = (0..20).map(begin).collect();
    daemon.handle().shutdown();
    let unfinished = daemon.handle().join();
    let still = r"-SHUTDOWN the daemon stops without waiting for the command, which still runs\r\n";
    let not_run = r"-SHUTDOWN the daemon is stopping; the command was not run\r\n";
    assert_eq!(text(first), still);
    let answers: Vec<_> = others.into_iter().map(text).collect();
    let count = |told: &str| answers.iter().filter(|answer| *answer == told).count();
    assert_eq!(count(still) + count(not_run), 20, "{answers:?}");
    assert_eq!((gate.came(), unfinished.len()), (count(still) + 1, count(still) + 1));
    // One thread leads and one watches; the first time the command was not known to block.
    assert!(gate.came() <= 2, "{} of 3 threads", gate.came());
    gate.open();
}

#[test]
fn commands_behind_an_abandoned_one_are_not_run() {
    let _alone = alone();
    let (daemon, gate) = start(SHORT);
    let commands = [resp(&["wait", "x"]), resp(&["wait", "y"]), resp(&["ping"])].concat();
    let stream = blocked(&daemon, &gate, &commands);
    daemon.handle().shutdown();
    assert_eq!(daemon.handle().join().len(), 1);
    let answers = text(stream);
    let first = r"-SHUTDOWN the daemon stops without waiting for the command, which still runs\r\n";
    assert!(answers.starts_with(first), "{answers}");
    assert_eq!(gate.came(), 1);
    gate.open();
}

#[test]
fn control_stops_the_server_from_another_thread() {
    let _alone = alone();
    let (daemon, gate) = start(LONG);
    let running = blocked(&daemon, &gate, b"wait x\n");
    let control = daemon.handle().control();
    let other = control.clone();
    thread::spawn(move || other.shutdown()).join().unwrap();
    assert!(!daemon.path().exists(), "the path is free");
    gate.open();
    assert_eq!(text(running), "x");
    assert_eq!(daemon.handle().join(), []);
    control.shutdown();
}

#[test]
fn command_that_stops_the_server_is_answered() {
    let _alone = alone();
    let cell = Arc::new(OnceLock::<Control>::new());
    let own = Arc::clone(&cell);
    let server = Server::new().handle("halt", move |_: &Request<'_>| {
        own.get().unwrap().shutdown();
        "bye"
    });
    let daemon = Daemon::start(server);
    cell.set(daemon.handle().control()).unwrap();
    assert_eq!(daemon.ask("halt\n"), "bye");
    assert_eq!(daemon.handle().join(), []);
}

#[test]
fn control_does_not_keep_the_server_running() {
    let _alone = alone();
    let before = descriptors();
    let (daemon, _) = start(LONG);
    let control = daemon.handle().control();
    drop(daemon);
    until("the threads' end", || threads() == 0);
    until("the descriptors' end", || descriptors() == before);
    control.shutdown();
}

#[test]
fn dropped_handle_stops_the_server() {
    let _alone = alone();
    let (daemon, gate) = start(LONG);
    let running = blocked(&daemon, &gate, b"wait x\n");
    let path = daemon.path();
    let dropping = thread::spawn(move || drop(daemon));
    until("the path's end", || !path.exists());
    assert!(!dropping.is_finished());
    gate.open();
    assert_eq!(text(running), "x");
    until("its end", || dropping.is_finished());
}

mod run {
    use super::*;

    /// The exit code of the daemon's process when commands were left unfinished.
    const UNFINISHED: i32 = 3;

    /// Not a test: the daemon of those below.
    #[test]
    fn daemon() {
        apart::serve(|path| {
            let server = Server::new().state(Gate::default()).shutdown_timeout(LONG);
            let signals = env::var_os("SIGNALS").is_none();
            process::exit(match server.signals(signals).run(path) {
                Ok(()) => 0,
                Err(Error::Unfinished(_)) => UNFINISHED,
                Err(error) => panic!("{error}"),
            });
        });
    }

    fn start(place: &Place) -> Apart {
        Apart::start("run::daemon", place.socket())
    }

    /// A client whose command runs.
    fn napping(daemon: &Apart, place: &Place, time: &str) -> UnixStream {
        let mut stream = daemon.connect();
        let begun = place.directory().join("begun");
        stream.write_all(format!("nap {time} {}\n", begun.display()).as_bytes()).unwrap();
        until("a command that runs", || begun.exists());
        stream
    }

    #[test]
    fn signal_stops_daemon_and_removes_socket() {
        let _alone = alone();
        for signal in [Signal::TERM, Signal::INT] {
            let place = Place::new();
            let daemon = start(&place);
            let idle = daemon.connect();
            daemon.signal(signal);
            assert_eq!(text(idle), "");
            assert_eq!(daemon.wait().code(), Some(0), "{signal:?}");
            assert!(!place.socket().exists(), "{signal:?}");
            // And once more at the same path.
            drop(start(&place));
        }
    }

    #[test]
    fn running_command_is_answered_after_signal() {
        let _alone = alone();
        for signal in [Signal::TERM, Signal::INT] {
            let place = Place::new();
            let daemon = start(&place);
            let running = napping(&daemon, &place, "1s");
            daemon.signal(signal);
            until("the path's end", || !place.socket().exists());
            assert_eq!(text(running), "1s");
            assert_eq!(daemon.wait().code(), Some(0), "{signal:?}");
        }
    }

    #[test]
    fn second_signal_stops_at_once() {
        let _alone = alone();
        for second in [Signal::TERM, Signal::INT] {
            let place = Place::new();
            let daemon = start(&place);
            let running = napping(&daemon, &place, "1h");
            daemon.signal(Signal::TERM);
            until("the path's end", || !place.socket().exists());
            daemon.signal(second);
            let told = text(running);
            assert!(told.starts_with("-SHUTDOWN ") && told.ends_with(r" still runs\n"), "{told}");
            assert_eq!(daemon.wait().code(), Some(UNFINISHED), "{second:?}");
        }
    }

    #[test]
    fn signals_can_be_left_to_the_author() {
        let _alone = alone();
        let place = Place::new();
        let daemon = Apart::start_with("run::daemon", place.socket(), &[("SIGNALS", "no")]);
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.wait().signal(), Some(Signal::TERM.as_raw()));
        assert!(place.socket().exists(), "it was not asked");
        drop(start(&place));
    }
}
